//! Databases for tests: SQLite in a temporary folder and PostgreSQL in a temporary cluster.
//!
//! The cluster is started once per process and goes away with it, however it ends. Instead of that,
//! `PINION_TEST_POSTGRES_URL` names a server in which each test makes a database of its own, and
//! `PINION_TEST_POSTGRES=off` leaves PostgreSQL out. Without either, a machine that cannot start a
//! cluster fails the test.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr as _;
use std::sync::{Arc, OnceLock};
use std::{env, fs};

use jiff::Timestamp;
use pinion_domain::clock::ManualClock;
use pinion_domain::id::{Tenant, fresh_id};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::{AppRef, Options, Store};

/// Runs a test on every database, each time with a fresh store and the clock that it goes
/// by.
pub async fn each_database(test: impl AsyncFn(Store, Arc<ManualClock>)) {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        test(store.clone(), Arc::clone(&clock)).await;
        store.close().await;
    })
    .await;
}

/// Like [`each_database`], for tests that open and close the store themselves.
pub async fn each_place(test: impl AsyncFn(&Place, Arc<ManualClock>)) {
    // A follower may have to stop at a transaction of any database of the cluster, so that tests on
    // PostgreSQL go one at a time.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

    // Names are shown with the panic of a test that fails.
    eprintln!("on SQLite");
    test(&Place::sqlite(), clock()).await;

    let _alone = ONE_AT_A_TIME.lock().await;
    if let Some(url) = fresh_postgres_database().await {
        eprintln!("on PostgreSQL");
        let place = Place {
            url: Some(url.clone()),
            ..Place::sqlite()
        };
        test(&place, clock()).await;
        drop_database(&url).await;
    }
}

/// A data folder, and a database on PostgreSQL if it is not an embedded one. Goes away when dropped.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    url: Option<String>,
}

impl Place {
    /// A place for the embedded database.
    pub fn sqlite() -> Self {
        Self {
            folder: temporary_folder(),
            url: None,
        }
    }

    /// Is this not the embedded database?
    pub fn is_postgres(&self) -> bool {
        self.url.is_some()
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How to open it as a server.
    pub fn options(&self) -> Options {
        Options {
            folder: self.folder.path().to_owned(),
            database_url: self.url.clone(),
            master_key: None,
            serve: true,
        }
    }

    /// Opens it as a server.
    pub async fn open(&self, clock: &Arc<ManualClock>) -> Store {
        Store::open(self.options(), Arc::clone(clock) as _)
            .await
            .expect("a fresh place opens")
    }
}

/// A clock that stands at 2026-03-02T10:00:00Z, a Monday.
pub fn clock() -> Arc<ManualClock> {
    let start: Timestamp = "2026-03-02T10:00:00Z".parse().expect("that is a moment");
    Arc::new(ManualClock::new(start))
}

/// A tenant for tests.
pub fn tenant() -> Tenant {
    Tenant {
        account: "123456789012".into(),
        region: "eu-central-1".into(),
    }
}

/// An application of [`tenant`].
pub async fn app(store: &Store) -> AppRef {
    let create = serde_json::from_value(serde_json::json!({ "Name": "test" })).expect("that is a request");
    let app = store
        .create_app(&tenant(), create)
        .await
        .expect("an application can be made");
    store
        .app(&tenant(), &app.id)
        .await
        .expect("it can be read")
        .expect("it was just made")
}

/// The URL of a new, empty database, or `None` if `PINION_TEST_POSTGRES=off`.
///
/// # Panics
///
/// If there is no PostgreSQL and none can be started.
pub async fn fresh_postgres_database() -> Option<String> {
    let server = match env::var("PINION_TEST_POSTGRES_URL") {
        Ok(url) => url,
        Err(_) if env::var("PINION_TEST_POSTGRES").as_deref() == Ok("off") => return None,
        Err(_) => cluster().url.clone(),
    };
    let server =
        PgConnectOptions::from_str(&server).expect("PINION_TEST_POSTGRES_URL is a URL of PostgreSQL");
    let name = format!("pinion_{}", fresh_id());
    let mut connection = server
        .connect()
        .await
        .expect("the PostgreSQL of the tests answers");
    run(&mut connection, format!("create database {name}")).await;
    connection
        .close()
        .await
        .expect("the PostgreSQL of the tests hangs up");
    Some(server.database(&name).to_url_lossy().to_string())
}

async fn drop_database(url: &str) {
    let database = PgConnectOptions::from_str(url).expect("this URL was made here");
    let name = database.get_database().expect("it names a database").to_owned();
    let mut connection = database
        .database("postgres")
        .connect()
        .await
        .expect("the PostgreSQL of the tests answers");
    run(&mut connection, format!("drop database {name} with (force)")).await;
    connection
        .close()
        .await
        .expect("the PostgreSQL of the tests hangs up");
}

async fn run(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .expect("the PostgreSQL of the tests obeys");
}

fn temporary_folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("pinion-test-")
        .tempdir()
        .expect("temporary folders can be made")
}

struct Cluster {
    url: String,
    /// Runs the script below, which waits for the end of its input; that comes with ours.
    _keeper: Child,
}

/// Starts a cluster and stops it when its input ends. PostgreSQL does not run as root.
const SCRIPT: &str = r#"
set -e
as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}
if [ "$(id -u)" = 0 ]; then chown postgres "$FOLDER"; fi
trap 'rm -rf "$FOLDER"' EXIT
as_postgres "$BIN/initdb" -D "$FOLDER/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >&2
as_postgres "$BIN/pg_ctl" -D "$FOLDER/data" -l "$FOLDER/log" -w -o \
    "-k $FOLDER -c listen_addresses= -c fsync=off -c autovacuum=off -c max_connections=400" start >&2 || { cat "$FOLDER/log" >&2; exit 1; }
echo ready
read -r _ || true
as_postgres "$BIN/pg_ctl" -D "$FOLDER/data" -m immediate stop >&2
"#;

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        use std::os::unix::process::CommandExt as _;
        let folder = temporary_folder().keep();
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT])
            .env("BIN", postgres_programs())
            .env("FOLDER", &folder)
            .current_dir("/")
            // An interrupt from the keyboard must not kill the one that cleans up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("setup.log")).expect("the folder can be written"))
            .spawn()
            .expect("a shell can be started");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output is a pipe");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("its output is text");
        assert_eq!(
            line.trim(),
            "ready",
            "PostgreSQL did not start (PINION_TEST_POSTGRES=off does without): {}",
            fs::read_to_string(folder.join("setup.log")).unwrap_or_default()
        );
        Cluster {
            url: format!("postgres://postgres@localhost/postgres?host={}", folder.display()),
            _keeper: child,
        }
    })
}

/// The folder of the newest PostgreSQL's programs, where Debian keeps them or on the search path.
fn postgres_programs() -> PathBuf {
    let version = |bin: &PathBuf| -> Option<u32> { bin.parent()?.file_name()?.to_str()?.parse().ok() };
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let debian = debian
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists());
    if let Some(newest) = debian.max_by_key(version) {
        return newest;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .find(|bin| bin.join("initdb").exists())
        .expect(
            "the tests need PostgreSQL's initdb: install postgresql, or set PINION_TEST_POSTGRES_URL, or \
         PINION_TEST_POSTGRES=off to leave it out",
        )
}
