//! Access keys: what signs requests. Secrets are sealed, not hashed, since checking a signature needs them.

use std::fmt;

use pinion_domain as domain;
use pinion_domain::clock::iso;
use pinion_domain::iam::entity::{EntityKind, Holder, MOST_KEYS};
use pinion_domain::id::{AccessKeyId, AccountId};
use rand::RngExt;
use sqlx::FromRow;
use zeroize::Zeroizing;

use super::{count, require};
use crate::backend::{instant, read, write};
use crate::open::{meta, set_meta};
use crate::writer::Tx;
use crate::{Lane, Result, Store};

/// An access key with its secret. Its `Debug` form leaves the secret out.
#[derive(Clone)]
pub struct AccessKey {
    /// `AKIA` and sixteen letters and digits.
    pub id: AccessKeyId,
    /// Whose requests it signs.
    pub account: AccountId,
    /// The user; `None` is the account's root, which may do everything.
    pub user: Option<String>,
    /// Forty characters; leaves memory when dropped.
    pub secret: Zeroizing<String>,
    /// May it sign?
    pub enabled: bool,
    /// ISO instant.
    pub creation_date: String,
}

impl AccessKey {
    /// The ARN that requests signed by it come from.
    pub fn principal(&self) -> String {
        match &self.user {
            None => format!("arn:aws:iam::{}:root", self.account),
            Some(user) => EntityKind::User.arn(self.account.as_str(), user),
        }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .field("account", &self.account)
            .field("user", &self.user)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

#[derive(FromRow)]
struct Row {
    access_key_id: String,
    account_id: String,
    user_name: String,
    secret_sealed: Vec<u8>,
    enabled: i16,
    created_at: i64,
}

macro_rules! columns {
    () => {
        "select access_key_id, account_id, user_name, secret_sealed, enabled, created_at from access_key"
    };
}

/// Letters and digits that are not mistaken for one another, as AWS uses them in key ids.
const ID_LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct New {
    id: String,
    user: Option<String>,
    secret_sealed: Vec<u8>,
}

impl Store {
    /// Makes a key of an account's root; `None` means the default account, which is made once.
    pub async fn create_access_key(&self, account: Option<AccountId>) -> Result<AccessKey> {
        let account = match account {
            Some(account) => account,
            None => self.default_account().await?,
        };
        self.make_access_key(account, None).await
    }

    /// Makes a key of a user, who may have two.
    pub async fn create_user_access_key(&self, account: &AccountId, user: &str) -> Result<AccessKey> {
        self.make_access_key(account.clone(), Some(user.to_owned())).await
    }

    async fn make_access_key(&self, account: AccountId, user: Option<String>) -> Result<AccessKey> {
        let id = format!("AKIA{}", draw(ID_LETTERS, 16));
        let secret = Zeroizing::new(draw(SECRET_LETTERS, 40));
        let new = New {
            secret_sealed: self.inner.secrets.seal(secret.as_bytes(), &bound(&id)),
            id: id.clone(),
            user: user.clone(),
        };
        let made = self.change_access(&account, new, |tx, account, new| {
            Box::pin(insert(tx, account, new))
        });
        let creation_date = made.await?;
        Ok(AccessKey {
            id: id.into(),
            account,
            user,
            secret,
            enabled: true,
            creation_date,
        })
    }

    /// The key of that id, enabled or not.
    pub async fn access_key(&self, id: &AccessKeyId) -> Result<Option<AccessKey>> {
        let row: Option<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " where access_key_id = $1"
        ))
        .bind(id.as_str())
        .fetch_optional(db)
        .await)?;
        row.map(|row| self.access_key_of(row)).transpose()
    }

    /// All keys of all accounts, oldest first.
    pub async fn list_access_keys(&self) -> Result<Vec<AccessKey>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " order by created_at, access_key_id"
        ))
        .fetch_all(db)
        .await)?;
        rows.into_iter().map(|row| self.access_key_of(row)).collect()
    }

    /// The keys of a user, oldest first.
    pub async fn user_access_keys(&self, account: &AccountId, user: &str) -> Result<Vec<AccessKey>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " where account_id = $1 and user_name = $2 order by created_at, access_key_id"
        ))
        .bind(account.as_str())
        .bind(user)
        .fetch_all(db)
        .await)?;
        rows.into_iter().map(|row| self.access_key_of(row)).collect()
    }

    /// Lets a key sign, or not; `false` if there is no such key.
    pub async fn set_access_key_enabled(&self, id: &AccessKeyId, enabled: bool) -> Result<bool> {
        let Some(key) = self.access_key(id).await? else {
            return Ok(false);
        };
        self.change_access(&key.account, (id.clone(), enabled), |tx, _, (id, enabled)| {
            Box::pin(async move {
                let changed = write!(tx, |db| sqlx::query(
                    "update access_key set enabled = $2 where access_key_id = $1"
                )
                .bind(id.as_str())
                .bind(i16::from(*enabled))
                .execute(&mut *db)
                .await?
                .rows_affected());
                Ok(changed > 0)
            })
        })
        .await
    }

    /// Removes a user's key; `false` if the user has no such key.
    pub async fn delete_user_access_key(
        &self,
        account: &AccountId,
        user: &str,
        id: &AccessKeyId,
    ) -> Result<bool> {
        self.change_access(
            account,
            (user.to_owned(), id.clone()),
            |tx, account, (user, id)| {
                Box::pin(async move {
                    let deleted = write!(tx, |db| {
                        sqlx::query(
                    "delete from access_key where account_id = $1 and user_name = $2 and access_key_id = $3"
                )
                .bind(account.as_str())
                .bind(user)
                .bind(id.as_str())
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

    /// The account of whoever names none: twelve digits, drawn once for this data.
    pub async fn default_account(&self) -> Result<AccountId> {
        let known: Option<String> = read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select value from meta where name = 'default_account'"
        )
        .fetch_optional(db)
        .await)?;
        if let Some(account) = known {
            return Ok(account.into());
        }
        let drawn = draw(b"0123456789", 12);
        self.inner
            .main
            .write(Lane::Interactive, drawn, |tx, drawn| {
                Box::pin(settle_default_account(tx, drawn))
            })
            .await
    }

    fn access_key_of(&self, row: Row) -> Result<AccessKey> {
        let secret =
            self.inner
                .secrets
                .open_text(&row.secret_sealed, &bound(&row.access_key_id), "access key")?;
        Ok(AccessKey {
            id: row.access_key_id.into(),
            account: row.account_id.into(),
            user: (!row.user_name.is_empty()).then_some(row.user_name),
            secret: Zeroizing::new(secret),
            enabled: row.enabled != 0,
            creation_date: iso(instant(row.created_at)?),
        })
    }
}

/// Answers the instant.
async fn insert(tx: &mut Tx, account: &AccountId, new: &New) -> Result<String> {
    if let Some(user) = &new.user {
        require(tx, account, EntityKind::User, user).await?;
        let sql = "select count(*) from access_key where account_id = $1 and 'user' = $2 and user_name = $3";
        if count(tx, account, &Holder::user(user.as_str()), sql).await? >= MOST_KEYS {
            let sentence = format!("user {user} has {MOST_KEYS} access keys already, and may have no more");
            return Err(domain::Error::LimitExceeded(sentence).into());
        }
    }
    let now = tx.now;
    write!(tx, |db| sqlx::query(
        "insert into access_key (access_key_id, account_id, user_name, secret_sealed, created_at)
         values ($1, $2, $3, $4, $5)"
    )
    .bind(&new.id)
    .bind(account.as_str())
    .bind(new.user.as_deref().unwrap_or_default())
    .bind(&new.secret_sealed)
    .bind(now.as_millisecond())
    .execute(&mut *db)
    .await
    .map(drop))?;
    Ok(iso(now))
}

/// Somebody may have drawn one in the meantime: theirs stays.
async fn settle_default_account(tx: &mut Tx, drawn: &str) -> Result<AccountId> {
    if let Some(account) = meta(&mut tx.connection, "default_account").await? {
        return Ok(account.into());
    }
    set_meta(&mut tx.connection, "default_account", drawn).await?;
    Ok(drawn.into())
}

fn bound(id: &str) -> String {
    format!("access-key|{id}")
}

fn draw(letters: &[u8], count: usize) -> String {
    let mut rng = rand::rng();
    (0..count)
        .map(|_| char::from(letters[rng.random_range(0..letters.len())]))
        .collect()
}
