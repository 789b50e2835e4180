//! Endpoints and users: merging, take-over, quotas, and what followers see.

use std::collections::BTreeMap;
use std::sync::Arc;

use pinion_domain::endpoint::Endpoint;
use pinion_domain::id::UserId;
use pinion_store::testing::{app, each_database, each_place};
use pinion_store::{AppRef, Changes, Lane, Options, Store, Upsert};
use serde_json::{Value, json};

fn upsert(id: &str, request: Value) -> Upsert {
    Upsert {
        id: id.into(),
        request: serde_json::from_value(request).unwrap(),
    }
}

async fn put(store: &Store, app: &AppRef, upserts: Vec<Upsert>) -> Vec<pinion_domain::Result<Endpoint>> {
    store
        .upsert_endpoints(app, Lane::Interactive, upserts)
        .await
        .unwrap()
}

async fn put_one(store: &Store, app: &AppRef, id: &str, request: Value) -> Endpoint {
    put(store, app, vec![upsert(id, request)])
        .await
        .remove(0)
        .unwrap()
}

async fn status(store: &Store, app: &AppRef, id: &str) -> String {
    store
        .endpoint(app, &id.into())
        .await
        .unwrap()
        .unwrap()
        .document
        .endpoint_status
}

/// What changed behind `after`, once it is `enough`: on PostgreSQL followers wait for older transactions of
/// the whole cluster, other tests' included.
async fn changes(store: &Store, app: &AppRef, after: i64, enough: impl Fn(&Changes) -> bool) -> Changes {
    loop {
        let changes = store.changes_since(app, after, 100).await.unwrap();
        if enough(&changes) {
            return changes;
        }
        tokio::task::yield_now().await;
    }
}

fn email(address: &str) -> Value {
    json!({ "ChannelType": "EMAIL", "Address": address })
}

#[tokio::test]
async fn updates_merge_and_keep_number_and_address() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let first = put_one(
            &store,
            &app,
            "a",
            json!({ "ChannelType": "EMAIL", "Address": "Zoë@example.com", "Attributes": { "plan": ["free"] },
                    "User": { "UserId": "u1", "UserAttributes": { "city": ["Łódź"] } } }),
        )
        .await;
        let other = put_one(&store, &app, "b", json!({ "User": { "UserId": "u1" } })).await;
        let second = put_one(&store, &app, "a", json!({ "Attributes": { "age": ["7"] } })).await;
        assert_eq!((first.seq, other.seq, second.seq), (0, 1, 0));
        assert_eq!(second.address.as_deref(), Some("Zoë@example.com"));
        assert_eq!(
            second.document.attributes.keys().collect::<Vec<_>>(),
            ["age", "plan"]
        );
        assert_eq!(other.user.as_ref().unwrap().user_attributes["city"], ["Łódź"]);
        assert_eq!(store.endpoint(&app, &"a".into()).await.unwrap().unwrap(), second);
        assert_eq!(
            store.user_endpoints(&app, &"u1".into()).await.unwrap(),
            [second.clone(), other.clone()]
        );
        let both = store
            .endpoints_by_id(&app, &["b".into(), "a".into(), "nobody".into()])
            .await
            .unwrap();
        assert_eq!(both, [second, other]);
        assert_eq!(store.endpoint_count(&app).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_id_that_comes_twice_is_merged_in_order_and_a_bad_item_disturbs_nobody() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let results = put(
            &store,
            &app,
            vec![
                upsert("a", json!({ "Metrics": { "x": 1, "y": 1 } })),
                upsert("bad", json!({ "OptOut": "MAYBE" })),
                upsert("b", json!({})),
                upsert("a", json!({ "Metrics": { "x": 2 }, "OptOut": "ALL" })),
            ],
        )
        .await;
        assert!(matches!(&results[1], Err(pinion_domain::Error::Invalid { field, .. }) if field == "OptOut"));
        let stored = store.endpoint(&app, &"a".into()).await.unwrap().unwrap();
        assert_eq!(
            stored.document.metrics,
            BTreeMap::from([("x".into(), 2.0), ("y".into(), 1.0)])
        );
        assert_eq!(stored.document.opt_out, "ALL");
        assert_eq!(results[2].as_ref().unwrap().seq, 1);
        assert!(store.endpoint(&app, &"bad".into()).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn concurrent_updates_of_one_endpoint_are_all_kept() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = app(&store).await;
        let second = Store::open(
            Options {
                serve: false,
                ..place.options()
            },
            Arc::clone(&clock) as _,
        )
        .await
        .unwrap();
        let mut tasks = Vec::new();
        for number in 0..60 {
            let store = if number % 2 == 0 {
                store.clone()
            } else {
                second.clone()
            };
            let app = app.clone();
            tasks.push(tokio::spawn(async move {
                let lane = if number % 3 == 0 {
                    Lane::Bulk
                } else {
                    Lane::Interactive
                };
                let change = upsert("a", json!({ "Attributes": { format!("k{number}"): ["v"] } }));
                let others = upsert(&format!("new-{number}"), json!({}));
                let results = store
                    .upsert_endpoints(&app, lane, vec![change, others])
                    .await
                    .unwrap();
                assert!(results.iter().all(Result::is_ok));
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let endpoint = store.endpoint(&app, &"a".into()).await.unwrap().unwrap();
        assert_eq!(endpoint.document.attributes.len(), 60);
        let all = store
            .endpoints_by_seq(&app, &(0..100).collect::<Vec<_>>())
            .await
            .unwrap();
        assert_eq!(
            all.iter().map(|endpoint| endpoint.seq).collect::<Vec<_>>(),
            (0..61).collect::<Vec<_>>()
        );
        second.close().await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_number_is_never_used_again() {
    each_database(async |store, _| {
        let app = app(&store).await;
        put(
            &store,
            &app,
            vec![upsert("a", email("a@x.y")), upsert("b", email("b@x.y"))],
        )
        .await;
        let before = changes(&store, &app, 0, |changes| changes.endpoints.len() == 2)
            .await
            .upto;
        let deleted = store.delete_endpoint(&app, &"a".into()).await.unwrap().unwrap();
        assert_eq!((deleted.seq, deleted.address.as_deref()), (0, Some("a@x.y")));
        assert!(store.delete_endpoint(&app, &"a".into()).await.unwrap().is_none());
        assert!(store.endpoint(&app, &"a".into()).await.unwrap().is_none());
        assert_eq!(put_one(&store, &app, "a", email("a@x.y")).await.seq, 2);
        let seqs =
            |endpoints: Vec<Endpoint>| endpoints.iter().map(|endpoint| endpoint.seq).collect::<Vec<_>>();
        assert_eq!(
            seqs(store.endpoints_by_seq(&app, &[0, 1, 2]).await.unwrap()),
            [1, 2]
        );
        assert_eq!(
            seqs(
                store
                    .endpoints_by_seq(&app, &[2, 1, 4_000_000_000])
                    .await
                    .unwrap()
            ),
            [1, 2]
        );
        assert_eq!(store.endpoints_by_seq(&app, &[]).await.unwrap(), []);
        let live = store.live_endpoints(&app).await.unwrap();
        assert_eq!(live.into_iter().collect::<Vec<_>>(), [1, 2]);
        let changes = changes(&store, &app, before, |changes| changes.endpoints.len() == 2).await;
        let seen: Vec<_> = changes
            .endpoints
            .iter()
            .map(|change| (change.seq, change.live.is_some()))
            .collect();
        assert_eq!(seen, [(0, false), (2, true)]);
    })
    .await;
}

#[tokio::test]
async fn deleting_a_user_deletes_all_that_is_known() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let of_user = json!({ "User": { "UserId": "u", "UserAttributes": { "k": ["v"] } } });
        put(
            &store,
            &app,
            vec![
                upsert("a", of_user.clone()),
                upsert("b", of_user),
                upsert("c", json!({})),
            ],
        )
        .await;
        let deleted = store.delete_user(&app, &"u".into()).await.unwrap();
        assert_eq!(
            deleted
                .iter()
                .map(|endpoint| endpoint.id.as_str())
                .collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(store.user_endpoints(&app, &"u".into()).await.unwrap(), []);
        assert_eq!(store.endpoint_count(&app).await.unwrap(), 1);
        let gone = |changes: &Changes| changes.users.iter().any(|user| user.document.is_none());
        let changes = changes(&store, &app, 0, gone).await;
        let seen: Vec<_> = changes
            .endpoints
            .iter()
            .map(|change| (change.seq, change.live.is_some()))
            .collect();
        assert_eq!(
            (seen, changes.users.len()),
            (vec![(2, true), (0, false), (1, false)], 1)
        );
        // Coming back, the user begins anew.
        let again = put_one(&store, &app, "a", json!({ "User": { "UserId": "u" } })).await;
        assert_eq!(again.user.unwrap().user_attributes, BTreeMap::new());
    })
    .await;
}

#[tokio::test]
async fn an_address_has_one_active_endpoint() {
    each_database(async |store, _| {
        let app = app(&store).await;
        put_one(&store, &app, "a", email("Ann@example.com")).await;
        put_one(
            &store,
            &app,
            "sms",
            json!({ "ChannelType": "SMS", "Address": "ann@example.com" }),
        )
        .await;
        put_one(&store, &app, "b", email("ann@EXAMPLE.com")).await;
        assert_eq!(status(&store, &app, "a").await, "INACTIVE");
        assert_eq!(status(&store, &app, "b").await, "ACTIVE");
        assert_eq!(status(&store, &app, "sms").await, "ACTIVE");
        // Within one call the last one has it, and moving the channel claims too.
        put(
            &store,
            &app,
            vec![upsert("c", email("x@y.z")), upsert("d", email("x@y.z"))],
        )
        .await;
        assert_eq!(
            (status(&store, &app, "c").await, status(&store, &app, "d").await),
            ("INACTIVE".into(), "ACTIVE".into())
        );
        put_one(&store, &app, "sms", json!({ "ChannelType": "EMAIL" })).await;
        assert_eq!(status(&store, &app, "b").await, "INACTIVE");
        // The former holder takes it back; the loser's number is told to followers.
        let lost = |changes: &Changes| {
            let inactive = changes.endpoints.iter().filter_map(|change| change.live.as_ref());
            inactive.filter(|live| !live.document.is_active()).count() == 3
        };
        let before = changes(&store, &app, 0, lost).await.upto;
        put_one(&store, &app, "a", email("ann@example.com")).await;
        assert_eq!(status(&store, &app, "sms").await, "INACTIVE");
        let changes = changes(&store, &app, before, |changes| changes.endpoints.len() == 2).await;
        assert_eq!(
            changes
                .endpoints
                .iter()
                .map(|change| change.seq)
                .collect::<Vec<_>>(),
            [0, 1]
        );
        // Who says that it is inactive does not claim.
        let mut inactive = email("ann@example.com");
        inactive["EndpointStatus"] = json!("INACTIVE");
        put_one(&store, &app, "e", inactive).await;
        assert_eq!(
            (status(&store, &app, "a").await, status(&store, &app, "e").await),
            ("ACTIVE".into(), "INACTIVE".into())
        );
        // In another application it is somebody else's.
        let other = pinion_store::testing::app(&store).await;
        put_one(&store, &other, "z", email("ann@example.com")).await;
        assert_eq!(status(&store, &app, "a").await, "ACTIVE");
    })
    .await;
}

#[tokio::test]
async fn a_user_has_fifteen_endpoints() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let push = |number: usize| {
            upsert(
                &format!("p{number}"),
                json!({ "ChannelType": "GCM", "Address": format!("t{number}"), "User": { "UserId": "u" },
                        "EffectiveDate": format!("2026-01-{:02}T00:00:00Z", 28 - number) }),
            )
        };
        let results = put(&store, &app, (0..15).map(push).collect()).await;
        assert!(results.iter().all(Result::is_ok));
        let mail = upsert("mail", json!({ "ChannelType": "EMAIL", "Address": "a@b.c", "User": { "UserId": "u" } }));
        let results = put(&store, &app, vec![mail.clone(), push(15), push(3), upsert("free", json!({}))]).await;
        assert!(matches!(&results[0], Err(pinion_domain::Error::Invalid { field, .. }) if field == "User.UserId"));
        assert!(results[1..].iter().all(Result::is_ok));
        // p14 had the oldest date.
        let driven_out = store.endpoint(&app, &"p14".into()).await.unwrap().unwrap();
        assert_eq!((driven_out.user_id, driven_out.document.endpoint_status.as_str()), (None, "INACTIVE"));
        assert_eq!(store.user_endpoints(&app, &"u".into()).await.unwrap().len(), 15);
        assert!(store.endpoint(&app, &"mail".into()).await.unwrap().is_none());
        // A place that is given up can be taken in the same call.
        let moved = upsert("p3", json!({ "User": { "UserId": "v" } }));
        let results = put(&store, &app, vec![moved, mail]).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert_eq!(store.user_endpoints(&app, &"u".into()).await.unwrap().len(), 15);
        // A user of mail alone has nobody to drive out.
        let mails = (0..15).map(|number| {
            upsert(
                &format!("m{number}"),
                json!({ "ChannelType": "EMAIL", "Address": format!("m{number}@x.y"), "User": { "UserId": "w" } }),
            )
        });
        put(&store, &app, mails.collect()).await;
        let late = json!({ "ChannelType": "GCM", "Address": "late", "User": { "UserId": "w" } });
        assert!(put(&store, &app, vec![upsert("late", late)]).await[0].is_err());
    })
    .await;
}

#[tokio::test]
async fn changes_come_in_pages_that_split_no_revision() {
    each_database(async |store, _| {
        let app = app(&store).await;
        for call in 0..10 {
            let items = (0..7).map(|item| {
                upsert(
                    &format!("e{call}-{item}"),
                    json!({ "Address": "a", "User": { "UserId": format!("u{call}"), "UserAttributes": { "k": ["v"] } } }),
                )
            });
            put(&store, &app, items.collect()).await;
        }
        let mut after = 0;
        let (mut endpoints, mut users, mut pages) = (Vec::new(), Vec::new(), 0);
        loop {
            let changes = store.changes_since(&app, after, 10).await.unwrap();
            assert!(changes.endpoints.iter().all(|change| after < change.rev && change.rev <= changes.upto));
            endpoints.extend(changes.endpoints.iter().map(|change| change.seq));
            users.extend(changes.users.iter().map(|change| change.user_id.clone()));
            assert!(changes.endpoints.iter().all(|change| !change.live.as_ref().unwrap().document.cohort_id.is_empty()));
            pages += 1;
            after = changes.upto;
            if !changes.more && endpoints.len() >= 70 {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(endpoints, (0..70).collect::<Vec<_>>());
        assert_eq!(users, (0..10).map(|call| UserId::from(format!("u{call}"))).collect::<Vec<_>>());
        assert!(pages >= 4, "{pages}");
        let rest = store.changes_since(&app, after, 10).await.unwrap();
        assert!(rest.endpoints.is_empty() && rest.upto >= after && !rest.more);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_misses_nothing_of_four_writers() {
    each_place(async |place, clock| {
        let server = place.open(&clock).await;
        let app = app(&server).await;
        let mut writers = vec![server.clone()];
        for _ in 0..3 {
            writers.push(
                Store::open(
                    Options {
                        serve: false,
                        ..place.options()
                    },
                    Arc::clone(&clock) as _,
                )
                .await
                .unwrap(),
            );
        }
        let mut tasks = Vec::new();
        for (writer, store) in writers.iter().cloned().enumerate() {
            let app = app.clone();
            tasks.push(tokio::spawn(async move {
                for round in 0..40 {
                    let items = (0..5).map(|item| {
                        let id = (writer * 7 + round * 3 + item) % 50;
                        upsert(
                            &format!("e{id}"),
                            json!({ "Metrics": { "round": round, "writer": writer } }),
                        )
                    });
                    put(&store, &app, items.collect()).await;
                    if round % 8 == 3 {
                        store
                            .delete_endpoint(&app, &format!("e{}", round + writer).as_str().into())
                            .await
                            .unwrap();
                    }
                }
            }));
        }
        let mut mirror = BTreeMap::new();
        let mut after = 0;
        let mut truth = None;
        // Changes that are never told end this by its time limit.
        let follow = async {
            while truth.as_ref() != Some(&mirror) {
                let changes = server.changes_since(&app, after, 20).await.unwrap();
                assert!(changes.upto >= after);
                after = changes.upto;
                for change in changes.endpoints {
                    match change.live {
                        Some(live) => mirror.insert(change.seq, (live.id, live.document)),
                        None => mirror.remove(&change.seq),
                    };
                }
                if truth.is_none() && tasks.iter().all(tokio::task::JoinHandle::is_finished) {
                    let all = server
                        .endpoints_by_seq(&app, &(0..1000).collect::<Vec<_>>())
                        .await
                        .unwrap();
                    let all = all
                        .into_iter()
                        .map(|endpoint| (endpoint.seq, (endpoint.id, endpoint.document)));
                    truth = Some(all.collect::<BTreeMap<_, _>>());
                }
                tokio::task::yield_now().await;
            }
        };
        let followed = tokio::time::timeout(std::time::Duration::from_secs(60), follow).await;
        for task in tasks {
            task.await.unwrap();
        }
        assert!(
            followed.is_ok(),
            "after {after} the follower has {} endpoints, not {:?}",
            mirror.len(),
            truth.map(|all| all.len())
        );
        assert!(mirror.len() >= 40);
        for store in writers {
            store.close().await;
        }
    })
    .await;
}
