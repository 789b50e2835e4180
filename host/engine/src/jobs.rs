//! Jobs: asked for through the API, done here one after the other. One that a restart interrupts begins
//! again, so a job must come to the same result however often it begins.

use std::time::Duration;

use pinion_domain::id::JobId;
use pinion_domain::job::{Definition, Job};
use pinion_store::AppRef;
use tracing::{Instrument, info, info_span, warn};

use crate::{Engine, Result};

const IDLE: Duration = Duration::from_secs(2);
/// How often a running job says how far it is.
pub(crate) const PROGRESS: Duration = Duration::from_secs(1);

/// What a kind of job does.
pub(crate) trait Work: Definition {
    /// Runs a job to its end, or until the engine stops. An error means that the store failed; the job is
    /// still unfinished then.
    fn run(
        engine: &Engine,
        app: &AppRef,
        id: &JobId,
        job: Job<Self>,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Works on jobs of a kind until the engine stops.
pub(crate) async fn job_loop<D: Work>(engine: Engine) {
    loop {
        match engine.store().unfinished_jobs::<D>().await {
            Ok(jobs) => {
                for (app, id, job, _) in jobs {
                    let span = info_span!("job", job.kind = D::NOUN, app.id = %app.id, job.id = %id);
                    if let Err(error) = D::run(&engine, &app, &id, job).instrument(span).await {
                        warn!(%error, "the {} was interrupted; it will begin again", D::NOUN);
                    }
                    if engine.is_stopping() {
                        return;
                    }
                }
            }
            Err(error) => warn!(%error, "{}s could not be looked at", D::NOUN),
        }
        if !engine.pause(IDLE).await {
            return;
        }
    }
}

impl Engine {
    /// Keeps that a job is over; with a sentence why if it failed.
    pub(crate) async fn end_job<D: Definition>(
        &self,
        app: &AppRef,
        id: &JobId,
        job: Job<D>,
        failed: Option<String>,
    ) -> Result<()> {
        let job = job.ended(failed, self.clock().now());
        info!(
            processed = job.total_processed,
            failures = job.total_failures,
            status = ?job.job_status,
            "the {} is over",
            D::NOUN
        );
        self.store().update_job(app, id, &job, None).await?;
        Ok(())
    }
}
