//! What the columns are built from, as a trait: the store in a server, memory in tests and benchmarks.

use async_trait::async_trait;
use pinion_domain::id::SegmentId;
use pinion_domain::segment::SegmentDocument;
use pinion_domain::segment::extended::RecipientTest;
use pinion_store::{Changes, EventChanges, Members, Result};
use roaring::RoaringBitmap;

/// One application's endpoints, users and segments.
#[async_trait]
pub trait Source: Send + Sync {
    /// What changed after a revision, in its latest state; at most about `limit` rows. A row may come
    /// again; none may be left out.
    async fn changes(&self, after: i64, limit: usize) -> Result<Changes>;

    /// The events of a type that became known after a revision, at most about `limit`. None may come again,
    /// and none may be left out.
    async fn events(&self, event_type: &str, after: i64, limit: usize) -> Result<EventChanges>;

    /// When one endpoint did something of a type, milliseconds since 1970.
    async fn event_times(&self, event_type: &str, seq: u32) -> Result<Vec<i64>>;

    /// Whom the runs of a campaign were for.
    async fn recipients(&self, test: &RecipientTest) -> Result<RoaringBitmap>;

    /// A segment in a version, or its latest, with that version's number.
    async fn segment(&self, id: &SegmentId, version: Option<u32>) -> Result<Option<(u32, SegmentDocument)>>;

    /// Who was imported as a version of a segment.
    async fn members(&self, id: &SegmentId, version: u32) -> Result<Option<Members>>;
}
