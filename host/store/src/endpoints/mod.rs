//! Endpoints and users: who can be reached.
//!
//! | module | holds |
//! |---|---|
//! | `upsert` | making and changing many at once: merge, address take-over, fifteen per user |
//! | `plan` | what an item would make of its endpoint |
//! | `statements` | the SQL under it |
//! | `attributes` | taking attributes off everybody |
//! | `changes` | what followers read |
//!
//! All changes of an application's endpoints and users begin with [`lock_app`], so that writers of several
//! nodes take turns per application: numbers stay dense, and take-over and quotas see one truth.

mod attributes;
mod changes;
mod plan;
mod statements;
mod upsert;

use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use pinion_domain as domain;
use pinion_domain::endpoint::{Endpoint, EndpointRequest, UserDocument};
use pinion_domain::id::{EndpointId, UserId};
use roaring::RoaringBitmap;

pub use changes::{Changes, EndpointChange, LiveEndpoint, UserChange};

use crate::backend::{Connection, Pools, read, write};
use crate::rows::json;
use crate::writer::Tx;
use crate::{AppRef, Error, Lane, Result, Store};

/// An endpoint to make or change.
#[derive(Clone, Debug)]
pub struct Upsert {
    /// Which.
    pub id: EndpointId,
    /// What to change.
    pub request: EndpointRequest,
}

/// An endpoint as it is read: seq, id, user, sealed address, document, the user's document.
type Row = (
    i64,
    String,
    Option<String>,
    Option<Vec<u8>>,
    String,
    Option<String>,
);

/// The live endpoints of an application that fulfil a further condition.
macro_rules! select {
    ($($rest:literal),+) => {
        concat!(
            "select e.seq, e.endpoint_id, e.user_id, e.address_sealed, e.document, u.document
             from endpoint e
             left join app_user u on u.app_no = e.app_no and u.user_id = e.user_id and u.live = 1
             where e.app_no = $1 and e.live = 1 and ",
            $($rest),+
        )
    };
}

impl Store {
    /// Makes or changes endpoints in one change: all that is right is durable once this answers. Items that
    /// are wrong have their own error and do not disturb the others; an id that comes twice is merged in
    /// order. Fails as a whole if the application is gone.
    ///
    /// Of the endpoints that have the same address on the same channel at most one is active; which one, is
    /// said by [`pinion_domain::endpoint::Claim`]. A user's sixteenth endpoint is refused, or, for push tokens, drives out the user's push endpoint with
    /// the oldest `EffectiveDate`.
    pub async fn upsert_endpoints(
        &self,
        app: &AppRef,
        lane: Lane,
        upserts: Vec<Upsert>,
    ) -> Result<Vec<domain::Result<Endpoint>>> {
        self.upsert(app, lane, upserts, false).await
    }

    /// The same, but one wrong item and nothing is made: the error names it as `Item[…]`.
    pub async fn upsert_all_endpoints(
        &self,
        app: &AppRef,
        lane: Lane,
        upserts: Vec<Upsert>,
    ) -> Result<Vec<Endpoint>> {
        let made = self.upsert(app, lane, upserts, true).await?;
        Ok(made.into_iter().collect::<domain::Result<_>>()?)
    }

    async fn upsert(
        &self,
        app: &AppRef,
        lane: Lane,
        items: Vec<Upsert>,
        all_or_nothing: bool,
    ) -> Result<Vec<domain::Result<Endpoint>>> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let input = upsert::Upserts {
            app: app.clone(),
            items,
            quotas: self.endpoint_quotas(),
            all_or_nothing,
        };
        self.inner.main.write(lane, input, upsert::apply).await
    }

    /// The endpoint of that id.
    pub async fn endpoint(&self, app: &AppRef, id: &EndpointId) -> Result<Option<Endpoint>> {
        let row: Option<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(select!(
            "e.endpoint_id = $2"
        ))
        .bind(app.no)
        .bind(id.as_str())
        .fetch_optional(db)
        .await)?;
        row.map(|row| revive(app, row)).transpose()
    }

    /// The endpoints of those ids, by seq; absent ones are left out.
    pub async fn endpoints_by_id(&self, app: &AppRef, ids: &[EndpointId]) -> Result<Vec<Endpoint>> {
        let ids: Vec<&str> = ids.iter().map(EndpointId::as_str).collect();
        let rows: Vec<Row> = match &self.inner.main.pools {
            Pools::Sqlite(db) => {
                sqlx::query_as(select!(
                    "e.endpoint_id in (select value from json_each($2)) order by e.seq"
                ))
                .bind(app.no)
                .bind(json(&ids))
                .fetch_all(db)
                .await?
            }
            Pools::Postgres(db) => {
                sqlx::query_as(select!("e.endpoint_id = any($2) order by e.seq"))
                    .bind(app.no)
                    .bind(&ids)
                    .fetch_all(db)
                    .await?
            }
        };
        rows.into_iter().map(|row| revive(app, row)).collect()
    }

    /// The endpoints of those numbers, ascending; deleted ones are left out. This is the way of sending:
    /// numbers that lie close together are read as one range.
    pub async fn endpoints_by_seq(&self, app: &AppRef, seqs: &[u32]) -> Result<Vec<Endpoint>> {
        let (Some(first), Some(last)) = (seqs.iter().min(), seqs.iter().max()) else {
            return Ok(Vec::new());
        };
        let dense = u64::from(last - first) < 2 * seqs.len() as u64;
        let rows: Vec<Row> = if dense {
            read!(self.inner.main.pools, |db| sqlx::query_as(select!(
                "e.seq between $2 and $3 order by e.seq"
            ))
            .bind(app.no)
            .bind(i64::from(*first))
            .bind(i64::from(*last))
            .fetch_all(db)
            .await)?
        } else {
            let seqs: Vec<i64> = seqs.iter().copied().map(i64::from).collect();
            match &self.inner.main.pools {
                Pools::Sqlite(db) => {
                    sqlx::query_as(select!(
                        "e.seq in (select value from json_each($2)) order by e.seq"
                    ))
                    .bind(app.no)
                    .bind(json(&seqs))
                    .fetch_all(db)
                    .await?
                }
                Pools::Postgres(db) => {
                    sqlx::query_as(select!("e.seq = any($2) order by e.seq"))
                        .bind(app.no)
                        .bind(&seqs)
                        .fetch_all(db)
                        .await?
                }
            }
        };
        let wanted: RoaringBitmap = if dense {
            seqs.iter().copied().collect()
        } else {
            Default::default()
        };
        rows.into_iter()
            .filter(|row| !dense || u32::try_from(row.0).is_ok_and(|seq| wanted.contains(seq)))
            .map(|row| revive(app, row))
            .collect()
    }

    /// A user's endpoints, by seq.
    pub async fn user_endpoints(&self, app: &AppRef, user: &UserId) -> Result<Vec<Endpoint>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(select!(
            "e.user_id = $2 order by e.seq"
        ))
        .bind(app.no)
        .bind(user.as_str())
        .fetch_all(db)
        .await)?;
        rows.into_iter().map(|row| revive(app, row)).collect()
    }

    /// The numbers of all live endpoints.
    pub async fn live_endpoints(&self, app: &AppRef) -> Result<RoaringBitmap> {
        read!(self.inner.main.pools, |db| {
            let mut rows = sqlx::query_scalar::<_, i64>(
                "select seq from endpoint where app_no = $1 and live = 1 order by seq",
            )
            .bind(app.no)
            .fetch(db);
            let mut live = RoaringBitmap::new();
            while let Some(seq) = rows.try_next().await? {
                live.insert(seq_of(seq)?);
            }
            Ok(live)
        })
    }

    /// How many live endpoints there are.
    pub async fn endpoint_count(&self, app: &AppRef) -> Result<u64> {
        // Deleted rows have no id, so the index of ids answers this alone.
        let count: i64 = read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select count(*) from endpoint where app_no = $1 and endpoint_id is not null"
        )
        .bind(app.no)
        .fetch_one(db)
        .await)?;
        Ok(count.unsigned_abs())
    }

    /// Deletes an endpoint and tells what it was. Its number is never used again.
    pub async fn delete_endpoint(&self, app: &AppRef, id: &EndpointId) -> Result<Option<Endpoint>> {
        let deleted = self
            .inner
            .main
            .write(Lane::Interactive, (app.clone(), id.clone()), |tx, (app, id)| {
                Box::pin(async move {
                    lock_app(tx, app).await?;
                    let rows: Vec<Row> = write!(tx, |db| sqlx::query_as(select!("e.endpoint_id = $2"))
                        .bind(app.no)
                        .bind(id.as_str())
                        .fetch_all(&mut *db)
                        .await)?;
                    empty(tx, app, rows).await
                })
            })
            .await?;
        Ok(deleted.into_iter().next())
    }

    /// Deletes a user with all endpoints and tells what these were.
    pub async fn delete_user(&self, app: &AppRef, user: &UserId) -> Result<Vec<Endpoint>> {
        self.inner
            .main
            .write(Lane::Interactive, (app.clone(), user.clone()), delete_user)
            .await
    }
}

fn delete_user<'a>(tx: &'a mut Tx, input: &'a (AppRef, UserId)) -> BoxFuture<'a, Result<Vec<Endpoint>>> {
    Box::pin(async move {
        let (app, user) = input;
        lock_app(tx, app).await?;
        let rows: Vec<Row> = write!(tx, |db| sqlx::query_as(select!("e.user_id = $2 order by e.seq"))
            .bind(app.no)
            .bind(user.as_str())
            .fetch_all(&mut *db)
            .await)?;
        let deleted = empty(tx, app, rows).await?;
        let rev = tx.rev;
        write!(tx, |db| {
            sqlx::query(
            "update app_user set live = 0, rev = $3, document = '{}' where app_no = $1 and user_id = $2 and live = 1"
        )
        .bind(app.no)
        .bind(user.as_str())
        .bind(rev)
        .execute(&mut *db)
        .await
        .map(drop)
        })?;
        Ok(deleted)
    })
}

/// Empties rows: number and revision stay, so that followers see the deletion.
async fn empty(tx: &mut Tx, app: &AppRef, rows: Vec<Row>) -> Result<Vec<Endpoint>> {
    let rev = tx.rev;
    for row in &rows {
        write!(tx, |db| sqlx::query(
            "update endpoint
             set endpoint_id = null, user_id = null, live = 0, active = 0, rev = $3, effective_at = 0,
                 address_sealed = null, address_index = null, document = '{}'
             where app_no = $1 and seq = $2"
        )
        .bind(app.no)
        .bind(row.0)
        .bind(rev)
        .execute(&mut *db)
        .await
        .map(drop))?;
    }
    rows.into_iter().map(|row| revive(app, row)).collect()
}

/// Makes writers of the application's endpoints and users take turns, and tells the next free number.
/// SQLite has one writer anyway.
async fn lock_app(tx: &mut Tx, app: &AppRef) -> Result<i64> {
    const SQL: &str = "select next_seq from app where app_no = $1 and deleted_at is null";
    const LOCKING: &str = "select next_seq from app where app_no = $1 and deleted_at is null for update";
    let next: Option<i64> = match &mut tx.connection {
        Connection::Sqlite(db) => {
            sqlx::query_scalar(SQL)
                .bind(app.no)
                .fetch_optional(&mut *db)
                .await?
        }
        Connection::Postgres(db) => {
            sqlx::query_scalar(LOCKING)
                .bind(app.no)
                .fetch_optional(&mut *db)
                .await?
        }
    };
    Ok(next.ok_or_else(|| domain::Error::not_found("application", app.id.as_str()))?)
}

/// What a sealed address belongs to.
fn bound(app: &AppRef, seq: u32) -> String {
    format!("{}|{seq}", app.id)
}

fn revive(app: &AppRef, row: Row) -> Result<Endpoint> {
    let (seq, id, user_id, sealed, document, user) = row;
    let seq = seq_of(seq)?;
    let user = match (&user_id, user) {
        (Some(_), Some(text)) => Some(user_document(&text)?),
        (Some(_), None) => Some(UserDocument::default()),
        (None, _) => None,
    };
    Ok(Endpoint {
        seq,
        id: id.into(),
        user_id: user_id.map(UserId::from),
        address: sealed.map(|sealed| open_address(app, seq, &sealed)).transpose()?,
        document: serde_json::from_str(&document).map_err(|error| Error::corrupt("endpoint", error))?,
        user,
    })
}

/// Numbers of endpoints are 32 bits wide: bitmaps are made of them.
pub(crate) fn seq_of(seq: i64) -> Result<u32> {
    u32::try_from(seq).map_err(|error| Error::corrupt("seq", error))
}

fn open_address(app: &AppRef, seq: u32, sealed: &[u8]) -> Result<String> {
    app.keys.sealer.open_text(sealed, &bound(app, seq), "address")
}

fn user_document(text: &str) -> Result<UserDocument> {
    serde_json::from_str(text).map_err(|error| Error::corrupt("user", error))
}
