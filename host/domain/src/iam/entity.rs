//! Users, groups, roles and managed policies: what they are called and what is kept of them. They belong to
//! an account, in all of its regions.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use rand::RngExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::json::Json;
use crate::{Error, Result};

/// Managed policies that a user, group or role may have attached, and policies of its own it may have; also the
/// groups of a user and the managed policies that bound a session (user guide, "IAM and AWS STS quotas").
pub const MOST_POLICIES: usize = 10;
/// Access keys of a user.
pub const MOST_KEYS: usize = 2;
/// Seconds that a role's session lasts at least, and if nobody says.
pub const SHORTEST_SESSION: u32 = 900;
/// Seconds that a role's session lasts if nobody says, and the most that a role allows if nobody says.
pub const DEFAULT_SESSION: u32 = 3_600;
/// Seconds that a role may allow.
pub const LONGEST_SESSION: u32 = 43_200;

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntityKind {
    /// Somebody with keys.
    User,
    /// Users that share policies.
    Group,
    /// What users and others become for a while.
    Role,
    /// A policy that can be attached to many.
    Policy,
}

impl EntityKind {
    /// As in ARNs and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::Policy => "policy",
        }
    }

    /// The ARN of one of them.
    pub fn arn(self, account: &str, name: &str) -> String {
        format!("arn:aws:iam::{account}:{}/{name}", self.as_str())
    }

    /// A fresh unique id, as AWS writes them. A new user of an old name has a new one.
    pub fn fresh_id(self) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let prefix = match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
            Self::Policy => "ANPA",
        };
        let mut rng = rand::rng();
        let letters = (0..17).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
        prefix.chars().chain(letters).collect()
    }

    /// Checks a new name (user guide, "Name and character limits").
    pub fn check_name(self, name: &str) -> Result<()> {
        let most = match self {
            Self::User | Self::Role => 64,
            Self::Group | Self::Policy => 128,
        };
        check_name(&format!("{}-name", self.as_str()), name, most)
    }
}

/// Checks the name of a policy that belongs to one user, group or role.
pub fn check_inline_name(name: &str) -> Result<()> {
    check_name("policy-name", name, 128)
}

fn check_name(field: &str, name: &str, most: usize) -> Result<()> {
    if (1..=most).contains(&name.len()) && is_plain(name) {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("must be 1 to {most} letters, digits and characters of +=,.@-_"),
    ))
}

/// Has a text only characters that names of users, roles and sessions may have?
pub fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte))
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A user, group or role: what policies are put on. Written `user/ann`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// Never a policy.
    pub kind: EntityKind,
    /// Its name.
    pub name: String,
}

impl Holder {
    /// Of a user.
    pub fn user(name: impl Into<String>) -> Self {
        Self {
            kind: EntityKind::User,
            name: name.into(),
        }
    }

    /// Of a group.
    pub fn group(name: impl Into<String>) -> Self {
        Self {
            kind: EntityKind::Group,
            name: name.into(),
        }
    }

    /// Of a role.
    pub fn role(name: impl Into<String>) -> Self {
        Self {
            kind: EntityKind::Role,
            name: name.into(),
        }
    }

    /// Reads `user/ann`, `group/crew` or `role/sender`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        let kind = [EntityKind::User, EntityKind::Group, EntityKind::Role]
            .into_iter()
            .find(|known| known.as_str() == kind)?;
        (!name.is_empty()).then(|| Self {
            kind,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// A kind of document that is kept of each.
pub trait Entity: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Which.
    const KIND: EntityKind;
    /// What an update may change.
    type Change: Clone + Send + Sync + 'static;

    /// Takes a change over.
    fn change(&mut self, change: &Self::Change);

    /// The managed policy that is its permissions boundary, by name.
    fn boundary(&self) -> Option<&str> {
        None
    }
}

/// What is kept of a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The managed policy that bounds it, by name.
    pub boundary: Option<String>,
    /// `aws:PrincipalTag`.
    pub tags: BTreeMap<String, String>,
    /// Sessions that were given before are over.
    pub sessions_from: Option<Timestamp>,
}

/// What is kept of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {}

/// What is kept of a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// For people.
    pub description: String,
    /// Who may become it.
    pub trust: Json,
    /// Seconds that a session may last.
    pub longest_session: u32,
    /// The managed policy that bounds it, by name.
    pub boundary: Option<String>,
    /// `aws:PrincipalTag`.
    pub tags: BTreeMap<String, String>,
    /// Sessions that were given before are over.
    pub sessions_from: Option<Timestamp>,
}

/// What is kept of a managed policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// For people.
    pub description: String,
    /// The rules.
    pub document: Json,
}

/// What an update of a user changes; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserChange {
    /// The policy, or none.
    pub boundary: Option<Option<String>>,
    /// All tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Ends sessions that were given before.
    pub sessions_from: Option<Timestamp>,
}

/// What an update of a role changes; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoleChange {
    /// For people.
    pub description: Option<String>,
    /// Who may become it.
    pub trust: Option<Json>,
    /// Seconds.
    pub longest_session: Option<u32>,
    /// The policy, or none.
    pub boundary: Option<Option<String>>,
    /// All tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Ends sessions that were given before.
    pub sessions_from: Option<Timestamp>,
}

/// What an update of a managed policy changes; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyChange {
    /// For people.
    pub description: Option<String>,
    /// The rules.
    pub document: Option<Json>,
}

fn replace<T: Clone>(kept: &mut T, change: &Option<T>) {
    if let Some(value) = change {
        *kept = value.clone();
    }
}

impl Entity for User {
    const KIND: EntityKind = EntityKind::User;
    type Change = UserChange;

    fn change(&mut self, change: &UserChange) {
        replace(&mut self.boundary, &change.boundary);
        replace(&mut self.tags, &change.tags);
        self.sessions_from = change.sessions_from.or(self.sessions_from);
    }

    fn boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }
}

impl Entity for Group {
    const KIND: EntityKind = EntityKind::Group;
    type Change = ();

    fn change(&mut self, (): &()) {}
}

impl Entity for Role {
    const KIND: EntityKind = EntityKind::Role;
    type Change = RoleChange;

    fn change(&mut self, change: &RoleChange) {
        replace(&mut self.description, &change.description);
        replace(&mut self.trust, &change.trust);
        replace(&mut self.longest_session, &change.longest_session);
        replace(&mut self.boundary, &change.boundary);
        replace(&mut self.tags, &change.tags);
        self.sessions_from = change.sessions_from.or(self.sessions_from);
    }

    fn boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }
}

impl Entity for ManagedPolicy {
    const KIND: EntityKind = EntityKind::Policy;
    type Change = PolicyChange;

    fn change(&mut self, change: &PolicyChange) {
        replace(&mut self.description, &change.description);
        replace(&mut self.document, &change.document);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for (kind, name, expected) in [
            (EntityKind::User, "ann", true),
            (EntityKind::User, "Ann.B+c=d,e@f-g_h", true),
            (EntityKind::User, "", false),
            (EntityKind::User, "a/b", false),
            (EntityKind::User, "a b", false),
            (EntityKind::User, "ż", false),
            (EntityKind::User, "a*", false),
        ] {
            assert_eq!(kind.check_name(name).is_ok(), expected, "{name}");
        }
        assert!(EntityKind::Role.check_name(&"x".repeat(64)).is_ok());
        assert!(EntityKind::Role.check_name(&"x".repeat(65)).is_err());
        assert!(EntityKind::Group.check_name(&"x".repeat(128)).is_ok());
        let error = EntityKind::Group.check_name("").unwrap_err().to_string();
        assert!(error.starts_with("group-name: must be 1 to 128"), "{error}");
    }

    #[test]
    fn holders_are_written_with_their_kind() {
        for text in ["user/ann", "group/crew", "role/sender"] {
            assert_eq!(Holder::parse(text).unwrap().to_string(), text);
        }
        for text in ["policy/x", "ann", "user/", "users/ann"] {
            assert_eq!(Holder::parse(text), None, "{text}");
        }
        assert_eq!(EntityKind::Role.arn("1", "r"), "arn:aws:iam::1:role/r");
        let id = EntityKind::Role.fresh_id();
        assert!(id.starts_with("AROA") && id.len() == 21, "{id}");
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let mut user = User {
            boundary: Some("b".to_owned()),
            tags: [("a".to_owned(), "1".to_owned())].into(),
            sessions_from: None,
        };
        user.change(&UserChange::default());
        assert_eq!(user.boundary.as_deref(), Some("b"));
        user.change(&UserChange {
            boundary: Some(None),
            ..UserChange::default()
        });
        assert_eq!((user.boundary, user.tags.len()), (None, 1));
    }
}
