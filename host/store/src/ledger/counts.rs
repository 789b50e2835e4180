//! Rollups of the ledger: what each node counted, added up.

use std::ops::Range;

use jiff::Timestamp;
use pinion_domain::delivery::Reason;

use super::{reason_of, treatment_of};
use crate::backend::{Pools, read};
use crate::rows::json;
use crate::{AppRef, Result, Store};

/// Ledger rows of a minute.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// Of which run; 0: direct messages.
    pub run_no: i64,
    /// Number of the treatment.
    pub treatment: u8,
    /// Minutes since 1970.
    pub minute: i64,
    /// The outcome.
    pub reason: Reason,
    /// How many.
    pub count: u64,
}

/// Which counts are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct RollupFilter {
    /// Of which runs (0: direct messages); `None`: of all.
    pub runs: Option<Vec<i64>>,
    /// From the minute that holds this moment …
    pub from: Timestamp,
    /// … up to but without the minute that begins at or after this moment.
    pub to: Timestamp,
}

/// Rows of a table of counters, summed up over the nodes that write it: run, treatment, minute, what is
/// counted, how many.
macro_rules! sums_by_minute {
    ($pools:expr, $table:literal, $what:literal, $app:expr, $filter:expr) => {{
        macro_rules! select {
            ($condition:literal) => {
                concat!(
                    "select run_no, treatment, minute, ",
                    $what,
                    ", cast(sum(count) as bigint) from ",
                    $table,
                    " where app_no = $1 and minute >= $2 and minute < $3 ",
                    $condition,
                    " group by run_no, treatment, minute, ",
                    $what,
                    " order by run_no, treatment, minute, ",
                    $what
                )
            };
        }
        let range = $crate::ledger::counts::minutes(&$filter);
        let rows: Vec<(i64, i16, i64, i16, i64)> = match (&$pools, &$filter.runs) {
            (pools, None) => $crate::backend::read!(*pools, |db| sqlx::query_as(select!(""))
                .bind($app.no)
                .bind(range.start)
                .bind(range.end)
                .fetch_all(db)
                .await)?,
            ($crate::backend::Pools::Sqlite(db), Some(runs)) => {
                sqlx::query_as(select!("and run_no in (select value from json_each($4))"))
                    .bind($app.no)
                    .bind(range.start)
                    .bind(range.end)
                    .bind($crate::rows::json(runs))
                    .fetch_all(db)
                    .await?
            }
            ($crate::backend::Pools::Postgres(db), Some(runs)) => {
                sqlx::query_as(select!("and run_no = any($4)"))
                    .bind($app.no)
                    .bind(range.start)
                    .bind(range.end)
                    .bind(runs)
                    .fetch_all(db)
                    .await?
            }
        };
        rows
    }};
}
pub(crate) use sums_by_minute;

impl Store {
    /// Counts of outcomes per run, treatment, minute and reason.
    pub async fn ledger_rollup(&self, app: &AppRef, filter: RollupFilter) -> Result<Vec<Count>> {
        let rows = sums_by_minute!(self.inner.main.pools, "ledger_count", "reason", app, filter);
        rows.into_iter()
            .map(|(run_no, treatment, minute, reason, count)| {
                Ok(Count {
                    run_no,
                    treatment: treatment_of(treatment)?,
                    minute,
                    reason: reason_of(reason)?,
                    count: count.unsigned_abs(),
                })
            })
            .collect()
    }

    /// Treatment, reason and number of a run's rows, by counting them. What the rollup must equal.
    pub async fn ledger_counts(&self, app: &AppRef, run_no: i64) -> Result<Vec<(u8, Reason, u64)>> {
        let rows: Vec<(i16, i16, i64)> = read!(self.inner.main.pools, |db| sqlx::query_as(
            "select treatment, reason, count(*) from ledger
             where run_no = $2 and exists (select 1 from run where run.run_no = $2 and run.app_no = $1)
             group by treatment, reason order by treatment, reason"
        )
        .bind(app.no)
        .bind(run_no)
        .fetch_all(db)
        .await)?;
        rows.into_iter()
            .map(|(treatment, reason, count)| {
                Ok((treatment_of(treatment)?, reason_of(reason)?, count.unsigned_abs()))
            })
            .collect()
    }

    /// HLL sketches of whom those runs reached, to be united.
    pub async fn accepted_sketches(&self, app: &AppRef, run_nos: &[i64]) -> Result<Vec<Vec<u8>>> {
        macro_rules! select {
            ($condition:literal) => {
                concat!(
                    "select c.accepted_sketch from chunk c join run r on r.run_no = c.run_no
                     where r.app_no = $1 and c.accepted_sketch is not null and c.run_no ",
                    $condition
                )
            };
        }
        Ok(match &self.inner.main.pools {
            Pools::Sqlite(db) => {
                sqlx::query_scalar(select!("in (select value from json_each($2))"))
                    .bind(app.no)
                    .bind(json(run_nos))
                    .fetch_all(db)
                    .await?
            }
            Pools::Postgres(db) => {
                sqlx::query_scalar(select!("= any($2)"))
                    .bind(app.no)
                    .bind(run_nos)
                    .fetch_all(db)
                    .await?
            }
        })
    }
}

/// The minute since 1970 that holds a moment.
pub(crate) fn minute_of(at: Timestamp) -> i64 {
    at.as_millisecond().div_euclid(60_000)
}

/// The minutes that a filter asks for.
pub(crate) fn minutes(filter: &RollupFilter) -> Range<i64> {
    let end = filter.to.as_millisecond();
    minute_of(filter.from)..end.div_euclid(60_000) + i64::from(end.rem_euclid(60_000) != 0)
}
