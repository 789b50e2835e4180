//! What happens as time passes: due campaigns become runs, runs become messages, messages become
//! outcomes, and files become endpoints.
//!
//! | module | holds |
//! |---|---|
//! | [`audience`] | endpoints as dictionary columns: who is in a segment |
//! | [`campaigns`] | due campaigns become runs; finished runs move their campaign on |
//! | [`send`] | from a chunk of recipients to committed outcomes; direct messages |
//! | [`render`] | templates and the values they read |
//! | [`tracking`], [`receipts`] | signed links, and what opens, clicks and unsubscribes become |
//! | [`in_app`] | which in-app messages an endpoint may show |
//! | [`import`], [`export`] | files become endpoints and segments, and endpoints files |
//! | [`kpi`] | KPI names become rows, from rollups alone |
//!
//! Plugins are seen only through `domain::extension`; nothing here knows HTTP or WebAssembly.

pub mod audience;
pub mod campaigns;
pub mod config;
mod error;
pub mod export;
mod files;
pub mod import;
pub mod in_app;
mod jobs;
pub mod kpi;
pub mod receipts;
pub mod render;
pub mod send;
pub mod tracking;

use std::sync::Arc;

use pinion_domain::clock::Clock;
use pinion_domain::extension::Plugins;
use pinion_domain::job::{ExportJobRequest, ImportJobRequest};
use pinion_store::Store;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

pub use config::Config;
pub use error::{Error, Result};

/// Everything that happens as time passes. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) plugins: Arc<dyn Plugins>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) audiences: audience::Audiences,
    /// Absent without a public URL: nothing is tracked then.
    pub(crate) tracker: Option<Arc<tracking::Tracker>>,
    pub(crate) throttle: send::Throttle,
    pub(crate) runs: send::PreparedRuns,
    /// Rung when there may be something to do before the next tick.
    bell: Notify,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Engine {
    /// Builds the engine; nothing moves before [`Engine::start`].
    ///
    /// Fails if the public URL cannot be a base of links.
    pub fn new(
        store: Store,
        plugins: Arc<dyn Plugins>,
        config: Config,
    ) -> Result<Self, tracking::TrackerError> {
        let clock = Arc::clone(store.clock());
        let audiences = audience::Audiences::new(store.clone(), Arc::clone(&plugins), config.audience_bytes);
        let keys = [tracking::TrackingKey {
            id: 1,
            key: store.derived_key("tracking"),
        }];
        let tracker = match &config.public_url {
            Some(url) => Some(Arc::new(tracking::Tracker::new(&keys, url)?)),
            None => None,
        };
        let throttle = send::Throttle::new(Arc::clone(&clock));
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                plugins,
                clock,
                config,
                audiences,
                tracker,
                throttle,
                runs: send::PreparedRuns::default(),
                bell: Notify::new(),
                stop: CancellationToken::new(),
                tasks: TaskTracker::new(),
            }),
        })
    }

    /// Starts schedules, workers and jobs.
    pub async fn start(&self) -> Result<()> {
        let unknown = self.inner.store.unknown_direct_after_crash().await?;
        if unknown > 0 {
            info!(
                unknown,
                "direct messages were in flight when the server stopped; their outcome is unknown"
            );
        }
        self.spawn(campaigns::tick);
        self.spawn(send::retry_loop);
        for _ in 0..self.inner.config.workers {
            self.spawn(send::worker_loop);
        }
        self.spawn(jobs::job_loop::<ImportJobRequest>);
        self.spawn(jobs::job_loop::<ExportJobRequest>);
        self.spawn(send::sweep_loop);
        Ok(())
    }

    fn spawn<F>(&self, task: fn(Self) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let engine = self.clone();
        self.inner.tasks.spawn(async move {
            // A panic is a bug, but it must not be the end of sending: what was uncommitted is taken up
            // again, by this task or another.
            while let Err(error) = tokio::spawn(task(engine.clone())).await {
                error!(%error, "a background task panicked and begins again");
                metrics::counter!("pinion_task_panics_total").increment(1);
                if !engine.pause(std::time::Duration::from_secs(1)).await {
                    return;
                }
            }
        });
    }

    /// Stops: what was handed over is waited for and committed, nothing new begins.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Says that a campaign, a job or a run may have something to do now.
    pub fn wake(&self) {
        self.inner.bell.notify_waiters();
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The plugins.
    pub fn plugins(&self) -> &Arc<dyn Plugins> {
        &self.inner.plugins
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// What the engine was configured with.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Segments answered from columns.
    pub fn audiences(&self) -> &audience::Audiences {
        &self.inner.audiences
    }

    /// Waits for the bell, the tick or the end; `false` at the end.
    pub(crate) async fn pause(&self, tick: std::time::Duration) -> bool {
        tokio::select! {
            () = self.inner.stop.cancelled() => false,
            () = self.inner.bell.notified() => true,
            () = tokio::time::sleep(tick) => true,
        }
    }

    /// Waits for the time to pass or the end, whatever rings; `false` at the end.
    pub(crate) async fn sleep(&self, time: std::time::Duration) -> bool {
        tokio::select! {
            () = self.inner.stop.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.inner.stop.is_cancelled()
    }

    pub(crate) async fn stopping(&self) {
        self.inner.stop.cancelled().await;
    }
}
