//! Managed policies.

use pinion_domain::Error;
use pinion_domain::iam::entity::{EntityKind, ManagedPolicy, PolicyChange};
use pinion_domain::iam::{Json, Policy, PolicyKind};
use pinion_domain::id::AccountId;
use pinion_store::Stored;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::existing;
use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyResponse {
    policy_name: String,
    policy_id: String,
    arn: String,
    creation_date: String,
    description: String,
    policy_document: Json,
}

impl PolicyResponse {
    fn new(account: &AccountId, policy: Stored<ManagedPolicy>) -> Self {
        Self {
            arn: EntityKind::Policy.arn(account.as_str(), &policy.name),
            policy_name: policy.name,
            policy_id: policy.id,
            creation_date: policy.creation_date,
            description: policy.entity.description,
            policy_document: policy.entity.document,
        }
    }
}

/// What is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct PolicyRequest {
    description: Option<String>,
    policy_document: Option<Json>,
}

impl PolicyRequest {
    fn change(self) -> Result<PolicyChange> {
        if let Some(document) = &self.policy_document {
            Policy::compile("PolicyDocument", document, PolicyKind::Identity)?;
        }
        Ok(PolicyChange {
            description: self.description,
            document: self.policy_document,
        })
    }
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let account = &call.tenant.account;
    let policies = api
        .store()
        .entities::<ManagedPolicy>(account, &call.page()?)
        .await?;
    Answer::page(&policies.map(|policy| PolicyResponse::new(account, policy)))
}

pub(crate) async fn create(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("policy-name");
    EntityKind::Policy.check_name(name)?;
    let change = call.json::<PolicyRequest>()?.change()?;
    let missing = || Error::invalid("PolicyDocument", "must say what is allowed");
    let policy = ManagedPolicy {
        description: change.description.unwrap_or_default(),
        document: change.document.ok_or_else(missing)?,
    };
    let account = &call.tenant.account;
    let policy = api.store().create_entity(account, name, policy).await?;
    Answer::json(&PolicyResponse::new(account, policy))
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let policy = existing(api, &call, call.label("policy-name")).await?;
    Answer::json(&PolicyResponse::new(&call.tenant.account, policy))
}

pub(crate) async fn update(api: &Api, call: Call) -> Result<Answer> {
    let change = call.json::<PolicyRequest>()?.change()?;
    let account = &call.tenant.account;
    let policy = api
        .store()
        .update_entity(account, call.label("policy-name"), change)
        .await?;
    Answer::json(&PolicyResponse::new(account, policy))
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let account = &call.tenant.account;
    let policy = api
        .store()
        .delete_entity(account, call.label("policy-name"))
        .await?;
    Answer::json(&PolicyResponse::new(account, policy))
}
