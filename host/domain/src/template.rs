//! Message templates and references to them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::channel::ChannelType;
use crate::message::in_app::{InAppContent, InAppMessage, Layout};
use crate::message::push::PushMessage;
use crate::{Error, Result};

/// The five types of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum TemplateType {
    Email,
    Sms,
    Push,
    Voice,
    InApp,
}

impl TemplateType {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::Email, Self::Sms, Self::Push, Self::Voice, Self::InApp];

    /// The name on the wire and in ARNs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Sms => "SMS",
            Self::Push => "PUSH",
            Self::Voice => "VOICE",
            Self::InApp => "INAPP",
        }
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What a template of some type says: a request, and also what is stored of a version.
pub trait TemplateDocument: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Which type it is.
    const TYPE: TemplateType;

    /// The tags of a request: some to begin with. They are stored with all other tags, not here, and
    /// updates ignore them.
    fn take_tags(&mut self) -> BTreeMap<String, String>;
}

macro_rules! template_documents {
    ($($document:ty: $kind:ident;)*) => {$(
        impl TemplateDocument for $document {
            const TYPE: TemplateType = TemplateType::$kind;

            fn take_tags(&mut self) -> BTreeMap<String, String> {
                std::mem::take(&mut self.tags)
            }
        }
    )*};
}

template_documents! {
    EmailTemplate: Email;
    SmsTemplate: Sms;
    PushTemplate: Push;
    VoiceTemplate: Voice;
    InAppTemplate: InApp;
}

/// What lists tell of a template, whatever its type.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct TemplateSummary {
    /// A JSON object of names and defaults, as text.
    pub default_substitutions: Option<String>,
    /// For people.
    pub template_description: Option<String>,
}

/// `EmailTemplateRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "EmailTemplateRequest")]
#[serde(rename_all = "PascalCase")]
pub struct EmailTemplate {
    /// A JSON object of names and defaults, as text.
    pub default_substitutions: Option<String>,
    /// Handlebars; values are HTML-escaped.
    pub html_part: Option<String>,
    /// A recommender; kept for clients.
    pub recommender_id: Option<String>,
    /// Handlebars.
    pub subject: Option<String>,
    /// Added to the mail.
    pub headers: Option<Vec<MessageHeader>>,
    /// Tags to begin with; ignored by updates.
    #[serde(rename = "tags", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// For people.
    pub template_description: Option<String>,
    /// Handlebars.
    pub text_part: Option<String>,
}

impl EmailTemplate {
    /// The defaults of variables, from their JSON text.
    pub fn defaults(&self) -> Result<BTreeMap<String, String>> {
        defaults(self.default_substitutions.as_deref())
    }
}

/// `SMSTemplateRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SMSTemplateRequest")]
#[serde(rename_all = "PascalCase")]
pub struct SmsTemplate {
    /// Handlebars.
    pub body: Option<String>,
    /// A JSON object of names and defaults, as text.
    pub default_substitutions: Option<String>,
    /// A recommender; kept for clients.
    pub recommender_id: Option<String>,
    /// Tags to begin with; ignored by updates.
    #[serde(rename = "tags", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// For people.
    pub template_description: Option<String>,
}

/// `VoiceTemplateRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "VoiceTemplateRequest")]
#[serde(rename_all = "PascalCase")]
pub struct VoiceTemplate {
    /// The script, Handlebars.
    pub body: Option<String>,
    /// A JSON object of names and defaults, as text.
    pub default_substitutions: Option<String>,
    /// The language to speak, such as `en-GB`.
    pub language_code: Option<String>,
    /// Tags to begin with; ignored by updates.
    #[serde(rename = "tags", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// For people.
    pub template_description: Option<String>,
    /// Whose voice, such as `Joanna`.
    pub voice_id: Option<String>,
}

/// `PushNotificationTemplateRequest`. Each part reads the members that its service knows; all texts are
/// Handlebars.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PushNotificationTemplateRequest")]
#[serde(rename_all = "PascalCase")]
pub struct PushTemplate {
    /// For Amazon Device Messaging.
    #[serde(rename = "ADM")]
    pub adm: Option<PushMessage>,
    /// For Apple's service: its sandbox and VoIP too.
    #[serde(rename = "APNS")]
    pub apns: Option<PushMessage>,
    /// For Baidu Cloud Push.
    pub baidu: Option<PushMessage>,
    /// For services that have no part of their own.
    pub default: Option<PushMessage>,
    /// A JSON object of names and defaults, as text.
    pub default_substitutions: Option<String>,
    /// For Firebase Cloud Messaging.
    #[serde(rename = "GCM")]
    pub gcm: Option<PushMessage>,
    /// A recommender; kept for clients.
    pub recommender_id: Option<String>,
    /// Tags to begin with; ignored by updates.
    #[serde(rename = "tags", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// For people.
    pub template_description: Option<String>,
}

impl PushTemplate {
    /// The parts with the names of their members.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &PushMessage)> {
        [
            ("ADM", &self.adm),
            ("APNS", &self.apns),
            ("Baidu", &self.baidu),
            ("Default", &self.default),
            ("GCM", &self.gcm),
        ]
        .into_iter()
        .filter_map(|(member, part)| Some((member, part.as_ref()?)))
    }

    /// What goes to endpoints of a channel type: the service's own part before the default one.
    pub fn part(&self, channel_type: ChannelType) -> Option<&PushMessage> {
        let own = match channel_type {
            ChannelType::Adm => &self.adm,
            ChannelType::Apns
            | ChannelType::ApnsSandbox
            | ChannelType::ApnsVoip
            | ChannelType::ApnsVoipSandbox => &self.apns,
            ChannelType::Baidu => &self.baidu,
            ChannelType::Gcm => &self.gcm,
            // A service that Pinpoint does not know.
            ChannelType::Push => &None,
            _ => return None,
        };
        own.as_ref().or(self.default.as_ref())
    }
}

/// `InAppTemplateRequest`: no variables, the app draws it.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InAppTemplateRequest")]
#[serde(rename_all = "PascalCase")]
pub struct InAppTemplate {
    /// Pages, one after the other.
    pub content: Option<Vec<InAppContent>>,
    /// For the app.
    pub custom_config: Option<BTreeMap<String, String>>,
    /// Where it is drawn.
    pub layout: Option<Layout>,
    /// Tags to begin with; ignored by updates.
    #[serde(rename = "tags", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// For people.
    pub template_description: Option<String>,
}

impl InAppTemplate {
    /// What is shown.
    pub fn message(&self) -> InAppMessage {
        InAppMessage {
            content: self.content.clone(),
            custom_config: self.custom_config.clone(),
            layout: self.layout,
        }
    }
}

/// The defaults of a template's variables, from their JSON text.
pub fn defaults(default_substitutions: Option<&str>) -> Result<BTreeMap<String, String>> {
    match default_substitutions {
        None | Some("") => Ok(BTreeMap::new()),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Error::invalid(
                "DefaultSubstitutions",
                format!("must be a JSON object of strings: {error}"),
            )
        }),
    }
}

/// `MessageHeader`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct MessageHeader {
    pub name: Option<String>,
    pub value: Option<String>,
}

/// `TemplateConfiguration`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct TemplateConfiguration {
    pub email_template: Option<TemplateReference>,
    pub push_template: Option<TemplateReference>,
    #[serde(rename = "SMSTemplate")]
    pub sms_template: Option<TemplateReference>,
    pub voice_template: Option<TemplateReference>,
    pub in_app_template: Option<TemplateReference>,
}

impl TemplateConfiguration {
    /// The template of that type, if one is named. Without a name, a reference refers to nothing.
    pub fn named(&self, template_type: TemplateType) -> Option<NamedTemplate<'_>> {
        let (member, reference) = match template_type {
            TemplateType::Email => ("EmailTemplate", &self.email_template),
            TemplateType::Push => ("PushTemplate", &self.push_template),
            TemplateType::Sms => ("SMSTemplate", &self.sms_template),
            TemplateType::Voice => ("VoiceTemplate", &self.voice_template),
            TemplateType::InApp => ("InAppTemplate", &self.in_app_template),
        };
        let reference = reference.as_ref()?;
        Some(NamedTemplate {
            member,
            name: reference.name.as_deref().filter(|name| !name.is_empty())?,
            version: reference.version.as_deref(),
        })
    }
}

/// A template that a configuration names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedTemplate<'a> {
    /// The configuration's member, such as `SMSTemplate`.
    pub member: &'static str,
    /// Never empty.
    pub name: &'a str,
    /// As it was written.
    pub version: Option<&'a str>,
}

impl NamedTemplate<'_> {
    /// The version that is named; `None` means the one that is active when it is used. `field` is the path
    /// of the version, for errors.
    pub fn version_number(&self, field: &str) -> Result<Option<u32>> {
        match self.version {
            None | Some("" | "active") => Ok(None),
            Some(text) => parse_version(text, field).map(Some),
        }
    }
}

/// `Template`: without a version, the one that is active when the message is sent.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Template")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct TemplateReference {
    pub name: Option<String>,
    pub version: Option<String>,
}

/// Reads the number of a version; `field` names it in errors.
pub fn parse_version(version: &str, field: &str) -> Result<u32> {
    version
        .parse()
        .map_err(|_| Error::invalid(field, "must be the number of a version"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_come_back_as_they_were_written() {
        fn check<T: TemplateDocument + PartialEq + std::fmt::Debug>(value: &serde_json::Value) {
            let document = T::deserialize(value).unwrap();
            assert_eq!(serde_json::to_value(&document).unwrap(), *value);
        }
        check::<EmailTemplate>(&json!({ "Subject": "s", "HtmlPart": "h", "tags": { "a": "b" } }));
        check::<SmsTemplate>(&json!({ "Body": "b", "RecommenderId": "r", "TemplateDescription": "d" }));
        check::<VoiceTemplate>(&json!({ "Body": "b", "LanguageCode": "en-GB", "VoiceId": "Amy" }));
        check::<PushTemplate>(&json!({
            "ADM": { "Title": "t", "Action": "OPEN_APP", "SmallImageIconUrl": "s" },
            "APNS": { "Body": "b", "MediaUrl": "m", "Sound": "default" },
            "Baidu": { "RawContent": "{}" },
            "GCM": { "Url": "u", "Action": "DEEP_LINK" },
            "Default": { "Title": "t", "Body": "b", "Action": "URL", "Url": "u" },
            "DefaultSubstitutions": "{}",
        }));
        check::<InAppTemplate>(&json!({
            "Content": [{
                "BackgroundColor": "#FFFFFF",
                "BodyConfig": { "Alignment": "LEFT", "Body": "b", "TextColor": "#000000" },
                "HeaderConfig": { "Alignment": "CENTER", "Header": "h", "TextColor": "#000000" },
                "PrimaryBtn": {
                    "DefaultConfig": { "ButtonAction": "LINK", "Link": "l", "Text": "t", "BorderRadius": 3 },
                    "IOS": { "ButtonAction": "CLOSE" },
                },
            }],
            "CustomConfig": { "k": "v" }, "Layout": "MIDDLE_BANNER",
        }));
    }

    #[test]
    fn a_services_own_part_comes_before_the_default() {
        let template: PushTemplate = serde_json::from_value(json!({
            "APNS": { "Title": "apple" }, "Default": { "Title": "any" },
        }))
        .unwrap();
        let title = |channel_type| template.part(channel_type).and_then(|part| part.title.as_deref());
        assert_eq!(title(ChannelType::ApnsVoipSandbox), Some("apple"));
        assert_eq!(title(ChannelType::Gcm), Some("any"));
        assert_eq!(title(ChannelType::Email), None);
        let members: Vec<_> = template.parts().map(|(member, _)| member).collect();
        assert_eq!(members, ["APNS", "Default"]);
    }

    #[test]
    fn names_of_types_come_back() {
        for kind in TemplateType::ALL {
            assert_eq!(TemplateType::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(TemplateType::parse("email"), None);
    }

    #[test]
    fn a_reference_without_a_name_is_none() {
        let configuration: TemplateConfiguration = serde_json::from_value(json!({
            "SMSTemplate": { "Name": "n", "Version": "3" }, "PushTemplate": { "Version": "1" },
            "VoiceTemplate": { "Name": "" }, "EmailTemplate": { "Name": "n", "Version": "active" },
            "InAppTemplate": { "Name": "n", "Version": "first" },
        }))
        .unwrap();
        let version = |template_type| {
            let named = configuration.named(template_type)?;
            assert_eq!(named.name, "n");
            Some(named.version_number("X.Version"))
        };
        assert_eq!(version(TemplateType::Sms), Some(Ok(Some(3))));
        assert_eq!(version(TemplateType::Email), Some(Ok(None)));
        assert_eq!(version(TemplateType::Push), None);
        assert_eq!(version(TemplateType::Voice), None);
        let problem = Error::invalid("X.Version", "must be the number of a version");
        assert_eq!(version(TemplateType::InApp), Some(Err(problem)));
    }
}
