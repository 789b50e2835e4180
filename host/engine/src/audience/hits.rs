//! Which codes of a dictionary are meant, in the form in which a scan finds them fastest.

use memchr::memmem::Finder;
use pinion_domain::segment::condition::{AttributeTest, SetTest};

use super::column::{Coded, Entries, Lists};

/// Up to so many codes are compared one by one, sixteen rows at a time; more are looked up row by row.
const FEW: usize = 4;

/// The codes that are meant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Hits {
    /// These, or all but these.
    Few { codes: [u32; FEW], negated: bool },
    /// By code.
    Many(Vec<bool>),
    /// All, or none.
    All(bool),
}

impl Hits {
    /// The hits of a table with an entry for each code.
    pub(super) fn of(table: Vec<bool>) -> Self {
        let hits = table.iter().filter(|hit| **hit).count();
        for (wanted, count) in [(true, hits), (false, table.len() - hits)] {
            if count > FEW {
                continue;
            }
            let codes = (0..).zip(&table).filter(|(_, hit)| **hit == wanted);
            let codes: Vec<u32> = codes.map(|(code, _)| code).collect();
            return Self::few(&codes, !wanted);
        }
        Self::Many(table)
    }

    fn few(codes: &[u32], negated: bool) -> Self {
        let Some(first) = codes.first() else {
            return Self::All(negated);
        };
        let mut padded = [*first; FEW];
        padded[..codes.len()].copy_from_slice(codes);
        Self::Few {
            codes: padded,
            negated,
        }
    }

    /// The entries that a condition on an attribute means.
    pub(super) fn of_attribute(column: &Coded<Lists>, test: &AttributeTest) -> Self {
        match test {
            AttributeTest::Set(test) => Self::of_set(column, test),
            AttributeTest::Contains(parts) if parts.iter().all(|part| !part.is_empty()) => {
                Self::of_texts(&column.entries, parts)
            }
            test => column.hits(|list| test.matches(column.entries.values(list))),
        }
    }

    /// The entries of which a value contains one of these texts, none of them empty: all values lie behind
    /// each other, so they are searched as one text.
    fn of_texts(lists: &Lists, parts: &[String]) -> Self {
        let dictionary = lists.dictionary();
        let (bytes, ends) = (&dictionary.values.bytes, &dictionary.values.offsets);
        let mut table = vec![false; lists.len()];
        for part in parts {
            let finder = Finder::new(part);
            let mut from = 0;
            while let Some(found) = finder.find(&bytes[from..]) {
                let at = from + found;
                let cell = ends.partition_point(|start| *start as usize <= at) - 1;
                let end = ends[cell + 1] as usize;
                if at + part.len() > end {
                    // Half of it is the next value's.
                    from = at + 1;
                    continue;
                }
                let list = dictionary.starts.partition_point(|first| *first as usize <= cell) - 1;
                table[list] = true;
                from = end;
            }
        }
        Self::of(table)
    }

    /// The entries that a set of values means. Only lists of several values are looked at one by one: the
    /// others are found by what they would be.
    pub(super) fn of_set(column: &Coded<Lists>, test: &SetTest) -> Self {
        let lists = &column.entries;
        let single = test
            .values()
            .filter_map(|value| lists.find(&std::iter::once(value)));
        let several = lists
            .of_several()
            .iter()
            .copied()
            .filter(|code| test.matches(lists.values(*code)) == test.is_inclusive());
        let codes: Vec<u32> = single.chain(several).collect();
        if codes.len() <= FEW {
            return Self::few(&codes, !test.is_inclusive());
        }
        let mut table = vec![!test.is_inclusive(); lists.len()];
        for code in codes {
            table[code as usize] = test.is_inclusive();
        }
        Self::of(table)
    }
}

/// Bit `i` of the answer is byte `i`, which is 0 or 1. Comparing into bytes first lets the compiler compare
/// many rows at once; eight bytes become eight bits by one multiplication.
pub(super) fn pack(bytes: &[u8; 64]) -> u64 {
    let (eights, _) = bytes.as_chunks::<8>();
    let mut word = 0;
    for (index, eight) in eights.iter().enumerate() {
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= bits << (index * 8);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_bits() {
        for word in [
            0,
            u64::MAX,
            1,
            1 << 63,
            0x0123_4567_89ab_cdef,
            0xaaaa_5555_f0f0_3c3c,
        ] {
            let bytes = std::array::from_fn(|bit| u8::from(word >> bit & 1 == 1));
            assert_eq!(pack(&bytes), word);
        }
    }

    #[test]
    fn texts_are_found_within_values_alone() {
        let mut column = Coded::<Lists>::default();
        for list in [
            &["aab", "b"][..],
            &["ba"],
            &["", "xaabx"],
            &["a"],
            &["abab"],
            &["ü"],
            &["z", "aa"],
        ] {
            column.entries.intern(list.iter().copied());
        }
        for parts in [
            &["ab"][..],
            &["aa"],
            &["bb"],
            &["aba", "ü"],
            &["bab"],
            &["ba", "z"],
            &["q"],
            &[""],
        ] {
            let test = AttributeTest::Contains(parts.iter().map(ToString::to_string).collect());
            let slowly = column.hits(|list| test.matches(column.entries.values(list)));
            assert_eq!(Hits::of_attribute(&column, &test), slowly, "{parts:?}");
        }
    }

    #[test]
    fn tables_with_few_hits_or_few_misses_are_listed() {
        let table = |hits: &[usize]| (0..10).map(|code| hits.contains(&code)).collect::<Vec<_>>();
        assert_eq!(Hits::of(table(&[])), Hits::All(false));
        assert_eq!(
            Hits::of(vec![true; 3]),
            Hits::Few {
                codes: [0, 1, 2, 0],
                negated: false
            }
        );
        assert_eq!(Hits::of(vec![true; 9]), Hits::All(true));
        let negated = Hits::Few {
            codes: [8, 9, 8, 8],
            negated: true,
        };
        assert_eq!(Hits::of(table(&[0, 1, 2, 3, 4, 5, 6, 7])), negated);
        let many = table(&[0, 2, 4, 6, 8]);
        assert_eq!(Hits::of(many.clone()), Hits::Many(many));
    }
}
