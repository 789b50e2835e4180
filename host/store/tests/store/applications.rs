//! Applications, their settings, channels and tags.

use std::collections::BTreeMap;

use pinion_domain::app::{ApplicationSettings, CreateApplication};
use pinion_domain::campaign::{CampaignHook, Limits};
use pinion_domain::channel::ChannelType;
use pinion_domain::id::Tenant;
use pinion_domain::page::PageRequest;
use pinion_domain::segment::SegmentDocument;
use pinion_store::testing::{app, each_database, each_place, tenant};
use pinion_store::{Error, NewChannel, Store};
use serde_json::json;

fn create(name: &str) -> CreateApplication {
    CreateApplication {
        name: name.to_owned(),
        tags: BTreeMap::new(),
    }
}

fn strangers() -> [Tenant; 2] {
    [
        Tenant {
            account: "000000000002".into(),
            ..tenant()
        },
        Tenant {
            region: "us-east-1".into(),
            ..tenant()
        },
    ]
}

async fn pages(store: &Store, tenant: &Tenant, size: u32) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let request = PageRequest::parse(Some(&size.to_string()), token.as_deref()).unwrap();
        let page = store.list_apps(tenant, &request).await.unwrap();
        pages.push(page.items.into_iter().map(|app| app.name).collect());
        token = page.next_token;
        if token.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn applications_of_other_tenants_are_invisible() {
    each_database(async |store, _| {
        let made = store.create_app(&tenant(), create("mine")).await.unwrap();
        assert_eq!(store.app(&tenant(), &made.id).await.unwrap().unwrap().id, made.id);
        assert_eq!(made.creation_date, "2026-03-02T10:00:00.000Z");
        for stranger in strangers() {
            assert!(store.app(&stranger, &made.id).await.unwrap().is_none());
            assert!(
                store
                    .list_apps(&stranger, &PageRequest::default())
                    .await
                    .unwrap()
                    .items
                    .is_empty()
            );
        }
        assert_eq!(
            store
                .list_apps(&tenant(), &PageRequest::default())
                .await
                .unwrap()
                .items,
            [made]
        );
    })
    .await;
}

#[tokio::test]
async fn lists_have_pages() {
    each_database(async |store, _| {
        for n in 0..5 {
            store.create_app(&tenant(), create(&n.to_string())).await.unwrap();
        }
        let pages = pages(&store, &tenant(), 2).await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        let mut names: Vec<String> = pages.into_iter().flatten().collect();
        names.sort();
        assert_eq!(names, ["0", "1", "2", "3", "4"]);
    })
    .await;
}

#[tokio::test]
async fn settings_that_are_left_out_stay() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let limits = Limits {
            daily: Some(3),
            ..Limits::default()
        };
        let hook = CampaignHook {
            mode: Some("FILTER".to_owned()),
            ..CampaignHook::default()
        };
        store
            .update_settings(
                &app,
                ApplicationSettings {
                    limits: Some(limits.clone()),
                    ..Default::default()
                },
            )
            .await
            .unwrap();
        let settings = store
            .update_settings(
                &app,
                ApplicationSettings {
                    campaign_hook: Some(hook.clone()),
                    ..Default::default()
                },
            )
            .await
            .unwrap();
        assert_eq!(
            (&settings.limits, &settings.campaign_hook),
            (&Some(limits), &Some(hook))
        );
        assert_eq!(
            settings.last_modified_date.as_deref(),
            Some("2026-03-02T10:00:00.000Z")
        );
        assert_eq!(store.describe_app(&app).await.unwrap().settings, settings);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_application_is_gone_with_what_it_had() {
    each_database(async |store, _| {
        let mut with_tags = create("short-lived");
        with_tags.tags.insert("team".to_owned(), "red".to_owned());
        let made = store.create_app(&tenant(), with_tags).await.unwrap();
        let app = store.app(&tenant(), &made.id).await.unwrap().unwrap();
        let kept = store.create_app(&tenant(), create("kept")).await.unwrap();
        let arn = format!(
            "arn:aws:mobiletargeting:eu-central-1:123456789012:apps/{}",
            made.id
        );
        assert_eq!(store.tags(&tenant(), &arn).await.unwrap()["team"], "red");
        store
            .put_tags(
                &tenant(),
                &format!("{arn}/segments/s"),
                [("a".into(), "b".into())].into(),
            )
            .await
            .unwrap();
        store
            .put_channel(&app, ChannelType::Email, json!({}))
            .await
            .unwrap();
        store
            .create_document(&app, "s", SegmentDocument::default(), "", None)
            .await
            .unwrap();

        assert_eq!(store.delete_app(&app).await.unwrap(), made);

        assert!(store.app(&tenant(), &made.id).await.unwrap().is_none());
        assert!(store.app_by_no(app.no).await.unwrap().is_none());
        assert!(matches!(store.delete_app(&app).await, Err(Error::Domain(_))));
        assert!(matches!(
            store.update_settings(&app, ApplicationSettings::default()).await,
            Err(Error::Domain(_))
        ));
        assert!(
            store
                .document::<SegmentDocument>(&app, "s", None)
                .await
                .unwrap()
                .is_none()
        );
        assert!(store.channels(&app).await.unwrap().is_empty());
        assert!(store.tags(&tenant(), &arn).await.unwrap().is_empty());
        assert!(
            store
                .tags(&tenant(), &format!("{arn}/segments/s"))
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            store
                .list_apps(&tenant(), &PageRequest::default())
                .await
                .unwrap()
                .items,
            [kept]
        );
        assert_eq!(store.all_apps().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn channels_count_their_versions() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        assert!(store.channel(&app, ChannelType::Email).await.unwrap().is_none());
        let first = store
            .put_channel(&app, ChannelType::Email, json!({ "FromAddress": "a@b" }))
            .await
            .unwrap();
        clock.advance(jiff::SignedDuration::from_secs(60));
        let second = store
            .put_channel(&app, ChannelType::Email, json!({ "FromAddress": "c@d" }))
            .await
            .unwrap();
        store
            .put_channel(&app, ChannelType::Custom, json!({}))
            .await
            .unwrap();
        assert_eq!((first.version, second.version), (1, 2));
        assert_eq!(second.creation_date, "2026-03-02T10:00:00.000Z");
        assert_eq!(second.last_modified_date, "2026-03-02T10:01:00.000Z");
        assert_eq!(
            store.channel(&app, ChannelType::Email).await.unwrap(),
            Some(second.clone())
        );
        assert_eq!(store.channels(&app).await.unwrap().len(), 2);
        assert_eq!(
            store.delete_channel(&app, ChannelType::Email).await.unwrap(),
            Some(second)
        );
        assert_eq!(
            store.delete_channel(&app, ChannelType::Email).await.unwrap(),
            None
        );
    })
    .await;
}

#[tokio::test]
async fn credentials_of_channels_are_sealed() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let (here, elsewhere) = (app(&store).await, app(&store).await);
        let secret = "s3cret-that-must-not-be-seen";
        let channel = NewChannel {
            document: json!({ "Enabled": true }),
            credentials: serde_json::from_value(json!({ "ApiKey": secret })).unwrap(),
            by: "somebody".to_owned(),
        };
        let made = store
            .put_channel(&here, ChannelType::Gcm, channel.clone())
            .await
            .unwrap();
        assert_eq!(made.credentials.get("ApiKey"), Some(secret));
        assert_eq!(made.last_modified_by, "somebody");
        assert!(!format!("{made:?}").contains(secret));
        store
            .put_channel(&elsewhere, ChannelType::Gcm, channel)
            .await
            .unwrap();
        store.close().await;

        let store = place.open(&clock).await;
        let here = store.app(&tenant(), &here.id).await.unwrap().unwrap();
        let read = store.channel(&here, ChannelType::Gcm).await.unwrap().unwrap();
        assert_eq!(read, made);
        let without = store
            .put_channel(&here, ChannelType::Gcm, json!({}))
            .await
            .unwrap();
        assert!(without.credentials.is_empty());
        store.close().await;
        for file in std::fs::read_dir(place.folder()).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn tags_are_put_read_and_removed() {
    each_database(async |store, _| {
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        store
            .put_tags(&tenant(), "arn:1", tags(&[("a", "1"), ("b", "2")]))
            .await
            .unwrap();
        store
            .put_tags(&tenant(), "arn:1", tags(&[("b", "3")]))
            .await
            .unwrap();
        store
            .put_tags(&tenant(), "arn:2", tags(&[("c", "4")]))
            .await
            .unwrap();
        assert_eq!(
            store.tags(&tenant(), "arn:1").await.unwrap(),
            tags(&[("a", "1"), ("b", "3")])
        );
        let arns: Vec<String> = (0..300).map(|n| format!("arn:{n}")).collect();
        let of = store.tags_of(&tenant(), &arns).await.unwrap();
        assert_eq!(of.len(), 2);
        assert_eq!(of["arn:2"], tags(&[("c", "4")]));
        for stranger in strangers() {
            assert!(store.tags(&stranger, "arn:1").await.unwrap().is_empty());
        }
        store
            .remove_tags(&tenant(), "arn:1", &["a".to_owned(), "unknown".to_owned()])
            .await
            .unwrap();
        assert_eq!(store.tags(&tenant(), "arn:1").await.unwrap(), tags(&[("b", "3")]));

        let many: BTreeMap<String, String> = (0..50).map(|n| (n.to_string(), String::new())).collect();
        assert!(matches!(
            store.put_tags(&tenant(), "arn:1", many).await,
            Err(Error::Domain(_))
        ));
        assert_eq!(store.tags(&tenant(), "arn:1").await.unwrap(), tags(&[("b", "3")]));
    })
    .await;
}

#[tokio::test]
async fn what_a_channel_said_a_moment_ago_is_never_older_than_a_change() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let recent = async || {
            let document = store.recent_channel(&app, ChannelType::Sms).await.unwrap();
            document.map(|document| document["SenderId"].as_str().unwrap().to_owned())
        };
        let put = async |sender: &str| {
            let document = serde_json::json!({ "SenderId": sender });
            store.put_channel(&app, ChannelType::Sms, document).await.unwrap();
        };
        assert_eq!(recent().await, None);
        put("one").await;
        assert_eq!(recent().await.as_deref(), Some("one"));
        put("two").await;
        assert_eq!(recent().await.as_deref(), Some("two"));
        clock.advance(jiff::SignedDuration::from_secs(2));
        assert_eq!(recent().await.as_deref(), Some("two"));
        store.delete_channel(&app, ChannelType::Sms).await.unwrap();
        assert_eq!(recent().await, None);
    })
    .await;
}
