//! What is filled in.

use CRATE::TYPE;
use pinion_sdk::testing::Table;
use serde_json::json;

#[test]
fn readers_are_greeted_by_name() {
    let readers = Table::new(0).text(&[&["Nina"], &[]]);
    let filled = readers.fill::<TYPE>(&json!({"greeting": "Good day"})).unwrap();
    let text = |text: &str| Some(vec![Some(text.to_owned())]);
    assert_eq!(filled, [text("Good day, Nina"), text("Good day")]);
}
