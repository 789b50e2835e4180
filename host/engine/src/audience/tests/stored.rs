//! Columns over real stores, on both databases: writers at once, changes while somebody asks, deletions
//! while a run goes on, and restarts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use pinion_domain::event::types;
use pinion_domain::extension::fake::FakePlugins;
use pinion_domain::id::EndpointId;
use pinion_domain::segment::Truth;
use pinion_store::testing::{app, each_database, each_place, tenant};
use pinion_store::{AppRef, Lane, NewEvent, NewRun, Options, Store, Upsert};
use roaring::RoaringBitmap;
use serde_json::{Value, json};

use super::segment;
use crate::audience::Audiences;

fn audiences(store: &Store) -> Audiences {
    Audiences::new(store.clone(), Arc::new(FakePlugins::default()), usize::MAX)
}

fn upsert(id: &str, request: Value) -> Upsert {
    Upsert {
        id: id.into(),
        request: serde_json::from_value(request).unwrap(),
    }
}

async fn put(store: &Store, app: &AppRef, upserts: Vec<Upsert>) {
    for made in store
        .upsert_endpoints(app, Lane::Interactive, upserts)
        .await
        .unwrap()
    {
        made.unwrap();
    }
}

async fn members(store: &Store, audiences: &Audiences, app: &AppRef, document: Value) -> RoaringBitmap {
    let resolved = audiences
        .resolve_document(app, None, &segment(document))
        .await
        .unwrap();
    let now = store.clock().now();
    audiences.evaluate(app, &resolved, now).await.unwrap().selected
}

fn attribute(name: &str, value: &str) -> Value {
    json!({"Dimensions": {"Attributes": {name: {"Values": [value]}}}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_of_one_endpoint_lose_nothing() {
    each_place(async |place, clock| {
        let first = place.open(&clock).await;
        let app_ref = app(&first).await;
        let options = Options {
            serve: false,
            ..place.options()
        };
        let second = Store::open(options, Arc::clone(&clock) as _).await.unwrap();
        let write = async |store: &Store, who: &str| {
            let app = store.app(&tenant(), &app_ref.id).await.unwrap().unwrap();
            for n in 0..25 {
                let request = json!({"Attributes": {format!("{who}{n}"): ["x"]}, "Metrics": {who: n}});
                put(store, &app, vec![upsert("one", request)]).await;
            }
        };
        // Two nodes, and two tasks of each.
        tokio::join!(
            write(&first, "a"),
            write(&second, "b"),
            write(&first, "c"),
            write(&second, "d")
        );
        let id = EndpointId::from("one");
        let endpoint = first.endpoint(&app_ref, &id).await.unwrap().unwrap();
        assert_eq!(endpoint.document.attributes.len(), 100);
        for who in ["a", "b", "c", "d"] {
            assert_eq!(endpoint.document.metrics[who], 24.0);
        }
        for store in [&first, &second] {
            let audiences = audiences(store);
            for name in ["a0", "b24", "c7", "d12"] {
                let found = members(store, &audiences, &app_ref, attribute(name, "x")).await;
                assert_eq!(found.iter().collect::<Vec<_>>(), [endpoint.seq], "{name}");
            }
        }
        second.close().await;
        first.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_everybody_are_seen_whole_while_somebody_asks() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let plan = |n: u32, plan: &str| upsert(&format!("e{n}"), json!({"Attributes": {"plan": [plan]}}));
        let plan_of = |n: u32, round: u32| {
            if (n + round).is_multiple_of(2) {
                "gold"
            } else {
                "iron"
            }
        };
        put(&store, &app, (0..100).map(|n| plan(n, plan_of(n, 0))).collect()).await;
        let audiences = audiences(&store);
        let stop = AtomicBool::new(false);
        let writing = async {
            for round in 1..=40 {
                // All change sides in one change: there are always fifty of each.
                put(
                    &store,
                    &app,
                    (0..100).map(|n| plan(n, plan_of(n, round))).collect(),
                )
                .await;
            }
            stop.store(true, Ordering::Relaxed);
        };
        let asking = async {
            let mut answers = BTreeSet::new();
            while !stop.load(Ordering::Relaxed) {
                let gold = members(&store, &audiences, &app, attribute("plan", "gold")).await;
                assert_eq!(gold.len(), 50);
                let first = gold.min().unwrap();
                assert!(
                    gold.iter().all(|seq| seq % 2 == first % 2),
                    "parts of two changes"
                );
                answers.insert(first);
            }
            answers
        };
        let ((), answers) = tokio::join!(writing, asking);
        assert!(!answers.is_empty());
        let gold = members(&store, &audiences, &app, attribute("plan", "gold")).await;
        assert_eq!(gold.len(), 50);
    })
    .await;
}

#[tokio::test]
async fn who_is_deleted_during_a_run_stays_its_recipient_and_nobody_else_becomes_it() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let gold = |id: &str| upsert(id, json!({"Attributes": {"plan": ["gold"]}}));
        put(&store, &app, ["a", "b", "c"].map(gold).into()).await;
        let audiences = audiences(&store);
        let recipients = members(&store, &audiences, &app, attribute("plan", "gold")).await;
        let now = pinion_domain::clock::Clock::now(&*clock);
        let run = NewRun {
            id: "r".into(),
            campaign: "c".into(),
            campaign_version: 1,
            parent: None,
            scheduled: now,
            recipients: recipients.clone(),
            chunk_size: 10,
            treatment_totals: vec![3],
            holdout_total: 0,
            pins: json!({}),
            deadline: None,
        };
        store.create_run(&app, run).await.unwrap().unwrap();
        let deleted = store.delete_endpoint(&app, &"b".into()).await.unwrap().unwrap();
        put(&store, &app, vec![gold("b")]).await;
        let again = store.endpoint(&app, &"b".into()).await.unwrap().unwrap();
        assert_ne!(again.seq, deleted.seq);
        let seqs: Vec<u32> = recipients.iter().collect();
        let left = store.endpoints_by_seq(&app, &seqs).await.unwrap();
        assert_eq!(
            left.iter()
                .map(|endpoint| endpoint.id.as_str())
                .collect::<Vec<_>>(),
            ["a", "c"]
        );
        // The run was not for the new one, and the old one is no member of anything.
        let of_run =
            json!({"Dimensions": {"Attributes": {"campaign:c": {"Values": [r#"{"Activity": "r"}"#]}}}});
        let other =
            json!({"Dimensions": {"Attributes": {"campaign:c": {"Values": [r#"{"Activity": "s"}"#]}}}});
        let found = members(&store, &audiences, &app, of_run).await;
        assert_eq!(found, left.iter().map(|endpoint| endpoint.seq).collect());
        assert!(members(&store, &audiences, &app, other).await.is_empty());
        let all = members(&store, &audiences, &app, attribute("plan", "gold")).await;
        assert_eq!(all, found | RoaringBitmap::from([again.seq]));
    })
    .await;
}

#[tokio::test]
async fn columns_of_before_and_after_a_restart_say_what_each_endpoint_says() {
    each_place(async |place, clock| {
        let mut store = place.open(&clock).await;
        let app_id = app(&store).await.id;
        let mut columns = audiences(&store);
        let documents = [
            attribute("plan", "v1"),
            json!({"Dimensions": {"UserAttributes": {"tier": {"AttributeType": "EXCLUSIVE", "Values": ["v0"]}}}}),
            json!({"Dimensions": {"Attributes": {"event:_email.open": {"Values": [r#"{"AtLeast": 2}"#]}}}}),
            json!({"Dimensions": {"Attributes": {"event:_email.open": {"Values": [r#"{"Before": "_email.click"}"#]}}}}),
            json!({"Dimensions": {"Attributes": {"random:r": {"Values": [r#"{"To": 40}"#]}}}}),
        ];
        // A short sequence that repeats only after all of it: no two rounds are alike.
        let mut state = 1_u32;
        let mut draw = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        for round in 0..12 {
            let app = store.app(&tenant(), &app_id).await.unwrap().unwrap();
            for _ in 0..8 {
                let id = format!("e{}", draw(12));
                match draw(5) {
                    0 => drop(store.delete_endpoint(&app, &id.as_str().into()).await.unwrap()),
                    1 => drop(store.delete_user(&app, &format!("u{}", draw(4)).into()).await.unwrap()),
                    2 => {
                        let Some(endpoint) = store.endpoint(&app, &id.as_str().into()).await.unwrap() else {
                            continue;
                        };
                        let event = NewEvent {
                            app_no: app.no,
                            seq: Some(endpoint.seq),
                            event_type: [types::OPEN, types::CLICK][draw(2) as usize].to_owned(),
                            at: Timestamp::from_second(1_760_000_000 + i64::from(draw(1_000))).unwrap(),
                            key: None,
                            run_no: 0,
                            treatment: 0,
                            message_id: None,
                            document: json!({}),
                        };
                        store.append_events(Lane::Interactive, vec![event]).await.unwrap();
                    }
                    _ => {
                        let (plan, tier) = (format!("v{}", draw(3)), format!("v{}", draw(2)));
                        let request = json!({"Attributes": {"plan": [plan]}, "User": {
                            "UserId": format!("u{}", draw(4)), "UserAttributes": {"tier": [tier]}}});
                        put(&store, &app, vec![upsert(&id, request)]).await;
                    }
                }
            }
            if round % 5 == 4 {
                store.close().await;
                store = place.open(&clock).await;
                columns = audiences(&store);
            }
            let app = store.app(&tenant(), &app_id).await.unwrap().unwrap();
            let now = pinion_domain::clock::Clock::now(&*clock);
            let live = store.live_endpoints(&app).await.unwrap();
            for document in &documents {
                let resolved = columns.resolve_document(&app, None, &segment(document.clone())).await.unwrap();
                let selected = columns.evaluate(&app, &resolved, now).await.unwrap().selected;
                let mut expected = RoaringBitmap::new();
                for seq in &live {
                    let endpoint = store.endpoints_by_seq(&app, &[seq]).await.unwrap().remove(0);
                    if columns.decide(&app, &resolved, &endpoint, now).await.unwrap() == Truth::True {
                        expected.insert(seq);
                    }
                }
                assert_eq!(selected, expected, "round {round}: {document}");
            }
        }
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn applications_that_were_not_asked_for_longest_are_given_up() {
    each_database(async |store, _| {
        let columns = Audiences::new(store.clone(), Arc::new(FakePlugins::default()), 30_000);
        let mut apps = Vec::new();
        for _ in 0..3 {
            let app = app(&store).await;
            let people = (0..400)
                .map(|n| upsert(&format!("e{n}"), json!({"Metrics": {"n": n}})))
                .collect();
            put(&store, &app, people).await;
            apps.push(app);
        }
        let everyone = json!({"Dimensions": {}});
        for app in &apps {
            assert_eq!(members(&store, &columns, app, everyone.clone()).await.len(), 400);
            let held = columns.held(app).unwrap();
            assert_eq!((held.endpoints, held.rows_read), (400, 400));
            assert!(columns.bytes() <= 30_000, "{} bytes", columns.bytes());
        }
        assert_eq!(columns.held(&apps[0]), None);
        assert_eq!(members(&store, &columns, &apps[0], everyone).await.len(), 400);
    })
    .await;
}
