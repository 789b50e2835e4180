//! The ten channels: enabled, read, changed, listed, removed.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_pinpoint::Client;
use aws_sdk_pinpoint::types::{
    AdmChannelRequest, ApnsChannelRequest, ApnsSandboxChannelRequest, ApnsVoipChannelRequest,
    ApnsVoipSandboxChannelRequest, BaiduChannelRequest, EmailChannelRequest, GcmChannelRequest,
    SmsChannelRequest, VoiceChannelRequest,
};

use crate::{new_app, payload, refused};

/// The life of one channel. Credentials are taken and never given back: the answer only says that there are.
macro_rules! life {
    ($client:expr, $app:expr, $platform:literal, $request:expr,
     $update:ident, $member:ident, $get:ident, $delete:ident, $payload:ident) => {{
        refused!($client.$get().application_id($app), is_not_found_exception);
        let request = $request.enabled(true).build();
        let made = payload!($client.$update().application_id($app).$member(request), $payload);
        ensure!(made.platform() == Some($platform), "{made:?}");
        let read = payload!($client.$get().application_id($app), $payload);
        ensure!(
            read.enabled() == Some(true) && read.version() == Some(1),
            "{read:?}"
        );
        let request = $request.enabled(false).build();
        payload!($client.$update().application_id($app).$member(request), $payload);
        let read = payload!($client.$get().application_id($app), $payload);
        ensure!(
            read.enabled() == Some(false) && read.version() == Some(2),
            "{read:?}"
        );
        let all = payload!($client.get_channels().application_id($app), channels_response);
        let channels = all.channels().context("channels")?;
        ensure!(channels.contains_key($platform), "{channels:?}");
        payload!($client.$delete().application_id($app), $payload);
        refused!($client.$get().application_id($app), is_not_found_exception);
    }};
}

pub async fn channels(client: &Client) -> Result<()> {
    let app = &new_app(client).await?;
    life!(
        client,
        app,
        "ADM",
        AdmChannelRequest::builder()
            .client_id("id")
            .client_secret("secret"),
        update_adm_channel,
        adm_channel_request,
        get_adm_channel,
        delete_adm_channel,
        adm_channel_response
    );
    life!(
        client,
        app,
        "APNS",
        ApnsChannelRequest::builder()
            .certificate("certificate")
            .private_key("key"),
        update_apns_channel,
        apns_channel_request,
        get_apns_channel,
        delete_apns_channel,
        apns_channel_response
    );
    life!(
        client,
        app,
        "APNS_SANDBOX",
        ApnsSandboxChannelRequest::builder()
            .bundle_id("org.example.app")
            .team_id("TEAM")
            .token_key("key")
            .token_key_id("KEY"),
        update_apns_sandbox_channel,
        apns_sandbox_channel_request,
        get_apns_sandbox_channel,
        delete_apns_sandbox_channel,
        apns_sandbox_channel_response
    );
    life!(
        client,
        app,
        "APNS_VOIP",
        ApnsVoipChannelRequest::builder()
            .certificate("certificate")
            .private_key("key"),
        update_apns_voip_channel,
        apns_voip_channel_request,
        get_apns_voip_channel,
        delete_apns_voip_channel,
        apns_voip_channel_response
    );
    life!(
        client,
        app,
        "APNS_VOIP_SANDBOX",
        ApnsVoipSandboxChannelRequest::builder()
            .certificate("certificate")
            .private_key("key"),
        update_apns_voip_sandbox_channel,
        apns_voip_sandbox_channel_request,
        get_apns_voip_sandbox_channel,
        delete_apns_voip_sandbox_channel,
        apns_voip_sandbox_channel_response
    );
    life!(
        client,
        app,
        "BAIDU",
        BaiduChannelRequest::builder().api_key("key").secret_key("secret"),
        update_baidu_channel,
        baidu_channel_request,
        get_baidu_channel,
        delete_baidu_channel,
        baidu_channel_response
    );
    life!(
        client,
        app,
        "EMAIL",
        EmailChannelRequest::builder()
            .from_address("Books <news@books.test>")
            .identity("arn:aws:ses:eu-central-1:1:identity/books.test"),
        update_email_channel,
        email_channel_request,
        get_email_channel,
        delete_email_channel,
        email_channel_response
    );
    life!(
        client,
        app,
        "GCM",
        GcmChannelRequest::builder().api_key("key"),
        update_gcm_channel,
        gcm_channel_request,
        get_gcm_channel,
        delete_gcm_channel,
        gcm_channel_response
    );
    life!(
        client,
        app,
        "SMS",
        SmsChannelRequest::builder().sender_id("BOOKS"),
        update_sms_channel,
        sms_channel_request,
        get_sms_channel,
        delete_sms_channel,
        sms_channel_response
    );
    life!(
        client,
        app,
        "VOICE",
        VoiceChannelRequest::builder(),
        update_voice_channel,
        voice_channel_request,
        get_voice_channel,
        delete_voice_channel,
        voice_channel_response
    );
    Ok(())
}
