//! Channel types, and the documents that enable a channel for an application.

mod settings;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

pub use settings::{
    ChannelSettings, Credentials, Member, check, default_authentication_method, echoed, members,
};

/// Pinpoint's channel types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum ChannelType {
    Push,
    Gcm,
    Apns,
    ApnsSandbox,
    ApnsVoip,
    ApnsVoipSandbox,
    Adm,
    Sms,
    Voice,
    Email,
    Baidu,
    Custom,
    InApp,
}

impl ChannelType {
    /// Every type.
    pub const ALL: [Self; 13] = [
        Self::Push,
        Self::Gcm,
        Self::Apns,
        Self::ApnsSandbox,
        Self::ApnsVoip,
        Self::ApnsVoipSandbox,
        Self::Adm,
        Self::Sms,
        Self::Voice,
        Self::Email,
        Self::Baidu,
        Self::Custom,
        Self::InApp,
    ];

    /// The name on the wire, in configuration and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "PUSH",
            Self::Gcm => "GCM",
            Self::Apns => "APNS",
            Self::ApnsSandbox => "APNS_SANDBOX",
            Self::ApnsVoip => "APNS_VOIP",
            Self::ApnsVoipSandbox => "APNS_VOIP_SANDBOX",
            Self::Adm => "ADM",
            Self::Sms => "SMS",
            Self::Voice => "VOICE",
            Self::Email => "EMAIL",
            Self::Baidu => "BAIDU",
            Self::Custom => "CUSTOM",
            Self::InApp => "IN_APP",
        }
    }

    /// Whether a user's sixteenth endpoint of this type drives out the oldest (push tokens) or is
    /// refused (user guide, "Maximum number of endpoints").
    pub fn is_push_token(self) -> bool {
        matches!(
            self,
            Self::Gcm
                | Self::Apns
                | Self::ApnsSandbox
                | Self::ApnsVoip
                | Self::ApnsVoipSandbox
                | Self::Adm
                | Self::Baidu
        )
    }
}

impl fmt::Display for ChannelType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ChannelType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == text)
            .ok_or(())
    }
}

/// `EmailChannelRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EmailChannelRequest {
    /// Kept for clients; a binding decides how mail leaves.
    pub configuration_set: Option<String>,
    /// Absent counts as enabled.
    pub enabled: Option<bool>,
    /// Sender of messages that name none.
    pub from_address: String,
    /// Kept for clients.
    pub identity: String,
    /// Kept for clients.
    pub role_arn: Option<String>,
    /// Kept for clients.
    pub orchestration_sending_role_arn: Option<String>,
}
