//! Quotas: the last one that is allowed is made, the next is not.

use pinion_domain as domain;
use pinion_domain::app::CreateApplication;
use pinion_domain::event_stream::{EventStreamDocument, WriteEventStream};
use pinion_domain::id::Tenant;
use pinion_domain::page::PageRequest;
use pinion_domain::quotas::Quotas;
use pinion_domain::recommender::Recommender;
use pinion_domain::template::EmailTemplate;
use pinion_store::testing::{app, each_database, tenant};
use pinion_store::{Error, Result, Store, Write};

fn is_full<T>(result: &Result<T>) -> bool {
    matches!(
        result,
        Err(Error::Domain(
            domain::Error::LimitExceeded(_) | domain::Error::Invalid { .. }
        ))
    )
}

async fn create(store: &Store, tenant: &Tenant) -> Result<domain::app::App> {
    let create: CreateApplication = serde_json::from_str(r#"{ "Name": "a" }"#).unwrap();
    store.create_app(tenant, create).await
}

fn elsewhere() -> Tenant {
    Tenant {
        region: "us-east-1".into(),
        ..tenant()
    }
}

#[tokio::test]
async fn applications_are_counted_by_account_and_region() {
    each_database(async |store, _| {
        let store = store.with_quotas(Quotas {
            apps: 2,
            ..Quotas::default()
        });
        let first = create(&store, &tenant()).await.unwrap();
        create(&store, &tenant()).await.unwrap();
        assert!(is_full(&create(&store, &tenant()).await));
        create(&store, &elsewhere()).await.unwrap();
        let first = store.app(&tenant(), &first.id).await.unwrap().unwrap();
        store.delete_app(&first).await.unwrap();
        create(&store, &tenant()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn documents_and_versions_have_quotas() {
    each_database(async |store, _| {
        let store = store.with_quotas(Quotas {
            templates: 2,
            template_versions: 3,
            ..Quotas::default()
        });
        let tenant = tenant();
        let make = async |tenant: &Tenant, name: &str| {
            store
                .create_document(tenant, name, EmailTemplate::default(), "", None)
                .await
        };
        make(&tenant, "a").await.unwrap();
        make(&tenant, "b").await.unwrap();
        assert!(is_full(&make(&tenant, "c").await));
        // A name that is taken is told as such.
        let taken = make(&tenant, "b").await;
        assert!(matches!(taken, Err(Error::Domain(domain::Error::Conflict(_)))));
        make(&elsewhere(), "c").await.unwrap();

        let write = async |how| {
            store
                .update_document(&tenant, "a", how, |before| {
                    Ok((EmailTemplate::default(), before.state, before.due_at))
                })
                .await
        };
        let anew = Write::NewVersion { activate: false };
        assert_eq!(write(anew).await.unwrap().unwrap().version, 2);
        assert_eq!(write(anew).await.unwrap().unwrap().version, 3);
        assert!(is_full(&write(anew).await));
        assert_eq!(write(Write::OverwriteLatest).await.unwrap().unwrap().version, 3);
        let gone = store
            .delete_document::<EmailTemplate>(&tenant, "a", Some(2))
            .await;
        assert!(gone.unwrap().is_some());
        assert_eq!(write(anew).await.unwrap().unwrap().version, 4);
        let gone = store.delete_document::<EmailTemplate>(&tenant, "b", None).await;
        assert!(gone.unwrap().is_some());
        make(&tenant, "c").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn recommenders_do_not_count_as_templates() {
    each_database(async |store, _| {
        let store = store.with_quotas(Quotas {
            recommenders: 1,
            templates: 0,
            ..Quotas::default()
        });
        let make = async |id: &str| {
            store
                .create_document(&tenant(), id, Recommender::default(), "", None)
                .await
        };
        make("r1").await.unwrap();
        assert!(is_full(&make("r2").await));
        let listed = store
            .documents::<Recommender>(&tenant(), None, &PageRequest::default())
            .await
            .unwrap();
        assert_eq!(listed.items.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn tags_have_a_quota_of_their_own() {
    each_database(async |store, _| {
        let store = store.with_quotas(Quotas {
            tags: 2,
            ..Quotas::default()
        });
        let put = async |names: &[&str]| {
            let tags = names
                .iter()
                .map(|name| ((*name).to_owned(), String::new()))
                .collect();
            store.put_tags(&tenant(), "arn:1", tags).await
        };
        put(&["a", "b"]).await.unwrap();
        put(&["b"]).await.unwrap();
        assert!(is_full(&put(&["c"]).await));
        assert_eq!(store.tags(&tenant(), "arn:1").await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_is_put_is_made_or_overwritten() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let put = async |role: &str| {
            let document = EventStreamDocument {
                stream: WriteEventStream {
                    destination_stream_arn: "s".to_owned(),
                    role_arn: role.to_owned(),
                },
                last_updated_by: "somebody".to_owned(),
            };
            store.put_document(&app, "stream", document).await.unwrap()
        };
        let first = put("one").await;
        clock.advance(jiff::SignedDuration::from_secs(60));
        let second = put("two").await;
        assert_eq!((first.version, second.version), (1, 1));
        assert_eq!(second.document.stream.role_arn, "two");
        assert_eq!(second.creation_date, first.creation_date);
        assert_eq!(second.last_modified_date, "2026-03-02T10:01:00.000Z");
        let read = store.document::<EventStreamDocument>(&app, "stream", None).await;
        assert_eq!(read.unwrap(), Some(second));
    })
    .await;
}
