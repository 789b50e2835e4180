//! Runs of journeys, and what became of their participants. No journey has run yet, so there are no runs
//! and nothing was counted.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::clock::iso;
use pinion_domain::id::AppId;
use pinion_domain::page::Page;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Journey, existing};
use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// `JourneyExecutionMetricsResponse`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JourneyExecutionMetricsResponse")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Metrics {
    application_id: AppId,
    journey_id: String,
    last_evaluated_time: String,
    metrics: BTreeMap<String, String>,
}

/// `JourneyExecutionActivityMetricsResponse`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{M}OfActivity")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OfActivity<M> {
    activity_type: &'static str,
    journey_activity_id: String,
    #[serde(flatten)]
    metrics: M,
}

/// `JourneyRunExecutionMetricsResponse` and `JourneyRunExecutionActivityMetricsResponse`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{M}OfRun")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OfRun<M> {
    run_id: String,
    #[serde(flatten)]
    metrics: M,
}

/// `JourneyRunResponse`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JourneyRunResponse")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RunResponse {
    creation_time: String,
    last_update_time: String,
    run_id: String,
    /// `SCHEDULED`, `RUNNING`, `COMPLETED` or `CANCELLED`.
    status: String,
}

/// `JourneyRunsResponse`.
pub(crate) async fn runs(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    existing(api, &app, &call).await?;
    call.page()?;
    Answer::page(&Page::<RunResponse> {
        items: Vec::new(),
        next_token: None,
    })
}

pub(crate) async fn metrics(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let journey = existing(api, &app, &call).await?;
    call.page()?;
    Answer::json(&counted(api, &call, journey))
}

pub(crate) async fn activity_metrics(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let journey = existing(api, &app, &call).await?;
    let activity = activity_type(&journey, &call)?;
    call.page()?;
    Answer::json(&OfActivity {
        activity_type: activity,
        journey_activity_id: call.label("journey-activity-id").to_owned(),
        metrics: counted(api, &call, journey),
    })
}

pub(crate) async fn run_metrics(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    existing(api, &app, &call).await?;
    Err(missing_run(&call).into())
}

pub(crate) async fn run_activity_metrics(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    existing(api, &app, &call).await?;
    Err(missing_run(&call).into())
}

fn missing_run(call: &Call) -> Error {
    Error::not_found("journey run", call.label("run-id"))
}

/// `ActivityType` of the activity in the path.
fn activity_type(journey: &Journey, call: &Call) -> Result<&'static str> {
    let id = call.label("journey-activity-id");
    let activities = journey.document.activities.as_ref();
    let activity = activities
        .and_then(|activities| activities.get(id))
        .ok_or_else(|| Error::not_found("journey activity", id))?;
    Ok(activity.kind(id)?.metrics_type())
}

fn counted(api: &Api, call: &Call, journey: Journey) -> Metrics {
    Metrics {
        application_id: call.app_id(),
        journey_id: journey.id,
        last_evaluated_time: iso(api.clock().now()),
        metrics: BTreeMap::new(),
    }
}
