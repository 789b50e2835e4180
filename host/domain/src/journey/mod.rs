//! Journeys: the documents, their states, and what must hold of one.
//!
//! | module | holds |
//! |---|---|
//! | [`activity`], [`kind`] | the steps that participants take, and where each leads |
//! | [`schedule`] | when a journey runs, and when it may send |
//! | `check` | what must hold of every journey, and what of one that is published |
//! | `graph` | the ways between activities |

pub mod activity;
mod check;
mod graph;
pub mod kind;
pub mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

pub use activity::Activity;
use activity::SegmentCondition;
pub use check::{check, check_publishable};
use schedule::{ClosedDays, JourneySchedule, OpenHours, TimezoneEstimationMethod};

use crate::campaign::QuietTime;
use crate::event_filter::EventFilter;
use crate::id::SegmentId;
use crate::{Error, Result};

/// `WriteJourneyRequest`; also what is stored of a journey. Of an update, members left out stay.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WriteJourneyRequest")]
#[serde(rename_all = "PascalCase")]
pub struct JourneyDocument {
    /// By id.
    pub activities: Option<BTreeMap<String, Activity>>,
    /// When it may not send.
    pub closed_days: Option<ClosedDays>,
    /// Of a request alone, and not looked at: clients send back what they read.
    #[serde(skip_serializing)]
    pub creation_date: Option<String>,
    /// For contact centers; kept for clients.
    pub journey_channel_settings: Option<ChannelSettings>,
    /// Of a request alone, and not looked at.
    #[serde(skip_serializing)]
    pub last_modified_date: Option<String>,
    /// How often somebody may enter, and how much and how fast it sends.
    pub limits: Option<JourneyLimits>,
    /// Whether each participant's own time zone counts for the schedule.
    pub local_time: Option<bool>,
    /// The display name.
    pub name: String,
    /// When it may send.
    pub open_hours: Option<OpenHours>,
    /// When it does not send.
    pub quiet_time: Option<QuietTime>,
    /// How often new members of the segment are looked for, an ISO 8601 duration; empty: never.
    pub refresh_frequency: Option<String>,
    /// Whether a change of the segment is one more reason to look.
    pub refresh_on_segment_update: Option<bool>,
    /// When it runs.
    pub schedule: Option<JourneySchedule>,
    /// Whether open hours and closed days count.
    pub sending_schedule: Option<bool>,
    /// Where participants begin.
    pub start_activity: Option<String>,
    /// Who becomes a participant.
    pub start_condition: Option<StartCondition>,
    /// Of a request alone; a stored journey's state stands beside its document.
    #[serde(skip_serializing)]
    pub state: Option<JourneyState>,
    /// How the time zone of an endpoint that has none is guessed.
    pub timezone_estimation_methods: Option<Vec<TimezoneEstimationMethod>>,
    /// Whether messages wait for the end of quiet time; else they are not sent.
    pub wait_for_quiet_time: Option<bool>,
}

/// `StartCondition`: one of the two.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct StartCondition {
    /// For people.
    pub description: Option<String>,
    /// Whoever does something.
    pub event_start_condition: Option<EventStartCondition>,
    /// The members of a segment.
    pub segment_start_condition: Option<SegmentCondition>,
}

/// `EventStartCondition`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EventStartCondition {
    /// What they do.
    pub event_filter: Option<EventFilter>,
    /// And are members of; it must not be imported, nor built on one that is.
    pub segment_id: Option<SegmentId>,
}

/// `JourneyLimits`; 0 is no limit.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct JourneyLimits {
    /// Messages of the journey to a participant a day.
    pub daily_cap: Option<i64>,
    /// How often a participant may enter.
    pub endpoint_reentry_cap: Option<i64>,
    /// ISO 8601 duration between two entries.
    pub endpoint_reentry_interval: Option<String>,
    /// Messages a second.
    pub messages_per_second: Option<i64>,
    /// Messages of all journeys to an endpoint.
    pub timeframe_cap: Option<TimeframeCap>,
    /// Messages of the journey to a participant.
    pub total_cap: Option<i64>,
}

/// `JourneyTimeframeCap`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JourneyTimeframeCap")]
#[serde(rename_all = "PascalCase")]
pub struct TimeframeCap {
    /// Messages.
    pub cap: Option<i64>,
    /// In so many days.
    pub days: Option<i64>,
}

/// `JourneyChannelSettings`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JourneyChannelSettings")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct ChannelSettings {
    pub connect_campaign_arn: Option<String>,
    pub connect_campaign_execution_role_arn: Option<String>,
}

impl JourneyDocument {
    /// The document with what `write` names taken over. What belongs to a request alone is dropped.
    pub fn merged(self, write: Self) -> Self {
        Self {
            activities: write.activities.or(self.activities),
            closed_days: write.closed_days.or(self.closed_days),
            creation_date: None,
            journey_channel_settings: write.journey_channel_settings.or(self.journey_channel_settings),
            last_modified_date: None,
            limits: write.limits.or(self.limits),
            local_time: write.local_time.or(self.local_time),
            name: write.name,
            open_hours: write.open_hours.or(self.open_hours),
            quiet_time: write.quiet_time.or(self.quiet_time),
            refresh_frequency: write.refresh_frequency.or(self.refresh_frequency),
            refresh_on_segment_update: write.refresh_on_segment_update.or(self.refresh_on_segment_update),
            schedule: write.schedule.or(self.schedule),
            sending_schedule: write.sending_schedule.or(self.sending_schedule),
            start_activity: write.start_activity.or(self.start_activity),
            start_condition: write.start_condition.or(self.start_condition),
            state: None,
            timezone_estimation_methods: write
                .timezone_estimation_methods
                .or(self.timezone_estimation_methods),
            wait_for_quiet_time: write.wait_for_quiet_time.or(self.wait_for_quiet_time),
        }
    }

    /// The activity that participants begin with, unless the document names none.
    pub fn start(&self) -> Option<&str> {
        self.start_activity.as_deref().filter(|start| !start.is_empty())
    }
}

/// `State` of a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "State")]
#[serde(rename_all = "UPPERCASE")]
pub enum JourneyState {
    /// Not published; the only state in which it can be edited.
    Draft,
    /// Published: it runs, or waits for its start.
    Active,
    /// Over: nobody is under way any more.
    Completed,
    /// Stopped by its owner, for ever.
    Cancelled,
    /// Nobody enters any more, those under way go on.
    Closed,
    /// Stopped by its owner for a while.
    Paused,
}

impl JourneyState {
    const ALL: [Self; 6] = [
        Self::Draft,
        Self::Active,
        Self::Completed,
        Self::Cancelled,
        Self::Closed,
        Self::Paused,
    ];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Active => "ACTIVE",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Closed => "CLOSED",
            Self::Paused => "PAUSED",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// The state that a write asks for: DRAFT or ACTIVE.
    pub fn of_write(asked: Option<Self>) -> Result<Self> {
        match asked.unwrap_or(Self::Draft) {
            state @ (Self::Draft | Self::Active) => Ok(state),
            state => Err(Error::invalid(
                "State",
                format!(
                    "must be DRAFT or ACTIVE; the journey state resource makes a journey {}",
                    state.as_str()
                ),
            )),
        }
    }

    /// May the journey's owner move it to another state (API reference, "Journey State")? What is over
    /// stays over, and only what was published can be paused or stopped.
    pub fn check_move(self, to: Self) -> Result<()> {
        use JourneyState::{Active, Cancelled, Closed, Completed, Draft, Paused};
        let problem = match (self, to) {
            (_, Draft | Completed | Closed) => "must be ACTIVE, PAUSED or CANCELLED".to_owned(),
            (Draft | Paused, Active) | (Active, Paused) | (Active | Paused | Closed, Cancelled) => {
                return Ok(());
            }
            (Draft, _) => format!("a journey that was not published cannot become {}", to.as_str()),
            _ => format!(
                "a journey that is {} cannot become {}",
                self.as_str(),
                to.as_str()
            ),
        };
        Err(Error::invalid("State", problem))
    }
}
