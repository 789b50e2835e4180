//! Applications and settings.

use pinion_api::testing::TestApi;
use serde_json::json;

#[tokio::test]
async fn an_application_lives_and_goes() {
    let api = TestApi::new().await;
    let made = api
        .post("/v1/apps", json!({ "Name": "shop", "tags": { "team": "a" } }))
        .await
        .json(201);
    let id = made["Id"].as_str().unwrap();
    assert_eq!(id.len(), 32);
    let arn = made["Arn"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:mobiletargeting:eu-west-1:") && arn.ends_with(&format!(":apps/{id}")));
    assert_eq!(made["Name"], "shop");
    assert_eq!(made["tags"], json!({ "team": "a" }));
    assert_eq!(made["CreationDate"], "2026-11-23T10:00:00.000Z");

    let path = format!("/v1/apps/{id}");
    assert_eq!(api.get(&path).await.json(200), made);
    assert_eq!(api.get("/v1/apps").await.json(200), json!({ "Item": [made] }));
    assert_eq!(api.delete(&path).await.json(200), made);
    let (code, _) = api.get(&path).await.error(404);
    assert_eq!(code, "NotFoundException");
    api.delete(&path).await.error(404);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let api = TestApi::new().await;
    for name in ["a", "b", "c"] {
        api.app(name).await;
    }
    let first = api.get("/v1/apps?page-size=2").await.json(200);
    assert_eq!(first["Item"].as_array().unwrap().len(), 2);
    let token = first["NextToken"].as_str().unwrap();
    let second = api
        .get(&format!("/v1/apps?page-size=2&token={token}"))
        .await
        .json(200);
    assert_eq!(second["Item"].as_array().unwrap().len(), 1);
    assert!(second.get("NextToken").is_none());
    for query in ["page-size=0", "page-size=x", "token=*"] {
        api.get(&format!("/v1/apps?{query}")).await.error(400);
    }
}

#[tokio::test]
async fn settings_are_written_in_parts() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let path = format!("/v1/apps/{app}/settings");
    // Terraform dereferences these three without looking.
    let empty = json!({ "ApplicationId": app, "CampaignHook": {}, "Limits": {}, "QuietTime": {} });
    assert_eq!(api.get(&path).await.json(200), empty);

    api.put(
        &path,
        json!({ "Limits": { "Daily": 42 }, "CloudWatchMetricsEnabled": true }),
    )
    .await
    .json(200);
    api.put(
        &path,
        json!({ "QuietTime": { "Start": "22:00", "End": "06:00" } }),
    )
    .await
    .json(200);
    let settings = api.get(&path).await.json(200);
    assert_eq!(settings["Limits"], json!({ "Daily": 42 }));
    assert_eq!(settings["QuietTime"], json!({ "Start": "22:00", "End": "06:00" }));
    assert_eq!(settings["LastModifiedDate"], "2026-11-23T10:00:00.000Z");
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let path = format!("/v1/apps/{app}/settings");
    for (body, status, expected) in [
        (
            json!({ "Limits": { "Daily": 101 } }),
            400,
            "Limits.Daily: must be between 0 and 100",
        ),
        (
            json!({ "QuietTime": { "Start": "25:00" } }),
            400,
            "QuietTime.Start:",
        ),
        (
            json!({ "CampaignHook": { "LambdaFunctionName": "arn:aws:lambda:x" } }),
            400,
            "CampaignHook.LambdaFunctionName: must be plugin:NAME",
        ),
        (
            json!({ "CampaignHook": { "LambdaFunctionName": "plugin:gone" } }),
            400,
            "plugin gone is not installed",
        ),
        (
            json!({ "CampaignHook": { "WebUrl": "https://a.test" } }),
            400,
            "WebUrl is not supported yet",
        ),
    ] {
        let (_, message) = api.put(&path, body).await.error(status);
        assert!(message.contains(expected), "{message}");
    }
    api.post("/v1/apps", json!({ "Name": " " })).await.error(400);
}
