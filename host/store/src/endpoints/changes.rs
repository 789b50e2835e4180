//! What followers of endpoints and users read: everything that changed behind a revision, in pages.

use pinion_domain::endpoint::{EndpointDocument, UserDocument};
use pinion_domain::id::{EndpointId, UserId};

use super::{seq_of, user_document};
use crate::backend::read;
use crate::{AppRef, Error, Result, Store};

/// What changed behind a revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Endpoints that changed, oldest change first; some perhaps behind `upto`.
    pub endpoints: Vec<EndpointChange>,
    /// Users that changed, oldest change first.
    pub users: Vec<UserChange>,
    /// Everything up to this revision is here: ask on from it.
    pub upto: i64,
    /// Is there more already?
    pub more: bool,
}

/// An endpoint that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointChange {
    /// Its number in the application.
    pub seq: u32,
    /// The revision of its last change.
    pub rev: i64,
    /// What it is now; `None`: deleted.
    pub live: Option<LiveEndpoint>,
}

/// What followers know of an endpoint: everything but the address.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveEndpoint {
    /// The client's name for it.
    pub id: EndpointId,
    /// Whose.
    pub user_id: Option<UserId>,
    /// Can it be sent to at all?
    pub has_address: bool,
    /// The document.
    pub document: EndpointDocument,
}

/// A user that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct UserChange {
    /// Who.
    pub user_id: UserId,
    /// The revision of the last change.
    pub rev: i64,
    /// What is known now; `None`: deleted.
    pub document: Option<UserDocument>,
}

/// Seq, rev, id, user, whether there is an address, document.
type EndpointRow = (i64, i64, Option<String>, Option<String>, i16, String);

impl Store {
    /// All endpoints and users whose last change lies in `after < rev <= upto`: about `limit` of each, and
    /// never a part of a revision. Call again with `upto` while there is `more`. Nothing is missed: `upto`
    /// stays below every change that is not committed yet, and the last page also has what changed behind
    /// `upto` while it was read. That comes again; left out, it would be seen neither as it was nor as it is.
    pub async fn changes_since(&self, app: &AppRef, after: i64, limit: usize) -> Result<Changes> {
        let main = &self.inner.main;
        let settled = main.pools.settled_rev(main.connector.epoch()).await?;
        if settled <= after {
            return Ok(Changes {
                upto: after,
                ..Changes::default()
            });
        }
        let offset = i64::try_from(limit.max(1) - 1).unwrap_or(i64::MAX);
        let mut upto = settled;
        for last_of_page in [
            "select rev from endpoint where app_no = $1 and rev > $2 and rev <= $3 order by rev limit 1 offset $4",
            "select rev from app_user where app_no = $1 and rev > $2 and rev <= $3 order by rev limit 1 offset $4",
        ] {
            let rev: Option<i64> = read!(main.pools, |db| sqlx::query_scalar(last_of_page)
                .bind(app.no)
                .bind(after)
                .bind(upto)
                .bind(offset)
                .fetch_optional(db)
                .await)?;
            upto = rev.unwrap_or(upto);
        }
        let more = upto < settled;
        let last = if more { upto } else { i64::MAX };
        Ok(Changes {
            endpoints: self.changed_endpoints(app, after, last).await?,
            users: self.changed_users(app, after, last).await?,
            upto,
            more,
        })
    }

    async fn changed_endpoints(&self, app: &AppRef, after: i64, upto: i64) -> Result<Vec<EndpointChange>> {
        let rows: Vec<EndpointRow> = read!(self.inner.main.pools, |db| sqlx::query_as(
            "select seq, rev, endpoint_id, user_id,
                        cast(case when address_sealed is null then 0 else 1 end as smallint), document
                 from endpoint where app_no = $1 and rev > $2 and rev <= $3 order by rev, seq"
        )
        .bind(app.no)
        .bind(after)
        .bind(upto)
        .fetch_all(db)
        .await)?;
        rows.into_iter()
            .map(|(seq, rev, id, user_id, has_address, document)| {
                let live = match id {
                    None => None,
                    Some(id) => Some(LiveEndpoint {
                        id: id.into(),
                        user_id: user_id.map(UserId::from),
                        has_address: has_address == 1,
                        document: serde_json::from_str(&document)
                            .map_err(|error| Error::corrupt("endpoint", error))?,
                    }),
                };
                Ok(EndpointChange {
                    seq: seq_of(seq)?,
                    rev,
                    live,
                })
            })
            .collect()
    }

    async fn changed_users(&self, app: &AppRef, after: i64, upto: i64) -> Result<Vec<UserChange>> {
        let rows: Vec<(String, i64, i16, String)> = read!(self.inner.main.pools, |db| sqlx::query_as(
            "select user_id, rev, live, document
             from app_user where app_no = $1 and rev > $2 and rev <= $3 order by rev, user_id"
        )
        .bind(app.no)
        .bind(after)
        .bind(upto)
        .fetch_all(db)
        .await)?;
        rows.into_iter()
            .map(|(user_id, rev, live, document)| {
                let document = if live == 1 {
                    Some(user_document(&document)?)
                } else {
                    None
                };
                Ok(UserChange {
                    user_id: user_id.into(),
                    rev,
                    document,
                })
            })
            .collect()
    }
}
