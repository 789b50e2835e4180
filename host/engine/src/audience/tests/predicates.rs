//! Predicates without WebAssembly: one that reads every kind of column, and one that faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinion_domain::endpoint::{Attributes, UserDocument};
use pinion_domain::extension::columns::{ColumnData, ColumnKind, ColumnSpec, Dictionary, Rows, bit, bitmap};
use pinion_domain::extension::fake::FakePlugins;
use pinion_domain::extension::predicate::{Evaluation, ROWS_PER_CALL};
use pinion_domain::extension::{PluginError, Predicate};
use pinion_domain::segment::condition::micros;
use pinion_store::LiveEndpoint;
use serde_json::json;

use super::memory::{Memory, State};
use super::{Audience, Evaluated, endpoint, evaluate, now, segment};

fn spec(path: &str, kind: ColumnKind) -> ColumnSpec {
    ColumnSpec {
        path: path.to_owned(),
        kind,
    }
}

/// Says yes when an odd number of its questions about a row are true.
pub(super) struct Engaged {
    inputs: Vec<ColumnSpec>,
    rows: Arc<AtomicUsize>,
}

impl Default for Engaged {
    fn default() -> Self {
        Self {
            inputs: vec![
                spec("Attributes.plan", ColumnKind::Text),
                spec("Attributes.nobody has it", ColumnKind::Text),
                spec("User.UserAttributes.plan", ColumnKind::Text),
                spec("User.UserId", ColumnKind::Text),
                spec("ChannelType", ColumnKind::Text),
                spec("Metrics.score", ColumnKind::Number),
                spec("Metrics.nobody has it", ColumnKind::Number),
                spec("Location.Latitude", ColumnKind::Number),
                spec("EffectiveDate", ColumnKind::Instant),
                spec("Events._email.open.Count", ColumnKind::Integer),
                spec("Events._email.open.Last", ColumnKind::Instant),
            ],
            rows: Arc::default(),
        }
    }
}

/// What [`Engaged`] says, from the documents.
pub(super) fn engaged(seq: u32, live: &LiveEndpoint, user: Option<&UserDocument>, state: &State) -> bool {
    let has_gold = |attributes: Option<&Attributes>| {
        attributes
            .and_then(|attributes| attributes.get("plan"))
            .is_some_and(|values| values.iter().any(|value| value == "gold"))
    };
    let latitude = live.document.location.as_ref().and_then(|place| place.latitude);
    let opens = state.times("_email.open", seq).len();
    let truths = [
        has_gold(Some(&live.document.attributes)),
        has_gold(user.map(|user| &user.user_attributes)),
        live.user_id.as_ref().is_some_and(|user| user.as_str() == "u1"),
        live.document.channel_type == Some(pinion_domain::channel::ChannelType::Email),
        live.document
            .metrics
            .get("score")
            .is_some_and(|score| *score > 1.0),
        latitude.is_some_and(|latitude| latitude > 50.0),
        micros(&live.document.effective_date).is_some_and(|at| at > now().as_microsecond() - 86_400_000_000),
        opens >= 2,
        opens > 0,
    ];
    truths.into_iter().filter(|truth| *truth).count() % 2 == 1
}

impl Predicate for Engaged {
    fn inputs(&self) -> &[ColumnSpec] {
        &self.inputs
    }

    fn begin(&self, now: i64, dictionaries: Vec<Dictionary>) -> Result<Box<dyn Evaluation>, PluginError> {
        assert_eq!(dictionaries.len(), 5, "one for each text input");
        Ok(Box::new(EngagedEvaluation {
            now,
            dictionaries,
            rows: Arc::clone(&self.rows),
        }))
    }
}

struct EngagedEvaluation {
    now: i64,
    dictionaries: Vec<Dictionary>,
    rows: Arc<AtomicUsize>,
}

impl EngagedEvaluation {
    /// Does the text column `index` have the value in this row?
    fn has(&self, rows: &Rows, index: usize, row: usize, wanted: &str) -> bool {
        let column = &rows.columns[index];
        let ColumnData::Codes(codes) = &column.data else {
            panic!("text comes as codes");
        };
        let Dictionary { starts, values } = &self.dictionaries[index];
        let code = codes[row] as usize;
        let cells = starts[code]..starts[code + 1];
        assert_eq!(bit(&column.valid, row, true), !cells.is_empty());
        cells
            .into_iter()
            .any(|cell| values.get(cell as usize) == Some(wanted))
    }
}

fn number(rows: &Rows, index: usize, row: usize) -> Option<f64> {
    let column = &rows.columns[index];
    let ColumnData::Number(cells) = &column.data else {
        panic!("expected numbers");
    };
    bit(&column.valid, row, true).then_some(cells[row])
}

fn whole(rows: &Rows, index: usize, row: usize) -> Option<i64> {
    let column = &rows.columns[index];
    let (ColumnData::Integer(cells) | ColumnData::Instant(cells)) = &column.data else {
        panic!("expected whole numbers");
    };
    bit(&column.valid, row, true).then_some(cells[row])
}

impl Evaluation for EngagedEvaluation {
    fn evaluate(&mut self, rows: Rows) -> Result<Vec<u8>, PluginError> {
        assert!((1..=ROWS_PER_CALL).contains(&rows.count));
        assert!(
            rows.columns
                .iter()
                .all(|column| column.data.len() == rows.count as usize)
        );
        self.rows.fetch_add(rows.count as usize, Ordering::Relaxed);
        Ok(bitmap((0..rows.count as usize).map(|row| {
            let opens = whole(&rows, 9, row).expect("a count is always there");
            let truths = [
                self.has(&rows, 0, row, "gold"),
                self.has(&rows, 1, row, "gold"),
                self.has(&rows, 2, row, "gold"),
                self.has(&rows, 3, row, "u1"),
                self.has(&rows, 4, row, "EMAIL"),
                number(&rows, 5, row).is_some_and(|score| score > 1.0),
                number(&rows, 6, row).is_some(),
                number(&rows, 7, row).is_some_and(|latitude| latitude > 50.0),
                whole(&rows, 8, row).is_some_and(|at| at > self.now - 86_400_000_000),
                opens >= 2,
                whole(&rows, 10, row).is_some(),
            ];
            truths.into_iter().filter(|truth| *truth).count() % 2 == 1
        })))
    }
}

/// Says yes to everybody until it faults.
pub(super) struct Faulty {
    inputs: Vec<ColumnSpec>,
    good_calls: Option<usize>,
    fault: fn() -> Result<Vec<u8>, PluginError>,
}

fn trap() -> PluginError {
    PluginError::Fault {
        name: "faulty".to_owned(),
        message: "unreachable executed".to_owned(),
    }
}

impl Faulty {
    pub(super) fn in_begin() -> Self {
        Self {
            inputs: Vec::new(),
            good_calls: None,
            fault: || Err(trap()),
        }
    }

    fn after(good_calls: usize, fault: fn() -> Result<Vec<u8>, PluginError>) -> Self {
        Self {
            good_calls: Some(good_calls),
            fault,
            ..Self::in_begin()
        }
    }

    fn asking_for(path: &str, kind: ColumnKind) -> Self {
        Self {
            inputs: vec![spec(path, kind)],
            ..Self::after(1_000, || Err(trap()))
        }
    }
}

impl Predicate for Faulty {
    fn inputs(&self) -> &[ColumnSpec] {
        &self.inputs
    }

    fn begin(&self, _: i64, _: Vec<Dictionary>) -> Result<Box<dyn Evaluation>, PluginError> {
        let good_calls = self.good_calls.ok_or_else(trap)?;
        Ok(Box::new(FaultyEvaluation {
            good_calls,
            fault: self.fault,
        }))
    }
}

struct FaultyEvaluation {
    good_calls: usize,
    fault: fn() -> Result<Vec<u8>, PluginError>,
}

impl Evaluation for FaultyEvaluation {
    fn evaluate(&mut self, rows: Rows) -> Result<Vec<u8>, PluginError> {
        if self.good_calls == 0 {
            return (self.fault)();
        }
        self.good_calls -= 1;
        Ok(bitmap((0..rows.count).map(|_| true)))
    }
}

/// 10,000 endpoints, every fifth of them gold.
fn ten_thousand() -> Memory {
    let memory = Memory::default();
    for seq in 0..10_000 {
        let plan = if seq % 5 == 0 { "gold" } else { "iron" };
        memory.put(seq, Some(endpoint(None, json!({"Attributes": {"plan": [plan]}}))));
    }
    memory
}

async fn ask(memory: &Memory, predicate: impl Predicate + 'static, document: serde_json::Value) -> Evaluated {
    let plugins = FakePlugins::default().with_predicate("p", Arc::new(predicate));
    evaluate(&Audience::default(), memory, &plugins, &segment(document))
        .await
        .unwrap()
}

fn plain() -> serde_json::Value {
    json!({"Dimensions": {"Attributes": {"plugin:p": {"Values": ["{}"]}}}})
}

#[tokio::test]
async fn after_a_fault_the_rest_is_unknown() {
    let memory = ten_thousand();
    let batch = u64::from(ROWS_PER_CALL);
    for (predicate, decided, message) in [
        (
            Faulty::in_begin(),
            0,
            "plugin faulty faulted: unreachable executed",
        ),
        (
            Faulty::after(0, || Err(trap())),
            0,
            "plugin faulty faulted: unreachable executed",
        ),
        (
            Faulty::after(2, || Err(trap())),
            2 * batch,
            "plugin faulty faulted: unreachable executed",
        ),
        (
            Faulty::after(1, || Ok(vec![255; 511])),
            batch,
            "plugin p faulted: answered 511 bytes about 4096 rows",
        ),
    ] {
        let evaluated = ask(&memory, predicate, plain()).await;
        assert_eq!(evaluated.selected.len(), decided, "{message}");
        assert_eq!(evaluated.unknown, 10_000 - decided, "{message}");
        assert_eq!(evaluated.faults, [message]);
    }
}

#[tokio::test]
async fn a_fault_under_none_selects_nobody() {
    let memory = ten_thousand();
    let group = json!({"Dimensions": [{"Attributes": {"plugin:p": {"Values": ["{}"]}}}]});
    let document = json!({"SegmentGroups": {"Include": "NONE", "Groups": [group]}});
    let evaluated = ask(&memory, Faulty::after(1, || Err(trap())), document).await;
    assert_eq!((evaluated.selected.len(), evaluated.unknown), (0, 10_000 - 4_096));
}

#[tokio::test]
async fn only_undecided_rows_are_asked_about() {
    let memory = ten_thousand();
    let gold = json!({"plan": {"Values": ["gold"]}});
    let plugin = json!({"plugin:p": {"Values": ["{}"]}});
    let groups = |kind: &str| {
        json!({"SegmentGroups": {"Groups": [
            {"Type": kind, "Dimensions": [{"Attributes": plugin}, {"Attributes": gold}]}]}})
    };
    for (document, asked) in [
        (plain(), 10_000),
        (groups("ALL"), 2_000),
        (groups("ANY"), 8_000),
        (groups("NONE"), 8_000),
    ] {
        let engaged = Engaged::default();
        let rows = Arc::clone(&engaged.rows);
        ask(&memory, engaged, document.clone()).await;
        assert_eq!(rows.load(Ordering::Relaxed), asked, "{document}");
    }
}

#[tokio::test]
async fn columns_that_do_not_exist_are_faults() {
    let memory = ten_thousand();
    for (path, kind, message) in [
        (
            "Address",
            ColumnKind::Text,
            "asks for the column Address, which does not exist",
        ),
        (
            "Metrics.score",
            ColumnKind::Text,
            "asks for Metrics.score as Text, but that is Number",
        ),
        (
            "Events.open.Sum",
            ColumnKind::Number,
            "asks for the column Events.open.Sum, which does not exist",
        ),
        (
            "Events.open.Last",
            ColumnKind::Integer,
            "asks for Events.open.Last as Integer, but that is Instant",
        ),
    ] {
        let evaluated = ask(&memory, Faulty::asking_for(path, kind), plain()).await;
        assert_eq!((evaluated.selected.len(), evaluated.unknown), (0, 10_000));
        assert_eq!(evaluated.faults, [format!("plugin p faulted: {message}")]);
    }
    let good = ask(
        &memory,
        Faulty::asking_for("Demographic.Locale", ColumnKind::Text),
        plain(),
    )
    .await;
    assert_eq!(
        (good.selected.len(), good.unknown, good.faults),
        (10_000, 0, Vec::new())
    );
}

#[tokio::test]
async fn a_plugin_that_is_not_installed_is_a_fault() {
    let memory = ten_thousand();
    let evaluated = evaluate(
        &Audience::default(),
        &memory,
        &FakePlugins::default(),
        &segment(plain()),
    )
    .await
    .unwrap();
    assert_eq!((evaluated.selected.len(), evaluated.unknown), (0, 10_000));
    assert_eq!(evaluated.faults, ["plugin p is not installed"]);
}
