//! A run begins: everything it uses is pinned, its segment is evaluated once, and recipients and chunks
//! are written in one transaction. From then on the snapshot is the truth of who should be reached.

use jiff::{SignedDuration, Timestamp};
use pinion_domain::campaign::{CampaignDocument, PluginReference, Split, Variant, split};
use pinion_domain::delivery::run_id;
use pinion_domain::id::CampaignId;
use pinion_store::{AppRef, NewRun, Versioned};
use roaring::RoaringBitmap;
use tracing::info;

use crate::send::{PinnedMessage, Pins, prepare_message};
use crate::{Engine, Error, Result};

/// The largest chunk: the unit that is claimed and leased.
const LARGEST_CHUNK: u64 = 10_000;
/// Small runs are cut finer, so that every worker has something to do.
const SMALLEST_CHUNK: u64 = 500;

impl Engine {
    /// Starts the run of an occurrence; `false` if it exists already.
    pub(super) async fn start_run(
        &self,
        app: &AppRef,
        campaign: &Versioned<CampaignDocument>,
        due: Timestamp,
    ) -> Result<bool> {
        let id = CampaignId::from(campaign.id.as_str());
        let pins = self.pin(app, &campaign.document).await?;
        let now = self.clock().now();
        let segment = self
            .audiences()
            .resolve(app, &pins.segment_id, Some(pins.segment_version))
            .await?;
        let evaluated = self.audiences().evaluate(app, &segment, now).await?;
        if evaluated.unknown > 0 {
            return Err(Error::CannotRun(format!(
                "{} recipients could not be decided, since a predicate failed: {}",
                evaluated.unknown,
                evaluated.faults.first().map_or("no reason given", String::as_str)
            )));
        }
        let recipients = evaluated.selected;
        let (treatment_totals, holdout_total) = totals(&pins, &id, &recipients);
        let workers = u64::try_from(self.config().workers).unwrap_or(1).max(1);
        let chunk_size = (recipients.len() / (workers * 4)).clamp(SMALLEST_CHUNK, LARGEST_CHUNK);
        let duration = pins
            .campaign
            .limits
            .as_ref()
            .and_then(|limits| limits.maximum_duration);
        info!(recipients = recipients.len(), "the segment is evaluated");
        let created = self
            .store()
            .create_run(
                app,
                NewRun {
                    id: run_id(&id, due),
                    campaign: id,
                    campaign_version: campaign.version,
                    scheduled: due,
                    parent: None,
                    pins: serde_json::to_value(&pins).map_err(|error| Error::CannotRun(error.to_string()))?,
                    recipients,
                    treatment_totals,
                    holdout_total,
                    chunk_size: u32::try_from(chunk_size).expect("at most the largest chunk"),
                    deadline: duration.map(|seconds| now + SignedDuration::from_secs(seconds)),
                },
            )
            .await?;
        self.wake();
        Ok(created.is_some())
    }

    /// Records a run that could not begin, so that the campaign's activities say why.
    pub(super) async fn record_failure(
        &self,
        app: &AppRef,
        campaign: &Versioned<CampaignDocument>,
        due: Timestamp,
        error: &Error,
    ) -> Result<()> {
        let id = CampaignId::from(campaign.id.as_str());
        let run = NewRun {
            id: run_id(&id, due),
            campaign: id,
            campaign_version: campaign.version,
            scheduled: due,
            parent: None,
            pins: serde_json::Value::Null,
            recipients: RoaringBitmap::new(),
            treatment_totals: vec![0; campaign.document.additional_treatments.len() + 1],
            holdout_total: 0,
            chunk_size: 1,
            deadline: None,
        };
        self.store().fail_run(app, run, error.to_string()).await?;
        Ok(())
    }

    /// Freezes what the run uses.
    async fn pin(&self, app: &AppRef, campaign: &CampaignDocument) -> Result<Pins> {
        let segment_id = campaign
            .segment_id
            .clone()
            .ok_or_else(|| Error::CannotRun("the campaign names no segment".to_owned()))?;
        let segment_version = campaign.segment_version.unwrap_or(1);
        let mut messages: Vec<PinnedMessage> = vec![
            prepare_message(
                self.store(),
                app,
                campaign.message_configuration.as_ref(),
                campaign.template_configuration.as_ref(),
                campaign.custom_delivery_configuration.as_ref(),
            )
            .await?,
        ];
        for treatment in &campaign.additional_treatments {
            let treatment = &treatment.treatment;
            messages.push(
                prepare_message(
                    self.store(),
                    app,
                    treatment.message_configuration.as_ref(),
                    treatment.template_configuration.as_ref(),
                    treatment.custom_delivery_configuration.as_ref(),
                )
                .await?,
            );
        }
        let settings = self.store().describe_app(app).await?.settings;
        let hook = campaign.hook.clone().or(settings.campaign_hook);
        let personalizer = match hook
            .as_ref()
            .and_then(|hook| hook.lambda_function_name.as_deref())
        {
            None | Some("") => None,
            Some(function) => Some(
                PluginReference::parse(function)
                    .map(|plugin| (plugin.name.to_owned(), plugin.settings.to_owned()))
                    .ok_or_else(|| Error::CannotRun(format!("the hook {function:?} is not plugin:NAME")))?,
            ),
        };
        let mut campaign = campaign.clone();
        if campaign.limits.is_none() {
            campaign.limits = settings.limits;
        }
        if let Some(schedule) = &mut campaign.schedule
            && schedule.quiet_time.is_none()
        {
            schedule.quiet_time = settings.quiet_time;
        }
        Ok(Pins {
            campaign,
            segment_id,
            segment_version,
            messages,
            personalizer,
        })
    }
}

/// Recipients of each treatment, and of the holdout.
fn totals(pins: &Pins, campaign: &CampaignId, recipients: &RoaringBitmap) -> (Vec<u64>, u64) {
    let shares = Split::of(&pins.campaign);
    let mut totals = vec![0; pins.messages.len()];
    if totals.len() == 1 && pins.campaign.holdout_percent.unwrap_or(0) == 0 {
        return (vec![recipients.len()], 0);
    }
    let mut holdout = 0;
    for seq in recipients {
        match shares.variant(split(campaign, seq)) {
            Variant::Holdout => holdout += 1,
            Variant::Treatment(number) => {
                if let Some(total) = totals.get_mut(usize::from(number)) {
                    *total += 1;
                }
            }
        }
    }
    (totals, holdout)
}
