//! The audience: how long columns take to build, what they weigh, how fast they follow changes while they are
//! asked, and segments beside DuckDB, which is given the same data and one thread.

mod people;
mod segments;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use pinion_domain::clock::{Clock as _, SystemClock};
use pinion_domain::extension::{Caller, Plugins};
use pinion_domain::id::{SegmentId, Tenant};
use pinion_domain::segment::SegmentDocument;
use pinion_domain::segment::extended::RecipientTest;
use pinion_engine::audience::source::Source;
use pinion_engine::audience::{Audience, Audiences, ResolvedSegment};
use pinion_server::config::Config;
use pinion_server::wiring;
use pinion_store::{Changes, EventChanges, Lane, Members, Store, Upsert};
use roaring::RoaringBitmap;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::{child, memory, say};
use people::{EVENTS, People};
use segments::Question;

/// Each segment is asked so often at least, and for so long.
const AT_LEAST_RUNS: usize = 9;
const AT_LEAST: Duration = Duration::from_millis(500);
/// Endpoints that are updated together while segments are asked.
const UPDATES: u32 = 1_000;
/// How long updates are measured.
const UPDATING: Duration = Duration::from_secs(3);

/// People as a feed, whose own work is not counted.
struct Feed {
    people: People,
    /// Nanoseconds of CPU that making people up took.
    making: AtomicU64,
}

impl Feed {
    fn made<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let began = cpu_nanos();
        let made = make();
        self.making.fetch_add(cpu_nanos() - began, Ordering::Relaxed);
        made
    }
}

/// CPU time of this thread.
fn cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).unsigned_abs()
}

#[async_trait]
impl Source for Feed {
    async fn changes(&self, after: i64, limit: usize) -> pinion_store::Result<Changes> {
        let from = u32::try_from(after).unwrap_or(u32::MAX);
        let to = self
            .people
            .endpoints
            .min(from.saturating_add(u32::try_from(limit).unwrap_or(u32::MAX)));
        let mut changes = Changes {
            upto: to.into(),
            more: to < self.people.endpoints,
            ..Changes::default()
        };
        for n in from..to {
            let text = self
                .made(|| self.people.document(n))
                .expect("people are made up right");
            // Reading the document is work of the columns: the store has text, too.
            changes
                .endpoints
                .push(self.people.change(n, &text).expect("that is a document"));
            let user = self
                .made(|| self.people.user_change(n))
                .expect("people are made up right");
            changes.users.extend(user);
        }
        Ok(changes)
    }

    async fn events(&self, event_type: &str, after: i64, limit: usize) -> pinion_store::Result<EventChanges> {
        let kind = EVENTS.iter().position(|(name, _)| *name == event_type);
        let kind = kind.expect("segments ask for events that there are");
        let mut changes = EventChanges::default();
        let mut k = after.unsigned_abs();
        while k < self.people.events && changes.events.len() < limit {
            let (of, seq, at) = self.people.event(k);
            if of == kind {
                changes.events.push((seq, at));
            }
            k += 1;
        }
        changes.upto = k.cast_signed();
        changes.more = k < self.people.events;
        Ok(changes)
    }

    async fn event_times(&self, _: &str, _: u32) -> pinion_store::Result<Vec<i64>> {
        Ok(Vec::new())
    }

    async fn recipients(&self, _: &RecipientTest) -> pinion_store::Result<RoaringBitmap> {
        Ok(RoaringBitmap::new())
    }

    async fn segment(
        &self,
        id: &SegmentId,
        _: Option<u32>,
    ) -> pinion_store::Result<Option<(u32, SegmentDocument)>> {
        let document = segments::stored(id.as_str());
        Ok(document.map(|document| (1, serde_json::from_value(document).expect("that is a segment"))))
    }

    async fn members(&self, _: &SegmentId, _: u32) -> pinion_store::Result<Option<Members>> {
        Ok(None)
    }
}

/// Runs every size in a process of its own and prints the tables.
pub fn table(sizes: &[u32], events_per_endpoint: u32, without_peer: bool) -> Result<()> {
    let mut rows = Vec::new();
    for size in sizes {
        let mut args = vec![
            "audience".to_owned(),
            "--size".to_owned(),
            size.to_string(),
            "--events-per-endpoint".to_owned(),
            events_per_endpoint.to_string(),
            "--measure".to_owned(),
        ];
        if without_peer {
            args.push("--without-peer".to_owned());
        }
        rows.push(child(&args)?);
    }
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    say(
        "| audience | endpoints | events | build, CPU seconds per million | from SQLite | bytes an endpoint | bytes an event | updates a second | of them while asked | questions meanwhile |",
    )?;
    say("|---|---|---|---|---|---|---|---|---|---|")?;
    for row in &rows {
        say(&format!(
            "| columns | {} | {} | {:.1} | {} | {:.0} | {:.1} | {:.0} | {:.0} | {:.0} a second |",
            row["endpoints"],
            row["events"],
            number(&row["build_per_million"]),
            row["store_per_million"]
                .as_f64()
                .map_or("-".to_owned(), |seconds| format!("{seconds:.1}")),
            number(&row["bytes_per_endpoint"]),
            number(&row["bytes_per_event"]),
            number(&row["updates"]),
            number(&row["updates_while_asked"]),
            number(&row["asked_meanwhile"]),
        ))?;
    }
    for row in &rows {
        let peer = &row["peer"];
        say("")?;
        say(&format!(
            "| {} endpoints, one thread, memory reads {:.1} GB/s | members | ms | of what memory allows | DuckDB {} ms | times as fast |",
            row["endpoints"],
            number(&row["bandwidth"]) / 1e9,
            peer["version"].as_str().unwrap_or("-"),
        ))?;
        say("|---|---|---|---|---|---|")?;
        for asked in row["segments"].as_array().into_iter().flatten() {
            let (seconds, peer) = (number(&asked["seconds"]), number(&asked["peer"]));
            let least = number(&asked["least"]);
            let limit = if least > 0.0 {
                format!("{:.1}×", seconds / least)
            } else {
                "-".to_owned()
            };
            let (of_peer, times) = if peer.is_nan() {
                ("-".to_owned(), "-".to_owned())
            } else {
                (format!("{:.2}", peer * 1e3), format!("{:.1}", peer / seconds))
            };
            say(&format!(
                "| {} | {} | {:.2} | {limit} | {of_peer} | {times} |",
                asked["name"].as_str().unwrap_or_default(),
                asked["count"],
                seconds * 1e3,
            ))?;
        }
        if !peer.is_null() {
            say("")?;
            say(&format!(
                "DuckDB read the same data in {:.1} CPU seconds and holds {:.0} bytes an endpoint with its events.",
                number(&peer["load"]),
                number(&peer["bytes"]) / number(&row["endpoints"]),
            ))?;
        }
    }
    Ok(())
}

/// Measures one size in this process.
pub async fn measure(size: u32, events_per_endpoint: u32, without_peer: bool) -> Result<Value> {
    let people = People {
        endpoints: size,
        events: u64::from(size) * u64::from(events_per_endpoint),
        now: SystemClock.now(),
    };
    let folder = tempfile::tempdir()?;
    let config = Config::load(None, std::iter::empty())?;
    let store = Store::open(
        wiring::options(&config, folder.path(), true)?,
        Arc::new(SystemClock),
    )
    .await?;
    let plugins = wiring::plugins(&config, folder.path(), &store).await?;
    let from_store = if size <= 1_000_000 {
        Some(build_from_store(&store, &people, Arc::clone(&plugins) as _).await?)
    } else {
        None
    };
    let feed = Arc::new(Feed {
        people,
        making: AtomicU64::new(0),
    });
    let caller = Caller {
        account: "000000000000".into(),
        app: "bench".into(),
    };
    let audience = Audience::default();
    let ask = Ask {
        audience: &audience,
        feed: &feed,
        plugins: &*plugins,
        caller: &caller,
    };
    let everyone = json!({"Dimensions": {}});
    let began = memory::cpu_seconds()?;
    ensure!(
        ask.count(&everyone).await? == u64::from(size),
        "somebody is missing"
    );
    let build = memory::cpu_seconds()? - began - feed.making.load(Ordering::Relaxed) as f64 / 1e9;
    let bytes = audience.bytes();

    let questions = segments::all(people.now, f64::from(events_per_endpoint));
    let mut asked = Vec::new();
    for question in &questions {
        asked.push(ask.times(question).await?);
    }
    let events = people.events.max(1) as f64;
    let bytes_per_event = audience.event_bytes() as f64 / events;
    let updates = update(&ask, None).await?;
    let while_asked = update(&ask, Some(&questions[1])).await?;
    let peer = if without_peer {
        None
    } else {
        people.write_csv(folder.path())?;
        Some(ask_peer(folder.path(), &questions)?)
    };
    let bandwidth = bandwidth();
    let mut rows = Vec::new();
    for (index, (question, (count, seconds))) in questions.iter().zip(&asked).enumerate() {
        let of_peer = peer.as_ref().map(|peer| &peer["answers"][index]);
        if let Some(answer) = of_peer
            && question.exact
        {
            ensure!(
                answer["count"].as_u64() == Some(*count),
                "{}: {count} members, DuckDB counts {}",
                question.name,
                answer["count"]
            );
        }
        rows.push(json!({
            "name": question.name,
            "count": count,
            "seconds": seconds,
            "least": question.bytes * f64::from(size) / bandwidth,
            "peer": of_peer.map(|answer| answer["seconds"].clone()),
        }));
    }
    store.close().await;
    Ok(json!({
        "endpoints": size,
        "events": people.events,
        "build_per_million": build / f64::from(size) * 1e6,
        "store_per_million": from_store.map(|seconds| seconds / f64::from(size) * 1e6),
        "bytes_per_endpoint": bytes as f64 / f64::from(size),
        "bytes_per_event": bytes_per_event,
        "updates": updates.0,
        "updates_while_asked": while_asked.0,
        "asked_meanwhile": while_asked.1,
        "bandwidth": bandwidth,
        "segments": rows,
        "peer": peer,
    }))
}

#[derive(Clone, Copy)]
struct Ask<'a> {
    audience: &'a Audience,
    feed: &'a Arc<Feed>,
    plugins: &'a dyn Plugins,
    caller: &'a Caller,
}

impl Ask<'_> {
    async fn count(&self, document: &Value) -> Result<u64> {
        let document: SegmentDocument = serde_json::from_value(document.clone())?;
        let segment = ResolvedSegment::of_document(&**self.feed, None, &document).await?;
        let now = self.feed.people.now;
        let asked = self
            .audience
            .evaluate(&**self.feed, self.plugins, self.caller, Arc::new(segment), now)
            .await?;
        ensure!(asked.unknown == 0, "unknown: {:?}", asked.faults);
        Ok(asked.selected.len())
    }

    /// Members, and the median of seconds; what must be read first is not counted.
    async fn times(&self, question: &Question) -> Result<(u64, f64)> {
        let count = self
            .count(&question.document)
            .await
            .with_context(|| question.name)?;
        let mut times = Vec::new();
        let began = Instant::now();
        while times.len() < AT_LEAST_RUNS || began.elapsed() < AT_LEAST {
            let began = Instant::now();
            self.count(&question.document).await?;
            times.push(began.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        Ok((count, times[times.len() / 2]))
    }
}

/// Endpoints updated a second, each of them to another person's, alone or while somebody asks without end; and
/// the questions that were answered a second.
async fn update(ask: &Ask<'_>, meanwhile: Option<&Question>) -> Result<(f64, f64)> {
    let people = ask.feed.people;
    let mut batches = Vec::new();
    for batch in 0..50_u32 {
        let mut changes = Changes {
            // They are not of the feed, which has none left.
            upto: people.endpoints.into(),
            ..Changes::default()
        };
        for n in 0..UPDATES.min(people.endpoints) {
            let whose = (batch * UPDATES + n).wrapping_mul(2_654_435_761) % people.endpoints;
            let mut change = people.change(whose, &people.document(people.endpoints.wrapping_add(whose))?)?;
            // The attribute of which everybody has another is not what is measured.
            if let Some(live) = &mut change.live {
                live.document.attributes.remove("order");
            }
            changes.endpoints.push(change);
        }
        batches.push(changes);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (audience, stopped) = (ask.audience.clone(), Arc::clone(&stop));
    let updates = std::thread::spawn(move || {
        let began = Instant::now();
        let mut updated = 0;
        while began.elapsed() < UPDATING {
            let changes = &batches[updated % batches.len()];
            audience.apply(changes);
            updated += 1;
        }
        stopped.store(true, Ordering::Relaxed);
        (updated as f64 * f64::from(UPDATES), began.elapsed().as_secs_f64())
    });
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) {
        match meanwhile {
            Some(question) => {
                ask.count(&question.document).await?;
                answered += 1;
            }
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    let Ok((updated, seconds)) = updates.join() else {
        bail!("the updates panicked");
    };
    Ok((updated / seconds, f64::from(answered) / seconds))
}

/// CPU seconds of the first question, which reads everything from SQLite.
async fn build_from_store(store: &Store, people: &People, plugins: Arc<dyn Plugins>) -> Result<f64> {
    let tenant = Tenant {
        account: "000000000000".into(),
        region: "eu-central-1".into(),
    };
    let create = serde_json::from_value(json!({"Name": "bench"}))?;
    let app = store.create_app(&tenant, create).await?;
    let app = store.app(&tenant, &app.id).await?.context("it was just made")?;
    for from in (0..people.endpoints).step_by(1_000) {
        let upserts = (from..people.endpoints.min(from + 1_000)).map(|n| {
            let mut request: Value = serde_json::from_str(&people.document(n)?)?;
            let change = people.change(n, &request.to_string())?;
            let user = change
                .live
                .and_then(|live| live.user_id)
                .context("everybody is somebody's")?;
            request["User"] = json!({"UserId": user, "UserAttributes": {"tier": [people.person(n).tier]}});
            request["Address"] = json!(format!("person{n}@example.com"));
            for of_server in ["CohortId", "CreationDate"] {
                request.as_object_mut().context("an object")?.remove(of_server);
            }
            Ok(Upsert {
                id: format!("endpoint-{n}").into(),
                request: serde_json::from_value(request)?,
            })
        });
        for made in store
            .upsert_endpoints(&app, Lane::Bulk, upserts.collect::<Result<_>>()?)
            .await?
        {
            made?;
        }
    }
    let audiences = Audiences::new(store.clone(), plugins, usize::MAX);
    let everyone: SegmentDocument = serde_json::from_value(json!({"Dimensions": {}}))?;
    let segment = audiences.resolve_document(&app, None, &everyone).await?;
    let began = memory::cpu_seconds()?;
    let evaluated = audiences.evaluate(&app, &segment, people.now).await?;
    let seconds = memory::cpu_seconds()? - began;
    ensure!(
        evaluated.selected.len() == u64::from(people.endpoints),
        "somebody is missing in the store"
    );
    Ok(seconds)
}

/// Bytes a second that one thread reads from memory: the best of five passes over more than caches hold.
fn bandwidth() -> f64 {
    let memory = vec![1_u64; 32 << 20];
    let pass = || {
        let began = Instant::now();
        let sum: u64 = std::hint::black_box(&memory).iter().sum();
        std::hint::black_box(sum);
        (memory.len() * 8) as f64 / began.elapsed().as_secs_f64()
    };
    (0..5).map(|_| pass()).fold(0.0, f64::max)
}

/// Has DuckDB read the tables and asks it the same.
fn ask_peer(folder: &Path, questions: &[Question]) -> Result<Value> {
    let queries: Vec<&str> = questions.iter().map(|question| question.sql.as_str()).collect();
    std::fs::write(folder.join("queries.json"), serde_json::to_vec(&queries)?)?;
    let python = std::env::var_os("PINION_BENCH_PYTHON")
        .context("PINION_BENCH_PYTHON names no Python with DuckDB: use `cargo xtask bench audience`")?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/audience.py");
    let output = Command::new(python).arg(program).arg(folder).output()?;
    if !output.status.success() {
        bail!("DuckDB failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
