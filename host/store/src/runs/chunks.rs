//! Chunks: the part of a run that one worker has at a time.
//!
//! A claim gives a lease and a token. On an embedded database all claims of an earlier process are free at
//! once, because `serve` raised the epoch; on PostgreSQL a lease must run out. Whoever lost a chunk finds
//! the token changed and gets [`Error::Fenced`].

use std::time::Duration;

use crate::backend::{Connection, Pools, read, write};
use crate::endpoints::seq_of;
use crate::{AppRef, Error, Lane, Result, Store};

/// A chunk that was claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Of which run.
    pub run_no: i64,
    /// Which of the run's chunks, from 0.
    pub chunk_no: i32,
    /// Its first recipient.
    pub first_seq: u32,
    /// Its last recipient.
    pub last_seq: u32,
    /// Recipients up to this one have a ledger or retry row; `None`: nobody yet.
    pub cursor: Option<u32>,
    /// An earlier worker may have handed over messages up to this one, which may not be sent twice.
    pub sending_to: Option<u32>,
    /// Proof of the claim.
    pub token: i64,
}

/// Chunks that may be claimed now ($1: the epoch whose claims hold, $2: now).
macro_rules! claimable {
    ($chunk:literal) => {
        concat!(
            $chunk,
            ".done = 0 and (",
            $chunk,
            ".epoch < $1 or ",
            $chunk,
            ".lease_until <= $2)"
        )
    };
}

/// Runs of which recipients still need an outcome: those under way, and those that were ended before
/// everybody had one.
macro_rules! wants_work {
    () => {
        " r.finished_at is null and r.state <> 'PAUSED' "
    };
}
pub(crate) use wants_work;

/// Of the runs that want work the one that was claimed from least recently, so that a small run does not wait for a
/// large one to end; of it the first chunk. Tokens rise with every claim, over all runs.
macro_rules! next_chunk {
    ($suffix:literal) => {
        concat!(
            "select c.run_no, c.chunk_no, c.first_seq, c.last_seq, c.cursor_seq, c.sending_to, c.token
             from chunk c
             where ",
            claimable!("c"),
            " and c.run_no = (
                 select r.run_no from run r
                 where ",
            wants_work!(),
            " and exists (select 1 from chunk o where o.run_no = r.run_no and ",
            claimable!("o"),
            ")
                 order by (select max(t.token) from chunk t where t.run_no = r.run_no), r.run_no
                 limit 1
             )
             order by c.chunk_no limit 1",
            $suffix
        )
    };
}

type Row = (i64, i32, i64, i64, Option<i64>, Option<i64>, i64);

impl Store {
    /// Claims a chunk for `lease`; `None` if there is nothing to do. Its run is running, or it was cancelled or
    /// has failed and the chunk's recipients have no outcome yet.
    pub async fn claim_chunk(&self, lease: Duration) -> Result<Option<(AppRef, Chunk)>> {
        let now = self.inner.clock.now().as_millisecond();
        let held_from = self.claims_hold_from();
        // Asked often and mostly in vain, so it is read first.
        let any: Option<i64> = read!(self.inner.main.pools, |db| sqlx::query_scalar(concat!(
            "select c.run_no from chunk c join run r on r.run_no = c.run_no
             where ",
            wants_work!(),
            " and ",
            claimable!("c"),
            " limit 1"
        ))
        .bind(held_from)
        .bind(now)
        .fetch_optional(db)
        .await)?;
        if any.is_none() {
            return Ok(None);
        }
        let input = (held_from, self.inner.epoch, milliseconds(lease));
        let chunk = self
            .inner
            .main
            .write(Lane::Bulk, input, |tx, (held_from, epoch, lease)| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    let row: Option<Row> = match &mut tx.connection {
                        Connection::Sqlite(db) => {
                            sqlx::query_as(next_chunk!(""))
                                .bind(*held_from)
                                .bind(now)
                                .fetch_optional(&mut *db)
                                .await?
                        }
                        Connection::Postgres(db) => {
                            sqlx::query_as(next_chunk!(" for update of c skip locked"))
                                .bind(*held_from)
                                .bind(now)
                                .fetch_optional(&mut *db)
                                .await?
                        }
                    };
                    let Some((run_no, chunk_no, first, last, cursor, sending_to, before)) = row else {
                        return Ok(None);
                    };
                    let token = tx.rev.max(before + 1);
                    write!(tx, |db| sqlx::query(
                        "update chunk set token = $3, epoch = $4, lease_until = $5
                         where run_no = $1 and chunk_no = $2"
                    )
                    .bind(run_no)
                    .bind(chunk_no)
                    .bind(token)
                    .bind(*epoch)
                    .bind(now + *lease)
                    .execute(&mut *db)
                    .await
                    .map(drop))?;
                    Ok(Some(Chunk {
                        run_no,
                        chunk_no,
                        first_seq: seq_of(first)?,
                        last_seq: seq_of(last)?,
                        cursor: cursor.map(seq_of).transpose()?,
                        sending_to: sending_to.map(seq_of).transpose()?,
                        token,
                    }))
                })
            })
            .await?;
        let Some(chunk) = chunk else { return Ok(None) };
        // Deleting an application cancels its runs, so one without application is no longer claimable.
        Ok(self.run(chunk.run_no).await?.map(|(app, _)| (app, chunk)))
    }

    /// Keeps a chunk for `lease` from now. Fails with [`Error::Fenced`] if somebody else has it.
    pub async fn extend_lease(&self, chunk: &Chunk, lease: Duration) -> Result<()> {
        self.change_claim(
            chunk,
            "update chunk set lease_until = $4 where run_no = $1 and chunk_no = $2 and token = $3",
            self.inner.clock.now().as_millisecond() + milliseconds(lease),
        )
        .await
    }

    /// Gives a chunk back, so that anybody may claim it at once. Fails with [`Error::Fenced`] if somebody
    /// else has it.
    pub async fn release_chunk(&self, chunk: &Chunk) -> Result<()> {
        self.change_claim(
            chunk,
            "update chunk set lease_until = $4, token = token + 1
             where run_no = $1 and chunk_no = $2 and token = $3",
            0,
        )
        .await
    }

    /// Commits that messages up to `seq` may be handed over now: after a crash, those behind the cursor up
    /// to it are unknown and not sent again. Fails with [`Error::Fenced`] if somebody else has the chunk.
    pub async fn set_sending_to(&self, chunk: &Chunk, seq: u32) -> Result<()> {
        self.change_claim(
            chunk,
            "update chunk set sending_to = $4 where run_no = $1 and chunk_no = $2 and token = $3",
            i64::from(seq),
        )
        .await
    }

    /// Runs an update with run, chunk, token and `value` as `$1` to `$4`.
    async fn change_claim(&self, chunk: &Chunk, sql: &'static str, value: i64) -> Result<()> {
        let input = (chunk.run_no, chunk.chunk_no, chunk.token, value, sql);
        self.inner
            .main
            .write(Lane::Bulk, input, |tx, (run_no, chunk_no, token, value, sql)| {
                Box::pin(async move {
                    let changed = write!(tx, |db| sqlx::query(*sql)
                        .bind(*run_no)
                        .bind(*chunk_no)
                        .bind(*token)
                        .bind(*value)
                        .execute(&mut *db)
                        .await
                        .map(|done| done.rows_affected()))?;
                    if changed == 0 { Err(Error::Fenced) } else { Ok(()) }
                })
            })
            .await
    }

    /// Claims made under an earlier epoch are free. Several servers share one PostgreSQL and each of them
    /// raised the epoch, so there it says nothing and leases alone count.
    pub(crate) fn claims_hold_from(&self) -> i64 {
        match &self.inner.main.pools {
            Pools::Sqlite(_) => self.inner.epoch,
            Pools::Postgres(_) => 0,
        }
    }
}

/// A lease in the database's unit.
pub(crate) fn milliseconds(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 4)
}
