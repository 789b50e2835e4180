//! Users, groups, roles and managed policies.

use pinion_domain as domain;
use pinion_domain::clock::iso;
use pinion_domain::iam::entity::{Entity, EntityKind};
use pinion_domain::id::AccountId;
use pinion_domain::page::{Page, PageRequest};
use sqlx::FromRow;

use super::{missing, require};
use crate::backend::{instant, read, write};
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// A user, group, role or managed policy as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<E> {
    /// Its name.
    pub name: String,
    /// Its unique id: `AIDA…`, `AGPA…`, `AROA…`, `ANPA…`.
    pub id: String,
    /// What is kept of it.
    pub entity: E,
    /// ISO instant.
    pub creation_date: String,
}

#[derive(FromRow)]
struct Row {
    name: String,
    entity_id: String,
    document: String,
    created_at: i64,
}

macro_rules! columns {
    () => {
        "select name, entity_id, document, created_at from iam_entity where account_id = $1 and kind = $2"
    };
}

impl<E: Entity> TryFrom<Row> for Stored<E> {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let entity = serde_json::from_str(&row.document)
            .map_err(|error| Error::corrupt(format!("{} {}", E::KIND, row.name), error))?;
        Ok(Self {
            entity,
            creation_date: iso(instant(row.created_at)?),
            name: row.name,
            id: row.entity_id,
        })
    }
}

impl Store {
    /// Makes one; its name must differ from others of its kind by more than case.
    pub async fn create_entity<E: Entity>(
        &self,
        account: &AccountId,
        name: &str,
        entity: E,
    ) -> Result<Stored<E>> {
        struct Input<E> {
            name: String,
            id: String,
            entity: E,
        }
        let input = Input {
            name: name.to_owned(),
            id: E::KIND.fresh_id(),
            entity,
        };
        self.change_access(account, input, |tx, account, input| {
            Box::pin(async move {
                let Input { name, id, entity } = input;
                require_boundary(tx, account, entity).await?;
                let now = tx.now;
                let made = write!(tx, |db| sqlx::query(
                    "insert into iam_entity (account_id, kind, name, folded_name, entity_id, boundary, document, created_at)
                     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing"
                )
                .bind(account.as_str())
                .bind(E::KIND.as_str())
                .bind(name)
                .bind(name.to_lowercase())
                .bind(id)
                .bind(entity.boundary())
                .bind(text(entity)?)
                .bind(now.as_millisecond())
                .execute(&mut *db)
                .await?
                .rows_affected());
                if made == 0 {
                    let kind = E::KIND;
                    let sentence = format!("there is a {kind} of the name {name} already (case does not distinguish)");
                    return Err(domain::Error::Conflict(sentence).into());
                }
                Ok(Stored {
                    name: name.clone(),
                    id: id.clone(),
                    entity: entity.clone(),
                    creation_date: iso(now),
                })
            })
        })
        .await
    }

    /// The one of exactly that name.
    pub async fn entity<E: Entity>(&self, account: &AccountId, name: &str) -> Result<Option<Stored<E>>> {
        let row: Option<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " and name = $3"
        ))
        .bind(account.as_str())
        .bind(E::KIND.as_str())
        .bind(name)
        .fetch_optional(db)
        .await)?;
        row.map(Stored::try_from).transpose()
    }

    /// All of a kind, by name.
    pub async fn entities<E: Entity>(
        &self,
        account: &AccountId,
        page: &PageRequest,
    ) -> Result<Page<Stored<E>>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " and name > $3 order by name limit $4"
        ))
        .bind(account.as_str())
        .bind(E::KIND.as_str())
        .bind(page.after.as_deref().unwrap_or(""))
        .bind(i64::from(page.size) + 1)
        .fetch_all(db)
        .await)?;
        let items: Vec<Stored<E>> = rows.into_iter().map(Stored::try_from).collect::<Result<_>>()?;
        Ok(Page::of(items, page.size, |item| item.name.clone()))
    }

    /// Takes a change over.
    pub async fn update_entity<E: Entity>(
        &self,
        account: &AccountId,
        name: &str,
        change: E::Change,
    ) -> Result<Stored<E>> {
        self.change_access(
            account,
            (name.to_owned(), change),
            |tx, account, (name, change)| {
                Box::pin(async move {
                    let mut stored: Stored<E> = locked(tx, account, name).await?;
                    stored.entity.change(change);
                    require_boundary(tx, account, &stored.entity).await?;
                    write!(tx, |db| sqlx::query(
                        "update iam_entity set document = $4, boundary = $5
                     where account_id = $1 and kind = $2 and name = $3"
                    )
                    .bind(account.as_str())
                    .bind(E::KIND.as_str())
                    .bind(name)
                    .bind(text(&stored.entity)?)
                    .bind(stored.entity.boundary())
                    .execute(&mut *db)
                    .await
                    .map(drop))?;
                    Ok(stored)
                })
            },
        )
        .await
    }

    /// Removes one that nothing hangs on any more.
    pub async fn delete_entity<E: Entity>(&self, account: &AccountId, name: &str) -> Result<Stored<E>> {
        self.change_access(account, name.to_owned(), |tx, account, name| {
            Box::pin(async move {
                let stored: Stored<E> = locked(tx, account, name).await?;
                require_free(tx, account, E::KIND, name).await?;
                write!(tx, |db| sqlx::query(
                    "delete from iam_entity where account_id = $1 and kind = $2 and name = $3"
                )
                .bind(account.as_str())
                .bind(E::KIND.as_str())
                .bind(name)
                .execute(&mut *db)
                .await
                .map(drop))?;
                Ok(stored)
            })
        })
        .await
    }
}

async fn locked<E: Entity>(tx: &mut Tx, account: &AccountId, name: &str) -> Result<Stored<E>> {
    let row: Option<Row> = write!(tx, |db| sqlx::query_as(concat!(columns!(), " and name = $3"))
        .bind(account.as_str())
        .bind(E::KIND.as_str())
        .bind(name)
        .fetch_optional(&mut *db)
        .await)?;
    row.ok_or_else(|| missing(E::KIND, name))?.try_into()
}

async fn require_boundary<E: Entity>(tx: &mut Tx, account: &AccountId, entity: &E) -> Result<()> {
    match entity.boundary() {
        None => Ok(()),
        Some(boundary) => require(tx, account, EntityKind::Policy, boundary).await,
    }
}

/// Fails while anything hangs on it, and says what: whoever deletes a user should know what goes.
async fn require_free(tx: &mut Tx, account: &AccountId, kind: EntityKind, name: &str) -> Result<()> {
    let policies = [
        (
            "inline policies",
            "select count(*) from iam_inline_policy where account_id = $1 and kind = $2 and name = $3",
        ),
        (
            "attached policies",
            "select count(*) from iam_attachment where account_id = $1 and kind = $2 and name = $3",
        ),
    ];
    // The kind is bound as $2 everywhere, so it has to be used.
    let others: &[(&str, &'static str)] = match kind {
        EntityKind::User => &[
            (
                "access keys",
                "select count(*) from access_key where account_id = $1 and 'user' = $2 and user_name = $3",
            ),
            (
                "memberships of groups",
                "select count(*) from iam_member where account_id = $1 and 'user' = $2 and user_name = $3",
            ),
        ],
        EntityKind::Group => &[(
            "members",
            "select count(*) from iam_member where account_id = $1 and 'group' = $2 and group_name = $3",
        )],
        EntityKind::Role => &[],
        EntityKind::Policy => &[
            (
                "attachments",
                "select count(*) from iam_attachment where account_id = $1 and 'policy' = $2 and policy_name = $3",
            ),
            (
                "principals whose boundary it is",
                "select count(*) from iam_entity where account_id = $1 and 'policy' = $2 and boundary = $3",
            ),
        ],
    };
    let holder = domain::iam::entity::Holder {
        kind,
        name: name.to_owned(),
    };
    for (what, sql) in policies.iter().chain(others) {
        let found = super::count(tx, account, &holder, sql).await?;
        if found > 0 {
            let sentence = format!("{kind} {name} still has {what} ({found}): remove them first");
            return Err(domain::Error::Conflict(sentence).into());
        }
    }
    Ok(())
}

fn text<E: Entity>(entity: &E) -> Result<String> {
    serde_json::to_string(entity).map_err(|error| Error::corrupt(E::KIND.as_str(), error))
}
