//! The words of the ledger: what became of each recipient, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{CampaignId, MessageId, RunId};

/// What became of a recipient: exactly one terminal outcome each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// The provider took the message.
    Accepted,
    /// Handed over and refused, or given up after retries.
    Failed,
    /// Not handed over, on purpose.
    Skipped,
    /// Gets nothing, to compare with.
    Holdout,
    /// Handed over, and nobody knows.
    Unknown,
}

/// Declares reasons with their stable number and their outcome.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal, $outcome:ident;)*) => {
        /// Why a recipient has its outcome. Numbers are stored: never change one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason { $($(#[$doc])* #[serde(rename = $text)] $name = $code),* }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in the API and on pages; Pinpoint's execution metric where it has one.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The outcome that it explains.
            pub fn outcome(self) -> Outcome {
                match self { $(Self::$name => Outcome::$outcome),* }
            }

            /// The number in the ledger.
            pub fn code(self) -> i16 {
                self as i16
            }

            /// The reason of that number.
            pub fn from_code(code: i16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

reasons! {
    /// The provider took the message.
    Accepted = 0, "ACCEPTED", Accepted;

    /// In the campaign's holdout.
    TreatmentHoldout = 10, "TREATMENT_HOLDOUT", Holdout;

    /// The endpoint is INACTIVE.
    EndpointInactive = 20, "ENDPOINT_INACTIVE", Skipped;
    /// The endpoint's OptOut is ALL.
    EndpointOptOut = 21, "ENDPOINT_OPT_OUT", Skipped;
    /// The endpoint was deleted since the snapshot.
    EndpointDeleted = 22, "ENDPOINT_DELETED", Skipped;
    /// The endpoint has no address.
    MissingAddress = 23, "ENDPOINT_MISSING_ADDRESS", Skipped;
    /// The endpoint has no channel type.
    MissingChannel = 24, "ENDPOINT_MISSING_CHANNEL", Skipped;
    /// The campaign has no message for the endpoint's channel.
    ChannelMismatch = 25, "ENDPOINT_CHANNEL_MISMATCH", Skipped;
    /// The address bounced before.
    SuppressedBounce = 26, "SUPPRESSED_BOUNCE", Skipped;
    /// The address complained before.
    SuppressedComplaint = 27, "SUPPRESSED_COMPLAINT", Skipped;
    /// The address unsubscribed.
    SuppressedUnsubscribed = 28, "SUPPRESSED_UNSUBSCRIBED", Skipped;
    /// A personalizer dropped the recipient.
    FilteredByHook = 29, "FILTERED_OUT_BY_HOOK", Skipped;
    /// The template could not be rendered for this recipient.
    RenderingFailure = 30, "RENDERING_FAILURE", Skipped;
    /// A personalizer failed for this recipient's batch.
    PersonalizerFault = 31, "PERSONALIZER_FAULT", Skipped;
    /// The run was cancelled before this recipient's turn.
    RunCancelled = 32, "CANCELLED", Skipped;
    /// The run's maximum duration ended before this recipient's turn.
    RunEnded = 33, "ENDED", Skipped;
    /// Another endpoint of the run has the same address.
    DuplicateEndpoint = 34, "DUPLICATE_ENDPOINT", Skipped;
    /// The campaign reached the endpoint as often as it may within 24 hours.
    DailyLimit = 35, "DAILY_LIMIT", Skipped;
    /// The campaign reached the endpoint as often as it may.
    TotalLimit = 36, "TOTAL_LIMIT", Skipped;
    /// It is quiet time where the endpoint is.
    QuietTime = 37, "QUIET_TIME", Skipped;

    /// The provider says that the address does not exist.
    HardBounce = 40, "HARD_BOUNCE", Failed;
    /// The provider refused the message for good.
    Rejected = 41, "REJECTED", Failed;
    /// The provider refused the login.
    Unauthorized = 42, "UNAUTHORIZED", Failed;
    /// The binding's settings are wrong.
    Misconfigured = 43, "MISCONFIGURED", Failed;
    /// No binding serves the channel.
    NoBinding = 44, "NO_BINDING", Failed;
    /// The run could not go on before this recipient's turn.
    RunFailed = 48, "RUN_FAILED", Failed;
    /// Passing failures, too many of them.
    RetriesExhausted = 45, "RETRIES_EXHAUSTED", Failed;
    /// The plugin faulted before the message left, too many times.
    PluginFault = 46, "PLUGIN_FAULT", Failed;
    /// A direct message found the rate used up.
    Throttled = 47, "THROTTLED", Failed;
    /// The application's channel is not there or not enabled.
    ChannelDisabled = 49, "CHANNEL_DISABLED", Failed;

    /// The message may have left before the plugin, the connection or the server failed.
    Unknown = 60, "UNKNOWN", Unknown;
}

/// `DeliveryStatus` of a direct message's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum DeliveryStatus {
    Successful,
    Throttled,
    TemporaryFailure,
    PermanentFailure,
    UnknownFailure,
    OptOut,
    Duplicate,
}

impl Reason {
    /// How a direct message's result tells it: status, and the status code that goes with it.
    pub fn delivery_status(self) -> (DeliveryStatus, u16) {
        use DeliveryStatus as Status;
        match self {
            Self::Accepted => (Status::Successful, 200),
            Self::EndpointOptOut | Self::SuppressedUnsubscribed => (Status::OptOut, 400),
            Self::Throttled => (Status::Throttled, 429),
            Self::RetriesExhausted | Self::PluginFault => (Status::TemporaryFailure, 503),
            Self::DuplicateEndpoint => (Status::Duplicate, 400),
            Self::Unknown => (Status::UnknownFailure, 500),
            _ => (Status::PermanentFailure, 400),
        }
    }
}

/// Why an address must not be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SuppressionReason {
    /// Blocks everything.
    Bounce,
    /// Blocks everything.
    Complaint,
    /// Blocks campaigns and journeys.
    Unsubscribed,
}

impl SuppressionReason {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "BOUNCE",
            Self::Complaint => "COMPLAINT",
            Self::Unsubscribed => "UNSUBSCRIBED",
        }
    }

    /// The reason of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Bounce, Self::Complaint, Self::Unsubscribed]
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }

    /// The outcome of a recipient that it blocks.
    pub fn skip(self) -> Reason {
        match self {
            Self::Bounce => Reason::SuppressedBounce,
            Self::Complaint => Reason::SuppressedComplaint,
            Self::Unsubscribed => Reason::SuppressedUnsubscribed,
        }
    }
}

/// The id of a campaign's firing: the same on every node and after every restart.
pub fn run_id(campaign: &CampaignId, occurrence: jiff::Timestamp) -> RunId {
    derive(&[
        campaign.as_str().as_bytes(),
        &occurrence.as_millisecond().to_be_bytes(),
    ])
    .into()
}

/// The id of one message: the idempotency key that the provider gets. A retry can never be a new one.
pub fn message_id(run: &RunId, seq: u32) -> MessageId {
    derive(&[run.as_str().as_bytes(), &seq.to_be_bytes()]).into()
}

/// The id of an activity: what one run did with one treatment.
pub fn activity_id(run: &RunId, treatment: u8) -> String {
    if treatment == 0 {
        run.to_string()
    } else {
        derive(&[run.as_str().as_bytes(), b"activity", &[treatment]])
    }
}

fn derive(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u32::try_from(part.len()).expect("ids are short").to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_keep_their_numbers() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
        assert_eq!(Reason::from_code(999), None);
    }

    #[test]
    fn ids_are_derived_not_drawn() {
        let run = run_id(&"c1".into(), jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(run, run_id(&"c1".into(), jiff::Timestamp::UNIX_EPOCH));
        assert_ne!(message_id(&run, 1), message_id(&run, 2));
        assert_eq!(run.as_str().len(), 32);
    }
}
