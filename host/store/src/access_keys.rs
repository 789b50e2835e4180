//! Access keys: what signs requests. Secrets are sealed, not hashed, since checking a signature needs them.

use std::fmt;

use pinion_domain::clock::iso;
use pinion_domain::id::{AccessKeyId, AccountId};
use rand::RngExt;
use sqlx::FromRow;
use zeroize::Zeroizing;

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
    /// The ARN that requests signed by it come from.
    pub principal: String,
    /// Forty characters; leaves memory when dropped.
    pub secret: Zeroizing<String>,
    /// May it sign?
    pub enabled: bool,
    /// ISO instant.
    pub creation_date: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .field("account", &self.account)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

#[derive(FromRow)]
struct Row {
    access_key_id: String,
    account_id: String,
    principal: String,
    secret_sealed: Vec<u8>,
    enabled: i16,
    created_at: i64,
}

macro_rules! columns {
    () => {
        "select access_key_id, account_id, principal, secret_sealed, enabled, created_at from access_key"
    };
}

/// Letters and digits that are not mistaken for one another, as AWS uses them in key ids.
const ID_LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Store {
    /// Makes a key for an account; `None` means the default account, which is made once.
    pub async fn create_access_key(&self, account: Option<AccountId>) -> Result<AccessKey> {
        struct Input {
            id: String,
            account: AccountId,
            principal: String,
            secret_sealed: Vec<u8>,
        }
        let account = match account {
            Some(account) => account,
            None => self.default_account().await?,
        };
        let id = format!("AKIA{}", draw(ID_LETTERS, 16));
        let secret = Zeroizing::new(draw(SECRET_LETTERS, 40));
        let input = Input {
            principal: format!("arn:aws:iam::{account}:root"),
            secret_sealed: self.inner.secrets.seal(secret.as_bytes(), &bound(&id)),
            id,
            account,
        };
        self.inner
            .main
            .write(Lane::Interactive, input, |tx, input| {
                Box::pin(async move {
                    let now = tx.now;
                    write!(tx, |db| sqlx::query(
                        "insert into access_key (access_key_id, account_id, principal, secret_sealed, created_at)
                         values ($1, $2, $3, $4, $5)"
                    )
                    .bind(&input.id)
                    .bind(input.account.as_str())
                    .bind(&input.principal)
                    .bind(&input.secret_sealed)
                    .bind(now.as_millisecond())
                    .execute(&mut *db)
                    .await
                    .map(drop))?;
                    Ok((input.id.clone(), input.account.clone(), input.principal.clone(), now))
                })
            })
            .await
            .map(|(id, account, principal, now)| AccessKey {
                id: id.into(),
                account,
                principal,
                secret,
                enabled: true,
                creation_date: iso(now),
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

    /// Lets a key sign, or not; `false` if there is no such key.
    pub async fn set_access_key_enabled(&self, id: &AccessKeyId, enabled: bool) -> Result<bool> {
        self.inner
            .main
            .write(Lane::Interactive, (id.clone(), enabled), |tx, (id, enabled)| {
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
            principal: row.principal,
            secret: Zeroizing::new(secret),
            enabled: row.enabled != 0,
            creation_date: iso(instant(row.created_at)?),
        })
    }
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
