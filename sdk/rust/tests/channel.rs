//! What the SDK does around a channel: batches, reports, settings, the meaning of HTTP answers.

use std::time::Duration;

use pinion_sdk::http::{Error, HeaderValue, Request, Response};
use pinion_sdk::testing::{Host, block_on, message};
use pinion_sdk::{Channel, Message, NoSettings, Outcome, Receipt, SendError, Webhook, kv, send_in_calls};
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
    let problem = "settings: unknown field `colour`, there are no fields";
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
}

#[test]
fn a_date_to_retry_after_counts_from_the_answers_own_date() {
    let after = |retry_after: &str, date: Option<&str>| {
        let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let headers = [
            Some(("retry-after", retry_after)),
            date.map(|date| ("Date", date)),
        ];
        Response {
            status: 429,
            headers: headers.into_iter().flatten().map(header).collect(),
            body: Vec::new(),
        }
        .accepted()
    };
    let now = Some("Wed, 21 Oct 2026 07:28:00 GMT");
    for (retry_after, date, seconds) in [
        (" 120 ", None, Some(120)),
        ("Wed, 21 Oct 2026 07:29:30 GMT", now, Some(90)),
        ("Wed, 21 Oct 2026 07:00:00 GMT", now, Some(0)),
        ("Wed, 21 Oct 2026 07:29:30 GMT", None, None),
        ("soon", now, None),
        ("-5", now, None),
    ] {
        let expected = Err(SendError::RateLimited(seconds));
        assert_eq!(after(retry_after, date), expected, "{retry_after:?}");
    }
}

/// Takes two messages a call, of one recipient's initial only.
struct Pairs;

impl Channel for Pairs {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Self)
    }

    async fn send(&self, message: &Message) -> Outcome {
        self.call(&[message]).await?.remove(0)
    }

    async fn send_batch(&self, batch: &[Message]) -> Vec<Outcome> {
        let initial = |message: &Message| message.delivery_id.chars().next();
        let fits = |call: &[&Message], message: &Message| {
            call.len() < 2 && call.iter().all(|other| initial(other) == initial(message))
        };
        send_in_calls(batch, fits, async |call| self.call(call).await).await
    }
}

impl Pairs {
    async fn call(&self, messages: &[&Message]) -> Result<Vec<Outcome>, SendError> {
        let request = Request::post("https://api.example.com/").carries_all(messages);
        request.send().await?.accepted()?;
        if messages[0].delivery_id == "too few" {
            return Ok(Vec::new());
        }
        let outcome = |message: &&Message| Ok(Receipt::with_id(format!("of {}", message.delivery_id)));
        Ok(messages.iter().map(outcome).collect())
    }
}

#[test]
fn calls_have_several_messages_and_outcomes_keep_their_places() {
    let host = Host::new();
    host.on_fetch(|request| {
        let status = if request.deliveries == ["b2", "b4"] {
            503
        } else {
            200
        };
        Ok(Response {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        })
    });
    let ids = ["a1", "b2", "a3", "b4", "b5", "a6"];
    let outcomes = host.send::<Pairs>(&json!({}), ids.map(message).to_vec());

    let calls: Vec<_> = host
        .requests()
        .into_iter()
        .map(|request| request.deliveries)
        .collect();
    assert_eq!(
        calls,
        [vec!["a1", "a3"], vec!["b2", "b4"], vec!["b5"], vec!["a6"]]
    );
    for (id, outcome) in ids.iter().zip(&outcomes) {
        let expected = match *id {
            "b2" | "b4" => Err(SendError::Unavailable("HTTP 503".to_owned())),
            id => Ok(Receipt::with_id(format!("of {id}"))),
        };
        assert_eq!(*outcome, expected, "{id}");
    }
    let mut reports = host.reports();
    reports.sort_by(|one, other| one.0.cmp(&other.0));
    let expected: Vec<_> = {
        let mut all: Vec<_> = ids.iter().map(|id| (*id).to_owned()).zip(outcomes).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    };
    assert_eq!(reports, expected);
    assert_eq!(host.send::<Pairs>(&json!({}), Vec::new()), []);
}

#[test]
#[should_panic(expected = "one outcome for each of its messages")]
fn a_call_that_forgets_a_message_panics() {
    let host = Host::new();
    host.on_fetch(|_| {
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
        })
    });
    host.send::<Pairs>(&json!({}), vec![message("too few")]);
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
