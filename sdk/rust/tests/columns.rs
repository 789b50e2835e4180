//! Reading rows and writing outputs.

use std::cell::Cell;

use pinion_sdk::testing::Table;
use pinion_sdk::{Batch, ColumnSpec, Memo, NoSettings, Output, Personalizer, Predicate, Row};
use serde_json::json;

thread_local! {
    static WORK: Cell<u32> = const { Cell::new(0) };
}

/// Members have a gold plan, or a score, a count and a time that are all above zero.
#[derive(Default)]
struct Everything {
    gold: Memo<bool>,
}

impl Predicate for Everything {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Self::default())
    }

    fn inputs(&self) -> Vec<ColumnSpec> {
        vec![
            ColumnSpec::number("Metrics.score"),
            ColumnSpec::text("Attributes.city"),
            ColumnSpec::integer("Events.x.Count"),
            ColumnSpec::text("Attributes.plan"),
            ColumnSpec::instant("Events.x.Last"),
        ]
    }

    fn matches(&self, row: Row<'_>) -> bool {
        let gold = self.gold.of(row, 3, |mut plans| {
            WORK.set(WORK.get() + 1);
            plans.any(|plan| plan == "gold")
        });
        gold || (row.number(0) > Some(0.0)
            && row.text(1).is_some()
            && row.integer(2) > Some(0)
            && row.instant(4).is_some_and(|last| last < row.now()))
    }
}

#[test]
fn rows_are_read_by_kind_and_what_is_missing_is_none() {
    let table = Table::new(100)
        .number(&[Some(1.0), Some(1.0), None, Some(1.0), Some(1.0), Some(1.0)])
        .text(&[&["Łódź"], &["Łódź"], &["Łódź"], &[], &["Łódź"], &["Łódź"]])
        .integer(&[Some(1), Some(1), Some(1), Some(1), None, Some(1)])
        .text(&[
            &[],
            &["silver", "gold"],
            &[],
            &["silver"],
            &["silver"],
            &["silver"],
        ])
        .instant(&[Some(99), None, Some(99), Some(99), Some(99), Some(100)]);
    let members = table.matches::<Everything>(&json!({})).unwrap();
    assert_eq!(members, [true, true, false, false, false, false]);
}

#[test]
fn a_memo_works_once_for_each_distinct_list() {
    WORK.set(0);
    let plans: [&[&str]; 3] = [&["gold"], &["silver"], &["silver", "gold"]];
    let cells: Vec<_> = (0..3_000).map(|row| plans[row % 3]).collect();
    let table = Table::new(0)
        .number(&vec![None; 3_000])
        .text(&vec![&[][..]; 3_000])
        .integer(&vec![None; 3_000])
        .text(&cells)
        .instant(&vec![None; 3_000]);
    let members = table.matches::<Everything>(&json!({})).unwrap();
    assert!(
        members
            .iter()
            .enumerate()
            .all(|(row, member)| *member == (row % 3 != 1))
    );
    assert_eq!(WORK.get(), 3);
}

/// Members have a score of at least their city's sum of all scores, halved. Works on whole columns.
struct TopOfTown;

impl Predicate for TopOfTown {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Self)
    }

    fn inputs(&self) -> Vec<ColumnSpec> {
        vec![
            ColumnSpec::number("Metrics.score"),
            ColumnSpec::text("Location.City"),
        ]
    }

    fn matches(&self, _: Row<'_>) -> bool {
        panic!("evaluate is given, so rows are not asked for")
    }

    fn evaluate(&self, batch: &Batch<'_>) -> Vec<u8> {
        let (scores, cities) = (batch.numbers(0), batch.codes(1));
        let mut sums = vec![0.0; batch.dictionary(1).starts.len()];
        scores.for_each(|row, score| {
            if let Some(city) = cities.get(row) {
                sums[city as usize] += score;
            }
        });
        batch.select(|row| {
            let town = cities.get(row).map(|city| sums[city as usize]);
            town.is_some_and(|sum| scores.get(row) >= Some(sum / 2.0))
        })
    }
}

#[test]
fn columns_are_read_whole() {
    let rows = 1_000;
    let scores: Vec<_> = (0..rows)
        .map(|row| (row % 3 != 0).then_some(row as f64))
        .collect();
    let towns: Vec<Vec<String>> = (0..rows)
        .map(|row| {
            if row % 5 == 0 {
                vec![]
            } else {
                vec![(row / 4).to_string()]
            }
        })
        .collect();
    let towns: Vec<Vec<&str>> = towns
        .iter()
        .map(|town| town.iter().map(String::as_str).collect())
        .collect();
    let cells: Vec<&[&str]> = towns.iter().map(Vec::as_slice).collect();
    let members = Table::new(0)
        .number(&scores)
        .text(&cells)
        .matches::<TopOfTown>(&json!({}))
        .unwrap();
    let expected: Vec<bool> = (0..rows)
        .map(|row| {
            let neighbours = (0..rows).filter(|other| !towns[row].is_empty() && towns[*other] == towns[row]);
            let sum: f64 = neighbours.filter_map(|other| scores[other]).sum();
            !towns[row].is_empty() && scores[row] >= Some(sum / 2.0)
        })
        .collect();
    assert_eq!(members, expected);
    assert!(expected.iter().any(|member| *member) && expected.iter().any(|member| !*member));
}

/// Members are the rows whose number is their place; the row API and the column API must say the same.
struct InPlace;

impl Predicate for InPlace {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Self)
    }

    fn inputs(&self) -> Vec<ColumnSpec> {
        vec![ColumnSpec::integer("Events.x.Count")]
    }

    fn matches(&self, _: Row<'_>) -> bool {
        panic!("evaluate is given, so rows are not asked for")
    }

    fn evaluate(&self, batch: &Batch<'_>) -> Vec<u8> {
        let mut visited = vec![None; batch.len()];
        batch
            .integers(0)
            .for_each(|row, value| visited[row] = Some(value));
        let asked: Vec<_> = batch.iter().map(|row| row.integer(0)).collect();
        assert_eq!(visited, asked);
        batch.select(|row| visited[row] == i64::try_from(row).ok())
    }
}

#[test]
fn a_column_has_the_cells_of_its_rows() {
    for count in [0, 1, 7, 8, 9, 64, 65] {
        let full: Vec<_> = (0..count).map(Some).collect();
        let gaps: Vec<_> = (0..count).map(|row| (row % 3 == 1).then_some(row)).collect();
        for cells in [full, gaps] {
            let members = Table::new(0).integer(&cells).matches::<InPlace>(&json!({}));
            let expected: Vec<bool> = cells.iter().map(Option::is_some).collect();
            assert_eq!(members, Ok(expected), "{count} rows");
        }
    }
}

struct Mistaken;

impl Predicate for Mistaken {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Self)
    }

    fn inputs(&self) -> Vec<ColumnSpec> {
        vec![ColumnSpec::number("Metrics.score")]
    }

    fn matches(&self, row: Row<'_>) -> bool {
        row.integer(0).is_some()
    }
}

#[test]
#[should_panic(expected = "input 0 was not declared as integer")]
fn reading_another_kind_than_declared_panics() {
    let _ = Table::new(0).number(&[Some(1.0)]).matches::<Mistaken>(&json!({}));
}

/// Echoes a text into outputs of each kind, as the text says.
struct Echo;

impl Personalizer for Echo {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Self)
    }

    fn inputs(&self) -> Vec<ColumnSpec> {
        vec![ColumnSpec::text("Attributes.word")]
    }

    fn outputs(&self) -> Vec<ColumnSpec> {
        vec![
            ColumnSpec::text("Attributes.text"),
            ColumnSpec::number("Attributes.number"),
            ColumnSpec::integer("Attributes.integer"),
            ColumnSpec::instant("Attributes.instant"),
        ]
    }

    fn fill(&self, row: Row<'_>, out: &mut Output) {
        match row.text(0) {
            None => {}
            Some("drop") => out.drop_row(),
            Some("twice") => {
                out.text(0, "a longer first");
                out.text(0, "second");
            }
            Some(word) => {
                out.text(0, word);
                out.number(1, 0.5);
                out.integer(2, -3);
                out.instant(3, row.now());
            }
        }
    }
}

#[test]
fn outputs_are_packed_and_what_is_not_set_is_missing() {
    let cells: [&[&str]; 10] = [
        &["one"],
        &[],
        &["twice"],
        &["drop"],
        &[""],
        &["żółć", "second values are not seen"],
        &[],
        &[],
        &[],
        &["drop"],
    ];
    let filled = Table::new(7).text(&cells).fill::<Echo>(&json!({})).unwrap();

    let full = |text: &str| {
        Some(
            [text, "0.5", "-3", "7"]
                .map(|cell| Some(cell.to_owned()))
                .to_vec(),
        )
    };
    let empty = Some(vec![None; 4]);
    let twice = Some(vec![Some("second".to_owned()), None, None, None]);
    assert_eq!(
        filled,
        [
            full("one"),
            empty.clone(),
            twice,
            None,
            full(""),
            full("żółć"),
            empty.clone(),
            empty.clone(),
            empty,
            None
        ]
    );
}
