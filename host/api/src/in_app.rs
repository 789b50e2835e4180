//! In-app messages.

use pinion_domain::Error;
use pinion_domain::campaign::in_app::InAppCampaign;
use pinion_domain::id::EndpointId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// `InAppMessagesResponse`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InAppMessagesResponse {
    in_app_message_campaigns: Vec<InAppCampaign>,
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = EndpointId::from(call.label("endpoint-id"));
    let campaigns = api
        .engine
        .in_app_messages(&app, &id)
        .await?
        .ok_or_else(|| Error::not_found("endpoint", id.as_str()))?;
    Answer::json(&InAppMessagesResponse {
        in_app_message_campaigns: campaigns,
    })
}
