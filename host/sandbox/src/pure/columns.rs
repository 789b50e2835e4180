//! Columns on their way into a guest and out of it. What comes out is checked: the rest of the host
//! relies on lengths, offsets and UTF-8 without looking again.

use pinion_bindings::predicate::pinion::types::columns as wit;
use pinion_domain::extension::columns::{
    Column, ColumnData, ColumnKind, ColumnSpec, Dictionary, Rows, TextCells,
};

/// The most columns that a plugin may ask for or give.
const COLUMNS: usize = 64;
/// The longest path of a column.
const PATH_BYTES: usize = 256;

pub fn rows_in(rows: Rows) -> wit::Rows {
    wit::Rows {
        count: rows.count,
        columns: rows.columns.into_iter().map(column_in).collect(),
    }
}

fn column_in(column: Column) -> wit::Column {
    let data = match column.data {
        ColumnData::Codes(cells) => wit::ColumnData::Codes(cells),
        ColumnData::Text(cells) => wit::ColumnData::Text(text_in(cells)),
        ColumnData::Number(cells) => wit::ColumnData::Number(cells),
        ColumnData::Integer(cells) => wit::ColumnData::Integer(cells),
        ColumnData::Instant(cells) => wit::ColumnData::Instant(cells),
    };
    wit::Column {
        data,
        valid: column.valid,
    }
}

fn text_in(cells: TextCells) -> wit::TextCells {
    wit::TextCells {
        offsets: cells.offsets,
        bytes: cells.bytes,
    }
}

pub fn dictionary_in(dictionary: Dictionary) -> wit::Dictionary {
    wit::Dictionary {
        starts: dictionary.starts,
        values: text_in(dictionary.values),
    }
}

/// The columns that a plugin asks for or gives.
pub fn specs_out(specs: Vec<wit::ColumnSpec>) -> Result<Vec<ColumnSpec>, String> {
    if specs.len() > COLUMNS {
        return Err(format!("declares {} columns; {COLUMNS} are allowed", specs.len()));
    }
    specs.into_iter().map(spec_out).collect()
}

fn spec_out(spec: wit::ColumnSpec) -> Result<ColumnSpec, String> {
    if spec.path.is_empty() || spec.path.len() > PATH_BYTES || spec.path.chars().any(char::is_control) {
        return Err(format!(
            "declares a column whose path has not 1 to {PATH_BYTES} printable bytes"
        ));
    }
    let kind = match spec.kind {
        wit::ColumnKind::Text => ColumnKind::Text,
        wit::ColumnKind::Number => ColumnKind::Number,
        wit::ColumnKind::Integer => ColumnKind::Integer,
        wit::ColumnKind::Instant => ColumnKind::Instant,
    };
    Ok(ColumnSpec {
        path: spec.path,
        kind,
    })
}

/// A column of `count` rows that must be as `spec` says.
pub fn column_out(column: wit::Column, spec: &ColumnSpec, count: u32) -> Result<Column, String> {
    let rows = count as usize;
    let wrong = |problem: &str| Err(format!("column {}: {problem}", spec.path));
    let data = match (column.data, spec.kind) {
        (wit::ColumnData::Text(cells), ColumnKind::Text) => match text_out(cells, rows) {
            Ok(cells) => ColumnData::Text(cells),
            Err(problem) => return wrong(problem),
        },
        (wit::ColumnData::Number(cells), ColumnKind::Number) => ColumnData::Number(cells),
        (wit::ColumnData::Integer(cells), ColumnKind::Integer) => ColumnData::Integer(cells),
        (wit::ColumnData::Instant(cells), ColumnKind::Instant) => ColumnData::Instant(cells),
        _ => return wrong("is not of the declared kind"),
    };
    if data.len() != rows {
        return wrong(&format!("has {} cells for {rows} rows", data.len()));
    }
    if let ColumnData::Number(cells) = &data
        && !cells.iter().all(|number| number.is_finite())
    {
        return wrong("has a number that is not finite");
    }
    if !column.valid.is_empty() && !is_bitmap(&column.valid, rows) {
        return wrong("its validity bitmap has a wrong length");
    }
    Ok(Column {
        data,
        valid: column.valid,
    })
}

fn text_out(cells: wit::TextCells, rows: usize) -> Result<TextCells, &'static str> {
    let wit::TextCells { offsets, bytes } = cells;
    if offsets.len() != rows + 1 {
        return Err("has not one offset more than there are rows");
    }
    let text = str::from_utf8(&bytes).map_err(|_| "is not UTF-8")?;
    let ordered = offsets.is_sorted() && offsets.first() == Some(&0);
    let complete = offsets.last().is_some_and(|last| *last as usize == text.len());
    if !ordered || !complete {
        return Err("has offsets that do not divide its bytes");
    }
    if !offsets
        .iter()
        .all(|offset| text.is_char_boundary(*offset as usize))
    {
        return Err("has a cell that is not UTF-8");
    }
    Ok(TextCells { offsets, bytes })
}

/// Has it the bytes for so many bits?
pub fn is_bitmap(bytes: &[u8], bits: usize) -> bool {
    bytes.len() == bits.div_ceil(8)
}

/// Clears the bits beyond the last row.
pub fn trim_bitmap(bytes: &mut [u8], bits: usize) {
    if let Some(last) = bytes.last_mut()
        && !bits.is_multiple_of(8)
    {
        *last &= (1 << (bits % 8)) - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(offsets: &[u32], bytes: &[u8]) -> wit::Column {
        wit::Column {
            data: wit::ColumnData::Text(wit::TextCells {
                offsets: offsets.to_vec(),
                bytes: bytes.to_vec(),
            }),
            valid: Vec::new(),
        }
    }

    #[test]
    fn text_that_comes_out_is_sound() {
        let spec = ColumnSpec {
            path: "Attributes.x".to_owned(),
            kind: ColumnKind::Text,
        };
        let check = |column, count| {
            column_out(column, &spec, count).map_err(|error| error.replace("column Attributes.x: ", ""))
        };
        assert!(check(text(&[0, 2, 2, 4], "żó".as_bytes()), 3).is_ok());
        assert!(check(text(&[0], b""), 0).is_ok());
        for (column, count, problem) in [
            (
                text(&[0, 1], b"a"),
                2,
                "has not one offset more than there are rows",
            ),
            (text(&[], b""), 0, "has not one offset more than there are rows"),
            (
                text(&[0, 3, 1], b"a"),
                2,
                "has offsets that do not divide its bytes",
            ),
            (
                text(&[0, 1], b"ab"),
                1,
                "has offsets that do not divide its bytes",
            ),
            (
                text(&[1, 2], b"ab"),
                1,
                "has offsets that do not divide its bytes",
            ),
            (
                text(&[0, 9], b"ab"),
                1,
                "has offsets that do not divide its bytes",
            ),
            (
                text(&[0, 1, 2], "ż".as_bytes()),
                2,
                "has a cell that is not UTF-8",
            ),
            (text(&[0, 1], b"\xff"), 1, "is not UTF-8"),
        ] {
            assert_eq!(check(column, count).unwrap_err(), problem);
        }
    }

    #[test]
    fn other_columns_that_come_out_are_sound() {
        let spec = ColumnSpec {
            path: "x".to_owned(),
            kind: ColumnKind::Number,
        };
        let column = |cells: &[f64], valid: &[u8]| wit::Column {
            data: wit::ColumnData::Number(cells.to_vec()),
            valid: valid.to_vec(),
        };
        assert!(column_out(column(&[1.0, -0.0], &[3]), &spec, 2).is_ok());
        assert!(
            column_out(column(&[1.0], &[]), &spec, 2)
                .unwrap_err()
                .contains("1 cells for 2 rows")
        );
        assert!(
            column_out(column(&[f64::NAN], &[]), &spec, 1)
                .unwrap_err()
                .contains("not finite")
        );
        assert!(
            column_out(column(&[1.0], &[1, 1]), &spec, 1)
                .unwrap_err()
                .contains("bitmap")
        );
        assert!(
            column_out(text(&[0, 0], b""), &spec, 1)
                .unwrap_err()
                .contains("declared kind")
        );
    }

    #[test]
    fn bits_beyond_the_last_row_are_cleared() {
        let mut bytes = [0xff, 0xff];
        trim_bitmap(&mut bytes, 11);
        assert_eq!(bytes, [0xff, 0b0000_0111]);
        trim_bitmap(&mut bytes, 16);
        assert_eq!(bytes, [0xff, 0b0000_0111]);
    }
}
