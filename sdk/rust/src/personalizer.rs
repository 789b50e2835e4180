//! Personalizers: code that fills values of templates. Pure: no clock, no chance, no network.

use serde::de::DeserializeOwned;

use crate::bindings::personalizer::exports::pinion::personalizer::personalizer::Personalized;
use crate::columns::{Batch, Column, ColumnData, ColumnKind, ColumnSpec, Row, Rows, TextCells};
use crate::settings;

/// Code that fills a template's values.
pub trait Personalizer: Sized + 'static {
    /// The settings, read from the JSON of the campaign's hook; `{}` if there are none.
    type Settings: DeserializeOwned;

    /// Takes the settings. An error says what is wrong with them, to the author of the campaign.
    fn new(settings: Self::Settings) -> Result<Self, String>;

    /// The columns that are read. Text arrives as one string a row, the first value of an attribute.
    fn inputs(&self) -> Vec<ColumnSpec>;

    /// The columns that are given: `Attributes.NAME`, `Recommendations.NAME`, `TitleOverride` or
    /// `BodyOverride`.
    fn outputs(&self) -> Vec<ColumnSpec>;

    /// Fills the outputs of one row. What is not set is missing.
    fn fill(&self, row: Row<'_>, out: &mut Output);
}

/// The outputs of a row, written into packed columns. Outputs are named by their place in the list that
/// the plugin gave; setting another kind than was declared panics, for it is a mistake in the plugin.
/// Setting one twice keeps the second.
#[derive(Debug)]
pub struct Output {
    columns: Vec<Column>,
    filled: Vec<bool>,
    dropped: Vec<u8>,
    row: usize,
}

impl Output {
    fn new(specs: &[ColumnSpec], rows: usize) -> Self {
        let columns = specs
            .iter()
            .map(|spec| Column {
                data: match spec.kind {
                    ColumnKind::Text => {
                        let mut offsets = Vec::with_capacity(rows + 1);
                        offsets.push(0);
                        ColumnData::Text(TextCells {
                            offsets,
                            bytes: Vec::new(),
                        })
                    }
                    ColumnKind::Number => ColumnData::Number(vec![0.0; rows]),
                    ColumnKind::Integer => ColumnData::Integer(vec![0; rows]),
                    ColumnKind::Instant => ColumnData::Instant(vec![0; rows]),
                },
                valid: vec![0; rows.div_ceil(8)],
            })
            .collect();
        Self {
            columns,
            filled: vec![false; specs.len()],
            dropped: Vec::new(),
            row: 0,
        }
    }

    /// Sets a text output.
    pub fn text(&mut self, output: usize, value: &str) {
        let ColumnData::Text(cells) = &mut self.columns[output].data else {
            wrong_kind(output, "text")
        };
        cells.bytes.truncate(cells.offsets[self.row] as usize);
        cells.bytes.extend_from_slice(value.as_bytes());
        self.filled[output] = true;
    }

    /// Sets a number output.
    pub fn number(&mut self, output: usize, value: f64) {
        let ColumnData::Number(cells) = &mut self.columns[output].data else {
            wrong_kind(output, "number")
        };
        cells[self.row] = value;
        self.filled[output] = true;
    }

    /// Sets an integer output.
    pub fn integer(&mut self, output: usize, value: i64) {
        let ColumnData::Integer(cells) = &mut self.columns[output].data else {
            wrong_kind(output, "integer")
        };
        cells[self.row] = value;
        self.filled[output] = true;
    }

    /// Sets an instant output: microseconds since 1970.
    pub fn instant(&mut self, output: usize, value: i64) {
        let ColumnData::Instant(cells) = &mut self.columns[output].data else {
            wrong_kind(output, "instant")
        };
        cells[self.row] = value;
        self.filled[output] = true;
    }

    /// Says that nothing is to be sent to this row.
    pub fn drop_row(&mut self) {
        let bytes = self.columns.first().map_or(0, |column| column.valid.len());
        self.dropped.resize(bytes.max(self.row / 8 + 1), 0);
        self.dropped[self.row / 8] |= 1 << (self.row % 8);
    }

    fn end_row(&mut self) {
        for (column, filled) in self.columns.iter_mut().zip(&mut self.filled) {
            column.valid[self.row / 8] |= u8::from(*filled) << (self.row % 8);
            *filled = false;
            if let ColumnData::Text(cells) = &mut column.data {
                let end = u32::try_from(cells.bytes.len()).expect("a batch stays under 4 GiB");
                cells.offsets.push(end);
            }
        }
        self.row += 1;
    }

    fn finish(mut self) -> Personalized {
        if !self.dropped.is_empty() {
            self.dropped.resize(self.row.div_ceil(8), 0);
        }
        Personalized {
            columns: self.columns,
            drop: self.dropped,
        }
    }
}

#[cold]
fn wrong_kind(output: usize, given: &str) -> ! {
    panic!("output {output} was not declared as {given}");
}

/// Makes the personalizer of these settings.
#[doc(hidden)]
pub fn open<P: Personalizer>(settings: &str) -> Result<P, String> {
    P::new(settings::read(settings)?)
}

/// The export `personalize`.
#[doc(hidden)]
pub fn personalize<P: Personalizer>(personalizer: &P, now: i64, rows: &Rows) -> Personalized {
    let batch = Batch {
        now,
        rows,
        dictionaries: &[],
        places: &[],
    };
    let mut output = Output::new(&personalizer.outputs(), rows.count as usize);
    for row in batch.iter() {
        personalizer.fill(row, &mut output);
        output.end_row();
    }
    output.finish()
}
