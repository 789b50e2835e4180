//! One column.

/// The cells of one column: a value for every row that has one.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a, T> {
    values: &'a [T],
    valid: &'a [u8],
}

impl<'a, T: Copy> Cells<'a, T> {
    pub(super) fn new(values: &'a [T], valid: &'a [u8]) -> Self {
        Self { values, valid }
    }

    /// The value of a row, if it has one.
    pub fn get(&self, row: usize) -> Option<T> {
        let is_present = self.valid.is_empty() || self.valid[row / 8] >> (row % 8) & 1 == 1;
        is_present.then(|| self.values[row])
    }

    /// Goes through the rows that have a value, in order. Of a column that few rows have this is much quicker than
    /// to ask each row.
    pub fn for_each(&self, mut visit: impl FnMut(usize, T)) {
        if self.valid.is_empty() {
            for (row, value) in self.values.iter().enumerate() {
                visit(row, *value);
            }
            return;
        }
        for (byte, start) in self.valid.iter().zip((0..).step_by(8)) {
            let mut present = *byte;
            while present != 0 {
                let row = start + present.trailing_zeros() as usize;
                present &= present - 1;
                // Bits beyond the last row mean nothing.
                if let Some(value) = self.values.get(row) {
                    visit(row, *value);
                }
            }
        }
    }
}
