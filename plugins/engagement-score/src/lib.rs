//! Selects endpoints by an engagement score: events count by weight, more of them count ever less, and old
//! ones fade. README.md has the formula for people.

use std::collections::BTreeMap;

use pinion_sdk::{ColumnSpec, Predicate, Row};
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
const MICROS_PER_DAY: f64 = 86_400e6;

/// The predicate. Event `n` has its count in input `2 n` and its last time in input `2 n + 1`.
#[derive(Debug)]
pub struct EngagementScore {
    min: f64,
    below: f64,
    half_life_micros: f64,
    events: Vec<(String, f64)>,
}

impl EngagementScore {
    fn score(&self, row: Row<'_>) -> f64 {
        let worth = |(place, (_, weight)): (usize, &(String, f64))| {
            let (Some(count), Some(last)) = (row.integer(2 * place), row.instant(2 * place + 1)) else {
                return 0.0;
            };
            if count <= 0 {
                return 0.0;
            }
            // Clocks differ: an event from the future counts as one of now.
            let age = row.now().saturating_sub(last).max(0) as f64;
            weight * (1.0 + count as f64).log2() * (-age / self.half_life_micros).exp2()
        };
        self.events.iter().enumerate().map(worth).sum()
    }
}

impl Predicate for EngagementScore {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.min.is_none() && settings.below.is_none() {
            return Err("settings: give min, below or both".to_owned());
        }
        if !(settings.half_life_days > 0.0 && settings.half_life_days.is_finite()) {
            return Err("settings: half_life_days must be more than 0".to_owned());
        }
        if settings.weights.is_empty() || settings.weights.len() > MOST_WEIGHTS {
            return Err(format!("settings: give 1 to {MOST_WEIGHTS} weights"));
        }
        if settings.weights.keys().any(String::is_empty) {
            return Err("settings: weights: a type of event is empty".to_owned());
        }
        Ok(Self {
            min: settings.min.unwrap_or(f64::NEG_INFINITY),
            below: settings.below.unwrap_or(f64::INFINITY),
            half_life_micros: settings.half_life_days * MICROS_PER_DAY,
            events: settings.weights.into_iter().collect(),
        })
    }

    fn inputs(&self) -> Vec<ColumnSpec> {
        self.events
            .iter()
            .flat_map(|(event, _)| {
                [
                    ColumnSpec::integer(format!("Events.{event}.Count")),
                    ColumnSpec::instant(format!("Events.{event}.Last")),
                ]
            })
            .collect()
    }

    fn matches(&self, row: Row<'_>) -> bool {
        let score = self.score(row);
        self.min <= score && score < self.below
    }
}

pinion_sdk::predicate!(EngagementScore, manifest = "../plugin.json");

#[cfg(test)]
mod tests {
    use pinion_sdk::testing::Table;
    use serde_json::{Value, json};

    use super::*;

    const DAY: i64 = 86_400_000_000;
    const NOW: i64 = 20_000 * DAY;

    /// Count and age in days of the clicks of each row.
    fn clicks(rows: &[Option<(i64, i64)>]) -> Table {
        let counts: Vec<_> = rows.iter().map(|row| row.map(|(count, _)| count)).collect();
        let lasts: Vec<_> = rows
            .iter()
            .map(|row| row.map(|(_, age)| NOW - age * DAY))
            .collect();
        Table::new(NOW).integer(&counts).instant(&lasts)
    }

    fn check(settings: &Value, rows: &[Option<(i64, i64)>], expected: &[bool]) {
        let matches = clicks(rows).matches::<EngagementScore>(settings);
        assert_eq!(matches.as_deref(), Ok(expected), "{settings}");
    }

    #[test]
    fn the_score_halves_with_each_half_life() {
        // Three clicks are worth 2 × log2(1 + 3) = 4 today.
        let settings = |min: f64| json!({"min": min, "half_life_days": 10, "weights": {"_email.click": 2}});
        let rows = [Some((3, 0)), Some((3, 10)), Some((3, 20)), Some((0, 0)), None];
        check(&settings(4.0), &rows, &[true, false, false, false, false]);
        check(&settings(2.0), &rows, &[true, true, false, false, false]);
        check(&settings(1.0), &rows, &[true, true, true, false, false]);
        check(&settings(0.0), &rows, &[true, true, true, true, true]);
    }

    #[test]
    fn more_of_the_same_counts_less() {
        let settings = json!({"min": 3, "weights": {"_email.click": 1}});
        check(
            &settings,
            &[Some((6, 0)), Some((7, 0)), Some((1_000, 0))],
            &[false, true, true],
        );
    }

    #[test]
    fn below_finds_the_lapsed() {
        let settings = json!({"below": 1, "weights": {"_email.click": 1}});
        check(
            &settings,
            &[Some((1, 0)), Some((1, 1)), None],
            &[false, true, true],
        );
        let between = json!({"min": 1, "below": 2, "weights": {"_email.click": 1}});
        check(
            &between,
            &[Some((1, 0)), Some((3, 0)), None],
            &[true, false, false],
        );
    }

    #[test]
    fn an_event_from_the_future_is_one_of_now() {
        let settings = json!({"min": 1, "below": 1.0001, "weights": {"_email.click": 1}});
        check(&settings, &[Some((1, -5))], &[true]);
    }

    #[test]
    fn kinds_of_events_add_up() {
        let table = Table::new(NOW)
            .integer(&[Some(1), Some(1), None])
            .instant(&[Some(NOW), Some(NOW), None])
            .integer(&[Some(1), None, Some(1)])
            .instant(&[Some(NOW), None, Some(NOW)]);
        let settings = json!({"min": 4, "weights": {"_email.click": 3, "_email.open": 1}});
        assert_eq!(
            table.matches::<EngagementScore>(&settings),
            Ok(vec![true, false, false])
        );
    }

    #[test]
    fn a_negative_weight_pulls_down() {
        let settings = json!({"min": 0, "weights": {"_email.complaint": -5}});
        check(&settings, &[Some((1, 0)), None], &[false, true]);
    }

    #[test]
    fn the_usual_weights_read_six_columns() {
        let settings = serde_json::from_value(json!({"min": 1})).unwrap();
        let paths: Vec<_> = EngagementScore::new(settings)
            .unwrap()
            .inputs()
            .into_iter()
            .map(|input| input.path)
            .collect();
        assert_eq!(
            paths,
            [
                "Events._email.click.Count",
                "Events._email.click.Last",
                "Events._email.open.Count",
                "Events._email.open.Last",
                "Events._monetization.purchase.Count",
                "Events._monetization.purchase.Last",
            ]
        );
    }

    #[test]
    fn wrong_settings_say_what_is_wrong() {
        for (settings, words) in [
            (json!({}), "give min, below or both"),
            (json!({"min": "5"}), "expected f64"),
            (json!({"min": 1, "half_life_days": 0}), "half_life_days must be"),
            (json!({"min": 1, "half_life_days": -3}), "half_life_days must be"),
            (json!({"min": 1, "weights": {}}), "1 to 20 weights"),
            (json!({"min": 1, "weights": {"": 1}}), "is empty"),
            (json!({"min": 1, "wieghts": {}}), "unknown field `wieghts`"),
        ] {
            let error = clicks(&[None]).matches::<EngagementScore>(&settings).unwrap_err();
            assert!(error.contains(words), "{settings}: {error}");
        }
    }
}
