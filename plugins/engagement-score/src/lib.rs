//! Selects endpoints by an engagement score: events count by weight, more of them count ever less, and old
//! ones fade. README.md has the formula for people.

use std::collections::BTreeMap;

use pinion_sdk::score::{Diminishing, HalfLife};
use pinion_sdk::{Batch, ColumnSpec, Predicate, Row};
use serde::Deserialize;

/// The settings, as a segment gives them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// At least this score.
    min: Option<f64>,
    /// Less than this score.
    below: Option<f64>,
    /// After so many days an event counts half.
    #[serde(default = "month")]
    half_life_days: f64,
    /// What an event of a type is worth.
    #[serde(default = "usual_weights")]
    weights: BTreeMap<String, f64>,
}

fn month() -> f64 {
    30.0
}

fn usual_weights() -> BTreeMap<String, f64> {
    [
        ("_email.open", 1.0),
        ("_email.click", 3.0),
        ("_monetization.purchase", 10.0),
    ]
    .map(|(event, weight)| (event.to_owned(), weight))
    .into()
}

/// More inputs would cost more than they tell.
const MOST_WEIGHTS: usize = 20;

/// The predicate.
#[derive(Debug)]
pub struct EngagementScore {
    min: f64,
    below: f64,
    worth: Diminishing,
    half_life: HalfLife,
    events: Vec<Event>,
}

/// A type of event, and what it is worth.
#[derive(Debug)]
struct Event {
    name: String,
    weight: f64,
}

/// The inputs of an event: how many, and when the last one was.
fn inputs_of(event: usize) -> (usize, usize) {
    (2 * event, 2 * event + 1)
}

impl EngagementScore {
    /// What events of one type add to a score.
    fn part(&self, event: &Event, count: i64, age_micros: i64) -> f64 {
        event.weight * self.worth.of(count) * self.half_life.left_after(age_micros)
    }

    fn selects(&self, score: f64) -> bool {
        self.min <= score && score < self.below
    }
}

impl Predicate for EngagementScore {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.min.is_none() && settings.below.is_none() {
            return Err("settings: give min, below or both".to_owned());
        }
        if settings.weights.is_empty() || settings.weights.len() > MOST_WEIGHTS {
            return Err(format!("settings: give 1 to {MOST_WEIGHTS} weights"));
        }
        if settings.weights.keys().any(String::is_empty) {
            return Err("settings: weights: a type of event is empty".to_owned());
        }
        let half_life = HalfLife::days(settings.half_life_days);
        let events = settings.weights.into_iter();
        Ok(Self {
            min: settings.min.unwrap_or(f64::NEG_INFINITY),
            below: settings.below.unwrap_or(f64::INFINITY),
            worth: Diminishing::new(),
            half_life: half_life.ok_or("settings: half_life_days must be more than 0")?,
            events: events.map(|(name, weight)| Event { name, weight }).collect(),
        })
    }

    fn inputs(&self) -> Vec<ColumnSpec> {
        let of_event = |event: &Event| {
            [
                ColumnSpec::integer(format!("Events.{}.Count", event.name)),
                ColumnSpec::instant(format!("Events.{}.Last", event.name)),
            ]
        };
        self.events.iter().flat_map(of_event).collect()
    }

    /// What `evaluate` does, for a single row.
    fn matches(&self, row: Row<'_>) -> bool {
        let events = self.events.iter().enumerate();
        let parts = events.filter_map(|(place, event)| {
            let (count, last) = inputs_of(place);
            Some(self.part(
                event,
                row.integer(count)?,
                row.now().saturating_sub(row.instant(last)?),
            ))
        });
        self.selects(parts.sum())
    }

    /// Column by column: of most types of events, most endpoints have none, and those rows cost nothing here.
    fn evaluate(&self, batch: &Batch<'_>) -> Vec<u8> {
        let mut scores = vec![0.0; batch.len()];
        for (place, event) in self.events.iter().enumerate() {
            let (count, last) = inputs_of(place);
            let counts = batch.integers(count);
            batch.instants(last).for_each(|row, last| {
                if let Some(count) = counts.get(row) {
                    scores[row] += self.part(event, count, batch.now.saturating_sub(last));
                }
            });
        }
        batch.select(|row| self.selects(scores[row]))
    }
}

pinion_sdk::predicate!(EngagementScore, manifest = "../plugin.json");
