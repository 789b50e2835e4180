//! What must hold of activities, complete or not.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::clock::{parse_duration, parse_iso};
use crate::journey::Activity;
use crate::journey::activity::{CustomActivity, RandomSplit, SimpleCondition, WaitTime};
use crate::journey::graph::{Graph, path};
use crate::journey::kind::Kind;
use crate::segment::Expression;
use crate::{Error, Result};

/// "Maximum number of journey activities" (developer guide, "Quotas").
const MOST_ACTIVITIES: usize = 40;
/// "Maximum contact center activities" (the same page).
const MOST_CONTACT_CENTERS: usize = 3;
/// Characters of an activity's id (API reference, "Activities").
const LONGEST_ID: usize = 100;
/// Paths of a multivariate split beside the one for everybody else (user guide, "Set up a multivariate
/// split activity").
const MOST_BRANCHES: usize = 4;
/// Paths of a random split (user guide, "Set up a random split activity").
const MOST_RANDOM_BRANCHES: usize = 5;
/// Days that an activity may wait (user guide, "Set up a wait activity").
const LONGEST_WAIT_DAYS: i64 = 365;
/// Bytes of a custom message's data (user guide, "Set up a custom message channel activity").
const LONGEST_DATA: usize = 5_000;

/// Checks each activity, and that their ways and questions lead to others that are there.
pub(super) fn check(activities: &BTreeMap<String, Activity>) -> Result<()> {
    if activities.len() > MOST_ACTIVITIES {
        return Err(Error::LimitExceeded(format!(
            "Activities: the journey has {} activities, at most {MOST_ACTIVITIES} are allowed",
            activities.len()
        )));
    }
    for id in activities.keys() {
        // The reference says letters and digits; hyphens and underscores harm nobody.
        let well_formed = id
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
        if id.is_empty() || id.len() > LONGEST_ID || !well_formed {
            return Err(Error::invalid(
                path(id),
                format!("an activity's id has 1 to {LONGEST_ID} letters and digits"),
            ));
        }
    }
    let graph = Graph::of(activities)?;
    let contact_centers = graph
        .kinds()
        .filter(|(_, kind)| matches!(kind, Kind::ContactCenter(_)));
    if contact_centers.count() > MOST_CONTACT_CENTERS {
        return Err(Error::LimitExceeded(format!(
            "Activities: a journey has at most {MOST_CONTACT_CENTERS} ContactCenter activities"
        )));
    }
    for (id, kind) in graph.kinds() {
        let field = format!("{}.{}", path(id), kind.member());
        check_activity(kind, &field)?;
        for (member, condition) in kind.conditions() {
            check_condition(condition, &graph, &format!("{}.{member}", path(id)))?;
        }
    }
    Ok(())
}

fn check_activity(kind: Kind<'_>, field: &str) -> Result<()> {
    match kind {
        Kind::Custom(activity) => check_custom(activity, field),
        Kind::ConditionalSplit(split) => check_wait(
            split.evaluation_wait_time.as_ref(),
            &format!("{field}.EvaluationWaitTime"),
        ),
        Kind::MultiCondition(split) => {
            if split
                .branches
                .as_ref()
                .is_some_and(|branches| branches.len() > MOST_BRANCHES)
            {
                return Err(Error::invalid(
                    format!("{field}.Branches"),
                    format!("there can be at most {MOST_BRANCHES}, beside DefaultActivity"),
                ));
            }
            check_wait(
                split.evaluation_wait_time.as_ref(),
                &format!("{field}.EvaluationWaitTime"),
            )
        }
        Kind::RandomSplit(split) => check_random_split(split, field),
        Kind::Holdout(holdout) if !(0..=100).contains(&holdout.percentage) => Err(Error::invalid(
            format!("{field}.Percentage"),
            "must be between 0 and 100",
        )),
        Kind::Wait(wait) => check_wait(wait.wait_time.as_ref(), &format!("{field}.WaitTime")),
        Kind::Push(activity) => {
            let options = activity.message_config.as_ref();
            let seconds = options.and_then(|options| options.time_to_live.as_deref());
            match seconds {
                Some(seconds) if seconds.parse::<u32>().is_err() => Err(Error::invalid(
                    format!("{field}.MessageConfig.TimeToLive"),
                    "must be a whole number of seconds",
                )),
                _ => Ok(()),
            }
        }
        Kind::Sms(activity) => {
            let options = activity.message_config.as_ref();
            match options.and_then(|options| options.message_type.as_deref()) {
                None | Some("TRANSACTIONAL" | "PROMOTIONAL") => Ok(()),
                Some(_) => Err(Error::invalid(
                    format!("{field}.MessageConfig.MessageType"),
                    "must be TRANSACTIONAL or PROMOTIONAL",
                )),
            }
        }
        Kind::ContactCenter(_) | Kind::Email(_) | Kind::Holdout(_) => Ok(()),
    }
}

fn check_custom(activity: &CustomActivity, field: &str) -> Result<()> {
    let data = activity
        .message_config
        .as_ref()
        .and_then(|options| options.data.as_ref());
    if data.is_some_and(|data| data.len() > LONGEST_DATA) {
        return Err(Error::invalid(
            format!("{field}.MessageConfig.Data"),
            format!("has at most {LONGEST_DATA} bytes"),
        ));
    }
    Ok(())
}

fn check_random_split(split: &RandomSplit, field: &str) -> Result<()> {
    let Some(branches) = &split.branches else {
        return Ok(());
    };
    if !(2..=MOST_RANDOM_BRANCHES).contains(&branches.len()) {
        return Err(Error::invalid(
            format!("{field}.Branches"),
            format!("there must be 2 to {MOST_RANDOM_BRANCHES}"),
        ));
    }
    for (no, branch) in branches.iter().enumerate() {
        if !branch.percentage.is_some_and(|share| (1..=100).contains(&share)) {
            return Err(Error::invalid(
                format!("{field}.Branches[{no}].Percentage"),
                "must be between 1 and 100",
            ));
        }
    }
    let sum: i64 = branches.iter().filter_map(|branch| branch.percentage).sum();
    if sum != 100 {
        return Err(Error::invalid(
            format!("{field}.Branches"),
            format!("their percentages must be 100 together, not {sum}"),
        ));
    }
    Ok(())
}

fn check_wait(wait: Option<&WaitTime>, field: &str) -> Result<()> {
    let Some(wait) = wait else { return Ok(()) };
    match (&wait.wait_for, &wait.wait_until) {
        (Some(duration), None) => {
            let longest = SignedDuration::from_hours(24 * LONGEST_WAIT_DAYS);
            let fits = |duration| duration > SignedDuration::ZERO && duration <= longest;
            if parse_duration(duration).is_some_and(fits) {
                return Ok(());
            }
            Err(Error::invalid(
                format!("{field}.WaitFor"),
                format!("must be an ISO 8601 duration such as PT1H, of at most {LONGEST_WAIT_DAYS} days"),
            ))
        }
        (None, Some(moment)) if parse_iso(moment).is_some() => Ok(()),
        (None, Some(_)) => Err(Error::invalid(
            format!("{field}.WaitUntil"),
            "must be an ISO 8601 instant",
        )),
        (None, None) | (Some(_), Some(_)) => {
            Err(Error::invalid(field, "must have either WaitFor or WaitUntil"))
        }
    }
}

fn check_condition(condition: &SimpleCondition, graph: &Graph<'_>, field: &str) -> Result<()> {
    match (
        &condition.event_condition,
        &condition.segment_condition,
        &condition.segment_dimensions,
    ) {
        (Some(event), None, None) => {
            let at = |member: &str| format!("{field}.EventCondition.{member}");
            let asked = event.message_activity.as_deref().unwrap_or_default();
            match graph.kind(asked) {
                Some(kind) if kind.is_message() => {}
                Some(_) => {
                    return Err(Error::invalid(
                        at("MessageActivity"),
                        format!("activity {asked} sends no message"),
                    ));
                }
                None => {
                    return Err(Error::invalid(
                        at("MessageActivity"),
                        if asked.is_empty() {
                            "is required: it names the activity that sent the message".to_owned()
                        } else {
                            format!("there is no activity {asked}")
                        },
                    ));
                }
            }
            let dimensions = event
                .dimensions
                .as_ref()
                .ok_or_else(|| Error::invalid(at("Dimensions"), "is required: it says what happened"))?;
            dimensions.check(&at("Dimensions"))
        }
        (None, Some(segment), None) if segment.segment_id.as_str().is_empty() => Err(Error::invalid(
            format!("{field}.SegmentCondition.SegmentId"),
            "must not be empty",
        )),
        (None, Some(_), None) => Ok(()),
        (None, None, Some(dimensions)) => {
            Expression::of_dimensions(dimensions, &format!("{field}.segmentDimensions")).map(drop)
        }
        _ => Err(Error::invalid(
            field,
            "must have exactly one of EventCondition, SegmentCondition and segmentDimensions",
        )),
    }
}
