//! Import jobs. The engine does them; here they are asked for and looked at.

use pinion_domain::Error;
use pinion_domain::id::{AppId, JobId, SegmentId, fresh_id};
use pinion_domain::job::{ImportJob, ImportJobRequest};
use pinion_domain::segment::SegmentDocument;
use pinion_store::AppRef;
use serde::Serialize;
use url::Url;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// `ImportJobResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ImportJobResponse {
    application_id: AppId,
    id: JobId,
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(flatten)]
    job: ImportJob,
}

impl ImportJobResponse {
    fn new(app: &AppRef, id: JobId, job: ImportJob) -> Self {
        Self {
            application_id: app.id.clone(),
            id,
            kind: "IMPORT",
            job,
        }
    }
}

pub(crate) async fn create_import(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let definition: ImportJobRequest = call.json()?;
    check(&definition)?;
    if let Some(segment) = &definition.segment_id {
        check_segment(api, &app, segment).await?;
    }
    let id = JobId::from(fresh_id());
    let job = ImportJob::new(definition, api.clock().now());
    api.store().create_job(&app, &id, job.clone()).await?;
    api.engine.wake();
    Answer::json(&ImportJobResponse::new(&app, id, job))
}

pub(crate) async fn get_import(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = JobId::from(call.label("job-id"));
    let job = api.store().job(&app, &id).await?;
    let job = job.ok_or_else(|| Error::not_found("import job", id.as_str()))?;
    Answer::json(&ImportJobResponse::new(&app, id, job))
}

pub(crate) async fn list_imports(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    answer_list(api, &call, &app, None).await
}

pub(crate) async fn list_segment_imports(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let segment = SegmentId::from(call.label("segment-id"));
    answer_list(api, &call, &app, Some(&segment)).await
}

async fn answer_list(api: &Api, call: &Call, app: &AppRef, segment: Option<&SegmentId>) -> Result<Answer> {
    let jobs = api.store().jobs(app, segment, &call.page()?).await?;
    Answer::page(&jobs.map(|(id, job)| ImportJobResponse::new(app, id, job)))
}

/// What can be said before any file is looked at. Whether a file may be read is the engine's to say,
/// and shows in the job.
fn check(definition: &ImportJobRequest) -> Result<(), Error> {
    if !matches!(definition.format.as_str(), "CSV" | "JSON") {
        return Err(Error::invalid("Format", "must be CSV or JSON"));
    }
    let scheme = Url::parse(&definition.s3_url).map(|url| url.scheme().to_owned());
    if !matches!(scheme.as_deref(), Ok("s3" | "file")) {
        return Err(Error::invalid(
            "S3Url",
            "must be s3://BUCKET/KEY, or file://PATH below the folder that the server's config names",
        ));
    }
    if definition.define_segment == Some(false) && definition.register_endpoints == Some(false) {
        return Err(Error::invalid(
            "RegisterEndpoints",
            "a job that neither registers endpoints nor defines a segment does nothing",
        ));
    }
    Ok(())
}

/// A segment that a job replaces must be an imported one.
async fn check_segment(api: &Api, app: &AppRef, id: &str) -> Result<()> {
    match api.store().document::<SegmentDocument>(app, id, None).await? {
        Some(segment) if segment.document.import_definition.is_some() => Ok(()),
        Some(_) => Err(Error::invalid("SegmentId", "is a segment that was not imported").into()),
        None => Err(Error::invalid("SegmentId", format!("there is no segment {id}")).into()),
    }
}
