//! The event stream of an application, at most one.

use pinion_domain::Error;
use pinion_domain::event_stream::{EventStreamDocument, WriteEventStream};
use pinion_domain::id::AppId;
use pinion_store::{AppRef, Versioned};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// The document's id in its application.
const ID: &str = "stream";

/// `EventStream`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EventStream {
    application_id: AppId,
    last_modified_date: String,
    #[serde(flatten)]
    document: EventStreamDocument,
}

fn answer(app: &AppRef, found: Option<Versioned<EventStreamDocument>>) -> Result<Answer> {
    let found = found.ok_or_else(|| Error::not_found("event stream of application", app.id.as_str()))?;
    Answer::json(&EventStream {
        application_id: app.id.clone(),
        last_modified_date: found.last_modified_date,
        document: found.document,
    })
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let found = api.store().document(&app, ID, None).await?;
    answer(&app, found)
}

/// Makes the stream or changes it.
pub(crate) async fn put(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let stream: WriteEventStream = call.json()?;
    stream.check()?;
    let document = EventStreamDocument {
        stream,
        last_updated_by: call.principal.arn(),
    };
    let written = api.store().put_document(&app, ID, document).await?;
    answer(&app, Some(written))
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let deleted = api.store().delete_document(&app, ID, None).await?;
    answer(&app, deleted)
}
