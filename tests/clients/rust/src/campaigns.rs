//! Campaigns, in-app messages, journeys.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_pinpoint::Client;
use aws_sdk_pinpoint::types::{
    Activity, CampaignEmailMessage, CampaignEventFilter, CampaignInAppMessage, CampaignStatus, ChannelType,
    DimensionType, EmailChannelRequest, EndpointRequest, EventDimensions, FilterType, Frequency,
    InAppMessageContent, JourneyStateRequest, Layout, MessageConfiguration, Schedule, SegmentDimensions,
    SetDimension, State, WaitActivity, WaitTime, WriteCampaignRequest, WriteJourneyRequest,
    WriteSegmentRequest,
};

use crate::{all_pages, new_app, payload, refused};

async fn new_segment(client: &Client, app: &str) -> Result<String> {
    let request = WriteSegmentRequest::builder()
        .name("all")
        .dimensions(SegmentDimensions::builder().build())
        .build();
    let segment = payload!(
        client
            .create_segment()
            .application_id(app)
            .write_segment_request(request),
        segment_response
    );
    Ok(segment.id().context("id")?.to_owned())
}

async fn new_endpoint(client: &Client, app: &str, channel: ChannelType) -> Result<()> {
    let request = EndpointRequest::builder()
        .channel_type(channel)
        .address("reader@example.com")
        .build();
    payload!(
        client
            .update_endpoint()
            .application_id(app)
            .endpoint_id("reader")
            .endpoint_request(request),
        message_body
    );
    Ok(())
}

pub async fn campaigns(client: &Client) -> Result<()> {
    let app = &new_app(client).await?;
    let channel = EmailChannelRequest::builder()
        .from_address("Books <news@books.test>")
        .identity("arn:aws:ses:eu-central-1:1:identity/books.test")
        .build();
    payload!(
        client
            .update_email_channel()
            .application_id(app)
            .email_channel_request(channel),
        email_channel_response
    );
    new_endpoint(client, app, ChannelType::Email).await?;
    let mail = CampaignEmailMessage::builder()
        .title("Hello")
        .body("Hi {{Id}}")
        .build();
    let request = WriteCampaignRequest::builder()
        .name("offer")
        .segment_id(new_segment(client, app).await?)
        .schedule(Schedule::builder().start_time("2099-01-01T00:00:00Z").build())
        .message_configuration(MessageConfiguration::builder().email_message(mail).build());
    let create = || {
        client
            .create_campaign()
            .application_id(app)
            .write_campaign_request(request.clone().build())
    };
    let made = payload!(create(), campaign_response);
    let id = made.id().context("id")?;
    for _ in 0..2 {
        payload!(create(), campaign_response);
    }
    let status = |campaign: &aws_sdk_pinpoint::types::CampaignResponse| {
        campaign
            .state()
            .and_then(|state| state.campaign_status())
            .cloned()
    };
    ensure!(status(&made) == Some(CampaignStatus::Scheduled), "{made:?}");
    let now = WriteCampaignRequest::builder()
        .name("offer now")
        .schedule(Schedule::builder().start_time("IMMEDIATE").build())
        .build();
    let update = client
        .update_campaign()
        .application_id(app)
        .campaign_id(id)
        .write_campaign_request(now);
    payload!(update, campaign_response);
    let get = || client.get_campaign().application_id(app).campaign_id(id);
    let mut read = payload!(get(), campaign_response);
    for _ in 0..1_000 {
        if status(&read) == Some(CampaignStatus::Completed) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        read = payload!(get(), campaign_response);
    }
    ensure!(status(&read) == Some(CampaignStatus::Completed), "{read:?}");
    ensure!(read.name() == Some("offer now") && read.version() == Some(2));
    let activities = client
        .get_campaign_activities()
        .application_id(app)
        .campaign_id(id);
    let activities = payload!(activities, activities_response);
    ensure!(
        activities.item()[0].successful_endpoint_count() == Some(1),
        "{activities:?}"
    );
    let kpi = client
        .get_campaign_date_range_kpi()
        .application_id(app)
        .campaign_id(id)
        .kpi_name("successful-delivery-rate");
    payload!(kpi, campaign_date_range_kpi_response);
    let old = client
        .get_campaign_version()
        .application_id(app)
        .campaign_id(id)
        .version("1");
    ensure!(payload!(old, campaign_response).name() == Some("offer"));
    let versions = client.get_campaign_versions().application_id(app).campaign_id(id);
    ensure!(payload!(versions, campaigns_response).item().len() == 2);
    let listed = all_pages!(
        client.get_campaigns().application_id(app),
        campaigns_response,
        token
    );
    ensure!(listed.len() == 3);
    let deleted = client.delete_campaign().application_id(app).campaign_id(id);
    payload!(deleted, campaign_response);
    let wrong = WriteCampaignRequest::builder()
        .name("nobody")
        .segment_id("nobody")
        .build();
    refused!(
        client
            .create_campaign()
            .application_id(app)
            .write_campaign_request(wrong),
        is_bad_request_exception
    );
    Ok(())
}

pub async fn in_app(client: &Client) -> Result<()> {
    let app = &new_app(client).await?;
    new_endpoint(client, app, ChannelType::InApp).await?;
    let message = CampaignInAppMessage::builder()
        .layout(Layout::TopBanner)
        .content(InAppMessageContent::builder().background_color("#FFFFFF").build())
        .build();
    let opened = SetDimension::builder()
        .dimension_type(DimensionType::Inclusive)
        .values("page.opened")
        .build();
    let filter = CampaignEventFilter::builder()
        .filter_type(FilterType::Endpoint)
        .dimensions(EventDimensions::builder().event_type(opened).build())
        .build();
    let schedule = Schedule::builder()
        .start_time("IMMEDIATE")
        .end_time("2099-01-01T00:00:00Z")
        .frequency(Frequency::InAppEvent)
        .event_filter(filter)
        .build();
    let request = WriteCampaignRequest::builder()
        .name("banner")
        .segment_id(new_segment(client, app).await?)
        .schedule(schedule)
        .message_configuration(MessageConfiguration::builder().in_app_message(message).build())
        .build();
    payload!(
        client
            .create_campaign()
            .application_id(app)
            .write_campaign_request(request),
        campaign_response
    );
    let shown = payload!(
        client
            .get_in_app_messages()
            .application_id(app)
            .endpoint_id("reader"),
        in_app_messages_response
    );
    let [shown] = shown.in_app_message_campaigns() else {
        anyhow::bail!("{shown:?}");
    };
    let layout = shown.in_app_message().and_then(|message| message.layout());
    ensure!(layout == Some(&Layout::TopBanner), "{shown:?}");
    Ok(())
}

pub async fn journeys(client: &Client) -> Result<()> {
    let app = &new_app(client).await?;
    let wait = WaitActivity::builder().wait_time(WaitTime::builder().wait_for("PT1H").build());
    let request = WriteJourneyRequest::builder()
        .name("welcome")
        .start_activity("wait")
        .activities("wait", Activity::builder().wait(wait.build()).build())
        .build();
    let create = || {
        client
            .create_journey()
            .application_id(app)
            .write_journey_request(request.clone())
    };
    let made = payload!(create(), journey_response);
    let id = made.id().context("id")?;
    for _ in 0..2 {
        payload!(create(), journey_response);
    }
    ensure!(made.state() == Some(&State::Draft), "{made:?}");
    let change = WriteJourneyRequest::builder().name("goodbye").build();
    let update = client
        .update_journey()
        .application_id(app)
        .journey_id(id)
        .write_journey_request(change);
    payload!(update, journey_response);
    let read = payload!(
        client.get_journey().application_id(app).journey_id(id),
        journey_response
    );
    ensure!(read.name() == Some("goodbye"), "{read:?}");
    let cancel = JourneyStateRequest::builder().state(State::Cancelled).build();
    refused!(
        client
            .update_journey_state()
            .application_id(app)
            .journey_id(id)
            .journey_state_request(cancel),
        is_bad_request_exception
    );
    payload!(
        client
            .get_journey_execution_metrics()
            .application_id(app)
            .journey_id(id),
        journey_execution_metrics_response
    );
    payload!(
        client
            .get_journey_execution_activity_metrics()
            .application_id(app)
            .journey_id(id)
            .journey_activity_id("wait"),
        journey_execution_activity_metrics_response
    );
    let runs = client.get_journey_runs().application_id(app).journey_id(id);
    ensure!(payload!(runs, journey_runs_response).item().is_empty());
    let listed = all_pages!(
        client.list_journeys().application_id(app),
        journeys_response,
        token
    );
    ensure!(listed.len() == 3);
    payload!(
        client.delete_journey().application_id(app).journey_id(id),
        journey_response
    );
    refused!(
        client.get_journey().application_id(app).journey_id(id),
        is_not_found_exception
    );
    Ok(())
}
