//! Personalizers: round trips, faults, and answers that do not fit.

use std::sync::Arc;
use std::time::Duration;

use pinion_domain::extension::columns::{Column, ColumnData, Rows, TextCells};
use pinion_domain::extension::{Personalizer, PluginError, Plugins};
use pinion_sandbox::{Limits, Sandbox};

use crate::support::{caller, install, limits, sandbox, sandbox_with};

async fn personalizer(sandbox: &Sandbox, name: &str, settings: &str) -> Arc<dyn Personalizer> {
    sandbox.personalizer(&caller(), name, settings).await.unwrap()
}

fn text(cells: &[&str]) -> Column {
    Column {
        data: ColumnData::Text(cells.iter().copied().collect::<TextCells>()),
        valid: Vec::new(),
    }
}

fn rows(columns: Vec<Column>) -> Rows {
    Rows {
        count: u32::try_from(columns[0].data.len()).unwrap(),
        columns,
    }
}

fn cells(column: &Column) -> Vec<&str> {
    match &column.data {
        ColumnData::Text(cells) => (0..cells.len()).map(|cell| cells.get(cell).unwrap()).collect(),
        other => panic!("{other:?} is not text"),
    }
}

#[tokio::test]
async fn a_personalizer_fills_values_and_drops_rows() {
    let sandbox = sandbox(&["best-content-by-locale"]).await;
    let settings = r#"{
        "content": {"pl": {"greeting": "Cześć"}, "en": {"greeting": "Hello"}},
        "locale_from": ["Demographic.Locale"]
    }"#;
    let personalizer = personalizer(&sandbox, "best-content-by-locale", settings).await;
    assert_eq!(personalizer.inputs()[0].path, "Demographic.Locale");
    assert_eq!(personalizer.outputs()[0].path, "Attributes.greeting");
    let batch = rows(vec![text(&["pl-PL", "en_GB", "fr", "pl"])]);
    for _ in 0..3 {
        let filled = personalizer.personalize(0, batch.clone()).unwrap();
        let greetings = cells(&filled.columns[0]);
        assert_eq!(
            (greetings[0], greetings[1], greetings[3]),
            ("Cześć", "Hello", "Cześć")
        );
        assert_eq!(filled.drop, [0b0100]);
    }
}

#[tokio::test]
async fn a_full_batch_comes_back_whole() {
    let sandbox = sandbox(&["bad/forger"]).await;
    let personalizer = personalizer(&sandbox, "forger", "{}").await;
    let filled = personalizer
        .personalize(0, rows(vec![text(&["free"; 1_024])]))
        .unwrap();
    assert_eq!(cells(&filled.columns[0]), ["hello"; 1_024]);
    assert!(filled.drop.is_empty());
}

#[tokio::test]
async fn answers_that_do_not_fit_are_faults() {
    let sandbox = sandbox(&["bad/forger"]).await;
    for (fault, words) in [
        ("columns", "gave 0 columns and had declared 1"),
        ("cells", "has not one offset more than there are rows"),
        ("drop", "its drop bitmap has a wrong length"),
    ] {
        let personalizer = personalizer(&sandbox, "forger", &format!(r#"{{"fault": "{fault}"}}"#)).await;
        let error = personalizer
            .personalize(0, rows(vec![text(&["free"; 3])]))
            .unwrap_err();
        assert!(
            matches!(&error, PluginError::Fault { message, .. } if message.contains(words)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_instance_that_faulted_is_replaced() {
    let sandbox = sandbox_with(Limits {
        cpu: Duration::from_millis(100),
        ..limits()
    });
    install(&sandbox, &["bad/forger"]).await;
    for fault in ["trap", "spin"] {
        let personalizer = personalizer(&sandbox, "forger", &format!(r#"{{"fault": "{fault}"}}"#)).await;
        let error = personalizer
            .personalize(0, rows(vec![text(&["bad"])]))
            .unwrap_err();
        assert!(matches!(error, PluginError::Fault { .. }), "{fault}: {error}");
        let filled = personalizer.personalize(0, rows(vec![text(&["good"])])).unwrap();
        assert_eq!(cells(&filled.columns[0]), ["hello"]);
    }
}
