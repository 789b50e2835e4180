//! Appending: events, keys, counters, unique recipients and summaries in one transaction, each aggregated
//! over the batch first.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use pinion_domain::id::MessageId;
use pinion_domain::kpi::Metric;
use roaring::RoaringBitmap;

use super::NewEvent;
use crate::Result;
use crate::backend::{Connection, write};
use crate::ledger::minute_of;
use crate::rows::MultiRow;
use crate::runs::{bitmap, bitmap_bytes};
use crate::writer::Tx;

/// Bits of an event number below the milliseconds: a million events in one of them.
const COUNTER_BITS: u32 = 20;
const MILLISECONDS_PER_DAY: i64 = 86_400_000;

pub(super) struct Input {
    pub(super) writer: i64,
    pub(super) epoch: i64,
    pub(super) events: Vec<NewEvent>,
}

/// The first of `count` numbers that rise over the life of the process, and over restarts as long as the
/// clock does.
fn numbers(now: Timestamp, count: usize) -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    let count = i64::try_from(count).expect("that many events have no room in memory");
    let floor = now.as_millisecond() << COUNTER_BITS;
    NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
        Some(next.max(floor) + count)
    })
    .map_or(floor, |next| next.max(floor))
}

/// The metric that counts each recipient once.
pub(super) fn unique_form(metric: Metric) -> Option<Metric> {
    match metric {
        Metric::Opened => Some(Metric::UniqueOpened),
        Metric::Clicked => Some(Metric::UniqueClicked),
        _ => None,
    }
}

/// Application, run, treatment, metric and the seqs' upper half.
type UniqueKey = (i64, i64, i16, i16, i32);

/// Application, run, treatment, minute, metric.
type CountKey = (i64, i64, i16, i64, i16);

/// See [`crate::Store::append_events`].
pub(super) fn apply<'a>(tx: &'a mut Tx, input: &'a Input) -> BoxFuture<'a, Result<u64>> {
    Box::pin(async move {
        let day = i32::try_from(tx.now.as_millisecond().div_euclid(MILLISECONDS_PER_DAY)).unwrap_or(i32::MAX);
        let first_no = numbers(tx.now, input.events.len());
        let mut fresh = claim_keys(tx, day, &input.events).await?;
        let mut stored = Vec::with_capacity(input.events.len());
        let mut counts: BTreeMap<CountKey, i64> = BTreeMap::new();
        let mut uniques: BTreeMap<UniqueKey, Vec<(u32, i64)>> = BTreeMap::new();
        let mut summaries: HashMap<(i64, &str, u32), (i64, i64, i64)> = HashMap::new();
        for (event, number) in input.events.iter().zip(first_no..) {
            if let Some(key) = &event.key
                && !fresh.remove(&(event.app_no, told(key)))
            {
                continue;
            }
            stored.push((number, event));
            let at = event.at.as_millisecond();
            if let Some(seq) = event.seq {
                let summary = summaries
                    .entry((event.app_no, &event.event_type, seq))
                    .or_insert((0, at, at));
                *summary = (summary.0 + 1, summary.1.min(at), summary.2.max(at));
            }
            let Some(metric) = Metric::of_event(&event.event_type) else {
                continue;
            };
            let (treatment, minute) = (i16::from(event.treatment), minute_of(event.at));
            *counts
                .entry((event.app_no, event.run_no, treatment, minute, metric.code()))
                .or_default() += 1;
            let Some(unique) = unique_form(metric).map(Metric::code) else {
                continue;
            };
            if event.run_no != 0 {
                if let Some(seq) = event.seq {
                    let part = i32::try_from(seq >> 16).expect("sixteen bits are left");
                    let key = (event.app_no, event.run_no, treatment, unique, part);
                    uniques.entry(key).or_default().push((seq, minute));
                }
            } else if let Some(first) = first_of_message(event)
                && fresh.remove(&(event.app_no, first))
            {
                *counts
                    .entry((event.app_no, 0, treatment, minute, unique))
                    .or_default() += 1;
            }
        }
        for (key, members) in uniques {
            let (app_no, run_no, treatment, metric, _) = key;
            for minute in join(tx, key, &members).await? {
                *counts
                    .entry((app_no, run_no, treatment, minute, metric))
                    .or_default() += 1;
            }
        }
        insert_events(tx, day, input, &stored).await?;
        let counts: Vec<(CountKey, i64)> = counts.into_iter().collect();
        add_counts(tx, input.writer, &counts).await?;
        let mut summaries: Vec<_> = summaries.into_iter().collect();
        summaries.sort_unstable_by_key(|(key, _)| *key);
        add_summaries(tx, &summaries).await?;
        Ok(stored.len() as u64)
    })
}

/// A key that came with an event.
fn told(key: &str) -> String {
    format!("told:{key}")
}

/// The key by which the first opening of a direct message is known from the others.
fn first_of_message(event: &NewEvent) -> Option<String> {
    let metric = unique_form(Metric::of_event(&event.event_type)?)?;
    Some(format!("first:{}:{}", metric.code(), event.message_id.as_ref()?))
}

/// Writes the events' keys and tells which of them were not known.
async fn claim_keys(tx: &mut Tx, day: i32, events: &[NewEvent]) -> Result<HashSet<(i64, String)>> {
    static INSERT: MultiRow = MultiRow::new(
        "insert into event_key (app_no, event_key, day)",
        3,
        "on conflict do nothing returning app_no, event_key",
    );
    let mut keys = BTreeSet::new();
    for event in events {
        keys.extend(event.key.as_deref().map(|key| (event.app_no, told(key))));
        if event.run_no == 0 {
            keys.extend(first_of_message(event).map(|key| (event.app_no, key)));
        }
    }
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    // In order, so that two nodes do not wait for each other.
    let keys: Vec<(i64, String)> = keys.into_iter().collect();
    let fresh: Vec<(i64, String)> = match &mut tx.connection {
        Connection::Sqlite(db) => {
            INSERT
                .returning(db, &keys, |binds, (app_no, key)| {
                    binds.add(*app_no).add(key).add(day);
                })
                .await?
        }
        Connection::Postgres(db) => {
            sqlx::query_as(
                "insert into event_key (app_no, event_key, day)
                 select app_no, event_key, $1 from unnest($2::bigint[], $3::text[]) as new (app_no, event_key)
                 on conflict do nothing returning app_no, event_key",
            )
            .bind(day)
            .bind(keys.iter().map(|key| key.0).collect::<Vec<_>>())
            .bind(keys.iter().map(|key| key.1.as_str()).collect::<Vec<_>>())
            .fetch_all(&mut *db)
            .await?
        }
    };
    Ok(fresh.into_iter().collect())
}

/// Adds members to a bitmap and tells the minutes at which somebody was new.
async fn join(tx: &mut Tx, key: UniqueKey, members: &[(u32, i64)]) -> Result<Vec<i64>> {
    let (app_no, run_no, treatment, metric, part) = key;
    let mut present = match stored_members(tx, key).await? {
        Some(bytes) => bitmap(&bytes)?,
        None => RoaringBitmap::new(),
    };
    let new: Vec<i64> = members
        .iter()
        .filter(|(seq, _)| present.insert(*seq))
        .map(|(_, minute)| *minute)
        .collect();
    if !new.is_empty() {
        let bytes = bitmap_bytes(&present)?;
        write!(tx, |db| sqlx::query(
            "insert into event_unique (app_no, run_no, treatment, metric, part, members)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (app_no, run_no, treatment, metric, part) do update set members = excluded.members"
        )
        .bind(app_no)
        .bind(run_no)
        .bind(treatment)
        .bind(metric)
        .bind(part)
        .bind(bytes)
        .execute(&mut *db)
        .await
        .map(drop))?;
    }
    Ok(new)
}

/// The bitmap as it is; on PostgreSQL locked, and made first so that there is something to lock.
async fn stored_members(tx: &mut Tx, key: UniqueKey) -> Result<Option<Vec<u8>>> {
    macro_rules! select {
        ($suffix:literal) => {
            concat!(
                "select members from event_unique
                 where app_no = $1 and run_no = $2 and treatment = $3 and metric = $4 and part = $5",
                $suffix
            )
        };
    }
    let (app_no, run_no, treatment, metric, part) = key;
    Ok(match &mut tx.connection {
        Connection::Sqlite(db) => {
            sqlx::query_scalar(select!(""))
                .bind(app_no)
                .bind(run_no)
                .bind(treatment)
                .bind(metric)
                .bind(part)
                .fetch_optional(&mut *db)
                .await?
        }
        Connection::Postgres(db) => {
            sqlx::query(
                "insert into event_unique (app_no, run_no, treatment, metric, part, members)
                 values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            )
            .bind(app_no)
            .bind(run_no)
            .bind(treatment)
            .bind(metric)
            .bind(part)
            .bind(bitmap_bytes(&RoaringBitmap::new())?)
            .execute(&mut *db)
            .await?;
            sqlx::query_scalar(select!(" for update"))
                .bind(app_no)
                .bind(run_no)
                .bind(treatment)
                .bind(metric)
                .bind(part)
                .fetch_optional(&mut *db)
                .await?
        }
    })
}

async fn insert_events(tx: &mut Tx, day: i32, input: &Input, events: &[(i64, &NewEvent)]) -> Result<()> {
    static INSERT: MultiRow = MultiRow::new(
        "insert into event (day, app_no, event_no, writer, rev, seq, event_type, at, arrived_at, run_no,
                            treatment, message_id, document)",
        13,
        "",
    );
    let now = tx.now.as_millisecond();
    let writer = input.writer;
    let transaction = tx.connection.transaction_rev(input.epoch).await?;
    match &mut tx.connection {
        Connection::Sqlite(db) => {
            INSERT
                .execute(db, events, |binds, (number, event)| {
                    // One writer: numbers are in the order of commits.
                    binds.add(day).add(event.app_no).add(*number).add(writer);
                    binds.add(transaction.unwrap_or(*number));
                    binds
                        .add(event.seq.map(i64::from))
                        .add(&event.event_type)
                        .add(event.at.as_millisecond());
                    binds.add(now).add(event.run_no).add(i16::from(event.treatment));
                    binds
                        .add(event.message_id.as_ref().map(MessageId::as_str))
                        .add(event.document.to_string());
                })
                .await
        }
        Connection::Postgres(db) => {
            sqlx::query(
                "insert into event (day, app_no, event_no, writer, rev, seq, event_type, at, arrived_at, run_no,
                                    treatment, message_id, document)
                 select $1, app_no, event_no, $2, coalesce($13, event_no), seq, event_type, at, $3, run_no,
                        treatment, message_id, document
                 from unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[],
                             $10::smallint[], $11::text[], $12::text[])
                   as new (app_no, event_no, seq, event_type, at, run_no, treatment, message_id, document)",
            )
            .bind(day)
            .bind(writer)
            .bind(now)
            .bind(events.iter().map(|(_, event)| event.app_no).collect::<Vec<_>>())
            .bind(events.iter().map(|(number, _)| *number).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| event.seq.map(i64::from)).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| event.event_type.as_str()).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| event.at.as_millisecond()).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| event.run_no).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| i16::from(event.treatment)).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| event.message_id.as_ref().map(MessageId::as_str)).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| event.document.to_string()).collect::<Vec<_>>())
            .bind(transaction)
            .execute(&mut *db)
            .await?;
            Ok(())
        }
    }
}

/// Adds to this node's own counters.
async fn add_counts(tx: &mut Tx, writer: i64, counts: &[(CountKey, i64)]) -> Result<()> {
    static UPSERT: MultiRow = MultiRow::new(
        "insert into event_count (app_no, run_no, treatment, minute, metric, writer, count)",
        7,
        "on conflict (app_no, run_no, treatment, minute, metric, writer)
         do update set count = event_count.count + excluded.count",
    );
    match &mut tx.connection {
        Connection::Sqlite(db) => {
            UPSERT
                .execute(
                    db,
                    counts,
                    |binds, ((app_no, run_no, treatment, minute, metric), count)| {
                        binds
                            .add(*app_no)
                            .add(*run_no)
                            .add(*treatment)
                            .add(*minute)
                            .add(*metric);
                        binds.add(writer).add(*count);
                    },
                )
                .await
        }
        Connection::Postgres(db) => {
            sqlx::query(
                "insert into event_count (app_no, run_no, treatment, minute, metric, writer, count)
                 select app_no, run_no, treatment, minute, metric, $1, count
                 from unnest($2::bigint[], $3::bigint[], $4::smallint[], $5::bigint[], $6::smallint[], $7::bigint[])
                   as new (app_no, run_no, treatment, minute, metric, count)
                 on conflict (app_no, run_no, treatment, minute, metric, writer)
                 do update set count = event_count.count + excluded.count",
            )
            .bind(writer)
            .bind(counts.iter().map(|(key, _)| key.0).collect::<Vec<_>>())
            .bind(counts.iter().map(|(key, _)| key.1).collect::<Vec<_>>())
            .bind(counts.iter().map(|(key, _)| key.2).collect::<Vec<_>>())
            .bind(counts.iter().map(|(key, _)| key.3).collect::<Vec<_>>())
            .bind(counts.iter().map(|(key, _)| key.4).collect::<Vec<_>>())
            .bind(counts.iter().map(|(_, count)| *count).collect::<Vec<_>>())
            .execute(&mut *db)
            .await?;
            Ok(())
        }
    }
}

/// Application, type and seq; count, first and last.
type Summary<'a> = ((i64, &'a str, u32), (i64, i64, i64));

async fn add_summaries(tx: &mut Tx, summaries: &[Summary<'_>]) -> Result<()> {
    static UPSERT: MultiRow = MultiRow::new(
        "insert into event_summary (app_no, event_type, seq, count, first_at, last_at)",
        6,
        "on conflict (app_no, event_type, seq) do update set
             count = event_summary.count + excluded.count,
             first_at = min(event_summary.first_at, excluded.first_at),
             last_at = max(event_summary.last_at, excluded.last_at)",
    );
    match &mut tx.connection {
        Connection::Sqlite(db) => {
            UPSERT
                .execute(
                    db,
                    summaries,
                    |binds, ((app_no, event_type, seq), (count, first, last))| {
                        binds.add(*app_no).add(*event_type).add(i64::from(*seq));
                        binds.add(*count).add(*first).add(*last);
                    },
                )
                .await
        }
        Connection::Postgres(db) => {
            sqlx::query(
                "insert into event_summary (app_no, event_type, seq, count, first_at, last_at)
                 select app_no, event_type, seq, count, first_at, last_at
                 from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
                   as new (app_no, event_type, seq, count, first_at, last_at)
                 on conflict (app_no, event_type, seq) do update set
                     count = event_summary.count + excluded.count,
                     first_at = least(event_summary.first_at, excluded.first_at),
                     last_at = greatest(event_summary.last_at, excluded.last_at)",
            )
            .bind(summaries.iter().map(|(key, _)| key.0).collect::<Vec<_>>())
            .bind(summaries.iter().map(|(key, _)| key.1).collect::<Vec<_>>())
            .bind(
                summaries
                    .iter()
                    .map(|(key, _)| i64::from(key.2))
                    .collect::<Vec<_>>(),
            )
            .bind(summaries.iter().map(|(_, sums)| sums.0).collect::<Vec<_>>())
            .bind(summaries.iter().map(|(_, sums)| sums.1).collect::<Vec<_>>())
            .bind(summaries.iter().map(|(_, sums)| sums.2).collect::<Vec<_>>())
            .execute(&mut *db)
            .await?;
            Ok(())
        }
    }
}
