//! Roles.

use pinion_domain::Error;
use pinion_domain::iam::entity::{DEFAULT_SESSION, EntityKind, Holder, LONGEST_SESSION, Role, RoleChange};
use pinion_domain::iam::{Json, Policy, PolicyKind};
use pinion_domain::id::AccountId;
use pinion_store::Stored;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{PolicyNames, Tags, boundary_arn, boundary_name, existing};
use crate::error::Result;
use crate::extract::{Answer, Call};
use crate::{Api, tags};

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RoleResponse {
    role_name: String,
    role_id: String,
    arn: String,
    creation_date: String,
    description: String,
    assume_role_policy_document: Json,
    /// Seconds.
    max_session_duration: u32,
    permissions_boundary: Option<String>,
    #[serde(rename = "tags")]
    tags: Tags,
    /// Left out of lists.
    #[serde(flatten)]
    policies: Option<PolicyNames>,
}

impl RoleResponse {
    fn new(account: &AccountId, role: Stored<Role>) -> Self {
        Self {
            arn: EntityKind::Role.arn(account.as_str(), &role.name),
            permissions_boundary: boundary_arn(account, role.entity.boundary.as_deref()),
            role_name: role.name,
            role_id: role.id,
            creation_date: role.creation_date,
            description: role.entity.description,
            assume_role_policy_document: role.entity.trust,
            max_session_duration: role.entity.longest_session,
            tags: role.entity.tags,
            policies: None,
        }
    }

    async fn whole(api: &Api, account: &AccountId, role: Stored<Role>) -> Result<Self> {
        let policies = PolicyNames::of(api, account, &Holder::role(role.name.as_str())).await?;
        Ok(Self {
            policies: Some(policies),
            ..Self::new(account, role)
        })
    }
}

/// What is left out stays, or has its usual value.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct RoleRequest {
    description: Option<String>,
    assume_role_policy_document: Option<Json>,
    max_session_duration: Option<u32>,
    permissions_boundary: Option<String>,
    #[serde(rename = "tags")]
    tags: Option<Tags>,
}

impl RoleRequest {
    fn change(self, api: &Api, call: &Call) -> Result<RoleChange> {
        if let Some(given) = &self.tags {
            tags::check(api, given)?;
        }
        if let Some(document) = &self.assume_role_policy_document {
            Policy::compile("AssumeRolePolicyDocument", document, PolicyKind::Trust)?;
        }
        let range = DEFAULT_SESSION..=LONGEST_SESSION;
        if self
            .max_session_duration
            .is_some_and(|seconds| !range.contains(&seconds))
        {
            let problem = format!("must be between {DEFAULT_SESSION} and {LONGEST_SESSION} seconds");
            return Err(Error::invalid("MaxSessionDuration", problem).into());
        }
        let boundary = self.permissions_boundary.map(|arn| boundary_name(call, &arn));
        Ok(RoleChange {
            description: self.description,
            trust: self.assume_role_policy_document,
            longest_session: self.max_session_duration,
            boundary: boundary.transpose()?,
            tags: self.tags,
            sessions_from: None,
        })
    }
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let account = &call.tenant.account;
    let roles = api.store().entities::<Role>(account, &call.page()?).await?;
    Answer::page(&roles.map(|role| RoleResponse::new(account, role)))
}

pub(crate) async fn create(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("role-name");
    EntityKind::Role.check_name(name)?;
    let change = call.json::<RoleRequest>()?.change(api, &call)?;
    let missing = || Error::invalid("AssumeRolePolicyDocument", "must say who may assume the role");
    let role = Role {
        description: change.description.unwrap_or_default(),
        trust: change.trust.ok_or_else(missing)?,
        longest_session: change.longest_session.unwrap_or(DEFAULT_SESSION),
        boundary: change.boundary.flatten(),
        tags: change.tags.unwrap_or_default(),
        sessions_from: None,
    };
    let account = &call.tenant.account;
    let role = api.store().create_entity(account, name, role).await?;
    Answer::json(&RoleResponse::whole(api, account, role).await?)
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let role = existing(api, &call, call.label("role-name")).await?;
    Answer::json(&RoleResponse::whole(api, &call.tenant.account, role).await?)
}

pub(crate) async fn update(api: &Api, call: Call) -> Result<Answer> {
    let change = call.json::<RoleRequest>()?.change(api, &call)?;
    let account = &call.tenant.account;
    let role = api
        .store()
        .update_entity(account, call.label("role-name"), change)
        .await?;
    Answer::json(&RoleResponse::whole(api, account, role).await?)
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let account = &call.tenant.account;
    let role = api
        .store()
        .delete_entity(account, call.label("role-name"))
        .await?;
    Answer::json(&RoleResponse::new(account, role))
}

/// Ends all sessions of the role that were given until now.
pub(crate) async fn revoke(api: &Api, call: Call) -> Result<Answer> {
    let change = RoleChange {
        sessions_from: Some(api.clock().now()),
        ..RoleChange::default()
    };
    let name = call.label("role-name");
    api.store()
        .update_entity::<Role>(&call.tenant.account, name, change)
        .await?;
    Ok(Answer::empty())
}
