//! What is said: message configurations of campaigns here, those of direct sends in [`direct`], pushes in
//! [`push`], in-app messages in [`in_app`].

pub mod direct;
pub mod in_app;
pub mod push;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

pub use direct::{
    AddressConfiguration, DefaultMessage, DirectMessageConfiguration, EmailMessage, MessageRequest,
    MessageResult, RawEmail, SimpleEmail, SimpleEmailPart, SmsMessage, UsersMessageRequest, VoiceMessage,
};
pub use in_app::{CampaignInAppMessage, InAppMessage};
pub use push::PushMessage;

use crate::template::MessageHeader;

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
    pub in_app_message: Option<CampaignInAppMessage>,
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
