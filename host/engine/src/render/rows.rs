//! Endpoints as the columns that a personalizer reads.

use pinion_domain::clock::parse_iso;
use pinion_domain::endpoint::Endpoint;
use pinion_domain::extension::columns::{
    Column, ColumnData, ColumnKind, ColumnSpec, Rows, TextCells, bitmap,
};

use super::context::{Value, Variable};

/// The columns that a personalizer asks for, one row an endpoint. A list arrives as templates print it;
/// what a row does not have, or what is not of the column's kind, is marked as missing.
#[expect(
    clippy::needless_pass_by_value,
    reason = "an iterator is cheap to clone and nicer to give away"
)]
pub fn personalizer_rows<'a>(
    inputs: &[ColumnSpec],
    endpoints: impl Iterator<Item = &'a Endpoint> + Clone,
) -> Rows {
    let column = |spec: &ColumnSpec| {
        let variable = Variable::new(names(&spec.path));
        let values = endpoints.clone().map(|endpoint| variable.of_endpoint(endpoint));
        match spec.kind {
            ColumnKind::Text => {
                let cells: Vec<_> = values.map(|value| text(&value)).collect();
                let data: TextCells = cells.iter().map(|cell| cell.as_deref().unwrap_or("")).collect();
                Column {
                    data: ColumnData::Text(data),
                    valid: bitmap(cells.iter().map(Option::is_some)),
                }
            }
            ColumnKind::Number => filled(values.map(|value| number(&value)), ColumnData::Number),
            ColumnKind::Integer => filled(values.map(|value| integer(&value)), ColumnData::Integer),
            ColumnKind::Instant => filled(values.map(|value| instant(&value)), ColumnData::Instant),
        }
    };
    Rows {
        count: u32::try_from(endpoints.clone().count()).expect("a batch is far below 4 Gi rows"),
        columns: inputs.iter().map(column).collect(),
    }
}

/// The names of a column's path: what follows `Attributes.` and the like is one name, dots or not.
fn names(path: &str) -> Vec<String> {
    for prefix in ["Attributes.", "User.UserAttributes.", "Metrics."] {
        if let Some(name) = path.strip_prefix(prefix) {
            let parents = prefix.split_terminator('.');
            return parents.chain([name]).map(str::to_owned).collect();
        }
    }
    path.split('.').map(str::to_owned).collect()
}

fn filled<T: Default>(cells: impl Iterator<Item = Option<T>>, column: fn(Vec<T>) -> ColumnData) -> Column {
    let cells: Vec<Option<T>> = cells.collect();
    Column {
        valid: bitmap(cells.iter().map(Option::is_some)),
        data: column(cells.into_iter().map(Option::unwrap_or_default).collect()),
    }
}

fn text(value: &Value<'_>) -> Option<String> {
    if *value == Value::Missing {
        return None;
    }
    let mut text = String::new();
    value.write(None, |part| text.push_str(part));
    Some(text)
}

fn number(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        other => text(other)?.trim().parse().ok(),
    }
}

fn integer(value: &Value<'_>) -> Option<i64> {
    text(value)?.trim().parse().ok()
}

fn instant(value: &Value<'_>) -> Option<i64> {
    Some(parse_iso(text(value)?.trim())?.as_microsecond())
}
