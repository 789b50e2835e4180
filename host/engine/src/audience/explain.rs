//! What came of each condition: for all endpoints as counts, for one with the values that it has.

use jiff::Timestamp;
use pinion_domain::clock::iso;
use pinion_domain::endpoint::Endpoint;
use pinion_domain::id::SegmentId;
use pinion_domain::segment::extended::{EventTest, Extended};
use pinion_domain::segment::{Condition, Expression, Truth};
use serde_json::{Value, json};

use super::evaluate::{Evaluated, LeafOutcome};
use super::resolve::{Content, Part, ResolvedSegment};
use super::single::Facts;

/// Who is in a segment, and who fulfils each of its conditions.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// The members.
    pub evaluated: Evaluated,
    /// How many endpoints there are.
    pub endpoints: u64,
    /// The segment and those that it builds on: sources first, the segment itself last.
    pub parts: Vec<PartEstimate>,
}

/// A segment of an [`Estimate`].
#[derive(Clone, Debug)]
pub struct PartEstimate {
    /// Which, in which version; absent for a document that is not stored.
    pub segment: Option<(SegmentId, u32)>,
    /// Its members.
    pub count: u64,
    /// Its conditions; an imported segment has none.
    pub conditions: Vec<ConditionEstimate>,
}

/// A condition of a [`PartEstimate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionEstimate {
    /// Path in the document.
    pub path: String,
    /// Endpoints that fulfil it on its own. A predicate component is only asked about those for whom the
    /// answer matters.
    pub count: u64,
    /// Endpoints about whom a predicate component failed.
    pub unknown: u64,
}

/// Why one endpoint is in a segment, or is not.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Is it?
    pub truth: Truth,
    /// As in [`Estimate::parts`].
    pub parts: Vec<PartExplanation>,
    /// Why something is unknown.
    pub faults: Vec<String>,
}

/// A segment of an [`Explanation`].
#[derive(Clone, Debug)]
pub struct PartExplanation {
    /// Which, in which version; absent for a document that is not stored.
    pub segment: Option<(SegmentId, u32)>,
    /// Is the endpoint in it?
    pub truth: Truth,
    /// What came of its conditions.
    pub conditions: Vec<Finding>,
}

/// What came of a condition for one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Path in the document.
    pub path: String,
    /// Does the endpoint fulfil it?
    pub truth: Truth,
    /// Did it decide? Had it come out otherwise, so might have the segment.
    pub decisive: bool,
    /// What the endpoint has of what the condition looks at; null for nothing.
    pub saw: Value,
}

impl Estimate {
    pub(super) fn new(
        segment: &ResolvedSegment,
        evaluated: Evaluated,
        endpoints: u64,
        outcomes: &[(LeafOutcome, Vec<LeafOutcome>)],
    ) -> Self {
        let parts = segment.parts.iter().zip(outcomes);
        let parts = parts.map(|(part, (of_part, of_leaves))| PartEstimate {
            segment: part.pinned.clone(),
            count: of_part.count,
            conditions: named(part, of_leaves)
                .map(|(_, path, outcome)| ConditionEstimate {
                    path: path.to_owned(),
                    count: outcome.count,
                    unknown: outcome.unknown,
                })
                .collect(),
        });
        Self {
            parts: parts.collect(),
            evaluated,
            endpoints,
        }
    }
}

impl Explanation {
    pub(super) fn new(
        segment: &ResolvedSegment,
        endpoint: &Endpoint,
        facts: &Facts,
        (now, faults): (Timestamp, Vec<String>),
        outcomes: &[(LeafOutcome, Vec<LeafOutcome>)],
    ) -> Self {
        let parts: Vec<PartExplanation> = segment
            .parts
            .iter()
            .zip(outcomes)
            .map(|(part, (of_part, of_leaves))| {
                let truths: Vec<Truth> = of_leaves.iter().map(|outcome| outcome.truth).collect();
                let decisive = match &part.content {
                    Content::Dimensional { expression, .. } => expression.deciding(&truths),
                    Content::Imported(_) => Vec::new(),
                };
                let decisive = of_leaves.iter().zip(decisive);
                let decisive: Vec<(LeafOutcome, bool)> = decisive.map(|(leaf, did)| (*leaf, did)).collect();
                PartExplanation {
                    segment: part.pinned.clone(),
                    truth: of_part.truth,
                    conditions: named(part, &decisive)
                        .map(|(leaf, path, (outcome, decisive))| Finding {
                            path: path.to_owned(),
                            truth: outcome.truth,
                            decisive: *decisive,
                            saw: saw(leaf, segment, part, endpoint, facts, now),
                        })
                        .collect(),
                }
            })
            .collect();
        Self {
            truth: parts.last().map_or(Truth::Unknown, |part| part.truth),
            parts,
            faults,
        }
    }
}

/// The leaves of a part that have a path, each with what belongs to it.
fn named<'a, T>(part: &'a Part, outcomes: &'a [T]) -> impl Iterator<Item = (&'a Expression, &'a str, &'a T)> {
    let leaves = match &part.content {
        Content::Dimensional { expression, .. } => expression.leaves(),
        Content::Imported(_) => Vec::new(),
    };
    let leaves = leaves.into_iter().zip(outcomes);
    leaves.filter_map(|(leaf, outcome)| Some((leaf, leaf.path()?, outcome)))
}

/// What the endpoint has of what a condition looks at.
fn saw(
    leaf: &Expression,
    segment: &ResolvedSegment,
    part: &Part,
    endpoint: &Endpoint,
    facts: &Facts,
    now: Timestamp,
) -> Value {
    let document = &endpoint.document;
    match leaf {
        Expression::Is(_, condition) => match condition {
            Condition::Attribute { name, .. } => json!(document.attributes.get(name)),
            Condition::UserAttribute { name, .. } => {
                let user = endpoint.user.as_ref();
                json!(user.and_then(|user| user.user_attributes.get(name)))
            }
            Condition::Metric { name, .. } => json!(document.metrics.get(name)),
            Condition::Member { member, .. } => json!(member.of(document)),
            Condition::Recency(_) => json!(document.effective_date),
            Condition::Circle(_) => document.location.as_ref().map_or(
                Value::Null,
                |location| json!({"Latitude": location.latitude, "Longitude": location.longitude}),
            ),
            Condition::Extended(Extended::Events(test)) => events(test, facts, now),
            Condition::Extended(Extended::Bucket(test)) => json!({"Percent": test.percent(endpoint.seq)}),
            Condition::Extended(Extended::Recipient(test)) => json!({"Recipient": facts.received(test)}),
        },
        Expression::In(_, reference) => {
            let source = part
                .source(reference)
                .and_then(|part| segment.parts[part].pinned.as_ref());
            source.map_or(Value::Null, |(id, version)| json!({"Id": id, "Version": version}))
        }
        _ => Value::Null,
    }
}

/// By type: how many events in the window of the condition, and the first and last of them.
fn events(test: &EventTest, facts: &Facts, now: Timestamp) -> Value {
    let window = test.window(now);
    let of_type = |event_type: &str| {
        let inside = facts.times(event_type).iter().filter(|at| window.contains(at));
        let at = |at: Option<&i64>| at.and_then(|at| Timestamp::from_millisecond(*at).ok()).map(iso);
        let (first, last) = (at(inside.clone().min()), at(inside.clone().max()));
        let found = json!({"Count": inside.count(), "First": first, "Last": last});
        (event_type.to_owned(), found)
    };
    Value::Object(test.types().map(of_type).collect())
}
