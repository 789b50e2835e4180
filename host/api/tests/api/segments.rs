//! Segments and their versions.

use std::sync::Arc;

use pinion_api::testing::TestApi;
use pinion_domain::extension::fake::{FakeChannel, FakePlugins};
use serde_json::{Value, json};

fn plan(value: &str) -> Value {
    json!({ "Attributes": { "plan": { "AttributeType": "INCLUSIVE", "Values": [value] } } })
}

#[tokio::test]
async fn a_segment_gets_versions() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let all = format!("/v1/apps/{app}/segments");
    let made = api
        .post(
            &all,
            json!({ "Name": "gold", "Dimensions": plan("gold"), "tags": { "a": "b" } }),
        )
        .await
        .json(201);
    let id = made["Id"].as_str().unwrap();
    let path = format!("{all}/{id}");
    assert_eq!(made["ApplicationId"], app);
    assert_eq!(made["SegmentType"], "DIMENSIONAL");
    assert_eq!(made["Version"], 1);
    assert_eq!(made["Dimensions"], plan("gold"));
    assert_eq!(made["tags"], json!({ "a": "b" }));
    assert!(
        made["Arn"]
            .as_str()
            .unwrap()
            .ends_with(&format!("apps/{app}/segments/{id}"))
    );
    assert_eq!(api.get(&path).await.json(200), made);
    assert_eq!(api.get(&all).await.json(200), json!({ "Item": [made] }));

    // A name alone keeps the conditions.
    let renamed = api.put(&path, json!({ "Name": "Gold" })).await.json(200);
    assert_eq!(
        (&renamed["Version"], &renamed["Name"]),
        (&json!(2), &json!("Gold"))
    );
    assert_eq!(renamed["Dimensions"], plan("gold"));
    let changed = api
        .put(&path, json!({ "Dimensions": plan("silver") }))
        .await
        .json(200);
    assert_eq!(
        (&changed["Version"], &changed["Name"]),
        (&json!(3), &json!("Gold"))
    );

    assert_eq!(
        api.get(&format!("{path}/versions/1")).await.json(200)["Name"],
        "gold"
    );
    let versions = api.get(&format!("{path}/versions")).await.json(200);
    let numbers: Vec<_> = versions["Item"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["Version"])
        .collect();
    assert_eq!(numbers, [3, 2, 1]);
    api.get(&format!("{path}/versions/9")).await.error(404);
    api.get(&format!("{path}/versions/x")).await.error(400);

    assert_eq!(api.delete(&path).await.json(200)["Version"], 3);
    api.get(&path).await.error(404);
    api.get(&format!("{path}/versions")).await.error(404);
    api.put(&path, json!({ "Name": "x" })).await.error(404);
}

#[tokio::test]
async fn conditions_that_cannot_be_are_refused() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let all = format!("/v1/apps/{app}/segments");
    let group = |id: &str| json!({ "SegmentGroups": { "Groups": [{ "SourceSegments": [{ "Id": id }] }] } });
    for (body, expected) in [
        (json!({ "Name": "x" }), "Dimensions: a segment needs either"),
        (
            group("nobody"),
            "SegmentGroups.Groups[0].SourceSegments[0]: there is no segment nobody",
        ),
        (
            json!({ "SegmentGroups": { "Include": "SOME", "Groups": [] } }),
            "SegmentGroups.Include: unknown variant `SOME`",
        ),
        (
            json!({ "Dimensions": { "Attributes": { "a": { "AttributeType": "LIKE", "Values": ["b"] } } } }),
            "Dimensions.Attributes.a.AttributeType: unknown variant `LIKE`",
        ),
        (
            json!({ "Dimensions": { "Attributes": { "plugin:gone": { "Values": ["{}"] } } } }),
            "Dimensions.Attributes.plugin:gone: plugin gone is not installed",
        ),
    ] {
        let (_, message) = api.post(&all, body).await.error(400);
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn a_predicate_must_be_a_predicate() {
    let plugins = FakePlugins::default().with_channel("mailer", Arc::new(FakeChannel::default()));
    let api = TestApi::with_plugins(Arc::new(plugins)).await;
    let app = api.app("shop").await;
    let asks = json!({ "Dimensions": { "Attributes": { "plugin:mailer": { "Values": ["{}"] } } } });
    let (_, message) = api
        .post(&format!("/v1/apps/{app}/segments"), asks)
        .await
        .error(400);
    assert!(
        message.contains("plugin mailer is a channel, not a predicate"),
        "{message}"
    );
}

#[tokio::test]
async fn segments_never_lead_to_themselves() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let all = format!("/v1/apps/{app}/segments");
    let of = |id: &str| json!({ "SegmentGroups": { "Groups": [{ "SourceSegments": [{ "Id": id }] }] } });
    let first = api.post(&all, json!({ "Dimensions": plan("a") })).await.json(201);
    let first = first["Id"].as_str().unwrap();
    let second = api.post(&all, of(first)).await.json(201);
    let second = second["Id"].as_str().unwrap();
    for target in [first, second] {
        let (_, message) = api.put(&format!("{all}/{first}"), of(target)).await.error(400);
        assert!(message.contains("leads back to the segment itself"), "{message}");
    }
}

#[tokio::test]
async fn an_imported_segment_is_the_only_source_of_a_group() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let all = format!("/v1/apps/{app}/segments");
    let dynamic = api.post(&all, json!({ "Dimensions": plan("a") })).await.json(201);
    let dynamic = dynamic["Id"].as_str().unwrap();
    let imported: pinion_domain::segment::SegmentDocument = serde_json::from_value(json!({
        "ImportDefinition": { "Format": "CSV", "RoleArn": "r", "S3Url": "s3://b/k", "Size": 1 },
    }))
    .unwrap();
    let scope = crate::campaigns::app_ref(&api, &app).await;
    api.store
        .create_document(&scope, "imported", imported, "", None)
        .await
        .unwrap();
    let group = |sources: &[&str]| {
        let sources: Vec<Value> = sources.iter().map(|id| json!({ "Id": id })).collect();
        json!({ "SegmentGroups": { "Groups": [{ "SourceSegments": sources }] } })
    };
    let made = api.post(&all, group(&["imported"])).await.json(201);
    // A segment that is built on an imported one is dynamic itself.
    api.post(&all, group(&[made["Id"].as_str().unwrap(), dynamic]))
        .await
        .json(201);
    let (_, message) = api.post(&all, group(&[dynamic, "imported"])).await.error(400);
    assert!(
        message.contains("SegmentGroups.Groups[0].SourceSegments: an imported segment must be"),
        "{message}"
    );
    // A source may be pinned to a version, which must be there.
    let pinned = |version: u32| {
        let source = json!({ "Id": dynamic, "Version": version });
        json!({ "SegmentGroups": { "Groups": [{ "SourceSegments": [source] }] } })
    };
    api.post(&all, pinned(1)).await.json(201);
    let (_, message) = api.post(&all, pinned(2)).await.error(400);
    assert!(message.contains("in version 2"), "{message}");
}
