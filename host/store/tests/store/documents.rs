//! Segments, campaigns and templates in versions; import jobs and members.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use pinion_domain as domain;
use pinion_domain::campaign::CampaignDocument;
use pinion_domain::clock::Clock as _;
use pinion_domain::id::{JobId, SegmentId};
use pinion_domain::job::{ExportJob, ExportJobRequest, ImportJob, ImportJobRequest, JobStatus};
use pinion_domain::page::PageRequest;
use pinion_domain::segment::SegmentDocument;
use pinion_domain::template::{EmailTemplate, PushTemplate, SmsTemplate, TemplateSummary, TemplateType};
use pinion_store::testing::{app, each_database, each_place, tenant};
use pinion_store::{Error, Members, Options, StateChange, Store, Versioned, Write};

fn segment(name: &str) -> SegmentDocument {
    SegmentDocument {
        name: Some(name.to_owned()),
        ..SegmentDocument::default()
    }
}

fn template(subject: &str) -> EmailTemplate {
    EmailTemplate {
        subject: Some(subject.to_owned()),
        ..EmailTemplate::default()
    }
}

/// Keeps state and due time.
fn to<D: Clone + Send + Sync + 'static>(
    document: D,
) -> impl Fn(Versioned<D>) -> domain::Result<(D, String, Option<Timestamp>)> + Send + Sync + 'static {
    move |before| Ok((document.clone(), before.state, before.due_at))
}

fn page(size: u32, token: Option<&str>) -> PageRequest {
    PageRequest::parse(Some(&size.to_string()), token).unwrap()
}

const ACTIVATE: Write = Write::NewVersion { activate: true };

#[tokio::test]
async fn a_document_is_made_once_and_only_for_its_tenant() {
    each_database(async |store, _| {
        let (here, elsewhere) = (app(&store).await, app(&store).await);
        let made = store
            .create_document(&here, "s1", segment("one"), "", None)
            .await
            .unwrap();
        let time = "2026-03-02T10:00:00.000Z".to_owned();
        assert_eq!(
            made,
            Versioned {
                id: "s1".to_owned(),
                version: 1,
                active_version: 1,
                latest_version: 1,
                document: segment("one"),
                state: String::new(),
                due_at: None,
                creation_date: time.clone(),
                version_date: time.clone(),
                last_modified_date: time,
            }
        );
        assert_eq!(store.document(&here, "s1", None).await.unwrap(), Some(made));
        let again = store.create_document(&here, "s1", segment("two"), "", None).await;
        assert!(
            matches!(again, Err(Error::Domain(domain::Error::Conflict(_)))),
            "{again:?}"
        );
        assert!(
            store
                .document::<SegmentDocument>(&elsewhere, "s1", None)
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            store
                .document::<CampaignDocument>(&here, "s1", None)
                .await
                .unwrap()
                .is_none()
        );
        store
            .create_document(&elsewhere, "s1", segment("other"), "", None)
            .await
            .unwrap();
        // Templates belong to the tenant, not to an application.
        store
            .create_document(&tenant(), "t", template("hi"), "", None)
            .await
            .unwrap();
        let stranger = domain::id::Tenant {
            region: "us-east-1".into(),
            ..tenant()
        };
        assert!(
            store
                .document::<EmailTemplate>(&stranger, "t", None)
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            store
                .document::<EmailTemplate>(&here, "t", None)
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            store
                .document::<EmailTemplate>(&tenant(), "t", None)
                .await
                .unwrap()
                .is_some()
        );
    })
    .await;
}

#[tokio::test]
async fn updates_make_versions_or_overwrite_the_newest() {
    each_database(async |store, clock| {
        let tenant = tenant();
        store
            .create_document(&tenant, "t", template("1"), "", None)
            .await
            .unwrap();
        clock.advance(SignedDuration::from_secs(60));
        let second = store
            .update_document(
                &tenant,
                "t",
                Write::NewVersion { activate: false },
                to(template("2")),
            )
            .await;
        let second = second.unwrap().unwrap();
        assert_eq!(
            (second.version, second.latest_version, second.active_version),
            (2, 2, 1)
        );
        assert_eq!(second.creation_date, "2026-03-02T10:00:00.000Z");
        assert_eq!(second.version_date, "2026-03-02T10:01:00.000Z");
        clock.advance(SignedDuration::from_secs(60));
        let overwritten = store
            .update_document(&tenant, "t", Write::OverwriteLatest, to(template("2b")))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((overwritten.version, overwritten.active_version), (2, 1));
        assert_eq!(overwritten.version_date, "2026-03-02T10:01:00.000Z");
        assert_eq!(overwritten.last_modified_date, "2026-03-02T10:02:00.000Z");
        assert_eq!(
            store.document(&tenant, "t", Some(2)).await.unwrap(),
            Some(overwritten)
        );
        let active: Versioned<EmailTemplate> = store.document(&tenant, "t", None).await.unwrap().unwrap();
        assert_eq!((active.version, active.document), (1, template("1")));

        assert!(
            store
                .set_active_version::<EmailTemplate>(&tenant, "t", 2)
                .await
                .unwrap()
        );
        assert!(
            !store
                .set_active_version::<EmailTemplate>(&tenant, "t", 3)
                .await
                .unwrap()
        );
        assert!(
            !store
                .set_active_version::<EmailTemplate>(&tenant, "nobody", 1)
                .await
                .unwrap()
        );
        let active: Versioned<EmailTemplate> = store.document(&tenant, "t", None).await.unwrap().unwrap();
        assert_eq!((active.version, active.document), (2, template("2b")));

        let absent = store
            .update_document(&tenant, "nobody", ACTIVATE, to(template("x")))
            .await
            .unwrap();
        assert!(absent.is_none());
        let refused = store
            .update_document::<EmailTemplate>(&tenant, "t", ACTIVATE, |_| {
                Err(domain::Error::Conflict("no".into()))
            })
            .await;
        assert!(matches!(refused, Err(Error::Domain(domain::Error::Conflict(_)))));
        let newest_first = store
            .document_versions::<EmailTemplate>(&tenant, "t", &page(1, None))
            .await
            .unwrap();
        assert_eq!(newest_first.items[0].version, 2);
        let rest = page(1, newest_first.next_token.as_deref());
        let rest = store
            .document_versions::<EmailTemplate>(&tenant, "t", &rest)
            .await
            .unwrap();
        assert_eq!(
            (rest.items.len(), rest.items[0].version, rest.next_token),
            (1, 1, None)
        );
    })
    .await;
}

#[tokio::test]
async fn updates_at_the_same_time_lose_nothing() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = app(&store).await;
        store
            .create_document(&app, "s", segment(""), "", None)
            .await
            .unwrap();
        // A second store is what another process is: it has a writer of its own.
        let beside = Options {
            serve: false,
            ..place.options()
        };
        let beside = Store::open(beside, Arc::clone(&clock) as _).await.unwrap();
        let updates: Vec<_> = (0..40)
            .map(|n| {
                let (store, app) = (
                    if n % 2 == 0 { store.clone() } else { beside.clone() },
                    app.clone(),
                );
                tokio::spawn(async move {
                    let add = |before: Versioned<SegmentDocument>| {
                        let name = before.document.name.unwrap_or_default() + "x";
                        Ok((segment(&name), before.state, None))
                    };
                    store
                        .update_document(&app, "s", ACTIVATE, add)
                        .await
                        .unwrap()
                        .unwrap()
                        .version
                })
            })
            .collect();
        let mut versions = Vec::new();
        for update in updates {
            versions.push(update.await.unwrap());
        }
        versions.sort_unstable();
        assert_eq!(versions, (2..=41).collect::<Vec<u32>>());
        let last: Versioned<SegmentDocument> = store.document(&app, "s", None).await.unwrap().unwrap();
        assert_eq!(last.document.name.unwrap(), "x".repeat(40));
        beside.close().await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn deleting_versions_never_gives_a_number_twice() {
    each_database(async |store, _| {
        let tenant = tenant();
        store
            .create_document(&tenant, "t", template("1"), "", None)
            .await
            .unwrap();
        for n in ["2", "3"] {
            store
                .update_document(&tenant, "t", ACTIVATE, to(template(n)))
                .await
                .unwrap();
        }
        let gone: Versioned<EmailTemplate> = store
            .delete_document(&tenant, "t", Some(3))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((gone.version, gone.document), (3, template("3")));
        let active: Versioned<EmailTemplate> = store.document(&tenant, "t", None).await.unwrap().unwrap();
        assert_eq!(
            (active.version, active.active_version, active.latest_version),
            (2, 2, 2)
        );
        let next = store
            .update_document(&tenant, "t", ACTIVATE, to(template("4")))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((next.version, next.latest_version), (4, 4));
        assert!(
            store
                .delete_document::<EmailTemplate>(&tenant, "t", Some(3))
                .await
                .unwrap()
                .is_none()
        );
        store
            .delete_document::<EmailTemplate>(&tenant, "t", Some(1))
            .await
            .unwrap()
            .unwrap();
        store
            .delete_document::<EmailTemplate>(&tenant, "t", Some(2))
            .await
            .unwrap()
            .unwrap();
        store
            .delete_document::<EmailTemplate>(&tenant, "t", Some(4))
            .await
            .unwrap()
            .unwrap();
        assert!(
            store
                .document::<EmailTemplate>(&tenant, "t", None)
                .await
                .unwrap()
                .is_none()
        );

        store
            .create_document(&tenant, "t", template("anew"), "", None)
            .await
            .unwrap();
        store
            .update_document(
                &tenant,
                "t",
                Write::NewVersion { activate: false },
                to(template("b")),
            )
            .await
            .unwrap();
        let gone: Versioned<EmailTemplate> =
            store.delete_document(&tenant, "t", None).await.unwrap().unwrap();
        assert_eq!(gone.document, template("anew"), "the active version");
        assert!(
            store
                .document::<EmailTemplate>(&tenant, "t", Some(2))
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            store
                .delete_document::<EmailTemplate>(&tenant, "t", None)
                .await
                .unwrap()
                .is_none()
        );
    })
    .await;
}

#[tokio::test]
async fn a_list_in_pages_shows_everything_once_while_others_write() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        // Three a moment: the id decides among them.
        for n in 0..9 {
            if n % 3 == 0 {
                clock.advance(SignedDuration::from_secs(1));
            }
            store
                .create_document(&app, &format!("s{n}"), segment("x"), "", None)
                .await
                .unwrap();
        }
        let mut seen = Vec::new();
        let mut token: Option<String> = None;
        for round in 0.. {
            let found = store
                .documents::<SegmentDocument>(&app, None, &page(2, token.as_deref()))
                .await
                .unwrap();
            seen.extend(found.items.into_iter().map(|item| item.id));
            token = found.next_token;
            if token.is_none() {
                break;
            }
            // What comes and goes in between moves nobody else.
            store
                .delete_document::<SegmentDocument>(&app, &format!("s{}", round * 2), None)
                .await
                .unwrap();
            store
                .update_document(&app, "s8", ACTIVATE, to(segment("y")))
                .await
                .unwrap();
            if round == 1 {
                clock.advance(SignedDuration::from_secs(1));
                store
                    .create_document(&app, "a-late-one", segment("x"), "", None)
                    .await
                    .unwrap();
            }
        }
        assert_eq!(
            seen,
            ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "a-late-one"]
        );
        for foreign in ["", "x", "1", "x y"] {
            let request = PageRequest {
                size: 2,
                after: Some(foreign.to_owned()),
            };
            let refused = store.documents::<SegmentDocument>(&app, None, &request).await;
            assert!(
                matches!(refused, Err(Error::Domain(domain::Error::Invalid { .. }))),
                "{foreign:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_prefix_means_itself() {
    each_database(async |store, _| {
        for id in ["news_1", "newsX1", "New", "żółw", "żaba"] {
            store
                .create_document(&tenant(), id, template("x"), "", None)
                .await
                .unwrap();
        }
        let found = async |prefix: &str| -> Vec<String> {
            let page = store
                .documents::<EmailTemplate>(&tenant(), Some(prefix), &PageRequest::default())
                .await;
            page.unwrap().items.into_iter().map(|item| item.id).collect()
        };
        assert_eq!(found("news_").await, ["news_1"]);
        assert_eq!(found("ż").await.len(), 2);
        assert_eq!(found("żó").await, ["żółw"]);
        assert_eq!(found("%").await, [""; 0]);
        assert_eq!(found("").await.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn due_documents_are_found_in_their_states() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let start = clock.now();
        let at = |seconds| Some(start + SignedDuration::from_secs(seconds));
        for (id, state, due) in [
            ("late", "SCHEDULED", at(-60)),
            ("now", "EXECUTING", at(0)),
            ("later", "SCHEDULED", at(60)),
            ("never", "SCHEDULED", None),
            ("paused", "PAUSED", at(-60)),
        ] {
            store
                .create_document(&app, id, CampaignDocument::default(), state, due)
                .await
                .unwrap();
        }
        let due = async |limit| -> Vec<String> {
            let due = store
                .due_documents::<CampaignDocument>(&["SCHEDULED", "EXECUTING"], clock.now(), limit)
                .await;
            due.unwrap()
                .into_iter()
                .map(|(of, campaign)| {
                    assert_eq!(of.id, app.id);
                    campaign.id
                })
                .collect()
        };
        assert_eq!(due(10).await, ["late", "now"]);
        assert_eq!(due(1).await, ["late"]);
        let set = async |id: &str, state: &str, only_from: &[&str]| {
            let change = StateChange::of::<CampaignDocument>(&app, id, only_from, state, None);
            store.set_document_state(change).await.unwrap()
        };
        assert!(!set("paused", "EXECUTING", &["SCHEDULED"]).await);
        assert!(set("late", "COMPLETED", &["EXECUTING", "SCHEDULED"]).await);
        assert!(!set("nobody", "COMPLETED", &["SCHEDULED"]).await);
        assert_eq!(due(10).await, ["now"]);
        let done: Versioned<CampaignDocument> = store.document(&app, "late", None).await.unwrap().unwrap();
        assert_eq!((done.state.as_str(), done.due_at), ("COMPLETED", None));
        store.delete_app(&app).await.unwrap();
        assert!(due(10).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn documents_are_counted_by_state_over_all_applications_of_a_tenant() {
    each_database(async |store, _| {
        let (one, other) = (app(&store).await, app(&store).await);
        for (app, id, state) in [
            (&one, "a", "SCHEDULED"),
            (&one, "b", "COMPLETED"),
            (&other, "c", "SCHEDULED"),
            (&other, "d", "EXECUTING"),
        ] {
            store
                .create_document(app, id, CampaignDocument::default(), state, None)
                .await
                .unwrap();
        }
        store
            .create_document(&one, "s", segment("x"), "SCHEDULED", None)
            .await
            .unwrap();
        let stranger = domain::id::Tenant {
            region: "us-east-1".into(),
            ..tenant()
        };
        for (tenant, states, expected) in [
            (tenant(), &["SCHEDULED", "EXECUTING"][..], 3),
            (tenant(), &["PAUSED"], 0),
            (stranger, &["SCHEDULED"], 0),
        ] {
            let count = store.count_documents::<CampaignDocument>(&tenant, states).await;
            assert_eq!(count.unwrap(), expected, "{states:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn jobs_are_kept_until_they_are_done() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let mut job = ImportJob::new(
            ImportJobRequest {
                format: "CSV".to_owned(),
                ..ImportJobRequest::default()
            },
            clock.now(),
        );
        let ids: Vec<JobId> = ["j1", "j2", "j3"].into_iter().map(JobId::from).collect();
        for id in &ids {
            clock.advance(SignedDuration::from_secs(1));
            store.create_job(&app, id, &job).await.unwrap();
        }
        let again = store.create_job(&app, &ids[0], &job).await;
        assert!(matches!(again, Err(Error::Domain(domain::Error::Conflict(_)))));
        job.job_status = JobStatus::Processing;
        job.definition.segment_id = Some("s".to_owned());
        store
            .update_job(&app, &ids[1], &job, Some("line 7".to_owned()))
            .await
            .unwrap();
        assert_eq!(store.job(&app, &ids[1]).await.unwrap(), Some(job.clone()));
        job.job_status = JobStatus::Completed;
        store.update_job(&app, &ids[0], &job, None).await.unwrap();
        assert!(matches!(
            store.update_job(&app, &"j9".into(), &job, None).await,
            Err(Error::Domain(_))
        ));

        // A job of the other kind is nobody's business here.
        let export = ExportJob::new(
            ExportJobRequest {
                segment_id: Some("s".into()),
                ..ExportJobRequest::default()
            },
            clock.now(),
        );
        store.create_job(&app, &"x1".into(), &export).await.unwrap();
        assert_eq!(
            store.job::<ImportJobRequest>(&app, &"x1".into()).await.unwrap(),
            None
        );
        assert_eq!(store.job(&app, &"x1".into()).await.unwrap(), Some(export.clone()));
        assert!(matches!(
            store.update_job(&app, &"x1".into(), &job, None).await,
            Err(Error::Domain(_))
        ));
        let exports = store.unfinished_jobs::<ExportJobRequest>().await.unwrap();
        assert_eq!(exports.len(), 1);
        let of_segment = store
            .jobs::<ExportJobRequest>(&app, Some(&"s".into()), &PageRequest::default())
            .await
            .unwrap();
        assert_eq!(of_segment.items, [("x1".into(), export)]);

        let unfinished = store.unfinished_jobs::<ImportJobRequest>().await.unwrap();
        let unfinished: Vec<_> = unfinished
            .into_iter()
            .map(|(of, id, _, cursor)| (of.no, id, cursor))
            .collect();
        assert_eq!(
            unfinished,
            [
                (app.no, ids[1].clone(), Some("line 7".to_owned())),
                (app.no, ids[2].clone(), None)
            ]
        );
        let first = store
            .jobs::<ImportJobRequest>(&app, None, &page(2, None))
            .await
            .unwrap();
        let second = store
            .jobs::<ImportJobRequest>(&app, None, &page(2, first.next_token.as_deref()))
            .await
            .unwrap();
        let listed: Vec<JobId> = first
            .items
            .into_iter()
            .chain(second.items)
            .map(|(id, _)| id)
            .collect();
        assert_eq!(listed, ["j3".into(), "j2".into(), "j1".into()]);
        let of_segment = store
            .jobs::<ImportJobRequest>(&app, Some(&"s".into()), &PageRequest::default())
            .await
            .unwrap();
        assert_eq!(of_segment.items.len(), 2);
        let of_none = store
            .jobs::<ImportJobRequest>(&app, Some(&"t".into()), &PageRequest::default())
            .await
            .unwrap();
        assert!(of_none.items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn members_come_back_as_they_were() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let segment: SegmentId = "s".into();
        let members = Members {
            endpoints: (0..100_000).step_by(3).collect(),
            users: vec!["u".into(), "ż".into()],
        };
        assert_eq!(store.members(&app, &segment, 1).await.unwrap(), None);
        store
            .put_members(&app, &segment, 1, &Members::default())
            .await
            .unwrap();
        store.put_members(&app, &segment, 1, &members).await.unwrap();
        assert_eq!(store.members(&app, &segment, 1).await.unwrap(), Some(members));
        assert_eq!(store.members(&app, &segment, 2).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn templates_of_all_types_are_listed_together() {
    each_database(async |store, clock| {
        let tenant = tenant();
        store
            .create_document(&tenant, "a", template("1"), "", None)
            .await
            .unwrap();
        let sms = SmsTemplate {
            template_description: Some("a text".to_owned()),
            ..SmsTemplate::default()
        };
        store.create_document(&tenant, "a", sms, "", None).await.unwrap();
        clock.advance(SignedDuration::from_secs(1));
        let push = PushTemplate::default();
        store.create_document(&tenant, "b", push, "", None).await.unwrap();
        let list = async |template_type, prefix, size| {
            let (mut found, mut token) = (Vec::new(), None::<String>);
            loop {
                let request = page(size, token.as_deref());
                let page = store
                    .templates(&tenant, template_type, prefix, &request)
                    .await
                    .unwrap();
                found.extend(page.items.into_iter().map(|(kind, found)| {
                    (
                        kind,
                        found.id,
                        found.document.template_description.unwrap_or_default(),
                    )
                }));
                token = page.next_token;
                if token.is_none() {
                    return found;
                }
            }
        };
        let all = [
            (TemplateType::Email, "a".to_owned(), String::new()),
            (TemplateType::Sms, "a".to_owned(), "a text".to_owned()),
            (TemplateType::Push, "b".to_owned(), String::new()),
        ];
        for size in [1, 2, 100] {
            assert_eq!(list(None, None, size).await, all, "{size} a page");
        }
        assert_eq!(list(Some(TemplateType::Sms), None, 1).await, all[1..2]);
        assert_eq!(list(None, Some("b"), 1).await, all[2..]);
        assert_eq!(list(Some(TemplateType::Voice), None, 1).await, []);
        let versions = store
            .document_summaries::<SmsTemplate, TemplateSummary>(&tenant, "a", &page(10, None))
            .await
            .unwrap();
        assert_eq!(versions.items.len(), 1);
        assert_eq!(
            versions.items[0].document.template_description.as_deref(),
            Some("a text")
        );
    })
    .await;
}
