//! Campaigns: written, paused, looked at.

use std::sync::Arc;
use std::time::Duration;

use pinion_api::testing::TestApi;
use pinion_domain::campaign::CampaignDocument;
use pinion_domain::clock::Clock;
use pinion_domain::delivery::{Reason, run_id};
use pinion_domain::extension::fake::{FakeChannel, FakePlugins};
use pinion_domain::id::Tenant;
use pinion_store::{AppRef, BatchCommit, LedgerRow, NewRun, RunState, StateChange};
use serde_json::{Value, json};

/// An application with a segment and a template.
async fn shop(api: &TestApi) -> (String, String) {
    let app = api.app("shop").await;
    let dimensions = json!({ "Attributes": { "plan": { "Values": ["gold"] } } });
    let segments = format!("/v1/apps/{app}/segments");
    let segment = api
        .post(&segments, json!({ "Dimensions": dimensions }))
        .await
        .json(201);
    api.post("/v1/templates/welcome/email", json!({ "Subject": "Hello" }))
        .await
        .json(201);
    (app, segment["Id"].as_str().unwrap().to_owned())
}

fn campaign(segment: &str) -> Value {
    json!({
        "Name": "spring",
        "SegmentId": segment,
        "Schedule": { "StartTime": "2026-11-24T09:00:00Z", "Frequency": "ONCE" },
        "TemplateConfiguration": { "EmailTemplate": { "Name": "welcome" } },
    })
}

#[tokio::test]
async fn a_campaign_is_written_changed_paused_and_deleted() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/campaigns");
    let mut write = campaign(&segment);
    write["tags"] = json!({ "a": "b" });
    let made = api.post(&all, write).await.json(201);
    let id = made["Id"].as_str().unwrap();
    let path = format!("{all}/{id}");
    for (member, value) in [
        ("ApplicationId", json!(app)),
        ("SegmentId", json!(segment)),
        ("SegmentVersion", json!(1)),
        ("State", json!({ "CampaignStatus": "SCHEDULED" })),
        ("CreationDate", json!("2026-11-23T10:00:00.000Z")),
        ("LastModifiedDate", json!("2026-11-23T10:00:00.000Z")),
        ("IsPaused", json!(false)),
        ("Version", json!(1)),
        ("tags", json!({ "a": "b" })),
        ("DefaultState", json!(null)),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    assert!(
        made["Arn"]
            .as_str()
            .unwrap()
            .ends_with(&format!("apps/{app}/campaigns/{id}"))
    );
    assert_eq!(api.get(&path).await.json(200), made);
    assert_eq!(api.get(&all).await.json(200), json!({ "Item": [made] }));

    // What is left out stays.
    let changed = api
        .put(&path, json!({ "Description": "for spring" }))
        .await
        .json(200);
    assert_eq!(
        (&changed["Version"], &changed["Name"]),
        (&json!(2), &json!("spring"))
    );
    assert_eq!(changed["State"]["CampaignStatus"], "SCHEDULED");
    let paused = api.put(&path, json!({ "IsPaused": true })).await.json(200);
    assert_eq!(paused["State"]["CampaignStatus"], "PAUSED");
    let resumed = api.put(&path, json!({ "IsPaused": false })).await.json(200);
    assert_eq!(resumed["State"]["CampaignStatus"], "SCHEDULED");

    assert!(
        api.get(&format!("{path}/versions/1"))
            .await
            .json(200)
            .get("Description")
            .is_none()
    );
    let versions = api.get(&format!("{path}/versions")).await.json(200);
    assert_eq!(versions["Item"].as_array().unwrap().len(), 4);
    assert_eq!(
        api.get(&format!("{path}/activities")).await.json(200),
        json!({ "Item": [] })
    );

    let deleted = api.delete(&path).await.json(200);
    assert_eq!(deleted["State"]["CampaignStatus"], "DELETED");
    for gone in [
        path.clone(),
        format!("{path}/versions"),
        format!("{path}/activities"),
    ] {
        api.get(&gone).await.error(404);
    }
    api.put(&path, json!({ "Name": "x" })).await.error(404);
}

#[tokio::test]
async fn treatments_have_ids_and_states() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/campaigns");
    let mut write = campaign(&segment);
    let message = json!({ "EmailMessage": { "Title": "Hi", "Body": "there" } });
    write["HoldoutPercent"] = json!(10);
    write["AdditionalTreatments"] = json!([{ "SizePercent": 45, "MessageConfiguration": message }]);
    let made = api.post(&all, write.clone()).await.json(201);
    assert_eq!(made["DefaultState"], json!({ "CampaignStatus": "SCHEDULED" }));
    let treatment = &made["AdditionalTreatments"][0];
    assert_eq!(treatment["State"], json!({ "CampaignStatus": "SCHEDULED" }));
    assert_eq!(treatment["SizePercent"], 45);
    let path = format!("{all}/{}", made["Id"].as_str().unwrap());
    let changed = api
        .put(
            &path,
            json!({ "AdditionalTreatments": write["AdditionalTreatments"] }),
        )
        .await;
    assert_eq!(
        changed.json(200)["AdditionalTreatments"][0]["Id"],
        treatment["Id"]
    );
}

#[tokio::test]
async fn a_segments_version_is_pinned_when_the_campaign_is_written() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let path = format!("/v1/apps/{app}/segments/{segment}");
    api.put(&path, json!({ "Name": "second" })).await.json(200);
    let all = format!("/v1/apps/{app}/campaigns");
    let made = api.post(&all, campaign(&segment)).await.json(201);
    assert_eq!(made["SegmentVersion"], 2);
    api.put(&path, json!({ "Name": "third" })).await.json(200);
    let campaign_path = format!("{all}/{}", made["Id"].as_str().unwrap());
    let renamed = api.put(&campaign_path, json!({ "Name": "x" })).await.json(200);
    assert_eq!(renamed["SegmentVersion"], 2);
    let repinned = api
        .put(&campaign_path, json!({ "SegmentId": segment }))
        .await
        .json(200);
    assert_eq!(repinned["SegmentVersion"], 3);
}

#[tokio::test]
async fn campaigns_that_cannot_be_are_refused() {
    let plugins = FakePlugins::default().with_channel("mailer", Arc::new(FakeChannel::default()));
    let api = TestApi::with_plugins(Arc::new(plugins)).await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/campaigns");
    let treatment = |percent: u8| json!({ "SizePercent": percent, "MessageConfiguration": {} });
    for (member, value, status, expected) in [
        ("SegmentId", json!(null), 400, "SegmentId: is required"),
        (
            "SegmentId",
            json!("nothing"),
            400,
            "SegmentId: there is no segment nothing",
        ),
        ("SegmentVersion", json!(9), 400, "SegmentVersion: segment"),
        ("Schedule", json!(null), 400, "Schedule: is required"),
        (
            "Schedule",
            json!({ "StartTime": "soon" }),
            400,
            "Schedule.StartTime: must be IMMEDIATE",
        ),
        (
            "Schedule",
            json!({ "StartTime": "2026-11-01T00:00Z" }),
            400,
            "Schedule.StartTime: is in the past",
        ),
        (
            "Schedule",
            json!({ "StartTime": "IMMEDIATE", "QuietTime": { "Start": "9" } }),
            400,
            "Schedule.QuietTime.Start:",
        ),
        (
            "Schedule",
            json!({ "StartTime": "IMMEDIATE", "IsLocalTime": true }),
            400,
            "local time",
        ),
        (
            "TemplateConfiguration",
            json!(null),
            400,
            "MessageConfiguration: either it or",
        ),
        (
            "TemplateConfiguration",
            json!({ "EmailTemplate": { "Name": "gone" } }),
            400,
            "TemplateConfiguration.EmailTemplate.Name: there is no template gone",
        ),
        (
            "TemplateConfiguration",
            json!({ "EmailTemplate": { "Name": "welcome", "Version": "3" } }),
            400,
            "TemplateConfiguration.EmailTemplate.Version: there is no version 3",
        ),
        (
            "TemplateConfiguration",
            json!({ "SMSTemplate": { "Name": "x" } }),
            400,
            "TemplateConfiguration.SMSTemplate.Name:",
        ),
        (
            "MessageConfiguration",
            json!({ "CustomMessage": { "Data": "x".repeat(5_001) } }),
            400,
            "MessageConfiguration.CustomMessage.Data:",
        ),
        (
            "AdditionalTreatments",
            json!(vec![treatment(1); 5]),
            400,
            "AdditionalTreatments: there can be at most 4",
        ),
        (
            "AdditionalTreatments",
            json!([treatment(60), treatment(41)]),
            400,
            "AdditionalTreatments: the holdout and all treatments together",
        ),
        (
            "AdditionalTreatments",
            json!([{ "SizePercent": 10 }]),
            400,
            "AdditionalTreatments[0].MessageConfiguration:",
        ),
        ("HoldoutPercent", json!(101), 400, "HoldoutPercent:"),
        (
            "Limits",
            json!({ "MessagesPerSecond": 0 }),
            400,
            "Limits.MessagesPerSecond: must be between",
        ),
        (
            "Hook",
            json!({ "LambdaFunctionName": "plugin:mailer", "Mode": "FILTER" }),
            400,
            "Hook.LambdaFunctionName: plugin mailer is a channel, not a personalizer",
        ),
        (
            "MessageConfiguration",
            json!({ "CustomMessage": { "Data": "x" } }),
            400,
            "CustomDeliveryConfiguration: is required beside CustomMessage",
        ),
        ("Priority", json!(6), 400, "Priority: must be between 1 and 5"),
        (
            "HoldoutPercent",
            json!(300),
            400,
            "HoldoutPercent: must be between 0 and 100",
        ),
        (
            "Schedule",
            json!({ "StartTime": "IMMEDIATE", "Frequency": "SOMETIMES" }),
            400,
            "Schedule.Frequency: unknown variant `SOMETIMES`",
        ),
        (
            "Schedule",
            json!({ "StartTime": "IMMEDIATE", "Timezone": "Europe/Warsaw" }),
            400,
            "Schedule.Timezone: must be one of UTC, UTC+01",
        ),
        (
            "Schedule",
            json!({ "StartTime": "2026-12-01T00:00Z", "Frequency": "EVENT" }),
            400,
            "Schedule.EventFilter: is required",
        ),
        (
            "Hook",
            json!({ "LambdaFunctionName": "plugin:mailer", "Mode": "DELIVERY" }),
            400,
            "Hook.Mode: must be FILTER",
        ),
        (
            "CustomDeliveryConfiguration",
            json!({ "DeliveryUri": "plugin:mailer", "EndpointTypes": ["PIGEON"] }),
            400,
            "CustomDeliveryConfiguration.EndpointTypes[0]: unknown variant `PIGEON`",
        ),
        (
            "CustomDeliveryConfiguration",
            json!({ "DeliveryUri": "plugin:gone" }),
            400,
            "CustomDeliveryConfiguration.DeliveryUri: plugin gone is not installed",
        ),
        (
            "CustomDeliveryConfiguration",
            json!({ "DeliveryUri": "http://plain.test" }),
            400,
            "CustomDeliveryConfiguration.DeliveryUri: must be plugin:NAME or an https URL",
        ),
    ] {
        let mut write = campaign(&segment);
        write[member] = value;
        let (_, message) = api.post(&all, write).await.error(status);
        assert!(message.contains(expected), "{member}: {message}");
    }
    let mut custom = campaign(&segment);
    custom["CustomDeliveryConfiguration"] = json!({ "DeliveryUri": "plugin:mailer" });
    api.post(&all, custom).await.json(201);
}

pub(crate) async fn app_ref(api: &TestApi, app: &str) -> AppRef {
    let tenant = Tenant {
        account: api.store.default_account().await.unwrap(),
        region: "eu-west-1".into(),
    };
    api.store.app(&tenant, &app.into()).await.unwrap().unwrap()
}

/// A run of four recipients: one in the holdout, two for the campaign's message, one for a treatment.
pub(crate) async fn run(api: &TestApi, app: &AppRef, campaign: &str) -> i64 {
    let now = api.clock.now();
    let run = NewRun {
        id: run_id(&campaign.into(), now),
        campaign: campaign.into(),
        campaign_version: 1,
        scheduled: now,
        parent: None,
        pins: json!({}),
        recipients: (1..=4).collect(),
        treatment_totals: vec![2, 1],
        holdout_total: 1,
        chunk_size: 10,
        deadline: None,
    };
    api.store.create_run(app, run).await.unwrap().unwrap().no
}

#[tokio::test]
async fn activities_tell_what_each_run_did_with_each_treatment() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/campaigns");
    let mut write = campaign(&segment);
    write["AdditionalTreatments"] =
        json!([{ "SizePercent": 25, "TemplateConfiguration": write["TemplateConfiguration"] }]);
    let made = api.post(&all, write).await.json(201);
    let id = made["Id"].as_str().unwrap();
    let app = app_ref(&api, &app).await;
    run(&api, &app, id).await;
    let (_, chunk) = api
        .store
        .claim_chunk(Duration::from_secs(60))
        .await
        .unwrap()
        .unwrap();
    let row = |seq, treatment, reason| LedgerRow {
        seq,
        treatment,
        reason,
        at: api.clock.now(),
        provider_id: None,
        detail: None,
        attempts: 1,
    };
    let commit = BatchCommit {
        cursor: 4,
        done: true,
        rows: vec![
            row(1, LedgerRow::HOLDOUT, Reason::TreatmentHoldout),
            row(2, 0, Reason::Accepted),
            row(3, 0, Reason::EndpointOptOut),
            row(4, 1, Reason::Accepted),
        ],
        retries: Vec::new(),
        suppress: Vec::new(),
        accepted_sketch: None,
    };
    api.store.commit_batch(&app, &chunk, commit).await.unwrap();
    let over = StateChange::of::<CampaignDocument>(&app, "", &[], "", None);
    assert!(api.store.finish_run(chunk.run_no, over).await.unwrap());

    let activities = api.get(&format!("{all}/{id}/activities")).await.json(200);
    let show = |activity: &Value| {
        json!([
            activity["TreatmentId"],
            activity["State"],
            activity["Result"],
            activity["SuccessfulEndpointCount"],
            activity["TotalEndpointCount"],
            activity["ExecutionMetrics"],
        ])
    };
    let shown: Vec<_> = activities["Item"].as_array().unwrap().iter().map(show).collect();
    let skips = json!({ "ENDPOINT_OPT_OUT": "1", "TREATMENT_HOLDOUT": "1" });
    let second = &made["AdditionalTreatments"][0]["Id"];
    assert_eq!(
        shown,
        [
            json!(["0", "COMPLETED", "SUCCESS", 1, 2, skips]),
            json!([second, "COMPLETED", "SUCCESS", 1, 1, {}]),
        ]
    );
}

#[tokio::test]
async fn pausing_holds_the_run_under_way_and_deleting_ends_it() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/campaigns");
    let made = api.post(&all, campaign(&segment)).await.json(201);
    let id = made["Id"].as_str().unwrap();
    let path = format!("{all}/{id}");
    let run_no = run(&api, &app_ref(&api, &app).await, id).await;
    let state = async || api.store.run(run_no).await.unwrap().unwrap().1.state;

    let paused = api.put(&path, json!({ "IsPaused": true })).await.json(200);
    assert_eq!(paused["State"]["CampaignStatus"], "PAUSED");
    assert_eq!(state().await, RunState::Paused);
    assert!(
        api.store
            .claim_chunk(Duration::from_secs(60))
            .await
            .unwrap()
            .is_none()
    );
    let resumed = api.put(&path, json!({ "IsPaused": false })).await.json(200);
    assert_eq!(resumed["State"]["CampaignStatus"], "EXECUTING");
    assert_eq!(state().await, RunState::Running);
    api.delete(&path).await.json(200);
    assert_eq!(state().await, RunState::Cancelled);
}

#[tokio::test]
async fn a_page_of_activities_may_end_between_treatments() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/campaigns");
    let made = api.post(&all, campaign(&segment)).await.json(201);
    let path = format!("{all}/{}/activities", made["Id"].as_str().unwrap());
    let app = app_ref(&api, &app).await;
    for _ in 0..3 {
        run(&api, &app, made["Id"].as_str().unwrap()).await;
        api.clock.advance(jiff::SignedDuration::from_hours(1));
    }
    let ids = |page: &Value| -> Vec<String> {
        let items = page["Item"].as_array().unwrap().iter();
        items
            .map(|activity| activity["Id"].as_str().unwrap().to_owned())
            .collect()
    };
    let at_once = ids(&api.get(&path).await.json(200));
    assert_eq!(at_once.len(), 6);
    for size in [1, 2, 3, 5, 6] {
        let mut seen = Vec::new();
        let mut next = format!("{path}?page-size={size}");
        loop {
            let page = api.get(&next).await.json(200);
            assert!((1..=size).contains(&ids(&page).len()), "{page}");
            seen.extend(ids(&page));
            match page["NextToken"].as_str() {
                Some(token) => next = format!("{path}?page-size={size}&token={token}"),
                None => break,
            }
        }
        assert_eq!(seen, at_once, "{size} a page");
    }
    for wrong in ["page-size=0", "token=x", "token=MTIz"] {
        api.get(&format!("{path}?{wrong}")).await.error(400);
    }
}

#[tokio::test]
async fn a_segment_takes_its_campaigns_along() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/campaigns");
    let other = api
        .post(&format!("/v1/apps/{app}/segments"), json!({ "Dimensions": {} }))
        .await
        .json(201);
    let mut ids = Vec::new();
    for segment in [&segment, &segment, &segment, other["Id"].as_str().unwrap()] {
        let made = api.post(&all, campaign(segment)).await.json(201);
        ids.push(made["Id"].as_str().unwrap().to_owned());
    }
    api.put(&format!("{all}/{}", ids[1]), json!({ "IsPaused": true }))
        .await
        .json(200);
    let scope = app_ref(&api, &app).await;
    let complete = StateChange::of::<CampaignDocument>(&scope, &ids[2], &["SCHEDULED"], "COMPLETED", None);
    assert!(api.store.set_document_state(complete).await.unwrap());
    let under_way = run(&api, &scope, &ids[0]).await;

    api.delete(&format!("/v1/apps/{app}/segments/{segment}"))
        .await
        .json(200);
    for (id, expected) in ids.iter().zip(["DELETED", "DELETED", "COMPLETED", "SCHEDULED"]) {
        let campaign = api.get(&format!("{all}/{id}")).await.json(200);
        assert_eq!(campaign["State"]["CampaignStatus"], expected);
    }
    assert_eq!(
        api.store.run(under_way).await.unwrap().unwrap().1.state,
        RunState::Cancelled
    );
    // What failed cannot be brought back.
    api.put(&format!("{all}/{}", ids[1]), json!({ "IsPaused": false }))
        .await
        .error(409);
}
