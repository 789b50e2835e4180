//! Runs of journeys, and what became of their participants. No journey has run yet, so there are no runs
//! and nothing was counted.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::clock::iso;
use pinion_domain::id::AppId;
use pinion_domain::page::Page;
use serde::Serialize;
use serde_with::skip_serializing_none;

use super::{Journey, existing};
use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// `JourneyExecutionMetricsResponse` and the three others, which differ in what they are about.
#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricsResponse {
    activity_type: Option<&'static str>,
    application_id: AppId,
    journey_activity_id: Option<String>,
    journey_id: String,
    last_evaluated_time: String,
    metrics: BTreeMap<String, String>,
}

/// `JourneyRunsResponse`.
pub(crate) async fn runs(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    existing(api, &app, &call).await?;
    call.page()?;
    Answer::page(&Page::<()> {
        items: Vec::new(),
        next_token: None,
    })
}

pub(crate) async fn metrics(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let journey = existing(api, &app, &call).await?;
    call.page()?;
    answer(api, &call, journey, None)
}

pub(crate) async fn activity_metrics(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let journey = existing(api, &app, &call).await?;
    let activity = activity_type(&journey, &call)?;
    call.page()?;
    answer(api, &call, journey, Some(activity))
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

fn answer(api: &Api, call: &Call, journey: Journey, activity_type: Option<&'static str>) -> Result<Answer> {
    Answer::json(&MetricsResponse {
        activity_type,
        application_id: call.app_id(),
        journey_activity_id: call.labels.find("journey-activity-id").map(str::to_owned),
        journey_id: journey.id,
        last_evaluated_time: iso(api.clock().now()),
        metrics: BTreeMap::new(),
    })
}
