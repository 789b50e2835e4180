//! Who of an order may be reached right now, and the message of each.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use pinion_domain as domain;
use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::{Reason, SuppressionReason};
use pinion_domain::extension::channel::{OutgoingMessage, Part};
use pinion_domain::message::direct::MessageContext;
use pinion_domain::message::{PushMessage, Substitutions};
use pinion_store::{AppRef, Intent};
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::super::prepared::Route;
use super::recipients::{Key, Recipient, Recipients};
use super::said::{Said, Words};
use super::{DirectResults, Refusal};
use crate::render::{Overrides, PushFacts, PushRenderer, RenderInput, Template, TemplateError, check_text};
use crate::tracking::{Stamp, Tracker, TrackingContext};
use crate::{Engine, Error, Result};

/// Bytes of all raw mails of an order together: each recipient's is a copy in memory.
const LARGEST_RAW: usize = 64 * 1_024 * 1_024;

/// How a channel of an application is reached.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) route: Route,
    document: Arc<Value>,
}

impl Way {
    /// A setting of the channel's document.
    pub(super) fn setting(&self, name: &str) -> Option<String> {
        let text = self.document.get(name)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// What all messages of an order have in common.
pub(super) struct Facts {
    pub(super) app: AppRef,
    pub(super) context: MessageContext,
    pub(super) trace_id: Option<String>,
    pub(super) now: Timestamp,
}

/// A message that is ready.
pub(super) struct Made {
    pub(super) recipient: Recipient,
    pub(super) message: OutgoingMessage,
    pub(super) intent: Intent,
}

/// An order that is ready: results of those who get nothing, and messages by route.
pub(super) struct MadeOrder {
    pub(super) results: DirectResults,
    pub(super) batches: Vec<(Route, Vec<Made>)>,
}

impl Engine {
    /// The ways of channels, or why there is none.
    pub(super) async fn ways(
        &self,
        app: &AppRef,
        channels: &BTreeSet<ChannelType>,
    ) -> Result<BTreeMap<ChannelType, std::result::Result<Way, Refusal>>> {
        let mut ways = BTreeMap::new();
        for channel in channels {
            ways.insert(*channel, self.way(app, *channel).await?);
        }
        Ok(ways)
    }

    async fn way(&self, app: &AppRef, channel: ChannelType) -> Result<std::result::Result<Way, Refusal>> {
        let document = match channel {
            ChannelType::InApp => {
                let detail = "in-app messages are fetched by clients, not sent";
                return Ok(Err(Refusal::because(Reason::ChannelMismatch, detail)));
            }
            // Pinpoint has no document that enables these.
            ChannelType::Custom | ChannelType::Push => Arc::new(Value::Null),
            channel => {
                let document = self.store().recent_channel(app, channel).await?;
                let enabled = document.filter(|document| document["Enabled"].as_bool() != Some(false));
                let Some(document) = enabled else {
                    let detail = format!("the {channel} channel is not enabled for this application");
                    return Ok(Err(Refusal::because(Reason::ChannelDisabled, detail)));
                };
                document
            }
        };
        match self.route(app, channel).await {
            Ok(Some(route)) => Ok(Ok(Way { route, document })),
            Ok(None) => {
                let detail = format!("no binding serves the {channel} channel");
                Ok(Err(Refusal::because(Reason::NoBinding, detail)))
            }
            Err(Error::Plugin(error)) => Ok(Err(Refusal::because(Reason::Misconfigured, error.to_string()))),
            Err(error) => Err(error),
        }
    }

    /// Looks at every recipient and renders what is left.
    ///
    /// Fails if the order itself is wrong: an override does not compile, raw mails are too many.
    pub(super) async fn make(
        &self,
        facts: Facts,
        recipients: Recipients,
        said: BTreeMap<ChannelType, Said>,
        ways: BTreeMap<ChannelType, std::result::Result<Way, Refusal>>,
        request_id: &str,
    ) -> Result<MadeOrder> {
        let mut results = DirectResults::new(request_id);
        for user in recipients.users {
            results.users.entry(user).or_default();
        }
        for (key, address, refusal) in recipients.refused {
            results.add(key, refusal.result(address));
        }
        let mut reachable = Vec::new();
        let mut addresses = HashSet::new();
        for recipient in recipients.to_reach {
            let own = Own::compile(&recipient, &said)?;
            let has_words = said.contains_key(&recipient.channel_type) || own.raw_content.is_some();
            if !has_words && matches!(recipient.key, Key::User(..)) {
                continue;
            }
            let index = facts
                .app
                .address_index(recipient.channel_type, recipient.address());
            let refusal = refuse(&recipient, has_words)
                .or_else(|| ways.get(&recipient.channel_type)?.as_ref().err().cloned())
                .or_else(|| {
                    let is_first = addresses.insert((recipient.channel_type, index));
                    (!is_first).then(|| Refusal::new(Reason::DuplicateEndpoint))
                });
            match refusal {
                Some(refusal) => {
                    let address = recipient.shown_address();
                    results.add(recipient.key, refusal.result(address));
                }
                None => reachable.push((recipient, own)),
            }
        }
        let reachable = self
            .without_suppressed(&facts.app, reachable, &mut results)
            .await?;
        check_raw(&reachable, &said)?;

        // Rendering is pure computation: it must not keep the runtime from I/O.
        let tracker = self.inner.tracker.clone();
        let request_id = request_id.to_owned();
        let rendered = spawn_blocking(move || {
            let maker = Maker {
                facts: &facts,
                said: &said,
                tracker: tracker.as_deref(),
                request_id: &request_id,
            };
            let made = reachable
                .into_iter()
                .map(|(recipient, own)| maker.make(recipient, &own));
            made.collect::<Vec<_>>()
        });
        let rendered = rendered
            .await
            .map_err(|panic| Error::Internal(format!("rendering ended: {panic}")))?;

        let mut batches: Vec<(Route, Vec<Made>)> = Vec::new();
        for made in rendered {
            let (recipient, refusal) = match made {
                Ok(made) => {
                    let channel = made.recipient.channel_type;
                    let Some(Ok(Way { route, .. })) = ways.get(&channel) else {
                        continue;
                    };
                    let may_go = match route.rate {
                        Some(rate) => self.inner.throttle.try_take(&route.name, rate),
                        None => true,
                    };
                    if may_go {
                        match batches.iter_mut().find(|(known, _)| known.name == route.name) {
                            Some((_, batch)) => batch.push(made),
                            None => batches.push((route.clone(), vec![made])),
                        }
                        continue;
                    }
                    (made.recipient, Refusal::new(Reason::Throttled))
                }
                Err(refused) => *refused,
            };
            let address = recipient.shown_address();
            results.add(recipient.key, refusal.result(address));
        }
        Ok(MadeOrder { results, batches })
    }

    /// Unsubscribing refuses campaigns; bounces and complaints refuse everything.
    async fn without_suppressed(
        &self,
        app: &AppRef,
        recipients: Vec<(Recipient, Own)>,
        results: &mut DirectResults,
    ) -> Result<Vec<(Recipient, Own)>> {
        let channels: BTreeSet<_> = recipients
            .iter()
            .map(|(recipient, _)| recipient.channel_type)
            .collect();
        let mut left = Vec::with_capacity(recipients.len());
        let mut rest = recipients;
        for channel in channels {
            let (of_channel, others): (Vec<_>, Vec<_>) = rest
                .into_iter()
                .partition(|(recipient, _)| recipient.channel_type == channel);
            rest = others;
            let addresses: Vec<&str> = of_channel
                .iter()
                .map(|(recipient, _)| recipient.address())
                .collect();
            let found = self.store().suppressed(app, channel, &addresses).await?;
            for ((recipient, own), suppressed) in of_channel.into_iter().zip(found) {
                match suppressed {
                    Some(reason @ (SuppressionReason::Bounce | SuppressionReason::Complaint)) => {
                        let address = recipient.shown_address();
                        results.add(recipient.key, Refusal::new(reason.skip()).result(address));
                    }
                    Some(SuppressionReason::Unsubscribed) | None => left.push((recipient, own)),
                }
            }
        }
        Ok(left)
    }
}

/// What the recipient itself tells.
fn refuse(recipient: &Recipient, has_words: bool) -> Option<Refusal> {
    let document = &recipient.endpoint.document;
    let address = recipient.address();
    if !document.is_active() {
        return Some(Refusal::new(Reason::EndpointInactive));
    }
    if document.is_opted_out() {
        return Some(Refusal::new(Reason::EndpointOptOut));
    }
    if address.is_empty() {
        return Some(Refusal::new(Reason::MissingAddress));
    }
    if address.chars().any(char::is_control) {
        let detail = "the address holds control characters";
        return Some(Refusal::because(Reason::Rejected, detail));
    }
    if !has_words {
        let detail = format!(
            "the request has no message for the {} channel",
            recipient.channel_type
        );
        return Some(Refusal::because(Reason::ChannelMismatch, detail));
    }
    None
}

/// What one recipient brings, compiled.
struct Own {
    overrides: Overrides,
    raw_content: Option<Template>,
}

impl Own {
    fn compile(recipient: &Recipient, said: &BTreeMap<ChannelType, Said>) -> Result<Self> {
        let configuration = &recipient.configuration;
        let words = said.get(&recipient.channel_type).map(|said| &said.words);
        let title = configuration.title_override.as_deref();
        let body = configuration.body_override.as_deref();
        let map = match &recipient.key {
            Key::Address(_) => "Addresses",
            Key::Endpoint(_) => "Endpoints",
            Key::User(..) => "Users",
        };
        let wrong = |error: TemplateError| {
            let problem = format!("line {}: {}", error.line, error.message);
            Error::from(domain::Error::invalid(format!("{map}.*.{}", error.part), problem))
        };
        let overrides = match words {
            Some(Words::Mail(renderer)) => renderer.overrides(title, body),
            Some(Words::Raw(_)) if title.or(body).is_some() => {
                let problem = "EmailMessage.RawEmail is a whole message and cannot be overridden";
                return Err(domain::Error::invalid(format!("{map}.*.TitleOverride"), problem).into());
            }
            _ => Overrides::plain(title, body),
        };
        let raw_content = match configuration.raw_content.as_deref() {
            None => None,
            Some(_) if !takes_raw_content(recipient.channel_type) => {
                let problem = format!("the {} channel takes no raw content", recipient.channel_type);
                return Err(domain::Error::invalid(format!("{map}.*.RawContent"), problem).into());
            }
            Some(raw) => Some(PushRenderer::raw_content(raw).map_err(wrong)?),
        };
        Ok(Self {
            overrides: overrides.map_err(wrong)?,
            raw_content,
        })
    }
}

fn takes_raw_content(channel: ChannelType) -> bool {
    !matches!(
        channel,
        ChannelType::Email | ChannelType::Sms | ChannelType::Voice | ChannelType::InApp
    )
}

fn check_raw(recipients: &[(Recipient, Own)], said: &BTreeMap<ChannelType, Said>) -> Result<()> {
    let Some(Words::Raw(mail)) = said.get(&ChannelType::Email).map(|said| &said.words) else {
        return Ok(());
    };
    let copies = recipients
        .iter()
        .filter(|(recipient, _)| recipient.channel_type == ChannelType::Email)
        .count();
    if mail.size().saturating_mul(copies) > LARGEST_RAW {
        let problem = format!(
            "is too large for {copies} recipients in one request: at most {LARGEST_RAW} bytes for all of them"
        );
        let field = "MessageConfiguration.EmailMessage.RawEmail.Data";
        return Err(domain::Error::invalid(field, problem).into());
    }
    Ok(())
}

/// What the channel gets of a message.
struct Content {
    parts: Vec<Part>,
    headers: Vec<(String, String)>,
    metadata: Vec<(String, String)>,
}

struct Maker<'a> {
    facts: &'a Facts,
    said: &'a BTreeMap<ChannelType, Said>,
    tracker: Option<&'a Tracker>,
    request_id: &'a str,
}

impl Maker<'_> {
    fn make(&self, recipient: Recipient, own: &Own) -> std::result::Result<Made, Box<(Recipient, Refusal)>> {
        let said = self.said.get(&recipient.channel_type);
        let mut context = self.facts.context.clone();
        context.extend(recipient.configuration.context.clone().unwrap_or_default());
        let content = match self.content(&recipient, own, said, &context) {
            Ok(content) => content,
            Err(problem) => {
                let refusal = Refusal::because(Reason::RenderingFailure, problem);
                return Err(Box::new((recipient, refusal)));
            }
        };
        let context_text =
            (!context.is_empty()).then(|| serde_json::to_string(&context).expect("a map of texts is JSON"));
        let intent = Intent {
            message_id: recipient.message_id.clone(),
            request_id: self.request_id.to_owned(),
            channel: recipient.channel_type,
            seq: recipient.is_endpoint().then_some(recipient.endpoint.seq),
            address: recipient.address().to_owned(),
            context: context_text.clone(),
        };
        let mut metadata = self.metadata(&recipient, context_text);
        metadata.extend(said.iter().flat_map(|said| said.metadata.clone()));
        metadata.extend(content.metadata);
        let message = OutgoingMessage {
            delivery_id: recipient.message_id.clone(),
            attempt: 1,
            channel_type: recipient.channel_type,
            address: recipient.address().to_owned(),
            from: said.and_then(|said| said.from.clone()),
            reply_to: said.map(|said| said.reply_to.clone()).unwrap_or_default(),
            parts: content.parts,
            headers: content.headers,
            metadata,
        };
        Ok(Made {
            recipient,
            message,
            intent,
        })
    }

    fn content(
        &self,
        recipient: &Recipient,
        own: &Own,
        said: Option<&Said>,
        context: &MessageContext,
    ) -> std::result::Result<Content, String> {
        let empty = Substitutions::new();
        let substitutions: Vec<&Substitutions> = recipient
            .configuration
            .substitutions
            .as_ref()
            .into_iter()
            .chain(said.iter().flat_map(|said| &said.substitutions))
            .collect();
        let input = RenderInput {
            endpoint: &recipient.endpoint,
            personalized: None,
            substitutions: if substitutions.is_empty() {
                &[&empty]
            } else {
                &substitutions
            },
            now: self.facts.now,
            message_id: &recipient.message_id,
        };
        let mut content = Content {
            parts: Vec::new(),
            headers: Vec::new(),
            metadata: Vec::new(),
        };
        let facts = PushFacts {
            context: context.clone(),
            trace_id: self.facts.trace_id.clone(),
            source: None,
        };
        let Some(said) = said else {
            // Nothing but the recipient's own payload.
            let raw = own.raw_content.as_ref().ok_or("there is no message")?;
            let payload = if recipient.channel_type == ChannelType::Custom {
                raw.render(&input)
            } else {
                PushRenderer::new(recipient.channel_type, &PushMessage::default(), BTreeMap::new())
                    .map_err(|error| error.to_string())?
                    .render(&input, &facts, &own.overrides, Some(raw))
                    .map(|push| push.payload)
            };
            content
                .parts
                .push(Part::Json(payload.map_err(|error| error.to_string())?));
            return Ok(content);
        };
        match &said.words {
            Words::Mail(renderer) => {
                let context = self.tracker.and_then(|tracker| {
                    let stamp =
                        Stamp::of_direct(self.facts.app.no, recipient.endpoint.seq, &recipient.message_id)?;
                    Some(TrackingContext { tracker, stamp })
                });
                let mail = renderer
                    .render_with(&input, context.as_ref(), &own.overrides)
                    .map_err(|error| error.to_string())?;
                content.parts.push(Part::Subject(mail.subject));
                content.parts.extend(mail.text.map(Part::Text));
                content.parts.extend(mail.html.map(Part::Html));
                // Transactional mail cannot be unsubscribed from.
                content.headers = mail
                    .headers
                    .into_iter()
                    .filter(|(name, _)| !name.to_ascii_lowercase().starts_with("list-unsubscribe"))
                    .collect();
            }
            Words::Raw(mail) => {
                let from = said.from.as_deref().unwrap_or_default();
                let id = &recipient.message_id;
                let mail = mail.to_recipient(from, recipient.address(), id, self.facts.now);
                content.parts.push(Part::Raw(mail));
            }
            Words::Text(renderer) => {
                let text = renderer
                    .render(&input, &own.overrides)
                    .map_err(|error| error.to_string())?;
                check_text(recipient.channel_type, &text)?;
                content.parts.push(Part::Text(text));
            }
            Words::Fixed(text) => content.parts.push(Part::Text(text.clone())),
            Words::Push(renderer) => {
                let push = renderer
                    .render(&input, &facts, &own.overrides, own.raw_content.as_ref())
                    .map_err(|error| error.to_string())?;
                content.parts.extend(push.title.map(Part::Subject));
                content.parts.extend(push.body.map(Part::Text));
                content.parts.push(Part::Json(push.payload));
                content.metadata = push.metadata;
            }
            Words::Data(renderer) => {
                let data = match &own.raw_content {
                    Some(raw) => raw.render(&input),
                    None => renderer.render_with(&input, &own.overrides),
                };
                content
                    .parts
                    .push(Part::Json(data.map_err(|error| error.to_string())?));
            }
        }
        Ok(content)
    }

    /// Facts about a message, under the names that the WIT documents.
    fn metadata(&self, recipient: &Recipient, context: Option<String>) -> Vec<(String, String)> {
        let facts = self.facts;
        let mut metadata = vec![
            ("date".to_owned(), facts.now.as_second().to_string()),
            ("application-id".to_owned(), facts.app.id.to_string()),
        ];
        let mut add = |name: &str, value: Option<String>| {
            metadata.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("trace-id", facts.trace_id.clone());
        add("context", context);
        if recipient.is_endpoint() {
            add("endpoint-id", Some(recipient.endpoint.id.to_string()));
            if recipient.channel_type == ChannelType::Custom {
                // Custom channels get what Pinpoint's get: the whole endpoint.
                let endpoint = recipient.endpoint.clone().response(&facts.app.id);
                add("endpoint", serde_json::to_string(&endpoint).ok());
            }
        }
        metadata
    }
}
