//! Opening a data folder: lock, migrations, identity, master key, epoch; and backup.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use pinion_domain::clock::Clock;
use pinion_domain::id::fresh_id;
use rand::RngExt;
use sqlx::migrate::Migrator;
use tracing::{info, warn};

use crate::backend::{self, Connection, Pools};
use crate::dialect::Connector;
use crate::seal::{MasterKey, Sealer};
use crate::writer::Writer;
use crate::{Database, Error, Inner, Result, Store};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static SQLITE_EVENTS: Migrator = sqlx::migrate!("migrations/sqlite_events");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Where the data is and how it is opened.
#[derive(Clone)]
pub struct Options {
    /// The data folder; with PostgreSQL it still holds key, identity and caches.
    pub folder: PathBuf,
    /// `postgres://…`; absent means SQLite files in the folder.
    pub database_url: Option<String>,
    /// Absent means `master.key` of the folder, made if it is not there.
    pub master_key: Option<MasterKey>,
    /// The one server of the folder: locks it and raises the epoch. Commands beside a server leave it
    /// `false`.
    pub serve: bool,
}

impl Store {
    /// Opens the data, making or migrating it as needed.
    ///
    /// Fails if another server holds the folder, the master key is not the one that sealed the data, or
    /// the database is newer than this server.
    pub async fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self> {
        let folder = options.folder;
        fs::create_dir_all(&folder)
            .map_err(|error| Error::Setup(format!("{}: {error}", folder.display())))?;
        let lock = if options.serve { Some(lock(&folder)?) } else { None };
        let master = match options.master_key {
            Some(key) => Some(key),
            None => MasterKey::read(&folder)?,
        };
        let (mut main, events) = match &options.database_url {
            None => (
                Connector::sqlite(folder.join("pinion.db")),
                Connector::sqlite(folder.join("events.db")),
            ),
            Some(url) => (Connector::postgres(url)?, Connector::postgres(url)?),
        };
        migrate(&main, &events).await?;
        let mut setup = main.connect().await?;
        let facts = prepare(&mut setup, &folder, master, options.serve).await?;
        setup.close().await;
        main.set_epoch(facts.restored);
        let master = facts.master;

        let secrets = Sealer::new(&master.derive("secrets"));
        let (main, main_task) = start(main, true, &clock).await?;
        let (events, events_task) = start(events, false, &clock).await?;
        let store = Self {
            inner: Arc::new(Inner {
                clock,
                master,
                secrets,
                main,
                events,
                writer_id: rand::rng().random_range(1..i64::MAX),
                epoch: facts.epoch,
                held: AtomicBool::new(facts.held),
                access_changes: AtomicU64::new(0),
                quotas: RwLock::default(),
                lock: Mutex::new(lock),
                apps: RwLock::new(HashMap::new()),
                recent_channels: crate::channels::Recent::default(),
                tasks: Mutex::new(vec![main_task, events_task]),
            }),
            quotas: Arc::default(),
        };
        if facts.held {
            warn!("this data was opened under a new identity: sending is held until it is released");
        }
        if options.serve {
            store.purge_apps().await?;
        }
        Ok(store)
    }

    /// Writes what waits, closes all connections and gives up the lock.
    pub async fn close(&self) {
        drop(self.inner.main.writer.write().take());
        drop(self.inner.events.writer.write().take());
        let tasks = std::mem::take(&mut *self.inner.tasks.lock());
        for task in tasks {
            if let Err(error) = task.await {
                warn!(%error, "the writer did not end in peace");
            }
        }
        for database in [&self.inner.main, &self.inner.events] {
            database.pools.close().await;
            database.connector.tidy().await;
        }
        self.inner.lock.lock().take();
    }

    /// Can the databases be asked? For `/readyz`.
    pub async fn ping(&self) -> Result<()> {
        for pools in [&self.inner.main.pools, &self.inner.events.pools] {
            backend::read!(*pools, |db| sqlx::query("select 1").execute(db).await.map(drop))?;
        }
        Ok(())
    }

    /// What the database server's clock says; an embedded database has none of its own.
    pub async fn database_clock(&self) -> Result<Option<Timestamp>> {
        let Pools::Postgres(db) = &self.inner.main.pools else {
            return Ok(None);
        };
        let sql = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
        let milliseconds: i64 = sqlx::query_scalar(sql).fetch_one(db).await?;
        backend::instant(milliseconds).map(Some)
    }

    /// When the newest application, key, job or run was made.
    pub async fn newest(&self) -> Result<Option<Timestamp>> {
        let newest: Option<i64> = backend::read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select max(made) from (
                 select max(created_at) as made from app
                 union all select max(created_at) from access_key
                 union all select max(created_at) from job
                 union all select max(started_at) from run
             ) newest"
        )
        .fetch_one(db)
        .await)?;
        newest.map(backend::instant).transpose()
    }

    /// Is sending held because the data was opened under a new identity?
    pub fn is_held(&self) -> bool {
        self.inner.held.load(Ordering::Relaxed)
    }

    /// Lets sending begin.
    pub async fn release_hold(&self) -> Result<()> {
        self.inner
            .main
            .write(crate::Lane::Interactive, (), |tx, ()| {
                Box::pin(async move { set_meta(&mut tx.connection, "held", "0").await })
            })
            .await?;
        self.inner.held.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Copies both databases into `to`, each as it is at one moment, the events a little later than the
    /// rest. `to` must not exist yet. The master key is not copied: keep it elsewhere. Only for embedded databases; PostgreSQL has its own tools.
    ///
    /// The copy knows its identity but has no identity file, so opening it holds sending.
    pub async fn backup(&self, to: &Path) -> Result<()> {
        let (Pools::Sqlite(main), Pools::Sqlite(events)) = (&self.inner.main.pools, &self.inner.events.pools)
        else {
            return Err(Error::Setup(
                "back up PostgreSQL with its own tools, such as pg_dump".to_owned(),
            ));
        };
        let setup = |error: std::io::Error| Error::Setup(format!("{}: {error}", to.display()));
        fs::create_dir(to).map_err(setup)?;
        for (pool, name) in [(main, "pinion.db"), (events, "events.db")] {
            let target = to.join(name);
            let target = target
                .to_str()
                .ok_or_else(|| Error::Setup("the path must be UTF-8".to_owned()))?;
            sqlx::query("vacuum into $1").bind(target).execute(pool).await?;
            fs::File::open(target)
                .and_then(|file| file.sync_all())
                .map_err(setup)?;
        }
        fs::File::open(to)
            .and_then(|folder| folder.sync_all())
            .map_err(setup)?;
        info!(to = %to.display(), "backup written");
        Ok(())
    }
}

async fn start(
    connector: Connector,
    revisions: bool,
    clock: &Arc<dyn Clock>,
) -> Result<(Database, tokio::task::JoinHandle<()>)> {
    let connection = connector.connect().await?;
    let pools = connector.pool().await?;
    let (writer, task) = Writer::start(connector.clone(), connection, revisions, Arc::clone(clock));
    Ok((
        Database {
            connector,
            pools,
            writer: RwLock::new(Some(writer)),
        },
        task,
    ))
}

fn lock(folder: &Path) -> Result<fs::File> {
    let path = folder.join("lock");
    let file = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| Error::Setup(format!("{}: {error}", path.display())))?;
    file.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => Error::Setup(format!(
            "{} is served by another process already",
            folder.display()
        )),
        fs::TryLockError::Error(error) => Error::Setup(format!("{}: {error}", path.display())),
    })?;
    Ok(file)
}

async fn migrate(main: &Connector, events: &Connector) -> Result<()> {
    for (connector, sqlite) in [(main, &SQLITE), (events, &SQLITE_EVENTS)] {
        let mut connection = connector.connect().await?;
        match &mut connection {
            Connection::Sqlite(db) => sqlite.run(&mut *db).await?,
            // One folder serves both parts; the second run finds nothing to do.
            Connection::Postgres(db) => POSTGRES.run(&mut *db).await?,
        }
        connection.close().await;
    }
    Ok(())
}

struct Facts {
    master: MasterKey,
    epoch: i64,
    restored: i64,
    held: bool,
}

/// Reads and sets what `meta` knows, in one transaction.
async fn prepare(
    connection: &mut Connection,
    folder: &Path,
    master: Option<MasterKey>,
    serve: bool,
) -> Result<Facts> {
    connection.begin_alone("meta").await?;
    if meta(connection, "rev").await?.is_none() {
        set_meta(connection, "rev", "1").await?;
    }
    let master = match meta(connection, "key_check").await? {
        None => {
            let master = master.map_or_else(|| MasterKey::create(folder), Ok)?;
            let sealed = Sealer::new(&master.derive("check")).seal(b"pinion", "key_check");
            set_meta(connection, "key_check", &hex::encode(sealed)).await?;
            master
        }
        Some(sealed) => {
            // A key made now would only hide that the true one is elsewhere.
            let master = master.ok_or_else(|| {
                Error::Setup(format!(
                    "this data is sealed, and its master key is not in {}: give the key that it was made with",
                    folder.join("master.key").display()
                ))
            })?;
            let sealed = hex::decode(sealed).map_err(|error| Error::corrupt("meta key_check", error))?;
            Sealer::new(&master.derive("check"))
                .open(&sealed, "key_check", "check value")
                .map_err(|_| {
                    Error::Setup("the master key is not the one that sealed this data".to_owned())
                })?;
            master
        }
    };
    let identity_file = folder.join("identity");
    let here = fs::read_to_string(&identity_file).ok();
    let known = meta(connection, "identity").await?;
    // Several servers share one PostgreSQL; only an embedded database can be a copy without knowing it.
    let embedded = matches!(connection, Connection::Sqlite(_));
    if known.is_none() || (embedded && known != here) {
        let moved = known.is_some();
        let fresh = fresh_id();
        set_meta(connection, "identity", &fresh).await?;
        if moved {
            set_meta(connection, "held", "1").await?;
            let restored = number(meta(connection, "restored").await?) + 1;
            set_meta(connection, "restored", &restored.to_string()).await?;
        }
        fs::write(&identity_file, &fresh)
            .map_err(|error| Error::Setup(format!("{}: {error}", identity_file.display())))?;
    }
    let mut epoch = number(meta(connection, "epoch").await?);
    if serve {
        epoch += 1;
        set_meta(connection, "epoch", &epoch.to_string()).await?;
    }
    let held = meta(connection, "held").await?.as_deref() == Some("1");
    let restored = number(meta(connection, "restored").await?);
    connection.finish("commit").await?;
    Ok(Facts {
        master,
        epoch,
        restored,
        held,
    })
}

fn number(value: Option<String>) -> i64 {
    value.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A fact of `meta`.
pub(crate) async fn meta(connection: &mut Connection, name: &str) -> Result<Option<String>> {
    const SQL: &str = "select value from meta where name = $1";
    Ok(match connection {
        Connection::Sqlite(db) => {
            sqlx::query_scalar(SQL)
                .bind(name)
                .fetch_optional(&mut *db)
                .await?
        }
        Connection::Postgres(db) => {
            sqlx::query_scalar(SQL)
                .bind(name)
                .fetch_optional(&mut *db)
                .await?
        }
    })
}

/// Sets a fact of `meta`.
pub(crate) async fn set_meta(connection: &mut Connection, name: &str, value: &str) -> Result<()> {
    const SQL: &str = "insert into meta (name, value) values ($1, $2) \
                       on conflict (name) do update set value = excluded.value";
    match connection {
        Connection::Sqlite(db) => sqlx::query(SQL)
            .bind(name)
            .bind(value)
            .execute(&mut *db)
            .await
            .map(drop)?,
        Connection::Postgres(db) => sqlx::query(SQL)
            .bind(name)
            .bind(value)
            .execute(&mut *db)
            .await
            .map(drop)?,
    }
    Ok(())
}
