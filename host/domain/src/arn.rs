//! Amazon resource names as Pinpoint writes them (developer guide, "Actions, resources, and
//! condition keys").

use std::fmt;

use crate::id::{AccountId, Region, Tenant};

/// `arn:aws:mobiletargeting:REGION:ACCOUNT:RESOURCE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arn {
    /// Region of the ARN.
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
            region: tenant.region.clone(),
            account: tenant.account.clone(),
            resource: resource.into(),
        }
    }

    /// Reads an ARN; `None` if it is not one of Pinpoint's.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let fixed = (parts.next()?, parts.next()?, parts.next()?);
        if fixed != ("arn", "aws", "mobiletargeting") {
            return None;
        }
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        if resource.is_empty() {
            return None;
        }
        Some(Self {
            region: region.into(),
            account: account.into(),
            resource: resource.to_owned(),
        })
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:aws:mobiletargeting:{}:{}:{}",
            self.region, self.account, self.resource
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
    }

    #[test]
    fn other_services_are_not_ours() {
        assert_eq!(Arn::parse("arn:aws:s3:::bucket"), None);
        assert_eq!(Arn::parse("arn:aws:mobiletargeting:eu-west-1:1:"), None);
    }
}
