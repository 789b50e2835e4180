//! Channels of an application: one set of handlers for all types, which `domain::channel` tells apart.
//!
//! What a document says besides its credentials is kept for clients; a binding decides how messages
//! leave.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use pinion_domain::Error;
use pinion_domain::channel::{self, ChannelType, default_authentication_method};
use pinion_domain::id::AppId;
use pinion_store::{ChannelRow, NewChannel};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// A channel type that has documents.
pub(crate) trait Channel: Send + 'static {
    const TYPE: ChannelType;
    /// Begins the names of its shapes.
    const NAME: &'static str;
    /// What its answer says besides what all channels say, and besides its settings.
    const TOLD: &'static [&'static str];
}

/// Declares `NAME (its name in shapes) tells MEMBERS;`.
macro_rules! channels {
    ($($name:ident ($shapes:literal) tells $($told:literal)*;)*) => {$(
        pub(crate) enum $name {}

        impl Channel for $name {
            const TYPE: ChannelType = ChannelType::$name;
            const NAME: &'static str = $shapes;
            const TOLD: &'static [&'static str] = &[$($told),*];
        }
    )*};
}

channels! {
    Adm ("ADMChannel") tells;
    Apns ("APNSChannel") tells "DefaultAuthenticationMethod" "HasTokenKey";
    ApnsSandbox ("APNSSandboxChannel") tells "DefaultAuthenticationMethod" "HasTokenKey";
    ApnsVoip ("APNSVoipChannel") tells "DefaultAuthenticationMethod" "HasTokenKey";
    ApnsVoipSandbox ("APNSVoipSandboxChannel") tells "DefaultAuthenticationMethod" "HasTokenKey";
    Baidu ("BaiduChannel") tells "Credential";
    Email ("EmailChannel") tells "MessagesPerSecond";
    Gcm ("GCMChannel") tells "Credential" "DefaultAuthenticationMethod" "HasFcmServiceCredentials";
    Sms ("SMSChannel") tells "PromotionalMessagesPerSecond" "TransactionalMessagesPerSecond";
    Voice ("VoiceChannel") tells;
}

/// `EmailChannelRequest`, `GCMChannelRequest` and so on: what `domain::channel` reads.
#[derive(Deserialize)]
#[serde(transparent, bound = "")]
pub(crate) struct ChannelRequest<C> {
    members: Map<String, Value>,
    #[serde(skip)]
    channel: PhantomData<C>,
}

impl<C: Channel> JsonSchema for ChannelRequest<C> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Request", C::NAME).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        let mut required = Vec::new();
        let enabled = json!({ "type": ["boolean", "null"], "description": "Absent counts as true." });
        properties.insert("Enabled".to_owned(), enabled);
        for member in channel::members(C::TYPE) {
            let mut schema = if member.is_required {
                required.push(member.name);
                json!({ "type": "string", "minLength": 1 })
            } else {
                json!({ "type": ["string", "null"] })
            };
            if member.is_credential {
                schema["writeOnly"] = true.into();
            }
            properties.insert(member.name.to_owned(), schema);
        }
        let mut schema = json_schema!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        schema
    }
}

/// `ChannelResponse`: what all channels have. Of in-app messages, which need no document, only that they are
/// there.
#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "ChannelResponse")]
struct Common {
    application_id: Option<AppId>,
    creation_date: Option<String>,
    enabled: bool,
    /// Only of channels that have credentials, as at AWS.
    has_credential: Option<bool>,
    /// The channel's own id, kept by AWS for backward compatibility.
    id: Option<String>,
    is_archived: bool,
    last_modified_by: Option<String>,
    last_modified_date: Option<String>,
    version: i32,
}

impl Common {
    fn new(app: &AppId, row: &ChannelRow) -> Self {
        Self {
            application_id: Some(app.clone()),
            creation_date: Some(row.creation_date.clone()),
            enabled: row.is_enabled(),
            has_credential: (!row.credentials.is_empty()).then_some(true),
            id: Some(row.channel_type.as_str().to_ascii_lowercase()),
            is_archived: false,
            last_modified_by: Some(row.last_modified_by.clone()),
            last_modified_date: Some(row.last_modified_date.clone()),
            version: row.version,
        }
    }
}

/// What some channels have.
#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Members {
    #[serde(flatten)]
    common: Common,
    platform: ChannelType,
    /// Settings, as they were written.
    #[serde(flatten)]
    #[schemars(skip)]
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

/// `EmailChannelResponse`, `GCMChannelResponse` and so on: each has some of these members.
#[derive(Serialize)]
#[serde(transparent, bound = "")]
pub(crate) struct ChannelResponse<C> {
    members: Members,
    #[serde(skip)]
    channel: PhantomData<C>,
}

impl<C: Channel> ChannelResponse<C> {
    fn new(api: &Api, app: &AppId, row: &ChannelRow) -> Self {
        use ChannelType::{Apns, ApnsSandbox, ApnsVoip, ApnsVoipSandbox, Baidu, Email, Gcm, Sms};
        let has = |name| Some(row.credentials.get(name).is_some());
        let is_apns = matches!(C::TYPE, Apns | ApnsSandbox | ApnsVoip | ApnsVoipSandbox);
        // The rate at which this server sends, if it was given one.
        let binding = api.engine.config().bindings.get(&C::TYPE);
        let rate = binding.and_then(|binding| binding.rate);
        let members = Members {
            common: Common::new(app, row),
            platform: C::TYPE,
            settings: channel::echoed(C::TYPE, &row.document),
            credential: matches!(C::TYPE, Gcm | Baidu)
                .then(|| row.credentials.get("ApiKey").map(str::to_owned))
                .flatten(),
            default_authentication_method: default_authentication_method(
                C::TYPE,
                &row.document,
                &row.credentials,
            ),
            has_fcm_service_credentials: (C::TYPE == Gcm).then(|| has("ServiceJson")).flatten(),
            has_token_key: is_apns.then(|| has("TokenKey")).flatten(),
            messages_per_second: rate.filter(|_| C::TYPE == Email),
            promotional_messages_per_second: rate.filter(|_| C::TYPE == Sms),
            transactional_messages_per_second: rate.filter(|_| C::TYPE == Sms),
        };
        Self {
            members,
            channel: PhantomData,
        }
    }
}

impl<C: Channel> JsonSchema for ChannelResponse<C> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Response", C::NAME).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Members::json_schema(generator);
        schema.remove("description");
        let common = Common::json_schema(generator);
        let is_common =
            |name: &str| name == "Platform" || common.pointer(&format!("/properties/{name}")).is_some();
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.retain(|name, _| is_common(name) || C::TOLD.contains(&name.as_str()));
            for member in channel::members(C::TYPE).filter(|member| !member.is_credential) {
                properties
                    .entry(member.name)
                    .or_insert_with(|| json!({ "type": "string" }));
            }
        }
        // The key of Baidu's service is in every request.
        if let Some(Value::Array(required)) = schema.get_mut("required")
            && C::TYPE == ChannelType::Baidu
        {
            required.push("Credential".into());
        }
        schema
    }
}

fn answer<C: Channel>(api: &Api, app: &AppId, row: Option<ChannelRow>) -> Result<Answer> {
    let row = row.ok_or_else(|| Error::not_found("channel", C::TYPE.as_str()))?;
    Answer::json(&ChannelResponse::<C>::new(api, app, &row))
}

pub(crate) async fn get<C: Channel>(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let row = api.store().channel(&app, C::TYPE).await?;
    answer::<C>(api, &app.id, row)
}

/// Makes the channel or changes it.
pub(crate) async fn put<C: Channel>(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let request = call.json::<ChannelRequest<C>>()?.members;
    let before = api.store().channel(&app, C::TYPE).await?;
    let stored = before.map(|row| row.credentials).unwrap_or_default();
    let settings = channel::check(C::TYPE, &request, stored)?;
    let channel = NewChannel {
        document: settings.document.into(),
        credentials: settings.credentials,
        by: call.principal.arn(),
    };
    let row = api.store().put_channel(&app, C::TYPE, channel).await?;
    answer::<C>(api, &app.id, Some(row))
}

pub(crate) async fn delete<C: Channel>(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let row = api.store().delete_channel(&app, C::TYPE).await?;
    answer::<C>(api, &app.id, row)
}

/// `ChannelsResponse`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChannelsResponse {
    channels: BTreeMap<ChannelType, Common>,
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let rows = api.store().channels(&app).await?;
    let mut channels: BTreeMap<ChannelType, Common> = rows
        .iter()
        .map(|row| (row.channel_type, Common::new(&app.id, row)))
        .collect();
    // It needs no document: apps fetch these messages themselves.
    let in_app = Common {
        application_id: None,
        creation_date: None,
        enabled: true,
        has_credential: None,
        id: None,
        is_archived: false,
        last_modified_by: None,
        last_modified_date: None,
        version: 0,
    };
    channels.insert(ChannelType::InApp, in_app);
    Answer::json(&ChannelsResponse { channels })
}
