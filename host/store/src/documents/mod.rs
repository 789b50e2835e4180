//! JSON documents with versions: segments, campaigns, journeys, templates; and without: recommenders, event
//! streams.
//!
//! A version's number is given once: after the newest version was deleted, the next one still gets a
//! higher number, so that what pinned a version never means another.

use jiff::Timestamp;
use pinion_domain as domain;
use pinion_domain::campaign::CampaignDocument;
use pinion_domain::clock::iso;
use pinion_domain::event_stream::EventStreamDocument;
use pinion_domain::id::Tenant;
use pinion_domain::journey::JourneyDocument;
use pinion_domain::page::{Page, PageRequest};
use pinion_domain::quotas::Quotas;
use pinion_domain::recommender::Recommender;
use pinion_domain::segment::SegmentDocument;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::FromRow;

use crate::backend::{PageKey, Pools, instant, read, write};
use crate::writer::Tx;
use crate::{AppRef, Error, Lane, Result, Store};

mod changes;
mod templates;

/// What is stored in versions.
pub trait Document: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The name in the database.
    const KIND: &'static str;
    /// The name in messages.
    const NOUN: &'static str;

    /// How many a scope may hold; `None`: any number.
    fn most(_: &Quotas) -> Option<Most> {
        None
    }

    /// Versions that one may have; `None`: any number.
    fn most_versions(_: &Quotas) -> Option<u32> {
        None
    }
}

/// A quota of documents.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// How many.
    pub count: u32,
    /// The kinds that are counted together.
    pub kinds: &'static [&'static str],
    /// Their name in messages.
    pub nouns: &'static str,
}

impl Document for SegmentDocument {
    const KIND: &'static str = "segment";
    const NOUN: &'static str = "segment";
}

impl Document for CampaignDocument {
    const KIND: &'static str = "campaign";
    const NOUN: &'static str = "campaign";
}

impl Document for JourneyDocument {
    const KIND: &'static str = "journey";
    const NOUN: &'static str = "journey";
}

impl Document for EventStreamDocument {
    const KIND: &'static str = "event_stream";
    const NOUN: &'static str = "event stream";
}

impl Document for Recommender {
    const KIND: &'static str = "recommender";
    const NOUN: &'static str = "recommender configuration";

    fn most(quotas: &Quotas) -> Option<Most> {
        Some(Most {
            count: quotas.recommenders,
            kinds: &[Self::KIND],
            nouns: "recommender configurations",
        })
    }
}

/// Where a document's id is looked up: an application, or the whole tenant.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Whose and where.
    pub tenant: &'a Tenant,
    /// `None`: account-wide, as templates are.
    pub app: Option<&'a AppRef>,
}

impl<'a> From<&'a AppRef> for Scope<'a> {
    fn from(app: &'a AppRef) -> Self {
        Self {
            tenant: &app.tenant,
            app: Some(app),
        }
    }
}

impl<'a> From<&'a Tenant> for Scope<'a> {
    fn from(tenant: &'a Tenant) -> Self {
        Self { tenant, app: None }
    }
}

/// One version of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<D> {
    /// The resource's id or, of a template, its name.
    pub id: String,
    /// Which version this is, from 1.
    pub version: u32,
    /// The version that serves.
    pub active_version: u32,
    /// The newest version.
    pub latest_version: u32,
    /// What was written.
    pub document: D,
    /// The resource's state, such as a campaign's status.
    pub state: String,
    /// When something is to happen.
    pub due_at: Option<Timestamp>,
    /// ISO instant at which the resource was made.
    pub creation_date: String,
    /// ISO instant at which this version was made.
    pub version_date: String,
    /// ISO instant at which this version was last written.
    pub last_modified_date: String,
}

/// How an update is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Beside the versions before it.
    NewVersion {
        /// Does the new version serve from now on?
        activate: bool,
    },
    /// In place of the newest version.
    OverwriteLatest,
}

/// A document moves to another state.
#[derive(Clone, Debug)]
pub struct StateChange {
    key: Key,
    state: String,
    due_at: Option<Timestamp>,
    only_from: Vec<String>,
}

impl StateChange {
    /// To `state`, and due at `due_at`, if the document is in one of `only_from`.
    pub fn of<'a, D: Document>(
        scope: impl Into<Scope<'a>>,
        id: &str,
        only_from: &[&str],
        state: &str,
        due_at: Option<Timestamp>,
    ) -> Self {
        Self {
            key: Key::new::<D>(scope.into(), id),
            state: state.to_owned(),
            due_at,
            only_from: only_from.iter().map(|state| (*state).to_owned()).collect(),
        }
    }

    /// `false` if it is in another state, or is not there.
    pub(crate) async fn apply(&self, tx: &mut Tx) -> Result<bool> {
        let Some((before, _)) = changes::lock(tx, &self.key).await? else {
            return Ok(false);
        };
        if !self.only_from.contains(&before) {
            return Ok(false);
        }
        write!(tx, |db| bind_key!(
            sqlx::query(concat!(
                "update resource set state = $6, due_at = $7 where",
                is_key!()
            )),
            self.key
        )
        .bind(&self.state)
        .bind(self.due_at.map(Timestamp::as_millisecond))
        .execute(&mut *db)
        .await
        .map(drop))?;
        Ok(true)
    }
}

/// What an update makes of the newest version: the document, its state and when it is due.
type Change<D> = Box<dyn Fn(Versioned<D>) -> domain::Result<(D, String, Option<Timestamp>)> + Send + Sync>;

/// The columns that name a resource.
#[derive(Clone, Debug)]
struct Key {
    account: String,
    region: String,
    app_no: i64,
    kind: &'static str,
    id: String,
}

impl Key {
    fn new<D: Document>(scope: Scope<'_>, id: &str) -> Self {
        Self {
            account: scope.tenant.account.to_string(),
            region: scope.tenant.region.to_string(),
            app_no: scope.app.map_or(0, |app| app.no),
            kind: D::KIND,
            id: id.to_owned(),
        }
    }
}

/// Binds the columns of a [`Key`] to `$1` .. `$5`.
macro_rules! bind_key {
    ($query:expr, $key:expr) => {
        $query
            .bind(&$key.account)
            .bind(&$key.region)
            .bind($key.app_no)
            .bind($key.kind)
            .bind(&$key.id)
    };
}

/// The condition that goes with [`bind_key`].
macro_rules! is_key {
    () => {
        " account_id = $1 and region = $2 and app_no = $3 and kind = $4 and resource_id = $5 "
    };
}

macro_rules! versions {
    ($condition:literal) => {
        concat!(
            "select r.app_no, r.kind, r.resource_id, v.version, r.active_version, r.latest_version, v.document, r.state,
                    r.due_at, r.created_at, v.created_at as version_at, v.modified_at
             from resource r
             join resource_version v on v.account_id = r.account_id and v.region = r.region
                 and v.app_no = r.app_no and v.kind = r.kind and v.resource_id = r.resource_id
             where ",
            $condition
        )
    };
}

use {bind_key, is_key, versions};

#[derive(FromRow)]
struct Row {
    app_no: i64,
    kind: String,
    resource_id: String,
    version: i32,
    active_version: i32,
    latest_version: i32,
    document: String,
    state: String,
    due_at: Option<i64>,
    created_at: i64,
    version_at: i64,
    modified_at: i64,
}

impl Store {
    /// Makes a document, with version 1. [`domain::Error::Conflict`] if the id is taken,
    /// [`domain::Error::LimitExceeded`] if there are too many.
    pub async fn create_document<D: Document>(
        &self,
        scope: impl Into<Scope<'_>>,
        id: &str,
        document: D,
        state: &str,
        due_at: Option<Timestamp>,
    ) -> Result<Versioned<D>> {
        let key = Key::new::<D>(scope.into(), id);
        let most = D::most(&self.quotas);
        self.inner
            .main
            .write(
                Lane::Interactive,
                (key, document, state.to_owned(), due_at, most),
                |tx, (key, document, state, due_at, most)| {
                    Box::pin(changes::create(tx, key, document, state, *due_at, *most))
                },
            )
            .await
    }

    /// Makes a document without further versions, or overwrites it.
    pub async fn put_document<D: Document>(
        &self,
        scope: impl Into<Scope<'_>>,
        id: &str,
        document: D,
    ) -> Result<Versioned<D>> {
        let key = Key::new::<D>(scope.into(), id);
        let most = D::most(&self.quotas);
        self.inner
            .main
            .write(
                Lane::Interactive,
                (key, document, most),
                |tx, (key, document, most)| Box::pin(changes::put(tx, key, document, *most)),
            )
            .await
    }

    /// A version of a document; `None` means the active one.
    pub async fn document<D: Document>(
        &self,
        scope: impl Into<Scope<'_>>,
        id: &str,
        version: Option<u32>,
    ) -> Result<Option<Versioned<D>>> {
        let key = Key::new::<D>(scope.into(), id);
        let row: Option<Row> = read!(self.inner.main.pools, |db| bind_key!(
            sqlx::query_as(versions!(
                "r.account_id = $1 and r.region = $2 and r.app_no = $3 and r.kind = $4 and r.resource_id = $5
                 and v.version = coalesce($6, r.active_version)"
            )),
            key
        )
        .bind(version.map(column))
        .fetch_optional(db)
        .await)?;
        row.map(decode).transpose()
    }

    /// Reads the newest version, lets `change` make the next one of it, and keeps that: nobody else can
    /// write in between. `change` may be called more than once. `None` if there is no such document.
    pub async fn update_document<D: Document>(
        &self,
        scope: impl Into<Scope<'_>>,
        id: &str,
        write: Write,
        change: impl Fn(Versioned<D>) -> domain::Result<(D, String, Option<Timestamp>)> + Send + Sync + 'static,
    ) -> Result<Option<Versioned<D>>> {
        let key = Key::new::<D>(scope.into(), id);
        let change: Change<D> = Box::new(change);
        let most = D::most_versions(&self.quotas);
        self.inner
            .main
            .write(
                Lane::Interactive,
                (key, write, change, most),
                |tx, (key, write, change, most)| Box::pin(changes::update(tx, key, *write, change, *most)),
            )
            .await
    }

    /// Lets another version serve; `false` if there is no such version.
    pub async fn set_active_version<D: Document>(
        &self,
        scope: impl Into<Scope<'_>>,
        id: &str,
        version: u32,
    ) -> Result<bool> {
        let key = Key::new::<D>(scope.into(), id);
        self.inner
            .main
            .write(Lane::Interactive, (key, version), |tx, (key, version)| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    let changed = write!(tx, |db| bind_key!(
                        sqlx::query(concat!(
                            "update resource set active_version = $6, modified_at = $7 where",
                            is_key!(),
                            "and exists (select 1 from resource_version where",
                            is_key!(),
                            "and version = $6)"
                        )),
                        key
                    )
                    .bind(column(*version))
                    .bind(now)
                    .execute(&mut *db)
                    .await?
                    .rows_affected());
                    Ok(changed > 0)
                })
            })
            .await
    }

    /// The active version of each document whose id begins with `prefix`, oldest document first.
    pub async fn documents<D: Document>(
        &self,
        scope: impl Into<Scope<'_>>,
        prefix: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Versioned<D>>> {
        let prefix = prefix.unwrap_or("");
        let key = Key::new::<D>(scope.into(), prefix);
        let after = PageKey::oldest_first(page)?;
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| bind_key!(
            sqlx::query_as(versions!(
                "r.account_id = $1 and r.region = $2 and r.app_no = $3 and r.kind = $4
                 and substr(r.resource_id, 1, $6) = $5 and v.version = r.active_version
                 and (r.created_at > $7 or (r.created_at = $7 and r.resource_id > $8))
                 order by r.created_at, r.resource_id limit $9"
            )),
            key
        )
        .bind(i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX))
        .bind(after.at)
        .bind(&after.id)
        .bind(i64::from(page.size) + 1)
        .fetch_all(db)
        .await)?;
        decode_page(Page::of(rows, page.size, |row| {
            PageKey::write(row.created_at, &row.resource_id)
        }))
    }

    /// The active versions of an application's documents that are in one of the states, oldest first.
    pub async fn documents_in<D: Document>(
        &self,
        app: &AppRef,
        state_in: &[&str],
    ) -> Result<Vec<Versioned<D>>> {
        let key = Key::new::<D>(app.into(), "");
        let states = serde_json::to_string(state_in).map_err(|error| Error::corrupt("states", error))?;
        let rows: Vec<Row> = match &self.inner.main.pools {
            Pools::Sqlite(db) => {
                bind_key!(
                    sqlx::query_as(versions!(
                        "r.account_id = $1 and r.region = $2 and r.app_no = $3 and r.kind = $4 and $5 = ''
                         and r.state in (select value from json_each($6)) and v.version = r.active_version
                         order by r.created_at, r.resource_id"
                    )),
                    key
                )
                .bind(states)
                .fetch_all(db)
                .await?
            }
            Pools::Postgres(db) => {
                bind_key!(
                    sqlx::query_as(versions!(
                        "r.account_id = $1 and r.region = $2 and r.app_no = $3 and r.kind = $4 and $5 = ''
                         and r.state = any($6) and v.version = r.active_version
                         order by r.created_at, r.resource_id"
                    )),
                    key
                )
                .bind(state_in)
                .fetch_all(db)
                .await?
            }
        };
        rows.into_iter().map(decode).collect()
    }

    /// All versions of a document, newest first.
    pub async fn document_versions<D: Document>(
        &self,
        scope: impl Into<Scope<'_>>,
        id: &str,
        page: &PageRequest,
    ) -> Result<Page<Versioned<D>>> {
        self.document_summaries::<D, D>(scope, id, page).await
    }

    /// What `S` reads of all versions of a document, newest first.
    pub async fn document_summaries<D: Document, S: DeserializeOwned>(
        &self,
        scope: impl Into<Scope<'_>>,
        id: &str,
        page: &PageRequest,
    ) -> Result<Page<Versioned<S>>> {
        let key = Key::new::<D>(scope.into(), id);
        let below = match page.after.as_deref() {
            None => i32::MAX,
            Some(after) => after.parse().map_err(|_| PageKey::foreign())?,
        };
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| bind_key!(
            sqlx::query_as(versions!(
                "r.account_id = $1 and r.region = $2 and r.app_no = $3 and r.kind = $4 and r.resource_id = $5
                 and v.version < $6 order by v.version desc limit $7"
            )),
            key
        )
        .bind(below)
        .bind(i64::from(page.size) + 1)
        .fetch_all(db)
        .await)?;
        decode_page(Page::of(rows, page.size, |row| row.version.to_string()))
    }

    /// Deletes a version, or with `None` the document; tells what it was (of a document: its active
    /// version). With its last version the document goes too; if the active version goes, the newest
    /// that is left serves.
    pub async fn delete_document<D: Document>(
        &self,
        scope: impl Into<Scope<'_>>,
        id: &str,
        version: Option<u32>,
    ) -> Result<Option<Versioned<D>>> {
        let key = Key::new::<D>(scope.into(), id);
        self.inner
            .main
            .write(Lane::Interactive, (key, version), |tx, (key, version)| {
                Box::pin(changes::delete(tx, key, *version))
            })
            .await
    }

    /// Sets state and due time, as [`StateChange`] says; `false` if the document is in none of its states, or
    /// is not there.
    pub async fn set_document_state(&self, change: StateChange) -> Result<bool> {
        self.inner
            .main
            .write(Lane::Interactive, change, |tx, change| Box::pin(change.apply(tx)))
            .await
    }

    /// How many documents of a tenant, in all of its applications, are in one of the states.
    pub async fn count_documents<D: Document>(&self, tenant: &Tenant, state_in: &[&str]) -> Result<u64> {
        let mut count = 0;
        for state in state_in {
            let found: i64 = read!(self.inner.main.pools, |db| sqlx::query_scalar(
                "select count(*) from resource
                 where account_id = $1 and region = $2 and kind = $3 and state = $4"
            )
            .bind(tenant.account.as_str())
            .bind(tenant.region.as_str())
            .bind(D::KIND)
            .bind(*state)
            .fetch_one(db)
            .await)?;
            count += found.unsigned_abs();
        }
        Ok(count)
    }

    /// The active versions of documents of all applications that are in one of the states and due,
    /// the longest due first.
    pub async fn due_documents<D: Document>(
        &self,
        state_in: &[&str],
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(AppRef, Versioned<D>)>> {
        let mut rows: Vec<Row> = Vec::new();
        for state in state_in {
            let found: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(versions!(
                "r.kind = $1 and r.state = $2 and r.due_at <= $3 and v.version = r.active_version
                 order by r.due_at limit $4"
            ))
            .bind(D::KIND)
            .bind(*state)
            .bind(now.as_millisecond())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(db)
            .await)?;
            rows.extend(found);
        }
        rows.sort_by_key(|row| row.due_at);
        rows.truncate(limit);
        let mut due = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(app) = self.app_by_no(row.app_no).await? {
                due.push((app, decode(row)?));
            }
        }
        Ok(due)
    }
}

fn decode<D: DeserializeOwned>(row: Row) -> Result<Versioned<D>> {
    Ok(Versioned {
        document: serde_json::from_str(&row.document)
            .map_err(|error| Error::corrupt(format!("{} {}", row.kind, row.resource_id), error))?,
        id: row.resource_id,
        version: number(row.version)?,
        active_version: number(row.active_version)?,
        latest_version: number(row.latest_version)?,
        state: row.state,
        due_at: row.due_at.map(instant).transpose()?,
        creation_date: iso(instant(row.created_at)?),
        version_date: iso(instant(row.version_at)?),
        last_modified_date: iso(instant(row.modified_at)?),
    })
}

fn decode_page<D: DeserializeOwned>(page: Page<Row>) -> Result<Page<Versioned<D>>> {
    Ok(Page {
        items: page.items.into_iter().map(decode).collect::<Result<_>>()?,
        next_token: page.next_token,
    })
}

fn number(column: i32) -> Result<u32> {
    u32::try_from(column).map_err(|error| Error::corrupt("version", error))
}

/// Versions that no column holds do not exist: they find nothing.
fn column(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(-1)
}
