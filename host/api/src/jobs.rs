//! Import and export jobs. The engine does them; here they are asked for and looked at.

use pinion_domain::Error;
use pinion_domain::id::{AppId, JobId, SegmentId, fresh_id};
use pinion_domain::job::{Definition, ExportJobRequest, ImportJobRequest, Job};
use pinion_domain::segment::SegmentDocument;
use pinion_engine::export;
use pinion_store::AppRef;
use schemars::JsonSchema;
use serde::Serialize;
use url::Url;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// `ImportJobResponse` and `ExportJobResponse`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{D}Response")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct JobResponse<D> {
    application_id: AppId,
    id: JobId,
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(flatten)]
    job: Job<D>,
}

impl<D: Definition> JobResponse<D> {
    fn new(app: &AppRef, id: JobId, job: Job<D>) -> Self {
        Self {
            application_id: app.id.clone(),
            id,
            kind: D::KIND,
            job,
        }
    }
}

pub(crate) async fn create_import(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let definition: ImportJobRequest = call.json()?;
    check_import(&definition)?;
    if let Some(segment) = &definition.segment_id {
        check_imported(api, &app, segment).await?;
    }
    create(api, &app, definition).await
}

pub(crate) async fn get_import(api: &Api, call: Call) -> Result<Answer> {
    get::<ImportJobRequest>(api, call).await
}

pub(crate) async fn list_imports(api: &Api, call: Call) -> Result<Answer> {
    list::<ImportJobRequest>(api, call).await
}

pub(crate) async fn list_segment_imports(api: &Api, call: Call) -> Result<Answer> {
    list::<ImportJobRequest>(api, call).await
}

pub(crate) async fn create_export(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let definition: ExportJobRequest = call.json()?;
    let folder = api.engine.config().export_folder.as_deref();
    export::check_url(&definition.s3_url_prefix, folder)?;
    check_exported(api, &app, &definition).await?;
    create(api, &app, definition).await
}

pub(crate) async fn get_export(api: &Api, call: Call) -> Result<Answer> {
    get::<ExportJobRequest>(api, call).await
}

pub(crate) async fn list_exports(api: &Api, call: Call) -> Result<Answer> {
    list::<ExportJobRequest>(api, call).await
}

pub(crate) async fn list_segment_exports(api: &Api, call: Call) -> Result<Answer> {
    list::<ExportJobRequest>(api, call).await
}

async fn create<D: Definition>(api: &Api, app: &AppRef, definition: D) -> Result<Answer> {
    let id = JobId::from(fresh_id());
    let job = Job::new(definition, api.clock().now());
    api.store().create_job(app, &id, &job).await?;
    api.engine.wake();
    Answer::json(&JobResponse::new(app, id, job))
}

async fn get<D: Definition>(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = JobId::from(call.label("job-id"));
    let job: Option<Job<D>> = api.store().job(&app, &id).await?;
    let job = job.ok_or_else(|| Error::not_found(D::NOUN, id.as_str()))?;
    Answer::json(&JobResponse::new(&app, id, job))
}

/// Of the segment in the path, if there is one.
async fn list<D: Definition>(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let segment = call.labels.find("segment-id").map(SegmentId::from);
    let jobs = api
        .store()
        .jobs::<D>(&app, segment.as_ref(), &call.page()?)
        .await?;
    Answer::page(&jobs.map(|(id, job)| JobResponse::new(&app, id, job)))
}

/// What can be said before any file is looked at. Whether a file may be read is the engine's to say,
/// and shows in the job.
fn check_import(definition: &ImportJobRequest) -> Result<(), Error> {
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
async fn check_imported(api: &Api, app: &AppRef, id: &str) -> Result<()> {
    match api.store().document::<SegmentDocument>(app, id, None).await? {
        Some(segment) if segment.document.import_definition.is_some() => Ok(()),
        Some(_) => Err(Error::invalid("SegmentId", "is a segment that was not imported").into()),
        None => Err(Error::invalid("SegmentId", format!("there is no segment {id}")).into()),
    }
}

/// A segment whose members are exported must be there, in the version that is named.
async fn check_exported(api: &Api, app: &AppRef, definition: &ExportJobRequest) -> Result<()> {
    let (segment, version) = match (&definition.segment_id, definition.segment_version) {
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err(Error::invalid("SegmentVersion", "needs a SegmentId").into()),
        (Some(segment), version) => (segment, version),
    };
    let found = api
        .store()
        .document::<SegmentDocument>(app, segment.as_str(), version)
        .await?;
    match (found, version) {
        (Some(_), _) => Ok(()),
        (None, None) => Err(Error::invalid("SegmentId", format!("there is no segment {segment}")).into()),
        (None, Some(version)) => Err(Error::invalid(
            "SegmentVersion",
            format!("segment {segment} has no version {version}"),
        )
        .into()),
    }
}
