//! What an order says, for each channel that it needs, compiled once.
//!
//! The channel's own message comes first, then what it leaves open from the template, then the default
//! message. Substitutions: the recipient's, the message's, the default message's, the template's defaults.

use std::collections::{BTreeMap, BTreeSet};

use pinion_domain as domain;
use pinion_domain::channel::ChannelType;
use pinion_domain::message::{
    DirectMessageConfiguration, EmailMessage, PushMessage, SimpleEmailPart, SmsMessage, Substitutions,
    VoiceMessage,
};
use pinion_domain::template::{
    EmailTemplate, PushTemplate, SmsTemplate, TemplateConfiguration, TemplateDocument, TemplateType,
    VoiceTemplate, defaults,
};
use pinion_store::{AppRef, Document};

use super::super::pinned::named_template;
use super::Refusal;
use super::make::Way;
use crate::render::{DataRenderer, EmailRenderer, PushRenderer, RawMail, TemplateError, TextRenderer};
use crate::{Engine, Error, Result};

/// What an order says on one channel.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) words: Words,
    /// Below the recipient's own; first wins.
    pub(super) substitutions: Vec<Substitutions>,
    pub(super) from: Option<String>,
    pub(super) reply_to: Vec<String>,
    /// Facts for the channel: `message-type`, `voice-id` …
    pub(super) metadata: Vec<(String, String)>,
    channel: ChannelType,
}

#[derive(Debug)]
pub(super) enum Words {
    Mail(EmailRenderer),
    Raw(RawMail),
    Text(TextRenderer),
    Push(Box<PushRenderer>),
    /// For channels that Pinpoint does not know.
    Data(DataRenderer),
    /// Not a template.
    Fixed(String),
}

impl Said {
    pub(super) fn new(channel: ChannelType, words: Words) -> Self {
        Self {
            words,
            substitutions: Vec::new(),
            from: None,
            reply_to: Vec::new(),
            metadata: Vec::new(),
            channel,
        }
    }

    pub(super) fn channel(&self) -> ChannelType {
        self.channel
    }

    pub(super) fn fact(mut self, name: &str, value: Option<&str>) -> Self {
        self.metadata
            .extend(value.map(|value| (name.to_owned(), value.to_owned())));
        self
    }

    pub(super) fn from(mut self, from: Option<String>) -> Self {
        self.from = from;
        self
    }

    fn with(
        mut self,
        substitutions: Option<&Substitutions>,
        configuration: &DirectMessageConfiguration,
    ) -> Self {
        let default = configuration.default_message.as_ref();
        let default = default.and_then(|default| default.substitutions.as_ref());
        self.substitutions = substitutions.into_iter().chain(default).cloned().collect();
        self
    }
}

/// The ways of an order's channels, as far as they are open.
type Ways = BTreeMap<ChannelType, std::result::Result<Way, Refusal>>;

impl Engine {
    /// Compiles what is said on each of the channels; those without a word are left out.
    pub(super) async fn said(
        &self,
        app: &AppRef,
        configuration: &DirectMessageConfiguration,
        templates: &TemplateConfiguration,
        channels: &BTreeSet<ChannelType>,
        ways: &Ways,
    ) -> Result<BTreeMap<ChannelType, Said>> {
        let sources = Sources {
            engine: self,
            app,
            configuration,
            templates,
        };
        if templates.named(TemplateType::InApp).is_some() {
            let problem = "in-app messages are fetched by clients, not sent";
            return Err(domain::Error::invalid("TemplateConfiguration.InAppTemplate", problem).into());
        }
        let mut said = BTreeMap::new();
        for channel in channels {
            let setting = |name: &str| match ways.get(channel) {
                Some(Ok(way)) => way.setting(name),
                _ => None,
            };
            let words = match channel {
                ChannelType::Email => sources.mail(setting("FromAddress")).await?,
                ChannelType::Sms => sources.sms(setting("SenderId").or(setting("ShortCode"))).await?,
                ChannelType::Voice => sources.voice().await?,
                ChannelType::Custom => sources.data()?,
                ChannelType::InApp => None,
                push => sources.push(*push).await?,
            };
            said.extend(words.map(|words| (*channel, words)));
        }
        Ok(said)
    }
}

struct Sources<'a> {
    engine: &'a Engine,
    app: &'a AppRef,
    configuration: &'a DirectMessageConfiguration,
    templates: &'a TemplateConfiguration,
}

impl Sources<'_> {
    fn default_body(&self) -> Option<&String> {
        self.configuration.default_message.as_ref()?.body.as_ref()
    }

    async fn template<T: TemplateDocument + Document>(&self) -> Result<Option<T>> {
        named_template(self.engine.store(), self.app, Some(self.templates)).await
    }

    async fn mail(&self, channel_from: Option<String>) -> Result<Option<Said>> {
        let own = self.configuration.email_message.as_ref();
        let message = own.cloned().unwrap_or_default();
        let from = message.from_address.clone().or(channel_from);
        let said = |words| {
            let mut said = Said::new(ChannelType::Email, words)
                .from(from.clone())
                .fact(
                    "feedback-forwarding-address",
                    message.feedback_forwarding_address.as_deref(),
                )
                .with(message.substitutions.as_ref(), self.configuration);
            said.reply_to = message.reply_to_addresses.clone().unwrap_or_default();
            said
        };
        if let Some(raw) = &message.raw_email {
            let mail = RawMail::read(raw.data.as_deref().unwrap_or_default()).map_err(|error| {
                let field = "MessageConfiguration.EmailMessage.RawEmail.Data";
                domain::Error::invalid(field, error.to_string())
            })?;
            return Ok(Some(said(Words::Raw(mail))));
        }
        let mut template: EmailTemplate = self.template().await?.unwrap_or_default();
        self.overlay(&mut template, &message);
        if template.subject.is_none() && template.html_part.is_none() && template.text_part.is_none() {
            return nothing(own.is_some(), "EmailMessage", "SimpleEmail, Body or a template");
        }
        let renderer = EmailRenderer::new(&template).map_err(|error| {
            let part = match error.part.as_str() {
                "TextPart" if message.body.is_some() => "Body".to_owned(),
                part => format!("SimpleEmail.{part}"),
            };
            wrong(&error, &format!("EmailMessage.{part}"))
        })?;
        Ok(Some(said(Words::Mail(renderer))))
    }

    /// What the request says itself wins over its template.
    fn overlay(&self, template: &mut EmailTemplate, message: &EmailMessage) {
        let simple = message.simple_email.clone().unwrap_or_default();
        let data = |part: Option<SimpleEmailPart>| part.and_then(|part| part.data);
        template.subject = data(simple.subject).or(template.subject.take());
        template.html_part = data(simple.html_part).or(template.html_part.take());
        template.headers = simple.headers.or(template.headers.take());
        template.text_part = data(simple.text_part)
            .or(message.body.clone())
            .or(template.text_part.take())
            .or_else(|| {
                self.default_body()
                    .filter(|_| template.html_part.is_none())
                    .cloned()
            });
    }

    async fn sms(&self, channel_from: Option<String>) -> Result<Option<Said>> {
        let own = self.configuration.sms_message.as_ref();
        let message = own.cloned().unwrap_or_default();
        let SmsMessage {
            body,
            entity_id,
            keyword,
            media_url,
            message_type,
            origination_number,
            sender_id,
            substitutions,
            template_id,
        } = message;
        let template: SmsTemplate = self.template().await?.unwrap_or_default();
        let Some(body) = body.or(template.body).or(self.default_body().cloned()) else {
            return nothing(own.is_some(), "SMSMessage", "Body or a template");
        };
        let defaults = defaults(template.default_substitutions.as_deref())?;
        let renderer =
            TextRenderer::new(&body, defaults).map_err(|error| wrong(&error, "SMSMessage.Body"))?;
        let from = origination_number.clone().or(sender_id.clone()).or(channel_from);
        Ok(Some(
            Said::new(ChannelType::Sms, Words::Text(renderer))
                .from(from)
                .fact("message-type", message_type.as_deref())
                .fact("origination-number", origination_number.as_deref())
                .fact("sender-id", sender_id.as_deref())
                .fact("keyword", keyword.as_deref())
                .fact("media-url", media_url.as_deref())
                .fact("entity-id", entity_id.as_deref())
                .fact("template-id", template_id.as_deref())
                .with(substitutions.as_ref(), self.configuration),
        ))
    }

    async fn voice(&self) -> Result<Option<Said>> {
        let own = self.configuration.voice_message.as_ref();
        let VoiceMessage {
            body,
            language_code,
            origination_number,
            substitutions,
            voice_id,
        } = own.cloned().unwrap_or_default();
        let template: VoiceTemplate = self.template().await?.unwrap_or_default();
        let language_code = language_code.or(template.language_code);
        let voice_id = voice_id.or(template.voice_id);
        let Some(body) = body.or(template.body).or(self.default_body().cloned()) else {
            return nothing(own.is_some(), "VoiceMessage", "Body or a template");
        };
        let defaults = defaults(template.default_substitutions.as_deref())?;
        let renderer =
            TextRenderer::new(&body, defaults).map_err(|error| wrong(&error, "VoiceMessage.Body"))?;
        Ok(Some(
            Said::new(ChannelType::Voice, Words::Text(renderer))
                .from(origination_number)
                .fact("language-code", language_code.as_deref())
                .fact("voice-id", voice_id.as_deref())
                .with(substitutions.as_ref(), self.configuration),
        ))
    }

    async fn push(&self, channel: ChannelType) -> Result<Option<Said>> {
        let own = self.configuration.push(channel);
        let template: PushTemplate = self.template().await?.unwrap_or_default();
        let part = template.part(channel).cloned().unwrap_or_default();
        let mut message = own.cloned().unwrap_or_default().or(part);
        if message.body.is_none() && message.raw_content.is_none() && message.silent_push != Some(true) {
            message.body = self.default_body().cloned();
        }
        if !message.says_something() {
            return nothing(
                own.is_some(),
                "DefaultPushNotificationMessage",
                "Body, Title or RawContent",
            );
        }
        let defaults = defaults(template.default_substitutions.as_deref())?;
        self.pushed(channel, &message, defaults).map(Some)
    }

    fn pushed(
        &self,
        channel: ChannelType,
        message: &PushMessage,
        defaults: BTreeMap<String, String>,
    ) -> Result<Said> {
        let renderer = PushRenderer::new(channel, message, defaults).map_err(|error| {
            let part = error.part.clone();
            wrong(&error, &format!("{}.{part}", member(channel, self.configuration)))
        })?;
        let default = self.configuration.default_push_notification_message.as_ref();
        let default = default.and_then(|default| default.substitutions.clone());
        let mut said = Said::new(channel, Words::Push(Box::new(renderer)))
            .with(message.substitutions.as_ref(), self.configuration);
        // Between the channel's own and the default message's.
        if let Some(default) = default.filter(|default| Some(default) != message.substitutions.as_ref()) {
            let place = usize::from(message.substitutions.is_some());
            said.substitutions.insert(place, default);
        }
        Ok(said)
    }

    fn data(&self) -> Result<Option<Said>> {
        let Some(body) = self.default_body() else {
            return Ok(None);
        };
        let renderer = DataRenderer::new(body).map_err(|error| wrong(&error, "DefaultMessage.Body"))?;
        let said = Said::new(ChannelType::Custom, Words::Data(renderer));
        Ok(Some(said.with(None, self.configuration)))
    }
}

/// The member of the configuration that a push channel's message comes from.
fn member(channel: ChannelType, configuration: &DirectMessageConfiguration) -> &'static str {
    match channel {
        ChannelType::Gcm if configuration.gcm_message.is_some() => "GCMMessage",
        ChannelType::Adm if configuration.adm_message.is_some() => "ADMMessage",
        ChannelType::Baidu if configuration.baidu_message.is_some() => "BaiduMessage",
        ChannelType::Apns
        | ChannelType::ApnsSandbox
        | ChannelType::ApnsVoip
        | ChannelType::ApnsVoipSandbox
            if configuration.apns_message.is_some() =>
        {
            "APNSMessage"
        }
        _ => "DefaultPushNotificationMessage",
    }
}

/// A message that is there and empty is a mistake; none at all only means that this channel gets none.
fn nothing(is_there: bool, member: &str, what: &str) -> Result<Option<Said>> {
    if !is_there {
        return Ok(None);
    }
    let field = format!("MessageConfiguration.{member}");
    Err(domain::Error::invalid(field, format!("has no content: give {what}")).into())
}

fn wrong(error: &TemplateError, member: &str) -> Error {
    let problem = format!("line {}: {}", error.line, error.message);
    domain::Error::invalid(format!("MessageConfiguration.{member}"), problem).into()
}
