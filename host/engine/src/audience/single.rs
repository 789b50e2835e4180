//! The truth about one endpoint: without columns, unless a predicate is asked.

use std::collections::HashMap;

use jiff::Timestamp;
use pinion_domain::endpoint::Endpoint;
use pinion_domain::segment::extended::{Extended, RecipientTest};
use pinion_domain::segment::{Answers, Condition, Matcher, PredicateCondition, SegmentReference, Truth};
use pinion_store::Members;

use super::AudienceError;
use super::resolve::{Content, ResolvedSegment};
use super::source::Source;

/// What the documents of an endpoint do not tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// By type, milliseconds since 1970.
    times: HashMap<String, Vec<i64>>,
    received: HashMap<RecipientTest, bool>,
}

impl Facts {
    /// Reads all that the conditions of a segment ask about an endpoint.
    pub(super) async fn read(
        segment: &ResolvedSegment,
        source: &dyn Source,
        seq: u32,
    ) -> Result<Self, AudienceError> {
        let mut facts = Self::default();
        for condition in segment.conditions() {
            match condition {
                Condition::Extended(Extended::Events(test)) => {
                    for event_type in test.types() {
                        if !facts.times.contains_key(event_type) {
                            let times = source.event_times(event_type, seq).await?;
                            facts.times.insert(event_type.to_owned(), times);
                        }
                    }
                }
                Condition::Extended(Extended::Recipient(test)) if !facts.received.contains_key(test) => {
                    let recipients = source.recipients(test).await?;
                    facts.received.insert(test.clone(), recipients.contains(seq));
                }
                _ => {}
            }
        }
        Ok(facts)
    }

    pub(super) fn times(&self, event_type: &str) -> &[i64] {
        self.times.get(event_type).map_or(&[], Vec::as_slice)
    }

    pub(super) fn received(&self, test: &RecipientTest) -> bool {
        self.received.get(test) == Some(&true)
    }
}

/// Decides a segment without predicates.
pub(super) fn decide(segment: &ResolvedSegment, endpoint: &Endpoint, facts: &Facts, now: Timestamp) -> Truth {
    let mut decided: Vec<Truth> = Vec::with_capacity(segment.parts.len());
    for part in &segment.parts {
        let truth = match &part.content {
            Content::Imported(members) => Truth::from(is_member(members, endpoint)),
            Content::Dimensional { expression, sources } => {
                let answers = Known {
                    sources,
                    decided: &decided,
                    facts,
                    seq: endpoint.seq,
                    now,
                };
                let matcher = Matcher {
                    endpoint: &endpoint.document,
                    user: endpoint.user.as_ref(),
                    now,
                    answers: &answers,
                };
                matcher.matches(expression)
            }
        };
        decided.push(truth);
    }
    decided.pop().expect("a segment has at least its own part")
}

fn is_member(members: &Members, endpoint: &Endpoint) -> bool {
    let user = endpoint.user_id.as_ref();
    members.endpoints.contains(endpoint.seq) || user.is_some_and(|user| members.users.contains(user))
}

struct Known<'a> {
    sources: &'a [(SegmentReference, usize)],
    /// The segments that a part refers to: they were decided before it.
    decided: &'a [Truth],
    facts: &'a Facts,
    seq: u32,
    now: Timestamp,
}

impl Answers for Known<'_> {
    fn predicate(&self, _: &PredicateCondition) -> Truth {
        Truth::Unknown
    }

    fn segment(&self, reference: &SegmentReference) -> Truth {
        let part = self.sources.iter().find(|(known, _)| known == reference);
        let (_, part) = part.expect("all references of the segment were resolved");
        self.decided[*part]
    }

    fn extended(&self, condition: &Extended) -> bool {
        match condition {
            Extended::Events(test) => test.matches(self.now, |event_type| self.facts.times(event_type)),
            Extended::Bucket(test) => test.matches(self.seq),
            Extended::Recipient(test) => self.facts.received(test),
        }
    }
}
