//! Deciding with three truths: true, false and *unknown*, which is what a condition is that could not
//! be asked. Unknown survives all, any and not, and is never selected: a false in its place would
//! become "everyone" under NONE.

use jiff::Timestamp;

use super::SegmentReference;
use super::condition::micros;
use super::expression::{Condition, Expression, Member, PredicateCondition};
use super::extended::Extended;
use crate::channel::ChannelType;
use crate::endpoint::{EndpointDocument, UserDocument};

/// Truths that can be joined: of one endpoint ([`Truth`]) or of all at once (the columns' masks). The
/// rules are Kleene's.
pub trait Logic: Clone {
    /// Both hold.
    fn and(self, other: &Self) -> Self;
    /// At least one holds.
    fn or(self, other: &Self) -> Self;
    /// It does not hold.
    fn not(self) -> Self;
}

/// The truth about one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It could not be decided.
    Unknown,
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::True } else { Self::False }
    }
}

impl Logic for Truth {
    fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    fn or(self, other: &Self) -> Self {
        self.not().and(&other.not()).not()
    }

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// Answers the leaves of an [`Expression`].
pub trait Leaves {
    /// What an answer is.
    type Truth: Logic;

    /// The truth of no condition at all.
    fn everyone(&mut self) -> Self::Truth;
    /// A condition on what is known.
    fn condition(&mut self, condition: &Condition) -> Self::Truth;
    /// What a predicate component says. Only where `scope` is not false does the answer matter;
    /// elsewhere it may be anything.
    fn predicate(&mut self, predicate: &PredicateCondition, scope: &Self::Truth) -> Self::Truth;
    /// Belonging to another segment.
    fn segment(&mut self, reference: &SegmentReference) -> Self::Truth;
    /// Is told what came of each leaf, in the order of [`Expression::leaves`].
    fn decided(&mut self, _leaf: &Expression, _truth: &Self::Truth) {}
}

impl Expression {
    /// Decides. Only where `scope` is not false does the answer matter.
    pub fn decide<L: Leaves>(&self, leaves: &mut L, scope: &L::Truth) -> L::Truth {
        let truth = match self {
            Self::Everyone => leaves.everyone(),
            Self::Is(_, condition) => leaves.condition(condition),
            Self::Asks(_, predicate) => leaves.predicate(predicate, scope),
            Self::In(_, reference) => leaves.segment(reference),
            Self::Not(part) => return part.decide(leaves, scope).not(),
            // What is false already stays so: a predicate need not be asked there …
            Self::All(parts) => return join(parts, leaves, scope, L::Truth::and, |so_far| so_far),
            // … and nor where it is true already.
            Self::Any(parts) => return join(parts, leaves, scope, L::Truth::or, L::Truth::not),
        };
        leaves.decided(self, &truth);
        truth
    }

    /// From the truth of each leaf, in the order of [`Expression::leaves`]: which of them decided. A false
    /// one decides that not all hold, a true one that any does; where all are alike, all of them do.
    pub fn deciding(&self, truths: &[Truth]) -> Vec<bool> {
        let mut left = truths;
        let mut decisive = Vec::with_capacity(truths.len());
        self.mark(&mut left, &mut decisive);
        decisive
    }

    /// Takes its leaves' truths from the front of `left`.
    fn mark(&self, left: &mut &[Truth], decisive: &mut Vec<bool>) -> Truth {
        let (parts, of_any) = match self {
            Self::Everyone | Self::Is(..) | Self::Asks(..) | Self::In(..) => {
                decisive.push(true);
                return left.split_off_first().copied().unwrap_or(Truth::Unknown);
            }
            Self::Not(part) => return part.mark(left, decisive).not(),
            Self::All(parts) => (parts, false),
            Self::Any(parts) => (parts, true),
        };
        let found: Vec<(Truth, std::ops::Range<usize>)> = parts
            .iter()
            .map(|part| {
                let from = decisive.len();
                (part.mark(left, decisive), from..decisive.len())
            })
            .collect();
        let truths = found.iter().map(|(truth, _)| *truth);
        let truth = if of_any {
            truths.fold(Truth::False, |so_far, truth| so_far.or(&truth))
        } else {
            truths.fold(Truth::True, |so_far, truth| so_far.and(&truth))
        };
        for (of_part, leaves) in found {
            if of_part != truth {
                decisive[leaves].fill(false);
            }
        }
        truth
    }
}

fn join<L: Leaves>(
    parts: &[Expression],
    leaves: &mut L,
    scope: &L::Truth,
    join: fn(L::Truth, &L::Truth) -> L::Truth,
    undecided: fn(L::Truth) -> L::Truth,
) -> L::Truth {
    let mut so_far: Option<L::Truth> = None;
    for part in parts {
        let answer = match &so_far {
            Some(so_far) if part.asks_predicates() => {
                part.decide(leaves, &undecided(so_far.clone()).and(scope))
            }
            _ => part.decide(leaves, scope),
        };
        so_far = Some(match so_far {
            Some(so_far) => join(so_far, &answer),
            None => answer,
        });
    }
    so_far.unwrap_or_else(|| leaves.everyone())
}

/// Answers what an endpoint's own documents do not tell.
pub trait Answers {
    /// What a predicate component says of the endpoint; a fault is unknown.
    fn predicate(&self, predicate: &PredicateCondition) -> Truth;
    /// Whether the endpoint belongs to another segment.
    fn segment(&self, reference: &SegmentReference) -> Truth;
    /// A condition that Pinpoint has not.
    fn extended(&self, condition: &Extended) -> bool;
}

/// Decides for one endpoint: event campaigns and journeys ask so, and it is the oracle of the columns.
pub struct Matcher<'a> {
    /// The endpoint.
    pub endpoint: &'a EndpointDocument,
    /// Its user.
    pub user: Option<&'a UserDocument>,
    /// The present moment.
    pub now: Timestamp,
    /// What the documents do not tell.
    pub answers: &'a dyn Answers,
}

impl Matcher<'_> {
    /// Does the endpoint fulfil the expression?
    pub fn matches(mut self, expression: &Expression) -> Truth {
        expression.decide(&mut self, &Truth::True)
    }
}

impl Leaves for Matcher<'_> {
    type Truth = Truth;

    fn everyone(&mut self) -> Truth {
        Truth::True
    }

    fn condition(&mut self, condition: &Condition) -> Truth {
        let endpoint = self.endpoint;
        let location = endpoint.location.as_ref();
        Truth::from(match condition {
            Condition::Attribute { name, test } => test.matches(values(endpoint.attributes.get(name))),
            Condition::UserAttribute { name, test } => {
                test.matches(values(self.user.and_then(|user| user.user_attributes.get(name))))
            }
            Condition::Metric { name, test } => test.matches(endpoint.metrics.get(name).copied()),
            Condition::Member { member, test } => test.matches(member.of(endpoint)),
            Condition::Recency(test) => test.matches(micros(&endpoint.effective_date), self.now),
            Condition::Circle(test) => test.matches(
                location.and_then(|location| location.latitude),
                location.and_then(|location| location.longitude),
            ),
            Condition::Extended(condition) => self.answers.extended(condition),
        })
    }

    fn predicate(&mut self, predicate: &PredicateCondition, scope: &Truth) -> Truth {
        match scope {
            Truth::False => Truth::False,
            _ => self.answers.predicate(predicate),
        }
    }

    fn segment(&mut self, reference: &SegmentReference) -> Truth {
        self.answers.segment(reference)
    }
}

fn values(values: Option<&Vec<String>>) -> impl Iterator<Item = &str> {
    values.into_iter().flatten().map(String::as_str)
}

impl Member {
    /// The member's value.
    pub fn of(self, endpoint: &EndpointDocument) -> Option<&str> {
        let demographic = endpoint.demographic.as_ref();
        match self {
            Self::ChannelType => endpoint.channel_type.map(ChannelType::as_str),
            Self::Country => endpoint.location.as_ref()?.country.as_deref(),
            Self::AppVersion => demographic?.app_version.as_deref(),
            Self::Make => demographic?.make.as_deref(),
            Self::Model => demographic?.model.as_deref(),
            Self::Platform => demographic?.platform.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::Truth::{False, True, Unknown};
    use super::*;
    use crate::segment::SegmentDocument;

    #[test]
    fn unknown_survives_unless_the_other_side_decides() {
        for (a, b, and, or) in [
            (True, True, True, True),
            (True, False, False, True),
            (True, Unknown, Unknown, True),
            (False, False, False, False),
            (False, Unknown, False, Unknown),
            (Unknown, Unknown, Unknown, Unknown),
        ] {
            assert_eq!((a.and(&b), b.and(&a)), (and, and), "{a:?} and {b:?}");
            assert_eq!((a.or(&b), b.or(&a)), (or, or), "{a:?} or {b:?}");
        }
        assert_eq!([True, False, Unknown].map(Truth::not), [False, True, Unknown]);
    }

    /// Predicates and segments by their name: `yes`, `no` or anything else.
    #[derive(Default)]
    struct ByName(RefCell<Vec<String>>);

    impl ByName {
        fn answer(&self, name: &str) -> Truth {
            self.0.borrow_mut().push(name.to_owned());
            match name {
                "yes" => True,
                "no" => False,
                _ => Unknown,
            }
        }
    }

    impl Answers for ByName {
        fn predicate(&self, predicate: &PredicateCondition) -> Truth {
            self.answer(&predicate.plugin)
        }

        fn segment(&self, reference: &SegmentReference) -> Truth {
            self.answer(reference.id.as_str())
        }

        fn extended(&self, condition: &Extended) -> bool {
            match condition {
                Extended::Recipient(test) => test.campaign.as_str() == "yes",
                other => panic!("{other:?}"),
            }
        }
    }

    fn decide(document: serde_json::Value, answers: &ByName) -> Truth {
        let segment: SegmentDocument = serde_json::from_value(document).unwrap();
        let endpoint = serde_json::from_value(json!({
            "Attributes": {"plan": ["gold", "beta"]}, "Metrics": {"score": 5.0}, "ChannelType": "EMAIL",
            "Demographic": {"Platform": "ios", "Make": "apple", "Model": "m", "AppVersion": "1"},
            "Location": {"Country": "DE", "Latitude": 52.5, "Longitude": 13.4},
            "EffectiveDate": "2026-11-20T00:00:00.000Z", "CohortId": "1", "CreationDate": "",
            "EndpointStatus": "ACTIVE", "OptOut": "NONE",
        }))
        .unwrap();
        let user = serde_json::from_value(json!({"UserAttributes": {"city": ["Köln"]}})).unwrap();
        Matcher {
            endpoint: &endpoint,
            user: Some(&user),
            now: "2026-11-23T00:00:00Z".parse().unwrap(),
            answers,
        }
        .matches(&Expression::of(segment.dimensions.as_ref(), segment.segment_groups.as_ref()).unwrap())
    }

    #[test]
    fn every_kind_reads_its_member() {
        let set = |value: &str| json!({"Values": [value]});
        for (yes, no) in [
            (json!({}), json!({"Attributes": {"nobody has": set("x")}})),
            (
                json!({"Attributes": {"plan": set("beta")}}),
                json!({"Attributes": {"plan": set("x")}}),
            ),
            (
                json!({"UserAttributes": {"city": set("Köln")}}),
                json!({"UserAttributes": {"plan": set("beta")}}),
            ),
            (
                json!({"Metrics": {"score": {"ComparisonOperator": "EQUAL", "Value": 5}}}),
                json!({"Metrics": {"other": {"ComparisonOperator": "EQUAL", "Value": 5}}}),
            ),
            (
                json!({"Demographic": {"Channel": set("EMAIL")}}),
                json!({"Demographic": {"Channel": set("SMS")}}),
            ),
            (
                json!({"Demographic": {"AppVersion": set("1")}}),
                json!({"Demographic": {"AppVersion": set("m")}}),
            ),
            (
                json!({"Demographic": {"DeviceType": set("ios")}}),
                json!({"Demographic": {"DeviceType": set("m")}}),
            ),
            (
                json!({"Demographic": {"Platform": set("ios")}}),
                json!({"Demographic": {"Platform": set("m")}}),
            ),
            (
                json!({"Demographic": {"Make": set("apple")}}),
                json!({"Demographic": {"Make": set("m")}}),
            ),
            (
                json!({"Demographic": {"Model": set("m")}}),
                json!({"Demographic": {"Model": set("apple")}}),
            ),
            (
                json!({"Location": {"Country": set("DE")}}),
                json!({"Location": {"Country": set("DEU")}}),
            ),
            (
                json!({"Behavior": {"Recency": {"Duration": "DAY_7", "RecencyType": "ACTIVE"}}}),
                json!({"Behavior": {"Recency": {"Duration": "HR_24", "RecencyType": "ACTIVE"}}}),
            ),
            (
                json!({"Attributes": {"campaign:yes": set("{}")}}),
                json!({"Attributes": {"campaign:yes": {"AttributeType": "EXCLUSIVE", "Values": ["{}"]}}}),
            ),
            (
                json!({"Location": {"GPSPoint": {"Coordinates": {"Latitude": 52.4, "Longitude": 13.3}, "RangeInKilometers": 20}}}),
                json!({"Location": {"GPSPoint": {"Coordinates": {"Latitude": 52.4, "Longitude": 13.3}, "RangeInKilometers": 2}}}),
            ),
        ] {
            let answers = ByName::default();
            assert_eq!(decide(json!({"Dimensions": yes}), &answers), True, "{yes}");
            assert_eq!(decide(json!({"Dimensions": no}), &answers), False, "{no}");
        }
    }

    #[test]
    fn groups_join_sources_and_dimensions() {
        let sources = |kind: &str, names: &[&str]| {
            let ids: Vec<_> = names.iter().map(|id| json!({"Id": id})).collect();
            json!({"SourceSegments": ids, "SourceType": kind})
        };
        let plan = |value: &str| json!({"Attributes": {"plan": {"Values": [value]}}});
        let dimensions = |kind: &str, values: &[&str]| {
            let sets: Vec<_> = values.iter().map(|value| plan(value)).collect();
            json!({"Dimensions": sets, "Type": kind})
        };
        for (include, groups, expected) in [
            ("ALL", vec![json!({})], True),
            ("NONE", vec![json!({})], False),
            ("ALL", vec![sources("ALL", &["yes", "no"])], False),
            ("ALL", vec![sources("ANY", &["yes", "no"])], True),
            ("ALL", vec![sources("NONE", &["yes", "no"])], False),
            ("ALL", vec![sources("NONE", &["no", "no"])], True),
            ("ALL", vec![sources("NONE", &["no", "?"])], Unknown),
            ("ALL", vec![sources("ANY", &["yes", "?"])], True),
            ("NONE", vec![sources("ALL", &["yes", "?"])], Unknown),
            ("ALL", vec![dimensions("ALL", &["gold", "x"])], False),
            ("ALL", vec![dimensions("ANY", &["gold", "x"])], True),
            ("ALL", vec![dimensions("NONE", &["y", "x"])], True),
            (
                "ANY",
                vec![sources("ALL", &["no"]), dimensions("ALL", &["gold"])],
                True,
            ),
            (
                "ALL",
                vec![sources("ALL", &["no"]), dimensions("ALL", &["gold"])],
                False,
            ),
            (
                "NONE",
                vec![sources("ALL", &["no"]), dimensions("ALL", &["gold"])],
                False,
            ),
            (
                "NONE",
                vec![sources("ALL", &["no"]), dimensions("ALL", &["x"])],
                True,
            ),
            (
                "ALL",
                vec![json!({"SourceSegments": [{"Id": "yes"}], "Dimensions": [plan("x")]})],
                False,
            ),
            (
                "ALL",
                vec![json!({"SourceSegments": [{"Id": "yes"}], "Dimensions": [plan("gold")]})],
                True,
            ),
        ] {
            let document = json!({"SegmentGroups": {"Include": include, "Groups": groups}});
            assert_eq!(
                decide(document.clone(), &ByName::default()),
                expected,
                "{document}"
            );
        }
    }

    #[test]
    fn predicates_are_asked_last_and_only_where_it_matters() {
        let segment = |plugin: &str, kind: &str, plan: &str| {
            json!({"Dimensions": {"Attributes": {
                plugin: {"AttributeType": kind, "Values": ["{}"]}, "plan": {"Values": [plan]}}}})
        };
        for (plugin, kind, plan, expected, asked) in [
            ("yes", "INCLUSIVE", "gold", True, true),
            ("yes", "EXCLUSIVE", "gold", False, true),
            ("faulty", "INCLUSIVE", "gold", Unknown, true),
            ("faulty", "EXCLUSIVE", "gold", Unknown, true),
            ("faulty", "EXCLUSIVE", "x", False, false),
        ] {
            let answers = ByName::default();
            let document = segment(&format!("plugin:{plugin}"), kind, plan);
            assert_eq!(decide(document.clone(), &answers), expected, "{document}");
            assert_eq!(!answers.0.borrow().is_empty(), asked, "{document}");
        }
    }

    #[test]
    fn the_leaves_that_decided_are_those_without_which_it_would_be_otherwise() {
        let leaf = |name: &str| {
            Expression::In(
                name.to_owned(),
                SegmentReference {
                    id: name.into(),
                    version: None,
                },
            )
        };
        let leaves = |names: &[&str]| names.iter().map(|name| leaf(name)).collect::<Vec<_>>();
        let both = || Expression::All(leaves(&["a", "b"]));
        let nested = || {
            Expression::All(vec![
                Expression::Any(leaves(&["a", "b"])),
                Expression::Not(Box::new(Expression::Any(leaves(&["c", "d"])))),
            ])
        };
        for (expression, truths, decisive) in [
            (both(), vec![True, True], vec![true, true]),
            (both(), vec![True, False], vec![false, true]),
            (both(), vec![False, Unknown], vec![true, false]),
            (both(), vec![True, Unknown], vec![false, true]),
            (
                Expression::Any(leaves(&["a", "b"])),
                vec![True, False],
                vec![true, false],
            ),
            (
                Expression::Any(leaves(&["a", "b"])),
                vec![False, False],
                vec![true, true],
            ),
            (
                nested(),
                vec![True, False, False, False],
                vec![true, false, true, true],
            ),
            (
                nested(),
                vec![True, False, True, False],
                vec![false, false, true, false],
            ),
            (
                nested(),
                vec![False, False, True, False],
                vec![true, true, true, false],
            ),
            (leaf("a"), vec![False], vec![true]),
        ] {
            assert_eq!(
                expression.deciding(&truths),
                decisive,
                "{expression:?} {truths:?}"
            );
        }
    }
}
