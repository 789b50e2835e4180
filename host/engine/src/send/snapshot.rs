//! Whom a run should reach, frozen when it began, and what becomes of those whom it does not reach any more.
//!
//! A run that was cancelled or has failed is not over before each of its recipients has a ledger row: workers
//! claim its chunks and retries as before, and write the reason instead of sending.

use jiff::Timestamp;
use pinion_domain::campaign::{CampaignDocument, Split, Variant, split};
use pinion_domain::delivery::Reason;
use pinion_domain::id::CampaignId;
use pinion_store::{AppRef, BatchCommit, Chunk, LedgerRow, Retry, Run, RunState};
use roaring::RoaringBitmap;
use tracing::error;

use super::prepared::read_pins;
use super::worker::{Turn, count};
use crate::{Engine, Error, Result};

/// Rows that closing a chunk commits at once.
const ROWS: usize = 2_000;

/// Whom a run should reach.
pub(super) struct Snapshot {
    pub(super) campaign: CampaignId,
    pub(super) recipients: RoaringBitmap,
    pub(super) split: Split,
}

impl Snapshot {
    /// Into which part of the campaign a recipient falls.
    pub(super) fn variant(&self, seq: u32) -> Variant {
        self.split.variant(split(&self.campaign, seq))
    }

    /// The same outcome for all of these recipients; the holdout stays the holdout.
    pub(super) fn rows(
        &self,
        seqs: impl Iterator<Item = u32>,
        reason: Reason,
        at: Timestamp,
    ) -> Vec<LedgerRow> {
        seqs.map(|seq| {
            let (treatment, reason) = match self.variant(seq) {
                Variant::Holdout => (LedgerRow::HOLDOUT, Reason::TreatmentHoldout),
                Variant::Treatment(number) => (number, reason),
            };
            LedgerRow {
                seq,
                treatment,
                reason,
                at,
                provider_id: None,
                detail: None,
                attempts: 0,
            }
        })
        .collect()
    }
}

/// Why recipients of a run in this state get nothing any more.
pub(super) fn ended(state: RunState) -> Option<Reason> {
    match state {
        RunState::Running | RunState::Paused | RunState::Completed => None,
        RunState::Cancelled => Some(Reason::RunCancelled),
        RunState::Failed => Some(Reason::RunFailed),
    }
}

/// Can what this error tells of not pass, so that the run must not be tried again?
pub(super) fn is_fatal(error: &Error) -> bool {
    matches!(error, Error::CannotRun(_) | Error::Domain(_) | Error::Plugin(_))
}

impl Engine {
    /// Ends a run that cannot be prepared: its recipients get their rows when its chunks and retries are
    /// claimed next.
    pub(super) async fn fail_run(&self, run_no: i64, why: &Error) -> Result<()> {
        error!(error = %why, run = run_no, "the run cannot go on");
        self.inner.runs.forget(run_no);
        self.store()
            .set_run_state(run_no, RunState::Failed, Some(why.to_string()))
            .await?;
        Ok(())
    }

    pub(super) async fn snapshot(&self, run: &Run) -> Result<Snapshot> {
        // Documents that cannot be read may be why the run failed; its recipients still need their rows.
        let campaign = read_pins(run).map_or_else(|_| CampaignDocument::default(), |pins| pins.campaign);
        Ok(Snapshot {
            campaign: run.campaign.clone(),
            recipients: self.store().run_recipients(run.no).await?,
            split: Split::of(&campaign),
        })
    }

    /// Gives every recipient behind the cursor of a chunk its reason. What was announced to leave before a
    /// crash is unknown.
    pub(super) async fn close_chunk(&self, app: &AppRef, chunk: &Chunk, reason: Reason) -> Result<Turn> {
        let Some((_, run)) = self.store().run(chunk.run_no).await? else {
            return Ok(Turn::Released);
        };
        let snapshot = self.snapshot(&run).await?;
        let from = chunk
            .cursor
            .map_or(chunk.first_seq, |cursor| cursor.saturating_add(1));
        let open: Vec<u32> = snapshot.recipients.range(from..=chunk.last_seq).collect();
        let mut parts = open.chunks(ROWS).peekable();
        // A chunk without open recipients is done by a commit without rows.
        loop {
            let part = parts.next().unwrap_or_default();
            let done = parts.peek().is_none();
            let (announced, rest) =
                part.split_at(part.partition_point(|seq| chunk.sending_to.is_some_and(|sent| *seq <= sent)));
            let at = self.inner.clock.now();
            let mut rows = snapshot.rows(announced.iter().copied(), Reason::Unknown, at);
            rows.extend(snapshot.rows(rest.iter().copied(), reason, at));
            count(&rows);
            let commit = BatchCommit {
                rows,
                cursor: if done {
                    chunk.last_seq
                } else {
                    part[part.len() - 1]
                },
                done,
                ..BatchCommit::default()
            };
            match self.store().commit_batch(app, chunk, commit).await {
                Ok(()) if done => return Ok(Turn::Done),
                Ok(()) => {}
                Err(pinion_store::Error::Fenced) => return Ok(Turn::Fenced),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives messages that waited for another try their reason.
    pub(super) async fn close_retries(
        &self,
        app: &AppRef,
        run_no: i64,
        retries: Vec<Retry>,
        reason: Reason,
    ) -> Result<()> {
        let at = self.inner.clock.now();
        let rows: Vec<LedgerRow> = retries
            .into_iter()
            .map(|retry| LedgerRow {
                seq: retry.seq,
                treatment: retry.treatment,
                reason,
                at,
                provider_id: None,
                detail: Some(retry.detail).filter(|detail| !detail.is_empty()),
                attempts: retry.attempt,
            })
            .collect();
        count(&rows);
        let commit = BatchCommit {
            rows,
            ..BatchCommit::default()
        };
        self.store().commit_retries(app, run_no, commit).await?;
        Ok(())
    }
}
