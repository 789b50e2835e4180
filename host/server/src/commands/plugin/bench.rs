//! `pinion plugin bench`: what a component costs, in this process and with the limits of a server.

use std::collections::HashMap;
use std::future::IntoFuture as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use pinion_console::outbox::{Outbox, OutboxConfig, sink_router};
use pinion_domain::channel::ChannelType;
use pinion_domain::extension::channel::{OutgoingMessage, Part, Verdict};
use pinion_domain::extension::columns::{Column, ColumnData, ColumnKind, ColumnSpec, Dictionary, Rows};
use pinion_domain::extension::{Binding, Channel, Grant, Kind, Plugins as _, personalizer, predicate};
use pinion_domain::id::fresh_id;
use rustix::time::{ClockId, clock_gettime};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::workbench::{Workbench, read};
use crate::commands::say;
use crate::wiring::{embedded, system_clock};

/// How long rows are measured for each size of batch.
const ROWS_FOR: Duration = Duration::from_millis(300);
/// Batches of messages that are under way at the same time.
const AT_ONCE: usize = 4;
/// Distinct texts of a column.
const TEXTS: u32 = 100;
const DAY: i64 = 86_400_000_000;

#[derive(Debug, Args)]
pub struct Bench {
    /// The component: a `.wasm` file.
    file: PathBuf,
    /// Its settings. In those of a channel, `$SMTP_PORT` and `$POST_URL` are sinks on 127.0.0.1.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    settings: String,
    /// How many messages a channel is given.
    #[arg(long, value_name = "COUNT", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    messages: u32,
    /// A place that a channel may reach beside the sinks; may be repeated.
    #[arg(long, value_name = "SCHEME://HOST:PORT")]
    grant: Vec<Grant>,
}

pub(super) async fn run(command: &Bench) -> Result<()> {
    let component = read(&command.file)?;
    let workbench = Workbench::new()?;
    let plugin = workbench.sandbox.load(component, &HashMap::new()).await?.manifest;
    say(&format!("{} {}, a {}", plugin.name, plugin.version, plugin.kind))?;
    let table = match plugin.kind {
        Kind::Channel => channels(command, &workbench, &plugin.name).await?,
        Kind::Predicate => predicate(command, &workbench, &plugin.name).await?,
        Kind::Personalizer => personalizer(command, &workbench, &plugin.name).await?,
    };
    table.into_iter().try_for_each(|line| say(&line))
}

/// The channel, and beside it `null`, which does nothing: the host's part of the cost.
async fn channels(command: &Bench, workbench: &Workbench, name: &str) -> Result<Vec<String>> {
    let sinks = Sinks::start().await?;
    let settings = sinks.fill_in(&command.settings);
    let settings = serde_json::from_str(&settings).context("--settings is not JSON")?;
    let grants = [command.grant.clone(), sinks.grants()].concat();
    let mut bindings = vec![(name, settings, grants)];
    if name != "null"
        && let Some(null) = embedded("null")
    {
        workbench.sandbox.load(null, &HashMap::new()).await?;
        bindings.push(("null", serde_json::json!({}), Vec::new()));
    }
    let mut table = vec![format!("{:24}{:>16}{:>14}", "", "CPU a message", "a second")];
    for (name, settings, grants) in bindings {
        let binding = Binding {
            plugin: name.to_owned(),
            settings,
            grants,
        };
        let channel = workbench.sandbox.channel(&Workbench::caller(), &binding).await?;
        let (cpu, wall) = send(channel, command.messages).await?;
        let each = cpu.as_secs_f64() * 1e6 / f64::from(command.messages);
        let rate = f64::from(command.messages) / wall.as_secs_f64();
        table.push(format!("{name:24}{each:>13.1} µs{rate:>14.0}"));
    }
    table.push("CPU of the whole process: component, host, and the sinks where they are used".to_owned());
    Ok(table)
}

/// Sends messages, and fails if one of them is not accepted.
async fn send(channel: Arc<dyn Channel>, messages: u32) -> Result<(Duration, Duration)> {
    let messages: Vec<_> = (0..messages).map(message).collect();
    let batches: Vec<_> = messages.chunks(channel.max_batch()).map(<[_]>::to_vec).collect();
    // The first pays for what later ones find ready.
    accept(&*channel, batches[0].clone()).await?;
    let batches = Arc::new(Mutex::new(batches));
    let (started, cpu) = (Instant::now(), cpu(ClockId::ProcessCPUTime));
    let mut lanes = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (channel, batches) = (Arc::clone(&channel), Arc::clone(&batches));
        let next = move || batches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        lanes.spawn(async move {
            while let Some(batch) = next() {
                accept(&*channel, batch).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(lane) = lanes.join_next().await {
        lane??;
    }
    Ok((self::cpu(ClockId::ProcessCPUTime) - cpu, started.elapsed()))
}

async fn accept(channel: &dyn Channel, batch: Vec<OutgoingMessage>) -> Result<()> {
    let verdicts = channel.send(batch).await;
    let other = verdicts
        .iter()
        .find(|verdict| !matches!(verdict, Verdict::Accepted(_)));
    match other {
        None => Ok(()),
        Some(other) => bail!("a message was not accepted: {other:?}"),
    }
}

/// A mail of two kilobytes with the facts that a campaign gives along.
fn message(number: u32) -> OutgoingMessage {
    let facts = [
        ("application-id", "workbench".to_owned()),
        ("campaign-id", "bench".to_owned()),
        ("endpoint-id", format!("endpoint-{number}")),
    ];
    OutgoingMessage {
        delivery_id: fresh_id().as_str().into(),
        attempt: 1,
        channel_type: ChannelType::Email,
        address: format!("reader{number}@readers.test"),
        from: Some("Harbour Books <letters@books.test>".to_owned()),
        reply_to: Vec::new(),
        parts: vec![
            Part::Subject("Three books for autumn".to_owned()),
            Part::Text("A long evening is coming. ".repeat(10)),
            Part::Html(format!("<p>{}</p>", "A long evening is coming. ".repeat(80))),
        ],
        headers: Vec::new(),
        metadata: facts.map(|(fact, value)| (fact.to_owned(), value)).to_vec(),
    }
}

/// Where a channel may send to without harm.
struct Sinks {
    smtp_port: u16,
    http_port: u16,
}

impl Sinks {
    async fn start() -> Result<Self> {
        let bind = async || TcpListener::bind("127.0.0.1:0").await;
        let (smtp, http) = (bind().await?, bind().await?);
        let (smtp_port, http_port) = (smtp.local_addr()?.port(), http.local_addr()?.port());
        let outbox = Outbox::start(smtp, OutboxConfig::default())?;
        tokio::spawn(axum::serve(http, sink_router(outbox)).into_future());
        Ok(Self { smtp_port, http_port })
    }

    fn fill_in(&self, settings: &str) -> String {
        let url = format!("http://127.0.0.1:{}/outbox/sink/bench", self.http_port);
        settings
            .replace("$SMTP_PORT", &self.smtp_port.to_string())
            .replace("$POST_URL", &url)
    }

    fn grants(&self) -> Vec<Grant> {
        vec![
            Grant::exact("smtp", "127.0.0.1", self.smtp_port),
            Grant::exact("http", "127.0.0.1", self.http_port),
        ]
    }
}

async fn predicate(command: &Bench, workbench: &Workbench, name: &str) -> Result<Vec<String>> {
    let predicate = workbench
        .sandbox
        .predicate(&Workbench::caller(), name, &command.settings)
        .await?;
    let measured = tokio::task::spawn_blocking(move || {
        let now = system_clock().now().as_microsecond();
        let is_text = |spec: &&ColumnSpec| spec.kind == ColumnKind::Text;
        let texts = predicate.inputs().iter().filter(is_text);
        let mut evaluation = predicate.begin(now, texts.map(|_| dictionary()).collect())?;
        let make = |count| columns(predicate.inputs(), count, now, codes);
        rows(predicate::ROWS_PER_CALL, make, |rows| {
            Ok(evaluation.evaluate(rows).map(drop)?)
        })
    });
    measured.await?
}

async fn personalizer(command: &Bench, workbench: &Workbench, name: &str) -> Result<Vec<String>> {
    let personalizer = workbench
        .sandbox
        .personalizer(&Workbench::caller(), name, &command.settings)
        .await?;
    let measured = tokio::task::spawn_blocking(move || {
        let now = system_clock().now().as_microsecond();
        let make = |count| columns(personalizer.inputs(), count, now, texts);
        rows(personalizer::ROWS_PER_CALL, make, |rows| {
            Ok(personalizer.personalize(now, rows).map(drop)?)
        })
    });
    measured.await?
}

/// The cost of calls with few and many rows, and of one without any.
fn rows(
    most: u32,
    make: impl Fn(u32) -> Rows,
    mut call: impl FnMut(Rows) -> Result<()>,
) -> Result<Vec<String>> {
    let mut table = vec![format!(
        "{:>12}{:>16}{:>16}",
        "rows a call", "CPU a call", "CPU a row"
    )];
    for count in [0, 1, 64, 1_024, 4_096] {
        if count > most {
            break;
        }
        let rows = make(count);
        call(rows.clone())?;
        let (began, mut spent, mut calls) = (Instant::now(), Duration::ZERO, 0);
        while began.elapsed() < ROWS_FOR {
            // The engine hands its columns over; copies of them are this measurement's own.
            let copies = vec![rows.clone(); 8];
            let started = cpu(ClockId::ThreadCPUTime);
            for copy in copies {
                call(copy)?;
                calls += 1;
            }
            spent += cpu(ClockId::ThreadCPUTime) - started;
        }
        let a_call = spent.as_secs_f64() / f64::from(calls);
        let a_row = match count {
            0 => String::new(),
            count => format!("{:.1} ns", a_call * 1e9 / f64::from(count)),
        };
        table.push(format!("{count:>12}{:>13.2} µs{a_row:>16}", a_call * 1e6));
    }
    Ok(table)
}

/// Rows as a plugin asked for them, every cell filled.
fn columns(specs: &[ColumnSpec], count: u32, now: i64, text: fn(u32) -> ColumnData) -> Rows {
    let column = |spec: &ColumnSpec| Column {
        data: match spec.kind {
            ColumnKind::Text => text(count),
            ColumnKind::Number => ColumnData::Number((0..count).map(f64::from).collect()),
            ColumnKind::Integer => ColumnData::Integer((0..count).map(|row| i64::from(row % 9)).collect()),
            ColumnKind::Instant => {
                let ages = (0..count).map(|row| i64::from(row % 90) * DAY + i64::from(row));
                ColumnData::Instant(ages.map(|age| now - age).collect())
            }
        },
        valid: Vec::new(),
    };
    Rows {
        count,
        columns: specs.iter().map(column).collect(),
    }
}

fn words(number: u32) -> String {
    format!("value {number}")
}

fn dictionary() -> Dictionary {
    let mut dictionary = Dictionary::default();
    for number in 0..TEXTS {
        dictionary.push([words(number).as_str()]);
    }
    dictionary
}

fn codes(count: u32) -> ColumnData {
    ColumnData::Codes((0..count).map(|row| row % TEXTS).collect())
}

fn texts(count: u32) -> ColumnData {
    let words: Vec<String> = (0..count).map(|row| words(row % TEXTS)).collect();
    ColumnData::Text(words.iter().map(String::as_str).collect())
}

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
