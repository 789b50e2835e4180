//! Events from outside (what applications report; opens, clicks, receipts) and what is counted of them.
//! They have a database of their own: in SQLite a file has one writer, and no ledger commit should wait
//! behind events.
//!
//! `append` writes; this reads.

mod append;

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use pinion_domain::id::MessageId;
use pinion_domain::kpi::Metric;
use roaring::RoaringBitmap;
use serde_json::Value;
use sqlx::FromRow;

use crate::backend::{Pools, read};
use crate::endpoints::seq_of;
use crate::ledger::{minute_of, sums_by_minute, treatment_of};
use crate::rows::json;
use crate::runs::{bitmap, instant};
use crate::{AppRef, Error, Lane, Result, RollupFilter, Store};

/// An event to append.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Of which application ([`AppRef::no`]).
    pub app_no: i64,
    /// Whose, if an endpoint did it.
    pub seq: Option<u32>,
    /// Pinpoint's or the application's name for what happened.
    pub event_type: String,
    /// When it happened.
    pub at: Timestamp,
    /// An event of a key that is known in the application already is not stored and not counted.
    pub key: Option<String>,
    /// The run that it goes back to; 0: a direct message, or none.
    pub run_no: i64,
    /// Number of the treatment.
    pub treatment: u8,
    /// The message that it goes back to.
    pub message_id: Option<MessageId>,
    /// Everything about it.
    pub document: Value,
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// What happened.
    pub event_type: String,
    /// When it happened.
    pub at: Timestamp,
    /// When the server learnt of it.
    pub arrived: Timestamp,
    /// The run that it goes back to; 0: a direct message, or none.
    pub run_no: i64,
    /// Number of the treatment.
    pub treatment: u8,
    /// The message that it goes back to.
    pub message_id: Option<MessageId>,
    /// Everything about it.
    pub document: Value,
}

/// Events of a minute.
#[derive(Clone, Debug, PartialEq)]
pub struct EventCount {
    /// Of which run; 0: of direct messages.
    pub run_no: i64,
    /// Number of the treatment.
    pub treatment: u8,
    /// Minutes since 1970, of occurrence.
    pub minute: i64,
    /// What is counted. Unique metrics count a recipient (of direct messages: a message) at the minute of
    /// the event that told of it first.
    pub metric: Metric,
    /// How many.
    pub count: u64,
}

/// What an endpoint did so far, of one type of event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSummary {
    /// Who.
    pub seq: u32,
    /// How often.
    pub count: u64,
    /// When for the first time.
    pub first: Timestamp,
    /// When for the last time.
    pub last: Timestamp,
}

/// Events of one type behind a revision: what followers keep of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventChanges {
    /// Who, and when it happened: milliseconds since 1970. In the order in which they became known.
    pub events: Vec<(u32, i64)>,
    /// Everything up to this revision is here: ask on from it.
    pub upto: i64,
    /// Is there more already?
    pub more: bool,
}

#[derive(FromRow)]
struct Row {
    event_type: String,
    at: i64,
    arrived_at: i64,
    run_no: i64,
    treatment: i16,
    message_id: Option<String>,
    document: String,
}

/// Treatment, type, time, seq and message of an event.
type CountedRow = (i16, String, i64, Option<i64>, Option<String>);

impl Store {
    /// Appends events and counts them, in one change; tells how many were new. They are durable, counted and
    /// summed up once this answers.
    pub async fn append_events(&self, lane: Lane, events: Vec<NewEvent>) -> Result<u64> {
        if events.is_empty() {
            return Ok(0);
        }
        let input = append::Input {
            writer: self.inner.writer_id,
            epoch: self.inner.main.connector.epoch(),
            events,
        };
        self.inner.events.write(lane, input, append::apply).await
    }

    /// Counts of events per run, treatment, minute and metric.
    pub async fn event_rollup(&self, app: &AppRef, filter: RollupFilter) -> Result<Vec<EventCount>> {
        let rows = sums_by_minute!(self.inner.events.pools, "event_count", "metric", app, filter);
        rows.into_iter()
            .map(|(run_no, treatment, minute, metric, count)| {
                Ok(EventCount {
                    run_no,
                    treatment: treatment_of(treatment)?,
                    minute,
                    metric: Metric::from_code(metric).ok_or_else(|| Error::corrupt("metric", metric))?,
                    count: count.unsigned_abs(),
                })
            })
            .collect()
    }

    /// Run, treatment and recipients behind a unique metric of those runs. A metric that has no unique form
    /// has none.
    pub async fn event_uniques(
        &self,
        app: &AppRef,
        run_nos: &[i64],
        metric: Metric,
    ) -> Result<Vec<(i64, u8, RoaringBitmap)>> {
        let metric = append::unique_form(metric).unwrap_or(metric).code();
        let rows: Vec<(i64, i16, Vec<u8>)> = match &self.inner.events.pools {
            Pools::Sqlite(db) => {
                sqlx::query_as(
                    "select run_no, treatment, members from event_unique
                     where app_no = $1 and metric = $2 and run_no in (select value from json_each($3))",
                )
                .bind(app.no)
                .bind(metric)
                .bind(json(run_nos))
                .fetch_all(db)
                .await?
            }
            Pools::Postgres(db) => {
                sqlx::query_as(
                    "select run_no, treatment, members from event_unique
                     where app_no = $1 and metric = $2 and run_no = any($3)",
                )
                .bind(app.no)
                .bind(metric)
                .bind(run_nos)
                .fetch_all(db)
                .await?
            }
        };
        let mut found: BTreeMap<(i64, u8), RoaringBitmap> = BTreeMap::new();
        for (run_no, treatment, members) in rows {
            *found.entry((run_no, treatment_of(treatment)?)).or_default() |= bitmap(&members)?;
        }
        Ok(found
            .into_iter()
            .map(|((run_no, treatment), members)| (run_no, treatment, members))
            .collect())
    }

    /// What each endpoint did so far of one type of event, by seq: a column of predicates.
    pub async fn event_summaries(&self, app: &AppRef, event_type: &str) -> Result<Vec<EventSummary>> {
        let rows: Vec<(i64, i64, i64, i64)> = read!(self.inner.events.pools, |db| sqlx::query_as(
            "select seq, count, first_at, last_at from event_summary
             where app_no = $1 and event_type = $2 order by seq"
        )
        .bind(app.no)
        .bind(event_type)
        .fetch_all(db)
        .await)?;
        rows.into_iter()
            .map(|(seq, count, first, last)| {
                Ok(EventSummary {
                    seq: seq_of(seq)?,
                    count: count.unsigned_abs(),
                    first: instant(first)?,
                    last: instant(last)?,
                })
            })
            .collect()
    }

    /// The events of a type that endpoints did and that became known in `after < rev`: about `limit` of them,
    /// and never a part of a commit. Call again with `upto` while there is `more`. Nothing is missed and
    /// nothing comes twice.
    pub async fn events_since(
        &self,
        app: &AppRef,
        event_type: &str,
        after: i64,
        limit: usize,
    ) -> Result<EventChanges> {
        let (main, events) = (&self.inner.main, &self.inner.events);
        let settled = events.pools.settled_number(main.connector.epoch()).await?;
        let offset = i64::try_from(limit.max(1) - 1).unwrap_or(i64::MAX);
        let last_of_page: Option<i64> = read!(events.pools, |db| sqlx::query_scalar(
            "select rev from event
             where app_no = $1 and event_type = $2 and rev > $3 and rev <= $4 and seq is not null
             order by rev limit 1 offset $5"
        )
        .bind(app.no)
        .bind(event_type)
        .bind(after)
        .bind(settled)
        .bind(offset)
        .fetch_optional(db)
        .await)?;
        let rows: Vec<(i64, i64, i64)> = read!(events.pools, |db| sqlx::query_as(
            "select seq, at, rev from event
             where app_no = $1 and event_type = $2 and rev > $3 and rev <= $4 and seq is not null
             order by rev"
        )
        .bind(app.no)
        .bind(event_type)
        .bind(after)
        .bind(last_of_page.unwrap_or(settled))
        .fetch_all(db)
        .await)?;
        Ok(EventChanges {
            upto: rows.last().map_or(after, |(.., rev)| *rev),
            more: last_of_page.is_some(),
            events: rows
                .into_iter()
                .map(|(seq, at, _)| Ok((seq_of(seq)?, at)))
                .collect::<Result<_>>()?,
        })
    }

    /// When an endpoint did something of a type: milliseconds since 1970, ascending.
    pub async fn event_times(&self, app: &AppRef, seq: u32, event_type: &str) -> Result<Vec<i64>> {
        Ok(read!(self.inner.events.pools, |db| sqlx::query_scalar(
            "select at from event where app_no = $1 and seq = $2 and event_type = $3 order by at"
        )
        .bind(app.no)
        .bind(i64::from(seq))
        .bind(event_type)
        .fetch_all(db)
        .await)?)
    }

    /// An endpoint's events, latest first.
    pub async fn events_of(&self, app: &AppRef, seq: u32, limit: usize) -> Result<Vec<StoredEvent>> {
        let rows: Vec<Row> = read!(self.inner.events.pools, |db| sqlx::query_as(
            "select event_type, at, arrived_at, run_no, treatment, message_id, document
             from event where app_no = $1 and seq = $2 order by at desc, event_no desc limit $3"
        )
        .bind(app.no)
        .bind(i64::from(seq))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await)?;
        rows.into_iter()
            .map(|row| {
                Ok(StoredEvent {
                    event_type: row.event_type,
                    at: instant(row.at)?,
                    arrived: instant(row.arrived_at)?,
                    run_no: row.run_no,
                    treatment: treatment_of(row.treatment)?,
                    message_id: row.message_id.map(MessageId::from),
                    document: serde_json::from_str(&row.document)
                        .map_err(|error| Error::corrupt("event", error))?,
                })
            })
            .collect()
    }

    /// A run's events by counting all that are stored: slow, and what the rollup must equal.
    pub async fn event_counts_by_counting(&self, app: &AppRef, run_no: i64) -> Result<Vec<EventCount>> {
        let rows: Vec<CountedRow> = read!(self.inner.events.pools, |db| sqlx::query_as(
            "select treatment, event_type, at, seq, message_id from event
                 where app_no = $1 and run_no = $2 order by event_no"
        )
        .bind(app.no)
        .bind(run_no)
        .fetch_all(db)
        .await)?;
        let mut counts: BTreeMap<(u8, i64, Metric), u64> = BTreeMap::new();
        let mut seen = HashSet::new();
        for (treatment, event_type, at, seq, message_id) in rows {
            let Some(metric) = Metric::of_event(&event_type) else {
                continue;
            };
            let (treatment, minute) = (treatment_of(treatment)?, minute_of(instant(at)?));
            *counts.entry((treatment, minute, metric)).or_default() += 1;
            let who = if run_no == 0 {
                message_id
            } else {
                seq.map(|seq| seq.to_string())
            };
            if let (Some(unique), Some(who)) = (append::unique_form(metric), who)
                && seen.insert((treatment, unique, who))
            {
                *counts.entry((treatment, minute, unique)).or_default() += 1;
            }
        }
        Ok(counts
            .into_iter()
            .map(|((treatment, minute, metric), count)| EventCount {
                run_no,
                treatment,
                minute,
                metric,
                count,
            })
            .collect())
    }
}
