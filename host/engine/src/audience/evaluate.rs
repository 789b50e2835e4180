//! Evaluating a resolved segment over columns: a condition once for each distinct value, a scan of
//! codes, and masks joined by the same walk that decides for one endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use pinion_domain::extension::{PluginError, Predicate};
use pinion_domain::segment::condition::AttributeTest;
use pinion_domain::segment::{Condition, Leaves, Logic, PredicateCondition, SegmentReference};
use pinion_store::Members;
use roaring::RoaringBitmap;

use super::column::{Entries, TextColumn};
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

/// What predicates need and the columns do not hold; fetched before the evaluation, which blocks.
#[derive(Default)]
pub(super) struct Prepared {
    /// One that could not be had makes its rows unknown, as a fault does.
    pub(super) predicates: HashMap<PredicateCondition, Result<Arc<dyn Predicate>, PluginError>>,
    /// By type.
    pub(super) events: HashMap<String, Events>,
}

/// Evaluates. Blocks: a million rows take milliseconds, predicates as long as they take.
pub(super) fn evaluate(
    table: &Table,
    segment: &ResolvedSegment,
    prepared: &Prepared,
    now: Timestamp,
) -> Evaluated {
    let scope = if prepared.predicates.is_empty() {
        Mask::all(table.rows())
    } else {
        Mask::known(table.live_words())
    };
    let mut columns = Columns {
        table,
        prepared,
        now,
        parts: Vec::new(),
        sources: &[],
        faults: Vec::new(),
    };
    for part in &segment.parts {
        let mask = match &part.content {
            Content::Imported(members) => columns.members(members),
            Content::Dimensional { expression, sources } => {
                columns.sources = sources;
                expression.decide(&mut columns, &scope)
            }
        };
        columns.parts.push(mask);
    }
    let mask = columns.parts.pop().expect("a segment has at least its own part");
    let mask = mask.and(&scope);
    columns.faults.sort();
    columns.faults.dedup();
    Evaluated {
        unknown: mask.unknown(),
        selected: mask.selected() & table.live(),
        faults: columns.faults,
    }
}

struct Columns<'a> {
    table: &'a Table,
    prepared: &'a Prepared,
    now: Timestamp,
    /// Those decided so far.
    parts: Vec<Mask>,
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
                Some(column) => self.codes(column, |list| test.matches(column.entries.values(list))),
                None => self.nobody_has(test),
            },
            Condition::UserAttribute { name, test } => match table.user_attribute(name) {
                Some(column) => {
                    let hits = column.hits(|list| test.matches(column.entries.values(list)));
                    self.codes(table.users(), |user| hits[column.codes.get(user) as usize])
                }
                None => self.nobody_has(test),
            },
            Condition::Member { member, test } => {
                let column = table.member(*member);
                self.codes(column, |list| test.matches(column.entries.values(list)))
            }
            Condition::Metric { name, test } => match table.metric(name) {
                Some(cells) => Mask::known(cells.scan(table.rows(), |metric| {
                    test.matches(Some(metric).filter(|metric| !metric.is_nan()))
                })),
                None => self.everybody_or_nobody(test.matches(None)),
            },
            Condition::Recency(test) => {
                let now = self.now;
                let matches = |at| test.matches(Some(at).filter(|at| *at != i64::MIN), now);
                Mask::known(table.effective().scan(table.rows(), matches))
            }
            Condition::Circle(test) => {
                let place = table.place();
                let hits = place.hits(|code| {
                    let (latitude, longitude) = place.entries.point(code);
                    test.matches(latitude, longitude)
                });
                Mask::known(place.codes.scan(table.rows(), &hits))
            }
        }
    }

    fn predicate(&mut self, predicate: &PredicateCondition, scope: &Mask) -> Mask {
        let prepared = self.prepared.predicates.get(predicate);
        match prepared.expect("all predicates of the segment were prepared") {
            Ok(component) => predicate::ask(
                &predicate.plugin,
                component.as_ref(),
                self.table,
                &self.prepared.events,
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
}

impl Columns<'_> {
    fn codes(&self, column: &TextColumn, test: impl FnMut(u32) -> bool) -> Mask {
        Mask::known(column.codes.scan(self.table.rows(), &column.hits(test)))
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
        let mut words = vec![0; mask::words(self.table.rows())];
        let rows = self.table.rows();
        members
            .endpoints
            .iter()
            .take_while(|row| *row < rows)
            .for_each(|row| mask::set(&mut words, row));
        let users = self.table.users();
        let mut hits = vec![false; users.entries.len()];
        for number in members.users.iter().filter_map(|user| self.table.user(user)) {
            hits[number as usize] = true;
        }
        Mask::known(words).or(&Mask::known(users.codes.scan(rows, &hits)))
    }
}
