//! Runs: one firing of a campaign each, with the snapshot of who should be reached.
//!
//! `create` makes them; `chunks` is what workers claim.

mod chunks;
mod create;

use jiff::Timestamp;
use pinion_domain as domain;
use pinion_domain::id::{CampaignId, RunId};
use pinion_domain::page::{Page, PageRequest};
use roaring::RoaringBitmap;
use serde_json::Value;
use sqlx::FromRow;

pub use chunks::Chunk;
pub(crate) use chunks::{milliseconds, wants_work};
pub use create::NewRun;

use crate::backend::{read, write};
use crate::documents::StateChange;
use crate::{AppRef, Error, Lane, Result, Store};

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The number in large tables; rises with time.
    pub no: i64,
    /// The id.
    pub id: RunId,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// The version that is sent.
    pub campaign_version: u32,
    /// The run that this one deliberately repeats.
    pub parent: Option<RunId>,
    /// Where it stands.
    pub state: RunState,
    /// When it was due.
    pub scheduled: Timestamp,
    /// When its recipients were written.
    pub started: Timestamp,
    /// When its last recipient had an outcome, or when it could not start.
    pub finished: Option<Timestamp>,
    /// Recipients, holdout included.
    pub total: u64,
    /// Recipients by number of treatment.
    pub treatment_totals: Vec<u64>,
    /// Recipients that get nothing.
    pub holdout_total: u64,
    /// Versions and settings that it keeps to.
    pub pins: Value,
    /// When the run ends, done or not.
    pub deadline: Option<Timestamp>,
    /// Why it is in its state, for people.
    pub detail: Option<String>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Its chunks may be claimed.
    Running,
    /// Nothing new is claimed until it is running again.
    Paused,
    /// Every recipient has an outcome.
    Completed,
    /// Stopped by somebody.
    Cancelled,
    /// It could not start, or not go on.
    Failed,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Paused,
        Self::Completed,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }

    /// Is nothing handed over any more, and never again?
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }

    fn parse(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == name)
            .ok_or_else(|| Error::corrupt("run state", name))
    }
}

#[derive(FromRow)]
struct Row {
    run_no: i64,
    run_id: String,
    app_no: i64,
    campaign_id: String,
    campaign_version: i32,
    parent_run_id: Option<String>,
    state: String,
    detail: Option<String>,
    scheduled_at: i64,
    started_at: i64,
    finished_at: Option<i64>,
    deadline_at: Option<i64>,
    total: i64,
    treatment_totals: String,
    holdout_total: i64,
    pins: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select run_no, run_id, app_no, campaign_id, campaign_version, parent_run_id, state, detail,
                    scheduled_at, started_at, finished_at, deadline_at, total, treatment_totals, holdout_total,
                    pins
             from run where ",
            $rest
        )
    };
}

impl Store {
    /// The run of that number, unless its application is gone.
    pub async fn run(&self, no: i64) -> Result<Option<(AppRef, Run)>> {
        let row: Option<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(select!("run_no = $1"))
            .bind(no)
            .fetch_optional(db)
            .await)?;
        Ok(self.with_apps(row).await?.pop())
    }

    /// Where a run stands: asked before every batch, so it reads nothing else.
    pub async fn run_state(&self, no: i64) -> Result<Option<RunState>> {
        let name: Option<String> = read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select state from run where run_no = $1"
        )
        .bind(no)
        .fetch_optional(db)
        .await)?;
        name.map(|name| RunState::parse(&name)).transpose()
    }

    /// Everybody who should have an outcome in the run.
    pub async fn run_recipients(&self, no: i64) -> Result<RoaringBitmap> {
        let bytes: Option<Vec<u8>> = read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select recipients from run where run_no = $1"
        )
        .bind(no)
        .fetch_optional(db)
        .await)?;
        bytes.map_or_else(|| Ok(RoaringBitmap::new()), |bytes| bitmap(&bytes))
    }

    /// Everybody for whom a campaign's runs were, or one of them: recipients and those who were held out.
    pub async fn recipients(
        &self,
        app: &AppRef,
        campaign: &CampaignId,
        run: Option<&RunId>,
    ) -> Result<RoaringBitmap> {
        let of_runs: Vec<Vec<u8>> = read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select recipients from run
             where app_no = $1 and campaign_id = $2 and ($3 is null or run_id = $3)"
        )
        .bind(app.no)
        .bind(campaign.as_str())
        .bind(run.map(RunId::as_str))
        .fetch_all(db)
        .await)?;
        of_runs
            .iter()
            .try_fold(RoaringBitmap::new(), |all, bytes| Ok(all | bitmap(bytes)?))
    }

    /// The runs of a campaign, newest first.
    pub async fn runs(&self, app: &AppRef, campaign: &CampaignId, page: &PageRequest) -> Result<Page<Run>> {
        let before = match &page.after {
            None => i64::MAX,
            Some(token) => token
                .parse()
                .map_err(|_| domain::Error::invalid("token", "is not a token of ours"))?,
        };
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(select!(
            "app_no = $1 and campaign_id = $2 and run_no < $3 order by run_no desc limit $4"
        ))
        .bind(app.no)
        .bind(campaign.as_str())
        .bind(before)
        .bind(i64::from(page.size) + 1)
        .fetch_all(db)
        .await)?;
        let runs = rows.into_iter().map(revive).collect::<Result<Vec<Run>>>()?;
        Ok(Page::of(runs, page.size, |run| run.no.to_string()))
    }

    /// Moves a run to another state; `false` if it was ended already or is not there. One that is cancelled or
    /// has failed by this is over once its remaining recipients have an outcome too.
    pub async fn set_run_state(&self, no: i64, state: RunState, detail: Option<String>) -> Result<bool> {
        self.inner
            .main
            .write(
                Lane::Interactive,
                (no, state, detail),
                |tx, (no, state, detail)| {
                    Box::pin(async move {
                        let changed = write!(tx, |db| sqlx::query(
                            "update run set state = $2, detail = $3
                         where run_no = $1 and state in ('RUNNING', 'PAUSED')"
                        )
                        .bind(*no)
                        .bind(state.as_str())
                        .bind(detail)
                        .execute(&mut *db)
                        .await
                        .map(|done| done.rows_affected()))?;
                        Ok(changed > 0)
                    })
                },
            )
            .await
    }

    /// Runs that are not over although every recipient has an outcome: no chunk is open and nothing waits for
    /// another try. [`Store::finish_run`] ends them.
    pub async fn exhausted_runs(&self) -> Result<Vec<(AppRef, Run)>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(select!(
            "finished_at is null and state <> 'PAUSED'
             and not exists (select 1 from chunk c where c.run_no = run.run_no and c.done = 0)
             and not exists (select 1 from retry r where r.run_no = run.run_no)"
        ))
        .fetch_all(db)
        .await)?;
        self.with_apps(rows).await
    }

    /// Ends an exhausted run, and moves its campaign on in the same transaction. A running run is completed by
    /// it; one that was cancelled or has failed stays what it is. `false`: it was paused meanwhile, or is over.
    pub async fn finish_run(&self, no: i64, campaign: StateChange) -> Result<bool> {
        self.inner
            .main
            .write(Lane::Interactive, (no, campaign), |tx, (no, campaign)| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    let changed = write!(tx, |db| sqlx::query(
                        "update run set finished_at = $2,
                             state = case state when 'RUNNING' then 'COMPLETED' else state end
                         where run_no = $1 and finished_at is null and state <> 'PAUSED'"
                    )
                    .bind(*no)
                    .bind(now)
                    .execute(&mut *db)
                    .await
                    .map(|done| done.rows_affected()))?;
                    if changed == 0 {
                        return Ok(false);
                    }
                    campaign.apply(tx).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Runs of applications that are gone are left out.
    async fn with_apps(&self, rows: impl IntoIterator<Item = Row>) -> Result<Vec<(AppRef, Run)>> {
        let mut found = Vec::new();
        for row in rows {
            if let Some(app) = self.app_by_no(row.app_no).await? {
                found.push((app, revive(row)?));
            }
        }
        Ok(found)
    }
}

fn revive(row: Row) -> Result<Run> {
    Ok(Run {
        no: row.run_no,
        id: row.run_id.into(),
        campaign: row.campaign_id.into(),
        campaign_version: row.campaign_version.unsigned_abs(),
        parent: row.parent_run_id.map(RunId::from),
        state: RunState::parse(&row.state)?,
        scheduled: instant(row.scheduled_at)?,
        started: instant(row.started_at)?,
        finished: row.finished_at.map(instant).transpose()?,
        total: row.total.unsigned_abs(),
        treatment_totals: serde_json::from_str(&row.treatment_totals)
            .map_err(|error| Error::corrupt("treatment totals", error))?,
        holdout_total: row.holdout_total.unsigned_abs(),
        pins: serde_json::from_str(&row.pins).map_err(|error| Error::corrupt("pins", error))?,
        deadline: row.deadline_at.map(instant).transpose()?,
        detail: row.detail,
    })
}

/// A stored number of milliseconds as an instant.
pub(crate) fn instant(milliseconds: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).map_err(|error| Error::corrupt("time", error))
}

/// A bitmap as it is stored.
pub(crate) fn bitmap_bytes(bitmap: &RoaringBitmap) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap
        .serialize_into(&mut bytes)
        .map_err(|error| Error::corrupt("bitmap", error))?;
    Ok(bytes)
}

/// A stored bitmap.
pub(crate) fn bitmap(bytes: &[u8]) -> Result<RoaringBitmap> {
    RoaringBitmap::deserialize_from(bytes).map_err(|error| Error::corrupt("bitmap", error))
}
