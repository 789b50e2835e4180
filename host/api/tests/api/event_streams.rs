//! The event stream of an application.

use pinion_api::testing::TestApi;
use serde_json::json;

const STREAM: &str = "arn:aws:kinesis:eu-west-1:123456789012:stream/events";
const ROLE: &str = "arn:aws:iam::123456789012:role/pinpoint";

#[tokio::test]
async fn a_stream_is_put_changed_and_goes() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let path = format!("/v1/apps/{app}/eventstream");
    assert_eq!(api.get(&path).await.error(404).0, "NotFoundException");
    api.delete(&path).await.error(404);
    let made = api
        .post(&path, json!({ "DestinationStreamArn": STREAM, "RoleArn": ROLE }))
        .await
        .json(200);
    for (member, value) in [
        ("ApplicationId", app.as_str()),
        ("DestinationStreamArn", STREAM),
        ("RoleArn", ROLE),
        ("LastModifiedDate", "2026-11-23T10:00:00.000Z"),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    assert!(
        made["LastUpdatedBy"].as_str().unwrap().ends_with("root"),
        "{made}"
    );
    assert_eq!(api.get(&path).await.json(200), made);
    api.clock.advance(jiff::SignedDuration::from_secs(60));
    let firehose = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/events";
    let changed = api
        .post(
            &path,
            json!({ "DestinationStreamArn": firehose, "RoleArn": ROLE }),
        )
        .await
        .json(200);
    assert_eq!(changed["DestinationStreamArn"], firehose);
    assert_eq!(changed["LastModifiedDate"], "2026-11-23T10:01:00.000Z");
    let stranger = api.as_account("222222222222").await;
    stranger.get(&path).await.error(404);
    assert_eq!(api.delete(&path).await.json(200), changed);
    api.get(&path).await.error(404);
}

#[tokio::test]
async fn only_a_malformed_role_makes_terraform_try_again() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let path = format!("/v1/apps/{app}/eventstream");
    for (body, wrong, again) in [
        (
            json!({ "DestinationStreamArn": STREAM, "RoleArn": "role" }),
            "RoleArn: ",
            true,
        ),
        (
            json!({ "DestinationStreamArn": "stream", "RoleArn": ROLE }),
            "DestinationStreamArn: ",
            false,
        ),
        (
            json!({ "DestinationStreamArn": STREAM }),
            "request body: missing field `RoleArn`",
            false,
        ),
        (
            json!({ "RoleArn": ROLE }),
            "request body: missing field `DestinationStreamArn`",
            false,
        ),
        (
            json!({ "DestinationStreamArn": STREAM, "RoleArn": 7 }),
            "RoleArn: invalid type",
            false,
        ),
    ] {
        let (code, message) = api.post(&path, body).await.error(400);
        assert_eq!(code, "BadRequestException");
        assert!(message.starts_with(wrong), "{message}");
        assert_eq!(
            message.contains("make sure the IAM Role is configured correctly"),
            again
        );
    }
    api.get(&path).await.error(404);
}
