//! What an evaluation needs to be in memory.

use std::collections::BTreeSet;

use pinion_domain::segment::Condition;
use pinion_domain::segment::extended::Extended;

use super::evaluate::Prepared;
use super::predicate::event_type;
use super::resolve::ResolvedSegment;

/// Attributes and types of events, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    attributes: BTreeSet<String>,
    user_attributes: BTreeSet<String>,
    pub(super) events: BTreeSet<String>,
}

impl Wanted {
    /// What the conditions of a segment look at, and what its predicates read.
    pub(super) fn of(segment: &ResolvedSegment, prepared: &Prepared) -> Self {
        let mut wanted = Self::default();
        for condition in segment.conditions() {
            match condition {
                Condition::Attribute { name, .. } => drop(wanted.attributes.insert(name.clone())),
                Condition::UserAttribute { name, .. } => drop(wanted.user_attributes.insert(name.clone())),
                Condition::Extended(Extended::Events(test)) => {
                    wanted.events.extend(test.types().map(str::to_owned));
                }
                _ => {}
            }
        }
        let known = prepared.predicates.values().flatten();
        for input in known.flat_map(|predicate| predicate.inputs()) {
            if let Some(name) = input.path.strip_prefix("Attributes.") {
                wanted.attributes.insert(name.to_owned());
            } else if let Some(name) = input.path.strip_prefix("User.UserAttributes.") {
                wanted.user_attributes.insert(name.to_owned());
            } else if let Some((event, _)) = event_type(&input.path) {
                wanted.events.insert(event.to_owned());
            }
        }
        wanted
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(String::as_str)
    }

    pub(super) fn user_attributes(&self) -> impl Iterator<Item = &str> {
        self.user_attributes.iter().map(String::as_str)
    }
}
