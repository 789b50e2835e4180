//! Which text a reader gets, and what settings are refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use best_content_by_locale::BestContentByLocale;
use pinion_sdk::testing::Table;
use pinion_sdk::{ColumnSpec, Personalizer};
use serde_json::{Value, json};

fn content() -> Value {
    json!({
        "en": {"cta": "Shop now", "greeting": "Hello"},
        "pl": {"greeting": "Cześć"},
        "pl-PL": {"cta": "Do sklepu"},
        "zh-Hant": {"greeting": "你好", "cta": "購物"},
    })
}

/// What the device of each row reports, and what it becomes.
fn check(settings: &Value, rows: &[(&str, Option<[Option<&str>; 2]>)]) {
    let cells: Vec<Vec<&str>> = rows
        .iter()
        .map(|(locale, _)| if locale.is_empty() { vec![] } else { vec![*locale] })
        .collect();
    let cells: Vec<&[&str]> = cells.iter().map(Vec::as_slice).collect();
    let nobody_chose: Vec<&[&str]> = rows.iter().map(|_| &[][..]).collect();
    let filled = Table::new(0)
        .text(&nobody_chose)
        .text(&cells)
        .fill::<BestContentByLocale>(settings)
        .unwrap();
    for ((locale, expected), filled) in rows.iter().zip(filled) {
        let expected = expected.map(|texts| texts.map(|text| text.map(str::to_owned)).to_vec());
        assert_eq!(filled, expected, "{locale:?}");
    }
}

#[test]
fn the_narrowest_locale_wins_and_wider_ones_fill_its_gaps() {
    let english = Some([Some("Shop now"), Some("Hello")]);
    check(
        &json!({"default": "en", "content": content()}),
        &[
            ("pl-PL", Some([Some("Do sklepu"), Some("Cześć")])),
            ("pl_PL.UTF-8", Some([Some("Do sklepu"), Some("Cześć")])),
            ("PL-pl", Some([Some("Do sklepu"), Some("Cześć")])),
            ("pl-DE", Some([Some("Shop now"), Some("Cześć")])),
            ("pl", Some([Some("Shop now"), Some("Cześć")])),
            ("zh-Hant-TW", Some([Some("購物"), Some("你好")])),
            ("zh-CN", english),
            ("en-GB", english),
            ("", english),
            ("not a locale", english),
        ],
    );
}

#[test]
fn without_a_default_others_get_no_message() {
    check(
        &json!({"content": content()}),
        &[
            ("pl", Some([None, Some("Cześć")])),
            ("de-DE", None),
            ("", None),
            ("en-US", Some([Some("Shop now"), Some("Hello")])),
        ],
    );
}

#[test]
fn what_a_person_chose_comes_before_what_a_device_reports() {
    let table = Table::new(0)
        .text(&[&["pl"], &["xx"], &[]])
        .text(&[&["en-US"], &["en-US"], &["pl"]]);
    let settings = json!({"default": "en", "content": {"en": {"hi": "Hello"}, "pl": {"hi": "Cześć"}}});
    let filled = table.fill::<BestContentByLocale>(&settings).unwrap();
    let texts: Vec<_> = filled
        .into_iter()
        .map(|row| row.unwrap()[0].clone().unwrap())
        .collect();
    assert_eq!(texts, ["Cześć", "Hello", "Cześć"]);
}

#[test]
fn columns_follow_the_settings() {
    let settings = json!({"content": content(), "locale_from": ["Attributes.lang"]});
    let settings = serde_json::from_value(settings).unwrap();
    let personalizer = BestContentByLocale::new(settings).unwrap();
    assert_eq!(personalizer.inputs(), [ColumnSpec::text("Attributes.lang")]);
    assert_eq!(
        personalizer.outputs(),
        [
            ColumnSpec::text("Attributes.cta"),
            ColumnSpec::text("Attributes.greeting")
        ]
    );
}

#[test]
fn wrong_settings_say_what_is_wrong() {
    for (settings, words) in [
        (json!({}), "missing field `content`"),
        (json!({"content": {}}), "must not be empty"),
        (json!({"content": {"en": {}}}), "needs names"),
        (json!({"content": {"en": {"": "x"}}}), "needs names"),
        (
            json!({"content": content(), "default": "de"}),
            "nothing for the default \"de\"",
        ),
        (
            json!({"content": {"pl-PL": {"a": "x"}, "pl_pl": {"a": "y"}}}),
            "twice",
        ),
        (
            json!({"content": content(), "locale_from": []}),
            "must not be empty",
        ),
    ] {
        let error = Table::new(0).fill::<BestContentByLocale>(&settings).unwrap_err();
        assert!(error.contains(words), "{settings}: {error}");
    }
}
