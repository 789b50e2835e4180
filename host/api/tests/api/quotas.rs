//! Quotas, as an operator sets them.

use pinion_api::testing::TestApi;
use pinion_domain::quotas::Quotas;
use serde_json::json;

#[tokio::test]
async fn there_are_as_many_applications_as_the_quota_says() {
    let api = TestApi::with_quotas(Quotas {
        apps: 2,
        ..Quotas::default()
    })
    .await;
    let first = api.app("one").await;
    api.app("two").await;
    let (code, message) = api.post("/v1/apps", json!({ "Name": "three" })).await.error(400);
    assert_eq!(code, "BadRequestException");
    assert_eq!(message, "there are 2 applications already, at most 2 are allowed");
    api.in_region("us-east-1").app("elsewhere").await;
    api.delete(&format!("/v1/apps/{first}")).await.json(200);
    api.app("three").await;
}

#[tokio::test]
async fn tags_are_as_many_and_as_long_as_the_quotas_say() {
    let api = TestApi::with_quotas(Quotas {
        tags: 2,
        tag_key_characters: 3,
        tag_value_characters: 4,
        ..Quotas::default()
    })
    .await;
    for (tags, wrong) in [
        (
            json!({ "a": "", "b": "", "c": "" }),
            "a resource has at most 2 tags",
        ),
        (
            json!({ "日本żó": "" }),
            "tags.日本żó: has 4 characters, at most 3 are allowed",
        ),
        (
            json!({ "a": "12345" }),
            "tags.a: has 5 characters, at most 4 are allowed",
        ),
        (
            json!({ "aws:x": "" }),
            "tags.aws:x: keys that begin with aws: are reserved",
        ),
    ] {
        let (_, message) = api
            .post("/v1/apps", json!({ "Name": "x", "tags": tags }))
            .await
            .error(400);
        assert_eq!(message, wrong);
    }
    assert_eq!(api.get("/v1/apps").await.json(200), json!({ "Item": [] }));
}

#[tokio::test]
async fn campaigns_that_may_still_send_are_counted_over_all_applications() {
    let api = TestApi::with_quotas(Quotas {
        active_campaigns: 2,
        ..Quotas::default()
    })
    .await;
    let mut campaigns = Vec::new();
    for name in ["one", "two"] {
        let app = api.app(name).await;
        let path = format!("/v1/apps/{app}/segments");
        let segment = json!({ "Name": "all", "Dimensions": {} });
        let segment = api.post(&path, segment).await.json(201)["Id"].clone();
        let campaign = json!({
            "SegmentId": segment, "Schedule": { "StartTime": "2027-01-01T00:00:00Z" },
            "MessageConfiguration": { "EmailMessage": { "Body": "b" } },
        });
        let path = format!("/v1/apps/{app}/campaigns");
        let made = api.post(&path, campaign.clone()).await.json(201);
        campaigns.push((path, made["Id"].as_str().unwrap().to_owned(), campaign));
    }
    let (path, id, campaign) = &campaigns[0];
    let (_, message) = api.post(path, campaign.clone()).await.error(400);
    assert_eq!(
        message,
        "there are 2 active campaigns already, at most 2 are allowed"
    );
    // One that is paused may go on, one that was deleted may not.
    api.put(&format!("{path}/{id}"), json!({ "IsPaused": true }))
        .await
        .json(200);
    api.post(path, campaign.clone()).await.error(400);
    api.delete(&format!("{path}/{id}")).await.json(200);
    api.post(path, campaign.clone()).await.json(201);
}
