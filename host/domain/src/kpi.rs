//! Metrics and who owns them, so that nothing is counted twice.

/// Declares metrics with their stable number, name and owner.
macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal, $owner:ident;)*) => {
        /// What is counted, by UTC day of occurrence. Numbers are stored: never change one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Metric { $($(#[$doc])* $name = $code),* }

        impl Metric {
            /// Every metric.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name on pages and in our own API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Whose rows are counted.
            pub fn owner(self) -> Owner {
                match self { $(Self::$name => Owner::$owner),* }
            }

            /// The number in the store.
            pub fn code(self) -> i16 {
                self as i16
            }

            /// The metric of that number.
            pub fn from_code(code: i16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

/// Which rows a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Rows of the ledger, counted in the commit that writes them.
    Ledger,
    /// Events, counted in the commit that appends them.
    Events,
}

metrics! {
    /// Handed over, or meant to be: accepted, failed and unknown.
    Attempted = 1, "attempted", Ledger;
    /// Taken by the provider.
    Accepted = 2, "accepted", Ledger;
    /// Refused at hand-over, or given up.
    Failed = 3, "failed", Ledger;
    /// Not handed over, on purpose.
    Skipped = 4, "skipped", Ledger;
    /// In the holdout.
    Holdout = 5, "holdout", Ledger;
    /// Nobody knows.
    Unknown = 6, "unknown", Ledger;
    /// Refused at hand-over because the address does not exist; part of `failed`.
    HardBounced = 7, "hard_bounced", Ledger;

    /// Confirmed by the provider later.
    Delivered = 20, "delivered", Events;
    /// Bounced after hand-over.
    BouncedLater = 21, "bounced_later", Events;
    /// Passing failure told after hand-over.
    SoftBounced = 22, "soft_bounced", Events;
    /// Marked as spam.
    Complained = 23, "complained", Events;
    /// The tracking pixel was fetched.
    Opened = 24, "opened", Events;
    /// A tracked link was followed.
    Clicked = 25, "clicked", Events;
    /// Unsubscribed through a link or header of the message.
    Unsubscribed = 26, "unsubscribed", Events;
    /// Recipients that opened at least once.
    UniqueOpened = 27, "unique_opened", Events;
    /// Recipients that clicked at least once.
    UniqueClicked = 28, "unique_clicked", Events;
}

impl Metric {
    /// The metric that an event of that type raises, if any.
    pub fn of_event(event_type: &str) -> Option<Self> {
        use crate::event::types;
        Some(match event_type {
            types::OPEN => Self::Opened,
            types::CLICK => Self::Clicked,
            types::UNSUBSCRIBE => Self::Unsubscribed,
            types::DELIVERED => Self::Delivered,
            types::HARD_BOUNCE => Self::BouncedLater,
            types::SOFT_BOUNCE => Self::SoftBounced,
            types::COMPLAINT => Self::Complained,
            _ => return None,
        })
    }

    /// The metrics that a ledger row of that reason raises.
    pub fn of_reason(reason: crate::delivery::Reason) -> &'static [Self] {
        use crate::delivery::{Outcome, Reason};
        match (reason, reason.outcome()) {
            (Reason::HardBounce, _) => &[Self::Attempted, Self::Failed, Self::HardBounced],
            (_, Outcome::Accepted) => &[Self::Attempted, Self::Accepted],
            (_, Outcome::Failed) => &[Self::Attempted, Self::Failed],
            (_, Outcome::Skipped) => &[Self::Skipped],
            (_, Outcome::Holdout) => &[Self::Holdout],
            (_, Outcome::Unknown) => &[Self::Attempted, Self::Unknown],
        }
    }
}
