//! Taking attributes off all endpoints or users of an application.
//!
//! Pages are looked through beside the writer; only what has such an attribute is changed, in small
//! changes of the bulk lane. So memory is bounded by a page, and nobody waits long.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use pinion_domain::attributes::{AttributeType, Blacklist};
use pinion_domain::endpoint::{EndpointDocument, UserDocument};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::lock_app;
use crate::backend::{read, write};
use crate::writer::Tx;
use crate::{AppRef, Error, Lane, Result, Store};

/// Rows that are looked through at once.
const PAGE: usize = 2_000;
/// Rows that are changed at once.
const CHANGE: usize = 200;

/// A row of endpoints or of users.
#[derive(Clone)]
enum Key {
    Endpoint(i64),
    User(String),
}

struct Change {
    app: AppRef,
    kind: AttributeType,
    blacklist: Arc<Blacklist>,
    keys: Vec<Key>,
}

impl Store {
    /// Takes the attributes that `blacklist` names off all endpoints or users, and tells their names. What
    /// is written meanwhile may have them again.
    pub async fn remove_attributes(
        &self,
        app: &AppRef,
        kind: AttributeType,
        blacklist: Blacklist,
    ) -> Result<BTreeSet<String>> {
        let blacklist = Arc::new(blacklist);
        let mut removed = BTreeSet::new();
        let mut after = match kind {
            AttributeType::Custom | AttributeType::Metric => Key::Endpoint(-1),
            AttributeType::User => Key::User(String::new()),
        };
        loop {
            let rows = self.attribute_page(app, &after).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(removed);
            };
            after = last.clone();
            let mut keys = Vec::new();
            for (key, document) in rows {
                if strip(kind, &blacklist, &document, &mut BTreeSet::new())?.is_some() {
                    keys.push(key);
                }
            }
            for keys in keys.chunks(CHANGE) {
                let change = Change {
                    app: app.clone(),
                    kind,
                    blacklist: Arc::clone(&blacklist),
                    keys: keys.to_vec(),
                };
                let names = self.inner.main.write(Lane::Bulk, change, make).await?;
                Blacklist::remember(&mut removed, names);
            }
        }
    }

    /// Keys and documents behind a key, in its order.
    async fn attribute_page(&self, app: &AppRef, after: &Key) -> Result<Vec<(Key, String)>> {
        let limit = i64::try_from(PAGE).expect("a page is small");
        Ok(match after {
            Key::Endpoint(seq) => {
                let rows: Vec<(i64, String)> = read!(self.inner.main.pools, |db| sqlx::query_as(
                    "select seq, document from endpoint
                     where app_no = $1 and live = 1 and seq > $2 order by seq limit $3"
                )
                .bind(app.no)
                .bind(*seq)
                .bind(limit)
                .fetch_all(db)
                .await)?;
                rows.into_iter()
                    .map(|(seq, document)| (Key::Endpoint(seq), document))
                    .collect()
            }
            Key::User(id) => {
                let rows: Vec<(String, String)> = read!(self.inner.main.pools, |db| sqlx::query_as(
                    "select user_id, document from app_user
                     where app_no = $1 and live = 1 and user_id > $2 order by user_id limit $3"
                )
                .bind(app.no)
                .bind(id)
                .bind(limit)
                .fetch_all(db)
                .await)?;
                rows.into_iter()
                    .map(|(id, document)| (Key::User(id), document))
                    .collect()
            }
        })
    }
}

/// Looks at the rows again, since they may have changed, and writes those that lose something.
fn make<'a>(tx: &'a mut Tx, change: &'a Change) -> BoxFuture<'a, Result<BTreeSet<String>>> {
    Box::pin(async move {
        lock_app(tx, &change.app).await?;
        let mut removed = BTreeSet::new();
        for key in &change.keys {
            let document = document(tx, &change.app, key).await?;
            let Some(document) = document else { continue };
            if let Some(stripped) = strip(change.kind, &change.blacklist, &document, &mut removed)? {
                overwrite(tx, &change.app, key, stripped).await?;
            }
        }
        Ok(removed)
    })
}

async fn document(tx: &mut Tx, app: &AppRef, key: &Key) -> Result<Option<String>> {
    Ok(match key {
        Key::Endpoint(seq) => write!(tx, |db| sqlx::query_scalar(
            "select document from endpoint where app_no = $1 and seq = $2 and live = 1"
        )
        .bind(app.no)
        .bind(*seq)
        .fetch_optional(&mut *db)
        .await)?,
        Key::User(id) => write!(tx, |db| sqlx::query_scalar(
            "select document from app_user where app_no = $1 and user_id = $2 and live = 1"
        )
        .bind(app.no)
        .bind(id)
        .fetch_optional(&mut *db)
        .await)?,
    })
}

/// The revision makes followers look again.
async fn overwrite(tx: &mut Tx, app: &AppRef, key: &Key, document: String) -> Result<()> {
    let rev = tx.rev;
    match key {
        Key::Endpoint(seq) => write!(tx, |db| sqlx::query(
            "update endpoint set document = $3, rev = $4 where app_no = $1 and seq = $2"
        )
        .bind(app.no)
        .bind(*seq)
        .bind(document)
        .bind(rev)
        .execute(&mut *db)
        .await
        .map(drop))?,
        Key::User(id) => write!(tx, |db| sqlx::query(
            "update app_user set document = $3, rev = $4 where app_no = $1 and user_id = $2"
        )
        .bind(app.no)
        .bind(id)
        .bind(document)
        .bind(rev)
        .execute(&mut *db)
        .await
        .map(drop))?,
    }
    Ok(())
}

/// The document without what is to go; `None` if it has nothing of that.
fn strip(
    kind: AttributeType,
    blacklist: &Blacklist,
    document: &str,
    removed: &mut BTreeSet<String>,
) -> Result<Option<String>> {
    fn changed<D: DeserializeOwned + Serialize>(
        document: &str,
        apply: impl FnOnce(&mut D) -> bool,
    ) -> Result<Option<String>> {
        let wrong = |error| Error::corrupt("document", error);
        let mut document: D = serde_json::from_str(document).map_err(wrong)?;
        if !apply(&mut document) {
            return Ok(None);
        }
        serde_json::to_string(&document).map(Some).map_err(wrong)
    }
    match kind {
        AttributeType::Custom | AttributeType::Metric => {
            changed(document, |endpoint: &mut EndpointDocument| {
                blacklist.apply(kind, endpoint, removed)
            })
        }
        AttributeType::User => changed(document, |user: &mut UserDocument| {
            blacklist.apply_user(user, removed)
        }),
    }
}
