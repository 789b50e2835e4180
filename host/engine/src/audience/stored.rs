//! The columns of all applications of a server, built from its store.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use pinion_domain::extension::{Caller, Plugins};
use pinion_domain::id::SegmentId;
use pinion_domain::segment::SegmentDocument;
use pinion_store::{AppRef, Changes, EventSummary, Members, Result, Store};

use super::source::Source;
use super::{Audience, AudienceError, Evaluated, ResolvedSegment};

/// Who is in which segment, for every application.
pub struct Audiences {
    store: Store,
    plugins: Arc<dyn Plugins>,
    by_app: Mutex<HashMap<i64, Audience>>,
}

impl Audiences {
    /// Nothing is read before the first question about an application.
    pub fn new(store: Store, plugins: Arc<dyn Plugins>) -> Self {
        Self {
            store,
            plugins,
            by_app: Mutex::default(),
        }
    }

    /// Reads a segment in a version (or its latest) and all that it refers to; what was read is what
    /// [`Audiences::evaluate`] uses, whatever is written meanwhile.
    pub async fn resolve(
        &self,
        app: &AppRef,
        id: &SegmentId,
        version: Option<u32>,
    ) -> Result<ResolvedSegment, AudienceError> {
        ResolvedSegment::read(&self.source(app), id, version).await
    }

    /// The same for a document that is not stored, or not yet as a version of `id`: conditions of a
    /// journey, or a request whose references are to be checked.
    pub async fn resolve_document(
        &self,
        app: &AppRef,
        id: Option<&SegmentId>,
        document: &SegmentDocument,
    ) -> Result<ResolvedSegment, AudienceError> {
        ResolvedSegment::of_document(&self.source(app), id, document).await
    }

    /// Catches up with the store, then decides who is in the segment at the moment `now`.
    pub async fn evaluate(
        &self,
        app: &AppRef,
        segment: &ResolvedSegment,
        now: Timestamp,
    ) -> Result<Evaluated, AudienceError> {
        let audience = self.by_app.lock().entry(app.no).or_default().clone();
        let caller = Caller {
            account: app.tenant.account.clone(),
            app: app.id.clone(),
        };
        let segment = Arc::new(segment.clone());
        let evaluated = audience
            .evaluate(&self.source(app), self.plugins.as_ref(), &caller, segment, now)
            .await?;
        let gauge = |name: &'static str| metrics::gauge!(name, "app" => app.id.as_str().to_owned());
        gauge("pinion_audience_endpoints").set(audience.rows() as f64);
        gauge("pinion_audience_bytes").set(audience.bytes() as f64);
        Ok(evaluated)
    }

    /// Gives back the memory of an application that was deleted or is not in use; the next question
    /// reads it anew.
    pub fn forget(&self, app: &AppRef) {
        self.by_app.lock().remove(&app.no);
    }

    /// Bytes that the columns of all applications hold.
    pub fn bytes(&self) -> usize {
        self.by_app.lock().values().map(Audience::bytes).sum()
    }

    fn source<'a>(&'a self, app: &'a AppRef) -> Stored<'a> {
        Stored {
            store: &self.store,
            app,
        }
    }
}

/// One application in the store.
struct Stored<'a> {
    store: &'a Store,
    app: &'a AppRef,
}

#[async_trait]
impl Source for Stored<'_> {
    async fn changes(&self, after: i64, limit: usize) -> Result<Changes> {
        self.store.changes_since(self.app, after, limit).await
    }

    async fn event_summaries(&self, event_type: &str) -> Result<Vec<EventSummary>> {
        self.store.event_summaries(self.app, event_type).await
    }

    async fn segment(&self, id: &SegmentId, version: Option<u32>) -> Result<Option<(u32, SegmentDocument)>> {
        let found = self.store.document(self.app, id.as_str(), version).await?;
        Ok(found.map(|found| (found.version, found.document)))
    }

    async fn members(&self, id: &SegmentId, version: u32) -> Result<Option<Members>> {
        self.store.members(self.app, id, version).await
    }
}
