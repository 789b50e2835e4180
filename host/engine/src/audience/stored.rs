//! The columns of all applications of a server, built from its store.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use pinion_domain::endpoint::Endpoint;
use pinion_domain::extension::{Caller, Plugins};
use pinion_domain::id::SegmentId;
use pinion_domain::segment::extended::RecipientTest;
use pinion_domain::segment::{SegmentDocument, Truth};
use pinion_store::{AppRef, Changes, EventChanges, Members, Result, Store};
use roaring::RoaringBitmap;

use super::source::Source;
use super::{Audience, AudienceError, Estimate, Evaluated, Explanation, ResolvedSegment};

/// Who is in which segment, for every application.
pub struct Audiences {
    store: Store,
    plugins: Arc<dyn Plugins>,
    /// Bytes that the columns of all applications may hold.
    limit: usize,
    by_app: Mutex<Columns>,
}

#[derive(Default)]
struct Columns {
    by_app: HashMap<i64, (Audience, u64)>,
    /// Counts questions: whose columns were used last has the largest number.
    questions: u64,
}

/// What is in memory of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Endpoints in the columns.
    pub endpoints: u64,
    /// Rows of endpoints and users that were read since the columns were begun: while they are built, it
    /// grows up to the number of both.
    pub rows_read: u64,
    /// Bytes of columns and dictionaries.
    pub column_bytes: usize,
    /// Bytes of events.
    pub event_bytes: usize,
    /// Attributes without a column, since nearly every endpoint has a list of its own.
    pub attributes_aside: usize,
}

impl Audiences {
    /// Nothing is read before the first question about an application. When the columns of all
    /// applications hold more than `limit` bytes, those that were not asked for longest are given up; one
    /// application that needs more than that cannot be evaluated.
    pub fn new(store: Store, plugins: Arc<dyn Plugins>, limit: usize) -> Self {
        Self {
            store,
            plugins,
            limit,
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
        let (audience, segment) = (self.audience(app), Arc::new(segment.clone()));
        let (source, caller, plugins) = (self.source(app), caller(app), self.plugins.as_ref());
        let evaluated = audience.evaluate(&source, plugins, &caller, segment, now).await;
        self.account(app, &audience);
        evaluated
    }

    /// The same, with how many endpoints fulfil each condition.
    pub async fn estimate(
        &self,
        app: &AppRef,
        segment: &ResolvedSegment,
        now: Timestamp,
    ) -> Result<Estimate, AudienceError> {
        let (audience, segment) = (self.audience(app), Arc::new(segment.clone()));
        let (source, caller, plugins) = (self.source(app), caller(app), self.plugins.as_ref());
        let estimate = audience.estimate(&source, plugins, &caller, segment, now).await;
        self.account(app, &audience);
        estimate
    }

    /// Why one endpoint is in the segment at the moment `now`, or is not.
    pub async fn explain(
        &self,
        app: &AppRef,
        segment: &ResolvedSegment,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<Explanation, AudienceError> {
        let (audience, segment) = (self.audience(app), Arc::new(segment.clone()));
        let (source, caller, plugins) = (self.source(app), caller(app), self.plugins.as_ref());
        let asked = (segment, endpoint);
        let explanation = audience.explain(&source, plugins, &caller, asked, now).await;
        self.account(app, &audience);
        explanation
    }

    /// Is one endpoint in the segment at the moment `now`? Says what [`Audiences::evaluate`] says of it.
    pub async fn decide(
        &self,
        app: &AppRef,
        segment: &ResolvedSegment,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<Truth, AudienceError> {
        let audience = self.audience(app);
        let (source, caller, plugins) = (self.source(app), caller(app), self.plugins.as_ref());
        let asked = (segment, endpoint);
        audience.decide(&source, plugins, &caller, asked, now).await
    }

    /// Gives back the memory of an application that was deleted or is not in use; the next question
    /// reads it anew.
    pub fn forget(&self, app: &AppRef) {
        self.by_app.lock().by_app.remove(&app.no);
    }

    /// Bytes that the columns of all applications hold.
    pub fn bytes(&self) -> usize {
        let columns = self.by_app.lock();
        columns
            .by_app
            .values()
            .map(|(audience, _)| audience.bytes())
            .sum()
    }

    /// What is in memory of an application; nothing before the first question and after it was given up.
    pub fn held(&self, app: &AppRef) -> Option<Held> {
        let audience = self.by_app.lock().by_app.get(&app.no)?.0.clone();
        let event_bytes = audience.event_bytes();
        Some(Held {
            endpoints: audience.rows(),
            rows_read: audience.rows_read(),
            column_bytes: audience.bytes().saturating_sub(event_bytes),
            event_bytes,
            attributes_aside: audience.attributes_aside(),
        })
    }

    fn audience(&self, app: &AppRef) -> Audience {
        let mut columns = self.by_app.lock();
        columns.questions += 1;
        let question = columns.questions;
        let (audience, last) = columns
            .by_app
            .entry(app.no)
            .or_insert_with(|| (Audience::limited(self.limit), question));
        *last = question;
        audience.clone()
    }

    /// Tells what an application holds, and gives up others if all of them hold too much.
    fn account(&self, app: &AppRef, audience: &Audience) {
        let gauge = |name: &'static str| metrics::gauge!(name, "app" => app.id.as_str().to_owned());
        gauge("pinion_audience_endpoints").set(audience.rows() as f64);
        gauge("pinion_audience_bytes").set(audience.bytes() as f64);
        let mut columns = self.by_app.lock();
        let sizes = columns.by_app.iter();
        let mut others: Vec<(u64, i64, usize)> = sizes
            .filter(|(no, _)| **no != app.no)
            .map(|(no, (audience, last))| (*last, *no, audience.bytes()))
            .collect();
        others.sort_unstable();
        let mut bytes = audience.bytes() + others.iter().map(|(.., bytes)| bytes).sum::<usize>();
        for (_, no, held) in others {
            if bytes <= self.limit {
                break;
            }
            columns.by_app.remove(&no);
            bytes -= held;
        }
    }

    fn source<'a>(&'a self, app: &'a AppRef) -> Stored<'a> {
        Stored {
            store: &self.store,
            app,
        }
    }
}

fn caller(app: &AppRef) -> Caller {
    Caller {
        account: app.tenant.account.clone(),
        app: app.id.clone(),
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

    async fn events(&self, event_type: &str, after: i64, limit: usize) -> Result<EventChanges> {
        self.store.events_since(self.app, event_type, after, limit).await
    }

    async fn event_times(&self, event_type: &str, seq: u32) -> Result<Vec<i64>> {
        self.store.event_times(self.app, seq, event_type).await
    }

    async fn recipients(&self, test: &RecipientTest) -> Result<RoaringBitmap> {
        self.store
            .recipients(self.app, &test.campaign, test.run.as_ref())
            .await
    }

    async fn segment(&self, id: &SegmentId, version: Option<u32>) -> Result<Option<(u32, SegmentDocument)>> {
        let found = self.store.document(self.app, id.as_str(), version).await?;
        Ok(found.map(|found| (found.version, found.document)))
    }

    async fn members(&self, id: &SegmentId, version: u32) -> Result<Option<Members>> {
        self.store.members(self.app, id, version).await
    }
}
