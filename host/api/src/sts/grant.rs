//! What the credentials of a role say: duration, policies, tags and source identity of the request, checked
//! (API reference, "AssumeRole"; user guide, "Pass session tags in AWS STS").

use std::collections::BTreeMap;

use jiff::SignedDuration;
use pinion_domain::iam::entity::{DEFAULT_SESSION, MOST_POLICIES};
use pinion_domain::iam::{Json, Policy, PolicyKind};
use pinion_domain::id::AccountId;

use super::Asked;
use super::answer::{Element, Fault, credentials};
use crate::auth::access::Grants;
use crate::auth::session::Session;
use crate::tags;

/// Characters of a session policy.
const LONGEST_POLICY: usize = 2_048;
/// Bytes that policies and tags of a session may need in its token. Tokens travel in a header.
const LARGEST: usize = 4_096;
/// Seconds of a session that another role's session asked for.
const LONGEST_CHAINED: u32 = 3_600;

/// A role of a request: `arn:aws:iam::ACCOUNT:role/NAME`.
pub(super) struct RoleArn {
    pub text: String,
    pub account: AccountId,
    pub name: String,
}

/// Tags and source identity that a role session gets, from the request and from the session before it.
pub(super) struct Passed {
    /// Named by this request.
    pub given: BTreeMap<String, String>,
    /// Of this request and of the session before.
    pub tags: BTreeMap<String, String>,
    pub transitive: Vec<String>,
    pub source_identity: Option<String>,
}

/// Everything else that a session says.
pub(super) struct Vouched<'a> {
    pub session_name: &'a str,
    pub passed: Passed,
    pub provider: Option<String>,
    /// Does a role's session ask for it?
    pub chained: bool,
}

impl Asked<'_> {
    pub(super) fn role_arn(&self) -> Result<RoleArn, Fault> {
        let text = self.parameters.required("RoleArn")?;
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let role = match parts[..] {
            ["arn", "aws", "iam", "", account, resource] => {
                resource.strip_prefix("role/").map(|name| (account, name))
            }
            _ => None,
        };
        let (account, name) =
            role.ok_or_else(|| Fault::invalid(format!("RoleArn: {text} is not the ARN of a role")))?;
        Ok(RoleArn {
            text: text.to_owned(),
            account: account.into(),
            name: name.to_owned(),
        })
    }

    pub(super) fn session_name(&self) -> Result<&str, Fault> {
        self.parameters.required("RoleSessionName")?;
        Ok(self.parameters.plain("RoleSessionName")?.unwrap_or_default())
    }

    /// The tags and source identity of the request, on top of those that the caller's session hands on.
    pub(super) fn passed(&self, before: Option<&Session>) -> Result<Passed, Fault> {
        let mut given = BTreeMap::new();
        for item in self.parameters.list("Tags") {
            let (Some(key), value) = (item.get("Key"), item.get("Value").copied().unwrap_or_default()) else {
                return Err(Fault::invalid("Tags: a tag has no Key"));
            };
            // Condition keys have no case, so two tags must differ by more.
            if given.keys().any(|known: &String| known.eq_ignore_ascii_case(key)) {
                return Err(Fault::invalid(format!("Tags: {key} is given twice")));
            }
            given.insert((*key).to_owned(), value.to_owned());
        }
        tags::check(self.api, &given).map_err(|error| Fault::invalid(error.to_string()))?;
        let mut all = BTreeMap::new();
        let mut transitive = Vec::new();
        for key in before.iter().flat_map(|session| &session.transitive) {
            if given.keys().any(|given| given.eq_ignore_ascii_case(key)) {
                let sentence =
                    format!("Tags: {key} was handed on by the session before and cannot be changed");
                return Err(Fault::sender("InvalidParameterValue", sentence));
            }
            if let Some(value) = before.and_then(|session| session.tags.get(key)) {
                all.insert(key.clone(), value.clone());
                transitive.push(key.clone());
            }
        }
        for item in self.parameters.list("TransitiveTagKeys") {
            let key = item.get("").copied().unwrap_or_default();
            if !given.contains_key(key) {
                return Err(Fault::invalid(format!(
                    "TransitiveTagKeys: {key} is not a tag of this request"
                )));
            }
            transitive.push(key.to_owned());
        }
        all.extend(given.clone());
        let handed_on = before.and_then(|session| session.source_identity.clone());
        let source_identity = match (self.parameters.plain("SourceIdentity")?, handed_on) {
            (Some(now), Some(then)) if now != then => {
                return Err(Fault::invalid(
                    "SourceIdentity: is that of the session before and cannot be changed",
                ));
            }
            (Some(now), _) => Some(now.to_owned()),
            (None, then) => then,
        };
        Ok(Passed {
            given,
            tags: all,
            transitive,
            source_identity,
        })
    }

    /// Gives the credentials out. The caller was found worthy of the role before.
    pub(super) async fn grant(
        &self,
        role: &RoleArn,
        grants: &Grants,
        vouched: Vouched<'_>,
    ) -> Result<Vec<Element>, Fault> {
        let longest = grants
            .trust
            .as_ref()
            .map_or(DEFAULT_SESSION, |(_, longest)| *longest);
        let most = if vouched.chained {
            longest.min(LONGEST_CHAINED)
        } else {
            longest
        };
        let seconds = self.parameters.seconds(DEFAULT_SESSION.min(most), most)?;
        let (policy, policies) = self.session_policies(&role.account).await?;
        let now = self.facts.now;
        let session = Session {
            account: role.account.clone(),
            holder: Some(format!("role/{}", role.name)),
            id: grants.id.clone(),
            name: vouched.session_name.to_owned(),
            parent: None,
            issued: now,
            expires: now + SignedDuration::from_secs(i64::from(seconds)),
            policy,
            policies,
            tags: vouched.passed.tags,
            transitive: vouched.passed.transitive,
            source_identity: vouched.passed.source_identity,
            provider: vouched.provider,
        };
        let packed = packed(&session);
        if packed > LARGEST {
            let percent = packed * 100 / LARGEST;
            let sentence =
                format!("The policies and tags of the session need {percent} % of the space for them");
            return Err(Fault::sender("PackedPolicyTooLarge", sentence));
        }
        let given = self.api.access.tokens.give(&session);
        let assumed = vec![
            Element::text("AssumedRoleId", format!("{}:{}", session.id, session.name)),
            Element::text(
                "Arn",
                format!(
                    "arn:aws:sts::{}:assumed-role/{}/{}",
                    role.account, role.name, session.name
                ),
            ),
        ];
        let mut result = vec![
            credentials(&given, session.expires),
            Element::of("AssumedRoleUser", assumed),
        ];
        if packed > 0 {
            let percent = (packed * 100).div_ceil(LARGEST);
            result.push(Element::text("PackedPolicySize", percent.to_string()));
        }
        if let Some(identity) = &session.source_identity {
            result.push(Element::text("SourceIdentity", identity.as_str()));
        }
        Ok(result)
    }

    /// `Policy` and `PolicyArns`.
    async fn session_policies(&self, account: &AccountId) -> Result<(Option<Json>, Vec<String>), Fault> {
        let policy = match self.parameters.get("Policy") {
            None => None,
            Some(text) if text.chars().count() > LONGEST_POLICY => {
                let sentence = format!("Policy: a session policy has at most {LONGEST_POLICY} characters");
                return Err(Fault::invalid(sentence));
            }
            Some(text) => {
                let malformed = |problem: String| Fault::sender("MalformedPolicyDocument", problem);
                let document = Json::parse(text).map_err(|error| malformed(format!("Policy: {error}")))?;
                Policy::compile("Policy", &document, PolicyKind::Identity)
                    .map_err(|error| malformed(error.to_string()))?;
                Some(document)
            }
        };
        let mut policies = Vec::new();
        for item in self.parameters.list("PolicyArns") {
            let arn = item.get("arn").copied().unwrap_or_default();
            let prefix = format!("arn:aws:iam::{account}:policy/");
            let unknown = || {
                Fault::invalid(format!(
                    "PolicyArns: there is no policy {arn} in the role's account"
                ))
            };
            let name = arn.strip_prefix(&prefix).ok_or_else(unknown)?;
            self.api
                .access
                .managed(account, name)
                .await?
                .ok_or_else(unknown)?;
            policies.push(name.to_owned());
        }
        if policies.len() > MOST_POLICIES {
            return Err(Fault::invalid(format!(
                "PolicyArns: at most {MOST_POLICIES} policies narrow a session"
            )));
        }
        Ok((policy, policies))
    }
}

/// Bytes that the session's policies and tags need.
fn packed(session: &Session) -> usize {
    let policy = session
        .policy
        .as_ref()
        .map_or(0, |policy| policy.to_string().len());
    let policies: usize = session.policies.iter().map(String::len).sum();
    let tags: usize = session
        .tags
        .iter()
        .map(|(tag, value)| tag.len() + value.len())
        .sum();
    policy + policies + tags
}
