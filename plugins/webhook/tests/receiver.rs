//! The channel before a scripted receiver.

use pinion_sdk::http::{Error, HeaderValue, Response};
use pinion_sdk::testing::{Host, message};
use pinion_sdk::{Message, Part, Problem, Receipt, SendError};
use serde_json::{Value, json};
use webhook::Webhook;

fn settings() -> Value {
    json!({"url": "https://hooks.example.com/pinpoint"})
}

fn answer(status: u16, body: &Value) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}

/// Message `n` to endpoint `en`, with the data that all share.
fn custom(n: usize) -> Message {
    let mut custom = message(&format!("m{n}"));
    custom.to.kind = "CUSTOM".to_owned();
    custom.parts = vec![Part::Json("{\"offer\":1}".to_owned())];
    custom.metadata = [
        ("application-id", "app".to_owned()),
        ("campaign-id", "camp".to_owned()),
        ("treatment-id", "0".to_owned()),
        ("activity-id", "act".to_owned()),
        ("scheduled-time", "2026-11-23T15:00:00.000Z".to_owned()),
        ("endpoint-id", format!("e{n}")),
        (
            "endpoint",
            format!("{{\"Address\":\"a{n}\",\"ChannelType\":\"CUSTOM\"}}"),
        ),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec();
    custom
}

#[test]
fn the_payload_is_pinpoints() {
    let host = Host::new();
    host.on_fetch(|_| Ok(answer(200, &json!({}))));
    let outcomes = host.send::<Webhook>(&settings(), vec![custom(1), custom(2)]);

    assert_eq!(outcomes, vec![Ok(Receipt::accepted()), Ok(Receipt::accepted())]);
    let [request] = &host.requests()[..] else {
        panic!("one call is enough")
    };
    assert_eq!((request.method.as_str(), request.timeout_ms), ("POST", 15_000));
    assert_eq!(request.deliveries, ["m1", "m2"]);
    assert_eq!(
        serde_json::from_slice::<Value>(&request.body).unwrap(),
        json!({
            "Message": {},
            "Data": "{\"offer\":1}",
            "ApplicationId": "app",
            "CampaignId": "camp",
            "TreatmentId": "0",
            "ActivityId": "act",
            "ScheduledTime": "2026-11-23T15:00:00.000Z",
            "Endpoints": {
                "e1": {"Address": "a1", "ChannelType": "CUSTOM"},
                "e2": {"Address": "a2", "ChannelType": "CUSTOM"},
            },
            "MessageIds": {"e1": "m1", "e2": "m2"},
        })
    );
}

#[test]
fn fifty_endpoints_a_call_and_each_once() {
    let host = Host::new();
    host.on_fetch(|_| Ok(answer(200, &json!({}))));
    let mut batch: Vec<_> = (0..120).map(custom).collect();
    batch[119].metadata[5].1 = "e0".to_owned();
    batch[60].parts = vec![Part::Json("{\"offer\":2}".to_owned())];
    let outcomes = host.send::<Webhook>(&settings(), batch);

    assert!(outcomes.iter().all(Result::is_ok));
    let sizes: Vec<_> = host
        .requests()
        .iter()
        .map(|request| request.deliveries.len())
        .collect();
    assert_eq!(sizes, [50, 50, 1, 19]);
    let mut carried: Vec<_> = host
        .requests()
        .into_iter()
        .flat_map(|request| request.deliveries)
        .collect();
    carried.sort();
    carried.dedup();
    assert_eq!(carried.len(), 120);
    assert_eq!(host.reports().len(), 120);
}

#[test]
fn event_attributes_come_back_in_the_receipts() {
    let host = Host::new();
    let body = json!({"e2": {"EventAttributes": {"tier": "gold", "points": 7}}, "e1": "ok"});
    host.on_fetch(move |_| Ok(answer(200, &body)));
    let outcomes = host.send::<Webhook>(&settings(), vec![custom(1), custom(2)]);

    let attributes: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap().attributes)
        .collect();
    let gold = vec![
        ("points".to_owned(), "7".to_owned()),
        ("tier".to_owned(), "gold".to_owned()),
    ];
    assert_eq!(attributes, [vec![], gold]);
}

#[test]
fn what_the_receiver_answers() {
    type Expected = fn(&SendError) -> bool;
    let cases: [(u16, Expected); 9] = [
        (302, |error| matches!(error, SendError::Misconfigured(_))),
        (400, |error| matches!(error, SendError::Rejected(_))),
        (401, |error| matches!(error, SendError::Unauthorized(_))),
        (403, |error| matches!(error, SendError::Unauthorized(_))),
        (404, |error| matches!(error, SendError::Misconfigured(_))),
        (422, |error| matches!(error, SendError::Rejected(_))),
        (429, |error| *error == SendError::RateLimited(Some(30))),
        (500, |error| matches!(error, SendError::Unavailable(_))),
        (503, |error| matches!(error, SendError::Unavailable(_))),
    ];
    for (status, expected) in cases {
        let host = Host::new();
        host.on_fetch(move |_| {
            Ok(Response {
                headers: vec![("Retry-After".to_owned(), "30".to_owned())],
                ..answer(status, &json!("no"))
            })
        });
        let outcomes = host.send::<Webhook>(&settings(), vec![custom(1)]);
        assert!(
            outcomes[0].as_ref().is_err_and(expected),
            "{status}: {outcomes:?}"
        );
    }
}

#[test]
fn what_happens_on_the_way() {
    for (error, expected) in [
        (
            Error::Denied("d".to_owned()),
            SendError::Misconfigured("d".to_owned()),
        ),
        (
            Error::Connect("c".to_owned()),
            SendError::Unavailable("c".to_owned()),
        ),
        (Error::Timeout, SendError::Unknown("no answer in time".to_owned())),
        (Error::Broken("b".to_owned()), SendError::Unknown("b".to_owned())),
    ] {
        let host = Host::new();
        host.on_fetch(move |_| Err(error.clone()));
        let outcomes = host.send::<Webhook>(&settings(), vec![custom(1)]);
        assert_eq!(outcomes, [Err(expected)]);
    }
}

#[test]
fn a_broken_endpoint_is_refused_alone() {
    let host = Host::new();
    host.on_fetch(|_| Ok(answer(200, &json!({}))));
    let mut broken = custom(1);
    broken.metadata[6].1 = "{".to_owned();
    let outcomes = host.send::<Webhook>(&settings(), vec![broken, custom(2)]);
    assert!(
        matches!(&outcomes[..], [Err(SendError::Rejected(_)), Ok(_)]),
        "{outcomes:?}"
    );
    assert_eq!(host.requests()[0].deliveries, ["m2"]);
}

#[test]
fn a_bare_address_is_an_endpoint_of_its_own() {
    let host = Host::new();
    host.on_fetch(|_| Ok(answer(200, &json!({}))));
    let mut bare = custom(1);
    bare.metadata.truncate(1);
    host.send::<Webhook>(&settings(), vec![bare]);
    let body: Value = serde_json::from_slice(&host.requests()[0].body).unwrap();
    assert_eq!(
        body["Endpoints"],
        json!({"m1": {"Address": "nina@example.com", "ChannelType": "CUSTOM"}})
    );
    assert_eq!(body.get("CampaignId"), None);
}

#[test]
fn the_secret_goes_by_name() {
    for (auth, expected) in [
        ("bearer", HeaderValue::Bearer("authorization".to_owned())),
        ("header", HeaderValue::Secret("authorization".to_owned())),
    ] {
        let host = Host::new();
        let settings = json!({"url": "https://hooks.example.com/", "auth": auth});
        host.send::<Webhook>(&settings, vec![custom(1)]);
        assert_eq!(
            host.requests()[0].headers[0],
            ("authorization".to_owned(), expected)
        );
    }
}

#[test]
fn check_wants_the_account_if_it_is_given() {
    let with_account = json!({"url": "https://hooks.example.com/", "account_id": "123456789012"});
    let named = |account: &str| Response {
        headers: vec![("X-Amz-Pinpoint-AccountId".to_owned(), account.to_owned())],
        ..answer(200, &json!(""))
    };
    for (settings, response, good) in [
        (&settings(), answer(405, &json!("")), true),
        (&with_account, named("123456789012"), true),
        (&with_account, named("999999999999"), false),
        (&with_account, answer(405, &json!("")), false),
    ] {
        let host = Host::new();
        host.on_fetch(move |_| Ok(response.clone()));
        let problems = host.check::<Webhook>(settings);
        assert_eq!(problems.is_empty(), good, "{settings}: {problems:?}");
        assert_eq!(host.requests()[0].method, "HEAD");
    }
}

#[test]
fn check_says_why_the_receiver_cannot_be_asked() {
    let host = Host::new();
    host.on_fetch(|_| Err(Error::Connect("nobody listens".to_owned())));
    let problem = Problem::new("url", "the receiver cannot be asked: nobody listens");
    assert_eq!(host.check::<Webhook>(&settings()), [problem]);
}

#[test]
fn wrong_settings_are_the_operators_matter() {
    for settings in [
        json!({}),
        json!({"url": "ftp://x"}),
        json!({"url": "https://x", "auth": "magic"}),
    ] {
        let outcomes = Host::new().send::<Webhook>(&settings, vec![custom(1)]);
        assert!(
            matches!(&outcomes[..], [Err(SendError::Misconfigured(_))]),
            "{settings}: {outcomes:?}"
        );
    }
}
