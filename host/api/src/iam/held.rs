//! Policies on users, groups and roles: their own, and managed ones that are attached.

use pinion_domain::Error;
use pinion_domain::iam::entity::{Holder, check_inline_name};
use pinion_domain::iam::{Json, Policy, PolicyKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// A policy to keep.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "InlinePolicyRequest")]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct InlineRequest {
    policy_document: Json,
}

/// A policy that is kept.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InlinePolicyResponse")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InlineResponse {
    policy_name: String,
    policy_document: Json,
}

/// Whom the path names.
fn holder(call: &Call) -> Holder {
    match (call.labels.find("user-name"), call.labels.find("group-name")) {
        (Some(user), _) => Holder::user(user),
        (None, Some(group)) => Holder::group(group),
        (None, None) => Holder::role(call.label("role-name")),
    }
}

fn missing(holder: &Holder, policy: &str) -> Error {
    Error::not_found("policy", format!("{policy} of {holder}"))
}

/// Makes or replaces a policy of its own.
pub(crate) async fn put(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("policy-name");
    check_inline_name(name)?;
    let InlineRequest { policy_document } = call.json()?;
    Policy::compile("PolicyDocument", &policy_document, PolicyKind::Identity)?;
    let account = &call.tenant.account;
    api.store()
        .put_inline_policy(account, &holder(&call), name, &policy_document)
        .await?;
    Ok(Answer::empty())
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let (holder, name) = (holder(&call), call.label("policy-name"));
    let found = api
        .store()
        .inline_policy(&call.tenant.account, &holder, name)
        .await?;
    let document = found.ok_or_else(|| missing(&holder, name))?;
    Answer::json(&InlineResponse {
        policy_name: name.to_owned(),
        policy_document: document,
    })
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let (holder, name) = (holder(&call), call.label("policy-name"));
    let deleted = api
        .store()
        .delete_inline_policy(&call.tenant.account, &holder, name)
        .await?;
    if !deleted {
        return Err(missing(&holder, name).into());
    }
    Ok(Answer::empty())
}

pub(crate) async fn attach(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("policy-name");
    api.store()
        .attach_policy(&call.tenant.account, &holder(&call), name)
        .await?;
    Ok(Answer::empty())
}

pub(crate) async fn detach(api: &Api, call: Call) -> Result<Answer> {
    let (holder, name) = (holder(&call), call.label("policy-name"));
    let detached = api
        .store()
        .detach_policy(&call.tenant.account, &holder, name)
        .await?;
    if !detached {
        return Err(missing(&holder, name).into());
    }
    Ok(Answer::empty())
}
