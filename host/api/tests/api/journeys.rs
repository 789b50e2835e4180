//! Journeys: written, looked at, and not published yet.

use pinion_api::testing::TestApi;
use pinion_domain::id::Tenant;
use pinion_domain::journey::JourneyDocument;
use pinion_store::StateChange;
use serde_json::{Value, json};

/// An application with a segment of its own and an imported one's id, and a template.
async fn shop(api: &TestApi) -> (String, String) {
    let app = api.app("shop").await;
    let dimensions = json!({ "Attributes": { "plan": { "Values": ["gold"] } } });
    let segment = api
        .post(
            &format!("/v1/apps/{app}/segments"),
            json!({ "Dimensions": dimensions }),
        )
        .await
        .json(201);
    api.post("/v1/templates/welcome/email", json!({ "Subject": "Hello" }))
        .await
        .json(201);
    (app, segment["Id"].as_str().unwrap().to_owned())
}

fn journey(segment: &str) -> Value {
    json!({
        "Name": "welcome",
        "StartActivity": "hello",
        "StartCondition": { "SegmentStartCondition": { "SegmentId": segment } },
        "Activities": {
            "hello": { "EMAIL": { "TemplateName": "welcome", "TemplateVersion": "1", "NextActivity": "pause" } },
            "pause": { "Wait": { "WaitTime": { "WaitFor": "PT1H" } } },
        },
        "Schedule": { "StartTime": "2026-12-01T00:00:00Z", "EndTime": "2026-12-31T00:00Z", "Timezone": "UTC" },
    })
}

#[tokio::test]
async fn a_journey_is_written_changed_and_deleted() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/journeys");
    let made = api.post(&all, journey(&segment)).await.json(201);
    let id = made["Id"].as_str().unwrap();
    let path = format!("{all}/{id}");
    let mut expected = journey(&segment);
    expected["Schedule"]["StartTime"] = json!("2026-12-01T00:00:00.000Z");
    expected["Schedule"]["EndTime"] = json!("2026-12-31T00:00:00.000Z");
    for (member, value) in [
        ("ApplicationId", json!(app)),
        ("State", json!("DRAFT")),
        ("CreationDate", json!("2026-11-23T10:00:00.000Z")),
        ("LastModifiedDate", json!("2026-11-23T10:00:00.000Z")),
        ("tags", json!({})),
        ("Id", json!(id)),
    ] {
        expected[member] = value;
    }
    assert_eq!(made, expected);
    assert_eq!(api.get(&path).await.json(200), made);
    assert_eq!(api.get(&all).await.json(200), json!({ "Item": [made] }));

    // What is read can be sent back, and what is left out stays.
    api.put(&path, made.clone()).await.json(200);
    let changed = api
        .put(&path, json!({ "Name": "later", "RefreshFrequency": "P1D" }))
        .await
        .json(200);
    assert_eq!(
        (
            &changed["Name"],
            &changed["RefreshFrequency"],
            &changed["Activities"]
        ),
        (&json!("later"), &json!("P1D"), &made["Activities"])
    );

    let arn = format!(
        "arn:aws:mobiletargeting:eu-west-1:{}:apps/{app}/journeys/{id}",
        account(&api).await
    );
    let tags = format!("/v1/tags/{}", arn.replace('/', "%2F").replace(':', "%3A"));
    let tagged = api.post(&tags, json!({ "tags": { "a": "b" } })).await;
    assert_eq!(tagged.status, 204);
    assert_eq!(api.get(&path).await.json(200)["tags"], json!({ "a": "b" }));

    assert_eq!(api.delete(&path).await.json(200)["Name"], "later");
    for gone in [
        path.clone(),
        format!("{path}/runs"),
        format!("{path}/execution-metrics"),
    ] {
        api.get(&gone).await.error(404);
    }
    api.put(&path, json!({ "Name": "x" })).await.error(404);
    api.put(&format!("{path}/state"), json!({ "State": "CANCELLED" }))
        .await
        .error(404);
    api.delete(&path).await.error(404);
}

async fn account(api: &TestApi) -> String {
    api.store.default_account().await.unwrap().to_string()
}

#[tokio::test]
async fn a_list_of_journeys_has_pages() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let all = format!("/v1/apps/{app}/journeys");
    for name in ["a", "b", "c"] {
        api.post(&all, json!({ "Name": name })).await.json(201);
    }
    let mut seen = Vec::new();
    let mut next = format!("{all}?page-size=2");
    loop {
        let page = api.get(&next).await.json(200);
        let names = page["Item"].as_array().unwrap().iter();
        seen.extend(names.map(|journey| journey["Name"].as_str().unwrap().to_owned()));
        match page["NextToken"].as_str() {
            Some(token) => next = format!("{all}?page-size=2&token={token}"),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, ["a", "b", "c"]);
    for wrong in ["page-size=0", "page-size=x", "token=!"] {
        api.get(&format!("{all}?{wrong}")).await.error(400);
    }
}

#[tokio::test]
async fn journeys_that_cannot_be_are_refused() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/journeys");
    let split = |condition: Value| json!({ "split": { "ConditionalSplit": { "Condition": { "Conditions": [condition] } } } });
    let plugin = json!({ "Attributes": { "plugin:gone": { "Values": ["{}"] } } });
    for (member, value, expected) in [
        ("Name", json!(null), "Name: "),
        ("Name", json!("two words"), "Name: must not hold spaces"),
        ("State", json!("PAUSED"), "State: must be DRAFT or ACTIVE"),
        ("State", json!("ASLEEP"), "State: unknown variant `ASLEEP`"),
        (
            "StartActivity",
            json!("nowhere"),
            "StartActivity: there is no activity nowhere",
        ),
        (
            "StartCondition",
            json!({ "SegmentStartCondition": { "SegmentId": "nothing" } }),
            "StartCondition.SegmentStartCondition.SegmentId: there is no segment nothing",
        ),
        (
            "Schedule",
            json!({ "StartTime": "soon" }),
            "Schedule.StartTime: must be an ISO 8601 instant",
        ),
        (
            "Activities",
            json!({ "hello": { "EMAIL": { "TemplateName": "gone" } } }),
            "Activities.hello.EMAIL.TemplateName: there is no template gone",
        ),
        (
            "Activities",
            json!({ "hello": { "EMAIL": { "TemplateName": "welcome", "TemplateVersion": "7" } } }),
            "Activities.hello.EMAIL.TemplateVersion: there is no version 7",
        ),
        (
            "Activities",
            json!({ "hello": { "EMAIL": { "TemplateVersion": "7" } } }),
            "Activities.hello.EMAIL.TemplateName: is required beside TemplateVersion",
        ),
        (
            "Activities",
            json!({ "hello": { "CUSTOM": { "DeliveryUri": "http://plain.test" } } }),
            "Activities.hello.CUSTOM.DeliveryUri: must be plugin:NAME or an https URL",
        ),
        (
            "Activities",
            json!({ "hello": { "CUSTOM": { "EndpointTypes": ["PIGEON"] } } }),
            "Activities.hello.CUSTOM.EndpointTypes[0]: unknown variant `PIGEON`",
        ),
        (
            "Activities",
            split(json!({ "SegmentCondition": { "SegmentId": "nothing" } })),
            "Activities.split.ConditionalSplit.Condition.Conditions[0].SegmentCondition.SegmentId: there is no",
        ),
        (
            "Activities",
            split(json!({ "segmentDimensions": plugin })),
            "Conditions[0].segmentDimensions.Attributes.plugin:gone: plugin gone is not installed",
        ),
        (
            "TimezoneEstimationMethods",
            json!(["GUESS"]),
            "TimezoneEstimationMethods[0]: unknown variant `GUESS`",
        ),
        (
            "OpenHours",
            json!({ "EMAIL": { "SOMEDAY": [] } }),
            "OpenHours.EMAIL",
        ),
    ] {
        let mut write = journey(&segment);
        if member == "Activities" {
            write["StartActivity"] = json!("");
        }
        write[member] = value;
        let (_, message) = api.post(&all, write).await.error(400);
        assert!(message.contains(expected), "{member}: {message}");
    }
}

#[tokio::test]
async fn events_choose_among_the_members_of_dynamic_segments_alone() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let imported = json!({ "ImportDefinition": {
        "Format": "CSV", "RoleArn": "r", "S3Url": "s3://b/k", "Size": 1, "ExternalId": "" } });
    let imported: pinion_domain::segment::SegmentDocument = serde_json::from_value(imported).unwrap();
    let scope = app_ref(&api, &app).await;
    api.store
        .create_document(&scope, "imported", imported, "", None)
        .await
        .unwrap();
    let built = api
        .post(
            &format!("/v1/apps/{app}/segments"),
            json!({ "SegmentGroups": { "Groups": [{ "SourceSegments": [{ "Id": "imported" }] }] } }),
        )
        .await
        .json(201);
    let start = |segment: &str| {
        let filter =
            json!({ "FilterType": "ENDPOINT", "Dimensions": { "EventType": { "Values": ["bought"] } } });
        json!({
            "Name": "j",
            "StartCondition": { "EventStartCondition": { "EventFilter": filter, "SegmentId": segment } },
        })
    };
    let all = format!("/v1/apps/{app}/journeys");
    api.post(&all, start(&segment)).await.json(201);
    for (segment, expected) in [
        ("imported", "must not be an imported segment"),
        (
            built["Id"].as_str().unwrap(),
            "must not be built on segment imported",
        ),
        ("nothing", "there is no segment nothing"),
    ] {
        let (_, message) = api.post(&all, start(segment)).await.error(400);
        assert!(message.contains(expected), "{message}");
    }
}

async fn app_ref(api: &TestApi, app: &str) -> pinion_store::AppRef {
    let tenant = Tenant {
        account: api.store.default_account().await.unwrap(),
        region: "eu-west-1".into(),
    };
    api.store.app(&tenant, &app.into()).await.unwrap().unwrap()
}

#[tokio::test]
async fn no_journey_can_be_published_and_none_is_half_published() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/journeys");
    let mut active = journey(&segment);
    active["State"] = json!("ACTIVE");
    let (code, message) = api.post(&all, active.clone()).await.error(400);
    assert_eq!(code, "BadRequestException");
    assert!(
        message.contains("journeys cannot be run by this server yet"),
        "{message}"
    );
    assert_eq!(api.get(&all).await.json(200), json!({ "Item": [] }));

    let made = api.post(&all, journey(&segment)).await.json(201);
    let path = format!("{all}/{}", made["Id"].as_str().unwrap());
    active["Name"] = json!("renamed");
    for (path, body) in [
        (path.clone(), active),
        (format!("{path}/state"), json!({ "State": "ACTIVE" })),
    ] {
        let (_, message) = api.put(&path, body).await.error(400);
        assert!(
            message.contains("journeys cannot be run by this server yet"),
            "{message}"
        );
    }
    // An incomplete one is told what it lacks.
    let (_, message) = api
        .put(
            &path,
            json!({ "Name": "welcome", "StartCondition": {}, "State": "ACTIVE" }),
        )
        .await
        .error(400);
    assert!(message.contains("StartCondition: needs a"), "{message}");
    assert_eq!(api.get(&path).await.json(200), made);
}

#[tokio::test]
async fn states_move_along_their_ways() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/journeys");
    let made = api.post(&all, journey(&segment)).await.json(201);
    let id = made["Id"].as_str().unwrap();
    let path = format!("{all}/{id}");
    let ask = async |state: Value| api.put(&format!("{path}/state"), json!({ "State": state })).await;
    for (asked, expected) in [
        (json!(null), "State: is required"),
        (json!("DRAFT"), "State: must be ACTIVE, PAUSED or CANCELLED"),
        (json!("COMPLETED"), "State: must be ACTIVE, PAUSED or CANCELLED"),
        (
            json!("PAUSED"),
            "State: a journey that was not published cannot become PAUSED",
        ),
        (
            json!("CANCELLED"),
            "State: a journey that was not published cannot become CANCELLED",
        ),
    ] {
        let (_, message) = ask(asked).await.error(400);
        assert!(message.contains(expected), "{message}");
    }

    // As if it had been published.
    let scope = app_ref(&api, &app).await;
    let moved = api
        .store
        .set_document_state(StateChange::of::<JourneyDocument>(
            &scope,
            id,
            &["DRAFT"],
            "ACTIVE",
            None,
        ))
        .await;
    assert!(moved.unwrap());
    let (code, message) = api.put(&path, json!({ "Name": "x" })).await.error(409);
    assert_eq!(code, "ConflictException");
    assert!(
        message.contains("only a journey that is DRAFT can be changed"),
        "{message}"
    );
    assert_eq!(ask(json!("PAUSED")).await.json(200)["State"], "PAUSED");
    assert_eq!(ask(json!("CANCELLED")).await.json(200)["State"], "CANCELLED");
    let (_, message) = ask(json!("PAUSED")).await.error(400);
    assert!(
        message.contains("a journey that is CANCELLED cannot become PAUSED"),
        "{message}"
    );
    assert_eq!(api.get(&path).await.json(200)["State"], "CANCELLED");
}

#[tokio::test]
async fn nothing_was_counted_of_a_journey_that_never_ran() {
    let api = TestApi::new().await;
    let (app, segment) = shop(&api).await;
    let all = format!("/v1/apps/{app}/journeys");
    let made = api.post(&all, journey(&segment)).await.json(201);
    let id = made["Id"].as_str().unwrap();
    let path = format!("{all}/{id}");
    assert_eq!(
        api.get(&format!("{path}/runs")).await.json(200),
        json!({ "Item": [] })
    );
    let counted = json!({
        "ApplicationId": app, "JourneyId": id, "LastEvaluatedTime": "2026-11-23T10:00:00.000Z", "Metrics": {},
    });
    assert_eq!(
        api.get(&format!("{path}/execution-metrics")).await.json(200),
        counted
    );
    for (activity, kind) in [("hello", "MESSAGE"), ("pause", "WAIT")] {
        let mut counted = counted.clone();
        counted["JourneyActivityId"] = json!(activity);
        counted["ActivityType"] = json!(kind);
        let path = format!("{path}/activities/{activity}/execution-metrics");
        assert_eq!(api.get(&path).await.json(200), counted);
    }
    let kpi = api
        .get(&format!("{path}/kpis/daterange/journey-emails-sent"))
        .await
        .json(200);
    assert_eq!(kpi["JourneyId"], id);
    assert_eq!(kpi["KpiResult"], json!({ "Rows": [] }));
    for missing in [
        format!("{path}/activities/nowhere/execution-metrics"),
        format!("{path}/runs/r/execution-metrics"),
        format!("{path}/runs/r/activities/hello/execution-metrics"),
        format!("{path}/kpis/daterange/unique-deliveries"),
        format!("{all}/nothing/kpis/daterange/journey-emails-sent"),
        format!("{all}/nothing/activities/hello/execution-metrics"),
    ] {
        api.get(&missing).await.error(404);
    }
}
