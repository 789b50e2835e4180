//! The real binary is killed at random moments of a run; nobody is lost, and what is sent again has the
//! same message id and stays inside the uncommitted tail.

use std::collections::{HashMap, HashSet};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pinion_domain::clock::SystemClock;
use pinion_domain::delivery::{Reason, message_id};
use pinion_store::{Options, RunState, Store};
use rand::RngExt as _;

use crate::harness::{app, campaign, everybody, finished, people, schedule, sink, smtp_settings, until};

const RECIPIENTS: u32 = 12_000;
const KILLS: usize = 25;
const WORKERS: usize = 2;
const BATCH: usize = 50;

fn binary(data: &Path, environment: &[(String, String)]) -> (Child, String) {
    // A port that was free a moment ago: the binary prints nothing that a script would have to read.
    let listen = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let child = Command::new(env!("CARGO_BIN_EXE_pinion"))
        .args(["serve", "--listen", &listen, "--data"])
        .arg(data)
        .envs(environment.iter().cloned())
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    (child, listen)
}

async fn ready(listen: &str) {
    until("the server to be ready", async || {
        let mut stream = tokio::net::TcpStream::connect(listen).await.ok()?;
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
}

async fn open(data: &Path) -> Store {
    let options = Options {
        folder: data.to_owned(),
        database_url: None,
        master_key: None,
        serve: false,
    };
    Store::open(options, Arc::new(SystemClock)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_a_run_reaches_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let outbox = sink().await;
    let mut environment = smtp_settings(outbox.smtp_address());
    environment.extend(
        [
            ("PINION_ENGINE__WORKERS", WORKERS.to_string()),
            ("PINION_ENGINE__BATCH", BATCH.to_string()),
            // Slow enough for many kills within one run.
            ("PINION_BINDINGS__EMAIL__RATE", "2000".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );

    let store = open(&data).await;
    let app = app(&store).await;
    people(&store, &app, RECIPIENTS, |n| format!("person{n}@example.com")).await;
    let segment = everybody(&store, &app).await;
    let id = schedule(&store, &app, campaign(segment, "<p>Hello</p>")).await;

    let mut kills = 0;
    let mut arrived_before = 0;
    while kills < KILLS {
        let (mut child, listen) = binary(&data, &environment);
        ready(&listen).await;
        // Kill while it sends: after something new arrived, at a random moment.
        until("mail to arrive", async || {
            (outbox.counters().mails > arrived_before).then_some(())
        })
        .await;
        let moment = rand::rng().random_range(0..120);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        arrived_before = outbox.counters().mails;
        let run = store
            .runs(&app, &id, &Default::default())
            .await
            .unwrap()
            .items
            .remove(0);
        if run.state != RunState::Running {
            break;
        }
    }
    assert_eq!(
        kills, KILLS,
        "the run was over before it had been killed often enough"
    );

    let (mut child, listen) = binary(&data, &environment);
    ready(&listen).await;
    let run = finished(&store, &app, &id).await;
    assert_eq!(run.state, RunState::Completed);

    // SIGTERM drains and ends 0.
    let stopped = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    assert!(child.wait().unwrap().success(), "SIGTERM ends 0");

    // The ledger: everybody once, all accepted.
    let mut seqs = HashSet::new();
    let mut after = None;
    loop {
        let rows = store.ledger(&app, run.no, after, 1_000).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = Some(last.seq);
        for row in rows {
            assert_eq!(row.reason, Reason::Accepted);
            assert!(seqs.insert(row.seq));
        }
    }
    assert_eq!(seqs.len(), RECIPIENTS as usize, "nobody is lost");

    // The sink: everybody at least once, repeats with the same id and few of them.
    let mut ids: HashMap<String, HashSet<String>> = HashMap::new();
    let mut total = 0;
    let mut after = 0;
    loop {
        let page = outbox.messages(after, 1_000);
        if page.messages.is_empty() {
            break;
        }
        after = page.next_after;
        for message in page.messages {
            total += 1;
            ids.entry(message.to[0].clone())
                .or_default()
                .insert(message.message_id);
        }
    }
    assert_eq!(ids.len(), RECIPIENTS as usize, "everybody got mail");
    assert!(
        ids.values().all(|ids| ids.len() == 1),
        "a repeat has the same message id"
    );
    let known: HashSet<String> = seqs
        .iter()
        .map(|seq| message_id(&run.id, *seq).to_string())
        .collect();
    assert!(
        ids.values()
            .flatten()
            .all(|id| known.contains(id.split('@').next().unwrap())),
        "message ids are derived from run and recipient"
    );
    let repeats = total - RECIPIENTS as usize;
    // In flight: a batch of each worker, and one that is being committed.
    let bound = KILLS * WORKERS * BATCH * 2;
    assert!(
        repeats <= bound,
        "{repeats} repeats, at most {bound} are explained by {KILLS} kills"
    );
    eprintln!("{KILLS} kills: 0 lost, {repeats} repeats of at most {bound}");
    store.close().await;
}
