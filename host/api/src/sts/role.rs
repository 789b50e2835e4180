//! Becoming a role: the role's trust policy and the caller's own policies decide together.

use std::sync::Arc;

use pinion_domain::arn::Arn;
use pinion_domain::iam::entity::Holder;
use pinion_domain::iam::trust::{Caller, Trust};
use pinion_domain::iam::{Context, Request};

use super::Asked;
use super::answer::{Element, Fault};
use super::grant::{Passed, RoleArn, Vouched};
use crate::auth::access::Grants;
use crate::auth::{Authority, Identity, Principal};

/// The action of whoever has a key.
const ASSUME: &str = "sts:AssumeRole";
/// The action of whoever has a token.
const ASSUME_WITH_TOKEN: &str = "sts:AssumeRoleWithWebIdentity";

impl Asked<'_> {
    pub(super) async fn assume_role(&self, authority: &Authority) -> Result<Vec<Element>, Fault> {
        let principal = &authority.principal;
        if let Some(name) = [
            "SerialNumber",
            "TokenCode",
            "ProvidedContexts.member.1.ProviderArn",
        ]
        .into_iter()
        .find(|name| self.parameters.get(name).is_some())
        {
            return Err(Fault::invalid(format!("{name}: is not supported")));
        }
        let role = self.role_arn()?;
        let session_name = self.session_name()?;
        let passed = self.passed(principal.session.as_deref())?;
        let external_id = self.external_id()?;
        if principal.identity == Identity::Root {
            return Err(Fault::denied("Roles may not be assumed by root accounts."));
        }

        let arn = Arn::iam(&role.account, format!("role/{}", role.name));
        let mut context = self.facts.context(authority, &arn);
        add_passed(&mut context, session_name, &passed);
        if let Some(id) = external_id {
            context.set("sts:ExternalId", id);
        }
        let refused = |action: &str| {
            let user = principal.arn();
            Fault::denied(format!(
                "User: {user} is not authorized to perform: {action} on resource: {}",
                role.text
            ))
        };
        // A role that is not there is refused in the same words as one that trusts somebody else.
        let grants = self.role(&role).await?.ok_or_else(|| refused(ASSUME))?;
        context.set_tags("aws:ResourceTag", &grants.tags);
        for action in actions(ASSUME, &passed, self.parameters.get("SourceIdentity").is_some()) {
            if !may_assume(authority, &role, &grants, action, &context) {
                return Err(refused(action));
            }
        }
        let vouched = Vouched {
            session_name,
            passed,
            provider: None,
            chained: matches!(principal.identity, Identity::Role { .. }),
        };
        self.grant(&role, &grants, vouched).await
    }

    pub(super) async fn assume_role_with_web_identity(&self) -> Result<Vec<Element>, Fault> {
        let role = self.role_arn()?;
        let session_name = self.session_name()?;
        let passed = self.passed(None)?;
        if self.parameters.get("ProviderId").is_some() {
            return Err(Fault::invalid(
                "ProviderId: only OpenID Connect is supported, whose tokens name their issuer",
            ));
        }
        let token = self.parameters.required("WebIdentityToken")?;
        let claims = self.api.sts.providers.verify(token, self.facts.now).await?;

        let arn = Arn::iam(&role.account, format!("role/{}", role.name));
        let mut context = Context::default();
        self.facts.add_request(&mut context, &arn);
        add_passed(&mut context, session_name, &passed);
        context.set("aws:FederatedProvider", claims.provider.as_str());
        for (name, values) in &claims.texts {
            context.set_all(&format!("{}:{name}", claims.provider), values.iter().cloned());
        }
        let caller = Caller::Federated {
            provider: &claims.provider,
        };
        let refused = |action: &str| Fault::denied(format!("Not authorized to perform {action}"));
        let grants = self
            .role(&role)
            .await?
            .ok_or_else(|| refused(ASSUME_WITH_TOKEN))?;
        for action in actions(ASSUME_WITH_TOKEN, &passed, passed.source_identity.is_some()) {
            let trusts = grants
                .trust
                .as_ref()
                .map(|(trust, _)| trust.trusts(&caller, action, &context));
            if trusts != Some(Trust::Directly) {
                return Err(refused(action));
            }
        }
        let vouched = Vouched {
            session_name,
            passed,
            provider: Some(claims.provider.clone()),
            chained: false,
        };
        let mut result = self.grant(&role, &grants, vouched).await?;
        result.push(Element::text("SubjectFromWebIdentityToken", claims.subject));
        result.push(Element::text("Provider", claims.issuer));
        result.push(Element::text("Audience", claims.audience));
        Ok(result)
    }

    async fn role(&self, role: &RoleArn) -> Result<Option<Arc<Grants>>, Fault> {
        Ok(self
            .api
            .access
            .grants(&role.account, &Holder::role(role.name.as_str()))
            .await?)
    }

    fn external_id(&self) -> Result<Option<&str>, Fault> {
        let Some(id) = self.parameters.get("ExternalId") else {
            return Ok(None);
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
        if (2..=1_224).contains(&id.len()) && id.bytes().all(plain) {
            return Ok(Some(id));
        }
        Err(Fault::invalid(
            "ExternalId: must be 2 to 1224 letters, digits and characters of _+=,.@:/-",
        ))
    }
}

/// What has to be allowed: tags and a source identity need actions of their own.
fn actions(first: &'static str, passed: &Passed, sets_identity: bool) -> Vec<&'static str> {
    let mut actions = vec![first];
    if !passed.given.is_empty() {
        actions.push("sts:TagSession");
    }
    if sets_identity {
        actions.push("sts:SetSourceIdentity");
    }
    actions
}

fn add_passed(context: &mut Context, session_name: &str, passed: &Passed) {
    context.set("sts:RoleSessionName", session_name);
    crate::auth::add_request_tags(context, &passed.given);
    if !passed.transitive.is_empty() {
        context.set_all("sts:TransitiveTagKeys", passed.transitive.iter().cloned());
    }
    if let Some(identity) = &passed.source_identity {
        context.set("sts:SourceIdentity", identity.as_str());
    }
}

/// Who is trusted by name in the role's own account needs no policy of its own, unlike everybody else. Boundary
/// and session hold in any case: AWS lets a user who is trusted by name pass its boundary, and we do not.
fn may_assume(
    authority: &Authority,
    role: &RoleArn,
    grants: &Grants,
    action: &str,
    context: &Context,
) -> bool {
    let principal = &authority.principal;
    let arns = arns(principal);
    let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
    let caller = Caller::Principal {
        account: principal.account.as_str(),
        arns: &arns,
    };
    let trust = match &grants.trust {
        Some((trust, _)) => trust.trusts(&caller, action, context),
        None => Trust::No,
    };
    let Some(policies) = authority.policies() else {
        return false;
    };
    let request = Request {
        action,
        resource: &role.text,
        context,
    };
    match trust {
        Trust::Denied | Trust::No => false,
        Trust::Directly if role.account == principal.account => policies.objection(&request).is_none(),
        Trust::Directly | Trust::ThroughAccount => policies.decide(&request).is_allowed(),
    }
}

fn arns(principal: &Principal) -> Vec<String> {
    let mut arns = vec![principal.policy_arn(), principal.arn()];
    arns.dedup();
    arns
}
