//! What clients order at once: SendMessages and SendUsersMessages.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::Substitutions;
use super::push::PushMessage;
use crate::channel::ChannelType;
use crate::delivery::DeliveryStatus;
use crate::template::{MessageHeader, TemplateConfiguration};
use crate::{Error, Result};

/// Facts that travel with a message: into the data of a push, into the events about a mail or an SMS.
pub type MessageContext = BTreeMap<String, String>;

/// `MessageRequest` of SendMessages.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct MessageRequest {
    /// By address.
    pub addresses: Option<BTreeMap<String, Option<AddressConfiguration>>>,
    /// Facts for events and pushes.
    pub context: Option<MessageContext>,
    /// By endpoint id.
    pub endpoints: Option<BTreeMap<String, Option<AddressConfiguration>>>,
    /// What to say.
    pub message_configuration: DirectMessageConfiguration,
    /// What to say, from templates.
    pub template_configuration: Option<TemplateConfiguration>,
    /// The client's name for the request.
    pub trace_id: Option<String>,
}

/// `SendUsersMessageRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SendUsersMessageRequest")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "as in MessageRequest")]
pub struct UsersMessageRequest {
    pub context: Option<MessageContext>,
    pub message_configuration: DirectMessageConfiguration,
    pub template_configuration: Option<TemplateConfiguration>,
    pub trace_id: Option<String>,
    /// By user id.
    pub users: BTreeMap<String, Option<AddressConfiguration>>,
}

/// `AddressConfiguration` and `EndpointSendConfiguration` (which has no channel type).
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct AddressConfiguration {
    /// Replaces the body.
    pub body_override: Option<String>,
    /// How the address is reached.
    pub channel_type: Option<ChannelType>,
    /// Facts about this recipient's message; they win over the request's.
    pub context: Option<MessageContext>,
    /// Replaces the whole message of a push channel.
    pub raw_content: Option<String>,
    /// Win over the message's own.
    pub substitutions: Option<Substitutions>,
    /// Replaces the title.
    pub title_override: Option<String>,
}

/// `DirectMessageConfiguration`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct DirectMessageConfiguration {
    #[serde(rename = "ADMMessage")]
    pub adm_message: Option<PushMessage>,
    #[serde(rename = "APNSMessage")]
    pub apns_message: Option<PushMessage>,
    pub baidu_message: Option<PushMessage>,
    pub default_message: Option<DefaultMessage>,
    pub default_push_notification_message: Option<PushMessage>,
    pub email_message: Option<EmailMessage>,
    #[serde(rename = "GCMMessage")]
    pub gcm_message: Option<PushMessage>,
    #[serde(rename = "SMSMessage")]
    pub sms_message: Option<SmsMessage>,
    pub voice_message: Option<VoiceMessage>,
}

impl DirectMessageConfiguration {
    /// The message of a push channel: its own, or the default for all of them.
    pub fn push(&self, channel: ChannelType) -> Option<&PushMessage> {
        let own = match channel {
            ChannelType::Gcm => &self.gcm_message,
            ChannelType::Apns
            | ChannelType::ApnsSandbox
            | ChannelType::ApnsVoip
            | ChannelType::ApnsVoipSandbox => &self.apns_message,
            ChannelType::Adm => &self.adm_message,
            ChannelType::Baidu => &self.baidu_message,
            _ => &None,
        };
        own.as_ref().or(self.default_push_notification_message.as_ref())
    }
}

/// `DefaultMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct DefaultMessage {
    pub body: Option<String>,
    pub substitutions: Option<Substitutions>,
}

/// `EmailMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct RawEmail {
    pub data: Option<String>,
}

/// `SimpleEmail`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SimpleEmailPart {
    /// What the client would have it encoded in. Mail leaves as UTF-8, which has all characters of all
    /// charsets.
    pub charset: Option<String>,
    /// Handlebars.
    pub data: Option<String>,
}

/// `SMSMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SMSMessage")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct SmsMessage {
    pub body: Option<String>,
    pub entity_id: Option<String>,
    pub keyword: Option<String>,
    pub media_url: Option<String>,
    /// `TRANSACTIONAL` or `PROMOTIONAL`.
    pub message_type: Option<String>,
    pub origination_number: Option<String>,
    pub sender_id: Option<String>,
    pub substitutions: Option<Substitutions>,
    pub template_id: Option<String>,
}

/// `VoiceMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct VoiceMessage {
    pub body: Option<String>,
    pub language_code: Option<String>,
    pub origination_number: Option<String>,
    pub substitutions: Option<Substitutions>,
    pub voice_id: Option<String>,
}

/// `MessageResult` and `EndpointMessageResult`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct MessageResult {
    pub address: Option<String>,
    pub delivery_status: DeliveryStatus,
    pub message_id: Option<String>,
    pub status_code: u16,
    pub status_message: Option<String>,
    pub updated_token: Option<String>,
}

/// Checks what can be told from the words alone; whether texts compile is known when they do.
pub fn check(configuration: &DirectMessageConfiguration) -> Result<()> {
    let field = |member: &str| format!("MessageConfiguration.{member}");
    for (member, push) in [
        ("ADMMessage", &configuration.adm_message),
        ("APNSMessage", &configuration.apns_message),
        ("BaiduMessage", &configuration.baidu_message),
        (
            "DefaultPushNotificationMessage",
            &configuration.default_push_notification_message,
        ),
        ("GCMMessage", &configuration.gcm_message),
    ] {
        if let Some(push) = push {
            push.check(&field(member))?;
        }
    }
    if let Some(email) = &configuration.email_message {
        check_email(email)?;
    }
    if let Some(sms) = &configuration.sms_message {
        if let Some(kind) = sms.message_type.as_deref()
            && !matches!(kind, "TRANSACTIONAL" | "PROMOTIONAL")
        {
            return Err(Error::invalid(
                field("SMSMessage.MessageType"),
                "must be TRANSACTIONAL or PROMOTIONAL",
            ));
        }
        for (member, value) in [
            ("OriginationNumber", &sms.origination_number),
            ("SenderId", &sms.sender_id),
            ("Keyword", &sms.keyword),
            ("MediaUrl", &sms.media_url),
            ("EntityId", &sms.entity_id),
            ("TemplateId", &sms.template_id),
        ] {
            check_line(value.as_deref(), &field(&format!("SMSMessage.{member}")))?;
        }
    }
    if let Some(voice) = &configuration.voice_message {
        for (member, value) in [
            ("OriginationNumber", &voice.origination_number),
            ("LanguageCode", &voice.language_code),
            ("VoiceId", &voice.voice_id),
        ] {
            check_line(value.as_deref(), &field(&format!("VoiceMessage.{member}")))?;
        }
    }
    Ok(())
}

fn check_email(email: &EmailMessage) -> Result<()> {
    let field = |member: &str| format!("MessageConfiguration.EmailMessage.{member}");
    if email.raw_email.is_some() && (email.simple_email.is_some() || email.body.is_some()) {
        return Err(Error::invalid(
            field("RawEmail"),
            "is a whole message: SimpleEmail and Body cannot stand beside it",
        ));
    }
    let addresses = [
        ("FromAddress", &email.from_address),
        ("FeedbackForwardingAddress", &email.feedback_forwarding_address),
    ];
    for (member, address) in addresses {
        check_mailbox(address.as_deref(), &field(member))?;
    }
    for (place, address) in email.reply_to_addresses.iter().flatten().enumerate() {
        check_mailbox(Some(address), &field(&format!("ReplyToAddresses[{place}]")))?;
    }
    let simple = email.simple_email.as_ref();
    for (member, part) in [
        ("Subject", simple.and_then(|simple| simple.subject.as_ref())),
        ("HtmlPart", simple.and_then(|simple| simple.html_part.as_ref())),
        ("TextPart", simple.and_then(|simple| simple.text_part.as_ref())),
    ] {
        let charset = part.and_then(|part| part.charset.as_deref()).unwrap_or("UTF-8");
        // RFC 2978: the characters that a charset's name may have.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-^_`{}~:.()".contains(&byte);
        if charset.is_empty() || charset.len() > 40 || !charset.bytes().all(fits) {
            let field = field(&format!("SimpleEmail.{member}.Charset"));
            return Err(Error::invalid(field, "is not the name of a charset"));
        }
    }
    Ok(())
}

fn check_mailbox(address: Option<&str>, field: &str) -> Result<()> {
    check_line(address, field)?;
    match address {
        Some(address) if !address.contains('@') => Err(Error::invalid(field, "must be an e-mail address")),
        _ => Ok(()),
    }
}

/// What ends up in one line of a provider's request.
fn check_line(value: Option<&str>, field: &str) -> Result<()> {
    let value = value.unwrap_or_default();
    if value.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must not hold control characters"));
    }
    if value.chars().count() > LONGEST_LINE {
        return Err(Error::invalid(
            field,
            format!("must have at most {LONGEST_LINE} characters"),
        ));
    }
    Ok(())
}

/// Longer than any sender, keyword or URL that a provider takes.
const LONGEST_LINE: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mistakes_name_their_member() {
        for (configuration, field) in [
            (
                json!({"SMSMessage": {"MessageType": "IMPORTANT"}}),
                "SMSMessage.MessageType",
            ),
            (
                json!({"SMSMessage": {"SenderId": "a\r\nb"}}),
                "SMSMessage.SenderId",
            ),
            (
                json!({"VoiceMessage": {"VoiceId": "\u{0}"}}),
                "VoiceMessage.VoiceId",
            ),
            (
                json!({"EmailMessage": {"FromAddress": "nobody"}}),
                "EmailMessage.FromAddress",
            ),
            (
                json!({"EmailMessage": {"FromAddress": "a@b.c\nBcc: x@y.z"}}),
                "EmailMessage.FromAddress",
            ),
            (
                json!({"EmailMessage": {"ReplyToAddresses": ["a@b.c", "x"]}}),
                "EmailMessage.ReplyToAddresses[1]",
            ),
            (
                json!({"EmailMessage": {"RawEmail": {"Data": ""}, "Body": "b"}}),
                "EmailMessage.RawEmail",
            ),
            (
                json!({"EmailMessage": {"SimpleEmail": {"TextPart": {"Data": "t", "Charset": "UTF 8"}}}}),
                "EmailMessage.SimpleEmail.TextPart.Charset",
            ),
            (
                json!({"GCMMessage": {"Priority": "urgent"}}),
                "GCMMessage.Priority",
            ),
            (
                json!({"APNSMessage": {"RawContent": "{"}}),
                "APNSMessage.RawContent",
            ),
        ] {
            let parsed: DirectMessageConfiguration = serde_json::from_value(configuration.clone()).unwrap();
            match check(&parsed) {
                Err(Error::Invalid { field: named, .. }) => {
                    assert_eq!(named, format!("MessageConfiguration.{field}"), "{configuration}");
                }
                other => panic!("{configuration}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_push_channel_has_its_own_message_or_the_default() {
        let configuration: DirectMessageConfiguration = serde_json::from_value(json!({
            "APNSMessage": {"Title": "apple"}, "DefaultPushNotificationMessage": {"Title": "all"}
        }))
        .unwrap();
        let title = |channel| configuration.push(channel).and_then(|push| push.title.as_deref());
        assert_eq!(title(ChannelType::ApnsSandbox), Some("apple"));
        assert_eq!(title(ChannelType::Gcm), Some("all"));
        assert_eq!(title(ChannelType::Push), Some("all"));
    }
}
