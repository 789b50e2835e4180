//! Evaluating a resolved segment over columns: a condition once for each distinct value, a scan of
//! codes, and masks joined by the same walk that decides for one endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use pinion_domain::extension::{PluginError, Predicate};
use pinion_domain::segment::condition::AttributeTest;
use pinion_domain::segment::extended::{Extended, Question, RecipientTest};
use pinion_domain::segment::{
    Condition, Expression, Leaves, Logic, PredicateCondition, SegmentReference, Truth,
};
use pinion_store::Members;
use roaring::RoaringBitmap;

use super::column::{Entries, TextColumn};
use super::events::{EventLog, fill};
use super::hits::Hits;
use super::mask::{self, Mask};
use super::predicate::{self, Events};
use super::resolve::{Content, ResolvedSegment};
use super::table::Table;

/// Who is in a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluated {
    /// By `seq`. Active or not, opted out or not: that is looked at when sending.
    pub selected: RoaringBitmap,
    /// How many endpoints could not be decided. They are not selected.
    pub unknown: u64,
    /// Why, for operators.
    pub faults: Vec<String>,
}

impl Evaluated {
    /// So many members at even distances, or all if there are not more.
    pub fn sample(&self, size: u32) -> Vec<u32> {
        let all = self.selected.len();
        let size = u64::from(size).min(all);
        let ranks = (0..size).filter_map(|index| u32::try_from(index * all / size).ok());
        ranks.filter_map(|rank| self.selected.select(rank)).collect()
    }
}

/// What the columns do not hold; fetched before the evaluation, which blocks.
#[derive(Default)]
pub(super) struct Prepared {
    /// One that could not be had makes its rows unknown, as a fault does.
    pub(super) predicates: HashMap<PredicateCondition, Result<Arc<dyn Predicate>, PluginError>>,
    pub(super) recipients: HashMap<RecipientTest, RoaringBitmap>,
}

/// What is in memory of an application: all at one point.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) table: &'a Table,
    pub(super) events: &'a HashMap<String, EventLog>,
}

/// What is wanted of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The members.
    Members,
    /// The members, and how many fulfil each condition.
    Counts,
    /// What comes of each condition for this row; nothing else of the answer means anything.
    Row(u32),
}

/// What came of a condition, or of a whole segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeafOutcome {
    pub(super) count: u64,
    pub(super) unknown: u64,
    /// Of the row that was asked about.
    pub(super) truth: Truth,
}

/// Of each part of a segment: what came of it, and of its leaves in their order. Empty unless asked for.
pub(super) type Outcomes = Vec<(LeafOutcome, Vec<LeafOutcome>)>;

/// Evaluates. Blocks: a million rows take milliseconds, predicates as long as they take.
pub(super) fn evaluate(
    view: View<'_>,
    segment: &ResolvedSegment,
    prepared: &Prepared,
    now: Timestamp,
    purpose: Purpose,
) -> (Evaluated, Outcomes) {
    let table = view.table;
    let scope = match purpose {
        // Only predicates look at it.
        _ if prepared.predicates.is_empty() => Mask::all(0),
        Purpose::Row(row) => {
            let mut words = vec![0; mask::words(table.rows())];
            if table.is_live(row) {
                mask::set(&mut words, row);
            }
            Mask::known(words)
        }
        Purpose::Members | Purpose::Counts => Mask::known(table.live().to_vec()),
    };
    let inputs = prepared.predicates.values().flatten();
    let paths = inputs.flat_map(|predicate| predicate.inputs());
    let types = paths.filter_map(|input| Some(predicate::event_type(&input.path)?.0));
    let events = types
        .map(|event_type| {
            let log = view.events.get(event_type);
            (event_type.to_owned(), log.map(Events::from).unwrap_or_default())
        })
        .collect();
    let mut columns = Columns {
        view,
        table,
        prepared,
        events,
        now,
        purpose,
        parts: Vec::new(),
        leaves: Vec::new(),
        sources: &[],
        faults: Vec::new(),
    };
    let mut outcomes = Vec::new();
    for part in &segment.parts {
        let mask = match &part.content {
            Content::Imported(members) => columns.members(members),
            Content::Dimensional { expression, sources } => {
                columns.sources = sources;
                expression.decide(&mut columns, &scope)
            }
        };
        if purpose != Purpose::Members {
            let of_part = columns.outcome(&mask);
            outcomes.push((of_part, std::mem::take(&mut columns.leaves)));
        }
        columns.parts.push(mask);
    }
    let mask = columns.parts.pop().expect("a segment has at least its own part");
    let mask = mask.within(table.live());
    columns.faults.sort();
    columns.faults.dedup();
    let evaluated = Evaluated {
        unknown: mask.unknown(table.live()),
        selected: mask.selected(),
        faults: columns.faults,
    };
    (evaluated, outcomes)
}

struct Columns<'a> {
    view: View<'a>,
    table: &'a Table,
    prepared: &'a Prepared,
    /// What predicates read of events, by type.
    events: HashMap<String, Events>,
    now: Timestamp,
    purpose: Purpose,
    /// Those decided so far.
    parts: Vec<Mask>,
    /// What came of the leaves of the present part.
    leaves: Vec<LeafOutcome>,
    /// Which part each reference of the present one is.
    sources: &'a [(SegmentReference, usize)],
    faults: Vec<String>,
}

impl Leaves for Columns<'_> {
    type Truth = Mask;

    fn everyone(&mut self) -> Mask {
        Mask::all(self.table.rows())
    }

    fn condition(&mut self, condition: &Condition) -> Mask {
        let table = self.table;
        match condition {
            Condition::Attribute { name, test } => match table.attribute(name) {
                Some(column) => self.codes(column, &Hits::of_attribute(column, test)),
                None => self.nobody_has(test),
            },
            Condition::UserAttribute { name, test } => match table.user_attribute(name) {
                Some(column) => {
                    let users = table.users();
                    let numbers = u32::try_from(users.entries.len()).expect("users are numbered by u32");
                    let words = column.codes.scan(numbers, &Hits::of_attribute(column, test));
                    Mask::known(users.codes.scan_numbers(table.rows(), &words))
                }
                None => self.nobody_has(test),
            },
            Condition::Member { member, test } => {
                let column = table.member(*member);
                self.codes(column, &Hits::of_set(column, test))
            }
            Condition::Metric { name, test } => match table.metric(name) {
                Some(cells) => Mask::known(cells.scan(table.rows(), |metric| test.holds(metric))),
                None => self.everybody_or_nobody(test.matches(None)),
            },
            Condition::Recency(test) => {
                Mask::known(table.effective().scan(table.rows(), test.test(self.now)))
            }
            Condition::Circle(test) => {
                let place = table.place();
                let hits = place.hits(|code| {
                    let (latitude, longitude) = place.entries.point(code);
                    test.matches(latitude, longitude)
                });
                Mask::known(place.codes.scan(table.rows(), &hits))
            }
            Condition::Extended(condition) => Mask::known(self.extended(condition)),
        }
    }

    fn predicate(&mut self, predicate: &PredicateCondition, scope: &Mask) -> Mask {
        let prepared = self.prepared.predicates.get(predicate);
        match prepared.expect("all predicates of the segment were prepared") {
            Ok(component) => predicate::ask(
                &predicate.plugin,
                component.as_ref(),
                self.table,
                &self.events,
                (self.now, scope),
                &mut self.faults,
            ),
            Err(error) => {
                self.faults.push(error.to_string());
                let words = mask::words(self.table.rows());
                Mask::new(vec![0; words], vec![u64::MAX; words])
            }
        }
    }

    fn segment(&mut self, reference: &SegmentReference) -> Mask {
        let part = self.sources.iter().find(|(known, _)| known == reference);
        let (_, part) = part.expect("all references of the segment were resolved");
        self.parts[*part].clone()
    }

    fn decided(&mut self, _: &Expression, truth: &Mask) {
        if self.purpose != Purpose::Members {
            self.leaves.push(self.outcome(truth));
        }
    }
}

impl Columns<'_> {
    fn outcome(&self, mask: &Mask) -> LeafOutcome {
        let live = self.table.live();
        match self.purpose {
            Purpose::Members | Purpose::Counts => LeafOutcome {
                count: mask.count(live),
                unknown: mask.unknown(live),
                truth: Truth::Unknown,
            },
            Purpose::Row(row) => LeafOutcome {
                count: 0,
                unknown: 0,
                truth: mask.truth(row),
            },
        }
    }

    fn codes(&self, column: &TextColumn, hits: &Hits) -> Mask {
        Mask::known(column.codes.scan(self.table.rows(), hits))
    }

    fn extended(&self, condition: &Extended) -> Vec<u64> {
        let rows = self.table.rows();
        match condition {
            Extended::Events(test) => {
                let none = EventLog::default();
                let log = |event_type: &str| self.view.events.get(event_type).unwrap_or(&none);
                let other = match &test.question {
                    Question::FirstBefore(other) => other,
                    Question::Count { .. } => &test.event_type,
                };
                log(&test.event_type).scan(rows, test, log(other), self.now)
            }
            Extended::Bucket(test) => {
                let mut words = vec![0; mask::words(rows)];
                fill(&mut words, |row| test.matches(row as u32));
                words
            }
            Extended::Recipient(test) => {
                let found = self.prepared.recipients.get(test);
                self.rows_of(found.expect("all recipients of the segment were prepared"))
            }
        }
    }

    fn rows_of(&self, members: &RoaringBitmap) -> Vec<u64> {
        let rows = self.table.rows();
        let mut words = vec![0; mask::words(rows)];
        members
            .iter()
            .take_while(|row| *row < rows)
            .for_each(|row| mask::set(&mut words, row));
        words
    }

    /// An attribute that has no column.
    fn nobody_has(&self, test: &AttributeTest) -> Mask {
        self.everybody_or_nobody(test.matches([]))
    }

    fn everybody_or_nobody(&self, everybody: bool) -> Mask {
        let all = Mask::all(self.table.rows());
        if everybody { all } else { all.not() }
    }

    fn members(&self, members: &Members) -> Mask {
        let users = self.table.users();
        let mut numbers = vec![0; users.entries.len().div_ceil(64)];
        for number in members.users.iter().filter_map(|user| self.table.user(user)) {
            mask::set(&mut numbers, number);
        }
        let of_users = users.codes.scan_numbers(self.table.rows(), &numbers);
        Mask::known(self.rows_of(&members.endpoints)).or(&Mask::known(of_users))
    }
}
