//! Dictionary columns: the distinct values once, and for each row the code of its own. A condition is
//! asked once for each distinct value; what is left is a scan of codes.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use pinion_domain::extension::columns::Dictionary;

use super::cells::Codes;
use super::hits::Hits;

/// Distinct values by code. Code 0 is the absent value and always there.
pub(super) trait Entries: Clone + Default {
    /// How many, the absent one included.
    fn len(&self) -> usize;
    /// Takes over an entry of another dictionary; answers its code here.
    fn adopt(&mut self, other: &Self, code: u32) -> u32;
    /// Bytes held.
    fn bytes(&self) -> usize;
    fn shrink(&mut self);
}

/// A column of codes into a dictionary.
#[derive(Clone, Debug, Default)]
pub(super) struct Coded<E> {
    pub(super) codes: Codes,
    pub(super) entries: E,
    /// How many entries there must be before it is worth looking for those that no row has any more.
    tidy_at: usize,
}

/// A column of lists of texts.
pub(super) type TextColumn = Coded<Lists>;
/// A column of places.
pub(super) type PointColumn = Coded<Points>;

/// Fewer entries than these are not worth tidying.
const FEW_ENTRIES: usize = 1024;

impl<E: Entries> Coded<E> {
    /// The entries that pass a test.
    pub(super) fn hits(&self, test: impl FnMut(u32) -> bool) -> Hits {
        Hits::of((0..).take(self.entries.len()).map(test).collect())
    }

    /// Drops entries that no row has any more, once the dictionary has doubled since the last time.
    pub(super) fn tidy(&mut self) {
        if !self.wants_tidying() {
            return;
        }
        let mut tidied = Self::default();
        let mut moved = vec![0; self.entries.len()];
        self.codes.each(|row, code| {
            let to = &mut moved[code as usize];
            if *to == 0 {
                *to = tidied.entries.adopt(&self.entries, code);
            }
            tidied.codes.put(row, *to);
        });
        tidied.tidy_at = 2 * tidied.entries.len();
        *self = tidied;
    }

    pub(super) fn wants_tidying(&self) -> bool {
        self.entries.len() > self.tidy_at.max(FEW_ENTRIES)
    }

    pub(super) fn bytes(&self) -> usize {
        self.codes.bytes() + self.entries.bytes()
    }

    pub(super) fn shrink(&mut self) {
        self.codes.shrink();
        self.entries.shrink();
    }
}

/// Distinct lists of texts, in one arena.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    lists: Dictionary,
    /// Codes of lists with more than one value, ascending.
    several: Vec<u32>,
    codes: HashTable<u32>,
    hasher: RandomState,
}

impl Default for Lists {
    fn default() -> Self {
        let mut lists = Dictionary::default();
        lists.push([]);
        Self {
            lists,
            several: Vec::new(),
            codes: HashTable::new(),
            hasher: RandomState::default(),
        }
    }
}

impl Lists {
    /// The values of an entry.
    pub(super) fn values(&self, code: u32) -> impl Iterator<Item = &str> {
        values(&self.lists, code)
    }

    /// The form that predicates are given.
    pub(super) fn dictionary(&self) -> &Dictionary {
        &self.lists
    }

    /// Codes of lists with more than one value.
    pub(super) fn of_several(&self) -> &[u32] {
        &self.several
    }

    /// The code of a list, if it is here.
    pub(super) fn find<'a>(&self, list: &(impl Iterator<Item = &'a str> + Clone)) -> Option<u32> {
        if list.clone().next().is_none() {
            return Some(0);
        }
        let hash = hash(&self.hasher, list.clone());
        self.codes
            .find(hash, |code| self.values(*code).eq(list.clone()))
            .copied()
    }

    /// The code of a list, made if need be.
    pub(super) fn intern<'a>(&mut self, list: impl Iterator<Item = &'a str> + Clone) -> u32 {
        if let Some(code) = self.find(&list) {
            return code;
        }
        let code = u32::try_from(self.lists.len()).expect("rows are numbered by u32, so lists are too");
        self.lists.push(list.clone());
        if list.clone().nth(1).is_some() {
            self.several.push(code);
        }
        let (lists, hasher) = (&self.lists, &self.hasher);
        self.codes.insert_unique(hash(hasher, list), code, |code| {
            hash(hasher, values(lists, *code))
        });
        code
    }
}

fn values(lists: &Dictionary, code: u32) -> impl Iterator<Item = &str> {
    let (start, end) = (lists.starts[code as usize], lists.starts[code as usize + 1]);
    (start..end).map(|cell| {
        lists
            .values
            .get(cell as usize)
            .expect("every entry's cells were pushed with it, as UTF-8")
    })
}

fn hash<'a>(hasher: &RandomState, list: impl Iterator<Item = &'a str>) -> u64 {
    let mut state = hasher.build_hasher();
    list.for_each(|value| value.hash(&mut state));
    state.finish()
}

impl Entries for Lists {
    fn len(&self) -> usize {
        self.lists.len()
    }

    fn adopt(&mut self, other: &Self, code: u32) -> u32 {
        let list: Vec<&str> = other.values(code).collect();
        self.intern(list.iter().copied())
    }

    fn bytes(&self) -> usize {
        let Dictionary { starts, values } = &self.lists;
        starts.capacity() * 4
            + values.offsets.capacity() * 4
            + values.bytes.capacity()
            + self.several.capacity() * 4
            + self.codes.allocation_size()
    }

    fn shrink(&mut self) {
        let Dictionary { starts, values } = &mut self.lists;
        starts.shrink_to_fit();
        values.offsets.shrink_to_fit();
        values.bytes.shrink_to_fit();
        self.several.shrink_to_fit();
        let (lists, hasher) = (&self.lists, &self.hasher);
        self.codes
            .shrink_to_fit(|code| hash(hasher, self::values(lists, *code)));
    }
}

/// Distinct places: latitude and longitude in degrees, each perhaps absent.
#[derive(Clone, Debug)]
pub(super) struct Points {
    points: Vec<Point>,
    codes: HashTable<u32>,
    hasher: RandomState,
}

/// Latitude and longitude.
pub(super) type Point = (Option<f64>, Option<f64>);

impl Default for Points {
    fn default() -> Self {
        Self {
            points: vec![(None, None)],
            codes: HashTable::new(),
            hasher: RandomState::default(),
        }
    }
}

impl Points {
    pub(super) fn point(&self, code: u32) -> Point {
        self.points[code as usize]
    }

    /// The code of a place, made if need be.
    pub(super) fn intern(&mut self, point: Point) -> u32 {
        if point == (None, None) {
            return 0;
        }
        let bits = |point: Point| (point.0.map(f64::to_bits), point.1.map(f64::to_bits));
        let hasher = &self.hasher;
        let hash = |point: Point| hasher.hash_one(bits(point));
        let points = &mut self.points;
        let found = self
            .codes
            .find(hash(point), |code| bits(points[*code as usize]) == bits(point));
        if let Some(code) = found {
            return *code;
        }
        let code = u32::try_from(points.len()).expect("rows are numbered by u32, so places are too");
        points.push(point);
        self.codes
            .insert_unique(hash(point), code, |code| hash(points[*code as usize]));
        code
    }
}

impl Entries for Points {
    fn len(&self) -> usize {
        self.points.len()
    }

    fn adopt(&mut self, other: &Self, code: u32) -> u32 {
        self.intern(other.point(code))
    }

    fn bytes(&self) -> usize {
        self.points.capacity() * size_of::<Point>() + self.codes.allocation_size()
    }

    fn shrink(&mut self) {
        self.points.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(column: &mut TextColumn, row: u32, list: &[&str]) {
        let code = column.entries.intern(list.iter().copied());
        column.codes.put(row, code);
    }

    #[test]
    fn lists_are_told_apart_by_their_cells() {
        let mut lists = Lists::default();
        let all: [&[&str]; 7] = [&[], &["a"], &["a", "b"], &["ab"], &["b", "a"], &[""], &["", ""]];
        let codes: Vec<u32> = all
            .iter()
            .map(|list| lists.intern(list.iter().copied()))
            .collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6]);
        for (code, list) in codes.into_iter().zip(all) {
            assert_eq!(lists.intern(list.iter().copied()), code);
            assert_eq!(lists.values(code).collect::<Vec<_>>(), list);
        }
    }

    #[test]
    fn entries_that_nobody_has_are_dropped() {
        let mut column = TextColumn::default();
        for round in 0..10_000 {
            put(&mut column, round % 7, &[&format!("value {round}")]);
            column.tidy();
        }
        assert!(
            column.entries.len() <= FEW_ENTRIES + 1,
            "{} entries",
            column.entries.len()
        );
        for row in 0..7 {
            let last = (9_993..10_000).find(|round| round % 7 == row).unwrap();
            let values: Vec<&str> = column.entries.values(column.codes.get(row)).collect();
            assert_eq!(values, [format!("value {last}")]);
        }
    }

    #[test]
    fn distinct_lists_are_kept_however_often_it_is_tidied() {
        let mut column = TextColumn::default();
        for row in 0..5_000 {
            put(&mut column, row, &[&row.to_string(), "x"]);
            column.tidy();
        }
        for row in 0..5_000 {
            let values: Vec<&str> = column.entries.values(column.codes.get(row)).collect();
            assert_eq!(values, [&row.to_string(), "x"]);
        }
    }

    #[test]
    fn places_may_lack_a_coordinate() {
        let mut points = Points::default();
        let all = [
            (None, None),
            (Some(1.0), None),
            (None, Some(1.0)),
            (Some(1.0), Some(1.0)),
            (Some(0.0), Some(-0.0)),
        ];
        for (code, point) in (0..).zip(all) {
            assert_eq!(points.intern(point), code);
            assert_eq!(points.intern(point), code);
            assert_eq!(points.point(code), point);
        }
    }
}
