//! Access keys.

use std::fs;

use pinion_store::testing::{Place, clock, each_database};

#[tokio::test]
async fn a_key_is_made_looked_up_and_disabled() {
    each_database(async |store, _| {
        let account = store.default_account().await.unwrap();
        assert!(account.as_str().len() == 12 && account.as_str().bytes().all(|byte| byte.is_ascii_digit()));
        let key = store.create_access_key(None).await.unwrap();
        assert_eq!(key.account, account);
        assert!(
            key.id.as_str().starts_with("AKIA") && key.id.as_str().len() == 20,
            "{key:?}"
        );
        assert_eq!(key.secret.len(), 40);
        assert_eq!(key.principal(), format!("arn:aws:iam::{account}:root"));

        let found = store.access_key(&key.id).await.unwrap().unwrap();
        assert_eq!((found.secret, found.enabled), (key.secret.clone(), true));
        assert!(store.set_access_key_enabled(&key.id, false).await.unwrap());
        assert!(!store.access_key(&key.id).await.unwrap().unwrap().enabled);
        assert!(
            !store
                .set_access_key_enabled(&"AKIANOBODY".into(), false)
                .await
                .unwrap()
        );
        assert!(store.access_key(&"AKIANOBODY".into()).await.unwrap().is_none());

        let other = store
            .create_access_key(Some("000000000001".into()))
            .await
            .unwrap();
        assert_eq!(other.account.as_str(), "000000000001");
        assert_ne!(other.secret, key.secret);
        assert_eq!(store.list_access_keys().await.unwrap().len(), 2);
        assert_eq!(store.default_account().await.unwrap(), account);
    })
    .await;
}

#[tokio::test]
async fn no_secret_is_in_any_file() {
    let place = Place::sqlite();
    let store = place.open(&clock()).await;
    let key = store.create_access_key(None).await.unwrap();
    assert!(!format!("{key:?}").contains(key.secret.as_str()));
    let (mut files, mut id_seen) = (0, false);
    // While it runs (the newest rows are in the log beside the file), and after it closed.
    for closed in [false, true] {
        if closed {
            store.close().await;
        }
        for entry in fs::read_dir(place.folder()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            let contains = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!contains(&key.secret));
            id_seen |= contains(key.id.as_str());
            files += 1;
        }
    }
    assert!(id_seen && files > 4, "the search looks into the right files");
}
