//! Time as a parameter, so that tests can move it.

use std::borrow::Cow;
use std::sync::Mutex;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask the machine")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that only moves when told to.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// Stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves on.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().expect("no holder of this lock can panic");
        *now += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no holder of this lock can panic")
    }
}

/// Pinpoint's way to write an instant in a document: ISO 8601, milliseconds, `Z`.
pub fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Reads an instant as Pinpoint's clients write it: with or without seconds and fraction, `Z` or an
/// offset; a date alone is midnight UTC.
pub fn parse_iso(text: &str) -> Option<Timestamp> {
    use jiff::civil::{Date, DateTime};
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let civil = text.strip_suffix('Z').unwrap_or(text);
    let at = civil
        .parse::<DateTime>()
        .or_else(|_| civil.parse::<Date>().map(DateTime::from))
        .ok()?;
    at.to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}

/// Reads an ISO 8601 duration (`PT1H`, `P30D`); days have 24 hours. Months and years have no fixed
/// length, so they are none.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    // Without the letter it would be a duration in words, which is more than ISO 8601 allows.
    let span: Span = text.starts_with('P').then(|| text.parse().ok())??;
    if span.get_months() != 0 || span.get_years() != 0 {
        return None;
    }
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

/// A moment in a document that Pinpoint's model calls a timestamp, not a string: clients parse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&iso(self.0))
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_iso(&text)
            .map(Self)
            .ok_or_else(|| de::Error::custom("must be an ISO 8601 instant"))
    }
}

impl JsonSchema for Instant {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_clients_write_them() {
        for (text, expected) in [
            ("2026-11-23T10:11:12.345Z", "2026-11-23T10:11:12.345Z"),
            ("2026-11-23T10:11Z", "2026-11-23T10:11:00.000Z"),
            ("2026-11-23T10:11:12+02:00", "2026-11-23T08:11:12.000Z"),
            ("2026-11-23T10:11:12", "2026-11-23T10:11:12.000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000Z"),
        ] {
            assert_eq!(parse_iso(text).map(iso).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "10:11"] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_of_fixed_length() {
        for (text, hours) in [
            ("PT1H", Some(1)),
            ("P1D", Some(24)),
            ("P1W", Some(168)),
            ("P1DT12H", Some(36)),
            ("P1M", None),
            ("P1Y", None),
            ("1 hour", None),
            ("", None),
        ] {
            assert_eq!(
                parse_duration(text),
                hours.map(SignedDuration::from_hours),
                "{text}"
            );
        }
    }

    #[test]
    fn instants_in_documents_are_text() {
        let read = |text: &str| serde_json::from_value::<Instant>(serde_json::json!(text));
        let at = read("2026-01-01T00:00Z").unwrap();
        assert_eq!(serde_json::to_value(at).unwrap(), "2026-01-01T00:00:00.000Z");
        assert!(read("soon").is_err());
    }
}
