//! What an activity is, and where participants go from there.

use super::activity::{
    Activity, ConditionalSplit, ContactCenter, CustomActivity, EmailOptions, Holdout, MessageActivity,
    MultiConditionalSplit, PushOptions, RandomSplit, SimpleCondition, SmsOptions, Wait,
};
use crate::{Error, Result};

/// What an activity is.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "as the members of Activity")]
pub enum Kind<'a> {
    Custom(&'a CustomActivity),
    ConditionalSplit(&'a ConditionalSplit),
    ContactCenter(&'a ContactCenter),
    Email(&'a MessageActivity<EmailOptions>),
    Holdout(&'a Holdout),
    MultiCondition(&'a MultiConditionalSplit),
    Push(&'a MessageActivity<PushOptions>),
    RandomSplit(&'a RandomSplit),
    Sms(&'a MessageActivity<SmsOptions>),
    Wait(&'a Wait),
}

/// A way from an activity to another: the member that names it, and the name.
pub type Exit<'a> = (String, &'a str);

impl Activity {
    /// What it is; `field` is its path in errors.
    pub fn kind(&self, field: &str) -> Result<Kind<'_>> {
        let kinds = [
            self.custom.as_ref().map(Kind::Custom),
            self.conditional_split.as_ref().map(Kind::ConditionalSplit),
            self.contact_center.as_ref().map(Kind::ContactCenter),
            self.email.as_ref().map(Kind::Email),
            self.holdout.as_ref().map(Kind::Holdout),
            self.multi_condition.as_ref().map(Kind::MultiCondition),
            self.push.as_ref().map(Kind::Push),
            self.random_split.as_ref().map(Kind::RandomSplit),
            self.sms.as_ref().map(Kind::Sms),
            self.wait.as_ref().map(Kind::Wait),
        ];
        let mut kinds = kinds.into_iter().flatten();
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Ok(kind),
            (first, _) => Err(Error::invalid(
                field,
                format!(
                    "has {} of the members CUSTOM, ConditionalSplit, ContactCenter, EMAIL, Holdout, \
                     MultiCondition, PUSH, RandomSplit, SMS and Wait; an activity has exactly one",
                    if first.is_some() { "more than one" } else { "none" }
                ),
            )),
        }
    }
}

impl<'a> Kind<'a> {
    /// The member of [`Activity`].
    pub fn member(self) -> &'static str {
        match self {
            Self::Custom(_) => "CUSTOM",
            Self::ConditionalSplit(_) => "ConditionalSplit",
            Self::ContactCenter(_) => "ContactCenter",
            Self::Email(_) => "EMAIL",
            Self::Holdout(_) => "Holdout",
            Self::MultiCondition(_) => "MultiCondition",
            Self::Push(_) => "PUSH",
            Self::RandomSplit(_) => "RandomSplit",
            Self::Sms(_) => "SMS",
            Self::Wait(_) => "Wait",
        }
    }

    /// `ActivityType` of execution metrics (developer guide, "Journey activity execution metrics").
    pub fn metrics_type(self) -> &'static str {
        match self {
            Self::ConditionalSplit(_) => "CONDITIONAL_SPLIT",
            Self::ContactCenter(_) => "CONTACT_CENTER",
            Self::Holdout(_) => "HOLDOUT",
            Self::MultiCondition(_) => "MULTI_CONDITIONAL_SPLIT",
            Self::RandomSplit(_) => "RANDOM_SPLIT",
            Self::Wait(_) => "WAIT",
            Self::Custom(_) | Self::Email(_) | Self::Push(_) | Self::Sms(_) => "MESSAGE",
        }
    }

    /// Does it send something that later activities may ask about?
    pub fn is_message(self) -> bool {
        matches!(
            self,
            Self::Custom(_) | Self::ContactCenter(_) | Self::Email(_) | Self::Push(_) | Self::Sms(_)
        )
    }

    /// Where it leads, in order. A way that is not there ends the journey.
    pub fn exits(self) -> Vec<Exit<'a>> {
        let member = self.member();
        let next = |next: &'a Option<String>| vec![("NextActivity".to_owned(), next)];
        let ways: Vec<(String, &'a Option<String>)> = match self {
            Self::Custom(activity) => next(&activity.next_activity),
            Self::ContactCenter(activity) => next(&activity.next_activity),
            Self::Email(activity) => next(&activity.next_activity),
            Self::Holdout(activity) => next(&activity.next_activity),
            Self::Push(activity) => next(&activity.next_activity),
            Self::Sms(activity) => next(&activity.next_activity),
            Self::Wait(activity) => next(&activity.next_activity),
            Self::ConditionalSplit(split) => vec![
                ("TrueActivity".to_owned(), &split.true_activity),
                ("FalseActivity".to_owned(), &split.false_activity),
            ],
            Self::MultiCondition(split) => {
                let branches = split.branches.iter().flatten().enumerate();
                branches
                    .map(|(no, branch)| (format!("Branches[{no}].NextActivity"), &branch.next_activity))
                    .chain([("DefaultActivity".to_owned(), &split.default_activity)])
                    .collect()
            }
            Self::RandomSplit(split) => {
                let branches = split.branches.iter().flatten().enumerate();
                branches
                    .map(|(no, branch)| (format!("Branches[{no}].NextActivity"), &branch.next_activity))
                    .collect()
            }
        };
        ways.into_iter()
            .filter_map(|(way, to)| Some((format!("{member}.{way}"), to.as_deref()?)))
            .filter(|(_, to)| !to.is_empty())
            .collect()
    }

    /// The conditions that it asks, with the member that each is.
    pub fn conditions(self) -> Vec<(String, &'a SimpleCondition)> {
        match self {
            Self::ConditionalSplit(split) => {
                let condition = split.condition.iter();
                let conditions = condition.flat_map(|condition| condition.conditions.iter().flatten());
                conditions
                    .enumerate()
                    .map(|(no, condition)| {
                        (format!("ConditionalSplit.Condition.Conditions[{no}]"), condition)
                    })
                    .collect()
            }
            Self::MultiCondition(split) => {
                let branches = split.branches.iter().flatten().enumerate();
                branches
                    .filter_map(|(no, branch)| {
                        let field = format!("MultiCondition.Branches[{no}].Condition");
                        Some((field, branch.condition.as_ref()?))
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}
