//! Group commit: one task per database writes. It drains what waits, makes all changes in one
//! transaction, and then answers everybody, so that an answer means durable and a commit is shared.
//!
//! Interactive changes go first and at most [`BULK_SHARE`] bulk ones join a batch, so that an API call
//! never waits behind an import. Only the culprit of a failed batch fails: what came before it is
//! committed, then it is tried alone, then the rest. If nobody is to blame, since the commit itself
//! failed, the changes are made one by one.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use pinion_domain::clock::Clock;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, debug_span, error, warn};

use crate::backend::Connection;
use crate::dialect::Connector;
use crate::{Error, Result};

/// Changes that one commit may hold.
const LARGEST_BATCH: usize = 1_000;
/// Bulk changes among them. A bulk change is itself a batch of rows.
const BULK_SHARE: usize = 16;
/// Changes that may wait in a lane before callers do.
const QUEUE: usize = 4_096;

/// Who waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A caller of the API.
    Interactive,
    /// Imports, runs, rollups.
    Bulk,
}

/// A transaction that changes are made in.
pub(crate) struct Tx {
    pub(crate) connection: Connection,
    /// The revision of all changes of this transaction.
    pub(crate) rev: i64,
    /// The moment at which the transaction began.
    pub(crate) now: Timestamp,
}

type Answer = Box<dyn Any + Send>;

/// A change that can be made twice: the first try may be rolled back with its batch.
trait Change: Send + Sync {
    fn apply<'a>(&'a self, tx: &'a mut Tx) -> BoxFuture<'a, Result<Answer>>;
    fn answer(self: Box<Self>, result: Result<Answer>);
}

type Apply<I, O> = for<'a> fn(&'a mut Tx, &'a I) -> BoxFuture<'a, Result<O>>;

struct Job<I, O> {
    input: I,
    apply: Apply<I, O>,
    reply: oneshot::Sender<Result<O>>,
}

impl<I: Send + Sync + 'static, O: Send + 'static> Change for Job<I, O> {
    fn apply<'a>(&'a self, tx: &'a mut Tx) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            let output = (self.apply)(tx, &self.input).await?;
            Ok(Box::new(output) as Answer)
        })
    }

    fn answer(self: Box<Self>, result: Result<Answer>) {
        let result = result.map(|any| *any.downcast::<O>().expect("a job answers with its own output"));
        // The caller may have gone; the change is made all the same.
        let _ = self.reply.send(result);
    }
}

/// The way to the writer task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    interactive: mpsc::Sender<Box<dyn Change>>,
    bulk: mpsc::Sender<Box<dyn Change>>,
}

impl Writer {
    /// Starts the task. It ends when all handles are gone and everything that waited is done.
    pub(crate) fn start(
        connector: Connector,
        connection: Connection,
        revisions: bool,
        clock: Arc<dyn Clock>,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (interactive, interactive_queue) = mpsc::channel(QUEUE);
        let (bulk, bulk_queue) = mpsc::channel(QUEUE);
        let task = Task {
            connector,
            revisions,
            idle: Some(connection),
            clock,
            interactive_queue,
            bulk_queue,
        };
        (Self { interactive, bulk }, tokio::spawn(task.run()))
    }

    /// Makes a change and answers once it is durable. `apply` must not capture anything: it may run
    /// twice, so all it needs is in `input`.
    pub(crate) async fn write<I, O>(&self, lane: Lane, input: I, apply: Apply<I, O>) -> Result<O>
    where
        I: Send + Sync + 'static,
        O: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let queue = match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        };
        queue
            .send(Box::new(Job { input, apply, reply }))
            .await
            .map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

struct Task {
    connector: Connector,
    revisions: bool,
    idle: Option<Connection>,
    clock: Arc<dyn Clock>,
    interactive_queue: mpsc::Receiver<Box<dyn Change>>,
    bulk_queue: mpsc::Receiver<Box<dyn Change>>,
}

impl Task {
    async fn run(mut self) {
        while let Some(batch) = self.next_batch().await {
            let size = batch.len();
            let started = Instant::now();
            self.make(batch).instrument(debug_span!("db.commit", size)).await;
            metrics::histogram!("pinion_commit_changes").record(u32::try_from(size).unwrap_or(u32::MAX));
            metrics::histogram!("pinion_commit_seconds").record(started.elapsed());
        }
        if let Some(connection) = self.idle.take() {
            connection.close().await;
        }
    }

    /// Waits for the first change and takes what else is there, interactive ones first.
    async fn next_batch(&mut self) -> Option<Vec<Box<dyn Change>>> {
        let mut batch = Vec::new();
        let first = tokio::select! {
            biased;
            Some(change) = self.interactive_queue.recv() => change,
            Some(change) = self.bulk_queue.recv() => change,
            else => return None,
        };
        batch.push(first);
        while batch.len() < LARGEST_BATCH
            && let Ok(change) = self.interactive_queue.try_recv()
        {
            batch.push(change);
        }
        let most = LARGEST_BATCH.min(batch.len() + BULK_SHARE);
        while batch.len() < most
            && let Ok(change) = self.bulk_queue.try_recv()
        {
            batch.push(change);
        }
        Some(batch)
    }

    /// Makes all changes and answers them.
    async fn make(&mut self, batch: Vec<Box<dyn Change>>) {
        let mut todo = vec![batch];
        while let Some(mut batch) = todo.pop() {
            match self.attempt(&batch).await {
                Ok(answers) => {
                    for (change, answer) in batch.into_iter().zip(answers) {
                        change.answer(Ok(answer));
                    }
                }
                // Nothing of this batch was made before it, so the error is the truth.
                Err(Failure::Change { at: 0, error }) => {
                    batch.remove(0).answer(Err(error.answered()));
                    todo.extend((!batch.is_empty()).then_some(batch));
                }
                Err(Failure::Change { at, .. }) => {
                    let rest = batch.split_off(at);
                    todo.extend([rest, batch]);
                }
                Err(Failure::Commit(error)) if batch.len() > 1 => {
                    warn!(%error, changes = batch.len(), "a commit failed; its changes are made one by one");
                    todo.extend(batch.into_iter().rev().map(|change| vec![change]));
                }
                Err(Failure::Commit(error)) => batch.remove(0).answer(Err(error.answered())),
                Err(Failure::Connection(reason)) => {
                    error!(
                        reason,
                        changes = batch.len(),
                        "changes failed: the database cannot be reached"
                    );
                    for change in batch {
                        change.answer(Err(Error::Unreachable(reason.clone())));
                    }
                }
            }
        }
    }

    /// Makes all changes in one transaction, or none.
    async fn attempt(&mut self, batch: &[Box<dyn Change>]) -> Result<Vec<Answer>, Failure> {
        let mut tx = self.begin().await?;
        let mut answers = Vec::with_capacity(batch.len());
        for (at, change) in batch.iter().enumerate() {
            // A panic must not end the only writer.
            let made = AssertUnwindSafe(change.apply(&mut tx)).catch_unwind().await;
            match made.unwrap_or_else(|_| Err(Error::Panicked)) {
                Ok(answer) => answers.push(answer),
                Err(error) => {
                    self.roll_back(tx).await;
                    return Err(Failure::Change { at, error });
                }
            }
        }
        match tx.connection.finish("commit").await {
            Ok(()) => {
                self.idle = Some(tx.connection);
                Ok(answers)
            }
            Err(error) => {
                // SQLite has not committed what it says it has not. A server that hung up may have:
                // making the changes again could make them twice.
                let certain = matches!(tx.connection, Connection::Sqlite(_));
                let rolled_back = self.roll_back(tx).await;
                if certain || rolled_back {
                    Err(Failure::Commit(error))
                } else {
                    Err(Failure::Connection(format!(
                        "the outcome of the commit is unknown: {error}"
                    )))
                }
            }
        }
    }

    async fn begin(&mut self) -> Result<Tx, Failure> {
        // The idle connection may have died in the meantime: then a new one is tried at once.
        if let Some(mut connection) = self.idle.take() {
            match connection.begin(self.revisions).await {
                Ok(rev) => {
                    return Ok(Tx {
                        connection,
                        rev,
                        now: self.clock.now(),
                    });
                }
                Err(error) => {
                    warn!(%error, "the writer's connection is replaced");
                    connection.close().await;
                }
            }
        }
        let connected = async {
            let mut connection = self.connector.connect().await?;
            let rev = connection.begin(self.revisions).await?;
            Ok::<_, Error>(Tx {
                connection,
                rev,
                now: self.clock.now(),
            })
        };
        connected
            .await
            .map_err(|error| Failure::Connection(error.to_string()))
    }

    /// Rolls back; a connection that cannot even do that is replaced. Answers whether it could.
    async fn roll_back(&mut self, mut tx: Tx) -> bool {
        match tx.connection.finish("rollback").await {
            Ok(()) => {
                self.idle = Some(tx.connection);
                true
            }
            Err(error) => {
                warn!(%error, "rolling back failed; the connection is replaced");
                tx.connection.close().await;
                false
            }
        }
    }
}

/// Why a transaction was not made.
enum Failure {
    /// One of its changes failed.
    Change { at: usize, error: Error },
    /// It could not be committed, and certainly was not.
    Commit(Error),
    /// The database could not be reached, or was lost in the commit.
    Connection(String),
}

impl Error {
    /// Logs what is not the caller's doing, once, on the way to the caller.
    fn answered(self) -> Self {
        if !matches!(self, Self::Domain(_) | Self::Fenced) {
            error!(error = %self, "a change failed");
        }
        self
    }
}

#[cfg(test)]
mod tests;
