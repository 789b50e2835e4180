//! The report of a campaign: how far it is, what became of whom, treatments side by side, and when. This
//! file has the figures and the routes, `view` the words.

mod view;

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

use self::view::{View, human};
use super::{html, json_error, sorry};

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
