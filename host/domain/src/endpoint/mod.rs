//! Endpoints and users: the documents and how updates change them.

mod merge;
mod quota;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

pub use merge::{Applied, Claim, apply, apply_user};
pub use quota::{Quotas, check, check_id, check_whole};

use crate::channel::ChannelType;
use crate::id::UserId;

/// Names to lists of values.
pub type Attributes = BTreeMap<String, Vec<String>>;
/// Names to numbers.
pub type Metrics = BTreeMap<String, f64>;

/// `EndpointRequest`: members left out stay as they are.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointRequest {
    /// E-mail address, phone number, device token …
    pub address: Option<String>,
    /// Values replace those of the same name.
    pub attributes: Option<Attributes>,
    /// How the address is reached.
    pub channel_type: Option<ChannelType>,
    /// The device.
    pub demographic: Option<Demographic>,
    /// When the caller says the update happened, ISO.
    pub effective_date: Option<String>,
    /// `ACTIVE` or `INACTIVE`.
    pub endpoint_status: Option<String>,
    /// Where.
    pub location: Option<Location>,
    /// Numbers replace those of the same name.
    pub metrics: Option<Metrics>,
    /// `ALL` or `NONE`.
    pub opt_out: Option<String>,
    /// The request that made the update.
    pub request_id: Option<String>,
    /// Whose endpoint it is.
    pub user: Option<EndpointUser>,
    /// Where it comes from, if it was exported somewhere: only imports say so, and only new endpoints take
    /// it over.
    #[serde(skip)]
    pub origin: Origin,
}

/// What an exported endpoint brings along that clients cannot set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// `"0"` to `"99"`.
    pub cohort_id: Option<String>,
    /// ISO instant.
    pub creation_date: Option<String>,
}

/// `EndpointBatchItem`: an update and the id it is for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointBatchItem {
    /// The endpoint's id.
    pub id: Option<String>,
    /// The update.
    #[serde(flatten)]
    pub endpoint: EndpointRequest,
}

/// `EndpointDemographic`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "EndpointDemographic")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct Demographic {
    pub app_version: Option<String>,
    pub locale: Option<String>,
    pub make: Option<String>,
    pub model: Option<String>,
    pub model_version: Option<String>,
    pub platform: Option<String>,
    pub platform_version: Option<String>,
    pub timezone: Option<String>,
}

/// `EndpointLocation`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "EndpointLocation")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct Location {
    pub city: Option<String>,
    /// ISO 3166-1 alpha-2 or alpha-3.
    pub country: Option<String>,
    /// Degrees, kept to one decimal.
    pub latitude: Option<f64>,
    /// Degrees, kept to one decimal.
    pub longitude: Option<f64>,
    pub postal_code: Option<String>,
    pub region: Option<String>,
}

/// `EndpointUser`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointUser {
    /// Belong to the user: all of a user's endpoints show them.
    pub user_attributes: Option<Attributes>,
    /// Whose.
    pub user_id: Option<UserId>,
}

/// What is stored of an endpoint, as JSON. The address lives in a sealed column and the user's
/// attributes in the user's own document.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointDocument {
    /// Custom attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: Attributes,
    /// How the address is reached.
    pub channel_type: Option<ChannelType>,
    /// `"0"` to `"99"`; returned to clients, our own assignments do not use it.
    pub cohort_id: String,
    /// ISO instant.
    pub creation_date: String,
    /// The device.
    pub demographic: Option<Demographic>,
    /// ISO instant of the last update.
    pub effective_date: String,
    /// `ACTIVE` or `INACTIVE`.
    pub endpoint_status: String,
    /// Where.
    pub location: Option<Location>,
    /// Custom metrics.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: Metrics,
    /// `ALL` or `NONE`.
    pub opt_out: String,
    /// The request that made the last update.
    pub request_id: Option<String>,
}

impl EndpointDocument {
    /// May messages go there as far as the endpoint itself says?
    pub fn is_active(&self) -> bool {
        self.endpoint_status != "INACTIVE"
    }

    /// Has the person refused all messages?
    pub fn is_opted_out(&self) -> bool {
        self.opt_out == "ALL"
    }
}

/// What is stored of a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserDocument {
    /// Shared by all of the user's endpoints.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub user_attributes: Attributes,
}

/// An endpoint with all that belongs to it, as the store gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Dense number within the application; never reused.
    pub seq: u32,
    /// The client's name for it.
    pub id: crate::id::EndpointId,
    /// Whose.
    pub user_id: Option<UserId>,
    /// Unsealed.
    pub address: Option<String>,
    /// The stored document.
    pub document: EndpointDocument,
    /// The user's document, if there is a user.
    pub user: Option<UserDocument>,
}

/// `EndpointResponse`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct EndpointResponse {
    pub id: crate::id::EndpointId,
    pub application_id: crate::id::AppId,
    pub address: Option<String>,
    #[serde(flatten)]
    pub document: EndpointDocument,
    pub user: Option<EndpointUser>,
}

impl Endpoint {
    /// As clients see it.
    pub fn response(self, app: &crate::id::AppId) -> EndpointResponse {
        let attributes = self
            .user
            .map(|user| user.user_attributes)
            .filter(|attributes| !attributes.is_empty());
        EndpointResponse {
            application_id: app.clone(),
            id: self.id,
            address: self.address,
            document: self.document,
            user: self.user_id.map(|user_id| EndpointUser {
                user_attributes: attributes,
                user_id: Some(user_id),
            }),
        }
    }
}
