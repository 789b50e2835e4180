//! Campaigns: the documents, their states, and how recipients are split.

mod check;
pub mod in_app;
mod limits;
pub mod schedule;
mod treatment;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

pub use check::check;
pub use limits::{Limits, QuietTime};
pub use treatment::{Split, Variant, split};

use crate::event_filter::EventFilter;
use crate::id::{SegmentId, TreatmentId};
use crate::message::MessageConfiguration;
use crate::number;
use crate::template::TemplateConfiguration;

/// `WriteCampaignRequest`; of an update, members left out stay.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WriteCampaignRequest")]
#[serde(rename_all = "PascalCase")]
pub struct WriteCampaign {
    /// Further treatments of an A/B test, up to four.
    pub additional_treatments: Option<Vec<WriteTreatment>>,
    /// For custom channels: who delivers.
    pub custom_delivery_configuration: Option<CustomDelivery>,
    /// For people.
    pub description: Option<String>,
    /// Percentage of the segment that gets nothing.
    #[serde(default, deserialize_with = "number::absent_or_between::<_, 0, 100>")]
    #[schemars(range(max = 100))]
    pub holdout_percent: Option<u8>,
    /// Filters or changes recipients before sending.
    pub hook: Option<CampaignHook>,
    /// Stops and resumes.
    pub is_paused: Option<bool>,
    /// How much and how fast.
    pub limits: Option<Limits>,
    /// What to say.
    pub message_configuration: Option<MessageConfiguration>,
    /// The display name.
    pub name: Option<String>,
    /// When.
    pub schedule: Option<Schedule>,
    /// To whom.
    pub segment_id: Option<SegmentId>,
    /// Absent means the latest at the time of writing.
    pub segment_version: Option<u32>,
    /// Tags to begin with; ignored by updates.
    #[serde(rename = "tags", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What to say, from templates.
    pub template_configuration: Option<TemplateConfiguration>,
    /// Of the default treatment.
    pub treatment_description: Option<String>,
    /// Of the default treatment.
    pub treatment_name: Option<String>,
    /// For in-app messages: 1 is the highest, 5 the lowest.
    #[serde(default, deserialize_with = "number::absent_or_between::<_, 1, 5>")]
    #[schemars(range(min = 1, max = 5))]
    pub priority: Option<u8>,
}

/// `WriteTreatmentResource`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WriteTreatmentResource")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "as in WriteCampaign")]
pub struct WriteTreatment {
    pub custom_delivery_configuration: Option<CustomDelivery>,
    pub message_configuration: Option<MessageConfiguration>,
    pub schedule: Option<Schedule>,
    /// Percentage of the segment.
    #[serde(deserialize_with = "number::between::<_, 0, 100>")]
    #[schemars(range(max = 100))]
    pub size_percent: u8,
    pub template_configuration: Option<TemplateConfiguration>,
    pub treatment_description: Option<String>,
    pub treatment_name: Option<String>,
}

/// What is stored of a campaign's version.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "as in WriteCampaign")]
pub struct CampaignDocument {
    /// Clients are told their states too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub additional_treatments: Vec<Treatment>,
    pub custom_delivery_configuration: Option<CustomDelivery>,
    pub description: Option<String>,
    pub holdout_percent: Option<u8>,
    pub hook: Option<CampaignHook>,
    #[serde(default)]
    pub is_paused: bool,
    pub limits: Option<Limits>,
    pub message_configuration: Option<MessageConfiguration>,
    pub name: Option<String>,
    pub schedule: Option<Schedule>,
    pub segment_id: Option<SegmentId>,
    pub segment_version: Option<u32>,
    pub template_configuration: Option<TemplateConfiguration>,
    pub treatment_description: Option<String>,
    pub treatment_name: Option<String>,
    pub priority: Option<u8>,
}

/// A treatment as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Treatment {
    /// Made by the server.
    pub id: TreatmentId,
    /// The rest.
    #[serde(flatten)]
    pub treatment: WriteTreatment,
}

/// `Schedule` of a campaign.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Schedule {
    /// ISO instant after which no run begins.
    pub end_time: Option<String>,
    /// What starts an event campaign, or shows an in-app message.
    pub event_filter: Option<EventFilter>,
    /// Absent counts as ONCE.
    pub frequency: Option<Frequency>,
    /// Whether each endpoint's own time zone counts.
    pub is_local_time: Option<bool>,
    /// Overrides the application's.
    pub quiet_time: Option<QuietTime>,
    /// `IMMEDIATE` or an ISO instant.
    pub start_time: String,
    /// `UTC`, `UTC+05:30` …
    pub timezone: Option<String>,
}

/// How often a campaign runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum Frequency {
    Once,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Event,
    InAppEvent,
}

/// `CampaignHook`: `LambdaFunctionName` `plugin:NAME` runs a personalizer.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct CampaignHook {
    pub lambda_function_name: Option<String>,
    /// `FILTER`; `DELIVERY` is deprecated.
    pub mode: Option<String>,
    pub web_url: Option<String>,
}

/// `CustomDeliveryConfiguration`: `DeliveryUri` is `plugin:NAME` or an https URL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CustomDeliveryConfiguration")]
#[serde(rename_all = "PascalCase")]
pub struct CustomDelivery {
    /// Who delivers.
    pub delivery_uri: String,
    /// Channel types that are delivered this way; empty counts as CUSTOM alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoint_types: Vec<crate::channel::ChannelType>,
}

/// A plugin in a field where Pinpoint names a Lambda or a URL: `plugin:NAME`, or `plugin:NAME?SETTINGS`
/// with the settings as a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginReference<'a> {
    /// The plugin's name.
    pub name: &'a str,
    /// The settings, a JSON text; `{}` if there are none.
    pub settings: &'a str,
}

impl<'a> PluginReference<'a> {
    /// Reads a field; `None` if it names no plugin.
    pub fn parse(field: &'a str) -> Option<Self> {
        let rest = field.strip_prefix("plugin:")?;
        let (name, settings) = rest.split_once('?').unwrap_or((rest, "{}"));
        (!name.is_empty()).then_some(Self { name, settings })
    }
}

/// `CampaignStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CampaignStatus {
    /// Waits for its start.
    Scheduled,
    /// A run is under way.
    Executing,
    /// Waits for its next occurrence.
    PendingNextRun,
    /// Nothing more will happen.
    Completed,
    /// Stopped by its owner.
    Paused,
    /// The campaign or its segment was deleted.
    Deleted,
    /// It cannot run; activities say why.
    Invalid,
}

impl CampaignStatus {
    /// What the guide counts as active: everything that may still send.
    pub const ACTIVE: [Self; 4] = [
        Self::Scheduled,
        Self::Executing,
        Self::PendingNextRun,
        Self::Paused,
    ];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::Executing => "EXECUTING",
            Self::PendingNextRun => "PENDING_NEXT_RUN",
            Self::Completed => "COMPLETED",
            Self::Paused => "PAUSED",
            Self::Deleted => "DELETED",
            Self::Invalid => "INVALID",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Scheduled,
            Self::Executing,
            Self::PendingNextRun,
            Self::Completed,
            Self::Paused,
            Self::Deleted,
            Self::Invalid,
        ]
        .into_iter()
        .find(|status| status.as_str() == name)
    }
}
