//! Tags.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pinion_api::testing::{Reply, TestApi};
use serde_json::{Value, json};

fn path(arn: &str) -> String {
    format!("/v1/tags/{}", utf8_percent_encode(arn, NON_ALPHANUMERIC))
}

async fn arn_of(api: &TestApi, made: Reply) -> String {
    let made = made.json(201);
    let arn = made["Arn"].as_str().unwrap().to_owned();
    assert_eq!(api.get(&path(&arn)).await.json(200), json!({ "tags": {} }));
    arn
}

#[tokio::test]
async fn tags_are_put_and_removed_on_every_kind_of_resource() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let dimensions = json!({ "Attributes": { "a": { "Values": ["b"] } } });
    let segments = format!("/v1/apps/{app}/segments");
    for made in [
        api.post("/v1/apps", json!({ "Name": "x" })).await,
        api.post(&segments, json!({ "Dimensions": dimensions })).await,
        api.post("/v1/templates/t/email", json!({ "Subject": "x" })).await,
    ] {
        let path = path(&arn_of(&api, made).await);
        let put = api
            .post(&path, json!({ "tags": { "a": "1", "b c": "2", "d": "ż" } }))
            .await;
        assert_eq!((put.status.as_u16(), put.body.len()), (204, 0));
        api.post(&path, json!({ "tags": { "a": "3" } })).await;
        let removed = api.delete(&format!("{path}?tagKeys=b%20c&tagKeys=nothing")).await;
        assert_eq!(removed.status, 204);
        assert_eq!(
            api.get(&path).await.json(200),
            json!({ "tags": { "a": "3", "d": "ż" } })
        );
    }
}

#[tokio::test]
async fn only_what_exists_has_tags() {
    let api = TestApi::new().await;
    let app = api.post("/v1/apps", json!({ "Name": "x" })).await.json(201);
    let arn = app["Arn"].as_str().unwrap();
    for gone in [
        format!("{arn}x"),
        format!("{arn}/segments/x"),
        format!("{arn}/journeys/x"),
        arn.replace("eu-west-1", "us-east-1"),
    ] {
        api.get(&path(&gone)).await.error(404);
        api.post(&path(&gone), json!({ "tags": { "a": "b" } }))
            .await
            .error(404);
    }
    api.get(&path("arn:aws:s3:::bucket")).await.error(400);
    let other = api.as_account("222222222222").await;
    let (code, message) = other.get(&path(arn)).await.error(403);
    assert_eq!(code, "AccessDeniedException");
    assert!(
        message.contains("mobiletargeting:ListTagsForResource"),
        "{message}"
    );
}

#[tokio::test]
async fn tags_have_limits() {
    let api = TestApi::new().await;
    let app = api.post("/v1/apps", json!({ "Name": "x" })).await.json(201);
    let path = path(app["Arn"].as_str().unwrap());
    let many = |count: usize, prefix: &str| -> Value {
        let tags = (0..count).map(|n| (format!("{prefix}{n}"), json!("v")));
        json!({ "tags": serde_json::Map::from_iter(tags) })
    };
    assert_eq!(api.post(&path, many(50, "a")).await.status, 204);
    for body in [
        many(1, "b"),
        many(51, "a"),
        json!({ "tags": { "": "v" } }),
        json!({ "tags": { "aws:x": "v" } }),
        json!({ "tags": { "k".repeat(129): "v" } }),
        json!({ "tags": { "k": "v".repeat(257) } }),
    ] {
        api.post(&path, body).await.error(400);
    }
    api.delete(&path).await.error(400);
}
