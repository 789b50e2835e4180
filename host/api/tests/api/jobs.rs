//! Import jobs, as asked for.

use pinion_api::testing::TestApi;
use serde_json::json;

#[tokio::test]
async fn an_import_is_asked_for_and_looked_at() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let all = format!("/v1/apps/{app}/jobs/import");
    let definition = json!({
        "Format": "CSV", "S3Url": "s3://bucket/people.csv", "RoleArn": "arn:aws:iam::1:role/x",
        "DefineSegment": true, "SegmentName": "people",
    });
    let made = api.post(&all, definition.clone()).await.json(201);
    let id = made["Id"].as_str().unwrap();
    for (member, value) in [
        ("ApplicationId", json!(app)),
        ("Type", json!("IMPORT")),
        ("JobStatus", json!("CREATED")),
        ("CreationDate", json!("2026-11-23T10:00:00.000Z")),
        ("Definition", definition),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    assert_eq!(api.get(&format!("{all}/{id}")).await.json(200), made);
    assert_eq!(api.get(&all).await.json(200), json!({ "Item": [made] }));
    api.get(&format!("{all}/nothing")).await.error(404);
    let of_segment = api
        .get(&format!("/v1/apps/{app}/segments/s1/jobs/import"))
        .await
        .json(200);
    assert_eq!(of_segment["Item"], json!([]));
}

#[tokio::test]
async fn imports_that_cannot_be_are_refused() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let segments = format!("/v1/apps/{app}/segments");
    let dimensions = json!({ "Attributes": { "a": { "Values": ["b"] } } });
    let segment = api
        .post(&segments, json!({ "Dimensions": dimensions }))
        .await
        .json(201);
    for (member, value, expected) in [
        ("Format", json!("XML"), "Format: must be CSV or JSON"),
        ("S3Url", json!("http://x/y.csv"), "S3Url: must be s3://"),
        ("S3Url", json!("people.csv"), "S3Url: must be s3://"),
        (
            "SegmentId",
            json!("nothing"),
            "SegmentId: there is no segment nothing",
        ),
        (
            "SegmentId",
            segment["Id"].clone(),
            "SegmentId: is a segment that was not imported",
        ),
    ] {
        let mut definition = json!({ "Format": "CSV", "S3Url": "s3://b/k", "RoleArn": "r" });
        definition[member] = value;
        let (_, message) = api
            .post(&format!("/v1/apps/{app}/jobs/import"), definition)
            .await
            .error(400);
        assert!(message.contains(expected), "{message}");
    }
}
