//! A report in words and figures, as the page shows them.

use pinion_domain::delivery::Outcome;
use serde::Serialize;

use super::super::chart::{self, Timeline};
use super::super::{clock_time, grouped};
use super::{ReasonCount, Report, Run, Treatment};

/// The class of an outcome in the stylesheet, which is also its name on the page.
fn name_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Failed => "failed",
        Outcome::Skipped => "skipped",
        Outcome::Holdout => "holdout",
        Outcome::Unknown => "unknown",
    }
}

/// The report in words and figures as the page shows them.
#[derive(Serialize)]
pub(super) struct View<'a> {
    report: &'a Report,
    /// There is one to point at.
    outbox: bool,
    status: String,
    /// How long the script waits before it asks again, in milliseconds.
    every: u32,
    tiles: Vec<Tile>,
    runs: Vec<RunView>,
    reasons: Vec<ReasonView>,
    treatments: Vec<TreatmentView>,
    timeline: Option<Timeline>,
}

#[derive(Serialize)]
struct Tile {
    label: &'static str,
    value: String,
    note: String,
    class: &'static str,
}

#[derive(Serialize)]
struct RunView {
    id: String,
    status: String,
    total: String,
    done: String,
    percent: String,
    started: String,
    rate: String,
    eta: String,
}

#[derive(Serialize)]
struct ReasonView {
    name: String,
    label: String,
    outcome: &'static str,
    count: String,
    share: String,
    /// Percent of the largest.
    width: String,
}

#[derive(Serialize)]
struct TreatmentView {
    name: String,
    total: String,
    accepted: String,
    failed: String,
    skipped: String,
    opens: String,
    unique_opens: String,
    clicks: String,
    unique_clicks: String,
    unsubscribes: String,
    open_rate: Rate,
    click_rate: Rate,
}

#[derive(Serialize)]
struct Rate {
    text: String,
    /// Percent of the best treatment's.
    width: String,
}

impl<'a> View<'a> {
    pub(super) fn of(report: &'a Report, outbox: bool) -> Self {
        let running = report.runs.iter().any(|run| run.done < run.total);
        Self {
            report,
            outbox,
            status: human(&report.status),
            every: if running { 1000 } else { 3000 },
            tiles: tiles(report),
            runs: report.runs.iter().map(RunView::of).collect(),
            reasons: reasons(&report.reasons),
            treatments: treatments(&report.treatments),
            timeline: chart::timeline(&report.timeline),
        }
    }
}

fn tiles(report: &Report) -> Vec<Tile> {
    let sum = |figure: fn(&Treatment) -> u64| report.treatments.iter().map(figure).sum::<u64>();
    let accepted = sum(|t| t.accepted);
    let with = |outcome: Outcome| -> u64 {
        let reasons = report.reasons.iter().filter(|reason| reason.outcome == outcome);
        reasons.map(|reason| reason.count).sum()
    };
    let (holdout, unknown) = (with(Outcome::Holdout), with(Outcome::Unknown));
    let recipients: u64 = report.runs.iter().map(|run| run.total).sum();
    let of = |part: u64, whole: u64, what: &str| match whole {
        0 => String::new(),
        _ => format!("{} of {what}", percent(part, whole)),
    };
    let tile = |label, value, note, class| Tile {
        label,
        value: grouped(value),
        note,
        class,
    };
    let runs = report.runs.len();
    let runs = if runs == 1 {
        "in one run".to_owned()
    } else {
        format!("in {runs} runs")
    };
    let (failed, skipped) = (sum(|t| t.failed), sum(|t| t.skipped));
    let (opened, clicked) = (sum(|t| t.unique_opens), sum(|t| t.unique_clicks));
    let mut tiles = vec![
        tile("Recipients", recipients, runs, ""),
        tile("Accepted", accepted, of(accepted, recipients, "all"), "accepted"),
        tile("Failed", failed, of(failed, recipients, "all"), "failed"),
        tile("Skipped", skipped, of(skipped, recipients, "all"), "skipped"),
        tile("Held out", holdout, of(holdout, recipients, "all"), "holdout"),
        tile("Opened", opened, of(opened, accepted, "accepted"), "opened"),
        tile("Clicked", clicked, of(clicked, accepted, "accepted"), "clicked"),
    ];
    // What nobody knows is rare, and then everybody should see it.
    if unknown > 0 {
        tiles.insert(
            3,
            tile("Unknown", unknown, of(unknown, recipients, "all"), "unknown"),
        );
    }
    tiles
}

impl RunView {
    fn of(run: &Run) -> Self {
        Self {
            id: run.id.clone(),
            status: human(&run.status),
            total: grouped(run.total),
            done: grouped(run.done),
            percent: match run.total {
                0 => "100.0".to_owned(),
                total => format!("{:.1}", run.done.min(total) as f64 * 100.0 / total as f64),
            },
            started: run.started.map_or_else(|| "not yet".to_owned(), clock_time),
            rate: match run.rate {
                rate if rate >= 10.0 => format!("{}/s", grouped(rate.round() as u64)),
                rate if rate > 0.0 => format!("{rate:.1}/s"),
                _ => "–".to_owned(),
            },
            eta: run.eta.map_or_else(|| "–".to_owned(), span),
        }
    }
}

fn reasons(counts: &[ReasonCount]) -> Vec<ReasonView> {
    let total: u64 = counts.iter().map(|reason| reason.count).sum();
    let largest = counts.iter().map(|reason| reason.count).max().unwrap_or(0);
    let mut counts: Vec<&ReasonCount> = counts.iter().filter(|reason| reason.count > 0).collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    let view = |reason: &&ReasonCount| ReasonView {
        name: reason.reason.clone(),
        label: human(&reason.reason),
        outcome: name_of(reason.outcome),
        count: grouped(reason.count),
        share: percent(reason.count, total),
        width: chart::number(reason.count as f64 * 100.0 / largest as f64),
    };
    counts.iter().map(view).collect()
}

fn treatments(treatments: &[Treatment]) -> Vec<TreatmentView> {
    let share = |part: u64, whole: u64| {
        if whole == 0 {
            0.0
        } else {
            part as f64 / whole as f64
        }
    };
    let rates = |figure: fn(&Treatment) -> u64| -> Vec<Rate> {
        let all = treatments.iter().map(|t| share(figure(t), t.accepted));
        let best = all.clone().fold(0.0, f64::max);
        all.zip(treatments)
            .map(|(rate, t)| Rate {
                text: percent(figure(t), t.accepted),
                width: chart::number(if best > 0.0 { rate * 100.0 / best } else { 0.0 }),
            })
            .collect()
    };
    let rates = rates(|t| t.unique_opens)
        .into_iter()
        .zip(rates(|t| t.unique_clicks));
    treatments
        .iter()
        .zip(rates)
        .map(|(t, (open_rate, click_rate))| TreatmentView {
            name: t.name.clone(),
            total: grouped(t.total),
            accepted: grouped(t.accepted),
            failed: grouped(t.failed),
            skipped: grouped(t.skipped),
            opens: grouped(t.opens),
            unique_opens: grouped(t.unique_opens),
            clicks: grouped(t.clicks),
            unique_clicks: grouped(t.unique_clicks),
            unsubscribes: grouped(t.unsubscribes),
            open_rate,
            click_rate,
        })
        .collect()
}

/// `HARD_BOUNCE` → `Hard bounce`.
pub(super) fn human(name: &str) -> String {
    let mut text = name.replace('_', " ").to_lowercase();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "–".to_owned(),
        _ => format!("{:.1} %", part as f64 * 100.0 / whole as f64),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
