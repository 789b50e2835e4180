//! Taking attributes off everybody.

use pinion_domain::attributes::{AttributeType, Blacklist};
use pinion_domain::endpoint::EndpointRequest;
use pinion_store::testing::{app, each_database};
use pinion_store::{AppRef, Lane, Store, Upsert};
use serde_json::{Value, json};

const ODD: &str = "@ / + % * ~ : & = ; ż 日本";

async fn put(store: &Store, app: &AppRef, id: &str, request: Value) {
    let request: EndpointRequest = serde_json::from_value(request).unwrap();
    let upsert = Upsert {
        id: id.into(),
        request,
    };
    let results = store
        .upsert_endpoints(app, Lane::Interactive, vec![upsert])
        .await
        .unwrap();
    results.into_iter().for_each(|result| drop(result.unwrap()));
}

async fn remove(store: &Store, app: &AppRef, kind: AttributeType, patterns: &[&str]) -> Vec<String> {
    let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    let removed = store
        .remove_attributes(app, kind, Blacklist::parse(&patterns).unwrap())
        .await
        .unwrap();
    removed.into_iter().collect()
}

#[tokio::test]
async fn only_what_is_named_goes_and_followers_see_it() {
    each_database(async |store, _| {
        let (here, elsewhere) = (app(&store).await, app(&store).await);
        let ann = json!({
            "Attributes": { "plan": ["pro"], "plans": ["x"], ODD: ["y"] }, "Metrics": { "plan": 1, "age": 2 },
            "User": { "UserId": "ann", "UserAttributes": { "plan": ["u"], "city": ["Łódź"] } },
        });
        for app in [&here, &elsewhere] {
            put(&store, app, "ann", ann.clone()).await;
            put(
                &store,
                app,
                "bob",
                json!({ "Attributes": { "city": ["Kraków"] } }),
            )
            .await;
        }
        let before = store.changes_since(&here, 0, 100).await.unwrap();

        assert_eq!(
            remove(&store, &here, AttributeType::Custom, &["plan"]).await,
            ["plan"]
        );
        let since = store.changes_since(&here, before.upto, 100).await.unwrap();
        let changed: Vec<_> = since.endpoints.iter().map(|change| change.seq).collect();
        assert_eq!((changed, since.users.len()), (vec![0], 0));
        let live = since.endpoints[0].live.as_ref().unwrap();
        assert_eq!(
            live.document.attributes.keys().collect::<Vec<_>>(),
            [ODD, "plans"]
        );

        assert_eq!(
            remove(&store, &here, AttributeType::Custom, &["plan*", ODD]).await,
            [ODD, "plans"]
        );
        assert_eq!(
            remove(&store, &here, AttributeType::Metric, &["a?e", "x"]).await,
            ["age"]
        );
        assert_eq!(
            remove(&store, &here, AttributeType::User, &["*"]).await,
            ["city", "plan"]
        );
        assert!(
            remove(&store, &here, AttributeType::User, &["*"])
                .await
                .is_empty()
        );
        let since = store.changes_since(&here, since.upto, 100).await.unwrap();
        assert_eq!(since.users.len(), 1);
        assert!(
            since.users[0]
                .document
                .as_ref()
                .unwrap()
                .user_attributes
                .is_empty()
        );

        let ann = store.endpoint(&here, &"ann".into()).await.unwrap().unwrap();
        assert!(ann.document.attributes.is_empty());
        assert_eq!(ann.document.metrics.keys().collect::<Vec<_>>(), ["plan"]);
        let bob = store.endpoint(&here, &"bob".into()).await.unwrap().unwrap();
        assert_eq!(bob.document.attributes.len(), 1);
        let other = store.endpoint(&elsewhere, &"ann".into()).await.unwrap().unwrap();
        assert_eq!(other.document.attributes.len(), 3);
        assert_eq!(other.user.unwrap().user_attributes.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn many_endpoints_take_many_changes() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let count = 2_300;
        let upserts = (0..count).map(|n| Upsert {
            id: format!("e{n}").into(),
            request: serde_json::from_value(json!({
                "Attributes": { "plan": ["pro"], "kept": [n.to_string()] },
                "User": { "UserId": format!("u{n}"), "UserAttributes": { format!("a{}", n % 7): ["x"] } },
            }))
            .unwrap(),
        });
        let upserts: Vec<_> = upserts.collect();
        store.upsert_endpoints(&app, Lane::Bulk, upserts).await.unwrap();
        assert_eq!(
            remove(&store, &app, AttributeType::Custom, &["plan"]).await,
            ["plan"]
        );
        let names = remove(&store, &app, AttributeType::User, &["a*"]).await;
        assert_eq!(names, ["a0", "a1", "a2", "a3", "a4", "a5", "a6"]);
        for n in [0, 1_999, 2_000, count - 1] {
            let endpoint = store
                .endpoint(&app, &format!("e{n}").into())
                .await
                .unwrap()
                .unwrap();
            assert_eq!(endpoint.document.attributes.keys().collect::<Vec<_>>(), ["kept"]);
            assert!(endpoint.user.unwrap().user_attributes.is_empty(), "u{n}");
        }
    })
    .await;
}
