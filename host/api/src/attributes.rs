//! Taking attributes off all endpoints or users of an application.

use pinion_domain::attributes::{AttributeType, Blacklist};
use pinion_domain::id::AppId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// `UpdateAttributesRequest`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateAttributesRequest {
    #[serde(default)]
    blacklist: Vec<String>,
}

/// `AttributesResource`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttributesResource {
    application_id: AppId,
    attribute_type: &'static str,
    /// The names that were found and removed.
    attributes: Vec<String>,
}

pub(crate) async fn remove(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let kind = AttributeType::parse(call.label("attribute-type"))?;
    let request: UpdateAttributesRequest = call.json()?;
    let blacklist = Blacklist::parse(&request.blacklist)?;
    let removed = api.store().remove_attributes(&app, kind, blacklist).await?;
    Answer::json(&AttributesResource {
        application_id: app.id,
        attribute_type: kind.as_str(),
        attributes: removed.into_iter().collect(),
    })
}
