//! The channel before a scripted provider.

use CRATE::TYPE;
use pinion_sdk::http::Response;
use pinion_sdk::testing::{Host, message};
use pinion_sdk::{Receipt, SendError};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({"url": "https://api.example.com/messages", "sender": "Shop"})
}

#[test]
fn a_message_is_posted() {
    let host = Host::new();
    host.on_fetch(|_| {
        Ok(Response {
            status: 202,
            headers: Vec::new(),
            body: br#"{"id": "m-1"}"#.to_vec(),
        })
    });
    let outcomes = host.send::<TYPE>(&settings(), vec![message("d1")]);
    assert_eq!(outcomes, [Ok(Receipt::with_id("m-1"))]);
    let request = &host.requests()[0];
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let expected = json!({"from": "Shop", "to": "nina@example.com", "text": "Hello, Nina"});
    assert_eq!(body, expected);
    assert_eq!(request.deliveries, ["d1"]);
}

#[test]
fn a_refusal_is_told() {
    let host = Host::new();
    host.on_fetch(|_| {
        Ok(Response {
            status: 400,
            headers: Vec::new(),
            body: b"no such number".to_vec(),
        })
    });
    let outcomes = host.send::<TYPE>(&settings(), vec![message("d1")]);
    let refusal = SendError::Rejected("HTTP 400 no such number".to_owned());
    assert_eq!(outcomes, [Err(refusal)]);
}
