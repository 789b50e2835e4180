//! Nanoseconds per row of `engagement-score`, in its sandbox and the same code native.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use pinion_domain::clock::SystemClock;
use pinion_domain::extension::columns::{Column, ColumnData, Rows};
use pinion_domain::extension::predicate::ROWS_PER_CALL;
use pinion_domain::extension::{Caller, Plugins as _};
use pinion_server::config::Config;
use pinion_server::wiring;
use pinion_store::Store;
use serde_json::{Value, json};

const SETTINGS: &str = r#"{"min": 4.0}"#;
const BATCHES: u32 = 2_000;
/// The component's own settings, in its order: click, open, purchase; and its half-life.
const WEIGHTS: [f64; 3] = [3.0, 1.0, 10.0];
const HALF_LIFE_MICROS: f64 = 30.0 * 86_400e6;

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
    let rows = rows(now);
    let inputs = predicate.inputs().len();
    anyhow::ensure!(
        inputs == rows.columns.len(),
        "the component reads {inputs} columns"
    );

    let copy = rows.clone();
    let (sandboxed, chosen) = tokio::task::spawn_blocking(move || -> Result<(f64, Vec<u8>)> {
        let mut evaluation = predicate.begin(now, Vec::new())?;
        let first = evaluation.evaluate(copy.clone())?;
        let started = Instant::now();
        for _ in 0..BATCHES {
            black_box(evaluation.evaluate(copy.clone())?);
        }
        Ok((per_row(started), first))
    })
    .await??;
    let native_chosen = native(&rows, now)?;
    anyhow::ensure!(chosen == native_chosen, "component and native code disagree");
    let started = Instant::now();
    for _ in 0..BATCHES {
        black_box(native(black_box(&rows), now)?);
    }
    let native = per_row(started);
    store.close().await;
    Ok(json!({ "in the sandbox": sandboxed, "native": native, "ratio": sandboxed / native }))
}

fn per_row(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e9 / f64::from(BATCHES) / f64::from(ROWS_PER_CALL)
}

/// Counts and last times of three event types.
fn rows(now: i64) -> Rows {
    let hash = |row: u32, column: u32| i64::from((row * 31 + column * 7).wrapping_mul(2_654_435_761) >> 16);
    let columns = (0..WEIGHTS.len() * 2)
        .map(|column| {
            let column = u32::try_from(column).unwrap_or_default();
            let cells = (0..ROWS_PER_CALL).map(|row| hash(row, column));
            let data = if column % 2 == 0 {
                ColumnData::Integer(cells.map(|cell| cell % 9).collect())
            } else {
                ColumnData::Instant(cells.map(|cell| now - cell % 90 * 86_400_000_000).collect())
            };
            Column {
                data,
                valid: Vec::new(),
            }
        })
        .collect();
    Rows {
        count: ROWS_PER_CALL,
        columns,
    }
}

/// The component's formula, compiled for this machine.
fn native(rows: &Rows, now: i64) -> Result<Vec<u8>> {
    let mut bits = vec![0_u8; (rows.count as usize).div_ceil(8)];
    let mut columns = Vec::new();
    for pair in rows.columns.chunks(2) {
        let (ColumnData::Integer(counts), ColumnData::Instant(lasts)) = (&pair[0].data, &pair[1].data) else {
            anyhow::bail!("the columns are pairs of count and last time");
        };
        columns.push((counts, lasts));
    }
    for row in 0..rows.count as usize {
        let mut score = 0.0;
        for ((counts, lasts), weight) in columns.iter().zip(WEIGHTS) {
            if counts[row] > 0 {
                let age = now.saturating_sub(lasts[row]).max(0) as f64;
                score += weight * (1.0 + counts[row] as f64).log2() * (-age / HALF_LIFE_MICROS).exp2();
            }
        }
        if score >= 4.0 {
            *bits.get_mut(row / 8).context("a bit for each row")? |= 1 << (row % 8);
        }
    }
    Ok(bits)
}
