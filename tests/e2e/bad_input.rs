//! What is wrong gives a clear error or a counted outcome, and the rest goes on.

use pinion_domain::campaign::CampaignStatus;
use pinion_domain::id::{JobId, fresh_id};
use pinion_domain::job::{ImportJob, ImportJobRequest, JobStatus};
use pinion_store::{AppRef, RunState, Scope};
use serde_json::json;

use crate::harness::{
    Server, campaign, everybody, finished, outcomes, people, schedule, segment, sink, smtp_settings, until,
    write,
};

fn null() -> Vec<(String, String)> {
    vec![("PINION_BINDINGS__EMAIL__PLUGIN".to_owned(), "null".to_owned())]
}

async fn import(server: &Server, app: &AppRef, url: String, format: &str) -> ImportJob {
    let id = JobId::from(fresh_id());
    let store = server.store();
    let job = ImportJob::new(
        ImportJobRequest {
            format: format.to_owned(),
            s3_url: url,
            segment_name: Some("imported".to_owned()),
            ..ImportJobRequest::default()
        },
        store.clock().now(),
    );
    store.create_job(app, &id, &job).await.unwrap();
    server.running.engine().wake();
    until("the job to end", async || {
        store
            .job(app, &id)
            .await
            .unwrap()
            .filter(|job| job.job_status.is_final())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_lines_are_reported_and_the_others_are_imported() {
    let server = Server::start(null()).await;
    let app = server.app().await;
    let csv = "ChannelType,Address,Attributes.likes,Attributes.likes,OptOut\n\
               EMAIL,żółć@example.com,tea,\"cake, \"\"big\"\"\",\n\
               EMAIL,\"broken@example.com,tea,,\n\
               EMAIL,李@example.com,,,MAYBE\n\
               FAX,123,,,\n\
               EMAIL,last@example.com,tea,,ALL\n";
    let url = write(server.folder.path(), "people.csv", csv);
    let job = import(&server, &app, url.clone(), "CSV").await;
    assert_eq!(job.job_status, JobStatus::Completed);
    assert_eq!((job.total_processed, job.total_failures), (5, 3));
    assert_eq!(
        job.failures,
        [
            "people.csv line 3: has a quote that is not closed",
            "people.csv line 5: unknown ChannelType \"FAX\"",
            "people.csv line 4: OptOut: must be ALL or NONE",
        ]
    );
    assert_eq!(server.store().endpoint_count(&app).await.unwrap(), 2);
    // The same file twice changes nothing.
    import(&server, &app, url, "CSV").await;
    assert_eq!(server.store().endpoint_count(&app).await.unwrap(), 2);

    let missing = format!("file://{}/none.csv", server.folder.path().display());
    let job = import(&server, &app, missing, "CSV").await;
    assert_eq!(job.job_status, JobStatus::Failed);
    assert!(
        job.failures[0].contains("below the import folder"),
        "{:?}",
        job.failures
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_nobody_has_renders_as_nothing() {
    let outbox = sink().await;
    let server = Server::start(smtp_settings(outbox.smtp_address())).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 3, |n| format!("p{n}@example.com")).await;
    let segment = everybody(store, &app).await;
    let id = schedule(
        store,
        &app,
        campaign(segment, "<p>[{{Attributes.nothing}}{{Nonsense}}]</p>"),
    )
    .await;
    let run = finished(store, &app, &id).await;
    assert_eq!(outcomes(store, &app, &run).await, [("ACCEPTED", 3)]);
    assert!(
        outbox
            .messages(0, 10)
            .messages
            .iter()
            .all(|mail| mail.raw.contains("[]"))
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_start_says_why() {
    let server = Server::start(null()).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 3, |n| format!("p{n}@example.com")).await;
    let everybody = everybody(store, &app).await;
    let faulty = json!({ "Dimensions": { "Attributes": {
        "plugin:engagement-score": { "AttributeType": "INCLUSIVE", "Values": ["{\"half_life_days\": 0}"] } } } });
    let faulty = segment(store, &app, faulty).await;
    let absent = json!({ "Dimensions": { "Attributes": {
        "plugin:absent": { "AttributeType": "INCLUSIVE", "Values": ["{}"] } } } });
    let absent = segment(store, &app, absent).await;
    for (document, sentence) in [
        (campaign("0".repeat(32).as_str().into(), "<p>x</p>"), "segment"),
        (campaign(faulty, "<p>x</p>"), "predicate"),
        (campaign(absent, "<p>x</p>"), "absent"),
        (
            {
                let mut hooked = campaign(everybody.clone(), "<p>x</p>");
                hooked.hook = Some(pinion_domain::campaign::CampaignHook {
                    lambda_function_name: Some("arn:aws:lambda:eu-west-1:1:function:f".to_owned()),
                    ..Default::default()
                });
                hooked
            },
            "plugin:NAME",
        ),
    ] {
        let id = schedule(store, &app, document).await;
        let run = finished(store, &app, &id).await;
        assert_eq!(run.state, RunState::Failed, "{sentence}");
        let detail = run.detail.unwrap();
        assert!(
            detail.contains(sentence),
            "{detail:?} should mention {sentence:?}"
        );
        let invalid = until("the campaign to be invalid", async || {
            let campaign = store
                .document::<pinion_domain::campaign::CampaignDocument>(Scope::from(&app), id.as_str(), None)
                .await
                .unwrap()
                .unwrap();
            (campaign.state == CampaignStatus::Invalid.as_str()).then_some(())
        });
        invalid.await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_that_nobody_has_selects_nobody() {
    let server = Server::start(null()).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 3, |n| format!("p{n}@example.com")).await;
    let nobody = json!({ "Dimensions": { "Attributes": {
        "unheard-of": { "AttributeType": "INCLUSIVE", "Values": ["x"] } } } });
    let nobody = segment(store, &app, nobody).await;
    let id = schedule(store, &app, campaign(nobody, "<p>x</p>")).await;
    let run = finished(store, &app, &id).await;
    assert_eq!((run.state, run.total), (RunState::Completed, 0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_refuses_ends_in_counted_failures() {
    // Nobody listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut environment = smtp_settings(address);
    environment.push(("PINION_ENGINE__RETRY_FIRST_SECONDS".to_owned(), "0.05".to_owned()));
    environment.push(("PINION_ENGINE__RETRY_ATTEMPTS".to_owned(), "2".to_owned()));
    let server = Server::start(environment).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 5, |n| format!("p{n}@example.com")).await;
    let segment = everybody(store, &app).await;
    let id = schedule(store, &app, campaign(segment, "<p>x</p>")).await;
    let run = finished(store, &app, &id).await;
    assert_eq!(outcomes(store, &app, &run).await, [("RETRIES_EXHAUSTED", 5)]);
    server.stop().await;
}
