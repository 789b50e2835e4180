//! The documents that enable a channel for an application. Credentials are sealed beside them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use pinion_domain::channel::{ChannelType, Credentials};
use pinion_domain::clock::iso;
use serde_json::Value;
use sqlx::FromRow;

use crate::backend::{instant, read, write};
use crate::writer::Tx;
use crate::{AppRef, Error, Lane, Result, Store};

/// A channel of an application, as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelRow {
    /// Which channel.
    pub channel_type: ChannelType,
    /// What the request said.
    pub document: Value,
    /// Keys and passwords.
    pub credentials: Credentials,
    /// 1 at first, and one more with every write.
    pub version: i32,
    /// ISO instant.
    pub creation_date: String,
    /// ISO instant.
    pub last_modified_date: String,
    /// The name of who wrote it.
    pub last_modified_by: String,
}

/// What a channel is to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewChannel {
    /// What clients are told again.
    pub document: Value,
    /// Keys and passwords.
    pub credentials: Credentials,
    /// The name of who writes it.
    pub by: String,
}

impl From<Value> for NewChannel {
    fn from(document: Value) -> Self {
        Self {
            document,
            ..Self::default()
        }
    }
}

#[derive(FromRow)]
struct Row {
    channel_type: String,
    document: String,
    credentials_sealed: Option<Vec<u8>>,
    version: i32,
    created_at: i64,
    modified_at: i64,
    modified_by: String,
}

macro_rules! columns {
    () => {
        "channel_type, document, credentials_sealed, version, created_at, modified_at, modified_by"
    };
}

impl Store {
    /// Enables or changes a channel.
    pub async fn put_channel(
        &self,
        app: &AppRef,
        channel_type: ChannelType,
        channel: impl Into<NewChannel>,
    ) -> Result<ChannelRow> {
        struct Input {
            app_no: i64,
            channel_type: ChannelType,
            document: String,
            sealed: Option<Vec<u8>>,
            by: String,
        }
        let channel: NewChannel = channel.into();
        let input = Input {
            app_no: app.no,
            channel_type,
            document: channel.document.to_string(),
            sealed: seal(app, channel_type, &channel.credentials)?,
            by: channel.by,
        };
        let row = self
            .inner
            .main
            .write(Lane::Interactive, input, |tx, input| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    let row: Row = write!(tx, |db| sqlx::query_as(concat!(
                        "insert into channel (app_no, channel_type, document, credentials_sealed, version,
                                              created_at, modified_at, modified_by)
                         values ($1, $2, $3, $4, 1, $5, $5, $6)
                         on conflict (app_no, channel_type) do update set
                             document = excluded.document,
                             credentials_sealed = excluded.credentials_sealed,
                             version = channel.version + 1,
                             modified_at = excluded.modified_at,
                             modified_by = excluded.modified_by
                         returning ",
                        columns!()
                    ))
                    .bind(input.app_no)
                    .bind(input.channel_type.as_str())
                    .bind(&input.document)
                    .bind(&input.sealed)
                    .bind(now)
                    .bind(&input.by)
                    .fetch_one(&mut *db)
                    .await)?;
                    Ok(row)
                })
            })
            .await?;
        self.inner.recent_channels.forget();
        ChannelRow::of(app, row)
    }

    /// A channel, if it was ever enabled.
    pub async fn channel(&self, app: &AppRef, channel_type: ChannelType) -> Result<Option<ChannelRow>> {
        let row: Option<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            "select ",
            columns!(),
            " from channel where app_no = $1 and channel_type = $2"
        ))
        .bind(app.no)
        .bind(channel_type.as_str())
        .fetch_optional(db)
        .await)?;
        row.map(|row| ChannelRow::of(app, row)).transpose()
    }

    /// All channels of an application, by type.
    pub async fn channels(&self, app: &AppRef) -> Result<Vec<ChannelRow>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            "select ",
            columns!(),
            " from channel where app_no = $1 order by channel_type"
        ))
        .bind(app.no)
        .fetch_all(db)
        .await)?;
        rows.into_iter().map(|row| ChannelRow::of(app, row)).collect()
    }

    /// Removes a channel and tells what it was.
    pub async fn delete_channel(
        &self,
        app: &AppRef,
        channel_type: ChannelType,
    ) -> Result<Option<ChannelRow>> {
        let row = self
            .inner
            .main
            .write(
                Lane::Interactive,
                (app.no, channel_type),
                |tx, (app_no, channel_type)| Box::pin(delete(tx, *app_no, *channel_type)),
            )
            .await?;
        self.inner.recent_channels.forget();
        row.map(|row| ChannelRow::of(app, row)).transpose()
    }

    /// What a channel's document said at most a second ago, and never what it said before a change that this
    /// process made: every direct message asks for it, and it hardly ever changes.
    pub async fn recent_channel(
        &self,
        app: &AppRef,
        channel_type: ChannelType,
    ) -> Result<Option<Arc<Value>>> {
        let recent = &self.inner.recent_channels;
        let now = self.inner.clock.now();
        // Before the read: a change while it lasts makes what it finds an old answer.
        let change = recent.changes.load(Ordering::Acquire);
        let key = (app.no, channel_type);
        if let Some(seen) = recent.seen.read().get(&key)
            && seen.change == change
            && now.duration_since(seen.at).abs() < FRESH
        {
            return Ok(seen.document.clone());
        }
        let row = self.channel(app, channel_type).await?;
        let document = row.map(|row| Arc::new(row.document));
        let mut seen = recent.seen.write();
        if seen.len() >= MOST_RECENT {
            seen.clear();
        }
        seen.insert(
            key,
            Seen {
                document: document.clone(),
                change,
                at: now,
            },
        );
        Ok(document)
    }
}

/// How long a document is believed to be as it was read.
const FRESH: SignedDuration = SignedDuration::from_secs(1);
/// Everything is forgotten when there are that many.
const MOST_RECENT: usize = 4_096;

/// Documents that were read a moment ago; no credentials.
#[derive(Default)]
pub(crate) struct Recent {
    /// Changes that this process made.
    changes: AtomicU64,
    seen: RwLock<HashMap<(i64, ChannelType), Seen>>,
}

struct Seen {
    document: Option<Arc<Value>>,
    change: u64,
    at: Timestamp,
}

impl Recent {
    fn forget(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }
}

async fn delete(tx: &mut Tx, app_no: i64, channel_type: ChannelType) -> Result<Option<Row>> {
    Ok(write!(tx, |db| sqlx::query_as(concat!(
        "delete from channel where app_no = $1 and channel_type = $2 returning ",
        columns!()
    ))
    .bind(app_no)
    .bind(channel_type.as_str())
    .fetch_optional(&mut *db)
    .await)?)
}

/// What sealed credentials belong to.
fn bound(app: &AppRef, channel_type: ChannelType) -> String {
    format!("{}|channel|{channel_type}", app.id)
}

fn seal(app: &AppRef, channel_type: ChannelType, credentials: &Credentials) -> Result<Option<Vec<u8>>> {
    if credentials.is_empty() {
        return Ok(None);
    }
    let plain = serde_json::to_vec(credentials).map_err(|error| Error::corrupt("credentials", error))?;
    let plain = zeroize::Zeroizing::new(plain);
    Ok(Some(app.keys.sealer.seal(&plain, &bound(app, channel_type))))
}

fn open(app: &AppRef, channel_type: ChannelType, sealed: Option<&[u8]>) -> Result<Credentials> {
    let Some(sealed) = sealed else {
        return Ok(Credentials::default());
    };
    let plain = app
        .keys
        .sealer
        .open(sealed, &bound(app, channel_type), "credentials")?;
    serde_json::from_slice(&plain).map_err(|error| Error::corrupt("credentials", error))
}

impl ChannelRow {
    /// Is the channel switched on? Absent counts as that.
    pub fn is_enabled(&self) -> bool {
        self.document
            .get("Enabled")
            .and_then(Value::as_bool)
            .unwrap_or(true)
    }

    fn of(app: &AppRef, row: Row) -> Result<Self> {
        let channel_type = row
            .channel_type
            .parse()
            .map_err(|()| Error::corrupt("channel", format!("no type {}", row.channel_type)))?;
        Ok(Self {
            channel_type,
            document: serde_json::from_str(&row.document)
                .map_err(|error| Error::corrupt("channel", error))?,
            credentials: open(app, channel_type, row.credentials_sealed.as_deref())?,
            version: row.version,
            creation_date: iso(instant(row.created_at)?),
            last_modified_date: iso(instant(row.modified_at)?),
            last_modified_by: row.modified_by,
        })
    }
}
