//! Campaigns: written, paused, looked at.

use std::sync::Arc;

use pinion_api::testing::TestApi;
use pinion_domain::extension::fake::{FakeChannel, FakePlugins};
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
            501,
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
