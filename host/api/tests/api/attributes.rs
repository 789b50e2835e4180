//! RemoveAttributes.

use pinion_api::testing::TestApi;
use serde_json::json;

const ODD: &str = "@ / + % * ~ : & = ; ż 日本";

#[tokio::test]
async fn attributes_go_from_endpoints_users_and_segments() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let endpoint = format!("/v1/apps/{app}/endpoints/ann");
    let request = json!({
        "Address": "ann@example.com", "ChannelType": "EMAIL",
        "Attributes": { "plan": ["pro"], "planet": ["earth"], ODD: ["x"] }, "Metrics": { "age": 3, "plan": 1 },
        "User": { "UserId": "u", "UserAttributes": { "plan": ["u"], "city": ["Łódź"] } },
    });
    api.put(&endpoint, request).await.json(202);
    let count = async || {
        let app = api.store.all_apps().await.unwrap().remove(0);
        let dimensions =
            json!({ "Attributes": { "plan": { "AttributeType": "INCLUSIVE", "Values": ["pro"] } } });
        let made = api
            .post(
                &format!("/v1/apps/{}/segments", app.id),
                json!({ "Name": "s", "Dimensions": dimensions }),
            )
            .await
            .json(201);
        let id = made["Id"].as_str().unwrap().into();
        let audiences = api.engine.audiences();
        let segment = audiences.resolve(&app, &id, None).await.unwrap();
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        audiences
            .evaluate(&app, &segment, now)
            .await
            .unwrap()
            .selected
            .len()
    };
    assert_eq!(count().await, 1);

    let path = |kind: &str| format!("/v1/apps/{app}/attributes/endpoint-{kind}-attributes");
    let removed = api
        .put(&path("custom"), json!({ "Blacklist": ["plan", "nothing", ODD] }))
        .await
        .json(200);
    assert_eq!(
        removed,
        json!({
            "ApplicationId": app, "AttributeType": "endpoint-custom-attributes", "Attributes": [ODD, "plan"],
        })
    );
    assert_eq!(count().await, 0);
    let removed = api
        .put(&path("metric"), json!({ "Blacklist": ["a*"] }))
        .await
        .json(200);
    assert_eq!(removed["Attributes"], json!(["age"]));
    let removed = api
        .put(&path("user"), json!({ "Blacklist": ["?ity"] }))
        .await
        .json(200);
    assert_eq!(removed["Attributes"], json!(["city"]));
    let left = api.get(&endpoint).await.json(200);
    assert_eq!(left["Attributes"], json!({ "planet": ["earth"] }));
    assert_eq!(left["Metrics"], json!({ "plan": 1.0 }));
    assert_eq!(left["User"]["UserAttributes"], json!({ "plan": ["u"] }));
    let removed = api
        .put(&path("user"), json!({ "Blacklist": ["x"] }))
        .await
        .json(200);
    assert_eq!(removed["Attributes"], json!([]));
}

#[tokio::test]
async fn mistakes_name_their_member() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let custom = "endpoint-custom-attributes";
    for (kind, body, wrong) in [
        (
            "custom",
            json!({ "Blacklist": ["x"] }),
            "attribute-type: must be one of",
        ),
        (custom, json!({}), "Blacklist: must have 1 to"),
        (custom, json!({ "Blacklist": [] }), "Blacklist: must have 1 to"),
        (
            custom,
            json!({ "Blacklist": ["a", ""] }),
            "Blacklist[1]: must have 1 to",
        ),
        (
            custom,
            json!({ "Blacklist": ["a", 7] }),
            "Blacklist[1]: invalid type",
        ),
        (custom, json!({ "Blacklist": "a" }), "Blacklist: invalid type"),
    ] {
        let (_, message) = api
            .put(&format!("/v1/apps/{app}/attributes/{kind}"), body)
            .await
            .error(400);
        assert!(message.starts_with(wrong), "{message}");
    }
    let body = json!({ "Blacklist": ["x"] });
    api.put(&format!("/v1/apps/nobody/attributes/{custom}"), body)
        .await
        .error(404);
}
