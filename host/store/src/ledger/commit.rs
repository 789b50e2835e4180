//! Commits of workers: everything that a batch led to in one transaction.

use std::collections::BTreeMap;

use datasketches::hll::{HllSketch, HllType, HllUnion};
use roaring::RoaringBitmap;

use super::{BatchCommit, LedgerRow, Retry, minute_of};
use crate::backend::{Connection, write};
use crate::rows::{MultiRow, json};
use crate::suppressions::Suppression;
use crate::writer::Tx;
use crate::{AppRef, Chunk, Error, Lane, Result, Store};

/// Rows by treatment, minute and reason.
pub(crate) type Deltas = BTreeMap<(i16, i64, i16), i64>;

struct Input {
    app: AppRef,
    run_no: i64,
    writer: i64,
    commit: BatchCommit,
    suppress: Vec<Suppression>,
}

impl Store {
    /// Commits what became of a batch of a claimed chunk: outcomes with their counters, messages to try
    /// again, suppressions, and the chunk's cursor. Fails with [`Error::Fenced`], having changed nothing, if
    /// somebody else has the chunk.
    pub async fn commit_batch(&self, app: &AppRef, chunk: &Chunk, commit: BatchCommit) -> Result<()> {
        let input = (
            self.input(app, chunk.run_no, commit),
            chunk.chunk_no,
            chunk.token,
            self.inner.epoch,
        );
        self.inner
            .main
            .write(Lane::Bulk, input, |tx, (input, chunk_no, token, epoch)| {
                Box::pin(async move {
                    let commit = &input.commit;
                    let claim: Option<Option<Vec<u8>>> = write!(tx, |db| sqlx::query_scalar(
                        "update chunk set cursor_seq = $5, done = $6, sending_to = null
                         where run_no = $1 and chunk_no = $2 and token = $3 and epoch = $4
                         returning accepted_sketch"
                    )
                    .bind(input.run_no)
                    .bind(*chunk_no)
                    .bind(*token)
                    .bind(*epoch)
                    .bind(i64::from(commit.cursor))
                    .bind(i16::from(commit.done))
                    .fetch_optional(&mut *db)
                    .await)?;
                    let Some(sketch) = claim else {
                        return Err(Error::Fenced);
                    };
                    let known = rows_between(tx, input.run_no, &commit.seqs()).await?;
                    input.write_outcomes(tx, &known).await?;
                    input.write_sketch(tx, *chunk_no, sketch).await
                })
            })
            .await
    }

    /// Commits what became of retries that were claimed. What is neither an outcome nor to be tried again
    /// here stays as it is.
    pub async fn commit_retries(&self, app: &AppRef, run_no: i64, commit: BatchCommit) -> Result<()> {
        let input = self.input(app, run_no, commit);
        self.inner
            .main
            .write(Lane::Bulk, input, |tx, input| {
                Box::pin(async move {
                    let known = rows_of(tx, input.run_no, &input.commit.seqs()).await?;
                    super::retries::forget(tx, input.run_no, &input.commit.rows).await?;
                    input.write_outcomes(tx, &known).await?;
                    // Any chunk will do: a run's sketches are only read together.
                    let first = if input.commit.accepted_sketch.is_some() {
                        first_sketch(tx, input.run_no).await?
                    } else {
                        None
                    };
                    input.write_sketch(tx, 0, first).await
                })
            })
            .await
    }

    fn input(&self, app: &AppRef, run_no: i64, mut commit: BatchCommit) -> Input {
        let suppress = std::mem::take(&mut commit.suppress)
            .into_iter()
            .map(|(channel, address, reason)| Suppression::of(app, channel, &address, reason))
            .collect();
        // A recipient that comes twice has its first outcome.
        let mut seen = RoaringBitmap::new();
        commit.rows.retain(|row| seen.insert(row.seq));
        Input {
            app: app.clone(),
            run_no,
            writer: self.inner.writer_id,
            commit,
            suppress,
        }
    }
}

impl Input {
    async fn write_outcomes(&self, tx: &mut Tx, known: &RoaringBitmap) -> Result<()> {
        let rows: Vec<&LedgerRow> = self
            .commit
            .rows
            .iter()
            .filter(|row| !known.contains(row.seq))
            .collect();
        insert_rows(tx, self.run_no, &rows).await?;
        let mut deltas = Deltas::new();
        for row in &rows {
            *deltas
                .entry((i16::from(row.treatment), minute_of(row.at), row.reason.code()))
                .or_default() += 1;
        }
        add_counts(tx, self.app.no, self.run_no, self.writer, &deltas).await?;
        // Somebody else may have brought the retry to its end after its lease.
        let retries: Vec<&Retry> = self
            .commit
            .retries
            .iter()
            .filter(|retry| !known.contains(retry.seq))
            .collect();
        super::retries::put(tx, self.run_no, &retries).await?;
        for suppression in &self.suppress {
            suppression.write(tx).await?;
        }
        Ok(())
    }

    async fn write_sketch(&self, tx: &mut Tx, chunk_no: i32, present: Option<Vec<u8>>) -> Result<()> {
        let Some(added) = &self.commit.accepted_sketch else {
            return Ok(());
        };
        let united = match present {
            None => added.clone(),
            Some(present) => unite(&present, added)?,
        };
        write!(tx, |db| sqlx::query(
            "update chunk set accepted_sketch = $3 where run_no = $1 and chunk_no = $2"
        )
        .bind(self.run_no)
        .bind(chunk_no)
        .bind(united)
        .execute(&mut *db)
        .await
        .map(drop))?;
        Ok(())
    }
}

fn unite(present: &[u8], added: &[u8]) -> Result<Vec<u8>> {
    let corrupt = |error| Error::corrupt("sketch", format!("{error:?}"));
    let present = HllSketch::deserialize(present).map_err(corrupt)?;
    let added = HllSketch::deserialize(added).map_err(corrupt)?;
    let mut union = HllUnion::new(present.lg_config_k()).map_err(corrupt)?;
    union.update(&present);
    union.update(&added);
    Ok(union.to_sketch(HllType::Hll8).serialize())
}

async fn first_sketch(tx: &mut Tx, run_no: i64) -> Result<Option<Vec<u8>>> {
    const SQL: &str = "select accepted_sketch from chunk where run_no = $1 and chunk_no = 0";
    const LOCKING: &str = "select accepted_sketch from chunk where run_no = $1 and chunk_no = 0 for update";
    let sketch: Option<Option<Vec<u8>>> = match &mut tx.connection {
        Connection::Sqlite(db) => {
            sqlx::query_scalar(SQL)
                .bind(run_no)
                .fetch_optional(&mut *db)
                .await?
        }
        Connection::Postgres(db) => {
            sqlx::query_scalar(LOCKING)
                .bind(run_no)
                .fetch_optional(&mut *db)
                .await?
        }
    };
    Ok(sketch.flatten())
}

impl BatchCommit {
    fn seqs(&self) -> Vec<i64> {
        let rows = self.rows.iter().map(|row| row.seq);
        rows.chain(self.retries.iter().map(|retry| retry.seq))
            .map(i64::from)
            .collect()
    }
}

/// Who has a row already between the first and the last of `seqs`. Behind a chunk's cursor that is nobody
/// but those whom a resumed chunk meets again, so the range is nearly empty.
async fn rows_between(tx: &mut Tx, run_no: i64, seqs: &[i64]) -> Result<RoaringBitmap> {
    let (Some(first), Some(last)) = (seqs.iter().min(), seqs.iter().max()) else {
        return Ok(RoaringBitmap::new());
    };
    let known: Vec<i64> = write!(tx, |db| sqlx::query_scalar(
        "select seq from ledger where run_no = $1 and seq between $2 and $3"
    )
    .bind(run_no)
    .bind(first)
    .bind(last)
    .fetch_all(&mut *db)
    .await)?;
    Ok(known
        .into_iter()
        .filter_map(|seq| u32::try_from(seq).ok())
        .collect())
}

/// Who of `seqs` has a row already, wherever they lie.
async fn rows_of(tx: &mut Tx, run_no: i64, seqs: &[i64]) -> Result<RoaringBitmap> {
    let known: Vec<i64> = match &mut tx.connection {
        Connection::Sqlite(db) => {
            sqlx::query_scalar(
                "select seq from ledger where run_no = $1 and seq in (select value from json_each($2))",
            )
            .bind(run_no)
            .bind(json(seqs))
            .fetch_all(&mut *db)
            .await?
        }
        Connection::Postgres(db) => {
            sqlx::query_scalar("select seq from ledger where run_no = $1 and seq = any($2)")
                .bind(run_no)
                .bind(seqs)
                .fetch_all(&mut *db)
                .await?
        }
    };
    Ok(known
        .into_iter()
        .filter_map(|seq| u32::try_from(seq).ok())
        .collect())
}

async fn insert_rows(tx: &mut Tx, run_no: i64, rows: &[&LedgerRow]) -> Result<()> {
    static INSERT: MultiRow = MultiRow::new(
        "insert into ledger (run_no, seq, treatment, reason, attempts, at, provider_id, detail)",
        8,
        "",
    );
    match &mut tx.connection {
        Connection::Sqlite(db) => {
            INSERT
                .execute(db, rows, |binds, row| {
                    binds
                        .add(run_no)
                        .add(i64::from(row.seq))
                        .add(i64::from(row.treatment));
                    binds
                        .add(row.reason.code())
                        .add(i64::from(row.attempts))
                        .add(row.at.as_millisecond());
                    binds.add(&row.provider_id).add(&row.detail);
                })
                .await
        }
        Connection::Postgres(db) => {
            sqlx::query(
                "insert into ledger (run_no, seq, treatment, reason, attempts, at, provider_id, detail)
                 select $1, seq, treatment, reason, attempts, at, provider_id, detail
                 from unnest($2::bigint[], $3::smallint[], $4::smallint[], $5::smallint[], $6::bigint[],
                             $7::text[], $8::text[])
                   as new (seq, treatment, reason, attempts, at, provider_id, detail)",
            )
            .bind(run_no)
            .bind(rows.iter().map(|row| i64::from(row.seq)).collect::<Vec<_>>())
            .bind(
                rows.iter()
                    .map(|row| i16::from(row.treatment))
                    .collect::<Vec<_>>(),
            )
            .bind(rows.iter().map(|row| row.reason.code()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| attempts(row.attempts)).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.at.as_millisecond()).collect::<Vec<_>>())
            .bind(
                rows.iter()
                    .map(|row| row.provider_id.as_deref())
                    .collect::<Vec<_>>(),
            )
            .bind(rows.iter().map(|row| row.detail.as_deref()).collect::<Vec<_>>())
            .execute(&mut *db)
            .await?;
            Ok(())
        }
    }
}

/// PostgreSQL's small integers end at 32,767, far above any policy of retries.
pub(super) fn attempts(attempts: u16) -> i16 {
    i16::try_from(attempts).unwrap_or(i16::MAX)
}

/// Adds to this node's own counters.
pub(crate) async fn add_counts(
    tx: &mut Tx,
    app_no: i64,
    run_no: i64,
    writer: i64,
    deltas: &Deltas,
) -> Result<()> {
    for ((treatment, minute, reason), count) in deltas {
        write!(tx, |db| sqlx::query(
            "insert into ledger_count (app_no, run_no, treatment, minute, reason, writer, count)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (app_no, run_no, treatment, minute, reason, writer)
             do update set count = ledger_count.count + excluded.count"
        )
        .bind(app_no)
        .bind(run_no)
        .bind(*treatment)
        .bind(*minute)
        .bind(*reason)
        .bind(writer)
        .bind(*count)
        .execute(&mut *db)
        .await
        .map(drop))?;
    }
    Ok(())
}
