//! Settings of an application: defaults of its campaigns.

use pinion_domain::app::{ApplicationSettings, ApplicationSettingsJourneyLimits};
use pinion_domain::campaign::{CampaignHook, Limits, QuietTime};
use pinion_domain::id::AppId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_with::skip_serializing_none;

use crate::error::Result;
use crate::extract::{Answer, Call};
use crate::{Api, hooks};

/// `ApplicationSettingsResource`. Three members are always objects: the Terraform provider
/// dereferences them without looking.
#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApplicationSettingsResource")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SettingsResource {
    application_id: AppId,
    campaign_hook: CampaignHook,
    last_modified_date: Option<String>,
    limits: Limits,
    quiet_time: QuietTime,
    journey_limits: Option<ApplicationSettingsJourneyLimits>,
}

fn answer(app: &AppId, settings: ApplicationSettings) -> Result<Answer> {
    Answer::json(&SettingsResource {
        application_id: app.clone(),
        campaign_hook: settings.campaign_hook.unwrap_or_default(),
        last_modified_date: settings.last_modified_date,
        limits: settings.limits.unwrap_or_default(),
        quiet_time: settings.quiet_time.unwrap_or_default(),
        journey_limits: settings.journey_limits,
    })
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let settings = api.store().describe_app(&app).await?.settings;
    answer(&app.id, settings)
}

/// What a write leaves out stays as it is.
pub(crate) async fn update(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let write: ApplicationSettings = call.json()?;
    if let Some(hook) = &write.campaign_hook {
        hooks::check_hook(api, &call.tenant.account, hook, "CampaignHook")?;
    }
    if let Some(limits) = &write.limits {
        limits.check("Limits")?;
    }
    if let Some(quiet_time) = &write.quiet_time {
        quiet_time.check("QuietTime")?;
    }
    let write = ApplicationSettings {
        // The server's to say.
        last_modified_date: None,
        ..write
    };
    let settings = api.store().update_settings(&app, write).await?;
    answer(&app.id, settings)
}
