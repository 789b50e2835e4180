//! Endpoints as columns, read a row at a time or a column at a time.
//!
//! The host hands over packed columns: text as codes into a dictionary of distinct value lists, truth as
//! bitmaps. [`Row`] and [`Cells`] read them in place; nothing is copied.

mod cells;
mod row;
mod text;

pub use self::cells::Cells;
pub use self::row::Row;
pub use self::text::{Memo, Values};
pub use crate::bindings::predicate::pinion::types::columns::{
    Column, ColumnData, ColumnKind, ColumnSpec, Dictionary, Rows, TextCells,
};

impl ColumnSpec {
    fn new(path: impl Into<String>, kind: ColumnKind) -> Self {
        Self {
            path: path.into(),
            kind,
        }
    }

    /// A list of strings, such as `Attributes.plan`.
    pub fn text(path: impl Into<String>) -> Self {
        Self::new(path, ColumnKind::Text)
    }

    /// A float, such as `Metrics.score`.
    pub fn number(path: impl Into<String>) -> Self {
        Self::new(path, ColumnKind::Number)
    }

    /// A whole number, such as `Events._email.open.Count`.
    pub fn integer(path: impl Into<String>) -> Self {
        Self::new(path, ColumnKind::Integer)
    }

    /// Microseconds since 1970, such as `Events._email.open.Last`.
    pub fn instant(path: impl Into<String>) -> Self {
        Self::new(path, ColumnKind::Instant)
    }
}

/// A batch of rows. Inputs are named by their place in the list that the plugin gave; asking for another kind
/// than was declared panics, for it is a mistake in the plugin.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The time at which the batch is judged: microseconds since 1970.
    pub now: i64,
    /// The columns, in the order of the inputs.
    pub rows: &'a Rows,
    /// The dictionaries, one for each text input, in order; none for a personalizer.
    pub dictionaries: &'a [Dictionary],
    /// For each input, its place among `dictionaries`.
    pub(crate) places: &'a [usize],
}

impl<'a> Batch<'a> {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.count as usize
    }

    /// No rows at all?
    pub fn is_empty(&self) -> bool {
        self.rows.count == 0
    }

    /// One row.
    pub fn row(&'a self, index: usize) -> Row<'a> {
        Row { batch: self, index }
    }

    /// Every row, in order.
    pub fn iter(&'a self) -> impl Iterator<Item = Row<'a>> {
        (0..self.len()).map(|index| self.row(index))
    }

    /// The cells of a number input.
    pub fn numbers(&self, input: usize) -> Cells<'a, f64> {
        let column = &self.rows.columns[input];
        match &column.data {
            ColumnData::Number(values) => Cells::new(values, &column.valid),
            _ => wrong_kind(input, "number"),
        }
    }

    /// The cells of an integer input.
    pub fn integers(&self, input: usize) -> Cells<'a, i64> {
        let column = &self.rows.columns[input];
        match &column.data {
            ColumnData::Integer(values) => Cells::new(values, &column.valid),
            _ => wrong_kind(input, "integer"),
        }
    }

    /// The cells of an instant input: microseconds since 1970.
    pub fn instants(&self, input: usize) -> Cells<'a, i64> {
        let column = &self.rows.columns[input];
        match &column.data {
            ColumnData::Instant(values) => Cells::new(values, &column.valid),
            _ => wrong_kind(input, "instant"),
        }
    }

    /// The cells of a text input as places in its [`dictionary`](Self::dictionary): equal lists have equal codes.
    pub fn codes(&self, input: usize) -> Cells<'a, u32> {
        let column = &self.rows.columns[input];
        match &column.data {
            ColumnData::Codes(values) => Cells::new(values, &column.valid),
            _ => wrong_kind(input, "text"),
        }
    }

    /// The dictionary of a text input; panics if the input is no text, a mistake in the plugin.
    pub fn dictionary(&self, input: usize) -> &'a Dictionary {
        &self.dictionaries[self.places[input]]
    }

    /// The answer of a predicate: a bit for each row, set for members, the least significant first.
    pub fn select(&self, mut is_member: impl FnMut(usize) -> bool) -> Vec<u8> {
        let mut bits = vec![0; self.len().div_ceil(8)];
        let mut byte = |start: usize, rows: usize| {
            (0..rows).fold(0, |byte, bit| byte | u8::from(is_member(start + bit)) << bit)
        };
        for (place, bits) in bits.iter_mut().enumerate() {
            let start = place * 8;
            // A fixed number of rows is what compilers unroll.
            *bits = match self.len() - start {
                8.. => byte(start, 8),
                rest => byte(start, rest),
            };
        }
        bits
    }
}

#[cold]
fn wrong_kind(input: usize, asked: &str) -> ! {
    panic!("input {input} was not declared as {asked}");
}
