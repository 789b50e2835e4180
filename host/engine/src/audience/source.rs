//! What the columns are built from, as a trait: the store in a server, memory in tests and benchmarks.

use async_trait::async_trait;
use pinion_domain::id::SegmentId;
use pinion_domain::segment::SegmentDocument;
use pinion_store::{Changes, EventSummary, Members, Result};

/// One application's endpoints, users and segments.
#[async_trait]
pub trait Source: Send + Sync {
    /// What changed after a revision, in its latest state; at most about `limit` rows. A row may come
    /// again; none may be left out.
    async fn changes(&self, after: i64, limit: usize) -> Result<Changes>;

    /// For each endpoint that has events of a type: how many and when the last.
    async fn event_summaries(&self, event_type: &str) -> Result<Vec<EventSummary>>;

    /// A segment in a version, or its latest, with that version's number.
    async fn segment(&self, id: &SegmentId, version: Option<u32>) -> Result<Option<(u32, SegmentDocument)>>;

    /// Who was imported as a version of a segment.
    async fn members(&self, id: &SegmentId, version: u32) -> Result<Option<Members>>;
}
