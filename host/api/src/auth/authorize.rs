//! The one decision whether a principal may do an action on a resource. Every request asks here, with
//! the action and ARN of the table of operations, before anything is looked up: whether the thing exists
//! shows only to those who may ask.

use std::collections::BTreeMap;

use pinion_domain::arn::Arn;
use pinion_domain::iam::decide::why;
use pinion_domain::iam::entity::Holder;
use pinion_domain::iam::{Request, Verdict};
use pinion_domain::id::Tenant;

use super::{Authority, Facts, Principal};
use crate::Api;
use crate::error::{ApiError, Result};

/// May the principal do this?
pub(crate) async fn authorize(
    api: &Api,
    authority: &Authority,
    action: &str,
    arn: &Arn,
    facts: &Facts<'_>,
) -> Result<()> {
    let principal = &authority.principal;
    let resource = arn.to_string();
    if arn.account != principal.account {
        // Only a policy of the resource could let in another account, and resources here have none.
        let why = format!(" because no resource-based policy allows the {action} action");
        return Err(refusal(principal, action, &resource, &why));
    }
    let Some(policies) = authority.policies() else {
        return Ok(());
    };
    let mut context = facts.context(authority, arn);
    if policies.look_at("aws:requesttag/") || policies.look_at("aws:tagkeys") {
        facts.add_request_tags(&mut context)?;
    }
    if policies.look_at("aws:resourcetag/") {
        let tags = resource_tags(api, facts.tenant, arn).await?;
        context.set_tags("aws:ResourceTag", &tags);
    }
    let verdict = policies.decide(&Request {
        action,
        resource: &resource,
        context: &context,
    });
    if verdict.is_allowed() {
        return Ok(());
    }
    Err(denied(principal, action, &resource, &verdict))
}

/// The tags of exactly what the ARN names; what does not exist has none.
pub(crate) async fn resource_tags(api: &Api, tenant: &Tenant, arn: &Arn) -> Result<BTreeMap<String, String>> {
    if arn.service != "iam" {
        return Ok(api.store().tags(tenant, &arn.to_string()).await?);
    }
    let Some(holder) = Holder::parse(&arn.resource) else {
        return Ok(BTreeMap::new());
    };
    let grants = api.access.grants(&arn.account, &holder).await?;
    Ok(grants.map(|grants| grants.tags.clone()).unwrap_or_default())
}

/// The refusal of a verdict that allows nothing.
fn denied(principal: &Principal, action: &str, resource: &str, verdict: &Verdict) -> ApiError {
    refusal(principal, action, resource, &why(verdict, action))
}

/// AWS's sentence (user guide, "Troubleshoot access denied error messages").
fn refusal(principal: &Principal, action: &str, resource: &str, why: &str) -> ApiError {
    let user = principal.arn();
    ApiError::access_denied(format!(
        "User: {user} is not authorized to perform: {action} on resource: {resource}{why}"
    ))
}
