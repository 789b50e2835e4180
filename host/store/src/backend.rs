//! Two databases, one text: typed pools and connections in an enum, and macros that expand one body for
//! both. `$1` is a placeholder on both; the few differences stand in `dialect.rs`.

use jiff::Timestamp;
use pinion_domain as domain;
use pinion_domain::page::PageRequest;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use crate::{Error, Result};

/// Connections that read.
#[derive(Clone, Debug)]
pub(crate) enum Pools {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The writer's own connection, inside a transaction.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Expands `$body` for both databases with `$db` as a pool to read from, inside a span that knows the file and
/// the line of the query.
macro_rules! read {
    ($pools:expr, |$db:ident| $body:expr) => {
        tracing::Instrument::instrument(
            async {
                match &$pools {
                    $crate::backend::Pools::Sqlite($db) => $body,
                    $crate::backend::Pools::Postgres($db) => $body,
                }
            },
            tracing::debug_span!("db.read"),
        )
        .await
    };
}

/// Expands `$body` for both databases with `$db` as the transaction's connection (use `&mut *$db`).
macro_rules! write {
    ($tx:expr, |$db:ident| $body:expr) => {
        match &mut $tx.connection {
            $crate::backend::Connection::Sqlite($db) => $body,
            $crate::backend::Connection::Postgres($db) => $body,
        }
    };
}

pub(crate) use {read, write};

/// Reads a column of milliseconds since 1970.
pub(crate) fn instant(milliseconds: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).map_err(|error| Error::corrupt("time", error))
}

/// Where a page by creation begins: behind this moment and id. Rows that come or go elsewhere do not
/// move it.
pub(crate) struct PageKey {
    pub(crate) at: i64,
    pub(crate) id: String,
}

impl PageKey {
    /// Of a list that ascends.
    pub(crate) fn oldest_first(page: &PageRequest) -> Result<Self> {
        Self::read(page, i64::MIN)
    }

    /// Of a list that descends.
    pub(crate) fn newest_first(page: &PageRequest) -> Result<Self> {
        Self::read(page, i64::MAX)
    }

    /// What [`PageRequest::after`] gives back.
    pub(crate) fn write(at: i64, id: &str) -> String {
        format!("{at} {id}")
    }

    /// The error of a token that no list gave.
    pub(crate) fn foreign() -> Error {
        domain::Error::invalid("token", "is not a token of ours").into()
    }

    fn read(page: &PageRequest, start: i64) -> Result<Self> {
        let Some(after) = &page.after else {
            return Ok(Self {
                at: start,
                id: String::new(),
            });
        };
        let (at, id) = after.split_once(' ').ok_or_else(Self::foreign)?;
        Ok(Self {
            at: at.parse().map_err(|_| Self::foreign())?,
            id: id.to_owned(),
        })
    }
}
