//! Direct messages: commit the intent, call the channel, answer with the provider's verdict; the
//! outcome commits behind the answer. They have their own lane and never wait behind a campaign.

use std::collections::BTreeMap;

use pinion_domain as domain;
use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::{Reason, SuppressionReason};
use pinion_domain::endpoint::Endpoint;
use pinion_domain::extension::channel::{OutgoingMessage, Part, SendError, Verdict};
use pinion_domain::id::{EndpointId, MessageId, fresh_id};
use pinion_domain::message::{
    AddressConfiguration, EmailMessage, MessageRequest, MessageResult, Substitutions,
};
use pinion_domain::template::EmailTemplate;
use pinion_store::{AppRef, DirectOutcome, Intent};
use tracing::error;

use super::prepared::{Route, email_channel, find_template};
use crate::render::{EmailRenderer, RenderInput};
use crate::tracking::{Stamp, TrackingContext};
use crate::{Engine, Error, Result};

/// Recipients of one request.
const MOST_RECIPIENTS: usize = 100;

/// Results of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DirectResults {
    /// By address.
    pub addresses: BTreeMap<String, MessageResult>,
    /// By endpoint id.
    pub endpoints: BTreeMap<String, MessageResult>,
}

/// A recipient of a direct message.
struct Target {
    /// The key of its result: address or endpoint id.
    key: String,
    is_endpoint: bool,
    configuration: AddressConfiguration,
    channel_type: ChannelType,
    endpoint: Endpoint,
    message_id: MessageId,
}

/// The mail of a request, compiled.
struct Mail {
    renderer: EmailRenderer,
    from: String,
    reply_to: Vec<String>,
    substitutions: Substitutions,
}

impl Engine {
    /// Sends one message to each recipient of a request and tells the verdicts.
    ///
    /// Fails as a whole only if the request itself is wrong; a recipient's failure is its result.
    pub async fn send_messages(
        &self,
        app: &AppRef,
        request: &MessageRequest,
        request_id: &str,
    ) -> Result<DirectResults> {
        let mut results = DirectResults::default();
        let targets = self.targets(app, request, &mut results).await?;
        let mail = match targets
            .iter()
            .any(|target| target.channel_type == ChannelType::Email)
        {
            true => Some(self.direct_mail(app, request).await?),
            false => None,
        };
        let route = self.route(app, ChannelType::Email).await?;
        let mut handed = Vec::new();
        for target in targets {
            match self
                .direct_message(app, &target, request, mail.as_ref(), route.as_ref())
                .await?
            {
                Ok(message) => handed.push((target, message)),
                Err((reason, detail)) => results.add(&target, reason, None, detail),
            }
        }
        let (Some(route), false) = (route, handed.is_empty()) else {
            return Ok(results);
        };

        let intents = handed
            .iter()
            .map(|(target, message)| intent(target, message, request_id))
            .collect();
        self.store().begin_direct(app, intents).await?;
        let (targets, messages): (Vec<Target>, Vec<OutgoingMessage>) = handed.into_iter().unzip();
        let mut verdicts = route.channel.send(messages).await;
        let missing = Verdict::Unreported {
            left: true,
            fault: "the channel gave no verdict".to_owned(),
        };
        verdicts.resize(targets.len(), missing);

        let mut outcomes = Vec::with_capacity(targets.len());
        for (target, verdict) in targets.iter().zip(verdicts) {
            let (reason, provider_id, detail) = direct_reason(verdict);
            results.add(target, reason, Some(target.message_id.clone()), detail.clone());
            outcomes.push(DirectOutcome {
                message_id: target.message_id.clone(),
                reason,
                provider_id,
                detail,
                suppress: (reason == Reason::HardBounce).then_some(SuppressionReason::Bounce),
            });
        }
        // The verdict is the provider's: the caller need not wait for our bookkeeping.
        let (engine, app) = (self.clone(), app.clone());
        self.inner.tasks.spawn(async move {
            if let Err(error) = engine.store().finish_direct(&app, outcomes).await {
                error!(%error, "outcomes of direct messages could not be stored; they will be UNKNOWN");
            }
        });
        Ok(results)
    }

    async fn targets(
        &self,
        app: &AppRef,
        request: &MessageRequest,
        results: &mut DirectResults,
    ) -> Result<Vec<Target>> {
        let addresses = request.addresses.iter().flatten();
        let endpoints = request.endpoints.iter().flatten();
        let count = addresses.clone().count() + endpoints.clone().count();
        if count == 0 {
            return Err(domain::Error::invalid("Addresses", "name at least one address or endpoint").into());
        }
        if count > MOST_RECIPIENTS {
            let problem = format!("{count} recipients, at most {MOST_RECIPIENTS} are allowed");
            return Err(domain::Error::invalid("Addresses", problem).into());
        }
        let mut targets = Vec::with_capacity(count);
        for (address, configuration) in addresses {
            let configuration = configuration.clone().unwrap_or_default();
            let channel_type = configuration.channel_type.ok_or_else(|| {
                domain::Error::invalid(format!("Addresses.{address}.ChannelType"), "is required")
            })?;
            targets.push(Target {
                key: address.clone(),
                is_endpoint: false,
                configuration,
                channel_type,
                endpoint: stranger(address, channel_type),
                message_id: MessageId::from(fresh_id()),
            });
        }
        for (id, configuration) in endpoints {
            let configuration = configuration.clone().unwrap_or_default();
            match self.store().endpoint(app, &EndpointId::from(id.as_str())).await? {
                Some(endpoint) => targets.push(Target {
                    key: id.clone(),
                    is_endpoint: true,
                    configuration,
                    channel_type: endpoint.document.channel_type.unwrap_or(ChannelType::Custom),
                    endpoint,
                    message_id: MessageId::from(fresh_id()),
                }),
                None => {
                    let detail = Some("no such endpoint".to_owned());
                    results
                        .endpoints
                        .insert(id.clone(), result(None, Reason::EndpointDeleted, None, detail));
                }
            }
        }
        Ok(targets)
    }

    async fn direct_mail(&self, app: &AppRef, request: &MessageRequest) -> Result<Mail> {
        let channel = email_channel(self.store(), app).await.map_err(caller_error)?;
        let reference = request
            .template_configuration
            .as_ref()
            .and_then(|templates| templates.email_template.as_ref());
        let mut template = match reference.and_then(|reference| Some((reference.name.as_deref()?, reference)))
        {
            Some((name, reference)) => find_template(self.store(), app, name, reference.version.as_deref())
                .await
                .map_err(caller_error)?,
            None => EmailTemplate::default(),
        };
        let message = request
            .message_configuration
            .email_message
            .clone()
            .unwrap_or_default();
        if message.raw_email.is_some() {
            return Err(domain::Error::Unsupported("EmailMessage.RawEmail".to_owned()).into());
        }
        overlay(&mut template, &message, request);
        if template.subject.is_none() && template.html_part.is_none() && template.text_part.is_none() {
            return Err(domain::Error::invalid(
                "MessageConfiguration.EmailMessage",
                "has no content: give SimpleEmail, Body or a template",
            )
            .into());
        }
        let renderer = EmailRenderer::new(&template).map_err(|error| {
            domain::Error::invalid(
                format!("MessageConfiguration.EmailMessage.{}", error.part),
                error.to_string(),
            )
        })?;
        let substitutions = message
            .substitutions
            .or_else(|| {
                request
                    .message_configuration
                    .default_message
                    .as_ref()?
                    .substitutions
                    .clone()
            })
            .unwrap_or_default();
        Ok(Mail {
            renderer,
            from: message.from_address.unwrap_or(channel.from_address),
            reply_to: message.reply_to_addresses.unwrap_or_default(),
            substitutions,
        })
    }

    /// The message, or why there is none.
    async fn direct_message(
        &self,
        app: &AppRef,
        target: &Target,
        request: &MessageRequest,
        mail: Option<&Mail>,
        route: Option<&Route>,
    ) -> Result<std::result::Result<OutgoingMessage, (Reason, Option<String>)>> {
        let (Some(mail), ChannelType::Email) = (mail, target.channel_type) else {
            let detail = format!("channel {} is not built yet", target.channel_type);
            return Ok(Err((Reason::NoBinding, Some(detail))));
        };
        let Some(route) = route else {
            return Ok(Err((
                Reason::NoBinding,
                Some("no binding serves e-mail".to_owned()),
            )));
        };
        let address = target.address();
        if address.is_empty() {
            return Ok(Err((Reason::MissingAddress, None)));
        }
        if target.is_endpoint && target.endpoint.document.is_opted_out() {
            return Ok(Err((Reason::EndpointOptOut, None)));
        }
        // Unsubscribing refuses campaigns; bounces and complaints refuse everything.
        let suppressed = self
            .store()
            .suppressed(app, target.channel_type, &[address])
            .await?
            .pop()
            .flatten();
        if let Some(reason @ (SuppressionReason::Bounce | SuppressionReason::Complaint)) = suppressed {
            return Ok(Err((reason.skip(), None)));
        }
        if let Some(rate) = route.rate
            && !self.inner.throttle.try_take(&route.name, rate)
        {
            return Ok(Err((Reason::Throttled, None)));
        }
        let empty = Substitutions::new();
        let own = target.configuration.substitutions.as_ref().unwrap_or(&empty);
        let now = self.inner.clock.now();
        let input = RenderInput {
            endpoint: &target.endpoint,
            personalized: None,
            substitutions: &[own, &mail.substitutions],
            now,
            message_id: &target.message_id,
        };
        let context = self.inner.tracker.as_deref().and_then(|tracker| {
            let stamp = Stamp::of_direct(app.no, target.endpoint.seq, &target.message_id)?;
            Some(TrackingContext { tracker, stamp })
        });
        let rendered = match mail.renderer.render(&input, context.as_ref()) {
            Ok(rendered) => rendered,
            Err(error) => return Ok(Err((Reason::RenderingFailure, Some(error.to_string())))),
        };
        let subject = target
            .configuration
            .title_override
            .clone()
            .unwrap_or(rendered.subject);
        let mut parts = vec![Part::Subject(subject)];
        match target.configuration.body_override.clone() {
            Some(body) => parts.push(Part::Text(body)),
            None => {
                parts.extend(rendered.text.map(Part::Text));
                parts.extend(rendered.html.map(Part::Html));
            }
        }
        let mut metadata = vec![
            ("date".to_owned(), now.as_second().to_string()),
            ("application-id".to_owned(), app.id.to_string()),
        ];
        metadata.extend(
            request
                .trace_id
                .iter()
                .map(|trace| ("trace-id".to_owned(), trace.clone())),
        );
        Ok(Ok(OutgoingMessage {
            delivery_id: target.message_id.clone(),
            attempt: 1,
            channel_type: target.channel_type,
            address: address.to_owned(),
            from: Some(mail.from.clone()),
            reply_to: mail.reply_to.clone(),
            parts,
            headers: rendered
                .headers
                .into_iter()
                // Transactional mail cannot be unsubscribed from.
                .filter(|(name, _)| !name.to_ascii_lowercase().starts_with("list-unsubscribe"))
                .collect(),
            metadata,
        }))
    }
}

impl Target {
    fn address(&self) -> &str {
        self.endpoint.address.as_deref().unwrap_or_default()
    }
}

impl DirectResults {
    fn add(&mut self, target: &Target, reason: Reason, id: Option<MessageId>, detail: Option<String>) {
        let address = target.is_endpoint.then(|| target.address().to_owned());
        let results = if target.is_endpoint {
            &mut self.endpoints
        } else {
            &mut self.addresses
        };
        results.insert(target.key.clone(), result(address, reason, id, detail));
    }
}

fn result(
    address: Option<String>,
    reason: Reason,
    message_id: Option<MessageId>,
    detail: Option<String>,
) -> MessageResult {
    let (delivery_status, status_code) = reason.delivery_status();
    MessageResult {
        address,
        delivery_status,
        message_id: message_id.map(String::from),
        status_code,
        status_message: Some(detail.unwrap_or_else(|| reason.as_str().to_owned())),
        updated_token: None,
    }
}

fn intent(target: &Target, message: &OutgoingMessage, request_id: &str) -> Intent {
    Intent {
        message_id: target.message_id.clone(),
        request_id: request_id.to_owned(),
        channel: target.channel_type,
        seq: target.is_endpoint.then_some(target.endpoint.seq),
        address: message.address.clone(),
    }
}

/// A direct message is not tried again: its caller decides.
fn direct_reason(verdict: Verdict) -> (Reason, Option<String>, Option<String>) {
    match verdict {
        Verdict::Accepted(receipt) => (Reason::Accepted, receipt.provider_id, receipt.detail),
        Verdict::Refused(error) => {
            let (reason, detail) = match error {
                SendError::InvalidAddress(detail) => (Reason::HardBounce, detail),
                SendError::Rejected(detail) => (Reason::Rejected, detail),
                SendError::Unauthorized(detail) => (Reason::Unauthorized, detail),
                SendError::RateLimited(_) => (Reason::Throttled, "rate limited by the provider".to_owned()),
                SendError::Unavailable(detail) => (Reason::RetriesExhausted, detail),
                SendError::Misconfigured(detail) => (Reason::Misconfigured, detail),
                SendError::Unknown(detail) => (Reason::Unknown, detail),
            };
            (reason, None, Some(detail))
        }
        Verdict::Unreported { left: true, fault } => (Reason::Unknown, None, Some(fault)),
        Verdict::Unreported { left: false, fault } => (Reason::PluginFault, None, Some(fault)),
    }
}

/// An address that is no endpoint.
fn stranger(address: &str, channel_type: ChannelType) -> Endpoint {
    Endpoint {
        seq: 0,
        id: EndpointId::from(""),
        user_id: None,
        address: Some(address.to_owned()),
        document: domain::endpoint::EndpointDocument {
            channel_type: Some(channel_type),
            endpoint_status: "ACTIVE".to_owned(),
            opt_out: "NONE".to_owned(),
            ..Default::default()
        },
        user: None,
    }
}

/// What the request says itself wins over its template.
fn overlay(template: &mut EmailTemplate, message: &EmailMessage, request: &MessageRequest) {
    let simple = message.simple_email.clone().unwrap_or_default();
    let data = |part: Option<domain::message::SimpleEmailPart>| part.and_then(|part| part.data);
    template.subject = data(simple.subject).or(template.subject.take());
    template.html_part = data(simple.html_part).or(template.html_part.take());
    template.headers = simple.headers.or(template.headers.take());
    let default = request.message_configuration.default_message.as_ref();
    template.text_part = data(simple.text_part)
        .or(message.body.clone())
        .or(template.text_part.take())
        .or_else(|| default.filter(|_| template.html_part.is_none())?.body.clone());
}

/// What a campaign's owner is told later, a direct caller is told at once.
fn caller_error(error: Error) -> Error {
    match error {
        Error::CannotRun(sentence) => domain::Error::invalid("MessageConfiguration", sentence).into(),
        error => error,
    }
}
