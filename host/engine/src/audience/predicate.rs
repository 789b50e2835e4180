//! Asking a predicate component: which columns it reads, rows in batches, and what becomes of a fault.

use std::collections::HashMap;

use jiff::Timestamp;
use pinion_domain::extension::columns::{self, Column, ColumnData, ColumnKind, ColumnSpec, Rows};
use pinion_domain::extension::predicate::ROWS_PER_CALL;
use pinion_domain::extension::{PluginError, Predicate};

use super::cells::{Cell, Cells};
use super::column::{Lists, PointColumn, TextColumn};
use super::events::EventLog;
use super::mask::{self, Mask};
use super::table::Table;

/// Events of one type as columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    count: Cells<i64>,
    last: Cells<i64>,
}

impl From<&EventLog> for Events {
    fn from(log: &EventLog) -> Self {
        let mut events = Self::default();
        log.each_row(|row, count, last| {
            events.count.put(row, count);
            events.last.put(row, last.saturating_mul(1_000));
        });
        events
    }
}

/// The type of event that an input names, if it names one: `Events.TYPE.Count`, `Events.TYPE.Last`.
pub(super) fn event_type(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("Events.")?.rsplit_once('.')
}

/// Asks about the rows that are not false in `scope`; false elsewhere. After a fault the rest is
/// unknown, and the fault is added to `faults`.
pub(super) fn ask(
    name: &str,
    predicate: &dyn Predicate,
    table: &Table,
    events: &HashMap<String, Events>,
    (now, scope): (Timestamp, &Mask),
    faults: &mut Vec<String>,
) -> Mask {
    let mut certain = vec![0; mask::words(table.rows())];
    let mut possible = certain.clone();
    let mut rows = scope.possible_rows().peekable();
    let inputs = predicate
        .inputs()
        .iter()
        .map(|spec| Input::of(spec, table, events))
        .collect::<Result<Vec<_>, _>>();
    let begun = inputs.map_err(|message| fault(name, message)).and_then(|inputs| {
        let dictionaries = inputs.iter().filter_map(Input::dictionary).collect();
        let evaluation = predicate.begin(now.as_microsecond(), dictionaries)?;
        Ok((inputs, evaluation))
    });
    let faulted = match begun {
        Err(error) => Some(error),
        Ok((inputs, mut evaluation)) => loop {
            if rows.peek().is_none() {
                break None;
            }
            let batch: Vec<u32> = rows.by_ref().take(ROWS_PER_CALL as usize).collect();
            let count = u32::try_from(batch.len()).expect("a batch is small");
            let columns = inputs.iter().map(|input| input.gather(&batch)).collect();
            let answer = evaluation.evaluate(Rows { count, columns }).and_then(|answer| {
                if answer.len() == batch.len().div_ceil(8) {
                    Ok(answer)
                } else {
                    let bytes = answer.len();
                    Err(fault(name, format!("answered {bytes} bytes about {count} rows")))
                }
            });
            match answer {
                Ok(answer) => {
                    for (index, row) in batch.into_iter().enumerate() {
                        if columns::bit(&answer, index, false) {
                            mask::set(&mut certain, row);
                            mask::set(&mut possible, row);
                        }
                    }
                }
                Err(error) => {
                    batch.into_iter().for_each(|row| mask::set(&mut possible, row));
                    break Some(error);
                }
            }
        },
    };
    if let Some(error) = faulted {
        rows.for_each(|row| mask::set(&mut possible, row));
        faults.push(error.to_string());
    }
    Mask::new(certain, possible)
}

fn fault(name: &str, message: String) -> PluginError {
    PluginError::Fault {
        name: name.to_owned(),
        message,
    }
}

/// A column that a predicate reads.
enum Input<'t> {
    Text(&'t TextColumn),
    /// Of the user: `users` says which row of `column` is the endpoint's.
    UserText {
        users: &'t TextColumn,
        column: &'t TextColumn,
    },
    Number(&'t Cells<f64>),
    Latitude(&'t PointColumn),
    Longitude(&'t PointColumn),
    Instant(&'t Cells<i64>),
    /// No event is a count of 0.
    Count(&'t Cells<i64>),
    /// Nobody has it.
    Absent(ColumnKind),
}

impl<'t> Input<'t> {
    fn of(spec: &ColumnSpec, table: &'t Table, events: &'t HashMap<String, Events>) -> Result<Self, String> {
        let path = spec.path.as_str();
        let input = if let Some(column) = table.text_member(path) {
            Self::Text(column)
        } else if let Some(name) = path.strip_prefix("Attributes.") {
            let column = table.attribute(name);
            column.map_or(Self::Absent(ColumnKind::Text), Self::Text)
        } else if let Some(name) = path.strip_prefix("User.UserAttributes.") {
            let users = table.users();
            let column = table.user_attribute(name);
            column.map_or(Self::Absent(ColumnKind::Text), |column| Self::UserText {
                users,
                column,
            })
        } else if let Some(name) = path.strip_prefix("Metrics.") {
            let cells = table.metric(name);
            cells.map_or(Self::Absent(ColumnKind::Number), Self::Number)
        } else {
            match (path, event_type(path)) {
                ("User.UserId", _) => Self::Text(table.users()),
                ("EffectiveDate", _) => Self::Instant(table.effective()),
                ("CreationDate", _) => Self::Instant(table.creation()),
                ("Location.Latitude", _) => Self::Latitude(table.place()),
                ("Location.Longitude", _) => Self::Longitude(table.place()),
                (_, Some((event, what @ ("Count" | "Last")))) => {
                    let events = events
                        .get(event)
                        .ok_or_else(|| format!("asks for {path}, which it did not name before"))?;
                    match what {
                        "Count" => Self::Count(&events.count),
                        _ => Self::Instant(&events.last),
                    }
                }
                _ => return Err(format!("asks for the column {path}, which does not exist")),
            }
        };
        if input.kind() != spec.kind {
            return Err(format!(
                "asks for {path} as {:?}, but that is {:?}",
                spec.kind,
                input.kind()
            ));
        }
        Ok(input)
    }

    fn kind(&self) -> ColumnKind {
        match self {
            Self::Text(_) | Self::UserText { .. } => ColumnKind::Text,
            Self::Number(_) | Self::Latitude(_) | Self::Longitude(_) => ColumnKind::Number,
            Self::Instant(_) => ColumnKind::Instant,
            Self::Count(_) => ColumnKind::Integer,
            Self::Absent(kind) => *kind,
        }
    }

    /// A text input has a dictionary, if only of the empty list.
    fn dictionary(&self) -> Option<columns::Dictionary> {
        match self {
            Self::Text(column) | Self::UserText { column, .. } => Some(column.entries.dictionary().clone()),
            Self::Absent(ColumnKind::Text) => Some(Lists::default().dictionary().clone()),
            _ => None,
        }
    }

    fn gather(&self, rows: &[u32]) -> Column {
        match self {
            Self::Text(column) => codes(rows, |row| column.codes.get(row)),
            Self::UserText { users, column } => codes(rows, |row| column.codes.get(users.codes.get(row))),
            Self::Number(cells) => numbers(rows, |row| cells.value(row)),
            Self::Latitude(place) => numbers(rows, |row| place.entries.point(place.codes.get(row)).0),
            Self::Longitude(place) => numbers(rows, |row| place.entries.point(place.codes.get(row)).1),
            Self::Instant(cells) => gather(rows, |row| cells.value(row), ColumnData::Instant),
            Self::Count(cells) => gather(
                rows,
                |row| Some(cells.value(row).unwrap_or(0)),
                ColumnData::Integer,
            ),
            Self::Absent(ColumnKind::Text) => codes(rows, |_| 0),
            Self::Absent(_) => numbers(rows, |_| None),
        }
    }
}

fn codes(rows: &[u32], code: impl Fn(u32) -> u32) -> Column {
    let cell = |row| Some(code(row)).filter(|code| !code.is_absent());
    gather(rows, cell, ColumnData::Codes)
}

fn numbers(rows: &[u32], number: impl Fn(u32) -> Option<f64>) -> Column {
    gather(rows, number, ColumnData::Number)
}

/// Cells that are absent are zero and not valid.
fn gather<T: Default>(
    rows: &[u32],
    cell: impl Fn(u32) -> Option<T>,
    data: fn(Vec<T>) -> ColumnData,
) -> Column {
    let mut cells = Vec::with_capacity(rows.len());
    let mut valid = Vec::with_capacity(rows.len());
    for row in rows {
        let cell = cell(*row);
        valid.push(cell.is_some());
        cells.push(cell.unwrap_or_default());
    }
    let all = valid.iter().all(|valid| *valid);
    Column {
        data: data(cells),
        valid: if all { Vec::new() } else { columns::bitmap(valid) },
    }
}
