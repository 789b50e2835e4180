//! Import and export jobs, as asked for.

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

#[tokio::test]
async fn an_export_is_asked_for_and_looked_at() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let all = format!("/v1/apps/{app}/jobs/export");
    let segment = api
        .post(&format!("/v1/apps/{app}/segments"), json!({ "Dimensions": {} }))
        .await
        .json(201);
    let segment = segment["Id"].as_str().unwrap();
    let definition = json!({
        "S3UrlPrefix": "s3://bucket/people/", "RoleArn": "arn:aws:iam::1:role/x",
        "SegmentId": segment, "SegmentVersion": 1,
    });
    let made = api.post(&all, definition.clone()).await.json(202);
    let id = made["Id"].as_str().unwrap();
    for (member, value) in [
        ("ApplicationId", json!(app)),
        ("Type", json!("EXPORT")),
        ("JobStatus", json!("CREATED")),
        ("CreationDate", json!("2026-11-23T10:00:00.000Z")),
        ("Definition", definition),
        ("TotalPieces", json!(0)),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    assert_eq!(api.get(&format!("{all}/{id}")).await.json(200), made);
    assert_eq!(api.get(&all).await.json(200), json!({ "Item": [made] }));
    let of_segment = format!("/v1/apps/{app}/segments/{segment}/jobs/export");
    assert_eq!(api.get(&of_segment).await.json(200), json!({ "Item": [made] }));
    // The two kinds do not see each other.
    api.get(&format!("/v1/apps/{app}/jobs/import/{id}"))
        .await
        .error(404);
    for imports in [
        "jobs/import".to_owned(),
        format!("segments/{segment}/jobs/import"),
    ] {
        let found = api.get(&format!("/v1/apps/{app}/{imports}")).await.json(200);
        assert_eq!(found["Item"], json!([]));
    }
    api.get(&format!("{all}/nothing")).await.error(404);

    // A second job, and pages.
    let everybody = json!({ "S3UrlPrefix": "s3://bucket/all", "RoleArn": "r" });
    api.post(&all, everybody).await.json(202);
    let first = api.get(&format!("{all}?page-size=1")).await.json(200);
    let token = first["NextToken"].as_str().unwrap();
    let second = api
        .get(&format!("{all}?page-size=1&token={token}"))
        .await
        .json(200);
    assert!(second.get("NextToken").is_none());
    assert_ne!(first["Item"], second["Item"]);
    for wrong in ["page-size=0", "page-size=many", "token=%21"] {
        api.get(&format!("{all}?{wrong}")).await.error(400);
    }
}

#[tokio::test]
async fn exports_that_cannot_be_are_refused() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let segment = api
        .post(&format!("/v1/apps/{app}/segments"), json!({ "Dimensions": {} }))
        .await
        .json(201);
    for (change, expected) in [
        (json!({ "S3UrlPrefix": null }), "S3UrlPrefix: "),
        (
            json!({ "S3UrlPrefix": "people" }),
            "S3UrlPrefix: must be s3://BUCKET/FOLDER/",
        ),
        (
            json!({ "S3UrlPrefix": "https://x/y" }),
            "S3UrlPrefix: must be s3://BUCKET/FOLDER/",
        ),
        (json!({ "S3UrlPrefix": "s3://" }), "S3UrlPrefix: "),
        (json!({ "S3UrlPrefix": "s3://b/a//b" }), "S3UrlPrefix: "),
        (
            json!({ "S3UrlPrefix": "file:///tmp/x" }),
            "S3UrlPrefix: file:// is not open on this server (exports.folder)",
        ),
        (
            json!({ "SegmentId": "nothing" }),
            "SegmentId: there is no segment nothing",
        ),
        (
            json!({ "SegmentId": segment["Id"], "SegmentVersion": 2 }),
            "SegmentVersion: segment",
        ),
        (
            json!({ "SegmentVersion": 1 }),
            "SegmentVersion: needs a SegmentId",
        ),
    ] {
        let mut definition = json!({ "S3UrlPrefix": "s3://b/k", "RoleArn": "r" });
        for (member, value) in change.as_object().unwrap() {
            definition[member] = value.clone();
        }
        let (_, message) = api
            .post(&format!("/v1/apps/{app}/jobs/export"), definition)
            .await
            .error(400);
        assert!(message.contains(expected), "{message}");
    }
}
