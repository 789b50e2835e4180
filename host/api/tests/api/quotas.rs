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
