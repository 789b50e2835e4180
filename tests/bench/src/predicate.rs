//! Nanoseconds of CPU per row of `engagement-score`: in its sandbox, and the same Rust code compiled for this
//! machine.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use engagement_score::EngagementScore;
use pinion_domain::clock::SystemClock;
use pinion_domain::extension::columns::{Column, ColumnData, Rows, bitmap};
use pinion_domain::extension::predicate::{Evaluation, ROWS_PER_CALL};
use pinion_domain::extension::{Caller, Plugins as _};
use pinion_sdk::columns as native;
use pinion_server::config::Config;
use pinion_server::wiring;
use pinion_store::Store;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

const SETTINGS: &str = r#"{"min": 4.0}"#;
/// Count and last time of clicks, opens and purchases.
const COLUMNS: u32 = 6;
/// Rows in each sample; the shortest of the samples counts, for what makes others longer is not the predicate.
const ROWS: u32 = 2 << 20;
const SAMPLES: usize = 5;

/// What is measured: rows of a batch, and one row in how many has had an event of a type.
const CASES: [(&str, u32, u32); 3] = [
    ("1,024 rows a call", 1_024, 1),
    ("4,096 rows a call", ROWS_PER_CALL, 1),
    ("4,096 rows a call, one in 32 with events", ROWS_PER_CALL, 32),
];

/// Measures both on the same rows.
pub async fn measure() -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let config = Config::load(None, std::iter::empty())?;
    let options = wiring::options(&config, folder.path(), true)?;
    let store = Store::open(options, Arc::new(SystemClock)).await?;
    let plugins = wiring::plugins(&config, folder.path(), &store).await?;
    let caller = Caller {
        account: "000000000000".into(),
        app: "bench".into(),
    };
    let predicate = plugins.predicate(&caller, "engagement-score", SETTINGS).await?;
    let now = store.clock().now().as_microsecond();
    let inputs = predicate.inputs().len();
    ensure!(inputs == COLUMNS as usize, "the component reads {inputs} columns");
    let measured = tokio::task::spawn_blocking(move || {
        let mut sandboxed = predicate.begin(now, Vec::new())?;
        let Ok(native) = pinion_sdk::predicate::Evaluation::begin(SETTINGS, now, Vec::new()) else {
            bail!("the native code refuses the settings");
        };
        let case = |(name, count, every): (&str, u32, u32)| {
            let rows = rows(now, count, every);
            let (sandboxed, native) = both(&mut *sandboxed, &native, &rows)?;
            Ok(json!({ "name": name, "sandboxed": sandboxed, "native": native }))
        };
        CASES.into_iter().map(case).collect::<Result<Vec<Value>>>()
    })
    .await?;
    store.close().await;
    Ok(Value::Array(measured?))
}

/// Nanoseconds per row in the sandbox and native.
fn both(
    sandboxed: &mut dyn Evaluation,
    native: &pinion_sdk::predicate::Evaluation<EngagementScore>,
    rows: &Rows,
) -> Result<(f64, f64)> {
    let own = native_rows(rows)?;
    let members = sandboxed.evaluate(rows.clone())?;
    ensure!(
        members == native.evaluate(&own),
        "component and native code disagree"
    );
    ensure!(members.iter().any(|byte| *byte != 0), "nobody is selected");
    let batches = ROWS / rows.count;
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..SAMPLES {
        let mut spent = 0;
        for _ in 0..batches / 8 {
            // The engine hands its columns over; copies of them are this measurement's own.
            let copies = vec![rows.clone(); 8];
            let started = cpu_nanos();
            for copy in copies {
                black_box(sandboxed.evaluate(copy)?);
            }
            spent += cpu_nanos() - started;
        }
        best.0 = best.0.min(spent as f64 / f64::from(ROWS));
        let started = cpu_nanos();
        for _ in 0..batches {
            black_box(native.evaluate(black_box(&own)));
        }
        best.1 = best.1.min((cpu_nanos() - started) as f64 / f64::from(ROWS));
    }
    Ok(best)
}

/// CPU time of this thread.
fn cpu_nanos() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Counts and last times; the latter are there for one row in `every`.
fn rows(now: i64, count: u32, every: u32) -> Rows {
    let hash = |row: u32, column: u32| i64::from((row * 31 + column * 7).wrapping_mul(2_654_435_761) >> 16);
    let column = |column| {
        let cells = (0..count).map(|row| hash(row, column));
        let data = if column % 2 == 0 {
            ColumnData::Integer(cells.map(|cell| cell % 9).collect())
        } else {
            // Up to three months ago, at any second.
            ColumnData::Instant(cells.map(|cell| now - cell * 119_000_000).collect())
        };
        let is_count = column % 2 == 0;
        let valid = match every {
            1 => Vec::new(),
            _ if is_count => Vec::new(),
            every => bitmap((0..count).map(|row| row % every == 5)),
        };
        Column { data, valid }
    };
    Rows {
        count,
        columns: (0..COLUMNS).map(column).collect(),
    }
}

/// The same rows as the SDK names them.
fn native_rows(rows: &Rows) -> Result<native::Rows> {
    let columns = rows.columns.iter().map(|column| {
        let data = match &column.data {
            ColumnData::Integer(cells) => native::ColumnData::Integer(cells.clone()),
            ColumnData::Instant(cells) => native::ColumnData::Instant(cells.clone()),
            _ => bail!("the columns are counts and times"),
        };
        Ok(native::Column {
            data,
            valid: column.valid.clone(),
        })
    });
    Ok(native::Rows {
        count: rows.count,
        columns: columns.collect::<Result<_>>()?,
    })
}
