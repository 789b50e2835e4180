//! Names of things as types that cannot be mixed up.

use std::fmt;

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares string newtypes.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(inline)]
        pub struct $name(String);

        impl $name {
            /// The name as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// Twelve digits, as in an ARN.
    AccountId;
    /// An AWS region name; regions are separate worlds.
    Region;
    /// An application (project): 32 hex characters.
    AppId;
    /// Chosen by the client, or made by an import.
    EndpointId;
    /// Chosen by the client.
    UserId;
    /// 32 hex characters.
    SegmentId;
    /// 32 hex characters.
    CampaignId;
    /// `0` is the campaign's own message, others are made by the server.
    TreatmentId;
    /// 32 hex characters.
    JourneyId;
    /// 32 hex characters.
    JobId;
    /// One firing of a campaign: 32 hex characters, derived from campaign and occurrence.
    RunId;
    /// One message to one recipient: 32 hex characters, derived from run and endpoint.
    MessageId;
    /// An access key id, `AKIA…`.
    AccessKeyId;
}

/// A fresh id as Pinpoint shows them: 32 lower-case hexadecimal characters.
pub fn fresh_id() -> String {
    hex::encode(rand::rng().random::<[u8; 16]>())
}

/// The world in which names are looked up: an account in a region.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tenant {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
}
