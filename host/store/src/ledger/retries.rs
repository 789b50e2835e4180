//! Messages that wait for another try: the only rows per message besides the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use super::commit::attempts;
use super::{LedgerRow, Retry, treatment_of};
use crate::backend::{Connection, read, write};
use crate::endpoints::seq_of;
use crate::rows::{MultiRow, json};
use crate::runs::{instant, milliseconds, wants_work};
use crate::writer::Tx;
use crate::{AppRef, Error, Lane, Result, Store};

/// Retries that nobody tries ($1: the epoch whose claims hold) and that are due ($2: now), or whose run was ended.
macro_rules! due {
    ($what:literal, $rest:literal) => {
        concat!(
            "select ",
            $what,
            " from retry t join run r on r.run_no = t.run_no
              where ",
            wants_work!(),
            " and (t.due_at <= $2 or r.state <> 'RUNNING') and (t.epoch < $1 or t.lease_until <= $2)",
            $rest
        )
    };
}

type Row = (i64, i64, i16, i16, i64, String);

impl Store {
    /// Claims up to `limit` retries that are due, for `lease`, by run. Commit what becomes of them with
    /// [`Store::commit_retries`]; those that are not come back when the lease ends.
    pub async fn claim_retries(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<(AppRef, i64, Vec<Retry>)>> {
        let now = self.inner.clock.now().as_millisecond();
        let held_from = self.claims_hold_from();
        // Asked often and mostly in vain, so it is read first.
        let any: Option<i64> = read!(self.inner.main.pools, |db| sqlx::query_scalar(due!(
            "t.run_no", " limit 1"
        ))
        .bind(held_from)
        .bind(now)
        .fetch_optional(db)
        .await)?;
        if any.is_none() {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let input = (held_from, self.inner.epoch, milliseconds(lease), limit);
        let rows = self
            .inner
            .main
            .write(Lane::Bulk, input, |tx, (held_from, epoch, lease, limit)| {
                Box::pin(async move {
                    let rows = due_rows(tx, *held_from, *limit).await?;
                    let mut seqs: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
                    for row in &rows {
                        seqs.entry(row.0).or_default().push(row.1);
                    }
                    let until = tx.now.as_millisecond() + *lease;
                    for (run_no, seqs) in seqs {
                        hold(tx, run_no, &seqs, *epoch, until).await?;
                    }
                    Ok(rows)
                })
            })
            .await?;
        let mut by_run: BTreeMap<i64, Vec<Retry>> = BTreeMap::new();
        for (run_no, seq, treatment, attempt, due_at, detail) in rows {
            by_run.entry(run_no).or_default().push(Retry {
                seq: seq_of(seq)?,
                treatment: treatment_of(treatment)?,
                attempt: u16::try_from(attempt).map_err(|error| Error::corrupt("attempt", error))?,
                due_at: instant(due_at)?,
                detail,
            });
        }
        let mut found = Vec::with_capacity(by_run.len());
        for (run_no, retries) in by_run {
            if let Some((app, _)) = self.run(run_no).await? {
                found.push((app, run_no, retries));
            }
        }
        Ok(found)
    }
}

async fn due_rows(tx: &mut Tx, held_from: i64, limit: i64) -> Result<Vec<Row>> {
    let now = tx.now.as_millisecond();
    Ok(match &mut tx.connection {
        Connection::Sqlite(db) => {
            sqlx::query_as(due!(
                "t.run_no, t.seq, t.treatment, t.attempt, t.due_at, t.detail",
                " order by t.due_at, t.seq limit $3"
            ))
            .bind(held_from)
            .bind(now)
            .bind(limit)
            .fetch_all(&mut *db)
            .await?
        }
        Connection::Postgres(db) => {
            sqlx::query_as(due!(
                "t.run_no, t.seq, t.treatment, t.attempt, t.due_at, t.detail",
                " order by t.due_at, t.seq limit $3 for update of t skip locked"
            ))
            .bind(held_from)
            .bind(now)
            .bind(limit)
            .fetch_all(&mut *db)
            .await?
        }
    })
}

async fn hold(tx: &mut Tx, run_no: i64, seqs: &[i64], epoch: i64, until: i64) -> Result<()> {
    match &mut tx.connection {
        Connection::Sqlite(db) => {
            sqlx::query(
                "update retry set epoch = $3, lease_until = $4
                 where run_no = $1 and seq in (select value from json_each($2))",
            )
            .bind(run_no)
            .bind(json(seqs))
            .bind(epoch)
            .bind(until)
            .execute(&mut *db)
            .await?;
        }
        Connection::Postgres(db) => {
            sqlx::query("update retry set epoch = $3, lease_until = $4 where run_no = $1 and seq = any($2)")
                .bind(run_no)
                .bind(seqs)
                .bind(epoch)
                .bind(until)
                .execute(&mut *db)
                .await?;
        }
    }
    Ok(())
}

/// Writes retries, free to be claimed once they are due.
pub(super) async fn put(tx: &mut Tx, run_no: i64, retries: &[&Retry]) -> Result<()> {
    static UPSERT: MultiRow = MultiRow::new(
        "insert into retry (run_no, seq, treatment, attempt, due_at, detail)",
        6,
        "on conflict (run_no, seq) do update set
             attempt = excluded.attempt, due_at = excluded.due_at, detail = excluded.detail, lease_until = 0",
    );
    match &mut tx.connection {
        Connection::Sqlite(db) => {
            UPSERT
                .execute(db, retries, |binds, row| {
                    binds
                        .add(run_no)
                        .add(i64::from(row.seq))
                        .add(i64::from(row.treatment));
                    binds
                        .add(attempts(row.attempt))
                        .add(row.due_at.as_millisecond())
                        .add(&row.detail);
                })
                .await?;
        }
        Connection::Postgres(db) => {
            sqlx::query(
                "insert into retry (run_no, seq, treatment, attempt, due_at, detail)
                 select $1, seq, treatment, attempt, due_at, detail
                 from unnest($2::bigint[], $3::smallint[], $4::smallint[], $5::bigint[], $6::text[])
                   as new (seq, treatment, attempt, due_at, detail)
                 on conflict (run_no, seq) do update set
                     attempt = excluded.attempt, due_at = excluded.due_at, detail = excluded.detail,
                     lease_until = 0",
            )
            .bind(run_no)
            .bind(retries.iter().map(|row| i64::from(row.seq)).collect::<Vec<_>>())
            .bind(
                retries
                    .iter()
                    .map(|row| i16::from(row.treatment))
                    .collect::<Vec<_>>(),
            )
            .bind(
                retries
                    .iter()
                    .map(|row| attempts(row.attempt))
                    .collect::<Vec<_>>(),
            )
            .bind(
                retries
                    .iter()
                    .map(|row| row.due_at.as_millisecond())
                    .collect::<Vec<_>>(),
            )
            .bind(retries.iter().map(|row| row.detail.as_str()).collect::<Vec<_>>())
            .execute(&mut *db)
            .await?;
        }
    }
    Ok(())
}

/// Removes the retries of recipients that have an outcome now.
pub(super) async fn forget(tx: &mut Tx, run_no: i64, rows: &[LedgerRow]) -> Result<()> {
    for row in rows {
        write!(tx, |db| sqlx::query(
            "delete from retry where run_no = $1 and seq = $2"
        )
        .bind(run_no)
        .bind(i64::from(row.seq))
        .execute(&mut *db)
        .await
        .map(drop))?;
    }
    Ok(())
}
