//! Channels of an application: one set of handlers for all types, which `domain::channel` tells apart.
//!
//! What a document says besides its credentials is kept for clients; a binding decides how messages
//! leave.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::channel::{self, ChannelType, default_authentication_method};
use pinion_domain::id::AppId;
use pinion_store::{ChannelRow, NewChannel};
use serde::Serialize;
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::Api;
use crate::error::{ApiError, Result};
use crate::extract::{Answer, Call};

/// `ChannelResponse`: what all channels have.
#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ChannelResponse {
    application_id: AppId,
    creation_date: String,
    enabled: bool,
    /// Only of channels that have credentials, as at AWS.
    has_credential: Option<bool>,
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
            enabled: row.is_enabled(),
            has_credential: (!row.credentials.is_empty()).then_some(true),
            id: row.channel_type.as_str().to_ascii_lowercase(),
            is_archived: false,
            last_modified_by: row.last_modified_by.clone(),
            last_modified_date: row.last_modified_date.clone(),
            version: row.version,
        }
    }
}

/// `EmailChannelResponse`, `GCMChannelResponse` and so on: each has some of these members.
#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OneChannelResponse {
    #[serde(flatten)]
    channel: ChannelResponse,
    platform: ChannelType,
    /// Settings, as they were written.
    #[serde(flatten)]
    settings: Map<String, Value>,
    /// The key of the service: no other credential is ever told.
    credential: Option<String>,
    default_authentication_method: Option<String>,
    has_fcm_service_credentials: Option<bool>,
    has_token_key: Option<bool>,
    messages_per_second: Option<u32>,
    promotional_messages_per_second: Option<u32>,
    transactional_messages_per_second: Option<u32>,
}

impl OneChannelResponse {
    fn new(api: &Api, app: &AppId, row: &ChannelRow) -> Self {
        use ChannelType::{Apns, ApnsSandbox, ApnsVoip, ApnsVoipSandbox, Baidu, Email, Gcm, Sms};
        let channel_type = row.channel_type;
        let has = |name| Some(row.credentials.get(name).is_some());
        let is_apns = matches!(channel_type, Apns | ApnsSandbox | ApnsVoip | ApnsVoipSandbox);
        // The rate at which this server sends, if it was given one.
        let binding = api.engine.config().bindings.get(&channel_type);
        let rate = binding.and_then(|binding| binding.rate);
        Self {
            channel: ChannelResponse::new(app, row),
            platform: channel_type,
            settings: channel::echoed(channel_type, &row.document),
            credential: matches!(channel_type, Gcm | Baidu)
                .then(|| row.credentials.get("ApiKey").map(str::to_owned))
                .flatten(),
            default_authentication_method: default_authentication_method(
                channel_type,
                &row.document,
                &row.credentials,
            ),
            has_fcm_service_credentials: (channel_type == Gcm).then(|| has("ServiceJson")).flatten(),
            has_token_key: is_apns.then(|| has("TokenKey")).flatten(),
            messages_per_second: rate.filter(|_| channel_type == Email),
            promotional_messages_per_second: rate.filter(|_| channel_type == Sms),
            transactional_messages_per_second: rate.filter(|_| channel_type == Sms),
        }
    }
}

/// The path's last segment is the type's name in small letters.
fn channel_type(call: &Call) -> Result<ChannelType> {
    let (_, name) = call.operation.path.rsplit_once('/').unwrap_or_default();
    name.to_ascii_uppercase()
        .parse()
        .map_err(|()| ApiError::internal(format!("no channel type in {}", call.operation.path)))
}

fn answer(api: &Api, app: &AppId, channel_type: ChannelType, row: Option<ChannelRow>) -> Result<Answer> {
    let row = row.ok_or_else(|| Error::not_found("channel", channel_type.as_str()))?;
    Answer::json(&OneChannelResponse::new(api, app, &row))
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let channel_type = channel_type(&call)?;
    let app = api.app(&call).await?;
    let row = api.store().channel(&app, channel_type).await?;
    answer(api, &app.id, channel_type, row)
}

/// Makes the channel or changes it.
pub(crate) async fn put(api: &Api, call: Call) -> Result<Answer> {
    let channel_type = channel_type(&call)?;
    let app = api.app(&call).await?;
    let request: Map<String, Value> = call.json()?;
    let before = api.store().channel(&app, channel_type).await?;
    let stored = before.map(|row| row.credentials).unwrap_or_default();
    let settings = channel::check(channel_type, &request, stored)?;
    let channel = NewChannel {
        document: settings.document.into(),
        credentials: settings.credentials,
        by: call.principal.arn(),
    };
    let row = api.store().put_channel(&app, channel_type, channel).await?;
    answer(api, &app.id, channel_type, Some(row))
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let channel_type = channel_type(&call)?;
    let app = api.app(&call).await?;
    let row = api.store().delete_channel(&app, channel_type).await?;
    answer(api, &app.id, channel_type, row)
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    /// `ChannelsResponse`.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct ChannelsResponse {
        channels: BTreeMap<ChannelType, Value>,
    }
    let app = api.app(&call).await?;
    let mut channels = BTreeMap::new();
    for row in api.store().channels(&app).await? {
        let response =
            serde_json::to_value(ChannelResponse::new(&app.id, &row)).map_err(ApiError::internal)?;
        channels.insert(row.channel_type, response);
    }
    // It needs no document: apps fetch these messages themselves.
    let in_app = serde_json::json!({ "Enabled": true, "IsArchived": false, "Version": 0 });
    channels.insert(ChannelType::InApp, in_app);
    Answer::json(&ChannelsResponse { channels })
}
