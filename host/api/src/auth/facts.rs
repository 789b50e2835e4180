//! The values of condition keys of one request.

use std::collections::BTreeMap;

use http::{HeaderMap, header};
use jiff::Timestamp;
use pinion_domain::arn::Arn;
use pinion_domain::iam::{Context, Json};
use pinion_domain::id::Tenant;
use serde::Deserialize;

use super::connection::Connection;
use super::{Authority, Identity};
use crate::error::{ApiError, Result};
use crate::extract::Query;

/// What a request brings along. Keys are filled in only if a policy decides at all.
pub(crate) struct Facts<'a> {
    pub tenant: &'a Tenant,
    pub connection: Connection,
    pub headers: &'a HeaderMap,
    pub query: &'a Query,
    pub body: &'a [u8],
    pub now: Timestamp,
}

impl Facts<'_> {
    /// The keys that need nothing but the request and its principal.
    pub(crate) fn context(&self, authority: &Authority, arn: &Arn) -> Context {
        let mut context = of_principal(authority);
        self.add_request(&mut context, arn);
        context
    }

    /// The keys that say how and for what is asked.
    pub(crate) fn add_request(&self, context: &mut Context, arn: &Arn) {
        context.set("aws:ResourceAccount", arn.account.as_str());
        context.set("aws:RequestedRegion", self.tenant.region.as_str());
        context.set("aws:CurrentTime", self.now.to_string());
        context.set("aws:EpochTime", self.now.as_second().to_string());
        context.set("aws:SecureTransport", self.connection.secure.to_string());
        if let Some(peer) = self.connection.peer {
            context.set("aws:SourceIp", peer.to_canonical().to_string());
        }
        for (key, name) in [
            ("aws:UserAgent", header::USER_AGENT),
            ("aws:Referer", header::REFERER),
        ] {
            if let Some(value) = self.headers.get(name) {
                context.set(key, String::from_utf8_lossy(value.as_bytes()));
            }
        }
    }

    /// `aws:RequestTag/…` and `aws:TagKeys`: tags of the body, or names of the query. A body that cannot be
    /// read names no tags here, and its handler refuses it.
    pub(crate) fn add_request_tags(&self, context: &mut Context) -> Result<()> {
        #[derive(Deserialize)]
        struct Tagged {
            tags: Option<Json>,
        }
        let named: Vec<String> = self.query.all("tagKeys").map(str::to_owned).collect();
        if !named.is_empty() {
            context.set_all("aws:TagKeys", named);
            return Ok(());
        }
        let tagged: Tagged = match serde_json::from_slice(self.body) {
            Ok(tagged) => tagged,
            // A name that is given twice, for example: who decides and who acts must see the same tags.
            Err(error) if error.is_data() => {
                return Err(ApiError::bad_request(format!("request body: {error}")));
            }
            Err(_) => return Ok(()),
        };
        let Some(Json::Object(members)) = tagged.tags else {
            return Ok(());
        };
        let tags: BTreeMap<String, String> = members
            .into_iter()
            .filter_map(|(tag, value)| match value {
                Json::Text(value) => Some((tag, value)),
                _ => None,
            })
            .collect();
        add_request_tags(context, &tags);
        Ok(())
    }
}

/// Tags that a request gives.
pub(crate) fn add_request_tags(context: &mut Context, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        context.set_tags("aws:RequestTag", tags);
        context.set_all("aws:TagKeys", tags.keys().cloned());
    }
}

/// Who asks.
pub(crate) fn of_principal(authority: &Authority) -> Context {
    let mut context = Context::default();
    let principal = &authority.principal;
    context.set("aws:PrincipalArn", principal.policy_arn());
    context.set("aws:PrincipalAccount", principal.account.as_str());
    context.set("aws:PrincipalType", principal.kind());
    context.set("aws:PrincipalIsAWSService", "false");
    context.set("aws:ViaAWSService", "false");
    context.set("aws:userid", principal.user_id());
    if let Identity::User { name, .. } = &principal.identity {
        context.set("aws:username", name.as_str());
    }
    context.set_tags("aws:PrincipalTag", &authority.tags());
    if let Some(session) = &principal.session {
        context.set("aws:TokenIssueTime", session.issued.to_string());
        if let Some(identity) = &session.source_identity {
            context.set("aws:SourceIdentity", identity.as_str());
        }
        if let Some(provider) = &session.provider {
            context.set("aws:FederatedProvider", provider.as_str());
        }
    }
    context
}
