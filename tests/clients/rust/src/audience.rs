//! Endpoints and users with odd names, events, segments.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_pinpoint::Client;
use aws_sdk_pinpoint::types::{
    AttributeDimension, AttributeType, ChannelType, EndpointBatchItem, EndpointBatchRequest, EndpointRequest,
    EndpointUser, Event, EventsBatch, EventsRequest, Include, PublicEndpoint, SegmentDimensions,
    SegmentGroup, SegmentGroupList, SegmentType, UpdateAttributesRequest, WriteSegmentRequest,
};

use crate::{all_pages, new_app, payload, refused};

const ODD: [&str; 14] = [
    "a@b",
    "a/b",
    "a+b",
    "100%",
    "a*b",
    "~a",
    "a:b",
    "a&b=c",
    "a;b",
    "a b",
    "żółw",
    "日本",
    "a%2Fb",
    "arn:aws:x/y",
];

pub async fn endpoints(client: &Client) -> Result<()> {
    let app = &new_app(client).await?;
    for odd in ODD {
        let user = EndpointUser::builder()
            .user_id(odd)
            .user_attributes(odd, vec![odd.to_owned()])
            .build();
        let request = EndpointRequest::builder()
            .channel_type(ChannelType::Email)
            .address(format!("{}@example.com", odd.len()))
            .attributes(odd, vec![odd.to_owned(), "second".to_owned()])
            .metrics("visits", 2.5)
            .user(user)
            .build();
        payload!(
            client
                .update_endpoint()
                .application_id(app)
                .endpoint_id(odd)
                .endpoint_request(request),
            message_body
        );
        let read = payload!(
            client.get_endpoint().application_id(app).endpoint_id(odd),
            endpoint_response
        );
        ensure!(read.id() == Some(odd), "{read:?}");
        ensure!(read.attributes().context("attributes")?[odd] == [odd, "second"]);
        ensure!(read.metrics().context("metrics")?["visits"] == 2.5);
        ensure!(read.user().and_then(EndpointUser::user_id) == Some(odd));
        let of_user = payload!(
            client.get_user_endpoints().application_id(app).user_id(odd),
            endpoints_response
        );
        ensure!(of_user.item().len() == 1, "{of_user:?}");
    }
    let item = EndpointBatchItem::builder()
        .id("batch")
        .channel_type(ChannelType::Sms)
        .address("+48601234567");
    let batch = EndpointBatchRequest::builder().item(item.build()).build();
    payload!(
        client
            .update_endpoints_batch()
            .application_id(app)
            .endpoint_batch_request(batch),
        message_body
    );
    for odd in ODD {
        let pattern = UpdateAttributesRequest::builder().blacklist(odd).build();
        payload!(
            client
                .remove_attributes()
                .application_id(app)
                .attribute_type("endpoint-custom-attributes")
                .update_attributes_request(pattern),
            attributes_resource
        );
    }
    for (n, odd) in ODD.into_iter().enumerate() {
        if n % 2 == 0 {
            let gone = payload!(
                client.delete_endpoint().application_id(app).endpoint_id(odd),
                endpoint_response
            );
            ensure!(gone.id() == Some(odd));
        } else {
            let gone = payload!(
                client.delete_user_endpoints().application_id(app).user_id(odd),
                endpoints_response
            );
            ensure!(gone.item().len() == 1);
        }
        refused!(
            client.get_endpoint().application_id(app).endpoint_id(odd),
            is_not_found_exception
        );
    }
    Ok(())
}

pub async fn events(client: &Client) -> Result<()> {
    let app = &new_app(client).await?;
    let endpoint = PublicEndpoint::builder()
        .channel_type(ChannelType::Email)
        .address("e@example.com");
    let event = Event::builder()
        .event_type("book.viewed")
        .timestamp("2026-11-20T10:00:00Z")
        .attributes("book", "日本")
        .metrics("seconds", 1.5);
    let batch = EventsBatch::builder()
        .endpoint(endpoint.build())
        .events("first", event.build())
        .build();
    let request = EventsRequest::builder().batch_item("reader", batch).build();
    let response = payload!(
        client.put_events().application_id(app).events_request(request),
        events_response
    );
    let item = response
        .results()
        .and_then(|results| results.get("reader"))
        .context("reader")?;
    let endpoint = item
        .endpoint_item_response()
        .and_then(|endpoint| endpoint.status_code());
    ensure!(endpoint == Some(202), "{item:?}");
    let event = item.events_item_response().and_then(|events| events.get("first"));
    ensure!(
        event.and_then(|event| event.status_code()) == Some(202),
        "{item:?}"
    );
    Ok(())
}

pub async fn segments(client: &Client) -> Result<()> {
    let app = &new_app(client).await?;
    let dimension = |value: &str| {
        AttributeDimension::builder()
            .attribute_type(AttributeType::Inclusive)
            .values(value)
            .build()
    };
    let dimensions = SegmentDimensions::builder().attributes("@ / ż", dimension("日本"));
    let group = SegmentGroup::builder().dimensions(dimensions.build());
    let groups = SegmentGroupList::builder()
        .groups(group.build())
        .include(Include::All);
    let request = WriteSegmentRequest::builder()
        .name("groups")
        .segment_groups(groups.build())
        .tags("kind", "odd")
        .build();
    let create = || {
        client
            .create_segment()
            .application_id(app)
            .write_segment_request(request.clone())
    };
    let made = payload!(create(), segment_response);
    let id = made.id().context("id")?;
    ensure!(made.segment_type() == Some(&SegmentType::Dimensional));
    for _ in 0..4 {
        payload!(create(), segment_response);
    }
    let change = WriteSegmentRequest::builder().name("renamed").build();
    let update = client
        .update_segment()
        .application_id(app)
        .segment_id(id)
        .write_segment_request(change);
    payload!(update, segment_response);
    let read = payload!(
        client.get_segment().application_id(app).segment_id(id),
        segment_response
    );
    ensure!(
        read.name() == Some("renamed") && read.version() == Some(2),
        "{read:?}"
    );
    let old = client
        .get_segment_version()
        .application_id(app)
        .segment_id(id)
        .version("1");
    ensure!(payload!(old, segment_response).name() == Some("groups"));
    let versions = client.get_segment_versions().application_id(app).segment_id(id);
    ensure!(payload!(versions, segments_response).item().len() == 2);
    let listed = all_pages!(
        client.get_segments().application_id(app),
        segments_response,
        token
    );
    ensure!(listed.len() == 5, "{} segments", listed.len());
    payload!(
        client.delete_segment().application_id(app).segment_id(id),
        segment_response
    );
    refused!(
        client.get_segment().application_id(app).segment_id(id),
        is_not_found_exception
    );
    Ok(())
}
