//! What the SDK does around a channel: batches, reports, settings, the meaning of HTTP answers.

use std::time::Duration;

use pinion_sdk::http::{Error, HeaderValue, Request, Response};
use pinion_sdk::testing::{Host, block_on, message};
use pinion_sdk::{Channel, Message, NoSettings, Outcome, Receipt, SendError, Webhook, kv};
use serde_json::json;

/// Asks the host as often as the message's metadata says, so that messages end in another order than
/// they began.
struct Patient;

impl Channel for Patient {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Self)
    }

    async fn send(&self, message: &Message) -> Outcome {
        let turns: u32 = message
            .meta("turns")
            .unwrap_or("0")
            .parse()
            .expect("the test writes a number");
        for _ in 0..turns {
            kv::get("nothing").await.expect("the test host keeps values");
        }
        match turns {
            3 => Err(SendError::Unavailable("three".to_owned())),
            _ => Ok(Receipt::with_id(format!("after {turns}"))),
        }
    }
}

fn patient(id: &str, turns: u32) -> Message {
    Message {
        metadata: vec![("turns".to_owned(), turns.to_string())],
        ..message(id)
    }
}

#[test]
fn messages_wait_together_and_are_reported_as_they_end() {
    let host = Host::new();
    let batch = vec![
        patient("slow", 9),
        patient("failed", 3),
        patient("quick", 1),
        patient("ready", 0),
    ];
    let outcomes = host.send::<Patient>(&json!({}), batch);

    assert_eq!(
        outcomes,
        [
            Ok(Receipt::with_id("after 9")),
            Err(SendError::Unavailable("three".to_owned())),
            Ok(Receipt::with_id("after 1")),
            Ok(Receipt::with_id("after 0")),
        ]
    );
    let reports: Vec<_> = host.reports().into_iter().map(|(id, _)| id).collect();
    assert_eq!(reports, ["ready", "quick", "failed", "slow"]);
    assert_eq!(host.reports()[2].1, outcomes[1]);
}

#[test]
fn an_empty_batch_has_no_outcomes() {
    assert_eq!(Host::new().send::<Patient>(&json!({}), vec![]), []);
}

#[test]
fn settings_that_do_not_fit_refuse_every_message() {
    let host = Host::new();
    let settings = json!({"colour": "red"});
    let outcomes = host.send::<Patient>(&settings, vec![message("a"), message("b")]);
    let problem = "settings: unknown field `colour`, there are no fields at line 1 column 9";
    let refusal = Err(SendError::Misconfigured(problem.to_owned()));
    assert_eq!(outcomes, [refusal.clone(), refusal]);
    assert_eq!(host.check::<Patient>(&settings)[0].text, problem);
    assert_eq!(host.check::<Patient>(&json!({})), []);
}

#[test]
fn a_web_hook_that_nobody_expects_is_refused() {
    let hook = Webhook {
        method: "POST".to_owned(),
        path: "/x".to_owned(),
        headers: vec![],
        body: vec![],
    };
    let answer = block_on(Patient.events(hook));
    assert_eq!(answer, Err("no web hook is expected at /x".to_owned()));
}

#[test]
fn a_request_is_put_together() {
    let request = Request::post("https://api.example.com/v1")
        .header("x-a", "1")
        .secret("x-key", "key")
        .bearer("token")
        .basic("user", "password")
        .json(&json!({"a": 1}))
        .timeout(Duration::from_millis(1_500))
        .carries(&message("d1"))
        .carries(&message("d2"));
    let parts = request.parts();
    assert_eq!((parts.method.as_str(), parts.timeout_ms), ("POST", 1_500));
    assert_eq!(parts.body, b"{\"a\":1}");
    assert_eq!(parts.deliveries, ["d1", "d2"]);
    let header = |name: &str, value| (name.to_owned(), value);
    assert_eq!(
        parts.headers,
        [
            header("x-a", HeaderValue::Plain("1".to_owned())),
            header("x-key", HeaderValue::Secret("key".to_owned())),
            header("authorization", HeaderValue::Bearer("token".to_owned())),
            header(
                "authorization",
                HeaderValue::Basic(("user".to_owned(), "password".to_owned()))
            ),
            header("content-type", HeaderValue::Plain("application/json".to_owned())),
        ]
    );
}

#[test]
fn an_answer_says_what_became_of_the_message() {
    let answer = |status, retry_after: &str| {
        Response {
            status,
            headers: vec![("Retry-After".to_owned(), retry_after.to_owned())],
            body: b" words\n".to_vec(),
        }
        .accepted()
    };
    let words = |status| format!("HTTP {status} words");
    assert_eq!(answer(202, ""), Ok(()));
    for (status, expected) in [
        (301, SendError::Misconfigured(words(301))),
        (400, SendError::Rejected(words(400))),
        (401, SendError::Unauthorized(words(401))),
        (403, SendError::Unauthorized(words(403))),
        (404, SendError::Misconfigured(words(404))),
        (408, SendError::Unavailable(words(408))),
        (413, SendError::Rejected(words(413))),
        (429, SendError::RateLimited(Some(7))),
        (502, SendError::Unavailable(words(502))),
    ] {
        assert_eq!(answer(status, "7"), Err(expected), "{status}");
    }
    let date = "Wed, 21 Oct 2026 07:28:00 GMT";
    assert_eq!(answer(429, date), Err(SendError::RateLimited(None)));
}

#[test]
fn what_may_have_arrived_is_unknown() {
    for (error, unknown) in [
        (Error::Denied("x".to_owned()), false),
        (Error::Invalid("x".to_owned()), false),
        (Error::Connect("x".to_owned()), false),
        (Error::Tls("x".to_owned()), false),
        (Error::Timeout, true),
        (Error::TooLarge, true),
        (Error::Broken("x".to_owned()), true),
    ] {
        let shown = format!("{error:?}");
        assert_eq!(
            matches!(SendError::from(error), SendError::Unknown(_)),
            unknown,
            "{shown}"
        );
    }
}

#[test]
fn values_are_kept() {
    let _host = Host::new();
    block_on(async {
        assert_eq!(kv::get("cursor").await, Ok(None));
        kv::set("cursor", "42").await.unwrap();
        kv::set_for("token", "t", Duration::from_secs(60)).await.unwrap();
        assert_eq!(kv::get("cursor").await, Ok(Some(b"42".to_vec())));
        assert_eq!(kv::get("token").await, Ok(Some(b"t".to_vec())));
    });
}
