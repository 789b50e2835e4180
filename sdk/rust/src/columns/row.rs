//! One endpoint.

use super::{Batch, Column, ColumnData, Values, wrong_kind};

/// One endpoint. Inputs are named by their place in the list that the plugin gave; asking for another
/// kind than was declared panics, for it is a mistake in the plugin.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub(super) batch: &'a Batch<'a>,
    pub(super) index: usize,
}

impl<'a> Row<'a> {
    /// The time at which the row is judged: microseconds since 1970.
    pub fn now(&self) -> i64 {
        self.batch.now
    }

    fn present(&self, column: &Column) -> bool {
        column.valid.is_empty() || column.valid[self.index / 8] >> (self.index % 8) & 1 == 1
    }

    /// The values of a text input; none if it is missing.
    pub fn values(&self, input: usize) -> Values<'a> {
        let column = &self.batch.rows.columns[input];
        match &column.data {
            _ if !self.present(column) => Values::NONE,
            ColumnData::Codes(codes) => {
                let dictionary = self.batch.dictionary(input);
                Values::entry(dictionary, codes[self.index] as usize)
            }
            ColumnData::Text(cells) => Values {
                cells: Some(cells),
                next: self.index,
                end: self.index + 1,
            },
            _ => wrong_kind(input, "text"),
        }
    }

    /// The first value of a text input.
    pub fn text(&self, input: usize) -> Option<&'a str> {
        self.values(input).next()
    }

    /// A number input.
    pub fn number(&self, input: usize) -> Option<f64> {
        self.batch.numbers(input).get(self.index)
    }

    /// An integer input.
    pub fn integer(&self, input: usize) -> Option<i64> {
        self.batch.integers(input).get(self.index)
    }

    /// An instant input: microseconds since 1970.
    pub fn instant(&self, input: usize) -> Option<i64> {
        self.batch.instants(input).get(self.index)
    }

    /// The place of a text input's value list in the dictionary: rows with equal lists have equal codes.
    /// `None` if the value is missing or the input has no dictionary.
    pub fn code(&self, input: usize) -> Option<u32> {
        let column = &self.batch.rows.columns[input];
        match &column.data {
            ColumnData::Codes(codes) => self.present(column).then(|| codes[self.index]),
            _ => None,
        }
    }
}
