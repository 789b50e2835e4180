//! Journeys: written, looked at, moved from state to state. Running them is the engine's part and not
//! built yet, so none can be published.

mod check;
mod metrics;

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::arn::Arn;
use pinion_domain::id::{AppId, fresh_id};
use pinion_domain::journey::{JourneyDocument, JourneyState, check_publishable};
use pinion_store::{AppRef, Versioned, Write};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use metrics::{
    Metrics, OfActivity, OfRun, RunResponse, activity_metrics, metrics, run_activity_metrics, run_metrics,
    runs,
};

use crate::error::{ApiError, Result};
use crate::extract::{Answer, Call};
use crate::{Api, tags};

type Journey = Versioned<JourneyDocument>;

/// `JourneyResponse`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct JourneyResponse {
    application_id: AppId,
    creation_date: String,
    id: String,
    last_modified_date: String,
    state: String,
    #[serde(flatten)]
    document: JourneyDocument,
    #[serde(rename = "tags")]
    tags: BTreeMap<String, String>,
}

impl JourneyResponse {
    fn new(app: &AppRef, journey: Journey, tags: BTreeMap<String, String>) -> Self {
        Self {
            application_id: app.id.clone(),
            creation_date: journey.creation_date,
            id: journey.id,
            last_modified_date: journey.last_modified_date,
            state: journey.state,
            document: journey.document,
            tags,
        }
    }
}

fn arn(app: &AppRef, id: &str) -> String {
    Arn::new(&app.tenant, format!("apps/{}/journeys/{id}", app.id)).to_string()
}

fn missing(id: &str) -> Error {
    Error::not_found("journey", id)
}

async fn answer(api: &Api, app: &AppRef, journey: Option<Journey>, id: &str) -> Result<Answer> {
    let journey = journey.ok_or_else(|| missing(id))?;
    let tags = api.store().tags(&app.tenant, &arn(app, id)).await?;
    Answer::json(&JourneyResponse::new(app, journey, tags))
}

/// The journey in the path.
async fn existing(api: &Api, app: &AppRef, call: &Call) -> Result<Journey> {
    let id = call.label("journey-id");
    let journey = api.store().document(app, id, None).await?;
    Ok(journey.ok_or_else(|| missing(id))?)
}

/// Refuses to publish: with what is wrong with the journey, if anything is.
fn refuse_publishing(api: &Api, journey: &JourneyDocument) -> Result<()> {
    check_publishable(journey, api.clock().now())?;
    Err(ApiError::bad_request(
        "State: journeys cannot be run by this server yet, so none can become ACTIVE; DRAFT keeps the journey",
    ))
}

pub(crate) async fn create(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let write: JourneyDocument = call.json()?;
    let state = JourneyState::of_write(write.state)?;
    let document = JourneyDocument::default().merged(write);
    check::check(api, &app, &document).await?;
    if state == JourneyState::Active {
        refuse_publishing(api, &document)?;
    }
    let id = fresh_id();
    let journey = api
        .store()
        .create_document(&app, &id, document, state.as_str(), None)
        .await?;
    answer(api, &app, Some(journey), &id).await
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let journey = existing(api, &app, &call).await?;
    answer(api, &app, Some(journey), call.label("journey-id")).await
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let page = api
        .store()
        .documents::<JourneyDocument>(&app, None, &call.page()?)
        .await?;
    let arns: Vec<String> = page.items.iter().map(|journey| arn(&app, &journey.id)).collect();
    let mut tags = api.store().tags_of(&app.tenant, &arns).await?;
    Answer::page(&page.map(|journey| {
        let tags = tags.remove(&arn(&app, &journey.id)).unwrap_or_default();
        JourneyResponse::new(&app, journey, tags)
    }))
}

/// Members that are left out stay. Only a draft can be edited.
pub(crate) async fn update(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("journey-id");
    let write: JourneyDocument = call.json()?;
    let state = JourneyState::of_write(write.state)?;
    let before = existing(api, &app, &call).await?;
    check_editable(&before)?;
    let document = before.document.merged(write.clone());
    check::check(api, &app, &document).await?;
    if state == JourneyState::Active {
        refuse_publishing(api, &document)?;
    }
    let journey = api
        .store()
        .update_document(&app, id, Write::OverwriteLatest, move |journey: Journey| {
            check_editable(&journey)?;
            let document = journey.document.merged(write.clone());
            Ok((document, state.as_str().to_owned(), None))
        })
        .await?;
    answer(api, &app, journey, id).await
}

fn check_editable(journey: &Journey) -> Result<(), Error> {
    if journey.state == JourneyState::Draft.as_str() {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "the journey is {}; only a journey that is DRAFT can be changed",
        journey.state
    )))
}

/// `JourneyStateRequest`.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "JourneyStateRequest")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StateRequest {
    state: Option<JourneyState>,
}

pub(crate) async fn update_state(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("journey-id");
    let request: StateRequest = call.json()?;
    let asked = request
        .state
        .ok_or_else(|| Error::invalid("State", "is required: ACTIVE, PAUSED or CANCELLED"))?;
    let before = existing(api, &app, &call).await?;
    check_move(&before, asked)?;
    if asked == JourneyState::Active {
        refuse_publishing(api, &before.document)?;
    }
    let journey = api
        .store()
        .update_document(&app, id, Write::OverwriteLatest, move |journey: Journey| {
            check_move(&journey, asked)?;
            Ok((journey.document, asked.as_str().to_owned(), None))
        })
        .await?;
    answer(api, &app, journey, id).await
}

fn check_move(journey: &Journey, to: JourneyState) -> Result<(), Error> {
    let state = JourneyState::parse(&journey.state)
        .ok_or_else(|| Error::Conflict(format!("the journey is {}", journey.state)))?;
    state.check_move(to)
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("journey-id");
    let tags = tags::take(api, &app.tenant, &arn(&app, id)).await?;
    let journey = api
        .store()
        .delete_document::<JourneyDocument>(&app, id, None)
        .await?;
    let journey = journey.ok_or_else(|| missing(id))?;
    Answer::json(&JourneyResponse::new(&app, journey, tags))
}
