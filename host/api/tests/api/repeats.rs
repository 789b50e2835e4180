//! Requests to send that clients repeat.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Request};
use jiff::SignedDuration;
use pinion_api::testing::Reply;
use serde_json::{Value, json};

use super::messages::Shop;

fn named(shop: &Shop, operation: &str, header: &str, id: &str, body: &Value) -> Request<Body> {
    let path = format!("/v1/apps/{}/{operation}", shop.app);
    let mut request = shop.api.signed("POST", &path, body.to_string().into_bytes());
    let header: HeaderName = header.parse().unwrap();
    request
        .headers_mut()
        .insert(header, HeaderValue::from_str(id).unwrap());
    request
}

/// As an SDK sends it.
async fn call(shop: &Shop, operation: &str, id: &str, body: &Value) -> Reply {
    let request = named(shop, operation, "amz-sdk-invocation-id", id, body);
    shop.api.send(request).await
}

fn message(text: &str) -> Value {
    json!({
        "Addresses": {"+12065550100": {"ChannelType": "SMS"}}, "MessageConfiguration": {"SMSMessage": {"Body": text}},
    })
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_sends_nothing() {
    let shop = Shop::open().await;
    shop.endpoint(
        "e",
        json!({"ChannelType": "SMS", "Address": "+1", "User": {"UserId": "u"}}),
    )
    .await;
    let users = json!({"Users": {"u": {}}, "MessageConfiguration": {"DefaultMessage": {"Body": "b"}}});
    let otp = json!({
        "BrandName": "Books", "ReferenceId": "login", "Channel": "SMS", "DestinationIdentity": "+12065550100",
        "OriginationIdentity": "BOOKS",
    });
    for (operation, body) in [
        ("messages", message("hi")),
        ("users-messages", users),
        ("otp", otp),
    ] {
        let before = shop.channel.sent().len();
        let id = format!("id-{operation}");
        let first = call(&shop, operation, &id, &body).await;
        let expected = first.json(200);
        for _ in 0..3 {
            let again = call(&shop, operation, &id, &body).await;
            assert_eq!(again.json(200), expected, "{operation}");
            assert_ne!(
                again.headers["x-amzn-requestid"],
                first.headers["x-amzn-requestid"]
            );
        }
        assert_eq!(shop.channel.sent().len(), before + 1, "{operation}");
        let other = call(&shop, operation, &format!("new-{operation}"), &body)
            .await
            .json(200);
        assert_ne!(other["RequestId"], expected["RequestId"]);
        let path = format!("/v1/apps/{}/{operation}", shop.app);
        shop.api.post(&path, body.clone()).await.json(200);
        shop.api.post(&path, body).await.json(200);
        assert_eq!(
            shop.channel.sent().len(),
            before + 4,
            "without an id every request is new"
        );
    }
    let (_, sentence) = call(&shop, "otp", "id-messages", &message("hi")).await.error(400);
    assert!(sentence.contains("BrandName"), "{sentence}");
}

#[tokio::test]
async fn an_id_belongs_to_one_body_application_and_principal() {
    let shop = Shop::open().await;
    call(&shop, "messages", "id", &message("one")).await.json(200);
    let (code, sentence) = call(&shop, "messages", "id", &message("two")).await.error(409);
    assert_eq!(code, "ConflictException");
    assert!(sentence.contains("id"), "{sentence}");

    let key = named(&shop, "messages", "Idempotency-Key", "id", &message("three"));
    shop.api.send(key).await.json(200);
    let both = {
        let mut request = named(&shop, "messages", "Idempotency-Key", "id", &message("three"));
        let sdk = HeaderValue::from_static("a fresh one");
        request.headers_mut().insert("amz-sdk-invocation-id", sdk);
        request
    };
    shop.api.send(both).await.json(200);
    assert_eq!(shop.channel.sent().len(), 2, "the key wins over the SDK's id");

    for bad in ["", &"x".repeat(256)] {
        let request = named(&shop, "messages", "Idempotency-Key", bad, &message("four"));
        assert!(
            shop.api
                .send(request)
                .await
                .error(400)
                .1
                .starts_with("idempotency-key")
        );
    }
}

#[tokio::test]
async fn what_was_refused_as_a_whole_may_be_corrected_under_the_same_id() {
    let shop = Shop::open().await;
    call(&shop, "messages", "id", &message("{{#if}}"))
        .await
        .error(400);
    call(&shop, "messages", "id", &message("fine")).await.json(200);
    assert_eq!(shop.channel.sent().len(), 1);
}

#[tokio::test]
async fn a_request_whose_recipients_all_fail_is_remembered_too() {
    let shop = Shop::open().await;
    let body = json!({"Endpoints": {"later": {}}, "MessageConfiguration": {"SMSMessage": {"Body": "b"}}});
    let first = call(&shop, "messages", "id", &body).await.json(200);
    shop.endpoint("later", json!({"ChannelType": "SMS", "Address": "+1"}))
        .await;
    assert_eq!(call(&shop, "messages", "id", &body).await.json(200), first);
    assert!(shop.channel.sent().is_empty());
}

#[tokio::test]
async fn repeats_at_the_same_time_send_once() {
    let shop = Arc::new(Shop::open().await);
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let shop = Arc::clone(&shop);
            tokio::spawn(async move { call(&shop, "messages", "id", &message("hi")).await.json(200) })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(shop.channel.sent().len(), 1);
}

#[tokio::test]
async fn a_request_is_forgotten_after_its_time() {
    let shop = Shop::open().await;
    call(&shop, "messages", "id", &message("hi")).await.json(200);
    shop.api.clock.advance(SignedDuration::from_mins(59));
    call(&shop, "messages", "id", &message("hi")).await.json(200);
    assert_eq!(shop.channel.sent().len(), 1);
    shop.api.clock.advance(SignedDuration::from_mins(1));
    call(&shop, "messages", "id", &message("hi")).await.json(200);
    assert_eq!(shop.channel.sent().len(), 2);
}
