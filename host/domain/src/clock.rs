//! Time as a parameter, so that tests can move it.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

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
}
