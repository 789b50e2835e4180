//! An import job over a file, as the API makes it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use pinion_domain::id::{JobId, SegmentId, fresh_id};
use pinion_domain::job::{ImportJob, ImportJobRequest, JobStatus};
use pinion_engine::Engine;
use pinion_store::AppRef;

/// Imports a CSV and tells the segment of its endpoints and the lines a second.
pub async fn csv(engine: &Engine, app: &AppRef, file: &Path) -> Result<(SegmentId, f64)> {
    let store = engine.store();
    let id = JobId::from(fresh_id());
    let job = ImportJob::new(
        ImportJobRequest {
            define_segment: Some(true),
            format: "CSV".to_owned(),
            role_arn: "arn:aws:iam::000000000000:role/none".to_owned(),
            s3_url: format!("file://{}", file.display()),
            segment_name: Some("everybody".to_owned()),
            ..ImportJobRequest::default()
        },
        store.clock().now(),
    );
    let started = Instant::now();
    store.create_job(app, &id, &job).await?;
    engine.wake();
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let Some(job) = store.job::<ImportJobRequest>(app, &id).await? else {
            bail!("the job vanished")
        };
        if job.job_status == JobStatus::Completed {
            let seconds = started.elapsed().as_secs_f64();
            let Some(segment) = job.definition.segment_id else {
                bail!("the job made no segment")
            };
            return Ok((segment.into(), job.total_processed as f64 / seconds));
        }
        if job.job_status.is_final() {
            bail!("the import failed: {:?}", job.failures);
        }
    }
}
