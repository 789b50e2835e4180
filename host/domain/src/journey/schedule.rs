//! When a journey runs, and when it may send.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::clock::{Instant, parse_iso};
use crate::{Error, Result};

/// "Maximum amount of days a journey can run" (developer guide, "Quotas").
const LONGEST_DAYS: i64 = 540;
/// "You can add up to four time ranges per day" (user guide, "Create a journey").
const MOST_RANGES: usize = 4;
/// "You can add up to 20 exceptions" (the same page).
const MOST_CLOSED_DAYS: usize = 20;

/// What `Timezone` may be (API reference, "JourneySchedule").
const ZONES: [&str; 37] = [
    "UTC",
    "UTC+01",
    "UTC+02",
    "UTC+03",
    "UTC+03:30",
    "UTC+04",
    "UTC+04:30",
    "UTC+05",
    "UTC+05:30",
    "UTC+05:45",
    "UTC+06",
    "UTC+06:30",
    "UTC+07",
    "UTC+08",
    "UTC+08:45",
    "UTC+09",
    "UTC+09:30",
    "UTC+10",
    "UTC+10:30",
    "UTC+11",
    "UTC+12",
    "UTC+12:45",
    "UTC+13",
    "UTC+13:45",
    "UTC-02",
    "UTC-02:30",
    "UTC-03",
    "UTC-03:30",
    "UTC-04",
    "UTC-05",
    "UTC-06",
    "UTC-07",
    "UTC-08",
    "UTC-09",
    "UTC-09:30",
    "UTC-10",
    "UTC-11",
];

/// `JourneySchedule`, with real timestamps.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct JourneySchedule {
    /// Absent: 540 days after the start.
    pub end_time: Option<Instant>,
    /// Absent: when it is published.
    pub start_time: Option<Instant>,
    /// `UTC`, `UTC+05:30` …
    pub timezone: Option<String>,
}

/// `OpenHours`: by channel and day of the week.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct OpenHours {
    pub custom: Option<BTreeMap<DayOfWeek, Vec<OpenHoursRule>>>,
    pub email: Option<BTreeMap<DayOfWeek, Vec<OpenHoursRule>>>,
    pub push: Option<BTreeMap<DayOfWeek, Vec<OpenHoursRule>>>,
    pub sms: Option<BTreeMap<DayOfWeek, Vec<OpenHoursRule>>>,
    pub voice: Option<BTreeMap<DayOfWeek, Vec<OpenHoursRule>>>,
}

/// `DayOfWeek`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum DayOfWeek {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// `OpenHoursRule`: two times of day, `HH:MM`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct OpenHoursRule {
    pub end_time: Option<String>,
    pub start_time: Option<String>,
}

/// `ClosedDays`: by channel.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct ClosedDays {
    pub custom: Option<Vec<ClosedDaysRule>>,
    pub email: Option<Vec<ClosedDaysRule>>,
    pub push: Option<Vec<ClosedDaysRule>>,
    pub sms: Option<Vec<ClosedDaysRule>>,
    pub voice: Option<Vec<ClosedDaysRule>>,
}

/// `ClosedDaysRule`: from one moment to another, in the participant's time.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct ClosedDaysRule {
    pub end_date_time: Option<String>,
    pub name: Option<String>,
    pub start_date_time: Option<String>,
}

/// How a time zone is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TimezoneEstimationMethod {
    /// By address and country.
    PhoneNumber,
    /// By postal code and country.
    PostalCode,
}

impl JourneySchedule {
    /// Checks it; `field` is its path in errors.
    pub(super) fn check(&self, field: &str) -> Result<()> {
        if let (Some(start), Some(end)) = (self.start_time, self.end_time) {
            let problem = if end <= start {
                "must be after StartTime".to_owned()
            } else if end.0.duration_since(start.0) > SignedDuration::from_hours(24 * LONGEST_DAYS) {
                format!("must be at most {LONGEST_DAYS} days after StartTime")
            } else {
                String::new()
            };
            if !problem.is_empty() {
                return Err(Error::invalid(format!("{field}.EndTime"), problem));
            }
        }
        match self.timezone.as_deref() {
            None | Some("") => Ok(()),
            Some(zone) if ZONES.contains(&zone) => Ok(()),
            Some(_) => Err(Error::invalid(
                format!("{field}.Timezone"),
                format!("must be one of {}", ZONES.join(", ")),
            )),
        }
    }
}

impl OpenHours {
    /// Checks all rules; `field` is their path in errors.
    pub(super) fn check(&self, field: &str) -> Result<()> {
        for (channel, days) in [
            ("CUSTOM", &self.custom),
            ("EMAIL", &self.email),
            ("PUSH", &self.push),
            ("SMS", &self.sms),
            ("VOICE", &self.voice),
        ] {
            for (day, rules) in days.iter().flatten() {
                let day = serde_json::to_string(day).unwrap_or_default();
                let field = format!("{field}.{channel}.{}", day.trim_matches('"'));
                check_ranges(rules, &field)?;
            }
        }
        Ok(())
    }
}

/// Ranges of a day: each begins before it ends, and none overlaps another.
fn check_ranges(rules: &[OpenHoursRule], field: &str) -> Result<()> {
    if rules.len() > MOST_RANGES {
        return Err(Error::invalid(
            field,
            format!("a day has at most {MOST_RANGES} ranges"),
        ));
    }
    let mut ranges: Vec<(Time, Time, usize)> = Vec::with_capacity(rules.len());
    for (no, rule) in rules.iter().enumerate() {
        let time = |member: &str, text: &Option<String>| -> Result<Time> {
            let time = text.as_deref().and_then(time_of_day);
            time.ok_or_else(|| {
                Error::invalid(
                    format!("{field}[{no}].{member}"),
                    "must be a time of day as HH:MM",
                )
            })
        };
        let start = time("StartTime", &rule.start_time)?;
        let end = time("EndTime", &rule.end_time)?;
        if end <= start {
            return Err(Error::invalid(
                format!("{field}[{no}].EndTime"),
                "must be after StartTime",
            ));
        }
        if let Some((.., other)) = ranges.iter().find(|(from, to, _)| start < *to && *from < end) {
            return Err(Error::invalid(
                format!("{field}[{no}]"),
                format!("overlaps {field}[{other}]"),
            ));
        }
        ranges.push((start, end, no));
    }
    Ok(())
}

/// `HH:MM`, with or without seconds.
fn time_of_day(text: &str) -> Option<Time> {
    text.as_bytes().get(2).filter(|byte| **byte == b':')?;
    text.parse().ok()
}

impl ClosedDays {
    /// Checks all rules; `field` is their path in errors.
    pub(super) fn check(&self, field: &str) -> Result<()> {
        for (channel, rules) in [
            ("CUSTOM", &self.custom),
            ("EMAIL", &self.email),
            ("PUSH", &self.push),
            ("SMS", &self.sms),
            ("VOICE", &self.voice),
        ] {
            let Some(rules) = rules else { continue };
            let field = format!("{field}.{channel}");
            if rules.len() > MOST_CLOSED_DAYS {
                return Err(Error::invalid(
                    field,
                    format!("a channel has at most {MOST_CLOSED_DAYS} of them"),
                ));
            }
            for (no, rule) in rules.iter().enumerate() {
                let at = |member: &str, text: &Option<String>| {
                    text.as_deref().and_then(parse_iso).ok_or_else(|| {
                        Error::invalid(
                            format!("{field}[{no}].{member}"),
                            "must be an ISO 8601 date and time",
                        )
                    })
                };
                let start = at("StartDateTime", &rule.start_date_time)?;
                if at("EndDateTime", &rule.end_date_time)? <= start {
                    return Err(Error::invalid(
                        format!("{field}[{no}].EndDateTime"),
                        "must be after StartDateTime",
                    ));
                }
            }
        }
        Ok(())
    }
}
