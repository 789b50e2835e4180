//! Templates of all five types.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_pinpoint::Client;
use aws_sdk_pinpoint::types::{
    EmailTemplateRequest, InAppTemplateRequest, Layout, MessageHeader, PushNotificationTemplateRequest,
    SmsTemplateRequest, TemplateActiveVersionRequest, TemplateType, VoiceTemplateRequest,
};

use crate::{all_pages, payload, refused};

/// The life of one template.
macro_rules! life {
    ($client:expr, $name:expr, $type:ident, $request:expr, $create:ident, $made:ident, $get:ident, $read:ident,
     $update:ident, $delete:ident, $member:ident) => {{
        refused!($client.$get().template_name($name), is_not_found_exception);
        let request = $request.template_description("first").build();
        let made = payload!($client.$create().template_name($name).$member(request), $made);
        let arn = made.arn().context("arn")?;
        ensure!(arn.ends_with(&format!("templates/{}/{}", $name, TemplateType::$type.as_str())));
        refused!(
            $client.$create().template_name($name).$member($request.build()),
            is_bad_request_exception
        );
        let request = $request.template_description("second").build();
        payload!(
            $client
                .$update()
                .template_name($name)
                .create_new_version(true)
                .$member(request),
            message_body
        );
        let read = payload!($client.$get().template_name($name), $read);
        ensure!(read.template_description() == Some("first"), "{read:?}");
        ensure!(read.template_type() == Some(&TemplateType::$type));
        let latest = TemplateActiveVersionRequest::builder().version("latest").build();
        payload!(
            $client
                .update_template_active_version()
                .template_name($name)
                .template_type(TemplateType::$type.as_str())
                .template_active_version_request(latest),
            message_body
        );
        let read = payload!($client.$get().template_name($name), $read);
        ensure!(read.template_description() == Some("second") && read.version() == Some("2"));
        let versions = all_pages!(
            $client
                .list_template_versions()
                .template_name($name)
                .template_type(TemplateType::$type.as_str()),
            template_versions_response,
            next_token
        );
        ensure!(versions.len() == 2);
        let listed = all_pages!(
            $client.list_templates().prefix($name),
            templates_response,
            next_token
        );
        ensure!(
            listed.iter().any(|listed| listed.arn() == Some(arn)),
            "{listed:?}"
        );
        payload!($client.$delete().template_name($name).version("2"), message_body);
        let read = payload!($client.$get().template_name($name), $read);
        ensure!(read.version() == Some("1"));
        payload!($client.$delete().template_name($name), message_body);
        refused!($client.$get().template_name($name), is_not_found_exception);
    }};
}

pub async fn templates(client: &Client) -> Result<()> {
    let name = &format!("rust-{}", std::process::id());
    let header = MessageHeader::builder().name("X-Shop").value("books").build();
    life!(
        client,
        name,
        Email,
        EmailTemplateRequest::builder()
            .subject("Hello")
            .text_part("Hi")
            .headers(header.clone()),
        create_email_template,
        create_template_message_body,
        get_email_template,
        email_template_response,
        update_email_template,
        delete_email_template,
        email_template_request
    );
    life!(
        client,
        name,
        Sms,
        SmsTemplateRequest::builder().body("Hi {{name}}"),
        create_sms_template,
        create_template_message_body,
        get_sms_template,
        sms_template_response,
        update_sms_template,
        delete_sms_template,
        sms_template_request
    );
    life!(
        client,
        name,
        Voice,
        VoiceTemplateRequest::builder()
            .body("Hi")
            .voice_id("Ewa")
            .language_code("pl-PL"),
        create_voice_template,
        create_template_message_body,
        get_voice_template,
        voice_template_response,
        update_voice_template,
        delete_voice_template,
        voice_template_request
    );
    life!(
        client,
        name,
        Push,
        PushNotificationTemplateRequest::builder().default_substitutions("{}"),
        create_push_template,
        create_template_message_body,
        get_push_template,
        push_notification_template_response,
        update_push_template,
        delete_push_template,
        push_notification_template_request
    );
    life!(
        client,
        name,
        Inapp,
        InAppTemplateRequest::builder().layout(Layout::Overlays),
        create_in_app_template,
        template_create_message_body,
        get_in_app_template,
        in_app_template_response,
        update_in_app_template,
        delete_in_app_template,
        in_app_template_request
    );
    Ok(())
}
