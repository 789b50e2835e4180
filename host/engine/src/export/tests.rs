//! Exports as files, and back.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;
use pinion_domain::endpoint::{EndpointRequest, EndpointResponse};
use pinion_domain::extension::fake::FakePlugins;
use pinion_domain::id::{EndpointId, JobId};
use pinion_domain::job::{ExportJob, ExportJobRequest, ImportJob, ImportJobRequest, Job, JobStatus};
use pinion_domain::segment::SegmentDocument;
use pinion_store::testing::{app, each_database};
use pinion_store::{AppRef, Lane, Store, Upsert, Write};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::jobs::Work;
use crate::{Config, Engine};

/// An engine that may read and write below a folder, two endpoints a file.
fn engine(store: &Store, folder: &Path) -> Engine {
    let config = Config {
        import_folder: Some(folder.to_owned()),
        export_folder: Some(folder.to_owned()),
        export_piece: 2,
        ..Config::default()
    };
    Engine::new(store.clone(), Arc::new(FakePlugins::default()), config).unwrap()
}

async fn upsert(store: &Store, app: &AppRef, endpoints: &[(&str, Value)]) {
    for (id, request) in endpoints {
        let request: EndpointRequest = serde_json::from_value(request.clone()).unwrap();
        let upsert = Upsert {
            id: EndpointId::from(*id),
            request,
        };
        let results = store
            .upsert_endpoints(app, Lane::Bulk, vec![upsert])
            .await
            .unwrap();
        for result in results {
            result.unwrap();
        }
    }
}

/// Runs a job and gives what is stored of it then.
async fn run<D: Work>(engine: &Engine, app: &AppRef, definition: D) -> Job<D> {
    run_again(engine, app, Job::new(definition, engine.clock().now())).await
}

async fn run_again<D: Work>(engine: &Engine, app: &AppRef, job: Job<D>) -> Job<D> {
    let id = JobId::from("job");
    if engine.store().job::<D>(app, &id).await.unwrap().is_none() {
        engine.store().create_job(app, &id, &job).await.unwrap();
    }
    D::run(engine, app, &id, job).await.unwrap();
    engine.store().job::<D>(app, &id).await.unwrap().unwrap()
}

fn export_to(folder: &Path) -> ExportJobRequest {
    ExportJobRequest {
        role_arn: "arn:aws:iam::1:role/export".to_owned(),
        s3_url_prefix: format!("file://{}/", folder.display()),
        ..ExportJobRequest::default()
    }
}

/// The lines of each file of a folder.
fn lines(folder: &Path) -> BTreeMap<String, Vec<Value>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mut text = String::new();
            GzDecoder::new(fs::File::open(entry.path()).unwrap())
                .read_to_string(&mut text)
                .unwrap();
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            (entry.file_name().into_string().unwrap(), lines.collect())
        })
        .collect()
}

fn ids(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let id = |line: Value| line["Id"].as_str().unwrap().to_owned();
    lines(folder)
        .into_iter()
        .map(|(name, lines)| (name, lines.into_iter().map(id).collect()))
        .collect()
}

fn files(expected: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    expected
        .iter()
        .map(|(name, ids)| ((*name).to_owned(), ids.iter().map(ToString::to_string).collect()))
        .collect()
}

async fn everybody(store: &Store, app: &AppRef) -> BTreeMap<String, EndpointResponse> {
    let live: Vec<u32> = store.live_endpoints(app).await.unwrap().into_iter().collect();
    let endpoints = store.endpoints_by_seq(app, &live).await.unwrap();
    endpoints
        .into_iter()
        .map(|endpoint| (endpoint.id.to_string(), endpoint.response(&"any".into())))
        .collect()
}

#[tokio::test]
async fn what_is_exported_comes_back_by_an_import_as_it_was() {
    each_database(async |store, clock| {
        let folder = TempDir::new().unwrap();
        let engine = engine(&store, folder.path());
        let (here, there) = (app(&store).await, app(&store).await);
        let shared = json!({"ChannelType": "EMAIL", "Address": "shared@example.com"});
        upsert(
            &store,
            &here,
            &[
                (
                    "full",
                    json!({
                        "ChannelType": "EMAIL", "Address": "żółw@example.com", "OptOut": "ALL",
                        "EffectiveDate": "2025-05-06T07:08:09.123Z", "RequestId": "r",
                        "Attributes": {"likes": ["tea", "cake, \"big\""]}, "Metrics": {"age": 41.5},
                        "Demographic": {"AppVersion": "1", "Locale": "pl", "Make": "m", "Model": "n",
                            "ModelVersion": "2", "Platform": "ios", "PlatformVersion": "3",
                            "Timezone": "Europe/Warsaw"},
                        "Location": {"City": "Łódź", "Country": "PL", "Latitude": 51.8, "Longitude": 19.5,
                            "PostalCode": "90-001", "Region": "ld"},
                        "User": {"UserId": "u", "UserAttributes": {"First Name": ["Żaneta 李"]}},
                    }),
                ),
                (
                    "same user",
                    json!({"ChannelType": "SMS", "Address": "+48", "User": {"UserId": "u"}}),
                ),
                ("bare", json!({})),
                (
                    "off",
                    json!({"ChannelType": "GCM", "Address": "t", "EndpointStatus": "INACTIVE"}),
                ),
                (
                    "gone",
                    json!({"ChannelType": "EMAIL", "Address": "gone@example.com"}),
                ),
                // The first holds the address again, so that the inactive one comes later in the file.
                ("first holder", shared.clone()),
                ("second holder", shared.clone()),
                ("first holder", shared),
            ],
        )
        .await;
        store.delete_endpoint(&here, &"gone".into()).await.unwrap();
        let before = everybody(&store, &here).await;
        assert_eq!(before["second holder"].document.endpoint_status, "INACTIVE");

        let exported = run(&engine, &here, export_to(&folder.path().join("deep/er"))).await;
        assert_eq!(exported.job_status, JobStatus::Completed, "{exported:?}");
        assert_eq!(
            (
                exported.total_pieces,
                exported.completed_pieces,
                exported.total_processed
            ),
            (3, 3, 6)
        );
        assert_eq!(
            exported.completion_date.as_deref(),
            Some("2026-03-02T10:00:00.000Z")
        );
        let first = &lines(&folder.path().join("deep/er"))["job-00000.json.gz"][0];
        assert_eq!(first["ApplicationId"], here.id.as_str());
        assert_eq!(
            first["User"],
            json!({"UserId": "u", "UserAttributes": {"First Name": ["Żaneta 李"]}})
        );

        clock.advance(jiff::SignedDuration::from_hours(1));
        let import = ImportJobRequest {
            format: "JSON".to_owned(),
            role_arn: "r".to_owned(),
            s3_url: format!("file://{}/deep", folder.path().display()),
            ..ImportJobRequest::default()
        };
        let imported: ImportJob = run(&engine, &there, import).await;
        assert_eq!(imported.job_status, JobStatus::Completed, "{imported:?}");
        assert_eq!((imported.total_processed, imported.total_failures), (6, 0));
        assert_eq!(everybody(&store, &there).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_segments_version_is_exported_with_its_members_alone() {
    each_database(async |store, _| {
        let folder = TempDir::new().unwrap();
        let engine = engine(&store, folder.path());
        let app = app(&store).await;
        for (id, plan) in [
            ("a", "gold"),
            ("b", "lead"),
            ("c", "gold"),
            ("d", "lead"),
            ("e", "gold"),
        ] {
            upsert(&store, &app, &[(id, json!({"Attributes": {"plan": [plan]}}))]).await;
        }
        let segment = |plan: &str| -> SegmentDocument {
            serde_json::from_value(json!({"Dimensions": {"Attributes": {"plan": {"Values": [plan]}}}}))
                .unwrap()
        };
        store
            .create_document(&app, "s", segment("gold"), "", None)
            .await
            .unwrap();
        let lead = segment("lead");
        store
            .update_document(&app, "s", Write::NewVersion { activate: true }, move |before| {
                Ok((lead.clone(), before.state, before.due_at))
            })
            .await
            .unwrap();
        for (version, expected) in [
            (
                Some(1),
                files(&[("job-00000.json.gz", &["a", "c"]), ("job-00001.json.gz", &["e"])]),
            ),
            (None, files(&[("job-00000.json.gz", &["b", "d"])])),
        ] {
            let to = folder.path().join(format!("{version:?}"));
            let definition = ExportJobRequest {
                segment_id: Some("s".into()),
                segment_version: version,
                ..export_to(&to)
            };
            let job = run_again(&engine, &app, Job::new(definition, engine.clock().now())).await;
            assert_eq!(job.job_status, JobStatus::Completed, "{job:?}");
            assert_eq!(ids(&to), expected);
        }
        let gone = ExportJobRequest {
            segment_id: Some("gone".into()),
            ..export_to(folder.path())
        };
        let job = run_again(&engine, &app, Job::new(gone, engine.clock().now())).await;
        assert_eq!(job.job_status, JobStatus::Failed);
        assert_eq!(job.failures, ["segment gone not found"]);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_begins_again_leaves_nothing_of_its_earlier_attempt() {
    each_database(async |store, _| {
        let folder = TempDir::new().unwrap();
        let engine = engine(&store, folder.path());
        let app = app(&store).await;
        for id in ["a", "b", "c"] {
            upsert(&store, &app, &[(id, json!({}))]).await;
        }
        // It was killed while it wrote the second of five files.
        for left in [
            "job-00000.json.gz",
            ".job-00001.json.gz.partial",
            "job-00003.json.gz",
            ".job-00004.json.gz.partial",
        ] {
            fs::write(folder.path().join(left), "old").unwrap();
        }
        fs::write(folder.path().join("somebody-elses.gz"), "kept").unwrap();
        let mut job = ExportJob::new(export_to(folder.path()), engine.clock().now());
        job.job_status = JobStatus::Processing;
        job.total_pieces = 5;
        job.completed_pieces = 1;
        job.total_processed = 2;
        let job = run_again(&engine, &app, job).await;
        assert_eq!(
            (
                job.job_status,
                job.total_pieces,
                job.completed_pieces,
                job.total_processed
            ),
            (JobStatus::Completed, 2, 2, 3)
        );
        fs::remove_file(folder.path().join("somebody-elses.gz")).unwrap();
        assert_eq!(
            ids(folder.path()),
            files(&[("job-00000.json.gz", &["a", "b"]), ("job-00001.json.gz", &["c"])])
        );
    })
    .await;
}

#[tokio::test]
async fn an_export_that_is_stopped_is_unfinished_and_one_that_cannot_write_fails() {
    each_database(async |store, _| {
        let folder = TempDir::new().unwrap();
        let app = app(&store).await;
        upsert(&store, &app, &[("a", json!({}))]).await;
        let stopping = engine(&store, folder.path());
        stopping.stop().await;
        let job = run(&stopping, &app, export_to(folder.path())).await;
        assert_eq!(job.job_status, JobStatus::Processing);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        let engine = engine(&store, folder.path());
        fs::write(folder.path().join("taken"), "a file").unwrap();
        for (to, expected) in [
            (folder.path().join("taken"), "taken"),
            (folder.path().join("taken/deeper"), "taken/deeper"),
            ("/etc".into(), "is not a path below the export folder"),
        ] {
            let definition = export_to(&to);
            let job = run_again(&engine, &app, Job::new(definition, engine.clock().now())).await;
            assert_eq!(job.job_status, JobStatus::Failed, "{to:?}");
            assert!(job.failures[0].contains(expected), "{:?}", job.failures);
            assert!(job.completion_date.is_some());
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_is_exported_as_no_file() {
    each_database(async |store, _| {
        let folder = TempDir::new().unwrap();
        let engine = engine(&store, folder.path());
        let app = app(&store).await;
        let job = run(&engine, &app, export_to(folder.path())).await;
        assert_eq!((job.job_status, job.total_pieces), (JobStatus::Completed, 0));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    })
    .await;
}
