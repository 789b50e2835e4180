//! Runs every file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pinion_domain::clock::SystemClock;
use pinion_domain::extension::{KeyValue as _, Owner, PluginError, Plugins as _};
use pinion_sandbox::outbound::smtp::SmtpLimits;
use pinion_sandbox::{EgressConfig, Sandbox, SandboxConfig};

use crate::bystander::{self, Bystander, Seen};
use crate::calls::{Tally, Target};
use crate::case::{Case, Outcome};
use crate::guest::{NAME, Predicate};
use crate::log;
use crate::support::{Values, caller};
use crate::web::{LATENCY, Names, Web};

/// Rows of the table.
const CASES: u8 = 50;
/// A busy machine disturbs now and then, a hostile plugin every time.
const ATTEMPTS: usize = 4;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/hostile")
}

fn read() -> BTreeMap<String, Case> {
    let files = std::fs::read_dir(folder()).expect("the corpus is there");
    let files = files.map(|file| file.expect("it can be listed").path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path
                .file_stem()
                .expect("it has a name")
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&path).expect("it can be read");
            let case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(
                name.starts_with(&format!("{:02}-", case.case)),
                "{name} is case {}",
                case.case
            );
            (name, case)
        })
        .collect()
}

#[test]
fn every_row_of_the_table_is_there_and_what_is_missing_says_why() {
    let cases = read();
    let rows: BTreeSet<u8> = cases.values().map(|case| case.case).collect();
    assert_eq!(rows, (1..=CASES).collect());
    let run: BTreeSet<u8> = cases
        .values()
        .filter(|case| case.pending.is_none())
        .map(|case| case.case)
        .collect();
    let pending: Vec<_> = cases
        .iter()
        .filter_map(|(name, case)| Some(format!("  {name}: {}", case.pending.as_ref()?)))
        .collect();
    println!(
        "{} of {CASES} rows are run, in {} variants; {} variants wait:\n{}",
        run.len(),
        cases.len() - pending.len(),
        pending.len(),
        pending.join("\n")
    );
    for (name, case) in &cases {
        assert_eq!(case.pending.is_none(), case.guest.is_some(), "{name}");
        assert!(!case.does.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_plugin_gets_what_it_deserves_and_nobody_else_notices() {
    log::clear();
    // HOSTILE=22 runs the files whose names begin so.
    let only = std::env::var("HOSTILE").unwrap_or_default();
    let web = Web::start().await;
    let mut failures = Vec::new();
    let mut quiet = quiet_p99(&web).await;
    for (name, case) in read().iter().filter(|(name, _)| name.starts_with(&only)) {
        if case.pending.is_some() {
            continue;
        }
        let mut notes = Vec::new();
        for attempt in 1..=ATTEMPTS {
            if attempt > 1 {
                // Somebody else may have made the machine slower.
                quiet = quiet_p99(&web).await;
            }
            let guest = case.guest.as_ref().expect("it is not pending");
            let Ok((plugin, component)) = std::panic::catch_unwind(|| guest.build()) else {
                notes = vec!["its guest cannot be made".to_owned()];
                break;
            };
            let ran = run(case, &web, &plugin, component).await;
            notes = ran.problems;
            let p99 = ran.bystander.p99();
            println!(
                "{name:40} {:10} bystander p99 {:>5.1} ms, {:.1} ms without",
                format!("{:?}", case.expect),
                p99.as_secs_f64() * 1_000.0,
                quiet.as_secs_f64() * 1_000.0
            );
            if notes.is_empty() && p99 > quiet * 2 {
                notes.push(format!(
                    "the bystander's p99 rose from {quiet:?} to {p99:?}, {attempt} times"
                ));
                continue;
            }
            break;
        }
        failures.extend(notes.into_iter().map(|note| format!("{name}: {note}")));
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The bystander's p99 when nobody misbehaves.
async fn quiet_p99(web: &Web) -> Duration {
    let sandbox = sandbox(&Case::quiet(), &Names::new(&BTreeMap::new()), &Arc::default());
    let bystander = Bystander::start(&sandbox, web.port).await;
    bystander.has_sent_enough().await;
    bystander.stop().await.p99().max(LATENCY)
}

impl Case {
    fn quiet() -> Self {
        serde_json::from_str(r#"{"case": 0, "does": "nothing", "expect": "ALLOW"}"#).expect("it is a case")
    }
}

fn sandbox(case: &Case, names: &Arc<Names>, values: &Arc<Values>) -> Arc<Sandbox> {
    Sandbox::new(SandboxConfig {
        cache_dir: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled"),
        cache_key: [7; 32],
        limits: case.limits.limits(),
        egress: EgressConfig {
            resolver: Some(names.clone()),
            ..EgressConfig::default()
        },
        smtp: SmtpLimits::default(),
        kv: values.clone(),
        clock: Arc::new(SystemClock),
    })
    .expect("the engine starts")
}

struct Ran {
    problems: Vec<String>,
    bystander: Seen,
}

async fn run(case: &Case, web: &Web, plugin: &str, component: bytes::Bytes) -> Ran {
    let (names, values) = (Names::new(&case.names), Arc::<Values>::default());
    for (app, plugin, key) in &case.kept {
        let mut other = bystander::caller();
        other.app = app.as_str().into();
        values
            .set(&other, plugin, key, b"somebody else's", 0)
            .await
            .expect("it is kept");
    }
    let sandbox = sandbox(case, &names, &values);
    let bystander = Bystander::start(&sandbox, web.port).await;
    let places = sandbox.free_places();
    web.take_peak();
    log::clear();
    bystander.forget();

    let mut tally = Tally::default();
    install(case, &sandbox, plugin, component, &mut tally).await;
    let target = Target {
        sandbox: &sandbox,
        plugin,
        grants: case.grants(web.port),
        port: web.port,
    };
    for call in &case.calls {
        target.call(call, &mut tally).await;
    }
    judge_outcome(case, &mut tally);
    judge_log(case, &mut tally);
    if let Some(most) = case.look_ups
        && names.asked() > most
    {
        tally
            .problems
            .push(format!("{} look-ups left the host", names.asked()));
    }
    let peak = web.take_peak();
    if case.open_at_most.is_some_and(|most| peak > most) {
        tally.problems.push(format!("{peak} requests were open at once"));
    }
    bystander.has_sent_enough().await;
    let seen = bystander.stop().await;
    if !seen.errors.is_empty() {
        tally
            .problems
            .push(format!("the bystander noticed: {:?}", seen.errors));
    }
    // Everything that it held is given back: places but for idle instances, connections, all.
    sandbox.remove(&Owner::Account(caller().account), plugin).await;
    for _ in 0..200 {
        if web.open() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if web.open() > 0 {
        tally
            .problems
            .push(format!("{} requests are still open", web.open()));
    }
    let free = sandbox.free_places();
    let idle = case.limits.limits().idle_instances * (1 + case.calls.len());
    if free.0 + idle < places.0 || free.1 + idle < places.1 {
        tally
            .problems
            .push(format!("places leaked: {places:?} became {free:?}"));
    }
    Ran {
        problems: tally.problems,
        bystander: seen,
    }
}

async fn install(case: &Case, sandbox: &Sandbox, plugin: &str, component: bytes::Bytes, tally: &mut Tally) {
    let owner = Owner::Account(caller().account);
    let mut before = None;
    if case.refused.is_some() && plugin == NAME {
        let good = sandbox
            .install(owner.clone(), NAME, Predicate::good().into(), Vec::new())
            .await;
        before = Some(good.expect("a good plugin is installed"));
    }
    let installed = sandbox
        .install(owner.clone(), plugin, component, Vec::new())
        .await;
    match (installed, &case.refused) {
        (Ok(_), None) => {}
        (Err(PluginError::Refused(why)), Some(words)) if why.contains(words) => {}
        (other, _) => tally.problems.push(format!("installing: {other:?}")),
    }
    if let Some(good) = before
        && !sandbox.list(&caller().account).contains(&good)
    {
        tally
            .problems
            .push("the version that served before is gone".to_owned());
    }
}

fn judge_outcome(case: &Case, tally: &mut Tally) {
    let faulted = tally.faults > 0;
    let fits = match case.expect {
        Outcome::Reject => case.refused.is_some(),
        Outcome::Trap | Outcome::Quarantine => faulted && case.refused.is_none(),
        Outcome::Deny | Outcome::Clamp | Outcome::Allow => !faulted && case.refused.is_none(),
    };
    if !fits {
        tally
            .problems
            .push(format!("{} faults are not {:?}", tally.faults, case.expect));
    }
}

fn judge_log(case: &Case, tally: &mut Tally) {
    let Some(wanted) = &case.log else {
        return;
    };
    let text = log::text();
    let lines = text.lines().filter(|line| line.contains(&wanted.marker)).count();
    if lines > wanted.at_most || lines < wanted.at_least {
        tally
            .problems
            .push(format!("{lines} lines with {:?}", wanted.marker));
    }
    let forbidden = wanted.never.iter().filter(|never| text.contains(never.as_str()));
    tally
        .problems
        .extend(forbidden.map(|never| format!("the log has {never:?}")));
}
