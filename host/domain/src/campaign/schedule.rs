//! When a campaign's runs begin.

use jiff::civil::Time;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::{Frequency, Schedule};
use crate::clock::parse_iso;
use crate::{Error, Result};

/// What `Timezone` may be (API reference, "Schedule").
const ZONES: [&str; 31] = [
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
    "UTC+09",
    "UTC+09:30",
    "UTC+10",
    "UTC+10:30",
    "UTC+11",
    "UTC+12",
    "UTC+13",
    "UTC-02",
    "UTC-03",
    "UTC-04",
    "UTC-05",
    "UTC-06",
    "UTC-07",
    "UTC-08",
    "UTC-09",
    "UTC-10",
    "UTC-11",
];

/// Checks a schedule as it is written.
pub fn check(schedule: &Schedule, field: &str) -> Result<()> {
    let at = |member: &str| format!("{field}.{member}");
    let start = parse_iso(&schedule.start_time);
    if schedule.start_time != "IMMEDIATE" && start.is_none() {
        return Err(Error::invalid(
            at("StartTime"),
            "must be IMMEDIATE or an ISO 8601 instant",
        ));
    }
    if let Some(end) = &schedule.end_time {
        let end =
            parse_iso(end).ok_or_else(|| Error::invalid(at("EndTime"), "must be an ISO 8601 instant"))?;
        if start.is_some_and(|start| end < start) {
            return Err(Error::invalid(at("EndTime"), "must not be before StartTime"));
        }
    }
    if let Some(zone) = schedule.timezone.as_deref()
        && !ZONES.contains(&zone)
    {
        return Err(Error::invalid(
            at("Timezone"),
            format!("must be one of {}", ZONES.join(", ")),
        ));
    }
    if let Some(quiet_time) = &schedule.quiet_time {
        quiet_time.check(&at("QuietTime"))?;
    }
    let is_triggered = matches!(schedule.frequency, Some(Frequency::Event | Frequency::InAppEvent));
    match &schedule.event_filter {
        Some(filter) => filter.check(&at("EventFilter"))?,
        None if is_triggered => {
            return Err(Error::invalid(
                at("EventFilter"),
                "is required: it says which event the campaign waits for",
            ));
        }
        None => {}
    }
    match schedule.frequency {
        Some(Frequency::Event) => Err(Error::Unsupported(
            "a campaign that is triggered by events".to_owned(),
        )),
        _ if schedule.is_local_time == Some(true) => Err(Error::Unsupported(
            "sending in each endpoint's local time".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// The first moment at or after `from` at which a run is due, or `None` if there is none.
///
/// `created` is what `IMMEDIATE` means. Steps are counted in the schedule's own zone, so a daily
/// campaign keeps its hour.
pub fn next(schedule: &Schedule, created: Timestamp, from: Timestamp) -> Option<Timestamp> {
    let start = if schedule.start_time == "IMMEDIATE" {
        created
    } else {
        parse_iso(&schedule.start_time)?
    };
    let end = schedule.end_time.as_deref().and_then(parse_iso);
    let within = |due: Timestamp| end.is_none_or(|end| due <= end).then_some(due);
    if start >= from {
        return within(start);
    }
    let zone = schedule
        .timezone
        .as_deref()
        .and_then(offset)
        .unwrap_or(Offset::UTC)
        .to_time_zone();
    let first = start.to_zoned_datetime(zone);
    let seconds = from.as_second() - start.as_second();
    let (unit_seconds, months) = match schedule.frequency.unwrap_or(Frequency::Once) {
        Frequency::Once | Frequency::Event | Frequency::InAppEvent => return None,
        Frequency::Hourly => (3_600, false),
        Frequency::Daily => (86_400, false),
        Frequency::Weekly => (7 * 86_400, false),
        Frequency::Monthly => (31 * 86_400, true),
    };
    // A whole number of steps that is certainly not too many; the loop makes up the rest.
    let mut steps = (seconds / unit_seconds - 1).max(0);
    loop {
        let span = if months {
            steps.months()
        } else {
            (steps * unit_seconds).seconds()
        };
        let due = first.checked_add(span).ok()?.timestamp();
        if due >= from {
            return within(due);
        }
        steps += 1;
    }
}

/// Pinpoint's zones: `UTC`, `UTC+01`, `UTC-03:30`.
fn offset(zone: &str) -> Option<Offset> {
    let rest = zone.strip_prefix("UTC")?;
    if rest.is_empty() {
        return Some(Offset::UTC);
    }
    let sign = match rest.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = rest[1..].split_once(':').unwrap_or((&rest[1..], "0"));
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..=14).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()
}

/// The UTC day of a moment, as days since 1970: what counters are kept by.
pub fn day(at: Timestamp) -> i32 {
    i32::try_from(at.as_second().div_euclid(86_400)).unwrap_or(i32::MAX)
}

/// The moment at which a day of [`day`] begins.
pub fn day_start(day: i32) -> Timestamp {
    TimeZone::UTC
        .to_timestamp(
            jiff::civil::date(1970, 1, 1)
                .saturating_add(day.days())
                .to_datetime(Time::midnight()),
        )
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::iso;

    fn schedule(start: &str, frequency: Frequency, end: Option<&str>) -> Schedule {
        Schedule {
            start_time: start.into(),
            frequency: Some(frequency),
            end_time: end.map(Into::into),
            ..Schedule::default()
        }
    }

    #[test]
    fn occurrences_follow_the_frequency() {
        use Frequency::{Daily, Hourly, Monthly, Once, Weekly};
        let start = "2026-01-31T10:00:00Z";
        for (frequency, from, expected) in [
            (Once, "2026-01-01T00:00:00Z", Some("2026-01-31T10:00:00.000Z")),
            (Once, "2026-02-01T00:00:00Z", None),
            (Hourly, "2026-01-31T10:00:01Z", Some("2026-01-31T11:00:00.000Z")),
            (Hourly, "2026-01-31T12:00:00Z", Some("2026-01-31T12:00:00.000Z")),
            (Daily, "2026-03-01T11:00:00Z", Some("2026-03-02T10:00:00.000Z")),
            (Weekly, "2026-02-01T00:00:00Z", Some("2026-02-07T10:00:00.000Z")),
            (Monthly, "2026-02-01T00:00:00Z", Some("2026-02-28T10:00:00.000Z")),
            (Monthly, "2026-03-01T00:00:00Z", Some("2026-03-31T10:00:00.000Z")),
        ] {
            let due = next(
                &schedule(start, frequency, None),
                parse_iso(start).unwrap(),
                parse_iso(from).unwrap(),
            );
            assert_eq!(due.map(iso).as_deref(), expected, "{frequency:?} from {from}");
        }
    }

    #[test]
    fn nothing_is_due_after_the_end() {
        let daily = schedule(
            "2026-01-01T10:00:00Z",
            Frequency::Daily,
            Some("2026-01-03T00:00:00Z"),
        );
        let created = parse_iso("2026-01-01").unwrap();
        assert!(next(&daily, created, parse_iso("2026-01-02T09:00:00Z").unwrap()).is_some());
        assert_eq!(
            next(&daily, created, parse_iso("2026-01-02T11:00:00Z").unwrap()),
            None
        );
    }

    #[test]
    fn zones_are_offsets() {
        for (zone, seconds) in [
            ("UTC", Some(0)),
            ("UTC+05:30", Some(19_800)),
            ("UTC-03", Some(-10_800)),
        ] {
            assert_eq!(offset(zone).map(Offset::seconds), seconds);
        }
        for zone in ["Europe/Warsaw", "UTC+99", "UTC*1", "+01:00"] {
            assert_eq!(offset(zone), None, "{zone}");
        }
        for zone in ZONES {
            assert!(offset(zone).is_some(), "{zone}");
        }
    }

    #[test]
    fn schedules_that_cannot_be_name_the_member() {
        use serde_json::json;
        let filter = json!({"FilterType": "ENDPOINT", "Dimensions": {"EventType": {"Values": ["e"]}}});
        for (member, value, expected) in [
            ("StartTime", json!("soon"), "S.StartTime"),
            ("EndTime", json!("later"), "S.EndTime"),
            ("EndTime", json!("2026-01-01T09:59:59Z"), "S.EndTime"),
            ("EndTime", json!("2026-01-01T10:00:00Z"), ""),
            ("Timezone", json!("UTC+05:30"), ""),
            ("Timezone", json!("UTC+14"), "S.Timezone"),
            ("Timezone", json!("Europe/Warsaw"), "S.Timezone"),
            ("QuietTime", json!({"Start": "22:00"}), "S.QuietTime.End"),
            ("Frequency", json!("EVENT"), "S.EventFilter"),
            ("Frequency", json!("IN_APP_EVENT"), "S.EventFilter"),
            ("EventFilter", filter, ""),
            (
                "EventFilter",
                json!({"FilterType": "SYSTEM", "Dimensions": {}}),
                "S.EventFilter.Dimensions.EventType",
            ),
        ] {
            let mut schedule = json!({"StartTime": "2026-01-01T10:00:00Z"});
            schedule[member] = value.clone();
            let schedule: Schedule = serde_json::from_value(schedule).unwrap();
            let named = match check(&schedule, "S") {
                Ok(()) => String::new(),
                Err(Error::Invalid { field, .. }) => field,
                Err(other) => panic!("{other}"),
            };
            assert_eq!(named, expected, "{member}: {value}");
        }
    }

    #[test]
    fn days_begin_at_midnight() {
        let moment = parse_iso("2026-11-23T17:00:00Z").unwrap();
        assert_eq!(iso(day_start(day(moment))), "2026-11-23T00:00:00.000Z");
    }
}
