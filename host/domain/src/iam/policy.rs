//! Policy documents: read, checked and compiled (user guide, "Grammar of the IAM JSON policy language").
//! What is not understood is refused, with the place: a policy that says less than its author thinks is
//! worse than none.

use super::condition::{Condition, Operator};
use super::context::{self, Context, Keys};
use super::json::Json;
use super::pattern::ArnPattern;
use super::trust::Trusted;
use crate::glob::Glob;
use crate::{Error, Result};

/// Characters that a document may have, white space not counted (user guide, "IAM and AWS STS quotas").
pub const LARGEST_DOCUMENT: usize = 6_144;

/// What a policy hangs on decides which elements its statements have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Of a user, group or role, a boundary, or of a session: says on which resources.
    Identity,
    /// A role's trust policy: says which principals.
    Trust,
}

/// A compiled document.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub(crate) statements: Vec<Statement>,
    keys: Keys,
}

/// One compiled statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principals: Vec<Trusted>,
    actions: Listed<Glob>,
    resources: Listed<ArnPattern>,
    conditions: Vec<Condition>,
}

/// What a statement does where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Permits.
    Allow,
    /// Forbids, whatever permits.
    Deny,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug, PartialEq)]
struct Listed<T> {
    not: bool,
    patterns: Vec<T>,
}

impl<T> Listed<T> {
    fn covers(&self, matches: impl Fn(&T) -> bool) -> bool {
        self.patterns.iter().any(matches) != self.not
    }
}

impl Policy {
    /// Reads a document. `field` is what the request calls it, for errors.
    pub fn compile(field: &str, document: &Json, kind: PolicyKind) -> Result<Self> {
        let length = document
            .to_string()
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .count();
        if length > LARGEST_DOCUMENT {
            return Err(Error::LimitExceeded(format!(
                "{field}: a policy has at most {LARGEST_DOCUMENT} characters, white space not counted"
            )));
        }
        let place = Place(field.to_owned());
        let members = place.object(document)?;
        place.only(members, &["Version", "Id", "Statement"])?;
        let variables = match find(members, "Version") {
            None => false,
            Some(version) => match place.at("Version").text(version)? {
                "2012-10-17" => true,
                "2008-10-17" => false,
                _ => return Err(place.at("Version").wrong("must be 2012-10-17 or 2008-10-17")),
            },
        };
        if let Some(id) = find(members, "Id") {
            place.at("Id").text(id)?;
        }
        let statements =
            find(members, "Statement").ok_or_else(|| place.at("Statement").wrong("is missing"))?;
        let place = place.at("Statement");
        let statements: Vec<Statement> = match statements {
            Json::List(all) if all.is_empty() => return Err(place.wrong("must not be empty")),
            Json::List(all) => all
                .iter()
                .enumerate()
                .map(|(at, one)| Statement::compile(&place.item(at), one, kind, variables))
                .collect::<Result<_>>()?,
            one => vec![Statement::compile(&place, one, kind, variables)?],
        };
        for (at, statement) in statements.iter().enumerate() {
            if statement.sid.is_some() && statements[..at].iter().any(|other| other.sid == statement.sid) {
                return Err(place
                    .item(at)
                    .at("Sid")
                    .wrong("is the Sid of an earlier statement too"));
            }
        }
        let keys = statements
            .iter()
            .flat_map(Statement::keys)
            .map(str::to_owned)
            .collect();
        Ok(Self {
            statements,
            keys: Keys(keys),
        })
    }

    /// The condition keys that it looks at.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The first statement of that effect that applies, with its position. The order of statements
    /// decides only which of several is named.
    pub(crate) fn applies(
        &self,
        effect: Effect,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Option<(usize, &Statement)> {
        let mut statements = self.statements.iter().enumerate();
        statements.find(|(_, statement)| {
            statement.effect == effect
                && statement.does(action, context)
                && statement
                    .resources
                    .covers(|pattern| pattern.matches(resource, context))
        })
    }
}

impl Statement {
    /// Do action and conditions fit?
    pub(crate) fn does(&self, action: &str, context: &Context) -> bool {
        let action = action.to_ascii_lowercase();
        self.actions.covers(|pattern| pattern.matches(&action))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }

    fn compile(place: &Place, statement: &Json, kind: PolicyKind, variables: bool) -> Result<Self> {
        let members = place.object(statement)?;
        let known = ["Sid", "Effect", "Action", "NotAction", "Condition"];
        match kind {
            PolicyKind::Identity => {
                if find(members, "Principal").is_some() {
                    return Err(place
                        .at("Principal")
                        .wrong("only a role's trust policy names principals"));
                }
                place.only(members, &[&known[..], &["Resource", "NotResource"]].concat())?;
            }
            PolicyKind::Trust => {
                if let Some(name) = ["Resource", "NotResource"]
                    .into_iter()
                    .find(|name| find(members, name).is_some())
                {
                    return Err(place
                        .at(name)
                        .wrong("a trust policy is about its own role, and names no resource"));
                }
                place.only(members, &[&known[..], &["Principal"]].concat())?;
            }
        }
        let effect = find(members, "Effect").ok_or_else(|| place.at("Effect").wrong("is missing"))?;
        let effect = match place.at("Effect").text(effect)? {
            "Allow" => Effect::Allow,
            "Deny" => Effect::Deny,
            _ => return Err(place.at("Effect").wrong("must be Allow or Deny")),
        };
        let (resources, principals) = match kind {
            PolicyKind::Identity => {
                let resources = listed(place, members, ["Resource", "NotResource"], |text| {
                    ArnPattern::parse(text, variables)
                })?;
                (resources, Vec::new())
            }
            PolicyKind::Trust => {
                let nothing = Listed {
                    not: true,
                    patterns: Vec::new(),
                };
                (nothing, principals(place, members)?)
            }
        };
        Ok(Self {
            sid: sid(place, members)?,
            effect,
            principals,
            actions: listed(place, members, ["Action", "NotAction"], action)?,
            resources,
            conditions: conditions(place, members, variables)?,
        })
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        let of_resources = self.resources.patterns.iter().flat_map(ArnPattern::keys);
        of_resources.chain(self.conditions.iter().flat_map(Condition::keys))
    }
}

fn sid(place: &Place, members: &[(String, Json)]) -> Result<Option<String>> {
    let Some(sid) = find(members, "Sid") else {
        return Ok(None);
    };
    let place = place.at("Sid");
    let sid = place.text(sid)?;
    if !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(place.wrong("must be letters and digits"));
    }
    Ok((!sid.is_empty()).then(|| sid.to_owned()))
}

/// Exactly one of an element and its negation, one text or many.
fn listed<T>(
    place: &Place,
    members: &[(String, Json)],
    [name, negation]: [&str; 2],
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Listed<T>> {
    let (name, values, not) = match (find(members, name), find(members, negation)) {
        (Some(values), None) => (name, values, false),
        (None, Some(values)) => (negation, values, true),
        (None, None) => return Err(place.at(name).wrong(format!("is missing, and so is {negation}"))),
        (Some(_), Some(_)) => return Err(place.at(name).wrong(format!("cannot stand beside {negation}"))),
    };
    let place = place.at(name);
    let mut patterns = Vec::new();
    for value in values.each() {
        let text = place.text(value)?;
        patterns.push(parse(text).map_err(|problem| place.wrong(problem))?);
    }
    if patterns.is_empty() {
        return Err(place.wrong("must not be empty"));
    }
    Ok(Listed { not, patterns })
}

/// `SERVICE:NAME` with wildcards, or `*`. Actions have no case.
fn action(text: &str) -> Result<Glob, String> {
    let well_formed = text == "*"
        || text.split_once(':').is_some_and(|(service, name)| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"*?-_".contains(&byte);
            !service.is_empty() && !name.is_empty() && service.bytes().chain(name.bytes()).all(letter)
        });
    if !well_formed {
        return Err(format!(
            "{text:?} is no action, such as mobiletargeting:GetApp or pinion:*"
        ));
    }
    Ok(Glob::parse(&text.to_ascii_lowercase()))
}

fn principals(place: &Place, members: &[(String, Json)]) -> Result<Vec<Trusted>> {
    let place = place.at("Principal");
    let principal = find(members, "Principal").ok_or_else(|| place.wrong("is missing"))?;
    let kinds = match principal {
        Json::Text(text) if text == "*" => return Ok(vec![Trusted::Everybody]),
        Json::Object(kinds) if !kinds.is_empty() => kinds,
        _ => {
            return Err(place.wrong(
                "must be \"*\" or an object such as {\"AWS\": \"arn:aws:iam::111122223333:user/ann\"}",
            ));
        }
    };
    let mut trusted = Vec::new();
    for (kind, values) in kinds {
        let place = place.at(kind);
        if values.each().is_empty() {
            return Err(place.wrong("must not be empty"));
        }
        for value in values.each() {
            let text = place.text(value)?;
            trusted.push(Trusted::parse(kind, text).map_err(|problem| place.wrong(problem))?);
        }
    }
    Ok(trusted)
}

fn conditions(place: &Place, members: &[(String, Json)], variables: bool) -> Result<Vec<Condition>> {
    let Some(block) = find(members, "Condition") else {
        return Ok(Vec::new());
    };
    let place = place.at("Condition");
    let mut conditions = Vec::new();
    for (name, keys) in place.object(block)? {
        let place = place.at(name);
        let operator = Operator::parse(name).map_err(|problem| place.wrong(problem))?;
        for (key, values) in place.object(keys)? {
            let place = place.at(key);
            let key = context::key(key).map_err(|problem| place.wrong(problem))?;
            let condition = Condition::parse(key, operator, values, variables);
            conditions.push(condition.map_err(|problem| place.wrong(problem))?);
        }
    }
    Ok(conditions)
}

fn find<'j>(members: &'j [(String, Json)], name: &str) -> Option<&'j Json> {
    members
        .iter()
        .find(|(member, _)| member == name)
        .map(|(_, value)| value)
}

/// Where in a document one is.
struct Place(String);

impl Place {
    fn at(&self, member: &str) -> Self {
        Self(format!("{}.{member}", self.0))
    }

    fn item(&self, at: usize) -> Self {
        Self(format!("{}[{at}]", self.0))
    }

    fn wrong(&self, problem: impl Into<String>) -> Error {
        Error::invalid(self.0.as_str(), problem)
    }

    fn object<'j>(&self, value: &'j Json) -> Result<&'j [(String, Json)]> {
        match value {
            Json::Object(members) => Ok(members),
            other => Err(self.wrong(format!("must be an object, not {}", other.kind()))),
        }
    }

    fn text<'j>(&self, value: &'j Json) -> Result<&'j str> {
        match value {
            Json::Text(text) => Ok(text),
            other => Err(self.wrong(format!("must be a string, not {}", other.kind()))),
        }
    }

    fn only(&self, members: &[(String, Json)], known: &[&str]) -> Result<()> {
        match members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let guess = known.iter().find(|known| known.eq_ignore_ascii_case(name));
                let hint = guess.map(|guess| format!("; did you mean {guess}?"));
                Err(self
                    .at(name)
                    .wrong(format!("is not an element here{}", hint.unwrap_or_default())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(kind: PolicyKind, text: &str) -> Result<Policy> {
        let document = Json::parse(text).expect("the tests write JSON");
        Policy::compile("PolicyDocument", &document, kind)
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, expected) in [
            ("[]", "PolicyDocument: must be an object, not a list"),
            ("{}", "PolicyDocument.Statement: is missing"),
            (
                r#"{"Statement":[]}"#,
                "PolicyDocument.Statement: must not be empty",
            ),
            (
                r#"{"statement":[]}"#,
                "PolicyDocument.statement: is not an element here; did you mean Statement?",
            ),
            (
                r#"{"Version":"2012","Statement":{}}"#,
                "PolicyDocument.Version: must be 2012-10-17",
            ),
            (
                r#"{"Id":7,"Statement":{}}"#,
                "PolicyDocument.Id: must be a string, not a number",
            ),
            (
                r#"{"Statement":{}}"#,
                "PolicyDocument.Statement.Effect: is missing",
            ),
            (
                r#"{"Statement":[{"Effect":"allow"}]}"#,
                "Statement[0].Effect: must be Allow or Deny",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Resource":"*"}]}"#,
                "Statement[0].Action: is missing, and so is NotAction",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}]}"#,
                "Statement[0].Action: cannot stand beside NotAction",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*"}]}"#,
                "Statement[0].Resource: is missing, and so is NotResource",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}"#,
                "Statement[0].Action: must not be empty",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"GetApp","Resource":"*"}]}"#,
                r#"Statement[0].Action: "GetApp" is no action"#,
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":["a:b",1],"Resource":"*"}]}"#,
                "Statement[0].Action: must be a string, not a number",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"apps/*"}]}"#,
                r#"Statement[0].Resource: "apps/*" is neither * nor an ARN"#,
            ),
            (
                r#"{"Statement":[{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}]}"#,
                "Statement[0].Sid: must be letters and digits",
            ),
            (
                r#"{"Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},
                    {"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"}]}"#,
                "Statement[1].Sid: is the Sid of an earlier statement too",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}]}"#,
                "Statement[0].Principal: only a role's trust policy",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Conditions":{}}]}"#,
                "Statement[0].Conditions: is not an element here",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{}}}]}"#,
                "Statement[0].Condition.StringIs: is not a condition operator",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*",
                    "Condition":{"Bool":{"aws:SecureTransprot":"true"}}}]}"#,
                "Statement[0].Condition.Bool.aws:SecureTransprot: \"aws:SecureTransprot\" is not one of",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*",
                    "Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","10.0.0.0/40"]}}}]}"#,
                r#"Condition.IpAddress.aws:SourceIp: "10.0.0.0/40" is no address"#,
            ),
            (
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::*:user/${aws:usrname}"}]}"#,
                "Statement[0].Resource: \"aws:usrname\" is not one of",
            ),
        ] {
            let error = compile(PolicyKind::Identity, text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}\n{error}");
        }
    }

    #[test]
    fn trust_policies_name_principals_and_no_resource() {
        for (statement, expected) in [
            (r#""Action":"sts:AssumeRole""#, "Statement.Principal: is missing"),
            (
                r#""Action":"sts:AssumeRole","Resource":"*","Principal":"*""#,
                "Statement.Resource: a trust policy is about its own role",
            ),
            (
                r#""Action":"sts:AssumeRole","NotPrincipal":"*""#,
                "Statement.NotPrincipal: is not an element here",
            ),
            (
                r#""Action":"sts:AssumeRole","Principal":{}"#,
                "Statement.Principal: must be",
            ),
            (
                r#""Action":"sts:AssumeRole","Principal":{"AWS":[]}"#,
                "Principal.AWS: must not be empty",
            ),
            (
                r#""Action":"sts:AssumeRole","Principal":{"User":"x"}"#,
                "Principal.User: is not a kind",
            ),
            (
                r#""Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111122223333:user/*"}"#,
                "Principal.AWS: \"arn:aws:iam::111122223333:user/*\" names no principal",
            ),
        ] {
            let text = format!(r#"{{"Statement":{{"Effect":"Allow",{statement}}}}}"#);
            let error = compile(PolicyKind::Trust, &text).unwrap_err().to_string();
            assert!(error.contains(expected), "{statement}\n{error}");
        }
    }

    #[test]
    fn documents_have_a_size() {
        let policy = |resources: usize| {
            let resource = format!("\"arn:aws:mobiletargeting:*:*:apps/{}\"", "x".repeat(60));
            let all = vec![resource; resources].join(",  \n ");
            format!(r#"{{"Statement":{{"Effect":"Allow","Action":"*","Resource":[{all}]}}}}"#)
        };
        assert!(compile(PolicyKind::Identity, &policy(60)).is_ok());
        let error = compile(PolicyKind::Identity, &policy(70)).unwrap_err();
        assert!(matches!(error, Error::LimitExceeded(_)), "{error}");
    }

    #[test]
    fn the_keys_of_conditions_and_variables_are_known() {
        let policy = compile(
            PolicyKind::Identity,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",
                "Resource":"arn:aws:mobiletargeting:*:*:apps/${aws:PrincipalTag/app}",
                "Condition":{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/Team}"},
                    "ForAllValues:StringEquals":{"aws:TagKeys":["a"]}}}}"#,
        );
        let policy = policy.unwrap();
        for (prefix, expected) in [
            ("aws:resourcetag/", true),
            ("aws:principaltag/team", true),
            ("aws:principaltag/app", true),
            ("aws:tagkeys", true),
            ("aws:requesttag/", false),
        ] {
            assert_eq!(policy.keys().any_begins(prefix), expected, "{prefix}");
        }
    }
}
