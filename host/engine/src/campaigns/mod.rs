//! Due campaigns become runs; finished runs move their campaign on.

mod start;

use pinion_domain::campaign::{CampaignDocument, CampaignStatus, Frequency, schedule};
use pinion_domain::clock::parse_iso;
use pinion_domain::id::CampaignId;
use pinion_domain::page::PageRequest;
use pinion_store::{AppRef, Run, RunState, StateChange, Versioned};
use tracing::{Instrument, error, info, info_span, warn};

use crate::{Engine, Result};

/// Campaigns that one look at the schedules may start.
const AT_ONCE: usize = 50;

/// States in which a campaign waits for its next occurrence.
const WAITING: &[&str] = &[
    CampaignStatus::Scheduled.as_str(),
    CampaignStatus::PendingNextRun.as_str(),
];

/// Looks at the schedules until the engine stops.
pub(crate) async fn tick(engine: Engine) {
    loop {
        if !engine.store().is_held()
            && let Err(error) = engine.start_due_campaigns().await
        {
            warn!(%error, "due campaigns could not be looked at");
        }
        if let Err(error) = engine.finish_runs().await {
            warn!(%error, "finished runs could not be looked at");
        }
        if !engine.pause(engine.config().tick).await {
            return;
        }
    }
}

impl Engine {
    async fn start_due_campaigns(&self) -> Result<()> {
        let now = self.clock().now();
        for (app, campaign) in self
            .store()
            .due_documents::<CampaignDocument>(WAITING, now, AT_ONCE)
            .await?
        {
            let span = info_span!("job.start_campaign", app.id = %app.id, campaign.id = %campaign.id);
            self.start_campaign(&app, campaign).instrument(span).await?;
        }
        Ok(())
    }

    async fn start_campaign(&self, app: &AppRef, campaign: Versioned<CampaignDocument>) -> Result<()> {
        let Some(due) = campaign.due_at else { return Ok(()) };
        let started = self.start_run(app, &campaign, due).await;
        let status = match started {
            Ok(started) => {
                if started {
                    info!("the campaign runs");
                }
                CampaignStatus::Executing
            }
            Err(crate::Error::Store(error)) => return Err(crate::Error::Store(error)),
            Err(error) => {
                error!(%error, "the campaign cannot run");
                self.record_failure(app, &campaign, due, &error).await?;
                CampaignStatus::Invalid
            }
        };
        let change = StateChange::of::<CampaignDocument>(app, &campaign.id, WAITING, status.as_str(), None);
        let moved = self.store().set_document_state(change).await?;
        if !moved {
            self.catch_up(app, &campaign.id).await?;
        }
        Ok(())
    }

    /// The campaign was paused or deleted, or failed with its segment, while its run was being written: the run
    /// follows.
    ///
    /// The run comes first and the status after it, since a crash in between must not lose the run.
    async fn catch_up(&self, app: &AppRef, id: &str) -> Result<()> {
        let now = self.store().document::<CampaignDocument>(app, id, None).await?;
        let state = match now.as_ref().map(|campaign| campaign.state.as_str()) {
            Some(state) if state == CampaignStatus::Paused.as_str() => RunState::Paused,
            Some(state) if state == CampaignStatus::Deleted.as_str() => RunState::Cancelled,
            None => RunState::Cancelled,
            Some(_) => return Ok(()),
        };
        for run in self
            .store()
            .runs(app, &CampaignId::from(id), &PageRequest::default())
            .await?
            .items
        {
            if run.state == RunState::Running {
                self.store().set_run_state(run.no, state, None).await?;
            }
        }
        Ok(())
    }

    async fn finish_runs(&self) -> Result<()> {
        for (app, run) in self.store().exhausted_runs().await? {
            let moves = self.after_run(&app, &run).await?;
            if self.store().finish_run(run.no, moves).await? {
                info!(app.id = %app.id, campaign.id = %run.campaign, run.no = run.no, state = run.state.as_str(),
                    "every recipient of the run has an outcome");
                self.inner.runs.forget(run.no);
            }
        }
        Ok(())
    }

    /// What a campaign does after a run: it waits for the next occurrence, or is complete, or cannot go on. One
    /// that was paused or deleted meanwhile stays as it is.
    async fn after_run(&self, app: &AppRef, run: &Run) -> Result<StateChange> {
        let campaign = self
            .store()
            .document::<CampaignDocument>(app, run.campaign.as_str(), None)
            .await?;
        let next = campaign
            .as_ref()
            .and_then(|campaign| next_occurrence(campaign, run.scheduled));
        let (status, next) = match (run.state, next) {
            (RunState::Failed, _) => (CampaignStatus::Invalid, None),
            (_, Some(next)) => (CampaignStatus::PendingNextRun, Some(next)),
            (_, None) => (CampaignStatus::Completed, None),
        };
        Ok(StateChange::of::<CampaignDocument>(
            app,
            run.campaign.as_str(),
            &[CampaignStatus::Executing.as_str()],
            status.as_str(),
            next,
        ))
    }
}

/// When a campaign is due after one of its occurrences.
fn next_occurrence(
    campaign: &Versioned<CampaignDocument>,
    after: jiff::Timestamp,
) -> Option<jiff::Timestamp> {
    let schedule = campaign.document.schedule.as_ref()?;
    if schedule.frequency.unwrap_or(Frequency::Once) == Frequency::Once {
        return None;
    }
    let created = parse_iso(&campaign.creation_date)?;
    schedule::next(schedule, created, after + jiff::SignedDuration::from_millis(1))
}
