//! Who may do what: IAM's policy language, and what users, groups and roles are.
//!
//! | module | holds |
//! |---|---|
//! | `json`, [`policy`] | documents: read, checked, compiled |
//! | `pattern`, `network` | what values are compared with, beside [`crate::glob`] |
//! | `condition`, [`context`] | operators and the keys that they ask for |
//! | [`decide`] | deny over allow over nothing, within boundary and session |
//! | [`trust`] | who may become a role |
//! | [`entity`] | users, groups, roles and managed policies, their names and limits |
//!
//! Documents are compiled when they are stored and when they are loaded, never for a request. Matching takes
//! time linear in what is compared; there are no regular expressions.

mod condition;
pub mod context;
pub mod decide;
pub mod entity;
mod json;
mod network;
mod pattern;
pub mod policy;
#[cfg(test)]
mod tests;
pub mod trust;

pub use context::Context;
pub use decide::{Named, Policies, Request, Verdict};
pub use json::Json;
pub use network::Network;
pub use policy::{Policy, PolicyKind};
