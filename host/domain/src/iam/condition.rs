//! Conditions: operators, and when they hold (user guide, "IAM JSON policy elements: Condition operators"
//! and "Multivalued context keys").

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;

use super::context::Context;
use super::json::Json;
use super::network::Network;
use super::pattern::{ArnPattern, Pattern, Reading};
use crate::clock::parse_iso;

/// One key under one operator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    key: String,
    operator: Operator,
    values: Vec<Value>,
}

/// What an operator's name says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Operator {
    quantifier: Option<Quantifier>,
    if_exists: bool,
    negated: bool,
    test: Test,
}

/// How many values of a key that has many must pass.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quantifier {
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Test {
    Text { wildcards: bool, fold: bool },
    Number(Order),
    Date(Order),
    Bool,
    Binary,
    Address,
    Arn,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// A value of a policy, read once.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(Pattern),
    Number(f64),
    Date(Timestamp),
    Bool(bool),
    Binary(Vec<u8>),
    Address(Network),
    Arn(ArnPattern),
}

/// The operators by name: negated, and the test.
const OPERATORS: &[(&str, bool, Test)] = &[
    ("StringEquals", false, TEXT),
    ("StringNotEquals", true, TEXT),
    ("StringEqualsIgnoreCase", false, FOLDED),
    ("StringNotEqualsIgnoreCase", true, FOLDED),
    ("StringLike", false, LIKE),
    ("StringNotLike", true, LIKE),
    ("NumericEquals", false, Test::Number(Order::Equal)),
    ("NumericNotEquals", true, Test::Number(Order::Equal)),
    ("NumericLessThan", false, Test::Number(Order::Less)),
    ("NumericLessThanEquals", false, Test::Number(Order::LessEqual)),
    ("NumericGreaterThan", false, Test::Number(Order::Greater)),
    (
        "NumericGreaterThanEquals",
        false,
        Test::Number(Order::GreaterEqual),
    ),
    ("DateEquals", false, Test::Date(Order::Equal)),
    ("DateNotEquals", true, Test::Date(Order::Equal)),
    ("DateLessThan", false, Test::Date(Order::Less)),
    ("DateLessThanEquals", false, Test::Date(Order::LessEqual)),
    ("DateGreaterThan", false, Test::Date(Order::Greater)),
    ("DateGreaterThanEquals", false, Test::Date(Order::GreaterEqual)),
    ("Bool", false, Test::Bool),
    ("BinaryEquals", false, Test::Binary),
    ("IpAddress", false, Test::Address),
    ("NotIpAddress", true, Test::Address),
    // At AWS both pairs mean the same.
    ("ArnEquals", false, Test::Arn),
    ("ArnLike", false, Test::Arn),
    ("ArnNotEquals", true, Test::Arn),
    ("ArnNotLike", true, Test::Arn),
    ("Null", false, Test::Null),
];

const TEXT: Test = Test::Text {
    wildcards: false,
    fold: false,
};
const FOLDED: Test = Test::Text {
    wildcards: false,
    fold: true,
};
const LIKE: Test = Test::Text {
    wildcards: true,
    fold: false,
};

impl Operator {
    /// `[ForAllValues:|ForAnyValue:]NAME[IfExists]`
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let unknown = || {
            let guess = OPERATORS
                .iter()
                .find(|(known, ..)| known.eq_ignore_ascii_case(text));
            let hint = guess.map(|(known, ..)| format!("; did you mean {known}?"));
            format!("is not a condition operator{}", hint.unwrap_or_default())
        };
        let (quantifier, rest) = match text.split_once(':') {
            None => (None, text),
            Some(("ForAllValues", rest)) => (Some(Quantifier::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::Any), rest),
            Some(_) => return Err(unknown()),
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let known = OPERATORS.iter().find(|(known, ..)| *known == name);
        let (_, negated, test) = *known.ok_or_else(unknown)?;
        if test == Test::Null && (if_exists || quantifier.is_some()) {
            return Err("Null cannot be combined with IfExists, ForAllValues or ForAnyValue".to_owned());
        }
        Ok(Self {
            quantifier,
            if_exists,
            negated,
            test,
        })
    }

    fn value(self, text: &str, variables: bool) -> Result<Value, String> {
        match self.test {
            Test::Text { wildcards, fold } => {
                let reading = Reading {
                    wildcards,
                    variables,
                    fold,
                };
                Pattern::parse(text, reading).map(Value::Text)
            }
            Test::Number(_) => number(text)
                .map(Value::Number)
                .ok_or_else(|| format!("{text:?} is not a number")),
            Test::Date(_) => date(text)
                .map(Value::Date)
                .ok_or_else(|| format!("{text:?} is not a date, such as 2026-11-23T10:00:00Z")),
            Test::Bool | Test::Null => boolean(text)
                .map(Value::Bool)
                .ok_or_else(|| format!("{text:?} is neither true nor false")),
            Test::Binary => BASE64_STANDARD
                .decode(text)
                .map(Value::Binary)
                .map_err(|_| format!("{text:?} is not base64")),
            Test::Address => text.parse().map(Value::Address),
            Test::Arn => ArnPattern::parse(text, variables).map(Value::Arn),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// An ISO date, or seconds since 1970.
fn date(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(seconds) => Timestamp::from_second(seconds).ok(),
        Err(_) => parse_iso(text),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

impl Condition {
    /// `values` is what stands behind the key: one value or many.
    pub(crate) fn parse(
        key: String,
        operator: Operator,
        values: &Json,
        variables: bool,
    ) -> Result<Self, String> {
        let mut parsed = Vec::new();
        for value in values.each() {
            let text = match value {
                Json::Text(text) => text.clone(),
                Json::Bool(_) | Json::Number(_) => value.to_string(),
                other => return Err(format!("a value must be a string, not {}", other.kind())),
            };
            parsed.push(operator.value(&text, variables)?);
        }
        if parsed.is_empty() {
            return Err("has no value".to_owned());
        }
        Ok(Self {
            key,
            operator,
            values: parsed,
        })
    }

    /// Does it hold?
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let found = context.get(&self.key);
        let Operator {
            quantifier,
            if_exists,
            negated,
            test,
        } = self.operator;
        if test == Test::Null {
            return self.values.contains(&Value::Bool(found.is_none()));
        }
        let Some(found) = found else {
            return match quantifier {
                _ if if_exists => true,
                Some(Quantifier::All) => true,
                Some(Quantifier::Any) => false,
                None => negated,
            };
        };
        let is_one_of = |found: &String| self.values.iter().any(|value| self.equals(found, value, context));
        match quantifier {
            Some(Quantifier::All) => found.iter().all(|found| is_one_of(found) != negated),
            Some(Quantifier::Any) => found.iter().any(|found| is_one_of(found) != negated),
            // A key of many values under a plain operator: any of them.
            None => found.iter().any(is_one_of) != negated,
        }
    }

    fn equals(&self, found: &str, value: &Value, context: &Context) -> bool {
        match (self.operator.test, value) {
            (Test::Text { .. }, Value::Text(pattern)) => pattern.matches(found, context),
            (Test::Number(order), Value::Number(value)) => number(found)
                .and_then(|found| found.partial_cmp(value))
                .is_some_and(|is| order.allows(is)),
            (Test::Date(order), Value::Date(value)) => {
                date(found).is_some_and(|found| order.allows(found.cmp(value)))
            }
            (Test::Bool, Value::Bool(value)) => boolean(found) == Some(*value),
            (Test::Binary, Value::Binary(value)) => {
                BASE64_STANDARD.decode(found).is_ok_and(|found| found == *value)
            }
            (Test::Address, Value::Address(network)) => found
                .parse::<IpAddr>()
                .is_ok_and(|address| network.contains(address)),
            (Test::Arn, Value::Arn(pattern)) => pattern.matches(found, context),
            _ => false,
        }
    }

    /// The keys that it looks at, those of variables included.
    pub(crate) fn keys(&self) -> Vec<&str> {
        let mut keys = vec![self.key.as_str()];
        for value in &self.values {
            match value {
                Value::Text(pattern) => keys.extend(pattern.keys()),
                Value::Arn(pattern) => keys.extend(pattern.keys()),
                _ => {}
            }
        }
        keys
    }
}

impl Order {
    fn allows(self, is: Ordering) -> bool {
        match self {
            Self::Equal => is.is_eq(),
            Self::Less => is.is_lt(),
            Self::LessEqual => is.is_le(),
            Self::Greater => is.is_gt(),
            Self::GreaterEqual => is.is_ge(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let mut context = Context::default();
        for (key, value) in [
            ("aws:SourceIp", "203.0.113.9"),
            ("aws:username", "Ann"),
            ("aws:SecureTransport", "false"),
            ("aws:CurrentTime", "2026-11-23T10:00:00Z"),
            ("aws:EpochTime", "1795428000"),
            ("aws:PrincipalArn", "arn:aws:iam::111111111111:role/crew"),
            ("aws:RequestTag/count", "7"),
            ("aws:RequestTag/bytes", "aGk="),
        ] {
            context.set(key, value);
        }
        context.set_all("aws:TagKeys", ["team", "Cost"].map(str::to_owned));
        context.set_all("aws:CalledVia", []);
        context
    }

    fn holds(operator: &str, key: &str, values: &str) -> Result<bool, String> {
        let operator = Operator::parse(operator)?;
        let key = super::super::context::key(key)?;
        let condition = Condition::parse(key, operator, &Json::parse(values).unwrap(), true)?;
        Ok(condition.holds(&context()))
    }

    #[test]
    fn operators_hold_as_documented() {
        for (operator, key, values, expected) in [
            ("StringEquals", "aws:username", r#""Ann""#, true),
            ("StringEquals", "AWS:UserName", r#"["Bob","Ann"]"#, true),
            ("StringEquals", "aws:username", r#""A*""#, false),
            ("StringEquals", "aws:username", r#""ann""#, false),
            ("StringNotEquals", "aws:username", r#"["Bob","Ann"]"#, false),
            ("StringNotEquals", "aws:username", r#"["Bob","Eve"]"#, true),
            ("StringEqualsIgnoreCase", "aws:username", r#""aNN""#, true),
            ("StringNotEqualsIgnoreCase", "aws:username", r#""aNN""#, false),
            ("StringLike", "aws:username", r#""A?n""#, true),
            ("StringNotLike", "aws:username", r#""B*""#, true),
            ("StringLike", "aws:username", r#""${aws:username}""#, true),
            ("NumericEquals", "aws:RequestTag/count", "7.0", true),
            ("NumericNotEquals", "aws:RequestTag/count", r#""7""#, false),
            ("NumericLessThan", "aws:RequestTag/count", "7", false),
            ("NumericLessThanEquals", "aws:RequestTag/count", "7", true),
            ("NumericGreaterThan", "aws:RequestTag/count", "6.5", true),
            ("NumericGreaterThanEquals", "aws:username", "0", false),
            (
                "DateEquals",
                "aws:CurrentTime",
                r#""2026-11-23T11:00:00+01:00""#,
                true,
            ),
            ("DateLessThan", "aws:CurrentTime", r#""2026-11-23""#, false),
            ("DateGreaterThan", "aws:CurrentTime", "1795427999", true),
            (
                "DateGreaterThanEquals",
                "aws:EpochTime",
                r#""2026-11-23T10:00:00Z""#,
                true,
            ),
            ("DateNotEquals", "aws:EpochTime", "1795428000", false),
            ("DateLessThanEquals", "aws:EpochTime", "1795428000", true),
            ("Bool", "aws:SecureTransport", "false", true),
            ("Bool", "aws:SecureTransport", r#""True""#, false),
            ("BinaryEquals", "aws:RequestTag/bytes", r#""aGk=""#, true),
            (
                "IpAddress",
                "aws:SourceIp",
                r#"["10.0.0.0/8","203.0.113.0/24"]"#,
                true,
            ),
            (
                "NotIpAddress",
                "aws:SourceIp",
                r#"["10.0.0.0/8","203.0.113.0/24"]"#,
                false,
            ),
            ("ArnLike", "aws:PrincipalArn", r#""arn:aws:iam::*:role/*""#, true),
            (
                "ArnEquals",
                "aws:PrincipalArn",
                r#""arn:aws:iam::*:role/cr?w""#,
                true,
            ),
            (
                "ArnNotLike",
                "aws:PrincipalArn",
                r#""arn:aws:iam::*:user/*""#,
                true,
            ),
            ("ArnNotEquals", "aws:PrincipalArn", r#""*""#, false),
            ("Null", "aws:username", "false", true),
            ("Null", "aws:username", r#""true""#, false),
            ("Null", "aws:TokenIssueTime", "true", true),
        ] {
            assert_eq!(
                holds(operator, key, values),
                Ok(expected),
                "{operator} {key} {values}"
            );
        }
    }

    #[test]
    fn an_absent_key_fails_unless_the_operator_is_negated_or_asks_only_if_it_exists() {
        for (operator, values, expected) in [
            ("StringEquals", r#""x""#, false),
            ("StringNotEquals", r#""x""#, true),
            ("StringEqualsIfExists", r#""x""#, true),
            ("StringNotEqualsIfExists", r#""x""#, true),
            ("NumericLessThan", "1", false),
            ("DateGreaterThanIfExists", "1", true),
            ("Bool", "true", false),
            ("BoolIfExists", "true", true),
            ("NotIpAddress", r#""0.0.0.0/0""#, true),
            ("ArnNotLike", r#""*""#, true),
            ("ForAllValues:StringEquals", r#""x""#, true),
            ("ForAnyValue:StringEquals", r#""x""#, false),
            ("ForAnyValue:StringNotEquals", r#""x""#, false),
            ("ForAnyValue:StringEqualsIfExists", r#""x""#, true),
        ] {
            assert_eq!(
                holds(operator, "aws:MultiFactorAuthPresent", values),
                Ok(expected),
                "{operator}"
            );
        }
        assert_eq!(holds("StringEqualsIfExists", "aws:username", r#""x""#), Ok(false));
    }

    #[test]
    fn keys_of_many_values_are_asked_for_all_or_any() {
        for (operator, values, expected) in [
            ("ForAllValues:StringEquals", r#"["team","Cost","x"]"#, true),
            ("ForAllValues:StringEquals", r#"["team"]"#, false),
            ("ForAnyValue:StringEquals", r#"["team"]"#, true),
            ("ForAnyValue:StringEquals", r#"["x"]"#, false),
            ("ForAllValues:StringNotEquals", r#"["x","y"]"#, true),
            ("ForAllValues:StringNotEquals", r#"["x","team"]"#, false),
            ("ForAnyValue:StringNotEquals", r#"["team"]"#, true),
            ("ForAnyValue:StringNotEquals", r#"["team","Cost"]"#, false),
            ("ForAnyValue:StringLike", r#""C*""#, true),
            ("StringEquals", r#""team""#, true),
            ("StringNotEquals", r#""team""#, false),
        ] {
            assert_eq!(
                holds(operator, "aws:TagKeys", values),
                Ok(expected),
                "{operator} {values}"
            );
        }
        // Present and empty.
        assert_eq!(
            holds("ForAllValues:StringEquals", "aws:CalledVia", r#""x""#),
            Ok(true)
        );
        assert_eq!(
            holds("ForAnyValue:StringEquals", "aws:CalledVia", r#""x""#),
            Ok(false)
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_a_reason() {
        for (operator, values, expected) in [
            ("StringLikes", r#""x""#, "is not a condition operator"),
            ("stringlike", r#""x""#, "did you mean StringLike?"),
            (
                "ForSomeValues:StringLike",
                r#""x""#,
                "is not a condition operator",
            ),
            ("NullIfExists", "true", "cannot be combined"),
            ("NumericEquals", r#""x""#, "is not a number"),
            ("NumericEquals", r#""inf""#, "is not a number"),
            ("DateEquals", r#""soon""#, "is not a date"),
            ("Bool", r#""yes""#, "is neither true nor false"),
            ("BinaryEquals", r#""%""#, "is not base64"),
            ("IpAddress", r#""10.0.0.0/99""#, "is no address or network"),
            ("ArnLike", r#""role/x""#, "is neither * nor an ARN"),
            ("StringEquals", "[]", "has no value"),
            ("StringEquals", "{}", "must be a string, not an object"),
            ("StringEquals", r#"["a",["b"]]"#, "must be a string, not a list"),
            ("StringEquals", r#""${aws:username""#, "is not closed"),
        ] {
            let error = holds(operator, "aws:username", values).unwrap_err();
            assert!(error.contains(expected), "{operator} {values}: {error}");
        }
    }
}
