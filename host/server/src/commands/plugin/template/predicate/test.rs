//! Who is selected.

use CRATE::TYPE;
use pinion_sdk::testing::Table;
use serde_json::json;

fn people() -> Table {
    Table::new(0)
        .text(&[&["Gdynia"], &["gdynia"], &["Łódź"], &[]])
        .integer(&[Some(7), Some(2), Some(9), Some(9)])
}

#[test]
fn the_city_and_the_visits_both_count() {
    let settings = json!({"city": "Gdynia"});
    assert_eq!(people().matches::<TYPE>(&settings), Ok(vec![true, false, false, false]));
    let settings = json!({"city": "Gdynia", "visits": 2});
    assert_eq!(people().matches::<TYPE>(&settings), Ok(vec![true, true, false, false]));
}

#[test]
fn settings_that_do_not_fit_are_told() {
    let error = people().matches::<TYPE>(&json!({"visits": 1})).unwrap_err();
    assert_eq!(error, "settings: missing field `city`");
}
