//! The truth about one endpoint: without columns, unless a predicate is asked.

use jiff::Timestamp;
use pinion_domain::endpoint::Endpoint;
use pinion_domain::segment::{Answers, Matcher, PredicateCondition, SegmentReference, Truth};
use pinion_store::{AppRef, Members};

use super::resolve::{Content, ResolvedSegment};
use super::{AudienceError, Audiences};

impl Audiences {
    /// Is the endpoint in the segment at the moment `now`? Says what [`Audiences::evaluate`] says of it.
    ///
    /// A predicate reads columns, so a segment that asks one is evaluated as a whole.
    pub async fn decide(
        &self,
        app: &AppRef,
        segment: &ResolvedSegment,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<Truth, AudienceError> {
        if segment.predicates().next().is_none() {
            return Ok(decide(segment, endpoint, now));
        }
        let evaluated = self.evaluate(app, segment, now).await?;
        Ok(if evaluated.selected.contains(endpoint.seq) {
            Truth::True
        } else if evaluated.unknown > 0 {
            // Whose fault it was, is not told row by row.
            Truth::Unknown
        } else {
            Truth::False
        })
    }
}

/// Decides a segment without predicates.
pub(super) fn decide(segment: &ResolvedSegment, endpoint: &Endpoint, now: Timestamp) -> Truth {
    let mut decided: Vec<Truth> = Vec::with_capacity(segment.parts.len());
    for part in &segment.parts {
        let truth = match &part.content {
            Content::Imported(members) => Truth::from(is_member(members, endpoint)),
            Content::Dimensional { expression, sources } => {
                let answers = Sources {
                    sources,
                    decided: &decided,
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

/// The segments that a part refers to: they were decided before it.
struct Sources<'a> {
    sources: &'a [(SegmentReference, usize)],
    decided: &'a [Truth],
}

impl Answers for Sources<'_> {
    fn predicate(&self, _: &PredicateCondition) -> Truth {
        Truth::Unknown
    }

    fn segment(&self, reference: &SegmentReference) -> Truth {
        let part = self.sources.iter().find(|(known, _)| known == reference);
        let (_, part) = part.expect("all references of the segment were resolved");
        self.decided[*part]
    }
}
