//! Campaigns, their versions and activities. The engine runs them; here they are written, paused and
//! looked at.

mod activities;
mod check;
mod lifecycle;
mod response;

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::campaign::{CampaignDocument, CampaignStatus, Treatment, WriteCampaign};
use pinion_domain::id::{CampaignId, SegmentId, TreatmentId, fresh_id};
use pinion_domain::page::PageRequest;
use pinion_domain::quotas::check_count;
use pinion_domain::segment::SegmentDocument;
use pinion_store::{AppRef, Run, RunState, StateChange, Versioned, Write};

pub(crate) use activities::{ActivityResponse, activities};
use lifecycle::{Past, after_update, at_creation, present};
pub(crate) use response::CampaignResponse;
use response::arn;

use crate::error::Result;
use crate::extract::{Answer, Call};
use crate::{Api, tags};

type Campaign = Versioned<CampaignDocument>;

fn missing(id: &str) -> Error {
    Error::not_found("campaign", id)
}

async fn answer(api: &Api, app: &AppRef, campaign: Option<Campaign>, id: &str) -> Result<Answer> {
    let campaign = present(campaign.ok_or_else(|| missing(id))?, api.clock().now());
    let tags = api.store().tags(&app.tenant, &arn(app, id)).await?;
    Answer::json(&CampaignResponse::new(app, campaign, tags))
}

pub(crate) async fn create(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let mut write: WriteCampaign = call.json()?;
    tags::check(api, &write.tags)?;
    pin_segment(api, &app, &mut write).await?;
    let given = std::mem::take(&mut write.tags);
    let document = merged(CampaignDocument::default(), &write);
    check::check(api, &app, &document).await?;
    let (status, due) = at_creation(&document, api.clock().now())?;
    let active = CampaignStatus::ACTIVE.map(CampaignStatus::as_str);
    let count = api
        .store()
        .count_documents::<CampaignDocument>(&app.tenant, &active)
        .await?;
    check_count(count, api.store().quotas().active_campaigns, "active campaigns")?;
    let id = fresh_id();
    let campaign = api
        .store()
        .create_document(&app, &id, document, status.as_str(), due)
        .await?;
    api.store().put_tags(&app.tenant, &arn(&app, &id), given).await?;
    api.engine.wake();
    answer(api, &app, Some(campaign), &id).await
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("campaign-id");
    let campaign = api.store().document(&app, id, None).await?;
    answer(api, &app, campaign, id).await
}

pub(crate) async fn get_version(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("campaign-id");
    let campaign = api.store().document(&app, id, Some(call.version()?)).await?;
    answer(api, &app, campaign, id).await
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let page = api
        .store()
        .documents::<CampaignDocument>(&app, None, &call.page()?)
        .await?;
    let arns: Vec<String> = page
        .items
        .iter()
        .map(|campaign| arn(&app, &campaign.id))
        .collect();
    let mut tags = api.store().tags_of(&app.tenant, &arns).await?;
    let now = api.clock().now();
    Answer::page(&page.map(|campaign| {
        let campaign = present(campaign, now);
        let tags = tags.remove(&arn(&app, &campaign.id)).unwrap_or_default();
        CampaignResponse::new(&app, campaign, tags)
    }))
}

pub(crate) async fn list_versions(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("campaign-id");
    let page = api
        .store()
        .document_versions::<CampaignDocument>(&app, id, &call.page()?)
        .await?;
    if page.items.is_empty() {
        api.store()
            .document::<CampaignDocument>(&app, id, None)
            .await?
            .ok_or_else(|| missing(id))?;
    }
    let tags = api.store().tags(&app.tenant, &arn(&app, id)).await?;
    let now = api.clock().now();
    Answer::page(&page.map(|campaign| CampaignResponse::new(&app, present(campaign, now), tags.clone())))
}

/// Members that are left out stay. `IsPaused` stops and resumes, a run under way included.
pub(crate) async fn update(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("campaign-id");
    let mut write: WriteCampaign = call.json()?;
    write.tags = BTreeMap::new();
    pin_segment(api, &app, &mut write).await?;
    let before: Option<Campaign> = api.store().document(&app, id, None).await?;
    let before = before.ok_or_else(|| missing(id))?;
    check::check(api, &app, &merged(before.document, &write)).await?;

    let past = Past::of(&recent_runs(api, &app, id).await?);
    let now = api.clock().now();
    let pausing = write.is_paused;
    let new_version = Write::NewVersion { activate: true };
    let campaign = api
        .store()
        .update_document(&app, id, new_version, move |campaign: Campaign| {
            let campaign = present(campaign, now);
            let document = merged(campaign.document.clone(), &write);
            let (status, due) = after_update(&campaign, &document, &write, past, now)?;
            Ok((document, status.as_str().to_owned(), due))
        })
        .await?;
    match pausing {
        Some(true) => set_runs(api, &app, id, RunState::Running, RunState::Paused).await?,
        Some(false) => set_runs(api, &app, id, RunState::Paused, RunState::Running).await?,
        None => {}
    }
    api.engine.wake();
    answer(api, &app, campaign, id).await
}

/// Nothing more is handed over for a deleted campaign; what it did stays in the ledger.
pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("campaign-id");
    let tags = tags::take(api, &app.tenant, &arn(&app, id)).await?;
    let deleted = api
        .store()
        .delete_document::<CampaignDocument>(&app, id, None)
        .await?;
    let mut campaign = deleted.ok_or_else(|| missing(id))?;
    set_runs(api, &app, id, RunState::Running, RunState::Cancelled).await?;
    set_runs(api, &app, id, RunState::Paused, RunState::Cancelled).await?;
    campaign.state = CampaignStatus::Deleted.as_str().to_owned();
    Answer::json(&CampaignResponse::new(&app, campaign, tags))
}

/// Fails the campaigns of a segment that is about to be deleted: they become DELETED, as at AWS, and nothing
/// more is handed over for them. What is complete stays so.
pub(crate) async fn fail_with_segment(api: &Api, app: &AppRef, segment: &str) -> Result<()> {
    use CampaignStatus::{Deleted, Executing, Invalid, Paused, PendingNextRun, Scheduled};
    let living = [Scheduled, Executing, PendingNextRun, Paused, Invalid].map(CampaignStatus::as_str);
    let mut page = PageRequest::default();
    loop {
        let found = api
            .store()
            .documents::<CampaignDocument>(app, None, &page)
            .await?;
        for campaign in found.items {
            if campaign.document.segment_id.as_ref().map(SegmentId::as_str) != Some(segment) {
                continue;
            }
            let failed =
                StateChange::of::<CampaignDocument>(app, &campaign.id, &living, Deleted.as_str(), None);
            if api.store().set_document_state(failed).await? {
                set_runs(api, app, &campaign.id, RunState::Running, RunState::Cancelled).await?;
                set_runs(api, app, &campaign.id, RunState::Paused, RunState::Cancelled).await?;
            }
        }
        match found.next_token {
            Some(token) => page = PageRequest::parse(None, Some(&token))?,
            None => return Ok(()),
        }
    }
}

/// A campaign without a version of its segment means the latest at the time of writing.
async fn pin_segment(api: &Api, app: &AppRef, write: &mut WriteCampaign) -> Result<()> {
    let Some(segment_id) = &write.segment_id else {
        return Ok(());
    };
    let segment = api
        .store()
        .document::<SegmentDocument>(app, segment_id.as_str(), write.segment_version)
        .await?;
    match (segment, write.segment_version) {
        (Some(segment), _) => {
            write.segment_version = Some(segment.version);
            Ok(())
        }
        (None, None) => Err(Error::invalid("SegmentId", format!("there is no segment {segment_id}")).into()),
        (None, Some(version)) => Err(Error::invalid(
            "SegmentVersion",
            format!("segment {segment_id} has no version {version}"),
        )
        .into()),
    }
}

/// The document with what a write names taken over. Treatments keep their ids by position.
fn merged(before: CampaignDocument, write: &WriteCampaign) -> CampaignDocument {
    let write = write.clone();
    let additional_treatments = match write.additional_treatments {
        None => before.additional_treatments,
        Some(treatments) => {
            let mut ids = before
                .additional_treatments
                .into_iter()
                .map(|treatment| treatment.id);
            treatments
                .into_iter()
                .map(|treatment| Treatment {
                    id: ids.next().unwrap_or_else(|| TreatmentId::from(fresh_id())),
                    treatment,
                })
                .collect()
        }
    };
    CampaignDocument {
        additional_treatments,
        custom_delivery_configuration: write
            .custom_delivery_configuration
            .or(before.custom_delivery_configuration),
        description: write.description.or(before.description),
        holdout_percent: write.holdout_percent.or(before.holdout_percent),
        hook: write.hook.or(before.hook),
        is_paused: write.is_paused.unwrap_or(before.is_paused),
        limits: write.limits.or(before.limits),
        message_configuration: write.message_configuration.or(before.message_configuration),
        name: write.name.or(before.name),
        schedule: write.schedule.or(before.schedule),
        segment_id: write.segment_id.or(before.segment_id),
        segment_version: write.segment_version.or(before.segment_version),
        template_configuration: write.template_configuration.or(before.template_configuration),
        treatment_description: write.treatment_description.or(before.treatment_description),
        treatment_name: write.treatment_name.or(before.treatment_name),
        priority: write.priority.or(before.priority),
    }
}

/// The latest runs: only they can be under way.
async fn recent_runs(api: &Api, app: &AppRef, id: &str) -> Result<Vec<Run>> {
    let page = api
        .store()
        .runs(app, &CampaignId::from(id), &PageRequest::default())
        .await?;
    Ok(page.items)
}

async fn set_runs(api: &Api, app: &AppRef, id: &str, from: RunState, to: RunState) -> Result<()> {
    for run in recent_runs(api, app, id).await? {
        if run.state == from {
            api.store().set_run_state(run.no, to, None).await?;
        }
    }
    Ok(())
}
