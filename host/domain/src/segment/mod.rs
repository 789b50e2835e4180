//! Segments: the documents, and the one meaning of every condition.

pub mod condition;
mod evaluate;
mod expression;
pub mod extended;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

pub use evaluate::{Answers, Leaves, Logic, Matcher, Truth};
pub use expression::{Condition, Expression, Member, PredicateCondition, check};

use crate::id::SegmentId;

/// `WriteSegmentRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WriteSegmentRequest")]
#[serde(rename_all = "PascalCase")]
pub struct WriteSegment {
    /// The display name.
    pub name: Option<String>,
    /// One set of conditions, all of which must hold.
    pub dimensions: Option<SegmentDimensions>,
    /// Groups of conditions and of other segments.
    pub segment_groups: Option<SegmentGroupList>,
    /// Tags to begin with; ignored by updates, as at AWS since 2023-05-22.
    #[serde(rename = "tags", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// What is stored of a segment's version.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SegmentDocument {
    /// The display name.
    pub name: Option<String>,
    /// One set of conditions.
    pub dimensions: Option<SegmentDimensions>,
    /// Groups of conditions.
    pub segment_groups: Option<SegmentGroupList>,
    /// Where an imported segment came from; its members are stored beside.
    pub import_definition: Option<SegmentImport>,
}

impl SegmentDocument {
    /// `IMPORT` or `DIMENSIONAL`.
    pub fn segment_type(&self) -> &'static str {
        if self.import_definition.is_some() {
            "IMPORT"
        } else {
            "DIMENSIONAL"
        }
    }
}

/// `SegmentImportResource`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SegmentImportResource")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct SegmentImport {
    #[serde(default)]
    pub channel_counts: BTreeMap<String, u64>,
    #[serde(default)]
    pub external_id: String,
    pub format: String,
    pub role_arn: String,
    pub s3_url: String,
    pub size: u64,
}

/// `SegmentDimensions`: kinds are ANDed, values within one are ORed.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SegmentDimensions {
    /// By attribute name. `plugin:NAME` asks a predicate component; its one value is the settings. So do
    /// the names that [`extended`] lists.
    pub attributes: Option<BTreeMap<String, AttributeDimension>>,
    /// Activity.
    pub behavior: Option<Behaviors>,
    /// Device.
    pub demographic: Option<Demographics>,
    /// Place.
    pub location: Option<Locations>,
    /// By metric name.
    pub metrics: Option<BTreeMap<String, MetricDimension>>,
    /// By user attribute name.
    pub user_attributes: Option<BTreeMap<String, AttributeDimension>>,
}

/// `AttributeDimension`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct AttributeDimension {
    /// Absent counts as INCLUSIVE.
    pub attribute_type: Option<AttributeType>,
    /// What to compare with.
    pub values: Vec<String>,
}

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AttributeType {
    /// Any of the endpoint's values is one of those given.
    Inclusive,
    /// None is.
    Exclusive,
    /// Any of the endpoint's values contains one of those given; case counts.
    Contains,
    /// An instant before.
    Before,
    /// An instant after.
    After,
    /// On the same UTC day.
    On,
    /// Between two instants, ends included.
    Between,
}

/// `SetDimension`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SetDimension {
    /// Absent counts as INCLUSIVE.
    pub dimension_type: Option<DimensionType>,
    /// What to compare with.
    pub values: Vec<String>,
}

/// One of, or none of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum DimensionType {
    Inclusive,
    Exclusive,
}

/// `MetricDimension`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct MetricDimension {
    /// `GREATER_THAN`, `LESS_THAN`, `GREATER_THAN_OR_EQUAL`, `LESS_THAN_OR_EQUAL` or `EQUAL`.
    pub comparison_operator: String,
    /// What to compare with.
    pub value: f64,
}

/// `SegmentBehaviors`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SegmentBehaviors")]
#[serde(rename_all = "PascalCase")]
pub struct Behaviors {
    /// By the time of the last update.
    pub recency: Option<Recency>,
}

/// `RecencyDimension`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RecencyDimension")]
#[serde(rename_all = "PascalCase")]
pub struct Recency {
    /// `HR_24`, `DAY_7`, `DAY_14` or `DAY_30`.
    pub duration: String,
    /// `ACTIVE` or `INACTIVE`.
    pub recency_type: String,
}

/// `SegmentDemographics`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SegmentDemographics")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct Demographics {
    pub app_version: Option<SetDimension>,
    pub channel: Option<SetDimension>,
    pub device_type: Option<SetDimension>,
    pub make: Option<SetDimension>,
    pub model: Option<SetDimension>,
    pub platform: Option<SetDimension>,
}

/// `SegmentLocation`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SegmentLocation")]
#[serde(rename_all = "PascalCase")]
pub struct Locations {
    /// By country code.
    pub country: Option<SetDimension>,
    /// By distance.
    #[serde(rename = "GPSPoint")]
    pub gps_point: Option<GpsPoint>,
}

/// `GPSPointDimension`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GPSPointDimension")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct GpsPoint {
    pub coordinates: Coordinates,
    pub range_in_kilometers: Option<f64>,
}

/// `GPSCoordinates`, in degrees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GPSCoordinates")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct Coordinates {
    pub latitude: f64,
    pub longitude: f64,
}

/// How members of a list combine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Combine {
    /// Every one holds.
    #[default]
    All,
    /// At least one holds.
    Any,
    /// None holds.
    None,
}

/// `SegmentGroupList`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SegmentGroupList {
    /// The groups.
    #[serde(default)]
    pub groups: Vec<SegmentGroup>,
    /// How the groups combine; absent counts as ALL.
    pub include: Option<Combine>,
}

/// `SegmentGroup`: its source segments combined by `source_type`, and its dimensions combined by
/// `type`; both must hold.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SegmentGroup {
    /// Sets of conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<SegmentDimensions>,
    /// Other segments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_segments: Vec<SegmentReference>,
    /// Absent counts as ALL.
    pub source_type: Option<Combine>,
    /// Absent counts as ALL.
    #[serde(rename = "Type")]
    pub combine: Option<Combine>,
}

/// `SegmentReference`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SegmentReference {
    /// The segment.
    pub id: SegmentId,
    /// Absent means the latest.
    pub version: Option<u32>,
}
