//! The ways between activities: each leads to one that exists, and none leads back.

use std::collections::{BTreeMap, BTreeSet};

use super::activity::Activity;
use super::kind::{Exit, Kind};
use crate::{Error, Result};

/// The activities with what they are and where they lead.
pub(super) struct Graph<'a> {
    nodes: BTreeMap<&'a str, Node<'a>>,
}

struct Node<'a> {
    kind: Kind<'a>,
    exits: Vec<Exit<'a>>,
}

/// The path of an activity in errors.
pub(super) fn path(id: &str) -> String {
    format!("Activities.{id}")
}

impl<'a> Graph<'a> {
    /// Reads the ways. Fails for an activity that is not of one kind, for a way to nowhere, and for one
    /// that leads back: a participant would go round for ever.
    pub(super) fn of(activities: &'a BTreeMap<String, Activity>) -> Result<Self> {
        let mut nodes = BTreeMap::new();
        for (id, activity) in activities {
            let kind = activity.kind(&path(id))?;
            let exits = kind.exits();
            for (way, to) in &exits {
                if !activities.contains_key(*to) {
                    return Err(Error::invalid(
                        format!("{}.{way}", path(id)),
                        format!("there is no activity {to}"),
                    ));
                }
            }
            nodes.insert(id.as_str(), Node { kind, exits });
        }
        let graph = Self { nodes };
        for (id, node) in &graph.nodes {
            for (way, to) in &node.exits {
                if graph.reachable(to).contains(id) {
                    return Err(Error::invalid(
                        format!("{}.{way}", path(id)),
                        format!("leads back to {id}; activities cannot be repeated"),
                    ));
                }
            }
        }
        Ok(graph)
    }

    /// The activities, by id.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&'a str, Kind<'a>)> {
        self.nodes.iter().map(|(id, node)| (*id, node.kind))
    }

    /// What an activity is, if there is one of that id.
    pub(super) fn kind(&self, id: &str) -> Option<Kind<'a>> {
        Some(self.nodes.get(id)?.kind)
    }

    /// Everything that can be reached from an activity, itself included.
    pub(super) fn reachable(&self, from: &str) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&'a str> = self
            .nodes
            .get_key_value(from)
            .map(|(id, _)| *id)
            .into_iter()
            .collect();
        while let Some(id) = waiting.pop() {
            if seen.insert(id) {
                let exits = self.nodes.get(id).into_iter().flat_map(|node| &node.exits);
                waiting.extend(exits.map(|(_, to)| *to));
            }
        }
        seen
    }
}
