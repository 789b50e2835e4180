//! A segment together with all segments that it refers to, each pinned to a version: what an
//! evaluation needs, read once.

use std::pin::Pin;

use pinion_domain::Error;
use pinion_domain::id::SegmentId;
use pinion_domain::segment::{Condition, Expression, PredicateCondition, SegmentDocument, SegmentReference};
use pinion_store::Members;

use super::AudienceError;
use super::source::Source;

/// Segments may refer to segments so many levels deep.
const DEEPEST: usize = 10;
/// And to so many in all.
const MOST_SEGMENTS: usize = 100;

/// A segment that can be evaluated.
#[derive(Clone, Debug)]
pub struct ResolvedSegment {
    /// Sources come before those that refer to them; the last is the segment itself.
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) pinned: Option<(SegmentId, u32)>,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Who was imported.
    Imported(Members),
    /// Who fulfils an expression; `sources` says which part each of its references is.
    Dimensional {
        expression: Expression,
        sources: Vec<(SegmentReference, usize)>,
    },
}

impl ResolvedSegment {
    /// Reads a segment in a version (or its latest) and all that it refers to.
    pub async fn read(
        source: &dyn Source,
        id: &SegmentId,
        version: Option<u32>,
    ) -> Result<Self, AudienceError> {
        let mut resolver = Resolver::new(source);
        resolver.part(id, version).await?;
        Ok(Self {
            parts: resolver.parts,
        })
    }

    /// Takes a document that is not stored, or not yet: a request to check, conditions of a journey. If
    /// it is to become a version of `id`, it must not refer to that one's latest.
    pub async fn of_document(
        source: &dyn Source,
        id: Option<&SegmentId>,
        document: &SegmentDocument,
    ) -> Result<Self, AudienceError> {
        let mut resolver = Resolver::new(source);
        resolver.draft = id.cloned();
        let content = resolver.dimensional(document).await?;
        resolver.parts.push(Part {
            pinned: None,
            content,
        });
        Ok(Self {
            parts: resolver.parts,
        })
    }

    /// The segments and versions that were read, sources first.
    pub fn versions(&self) -> impl Iterator<Item = (&SegmentId, u32)> {
        self.parts
            .iter()
            .filter_map(|part| part.pinned.as_ref().map(|(id, version)| (id, *version)))
    }

    /// Everything that is asked of predicate components.
    pub(super) fn predicates(&self) -> impl Iterator<Item = &PredicateCondition> {
        self.expressions().flat_map(Expression::predicates)
    }

    /// All conditions on what is known of endpoints.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.expressions().flat_map(Expression::conditions)
    }

    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.parts.iter().filter_map(|part| match &part.content {
            Content::Dimensional { expression, .. } => Some(expression),
            Content::Imported(_) => None,
        })
    }
}

impl Part {
    /// Which part one of its references is.
    pub(super) fn source(&self, reference: &SegmentReference) -> Option<usize> {
        let Content::Dimensional { sources, .. } = &self.content else {
            return None;
        };
        let source = sources.iter().find(|(known, _)| known == reference);
        source.map(|(_, part)| *part)
    }
}

struct Resolver<'a> {
    source: &'a dyn Source,
    parts: Vec<Part>,
    /// The segments that are being read, each a source of the one before.
    open: Vec<(SegmentId, u32)>,
    draft: Option<SegmentId>,
}

impl<'a> Resolver<'a> {
    fn new(source: &'a dyn Source) -> Self {
        Self {
            source,
            parts: Vec::new(),
            open: Vec::new(),
            draft: None,
        }
    }

    /// The number of the part that a segment is, read unless it was.
    async fn part(&mut self, id: &SegmentId, version: Option<u32>) -> Result<usize, AudienceError> {
        if version.is_none() && self.draft.as_ref() == Some(id) {
            return Err(cycle(id));
        }
        let found = self.source.segment(id, version).await?;
        let (version, document) = found.ok_or_else(|| Error::not_found("segment", id.as_str()))?;
        let pin = (id.clone(), version);
        if let Some(part) = self
            .parts
            .iter()
            .position(|part| part.pinned.as_ref() == Some(&pin))
        {
            return Ok(part);
        }
        if self.open.contains(&pin) {
            return Err(cycle(id));
        }
        if self.open.len() == DEEPEST || self.parts.len() == MOST_SEGMENTS {
            return Err(Error::LimitExceeded(format!(
                "a segment may refer to at most {MOST_SEGMENTS} segments, {DEEPEST} levels deep"
            ))
            .into());
        }
        self.open.push(pin.clone());
        let content = if document.import_definition.is_some() {
            let members = self.source.members(id, version).await?;
            Content::Imported(members.ok_or_else(|| Error::not_found("members of segment", id.as_str()))?)
        } else {
            self.dimensional(&document).await?
        };
        self.open.pop();
        self.parts.push(Part {
            pinned: Some(pin),
            content,
        });
        Ok(self.parts.len() - 1)
    }

    /// Boxed, because segments refer to segments.
    fn dimensional<'b>(
        &'b mut self,
        document: &'b SegmentDocument,
    ) -> Pin<Box<dyn Future<Output = Result<Content, AudienceError>> + Send + 'b>> {
        Box::pin(async move {
            let expression = Expression::of(document.dimensions.as_ref(), document.segment_groups.as_ref())?;
            let mut sources: Vec<(SegmentReference, usize)> = Vec::new();
            for reference in expression.references() {
                if sources.iter().all(|(known, _)| known != reference) {
                    let part = self.part(&reference.id, reference.version).await?;
                    sources.push((reference.clone(), part));
                }
            }
            Ok(Content::Dimensional { expression, sources })
        })
    }
}

fn cycle(id: &SegmentId) -> AudienceError {
    Error::Conflict(format!(
        "segment {id} refers to itself, through its source segments"
    ))
    .into()
}
