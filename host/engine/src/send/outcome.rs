//! What a channel's verdict makes of a message: a ledger row, or another try.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::{Reason, SuppressionReason};
use pinion_domain::extension::channel::{SendError, Verdict};
use pinion_store::{LedgerRow, Retry};

use crate::config::{Delivery, RetryPolicy};

/// Details are for people; longer ones are cut.
const LONGEST_DETAIL: usize = 500;

/// A message that was handed over.
#[derive(Clone, Debug)]
pub(super) struct HandedOver {
    pub(super) seq: u32,
    pub(super) treatment: u8,
    pub(super) channel_type: ChannelType,
    pub(super) address: String,
    /// Tries including this one.
    pub(super) attempts: u16,
}

/// What a verdict leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// A terminal outcome, and perhaps a suppression of the address.
    Done(LedgerRow, Option<SuppressionReason>),
    /// Another try.
    Again(Retry),
}

/// What rules apply besides the verdict.
pub(super) struct Rules<'a> {
    pub(super) retry: &'a RetryPolicy,
    pub(super) delivery: Delivery,
    pub(super) now: Timestamp,
    /// In 0..1, for jitter.
    pub(super) chance: f64,
}

/// Decides what comes after a verdict.
pub(super) fn decide(message: &HandedOver, verdict: Verdict, rules: &Rules<'_>) -> Next {
    let done = |reason: Reason, provider_id: Option<String>, detail: Option<String>| LedgerRow {
        seq: message.seq,
        treatment: message.treatment,
        reason,
        at: rules.now,
        provider_id,
        detail: detail.map(|text| clip(&text)),
        attempts: message.attempts,
    };
    let again = |asked: Option<Duration>, detail: String, exhausted: Reason| match rules.retry.wait(
        message.attempts,
        asked,
        rules.chance,
    ) {
        Some(wait) => Next::Again(Retry {
            seq: message.seq,
            treatment: message.treatment,
            attempt: message.attempts,
            due_at: rules.now + SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_hours(1)),
            detail: clip(&detail),
        }),
        None => Next::Done(done(exhausted, None, Some(detail)), None),
    };
    match verdict {
        Verdict::Accepted(receipt) => {
            Next::Done(done(Reason::Accepted, receipt.provider_id, receipt.detail), None)
        }
        Verdict::Refused(error) => match error {
            SendError::InvalidAddress(detail) => Next::Done(
                done(Reason::HardBounce, None, Some(detail)),
                Some(SuppressionReason::Bounce),
            ),
            SendError::Rejected(detail) => Next::Done(done(Reason::Rejected, None, Some(detail)), None),
            SendError::Unauthorized(detail) => again(None, detail, Reason::Unauthorized),
            SendError::Misconfigured(detail) => again(None, detail, Reason::Misconfigured),
            SendError::RateLimited(after) => again(
                after.map(|seconds| Duration::from_secs(u64::from(seconds))),
                "rate limited by the provider".to_owned(),
                Reason::RetriesExhausted,
            ),
            SendError::Unavailable(detail) => again(None, detail, Reason::RetriesExhausted),
            SendError::Unknown(detail) => match rules.delivery {
                Delivery::AtLeastOnce => again(None, detail, Reason::Unknown),
                Delivery::AtMostOnce => Next::Done(done(Reason::Unknown, None, Some(detail)), None),
            },
        },
        Verdict::Unreported { left, fault } => match (left, rules.delivery) {
            (true, Delivery::AtMostOnce) => Next::Done(done(Reason::Unknown, None, Some(fault)), None),
            (true, Delivery::AtLeastOnce) => again(None, fault, Reason::Unknown),
            (false, _) => again(None, fault, Reason::PluginFault),
        },
    }
}

fn clip(text: &str) -> String {
    let mut end = text.len().min(LONGEST_DETAIL);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_domain::extension::channel::Receipt;

    fn next(attempts: u16, delivery: Delivery, verdict: Verdict) -> Result<Reason, u16> {
        let message = HandedOver {
            seq: 7,
            treatment: 0,
            channel_type: ChannelType::Email,
            address: "a@b.c".into(),
            attempts,
        };
        let retry = RetryPolicy {
            attempts: 3,
            ..RetryPolicy::default()
        };
        let rules = Rules {
            retry: &retry,
            delivery,
            now: Timestamp::UNIX_EPOCH,
            chance: 0.5,
        };
        match decide(&message, verdict, &rules) {
            Next::Done(row, suppression) => {
                assert_eq!(suppression.is_some(), row.reason == Reason::HardBounce);
                Ok(row.reason)
            }
            Next::Again(retry) => Err(retry.attempt),
        }
    }

    #[test]
    fn verdicts_become_outcomes_or_another_try() {
        use Delivery::{AtLeastOnce, AtMostOnce};
        let refused = Verdict::Refused;
        let text = || "x".to_owned();
        for (attempts, delivery, verdict, expected) in [
            (
                1,
                AtLeastOnce,
                Verdict::Accepted(Receipt::default()),
                Ok(Reason::Accepted),
            ),
            (
                1,
                AtLeastOnce,
                refused(SendError::InvalidAddress(text())),
                Ok(Reason::HardBounce),
            ),
            (
                1,
                AtLeastOnce,
                refused(SendError::Rejected(text())),
                Ok(Reason::Rejected),
            ),
            (1, AtLeastOnce, refused(SendError::Unauthorized(text())), Err(1)),
            (
                3,
                AtLeastOnce,
                refused(SendError::Unauthorized(text())),
                Ok(Reason::Unauthorized),
            ),
            (
                3,
                AtLeastOnce,
                refused(SendError::Misconfigured(text())),
                Ok(Reason::Misconfigured),
            ),
            (2, AtLeastOnce, refused(SendError::RateLimited(Some(5))), Err(2)),
            (
                3,
                AtLeastOnce,
                refused(SendError::Unavailable(text())),
                Ok(Reason::RetriesExhausted),
            ),
            (1, AtLeastOnce, refused(SendError::Unknown(text())), Err(1)),
            (
                1,
                AtMostOnce,
                refused(SendError::Unknown(text())),
                Ok(Reason::Unknown),
            ),
            (
                1,
                AtMostOnce,
                Verdict::Unreported {
                    left: true,
                    fault: text(),
                },
                Ok(Reason::Unknown),
            ),
            (
                1,
                AtMostOnce,
                Verdict::Unreported {
                    left: false,
                    fault: text(),
                },
                Err(1),
            ),
            (
                1,
                AtLeastOnce,
                Verdict::Unreported {
                    left: true,
                    fault: text(),
                },
                Err(1),
            ),
            (
                3,
                AtLeastOnce,
                Verdict::Unreported {
                    left: false,
                    fault: text(),
                },
                Ok(Reason::PluginFault),
            ),
        ] {
            assert_eq!(
                next(attempts, delivery, verdict.clone()),
                expected,
                "{attempts} {delivery:?} {verdict:?}"
            );
        }
    }

    #[test]
    fn details_are_cut_between_characters() {
        assert_eq!(clip(&"ż".repeat(400)).len(), 500);
    }
}
