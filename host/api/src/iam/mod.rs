//! Users, groups, roles and policies: our own operations, with the names of IAM's where IAM has one.
//!
//! | module | resource |
//! |---|---|
//! | [`users`], [`keys`] | `user/NAME` and its access keys |
//! | [`groups`] | `group/NAME` and who is in it |
//! | [`roles`] | `role/NAME` |
//! | [`policies`] | `policy/NAME` |
//! | [`held`] | policies on users, groups and roles |
//! | [`simulate`] | what all of that comes to |
//!
//! ARNs are IAM's, `arn:aws:iam::ACCOUNT:user/NAME`, without paths. Nothing here belongs to a region. Bodies may
//! have no member that is not known: a misspelt boundary would be none.

pub(crate) mod groups;
pub(crate) mod held;
pub(crate) mod keys;
pub(crate) mod policies;
pub(crate) mod roles;
pub(crate) mod simulate;
pub(crate) mod users;

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::iam::entity::{Entity, EntityKind, Holder};
use pinion_domain::id::AccountId;
use pinion_store::Stored;
use schemars::JsonSchema;
use serde::Serialize;

use crate::Api;
use crate::error::Result;
use crate::extract::Call;

/// The policies of a user, group or role, by name.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct PolicyNames {
    /// Of its own.
    policies: Vec<String>,
    /// Managed ones.
    attached_policies: Vec<String>,
}

impl PolicyNames {
    async fn of(api: &Api, account: &AccountId, holder: &Holder) -> Result<Self> {
        let held = api.store().held_policies(account, holder).await?;
        let (attached, own) = held
            .into_iter()
            .filter(|held| held.holder == *holder)
            .partition::<Vec<_>, _>(|held| held.managed);
        let names = |held: Vec<pinion_store::HeldPolicy>| held.into_iter().map(|held| held.name).collect();
        Ok(Self {
            policies: names(own),
            attached_policies: names(attached),
        })
    }
}

fn missing(kind: EntityKind, name: &str) -> Error {
    Error::not_found(kind.as_str(), name)
}

/// The one of that name, which must be there.
async fn existing<E: Entity>(api: &Api, call: &Call, name: &str) -> Result<Stored<E>> {
    let found = api.store().entity(&call.tenant.account, name).await?;
    Ok(found.ok_or_else(|| missing(E::KIND, name))?)
}

/// A boundary as requests name it: the ARN of a managed policy of the account, or empty for none.
fn boundary_name(call: &Call, arn: &str) -> Result<Option<String>, Error> {
    if arn.is_empty() {
        return Ok(None);
    }
    let prefix = EntityKind::Policy.arn(call.tenant.account.as_str(), "");
    match arn.strip_prefix(&prefix) {
        Some(name) => Ok(Some(name.to_owned())),
        None => Err(Error::invalid(
            "PermissionsBoundary",
            format!("must be the ARN of a policy of the account, {prefix}NAME"),
        )),
    }
}

fn boundary_arn(account: &AccountId, boundary: Option<&str>) -> Option<String> {
    boundary.map(|name| EntityKind::Policy.arn(account.as_str(), name))
}

type Tags = BTreeMap<String, String>;
