//! Activities: what each run did with each treatment.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use pinion_domain::Error;
use pinion_domain::campaign::CampaignDocument;
use pinion_domain::clock::iso;
use pinion_domain::delivery::{Outcome, Reason, activity_id};
use pinion_domain::id::{AppId, CampaignId};
use pinion_domain::page::{Page, PageRequest};
use pinion_store::{AppRef, Count, LedgerRow, RollupFilter, Run, RunState};
use schemars::JsonSchema;
use serde::Serialize;
use serde_with::skip_serializing_none;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// `ActivityResponse`, and beside AWS's members a sentence why a run failed.
#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ActivityResponse {
    application_id: AppId,
    campaign_id: CampaignId,
    id: String,
    end: Option<String>,
    result: Option<&'static str>,
    detail: Option<String>,
    scheduled_start: String,
    start: String,
    state: &'static str,
    successful_endpoint_count: u64,
    total_endpoint_count: u64,
    treatment_id: String,
    execution_metrics: BTreeMap<&'static str, String>,
}

/// Runs newest first, each with an activity per treatment. A page may end between treatments of a run.
pub(crate) async fn activities(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = CampaignId::from(call.label("campaign-id"));
    let campaign = api
        .store()
        .document::<CampaignDocument>(&app, id.as_str(), None)
        .await?;
    let campaign = campaign.ok_or_else(|| Error::not_found("campaign", id.as_str()))?;
    let page = call.page()?;
    let behind = page.after.as_deref().map(Position::parse).transpose()?;
    // Each run has at least one activity; the run in which the page before ended may have none left, and one
    // more tells whether there is another page.
    let asked = PageRequest {
        size: page.size + 2,
        after: behind.map(|behind| behind.run_no.saturating_add(1).to_string()),
    };
    let runs = api.store().runs(&app, &id, &asked).await?.items;
    let filter = RollupFilter {
        runs: Some(runs.iter().map(|run| run.no).collect()),
        from: Timestamp::UNIX_EPOCH,
        to: Timestamp::MAX,
    };
    let counts = api.store().ledger_rollup(&app, filter).await?;
    let mut by_run: HashMap<i64, Vec<Count>> = HashMap::new();
    for count in counts {
        by_run.entry(count.run_no).or_default().push(count);
    }
    let items = runs
        .iter()
        .flat_map(|run| {
            let counts = by_run.remove(&run.no).unwrap_or_default();
            of_run(&app, run, &campaign.document, &counts)
        })
        .filter(|(at, _)| behind.is_none_or(|behind| at.is_behind(behind)))
        .take(usize::try_from(page.size).unwrap_or(usize::MAX).saturating_add(1))
        .collect();
    let page = Page::of(items, page.size, |(at, _)| at.to_string());
    Answer::page(&page.map(|(_, activity)| activity))
}

/// Where an activity is in the list.
#[derive(Clone, Copy)]
struct Position {
    run_no: i64,
    treatment: u8,
}

impl Position {
    /// What [`Display`](std::fmt::Display) wrote.
    fn parse(token: &str) -> Result<Self> {
        let parsed = token.split_once(' ').and_then(|(run_no, treatment)| {
            Some(Self {
                run_no: run_no.parse().ok()?,
                treatment: treatment.parse().ok()?,
            })
        });
        Ok(parsed.ok_or_else(|| Error::invalid("token", "is not a token of ours"))?)
    }

    /// Runs descend, treatments ascend.
    fn is_behind(self, other: Self) -> bool {
        self.run_no < other.run_no || (self.run_no == other.run_no && self.treatment > other.treatment)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.run_no, self.treatment)
    }
}

fn of_run(
    app: &AppRef,
    run: &Run,
    campaign: &CampaignDocument,
    counts: &[Count],
) -> Vec<(Position, ActivityResponse)> {
    let (state, result) = match run.state {
        RunState::Running => ("RUNNING", None),
        RunState::Paused => ("PAUSED", None),
        RunState::Completed => ("COMPLETED", Some("SUCCESS")),
        RunState::Cancelled => ("CANCELLED", Some("FAIL")),
        RunState::Failed => ("COMPLETED", Some("FAIL")),
    };
    let numbered = run.treatment_totals.iter().zip(0_u8..);
    numbered
        .map(|(total, number)| {
            // The holdout belongs to no treatment; it is told with the campaign's own.
            let mine = counts.iter().filter(|count| {
                count.treatment == number || (number == 0 && count.treatment == LedgerRow::HOLDOUT)
            });
            let mut accepted = 0;
            let mut skips: BTreeMap<&'static str, u64> = BTreeMap::new();
            for count in mine {
                match count.reason.outcome() {
                    Outcome::Accepted => accepted += count.count,
                    _ => *skips.entry(Reason::as_str(count.reason)).or_default() += count.count,
                }
            }
            let at = Position {
                run_no: run.no,
                treatment: number,
            };
            let activity = ActivityResponse {
                application_id: app.id.clone(),
                campaign_id: run.campaign.clone(),
                id: activity_id(&run.id, number),
                end: run.finished.map(iso),
                result,
                detail: run.detail.clone(),
                scheduled_start: iso(run.scheduled),
                start: iso(run.started),
                state,
                successful_endpoint_count: accepted,
                total_endpoint_count: *total,
                treatment_id: treatment_id(campaign, number),
                execution_metrics: skips
                    .into_iter()
                    .map(|(name, count)| (name, count.to_string()))
                    .collect(),
            };
            (at, activity)
        })
        .collect()
}

/// `0` is the campaign's own message.
fn treatment_id(campaign: &CampaignDocument, number: u8) -> String {
    let additional = usize::from(number).checked_sub(1);
    additional
        .and_then(|index| campaign.additional_treatments.get(index))
        .map_or_else(|| number.to_string(), |treatment| treatment.id.to_string())
}
