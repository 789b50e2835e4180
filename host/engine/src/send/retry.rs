//! Messages that wait for another try: the same checks, the same message id.

use std::time::Duration;

use pinion_store::{AppRef, BatchCommit, Retry, RunState};
use tracing::{Instrument, info_span, warn};

use super::batch::Recipient;
use super::snapshot::{ended, is_fatal};
use crate::{Engine, Result};

/// Retries that are claimed at once.
const CLAIM: usize = 500;
const IDLE: Duration = Duration::from_millis(500);

/// Works until the engine stops.
pub(crate) async fn retry_loop(engine: Engine) {
    while !engine.is_stopping() {
        let claimed = if engine.store().is_held() {
            Ok(Vec::new())
        } else {
            engine.store().claim_retries(CLAIM, engine.config().lease).await
        };
        let claimed = claimed.unwrap_or_else(|error| {
            warn!(%error, "no retries could be claimed");
            Vec::new()
        });
        if claimed.is_empty() {
            if !engine.pause(IDLE).await {
                return;
            }
            continue;
        }
        for (app, run_no, retries) in claimed {
            let span = info_span!("job.retry", app.id = %app.id, run.no = run_no, messages = retries.len());
            if let Err(error) = engine.try_again(&app, run_no, retries).instrument(span).await {
                warn!(%error, run = run_no, "retries were interrupted; their lease will end");
            }
        }
        engine.wake();
    }
}

impl Engine {
    async fn try_again(&self, app: &AppRef, run_no: i64, retries: Vec<Retry>) -> Result<()> {
        let state = self.store().run_state(run_no).await?;
        if let Some(reason) = state.and_then(ended) {
            return self.close_retries(app, run_no, retries, reason).await;
        }
        let run = match self.prepared(app, run_no).await {
            Ok(run) => run,
            // The retries come back when their lease ends, and are closed then.
            Err(error) if is_fatal(&error) => return self.fail_run(run_no, &error).await,
            Err(error) => return Err(error),
        };
        if !self.wait_for_rates(&run, retries.len(), None).await? {
            return Ok(());
        }
        if self.store().run_state(run_no).await? != Some(RunState::Running) {
            return Ok(());
        }
        let mut recipients: Vec<Recipient> = retries
            .iter()
            .map(|retry| Recipient {
                seq: retry.seq,
                attempts: retry.attempt,
            })
            .collect();
        recipients.sort_unstable_by_key(|recipient| recipient.seq);
        let batch = self.make_batch(&run, recipients).await?;
        let commit: BatchCommit = self.hand_over(batch).await;
        self.store().commit_retries(app, run_no, commit).await?;
        Ok(())
    }
}
