//! Which in-app messages an endpoint may show: those of the in-app campaigns that run and whose segment the
//! endpoint is in. Caps, quiet time and the event are the client's to watch.

use jiff::Timestamp;
use pinion_domain as domain;
use pinion_domain::app::ApplicationSettings;
use pinion_domain::campaign::in_app::{InAppCampaign, InAppSchedule, is_in_app, status};
use pinion_domain::campaign::{CampaignDocument, CampaignStatus, Split, Variant, split};
use pinion_domain::endpoint::Endpoint;
use pinion_domain::id::{CampaignId, EndpointId, TreatmentId};
use pinion_domain::message::{InAppMessage, MessageConfiguration};
use pinion_domain::segment::Truth;
use pinion_domain::template::{InAppTemplate, TemplateConfiguration, TemplateType};
use pinion_store::{AppRef, Versioned};
use tracing::debug;

use crate::audience::AudienceError;
use crate::send::named_template;
use crate::{Engine, Error, Result};

/// The states in which a campaign may be shown; whether it runs is told by its schedule.
const SHOWN: [&str; 2] = [
    CampaignStatus::Scheduled.as_str(),
    CampaignStatus::Executing.as_str(),
];

impl Engine {
    /// The in-app messages for an endpoint, those of the highest priority first; `None`: there is no such
    /// endpoint. One that is INACTIVE or opted out gets none.
    pub async fn in_app_messages(&self, app: &AppRef, id: &EndpointId) -> Result<Option<Vec<InAppCampaign>>> {
        let Some(endpoint) = self.store().endpoint(app, id).await? else {
            return Ok(None);
        };
        if !endpoint.document.is_active() || endpoint.document.is_opted_out() {
            return Ok(Some(Vec::new()));
        }
        let now = self.clock().now();
        let campaigns: Vec<Versioned<CampaignDocument>> = self.store().documents_in(app, &SHOWN).await?;
        let settings = self.store().describe_app(app).await?.settings;
        let mut shown = Vec::new();
        for campaign in campaigns {
            shown.extend(self.shown(app, &settings, campaign, &endpoint, now).await?);
        }
        // Those without a priority come last; the sort keeps the older of equals first.
        shown.sort_by_key(|campaign| campaign.priority.unwrap_or(u8::MAX));
        Ok(Some(shown))
    }

    /// What the endpoint gets of a campaign.
    async fn shown(
        &self,
        app: &AppRef,
        settings: &ApplicationSettings,
        campaign: Versioned<CampaignDocument>,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<Option<InAppCampaign>> {
        let document = campaign.document;
        let (Some(schedule), Some(segment)) = (&document.schedule, &document.segment_id) else {
            return Ok(None);
        };
        if !is_in_app(&document) || status(schedule, now) != CampaignStatus::Executing {
            return Ok(None);
        }
        let id = CampaignId::from(campaign.id);
        let (treatment_id, message, templates) = match Split::of(&document).variant(split(&id, endpoint.seq))
        {
            Variant::Holdout => return Ok(None),
            Variant::Treatment(0) => (
                TreatmentId::from("0"),
                &document.message_configuration,
                &document.template_configuration,
            ),
            Variant::Treatment(number) => {
                let place = usize::from(number) - 1;
                let Some(treatment) = document.additional_treatments.get(place) else {
                    return Ok(None);
                };
                (
                    treatment.id.clone(),
                    &treatment.treatment.message_configuration,
                    &treatment.treatment.template_configuration,
                )
            }
        };
        let resolved = match self
            .audiences()
            .resolve(app, segment, document.segment_version)
            .await
        {
            Ok(resolved) => resolved,
            // A campaign whose segment was deleted must not keep the others from being shown.
            Err(AudienceError::Segment(error)) => {
                debug!(campaign.id = %id, %error, "an in-app campaign is not shown");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if self.audiences().decide(app, &resolved, endpoint, now).await? != Truth::True {
            return Ok(None);
        }
        let content = self
            .in_app_content(app, message.as_ref(), templates.as_ref())
            .await?;
        let Some(in_app_message) = content else {
            debug!(campaign.id = %id, "an in-app campaign is not shown: its template is gone");
            return Ok(None);
        };
        let limits = document.limits.as_ref().or(settings.limits.as_ref());
        let quiet_time = schedule.quiet_time.clone().or(settings.quiet_time.clone());
        Ok(Some(InAppCampaign {
            campaign_id: id,
            daily_cap: limits.and_then(|limits| limits.daily),
            in_app_message,
            priority: document.priority,
            schedule: InAppSchedule {
                end_date: schedule.end_time.clone(),
                event_filter: schedule.event_filter.clone(),
                quiet_time: quiet_time
                    .filter(|quiet| quiet.start.as_deref().is_some_and(|at| !at.is_empty())),
            },
            session_cap: limits.and_then(|limits| limits.session),
            total_cap: limits.and_then(|limits| limits.total),
            treatment_id,
        }))
    }

    /// What the campaign says itself wins over its template, part by part.
    async fn in_app_content(
        &self,
        app: &AppRef,
        message: Option<&MessageConfiguration>,
        templates: Option<&TemplateConfiguration>,
    ) -> Result<Option<InAppMessage>> {
        let own = message.and_then(|message| message.in_app_message.clone());
        let own = own.map(InAppMessage::from);
        if templates.is_none_or(|templates| templates.named(TemplateType::InApp).is_none()) {
            return Ok(own);
        }
        // Whose template is gone must not keep the other campaigns from being shown.
        let template: Option<InAppTemplate> = match named_template(self.store(), app, templates).await {
            Ok(template) => template,
            Err(Error::Domain(domain::Error::Invalid { .. })) => None,
            Err(error) => return Err(error),
        };
        Ok(match (own, template) {
            (own, Some(template)) => Some(own.unwrap_or_default().or(template.message())),
            (own, None) => own,
        })
    }
}
