//! Which status a write gives a campaign, and when it is due. Pure.

use jiff::Timestamp;
use pinion_domain::campaign::{CampaignDocument, CampaignStatus, Schedule, WriteCampaign, in_app, schedule};
use pinion_domain::{Error, Result};
use pinion_store::{Run, RunState};

use super::Campaign;

/// What a campaign has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// No run yet.
    Nothing,
    /// A run is under way, or held.
    Running,
    /// Runs, all of them over.
    Finished,
}

impl Past {
    /// Newest first.
    pub(super) fn of(runs: &[Run]) -> Self {
        if runs.is_empty() {
            Self::Nothing
        } else if runs
            .iter()
            .any(|run| matches!(run.state, RunState::Running | RunState::Paused))
        {
            Self::Running
        } else {
            Self::Finished
        }
    }
}

type Outlook = (CampaignStatus, Option<Timestamp>);

/// A campaign as it is now: the schedule alone moves an in-app campaign on, since nothing of it ever runs.
pub(super) fn present(mut campaign: Campaign, now: Timestamp) -> Campaign {
    let moves = matches!(
        CampaignStatus::parse(&campaign.state),
        Some(CampaignStatus::Scheduled | CampaignStatus::Executing)
    );
    if moves
        && in_app::is_in_app(&campaign.document)
        && let Some(schedule) = &campaign.document.schedule
    {
        campaign.state = in_app::status(schedule, now).as_str().to_owned();
    }
    campaign
}

/// Of an in-app campaign that is not paused.
fn shown(document: &CampaignDocument, now: Timestamp) -> Result<Outlook> {
    match in_app::status(required(document)?, now) {
        CampaignStatus::Completed => Err(Error::invalid(
            "Schedule.EndTime",
            "is in the past: the campaign would never be shown",
        )),
        status => Ok((status, None)),
    }
}

/// Of a new campaign.
pub(super) fn at_creation(document: &CampaignDocument, now: Timestamp) -> Result<Outlook> {
    if in_app::is_in_app(document) {
        let outlook = shown(document, now)?;
        return Ok(if document.is_paused {
            (CampaignStatus::Paused, None)
        } else {
            outlook
        });
    }
    let due = first_due(document, now)?;
    Ok(if document.is_paused {
        (CampaignStatus::Paused, None)
    } else {
        (CampaignStatus::Scheduled, Some(due))
    })
}

/// Of a campaign that was `before` and now is `document`.
pub(super) fn after_update(
    before: &Campaign,
    document: &CampaignDocument,
    write: &WriteCampaign,
    past: Past,
    now: Timestamp,
) -> Result<Outlook> {
    use CampaignStatus::{Completed, Deleted, Executing, Invalid, Paused, PendingNextRun, Scheduled};
    let status = CampaignStatus::parse(&before.state)
        .ok_or_else(|| Error::Conflict(format!("the campaign is {}", before.state)))?;
    let (was_in_app, is_in_app) = (in_app::is_in_app(&before.document), in_app::is_in_app(document));
    match status {
        Completed | Deleted => Err(Error::Conflict(format!(
            "the campaign is {} and cannot be changed any more",
            status.as_str()
        ))),
        _ if was_in_app != is_in_app && past == Past::Running => Err(Error::Conflict(
            "the campaign runs: it cannot become one that is shown, or cease to be".to_owned(),
        )),
        _ if document.is_paused => Ok((Paused, None)),
        _ if is_in_app => shown(document, now),
        _ if was_in_app => Ok((Scheduled, Some(first_due(document, now)?))),
        Paused => resumed(document, past, now),
        Executing => Ok((Executing, None)),
        Scheduled | PendingNextRun if write.schedule.is_none() => Ok((status, before.due_at)),
        Scheduled | PendingNextRun | Invalid => Ok((Scheduled, Some(first_due(document, now)?))),
    }
}

/// A run goes on; without one the next occurrence is waited for. What a campaign missed altogether while
/// it was paused begins at once.
fn resumed(document: &CampaignDocument, past: Past, now: Timestamp) -> Result<Outlook> {
    let next = schedule::next(required(document)?, now, now);
    Ok(match (past, next) {
        (Past::Running, _) => (CampaignStatus::Executing, None),
        (Past::Nothing, next) => (CampaignStatus::Scheduled, Some(next.unwrap_or(now))),
        (Past::Finished, Some(next)) if is_repeated(document) => (CampaignStatus::PendingNextRun, Some(next)),
        (Past::Finished, _) => (CampaignStatus::Completed, None),
    })
}

fn is_repeated(document: &CampaignDocument) -> bool {
    use pinion_domain::campaign::Frequency::Once;
    let frequency = document.schedule.as_ref().and_then(|schedule| schedule.frequency);
    frequency.unwrap_or(Once) != Once
}

/// The first run of a schedule that is written now.
fn first_due(document: &CampaignDocument, now: Timestamp) -> Result<Timestamp> {
    schedule::next(required(document)?, now, now).ok_or_else(|| {
        Error::invalid(
            "Schedule.StartTime",
            "is in the past, and no later run would follow before EndTime",
        )
    })
}

fn required(document: &CampaignDocument) -> Result<&Schedule> {
    document
        .schedule
        .as_ref()
        .ok_or_else(|| Error::invalid("Schedule", "is required: it says when the campaign runs"))
}

#[cfg(test)]
mod tests {
    use pinion_domain::campaign::Frequency;
    use pinion_domain::clock::parse_iso;

    use super::*;

    const NOW: &str = "2026-11-23T10:00:00Z";

    fn at(text: &str) -> Timestamp {
        parse_iso(text).unwrap()
    }

    fn document(start: &str, frequency: Frequency, is_paused: bool) -> CampaignDocument {
        CampaignDocument {
            is_paused,
            schedule: Some(Schedule {
                start_time: start.to_owned(),
                frequency: Some(frequency),
                ..Schedule::default()
            }),
            ..CampaignDocument::default()
        }
    }

    fn show((status, due): Outlook) -> String {
        match due {
            Some(due) => format!("{} {due}", status.as_str()),
            None => status.as_str().to_owned(),
        }
    }

    #[test]
    fn a_new_campaign_waits_for_its_first_occurrence() {
        use Frequency::{Daily, Once};
        for (start, frequency, is_paused, expected) in [
            ("IMMEDIATE", Once, false, "SCHEDULED 2026-11-23T10:00:00Z"),
            ("IMMEDIATE", Once, true, "PAUSED"),
            (
                "2026-11-24T09:00:00Z",
                Once,
                false,
                "SCHEDULED 2026-11-24T09:00:00Z",
            ),
            (
                "2026-11-20T09:00:00Z",
                Daily,
                false,
                "SCHEDULED 2026-11-24T09:00:00Z",
            ),
        ] {
            let outlook = at_creation(&document(start, frequency, is_paused), at(NOW)).unwrap();
            assert_eq!(show(outlook), expected, "{start} {frequency:?}");
        }
        assert!(at_creation(&document("2026-11-20T09:00:00Z", Once, false), at(NOW)).is_err());
        assert!(at_creation(&CampaignDocument::default(), at(NOW)).is_err());
    }

    #[test]
    fn an_in_app_campaign_follows_its_schedule() {
        use Frequency::InAppEvent;
        let campaign = |start: &str, end: Option<&str>, is_paused: bool| {
            let mut document = document(start, InAppEvent, is_paused);
            document.schedule.as_mut().unwrap().end_time = end.map(str::to_owned);
            document
        };
        let soon = "2026-11-24T09:00:00Z";
        for (document, expected) in [
            (campaign("IMMEDIATE", None, false), "EXECUTING"),
            (campaign(soon, None, false), "SCHEDULED"),
            (campaign("2026-11-01T00:00:00Z", Some(soon), false), "EXECUTING"),
            (campaign("IMMEDIATE", None, true), "PAUSED"),
        ] {
            assert_eq!(show(at_creation(&document, at(NOW)).unwrap()), expected);
        }
        let over = campaign("2026-11-01T00:00:00Z", Some("2026-11-02T00:00:00Z"), false);
        assert!(at_creation(&over, at(NOW)).is_err());
    }

    #[test]
    fn updates_follow_the_status() {
        use Frequency::{Daily, Once};
        let soon = "2026-11-24T09:00:00Z";
        let long_ago = "2026-11-20T09:00:00Z";
        let check = |state: &str, after: &CampaignDocument, reschedule: bool, past: Past| {
            let before = Campaign {
                id: "c".to_owned(),
                version: 1,
                active_version: 1,
                latest_version: 1,
                document: CampaignDocument::default(),
                state: state.to_owned(),
                due_at: Some(at("2026-12-01T00:00:00Z")),
                creation_date: String::new(),
                version_date: String::new(),
                last_modified_date: String::new(),
            };
            let write = WriteCampaign {
                schedule: reschedule.then(|| after.schedule.clone()).flatten(),
                ..WriteCampaign::default()
            };
            after_update(&before, after, &write, past, at(NOW)).map_or_else(|_| "refused".to_owned(), show)
        };
        for (state, start, frequency, paused, reschedule, past, expected) in [
            (
                "SCHEDULED",
                soon,
                Once,
                false,
                false,
                Past::Nothing,
                "SCHEDULED 2026-12-01T00:00:00Z",
            ),
            (
                "SCHEDULED",
                soon,
                Once,
                false,
                true,
                Past::Nothing,
                "SCHEDULED 2026-11-24T09:00:00Z",
            ),
            ("SCHEDULED", long_ago, Once, false, true, Past::Nothing, "refused"),
            ("SCHEDULED", soon, Once, true, false, Past::Nothing, "PAUSED"),
            ("EXECUTING", soon, Once, true, false, Past::Running, "PAUSED"),
            ("EXECUTING", soon, Once, false, true, Past::Running, "EXECUTING"),
            ("PAUSED", soon, Once, false, false, Past::Running, "EXECUTING"),
            (
                "PAUSED",
                long_ago,
                Once,
                false,
                false,
                Past::Nothing,
                "SCHEDULED 2026-11-23T10:00:00Z",
            ),
            (
                "PAUSED",
                long_ago,
                Once,
                false,
                false,
                Past::Finished,
                "COMPLETED",
            ),
            (
                "PAUSED",
                long_ago,
                Daily,
                false,
                false,
                Past::Finished,
                "PENDING_NEXT_RUN 2026-11-24T09:00:00Z",
            ),
            (
                "INVALID",
                "IMMEDIATE",
                Once,
                false,
                false,
                Past::Finished,
                "SCHEDULED 2026-11-23T10:00:00Z",
            ),
            (
                "COMPLETED",
                "IMMEDIATE",
                Once,
                false,
                true,
                Past::Finished,
                "refused",
            ),
        ] {
            let after = document(start, frequency, paused);
            assert_eq!(
                check(state, &after, reschedule, past),
                expected,
                "{state} {start} {frequency:?}"
            );
        }
    }
}
