//! A segment's document, read: a tree of conditions joined by all, any and not. Reading it is the
//! check of the document, so nothing that can be stored means something else when it is used.

use super::condition::{AttributeTest, CircleTest, MetricTest, RecencyTest, SetTest};
use super::extended::Extended;
use super::{
    AttributeDimension, AttributeType, Combine, Demographics, Locations, SegmentDimensions, SegmentGroup,
    SegmentGroupList, SegmentReference, SetDimension, WriteSegment,
};
use crate::{Error, Result};

/// "You can specify up to 100 dimensions" (user guide, "Building segments").
const MOST_CONDITIONS: usize = 100;

/// How the name of an attribute begins that asks a predicate component.
const PLUGIN: &str = "plugin:";

/// Checks a request before it is taken. Errors name the member.
pub fn check(request: &WriteSegment) -> Result<()> {
    Expression::of(request.dimensions.as_ref(), request.segment_groups.as_ref()).map(drop)
}

/// A tree of conditions. Leaves know their path in the document, for people.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// No condition at all.
    Everyone,
    /// A condition on what is known of the endpoint.
    Is(String, Condition),
    /// Ask a predicate component.
    Asks(String, PredicateCondition),
    /// Belongs to another segment.
    In(String, SegmentReference),
    /// Every one holds.
    All(Vec<Expression>),
    /// At least one holds.
    Any(Vec<Expression>),
    /// It does not hold.
    Not(Box<Expression>),
}

/// A condition on what is known of the endpoint.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum Condition {
    Attribute {
        name: String,
        test: AttributeTest,
    },
    UserAttribute {
        name: String,
        test: AttributeTest,
    },
    Metric {
        name: String,
        test: MetricTest,
    },
    Member {
        member: Member,
        test: SetTest,
    },
    Recency(RecencyTest),
    Circle(CircleTest),
    /// One that Pinpoint has not.
    Extended(Extended),
}

/// Members of an endpoint that a `SetDimension` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum Member {
    AppVersion,
    ChannelType,
    Country,
    Make,
    Model,
    Platform,
}

/// What a predicate component is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PredicateCondition {
    /// The plugin.
    pub plugin: String,
    /// Its settings, a JSON text.
    pub settings: String,
}

impl Expression {
    /// Reads a segment; exactly one of the two must be there.
    pub fn of(dimensions: Option<&SegmentDimensions>, groups: Option<&SegmentGroupList>) -> Result<Self> {
        let expression = match (dimensions, groups) {
            (Some(dimensions), None) => Self::of_dimensions(dimensions, "Dimensions")?,
            (None, Some(groups)) => Self::of_groups(groups, "SegmentGroups")?,
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "SegmentGroups",
                    "a segment has either Dimensions or SegmentGroups, not both",
                ));
            }
            (None, None) => {
                return Err(Error::invalid(
                    "Dimensions",
                    "a segment needs either Dimensions or SegmentGroups",
                ));
            }
        };
        let count = expression.dimensions();
        if count > MOST_CONDITIONS {
            return Err(Error::LimitExceeded(format!(
                "the segment has {count} dimensions, at most {MOST_CONDITIONS} are allowed"
            )));
        }
        Ok(expression)
    }

    /// Reads one set of conditions, all of which must hold; `field` is its path in errors.
    pub fn of_dimensions(dimensions: &SegmentDimensions, field: &str) -> Result<Self> {
        let SegmentDimensions {
            attributes,
            behavior,
            demographic,
            location,
            metrics,
            user_attributes,
        } = dimensions;
        let mut all = Vec::new();
        for (name, dimension) in attributes.iter().flatten() {
            let field = format!("{field}.Attributes.{name}");
            all.push(if let Some(plugin) = name.strip_prefix(PLUGIN) {
                of_plugin(plugin, dimension, field)?
            } else if let Some(extended) = of_extended(name, dimension, &field) {
                extended?
            } else {
                let test = AttributeTest::of(dimension, &field)?;
                let name = name.clone();
                Self::Is(field, Condition::Attribute { name, test })
            });
        }
        for (name, dimension) in user_attributes.iter().flatten() {
            let field = format!("{field}.UserAttributes.{name}");
            let test = AttributeTest::of(dimension, &field)?;
            let name = name.clone();
            all.push(Self::Is(field, Condition::UserAttribute { name, test }));
        }
        for (name, dimension) in metrics.iter().flatten() {
            let field = format!("{field}.Metrics.{name}");
            let test = MetricTest::of(dimension, &field)?;
            let name = name.clone();
            all.push(Self::Is(field, Condition::Metric { name, test }));
        }
        if let Some(demographic) = demographic {
            of_demographic(demographic, field, &mut all)?;
        }
        if let Some(location) = location {
            of_location(location, field, &mut all)?;
        }
        if let Some(recency) = behavior.as_ref().and_then(|behavior| behavior.recency.as_ref()) {
            let field = format!("{field}.Behavior.Recency");
            let test = RecencyTest::of(recency, &field)?;
            all.push(Self::Is(field, Condition::Recency(test)));
        }
        Ok(Self::combine(Combine::All, all))
    }

    fn of_groups(list: &SegmentGroupList, field: &str) -> Result<Self> {
        if list.groups.is_empty() {
            return Err(Error::invalid(
                format!("{field}.Groups"),
                "must hold at least one group",
            ));
        }
        let groups = list
            .groups
            .iter()
            .enumerate()
            .map(|(index, group)| Self::of_group(group, &format!("{field}.Groups[{index}]")))
            .collect::<Result<_>>()?;
        Ok(Self::combine(list.include.unwrap_or_default(), groups))
    }

    /// The sources of a group are what it starts from, its dimensions choose among them: both hold.
    fn of_group(group: &SegmentGroup, field: &str) -> Result<Self> {
        let mut sources = Vec::new();
        for (index, source) in group.source_segments.iter().enumerate() {
            let field = format!("{field}.SourceSegments[{index}]");
            if source.id.as_str().is_empty() {
                return Err(Error::invalid(format!("{field}.Id"), "must not be empty"));
            }
            sources.push(Self::In(field, source.clone()));
        }
        let dimensions = group
            .dimensions
            .iter()
            .enumerate()
            .map(|(index, dimensions)| {
                Self::of_dimensions(dimensions, &format!("{field}.Dimensions[{index}]"))
            })
            .collect::<Result<_>>()?;
        Ok(Self::combine(
            Combine::All,
            vec![
                Self::combine(group.source_type.unwrap_or_default(), sources),
                Self::combine(group.combine.unwrap_or_default(), dimensions),
            ],
        ))
    }

    /// Joins parts, the costly ones last so that they are asked about fewer rows. No parts at all are
    /// no condition, whatever joins them.
    fn combine(how: Combine, mut parts: Vec<Self>) -> Self {
        if how == Combine::All {
            parts.retain(|part| *part != Self::Everyone);
        }
        if parts.is_empty() {
            return Self::Everyone;
        }
        parts.sort_by_key(Self::cost);
        let joined = match (how, parts.len()) {
            (_, 1) => parts.remove(0),
            (Combine::All, _) => Self::All(parts),
            (Combine::Any | Combine::None, _) => Self::Any(parts),
        };
        match how {
            Combine::All | Combine::Any => joined,
            Combine::None => Self::Not(Box::new(joined)),
        }
    }

    /// 0: conditions; 1: other segments; 2: predicate components.
    fn cost(&self) -> u8 {
        match self {
            Self::Everyone | Self::Is(..) => 0,
            Self::In(..) => 1,
            Self::Asks(..) => 2,
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::cost).max().unwrap_or(0),
            Self::Not(part) => part.cost(),
        }
    }

    /// Does any part of it, other segments aside, ask a predicate component?
    pub fn asks_predicates(&self) -> bool {
        self.cost() == 2
    }

    /// A leaf's path in the document.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Is(path, _) | Self::Asks(path, _) | Self::In(path, _) => Some(path),
            Self::Everyone | Self::All(_) | Self::Any(_) | Self::Not(_) => None,
        }
    }

    /// The leaves of the tree, in order.
    pub fn leaves(&self) -> Vec<&Self> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::leaves).collect(),
            Self::Not(part) => part.leaves(),
            leaf => vec![leaf],
        }
    }

    /// The segments that it refers to.
    pub fn references(&self) -> impl Iterator<Item = &SegmentReference> {
        self.leaves().into_iter().filter_map(|leaf| match leaf {
            Self::In(_, reference) => Some(reference),
            _ => None,
        })
    }

    /// What it asks of predicate components.
    pub fn predicates(&self) -> impl Iterator<Item = &PredicateCondition> {
        self.leaves().into_iter().filter_map(|leaf| match leaf {
            Self::Asks(_, predicate) => Some(predicate),
            _ => None,
        })
    }

    /// Its conditions on what is known of an endpoint.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.leaves().into_iter().filter_map(|leaf| match leaf {
            Self::Is(_, condition) => Some(condition),
            _ => None,
        })
    }

    fn dimensions(&self) -> usize {
        self.conditions().count() + self.predicates().count()
    }
}

/// An attribute that is a condition of ours; `None` if it is an ordinary one.
fn of_extended(name: &str, dimension: &AttributeDimension, field: &str) -> Option<Result<Expression>> {
    let (kind, name) = name.split_once(':')?;
    let mut any = Vec::new();
    for (index, settings) in dimension.values.iter().enumerate() {
        let path = format!("{field}.Values[{index}]");
        match Extended::of(kind, name, settings, &path)? {
            Ok(extended) => any.push(Expression::Is(path, Condition::Extended(extended))),
            Err(error) => return Some(Err(error)),
        }
    }
    if any.is_empty() {
        // Without values nothing is known but the name; an ordinary attribute without values is wrong too.
        return None;
    }
    Some(match dimension.attribute_type {
        None | Some(AttributeType::Inclusive) => Ok(Expression::combine(Combine::Any, any)),
        Some(AttributeType::Exclusive) => Ok(Expression::combine(Combine::None, any)),
        Some(_) => Err(Error::invalid(
            format!("{field}.AttributeType"),
            format!("must be INCLUSIVE or EXCLUSIVE for `{kind}:`"),
        )),
    })
}

/// An attribute `plugin:NAME`: members are those that the predicate says (INCLUSIVE) or does not say
/// (EXCLUSIVE); its one value is the settings.
fn of_plugin(plugin: &str, dimension: &AttributeDimension, field: String) -> Result<Expression> {
    if plugin.is_empty() {
        return Err(Error::invalid(field, "must name a plugin behind `plugin:`"));
    }
    let [settings] = dimension.values.as_slice() else {
        return Err(Error::invalid(
            format!("{field}.Values"),
            format!(
                "must hold exactly one value, the settings as JSON, not {}",
                dimension.values.len()
            ),
        ));
    };
    if let Err(error) = serde_json::from_str::<serde_json::Value>(settings) {
        return Err(Error::invalid(
            format!("{field}.Values"),
            format!("the settings are not JSON: {error}"),
        ));
    }
    let asks = |field| {
        Expression::Asks(
            field,
            PredicateCondition {
                plugin: plugin.to_owned(),
                settings: settings.clone(),
            },
        )
    };
    match dimension.attribute_type {
        None | Some(AttributeType::Inclusive) => Ok(asks(field)),
        Some(AttributeType::Exclusive) => Ok(Expression::Not(Box::new(asks(field)))),
        Some(_) => Err(Error::invalid(
            format!("{field}.AttributeType"),
            "must be INCLUSIVE or EXCLUSIVE for a plugin",
        )),
    }
}

fn of_demographic(demographic: &Demographics, field: &str, all: &mut Vec<Expression>) -> Result<()> {
    let Demographics {
        app_version,
        channel,
        device_type,
        make,
        model,
        platform,
    } = demographic;
    let mut add = |dimension: &Option<SetDimension>, name: &str, member: Member| -> Result<()> {
        if let Some(dimension) = dimension {
            let field = format!("{field}.Demographic.{name}");
            let test = match member {
                Member::ChannelType => SetTest::of_channels(dimension, &field)?,
                _ => SetTest::of(dimension, &field)?,
            };
            all.push(Expression::Is(field, Condition::Member { member, test }));
        }
        Ok(())
    };
    add(app_version, "AppVersion", Member::AppVersion)?;
    add(channel, "Channel", Member::ChannelType)?;
    // No member of an endpoint is called device type and the guide does not say what is compared. The
    // nearest that endpoints have is the platform of the device (`ios`, `android`).
    add(device_type, "DeviceType", Member::Platform)?;
    add(make, "Make", Member::Make)?;
    add(model, "Model", Member::Model)?;
    add(platform, "Platform", Member::Platform)
}

fn of_location(location: &Locations, field: &str, all: &mut Vec<Expression>) -> Result<()> {
    let Locations { country, gps_point } = location;
    if let Some(dimension) = country {
        // Codes are compared as they are written: `DE` and `DEU` are different texts.
        let field = format!("{field}.Location.Country");
        let test = SetTest::of(dimension, &field)?;
        let member = Member::Country;
        all.push(Expression::Is(field, Condition::Member { member, test }));
    }
    if let Some(point) = gps_point {
        let field = format!("{field}.Location.GPSPoint");
        let test = CircleTest::of(point, &field)?;
        all.push(Expression::Is(field, Condition::Circle(test)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(document: serde_json::Value) -> WriteSegment {
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn good_segments_are_taken() {
        for document in [
            json!({"Dimensions": {}}),
            json!({"Name": "n", "Dimensions": {
                "Attributes": {
                    "plan": {"Values": ["gold"]},
                    "since": {"AttributeType": "BETWEEN", "Values": ["2026-01-01", "2026-02-01T00:00Z"]},
                    "plugin:engagement": {"AttributeType": "EXCLUSIVE", "Values": ["{\"atLeast\": 3}"]},
                    "event:_email.open": {"AttributeType": "EXCLUSIVE", "Values": ["{}", "{\"AtMost\": 3}"]},
                    "random:spring": {"Values": ["{\"To\": 10}"]},
                    "time:of day": {"Values": ["noon"]}
                },
                "UserAttributes": {"city": {"AttributeType": "CONTAINS", "Values": ["ü"]}},
                "Metrics": {"score": {"ComparisonOperator": "GREATER_THAN", "Value": 3}},
                "Behavior": {"Recency": {"Duration": "DAY_30", "RecencyType": "ACTIVE"}},
                "Demographic": {"Channel": {"Values": ["EMAIL"]}, "DeviceType": {"Values": ["ios"]}},
                "Location": {"Country": {"Values": ["DE"]}, "GPSPoint": {
                    "Coordinates": {"Latitude": 52.5, "Longitude": 13.4}, "RangeInKilometers": 20}}
            }}),
            json!({"SegmentGroups": {"Include": "NONE", "Groups": [
                {"SourceSegments": [{"Id": "a", "Version": 3}], "SourceType": "ANY", "Type": "NONE",
                 "Dimensions": [{"Metrics": {"m": {"ComparisonOperator": "EQUAL", "Value": 0}}}]}]}}),
        ] {
            assert_eq!(check(&read(document.clone())), Ok(()), "{document}");
        }
    }

    #[test]
    fn errors_name_the_member() {
        let dimensions = |dimensions: serde_json::Value| json!({"Dimensions": dimensions});
        let attribute = |kind: &str, values: &[&str]| {
            dimensions(json!({"Attributes": {"a": {"AttributeType": kind, "Values": values}}}))
        };
        let point = |latitude: f64, range: serde_json::Value| {
            dimensions(json!({"Location": {"GPSPoint": {
                "Coordinates": {"Latitude": latitude, "Longitude": 0}, "RangeInKilometers": range}}}))
        };
        for (document, field) in [
            (json!({}), "Dimensions"),
            (
                json!({"Dimensions": {}, "SegmentGroups": {"Groups": [{}]}}),
                "SegmentGroups",
            ),
            (json!({"SegmentGroups": {"Groups": []}}), "SegmentGroups.Groups"),
            (attribute("INCLUSIVE", &[]), "Dimensions.Attributes.a.Values"),
            (attribute("BEFORE", &["soon"]), "Dimensions.Attributes.a.Values"),
            (
                attribute("BETWEEN", &["2026-01-01"]),
                "Dimensions.Attributes.a.Values",
            ),
            (
                attribute("BETWEEN", &["2026-01-02", "2026-01-01"]),
                "Dimensions.Attributes.a.Values",
            ),
            (
                dimensions(json!({"UserAttributes": {"u": {"Values": []}}})),
                "Dimensions.UserAttributes.u.Values",
            ),
            (
                dimensions(json!({"Metrics": {"m": {"ComparisonOperator": "ABOVE", "Value": 1}}})),
                "Dimensions.Metrics.m.ComparisonOperator",
            ),
            (
                dimensions(json!({"Behavior": {"Recency": {"Duration": "DAY_1", "RecencyType": "ACTIVE"}}})),
                "Dimensions.Behavior.Recency.Duration",
            ),
            (
                dimensions(json!({"Behavior": {"Recency": {"Duration": "DAY_7", "RecencyType": "LAZY"}}})),
                "Dimensions.Behavior.Recency.RecencyType",
            ),
            (
                dimensions(json!({"Demographic": {"Channel": {"Values": ["MAIL"]}}})),
                "Dimensions.Demographic.Channel.Values",
            ),
            (
                dimensions(json!({"Demographic": {"Make": {"Values": []}}})),
                "Dimensions.Demographic.Make.Values",
            ),
            (
                dimensions(json!({"Location": {"Country": {"Values": []}}})),
                "Dimensions.Location.Country.Values",
            ),
            (
                point(91.0, json!(1)),
                "Dimensions.Location.GPSPoint.Coordinates.Latitude",
            ),
            (
                point(0.0, json!(0)),
                "Dimensions.Location.GPSPoint.RangeInKilometers",
            ),
            (
                point(0.0, json!(null)),
                "Dimensions.Location.GPSPoint.RangeInKilometers",
            ),
            (
                dimensions(json!({"Attributes": {"plugin:p": {"Values": []}}})),
                "Dimensions.Attributes.plugin:p.Values",
            ),
            (
                dimensions(json!({"Attributes": {"plugin:p": {"Values": ["{}", "{}"]}}})),
                "Dimensions.Attributes.plugin:p.Values",
            ),
            (
                dimensions(json!({"Attributes": {"plugin:p": {"Values": ["{"]}}})),
                "Dimensions.Attributes.plugin:p.Values",
            ),
            (
                dimensions(json!({"Attributes": {"event:e": {"Values": ["{}", "{\"AtMost\": -1}"]}}})),
                "Dimensions.Attributes.event:e.Values[1]",
            ),
            (
                dimensions(json!({"Attributes": {"random:r": {"Values": []}}})),
                "Dimensions.Attributes.random:r.Values",
            ),
            (
                dimensions(json!({"Attributes": {"event:e": {"AttributeType": "ON", "Values": ["{}"]}}})),
                "Dimensions.Attributes.event:e.AttributeType",
            ),
            (
                dimensions(json!({"Attributes": {"plugin:p": {"AttributeType": "ON", "Values": ["{}"]}}})),
                "Dimensions.Attributes.plugin:p.AttributeType",
            ),
            (
                dimensions(json!({"Attributes": {"plugin:": {"Values": ["{}"]}}})),
                "Dimensions.Attributes.plugin:",
            ),
            (
                json!({"SegmentGroups": {"Groups": [{"SourceSegments": [{"Id": "a"}, {"Id": ""}]}]}}),
                "SegmentGroups.Groups[0].SourceSegments[1].Id",
            ),
            (
                json!({"SegmentGroups": {"Groups": [{}, {"Dimensions": [{}, {"Attributes": {"a": {"Values": []}}}]}]}}),
                "SegmentGroups.Groups[1].Dimensions[1].Attributes.a.Values",
            ),
        ] {
            match check(&read(document.clone())) {
                Err(Error::Invalid { field: named, .. }) => assert_eq!(named, field, "{document}"),
                other => panic!("{document} gave {other:?}"),
            }
        }
    }

    #[test]
    fn at_most_a_hundred_dimensions_count_over_all_groups() {
        let group = |from: usize, count: usize| {
            let attributes = (from..from + count)
                .map(|index| (format!("a{index}"), json!({"Values": ["x"]})))
                .collect::<serde_json::Map<_, _>>();
            json!({"Dimensions": [{"Attributes": attributes}]})
        };
        let segment =
            |second: usize| read(json!({"SegmentGroups": {"Groups": [group(0, 60), group(60, second)]}}));
        assert_eq!(check(&segment(40)), Ok(()));
        assert!(matches!(check(&segment(41)), Err(Error::LimitExceeded(_))));
    }
}
