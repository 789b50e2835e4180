//! One batch of a run: who of it may be reached right now, and what is said to each.
//!
//! Opt-out, suppression and state are read here, after every wait and right before hand-over. Each
//! recipient leaves as a ledger row (a skip with its reason) or as a message on a route.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use pinion_domain::campaign::Variant;
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::iso;
use pinion_domain::delivery::{Reason, message_id};
use pinion_domain::endpoint::Endpoint;
use pinion_domain::extension::channel::{OutgoingMessage, Part};
use pinion_domain::extension::personalizer::{Personalized, ROWS_PER_CALL};
use pinion_domain::extension::{Personalizer, columns};
use pinion_domain::id::MessageId;
use pinion_store::LedgerRow;
use tracing::{debug, warn};

use super::inputs;
use super::outcome::HandedOver;
use super::prepared::{Custom, Mail, PreparedRun, Push, Route, Sms, Treatment};
use crate::render::{Overrides, PersonalizedRow, PushFacts, RenderInput, check_text};
use crate::tracking::{Stamp, Tracker, TrackingContext};
use crate::{Engine, Result};

/// A recipient to look at: seq, and tries made so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipient {
    pub(super) seq: u32,
    pub(super) attempts: u16,
}

/// What a batch became.
#[derive(Default)]
pub(super) struct Batch {
    /// Recipients that get nothing, and why.
    pub(super) skipped: Vec<LedgerRow>,
    /// Messages, by route.
    pub(super) outgoing: Vec<(Route, Vec<(HandedOver, OutgoingMessage)>)>,
}

impl Engine {
    /// Loads, checks, personalizes and renders. `recipients` are in ascending order of seq.
    pub(super) async fn make_batch(
        &self,
        run: &Arc<PreparedRun>,
        recipients: Vec<Recipient>,
    ) -> Result<Batch> {
        let now = self.inner.clock.now();
        let mut batch = Batch::default();
        let mut wanted = Vec::with_capacity(recipients.len());
        for recipient in recipients {
            match run.snapshot.variant(recipient.seq) {
                Variant::Holdout => {
                    batch.skipped.push(row(
                        recipient,
                        LedgerRow::HOLDOUT,
                        Reason::TreatmentHoldout,
                        now,
                        None,
                    ));
                }
                Variant::Treatment(number) => wanted.push((recipient, number)),
            }
        }
        let seqs: Vec<u32> = wanted.iter().map(|(recipient, _)| recipient.seq).collect();
        let mut endpoints: HashMap<u32, Endpoint> = self
            .inner
            .store
            .endpoints_by_seq(&run.app, &seqs)
            .await?
            .into_iter()
            .map(|endpoint| (endpoint.seq, endpoint))
            .collect();

        let mut candidates = Vec::with_capacity(wanted.len());
        for (recipient, number) in wanted {
            let endpoint = endpoints.remove(&recipient.seq);
            match reachable(run, endpoint, number, now) {
                Ok((endpoint, channel_type)) => {
                    candidates.push(Candidate {
                        recipient,
                        number,
                        endpoint,
                        channel_type,
                    });
                }
                Err(reason) => batch.skipped.push(row(recipient, number, reason, now, None)),
            }
        }
        self.drop_suppressed(run, &mut candidates, &mut batch, now)
            .await?;

        let tracker = self.inner.tracker.clone();
        let run = Arc::clone(run);
        // Personalizing and rendering are pure computation: they must not keep the runtime from I/O.
        let made =
            tokio::task::spawn_blocking(move || make(&run, &candidates, batch, tracker.as_deref(), now))
                .await;
        made.map_err(|panic| crate::Error::CannotRun(format!("rendering ended: {panic}")))
    }

    async fn drop_suppressed(
        &self,
        run: &PreparedRun,
        candidates: &mut Vec<Candidate>,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<()> {
        let mut types: Vec<ChannelType> = candidates
            .iter()
            .map(|candidate| candidate.channel_type)
            .collect();
        types.sort_unstable();
        types.dedup();
        let mut reasons: HashMap<u32, Reason> = HashMap::new();
        for channel_type in types {
            let of_type: Vec<&Candidate> = candidates
                .iter()
                .filter(|candidate| candidate.channel_type == channel_type)
                .collect();
            let addresses: Vec<&str> = of_type.iter().map(|candidate| candidate.address()).collect();
            let found = self
                .inner
                .store
                .suppressed(&run.app, channel_type, &addresses)
                .await?;
            for (candidate, suppression) in of_type.iter().zip(found) {
                if let Some(suppression) = suppression {
                    reasons.insert(candidate.recipient.seq, suppression.skip());
                }
            }
        }
        candidates.retain(|candidate| match reasons.get(&candidate.recipient.seq) {
            Some(reason) => {
                batch
                    .skipped
                    .push(row(candidate.recipient, candidate.number, *reason, now, None));
                false
            }
            None => true,
        });
        Ok(())
    }
}

/// A recipient that may be reached as far as its endpoint says.
struct Candidate {
    recipient: Recipient,
    number: u8,
    endpoint: Endpoint,
    channel_type: ChannelType,
}

impl Candidate {
    fn address(&self) -> &str {
        self.endpoint.address.as_deref().unwrap_or_default()
    }
}

fn row(
    recipient: Recipient,
    treatment: u8,
    reason: Reason,
    at: Timestamp,
    detail: Option<String>,
) -> LedgerRow {
    LedgerRow {
        seq: recipient.seq,
        treatment,
        reason,
        at,
        provider_id: None,
        detail,
        attempts: recipient.attempts,
    }
}

/// May this endpoint be reached by this treatment, and over which channel?
fn reachable(
    run: &PreparedRun,
    endpoint: Option<Endpoint>,
    number: u8,
    now: Timestamp,
) -> std::result::Result<(Endpoint, ChannelType), Reason> {
    let endpoint = endpoint.ok_or(Reason::EndpointDeleted)?;
    if !endpoint.document.is_active() {
        return Err(Reason::EndpointInactive);
    }
    if endpoint.document.is_opted_out() {
        return Err(Reason::EndpointOptOut);
    }
    let channel_type = endpoint.document.channel_type.ok_or(Reason::MissingChannel)?;
    if endpoint.address.as_deref().is_none_or(str::is_empty) {
        return Err(Reason::MissingAddress);
    }
    let enough = run
        .had_enough
        .iter()
        .find(|(_, reached)| reached.contains(endpoint.seq));
    if let Some((reason, _)) = enough {
        return Err(*reason);
    }
    let demographic = endpoint.document.demographic.as_ref();
    let timezone = demographic.and_then(|demographic| demographic.timezone.as_deref());
    if let Some(quiet_time) = &run.quiet_time
        && quiet_time.is_quiet(now, timezone)
    {
        return Err(Reason::QuietTime);
    }
    let treatment = run
        .treatments
        .get(usize::from(number))
        .ok_or(Reason::ChannelMismatch)?;
    let Some(way) = treatment.way(channel_type) else {
        return Err(if treatment.disabled.contains(&channel_type) {
            Reason::ChannelDisabled
        } else {
            Reason::ChannelMismatch
        });
    };
    match way.route() {
        None => Err(Reason::NoBinding),
        Some(_) => Ok((endpoint, channel_type)),
    }
}

/// How a treatment reaches a channel type.
enum Way<'a> {
    Mail(&'a Mail),
    Sms(&'a Sms),
    Push(&'a Push),
    Custom(&'a Custom),
}

impl<'a> Way<'a> {
    fn route(&self) -> Option<&'a Route> {
        match self {
            Self::Mail(mail) => mail.route.as_ref(),
            Self::Sms(sms) => sms.route.as_ref(),
            Self::Push(push) => push.route.as_ref(),
            Self::Custom(custom) => Some(&custom.route),
        }
    }
}

impl Treatment {
    fn way(&self, channel_type: ChannelType) -> Option<Way<'_>> {
        let custom = self.custom.as_ref();
        if let Some(custom) = custom.filter(|custom| custom.types.contains(&channel_type)) {
            return Some(Way::Custom(custom));
        }
        match channel_type {
            ChannelType::Email => self.email.as_ref().map(Way::Mail),
            ChannelType::Sms => self.sms.as_ref().map(Way::Sms),
            channel_type => self.push.get(&channel_type).map(Way::Push),
        }
    }
}

/// Personalizes and renders.
fn make(
    run: &PreparedRun,
    candidates: &[Candidate],
    mut batch: Batch,
    tracker: Option<&Tracker>,
    now: Timestamp,
) -> Batch {
    let mut routes: Vec<(Route, Vec<(HandedOver, OutgoingMessage)>)> = Vec::new();
    for chunk in candidates.chunks(ROWS_PER_CALL as usize) {
        let answer = match personalize(run.personalizer.as_deref(), chunk, now) {
            Ok(answer) => answer,
            Err(detail) => {
                warn!(run = run.run_no, recipients = chunk.len(), %detail, "a personalizer failed; its recipients are skipped");
                batch.skipped.extend(chunk.iter().map(|candidate| {
                    let detail = Some(detail.clone());
                    row(
                        candidate.recipient,
                        candidate.number,
                        Reason::PersonalizerFault,
                        now,
                        detail,
                    )
                }));
                continue;
            }
        };
        for (index, candidate) in chunk.iter().enumerate() {
            let dropped = answer
                .as_ref()
                .is_some_and(|answer| columns::bit(&answer.drop, index, false));
            if dropped {
                batch.skipped.push(row(
                    candidate.recipient,
                    candidate.number,
                    Reason::FilteredByHook,
                    now,
                    None,
                ));
                continue;
            }
            let personalized = match (&answer, &run.personalizer) {
                (Some(answer), Some(personalizer)) => Some(PersonalizedRow {
                    answer,
                    outputs: personalizer.outputs(),
                    row: index,
                }),
                _ => None,
            };
            match message(run, candidate, personalized, tracker, now) {
                Ok((route, made)) => {
                    let handed = HandedOver {
                        seq: candidate.recipient.seq,
                        treatment: candidate.number,
                        channel_type: candidate.channel_type,
                        address: candidate.address().to_owned(),
                        attempts: candidate.recipient.attempts + 1,
                    };
                    match routes.iter_mut().find(|(known, _)| known.name == route.name) {
                        Some((_, messages)) => messages.push((handed, made)),
                        None => routes.push((route.clone(), vec![(handed, made)])),
                    }
                }
                Err(detail) => {
                    debug!(run = run.run_no, seq = candidate.recipient.seq, %detail, "a message could not be rendered");
                    let reason = Reason::RenderingFailure;
                    batch.skipped.push(row(
                        candidate.recipient,
                        candidate.number,
                        reason,
                        now,
                        Some(detail),
                    ));
                }
            }
        }
    }
    batch.outgoing = routes;
    batch
}

fn personalize(
    personalizer: Option<&dyn Personalizer>,
    candidates: &[Candidate],
    now: Timestamp,
) -> std::result::Result<Option<Personalized>, String> {
    let Some(personalizer) = personalizer else {
        return Ok(None);
    };
    let endpoints: Vec<&Endpoint> = candidates.iter().map(|candidate| &candidate.endpoint).collect();
    let rows = inputs::rows(personalizer.inputs(), &endpoints);
    personalizer
        .personalize(now.as_microsecond(), rows)
        .map(Some)
        .map_err(|error| error.to_string())
}

fn message<'a>(
    run: &'a PreparedRun,
    candidate: &Candidate,
    personalized: Option<PersonalizedRow<'_>>,
    tracker: Option<&Tracker>,
    now: Timestamp,
) -> std::result::Result<(&'a Route, OutgoingMessage), String> {
    let seq = candidate.recipient.seq;
    let delivery_id: MessageId = message_id(&run.run_id, seq);
    let input = RenderInput {
        endpoint: &candidate.endpoint,
        personalized,
        substitutions: &[],
        now,
        message_id: &delivery_id,
    };
    let treatment = run
        .treatments
        .get(usize::from(candidate.number))
        .ok_or("no such treatment")?;
    let way = treatment.way(candidate.channel_type);
    let way = way.ok_or("no message for this channel")?;
    let route = way.route().ok_or("no binding serves this channel")?;
    let mut outgoing = OutgoingMessage {
        attempt: u32::from(candidate.recipient.attempts) + 1,
        channel_type: candidate.channel_type,
        address: candidate.address().to_owned(),
        from: None,
        reply_to: Vec::new(),
        parts: Vec::new(),
        headers: Vec::new(),
        metadata: metadata(run, treatment, candidate, now),
        delivery_id: delivery_id.clone(),
    };
    match way {
        Way::Mail(mail) => {
            let context = tracker.map(|tracker| TrackingContext {
                tracker,
                stamp: Stamp::of_run(run.app.no, run.run_no, candidate.number, seq),
            });
            let rendered = mail
                .renderer
                .render(&input, context.as_ref())
                .map_err(|error| error.to_string())?;
            outgoing.parts.push(Part::Subject(rendered.subject));
            outgoing.parts.extend(rendered.text.map(Part::Text));
            outgoing.parts.extend(rendered.html.map(Part::Html));
            outgoing.headers = rendered.headers;
            outgoing.from.clone_from(&mail.from);
        }
        Way::Sms(sms) => {
            let text = sms
                .renderer
                .render(&input, &Overrides::default())
                .map_err(|error| error.to_string())?;
            check_text(candidate.channel_type, &text)?;
            outgoing.parts.push(Part::Text(text));
            outgoing.from.clone_from(&sms.from);
            outgoing.metadata.extend_from_slice(&sms.facts);
        }
        Way::Push(push) => {
            let push = push
                .renderer
                .render(&input, &push_facts(run, treatment), &Overrides::default(), None)
                .map_err(|error| error.to_string())?;
            outgoing.parts.extend(push.title.map(Part::Subject));
            outgoing.parts.extend(push.body.map(Part::Text));
            outgoing.parts.push(Part::Json(push.payload));
            outgoing.metadata.extend(push.metadata);
        }
        Way::Custom(custom) => {
            let data = custom
                .renderer
                .render(&input)
                .map_err(|error| error.to_string())?;
            outgoing.parts.push(Part::Json(data));
            outgoing.metadata.extend(custom_facts(run, &candidate.endpoint));
        }
    }
    Ok((route, outgoing))
}

/// The ids by which Pinpoint's client SDKs report that a push was opened.
fn push_facts(run: &PreparedRun, treatment: &Treatment) -> PushFacts {
    let ids = [
        ("campaign_id", run.snapshot.campaign.to_string()),
        ("campaign_activity_id", run.run_id.to_string()),
        ("treatment_id", treatment.id.clone()),
    ];
    PushFacts {
        source: Some(("campaign", ids.into())),
        ..PushFacts::default()
    }
}

/// Facts about a message, under the names that the WIT documents.
fn metadata(
    run: &PreparedRun,
    treatment: &Treatment,
    candidate: &Candidate,
    now: Timestamp,
) -> Vec<(String, String)> {
    vec![
        ("date".to_owned(), now.as_second().to_string()),
        ("application-id".to_owned(), run.app.id.to_string()),
        ("campaign-id".to_owned(), run.snapshot.campaign.to_string()),
        ("treatment-id".to_owned(), treatment.id.clone()),
        ("activity-id".to_owned(), run.run_id.to_string()),
        ("endpoint-id".to_owned(), candidate.endpoint.id.to_string()),
    ]
}

/// Custom channels get what Pinpoint's get: the whole endpoint.
fn custom_facts(run: &PreparedRun, endpoint: &Endpoint) -> [(String, String); 2] {
    let endpoint = endpoint.clone().response(&run.app.id);
    [
        ("scheduled-time".to_owned(), iso(run.scheduled)),
        (
            "endpoint".to_owned(),
            serde_json::to_string(&endpoint).unwrap_or_default(),
        ),
    ]
}
