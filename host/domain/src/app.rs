//! Applications (projects) and their settings.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::campaign::{CampaignHook, Limits, QuietTime};
use crate::id::{AppId, Tenant};
use crate::journey::TimeframeCap;

/// `CreateApplicationRequest`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CreateApplicationRequest")]
#[serde(rename_all = "PascalCase")]
pub struct CreateApplication {
    /// The display name.
    pub name: String,
    /// Tags to begin with.
    #[serde(rename = "tags", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// An application as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Whose it is and where.
    pub tenant: Tenant,
    /// The display name.
    pub name: String,
    /// ISO instant of creation.
    pub creation_date: String,
    /// Its settings.
    pub settings: ApplicationSettings,
}

/// `WriteApplicationSettingsRequest` and what is kept of it: parts that a write leaves out stay.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WriteApplicationSettingsRequest")]
#[serde(rename_all = "PascalCase")]
pub struct ApplicationSettings {
    /// Default hook of all campaigns.
    pub campaign_hook: Option<CampaignHook>,
    /// Default limits of all campaigns.
    pub limits: Option<Limits>,
    /// Default quiet time.
    pub quiet_time: Option<QuietTime>,
    /// Default limits of all journeys.
    pub journey_limits: Option<ApplicationSettingsJourneyLimits>,
    /// Never told again, as at AWS; metrics are at `/metrics` whatever it says.
    pub cloud_watch_metrics_enabled: Option<bool>,
    /// Never told again, as at AWS.
    pub event_tagging_enabled: Option<bool>,
    /// ISO instant of the last change.
    pub last_modified_date: Option<String>,
}

/// `ApplicationSettingsJourneyLimits`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ApplicationSettingsJourneyLimits {
    /// Messages to an endpoint in 24 hours.
    pub daily_cap: Option<u32>,
    /// Messages to an endpoint in some days.
    pub timeframe_cap: Option<TimeframeCap>,
    /// Messages to an endpoint at all.
    pub total_cap: Option<u32>,
}

impl ApplicationSettings {
    /// Takes over what `write` names and keeps the rest.
    pub fn merge(&mut self, write: Self) {
        let Self {
            campaign_hook,
            limits,
            quiet_time,
            journey_limits,
            cloud_watch_metrics_enabled,
            event_tagging_enabled,
            last_modified_date,
        } = write;
        self.campaign_hook = campaign_hook.or(self.campaign_hook.take());
        self.limits = limits.or(self.limits.take());
        self.quiet_time = quiet_time.or(self.quiet_time.take());
        self.journey_limits = journey_limits.or(self.journey_limits.take());
        self.cloud_watch_metrics_enabled =
            cloud_watch_metrics_enabled.or(self.cloud_watch_metrics_enabled.take());
        self.event_tagging_enabled = event_tagging_enabled.or(self.event_tagging_enabled.take());
        self.last_modified_date = last_modified_date.or(self.last_modified_date.take());
    }
}
