//! How much, how fast, and when not.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{Error, Result};

/// `CampaignLimits`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CampaignLimits")]
#[serde(rename_all = "PascalCase")]
pub struct Limits {
    /// Messages an endpoint gets a day.
    pub daily: Option<i64>,
    /// Seconds that a run may take, at least 60.
    pub maximum_duration: Option<i64>,
    /// Messages a second, 1 to 20,000.
    pub messages_per_second: Option<i64>,
    /// Messages an endpoint gets over all runs.
    pub total: Option<i64>,
    /// In-app messages a session.
    pub session: Option<i64>,
}

/// `QuietTime`: `HH:MM` each; empty texts take a default away.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct QuietTime {
    pub end: Option<String>,
    pub start: Option<String>,
}

impl Limits {
    /// Checks the ranges (API reference, "CampaignLimits"); `field` is the path in errors.
    pub fn check(&self, field: &str) -> Result<()> {
        for (member, value, smallest, largest) in [
            ("Daily", self.daily, 0, 100),
            ("Total", self.total, 0, 100),
            ("MaximumDuration", self.maximum_duration, 60, i64::from(i32::MAX)),
            ("MessagesPerSecond", self.messages_per_second, 1, 20_000),
            ("Session", self.session, 0, 100),
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
}

impl QuietTime {
    /// Checks the two times of day; `field` is the path in errors.
    pub fn check(&self, field: &str) -> Result<()> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (start, end) = (given(&self.start), given(&self.end));
        for (member, value) in [("Start", &start), ("End", &end)] {
            if value
                .as_deref()
                .is_some_and(|text| hour_minute(Some(text)).is_none())
            {
                return Err(Error::invalid(
                    format!("{field}.{member}"),
                    "must be a time of day as HH:MM",
                ));
            }
        }
        match (start, end) {
            (Some(_), None) => Err(Error::invalid(format!("{field}.End"), "is required beside Start")),
            (None, Some(_)) => Err(Error::invalid(format!("{field}.Start"), "is required beside End")),
            _ => Ok(()),
        }
    }
}

impl QuietTime {
    /// Is it quiet at an instant for somebody in a named time zone (IANA's names, as `Demographic.Timezone`
    /// has them)? From the start to just before the end, over midnight if the end is the earlier one. Where
    /// the zone is unknown it is never quiet (user guide, "Quiet time").
    pub fn is_quiet(&self, now: Timestamp, timezone: Option<&str>) -> bool {
        let (Some(start), Some(end)) = (
            hour_minute(self.start.as_deref()),
            hour_minute(self.end.as_deref()),
        ) else {
            return false;
        };
        let Some(zone) = timezone.and_then(|name| TimeZone::get(name).ok()) else {
            return false;
        };
        let local = zone.to_datetime(now).time();
        if start <= end {
            (start..end).contains(&local)
        } else {
            local >= start || local < end
        }
    }
}

fn hour_minute(text: Option<&str>) -> Option<Time> {
    let text = text.filter(|text| text.len() == 5)?;
    Time::strptime("%H:%M", text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(result: Result<()>) -> String {
        match result {
            Ok(()) => String::new(),
            Err(Error::Invalid { field, .. }) => field,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn limits_have_ranges() {
        for (limits, expected) in [
            (json!({}), ""),
            (
                json!({"Daily": 0, "Total": 100, "MaximumDuration": 60, "MessagesPerSecond": 20_000, "Session": 10}),
                "",
            ),
            (json!({"Daily": 101}), "L.Daily"),
            (json!({"Total": -1}), "L.Total"),
            (json!({"MaximumDuration": 59}), "L.MaximumDuration"),
            (json!({"MessagesPerSecond": 0}), "L.MessagesPerSecond"),
            (json!({"MessagesPerSecond": 20_001}), "L.MessagesPerSecond"),
            (json!({"Session": -1}), "L.Session"),
        ] {
            let read: Limits = serde_json::from_value(limits.clone()).unwrap();
            assert_eq!(field(read.check("L")), expected, "{limits}");
        }
    }

    #[test]
    fn quiet_time_is_two_times_of_day_or_none() {
        for (quiet, expected) in [
            (json!({}), ""),
            (json!({"Start": "", "End": ""}), ""),
            (json!({"Start": "22:00", "End": "07:30"}), ""),
            (json!({"Start": "22:00"}), "Q.End"),
            (json!({"Start": "", "End": "07:00"}), "Q.Start"),
            (json!({"Start": "9:00", "End": "10:00"}), "Q.Start"),
            (json!({"Start": "09:00", "End": "24:00"}), "Q.End"),
        ] {
            let read: QuietTime = serde_json::from_value(quiet.clone()).unwrap();
            assert_eq!(field(read.check("Q")), expected, "{quiet}");
        }
    }

    #[test]
    fn it_is_quiet_by_the_clock_of_the_endpoint() {
        let night = ("22:00", "07:00");
        for ((start, end), now, timezone, expected) in [
            (night, "2026-11-23T21:30:00Z", Some("Europe/Warsaw"), true),
            (night, "2026-11-23T20:59:59Z", Some("Europe/Warsaw"), false),
            (night, "2026-11-24T05:59:59Z", Some("Europe/Warsaw"), true),
            (night, "2026-11-24T06:00:00Z", Some("Europe/Warsaw"), false),
            // An hour earlier by UTC in summer.
            (night, "2026-07-24T05:00:00Z", Some("Europe/Warsaw"), false),
            (night, "2026-11-23T21:30:00Z", Some("America/New_York"), false),
            (night, "2026-11-23T21:30:00Z", Some("Nowhere/Land"), false),
            (night, "2026-11-23T23:30:00Z", None, false),
            (("12:00", "13:00"), "2026-11-23T12:00:00Z", Some("UTC"), true),
            (("12:00", "13:00"), "2026-11-23T13:00:00Z", Some("UTC"), false),
            (("12:00", "12:00"), "2026-11-23T12:00:00Z", Some("UTC"), false),
            (("", ""), "2026-11-23T12:00:00Z", Some("UTC"), false),
        ] {
            let quiet = QuietTime {
                start: Some(start.to_owned()),
                end: Some(end.to_owned()),
            };
            let is_quiet = quiet.is_quiet(now.parse().unwrap(), timezone);
            assert_eq!(is_quiet, expected, "{start}-{end} {now} {timezone:?}");
        }
    }
}
