//! Policies on users, groups and roles: their own, and managed ones that are attached.

use pinion_domain as domain;
use pinion_domain::iam::Json;
use pinion_domain::iam::entity::{EntityKind, Holder, MOST_POLICIES, ManagedPolicy};
use pinion_domain::id::AccountId;

use super::{count, require};
use crate::backend::{read, write};
use crate::{Error, Result, Store};

/// A policy that somebody holds.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldPolicy {
    /// On whom it is: the user or role itself, or a group of the user.
    pub holder: Holder,
    /// Its name.
    pub name: String,
    /// Is it a managed policy?
    pub managed: bool,
    /// The rules.
    pub document: Json,
}

impl Store {
    /// Gives a holder a policy of its own, or replaces it.
    pub async fn put_inline_policy(
        &self,
        account: &AccountId,
        holder: &Holder,
        policy: &str,
        document: &Json,
    ) -> Result<()> {
        let input = (holder.clone(), policy.to_owned(), document.to_string());
        self.change_access(account, input, |tx, account, (holder, policy, document)| {
            Box::pin(async move {
                require(tx, account, holder.kind, &holder.name).await?;
                write!(tx, |db| sqlx::query(
                    "insert into iam_inline_policy (account_id, kind, name, policy_name, document)
                     values ($1, $2, $3, $4, $5)
                     on conflict (account_id, kind, name, policy_name) do update set document = excluded.document"
                )
                .bind(account.as_str())
                .bind(holder.kind.as_str())
                .bind(&holder.name)
                .bind(policy)
                .bind(document)
                .execute(&mut *db)
                .await
                .map(drop))?;
                let sql = "select count(*) from iam_inline_policy where account_id = $1 and kind = $2 and name = $3";
                at_most(count(tx, account, holder, sql).await?, holder, "policies of its own")
            })
        })
        .await
    }

    /// A policy of the holder's own.
    pub async fn inline_policy(
        &self,
        account: &AccountId,
        holder: &Holder,
        policy: &str,
    ) -> Result<Option<Json>> {
        let text: Option<String> = read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select document from iam_inline_policy
             where account_id = $1 and kind = $2 and name = $3 and policy_name = $4"
        )
        .bind(account.as_str())
        .bind(holder.kind.as_str())
        .bind(&holder.name)
        .bind(policy)
        .fetch_optional(db)
        .await)?;
        text.map(|text| document(policy, &text)).transpose()
    }

    /// Takes a policy of its own away; `false` if it has none of that name.
    pub async fn delete_inline_policy(
        &self,
        account: &AccountId,
        holder: &Holder,
        policy: &str,
    ) -> Result<bool> {
        self.change_access(
            account,
            (holder.clone(), policy.to_owned()),
            |tx, account, (holder, policy)| {
                Box::pin(async move {
                    let deleted = write!(tx, |db| sqlx::query(
                        "delete from iam_inline_policy
                     where account_id = $1 and kind = $2 and name = $3 and policy_name = $4"
                    )
                    .bind(account.as_str())
                    .bind(holder.kind.as_str())
                    .bind(&holder.name)
                    .bind(policy)
                    .execute(&mut *db)
                    .await?
                    .rows_affected());
                    Ok(deleted > 0)
                })
            },
        )
        .await
    }

    /// Attaches a managed policy; one that is attached already stays so.
    pub async fn attach_policy(&self, account: &AccountId, holder: &Holder, policy: &str) -> Result<()> {
        self.change_access(account, (holder.clone(), policy.to_owned()), |tx, account, (holder, policy)| {
            Box::pin(async move {
                require(tx, account, holder.kind, &holder.name).await?;
                require(tx, account, EntityKind::Policy, policy).await?;
                write!(tx, |db| sqlx::query(
                    "insert into iam_attachment (account_id, kind, name, policy_name)
                     values ($1, $2, $3, $4) on conflict do nothing"
                )
                .bind(account.as_str())
                .bind(holder.kind.as_str())
                .bind(&holder.name)
                .bind(policy)
                .execute(&mut *db)
                .await
                .map(drop))?;
                let sql = "select count(*) from iam_attachment where account_id = $1 and kind = $2 and name = $3";
                at_most(count(tx, account, holder, sql).await?, holder, "attached policies")
            })
        })
        .await
    }

    /// Takes a managed policy off; `false` if it was not attached.
    pub async fn detach_policy(&self, account: &AccountId, holder: &Holder, policy: &str) -> Result<bool> {
        self.change_access(
            account,
            (holder.clone(), policy.to_owned()),
            |tx, account, (holder, policy)| {
                Box::pin(async move {
                    let deleted = write!(tx, |db| sqlx::query(
                        "delete from iam_attachment
                     where account_id = $1 and kind = $2 and name = $3 and policy_name = $4"
                    )
                    .bind(account.as_str())
                    .bind(holder.kind.as_str())
                    .bind(&holder.name)
                    .bind(policy)
                    .execute(&mut *db)
                    .await?
                    .rows_affected());
                    Ok(deleted > 0)
                })
            },
        )
        .await
    }

    /// All policies of a holder; of a user also those of its groups.
    pub async fn held_policies(&self, account: &AccountId, holder: &Holder) -> Result<Vec<HeldPolicy>> {
        // Nobody's name is empty, so others than users have no groups.
        let member = match holder.kind {
            EntityKind::User => holder.name.as_str(),
            _ => "",
        };
        type Row = (String, String, String, String);
        let inline: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(
            "select kind, name, policy_name, document from iam_inline_policy
             where account_id = $1 and ((kind = $2 and name = $3) or (kind = 'group' and name in
                 (select group_name from iam_member where account_id = $1 and user_name = $4)))
             order by kind, name, policy_name"
        )
        .bind(account.as_str())
        .bind(holder.kind.as_str())
        .bind(&holder.name)
        .bind(member)
        .fetch_all(db)
        .await)?;
        let managed: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(
            "select held.kind, held.name, held.policy_name, policy.document
             from iam_attachment held join iam_entity policy
                 on policy.account_id = $1 and policy.kind = 'policy' and policy.name = held.policy_name
             where held.account_id = $1 and ((held.kind = $2 and held.name = $3)
                 or (held.kind = 'group' and held.name in
                     (select group_name from iam_member where account_id = $1 and user_name = $4)))
             order by held.kind, held.name, held.policy_name"
        )
        .bind(account.as_str())
        .bind(holder.kind.as_str())
        .bind(&holder.name)
        .bind(member)
        .fetch_all(db)
        .await)?;
        let mut held = Vec::new();
        for (managed, rows) in [(false, inline), (true, managed)] {
            for (kind, name, policy, text) in rows {
                let holder = Holder::parse(&format!("{kind}/{name}"))
                    .ok_or_else(|| Error::corrupt("holder of a policy", &kind))?;
                let document = if managed {
                    let policy: ManagedPolicy = serde_json::from_str(&text)
                        .map_err(|error| Error::corrupt(format!("policy {policy}"), error))?;
                    policy.document
                } else {
                    document(&policy, &text)?
                };
                held.push(HeldPolicy {
                    holder,
                    name: policy,
                    managed,
                    document,
                });
            }
        }
        Ok(held)
    }
}

fn document(policy: &str, text: &str) -> Result<Json> {
    Json::parse(text).map_err(|error| Error::corrupt(format!("policy {policy}"), error))
}

fn at_most(count: usize, holder: &Holder, what: &str) -> Result<()> {
    if count > MOST_POLICIES {
        let sentence = format!("{holder} has {MOST_POLICIES} {what} already, and may have no more");
        return Err(domain::Error::LimitExceeded(sentence).into());
    }
    Ok(())
}
