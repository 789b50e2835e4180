//! The same campaign on PostgreSQL, a disk that is full, and a copy of the data.

use std::sync::Arc;

use pinion_domain::clock::SystemClock;
use pinion_store::{Options, RunState, Store, testing};

use crate::harness::{
    Server, campaign, everybody, finished, outcomes, people, schedule, sink, smtp_settings, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_runs_on_postgresql() {
    let Some(url) = testing::fresh_postgres_database().await else {
        return;
    };
    let outbox = sink().await;
    let mut environment = smtp_settings(outbox.smtp_address());
    environment.push(("PINION_DATABASE__URL".to_owned(), url));
    let server = Server::start(environment).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 1_500, |n| format!("p{n}@example.com")).await;
    let id = schedule(
        store,
        &app,
        campaign(everybody(store, &app).await, "<p>Hello {{Attributes.number}}</p>"),
    )
    .await;
    let run = finished(store, &app, &id).await;
    assert_eq!(outcomes(store, &app, &run).await, [("ACCEPTED", 1_500)]);
    assert_eq!(outbox.counters().mails, 1_500);
    let image = outbox.messages(0, 1).messages[0].images[0].clone();
    let token = image.rsplit('/').next().unwrap();
    assert!(
        server
            .running
            .engine()
            .opened(token, &Default::default())
            .await
            .unwrap()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_data_sends_nothing_before_it_is_released() {
    let outbox = sink().await;
    let server = Server::start(smtp_settings(outbox.smtp_address())).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 20, |n| format!("p{n}@example.com")).await;
    let document = campaign(everybody(store, &app).await, "<p>x</p>");
    // A command beside the running server makes the copy, in the midst of a campaign's life.
    let mut later = document.clone();
    later.name = Some("later".to_owned());
    let id = schedule(store, &app, document).await;
    finished(store, &app, &id).await;
    let copies = tempfile::tempdir().unwrap();
    let data = server.folder.path().join("data");
    let beside = Options {
        folder: data.clone(),
        database_url: None,
        master_key: None,
        serve: false,
    };
    let beside = Store::open(beside, Arc::new(SystemClock)).await.unwrap();
    let id = schedule(&beside, &app, later).await;
    let copy = copies.path().join("data");
    beside.backup(&copy).await.unwrap();
    beside.close().await;
    std::fs::copy(data.join("master.key"), copy.join("master.key")).unwrap();
    finished(store, &app, &id).await;
    server.stop().await;
    assert_eq!(outbox.counters().mails, 40);

    let second = sink().await;
    let server = Server::start_in(copies, smtp_settings(second.smtp_address())).await;
    assert!(server.store().is_held());
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(
        second.counters().mails,
        0,
        "a copy never mails anybody by surprise"
    );
    server.store().release_hold().await.unwrap();
    let app = server.store().app(&app.tenant, &app.id).await.unwrap().unwrap();
    let run = finished(server.store(), &app, &id).await;
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(second.counters().mails, 20);
    server.stop().await;
}

/// A file system of a few megabytes, if this machine lets us mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"])
            .arg(folder.path())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "the small disk stays mounted"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_a_run_and_room_lets_it_go_on() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not allowed to mount a small disk here; the store's own tests cover a full database");
        return;
    };
    let data = disk.0.path().join("data");
    let outbox = sink().await;
    let options = Options {
        folder: data.clone(),
        database_url: None,
        master_key: None,
        serve: true,
    };
    let store = Store::open(options, Arc::new(SystemClock)).await.unwrap();
    let app = crate::harness::app(&store).await;
    people(&store, &app, 1_000, |n| format!("p{n}@example.com")).await;
    let segment = everybody(&store, &app).await;
    // Plugins' compiled code goes elsewhere: it is the ledger that has no room.
    let mut environment = smtp_settings(outbox.smtp_address());
    environment.push(("PINION_BINDINGS__EMAIL__RATE".to_owned(), "300".to_owned()));
    let config = pinion_server::config::Config::load(None, environment.into_iter()).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let plugins = pinion_server::wiring::plugins(&config, cache.path(), &store)
        .await
        .unwrap();
    let engine = pinion_server::wiring::engine(&config, &store, plugins, None).unwrap();
    engine.start().await.unwrap();
    let id = schedule(&store, &app, campaign(segment, "<p>x</p>")).await;
    until("some mail", async || (outbox.counters().mails > 50).then_some(())).await;

    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 64 * 1024 * 1024]).unwrap_err();
    until("a write to be refused", async || {
        let name = "x".repeat(100_000);
        let create = pinion_domain::app::CreateApplication {
            name,
            tags: Default::default(),
        };
        store.create_app(&app.tenant, create).await.err()
    })
    .await;
    let run = store
        .runs(&app, &id, &Default::default())
        .await
        .unwrap()
        .items
        .remove(0);
    assert_eq!(run.state, RunState::Running, "it waits, it does not give up");

    std::fs::remove_file(&ballast).unwrap();
    let run = finished(&store, &app, &id).await;
    assert_eq!(outcomes(&store, &app, &run).await, [("ACCEPTED", 1_000)]);
    assert!(outbox.counters().mails >= 1_000);
    engine.stop().await;
    store.close().await;
    drop(disk);
}
