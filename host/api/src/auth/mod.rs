//! Who asks, and whether they may.
//!
//! | module | step |
//! |---|---|
//! | [`sigv4`] | was the request signed by the holder of the key? |
//! | [`session`] | temporary credentials: tokens that carry what they say |
//! | `access` | what keys, users and roles are and hold, remembered for a second |
//! | [`connection`] | how the request came |
//! | `facts` | the values of condition keys |
//! | `authorize` | the decision |

pub(crate) mod access;
mod authorize;
pub mod connection;
mod facts;
pub mod session;
pub mod sigv4;

use std::collections::BTreeMap;
use std::sync::Arc;

use pinion_domain::iam::entity::{EntityKind, Holder};
use pinion_domain::id::{AccessKeyId, AccountId};

pub(crate) use access::Authority;
pub(crate) use authorize::{authorize, resource_tags};
pub(crate) use facts::{Facts, add_request_tags, of_principal};
use session::Session;

/// The one behind an access key.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// The key that signed.
    pub access_key_id: AccessKeyId,
    /// Whose key it is.
    pub account: AccountId,
    /// Who.
    pub identity: Identity,
    /// What temporary credentials say.
    pub session: Option<Arc<Session>>,
}

/// Who a principal is within its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The account itself, which may do everything in it.
    Root,
    /// A user.
    User {
        /// Its name.
        name: String,
        /// Its unique id, `AIDA…`.
        id: String,
    },
    /// Somebody who became a role.
    Role {
        /// The role's name.
        name: String,
        /// The role's unique id, `AROA…`.
        id: String,
        /// The session's name.
        session: String,
    },
}

impl Principal {
    /// The ARN by which AWS names it in sentences and in `GetCallerIdentity`.
    pub fn arn(&self) -> String {
        match &self.identity {
            Identity::Role { name, session, .. } => {
                format!("arn:aws:sts::{}:assumed-role/{name}/{session}", self.account)
            }
            _ => self.policy_arn(),
        }
    }

    /// The ARN that policies compare (`aws:PrincipalArn`): of a session, the role's.
    pub fn policy_arn(&self) -> String {
        let account = self.account.as_str();
        match &self.identity {
            Identity::Root => format!("arn:aws:iam::{account}:root"),
            Identity::User { name, .. } => EntityKind::User.arn(account, name),
            Identity::Role { name, .. } => EntityKind::Role.arn(account, name),
        }
    }

    /// `aws:userid`.
    pub fn user_id(&self) -> String {
        match &self.identity {
            Identity::Root => self.account.to_string(),
            Identity::User { id, .. } => id.clone(),
            Identity::Role { id, session, .. } => format!("{id}:{session}"),
        }
    }

    /// `aws:PrincipalType`.
    pub fn kind(&self) -> &'static str {
        match &self.identity {
            Identity::Root => "Account",
            Identity::User { .. } => "User",
            Identity::Role { .. } => "AssumedRole",
        }
    }

    /// Tags that came with the session.
    pub fn session_tags(&self) -> Option<&BTreeMap<String, String>> {
        self.session.as_ref().map(|session| &session.tags)
    }
}

impl Identity {
    /// What policies are on; the root has none.
    pub fn holder(&self) -> Option<Holder> {
        match self {
            Self::Root => None,
            Self::User { name, .. } => Some(Holder::user(name)),
            Self::Role { name, .. } => Some(Holder::role(name)),
        }
    }
}
