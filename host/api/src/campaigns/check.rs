//! Whether a campaign can be, as a whole: what it names exists, its shares add up, its texts compile.

use pinion_domain::Error;
use pinion_domain::campaign::{CampaignDocument, CustomDelivery, schedule};
use pinion_domain::message::MessageConfiguration;
use pinion_domain::template::{EmailTemplate, TemplateConfiguration, TemplateReference};
use pinion_engine::render::EmailRenderer;
use pinion_store::AppRef;

use crate::error::Result;
use crate::settings::{check_limits, check_quiet_time};
use crate::templates::parse_version;
use crate::{Api, hooks};

/// Treatments beside the campaign's own message (user guide, "A/B test campaigns").
const MOST_TREATMENTS: usize = 4;
/// Bytes of a custom message's data (API reference, `CampaignCustomMessage`).
const LONGEST_DATA: usize = 5_000;

/// Checks a campaign as it is about to be stored.
pub(super) async fn check(api: &Api, app: &AppRef, campaign: &CampaignDocument) -> Result<()> {
    if campaign.segment_id.is_none() {
        return Err(Error::invalid("SegmentId", "is required: it says whom the campaign reaches").into());
    }
    check_shares(campaign)?;
    if let Some(schedule) = &campaign.schedule {
        schedule::check(schedule, "Schedule")?;
        if let Some(quiet_time) = &schedule.quiet_time {
            check_quiet_time(quiet_time, "Schedule.QuietTime")?;
        }
    }
    if let Some(limits) = &campaign.limits {
        check_limits(limits, "Limits")?;
    }
    if let Some(hook) = &campaign.hook {
        hooks::check_hook(api, &app.tenant.account, hook, "Hook")?;
    }
    let own = Saying {
        message: campaign.message_configuration.as_ref(),
        templates: campaign.template_configuration.as_ref(),
        delivery: campaign.custom_delivery_configuration.as_ref(),
    };
    check_saying(api, app, own, "").await?;
    for (number, treatment) in campaign.additional_treatments.iter().enumerate() {
        let treatment = &treatment.treatment;
        let field = format!("AdditionalTreatments[{number}].");
        if treatment.schedule.is_some() {
            return Err(Error::Unsupported(format!("{field}Schedule, other than the campaign's,")).into());
        }
        let saying = Saying {
            message: treatment.message_configuration.as_ref(),
            templates: treatment.template_configuration.as_ref(),
            delivery: treatment.custom_delivery_configuration.as_ref(),
        };
        check_saying(api, app, saying, &field).await?;
    }
    Ok(())
}

/// The holdout and the treatments take their shares; what is left gets the campaign's own message.
fn check_shares(campaign: &CampaignDocument) -> Result<(), Error> {
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

/// What one treatment says.
#[derive(Clone, Copy)]
struct Saying<'a> {
    message: Option<&'a MessageConfiguration>,
    templates: Option<&'a TemplateConfiguration>,
    delivery: Option<&'a CustomDelivery>,
}

async fn check_saying(api: &Api, app: &AppRef, saying: Saying<'_>, field: &str) -> Result<()> {
    if saying.message.is_none() && saying.templates.is_none() {
        return Err(Error::invalid(
            format!("{field}MessageConfiguration"),
            "either it or TemplateConfiguration is required: they say what the campaign says",
        )
        .into());
    }
    if let Some(message) = saying.message {
        check_message(message, field)?;
    }
    if let Some(templates) = saying.templates {
        check_templates(api, app, templates, field).await?;
    }
    if let Some(delivery) = saying.delivery {
        let field = format!("{field}CustomDeliveryConfiguration");
        hooks::check_delivery(api, &app.tenant.account, delivery, &field)?;
    }
    Ok(())
}

fn check_message(message: &MessageConfiguration, field: &str) -> Result<(), Error> {
    if let Some(email) = &message.email_message {
        EmailRenderer::of_campaign(email).map_err(|error| {
            Error::invalid(
                format!("{field}MessageConfiguration.EmailMessage.{}", error.part),
                format!("line {}: {}", error.line, error.message),
            )
        })?;
    }
    let data = message
        .custom_message
        .as_ref()
        .and_then(|custom| custom.data.as_deref());
    if data.is_some_and(|data| data.len() > LONGEST_DATA) {
        return Err(Error::invalid(
            format!("{field}MessageConfiguration.CustomMessage.Data"),
            format!("has at most {LONGEST_DATA} bytes"),
        ));
    }
    Ok(())
}

async fn check_templates(
    api: &Api,
    app: &AppRef,
    templates: &TemplateConfiguration,
    field: &str,
) -> Result<()> {
    let TemplateConfiguration {
        email_template,
        push_template,
        sms_template,
        voice_template,
        in_app_template,
    } = templates;
    let named = |reference: &Option<TemplateReference>| {
        let reference = reference.as_ref()?;
        Some((reference.name.clone()?, reference.version.clone()))
    };
    if let Some((name, version)) = named(email_template) {
        let field = format!("{field}TemplateConfiguration.EmailTemplate");
        let version = match version.as_deref() {
            None | Some("") => None,
            Some(version) => Some(parse_version(version, &format!("{field}.Version"))?),
        };
        let template = api.store().document::<EmailTemplate>(&app.tenant, &name, version);
        if template.await?.is_none() {
            return Err(match version {
                None => Error::invalid(format!("{field}.Name"), format!("there is no template {name}")),
                Some(version) => Error::invalid(
                    format!("{field}.Version"),
                    format!("there is no version {version} of template {name}"),
                ),
            }
            .into());
        }
    }
    // Templates of other types cannot be made yet, so none can be named.
    for (member, reference) in [
        ("PushTemplate", push_template),
        ("SMSTemplate", sms_template),
        ("VoiceTemplate", voice_template),
        ("InAppTemplate", in_app_template),
    ] {
        if let Some((name, _)) = named(reference) {
            let field = format!("{field}TemplateConfiguration.{member}.Name");
            return Err(Error::invalid(field, format!("there is no template {name}")).into());
        }
    }
    Ok(())
}
