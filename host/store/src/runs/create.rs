//! Making a run: the snapshot of who should be reached and its chunks, in one transaction.

use jiff::Timestamp;
use pinion_domain as domain;
use pinion_domain::id::{CampaignId, RunId};
use roaring::RoaringBitmap;
use serde_json::Value;

use super::{Run, RunState, bitmap_bytes};
use crate::backend::{Connection, write};
use crate::rows::MultiRow;
use crate::writer::Tx;
use crate::{AppRef, Error, Lane, Result, Store};

/// A run to make.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Derived from campaign and occurrence, so that nobody can make it twice.
    pub id: RunId,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// The version that is sent.
    pub campaign_version: u32,
    /// When it was due.
    pub scheduled: Timestamp,
    /// The run that this one deliberately repeats.
    pub parent: Option<RunId>,
    /// Versions and settings that it keeps to.
    pub pins: Value,
    /// Everybody who should have an outcome, holdout included.
    pub recipients: RoaringBitmap,
    /// Recipients by number of treatment.
    pub treatment_totals: Vec<u64>,
    /// Recipients that get nothing.
    pub holdout_total: u64,
    /// Recipients per chunk.
    pub chunk_size: u32,
    /// When the run ends, done or not.
    pub deadline: Option<Timestamp>,
}

impl Store {
    /// Makes a run with its chunks, running; `None` if a run of that id exists already.
    pub async fn create_run(&self, app: &AppRef, run: NewRun) -> Result<Option<Run>> {
        self.insert_run(app, run, RunState::Running, None).await
    }

    /// Records a run that could not start; `None` if a run of that id exists already. It has no chunks.
    pub async fn fail_run(&self, app: &AppRef, run: NewRun, detail: String) -> Result<Option<Run>> {
        self.insert_run(app, run, RunState::Failed, Some(detail)).await
    }

    async fn insert_run(
        &self,
        app: &AppRef,
        run: NewRun,
        state: RunState,
        detail: Option<String>,
    ) -> Result<Option<Run>> {
        struct Input {
            app_no: i64,
            recipients: Vec<u8>,
            chunks: Vec<(i32, u32, u32)>,
            run: NewRun,
            state: RunState,
            detail: Option<String>,
        }
        let chunks = if state.is_final() {
            Vec::new()
        } else {
            chunks(&run.recipients, run.chunk_size)
        };
        let input = Input {
            app_no: app.no,
            recipients: bitmap_bytes(&run.recipients)?,
            chunks,
            run,
            state,
            detail,
        };
        let no = self
            .inner
            .main
            .write(Lane::Interactive, input, |tx, input| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    let run = &input.run;
                    let no: Option<i64> = write!(tx, |db| {
                        sqlx::query_scalar(
                        "insert into run (run_id, app_no, campaign_id, campaign_version, parent_run_id, state,
                                          detail, scheduled_at, started_at, finished_at, deadline_at, total,
                                          treatment_totals, holdout_total, pins, recipients)
                         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
                         on conflict (run_id) do nothing returning run_no"
                    )
                    .bind(run.id.as_str())
                    .bind(input.app_no)
                    .bind(run.campaign.as_str())
                    .bind(i32::try_from(run.campaign_version).unwrap_or(i32::MAX))
                    .bind(run.parent.as_ref().map(RunId::as_str))
                    .bind(input.state.as_str())
                    .bind(&input.detail)
                    .bind(run.scheduled.as_millisecond())
                    .bind(now)
                    .bind(input.state.is_final().then_some(now))
                    .bind(run.deadline.map(Timestamp::as_millisecond))
                    .bind(run.recipients.len().cast_signed())
                    .bind(json(&run.treatment_totals)?)
                    .bind(run.holdout_total.cast_signed())
                    .bind(json(&run.pins)?)
                    .bind(&input.recipients)
                    .fetch_optional(&mut *db)
                    .await
                    })?;
                    if let Some(no) = no {
                        insert_chunks(tx, no, &input.chunks).await?;
                    }
                    Ok(no)
                })
            })
            .await?;
        let Some(no) = no else { return Ok(None) };
        let (_, run) = self
            .run(no)
            .await?
            .ok_or_else(|| domain::Error::not_found("application", app.id.as_str()))?;
        Ok(Some(run))
    }
}

/// Number, first and last seq of each chunk.
fn chunks(recipients: &RoaringBitmap, size: u32) -> Vec<(i32, u32, u32)> {
    let mut chunks: Vec<(i32, u32, u32)> = Vec::new();
    let mut room = 0;
    for seq in recipients {
        if room == 0 {
            let number = i32::try_from(chunks.len()).expect("no run has 2^31 chunks");
            chunks.push((number, seq, seq));
            room = size.max(1);
        }
        room -= 1;
        if let Some((_, _, last)) = chunks.last_mut() {
            *last = seq;
        }
    }
    chunks
}

async fn insert_chunks(tx: &mut Tx, run_no: i64, chunks: &[(i32, u32, u32)]) -> Result<()> {
    static INSERT: MultiRow =
        MultiRow::new("insert into chunk (run_no, chunk_no, first_seq, last_seq)", 4, "");
    match &mut tx.connection {
        Connection::Sqlite(db) => {
            INSERT
                .execute(db, chunks, |binds, (number, first, last)| {
                    binds
                        .add(run_no)
                        .add(*number)
                        .add(i64::from(*first))
                        .add(i64::from(*last));
                })
                .await
        }
        Connection::Postgres(db) => {
            sqlx::query(
                "insert into chunk (run_no, chunk_no, first_seq, last_seq)
                 select $1, chunk_no, first_seq, last_seq
                 from unnest($2::integer[], $3::bigint[], $4::bigint[]) as new (chunk_no, first_seq, last_seq)",
            )
            .bind(run_no)
            .bind(chunks.iter().map(|chunk| chunk.0).collect::<Vec<_>>())
            .bind(chunks.iter().map(|chunk| i64::from(chunk.1)).collect::<Vec<_>>())
            .bind(chunks.iter().map(|chunk| i64::from(chunk.2)).collect::<Vec<_>>())
            .execute(&mut *db)
            .await?;
            Ok(())
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::corrupt("run", error))
}
