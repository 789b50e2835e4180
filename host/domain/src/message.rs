//! What is said: message configurations of campaigns and of direct sends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::channel::ChannelType;
use crate::template::{MessageHeader, TemplateConfiguration};

/// Names to values, as substitutions travel.
pub type Substitutions = BTreeMap<String, Vec<String>>;

/// `MessageConfiguration` of a campaign. Channels that are not built yet are kept as written.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct MessageConfiguration {
    #[serde(rename = "ADMMessage")]
    pub adm_message: Option<Message>,
    #[serde(rename = "APNSMessage")]
    pub apns_message: Option<Message>,
    pub baidu_message: Option<Message>,
    pub custom_message: Option<CustomMessage>,
    pub default_message: Option<Message>,
    pub email_message: Option<CampaignEmail>,
    #[serde(rename = "GCMMessage")]
    pub gcm_message: Option<Message>,
    #[serde(rename = "SMSMessage")]
    pub sms_message: Option<serde_json::Value>,
    pub in_app_message: Option<serde_json::Value>,
}

/// `Message`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct Message {
    pub action: Option<String>,
    pub body: Option<String>,
    pub image_icon_url: Option<String>,
    pub image_small_icon_url: Option<String>,
    pub image_url: Option<String>,
    pub json_body: Option<String>,
    pub media_url: Option<String>,
    pub raw_content: Option<String>,
    pub silent_push: Option<bool>,
    pub time_to_live: Option<i64>,
    pub title: Option<String>,
    pub url: Option<String>,
}

/// `CampaignCustomMessage`: up to 5 KB of JSON or anything else.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct CustomMessage {
    pub data: Option<String>,
}

/// `CampaignEmailMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct CampaignEmail {
    pub body: Option<String>,
    pub from_address: Option<String>,
    pub headers: Option<Vec<MessageHeader>>,
    pub html_body: Option<String>,
    pub title: Option<String>,
}

/// `MessageRequest` of SendMessages.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageRequest {
    /// By address.
    pub addresses: Option<BTreeMap<String, Option<AddressConfiguration>>>,
    /// Facts for events and custom channels.
    pub context: Option<BTreeMap<String, String>>,
    /// By endpoint id.
    pub endpoints: Option<BTreeMap<String, Option<AddressConfiguration>>>,
    /// What to say.
    pub message_configuration: DirectMessageConfiguration,
    /// What to say, from a template.
    pub template_configuration: Option<TemplateConfiguration>,
    /// The client's name for the request.
    pub trace_id: Option<String>,
}

/// `AddressConfiguration` and `EndpointSendConfiguration` (which has no channel type).
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddressConfiguration {
    /// Replaces the body.
    pub body_override: Option<String>,
    /// How the address is reached.
    pub channel_type: Option<ChannelType>,
    /// Facts about this recipient's message.
    pub context: Option<BTreeMap<String, String>>,
    /// Replaces the whole message of a push channel.
    pub raw_content: Option<String>,
    /// Win over the message's own.
    pub substitutions: Option<Substitutions>,
    /// Replaces the title.
    pub title_override: Option<String>,
}

/// `DirectMessageConfiguration`. Channels that are not built yet are kept as written.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct DirectMessageConfiguration {
    #[serde(rename = "ADMMessage")]
    pub adm_message: Option<serde_json::Value>,
    #[serde(rename = "APNSMessage")]
    pub apns_message: Option<serde_json::Value>,
    pub baidu_message: Option<serde_json::Value>,
    pub default_message: Option<DefaultMessage>,
    pub default_push_notification_message: Option<serde_json::Value>,
    pub email_message: Option<EmailMessage>,
    #[serde(rename = "GCMMessage")]
    pub gcm_message: Option<serde_json::Value>,
    #[serde(rename = "SMSMessage")]
    pub sms_message: Option<serde_json::Value>,
    pub voice_message: Option<serde_json::Value>,
}

/// `DefaultMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct DefaultMessage {
    pub body: Option<String>,
    pub substitutions: Option<Substitutions>,
}

/// `EmailMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct EmailMessage {
    pub body: Option<String>,
    pub feedback_forwarding_address: Option<String>,
    pub from_address: Option<String>,
    pub raw_email: Option<RawEmail>,
    pub reply_to_addresses: Option<Vec<String>>,
    pub simple_email: Option<SimpleEmail>,
    pub substitutions: Option<Substitutions>,
}

/// `RawEmail`: base64 of a whole message.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct RawEmail {
    pub data: Option<String>,
}

/// `SimpleEmail`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct SimpleEmail {
    pub html_part: Option<SimpleEmailPart>,
    pub subject: Option<SimpleEmailPart>,
    pub text_part: Option<SimpleEmailPart>,
    pub headers: Option<Vec<MessageHeader>>,
}

/// `SimpleEmailPart`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct SimpleEmailPart {
    pub charset: Option<String>,
    pub data: Option<String>,
}

/// `MessageResult` and `EndpointMessageResult`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct MessageResult {
    pub address: Option<String>,
    pub delivery_status: crate::delivery::DeliveryStatus,
    pub message_id: Option<String>,
    pub status_code: u16,
    pub status_message: Option<String>,
    pub updated_token: Option<String>,
}
