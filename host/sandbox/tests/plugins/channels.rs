//! Channels: sending, faults, swaps, and who sees what.

use std::time::Duration;

use http::Response;
use http_body_util::Full;
use pinion_domain::extension::channel::{Receipt, SendError, Verdict};
use pinion_domain::extension::{Binding, Caller, Grant, Kind, PluginError, Plugins};
use pinion_sandbox::Limits;
use serde_json::json;

use crate::support::{
    Server, caller, install, limits, message, open, open_with, sandbox, sandbox_with, until,
};

fn accepted(id: &str) -> Verdict {
    Verdict::Accepted(Receipt {
        provider_id: Some(id.to_owned()),
        parts: 1,
        ..Receipt::default()
    })
}

/// What kind of verdict it is, with the part that a test cares for.
fn brief(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accepted(receipt) => format!("accepted {}", receipt.provider_id.as_deref().unwrap_or("-")),
        Verdict::Refused(error) => format!("refused {error:?}"),
        Verdict::Unreported { left, .. } => format!("unreported, left: {left}"),
    }
}

fn briefs(verdicts: &[Verdict]) -> Vec<String> {
    verdicts.iter().map(brief).collect()
}

fn fault(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Unreported { fault, .. } => fault,
        other => panic!("{other:?} is not a fault"),
    }
}

#[tokio::test]
async fn every_message_gets_a_verdict_also_beyond_the_largest_batch() {
    let sandbox = sandbox(&["null"]).await;
    let channel = open(&sandbox, "null", Vec::new()).await;
    assert_eq!(channel.max_batch(), 1_000);
    assert_eq!(channel.name().0, "null");
    assert_eq!(channel.check().await, Ok(Vec::new()));
    let batch: Vec<_> = (0..2_500).map(|n| message(&format!("m{n}"), &[])).collect();
    let verdicts = channel.send(batch).await;
    assert_eq!(verdicts.len(), 2_500);
    assert!(
        verdicts
            .iter()
            .all(|verdict| matches!(verdict, Verdict::Accepted(_)))
    );
    assert_eq!(channel.send(Vec::new()).await, []);
}

#[tokio::test]
async fn verdicts_come_in_the_order_of_the_messages() {
    let sandbox = sandbox(&["bad/trap"]).await;
    let channel = open(&sandbox, "trap", Vec::new()).await;
    let batch: Vec<_> = (0..250).map(|n| message(&format!("m{n}"), &[])).collect();
    let verdicts = channel.send(batch).await;
    let ids: Vec<_> = (0..250).map(|n| accepted(&format!("m{n}"))).collect();
    assert_eq!(verdicts, ids);
}

#[tokio::test]
async fn a_trap_touches_only_what_was_not_reported_and_says_what_had_left() {
    let sandbox = sandbox(&["bad/trap", "null"]).await;
    let server = Server::answering("ok").await;
    let trap = open(&sandbox, "trap", vec![server.grant.clone()]).await;
    let verdicts = trap
        .send(vec![
            message("a", &[]),
            message("b", &[("do", "trap-after"), ("url", &server.url)]),
            message("c", &[]),
        ])
        .await;
    assert_eq!(
        briefs(&verdicts),
        ["accepted a", "unreported, left: true", "accepted c"]
    );
    assert_eq!(
        fault(&verdicts[1]),
        "plugin trap faulted: trapped: it panicked or aborted"
    );

    let verdicts = trap
        .send(vec![message("d", &[("do", "trap")]), message("e", &[])])
        .await;
    assert_eq!(
        briefs(&verdicts),
        ["unreported, left: false", "unreported, left: false"]
    );

    let null = open(&sandbox, "null", Vec::new()).await;
    assert_eq!(briefs(&null.send(vec![message("f", &[])]).await), ["accepted -"]);
    assert_eq!(trap.send(vec![message("g", &[])]).await, [accepted("g")]);
}

#[tokio::test]
async fn a_request_that_found_nobody_has_not_left() {
    let sandbox = sandbox(&["bad/trap"]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let channel = open(&sandbox, "trap", vec![Grant::exact("http", "127.0.0.1", port)]).await;
    let url = format!("http://127.0.0.1:{port}/");
    let verdicts = channel
        .send(vec![message("a", &[("do", "trap-after"), ("url", &url)])])
        .await;
    assert_eq!(briefs(&verdicts), ["unreported, left: false"]);
}

#[tokio::test]
async fn a_spinning_channel_is_ended_and_others_go_on_meanwhile() {
    let sandbox = sandbox_with(Limits {
        cpu: Duration::from_millis(300),
        ..limits()
    });
    install(&sandbox, &["bad/spin", "null"]).await;
    let spin = open(&sandbox, "spin", Vec::new()).await;
    let null = open(&sandbox, "null", Vec::new()).await;
    // One thread for both: the spinner must give way.
    let spinning = spin.send(vec![message("a", &[("do", "spin")])]);
    let bystanding = async {
        for _ in 0..10 {
            assert_eq!(briefs(&null.send(vec![message("b", &[])]).await), ["accepted -"]);
            tokio::task::yield_now().await;
        }
        "done first"
    };
    tokio::pin!(spinning);
    tokio::select! {
        biased;
        _ = &mut spinning => panic!("the spinner did not give way"),
        done = bystanding => assert_eq!(done, "done first"),
    }
    let verdicts = spinning.await;
    assert_eq!(
        fault(&verdicts[0]),
        "plugin spin faulted: used more CPU than a call may"
    );
    assert_eq!(spin.send(vec![message("c", &[])]).await, [accepted("c")]);
}

#[tokio::test]
async fn waiting_costs_no_cpu_budget() {
    let sandbox = sandbox_with(Limits {
        cpu: Duration::from_millis(100),
        cpu_per_message: Duration::ZERO,
        tick: Duration::from_millis(1),
        ..limits()
    });
    install(&sandbox, &["bad/slow"]).await;
    let server = Server::start(|_| Response::new(Full::from("ok"))).await;
    let channel = open(&sandbox, "slow", vec![server.grant.clone()]).await;
    let batch: Vec<_> = (0..50)
        .map(|n| message(&format!("m{n}"), &[("url", &server.url)]))
        .collect();
    // Answers trickle in: the guest wakes up in many different ticks.
    let trickle = async {
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(4)).await;
            server.let_through(1);
        }
    };
    let (verdicts, ()) = tokio::join!(channel.send(batch), trickle);
    assert!(
        verdicts
            .iter()
            .all(|verdict| matches!(verdict, Verdict::Accepted(_))),
        "{verdicts:?}"
    );
}

#[tokio::test]
async fn calls_in_flight_finish_on_the_version_they_began_with() {
    let sandbox = sandbox(&["bad/swap-a"]).await;
    let server = Server::start(|_| Response::new(Full::from("ok"))).await;
    let channel = open(&sandbox, "swap", vec![server.grant.clone()]).await;
    let old = tokio::spawn({
        let (channel, url) = (channel.clone(), server.url.clone());
        async move { channel.send(vec![message("a", &[("url", &url)])]).await }
    });
    server.wait_for(1).await;
    install(&sandbox, &["bad/swap-b"]).await;
    assert_eq!(channel.send(vec![message("b", &[])]).await, [accepted("swap 2")]);
    assert_eq!(channel.name(), ("swap".to_owned(), "2".to_owned()));
    server.let_through(1);
    assert_eq!(old.await.unwrap(), [accepted("swap 1")]);
    assert_eq!(channel.send(vec![message("c", &[])]).await, [accepted("swap 2")]);
}

#[tokio::test]
async fn results_that_do_not_fit_are_a_fault_for_what_was_not_reported() {
    let sandbox = sandbox(&["bad/miscount"]).await;
    let channel = open(&sandbox, "miscount", Vec::new()).await;
    for told in ["fewer", "more"] {
        let verdicts = channel
            .send(vec![message("a", &[("do", told)]), message("b", &[])])
            .await;
        assert_eq!(
            briefs(&verdicts),
            ["unreported, left: false", "unreported, left: false"],
            "{told}"
        );
        assert!(fault(&verdicts[0]).contains("results for 2 messages"), "{told}");
    }
    let verdicts = channel
        .send(vec![message("a", &[("do", "foreign")]), message("b", &[])])
        .await;
    assert_eq!(verdicts, [accepted("a"), accepted("b")]);
    let verdicts = channel.send(vec![message("a", &[("do", "contradict")])]).await;
    assert_eq!(
        verdicts,
        [Verdict::Refused(SendError::Rejected("contradicted".to_owned()))]
    );
}

#[tokio::test]
async fn secrets_reach_the_provider_and_not_the_guest() {
    let sandbox = sandbox(&["webhook"]).await;
    let server = Server::answering("{}").await;
    // The plugin refuses settings that it does not know: a secret among them would be one.
    let settings = json!({"url": server.url, "auth": "bearer", "authorization": "s3cret"});
    let channel = open_with(&sandbox, "webhook", settings, vec![server.grant.clone()]).await;
    let mut custom = message(
        "a",
        &[
            ("application-id", "app"),
            ("campaign-id", "c"),
            ("endpoint-id", "e"),
        ],
    );
    custom.parts = vec![pinion_domain::extension::channel::Part::Json("{}".to_owned())];
    let verdicts = channel.send(vec![custom]).await;
    assert!(matches!(verdicts[0], Verdict::Accepted(_)), "{verdicts:?}");
    let head = &server.heads()[0];
    assert_eq!(head.headers["authorization"], "Bearer s3cret");
}

#[tokio::test]
async fn only_what_is_granted_is_reached() {
    let sandbox = sandbox(&["bad/reach"]).await;
    let server = Server::answering("hello").await;
    let send = async |grants: Vec<Grant>, url: &str| {
        let channel = open(&sandbox, "reach", grants).await;
        brief(&channel.send(vec![message("a", &[("url", url)])]).await[0])
    };
    let exact = vec![server.grant.clone()];
    assert_eq!(send(exact.clone(), &server.url).await, "accepted 200");
    let denied = send(Vec::new(), &server.url).await;
    assert!(
        denied.contains("Denied") && denied.contains("is not granted"),
        "{denied}"
    );
    // A grant that a plugin was given, rather than the operator's own, opens public addresses only.
    for url in [server.url.clone(), server.url.replace("127.0.0.1", "localhost")] {
        let denied = send(vec!["http://*:*".parse().unwrap()], &url).await;
        assert!(denied.contains("a loopback address"), "{url}: {denied}");
    }
    for url in ["http://user@127.0.0.1/", "ftp://127.0.0.1/", "nonsense"] {
        let invalid = send(exact.clone(), url).await;
        assert!(invalid.contains("Invalid"), "{url}: {invalid}");
    }
    assert_eq!(server.seen(), 1);
}

#[tokio::test]
async fn an_operators_grant_opens_only_what_the_manifest_asks() {
    let sandbox = sandbox(&["bad/reach"]).await;
    let server = Server::answering("hello").await;
    let grants = vec![server.grant.clone()];
    sandbox
        .grant(&pinion_domain::extension::Owner::Server, "reach", grants)
        .await
        .unwrap();
    let channel = open(&sandbox, "reach", Vec::new()).await;
    let verdict = brief(&channel.send(vec![message("a", &[("url", &server.url)])]).await[0]);
    assert!(verdict.contains("Denied"), "{verdict}");
    assert_eq!(server.seen(), 0);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let sandbox = sandbox(&["bad/reach"]).await;
    let server = Server::start(|_| {
        let redirect = Response::builder()
            .status(302)
            .header("location", "http://169.254.169.254/");
        redirect.body(Full::default()).unwrap()
    })
    .await;
    server.let_through(1);
    let channel = open(&sandbox, "reach", vec![server.grant.clone()]).await;
    let verdicts = channel.send(vec![message("a", &[("url", &server.url)])]).await;
    assert_eq!(briefs(&verdicts), ["accepted 302"]);
}

#[tokio::test]
async fn a_channel_is_asked_for_by_its_kind_and_name() {
    let sandbox = sandbox(&["bad/liar"]).await;
    let binding = |plugin: &str| Binding {
        plugin: plugin.to_owned(),
        settings: json!({}),
        grants: Vec::new(),
    };
    let missing = sandbox.channel(&caller(), &binding("absent")).await.err();
    assert_eq!(missing, Some(PluginError::NotFound("absent".to_owned())));
    let wrong = sandbox.channel(&caller(), &binding("liar")).await.err();
    let expected = PluginError::WrongKind {
        name: "liar".to_owned(),
        wanted: Kind::Channel,
        actual: Kind::Predicate,
    };
    assert_eq!(wrong, Some(expected));
}

#[tokio::test]
async fn a_plugin_that_was_removed_sends_nothing() {
    let sandbox = sandbox(&["null"]).await;
    let channel = open(&sandbox, "null", Vec::new()).await;
    assert!(
        sandbox
            .remove(&pinion_domain::extension::Owner::Server, "null")
            .await
    );
    let verdicts = channel.send(vec![message("a", &[])]).await;
    assert_eq!(fault(&verdicts[0]), "plugin null is not installed");
}

#[tokio::test]
async fn a_single_message_does_not_wait_behind_batches() {
    let sandbox = sandbox_with(Limits {
        messages_in_flight: 4,
        ..limits()
    });
    install(&sandbox, &["bad/slow"]).await;
    let server = Server::start(|_| Response::new(Full::from("ok"))).await;
    let channel = open(&sandbox, "slow", vec![server.grant.clone()]).await;
    // Four lanes, all taken by batches that wait.
    let batches: Vec<_> = (0..4)
        .map(|n| {
            let (channel, url) = (channel.clone(), server.url.clone());
            tokio::spawn(async move {
                let waiting = message(&format!("{n}"), &[("url", &url)]);
                channel.send(vec![waiting, message(&format!("{n}b"), &[])]).await
            })
        })
        .collect();
    server.wait_for(4).await;
    assert_eq!(
        channel.send(vec![message("direct", &[])]).await,
        [accepted("direct")]
    );
    server.let_through(4);
    for batch in batches {
        assert!(
            batch
                .await
                .unwrap()
                .iter()
                .all(|verdict| matches!(verdict, Verdict::Accepted(_)))
        );
    }
}

#[tokio::test]
async fn idle_instances_make_room_for_others() {
    let sandbox = sandbox_with(Limits {
        instances: 2,
        ..limits()
    });
    install(&sandbox, &["null"]).await;
    for app in ["a", "b", "c", "d", "e"] {
        let caller = Caller {
            app: app.into(),
            ..caller()
        };
        let binding = Binding {
            plugin: "null".to_owned(),
            settings: json!({}),
            grants: Vec::new(),
        };
        let channel = sandbox.channel(&caller, &binding).await.unwrap();
        assert_eq!(
            briefs(&channel.send(vec![message("a", &[])]).await),
            ["accepted -"]
        );
    }
    until(|| sandbox.free_places().1 <= 1).await;
}

#[tokio::test]
async fn a_binding_is_opened_once() {
    let sandbox = sandbox(&["null"]).await;
    let first = open(&sandbox, "null", Vec::new()).await;
    let again = open(&sandbox, "null", Vec::new()).await;
    let other = open(&sandbox, "null", vec!["https://*:443".parse().unwrap()]).await;
    assert!(std::ptr::addr_eq(&raw const *first, &raw const *again));
    assert!(!std::ptr::addr_eq(&raw const *first, &raw const *other));
}
