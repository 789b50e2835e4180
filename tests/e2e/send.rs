//! A campaign from its segment to its receipts.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use pinion_domain::campaign::{
    CampaignDocument, CampaignStatus, Limits, QuietTime, Treatment, WriteTreatment,
};
use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::SuppressionReason;
use pinion_domain::endpoint::{Demographic, EndpointRequest};
use pinion_domain::kpi::Metric;
use pinion_engine::kpi;
use pinion_store::{Lane, NewRun, RollupFilter, RunState, Scope, StateChange, Upsert};

use crate::harness::{
    Server, campaign, everybody, finished, outcomes, people, run_when, schedule, sink, smtp_settings, until,
};

const HTML: &str = "<html><body><p>Hi {{Attributes.number}}</p>\
    <a href=\"https://shop.example.com/?a=1&amp;b=2\">Shop</a></body></html>";

/// GET or POST by hand: links need no signature.
async fn fetch(method: &str, url: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer[9..12].parse().unwrap(), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_arrive_and_opens_clicks_and_unsubscribes_come_back() {
    let outbox = sink().await;
    let server = Server::start(smtp_settings(outbox.smtp_address())).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 30, |n| match n {
        0 => "bounce+0@example.com".to_owned(),
        1 => "reject+1@example.com".to_owned(),
        _ => format!("person{n}@example.com"),
    })
    .await;
    let update = |id: &str, request: EndpointRequest| {
        vec![Upsert {
            id: id.into(),
            request,
        }]
    };
    let opt_out = EndpointRequest {
        opt_out: Some("ALL".into()),
        ..Default::default()
    };
    store
        .upsert_endpoints(&app, Lane::Interactive, update("e2", opt_out))
        .await
        .unwrap();
    store
        .suppress(
            &app.tenant,
            None,
            ChannelType::Email,
            "PERSON3@example.com",
            SuppressionReason::Complaint,
        )
        .await
        .unwrap();
    let segment = everybody(store, &app).await;
    let inactive = EndpointRequest {
        endpoint_status: Some("INACTIVE".into()),
        ..Default::default()
    };
    store
        .upsert_endpoints(&app, Lane::Interactive, update("e4", inactive))
        .await
        .unwrap();

    let id = schedule(store, &app, campaign(segment.clone(), HTML)).await;
    let run = finished(store, &app, &id).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.detail);
    assert_eq!(
        outcomes(store, &app, &run).await,
        [
            ("ACCEPTED", 25),
            ("ENDPOINT_INACTIVE", 1),
            ("ENDPOINT_OPT_OUT", 1),
            ("HARD_BOUNCE", 1),
            ("REJECTED", 1),
            ("SUPPRESSED_COMPLAINT", 1),
        ]
    );
    let found = until("the campaign to complete", async || {
        let campaign = store
            .document::<CampaignDocument>(Scope::from(&app), id.as_str(), None)
            .await
            .unwrap()
            .unwrap();
        (campaign.state == CampaignStatus::Completed.as_str()).then_some(campaign)
    })
    .await;
    assert_eq!(found.due_at, None);

    let messages = outbox.messages(0, 100).messages;
    assert_eq!(messages.len(), 25);
    let message = &messages[0];
    let number = message.to[0]
        .trim_start_matches("person")
        .split('@')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(message.subject, format!("Hello {number}"));
    let header = |name: &str| {
        let found = message
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    assert_eq!(header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");

    // The pixel twice, the link once, and the link leads where it should.
    let pixel = message
        .images
        .iter()
        .find(|image| image.contains("/t/o/"))
        .unwrap();
    assert_eq!(fetch("GET", pixel).await.0, 200);
    assert_eq!(fetch("GET", pixel).await.0, 200);
    let link = message.links.iter().find(|link| link.contains("/t/c/")).unwrap();
    let (status, answer) = fetch("GET", link).await;
    assert_eq!(status, 302);
    assert!(
        answer.contains("location: https://shop.example.com/?a=1&b=2\r\n"),
        "{answer}"
    );
    // A changed token leads nowhere.
    let at = link.len() - 10;
    let other = if link.as_bytes()[at] == b'A' { "B" } else { "A" };
    let changed = format!("{}{other}{}", &link[..at], &link[at + 1..]);
    assert_eq!(fetch("GET", &changed).await.0, 404);

    // Looking does not unsubscribe; one click does.
    let unsubscribe = header("List-Unsubscribe").trim_matches(['<', '>']).to_owned();
    assert_eq!(fetch("GET", &unsubscribe).await.0, 200);
    let address = message.to[0].as_str();
    let suppressed = async || {
        store
            .suppressed(&app, ChannelType::Email, &[address])
            .await
            .unwrap()[0]
    };
    assert_eq!(suppressed().await, None);
    assert_eq!(fetch("POST", &unsubscribe).await.0, 200);
    assert_eq!(fetch("POST", &unsubscribe).await.0, 200);
    assert_eq!(suppressed().await, Some(SuppressionReason::Unsubscribed));
    let bounced = store
        .suppressed(&app, ChannelType::Email, &["bounce+0@example.com"])
        .await
        .unwrap()[0];
    assert_eq!(bounced, Some(SuppressionReason::Bounce));

    // Rollups are what counting gives.
    let filter = RollupFilter {
        runs: Some(vec![run.no]),
        from: Timestamp::UNIX_EPOCH,
        to: Timestamp::MAX,
    };
    let rolled: u64 = store
        .ledger_rollup(&app, filter.clone())
        .await
        .unwrap()
        .iter()
        .map(|count| count.count)
        .sum();
    assert_eq!(rolled, 30);
    let events = store.event_rollup(&app, filter).await.unwrap();
    let count = |metric| {
        events
            .iter()
            .filter(|count| count.metric == metric)
            .map(|count| count.count)
            .sum::<u64>()
    };
    let wanted = [
        (Metric::Opened, 2),
        (Metric::UniqueOpened, 1),
        (Metric::Clicked, 1),
        (Metric::UniqueClicked, 1),
        (Metric::Unsubscribed, 1),
    ];
    for (metric, expected) in wanted {
        assert_eq!(count(metric), expected, "{metric:?}");
    }
    let now = store.clock().now();
    let kpi = async |name| {
        kpi::campaign(store, &app, &id, name, Timestamp::UNIX_EPOCH, now)
            .await
            .unwrap()[0]
            .value
    };
    assert_eq!(kpi("unique-deliveries").await, 25.0);
    assert_eq!(
        kpi("attempted-deliveries-grouped-by-campaign-activity").await,
        27.0
    );
    assert_eq!(kpi("hard-bounce-rate").await, 1.0 / 27.0);
    assert_eq!(kpi("email-open-rate").await, 1.0 / 25.0);

    // The next campaign leaves out those who may not be written to any more.
    let second = schedule(store, &app, campaign(segment, HTML)).await;
    let run = finished(store, &app, &second).await;
    let second = outcomes(store, &app, &run).await;
    assert!(second.contains(&("SUPPRESSED_UNSUBSCRIBED", 1)), "{second:?}");
    assert!(second.contains(&("SUPPRESSED_BOUNCE", 1)), "{second:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_quiet_time_keep_messages_back() {
    let outbox = sink().await;
    let server = Server::start(smtp_settings(outbox.smtp_address())).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 3, |n| format!("person{n}@example.com")).await;
    // It is quiet in the zone of e1; the clocks of e2 are thirteen hours ahead of it, and e0 has none.
    for (id, zone) in [("e1", "UTC"), ("e2", "Pacific/Tongatapu")] {
        let request = EndpointRequest {
            demographic: Some(Demographic {
                timezone: Some(zone.to_owned()),
                ..Demographic::default()
            }),
            ..EndpointRequest::default()
        };
        let id = id.into();
        let upserts = vec![Upsert { id, request }];
        store
            .upsert_endpoints(&app, Lane::Interactive, upserts)
            .await
            .unwrap();
    }
    let now = store.clock().now();
    let hours = |hours| {
        Some(
            (now + SignedDuration::from_hours(hours))
                .strftime("%H:%M")
                .to_string(),
        )
    };
    let mut document = campaign(everybody(store, &app).await, HTML);
    document.limits = Some(Limits {
        total: Some(1),
        ..Limits::default()
    });
    document.schedule.as_mut().unwrap().quiet_time = Some(QuietTime {
        start: hours(-2),
        end: hours(2),
    });
    let id = schedule(store, &app, document).await;
    let run = finished(store, &app, &id).await;
    assert_eq!(
        outcomes(store, &app, &run).await,
        [("ACCEPTED", 2), ("QUIET_TIME", 1)]
    );

    until("the campaign to complete", async || {
        let now = Some(store.clock().now());
        let completed = [CampaignStatus::Completed.as_str()];
        let again = StateChange::of::<CampaignDocument>(&app, id.as_str(), &completed, "SCHEDULED", now);
        store.set_document_state(again).await.unwrap().then_some(())
    })
    .await;
    let second = run_when(store, &app, &id, "the second run", |found| {
        found.no > run.no && found.finished.is_some()
    })
    .await;
    assert_eq!(
        outcomes(store, &app, &second).await,
        [("QUIET_TIME", 1), ("TOTAL_LIMIT", 2)]
    );
    assert_eq!(outbox.messages(0, 100).messages.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn treatments_and_holdout_share_a_segment() {
    let outbox = sink().await;
    let server = Server::start(smtp_settings(outbox.smtp_address())).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 1_000, |n| format!("person{n}@example.com")).await;
    let segment = everybody(store, &app).await;
    let mut document = campaign(segment.clone(), "<p>default</p>");
    document.holdout_percent = Some(20);
    let other = campaign(segment, "<p>other</p>").message_configuration;
    document.additional_treatments = vec![Treatment {
        id: "t1".into(),
        treatment: WriteTreatment {
            size_percent: 40,
            message_configuration: other,
            ..Default::default()
        },
    }];
    let id = schedule(store, &app, document).await;
    let run = finished(store, &app, &id).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.detail);
    let counts = store.ledger_counts(&app, run.no).await.unwrap();
    let of = |treatment: u8| {
        counts
            .iter()
            .filter(|count| count.0 == treatment)
            .map(|count| count.2)
            .sum::<u64>()
    };
    assert_eq!(
        (of(0), of(1), of(255)),
        (
            run.treatment_totals[0],
            run.treatment_totals[1],
            run.holdout_total
        )
    );
    assert_eq!(of(0) + of(1) + of(255), 1_000);
    for (share, expected) in [(of(0), 400_u64), (of(1), 400), (of(255), 200)] {
        assert!(
            share.abs_diff(expected) < 60,
            "{share} instead of about {expected}"
        );
    }
    let mails = outbox.messages(0, 1_000).messages;
    let others = mails.iter().filter(|mail| mail.raw.contains("other")).count() as u64;
    assert_eq!((mails.len() as u64, others), (of(0) + of(1), of(1)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_stops_and_opt_outs_during_the_pause_count() {
    let outbox = sink().await;
    let mut environment = smtp_settings(outbox.smtp_address());
    environment.push(("PINION_BINDINGS__EMAIL__RATE".to_owned(), "200".to_owned()));
    let server = Server::start(environment).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 1_000, |n| format!("person{n}@example.com")).await;
    let segment = everybody(store, &app).await;
    let id = schedule(store, &app, campaign(segment, HTML)).await;
    let run = run_when(store, &app, &id, "the run to begin", |run| {
        run.state == RunState::Running
    })
    .await;
    until("some mail", async || (outbox.counters().mails > 50).then_some(())).await;
    store.set_run_state(run.no, RunState::Paused, None).await.unwrap();

    // What was handed over may go; then nothing moves.
    let settled = until("sending to settle", async || {
        let before = outbox.counters().mails;
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        (outbox.counters().mails == before).then_some(before)
    })
    .await;
    assert!(settled < 1_000);
    let reached: BTreeSet<String> = outbox
        .messages(0, 2_000)
        .messages
        .iter()
        .map(|mail| mail.to[0].clone())
        .collect();
    let late: Vec<u32> = (0..1_000)
        .filter(|n| !reached.contains(&format!("person{n}@example.com")))
        .take(20)
        .collect();
    let updates = late
        .iter()
        .map(|n| Upsert {
            id: format!("e{n}").into(),
            request: EndpointRequest {
                opt_out: Some("ALL".into()),
                ..Default::default()
            },
        })
        .collect();
    store
        .upsert_endpoints(&app, Lane::Interactive, updates)
        .await
        .unwrap();
    store
        .set_run_state(run.no, RunState::Running, None)
        .await
        .unwrap();
    server.running.engine().wake();
    let run = finished(store, &app, &id).await;
    assert_eq!(
        outcomes(store, &app, &run).await,
        [("ACCEPTED", 980), ("ENDPOINT_OPT_OUT", 20)]
    );
    let mails = outbox.messages(0, 2_000).messages;
    assert_eq!(mails.len(), 980);
    assert!(late.iter().all(|n| {
        !mails
            .iter()
            .any(|mail| mail.to[0] == format!("person{n}@example.com"))
    }));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_cancelled_run_leaves_out_is_told_in_the_ledger() {
    let outbox = sink().await;
    let mut environment = smtp_settings(outbox.smtp_address());
    environment.push(("PINION_BINDINGS__EMAIL__RATE".to_owned(), "200".to_owned()));
    let server = Server::start(environment).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 3_000, |n| format!("person{n}@example.com")).await;
    let segment = everybody(store, &app).await;
    let mut document = campaign(segment, HTML);
    document.holdout_percent = Some(10);
    let id = schedule(store, &app, document).await;
    let run = run_when(store, &app, &id, "the run to begin", |run| {
        run.state == RunState::Running
    })
    .await;
    until("some mail", async || (outbox.counters().mails > 50).then_some(())).await;
    store
        .delete_document::<CampaignDocument>(&app, id.as_str(), None)
        .await
        .unwrap();
    store
        .set_run_state(run.no, RunState::Cancelled, None)
        .await
        .unwrap();

    let run = finished(store, &app, &id).await;
    assert_eq!(run.state, RunState::Cancelled);
    let told: Vec<(&str, u64)> = outcomes(store, &app, &run).await;
    let of = |name: &str| {
        told.iter()
            .find(|(reason, _)| *reason == name)
            .map_or(0, |told| told.1)
    };
    assert_eq!(of("ACCEPTED"), outbox.counters().mails);
    assert_eq!(of("TREATMENT_HOLDOUT"), run.holdout_total);
    assert!(of("CANCELLED") > 0, "{told:?}");
    assert_eq!(
        of("ACCEPTED") + of("TREATMENT_HOLDOUT") + of("CANCELLED"),
        3_000,
        "{told:?}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_go_on_fails_with_its_campaign() {
    let outbox = sink().await;
    let server = Server::start(smtp_settings(outbox.smtp_address())).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 1_200, |n| format!("person{n}@example.com")).await;
    let segment = everybody(store, &app).await;
    let executing = CampaignStatus::Executing.as_str();
    store
        .create_document(&app, "broken", campaign(segment, HTML), executing, None)
        .await
        .unwrap();
    // As if this version could not read what an older one pinned.
    let broken = NewRun {
        id: "broken-run".into(),
        campaign: "broken".into(),
        campaign_version: 1,
        scheduled: store.clock().now(),
        parent: None,
        pins: serde_json::json!({ "campaign": "what is this" }),
        recipients: (0..1_200).collect(),
        treatment_totals: vec![1_200],
        holdout_total: 0,
        chunk_size: 500,
        deadline: None,
    };
    store.create_run(&app, broken).await.unwrap().unwrap();
    server.running.engine().wake();

    let run = finished(store, &app, &"broken".into()).await;
    assert_eq!(run.state, RunState::Failed);
    let detail = run.detail.as_deref().unwrap_or_default();
    assert!(detail.contains("pinned documents cannot be read"), "{detail}");
    assert_eq!(outcomes(store, &app, &run).await, [("RUN_FAILED", 1_200)]);
    let campaign = store
        .document::<CampaignDocument>(&app, "broken", None)
        .await
        .unwrap();
    assert_eq!(campaign.unwrap().state, CampaignStatus::Invalid.as_str());
    assert_eq!(outbox.counters().mails, 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_with_the_same_id() {
    let outbox = sink().await;
    let mut environment = smtp_settings(outbox.smtp_address());
    environment.push(("PINION_ENGINE__RETRY_FIRST_SECONDS".to_owned(), "0.1".to_owned()));
    let server = Server::start(environment).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 10, |n| format!("defer+{n}@example.com")).await;
    let segment = everybody(store, &app).await;
    let id = schedule(store, &app, campaign(segment, HTML)).await;
    let run = finished(store, &app, &id).await;
    assert_eq!(outcomes(store, &app, &run).await, [("ACCEPTED", 10)]);
    assert_eq!(outbox.counters().deferred, 10);
    let rows = store.ledger(&app, run.no, None, 100).await.unwrap();
    assert!(rows.iter().all(|row| row.attempts == 2), "{rows:?}");
    server.stop().await;
}
