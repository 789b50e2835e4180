//! Requests to send, under the names that their clients gave them (the SDKs' invocation id, or an
//! idempotency key): a repeat is answered with what was answered, and sends nothing.

use jiff::{SignedDuration, Timestamp};
use pinion_domain::id::AccountId;
use sqlx::FromRow;

use super::ORPHANED;
use crate::backend::{Pools, instant, read, write};
use crate::seal::hmac;
use crate::writer::Tx;
use crate::{AppRef, Lane, Result, Store};

/// Rows that one sweep removes: others wait for the commit.
const SWEPT_AT_ONCE: i64 = 10_000;

/// A request that its client may repeat.
#[derive(Clone, Debug)]
pub struct NamedRequest {
    /// Whose.
    pub account: AccountId,
    /// Who asks: names of different principals are different.
    pub principal: String,
    /// The client's name for the request.
    pub name: String,
    /// The server's.
    pub request_id: String,
    /// What makes it the same request, from [`Store::fingerprint`].
    pub fingerprint: Vec<u8>,
    /// A request of that name that began before is forgotten.
    pub since: Timestamp,
}

/// A request of the same name that was made before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PastRequest {
    /// It asked for something else.
    Other,
    /// It is under way.
    UnderWay,
    /// It was answered.
    Answered {
        /// Its id.
        request_id: String,
        /// What [`super::Finished`] kept.
        results: String,
    },
    /// The server that was at it stopped: its messages say what is known.
    Lost {
        /// Its id.
        request_id: String,
    },
}

#[derive(FromRow)]
struct Row {
    app_no: i64,
    fingerprint: Vec<u8>,
    request_id: String,
    begun_at: i64,
    epoch: i64,
    results_sealed: Option<Vec<u8>>,
}

impl Store {
    /// What makes a request the same: a keyed hash, since bodies hold addresses.
    pub fn fingerprint(&self, parts: &[&[u8]]) -> Vec<u8> {
        // Bodies may hold any byte: each part is hashed before they are joined.
        let key = self.inner.master.derive("fingerprint");
        let hashed: Vec<[u8; 32]> = parts.iter().map(|part| hmac(&key, &[part])).collect();
        hmac(&key, &[hashed.concat().as_slice()]).to_vec()
    }

    /// The request of that name that was made before, unless it is forgotten.
    pub async fn past_request(&self, app: &AppRef, named: &NamedRequest) -> Result<Option<PastRequest>> {
        let row: Option<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(
            "select app_no, fingerprint, request_id, begun_at, epoch, results_sealed from sent_request
             where account_id = $1 and principal = $2 and name = $3 and begun_at > $4"
        )
        .bind(named.account.as_str())
        .bind(&named.principal)
        .bind(&named.name)
        .bind(named.since.as_millisecond())
        .fetch_optional(db)
        .await)?;
        let Some(row) = row else { return Ok(None) };
        if row.app_no != app.no || row.fingerprint != named.fingerprint {
            return Ok(Some(PastRequest::Other));
        }
        let request_id = row.request_id;
        if let Some(sealed) = row.results_sealed {
            let results = app
                .keys
                .sealer
                .open_text(&sealed, &bound(&request_id), "results of a request")?;
            return Ok(Some(PastRequest::Answered { request_id, results }));
        }
        let orphaned = SignedDuration::try_from(ORPHANED).unwrap_or(SignedDuration::MAX);
        let is_old = self.inner.clock.now() - orphaned > instant(row.begun_at)?;
        let is_earlier = matches!(self.inner.main.pools, Pools::Sqlite(_)) && row.epoch < self.inner.epoch;
        Ok(Some(if is_old || is_earlier {
            PastRequest::Lost { request_id }
        } else {
            PastRequest::UnderWay
        }))
    }

    /// Lets go of a lost request none of whose messages was handed over: it may be made anew. `false`: it
    /// was let go of already.
    pub async fn forget_request(&self, named: &NamedRequest, request_id: &str) -> Result<bool> {
        self.inner
            .main
            .write(
                Lane::Interactive,
                (named.clone(), request_id.to_owned()),
                |tx, (named, request_id)| {
                    Box::pin(async move {
                        let removed = write!(tx, |db| sqlx::query(
                            "delete from sent_request
                             where account_id = $1 and principal = $2 and name = $3 and request_id = $4
                               and results_sealed is null"
                        )
                        .bind(named.account.as_str())
                        .bind(&named.principal)
                        .bind(&named.name)
                        .bind(request_id)
                        .execute(&mut *db)
                        .await?
                        .rows_affected());
                        Ok(removed > 0)
                    })
                },
            )
            .await
    }

    /// Removes requests that began before `since` and passwords that have expired; tells how many rows.
    /// Call again while there are any.
    pub async fn sweep_requests(&self, since: Timestamp) -> Result<u64> {
        self.inner
            .main
            .write(Lane::Bulk, since, |tx, since| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    let mut removed = 0;
                    for (sql, before) in [
                        (
                            "delete from sent_request where (account_id, principal, name) in
                                 (select account_id, principal, name from sent_request
                                  where begun_at <= $1 limit $2)",
                            since.as_millisecond(),
                        ),
                        (
                            "delete from otp where (app_no, subject_hash) in
                                 (select app_no, subject_hash from otp where expires_at <= $1 limit $2)",
                            now,
                        ),
                    ] {
                        removed += write!(tx, |db| sqlx::query(sql)
                            .bind(before)
                            .bind(SWEPT_AT_ONCE)
                            .execute(&mut *db)
                            .await?
                            .rows_affected());
                    }
                    Ok(removed)
                })
            })
            .await
    }
}

/// Keeps that a request begins; `false` if one of that name is known.
pub(super) async fn begin(tx: &mut Tx, app: &AppRef, named: &NamedRequest, epoch: i64) -> Result<bool> {
    let now = tx.now.as_millisecond();
    write!(tx, |db| {
        // What is forgotten does not stand in the way, swept or not.
        sqlx::query(
            "delete from sent_request
             where account_id = $1 and principal = $2 and name = $3 and begun_at <= $4",
        )
        .bind(named.account.as_str())
        .bind(&named.principal)
        .bind(&named.name)
        .bind(named.since.as_millisecond())
        .execute(&mut *db)
        .await?;
        let inserted = sqlx::query(
            "insert into sent_request
                 (account_id, principal, name, app_no, fingerprint, request_id, begun_at, epoch)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (account_id, principal, name) do nothing",
        )
        .bind(named.account.as_str())
        .bind(&named.principal)
        .bind(&named.name)
        .bind(app.no)
        .bind(&named.fingerprint)
        .bind(&named.request_id)
        .bind(now)
        .bind(epoch)
        .execute(&mut *db)
        .await?
        .rows_affected();
        Ok(inserted > 0)
    })
}

/// What a request was answered.
pub(super) struct Answered {
    named: NamedRequest,
    sealed: Vec<u8>,
}

impl Answered {
    pub(super) fn new(app: &AppRef, named: NamedRequest, results: &str) -> Self {
        let sealed = app
            .keys
            .sealer
            .seal(results.as_bytes(), &bound(&named.request_id));
        Self { named, sealed }
    }

    pub(super) async fn write(&self, tx: &mut Tx) -> Result<()> {
        Ok(write!(tx, |db| sqlx::query(
            "update sent_request set results_sealed = $5
             where account_id = $1 and principal = $2 and name = $3 and request_id = $4"
        )
        .bind(self.named.account.as_str())
        .bind(&self.named.principal)
        .bind(&self.named.name)
        .bind(&self.named.request_id)
        .bind(&self.sealed)
        .execute(&mut *db)
        .await
        .map(drop))?)
    }
}

/// What sealed results belong to.
fn bound(request_id: &str) -> String {
    format!("request|{request_id}")
}
