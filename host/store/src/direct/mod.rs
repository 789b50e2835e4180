//! Direct messages: the intent is committed before hand-over and the outcome behind it, so that after a
//! crash it is known of whom nothing is known. With both go what belongs to the request: its name, under
//! which a repeat is known, and the one-time password that its message carries.

mod requests;

use std::time::Duration;

use jiff::Timestamp;
use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::{Reason, SuppressionReason};
use pinion_domain::id::MessageId;
use sqlx::FromRow;

use crate::backend::{Pools, read, write};
use crate::endpoints::seq_of;
use crate::ledger::{Deltas, add_counts, minute_of, reason_of};
use crate::otps::{self, NewOtp};
use crate::runs::{instant, milliseconds};
use crate::suppressions::Suppression;
use crate::{AppRef, Error, Lane, Result, Store};

pub use requests::{NamedRequest, PastRequest};

/// The run number of messages that belong to no run.
const NO_RUN: i64 = 0;
/// Direct messages have no treatments.
const NO_TREATMENT: i16 = 0;
/// No hand-over of a living server takes this long: an older intent on a shared database is an orphan, and
/// so is an older request on any.
const ORPHANED: Duration = Duration::from_secs(600);

/// A message that is about to be handed over.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The idempotency key that the provider gets.
    pub message_id: MessageId,
    /// The request that asked for it.
    pub request_id: String,
    /// Through which channel.
    pub channel: ChannelType,
    /// To which endpoint, if not to a bare address.
    pub seq: Option<u32>,
    /// Where; only its keyed index is kept.
    pub address: String,
    /// The client's facts as JSON; kept sealed.
    pub context: Option<String>,
}

/// What is committed before messages are handed over.
#[derive(Clone, Debug, Default)]
pub struct HandOver {
    /// The messages.
    pub intents: Vec<Intent>,
    /// The request, if its client may repeat it.
    pub named: Option<NamedRequest>,
    /// The password that a message carries.
    pub otp: Option<NewOtp>,
}

/// What is committed behind the answer.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    /// What became of the messages.
    pub outcomes: Vec<DirectOutcome>,
    /// The request that may be repeated, and what it was answered.
    pub answered: Option<(NamedRequest, String)>,
}

/// What became of a direct message.
#[derive(Clone, Debug)]
pub struct DirectOutcome {
    /// Of which message.
    pub message_id: MessageId,
    /// The outcome and why.
    pub reason: Reason,
    /// The provider's name for the message.
    pub provider_id: Option<String>,
    /// For people.
    pub detail: Option<String>,
    /// The address must not be sent to from now on.
    pub suppress: Option<SuppressionReason>,
}

/// A direct message as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectMessage {
    /// Its id.
    pub message_id: MessageId,
    /// The request that asked for it.
    pub request_id: String,
    /// Through which channel.
    pub channel: ChannelType,
    /// To which endpoint, if not to a bare address.
    pub seq: Option<u32>,
    /// Where, as [`AppRef::address_index`] tells it.
    pub address_index: Vec<u8>,
    /// When it was about to be handed over.
    pub intended: Timestamp,
    /// When the outcome was known.
    pub finished: Option<Timestamp>,
    /// The outcome; `None`: in flight.
    pub reason: Option<Reason>,
    /// The provider's name for the message.
    pub provider_id: Option<String>,
    /// For people.
    pub detail: Option<String>,
    /// The client's facts as JSON.
    pub context: Option<String>,
}

#[derive(FromRow)]
struct Row {
    message_id: String,
    request_id: String,
    channel_type: String,
    seq: Option<i64>,
    address_index: Vec<u8>,
    intended_at: i64,
    finished_at: Option<i64>,
    reason: Option<i16>,
    provider_id: Option<String>,
    detail: Option<String>,
    context_sealed: Option<Vec<u8>>,
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select message_id, request_id, channel_type, seq, address_index, intended_at, finished_at, reason,
                    provider_id, detail, context_sealed
             from direct_message where app_no = $1 and ",
            $condition
        )
    };
}

impl Store {
    /// Commits that messages are about to be handed over. `false`: a request of that name is known already,
    /// and nothing of this one is kept. A message id that is known already fails as a conflict.
    pub async fn begin_direct(&self, app: &AppRef, hand_over: HandOver) -> Result<bool> {
        struct Input {
            app: AppRef,
            epoch: i64,
            intents: Vec<(Intent, Vec<u8>, Option<Vec<u8>>)>,
            named: Option<NamedRequest>,
            otp: Option<otps::Hashed>,
        }
        let intents = hand_over
            .intents
            .into_iter()
            .map(|intent| {
                let index = app.address_index(intent.channel, &intent.address);
                let bound = bound(&intent.message_id);
                let context = intent.context.as_deref();
                let context = context.map(|context| app.keys.sealer.seal(context.as_bytes(), &bound));
                (intent, index, context)
            })
            .collect();
        let input = Input {
            app: app.clone(),
            epoch: self.inner.epoch,
            intents,
            named: hand_over.named,
            otp: hand_over.otp.map(|otp| self.hash_otp(app, &otp)),
        };
        self.inner
            .main
            .write(Lane::Interactive, input, |tx, input| {
                Box::pin(async move {
                    if let Some(named) = &input.named
                        && !requests::begin(tx, &input.app, named, input.epoch).await?
                    {
                        return Ok(false);
                    }
                    if let Some(otp) = &input.otp {
                        otps::put(tx, &input.app, otp).await?;
                    }
                    let now = tx.now.as_millisecond();
                    for (intent, index, context) in &input.intents {
                        let inserted = write!(tx, |db| sqlx::query(
                            "insert into direct_message
                                 (message_id, app_no, request_id, channel_type, seq, address_index, intended_at, epoch,
                                  context_sealed)
                             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (message_id) do nothing"
                        )
                        .bind(intent.message_id.as_str())
                        .bind(input.app.no)
                        .bind(&intent.request_id)
                        .bind(intent.channel.as_str())
                        .bind(intent.seq.map(i64::from))
                        .bind(index)
                        .bind(now)
                        .bind(input.epoch)
                        .bind(context)
                        .execute(&mut *db)
                        .await
                        .map(|done| done.rows_affected()))?;
                        if inserted == 0 {
                            return Err(pinion_domain::Error::Conflict(format!(
                                "message {} exists already",
                                intent.message_id
                            ))
                            .into());
                        }
                    }
                    Ok(true)
                })
            })
            .await
    }

    /// Commits what became of messages, counts it, suppresses addresses that say so, and keeps what the
    /// request was answered. A message that has its outcome already keeps it and is not counted again.
    pub async fn finish_direct(&self, app: &AppRef, finished: Finished) -> Result<()> {
        let answered = finished
            .answered
            .map(|(named, results)| requests::Answered::new(app, named, &results));
        self.inner
            .main
            .write(
                Lane::Interactive,
                (app.clone(), self.inner.writer_id, finished.outcomes, answered),
                |tx, (app, writer, outcomes, answered)| {
                    Box::pin(async move {
                        if let Some(answered) = answered {
                            answered.write(tx).await?;
                        }
                        let now = tx.now;
                        let mut deltas = Deltas::new();
                        for outcome in outcomes {
                            let finished: Option<(String, Vec<u8>)> = write!(tx, |db| sqlx::query_as(
                                "update direct_message
                                 set reason = $3, provider_id = $4, detail = $5, finished_at = $6
                                 where message_id = $1 and app_no = $2 and reason is null
                                 returning channel_type, address_index"
                            )
                            .bind(outcome.message_id.as_str())
                            .bind(app.no)
                            .bind(outcome.reason.code())
                            .bind(&outcome.provider_id)
                            .bind(&outcome.detail)
                            .bind(now.as_millisecond())
                            .fetch_optional(&mut *db)
                            .await)?;
                            let Some((channel, index)) = finished else {
                                continue;
                            };
                            *deltas
                                .entry((NO_TREATMENT, minute_of(now), outcome.reason.code()))
                                .or_default() += 1;
                            if let Some(reason) = outcome.suppress {
                                Suppression::of_index(app, channel_of(&channel)?, index, reason)
                                    .write(tx)
                                    .await?;
                            }
                        }
                        add_counts(tx, app.no, NO_RUN, *writer, &deltas).await
                    })
                },
            )
            .await
    }

    /// Gives messages that a crash left without outcome the outcome `UNKNOWN` and counts them; tells how
    /// many. On an embedded database these are all intents of earlier processes; on a shared one those that
    /// are ten minutes old, since younger ones may be in flight at another node.
    pub async fn unknown_direct_after_crash(&self) -> Result<u64> {
        let now = self.inner.clock.now().as_millisecond();
        let (epoch, before) = match &self.inner.main.pools {
            Pools::Sqlite(_) => (self.inner.epoch, i64::MAX),
            Pools::Postgres(_) => (i64::MAX, now - milliseconds(ORPHANED)),
        };
        self.inner
            .main
            .write(
                Lane::Interactive,
                (epoch, before, self.inner.writer_id),
                |tx, (epoch, before, writer)| {
                    Box::pin(async move {
                        let now = tx.now;
                        let apps: Vec<i64> = write!(tx, |db| sqlx::query_scalar(
                            "update direct_message set reason = $1, finished_at = $2
                             where reason is null and epoch < $3 and intended_at < $4
                             returning app_no"
                        )
                        .bind(Reason::Unknown.code())
                        .bind(now.as_millisecond())
                        .bind(*epoch)
                        .bind(*before)
                        .fetch_all(&mut *db)
                        .await)?;
                        for app_no in &apps {
                            let one =
                                Deltas::from([((NO_TREATMENT, minute_of(now), Reason::Unknown.code()), 1)]);
                            add_counts(tx, *app_no, NO_RUN, *writer, &one).await?;
                        }
                        Ok(apps.len() as u64)
                    })
                },
            )
            .await
    }

    /// A direct message of the application.
    pub async fn direct(&self, app: &AppRef, id: &MessageId) -> Result<Option<DirectMessage>> {
        let row: Option<Row> = read!(self.inner.main.pools, |db| {
            sqlx::query_as(select!("message_id = $2"))
                .bind(app.no)
                .bind(id.as_str())
                .fetch_optional(db)
                .await
        })?;
        row.map(|row| row.message(app)).transpose()
    }

    /// The direct messages that a request was for.
    pub async fn direct_of_request(&self, app: &AppRef, request_id: &str) -> Result<Vec<DirectMessage>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| {
            sqlx::query_as(select!("request_id = $2 order by message_id"))
                .bind(app.no)
                .bind(request_id)
                .fetch_all(db)
                .await
        })?;
        rows.into_iter().map(|row| row.message(app)).collect()
    }
}

impl Row {
    fn message(self, app: &AppRef) -> Result<DirectMessage> {
        let message_id = MessageId::from(self.message_id);
        let context = self.context_sealed.map(|sealed| {
            app.keys
                .sealer
                .open_text(&sealed, &bound(&message_id), "context of a message")
        });
        Ok(DirectMessage {
            context: context.transpose()?,
            message_id,
            request_id: self.request_id,
            channel: channel_of(&self.channel_type)?,
            seq: self.seq.map(seq_of).transpose()?,
            address_index: self.address_index,
            intended: instant(self.intended_at)?,
            finished: self.finished_at.map(instant).transpose()?,
            reason: self.reason.map(reason_of).transpose()?,
            provider_id: self.provider_id,
            detail: self.detail,
        })
    }
}

/// What a sealed context belongs to.
fn bound(message: &MessageId) -> String {
    format!("direct|{message}")
}

fn channel_of(name: &str) -> Result<ChannelType> {
    name.parse().map_err(|()| Error::corrupt("channel type", name))
}
