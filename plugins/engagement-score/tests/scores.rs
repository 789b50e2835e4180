//! Who is selected, and what settings are refused.

use engagement_score::EngagementScore;
use pinion_sdk::Predicate;
use pinion_sdk::testing::Table;
use serde_json::{Value, json};

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
        (json!({"min": "much"}), "min: invalid type"),
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
