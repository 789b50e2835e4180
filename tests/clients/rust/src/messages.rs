//! Messages to addresses, endpoints and users; one-time passwords.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_pinpoint::Client;
use aws_sdk_pinpoint::types::{
    AddressConfiguration, ChannelType, DeliveryStatus, DirectMessageConfiguration, EndpointRequest,
    EndpointSendConfiguration, EndpointUser, MessageRequest, MessageType, SendOtpMessageRequestParameters,
    SendUsersMessageRequest, SmsChannelRequest, SmsMessage, VerifyOtpMessageRequestParameters,
};

use crate::{new_app, payload, refused};

const PHONE: &str = "+48601234567";

async fn text_app(client: &Client) -> Result<String> {
    let app = new_app(client).await?;
    let channel = SmsChannelRequest::builder()
        .enabled(true)
        .sender_id("BOOKS")
        .build();
    payload!(
        client
            .update_sms_channel()
            .application_id(&app)
            .sms_channel_request(channel),
        sms_channel_response
    );
    Ok(app)
}

pub async fn messages(client: &Client) -> Result<()> {
    let app = &text_app(client).await?;
    let text = SmsMessage::builder()
        .body("Order {{n}}")
        .message_type(MessageType::Transactional)
        .substitutions("n", vec!["7".to_owned()])
        .build();
    let configuration = DirectMessageConfiguration::builder().sms_message(text).build();
    let address = AddressConfiguration::builder()
        .channel_type(ChannelType::Sms)
        .build();
    let request = MessageRequest::builder()
        .addresses(PHONE, address)
        .message_configuration(configuration.clone())
        .trace_id("trace")
        .build();
    let send = || {
        client
            .send_messages()
            .application_id(app)
            .message_request(request.clone())
    };
    let response = payload!(send(), message_response);
    ensure!(response.application_id() == Some(app.as_str()));
    let result = &response.result().context("result")?[PHONE];
    ensure!(
        result.delivery_status() == Some(&DeliveryStatus::Successful),
        "{result:?}"
    );
    ensure!(result.status_code() == Some(200) && result.message_id().is_some());

    let user = EndpointUser::builder().user_id("ann@ż").build();
    let endpoint = EndpointRequest::builder()
        .channel_type(ChannelType::Sms)
        .address("+48509876543")
        .user(user)
        .build();
    payload!(
        client
            .update_endpoint()
            .application_id(app)
            .endpoint_id("phone")
            .endpoint_request(endpoint),
        message_body
    );
    let request = SendUsersMessageRequest::builder()
        .users("ann@ż", EndpointSendConfiguration::builder().build())
        .message_configuration(configuration)
        .build();
    let response = payload!(
        client
            .send_users_messages()
            .application_id(app)
            .send_users_message_request(request),
        send_users_message_response
    );
    let result = &response.result().context("result")?["ann@ż"]["phone"];
    ensure!(
        result.delivery_status() == Some(&DeliveryStatus::Successful),
        "{result:?}"
    );
    let nobody = MessageRequest::builder()
        .message_configuration(DirectMessageConfiguration::builder().build())
        .build();
    refused!(
        client.send_messages().application_id(app).message_request(nobody),
        is_bad_request_exception
    );
    Ok(())
}

pub async fn one_time_passwords(client: &Client) -> Result<()> {
    let app = &text_app(client).await?;
    let request = SendOtpMessageRequestParameters::builder()
        .brand_name("Books")
        .channel("SMS")
        .destination_identity(PHONE)
        .origination_identity("+48509876543")
        .reference_id("login")
        .build();
    let response = payload!(
        client
            .send_otp_message()
            .application_id(app)
            .send_otp_message_request_parameters(request),
        message_response
    );
    let result = &response.result().context("result")?[PHONE];
    ensure!(
        result.delivery_status() == Some(&DeliveryStatus::Successful),
        "{result:?}"
    );
    let guess = VerifyOtpMessageRequestParameters::builder()
        .destination_identity(PHONE)
        .otp("no-code")
        .reference_id("login")
        .build();
    let response = payload!(
        client
            .verify_otp_message()
            .application_id(app)
            .verify_otp_message_request_parameters(guess),
        verification_response
    );
    ensure!(response.valid() == Some(false));
    Ok(())
}
