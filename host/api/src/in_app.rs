//! In-app messages.

use pinion_domain::Error;
use pinion_domain::id::EndpointId;
use serde_json::json;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = EndpointId::from(call.label("endpoint-id"));
    let campaigns = api
        .engine
        .in_app_messages(&app, &id)
        .await?
        .ok_or_else(|| Error::not_found("endpoint", id.as_str()))?;
    Answer::json(&json!({ "InAppMessageCampaigns": campaigns }))
}
