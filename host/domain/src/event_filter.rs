//! Which events start a campaign or a journey, and which a journey's split asks about.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::segment::condition::{AttributeTest, MetricTest, SetTest};
use crate::segment::{AttributeDimension, MetricDimension, SetDimension};
use crate::{Error, Result};

/// `CampaignEventFilter` and `EventFilter`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CampaignEventFilter")]
#[serde(rename_all = "PascalCase")]
pub struct EventFilter {
    /// Which event.
    pub dimensions: EventDimensions,
    /// Whose events.
    pub filter_type: FilterType,
}

/// `FilterType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum FilterType {
    /// Events that the server itself writes.
    System,
    /// Events that applications report of endpoints.
    Endpoint,
}

/// `EventDimensions`: all of them hold.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EventDimensions {
    /// By name of the event's attribute.
    pub attributes: Option<BTreeMap<String, AttributeDimension>>,
    /// The names of events.
    pub event_type: Option<SetDimension>,
    /// By name of the event's metric.
    pub metrics: Option<BTreeMap<String, MetricDimension>>,
}

impl EventFilter {
    /// Checks a filter that starts something: it has to name an event, or every event would.
    pub fn check(&self, field: &str) -> Result<()> {
        if self.dimensions.event_type.is_none() {
            return Err(Error::invalid(
                format!("{field}.Dimensions.EventType"),
                "is required: it names the event",
            ));
        }
        self.dimensions.check(&format!("{field}.Dimensions"))
    }
}

impl EventDimensions {
    /// Checks the conditions; `field` is their path in errors.
    pub fn check(&self, field: &str) -> Result<()> {
        let Self {
            attributes,
            event_type,
            metrics,
        } = self;
        if let Some(event_type) = event_type {
            SetTest::of(event_type, &format!("{field}.EventType"))?;
        }
        for (name, attribute) in attributes.iter().flatten() {
            AttributeTest::of(attribute, &format!("{field}.Attributes.{name}"))?;
        }
        for (name, metric) in metrics.iter().flatten() {
            MetricTest::of(metric, &format!("{field}.Metrics.{name}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_name_the_member() {
        for (dimensions, field) in [
            (json!({}), Some("F.Dimensions.EventType")),
            (
                json!({"EventType": {"Values": []}}),
                Some("F.Dimensions.EventType.Values"),
            ),
            (
                json!({"EventType": {"Values": ["e"]}, "Attributes": {"a": {"Values": []}}}),
                Some("F.Dimensions.Attributes.a.Values"),
            ),
            (
                json!({"EventType": {"Values": ["e"]}, "Metrics": {"m": {"ComparisonOperator": "IS", "Value": 1}}}),
                Some("F.Dimensions.Metrics.m.ComparisonOperator"),
            ),
            (
                json!({
                    "EventType": {"DimensionType": "INCLUSIVE", "Values": ["shop.bought"]},
                    "Attributes": {"item": {"AttributeType": "INCLUSIVE", "Values": ["gloves"]}},
                    "Metrics": {"price": {"ComparisonOperator": "GREATER_THAN", "Value": 10}},
                }),
                None,
            ),
        ] {
            let filter: EventFilter =
                serde_json::from_value(json!({"FilterType": "ENDPOINT", "Dimensions": dimensions})).unwrap();
            let named = match filter.check("F") {
                Ok(()) => None,
                Err(Error::Invalid { field, .. }) => Some(field),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(named.as_deref(), field, "{dimensions}");
        }
    }
}
