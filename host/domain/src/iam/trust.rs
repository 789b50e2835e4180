//! Who may become a role: the principals of trust policies, and the decision over one.

use super::context::Context;
use super::policy::{Effect, Policy};

/// A principal that a trust policy names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trusted {
    /// `*`
    Everybody,
    /// All of an account whom its own policies let.
    Account(String),
    /// A user, a role, or one session of a role, by ARN.
    Principal(String),
    /// Whoever an identity provider vouches for: host and path of its issuer.
    Federated(String),
    /// A service of AWS. There is none here, so nobody.
    Service,
}

impl Trusted {
    /// Reads one entry of `Principal`.
    pub(crate) fn parse(kind: &str, text: &str) -> Result<Self, String> {
        let nobody = || format!("{text:?} names no principal");
        match kind {
            "AWS" => Self::of_aws(text).ok_or_else(nobody),
            "Federated" => {
                let provider = match text.strip_prefix("arn:aws:iam::") {
                    Some(rest) => rest.split_once(":oidc-provider/").map(|(_, provider)| provider),
                    None => Some(text),
                };
                let plain = |provider: &&str| !provider.is_empty() && !provider.contains(['*', '?', ':']);
                provider.filter(plain).map(|provider| Self::Federated(provider.to_owned())).ok_or_else(|| {
                    format!("{text:?} is no identity provider, such as login.example.com or arn:aws:iam::111122223333:oidc-provider/login.example.com")
                })
            }
            "Service" => Ok(Self::Service),
            _ => Err("is not a kind of principal: AWS, Federated or Service".to_owned()),
        }
    }

    fn of_aws(text: &str) -> Option<Self> {
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if text == "*" {
            return Some(Self::Everybody);
        }
        if is_account(text) {
            return Some(Self::Account(text.to_owned()));
        }
        let (service, rest) = text.strip_prefix("arn:aws:")?.split_once("::")?;
        let (account, resource) = rest.split_once(':')?;
        if !is_account(account) || text.contains(['*', '?']) {
            return None;
        }
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        match (service, kind) {
            ("iam", "root") if name.is_empty() => Some(Self::Account(account.to_owned())),
            ("iam", "user" | "role") | ("sts", "assumed-role") if !name.is_empty() => {
                Some(Self::Principal(text.to_owned()))
            }
            _ => None,
        }
    }

    fn is(&self, caller: &Caller<'_>, effect: Effect) -> Option<Trust> {
        match (self, caller) {
            (Self::Everybody, Caller::Principal { .. }) => Some(Trust::Directly),
            // "*" lets no stranger in whom some provider vouches for, but a deny is for all.
            (Self::Everybody, Caller::Federated { .. }) => {
                (effect == Effect::Deny).then_some(Trust::Directly)
            }
            (Self::Account(trusted), Caller::Principal { account, .. }) => {
                (trusted == account).then_some(Trust::ThroughAccount)
            }
            (Self::Principal(trusted), Caller::Principal { arns, .. }) => {
                arns.contains(&trusted.as_str()).then_some(Trust::Directly)
            }
            (Self::Federated(trusted), Caller::Federated { provider }) => {
                (trusted == provider).then_some(Trust::Directly)
            }
            _ => None,
        }
    }
}

/// Who wants to become a role.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// Somebody who signed.
    Principal {
        /// Of the caller.
        account: &'a str,
        /// The user's ARN, or those of the role and of the session.
        arns: &'a [&'a str],
    },
    /// Somebody whom an identity provider vouches for.
    Federated {
        /// Host and path of the issuer.
        provider: &'a str,
    },
}

/// What a trust policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Nothing about this caller.
    No,
    /// The caller's account may decide: a policy of the caller must allow it too.
    ThroughAccount,
    /// The caller itself is trusted. In the role's own account that is enough.
    Directly,
    /// The caller is refused, whatever else is said.
    Denied,
}

impl Policy {
    /// Does this trust policy let the caller do the action, `sts:AssumeRole` for example?
    pub fn trusts(&self, caller: &Caller<'_>, action: &str, context: &Context) -> Trust {
        let said = self.statements.iter().filter_map(|statement| {
            let principals = statement.principals.iter();
            let trust = principals
                .filter_map(|trusted| trusted.is(caller, statement.effect))
                .max()?;
            statement.does(action, context).then_some(match statement.effect {
                Effect::Allow => trust,
                Effect::Deny => Trust::Denied,
            })
        });
        said.max().unwrap_or(Trust::No)
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::Json;
    use super::super::policy::PolicyKind;
    use super::*;

    fn trust(statements: &str, caller: &Caller<'_>, external_id: Option<&str>) -> Trust {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let policy = Policy::compile("p", &Json::parse(&text).unwrap(), PolicyKind::Trust).unwrap();
        let mut context = Context::default();
        if let Some(id) = external_id {
            context.set("sts:ExternalId", id);
        }
        context.set("login.example.com:sub", "repo:me/it");
        let action = match caller {
            Caller::Principal { .. } => "sts:AssumeRole",
            Caller::Federated { .. } => "sts:AssumeRoleWithWebIdentity",
        };
        policy.trusts(caller, action, &context)
    }

    #[test]
    fn principals_are_trusted_directly_or_through_their_account() {
        let ann = Caller::Principal {
            account: "111122223333",
            arns: &["arn:aws:iam::111122223333:user/ann"],
        };
        let session = Caller::Principal {
            account: "111122223333",
            arns: &[
                "arn:aws:iam::111122223333:role/crew",
                "arn:aws:sts::111122223333:assumed-role/crew/s1",
            ],
        };
        let provider = Caller::Federated {
            provider: "login.example.com",
        };
        for (principal, caller, expected) in [
            (r#""*""#, &ann, Trust::Directly),
            (r#""*""#, &provider, Trust::No),
            (r#"{"AWS":"*"}"#, &session, Trust::Directly),
            (r#"{"AWS":"111122223333"}"#, &ann, Trust::ThroughAccount),
            (
                r#"{"AWS":"arn:aws:iam::111122223333:root"}"#,
                &session,
                Trust::ThroughAccount,
            ),
            (r#"{"AWS":"arn:aws:iam::444455556666:root"}"#, &ann, Trust::No),
            (
                r#"{"AWS":"arn:aws:iam::111122223333:user/ann"}"#,
                &ann,
                Trust::Directly,
            ),
            (
                r#"{"AWS":"arn:aws:iam::111122223333:user/annie"}"#,
                &ann,
                Trust::No,
            ),
            (
                r#"{"AWS":["111122223333","arn:aws:iam::111122223333:role/crew"]}"#,
                &session,
                Trust::Directly,
            ),
            (
                r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/crew/s1"}"#,
                &session,
                Trust::Directly,
            ),
            (
                r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/crew/s2"}"#,
                &session,
                Trust::No,
            ),
            (r#"{"Service":"pinpoint.amazonaws.com"}"#, &ann, Trust::No),
            (r#"{"Federated":"login.example.com"}"#, &provider, Trust::Directly),
            (
                r#"{"Federated":"arn:aws:iam::111122223333:oidc-provider/login.example.com"}"#,
                &provider,
                Trust::Directly,
            ),
            (r#"{"Federated":"login.example.com/x"}"#, &provider, Trust::No),
            (r#"{"Federated":"login.example.com"}"#, &ann, Trust::No),
        ] {
            let statement = format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:*"}}"#);
            assert_eq!(
                trust(&statement, caller, None),
                expected,
                "{principal} {caller:?}"
            );
        }
    }

    #[test]
    fn conditions_and_denials_count() {
        let ann = Caller::Principal {
            account: "111122223333",
            arns: &["arn:aws:iam::111122223333:user/ann"],
        };
        let allow = r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole",
            "Condition":{"StringEquals":{"sts:ExternalId":"12345"}}}"#;
        assert_eq!(trust(allow, &ann, Some("12345")), Trust::ThroughAccount);
        assert_eq!(trust(allow, &ann, Some("54321")), Trust::No);
        assert_eq!(trust(allow, &ann, None), Trust::No);
        let deny = r#"{"Effect":"Deny","Principal":"*","Action":"sts:*"}"#;
        for both in [format!("{allow},{deny}"), format!("{deny},{allow}")] {
            assert_eq!(trust(&both, &ann, Some("12345")), Trust::Denied);
        }
        let provider = Caller::Federated {
            provider: "login.example.com",
        };
        let federated = |sub: &str| {
            format!(
                r#"{{"Effect":"Allow","Principal":{{"Federated":"login.example.com"}},
                    "Action":"sts:AssumeRoleWithWebIdentity",
                    "Condition":{{"StringLike":{{"login.example.com:sub":"{sub}"}}}}}}"#
            )
        };
        assert_eq!(trust(&federated("repo:me/*"), &provider, None), Trust::Directly);
        assert_eq!(trust(&federated("repo:you/*"), &provider, None), Trust::No);
        let both = format!("{},{deny}", federated("*"));
        assert_eq!(trust(&both, &provider, None), Trust::Denied);
    }
}
