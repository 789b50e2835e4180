//! What differs between the two databases, side by side.
//!
//! | | SQLite | PostgreSQL |
//! |---|---|---|
//! | begin | `begin immediate`, one writer | `begin` |
//! | `rev` | a counter in `meta`, raised by the writer | epoch and transaction id |
//! | followers read up to | everything | the oldest transaction that still runs |
//! | lock suffix | none | `for update` |

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};
use tracing::warn;

use crate::backend::{Connection, Pools};
use crate::{Error, Result};

/// Revisions of PostgreSQL are `epoch << EPOCH_SHIFT | transaction id`.
const EPOCH_SHIFT: u32 = 44;

/// Where a database is, and how to connect to it.
#[derive(Clone, Debug)]
pub(crate) enum Connector {
    Sqlite(PathBuf),
    Postgres {
        options: Box<PgConnectOptions>,
        epoch: i64,
    },
}

impl Connector {
    /// A file, made if it is not there.
    pub(crate) fn sqlite(path: PathBuf) -> Self {
        Self::Sqlite(path)
    }

    /// A server. The epoch is not known before the first connection: see [`Connector::set_epoch`].
    pub(crate) fn postgres(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| Error::Setup(format!("database.url: {error}")))?
            .application_name("pinion");
        Ok(Self::Postgres {
            options: Box::new(options),
            epoch: 0,
        })
    }

    pub(crate) fn set_epoch(&mut self, restored: i64) {
        if let Self::Postgres { epoch, .. } = self {
            *epoch = restored;
        }
    }

    /// A connection for the writer.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        Ok(match self {
            Self::Sqlite(path) => Connection::Sqlite(sqlite_writer(path).connect().await?),
            Self::Postgres { options, .. } => {
                let mut connection = options.connect().await?;
                let epoch = self.epoch();
                sqlx::query("select set_config('pinion.epoch', $1, false)")
                    .bind(epoch.to_string())
                    .execute(&mut connection)
                    .await?;
                Connection::Postgres(connection)
            }
        })
    }

    /// Connections for readers. SQLite's can only read.
    pub(crate) async fn pool(&self) -> Result<Pools> {
        Ok(match self {
            Self::Sqlite(path) => Pools::Sqlite(
                SqlitePoolOptions::new()
                    .max_connections(8)
                    .acquire_timeout(Duration::from_secs(30))
                    .connect_with(sqlite_reader(path))
                    .await?,
            ),
            Self::Postgres { options, .. } => Pools::Postgres(
                PgPoolOptions::new()
                    .max_connections(16)
                    .acquire_timeout(Duration::from_secs(30))
                    .connect_with(options.as_ref().clone())
                    .await?,
            ),
        })
    }

    /// Leaves one file behind after everybody hung up: the last to leave a SQLite file moves the log into
    /// it, but the readers cannot.
    pub(crate) async fn tidy(&self) {
        if let Self::Sqlite(_) = self {
            match self.connect().await {
                Ok(connection) => connection.close().await,
                Err(error) => {
                    warn!(%error, "the log was not moved into the database; the next start does it");
                }
            }
        }
    }

    pub(crate) fn epoch(&self) -> i64 {
        match self {
            Self::Sqlite(_) => 0,
            Self::Postgres { epoch, .. } => *epoch,
        }
    }
}

fn sqlite_reader(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("cache_size", "-65536")
        .pragma("mmap_size", "268435456")
        .pragma("temp_store", "memory")
        .statement_cache_capacity(256)
        // Rows cross threads in a channel: a short one wakes both sides for every few of them.
        .row_buffer_size(1_000)
}

fn sqlite_writer(path: &Path) -> SqliteConnectOptions {
    sqlite_reader(path)
        .read_only(false)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An answer means durable: NORMAL would lose acknowledged writes on power loss.
        .synchronous(SqliteSynchronous::Full)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .pragma("wal_autocheckpoint", "4000")
}

impl Connection {
    /// Begins a transaction and tells its revision.
    ///
    /// The events file has no followers, so it does without revisions.
    pub(crate) async fn begin(&mut self, revisions: bool) -> Result<i64> {
        match self {
            Self::Sqlite(db) => begin_sqlite(db, revisions).await,
            Self::Postgres(db) => begin_postgres(db, revisions).await,
        }
    }

    /// Begins a transaction, without a revision, that nobody else's writing to a table overlaps.
    pub(crate) async fn begin_alone(&mut self, table: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(db) => sqlx::raw_sql("begin immediate")
                .execute(&mut *db)
                .await
                .map(drop)?,
            Self::Postgres(db) => {
                let sql = format!("begin; lock table {table} in exclusive mode");
                sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(&mut *db)
                    .await
                    .map(drop)?;
            }
        }
        Ok(())
    }

    /// The revision of a transaction that began without one, if commits have another order than the numbers
    /// that writers count up: on PostgreSQL, where there are several writers.
    pub(crate) async fn transaction_rev(&mut self, epoch: i64) -> Result<Option<i64>> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(db) => {
                let xid: i64 = sqlx::query_scalar("select pg_current_xact_id()::text::bigint")
                    .fetch_one(&mut *db)
                    .await?;
                Ok(Some(epoch << EPOCH_SHIFT | xid))
            }
        }
    }

    /// What a `select` ends with that keeps other writers off its rows until the commit.
    pub(crate) fn lock_suffix(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " for update",
        }
    }

    /// `commit` or `rollback`.
    pub(crate) async fn finish(&mut self, how: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(db) => sqlx::raw_sql(how).execute(&mut *db).await.map(drop)?,
            Self::Postgres(db) => sqlx::raw_sql(how).execute(&mut *db).await.map(drop)?,
        }
        Ok(())
    }

    /// Hangs up; errors have no use for anybody.
    pub(crate) async fn close(self) {
        let _ = match self {
            Self::Sqlite(db) => db.close().await,
            Self::Postgres(db) => db.close().await,
        };
    }
}

async fn begin_sqlite(db: &mut SqliteConnection, revisions: bool) -> Result<i64> {
    sqlx::raw_sql("begin immediate").execute(&mut *db).await?;
    if !revisions {
        return Ok(0);
    }
    Ok(sqlx::query_scalar(
        "update meta set value = cast(value as integer) + 1 where name = 'rev' returning cast(value as integer)",
    )
    .fetch_one(&mut *db)
    .await?)
}

async fn begin_postgres(db: &mut PgConnection, revisions: bool) -> Result<i64> {
    sqlx::raw_sql("begin").execute(&mut *db).await?;
    if !revisions {
        return Ok(0);
    }
    let (xid, epoch): (i64, i64) =
        sqlx::query_as("select pg_current_xact_id()::text::bigint, current_setting('pinion.epoch')::bigint")
            .fetch_one(&mut *db)
            .await?;
    Ok(epoch << EPOCH_SHIFT | xid)
}

impl Pools {
    /// The revision up to which everything is committed: a follower reads `rev <= this` and misses
    /// nothing. On PostgreSQL commits are not in the order of their ids, so it stops before the oldest
    /// transaction that still runs. Ids are counted for the whole cluster: one that is known to run in
    /// another database does not count, or a long one there would hold up everybody here.
    pub(crate) async fn settled_rev(&self, epoch: i64) -> Result<i64> {
        match self {
            Self::Sqlite(db) => {
                let rev: i64 =
                    sqlx::query_scalar("select cast(value as integer) from meta where name = 'rev'")
                        .fetch_one(db)
                        .await?;
                Ok(rev)
            }
            Self::Postgres(db) => {
                let oldest: i64 = sqlx::query_scalar(
                    "with moment as materialized (select pg_current_snapshot() as snapshot)
                     select coalesce(
                         (select min(running.id::text::bigint)
                          from moment, pg_snapshot_xip(snapshot) as running(id)
                          where not exists (
                              select 1 from pg_stat_activity
                              where datname <> current_database() and backend_xid = running.id::xid)),
                         (select pg_snapshot_xmax(snapshot)::text::bigint from moment))",
                )
                .fetch_one(db)
                .await?;
                Ok(epoch << EPOCH_SHIFT | (oldest - 1))
            }
        }
    }

    /// The same for rows whose revision is [`Connection::transaction_rev`] or else their own number. Those of
    /// the embedded database have one writer, so what can be read is complete.
    pub(crate) async fn settled_number(&self, epoch: i64) -> Result<i64> {
        match self {
            Self::Sqlite(_) => Ok(i64::MAX),
            Self::Postgres(_) => self.settled_rev(epoch).await,
        }
    }

    /// Hangs up.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(db) => db.close().await,
            Self::Postgres(db) => db.close().await,
        }
    }
}
