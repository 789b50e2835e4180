//! The documents that enable a channel for an application.

use pinion_domain::channel::ChannelType;
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
    /// 1 at first, and one more with every write.
    pub version: i32,
    /// ISO instant.
    pub creation_date: String,
    /// ISO instant.
    pub last_modified_date: String,
}

#[derive(FromRow)]
struct Row {
    channel_type: String,
    document: String,
    version: i32,
    created_at: i64,
    modified_at: i64,
}

macro_rules! columns {
    () => {
        "channel_type, document, version, created_at, modified_at"
    };
}

impl Store {
    /// Enables or changes a channel.
    pub async fn put_channel(
        &self,
        app: &AppRef,
        channel_type: ChannelType,
        document: Value,
    ) -> Result<ChannelRow> {
        let row = self
            .inner
            .main
            .write(
                Lane::Interactive,
                (app.no, channel_type, document.to_string()),
                |tx, (app_no, channel_type, document)| {
                    Box::pin(async move {
                        let now = tx.now.as_millisecond();
                        let row: Row = write!(tx, |db| sqlx::query_as(concat!(
                            "insert into channel (app_no, channel_type, document, version, created_at, modified_at)
                             values ($1, $2, $3, 1, $4, $4)
                             on conflict (app_no, channel_type) do update set
                                 document = excluded.document,
                                 version = channel.version + 1,
                                 modified_at = excluded.modified_at
                             returning ",
                            columns!()
                        ))
                        .bind(*app_no)
                        .bind(channel_type.as_str())
                        .bind(document)
                        .bind(now)
                        .fetch_one(&mut *db)
                        .await)?;
                        Ok(row)
                    })
                },
            )
            .await?;
        ChannelRow::of(&row)
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
        row.as_ref().map(ChannelRow::of).transpose()
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
        rows.iter().map(ChannelRow::of).collect()
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
        row.as_ref().map(ChannelRow::of).transpose()
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

impl ChannelRow {
    fn of(row: &Row) -> Result<Self> {
        Ok(Self {
            channel_type: row
                .channel_type
                .parse()
                .map_err(|()| Error::corrupt("channel", format!("no type {}", row.channel_type)))?,
            document: serde_json::from_str(&row.document)
                .map_err(|error| Error::corrupt("channel", error))?,
            version: row.version,
            creation_date: iso(instant(row.created_at)?),
            last_modified_date: iso(instant(row.modified_at)?),
        })
    }
}
