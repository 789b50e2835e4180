//! Which attributes are to be taken off all endpoints or users of an application.

use std::collections::{BTreeMap, BTreeSet};

use crate::endpoint::{EndpointDocument, UserDocument};
use crate::glob::Glob;
use crate::{Error, Result};

/// `AttributeType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// `endpoint-custom-attributes`
    Custom,
    /// `endpoint-metric-attributes`
    Metric,
    /// `endpoint-user-attributes`
    User,
}

impl AttributeType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Custom, Self::Metric, Self::User];

    /// The name in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Custom => "endpoint-custom-attributes",
            Self::Metric => "endpoint-metric-attributes",
            Self::User => "endpoint-user-attributes",
        }
    }

    /// Reads the label of a path.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::as_str).join(", ");
                Error::invalid("attribute-type", format!("must be one of {names}"))
            })
    }
}

/// Patterns of one request.
const MOST_PATTERNS: usize = 250;
/// Characters of a pattern: twice those of a name, for its wildcards.
const LONGEST_PATTERN: usize = 100;

/// Names that are told of one request; further ones go without being told.
const MOST_TOLD: usize = 10_000;

/// Names to take away, as patterns.
#[derive(Clone, Debug, PartialEq)]
pub struct Blacklist(Vec<Glob>);

impl Blacklist {
    /// Reads the `Blacklist` of a request: names, or globs of names.
    pub fn parse(patterns: &[String]) -> Result<Self> {
        if patterns.is_empty() || patterns.len() > MOST_PATTERNS {
            return Err(Error::invalid(
                "Blacklist",
                format!("must have 1 to {MOST_PATTERNS} names or patterns"),
            ));
        }
        for (place, pattern) in patterns.iter().enumerate() {
            if pattern.is_empty() || pattern.chars().count() > LONGEST_PATTERN {
                let problem = format!("must have 1 to {LONGEST_PATTERN} characters");
                return Err(Error::invalid(format!("Blacklist[{place}]"), problem));
            }
        }
        Ok(Self(
            patterns.iter().map(|pattern| Glob::parse(pattern)).collect(),
        ))
    }

    /// Is a name to go?
    pub fn names(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name))
    }

    /// Takes attributes or metrics off an endpoint and adds their names to `removed`; `false` if it has
    /// none of them.
    pub fn apply(
        &self,
        kind: AttributeType,
        document: &mut EndpointDocument,
        removed: &mut BTreeSet<String>,
    ) -> bool {
        match kind {
            AttributeType::Custom => self.take(&mut document.attributes, removed),
            AttributeType::Metric => self.take(&mut document.metrics, removed),
            AttributeType::User => false,
        }
    }

    /// Takes attributes off a user and adds their names to `removed`; `false` if it has none of them.
    pub fn apply_user(&self, document: &mut UserDocument, removed: &mut BTreeSet<String>) -> bool {
        self.take(&mut document.user_attributes, removed)
    }

    /// Adds names to those that will be told, as far as there is room.
    pub fn remember(removed: &mut BTreeSet<String>, names: impl IntoIterator<Item = String>) {
        for name in names {
            if removed.len() < MOST_TOLD {
                removed.insert(name);
            }
        }
    }

    fn take<V>(&self, values: &mut BTreeMap<String, V>, removed: &mut BTreeSet<String>) -> bool {
        let before = values.len();
        values.retain(|name, _| {
            let goes = self.names(name);
            if goes && !removed.contains(name) {
                Self::remember(removed, [name.clone()]);
            }
            !goes
        });
        values.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn blacklist(patterns: &[&str]) -> Result<Blacklist> {
        Blacklist::parse(
            &patterns
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn names_go_and_others_stay() {
        let document: EndpointDocument = serde_json::from_value(json!({
            "CohortId": "1", "CreationDate": "", "EffectiveDate": "", "EndpointStatus": "ACTIVE", "OptOut": "NONE",
            "Attributes": { "plan": ["a"], "plan b": [], "@/+%*~:&=;": ["x"], "ż日本": ["y"], "other": ["z"] },
            "Metrics": { "plan": 1.0 },
        }))
        .unwrap();
        for (patterns, kind, expected) in [
            (&["plan"][..], AttributeType::Custom, &["plan"][..]),
            (&["plan*"], AttributeType::Custom, &["plan", "plan b"]),
            (
                &["@/+%*~:&=;", "ż日?"],
                AttributeType::Custom,
                &["@/+%*~:&=;", "ż日本"],
            ),
            (&["*"], AttributeType::Metric, &["plan"]),
            (&["*"], AttributeType::User, &[]),
            (&["Plan"], AttributeType::Custom, &[]),
        ] {
            let mut after = document.clone();
            let mut removed = BTreeSet::new();
            let changed = blacklist(patterns).unwrap().apply(kind, &mut after, &mut removed);
            assert_eq!(changed, !expected.is_empty(), "{patterns:?}");
            assert_eq!(removed.iter().collect::<Vec<_>>(), expected, "{patterns:?}");
            let left = document.attributes.len() + document.metrics.len() - expected.len();
            assert_eq!(after.attributes.len() + after.metrics.len(), left, "{patterns:?}");
        }
    }

    #[test]
    fn a_blacklist_names_something() {
        for (patterns, wrong) in [
            (vec![], "Blacklist"),
            (vec!["a", ""], "Blacklist[1]"),
            (vec!["x"; 251], "Blacklist"),
        ] {
            match blacklist(&patterns) {
                Err(Error::Invalid { field, .. }) => assert_eq!(field, wrong),
                other => panic!("{other:?}"),
            }
        }
        assert!(AttributeType::parse("endpoint-attributes").is_err());
        assert_eq!(
            AttributeType::parse("endpoint-user-attributes"),
            Ok(AttributeType::User)
        );
    }
}
