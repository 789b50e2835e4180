//! Endpoints as dictionary columns: who is in a segment. What conditions mean is said by
//! `domain::segment`; nothing here knows it a second time.
//!
//! | module | holds |
//! |---|---|
//! | [`source`] | what columns are built from, as a trait; `stored` fulfils it with the store |
//! | `cells`, `column`, `attributes` | one value a row; distinct values and codes; columns by name |
//! | `events` | what endpoints did, by type of event |
//! | `table` | all columns of an application, and how changes are applied |
//! | `resolve`, `wanted` | a segment with the segments that it refers to, and what it needs in memory |
//! | `mask`, `hits`, `evaluate`, `predicate` | the truth about every row, and how it is found |
//! | `single` | the truth about one endpoint |
//! | `explain` | what came of each condition |
//!
//! Columns and logs of events stand behind a lock each: changes are applied in microseconds a row, and
//! nothing changes under an evaluation. Only one that asks predicate components, which may take long, reads
//! a copy that shares what does not change meanwhile.

mod attributes;
mod cells;
mod column;
mod evaluate;
mod events;
mod explain;
mod hits;
mod mask;
mod predicate;
mod resolve;
mod single;
pub mod source;
mod stored;
mod table;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use parking_lot::RwLock;
use pinion_domain::endpoint::Endpoint;
use pinion_domain::extension::{Caller, Plugins};
use pinion_domain::segment::extended::Extended;
use pinion_domain::segment::{Condition, Truth};
use pinion_store::Changes;
use tokio::task::{JoinError, spawn_blocking};

pub use evaluate::Evaluated;
pub use explain::{ConditionEstimate, Estimate, Explanation, Finding, PartEstimate, PartExplanation};
pub use resolve::ResolvedSegment;
pub use stored::{Audiences, Held};

use evaluate::{Outcomes, Prepared, Purpose, View};
use events::EventLog;
use single::Facts;
use source::Source;
use table::Table;
use wanted::Wanted;

/// Rows that are read and applied at a time while catching up.
const CHANGES_PER_STEP: usize = 10_000;
/// Events that are.
const EVENTS_PER_STEP: usize = 100_000;

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
    /// The application does not fit into the memory that it may have.
    #[error("the columns of the application need more than the {limit} bytes that they may have")]
    TooLarge {
        /// Bytes that columns may hold.
        limit: usize,
    },
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
#[derive(Clone)]
pub struct Audience {
    table: Arc<RwLock<Table>>,
    /// By type.
    events: Arc<RwLock<HashMap<String, EventLog>>>,
    /// Held while following: changes are applied in order.
    following: Arc<tokio::sync::Mutex<()>>,
    /// Rows that were read since the columns began.
    read: Arc<AtomicU64>,
    /// Bytes that may be held.
    limit: usize,
}

impl Default for Audience {
    fn default() -> Self {
        Self::limited(usize::MAX)
    }
}

impl Audience {
    /// Empty columns that hold at most about so many bytes: what needs more is refused.
    pub fn limited(limit: usize) -> Self {
        Self {
            table: Arc::default(),
            events: Arc::default(),
            following: Arc::default(),
            read: Arc::default(),
            limit,
        }
    }

    /// Applies a piece of the feed. Blocks for a microsecond or two a row.
    pub fn apply(&self, changes: &Changes) {
        self.table.write().apply(changes);
    }

    /// How many endpoints there are.
    pub fn rows(&self) -> u64 {
        self.table.read().living()
    }

    /// Rows of endpoints and users that were read since the columns were begun: how far building them is.
    pub fn rows_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many attributes have no column, since nearly every endpoint has a list of its own. The first
    /// segment that asks for one has the columns built anew.
    pub fn attributes_aside(&self) -> usize {
        self.table.read().aside()
    }

    /// Bytes that columns, dictionaries and events hold.
    pub fn bytes(&self) -> usize {
        self.table.read().bytes() + self.event_bytes()
    }

    /// Bytes that events hold.
    pub fn event_bytes(&self) -> usize {
        self.events.read().values().map(EventLog::bytes).sum()
    }

    /// Gives back memory taken ahead of need; following does so by itself after much was read.
    pub fn shrink(&self) {
        self.table.write().shrink();
    }

    /// Catches up with the source.
    async fn follow(&self, source: &dyn Source, wanted: &Wanted) -> Result<(), AudienceError> {
        let _order = self.following.lock().await;
        self.follow_endpoints(source, wanted).await?;
        for event_type in &wanted.events {
            self.follow_events(source, event_type).await?;
        }
        Ok(())
    }

    async fn follow_endpoints(&self, source: &dyn Source, wanted: &Wanted) -> Result<(), AudienceError> {
        // Built aside: whoever evaluates meanwhile has caught up before and needs all of the old one.
        let mut anew = {
            let table = self.table.read();
            table.is_stale(wanted).then(|| table.anew(wanted))
        };
        let mut steps = 0;
        loop {
            let after = anew
                .as_ref()
                .map_or_else(|| self.table.read().upto, |anew| anew.upto);
            if after == 0 {
                self.read.store(0, Ordering::Relaxed);
            }
            let changes = source.changes(after, CHANGES_PER_STEP).await?;
            let more = changes.more;
            if more && changes.upto <= after {
                return Err(AudienceError::StandsStill(after));
            }
            let count = changes.endpoints.len() + changes.users.len();
            self.read.fetch_add(count as u64, Ordering::Relaxed);
            if changes.upto != after || count > 0 {
                let audience = self.clone();
                anew = spawn_blocking(move || match anew {
                    Some(mut anew) => {
                        anew.apply(&changes);
                        Some(anew)
                    }
                    None => {
                        audience.apply(&changes);
                        None
                    }
                })
                .await?;
            }
            let bytes = anew.as_ref().map_or(0, Table::bytes).max(self.bytes());
            if bytes > self.limit {
                // What is there already may be as large as it is allowed to be, but not larger.
                *self.table.write() = Table::default();
                self.events.write().clear();
                return Err(AudienceError::TooLarge { limit: self.limit });
            }
            if !more {
                break;
            }
            steps += 1;
        }
        let rebuilt = anew.is_some();
        if let Some(anew) = anew {
            *self.table.write() = anew;
        }
        if steps > 0 || rebuilt {
            let audience = self.clone();
            spawn_blocking(move || audience.shrink()).await?;
        }
        Ok(())
    }

    async fn follow_events(&self, source: &dyn Source, event_type: &str) -> Result<(), AudienceError> {
        loop {
            let after = self.events.read().get(event_type).map_or(0, |log| log.upto);
            let changes = source.events(event_type, after, EVENTS_PER_STEP).await?;
            let more = changes.more;
            if more && changes.upto <= after {
                return Err(AudienceError::StandsStill(after));
            }
            if !changes.events.is_empty() {
                let (audience, event_type) = (self.clone(), event_type.to_owned());
                spawn_blocking(move || {
                    let mut events = audience.events.write();
                    let log = events.entry(event_type).or_default();
                    log.extend(changes.events);
                    log.upto = changes.upto;
                })
                .await?;
            }
            if self.bytes() > self.limit {
                self.events.write().remove(event_type);
                return Err(AudienceError::TooLarge { limit: self.limit });
            }
            if !more {
                return Ok(());
            }
        }
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
        let asked = self.ask(source, plugins, caller, segment, (now, Purpose::Members));
        let (evaluated, ..) = asked.await?;
        Ok(evaluated)
    }

    /// The same, with what came of each condition.
    pub async fn estimate(
        &self,
        source: &dyn Source,
        plugins: &dyn Plugins,
        caller: &Caller,
        segment: Arc<ResolvedSegment>,
        now: Timestamp,
    ) -> Result<Estimate, AudienceError> {
        let asked = self.ask(
            source,
            plugins,
            caller,
            Arc::clone(&segment),
            (now, Purpose::Counts),
        );
        let (evaluated, outcomes, endpoints) = asked.await?;
        Ok(Estimate::new(&segment, evaluated, endpoints, &outcomes))
    }

    /// Catches up, then tells what comes of each condition for one endpoint.
    pub async fn explain(
        &self,
        source: &dyn Source,
        plugins: &dyn Plugins,
        caller: &Caller,
        (segment, endpoint): (Arc<ResolvedSegment>, &Endpoint),
        now: Timestamp,
    ) -> Result<Explanation, AudienceError> {
        let facts = Facts::read(&segment, source, endpoint.seq).await?;
        let purpose = Purpose::Row(endpoint.seq);
        let asked = self.ask(source, plugins, caller, Arc::clone(&segment), (now, purpose));
        let (Evaluated { faults, .. }, outcomes, _) = asked.await?;
        Ok(Explanation::new(
            &segment,
            endpoint,
            &facts,
            (now, faults),
            &outcomes,
        ))
    }

    /// Is one endpoint in the segment? Says what [`Audience::evaluate`] says of it. Only predicates read
    /// columns; without them none are built.
    pub async fn decide(
        &self,
        source: &dyn Source,
        plugins: &dyn Plugins,
        caller: &Caller,
        (segment, endpoint): (&ResolvedSegment, &Endpoint),
        now: Timestamp,
    ) -> Result<Truth, AudienceError> {
        if segment.predicates().next().is_none() {
            let facts = Facts::read(segment, source, endpoint.seq).await?;
            return Ok(single::decide(segment, endpoint, &facts, now));
        }
        let purpose = Purpose::Row(endpoint.seq);
        let segment = Arc::new(segment.clone());
        let asked = self.ask(source, plugins, caller, segment, (now, purpose));
        let (_, outcomes, _) = asked.await?;
        Ok(outcomes.last().map_or(Truth::Unknown, |(part, _)| part.truth))
    }

    /// Answers with the number of endpoints there are, too.
    async fn ask(
        &self,
        source: &dyn Source,
        plugins: &dyn Plugins,
        caller: &Caller,
        segment: Arc<ResolvedSegment>,
        (now, purpose): (Timestamp, Purpose),
    ) -> Result<(Evaluated, Outcomes, u64), AudienceError> {
        let prepared = prepare(&segment, source, plugins, caller).await?;
        self.follow(source, &Wanted::of(&segment, &prepared)).await?;
        let began = Instant::now();
        let audience = self.clone();
        let answer = spawn_blocking(move || {
            let evaluate = |table: &Table, events: &HashMap<String, EventLog>| {
                let view = View { table, events };
                let (evaluated, outcomes) = evaluate::evaluate(view, &segment, &prepared, now, purpose);
                (evaluated, outcomes, table.living())
            };
            if prepared.predicates.is_empty() {
                evaluate(&audience.table.read(), &audience.events.read())
            } else {
                let table = audience.table.read().clone();
                let events = audience.events.read().clone();
                evaluate(&table, &events)
            }
        })
        .await?;
        metrics::histogram!("pinion_segment_evaluation_seconds").record(began.elapsed());
        Ok(answer)
    }
}

/// Fetches the predicates that the segment asks, and recipients of campaigns.
async fn prepare(
    segment: &ResolvedSegment,
    source: &dyn Source,
    plugins: &dyn Plugins,
    caller: &Caller,
) -> Result<Prepared, AudienceError> {
    let mut prepared = Prepared::default();
    for condition in segment.predicates() {
        if !prepared.predicates.contains_key(condition) {
            let predicate = plugins.predicate(caller, &condition.plugin, &condition.settings);
            prepared.predicates.insert(condition.clone(), predicate.await);
        }
    }
    for condition in segment.conditions() {
        if let Condition::Extended(Extended::Recipient(test)) = condition
            && !prepared.recipients.contains_key(test)
        {
            let recipients = source.recipients(test).await?;
            prepared.recipients.insert(test.clone(), recipients);
        }
    }
    Ok(prepared)
}
