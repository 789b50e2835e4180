//! What must hold of a campaign, as far as its document alone tells. That what it names exists and that
//! its texts compile is looked at by those who can see it.

use super::{CampaignDocument, in_app, schedule};
use crate::message::MessageConfiguration;
use crate::template::TemplateConfiguration;
use crate::{Error, Result};

/// Treatments beside the campaign's own message (user guide, "A/B test campaigns").
const MOST_TREATMENTS: usize = 4;
/// Bytes of a custom message's data (API reference, "CampaignCustomMessage").
const LONGEST_DATA: usize = 5_000;

/// Checks a campaign as it is about to be stored. Errors name the member.
pub fn check(campaign: &CampaignDocument) -> Result<()> {
    if campaign.segment_id.is_none() {
        return Err(Error::invalid(
            "SegmentId",
            "is required: it says whom the campaign reaches",
        ));
    }
    check_shares(campaign)?;
    if let Some(schedule) = &campaign.schedule {
        schedule::check(schedule, "Schedule")?;
    }
    if let Some(limits) = &campaign.limits {
        limits.check("Limits")?;
    }
    let is_in_app = in_app::is_in_app(campaign);
    check_saying(
        is_in_app,
        campaign.message_configuration.as_ref(),
        campaign.template_configuration.as_ref(),
        "",
    )?;
    for (number, treatment) in campaign.additional_treatments.iter().enumerate() {
        let treatment = &treatment.treatment;
        let field = format!("AdditionalTreatments[{number}].");
        if treatment.schedule.is_some() {
            return Err(Error::Unsupported(format!(
                "{field}Schedule, other than the campaign's,"
            )));
        }
        check_saying(
            is_in_app,
            treatment.message_configuration.as_ref(),
            treatment.template_configuration.as_ref(),
            &field,
        )?;
    }
    Ok(())
}

/// The holdout and the treatments take their shares; what is left gets the campaign's own message.
fn check_shares(campaign: &CampaignDocument) -> Result<()> {
    let treatments = &campaign.additional_treatments;
    if treatments.len() > MOST_TREATMENTS {
        return Err(Error::invalid(
            "AdditionalTreatments",
            format!("there can be at most {MOST_TREATMENTS}"),
        ));
    }
    let holdout = u32::from(campaign.holdout_percent.unwrap_or(0));
    let shares: u32 = treatments
        .iter()
        .map(|treatment| u32::from(treatment.treatment.size_percent))
        .sum();
    if holdout + shares > 100 {
        return Err(Error::invalid(
            if treatments.is_empty() {
                "HoldoutPercent"
            } else {
                "AdditionalTreatments"
            },
            "the holdout and all treatments together can have at most 100 percent",
        ));
    }
    Ok(())
}

/// What one treatment says; `field` is the path of its members.
fn check_saying(
    is_in_app: bool,
    message: Option<&MessageConfiguration>,
    templates: Option<&TemplateConfiguration>,
    field: &str,
) -> Result<()> {
    if message.is_none() && templates.is_none() {
        return Err(Error::invalid(
            format!("{field}MessageConfiguration"),
            "either it or TemplateConfiguration is required: they say what the campaign says",
        ));
    }
    in_app::check_saying(is_in_app, message, templates, field)?;
    if let Some(message) = message {
        check_message(message, &format!("{field}MessageConfiguration"))?;
    }
    if let Some(templates) = templates {
        check_templates(templates, &format!("{field}TemplateConfiguration"))?;
    }
    Ok(())
}

fn check_message(message: &MessageConfiguration, field: &str) -> Result<()> {
    for (member, message) in [
        ("ADMMessage", &message.adm_message),
        ("APNSMessage", &message.apns_message),
        ("BaiduMessage", &message.baidu_message),
        ("DefaultMessage", &message.default_message),
        ("GCMMessage", &message.gcm_message),
    ] {
        if let Some(message) = message {
            message.check(&format!("{field}.{member}"))?;
        }
    }
    let custom = message.custom_message.as_ref();
    let data = custom.and_then(|custom| custom.data.as_deref());
    if data.is_some_and(|data| data.len() > LONGEST_DATA) {
        return Err(Error::invalid(
            format!("{field}.CustomMessage.Data"),
            format!("has at most {LONGEST_DATA} bytes"),
        ));
    }
    Ok(())
}

/// A reference without a name refers to nothing, and nobody is called by a campaign.
fn check_templates(templates: &TemplateConfiguration, field: &str) -> Result<()> {
    for (member, reference) in [
        ("EmailTemplate", &templates.email_template),
        ("PushTemplate", &templates.push_template),
        ("SMSTemplate", &templates.sms_template),
        ("InAppTemplate", &templates.in_app_template),
    ] {
        let Some(reference) = reference else { continue };
        if reference.name.as_deref().is_none_or(str::is_empty) && reference.version.is_some() {
            return Err(Error::invalid(
                format!("{field}.{member}.Name"),
                "is required beside Version",
            ));
        }
    }
    match &templates.voice_template {
        Some(voice) if voice.name.is_some() => Err(Error::invalid(
            format!("{field}.VoiceTemplate"),
            "campaigns have no voice messages",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn treatment(percent: u8) -> Value {
        json!({"Id": "t", "SizePercent": percent, "MessageConfiguration": {}})
    }

    #[test]
    fn campaigns_that_cannot_be_name_the_member() {
        for (member, value, expected) in [
            ("Name", json!("c"), ""),
            ("SegmentId", json!(null), "SegmentId"),
            ("MessageConfiguration", json!(null), "MessageConfiguration"),
            ("AdditionalTreatments", json!([treatment(90)]), ""),
            (
                "AdditionalTreatments",
                json!([treatment(50), treatment(41)]),
                "AdditionalTreatments",
            ),
            (
                "AdditionalTreatments",
                json!(vec![treatment(1); 5]),
                "AdditionalTreatments",
            ),
            (
                "AdditionalTreatments",
                json!([{"Id": "t", "SizePercent": 1}]),
                "AdditionalTreatments[0].MessageConfiguration",
            ),
            ("Schedule", json!({"StartTime": "soon"}), "Schedule.StartTime"),
            ("Limits", json!({"Total": 101}), "Limits.Total"),
            (
                "MessageConfiguration",
                json!({"GCMMessage": {"Action": "DANCE"}}),
                "MessageConfiguration.GCMMessage.Action",
            ),
            (
                "MessageConfiguration",
                json!({"DefaultMessage": {"Action": "URL"}}),
                "MessageConfiguration.DefaultMessage.Url",
            ),
            (
                "MessageConfiguration",
                json!({"APNSMessage": {"TimeToLive": -1}}),
                "MessageConfiguration.APNSMessage.TimeToLive",
            ),
            (
                "MessageConfiguration",
                json!({"CustomMessage": {"Data": "x".repeat(5_001)}}),
                "MessageConfiguration.CustomMessage.Data",
            ),
            (
                "TemplateConfiguration",
                json!({"SMSTemplate": {"Version": "1"}}),
                "TemplateConfiguration.SMSTemplate.Name",
            ),
            (
                "TemplateConfiguration",
                json!({"VoiceTemplate": {"Name": "v"}}),
                "TemplateConfiguration.VoiceTemplate",
            ),
        ] {
            let mut campaign = json!({"SegmentId": "s", "HoldoutPercent": 10, "MessageConfiguration": {}});
            campaign[member] = value.clone();
            let campaign: CampaignDocument = serde_json::from_value(campaign).unwrap();
            let named = match check(&campaign) {
                Ok(()) => String::new(),
                Err(Error::Invalid { field, .. }) => field,
                Err(other) => panic!("{other}"),
            };
            assert_eq!(named, expected, "{member}: {value}");
        }
    }

    #[test]
    fn a_holdout_alone_may_take_everybody() {
        let campaign = json!({"SegmentId": "s", "HoldoutPercent": 100, "MessageConfiguration": {}});
        let campaign: CampaignDocument = serde_json::from_value(campaign).unwrap();
        assert_eq!(check(&campaign), Ok(()));
    }
}
