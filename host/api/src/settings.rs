//! Settings of an application: defaults of its campaigns.

use pinion_domain::Error;
use pinion_domain::app::ApplicationSettings;
use pinion_domain::campaign::{CampaignHook, Limits, QuietTime};
use pinion_domain::id::AppId;
use serde::Serialize;
use serde_with::skip_serializing_none;

use crate::error::Result;
use crate::extract::{Answer, Call};
use crate::{Api, hooks};

/// `ApplicationSettingsResource`. Three members are always objects: the Terraform provider
/// dereferences them without looking.
#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SettingsResource {
    application_id: AppId,
    campaign_hook: CampaignHook,
    last_modified_date: Option<String>,
    limits: Limits,
    quiet_time: QuietTime,
    journey_limits: Option<serde_json::Value>,
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
        check_limits(limits, "Limits")?;
    }
    if let Some(quiet_time) = &write.quiet_time {
        check_quiet_time(quiet_time, "QuietTime")?;
    }
    let write = ApplicationSettings {
        // The server's to say.
        last_modified_date: None,
        ..write
    };
    let settings = api.store().update_settings(&app, write).await?;
    answer(&app.id, settings)
}

/// The ranges of the API reference, "CampaignLimits".
pub(crate) fn check_limits(limits: &Limits, field: &str) -> Result<(), Error> {
    for (member, value, smallest, largest) in [
        ("Daily", limits.daily, 0, 100),
        ("Total", limits.total, 0, 100),
        (
            "MaximumDuration",
            limits.maximum_duration,
            60,
            i64::from(i32::MAX),
        ),
        ("MessagesPerSecond", limits.messages_per_second, 1, 20_000),
        ("Session", limits.session, 0, 100),
    ] {
        if value.is_some_and(|value| !(smallest..=largest).contains(&value)) {
            return Err(Error::invalid(
                format!("{field}.{member}"),
                format!("must be between {smallest} and {largest}"),
            ));
        }
    }
    Ok(())
}

/// Two times of day; empty strings take a default away.
pub(crate) fn check_quiet_time(quiet_time: &QuietTime, field: &str) -> Result<(), Error> {
    for (member, value) in [("Start", &quiet_time.start), ("End", &quiet_time.end)] {
        if value
            .as_deref()
            .is_some_and(|text| !text.is_empty() && !is_hour_minute(text))
        {
            return Err(Error::invalid(
                format!("{field}.{member}"),
                "must be a time of day as HH:MM",
            ));
        }
    }
    Ok(())
}

fn is_hour_minute(text: &str) -> bool {
    text.len() == 5 && jiff::civil::Time::strptime("%H:%M", text).is_ok()
}
