//! What is said: message configurations of campaigns here, those of direct sends in [`direct`], pushes in
//! [`push`], in-app messages in [`in_app`].

pub mod direct;
pub mod in_app;
pub mod push;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

pub use direct::{
    AddressConfiguration, DefaultMessage, DirectMessageConfiguration, EmailMessage, MessageRequest,
    MessageResult, RawEmail, SimpleEmail, SimpleEmailPart, SmsMessage, UsersMessageRequest, VoiceMessage,
};
pub use in_app::{CampaignInAppMessage, InAppMessage};
pub use push::PushMessage;

use crate::channel::ChannelType;
use crate::template::MessageHeader;
use crate::{Error, Result};
use push::Action;

/// Names to values, as substitutions travel.
pub type Substitutions = BTreeMap<String, Vec<String>>;

/// `MessageConfiguration` of a campaign.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    pub sms_message: Option<CampaignSms>,
    pub in_app_message: Option<CampaignInAppMessage>,
}

impl MessageConfiguration {
    /// The message for one push channel, with the name of its member. It is not the default message.
    pub fn push(&self, channel: ChannelType) -> Option<(&'static str, &Message)> {
        let (member, message) = match channel {
            ChannelType::Adm => ("ADMMessage", &self.adm_message),
            ChannelType::Apns
            | ChannelType::ApnsSandbox
            | ChannelType::ApnsVoip
            | ChannelType::ApnsVoipSandbox => ("APNSMessage", &self.apns_message),
            ChannelType::Baidu => ("BaiduMessage", &self.baidu_message),
            ChannelType::Gcm => ("GCMMessage", &self.gcm_message),
            _ => return None,
        };
        Some((member, message.as_ref()?))
    }
}

/// `Message`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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

impl Message {
    /// Checks a message as it is written; `field` is its path.
    pub fn check(&self, field: &str) -> Result<()> {
        self.to_push(field)?.check(field)
    }

    /// The message as push channels take it. Fails where it says something that cannot be; `field` is its
    /// path.
    pub fn to_push(&self, field: &str) -> Result<PushMessage> {
        let action = match self.action.as_deref() {
            None | Some("") => None,
            Some("OPEN_APP") => Some(Action::OpenApp),
            Some("DEEP_LINK") => Some(Action::DeepLink),
            Some("URL") => Some(Action::Url),
            Some(_) => {
                return Err(Error::invalid(
                    format!("{field}.Action"),
                    "must be OPEN_APP, DEEP_LINK or URL",
                ));
            }
        };
        Ok(PushMessage {
            action,
            body: self.body.clone(),
            data: self.data(field)?,
            image_icon_url: self.image_icon_url.clone(),
            image_url: self.image_url.clone(),
            media_url: self.media_url.clone(),
            raw_content: self.raw_content.clone(),
            silent_push: self.silent_push,
            small_image_icon_url: self.image_small_icon_url.clone(),
            time_to_live: self.time_to_live,
            title: self.title.clone(),
            url: self.url.clone(),
            ..PushMessage::default()
        })
    }

    /// `JsonBody`: an object, as text, for the app. What is no text in it becomes JSON text.
    fn data(&self, field: &str) -> Result<Option<BTreeMap<String, String>>> {
        let Some(body) = self.json_body.as_deref().filter(|body| !body.is_empty()) else {
            return Ok(None);
        };
        let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(body).map_err(|error| {
            Error::invalid(
                format!("{field}.JsonBody"),
                format!("must be a JSON object, as text: {error}"),
            )
        })?;
        let text = |value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(Some(
            object
                .into_iter()
                .map(|(name, value)| (name, text(value)))
                .collect(),
        ))
    }
}

/// `CampaignSmsMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CampaignSmsMessage")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct CampaignSms {
    pub body: Option<String>,
    pub entity_id: Option<String>,
    pub message_type: Option<SmsMessageType>,
    pub origination_number: Option<String>,
    pub sender_id: Option<String>,
    pub template_id: Option<String>,
}

/// `MessageType` of text messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MessageType")]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum SmsMessageType {
    Transactional,
    Promotional,
}

impl SmsMessageType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactional => "TRANSACTIONAL",
            Self::Promotional => "PROMOTIONAL",
        }
    }
}

/// `CampaignCustomMessage`: up to 5 KB of JSON or anything else.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CampaignCustomMessage")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct CustomMessage {
    pub data: Option<String>,
}

/// `CampaignEmailMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CampaignEmailMessage")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct CampaignEmail {
    pub body: Option<String>,
    pub from_address: Option<String>,
    pub headers: Option<Vec<MessageHeader>>,
    pub html_body: Option<String>,
    pub title: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(value: serde_json::Value) -> Message {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_campaigns_push_says_what_a_direct_one_says() {
        let push = message(json!({
            "Action": "URL", "Url": "https://example.com", "Title": "t", "Body": "b", "SilentPush": false,
            "ImageIconUrl": "i", "ImageSmallIconUrl": "s", "ImageUrl": "u", "MediaUrl": "m",
            "JsonBody": r#"{"text": "{{Attributes.plan}}", "number": 1, "list": [true]}"#, "TimeToLive": 60,
        }))
        .to_push("GCMMessage")
        .unwrap();
        let expected: PushMessage = serde_json::from_value(json!({
            "Action": "URL", "Url": "https://example.com", "Title": "t", "Body": "b", "SilentPush": false,
            "ImageIconUrl": "i", "SmallImageIconUrl": "s", "ImageUrl": "u", "MediaUrl": "m",
            "Data": {"text": "{{Attributes.plan}}", "number": "1", "list": "[true]"}, "TimeToLive": 60,
        }))
        .unwrap();
        assert_eq!(push, expected);
    }

    #[test]
    fn a_json_body_is_an_object() {
        for (body, fine) in [("{}", true), ("", true), ("[1]", false), ("{", false)] {
            let checked = message(json!({ "JsonBody": body })).check("ADMMessage");
            match checked {
                Err(Error::Invalid { field, .. }) if !fine => assert_eq!(field, "ADMMessage.JsonBody"),
                other => assert_eq!((other, fine), (Ok(()), true), "{body}"),
            }
        }
    }

    #[test]
    fn each_service_has_its_member() {
        let configuration: MessageConfiguration = serde_json::from_value(json!({
            "APNSMessage": {"Body": "apple"}, "DefaultMessage": {"Body": "all"},
        }))
        .unwrap();
        let member = |channel| configuration.push(channel).map(|(member, _)| member);
        assert_eq!(member(ChannelType::ApnsVoipSandbox), Some("APNSMessage"));
        assert_eq!(member(ChannelType::Gcm), None);
        assert_eq!(member(ChannelType::Sms), None);
    }
}
