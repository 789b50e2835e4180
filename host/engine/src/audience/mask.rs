//! The truth about every row at once, as bit masks.

use pinion_domain::segment::{Logic, Truth};
use roaring::RoaringBitmap;

/// For each row true, false or unknown. Bits of rows that do not exist mean nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mask {
    /// True for certain.
    certain: Vec<u64>,
    /// True or unknown; absent while nothing is unknown: the same as `certain`.
    possible: Option<Vec<u64>>,
}

impl Mask {
    /// Nothing is unknown.
    pub(super) fn known(bits: Vec<u64>) -> Self {
        Self {
            certain: bits,
            possible: None,
        }
    }

    /// `certain` must lie within `possible`.
    pub(super) fn new(certain: Vec<u64>, possible: Vec<u64>) -> Self {
        Self {
            possible: (possible != certain).then_some(possible),
            certain,
        }
    }

    pub(super) fn all(rows: u32) -> Self {
        Self::known(vec![u64::MAX; words(rows)])
    }

    fn possible(&self) -> &[u64] {
        self.possible.as_deref().unwrap_or(&self.certain)
    }

    /// Rows that are not false, in order.
    pub(super) fn possible_rows(&self) -> impl Iterator<Item = u32> {
        (0..).zip(self.possible()).flat_map(|(index, word): (u32, &u64)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(index * 64 + bit)
            })
        })
    }

    /// The rows that are true.
    pub(super) fn selected(&self) -> RoaringBitmap {
        let mut bytes = vec![0; self.certain.len() * 8];
        let (eights, _) = bytes.as_chunks_mut::<8>();
        for (eight, word) in eights.iter_mut().zip(&self.certain) {
            *eight = word.to_le_bytes();
        }
        RoaringBitmap::from_lsb0_bytes(0, &bytes)
    }

    /// The truth of one row.
    pub(super) fn truth(&self, row: u32) -> Truth {
        match (is_set(&self.certain, row), is_set(self.possible(), row)) {
            (true, _) => Truth::True,
            (false, true) => Truth::Unknown,
            (false, false) => Truth::False,
        }
    }

    /// How many of the rows in `scope` are true.
    pub(super) fn count(&self, scope: &[u64]) -> u64 {
        let words = self.certain.iter().zip(scope);
        words
            .map(|(word, scope)| u64::from((word & scope).count_ones()))
            .sum()
    }

    /// How many of the rows in `scope` are unknown.
    pub(super) fn unknown(&self, scope: &[u64]) -> u64 {
        let Some(possible) = &self.possible else {
            return 0;
        };
        let words = self.certain.iter().zip(possible).zip(scope);
        words
            .map(|((certain, possible), scope)| u64::from((possible & !certain & scope).count_ones()))
            .sum()
    }

    /// False outside of these rows.
    pub(super) fn within(mut self, scope: &[u64]) -> Self {
        zip(&mut self.certain, scope, |word, scope| word & scope);
        if let Some(possible) = &mut self.possible {
            zip(possible, scope, |word, scope| word & scope);
        }
        self
    }

    fn join(mut self, other: &Self, join: fn(u64, u64) -> u64) -> Self {
        if self.possible.is_some() || other.possible.is_some() {
            let mut possible = self.possible.take().unwrap_or_else(|| self.certain.clone());
            zip(&mut possible, other.possible(), join);
            self.possible = Some(possible);
        }
        zip(&mut self.certain, &other.certain, join);
        self
    }
}

impl Logic for Mask {
    fn and(self, other: &Self) -> Self {
        self.join(other, |a, b| a & b)
    }

    fn or(self, other: &Self) -> Self {
        self.join(other, |a, b| a | b)
    }

    fn not(self) -> Self {
        let negate = |mut words: Vec<u64>| {
            words.iter_mut().for_each(|word| *word = !*word);
            words
        };
        // What is not possibly true is certainly false, and the other way round.
        match self.possible {
            None => Self::known(negate(self.certain)),
            Some(possible) => Self {
                certain: negate(possible),
                possible: Some(negate(self.certain)),
            },
        }
    }
}

fn zip(words: &mut [u64], others: &[u64], join: fn(u64, u64) -> u64) {
    for (word, other) in words.iter_mut().zip(others) {
        *word = join(*word, *other);
    }
}

/// Words that so many rows take.
pub(super) fn words(rows: u32) -> usize {
    (rows as usize).div_ceil(64)
}

/// Is a row's bit set?
pub(super) fn is_set(words: &[u64], row: u32) -> bool {
    words
        .get(row as usize / 64)
        .is_some_and(|word| word >> (row % 64) & 1 == 1)
}

/// Clears a row's bit.
pub(super) fn clear(words: &mut [u64], row: u32) {
    words[row as usize / 64] &= !(1 << (row % 64));
}

/// Sets a row's bit.
pub(super) fn set(words: &mut [u64], row: u32) {
    words[row as usize / 64] |= 1 << (row % 64);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Truth; 3] = [Truth::True, Truth::False, Truth::Unknown];

    fn mask(truth: impl Fn(usize) -> Truth) -> Mask {
        let bits =
            |test: &dyn Fn(Truth) -> bool| vec![(0..9).map(|row| u64::from(test(truth(row))) << row).sum()];
        Mask::new(bits(&|t| t == Truth::True), bits(&|t| t != Truth::False))
    }

    fn truths(mask: &Mask) -> Vec<Truth> {
        let selected = mask.selected();
        let possible: RoaringBitmap = mask.possible_rows().collect();
        (0..9)
            .map(|row| {
                let truth = match (selected.contains(row), possible.contains(row)) {
                    (true, true) => Truth::True,
                    (false, true) => Truth::Unknown,
                    (false, false) => Truth::False,
                    (true, false) => panic!("row {row} is certain and not possible"),
                };
                assert_eq!(mask.truth(row), truth);
                truth
            })
            .collect()
    }

    #[test]
    fn masks_follow_the_truth_tables() {
        let (left, right) = (|row: usize| ALL[row / 3], |row: usize| ALL[row % 3]);
        let expected = |join: &dyn Fn(Truth, Truth) -> Truth| -> Vec<Truth> {
            (0..9).map(|row| join(left(row), right(row))).collect()
        };
        let (a, b) = (mask(left), mask(right));
        assert_eq!(truths(&a.clone().and(&b)), expected(&|a, b| a.and(&b)));
        assert_eq!(truths(&a.clone().or(&b)), expected(&|a, b| a.or(&b)));
        assert_eq!(truths(&a.clone().not()), expected(&|a, _| a.not()));
        assert_eq!((a.unknown(&[u64::MAX]), a.unknown(&[0b1000_0111])), (3, 1));
        let known = mask(|row| Truth::from(row % 2 == 0));
        assert_eq!(known.possible, None);
        assert_eq!(
            truths(&known.clone().and(&b)),
            (0..9)
                .map(|row| Truth::from(row % 2 == 0).and(&right(row)))
                .collect::<Vec<_>>()
        );
        assert_eq!(known.clone().not().not(), known);
    }
}
