//! The strings of a text column.
#![expect(unsafe_code, reason = "the host vouches for UTF-8; see TextCells::get")]

use std::cell::RefCell;

use super::{Dictionary, Row, TextCells};

/// The strings of one cell.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    pub(super) cells: Option<&'a TextCells>,
    pub(super) next: usize,
    pub(super) end: usize,
}

impl<'a> Values<'a> {
    pub(super) const NONE: Self = Self {
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
