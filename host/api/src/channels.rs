//! Channels of an application. What a channel's document says is kept for clients; a binding decides
//! how messages leave.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::channel::{ChannelType, EmailChannelRequest};
use pinion_domain::id::AppId;
use pinion_store::ChannelRow;
use serde::Serialize;
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::Api;
use crate::error::{ApiError, Result};
use crate::extract::{Answer, Call};

/// `ChannelResponse`: what all channels have.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ChannelResponse {
    application_id: AppId,
    creation_date: String,
    enabled: bool,
    has_credential: bool,
    /// The channel's own id, kept by AWS for backward compatibility.
    id: String,
    is_archived: bool,
    last_modified_by: String,
    last_modified_date: String,
    version: i32,
}

impl ChannelResponse {
    fn new(app: &AppId, row: &ChannelRow) -> Self {
        Self {
            application_id: app.clone(),
            creation_date: row.creation_date.clone(),
            enabled: row
                .document
                .get("Enabled")
                .and_then(Value::as_bool)
                .unwrap_or(true),
            has_credential: false,
            id: row.channel_type.as_str().to_ascii_lowercase(),
            is_archived: false,
            last_modified_by: String::new(),
            last_modified_date: row.last_modified_date.clone(),
            version: row.version,
        }
    }
}

/// `EmailChannelResponse`.
#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EmailChannelResponse {
    #[serde(flatten)]
    channel: ChannelResponse,
    configuration_set: Option<String>,
    from_address: String,
    identity: String,
    platform: ChannelType,
    role_arn: Option<String>,
    orchestration_sending_role_arn: Option<String>,
}

fn email_answer(app: &AppId, row: Option<ChannelRow>) -> Result<Answer> {
    let row = row.ok_or_else(|| Error::not_found("channel", "EMAIL"))?;
    let channel = ChannelResponse::new(app, &row);
    let email: EmailChannelRequest = serde_json::from_value(row.document).map_err(ApiError::internal)?;
    Answer::json(&EmailChannelResponse {
        channel,
        configuration_set: email.configuration_set,
        from_address: email.from_address,
        identity: email.identity,
        platform: ChannelType::Email,
        role_arn: email.role_arn,
        orchestration_sending_role_arn: email.orchestration_sending_role_arn,
    })
}

pub(crate) async fn get_email(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let row = api.store().channel(&app, ChannelType::Email).await?;
    email_answer(&app.id, row)
}

pub(crate) async fn update_email(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let email: EmailChannelRequest = call.json()?;
    if !email.from_address.contains('@') {
        return Err(Error::invalid("FromAddress", "must be an e-mail address").into());
    }
    let document = serde_json::to_value(email).map_err(ApiError::internal)?;
    let row = api
        .store()
        .put_channel(&app, ChannelType::Email, document)
        .await?;
    email_answer(&app.id, Some(row))
}

pub(crate) async fn delete_email(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let row = api.store().delete_channel(&app, ChannelType::Email).await?;
    email_answer(&app.id, row)
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    /// `ChannelsResponse`.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct ChannelsResponse {
        channels: BTreeMap<ChannelType, ChannelResponse>,
    }
    let app = api.app(&call).await?;
    let rows = api.store().channels(&app).await?;
    let channels = rows
        .iter()
        .map(|row| (row.channel_type, ChannelResponse::new(&app.id, row)))
        .collect();
    Answer::json(&ChannelsResponse { channels })
}
