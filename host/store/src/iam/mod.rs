//! Access control: users, groups, roles and policies of an account, and who may use which.
//!
//! | module | holds |
//! |---|---|
//! | `entities` | users, groups, roles and managed policies themselves |
//! | `policies` | policies on them, inline and attached |
//! | `members` | who is in which group |
//! | `keys` | access keys |
//!
//! Every change begins with raising the account's revision. That tells other nodes that what they remember is
//! old, and it makes changes of one account wait for each other, so that what a change has checked stays
//! true until it is committed.

mod entities;
mod keys;
mod members;
mod policies;

use std::sync::atomic::Ordering;

use futures_util::future::BoxFuture;
use pinion_domain as domain;
use pinion_domain::iam::entity::{EntityKind, Holder};
use pinion_domain::id::AccountId;

use crate::backend::{read, write};
use crate::writer::Tx;
use crate::{Lane, Result, Store};

pub use entities::Stored;
pub use keys::AccessKey;
pub use policies::HeldPolicy;

/// A change of one account's access control.
type Apply<I, O> = for<'a> fn(&'a mut Tx, &'a AccountId, &'a I) -> BoxFuture<'a, Result<O>>;

impl Store {
    /// The revision of an account's access control: another one means that something changed.
    pub async fn access_revision(&self, account: &AccountId) -> Result<i64> {
        let revision: Option<i64> = read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select revision from iam_revision where account_id = $1"
        )
        .bind(account.as_str())
        .fetch_optional(db)
        .await)?;
        Ok(revision.unwrap_or(0))
    }

    /// Counts the changes of access control that this process made, so that it need not read to see its own.
    pub fn access_changes(&self) -> u64 {
        self.inner.access_changes.load(Ordering::Acquire)
    }

    async fn change_access<I, O>(&self, account: &AccountId, input: I, apply: Apply<I, O>) -> Result<O>
    where
        I: Send + Sync + 'static,
        O: Send + 'static,
    {
        struct Input<I, O> {
            account: AccountId,
            input: I,
            apply: Apply<I, O>,
        }
        let input = Input {
            account: account.clone(),
            input,
            apply,
        };
        let result = self
            .inner
            .main
            .write(Lane::Interactive, input, |tx, input| {
                Box::pin(async move {
                    raise(tx, &input.account).await?;
                    (input.apply)(tx, &input.account, &input.input).await
                })
            })
            .await;
        // Even a change that failed may have been made, if the connection was lost in the commit.
        self.inner.access_changes.fetch_add(1, Ordering::Release);
        result
    }
}

async fn raise(tx: &mut Tx, account: &AccountId) -> Result<()> {
    write!(tx, |db| sqlx::query(
        "insert into iam_revision (account_id, revision) values ($1, 1)
         on conflict (account_id) do update set revision = iam_revision.revision + 1"
    )
    .bind(account.as_str())
    .execute(&mut *db)
    .await
    .map(drop))?;
    Ok(())
}

/// The error of a name that is not there.
fn missing(kind: EntityKind, name: &str) -> domain::Error {
    domain::Error::not_found(kind.as_str(), name)
}

/// Fails unless there is such a thing.
async fn require(tx: &mut Tx, account: &AccountId, kind: EntityKind, name: &str) -> Result<()> {
    let found: i64 = write!(tx, |db| sqlx::query_scalar(
        "select count(*) from iam_entity where account_id = $1 and kind = $2 and name = $3"
    )
    .bind(account.as_str())
    .bind(kind.as_str())
    .bind(name)
    .fetch_one(&mut *db)
    .await)?;
    if found == 0 {
        return Err(missing(kind, name).into());
    }
    Ok(())
}

/// Counts by a statement that begins with the account, the kind and the name.
async fn count(tx: &mut Tx, account: &AccountId, holder: &Holder, sql: &'static str) -> Result<usize> {
    let count: i64 = write!(tx, |db| sqlx::query_scalar(sql)
        .bind(account.as_str())
        .bind(holder.kind.as_str())
        .bind(&holder.name)
        .fetch_one(&mut *db)
        .await)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}
