//! Addresses that must not be sent to.

use pinion_domain::channel::ChannelType::{Email, Sms};
use pinion_domain::delivery::SuppressionReason::{Bounce, Complaint, Unsubscribed};
use pinion_store::testing::{app, each_database, tenant};
use pinion_store::{AppRef, Lane, Store, Upsert};
use serde_json::json;

async fn put(store: &Store, app: &AppRef, id: &str, request: serde_json::Value) {
    let request = serde_json::from_value(request).unwrap();
    let results = store
        .upsert_endpoints(
            app,
            Lane::Bulk,
            vec![Upsert {
                id: id.into(),
                request,
            }],
        )
        .await
        .unwrap();
    assert!(results[0].is_ok());
}

#[tokio::test]
async fn suppressions_hold_by_address_in_one_application_or_in_all() {
    each_database(async |store, _| {
        let (one, two) = (app(&store).await, app(&store).await);
        store
            .suppress(&tenant(), None, Email, "gone@x.y", Bounce)
            .await
            .unwrap();
        store
            .suppress(&tenant(), Some(&one), Email, "no@x.y", Unsubscribed)
            .await
            .unwrap();
        let asked = ["fine@x.y", "GONE@X.Y", "no@x.y"];
        assert_eq!(
            store.suppressed(&one, Email, &asked).await.unwrap(),
            [None, Some(Bounce), Some(Unsubscribed)]
        );
        assert_eq!(
            store.suppressed(&two, Email, &asked).await.unwrap(),
            [None, Some(Bounce), None]
        );
        assert_eq!(
            store.suppressed(&one, Sms, &asked).await.unwrap(),
            [None, None, None]
        );
        assert_eq!(store.suppressed(&one, Email, &[]).await.unwrap(), []);
        // The gravest reason is told.
        store
            .suppress(&tenant(), None, Email, "no@x.y", Complaint)
            .await
            .unwrap();
        store
            .suppress(&tenant(), None, Email, "no@x.y", Complaint)
            .await
            .unwrap();
        assert_eq!(
            store.suppressed(&one, Email, &["no@x.y"]).await.unwrap(),
            [Some(Complaint)]
        );
        assert!(store.unsuppress(&tenant(), Email, "no@x.y").await.unwrap());
        assert!(!store.unsuppress(&tenant(), Email, "no@x.y").await.unwrap());
        assert_eq!(store.suppressed(&one, Email, &["no@x.y"]).await.unwrap(), [None]);
        // Another account knows nothing of it.
        let stranger = pinion_domain::id::Tenant {
            account: "000000000002".into(),
            ..tenant()
        };
        assert!(!store.unsuppress(&stranger, Email, "gone@x.y").await.unwrap());
        assert_eq!(
            store.suppressed(&one, Email, &["gone@x.y"]).await.unwrap(),
            [Some(Bounce)]
        );
    })
    .await;
}

#[tokio::test]
async fn a_suppression_survives_what_happens_to_its_endpoint() {
    each_database(async |store, _| {
        let app = app(&store).await;
        put(
            &store,
            &app,
            "a",
            json!({ "ChannelType": "EMAIL", "Address": "a@x.y" }),
        )
        .await;
        put(&store, &app, "bare", json!({})).await;
        assert!(
            store
                .suppress_endpoint(&app, 0, None, Unsubscribed)
                .await
                .unwrap()
        );
        assert!(
            !store
                .suppress_endpoint(&app, 1, None, Unsubscribed)
                .await
                .unwrap()
        );
        assert!(
            !store
                .suppress_endpoint(&app, 9, Some(Email), Unsubscribed)
                .await
                .unwrap()
        );
        put(
            &store,
            &app,
            "a",
            json!({ "OptOut": "NONE", "EndpointStatus": "ACTIVE" }),
        )
        .await;
        assert_eq!(
            store.suppressed(&app, Email, &["a@x.y"]).await.unwrap(),
            [Some(Unsubscribed)]
        );
        store.delete_endpoint(&app, &"a".into()).await.unwrap();
        put(
            &store,
            &app,
            "b",
            json!({ "ChannelType": "EMAIL", "Address": "A@x.y" }),
        )
        .await;
        assert_eq!(
            store.suppressed(&app, Email, &["a@x.y"]).await.unwrap(),
            [Some(Unsubscribed)]
        );
    })
    .await;
}
