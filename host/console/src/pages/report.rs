//! The report of a campaign: how far it is, what became of whom, treatments side by side, and when.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use jiff::Timestamp;
use pinion_domain::delivery::Outcome;
use pinion_domain::id::{AppId, CampaignId};
use serde::Serialize;

use super::chart::{self, Timeline};
use super::{clock_time, grouped, html, json_error, sorry};

/// Where reports come from.
#[async_trait]
pub trait ReportSource: Send + Sync + 'static {
    /// The apps of the server.
    async fn apps(&self) -> Result<Vec<Item>, SourceError>;
    /// The campaigns of an app, in the order in which they are to be shown.
    async fn campaigns(&self, app: &AppId) -> Result<Vec<Item>, SourceError>;
    /// The report of a campaign, if there is such a campaign.
    async fn report(&self, app: &AppId, campaign: &CampaignId) -> Result<Option<Report>, SourceError>;
}

/// Why a source has no answer. The log gets it, the page does not.
#[derive(Debug)]
pub struct SourceError(pub Box<dyn std::error::Error + Send + Sync>);

/// An app or a campaign in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// As in the API.
    pub id: String,
    /// For people.
    pub name: String,
    /// `EXECUTING`, `COMPLETED` …; of an app, empty.
    pub status: String,
}

/// All that the page of a campaign shows.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The app's id.
    pub app_id: String,
    /// The app's name.
    pub app_name: String,
    /// The campaign's id.
    pub campaign_id: String,
    /// The campaign's name.
    pub campaign_name: String,
    /// Pinpoint's `CampaignStatus`.
    pub status: String,
    /// Newest first.
    pub runs: Vec<Run>,
    /// Over all runs.
    pub reasons: Vec<ReasonCount>,
    /// Over all runs, in the campaign's order.
    pub treatments: Vec<Treatment>,
    /// Over all runs, by time; minutes in which nothing happened may be left out.
    pub timeline: Vec<Minute>,
}

/// How far a run is.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// For people, such as `RUNNING` or `PAUSED`.
    pub status: String,
    /// Recipients in the snapshot.
    pub total: u64,
    /// Recipients with an outcome.
    pub done: u64,
    /// When it began.
    pub started: Option<Timestamp>,
    /// Outcomes a second, of late if it runs, over all if it is done.
    pub rate: f64,
    /// Seconds until it is done, if that can be told.
    pub eta: Option<u64>,
}

/// How many recipients had that outcome for that reason.
#[derive(Clone, Debug, Serialize)]
pub struct ReasonCount {
    /// The reason's name, such as `HARD_BOUNCE`.
    pub reason: String,
    /// What it amounts to.
    pub outcome: Outcome,
    /// Recipients.
    pub count: u64,
}

/// The figures of a treatment.
#[derive(Clone, Debug, Serialize)]
pub struct Treatment {
    /// For people.
    pub name: String,
    /// Recipients.
    pub total: u64,
    /// Taken by the provider.
    pub accepted: u64,
    /// Refused or given up.
    pub failed: u64,
    /// Not sent on purpose.
    pub skipped: u64,
    /// Every opening.
    pub opens: u64,
    /// Recipients that opened.
    pub unique_opens: u64,
    /// Every click.
    pub clicks: u64,
    /// Recipients that clicked.
    pub unique_clicks: u64,
    /// Recipients that unsubscribed.
    pub unsubscribes: u64,
}

/// What happened in a minute.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Minute {
    /// Its start.
    pub minute: Timestamp,
    /// Messages taken by the provider.
    pub accepted: u64,
    /// Messages refused or given up.
    pub failed: u64,
    /// Recipients skipped.
    pub skipped: u64,
    /// Openings.
    pub opened: u64,
    /// Clicks.
    pub clicked: u64,
}

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

#[derive(Clone)]
struct Console {
    source: Arc<dyn ReportSource>,
    outbox: bool,
}

/// The pages below `/console` and the JSON below `/console/api`. Whoever mounts them puts a session
/// before them; [`crate::router`] does. `outbox` tells whether there is one to point at.
pub fn router(source: Arc<dyn ReportSource>, outbox: bool) -> Router {
    Router::new()
        .route("/console", get(index))
        .route("/console/", get(index))
        .route("/console/apps/{app}/campaigns/{campaign}", get(page))
        .route("/console/apps/{app}/campaigns/{campaign}/live", get(live))
        .route("/console/api/apps", get(api_apps))
        .route("/console/api/apps/{app}/campaigns", get(api_campaigns))
        .route("/console/api/apps/{app}/campaigns/{campaign}", get(api_report))
        .with_state(Console { source, outbox })
}

#[derive(Serialize)]
struct Index {
    apps: Vec<IndexApp>,
    outbox: bool,
}

#[derive(Serialize)]
struct IndexApp {
    id: String,
    name: String,
    campaigns: Vec<Item>,
}

async fn index(State(console): State<Console>) -> Result<Response, SourceError> {
    let mut apps = Vec::new();
    for app in console.source.apps().await? {
        let campaigns = console.source.campaigns(&AppId::from(app.id.as_str())).await?;
        apps.push(IndexApp {
            id: app.id,
            name: app.name,
            campaigns: campaigns
                .into_iter()
                .map(|item| Item {
                    status: human(&item.status),
                    ..item
                })
                .collect(),
        });
    }
    let outbox = console.outbox;
    Ok(html("report/index.html", &Index { apps, outbox }))
}

async fn page(
    State(console): State<Console>,
    Path((app, campaign)): Path<(AppId, CampaignId)>,
) -> Result<Response, SourceError> {
    let report = console.source.report(&app, &campaign).await?;
    Ok(match report {
        Some(report) => html("report/report.html", &View::of(&report, console.outbox)),
        None => no_campaign(),
    })
}

/// The part of the page that changes, for the script to put in place. It is made by the template that
/// made the page, so there is one way to draw a report.
async fn live(
    State(console): State<Console>,
    Path((app, campaign)): Path<(AppId, CampaignId)>,
) -> Result<Response, SourceError> {
    let report = console.source.report(&app, &campaign).await?;
    Ok(match report {
        Some(report) => html("report/live.html", &View::of(&report, console.outbox)),
        None => no_campaign(),
    })
}

async fn api_apps(State(console): State<Console>) -> Result<Response, SourceError> {
    Ok(Json(console.source.apps().await?).into_response())
}

async fn api_campaigns(
    State(console): State<Console>,
    Path(app): Path<AppId>,
) -> Result<Response, SourceError> {
    Ok(Json(console.source.campaigns(&app).await?).into_response())
}

async fn api_report(
    State(console): State<Console>,
    Path((app, campaign)): Path<(AppId, CampaignId)>,
) -> Result<Response, SourceError> {
    let report = console.source.report(&app, &campaign).await?;
    Ok(match report {
        Some(report) => Json(report).into_response(),
        None => json_error(StatusCode::NOT_FOUND, "no such campaign"),
    })
}

fn no_campaign() -> Response {
    sorry(
        StatusCode::NOT_FOUND,
        "No such campaign",
        "It may have been deleted.",
    )
}

impl IntoResponse for SourceError {
    fn into_response(self) -> Response {
        tracing::error!(
            error = self.0.as_ref() as &dyn std::error::Error,
            "a report cannot be read"
        );
        sorry(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not now",
            "The report cannot be read at the moment; the server's log says why.",
        )
    }
}

/// The report in words and figures as the page shows them.
#[derive(Serialize)]
struct View<'a> {
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
    fn of(report: &'a Report, outbox: bool) -> Self {
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
fn human(name: &str) -> String {
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
