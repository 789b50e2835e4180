//! Endpoints: rules that a client meets; who may have an address is tested with the store.

use pinion_api::testing::TestApi;
use serde_json::{Value, json};

async fn update(api: &TestApi, app: &str, id: &str, endpoint: Value) {
    api.put(&format!("/v1/apps/{app}/endpoints/{id}"), endpoint)
        .await
        .json(202);
}

async fn get(api: &TestApi, app: &str, id: &str) -> Value {
    api.get(&format!("/v1/apps/{app}/endpoints/{id}")).await.json(200)
}

#[tokio::test]
async fn ids_that_pinpoint_forbids_are_refused() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    for id in ["a%24b", "%7Bx", "x%7D", &"x".repeat(1_025)] {
        let path = format!("/v1/apps/{app}/endpoints/{id}");
        let (code, sentence) = api.put(&path, json!({})).await.error(400);
        assert_eq!(code, "BadRequestException");
        assert!(sentence.starts_with("endpoint-id"), "{sentence}");
    }
    let batch = json!({"Item": [{"Id": "fine"}, {"Id": "a{b"}]});
    let path = format!("/v1/apps/{app}/endpoints");
    let (_, sentence) = api.put(&path, batch).await.error(400);
    assert!(sentence.starts_with("Item[1].Id"), "{sentence}");
    update(
        &api,
        &app,
        "user%2Fann%40example.com%20%25%2B%3B",
        json!({"OptOut": "ALL"}),
    )
    .await;
    let got = get(&api, &app, "user%2Fann%40example.com%20%25%2B%3B").await;
    assert_eq!(
        (&got["Id"], &got["OptOut"]),
        (&json!("user/ann@example.com %+;"), &json!("ALL"))
    );
}

#[tokio::test]
async fn an_address_belongs_to_the_one_who_named_it_last() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let mail = json!({"ChannelType": "EMAIL", "Address": "ann@example.com"});
    update(&api, &app, "old", mail.clone()).await;
    update(&api, &app, "new", mail).await;
    update(&api, &app, "old", json!({"Attributes": {"seen": ["yes"]}})).await;
    let (old, new) = (get(&api, &app, "old").await, get(&api, &app, "new").await);
    assert_eq!(
        (&old["EndpointStatus"], &new["EndpointStatus"]),
        (&json!("INACTIVE"), &json!("ACTIVE"))
    );
    assert_eq!(old["Attributes"], json!({"seen": ["yes"]}));
    update(&api, &app, "old", json!({"EndpointStatus": "ACTIVE"})).await;
    assert_eq!(get(&api, &app, "new").await["EndpointStatus"], "INACTIVE");
}

#[tokio::test]
async fn the_sixteenth_endpoint_of_a_user_depends_on_its_channel() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let endpoint = |channel: &str, n: usize| {
        json!({
            "ChannelType": channel, "Address": format!("{channel}-{n}"), "User": {"UserId": "u"},
            "EffectiveDate": format!("2026-01-{:02}T00:00:00Z", n + 1),
        })
    };
    for n in 0..14 {
        update(&api, &app, &format!("sms{n}"), endpoint("SMS", n)).await;
    }
    update(&api, &app, "push14", endpoint("APNS", 14)).await;
    for channel in ["SMS", "PUSH", "VOICE", "EMAIL", "CUSTOM", "IN_APP"] {
        let path = format!("/v1/apps/{app}/endpoints/more");
        let (_, sentence) = api.put(&path, endpoint(channel, 15)).await.error(400);
        assert!(sentence.starts_with("User.UserId"), "{channel}: {sentence}");
    }
    for (n, channel) in [
        "GCM",
        "APNS",
        "APNS_SANDBOX",
        "APNS_VOIP",
        "APNS_VOIP_SANDBOX",
        "ADM",
        "BAIDU",
    ]
    .into_iter()
    .enumerate()
    {
        update(&api, &app, &format!("push{}", n + 15), endpoint(channel, n + 15)).await;
        let before = get(&api, &app, &format!("push{}", n + 14)).await;
        assert_eq!(before["EndpointStatus"], "INACTIVE", "{channel}");
        assert!(before.get("User").is_none(), "{channel}");
        let items = api.get(&format!("/v1/apps/{app}/users/u")).await.json(200);
        assert_eq!(items["Item"].as_array().unwrap().len(), 15);
    }
    // Without a push endpoint there is nobody to drive out.
    let other = api.app("other").await;
    for n in 0..15 {
        update(&api, &other, &format!("sms{n}"), endpoint("SMS", n)).await;
    }
    let path = format!("/v1/apps/{other}/endpoints/push");
    api.put(&path, endpoint("GCM", 15)).await.error(400);
}

#[tokio::test]
async fn quotas_count_what_was_there() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let attributes = |prefix: &str, count: usize| -> Value {
        (0..count)
            .map(|n| (format!("{prefix}{n}"), json!(["v"])))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    update(&api, &app, "e", json!({"Attributes": attributes("a", 250)})).await;
    let path = format!("/v1/apps/{app}/endpoints/e");
    let (_, sentence) = api.put(&path, json!({"Metrics": {"m": 1}})).await.error(400);
    assert!(sentence.contains("251") && sentence.contains("250"), "{sentence}");
    let batch = json!({"Item": [{"Id": "good"}, {"Id": "e", "Metrics": {"m": 1}}]});
    let (_, sentence) = api
        .put(&format!("/v1/apps/{app}/endpoints"), batch)
        .await
        .error(400);
    assert!(sentence.starts_with("Item[1].Attributes"), "{sentence}");
    api.get(&format!("/v1/apps/{app}/endpoints/good"))
        .await
        .error(404);
    // An empty list takes an attribute away, and then there is room.
    update(
        &api,
        &app,
        "e",
        json!({"Attributes": {"a0": []}, "Metrics": {"m": 1}}),
    )
    .await;
}
