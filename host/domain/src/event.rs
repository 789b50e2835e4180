//! Events: what applications report, and what opens, clicks and receipts become.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::endpoint::EndpointRequest;

/// `EventsRequest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EventsRequest {
    /// By endpoint id.
    pub batch_item: BTreeMap<String, EventsBatch>,
}

/// `EventsBatch`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EventsBatch {
    /// An update of the endpoint; `{}` changes nothing.
    pub endpoint: EndpointRequest,
    /// By event id.
    pub events: BTreeMap<String, Event>,
}

/// `Event`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct Event {
    pub app_package_name: Option<String>,
    pub app_title: Option<String>,
    pub app_version_code: Option<String>,
    pub attributes: Option<BTreeMap<String, String>>,
    pub client_sdk_version: Option<String>,
    pub event_type: String,
    pub metrics: Option<BTreeMap<String, f64>>,
    pub sdk_name: Option<String>,
    pub session: Option<Session>,
    pub timestamp: String,
}

/// `Session`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct Session {
    /// Milliseconds.
    pub duration: Option<i64>,
    pub id: String,
    pub start_timestamp: String,
    pub stop_timestamp: Option<String>,
}

/// Event types that Pinion itself writes (developer guide, "Event streams").
pub mod types {
    /// Tracking pixel fetched.
    pub const OPEN: &str = "_email.open";
    /// Tracked link followed.
    pub const CLICK: &str = "_email.click";
    /// Unsubscribed through the link or the one-click header.
    pub const UNSUBSCRIBE: &str = "_email.unsubscribe";
    /// The address does not exist.
    pub const HARD_BOUNCE: &str = "_email.hardbounce";
    /// Delivered later than hand-over.
    pub const DELIVERED: &str = "_email.delivered";
    /// Marked as spam.
    pub const COMPLAINT: &str = "_email.complaint";
    /// Passing failure reported later.
    pub const SOFT_BOUNCE: &str = "_email.softbounce";
}
