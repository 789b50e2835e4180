//! The ledger: exactly one row per recipient of a run, counted in the commit that writes it.
//!
//! | module | holds |
//! |---|---|
//! | `commit` | rows, counters, suppressions and the chunk's cursor in one transaction |
//! | `retries` | messages that wait for another try |
//! | `caps` | whom earlier runs of a campaign reached often enough |
//! | `counts` | rollups, and the counting that they must equal |

mod caps;
mod commit;
pub(crate) mod counts;
mod retries;

use jiff::Timestamp;
use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::{Reason, SuppressionReason};

pub(crate) use commit::{Deltas, add_counts};
pub use counts::{Count, RollupFilter};
pub(crate) use counts::{minute_of, sums_by_minute};

use crate::backend::read;
use crate::endpoints::seq_of;
use crate::runs::instant;
use crate::{AppRef, Error, Result, Store};

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerRow {
    /// Who.
    pub seq: u32,
    /// Number of the treatment; [`LedgerRow::HOLDOUT`] for the holdout.
    pub treatment: u8,
    /// The outcome and why.
    pub reason: Reason,
    /// When it was known.
    pub at: Timestamp,
    /// The provider's name for the message.
    pub provider_id: Option<String>,
    /// For people.
    pub detail: Option<String>,
    /// Hand-overs that were tried.
    pub attempts: u16,
}

impl LedgerRow {
    /// The treatment of those who get nothing.
    pub const HOLDOUT: u8 = 255;
}

/// A message that waits for another try.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// To whom.
    pub seq: u32,
    /// Number of the treatment.
    pub treatment: u8,
    /// Hand-overs that were tried.
    pub attempt: u16,
    /// When it may be tried again.
    pub due_at: Timestamp,
    /// What went wrong last, for people.
    pub detail: String,
}

/// What a worker commits at once.
#[derive(Clone, Debug, Default)]
pub struct BatchCommit {
    /// Every recipient of the chunk up to this one has a row here or earlier. Not looked at for retries.
    pub cursor: u32,
    /// The chunk has nobody behind the cursor. Not looked at for retries.
    pub done: bool,
    /// Outcomes. A recipient that has one already keeps it and is not counted again.
    pub rows: Vec<LedgerRow>,
    /// Messages to try again; one that waits already gets the new attempt and time.
    pub retries: Vec<Retry>,
    /// Addresses that must not be sent to from now on.
    pub suppress: Vec<(ChannelType, String, SuppressionReason)>,
    /// HLL sketch of whom the batch reached: it is united with the chunk's.
    pub accepted_sketch: Option<Vec<u8>>,
}

type Row = (i64, i16, i16, i64, Option<String>, Option<String>, i32);

impl Store {
    /// Rows of a run by seq, from behind `after`.
    pub async fn ledger(
        &self,
        app: &AppRef,
        run_no: i64,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Vec<LedgerRow>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(
            "select seq, treatment, reason, at, provider_id, detail, cast(attempts as integer)
             from ledger
             where run_no = $2 and seq > $3
               and exists (select 1 from run where run.run_no = $2 and run.app_no = $1)
             order by seq limit $4"
        )
        .bind(app.no)
        .bind(run_no)
        .bind(after.map_or(-1, i64::from))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await)?;
        rows.into_iter()
            .map(|(seq, treatment, reason, at, provider_id, detail, attempts)| {
                Ok(LedgerRow {
                    seq: seq_of(seq)?,
                    treatment: treatment_of(treatment)?,
                    reason: reason_of(reason)?,
                    at: instant(at)?,
                    provider_id,
                    detail,
                    attempts: u16::try_from(attempts).map_err(|error| Error::corrupt("attempts", error))?,
                })
            })
            .collect()
    }
}

pub(crate) fn reason_of(code: i16) -> Result<Reason> {
    Reason::from_code(code).ok_or_else(|| Error::corrupt("reason", code))
}

pub(crate) fn treatment_of(number: i16) -> Result<u8> {
    u8::try_from(number).map_err(|error| Error::corrupt("treatment", error))
}
