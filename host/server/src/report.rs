//! The console's reports, read from documents and rollups.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use pinion_console::pages::report::{
    Item, Minute, ReasonCount, Report, ReportSource, Run, SourceError, Treatment,
};
use pinion_domain::campaign::CampaignDocument;
use pinion_domain::delivery::{Outcome, Reason};
use pinion_domain::id::{AppId, CampaignId};
use pinion_domain::kpi::Metric;
use pinion_domain::page::PageRequest;
use pinion_store::{AppRef, Count, EventCount, RollupFilter, RunState, Scope, Store, Versioned};

/// Runs that a report looks at.
const MOST_RUNS: u32 = 200;

/// Reads reports from the store. Whoever may enter the console sees every application.
pub struct StoreReports(pub Store);

#[async_trait]
impl ReportSource for StoreReports {
    async fn apps(&self) -> Result<Vec<Item>, SourceError> {
        let mut items = Vec::new();
        for app in self.0.all_apps().await.map_err(source)? {
            let described = self.0.describe_app(&app).await.map_err(source)?;
            items.push(Item {
                id: app.id.into(),
                name: described.name,
                status: String::new(),
            });
        }
        Ok(items)
    }

    async fn campaigns(&self, app: &AppId) -> Result<Vec<Item>, SourceError> {
        let Some(app) = self.app(app).await? else {
            return Ok(Vec::new());
        };
        let page = PageRequest {
            size: PageRequest::LARGEST,
            after: None,
        };
        let campaigns = self
            .0
            .documents::<CampaignDocument>(Scope::from(&app), None, &page)
            .await
            .map_err(source)?;
        Ok(campaigns
            .items
            .into_iter()
            .map(|campaign| Item {
                name: name(&campaign),
                id: campaign.id,
                status: campaign.state,
            })
            .collect())
    }

    async fn report(&self, app: &AppId, campaign: &CampaignId) -> Result<Option<Report>, SourceError> {
        let Some(app) = self.app(app).await? else {
            return Ok(None);
        };
        let found = self
            .0
            .document::<CampaignDocument>(Scope::from(&app), campaign.as_str(), None)
            .await
            .map_err(source)?;
        let Some(found) = found else { return Ok(None) };
        let described = self.0.describe_app(&app).await.map_err(source)?;
        let page = PageRequest {
            size: MOST_RUNS,
            after: None,
        };
        let runs = self.0.runs(&app, campaign, &page).await.map_err(source)?.items;
        let filter = RollupFilter {
            runs: Some(runs.iter().map(|run| run.no).collect()),
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::MAX,
        };
        let ledger = self.0.ledger_rollup(&app, filter.clone()).await.map_err(source)?;
        let events = self.0.event_rollup(&app, filter).await.map_err(source)?;
        let now = self.0.clock().now();
        Ok(Some(Report {
            app_id: app.id.to_string(),
            app_name: described.name,
            campaign_id: campaign.to_string(),
            campaign_name: name(&found),
            status: found.state.clone(),
            treatments: treatments(&found.document, &runs, &ledger, &events),
            reasons: reasons(&ledger),
            timeline: timeline(&ledger, &events),
            runs: runs.iter().map(|run| progress(run, &ledger, now)).collect(),
        }))
    }
}

impl StoreReports {
    async fn app(&self, id: &AppId) -> Result<Option<AppRef>, SourceError> {
        Ok(self
            .0
            .all_apps()
            .await
            .map_err(source)?
            .into_iter()
            .find(|app| app.id == *id))
    }
}

fn source(error: pinion_store::Error) -> SourceError {
    SourceError(Box::new(error))
}

fn name(campaign: &Versioned<CampaignDocument>) -> String {
    campaign
        .document
        .name
        .clone()
        .unwrap_or_else(|| campaign.id.clone())
}

fn progress(run: &pinion_store::Run, ledger: &[Count], now: Timestamp) -> Run {
    let done = ledger
        .iter()
        .filter(|count| count.run_no == run.no)
        .map(|count| count.count)
        .sum::<u64>();
    let end = run.finished.unwrap_or(now);
    let seconds = end.duration_since(run.started).as_secs_f64();
    // Less than a tenth of a second says nothing about a second.
    let rate = if seconds < 0.1 { 0.0 } else { done as f64 / seconds };
    let left = run.total.saturating_sub(done);
    let eta = (run.state == RunState::Running && rate > 0.0).then(|| (left as f64 / rate).ceil() as u64);
    Run {
        id: run.id.to_string(),
        status: run.state.as_str().to_owned(),
        total: run.total,
        done,
        started: Some(run.started),
        rate,
        eta,
    }
}

fn reasons(ledger: &[Count]) -> Vec<ReasonCount> {
    let mut counts: BTreeMap<Reason, u64> = BTreeMap::new();
    for count in ledger {
        *counts.entry(count.reason).or_default() += count.count;
    }
    counts
        .into_iter()
        .map(|(reason, count)| ReasonCount {
            reason: reason.as_str().to_owned(),
            outcome: reason.outcome(),
            count,
        })
        .collect()
}

fn treatments(
    campaign: &CampaignDocument,
    runs: &[pinion_store::Run],
    ledger: &[Count],
    events: &[EventCount],
) -> Vec<Treatment> {
    let own = campaign
        .treatment_name
        .clone()
        .unwrap_or_else(|| "Default".to_owned());
    let names = std::iter::once(own).chain(campaign.additional_treatments.iter().map(|treatment| {
        treatment
            .treatment
            .treatment_name
            .clone()
            .unwrap_or_else(|| treatment.id.to_string())
    }));
    let mut treatments: Vec<Treatment> = names
        .enumerate()
        .map(|(number, name)| {
            let number = u8::try_from(number).unwrap_or(u8::MAX);
            let of = |outcome: Outcome| {
                let counts = ledger.iter().filter(|count| count.treatment == number);
                counts
                    .filter(|count| count.reason.outcome() == outcome)
                    .map(|count| count.count)
                    .sum()
            };
            let event = |metric: Metric| {
                let counts = events.iter().filter(|count| count.treatment == number);
                counts
                    .filter(|count| count.metric == metric)
                    .map(|count| count.count)
                    .sum()
            };
            Treatment {
                name,
                total: runs
                    .iter()
                    .filter_map(|run| run.treatment_totals.get(usize::from(number)))
                    .sum(),
                accepted: of(Outcome::Accepted),
                failed: of(Outcome::Failed),
                skipped: of(Outcome::Skipped),
                opens: event(Metric::Opened),
                unique_opens: event(Metric::UniqueOpened),
                clicks: event(Metric::Clicked),
                unique_clicks: event(Metric::UniqueClicked),
                unsubscribes: event(Metric::Unsubscribed),
            }
        })
        .collect();
    let holdout: u64 = runs.iter().map(|run| run.holdout_total).sum();
    if holdout > 0 {
        treatments.push(Treatment {
            name: "Holdout".to_owned(),
            total: holdout,
            accepted: 0,
            failed: 0,
            skipped: 0,
            opens: 0,
            unique_opens: 0,
            clicks: 0,
            unique_clicks: 0,
            unsubscribes: 0,
        });
    }
    treatments
}

fn timeline(ledger: &[Count], events: &[EventCount]) -> Vec<Minute> {
    let mut minutes: BTreeMap<i64, Minute> = BTreeMap::new();
    let mut at = |minute: i64, change: &dyn Fn(&mut Minute)| {
        let start = Timestamp::from_second(minute * 60).unwrap_or(Timestamp::UNIX_EPOCH);
        let empty = Minute {
            minute: start,
            accepted: 0,
            failed: 0,
            skipped: 0,
            opened: 0,
            clicked: 0,
        };
        change(minutes.entry(minute).or_insert(empty));
    };
    for count in ledger {
        at(count.minute, &|minute| match count.reason.outcome() {
            Outcome::Accepted => minute.accepted += count.count,
            Outcome::Failed | Outcome::Unknown => minute.failed += count.count,
            Outcome::Skipped | Outcome::Holdout => minute.skipped += count.count,
        });
    }
    for count in events {
        at(count.minute, &|minute| match count.metric {
            Metric::Opened => minute.opened += count.count,
            Metric::Clicked => minute.clicked += count.count,
            _ => {}
        });
    }
    minutes.into_values().collect()
}
