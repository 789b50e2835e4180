//! Who is in which group.

use pinion_domain as domain;
use pinion_domain::iam::entity::{EntityKind, Holder, MOST_POLICIES};
use pinion_domain::id::AccountId;

use super::{count, require};
use crate::backend::{read, write};
use crate::{Result, Store};

impl Store {
    /// Puts a user into a group; one that is there already stays.
    pub async fn add_to_group(&self, account: &AccountId, group: &str, user: &str) -> Result<()> {
        self.change_access(account, (group.to_owned(), user.to_owned()), |tx, account, (group, user)| {
            Box::pin(async move {
                require(tx, account, EntityKind::Group, group).await?;
                require(tx, account, EntityKind::User, user).await?;
                write!(tx, |db| sqlx::query(
                    "insert into iam_member (account_id, group_name, user_name)
                     values ($1, $2, $3) on conflict do nothing"
                )
                .bind(account.as_str())
                .bind(group)
                .bind(user)
                .execute(&mut *db)
                .await
                .map(drop))?;
                let sql = "select count(*) from iam_member where account_id = $1 and 'user' = $2 and user_name = $3";
                if count(tx, account, &Holder::user(user.as_str()), sql).await? > MOST_POLICIES {
                    let sentence = format!("user {user} is in {MOST_POLICIES} groups already, and may be in no more");
                    return Err(domain::Error::LimitExceeded(sentence).into());
                }
                Ok(())
            })
        })
        .await
    }

    /// Takes a user out of a group; `false` if it was not in it.
    pub async fn remove_from_group(&self, account: &AccountId, group: &str, user: &str) -> Result<bool> {
        self.change_access(
            account,
            (group.to_owned(), user.to_owned()),
            |tx, account, (group, user)| {
                Box::pin(async move {
                    let deleted = write!(tx, |db| {
                        sqlx::query(
                    "delete from iam_member where account_id = $1 and group_name = $2 and user_name = $3"
                )
                .bind(account.as_str())
                .bind(group)
                .bind(user)
                .execute(&mut *db)
                .await?
                .rows_affected()
                    });
                    Ok(deleted > 0)
                })
            },
        )
        .await
    }

    /// The groups of a user, by name.
    pub async fn groups_of(&self, account: &AccountId, user: &str) -> Result<Vec<String>> {
        Ok(read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select group_name from iam_member where account_id = $1 and user_name = $2 order by group_name"
        )
        .bind(account.as_str())
        .bind(user)
        .fetch_all(db)
        .await)?)
    }

    /// The users in a group, by name.
    pub async fn members_of(&self, account: &AccountId, group: &str) -> Result<Vec<String>> {
        Ok(read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select user_name from iam_member where account_id = $1 and group_name = $2 order by user_name"
        )
        .bind(account.as_str())
        .bind(group)
        .fetch_all(db)
        .await)?)
    }
}
