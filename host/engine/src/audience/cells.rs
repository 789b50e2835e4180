//! One fixed-size value a row, in as little memory as the values need: a map while few rows have one,
//! a vector after that; codes in one, two or four bytes.

use std::collections::BTreeMap;

use super::hits::{Hits, pack};

/// A value of which one stands for "absent".
pub(super) trait Cell: Copy {
    const ABSENT: Self;
    fn is_absent(self) -> bool;
}

/// Code 0 is the empty entry of every dictionary.
macro_rules! code_cells {
    ($($code:ty)*) => {$(
        impl Cell for $code {
            const ABSENT: Self = 0;
            fn is_absent(self) -> bool {
                self == 0
            }
        }
    )*};
}

code_cells!(u8 u16 u32);

/// Metrics are finite, so NaN is free.
impl Cell for f64 {
    const ABSENT: Self = Self::NAN;
    fn is_absent(self) -> bool {
        self.is_nan()
    }
}

/// Instants and counts; the smallest lies before the year -290,000.
impl Cell for i64 {
    const ABSENT: Self = Self::MIN;
    fn is_absent(self) -> bool {
        self == Self::MIN
    }
}

/// A vector is taken once it has a value in one of so many rows, and left when it has not: an
/// attribute that few endpoints have costs nothing for the others.
const SPARSE: usize = 16;

/// One value a row; rows that were never set are absent.
#[derive(Clone, Debug)]
pub(super) struct Cells<T> {
    layout: Layout<T>,
    /// Rows that are not absent.
    filled: usize,
}

#[derive(Clone, Debug)]
enum Layout<T> {
    Sparse(BTreeMap<u32, T>),
    Dense(Vec<T>),
}

impl<T> Default for Cells<T> {
    fn default() -> Self {
        Self {
            layout: Layout::Sparse(BTreeMap::new()),
            filled: 0,
        }
    }
}

impl<T: Cell> Cells<T> {
    pub(super) fn get(&self, row: u32) -> T {
        match &self.layout {
            Layout::Sparse(cells) => cells.get(&row).copied(),
            Layout::Dense(cells) => cells.get(row as usize).copied(),
        }
        .unwrap_or(T::ABSENT)
    }

    pub(super) fn value(&self, row: u32) -> Option<T> {
        Some(self.get(row)).filter(|cell| !cell.is_absent())
    }

    pub(super) fn put(&mut self, row: u32, value: T) {
        let before = usize::from(!self.get(row).is_absent());
        self.filled = self.filled + usize::from(!value.is_absent()) - before;
        match &mut self.layout {
            Layout::Sparse(cells) if value.is_absent() => {
                cells.remove(&row);
            }
            Layout::Sparse(cells) => {
                cells.insert(row, value);
                let span = cells.last_key_value().map_or(0, |(last, _)| *last as usize + 1);
                if self.filled * SPARSE > span {
                    self.make_dense(span);
                }
            }
            Layout::Dense(cells) => {
                let row = row as usize;
                if row >= cells.len() {
                    if value.is_absent() {
                        return;
                    }
                    if row >= self.filled * SPARSE {
                        self.make_sparse();
                        return self.put_again(row, value);
                    }
                    if row >= cells.capacity() {
                        // Doubling would leave half of the memory empty.
                        cells.reserve_exact(row + 1 - cells.len() + cells.len() / 8);
                    }
                    cells.resize(row + 1, T::ABSENT);
                }
                cells[row] = value;
            }
        }
    }

    fn make_dense(&mut self, span: usize) {
        let mut dense = vec![T::ABSENT; span];
        self.each(|row, cell| dense[row as usize] = cell);
        self.layout = Layout::Dense(dense);
    }

    fn make_sparse(&mut self) {
        let mut sparse = BTreeMap::new();
        self.each(|row, cell| {
            sparse.insert(row, cell);
        });
        self.layout = Layout::Sparse(sparse);
    }

    /// The rest of a `put` after the layout became sparse; `filled` is counted already.
    fn put_again(&mut self, row: usize, value: T) {
        if let (Layout::Sparse(cells), Ok(row)) = (&mut self.layout, u32::try_from(row)) {
            cells.insert(row, value);
        }
    }

    /// Calls `each` for every row that is not absent, in order.
    pub(super) fn each(&self, mut each: impl FnMut(u32, T)) {
        match &self.layout {
            Layout::Sparse(cells) => cells.iter().for_each(|(row, cell)| each(*row, *cell)),
            Layout::Dense(cells) => (0..)
                .zip(cells)
                .filter(|(_, cell)| !cell.is_absent())
                .for_each(|(row, cell)| each(row, *cell)),
        }
    }

    /// A bit for each of `rows` rows: does its value fulfil the test? Bits beyond may be anything.
    pub(super) fn scan(&self, rows: u32, test: impl Fn(T) -> bool) -> Vec<u64> {
        let rows = rows as usize;
        let absent = if test(T::ABSENT) { u64::MAX } else { 0 };
        let mut words = vec![absent; rows.div_ceil(64)];
        match &self.layout {
            Layout::Sparse(cells) => {
                for (row, cell) in cells {
                    let Some(word) = words.get_mut(*row as usize / 64) else {
                        break;
                    };
                    let bit = 1 << (row % 64);
                    if test(*cell) {
                        *word |= bit;
                    } else {
                        *word &= !bit;
                    }
                }
            }
            Layout::Dense(cells) => {
                let cells = &cells[..cells.len().min(rows)];
                let (whole, rest) = cells.as_chunks::<64>();
                for (word, cells) in words.iter_mut().zip(whole) {
                    *word = pack(&std::array::from_fn(|index| u8::from(test(cells[index]))));
                }
                if let Some(word) = words.get_mut(whole.len()).filter(|_| !rest.is_empty()) {
                    let cells = rest;
                    let mut bits = 0;
                    for (index, cell) in cells.iter().enumerate() {
                        bits |= u64::from(test(*cell)) << index;
                    }
                    let covered = u64::MAX >> (64 - cells.len());
                    *word = bits | (*word & !covered);
                }
            }
        }
        words
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        match &self.layout {
            // A B-tree's nodes are about two thirds full.
            Layout::Sparse(cells) => cells.len() * (size_of::<T>() + 4) * 3 / 2,
            Layout::Dense(cells) => cells.capacity() * size_of::<T>(),
        }
    }

    pub(super) fn shrink(&mut self) {
        if let Layout::Dense(cells) = &mut self.layout {
            cells.shrink_to_fit();
        }
    }
}

/// One code a row, as wide as the largest code so far.
#[derive(Clone, Debug)]
pub(super) enum Codes {
    One(Cells<u8>),
    Two(Cells<u16>),
    Four(Cells<u32>),
}

impl Default for Codes {
    fn default() -> Self {
        Self::One(Cells::default())
    }
}

impl Codes {
    pub(super) fn get(&self, row: u32) -> u32 {
        match self {
            Self::One(cells) => cells.get(row).into(),
            Self::Two(cells) => cells.get(row).into(),
            Self::Four(cells) => cells.get(row),
        }
    }

    pub(super) fn put(&mut self, row: u32, code: u32) {
        match self {
            Self::One(cells) => match u8::try_from(code) {
                Ok(code) => cells.put(row, code),
                Err(_) => {
                    *self = Self::Two(widen(cells));
                    self.put(row, code);
                }
            },
            Self::Two(cells) => match u16::try_from(code) {
                Ok(code) => cells.put(row, code),
                Err(_) => {
                    *self = Self::Four(widen(cells));
                    self.put(row, code);
                }
            },
            Self::Four(cells) => cells.put(row, code),
        }
    }

    /// Calls `each` for every row with a code other than 0, in order.
    pub(super) fn each(&self, mut each: impl FnMut(u32, u32)) {
        match self {
            Self::One(cells) => cells.each(|row, code| each(row, code.into())),
            Self::Two(cells) => cells.each(|row, code| each(row, code.into())),
            Self::Four(cells) => cells.each(each),
        }
    }

    /// Rows with a code other than 0.
    pub(super) fn filled(&self) -> usize {
        match self {
            Self::One(cells) => cells.filled,
            Self::Two(cells) => cells.filled,
            Self::Four(cells) => cells.filled,
        }
    }

    /// A bit for each of `rows` rows: is its code meant?
    pub(super) fn scan(&self, rows: u32, hits: &Hits) -> Vec<u64> {
        match hits {
            Hits::All(all) => vec![if *all { u64::MAX } else { 0 }; (rows as usize).div_ceil(64)],
            Hits::Few { codes, negated } => match self {
                Self::One(cells) => scan_few(cells, rows, codes, *negated),
                Self::Two(cells) => scan_few(cells, rows, codes, *negated),
                Self::Four(cells) => scan_few(cells, rows, codes, *negated),
            },
            // As many hits as there can be codes, so that no row asks whether its own is among them.
            Hits::Many(table) => match self {
                Self::One(cells) => {
                    let hits: [bool; 1 << 8] = std::array::from_fn(|code| hit(table, code));
                    cells.scan(rows, |code| hits[usize::from(code)])
                }
                Self::Two(cells) => {
                    let hits: Vec<bool> = (0..1 << 16).map(|code| hit(table, code)).collect();
                    let hits: &[bool; 1 << 16] = hits.as_slice().try_into().expect("it has that length");
                    cells.scan(rows, |code| hits[usize::from(code)])
                }
                Self::Four(cells) => cells.scan(rows, |code| hit(table, code as usize)),
            },
        }
    }

    /// A bit for each of `rows` rows: the one that its code has among `numbers`. For codes of which nearly
    /// every row has its own.
    pub(super) fn scan_numbers(&self, rows: u32, numbers: &[u64]) -> Vec<u64> {
        let bit = |number: u32| {
            let word = numbers.get(number as usize / 64);
            word.is_some_and(|word| word >> (number % 64) & 1 == 1)
        };
        match self {
            Self::One(cells) => cells.scan(rows, |number| bit(number.into())),
            Self::Two(cells) => cells.scan(rows, |number| bit(number.into())),
            Self::Four(cells) => cells.scan(rows, bit),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::One(cells) => cells.bytes(),
            Self::Two(cells) => cells.bytes(),
            Self::Four(cells) => cells.bytes(),
        }
    }

    pub(super) fn shrink(&mut self) {
        match self {
            Self::One(cells) => cells.shrink(),
            Self::Two(cells) => cells.shrink(),
            Self::Four(cells) => cells.shrink(),
        }
    }
}

fn hit(table: &[bool], code: usize) -> bool {
    table.get(code).copied().unwrap_or(false)
}

/// Codes that are too large for the cells are nobody's.
fn scan_few<T: Cell + Eq + TryFrom<u32>>(
    cells: &Cells<T>,
    rows: u32,
    codes: &[u32],
    negated: bool,
) -> Vec<u64> {
    let mut known: Vec<T> = codes.iter().filter_map(|code| T::try_from(*code).ok()).collect();
    known.dedup();
    match *known.as_slice() {
        [] => cells.scan(rows, |_| negated),
        [a] => cells.scan(rows, |code| (code == a) != negated),
        // Without branches, so that many rows are compared at once.
        [a, b] => cells.scan(rows, |code| ((code == a) | (code == b)) != negated),
        [a, b, c] => cells.scan(rows, |code| ((code == a) | (code == b) | (code == c)) != negated),
        ref more => {
            let [a, b, c, d] = std::array::from_fn(|index| more[index.min(more.len() - 1)]);
            cells.scan(rows, |code| {
                ((code == a) | (code == b) | (code == c) | (code == d)) != negated
            })
        }
    }
}

fn widen<A: Cell, B: Cell + From<A>>(cells: &Cells<A>) -> Cells<B> {
    let layout = match &cells.layout {
        Layout::Sparse(cells) => {
            Layout::Sparse(cells.iter().map(|(row, cell)| (*row, B::from(*cell))).collect())
        }
        Layout::Dense(cells) => Layout::Dense(cells.iter().map(|cell| B::from(*cell)).collect()),
    };
    Cells {
        layout,
        filled: cells.filled,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_values_far_apart_stay_few_bytes() {
        let mut cells = Cells::<f64>::default();
        for row in 0..100 {
            cells.put(row, 1.0);
        }
        assert!(matches!(cells.layout, Layout::Dense(_)));
        cells.put(4_000_000_000, 2.0);
        assert!(matches!(cells.layout, Layout::Sparse(_)));
        assert_eq!(cells.get(4_000_000_000), 2.0);
        assert!(cells.get(3_999_999_999).is_nan());
        assert!(cells.bytes() < 4096);
    }

    proptest! {
        /// Whatever the layout and the width, the cells are those of a map.
        #[test]
        fn codes_are_a_map(
            puts in vec((prop_oneof![0..70_u32, 0..2_000_u32], prop_oneof![0..3_u32, 250..260_u32, 65_530..65_540_u32]), 0..300),
            rows in 0..2_500_u32,
        ) {
            let mut codes = Codes::default();
            let mut model = BTreeMap::new();
            for (row, code) in puts {
                codes.put(row, code);
                model.insert(row, code);
            }
            let hits: Vec<bool> = (0..70_000).map(|code| code % 3 == 0).collect();
            let words = codes.scan(rows, &Hits::of(hits));
            let listed = codes.scan(rows, &Hits::of((0..70_000).map(|code| [1, 255, 65_536].contains(&code)).collect()));
            for row in 0..rows {
                let code = model.get(&row).copied().unwrap_or(0);
                prop_assert_eq!(codes.get(row), code);
                prop_assert_eq!(words[row as usize / 64] >> (row % 64) & 1 == 1, code % 3 == 0, "row {}", row);
                prop_assert_eq!(listed[row as usize / 64] >> (row % 64) & 1 == 1, [1, 255, 65_536].contains(&code));
            }
            let mut present = Vec::new();
            codes.each(|row, code| present.push((row, code)));
            let expected: Vec<_> = model.into_iter().filter(|(_, code)| *code != 0).collect();
            prop_assert_eq!(present, expected);
        }
    }
}
