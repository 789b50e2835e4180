//! Amazon resource names as Pinpoint writes them (developer guide, "Actions, resources, and
//! condition keys"), and those of users, groups, roles and policies as IAM writes them.

use std::fmt;

use crate::id::{AccountId, Region, Tenant};

const MOBILETARGETING: &str = "mobiletargeting";

/// `arn:aws:mobiletargeting:REGION:ACCOUNT:RESOURCE`, or `arn:aws:iam::ACCOUNT:RESOURCE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arn {
    /// `mobiletargeting` or `iam`.
    pub service: &'static str,
    /// Region of the ARN; access control has none.
    pub region: Region,
    /// Account of the ARN.
    pub account: AccountId,
    /// `apps/ID`, `apps/ID/campaigns/ID`, `templates/NAME/EMAIL`, …
    pub resource: String,
}

impl Arn {
    /// The ARN of a resource in a tenant's world.
    pub fn new(tenant: &Tenant, resource: impl Into<String>) -> Self {
        Self {
            service: MOBILETARGETING,
            region: tenant.region.clone(),
            account: tenant.account.clone(),
            resource: resource.into(),
        }
    }

    /// The ARN of a user, group, role or policy: `user/ann`.
    pub fn iam(account: &AccountId, resource: impl Into<String>) -> Self {
        Self {
            service: "iam",
            region: "".into(),
            account: account.clone(),
            resource: resource.into(),
        }
    }

    /// Reads an ARN; `None` if it is not one of Pinpoint's.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let fixed = (parts.next()?, parts.next()?, parts.next()?);
        if fixed != ("arn", "aws", MOBILETARGETING) {
            return None;
        }
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        if resource.is_empty() {
            return None;
        }
        Some(Self {
            service: MOBILETARGETING,
            region: region.into(),
            account: account.into(),
            resource: resource.to_owned(),
        })
    }
}

/// An ARN of any service, split at its colons and not understood further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignArn<'a> {
    /// `kinesis`, `iam`, …
    pub service: &'a str,
    /// Empty for global services.
    pub region: &'a str,
    /// Whose.
    pub account: &'a str,
    /// What: `stream/NAME`, `role/NAME`, …
    pub resource: &'a str,
}

impl<'a> ForeignArn<'a> {
    /// Reads `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE` of any of AWS's partitions.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (prefix, partition) = (parts.next()?, parts.next()?);
        if prefix != "arn" || !(partition == "aws" || partition.starts_with("aws-")) {
            return None;
        }
        let arn = Self {
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        };
        let spaced = text
            .chars()
            .any(|character| character.is_whitespace() || character.is_control());
        (!arn.service.is_empty() && !arn.resource.is_empty() && !spaced).then_some(arn)
    }

    /// Is it a role of IAM?
    pub fn is_role(&self) -> bool {
        let name = self.resource.strip_prefix("role/").unwrap_or_default();
        self.service == "iam" && !self.account.is_empty() && !name.is_empty()
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:aws:{}:{}:{}:{}",
            self.service, self.region, self.account, self.resource
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_survives_a_round_trip() {
        let text = "arn:aws:mobiletargeting:eu-west-1:123456789012:templates/a:b/EMAIL";
        let arn = Arn::parse(text).unwrap();
        assert_eq!(arn.resource, "templates/a:b/EMAIL");
        assert_eq!(arn.to_string(), text);
        let user = Arn::iam(&"123456789012".into(), "user/ann");
        assert_eq!(user.to_string(), "arn:aws:iam::123456789012:user/ann");
    }

    #[test]
    fn other_services_are_not_ours() {
        assert_eq!(Arn::parse("arn:aws:s3:::bucket"), None);
        assert_eq!(Arn::parse("arn:aws:mobiletargeting:eu-west-1:1:"), None);
    }

    #[test]
    fn foreign_arns_are_split() {
        let stream = ForeignArn::parse("arn:aws-cn:kinesis:cn-north-1:1:stream/a:b").unwrap();
        assert_eq!((stream.service, stream.resource), ("kinesis", "stream/a:b"));
        assert!(!stream.is_role());
        for (text, role) in [
            ("arn:aws:iam::123456789012:role/service/pinpoint", Some(true)),
            ("arn:aws:iam::123456789012:role/", Some(false)),
            ("arn:aws:iam::123456789012:user/u", Some(false)),
            ("arn:aws:iam::1:role/a b", None),
            ("arn:other:iam::1:role/a", None),
            ("arn:aws:iam::1", None),
            ("role", None),
        ] {
            assert_eq!(ForeignArn::parse(text).map(|arn| arn.is_role()), role, "{text}");
        }
    }
}
