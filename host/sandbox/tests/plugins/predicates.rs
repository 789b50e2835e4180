//! Predicates: round trips, faults, and answers that do not fit.

use std::sync::Arc;
use std::time::Duration;

use pinion_domain::extension::columns::{Column, ColumnData, ColumnKind, Dictionary, Rows, bitmap};
use pinion_domain::extension::{PluginError, Plugins, Predicate};
use pinion_sandbox::{Limits, Sandbox};

use crate::support::{caller, install, limits, sandbox, sandbox_with};

const DAY: i64 = 86_400_000_000;

async fn predicate(sandbox: &Sandbox, name: &str, settings: &str) -> Result<Arc<dyn Predicate>, PluginError> {
    sandbox.predicate(&caller(), name, settings).await
}

/// A text column of codes with the dictionary it refers to.
fn plans(cells: &[&str]) -> (Vec<Dictionary>, Rows) {
    let mut distinct: Vec<&str> = cells.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let mut dictionary = Dictionary::default();
    for plan in &distinct {
        dictionary.push([*plan]);
    }
    let code = |cell: &&str| u32::try_from(distinct.iter().position(|plan| plan == cell).unwrap()).unwrap();
    let rows = Rows {
        count: u32::try_from(cells.len()).unwrap(),
        columns: vec![Column {
            data: ColumnData::Codes(cells.iter().map(code).collect()),
            valid: Vec::new(),
        }],
    };
    (vec![dictionary], rows)
}

#[tokio::test]
async fn a_predicate_decides_batch_after_batch() {
    let sandbox = sandbox(&["engagement-score"]).await;
    let settings = r#"{"min": 2, "weights": {"_email.click": 1}}"#;
    let predicate = predicate(&sandbox, "engagement-score", settings).await.unwrap();
    let kinds: Vec<_> = predicate
        .inputs()
        .iter()
        .map(|input| (input.path.as_str(), input.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("Events._email.click.Count", ColumnKind::Integer),
            ("Events._email.click.Last", ColumnKind::Instant),
        ]
    );
    let now = 20_000 * DAY;
    // The score is log2(1 + count) today: 3 clicks are enough.
    let batch = |count: u32| {
        let column = |data| Column {
            data,
            valid: Vec::new(),
        };
        Rows {
            count,
            columns: vec![
                column(ColumnData::Integer(
                    (0..count).map(|row| i64::from(row % 6)).collect(),
                )),
                column(ColumnData::Instant(vec![now; count as usize])),
            ],
        }
    };
    let mut evaluation = predicate.begin(now, Vec::new()).unwrap();
    for count in [1, 7, 8, 9, 4_096, 0] {
        let members = evaluation.evaluate(batch(count)).unwrap();
        assert_eq!(
            members,
            bitmap((0..count).map(|row| row % 6 >= 3)),
            "{count} rows"
        );
    }
}

#[tokio::test]
async fn rows_without_a_value_are_told_from_zero() {
    let sandbox = sandbox(&["engagement-score"]).await;
    let settings = r#"{"below": 0.5, "weights": {"_email.click": 1}}"#;
    let predicate = predicate(&sandbox, "engagement-score", settings).await.unwrap();
    let rows = Rows {
        count: 2,
        columns: vec![
            Column {
                data: ColumnData::Integer(vec![5, 5]),
                valid: vec![0b01],
            },
            Column {
                data: ColumnData::Instant(vec![0, 0]),
                valid: vec![0b01],
            },
        ],
    };
    let mut evaluation = predicate.begin(0, Vec::new()).unwrap();
    assert_eq!(evaluation.evaluate(rows).unwrap(), [0b10]);
}

#[tokio::test]
async fn dictionaries_reach_the_guest() {
    let sandbox = sandbox(&["bad/pure-bad"]).await;
    let settings = r#"{"at": "row", "fault": "error"}"#;
    let predicate = predicate(&sandbox, "pure-bad", settings).await.unwrap();
    let (dictionaries, rows) = plans(&["free", "bad", "żółw", "free", ""]);
    let mut evaluation = predicate.begin(0, dictionaries).unwrap();
    assert_eq!(evaluation.evaluate(rows).unwrap(), [0b1_1111]);
}

#[tokio::test]
async fn wrong_settings_come_back_in_the_plugins_words() {
    let sandbox = sandbox(&["engagement-score", "bad/pure-bad"]).await;
    for (plugin, settings, words) in [
        ("engagement-score", "{}", "give min, below or both"),
        ("engagement-score", "", "give min, below or both"),
        ("engagement-score", "[]", "must be a JSON object"),
        ("engagement-score", "{", "are not JSON"),
        (
            "pure-bad",
            r#"{"at": "settings", "fault": "error"}"#,
            "told to refuse",
        ),
    ] {
        match predicate(&sandbox, plugin, settings).await.err() {
            Some(PluginError::Failed { name, message }) => {
                assert_eq!(name, plugin);
                assert!(message.contains(words), "{message}");
            }
            other => panic!("{plugin} {settings}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn faults_are_told_and_use_up_the_evaluation() {
    let sandbox = sandbox_with(Limits {
        cpu: Duration::from_millis(100),
        ..limits()
    });
    install(&sandbox, &["bad/pure-bad"]).await;
    for (fault, words) in [
        ("trap", "it panicked or aborted"),
        ("spin", "used more than 100ms of CPU"),
        ("hog", "forcing trap when growing memory"),
    ] {
        let at_start = format!(r#"{{"at": "settings", "fault": "{fault}"}}"#);
        let error = predicate(&sandbox, "pure-bad", &at_start).await.err().unwrap();
        assert!(
            matches!(&error, PluginError::Fault { message, .. } if message.contains(words)),
            "{error}"
        );

        let at_row = format!(r#"{{"at": "row", "fault": "{fault}"}}"#);
        let predicate = predicate(&sandbox, "pure-bad", &at_row).await.unwrap();
        let (dictionaries, rows) = plans(&["free", "bad"]);
        let (_, good) = plans(&["free"]);
        let mut evaluation = predicate.begin(0, dictionaries.clone()).unwrap();
        let error = evaluation.evaluate(rows).unwrap_err();
        assert!(
            matches!(&error, PluginError::Fault { message, .. } if message.contains(words)),
            "{error}"
        );
        assert!(matches!(
            evaluation.evaluate(good),
            Err(PluginError::Fault { .. })
        ));

        // The next evaluation begins anew. Codes are those of the dictionary: `bad` is 0.
        let (dictionaries, rows) = plans(&["free"]);
        assert_eq!(
            predicate.begin(0, dictionaries).unwrap().evaluate(rows).unwrap(),
            [1]
        );
    }
}

#[tokio::test]
async fn a_bitmap_of_the_wrong_length_is_a_fault() {
    let sandbox = sandbox(&["bad/liar"]).await;
    for lie in ["short", "long", "empty"] {
        let settings = format!(r#"{{"bitmap": "{lie}"}}"#);
        let predicate = predicate(&sandbox, "liar", &settings).await.unwrap();
        let (dictionaries, rows) = plans(&["a"; 12]);
        let error = predicate
            .begin(0, dictionaries)
            .unwrap()
            .evaluate(rows)
            .unwrap_err();
        assert!(error.to_string().contains("bytes for 12 rows"), "{lie}: {error}");
    }
    let predicate = predicate(&sandbox, "liar", r#"{"bitmap": "right"}"#)
        .await
        .unwrap();
    let (dictionaries, rows) = plans(&["a"; 12]);
    let members = predicate.begin(0, dictionaries).unwrap().evaluate(rows).unwrap();
    assert_eq!(members, [0xff, 0x0f], "bits beyond the last row are cleared");
}

#[tokio::test]
async fn a_new_version_is_asked_again() {
    let sandbox = sandbox(&["bad/liar"]).await;
    let settings = r#"{"bitmap": "right"}"#;
    let first = predicate(&sandbox, "liar", settings).await.unwrap();
    let again = predicate(&sandbox, "liar", settings).await.unwrap();
    assert!(std::ptr::addr_eq(&raw const *first, &raw const *again));
    install(&sandbox, &["bad/liar"]).await;
    let renewed = predicate(&sandbox, "liar", settings).await.unwrap();
    assert!(!std::ptr::addr_eq(&raw const *first, &raw const *renewed));
}
