//! What endpoints did, by type of event: six bytes an event, in pieces of 65,536 rows so that counting
//! stays in the processor's nearest memory, however many rows there are.

use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;
use pinion_domain::segment::extended::{EventTest, Question};

use super::hits::pack;
use super::mask;

/// Rows of a piece: what a `u16` tells apart.
const PIECE: usize = 1 << 16;
/// Events of a full block.
const BLOCK: usize = 1 << 16;
/// A block takes events of seven weeks: five days before the one that opened it and the rest behind it.
const BEFORE: i64 = 5 * 86_400_000;
/// A late event is put into one of so many latest blocks, if it fits.
const OPEN_BLOCKS: usize = 16;

/// The events of one type. Cloning is cheap: pieces are shared until one of the clones changes them.
#[derive(Clone, Debug, Default)]
pub(super) struct EventLog {
    /// The revision up to which it is complete.
    pub(super) upto: i64,
    pieces: Vec<Arc<Piece>>,
}

#[derive(Clone, Debug, Default)]
struct Piece {
    blocks: Vec<Block>,
}

/// Events in about the order of their times.
#[derive(Clone, Debug)]
struct Block {
    /// Milliseconds since 1970 to which the offsets are added.
    base: i64,
    first: i64,
    last: i64,
    offsets: Vec<u32>,
    rows: Vec<u16>,
}

impl EventLog {
    /// Takes over events: who, and when (milliseconds since 1970).
    pub(super) fn extend(&mut self, mut events: Vec<(u32, i64)>) {
        // In order, so that blocks span little time and windows pass over many of them.
        events.sort_unstable_by_key(|(_, at)| *at);
        for (seq, at) in events {
            let (piece, row) = (seq as usize / PIECE, (seq % PIECE as u32) as u16);
            if piece >= self.pieces.len() {
                self.pieces.resize_with(piece + 1, Arc::default);
            }
            Arc::make_mut(&mut self.pieces[piece]).push(row, at);
        }
    }

    /// A bit for each of `rows` rows: what a condition says, `other` being the second type of event that it
    /// looks at.
    pub(super) fn scan(&self, rows: u32, test: &EventTest, other: &Self, now: Timestamp) -> Vec<u64> {
        let window = test.window(now);
        let mut words = vec![0; mask::words(rows)];
        match &test.question {
            Question::Count { at_least, at_most } => {
                let bounds = *at_least..=*at_most;
                // One byte is enough to tell counts apart that lie below the last that it can say.
                if *at_least < u8::MAX.into() && (*at_most < u8::MAX.into() || *at_most == u32::MAX) {
                    let most = u8::try_from(*at_most).unwrap_or(u8::MAX);
                    let least = u8::try_from(*at_least).unwrap_or(u8::MAX);
                    self.count(&mut words, &window, u8::saturating_add, |count| {
                        least <= count && count <= most
                    });
                } else {
                    self.count(&mut words, &window, u32::saturating_add, |count| {
                        bounds.contains(&count)
                    });
                }
            }
            Question::FirstBefore(_) => {
                let mut firsts = [vec![i64::MAX; PIECE], vec![i64::MAX; PIECE]];
                for (piece, words) in words.chunks_mut(PIECE / 64).enumerate() {
                    let (Some(one), Some(another)) = (self.pieces.get(piece), other.pieces.get(piece)) else {
                        break;
                    };
                    for (firsts, piece) in firsts.iter_mut().zip([one, another]) {
                        firsts.fill(i64::MAX);
                        piece.each(&window, |row, at| firsts[row] = firsts[row].min(at));
                    }
                    // The later of the two is there if the earlier one is before it.
                    fill(words, |row| {
                        firsts[0][row] < firsts[1][row] && firsts[1][row] != i64::MAX
                    });
                }
            }
        }
        words
    }

    fn count<C: Copy + Default + From<u8>>(
        &self,
        words: &mut [u64],
        window: &RangeInclusive<i64>,
        add: fn(C, C) -> C,
        test: impl Fn(C) -> bool,
    ) {
        let mut counts = vec![C::default(); PIECE];
        let none = if test(C::default()) { u64::MAX } else { 0 };
        for (piece, words) in words.chunks_mut(PIECE / 64).enumerate() {
            let Some(piece) = self.pieces.get(piece) else {
                words.fill(none);
                continue;
            };
            counts.fill(C::default());
            piece.count(window, &mut counts, add);
            let (counts, _) = counts.as_chunks::<64>();
            for (word, counts) in words.iter_mut().zip(counts) {
                *word = pack(&std::array::from_fn(|row| u8::from(test(counts[row]))));
            }
        }
    }

    /// Of each row: how many events, and when the last was (milliseconds since 1970), for those that have
    /// any.
    pub(super) fn each_row(&self, mut each: impl FnMut(u32, i64, i64)) {
        let all = i64::MIN..=i64::MAX;
        let mut rows = vec![(0_i64, i64::MIN); PIECE];
        for (piece, from) in self.pieces.iter().zip((0..).step_by(PIECE)) {
            rows.fill((0, i64::MIN));
            piece.each(&all, |row, at| {
                let (count, last) = &mut rows[row];
                (*count, *last) = (*count + 1, at.max(*last));
            });
            for (row, (count, last)) in (from..).zip(&rows).filter(|(_, (count, _))| *count > 0) {
                each(row, *count, *last);
            }
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let blocks = self.pieces.iter().flat_map(|piece| &piece.blocks);
        let events =
            blocks.map(|block| size_of::<Block>() + 4 * block.offsets.capacity() + 2 * block.rows.capacity());
        events.sum()
    }
}

impl Piece {
    fn push(&mut self, row: u16, at: i64) {
        let open = self.blocks.iter_mut().rev().take(OPEN_BLOCKS);
        for block in open.filter(|block| block.rows.len() < BLOCK) {
            if let Ok(offset) = u32::try_from(at.saturating_sub(block.base)) {
                block.push(row, offset, at);
                return;
            }
        }
        let base = at.saturating_sub(BEFORE);
        let mut block = Block {
            base,
            first: at,
            last: at,
            offsets: Vec::new(),
            rows: Vec::new(),
        };
        block.push(row, u32::try_from(at - base).unwrap_or(0), at);
        self.blocks.push(block);
    }

    fn count<C: Copy + From<u8>>(&self, window: &RangeInclusive<i64>, counts: &mut [C], add: fn(C, C) -> C) {
        let Ok(counts) = <&mut [C; PIECE]>::try_from(counts) else {
            return;
        };
        for block in &self.blocks {
            match block.within(window) {
                Within::All => {
                    for row in &block.rows {
                        let count = &mut counts[usize::from(*row)];
                        *count = add(*count, C::from(1));
                    }
                }
                Within::Offsets(from, to) => {
                    for (row, offset) in block.rows.iter().zip(&block.offsets) {
                        let count = &mut counts[usize::from(*row)];
                        // Without a branch: times of one block are not quite in order.
                        *count = add(*count, C::from(u8::from((from <= *offset) & (*offset <= to))));
                    }
                }
                Within::None => {}
            }
        }
    }

    fn each(&self, window: &RangeInclusive<i64>, mut each: impl FnMut(usize, i64)) {
        for block in &self.blocks {
            let (from, to) = match block.within(window) {
                Within::All => (0, u32::MAX),
                Within::Offsets(from, to) => (from, to),
                Within::None => continue,
            };
            for (row, offset) in block.rows.iter().zip(&block.offsets) {
                if from <= *offset && *offset <= to {
                    each(usize::from(*row), block.base + i64::from(*offset));
                }
            }
        }
    }
}

/// Which part of a block lies in a window.
enum Within {
    All,
    Offsets(u32, u32),
    None,
}

impl Block {
    fn push(&mut self, row: u16, offset: u32, at: i64) {
        if self.rows.len() == self.rows.capacity() {
            // Doubling would leave half of the memory empty.
            let more = self.rows.len() / 8 + 16;
            self.rows.reserve_exact(more);
            self.offsets.reserve_exact(more);
        }
        self.rows.push(row);
        self.offsets.push(offset);
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }

    fn within(&self, window: &RangeInclusive<i64>) -> Within {
        if self.last < *window.start() || *window.end() < self.first {
            return Within::None;
        }
        if *window.start() <= self.first && self.last <= *window.end() {
            return Within::All;
        }
        let offset = |at: i64| u32::try_from(at.saturating_sub(self.base).max(0)).unwrap_or(u32::MAX);
        Within::Offsets(offset(*window.start()), offset(*window.end()))
    }
}

/// Sets each bit to what is said of its row.
pub(super) fn fill(words: &mut [u64], test: impl Fn(usize) -> bool) {
    for (index, word) in words.iter_mut().enumerate() {
        let mut bytes = [0; 64];
        for (bit, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from(test(index * 64 + bit));
        }
        *word = pack(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pinion_domain::segment::extended::Extended;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn test(settings: &str) -> EventTest {
        match Extended::of("event", "open", settings, "F") {
            Some(Ok(Extended::Events(test))) => test,
            other => panic!("{other:?}"),
        }
    }

    const DAY: i64 = 86_400_000;

    proptest! {
        /// In whatever pages and order events come, the columns say what one endpoint's times say.
        #[test]
        fn logs_say_what_the_times_say(
            opens in vec(vec((prop_oneof![0..70_u32, 65_530..65_600_u32], -900..5_i64, 0..DAY), 0..80), 0..4),
            buys in vec((0..70_u32, -40..1_i64, 0..DAY), 0..80),
            settings in select(&[
                "{}", r#"{"AtLeast": 2, "WithinDays": 30}"#, r#"{"AtMost": 0, "WithinDays": 7}"#,
                r#"{"AtLeast": 1, "AtMost": 3}"#, r#"{"AtMost": 1000}"#, r#"{"AtLeast": 300}"#,
                r#"{"Since": "2025-01-01", "Until": "2026-06-01"}"#, r#"{"Before": "buy"}"#,
                r#"{"Before": "buy", "WithinDays": 20}"#,
            ][..]),
            repeat in select(&[1_usize, 301]),
        ) {
            let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
            let at = |(seq, days, rest): (u32, i64, i64)| (seq, now.as_millisecond() + days * DAY + rest);
            let (mut log, mut other) = (EventLog::default(), EventLog::default());
            let mut times: BTreeMap<(&str, u32), Vec<i64>> = BTreeMap::new();
            for page in opens {
                let page: Vec<_> = page.into_iter().map(at).flat_map(|event| vec![event; repeat]).collect();
                for (seq, at) in &page {
                    times.entry(("open", *seq)).or_default().push(*at);
                }
                log.extend(page);
            }
            let page: Vec<_> = buys.into_iter().map(at).collect();
            for (seq, at) in &page {
                times.entry(("buy", *seq)).or_default().push(*at);
            }
            other.extend(page);
            let test = test(settings);
            let rows = 65_700;
            let words = log.scan(rows, &test, &other, now);
            for seq in (0..100).chain(65_500..rows) {
                let of = |event_type: &str| times.get(&(if event_type == "buy" { "buy" } else { "open" }, seq)).map_or(&[][..], Vec::as_slice);
                prop_assert_eq!(words[seq as usize / 64] >> (seq % 64) & 1 == 1, test.matches(now, of), "{}", seq);
            }
            let mut summaries = Vec::new();
            log.each_row(|row, count, last| summaries.push((row, count, last)));
            let expected: Vec<_> = times.iter().filter(|((kind, _), _)| *kind == "open").map(|((_, seq), times)| {
                (*seq, i64::try_from(times.len()).unwrap(), *times.iter().max().unwrap())
            }).collect();
            prop_assert_eq!(summaries, expected);
        }
    }

    #[test]
    fn an_event_takes_about_six_bytes() {
        let mut log = EventLog::default();
        for page in 0..100 {
            let event = |n: u32| {
                (
                    n.wrapping_mul(2_654_435_761) % 200_000,
                    i64::from(page * 10_000 + n) * 30_000,
                )
            };
            log.extend((0..10_000).map(event).collect());
        }
        let each = log.bytes() as f64 / 1e6;
        assert!((6.0..7.5).contains(&each), "{each}");
    }
}
