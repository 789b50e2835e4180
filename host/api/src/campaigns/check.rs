//! Whether a campaign can be, as a whole: what it names exists, and its texts compile.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::campaign::{CampaignDocument, CustomDelivery, check as check_document};
use pinion_domain::channel::ChannelType;
use pinion_domain::message::MessageConfiguration;
use pinion_domain::template::{NamedTemplate, TemplateConfiguration, TemplateType};
use pinion_engine::render::{EmailRenderer, PushRenderer, TemplateError, TextRenderer};
use pinion_store::AppRef;

use crate::error::Result;
use crate::template_references::Reference;
use crate::{Api, hooks, template_references};

/// Checks a campaign as it is about to be stored.
pub(super) async fn check(api: &Api, app: &AppRef, campaign: &CampaignDocument) -> Result<()> {
    check_document(campaign)?;
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
        let saying = Saying {
            message: treatment.message_configuration.as_ref(),
            templates: treatment.template_configuration.as_ref(),
            delivery: treatment.custom_delivery_configuration.as_ref(),
        };
        check_saying(api, app, saying, &field).await?;
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
    if let Some(message) = saying.message {
        check_message(message, field)?;
    }
    if let Some(templates) = saying.templates {
        check_templates(api, app, templates, field).await?;
    }
    let field = format!("{field}CustomDeliveryConfiguration");
    let is_custom = saying
        .message
        .is_some_and(|message| message.custom_message.is_some());
    match saying.delivery {
        Some(delivery) => Ok(hooks::check_delivery(api, &app.tenant.account, delivery, &field)?),
        // Without one, the server's own binding delivers.
        None if is_custom && !api.engine.config().bindings.contains_key(&ChannelType::Custom) => {
            Err(Error::invalid(field, "is required beside CustomMessage: it says who delivers").into())
        }
        None => Ok(()),
    }
}

/// Every text compiles.
fn check_message(message: &MessageConfiguration, field: &str) -> Result<(), Error> {
    let field = format!("{field}MessageConfiguration");
    let wrong = |member: &str, error: &TemplateError| {
        Error::invalid(
            format!("{field}.{member}.{}", error.part),
            format!("line {}: {}", error.line, error.message),
        )
    };
    if let Some(email) = &message.email_message {
        EmailRenderer::of_campaign(email).map_err(|error| wrong("EmailMessage", &error))?;
    }
    if let Some(body) = message.sms_message.as_ref().and_then(|sms| sms.body.as_deref()) {
        TextRenderer::new(body, BTreeMap::new()).map_err(|error| wrong("SMSMessage", &error))?;
    }
    let default = message.default_message.as_ref();
    let pushes = [
        ChannelType::Adm,
        ChannelType::Apns,
        ChannelType::Baidu,
        ChannelType::Gcm,
    ]
    .into_iter()
    .filter_map(|channel| Some((channel, message.push(channel)?)))
    .chain(default.map(|message| (ChannelType::Push, ("DefaultMessage", message))));
    for (channel, (member, message)) in pushes {
        let push = message.to_push(&format!("{field}.{member}"))?;
        PushRenderer::new(channel, &push, BTreeMap::new()).map_err(|error| wrong(member, &error))?;
    }
    Ok(())
}

async fn check_templates(
    api: &Api,
    app: &AppRef,
    templates: &TemplateConfiguration,
    field: &str,
) -> Result<()> {
    for kind in TemplateType::ALL {
        let Some(NamedTemplate {
            member,
            name,
            version,
        }) = templates.named(kind)
        else {
            continue;
        };
        let field = format!("{field}TemplateConfiguration.{member}");
        let reference = Reference {
            kind,
            name,
            version,
            name_field: &format!("{field}.Name"),
            version_field: &format!("{field}.Version"),
        };
        template_references::check(api, &app.tenant, reference).await?;
    }
    Ok(())
}
