//! The one decision whether a principal may do an action on a resource. Every request asks here, with
//! the action and ARN of the table of operations, so that policies need no change anywhere else.

use pinion_domain::arn::Arn;

use super::Principal;
use crate::error::{ApiError, Result};

/// May the principal do this? For now every key may do everything in its own account, and nothing in
/// any other.
pub fn authorize(principal: &Principal, action: &str, arn: &Arn) -> Result<()> {
    if arn.account == principal.account {
        return Ok(());
    }
    Err(ApiError::access_denied(format!(
        "User: {} is not authorized to perform: {action} on resource: {arn}",
        principal.name
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_rules_its_own_account_only() {
        let principal = Principal {
            access_key_id: "AK".into(),
            account: "111111111111".into(),
            name: "root".to_owned(),
        };
        for (account, allowed) in [("111111111111", true), ("222222222222", false), ("", false)] {
            let arn = Arn {
                region: "eu-west-1".into(),
                account: account.into(),
                resource: "apps/a".to_owned(),
            };
            let decision = authorize(&principal, "mobiletargeting:GetApp", &arn);
            assert_eq!(decision.is_ok(), allowed, "{account}");
        }
    }
}
