//! Conditions that Pinpoint has not, in documents that its clients can carry: attributes whose names
//! begin with a reserved word and a colon. Each value is the condition's settings as a JSON text; several
//! are alternatives, as values of an attribute always are, and `EXCLUSIVE` turns them round.
//!
//! | attribute | who is meant | settings |
//! |---|---|---|
//! | `event:TYPE` | who did it so and so often | `AtLeast`, `AtMost` (events; `{}` means at least one), within `WithinDays` (24 hours each) before now or from `Since` to `Until` (ISO instants, both included) |
//! | `event:TYPE` | who did both, this one for the first time before the other | `Before` (a type of event), within the same bounds |
//! | `random:LABEL` | a share of all endpoints; another label draws another one | `From` (0 unless given) up to `To`, percent |
//! | `campaign:ID` | whom the campaign's runs were for, whether held out or sent to | `Activity` (one run alone) |
//!
//! Events are those that applications and providers tell (`PutEvents`, receipts, opens, clicks). What an
//! endpoint did belongs to its `seq`: one that is deleted and made anew has done nothing and draws anew.

use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::condition::instant;
use crate::id::{CampaignId, RunId};
use crate::{Error, Result};

/// A condition of ours.
#[derive(Clone, Debug, PartialEq)]
pub enum Extended {
    /// `event:TYPE`
    Events(EventTest),
    /// `random:LABEL`
    Bucket(BucketTest),
    /// `campaign:ID`
    Recipient(RecipientTest),
}

impl Extended {
    /// Reads one value of an attribute that is called `kind:name`; `None` if no condition is called so.
    /// `field` is the value's path in errors.
    pub fn of(kind: &str, name: &str, settings: &str, field: &str) -> Option<Result<Self>> {
        Some(match kind {
            "event" => EventTest::of(name, settings, field).map(Self::Events),
            "random" => BucketTest::of(name, settings, field).map(Self::Bucket),
            "campaign" => RecipientTest::of(name, settings, field).map(Self::Recipient),
            _ => return None,
        })
    }
}

/// How often, or in which order, something was done.
#[derive(Clone, Debug, PartialEq)]
pub struct EventTest {
    /// The type of event.
    pub event_type: String,
    window: Window,
    /// What is asked of the events in the window.
    pub question: Question,
}

/// What is asked of an endpoint's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Are there so many?
    Count {
        /// At least.
        at_least: u32,
        /// At most.
        at_most: u32,
    },
    /// Is the first one earlier than the first of this type, which is there too?
    FirstBefore(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Window {
    Last(SignedDuration),
    Between(Option<Timestamp>, Option<Timestamp>),
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", deny_unknown_fields)]
struct EventSettings {
    at_least: Option<u32>,
    at_most: Option<u32>,
    within_days: Option<f64>,
    since: Option<String>,
    until: Option<String>,
    before: Option<String>,
}

/// A century.
const LONGEST_DAYS: f64 = 36_525.0;

impl EventTest {
    fn of(event_type: &str, settings: &str, field: &str) -> Result<Self> {
        let given: EventSettings = read(settings, field)?;
        named(event_type, "event", field)?;
        Ok(Self {
            event_type: event_type.to_owned(),
            window: window(&given, field)?,
            question: question(event_type, given, field)?,
        })
    }

    /// Milliseconds since 1970 between which events are looked at.
    pub fn window(&self, now: Timestamp) -> RangeInclusive<i64> {
        let (from, to) = match &self.window {
            Window::Last(time) => {
                let span = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                (Some(now.as_millisecond().saturating_sub(span)), None)
            }
            Window::Between(from, to) => (
                from.map(Timestamp::as_millisecond),
                to.map(Timestamp::as_millisecond),
            ),
        };
        from.unwrap_or(i64::MIN)..=to.unwrap_or(i64::MAX)
    }

    /// The types of events that it looks at.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        let other = match &self.question {
            Question::FirstBefore(other) => Some(other.as_str()),
            Question::Count { .. } => None,
        };
        std::iter::once(self.event_type.as_str()).chain(other)
    }

    /// Decides about one endpoint, whose times of a type (milliseconds since 1970) are told by `times`.
    pub fn matches<'a>(&self, now: Timestamp, times: impl Fn(&str) -> &'a [i64]) -> bool {
        let window = self.window(now);
        let inside = |event_type: &str| times(event_type).iter().filter(|at| window.contains(at));
        match &self.question {
            Question::Count { at_least, at_most } => {
                let count = u32::try_from(inside(&self.event_type).count()).unwrap_or(u32::MAX);
                (*at_least..=*at_most).contains(&count)
            }
            Question::FirstBefore(other) => {
                let (first, other) = (inside(&self.event_type).min(), inside(other).min());
                first.zip(other).is_some_and(|(first, other)| first < other)
            }
        }
    }
}

fn window(given: &EventSettings, field: &str) -> Result<Window> {
    let Some(days) = given.within_days else {
        let bound = |text: &Option<String>, name: &str| {
            let text = text.as_deref();
            text.map(|text| instant(text, &format!("{field}.{name}")))
                .transpose()
        };
        let (from, to) = (bound(&given.since, "Since")?, bound(&given.until, "Until")?);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(wrong(field, "Until", "must not be before Since"));
        }
        return Ok(Window::Between(from, to));
    };
    if given.since.is_some() || given.until.is_some() {
        return Err(wrong(field, "WithinDays", "excludes Since and Until"));
    }
    if !(days > 0.0 && days <= LONGEST_DAYS) {
        return Err(wrong(
            field,
            "WithinDays",
            format!("must be above 0 and at most {LONGEST_DAYS}"),
        ));
    }
    Ok(Window::Last(SignedDuration::from_secs_f64(days * 86_400.0)))
}

fn question(event_type: &str, given: EventSettings, field: &str) -> Result<Question> {
    let Some(other) = given.before else {
        let at_least = given
            .at_least
            .unwrap_or(if given.at_most.is_some() { 0 } else { 1 });
        let at_most = given.at_most.unwrap_or(u32::MAX);
        if at_least > at_most {
            return Err(wrong(field, "AtMost", "must not be less than AtLeast"));
        }
        if (at_least, at_most) == (0, u32::MAX) {
            return Err(wrong(
                field,
                "AtLeast",
                "must be 1 or more unless there is AtMost",
            ));
        }
        return Ok(Question::Count { at_least, at_most });
    };
    if given.at_least.is_some() || given.at_most.is_some() {
        return Err(wrong(field, "Before", "excludes AtLeast and AtMost"));
    }
    if other.is_empty() || other == event_type {
        return Err(wrong(field, "Before", "must be another type of event"));
    }
    Ok(Question::FirstBefore(other))
}

/// A share of all endpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct BucketTest {
    seed: [u32; 2],
    from: u64,
    to: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BucketSettings {
    #[serde(default)]
    from: f64,
    to: f64,
}

impl BucketTest {
    fn of(label: &str, settings: &str, field: &str) -> Result<Self> {
        let given: BucketSettings = read(settings, field)?;
        named(label, "random", field)?;
        if !(0.0..=100.0).contains(&given.to) {
            return Err(wrong(field, "To", "must be a percentage"));
        }
        if !(0.0..given.to).contains(&given.from) {
            return Err(wrong(field, "From", "must be a percentage below To"));
        }
        let digest = Sha256::digest(label.as_bytes());
        let word = |at: usize| {
            digest[at..at + 4]
                .iter()
                .fold(0, |word, byte| word << 8 | u32::from(*byte))
        };
        let point = |percent: f64| (percent / 100.0 * (1_u64 << 32) as f64).round() as u64;
        Ok(Self {
            seed: [word(0), word(4)],
            from: point(given.from),
            to: point(given.to),
        })
    }

    /// Where an endpoint stands, in percent.
    pub fn percent(&self, seq: u32) -> f64 {
        f64::from(self.point(seq)) / (1_u64 << 32) as f64 * 100.0
    }

    fn point(&self, seq: u32) -> u32 {
        mix(mix(seq ^ self.seed[0]).wrapping_add(self.seed[1]))
    }

    /// Decides about an endpoint by its `seq`. For one label all numbers have different points, so shares
    /// that do not overlap have no member in common and all shares together have everybody.
    pub fn matches(&self, seq: u32) -> bool {
        (self.from..self.to).contains(&u64::from(self.point(seq)))
    }
}

/// The finish of MurmurHash3: every bit of the input changes every bit of the result half of the time, and
/// no two inputs give the same.
fn mix(mut bits: u32) -> u32 {
    bits ^= bits >> 16;
    bits = bits.wrapping_mul(0x85eb_ca6b);
    bits ^= bits >> 13;
    bits = bits.wrapping_mul(0xc2b2_ae35);
    bits ^ bits >> 16
}

/// Recipient of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecipientTest {
    /// Whose runs.
    pub campaign: CampaignId,
    /// One of its runs alone: a campaign activity.
    pub run: Option<RunId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RecipientSettings {
    activity: Option<RunId>,
}

impl RecipientTest {
    fn of(campaign: &str, settings: &str, field: &str) -> Result<Self> {
        let given: RecipientSettings = read(settings, field)?;
        named(campaign, "campaign", field)?;
        Ok(Self {
            campaign: campaign.into(),
            run: given.activity,
        })
    }
}

fn read<T: DeserializeOwned>(settings: &str, field: &str) -> Result<T> {
    // Through an object: a list of the members in their order would be read too.
    let object = serde_json::from_str::<serde_json::Map<_, _>>(settings);
    object
        .and_then(|object| T::deserialize(serde_json::Value::Object(object)))
        .map_err(|error| Error::invalid(field, format!("the settings cannot be read: {error}")))
}

fn named(name: &str, kind: &str, field: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid(field, format!("must say which behind `{kind}:`")));
    }
    Ok(())
}

fn wrong(field: &str, member: &str, problem: impl Into<String>) -> Error {
    Error::invalid(format!("{field}.{member}"), problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extended(kind: &str, name: &str, settings: &str) -> Result<Extended> {
        Extended::of(kind, name, settings, "F").unwrap()
    }

    #[test]
    fn events_are_counted_and_ordered() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let hours_ago = |hours: i64| now.as_millisecond() - hours * 3_600_000;
        let opens = [hours_ago(1), hours_ago(24 * 7), hours_ago(24 * 40), hours_ago(-5)];
        let buys = [hours_ago(24 * 8)];
        for (settings, expected) in [
            ("{}", true),
            (r#"{"AtLeast": 4}"#, true),
            (r#"{"AtLeast": 5}"#, false),
            (r#"{"AtLeast": 3, "WithinDays": 7}"#, true),
            (r#"{"AtLeast": 3, "WithinDays": 6.999}"#, false),
            (r#"{"AtMost": 0, "WithinDays": 1}"#, false),
            (r#"{"AtMost": 3}"#, false),
            (r#"{"AtMost": 1, "Until": "2026-11-01"}"#, true),
            (r#"{"AtMost": 0, "Since": "2027-01-01"}"#, true),
            (
                r#"{"Since": "2026-11-23T11:00:00Z", "Until": "2026-11-23T11:00:00Z"}"#,
                true,
            ),
            (
                r#"{"Since": "2026-11-23T11:00:01Z", "Until": "2026-11-23T13:00Z"}"#,
                false,
            ),
            (r#"{"Before": "buy"}"#, true),
            (r#"{"Before": "buy", "WithinDays": 30}"#, false),
            (r#"{"Before": "nothing"}"#, false),
        ] {
            let Ok(Extended::Events(test)) = extended("event", "open", settings) else {
                panic!("{settings} is fine");
            };
            let times = |event_type: &str| -> &[i64] {
                match event_type {
                    "open" => &opens,
                    "buy" => &buys,
                    _ => &[],
                }
            };
            assert_eq!(test.matches(now, times), expected, "{settings}");
        }
    }

    #[test]
    fn shares_of_one_label_are_a_partition() {
        let bucket = |label: &str, settings: &str| match extended("random", label, settings) {
            Ok(Extended::Bucket(test)) => test,
            other => panic!("{other:?}"),
        };
        let shares = [(0.0, 10.0), (10.0, 33.3), (33.3, 100.0)].map(|(from, to)| {
            let test = bucket("spring", &format!(r#"{{"From": {from}, "To": {to}}}"#));
            (test, (to - from) / 100.0)
        });
        const ALL: u32 = 200_000;
        for seq in 0..ALL {
            assert_eq!(shares.iter().filter(|(share, _)| share.matches(seq)).count(), 1);
        }
        for (share, part) in &shares {
            let count = (0..ALL).filter(|seq| share.matches(*seq)).count() as f64;
            assert!((count / f64::from(ALL) - part).abs() < 0.005, "{count} of {part}");
        }
        // Labels are drawn apart from each other.
        let (one, other) = (
            bucket("spring", r#"{"To": 50}"#),
            bucket("autumn", r#"{"To": 50}"#),
        );
        let both = (0..ALL)
            .filter(|seq| one.matches(*seq) && other.matches(*seq))
            .count();
        assert!((both as f64 / f64::from(ALL) - 0.25).abs() < 0.005, "{both}");
    }

    #[test]
    fn errors_name_the_setting() {
        for (kind, name, settings, field) in [
            ("event", "", "{}", "F"),
            ("event", "e", "[]", "F"),
            ("event", "e", r#"{"AtLest": 1}"#, "F"),
            ("event", "e", r#"{"AtLeast": -1}"#, "F"),
            ("event", "e", r#"{"AtLeast": 0}"#, "F.AtLeast"),
            ("event", "e", r#"{"AtLeast": 3, "AtMost": 2}"#, "F.AtMost"),
            ("event", "e", r#"{"WithinDays": 0}"#, "F.WithinDays"),
            ("event", "e", r#"{"WithinDays": 1e9}"#, "F.WithinDays"),
            (
                "event",
                "e",
                r#"{"WithinDays": 1, "Since": "2026-01-01"}"#,
                "F.WithinDays",
            ),
            ("event", "e", r#"{"Since": "soon"}"#, "F.Since"),
            (
                "event",
                "e",
                r#"{"Since": "2026-01-02", "Until": "2026-01-01"}"#,
                "F.Until",
            ),
            ("event", "e", r#"{"Before": "e"}"#, "F.Before"),
            ("event", "e", r#"{"Before": "f", "AtLeast": 1}"#, "F.Before"),
            ("random", "", r#"{"To": 1}"#, "F"),
            ("random", "l", "{}", "F"),
            ("random", "l", r#"{"To": 101}"#, "F.To"),
            ("random", "l", r#"{"From": 5, "To": 5}"#, "F.From"),
            ("campaign", "", "{}", "F"),
            ("campaign", "c", r#"{"Run": "r"}"#, "F"),
        ] {
            match extended(kind, name, settings) {
                Err(Error::Invalid { field: named, .. }) => assert_eq!(named, field, "{kind} {settings}"),
                other => panic!("{kind} {settings} gave {other:?}"),
            }
        }
        assert!(Extended::of("colour", "x", "{}", "F").is_none());
    }
}
