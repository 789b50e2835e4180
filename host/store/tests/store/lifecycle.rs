//! Opening, closing, being killed, and copies.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use pinion_domain::clock::{Clock as _, SystemClock};
use pinion_domain::id::AccessKeyId;
use pinion_domain::segment::SegmentDocument;
use pinion_store::testing::{Place, app, clock, each_place, tenant};
use pinion_store::{Error, MasterKey, Options, Store};

#[tokio::test]
async fn everything_is_there_after_closing_and_opening() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = app(&store).await;
        let made = store
            .create_document(&app, "s", SegmentDocument::default(), "state", None)
            .await
            .unwrap();
        let key = store.create_access_key(None).await.unwrap();
        let label = store.derived_key("tracking");
        assert_ne!(label, store.derived_key("console"));
        store.ping().await.unwrap();
        store.close().await;
        assert!(matches!(
            store.create_access_key(Some("1".into())).await,
            Err(Error::Closed)
        ));
        assert!(store.ping().await.is_err());

        let store = place.open(&clock).await;
        let again = store.app(&tenant(), &app.id).await.unwrap().unwrap();
        assert_eq!(again.no, app.no);
        assert_eq!(store.document(&again, "s", None).await.unwrap(), Some(made));
        assert_eq!(
            store.access_key(&key.id).await.unwrap().unwrap().secret,
            key.secret
        );
        assert_eq!(store.default_account().await.unwrap(), key.account);
        assert_eq!(store.derived_key("tracking"), label);
        assert!(!store.is_held());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_second_server_is_refused_and_a_command_beside_it_is_not() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let second = Store::open(place.options(), Arc::clone(&clock) as _).await;
        assert!(second.is_err_and(|error| error.to_string().contains("served by another process")));
        let beside = Store::open(
            Options {
                serve: false,
                ..place.options()
            },
            Arc::clone(&clock) as _,
        )
        .await
        .unwrap();
        let key = beside.create_access_key(None).await.unwrap();
        assert!(store.access_key(&key.id).await.unwrap().is_some());
        store.create_access_key(None).await.unwrap();
        assert_eq!(beside.list_access_keys().await.unwrap().len(), 2);
        beside.close().await;
        store.close().await;
        place.open(&clock).await.close().await;
    })
    .await;
}

#[tokio::test]
async fn another_master_key_is_refused_and_a_missing_one_is_not_replaced() {
    each_place(async |place, clock| {
        place.open(&clock).await.close().await;
        let file = place.folder().join("master.key");
        let text = fs::read_to_string(&file).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);

        let key = |text: &str| Some(MasterKey::parse(text).unwrap());
        let wrong = Options {
            master_key: key(&"7".repeat(64)),
            ..place.options()
        };
        let refused = Store::open(wrong, Arc::clone(&clock) as _).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("master key is not the one")));

        fs::remove_file(&file).unwrap();
        let refused = Store::open(place.options(), Arc::clone(&clock) as _).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("give the key")));
        assert!(!file.exists());

        let given = Options {
            master_key: key(&text),
            ..place.options()
        };
        Store::open(given, Arc::clone(&clock) as _)
            .await
            .unwrap()
            .close()
            .await;
        assert!(!file.exists());
    })
    .await;
    assert!(MasterKey::parse("abc").is_err());
}

#[tokio::test]
async fn a_backup_made_beside_the_server_opens_held_until_released() {
    let (place, clock) = (Place::sqlite(), clock());
    let store = place.open(&clock).await;
    let app = app(&store).await;
    let before = store.create_access_key(None).await.unwrap();
    let beside = Store::open(
        Options {
            serve: false,
            ..place.options()
        },
        Arc::clone(&clock) as _,
    )
    .await
    .unwrap();
    // The server goes on writing while the copy is made.
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for _ in 0..50 {
                store.create_access_key(None).await.unwrap();
            }
        }
    });
    let other = Place::sqlite();
    let to = other.folder().join("copy");
    beside.backup(&to).await.unwrap();
    writing.await.unwrap();
    assert!(beside.backup(&to).await.is_err(), "a backup never overwrites");
    beside.close().await;

    let copy = Options {
        folder: to.clone(),
        ..other.options()
    };
    let refused = Store::open(copy.clone(), Arc::clone(&clock) as _).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("give the key")));
    fs::copy(place.folder().join("master.key"), to.join("master.key")).unwrap();
    let restored = Store::open(copy.clone(), Arc::clone(&clock) as _).await.unwrap();
    assert!(restored.is_held());
    assert_eq!(
        restored.access_key(&before.id).await.unwrap().unwrap().secret,
        before.secret
    );
    assert!(restored.app(&tenant(), &app.id).await.unwrap().is_some());
    restored.close().await;
    // Held until somebody says otherwise, not until the next start.
    let restored = Store::open(copy.clone(), Arc::clone(&clock) as _).await.unwrap();
    assert!(restored.is_held());
    restored.release_hold().await.unwrap();
    assert!(!restored.is_held());
    restored.close().await;
    let restored = Store::open(copy, Arc::clone(&clock) as _).await.unwrap();
    assert!(!restored.is_held());
    restored.close().await;
    assert!(!store.is_held());
    store.close().await;
    let store = place.open(&clock).await;
    assert!(!store.is_held());
    assert_eq!(store.list_access_keys().await.unwrap().len(), 51);
    store.close().await;
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let (place, clock) = (Place::sqlite(), clock());
    place.open(&clock).await.close().await;
    let mut db = <sqlx::SqliteConnection as sqlx::Connection>::connect(&format!(
        "sqlite://{}",
        place.folder().join("pinion.db").display()
    ))
    .await
    .unwrap();
    sqlx::raw_sql(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'from the future', true, x'00', 0)",
    )
    .execute(&mut db)
    .await
    .unwrap();
    sqlx::Connection::close(db).await.unwrap();
    let refused = Store::open(place.options(), Arc::clone(&clock) as _).await;
    assert!(matches!(refused, Err(Error::Migration(_))));
}

const CHILD_FOLDER: &str = "PINION_STORE_TEST_CHILD_FOLDER";
const CHILD_DATABASE: &str = "PINION_STORE_TEST_CHILD_DATABASE";

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    each_place(async |place, clock| {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "lifecycle::child_that_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env(CHILD_FOLDER, place.folder())
            .stdout(Stdio::piped());
        if let Some(url) = place.options().database_url {
            command.env(CHILD_DATABASE, url);
        }
        let mut child = command.spawn().unwrap();
        let mut answered = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            answered.extend(line.unwrap().strip_prefix("made ").map(AccessKeyId::from));
            if answered.len() == 100 {
                break;
            }
        }
        assert_eq!(answered.len(), 100, "the child wrote until it was killed");
        child.kill().unwrap();
        child.wait().unwrap();

        let store = place.open(&clock).await;
        for id in &answered {
            assert!(store.access_key(id).await.unwrap().is_some(), "{id}");
        }
        store.create_access_key(None).await.unwrap();
        store.close().await;
    })
    .await;
}

/// Not a test: what the test above starts and kills.
#[tokio::test]
#[ignore = "runs as a child of another test"]
async fn child_that_is_killed() {
    let Some(folder) = env::var_os(CHILD_FOLDER) else {
        return;
    };
    let options = Options {
        folder: PathBuf::from(folder),
        database_url: env::var(CHILD_DATABASE).ok(),
        master_key: None,
        serve: true,
    };
    let store = Store::open(options, Arc::new(SystemClock)).await.unwrap();
    loop {
        // Several at once, so that the kill hits a batch.
        let made = futures_util::future::join_all((0..8).map(|_| store.create_access_key(None))).await;
        for key in made {
            println!("made {}", key.unwrap().id);
        }
    }
}

#[tokio::test]
async fn clocks_can_be_compared() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        assert_eq!(store.newest().await.unwrap(), None);
        store.create_access_key(None).await.unwrap();
        assert_eq!(store.newest().await.unwrap(), Some(clock.now()));
        // Of this machine, whatever the store's own clock says.
        let there = store.database_clock().await.unwrap();
        assert_eq!(there.is_some(), place.is_postgres());
        let here = SystemClock.now();
        let apart = there.map(|there| here.duration_since(there).abs());
        assert!(apart.is_none_or(|apart| apart.as_secs() < 60), "{apart:?}");
        store.close().await;
    })
    .await;
}
