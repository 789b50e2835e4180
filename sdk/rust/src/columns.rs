//! Endpoints as columns, read a row at a time.
//!
//! The host hands over packed columns: text as codes into a dictionary of distinct value lists, truth as
//! bitmaps. A [`Row`] reads them in place; nothing is copied.
#![expect(unsafe_code, reason = "the host vouches for UTF-8; see Cells::get")]

use std::cell::RefCell;

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

/// A batch of rows with what is needed to read it.
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
    /// Every row, in order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows.count as usize).map(|index| Row { batch: self, index })
    }

    /// The dictionary of a text input; panics if the input is no text, a mistake in the plugin.
    pub fn dictionary(&self, input: usize) -> &'a Dictionary {
        &self.dictionaries[self.places[input]]
    }
}

/// One endpoint. Inputs are named by their place in the list that the plugin gave; asking for another
/// kind than was declared panics, for it is a mistake in the plugin.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    batch: &'a Batch<'a>,
    index: usize,
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
        let column = &self.batch.rows.columns[input];
        match &column.data {
            ColumnData::Number(cells) => self.present(column).then(|| cells[self.index]),
            _ => wrong_kind(input, "number"),
        }
    }

    /// An integer input.
    pub fn integer(&self, input: usize) -> Option<i64> {
        let column = &self.batch.rows.columns[input];
        match &column.data {
            ColumnData::Integer(cells) => self.present(column).then(|| cells[self.index]),
            _ => wrong_kind(input, "integer"),
        }
    }

    /// An instant input: microseconds since 1970.
    pub fn instant(&self, input: usize) -> Option<i64> {
        let column = &self.batch.rows.columns[input];
        match &column.data {
            ColumnData::Instant(cells) => self.present(column).then(|| cells[self.index]),
            _ => wrong_kind(input, "instant"),
        }
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

#[cold]
fn wrong_kind(input: usize, asked: &str) -> ! {
    panic!("input {input} was not declared as {asked}");
}

/// The strings of one cell.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    cells: Option<&'a TextCells>,
    next: usize,
    end: usize,
}

impl<'a> Values<'a> {
    const NONE: Self = Self {
        cells: None,
        next: 0,
        end: 0,
    };

    /// The values of an entry of a dictionary.
    pub fn entry(dictionary: &'a Dictionary, entry: usize) -> Self {
        Self {
            cells: Some(&dictionary.values),
            next: dictionary.starts[entry] as usize,
            end: dictionary.starts[entry + 1] as usize,
        }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.next == self.end {
            return None;
        }
        let value = self.cells?.get(self.next);
        self.next += 1;
        Some(value)
    }
}

impl TextCells {
    fn get(&self, cell: usize) -> &str {
        let bytes = &self.bytes[self.offsets[cell] as usize..self.offsets[cell + 1] as usize];
        // SAFETY: `pinion:types/columns` promises UTF-8 in every cell. Checking it again would triple the
        // time that a row takes (3.6 to 12 ns), and a host that breaks its promise owns this memory anyway.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }
}

/// Remembers what was worked out of a text input, so that it is worked out once for each distinct value
/// list and not once for each row. One for each input.
#[derive(Debug)]
pub struct Memo<T>(RefCell<Vec<Option<T>>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Copy> Memo<T> {
    /// What `work` makes of the row's values.
    pub fn of(&self, row: Row<'_>, input: usize, work: impl FnOnce(Values<'_>) -> T) -> T {
        let Some(code) = row.code(input) else {
            return work(row.values(input));
        };
        let code = code as usize;
        if let Some(Some(known)) = self.0.borrow().get(code) {
            return *known;
        }
        let result = work(row.values(input));
        let mut known = self.0.borrow_mut();
        if known.len() <= code {
            known.resize(row.batch.dictionary(input).starts.len().max(code + 1), None);
        }
        known[code] = Some(result);
        result
    }
}
