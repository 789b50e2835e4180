//! Installed plugins, and the values that plugins keep.

use jiff::SignedDuration;
use pinion_domain::extension::{Caller, KeyValue as _, Owner};
use pinion_store::StoredPlugin;
use pinion_store::testing::{Place, app, clock, each_database, tenant};

#[tokio::test]
async fn plugins_are_kept_by_owner_and_name() {
    each_database(async |store, _| {
        let account = Owner::Account(tenant().account);
        let mut plugin = StoredPlugin {
            owner: account.clone(),
            name: "email-smtp".to_owned(),
            digest: "00".repeat(32),
            component: vec![0, 255, 7],
            grants: vec!["smtp://mail.test:25".parse().unwrap()],
        };
        store.put_plugin(plugin.clone()).await.unwrap();
        let servers = StoredPlugin {
            owner: Owner::Server,
            grants: Vec::new(),
            ..plugin.clone()
        };
        store.put_plugin(servers.clone()).await.unwrap();
        plugin.component = vec![1];
        store.put_plugin(plugin.clone()).await.unwrap();
        assert_eq!(store.plugins().await.unwrap(), [servers.clone(), plugin.clone()]);

        let grants = vec!["https://*.example.com:443".parse().unwrap()];
        assert!(
            store
                .put_grants(&Owner::Server, "email-smtp", &grants)
                .await
                .unwrap()
        );
        assert!(
            !store
                .put_grants(&Owner::Server, "unknown", &grants)
                .await
                .unwrap()
        );
        assert_eq!(
            store.plugins().await.unwrap(),
            [StoredPlugin { grants, ..servers }, plugin]
        );
        assert!(store.delete_plugin(&account, "email-smtp").await.unwrap());
        assert!(!store.delete_plugin(&account, "email-smtp").await.unwrap());
        assert_eq!(store.plugins().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn values_are_private_to_plugin_and_application_and_expire() {
    each_database(async |store, clock| {
        let caller = async || Caller {
            account: tenant().account,
            app: app(&store).await.id,
        };
        let (mine, others) = (caller().await, caller().await);
        store.set(&mine, "p", "k", b"one", 0).await.unwrap();
        store.set(&mine, "p", "k", b"two", 0).await.unwrap();
        store.set(&mine, "p", "short", b"x", 60).await.unwrap();
        assert_eq!(
            store.get(&mine, "p", "k").await.unwrap().as_deref(),
            Some(b"two".as_slice())
        );
        assert_eq!(store.get(&mine, "q", "k").await.unwrap(), None);
        assert_eq!(store.get(&others, "p", "k").await.unwrap(), None);
        clock.advance(SignedDuration::from_secs(59));
        assert!(store.get(&mine, "p", "short").await.unwrap().is_some());
        clock.advance(SignedDuration::from_secs(1));
        assert_eq!(store.get(&mine, "p", "short").await.unwrap(), None);
        store.set(&others, "p", "k", b"other", 0).await.unwrap();
        assert_eq!(
            store.get(&mine, "p", "k").await.unwrap().as_deref(),
            Some(b"two".as_slice())
        );
    })
    .await;
}

#[tokio::test]
async fn values_are_sealed() {
    let place = Place::sqlite();
    let store = place.open(&clock()).await;
    let caller = Caller {
        account: tenant().account,
        app: app(&store).await.id,
    };
    store
        .set(&caller, "p", "the-name-of-it", b"the-secret-of-it", 0)
        .await
        .unwrap();
    store.close().await;
    let bytes = std::fs::read(place.folder().join("pinion.db")).unwrap();
    let contains = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(contains(b"the-name-of-it") && !contains(b"the-secret-of-it"));
}
