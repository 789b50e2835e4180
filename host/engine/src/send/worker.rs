//! Workers: claim a chunk, send it batch by batch, commit each batch with the cursor.
//!
//! Everything up to a chunk's cursor has a ledger or retry row. After a crash only what was in flight is
//! sent again, with the same message ids.

use std::time::{Duration, Instant};

use datasketches::hll::{HllSketch, HllType};
use futures_util::future::join_all;
use pinion_domain::delivery::Reason;
use pinion_domain::extension::channel::Verdict;
use pinion_store::{AppRef, BatchCommit, Chunk, LedgerRow, RunState};
use rand::RngExt;
use tracing::{Instrument, error, info, info_span, warn};

use super::batch::{Batch, Recipient};
use super::outcome::{HandedOver, Next, Rules, decide};
use super::prepared::{PreparedRun, Route};
use super::snapshot::{ended, is_fatal};
use crate::config::Delivery;
use crate::kpi::SKETCH_SIZE;
use crate::{Engine, Error, Result};

/// How long a worker waits before it looks for work again when nobody rings.
const IDLE: Duration = Duration::from_millis(200);

/// Works until the engine stops.
pub(crate) async fn worker_loop(engine: Engine) {
    while !engine.is_stopping() {
        let claimed = if engine.store().is_held() {
            Ok(None)
        } else {
            engine.store().claim_chunk(engine.config().lease).await
        };
        match claimed {
            Ok(Some((app, chunk))) => {
                let span = info_span!("job.send_chunk", app.id = %app.id, run.no = chunk.run_no, chunk = chunk.chunk_no);
                engine.work(&app, chunk).instrument(span).await;
            }
            Ok(None) => {
                if !engine.pause(IDLE).await {
                    return;
                }
            }
            Err(error) => {
                warn!(%error, "no chunk could be claimed");
                if !engine.pause(Duration::from_secs(1)).await {
                    return;
                }
            }
        }
    }
}

/// How a chunk's turn ended.
pub(super) enum Turn {
    /// Every recipient has a row.
    Done,
    /// The run is paused, or the engine stops: another turn will come.
    Released,
    /// Somebody else works on it by now.
    Fenced,
}

impl Engine {
    async fn work(&self, app: &AppRef, chunk: Chunk) {
        match self.turn(app, &chunk).await {
            // The tick moves the campaign on when the run's last chunk is done.
            Ok(Turn::Done) => self.wake(),
            Ok(Turn::Released) => {
                if let Err(error) = self.store().release_chunk(&chunk).await {
                    warn!(%error, "a chunk could not be released; its lease will end");
                }
            }
            Ok(Turn::Fenced) => info!("the chunk was taken over"),
            Err(error) => self.let_go(&chunk, &error).await,
        }
    }

    async fn turn(&self, app: &AppRef, chunk: &Chunk) -> Result<Turn> {
        let state = self.store().run_state(chunk.run_no).await?;
        if let Some(reason) = state.and_then(ended) {
            return self.close_chunk(app, chunk, reason).await;
        }
        let run = match self.prepared(app, chunk.run_no).await {
            Ok(run) => run,
            Err(error) if is_fatal(&error) => {
                self.fail_run(chunk.run_no, &error).await?;
                return Ok(Turn::Released);
            }
            Err(error) => return Err(error),
        };
        self.send_chunk(&run, chunk).await
    }

    /// After a failure of the store: nothing was committed, so the chunk goes on at its cursor.
    async fn let_go(&self, chunk: &Chunk, error: &Error) {
        error!(%error, "a chunk was interrupted; it goes on at its cursor");
        self.pause(Duration::from_secs(1)).await;
        if let Err(error) = self.store().release_chunk(chunk).await {
            warn!(%error, "a chunk could not be released; its lease will end");
        }
    }

    async fn send_chunk(&self, run: &std::sync::Arc<PreparedRun>, chunk: &Chunk) -> Result<Turn> {
        let mut cursor = chunk.cursor;
        // What was announced before a crash may have left: it is never sent again blindly.
        let announced = chunk
            .sending_to
            .filter(|sent| cursor.is_none_or(|cursor| *sent > cursor));
        if let Some(sent) = announced.filter(|_| run.at_most_once()) {
            let done = sent >= chunk.last_seq;
            let mut commit = self.all(run, cursor, chunk, sent, Reason::Unknown);
            (commit.cursor, commit.done) = (sent, done);
            count(&commit.rows);
            if let Err(error) = self.store().commit_batch(&run.app, chunk, commit).await {
                return fenced(error.into());
            }
            if done {
                return Ok(Turn::Done);
            }
            cursor = Some(sent);
        }
        loop {
            if self.is_stopping() {
                return Ok(Turn::Released);
            }
            let from = cursor.map_or(chunk.first_seq, |cursor| cursor.saturating_add(1));
            let size = batch_size(self.config().batch, run);
            let recipients: Vec<Recipient> = run
                .snapshot
                .recipients
                .range(from..=chunk.last_seq)
                .take(size)
                .map(|seq| Recipient { seq, attempts: 0 })
                .collect();
            let last = recipients
                .last()
                .map_or(chunk.last_seq, |recipient| recipient.seq);
            // In this order: a range must not end before it begins.
            let done = last >= chunk.last_seq
                || run
                    .snapshot
                    .recipients
                    .range(last + 1..=chunk.last_seq)
                    .next()
                    .is_none();

            if !self.wait_for_rates(run, recipients.len(), Some(chunk)).await? {
                return Ok(Turn::Released);
            }
            if self.store().run_state(run.run_no).await? != Some(RunState::Running) {
                return Ok(Turn::Released);
            }
            let mut commit = if run
                .deadline
                .is_some_and(|deadline| self.inner.clock.now() > deadline)
            {
                self.all(run, cursor, chunk, last, Reason::RunEnded)
            } else {
                let batch = self.make_batch(run, recipients).await?;
                if let Err(error) = self.announce(chunk, &batch, last).await {
                    return fenced(error);
                }
                self.hand_over(batch).await
            };
            (commit.cursor, commit.done) = (last, done);
            count(&commit.rows);
            if let Err(error) = self.store().commit_batch(&run.app, chunk, commit).await {
                return fenced(error.into());
            }
            if done {
                return Ok(Turn::Done);
            }
            cursor = Some(last);
        }
    }

    /// For bindings that must never repeat: says durably what is about to leave.
    async fn announce(&self, chunk: &Chunk, batch: &Batch, last: u32) -> Result<()> {
        let once = |(route, _): &(Route, _)| route.delivery == Delivery::AtMostOnce;
        if batch.outgoing.iter().any(once) {
            self.store().set_sending_to(chunk, last).await?;
        }
        Ok(())
    }

    /// Hands all messages over and turns the verdicts into rows.
    pub(super) async fn hand_over(&self, batch: Batch) -> BatchCommit {
        let mut commit = BatchCommit {
            rows: batch.skipped,
            ..BatchCommit::default()
        };
        let sends = batch.outgoing.into_iter().map(|(route, messages)| async move {
            let (handed, outgoing): (Vec<HandedOver>, Vec<_>) = messages.into_iter().unzip();
            let started = Instant::now();
            let mut verdicts = route.channel.send(outgoing).await;
            metrics::histogram!("pinion_send_seconds", "route" => route.name.clone())
                .record(started.elapsed());
            // A channel answers for every message; one that does not has lost the others.
            let missing = Verdict::Unreported {
                left: true,
                fault: "the channel gave no verdict".to_owned(),
            };
            verdicts.resize(handed.len(), missing);
            (route, handed, verdicts)
        });
        for (route, handed, verdicts) in join_all(sends).await {
            for (message, verdict) in handed.into_iter().zip(verdicts) {
                let rules = Rules {
                    retry: &self.config().retry,
                    delivery: route.delivery,
                    now: self.inner.clock.now(),
                    chance: rand::rng().random(),
                };
                match decide(&message, verdict, &rules) {
                    Next::Done(row, suppression) => {
                        if let Some(reason) = suppression {
                            commit
                                .suppress
                                .push((message.channel_type, message.address, reason));
                        }
                        commit.rows.push(row);
                    }
                    Next::Again(retry) => commit.retries.push(retry),
                }
            }
        }
        commit.accepted_sketch = accepted(&commit.rows);
        commit
    }

    /// Takes permits of the campaign's and the bindings' rates and waits for them. `false`: the engine
    /// stops.
    pub(super) async fn wait_for_rates(
        &self,
        run: &PreparedRun,
        messages: usize,
        chunk: Option<&Chunk>,
    ) -> Result<bool> {
        let mut wait = Duration::ZERO;
        for (name, rate) in run.rates() {
            wait = wait.max(self.inner.throttle.take(&name, rate, messages));
        }
        let until = Instant::now() + wait;
        while Instant::now() < until {
            let left = until
                .saturating_duration_since(Instant::now())
                .min(self.config().lease / 3);
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = self.stopping() => return Ok(false),
            }
            if let Some(chunk) = chunk {
                self.store().extend_lease(chunk, self.config().lease).await?;
            }
        }
        Ok(true)
    }

    /// The same outcome for all recipients behind the cursor up to `last`.
    fn all(
        &self,
        run: &PreparedRun,
        cursor: Option<u32>,
        chunk: &Chunk,
        last: u32,
        reason: Reason,
    ) -> BatchCommit {
        let from = cursor.map_or(chunk.first_seq, |cursor| cursor.saturating_add(1));
        let seqs = run.snapshot.recipients.range(from..=last);
        BatchCommit {
            rows: run.snapshot.rows(seqs, reason, self.inner.clock.now()),
            ..BatchCommit::default()
        }
    }
}

impl PreparedRun {
    /// Does any of its ways promise never to repeat?
    fn at_most_once(&self) -> bool {
        self.routes().any(|route| route.delivery == Delivery::AtMostOnce)
    }

    fn routes(&self) -> impl Iterator<Item = &Route> {
        self.treatments.iter().flat_map(|treatment| {
            let mail = treatment.email.as_ref().and_then(|mail| mail.route.as_ref());
            mail.into_iter()
                .chain(treatment.custom.as_ref().map(|custom| &custom.route))
        })
    }

    /// Every rate that a message of this run uses.
    fn rates(&self) -> Vec<(String, u32)> {
        let mut rates: Vec<(String, u32)> = Vec::new();
        rates.extend(self.rate.map(|rate| (format!("run:{}", self.run_no), rate)));
        for route in self.routes() {
            if let Some(rate) = route.rate
                && !rates.iter().any(|(name, _)| *name == route.name)
            {
                rates.push((route.name.clone(), rate));
            }
        }
        rates
    }
}

/// Slow runs take small batches, so that a pause or an opt-out is never far away.
fn batch_size(most: usize, run: &PreparedRun) -> usize {
    let slowest = run.rates().into_iter().map(|(_, rate)| rate).min();
    slowest.map_or(most, |rate| most.min((rate / 4).max(1) as usize))
}

/// Whom the batch reached, for unique counts over several runs.
fn accepted(rows: &[LedgerRow]) -> Option<Vec<u8>> {
    let mut sketch =
        HllSketch::new(SKETCH_SIZE, HllType::Hll8).expect("the size is one that the sketch allows");
    for row in rows.iter().filter(|row| row.reason == Reason::Accepted) {
        sketch.update(row.seq);
    }
    (!sketch.is_empty()).then(|| sketch.serialize())
}

fn fenced(error: Error) -> Result<Turn> {
    match error {
        Error::Store(pinion_store::Error::Fenced) => Ok(Turn::Fenced),
        error => Err(error),
    }
}

pub(super) fn count(rows: &[LedgerRow]) {
    for row in rows {
        let treatment = if row.treatment == LedgerRow::HOLDOUT {
            "holdout"
        } else {
            "sent"
        };
        metrics::counter!("pinion_messages_total", "reason" => row.reason.as_str(), "kind" => treatment)
            .increment(1);
    }
}
