//! Who may have an address, what an endpoint may hold, and batches that are made as a whole or not at all.

use std::collections::HashMap;

use pinion_domain::Error;
use pinion_domain::endpoint::{Endpoint, Quotas};
use pinion_store::testing::{app, each_database};
use pinion_store::{AppRef, Lane, Store, Upsert};
use serde_json::{Value, json};

fn upsert(id: &str, request: Value) -> Upsert {
    Upsert {
        id: id.into(),
        request: serde_json::from_value(request).unwrap(),
    }
}

async fn put(store: &Store, app: &AppRef, id: &str, request: Value) -> pinion_domain::Result<Endpoint> {
    let upserts = vec![upsert(id, request)];
    let mut made = store
        .upsert_endpoints(app, Lane::Interactive, upserts)
        .await
        .unwrap();
    made.remove(0)
}

/// The statuses of endpoints, as they are stored.
async fn statuses<const N: usize>(store: &Store, app: &AppRef, ids: [&str; N]) -> [String; N] {
    let mut statuses = [const { String::new() }; N];
    for (status, id) in statuses.iter_mut().zip(ids) {
        let endpoint = store.endpoint(app, &id.into()).await.unwrap().unwrap();
        *status = endpoint.document.endpoint_status;
    }
    statuses
}

#[tokio::test]
async fn an_update_without_a_word_about_the_address_does_not_take_it_back() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let phone = json!({ "ChannelType": "GCM", "Address": "token" });
        put(&store, &app, "old", phone.clone()).await.unwrap();
        put(&store, &app, "new", phone.clone()).await.unwrap();
        assert_eq!(
            statuses(&store, &app, ["old", "new"]).await,
            ["INACTIVE", "ACTIVE"]
        );

        let attributes = json!({ "Attributes": { "seen": ["today"] }, "ChannelType": "GCM" });
        let old = put(&store, &app, "old", attributes.clone()).await.unwrap();
        assert_eq!(old.document.attributes["seen"], ["today"]);
        assert_eq!(
            statuses(&store, &app, ["old", "new"]).await,
            ["INACTIVE", "ACTIVE"]
        );

        // Saying so takes it back.
        put(&store, &app, "old", json!({ "EndpointStatus": "ACTIVE" }))
            .await
            .unwrap();
        assert_eq!(
            statuses(&store, &app, ["old", "new"]).await,
            ["ACTIVE", "INACTIVE"]
        );
        put(&store, &app, "new", phone).await.unwrap();
        assert_eq!(
            statuses(&store, &app, ["old", "new"]).await,
            ["INACTIVE", "ACTIVE"]
        );

        // Once nobody has it, any update activates again, as Pinpoint's do.
        store.delete_endpoint(&app, &"new".into()).await.unwrap();
        put(&store, &app, "old", attributes).await.unwrap();
        assert_eq!(statuses(&store, &app, ["old"]).await, ["ACTIVE"]);

        // Leaving oneself inactive takes nothing from anybody.
        put(
            &store,
            &app,
            "third",
            json!({ "ChannelType": "GCM", "Address": "token", "EndpointStatus": "INACTIVE" }),
        )
        .await
        .unwrap();
        assert_eq!(
            statuses(&store, &app, ["old", "third"]).await,
            ["ACTIVE", "INACTIVE"]
        );
    })
    .await;
}

#[tokio::test]
async fn whatever_is_written_two_active_endpoints_never_share_an_address() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % 1_000_003).unwrap() % below
        };
        for step in 0..120 {
            let mut batch = Vec::new();
            for _ in 0..=random(4) {
                let mut request = json!({});
                if random(2) == 0 {
                    request["Address"] = format!("{}@x.y", random(3)).into();
                }
                if random(3) == 0 {
                    request["ChannelType"] = ["EMAIL", "SMS"][random(2)].into();
                }
                if random(4) == 0 {
                    request["EndpointStatus"] = ["ACTIVE", "INACTIVE"][random(2)].into();
                }
                batch.push(upsert(&format!("e{}", random(6)), request));
            }
            let text = format!("{batch:?}");
            if random(20) == 0 {
                let id = format!("e{}", random(6));
                store.delete_endpoint(&app, &id.as_str().into()).await.unwrap();
            }
            store
                .upsert_endpoints(&app, Lane::Interactive, batch)
                .await
                .unwrap();
            let ids: Vec<_> = (0..6).map(|n| format!("e{n}").as_str().into()).collect();
            let mut holders: HashMap<_, Vec<_>> = HashMap::new();
            for endpoint in store.endpoints_by_id(&app, &ids).await.unwrap() {
                if let (true, Some(channel), Some(address)) = (
                    endpoint.document.is_active(),
                    endpoint.document.channel_type,
                    endpoint.address,
                ) {
                    holders.entry((channel, address)).or_default().push(endpoint.id);
                }
            }
            for (address, holders) in holders {
                assert_eq!(
                    holders.len(),
                    1,
                    "step {step}: {address:?} has {holders:?} after {text}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_holds_no_more_than_its_quotas() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let attributes = |prefix: &str, count: usize| -> Value {
            (0..count)
                .map(|n| (format!("{prefix}{n}"), json!(["v"])))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let user = json!({ "UserId": "u", "UserAttributes": attributes("u", 100) });
        put(
            &store,
            &app,
            "e",
            json!({ "Attributes": attributes("a", 150), "User": user }),
        )
        .await
        .unwrap();
        let one_more = put(&store, &app, "e", json!({ "Attributes": { "one": ["more"] } })).await;
        assert!(
            matches!(&one_more, Err(Error::Invalid { field, .. }) if field == "Attributes"),
            "{one_more:?}"
        );
        let of_user = json!({ "User": { "UserId": "u", "UserAttributes": { "one": ["more"] } } });
        assert!(put(&store, &app, "e", of_user.clone()).await.is_err());
        let endpoint = store.endpoint(&app, &"e".into()).await.unwrap().unwrap();
        assert_eq!(endpoint.document.attributes.len(), 150);
        assert_eq!(endpoint.user.unwrap().user_attributes.len(), 100);

        let values: Vec<String> = (0..50).map(|n| format!("{n:0>100}")).collect();
        let large = json!({ "Attributes": { "a": values, "b": values, "c": values } });
        let refused = put(&store, &app, "large", large.clone()).await;
        assert!(
            matches!(&refused, Err(Error::Invalid { problem, .. }) if problem.contains("15360")),
            "{refused:?}"
        );

        store.set_endpoint_quotas(Quotas {
            attributes: 251,
            bytes: 30_000,
            per_user: 1,
            ..Quotas::default()
        });
        put(&store, &app, "e", of_user.clone()).await.unwrap();
        put(&store, &app, "large", large).await.unwrap();
        let second = put(&store, &app, "second", of_user).await;
        assert!(
            matches!(&second, Err(Error::Invalid { field, .. }) if field == "User.UserId"),
            "{second:?}"
        );
        for id in ["a$b", "{x}", ""] {
            let odd = put(&store, &app, id, json!({})).await;
            assert!(
                matches!(&odd, Err(Error::Invalid { field, .. }) if field == "Id"),
                "{odd:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_drives_nobody_out() {
    each_database(async |store, _| {
        let app = app(&store).await;
        for n in 0..15 {
            let request =
                json!({ "ChannelType": "GCM", "Address": format!("t{n}"), "User": { "UserId": "u" } });
            put(&store, &app, &format!("e{n}"), request).await.unwrap();
        }
        let values: Vec<String> = (0..50).map(|n| format!("{n:0>100}")).collect();
        let too_large = json!({
            "ChannelType": "GCM", "Address": "t16", "User": { "UserId": "u" },
            "Attributes": { "a": values, "b": values, "c": values, "d": values }
        });
        assert!(put(&store, &app, "e15", too_large).await.is_err());
        let endpoints = store.user_endpoints(&app, &"u".into()).await.unwrap();
        assert!(endpoints.iter().all(|endpoint| endpoint.document.is_active()));
        assert_eq!(endpoints.len(), 15);
    })
    .await;
}

#[tokio::test]
async fn a_whole_batch_is_made_or_nothing_of_it() {
    each_database(async |store, _| {
        let app = app(&store).await;
        for n in 0..15 {
            let request = json!({ "ChannelType": "EMAIL", "User": { "UserId": "full" } });
            put(&store, &app, &format!("e{n}"), request).await.unwrap();
        }
        let batch = |last: Value| {
            vec![
                upsert("good", json!({ "Address": "g@x.y" })),
                upsert("e0", json!({ "OptOut": "ALL" })),
                upsert("last", last),
            ]
        };
        let sixteenth = json!({ "ChannelType": "EMAIL", "User": { "UserId": "full" } });
        let refused = store
            .upsert_all_endpoints(&app, Lane::Interactive, batch(sixteenth))
            .await;
        match refused {
            Err(pinion_store::Error::Domain(Error::Invalid { field, .. })) => {
                assert_eq!(field, "Item[2].User.UserId");
            }
            other => panic!("{other:?}"),
        }
        assert!(store.endpoint(&app, &"good".into()).await.unwrap().is_none());
        let untouched = store.endpoint(&app, &"e0".into()).await.unwrap().unwrap();
        assert_eq!(untouched.document.opt_out, "NONE");

        let made = store
            .upsert_all_endpoints(&app, Lane::Interactive, batch(json!({})))
            .await
            .unwrap();
        assert_eq!(made.iter().map(|made| made.seq).collect::<Vec<_>>(), [15, 0, 16]);
    })
    .await;
}
