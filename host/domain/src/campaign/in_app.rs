//! In-app campaigns: nothing is sent. Clients fetch the messages of the campaigns that run and decide by the
//! event filter when to show them; so no run begins, and the status follows from the schedule alone.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_with::skip_serializing_none;

use super::{CampaignDocument, CampaignStatus, Frequency, QuietTime, Schedule};
use crate::clock::parse_iso;
use crate::event_filter::EventFilter;
use crate::id::{CampaignId, TreatmentId};
use crate::message::{InAppMessage, MessageConfiguration};
use crate::template::TemplateConfiguration;
use crate::{Error, Result};

/// `InAppMessageCampaign`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "InAppMessageCampaign")]
#[serde(rename_all = "PascalCase")]
pub struct InAppCampaign {
    /// Which.
    pub campaign_id: CampaignId,
    /// Times that an endpoint may see it a day.
    pub daily_cap: Option<i64>,
    /// What is shown.
    pub in_app_message: InAppMessage,
    /// 1 is shown first.
    pub priority: Option<u8>,
    /// When it is shown.
    pub schedule: InAppSchedule,
    /// Times that an endpoint may see it a session.
    pub session_cap: Option<i64>,
    /// Times that an endpoint may see it at all.
    pub total_cap: Option<i64>,
    /// `0`: the campaign's own message.
    pub treatment_id: TreatmentId,
}

/// `InAppCampaignSchedule`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "InAppCampaignSchedule")]
#[serde(rename_all = "PascalCase")]
pub struct InAppSchedule {
    /// ISO instant after which it is not shown.
    pub end_date: Option<String>,
    /// The event that shows it.
    pub event_filter: Option<EventFilter>,
    /// Hours in which it is not shown.
    pub quiet_time: Option<QuietTime>,
}

/// Is it shown by clients rather than sent?
pub fn is_in_app(campaign: &CampaignDocument) -> bool {
    let frequency = campaign.schedule.as_ref().and_then(|schedule| schedule.frequency);
    frequency == Some(Frequency::InAppEvent)
}

/// The status of an in-app campaign that is neither paused nor deleted: SCHEDULED before its start, EXECUTING
/// until its end, COMPLETED afterwards.
pub fn status(schedule: &Schedule, now: Timestamp) -> CampaignStatus {
    let instant = |text: &str| parse_iso(text);
    if instant(&schedule.start_time).is_some_and(|start| now < start) {
        return CampaignStatus::Scheduled;
    }
    match schedule.end_time.as_deref().and_then(instant) {
        Some(end) if end <= now => CampaignStatus::Completed,
        _ => CampaignStatus::Executing,
    }
}

/// Checks what one treatment of a campaign says, `field` being the path of its members: in-app campaigns have
/// in-app messages and nothing else, and other campaigns have none.
pub(super) fn check_saying(
    is_in_app: bool,
    message: Option<&MessageConfiguration>,
    templates: Option<&TemplateConfiguration>,
    field: &str,
) -> Result<()> {
    let own = message.and_then(|message| message.in_app_message.as_ref());
    let template = templates.and_then(|templates| templates.in_app_template.as_ref());
    let at = |member: &str| format!("{field}MessageConfiguration.{member}");
    if !is_in_app {
        return match (own, template) {
            (None, None) => Ok(()),
            (Some(_), _) => Err(Error::invalid(at("InAppMessage"), ONLY_IN_APP)),
            (None, Some(_)) => Err(Error::invalid(
                format!("{field}TemplateConfiguration.InAppTemplate"),
                ONLY_IN_APP,
            )),
        };
    }
    if let Some(member) = message.and_then(sent) {
        return Err(Error::invalid(
            at(member),
            "is sent, but a campaign with the frequency IN_APP_EVENT has in-app messages alone",
        ));
    }
    match (own, template) {
        (None, None) => Err(Error::invalid(
            at("InAppMessage"),
            "either it or an in-app template is required",
        )),
        // A template may say what the message leaves open.
        (_, Some(_)) => Ok(()),
        (Some(own), None) => InAppMessage::from(own.clone()).check(&at("InAppMessage")),
    }
}

const ONLY_IN_APP: &str = "is shown by clients: the campaign needs the frequency IN_APP_EVENT";

/// The first message that some channel would send.
fn sent(message: &MessageConfiguration) -> Option<&'static str> {
    let MessageConfiguration {
        adm_message,
        apns_message,
        baidu_message,
        custom_message,
        default_message,
        email_message,
        gcm_message,
        sms_message,
        in_app_message: _,
    } = message;
    [
        ("ADMMessage", adm_message.is_some()),
        ("APNSMessage", apns_message.is_some()),
        ("BaiduMessage", baidu_message.is_some()),
        ("CustomMessage", custom_message.is_some()),
        ("DefaultMessage", default_message.is_some()),
        ("EmailMessage", email_message.is_some()),
        ("GCMMessage", gcm_message.is_some()),
        ("SMSMessage", sms_message.is_some()),
    ]
    .into_iter()
    .find_map(|(member, is_there)| is_there.then_some(member))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::check;
    use super::*;

    fn campaign(change: &serde_json::Value) -> CampaignDocument {
        let mut campaign = json!({
            "SegmentId": "s",
            "Schedule": {
                "StartTime": "2026-01-01T00:00:00Z", "EndTime": "2026-02-01T00:00:00Z", "Frequency": "IN_APP_EVENT",
                "EventFilter": {"FilterType": "ENDPOINT", "Dimensions": {"EventType": {"Values": ["opened"]}}}
            },
            "MessageConfiguration": {"InAppMessage": {"Layout": "OVERLAYS", "Content": [{}]}},
            "Limits": {"Session": 3, "Daily": 5, "Total": 10},
        });
        for (name, value) in change.as_object().unwrap() {
            campaign[name] = value.clone();
        }
        serde_json::from_value(campaign).unwrap()
    }

    #[test]
    fn an_in_app_campaign_has_in_app_messages_and_others_have_none() {
        let content = json!({"InAppMessage": {"Layout": "OVERLAYS", "Content": [{}]}});
        let once = json!({"StartTime": "IMMEDIATE", "Frequency": "ONCE"});
        for (change, field) in [
            (json!({}), ""),
            (
                json!({"MessageConfiguration": {"InAppMessage": {}}}),
                "MessageConfiguration.InAppMessage.Layout",
            ),
            (
                json!({"MessageConfiguration": {}}),
                "MessageConfiguration.InAppMessage",
            ),
            (
                json!({"MessageConfiguration": {"DefaultMessage": {"Body": "b"}}}),
                "MessageConfiguration.DefaultMessage",
            ),
            (
                json!({"MessageConfiguration": null, "TemplateConfiguration": {"InAppTemplate": {"Name": "t"}}}),
                "",
            ),
            (
                json!({"AdditionalTreatments": [{"Id": "a", "SizePercent": 10, "MessageConfiguration": {}}]}),
                "AdditionalTreatments[0].MessageConfiguration.InAppMessage",
            ),
            (
                json!({"Schedule": once, "MessageConfiguration": content}),
                "MessageConfiguration.InAppMessage",
            ),
            (
                json!({"Schedule": {"StartTime": "IMMEDIATE", "Frequency": "IN_APP_EVENT"}}),
                "Schedule.EventFilter",
            ),
            (json!({"Limits": {"Session": 101}}), "Limits.Session"),
        ] {
            let named = match check(&campaign(&change)) {
                Ok(()) => String::new(),
                Err(Error::Invalid { field, .. }) => field,
                Err(other) => panic!("{other}"),
            };
            assert_eq!(named, field, "{change}");
        }
    }

    #[test]
    fn the_status_follows_from_the_schedule() {
        use CampaignStatus::{Completed, Executing, Scheduled};
        for (now, expected) in [
            ("2025-12-31T23:59:59Z", Scheduled),
            ("2026-01-01T00:00:00Z", Executing),
            ("2026-01-31T23:59:59Z", Executing),
            ("2026-02-01T00:00:00Z", Completed),
        ] {
            let schedule = campaign(&json!({})).schedule.unwrap();
            assert_eq!(status(&schedule, parse_iso(now).unwrap()), expected, "{now}");
        }
        let always = Schedule {
            start_time: "IMMEDIATE".to_owned(),
            ..Schedule::default()
        };
        assert_eq!(status(&always, Timestamp::UNIX_EPOCH), Executing);
    }
}
