//! Whether a journey is complete, so that it can be published.

use jiff::Timestamp;

use crate::journey::JourneyDocument;
use crate::journey::graph::{Graph, path};
use crate::journey::kind::Kind;
use crate::{Error, Result};

/// Checks that a journey that [`check`](super::check) takes is complete, so that it can be published.
pub fn check_publishable(journey: &JourneyDocument, now: Timestamp) -> Result<()> {
    let activities = journey
        .activities
        .as_ref()
        .filter(|activities| !activities.is_empty());
    let activities = activities
        .ok_or_else(|| Error::invalid("Activities", "a journey without activities cannot be published"))?;
    let graph = Graph::of(activities)?;
    let start = journey
        .start()
        .ok_or_else(|| Error::invalid("StartActivity", "is required: it says where participants begin"))?;
    let reached = graph.reachable(start);
    if let Some((lost, _)) = graph.kinds().find(|(id, _)| !reached.contains(id)) {
        return Err(Error::invalid(
            path(lost),
            format!("no way leads to it from {start}"),
        ));
    }
    for (id, kind) in graph.kinds() {
        check_complete(kind).map_err(|(member, problem)| {
            Error::invalid(format!("{}.{}.{member}", path(id), kind.member()), problem)
        })?;
        for (member, condition) in kind.conditions() {
            let Some(event) = &condition.event_condition else {
                continue;
            };
            let asked = event.message_activity.as_deref().unwrap_or_default();
            if !graph.reachable(asked).contains(id) {
                return Err(Error::invalid(
                    format!("{}.{member}.EventCondition.MessageActivity", path(id)),
                    "must be an activity that sends before this one asks",
                ));
            }
        }
    }
    let condition = journey.start_condition.as_ref();
    if condition.is_none_or(|condition| {
        condition.segment_start_condition.is_none() && condition.event_start_condition.is_none()
    }) {
        return Err(Error::invalid(
            "StartCondition",
            "needs a SegmentStartCondition or an EventStartCondition: it says who takes part",
        ));
    }
    let refreshes = journey
        .refresh_frequency
        .as_deref()
        .is_some_and(|every| !every.is_empty());
    if journey.refresh_on_segment_update == Some(true) && !refreshes {
        return Err(Error::invalid(
            "RefreshOnSegmentUpdate",
            "works only together with RefreshFrequency",
        ));
    }
    let end = journey.schedule.as_ref().and_then(|schedule| schedule.end_time);
    if end.is_some_and(|end| end.0 <= now) {
        return Err(Error::invalid("Schedule.EndTime", "is in the past"));
    }
    Ok(())
}

/// What an activity needs before it can run: the member that is missing, and why.
fn check_complete(kind: Kind<'_>) -> Result<(), (String, String)> {
    let needed = |there: bool, member: &str, problem: &str| {
        if there {
            Ok(())
        } else {
            Err((member.to_owned(), problem.to_owned()))
        }
    };
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let template = "is required: it says what the activity says";
    match kind {
        Kind::Email(activity) => needed(given(&activity.template_name), "TemplateName", template),
        Kind::Push(activity) => needed(given(&activity.template_name), "TemplateName", template),
        Kind::Sms(activity) => needed(given(&activity.template_name), "TemplateName", template),
        Kind::Custom(activity) => needed(
            given(&activity.delivery_uri),
            "DeliveryUri",
            "is required: it says who delivers",
        ),
        Kind::Wait(wait) => needed(wait.wait_time.is_some(), "WaitTime", "is required"),
        Kind::ConditionalSplit(split) => {
            let conditions = split
                .condition
                .as_ref()
                .and_then(|condition| condition.conditions.as_ref());
            let some = conditions.is_some_and(|conditions| !conditions.is_empty());
            needed(some, "Condition.Conditions", "must hold at least one condition")
        }
        Kind::MultiCondition(split) => {
            let branches = split.branches.as_deref().unwrap_or_default();
            needed(!branches.is_empty(), "Branches", "must hold at least one path")?;
            match branches.iter().position(|branch| branch.condition.is_none()) {
                None => Ok(()),
                Some(no) => Err((format!("Branches[{no}].Condition"), "is required".to_owned())),
            }
        }
        Kind::RandomSplit(split) => needed(split.branches.is_some(), "Branches", "are required"),
        Kind::ContactCenter(_) | Kind::Holdout(_) => Ok(()),
    }
}
