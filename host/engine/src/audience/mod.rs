//! Endpoints as dictionary columns: who is in a segment. What conditions mean is said by
//! `domain::segment`; nothing here knows it a second time.
//!
//! | module | holds |
//! |---|---|
//! | [`source`] | what columns are built from, as a trait; `stored` fulfils it with the store |
//! | `cells`, `column` | one value a row; distinct values and codes |
//! | `table` | all columns of an application, and how changes are applied |
//! | `resolve` | a segment with the segments that it refers to |
//! | `mask`, `evaluate`, `predicate` | the truth about every row, and how it is found |
//! | `single` | the truth about one endpoint |

mod cells;
mod column;
mod evaluate;
mod mask;
mod predicate;
mod resolve;
mod single;
pub mod source;
mod stored;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use parking_lot::Mutex;
use pinion_domain::extension::columns::ColumnSpec;
use pinion_domain::extension::{Caller, Plugins};
use pinion_store::Changes;
use tokio::task::{JoinError, spawn_blocking};

pub use evaluate::Evaluated;
pub use resolve::ResolvedSegment;
pub use stored::Audiences;

use evaluate::Prepared;
use predicate::Events;
use source::Source;
use table::Table;

/// Rows that are read and applied at a time while catching up.
const CHANGES_PER_STEP: usize = 10_000;

/// Why a segment cannot be evaluated. A predicate's fault is none of these: it makes rows unknown.
#[derive(Debug, thiserror::Error)]
pub enum AudienceError {
    /// The segment does not exist, refers to itself, or cannot be read.
    #[error(transparent)]
    Segment(#[from] pinion_domain::Error),
    /// The source of changes could not answer.
    #[error("endpoints or segments could not be read: {0}")]
    Source(#[source] pinion_store::Error),
    /// The source says that there is more, but does not move on.
    #[error("the feed of changes stands still at revision {0}")]
    StandsStill(i64),
    /// The work was aborted or panicked.
    #[error("an evaluation stopped halfway")]
    Stopped(#[from] JoinError),
}

impl From<pinion_store::Error> for AudienceError {
    fn from(error: pinion_store::Error) -> Self {
        match error {
            pinion_store::Error::Domain(error) => Self::Segment(error),
            error => Self::Source(error),
        }
    }
}

/// The columns of one application. Cheap to clone; clones are the same columns.
#[derive(Clone, Default)]
pub struct Audience {
    table: Arc<Mutex<Table>>,
    /// Held while following: changes are applied in order.
    following: Arc<tokio::sync::Mutex<()>>,
}

impl Audience {
    /// Applies a piece of the feed. Blocks for a microsecond or two a row.
    pub fn apply(&self, changes: &Changes) {
        self.table.lock().apply(changes);
    }

    /// How many endpoints there are.
    pub fn rows(&self) -> u64 {
        self.table.lock().live().len()
    }

    /// Bytes that columns and dictionaries hold.
    pub fn bytes(&self) -> usize {
        self.table.lock().bytes()
    }

    /// Gives back memory taken ahead of need; following does so by itself after much was read.
    pub fn shrink(&self) {
        self.table.lock().shrink();
    }

    /// Catches up with the source and answers the columns as they are then.
    async fn follow(&self, source: &dyn Source) -> Result<Table, AudienceError> {
        let _order = self.following.lock().await;
        if self.table.lock().is_wasteful() {
            *self.table.lock() = Table::default();
        }
        let mut steps = 0;
        loop {
            let after = self.table.lock().upto;
            let changes = source.changes(after, CHANGES_PER_STEP).await?;
            let more = changes.more;
            if more && changes.upto <= after {
                return Err(AudienceError::StandsStill(after));
            }
            if changes.upto != after || !changes.endpoints.is_empty() || !changes.users.is_empty() {
                let audience = self.clone();
                spawn_blocking(move || audience.apply(&changes)).await?;
            }
            if !more {
                break;
            }
            steps += 1;
        }
        if steps > 0 {
            let audience = self.clone();
            spawn_blocking(move || audience.shrink()).await?;
        }
        Ok(self.table.lock().clone())
    }

    /// Catches up, then decides who is in the segment at the moment `now`.
    pub async fn evaluate(
        &self,
        source: &dyn Source,
        plugins: &dyn Plugins,
        caller: &Caller,
        segment: Arc<ResolvedSegment>,
        now: Timestamp,
    ) -> Result<Evaluated, AudienceError> {
        let table = self.follow(source).await?;
        let prepared = prepare(&segment, source, plugins, caller).await?;
        let began = Instant::now();
        let evaluated = spawn_blocking(move || evaluate::evaluate(&table, &segment, &prepared, now)).await?;
        metrics::histogram!("pinion_segment_evaluation_seconds").record(began.elapsed());
        Ok(evaluated)
    }
}

/// Fetches the predicates that the segment asks, and the events that they read.
async fn prepare(
    segment: &ResolvedSegment,
    source: &dyn Source,
    plugins: &dyn Plugins,
    caller: &Caller,
) -> Result<Prepared, AudienceError> {
    let mut prepared = Prepared::default();
    for condition in segment.predicates() {
        if prepared.predicates.contains_key(condition) {
            continue;
        }
        let predicate = plugins
            .predicate(caller, &condition.plugin, &condition.settings)
            .await;
        if let Ok(predicate) = &predicate {
            prepare_events(predicate.inputs(), source, &mut prepared.events).await?;
        }
        prepared.predicates.insert(condition.clone(), predicate);
    }
    Ok(prepared)
}

async fn prepare_events(
    inputs: &[ColumnSpec],
    source: &dyn Source,
    events: &mut HashMap<String, Events>,
) -> Result<(), AudienceError> {
    for (event, _) in inputs
        .iter()
        .filter_map(|input| predicate::event_type(&input.path))
    {
        if !events.contains_key(event) {
            let summaries = source.event_summaries(event).await?;
            events.insert(event.to_owned(), summaries.into_iter().collect());
        }
    }
    Ok(())
}
