//! What must hold of a journey. A draft may be incomplete, but nothing in it may be wrong; what is
//! published is complete too. That what it names elsewhere exists is looked at by those who can see it.

mod activities;
mod publishing;

use jiff::SignedDuration;

pub use publishing::check_publishable;

use super::{JourneyDocument, JourneyLimits};
use crate::clock::parse_duration;
use crate::{Error, Result};

/// Characters of a name (API reference, "WriteJourneyRequest").
const LONGEST_NAME: usize = 150;

/// Checks a journey as it is about to be stored. Errors name the member.
pub fn check(journey: &JourneyDocument) -> Result<()> {
    check_name(&journey.name)?;
    if let Some(activities) = &journey.activities {
        activities::check(activities)?;
    }
    let exists = |id| {
        journey
            .activities
            .as_ref()
            .is_some_and(|all| all.contains_key(id))
    };
    if let Some(start) = journey.start().filter(|start| !exists(*start)) {
        return Err(Error::invalid(
            "StartActivity",
            format!("there is no activity {start}"),
        ));
    }
    check_start_condition(journey)?;
    if let Some(schedule) = &journey.schedule {
        schedule.check("Schedule")?;
    }
    if let Some(limits) = &journey.limits {
        check_limits(limits, "Limits")?;
    }
    if let Some(quiet_time) = &journey.quiet_time {
        quiet_time.check("QuietTime")?;
    }
    check_duration(journey.refresh_frequency.as_deref(), "RefreshFrequency")?;
    check_sending_schedule(journey)?;
    if let Some(settings) = &journey.journey_channel_settings {
        for (member, arn) in [
            ("ConnectCampaignArn", &settings.connect_campaign_arn),
            (
                "ConnectCampaignExecutionRoleArn",
                &settings.connect_campaign_execution_role_arn,
            ),
        ] {
            if arn.as_ref().is_some_and(|arn| !arn.starts_with("arn:")) {
                return Err(Error::invalid(
                    format!("JourneyChannelSettings.{member}"),
                    "must be an ARN",
                ));
            }
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(Error::invalid(
            "Name",
            format!("must have 1 to {LONGEST_NAME} characters"),
        ));
    }
    if name
        .chars()
        .any(|letter| letter.is_whitespace() || letter.is_control())
    {
        return Err(Error::invalid("Name", "must not hold spaces"));
    }
    Ok(())
}

fn check_start_condition(journey: &JourneyDocument) -> Result<()> {
    let Some(condition) = &journey.start_condition else {
        return Ok(());
    };
    match (
        &condition.segment_start_condition,
        &condition.event_start_condition,
    ) {
        (Some(_), Some(_)) => Err(Error::invalid(
            "StartCondition",
            "has either a SegmentStartCondition or an EventStartCondition, not both",
        )),
        (Some(segment), None) if segment.segment_id.as_str().is_empty() => Err(Error::invalid(
            "StartCondition.SegmentStartCondition.SegmentId",
            "must not be empty",
        )),
        (_, None) => Ok(()),
        (None, Some(event)) => {
            let field = "StartCondition.EventStartCondition.EventFilter";
            let filter = event
                .event_filter
                .as_ref()
                .ok_or_else(|| Error::invalid(field, "is required: it names the event"))?;
            filter.check(field)?;
            if journey.local_time == Some(true) {
                return Err(Error::invalid(
                    "LocalTime",
                    "cannot be true for a journey that events start",
                ));
            }
            Ok(())
        }
    }
}

fn check_limits(limits: &JourneyLimits, field: &str) -> Result<()> {
    let frame = limits.timeframe_cap.as_ref();
    for (member, value, smallest, largest) in [
        ("DailyCap", limits.daily_cap, 0, 100),
        ("EndpointReentryCap", limits.endpoint_reentry_cap, 0, 100),
        ("MessagesPerSecond", limits.messages_per_second, 1, 20_000),
        ("TotalCap", limits.total_cap, 0, 100),
        ("TimeframeCap.Cap", frame.and_then(|frame| frame.cap), 0, 100),
        ("TimeframeCap.Days", frame.and_then(|frame| frame.days), 0, 30),
    ] {
        if value.is_some_and(|value| !(smallest..=largest).contains(&value)) {
            return Err(Error::invalid(
                format!("{field}.{member}"),
                format!("must be between {smallest} and {largest}"),
            ));
        }
    }
    check_duration(
        limits.endpoint_reentry_interval.as_deref(),
        &format!("{field}.EndpointReentryInterval"),
    )
}

/// An empty text is none.
fn check_duration(text: Option<&str>, field: &str) -> Result<()> {
    match text {
        None | Some("") => Ok(()),
        Some(text) if parse_duration(text).is_some_and(|duration| duration > SignedDuration::ZERO) => Ok(()),
        Some(_) => Err(Error::invalid(
            field,
            "must be an ISO 8601 duration such as PT1H or P1D",
        )),
    }
}

/// "QuietTime should be configured first and SendingSchedule should be set to true" (API reference,
/// "OpenHours" and "ClosedDays").
fn check_sending_schedule(journey: &JourneyDocument) -> Result<()> {
    if let Some(hours) = &journey.open_hours {
        hours.check("OpenHours")?;
    }
    if let Some(days) = &journey.closed_days {
        days.check("ClosedDays")?;
    }
    let field = if journey.open_hours.is_some() {
        "OpenHours"
    } else if journey.closed_days.is_some() {
        "ClosedDays"
    } else {
        return Ok(());
    };
    if journey.sending_schedule != Some(true) {
        return Err(Error::invalid(field, "needs SendingSchedule to be true"));
    }
    if journey.quiet_time.is_none() {
        return Err(Error::invalid(field, "needs a QuietTime"));
    }
    Ok(())
}
