//! What a treatment says, frozen when a run starts: from the campaign itself, from its templates, and from
//! its default message, in that order.
//!
//! A channel that is not enabled for the application sends nothing. If the campaign speaks for it by name,
//! the run cannot start; if only the default message would have reached it, its endpoints are skipped.

use std::collections::{BTreeMap, BTreeSet};

use pinion_domain as domain;
use pinion_domain::campaign::CustomDelivery;
use pinion_domain::channel::ChannelType;
use pinion_domain::message::{Message, MessageConfiguration, PushMessage};
use pinion_domain::template::{
    EmailTemplate, PushTemplate, SmsTemplate, TemplateConfiguration, TemplateDocument, defaults,
};
use pinion_store::{AppRef, ChannelRow, Document, Scope, Store};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What one treatment says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PinnedMessage {
    /// The mail.
    pub email: Option<EmailTemplate>,
    /// Its sender.
    pub from: Option<String>,
    /// The text message.
    pub sms: Option<PinnedSms>,
    /// The pushes, by channel type.
    pub push: BTreeMap<ChannelType, PushMessage>,
    /// Defaults of the pushes' variables.
    pub push_defaults: BTreeMap<String, String>,
    /// What a custom channel gets.
    pub data: Option<String>,
    /// Who delivers it.
    pub delivery: Option<CustomDelivery>,
    /// Channel types that would have had a message, but were not enabled.
    pub disabled: BTreeSet<ChannelType>,
}

/// What a text message says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PinnedSms {
    /// Handlebars.
    pub body: String,
    /// Defaults of its variables.
    pub defaults: BTreeMap<String, String>,
    /// Number or name of the sender.
    pub from: Option<String>,
    /// Facts for the channel, under the names that the WIT documents.
    pub facts: Vec<(String, String)>,
}

/// All push services.
const PUSH: [ChannelType; 8] = [
    ChannelType::Adm,
    ChannelType::Apns,
    ChannelType::ApnsSandbox,
    ChannelType::ApnsVoip,
    ChannelType::ApnsVoipSandbox,
    ChannelType::Baidu,
    ChannelType::Gcm,
    ChannelType::Push,
];

/// Freezes what a treatment says. Fails with a sentence for the campaign's owner.
pub(crate) async fn prepare_message(
    store: &Store,
    app: &AppRef,
    message: Option<&MessageConfiguration>,
    templates: Option<&TemplateConfiguration>,
    delivery: Option<&CustomDelivery>,
) -> Result<PinnedMessage> {
    let nothing = MessageConfiguration::default();
    let sources = Sources {
        message: message.unwrap_or(&nothing),
        channels: store.channels(app).await?,
    };
    let mut pinned = PinnedMessage {
        data: sources
            .message
            .custom_message
            .clone()
            .and_then(|custom| custom.data),
        delivery: delivery.cloned(),
        ..PinnedMessage::default()
    };
    sources.mail(named_template(store, app, templates).await?, &mut pinned)?;
    sources.sms(named_template(store, app, templates).await?, &mut pinned)?;
    sources.push(named_template(store, app, templates).await?, &mut pinned)?;
    let mut pushes = pinned.push.keys();
    let says_something = pinned.email.is_some()
        || pinned.sms.is_some()
        || delivery.is_some()
        || pushes.any(|channel_type| *channel_type != ChannelType::Push);
    if !says_something && !pinned.disabled.is_empty() {
        let sentence = "no channel is enabled for this application that the campaign has a message for";
        return Err(Error::CannotRun(sentence.to_owned()));
    }
    Ok(pinned)
}

/// The template of that type that a configuration names, if it names one: a version, or the active one.
pub(crate) async fn named_template<T: TemplateDocument + Document>(
    store: &Store,
    app: &AppRef,
    templates: Option<&TemplateConfiguration>,
) -> Result<Option<T>> {
    let Some(named) = templates.and_then(|templates| templates.named(T::TYPE)) else {
        return Ok(None);
    };
    let (name, field) = (named.name, format!("TemplateConfiguration.{}", named.member));
    let number = named.version_number(&format!("{field}.Version"))?;
    let found = store
        .document::<T>(Scope::from(&app.tenant), name, number)
        .await?;
    let found = found.ok_or_else(|| {
        let problem = match number {
            None => format!("there is no {} {name}", T::NOUN),
            Some(number) => format!("there is no version {number} of the {} {name}", T::NOUN),
        };
        Error::from(domain::Error::invalid(format!("{field}.Name"), problem))
    })?;
    Ok(Some(found.document))
}

struct Sources<'a> {
    message: &'a MessageConfiguration,
    channels: Vec<ChannelRow>,
}

impl Sources<'_> {
    fn default(&self) -> Option<&Message> {
        self.message.default_message.as_ref()
    }

    /// The channel's document, if it is enabled.
    fn enabled(&self, channel_type: ChannelType) -> Option<&ChannelRow> {
        self.channels
            .iter()
            .find(|row| row.channel_type == channel_type && row.is_enabled())
    }

    fn mail(&self, template: Option<EmailTemplate>, pinned: &mut PinnedMessage) -> Result<()> {
        let own = self.message.email_message.as_ref();
        let is_named = own.is_some() || template.is_some();
        let mut mail = template.unwrap_or_default();
        let mut from = None;
        if let Some(own) = own {
            // What the campaign says itself wins over the template, part by part.
            mail.subject = own.title.clone().or(mail.subject);
            mail.html_part = own.html_body.clone().or(mail.html_part);
            mail.text_part = own.body.clone().or(mail.text_part);
            mail.headers = own.headers.clone().or(mail.headers);
            from = own.from_address.clone();
        }
        if !is_named {
            let Some(default) = self.default().filter(|default| default.body.is_some()) else {
                return Ok(());
            };
            mail.subject = default.title.clone();
            mail.text_part = default.body.clone();
        }
        let Some(channel) = self.enabled(ChannelType::Email) else {
            return switched_off(is_named, "e-mail", &[ChannelType::Email], pinned);
        };
        let channel_from = channel
            .document
            .get("FromAddress")
            .and_then(serde_json::Value::as_str);
        pinned.from = from.or(channel_from.map(str::to_owned));
        pinned.email = Some(mail);
        Ok(())
    }

    fn sms(&self, template: Option<SmsTemplate>, pinned: &mut PinnedMessage) -> Result<()> {
        let own = self.message.sms_message.as_ref();
        let is_named = own.is_some() || template.is_some();
        let template = template.unwrap_or_default();
        let default = self.default().and_then(|default| default.body.clone());
        let own_body = own.and_then(|own| own.body.clone());
        let Some(body) = own_body.or(template.body).or(default) else {
            return Ok(());
        };
        let Some(channel) = self.enabled(ChannelType::Sms) else {
            return switched_off(is_named, "SMS", &[ChannelType::Sms], pinned);
        };
        let setting = |name: &str| channel.document.get(name)?.as_str().map(str::to_owned);
        let own = own.cloned().unwrap_or_default();
        let message_type = own
            .message_type
            .map(|message_type| message_type.as_str().to_owned());
        let facts = [
            ("message-type", &message_type),
            ("origination-number", &own.origination_number),
            ("sender-id", &own.sender_id),
            ("entity-id", &own.entity_id),
            ("template-id", &own.template_id),
        ];
        pinned.sms = Some(PinnedSms {
            body,
            defaults: defaults(template.default_substitutions.as_deref())?,
            from: own
                .origination_number
                .clone()
                .or(own.sender_id.clone())
                .or_else(|| setting("SenderId"))
                .or_else(|| setting("ShortCode")),
            facts: facts
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
                .collect(),
        });
        Ok(())
    }

    fn push(&self, template: Option<PushTemplate>, pinned: &mut PinnedMessage) -> Result<()> {
        let template = template.unwrap_or_default();
        let to_push =
            |message: &Message, member: &str| message.to_push(&format!("MessageConfiguration.{member}"));
        let default = self.default().map(|message| to_push(message, "DefaultMessage"));
        let default = default.transpose()?.unwrap_or_default();
        let mut refused = Vec::new();
        let mut silent = Vec::new();
        for channel_type in PUSH {
            let own = self.message.push(channel_type);
            let own = own
                .map(|(member, message)| to_push(message, member))
                .transpose()?;
            let part = template.part(channel_type).cloned();
            let is_named = own.is_some() || part.is_some();
            let message = own
                .unwrap_or_default()
                .or(part.unwrap_or_default())
                .or(default.clone());
            if !message.says_something() {
                continue;
            }
            // Services that Pinpoint does not know have no document that enables them.
            let is_open = channel_type == ChannelType::Push || self.enabled(channel_type).is_some();
            match (is_open, is_named) {
                (true, _) => drop(pinned.push.insert(channel_type, message)),
                (false, true) => refused.push(channel_type),
                (false, false) => silent.push(channel_type),
            }
        }
        pinned.push_defaults = defaults(template.default_substitutions.as_deref())?;
        // Who speaks for all services of a maker need not have enabled all of them.
        if pinned.push.is_empty() && !refused.is_empty() {
            return switched_off(true, "push", &refused, pinned);
        }
        pinned.disabled.extend(refused.into_iter().chain(silent));
        Ok(())
    }
}

fn switched_off(
    is_named: bool,
    name: &str,
    channel_types: &[ChannelType],
    pinned: &mut PinnedMessage,
) -> Result<()> {
    if is_named {
        let sentence = format!("the {name} channel is not enabled for this application");
        return Err(Error::CannotRun(sentence));
    }
    pinned.disabled.extend(channel_types);
    Ok(())
}
