//! The event stream of an application: where its events are to be published.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arn::ForeignArn;
use crate::{Error, Result};

/// `WriteEventStream`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct WriteEventStream {
    /// A Kinesis data stream or a Firehose delivery stream.
    pub destination_stream_arn: String,
    /// The role that may write to it.
    pub role_arn: String,
}

/// What is stored of an event stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EventStreamDocument {
    /// What the request said.
    #[serde(flatten)]
    pub stream: WriteEventStream,
    /// The name of who wrote it.
    pub last_updated_by: String,
}

impl WriteEventStream {
    /// Checks both names.
    pub fn check(&self) -> Result<()> {
        let destination = ForeignArn::parse(&self.destination_stream_arn);
        let named = |arn: &ForeignArn<'_>| {
            let name = match arn.service {
                "kinesis" => arn.resource.strip_prefix("stream/"),
                "firehose" => arn.resource.strip_prefix("deliverystream/"),
                _ => None,
            };
            name.is_some_and(|name| !name.is_empty()) && !arn.region.is_empty() && !arn.account.is_empty()
        };
        if !destination.as_ref().is_some_and(named) {
            return Err(Error::invalid(
                "DestinationStreamArn",
                "must be the ARN of a Kinesis data stream or of a Firehose delivery stream",
            ));
        }
        if !ForeignArn::parse(&self.role_arn).is_some_and(|arn| arn.is_role()) {
            // The Terraform provider tries again when it reads the words behind the semicolon.
            return Err(Error::invalid(
                "RoleArn",
                "must be the ARN of a role; make sure the IAM Role is configured correctly",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_malformed_role_sounds_like_one_that_is_not_there_yet() {
        let role = "arn:aws:iam::123456789012:role/pinpoint";
        let stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/events";
        let firehose = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/events";
        for (destination, role, wrong, retried) in [
            (stream, role, None, false),
            (firehose, "arn:aws-us-gov:iam::1:role/a/b", None, false),
            (stream, "pinpoint", Some("RoleArn"), true),
            (stream, "arn:aws:iam::123456789012:user/u", Some("RoleArn"), true),
            (
                "arn:aws:kinesis:eu-west-1:1:stream/",
                role,
                Some("DestinationStreamArn"),
                false,
            ),
            (
                "arn:aws:kinesis:eu-west-1:1:deliverystream/x",
                role,
                Some("DestinationStreamArn"),
                false,
            ),
            (
                "arn:aws:kinesis::1:stream/x",
                role,
                Some("DestinationStreamArn"),
                false,
            ),
            (
                "arn:aws:sns:eu-west-1:1:stream/x",
                role,
                Some("DestinationStreamArn"),
                false,
            ),
            ("", role, Some("DestinationStreamArn"), false),
        ] {
            let write = WriteEventStream {
                destination_stream_arn: destination.to_owned(),
                role_arn: role.to_owned(),
            };
            let error = write.check().err().map(|error| error.to_string());
            let field = error.as_deref().and_then(|error| error.split(':').next());
            assert_eq!(field, wrong, "{destination} {role}");
            let words = "make sure the IAM Role is configured correctly";
            assert_eq!(error.is_some_and(|error| error.contains(words)), retried);
        }
    }
}
