//! E-mail templates and their versions.

use pinion_api::testing::TestApi;
use serde_json::json;

#[tokio::test]
async fn a_template_gets_versions_and_one_of_them_serves() {
    let api = TestApi::new().await;
    let path = "/v1/templates/welcome/email";
    let made = api
        .post(
            path,
            json!({
                "Subject": "Hello", "HtmlPart": "<p>{{User.UserId}}</p>", "TextPart": "1",
                "DefaultSubstitutions": "{\"User.UserId\":\"friend\"}",
                "TemplateDescription": "first words", "tags": { "a": "b" },
            }),
        )
        .await
        .json(201);
    assert_eq!(made["Message"], "Created");
    assert!(
        made["Arn"]
            .as_str()
            .unwrap()
            .ends_with(":templates/welcome/EMAIL")
    );
    // The service model lists no conflict here.
    let (code, message) = api.post(path, json!({ "Subject": "x" })).await.error(400);
    assert_eq!(code, "BadRequestException");
    assert!(message.contains("welcome exists already"), "{message}");

    let first = api.get(path).await.json(200);
    for (member, value) in [
        ("TemplateName", json!("welcome")),
        ("TemplateType", json!("EMAIL")),
        ("Version", json!("1")),
        ("Subject", json!("Hello")),
        ("Arn", made["Arn"].clone()),
        ("tags", json!({ "a": "b" })),
        ("CreationDate", json!("2026-11-23T10:00:00.000Z")),
    ] {
        assert_eq!(first[member], value, "{member}");
    }

    // Overwriting keeps the number; a new version does not serve by itself.
    let accepted = api
        .put(path, json!({ "Subject": "Hi", "TextPart": "1" }))
        .await
        .json(202);
    assert_eq!(accepted["Message"], "Accepted");
    assert_eq!(api.get(path).await.json(200)["Subject"], "Hi");
    api.put(
        &format!("{path}?create-new-version=true"),
        json!({ "Subject": "Hey" }),
    )
    .await
    .json(202);
    assert_eq!(api.get(path).await.json(200)["Version"], "1");
    assert_eq!(
        api.get(&format!("{path}?version=2")).await.json(200)["Subject"],
        "Hey"
    );

    let active = "/v1/templates/welcome/EMAIL/active-version";
    api.put(active, json!({ "Version": "latest" })).await.json(200);
    assert_eq!(api.get(path).await.json(200)["Version"], "2");
    api.put(active, json!({ "Version": "1" })).await.json(200);
    assert_eq!(api.get(path).await.json(200)["Version"], "1");
    api.put(active, json!({ "Version": "7" })).await.error(400);

    let versions = api.get("/v1/templates/welcome/EMAIL/versions").await.json(200);
    let numbers: Vec<_> = versions["Item"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["Version"])
        .collect();
    assert_eq!(numbers, ["2", "1"]);
    let list = api
        .get("/v1/templates?template-type=EMAIL&prefix=wel")
        .await
        .json(200);
    assert_eq!(list["Item"][0]["TemplateName"], "welcome");
    assert_eq!(list["Item"][0]["tags"], json!({ "a": "b" }));
    for query in ["template-type=SMS", "prefix=x"] {
        let list = api.get(&format!("/v1/templates?{query}")).await.json(200);
        assert_eq!(list["Item"], json!([]), "{query}");
    }

    api.delete(&format!("{path}?version=2")).await.json(202);
    assert_eq!(api.get(path).await.json(200)["Version"], "1");
    api.delete(path).await.json(202);
    api.get(path).await.error(404);
    api.delete(path).await.error(404);
    api.get("/v1/templates/welcome/EMAIL/versions").await.error(404);
    // The name can be had again, without the old one's tags.
    api.post(path, json!({ "Subject": "x" })).await.json(201);
    assert_eq!(api.get(path).await.json(200)["tags"], json!({}));
}

#[tokio::test]
async fn what_does_not_compile_is_refused() {
    let api = TestApi::new().await;
    for (body, expected) in [
        (json!({ "HtmlPart": "<p>{{#if a}}</p>" }), "HtmlPart: "),
        (
            json!({ "Subject": "x", "DefaultSubstitutions": "[]" }),
            "DefaultSubstitutions: must be a JSON object",
        ),
    ] {
        let (_, message) = api.post("/v1/templates/t/email", body).await.error(400);
        assert!(message.contains(expected), "{message}");
    }
    let (_, message) = api.post("/v1/templates/a%20b/email", json!({})).await.error(400);
    assert!(message.contains("template-name:"), "{message}");
}

#[tokio::test]
async fn updates_say_which_version_they_mean() {
    let api = TestApi::new().await;
    let path = "/v1/templates/t/email";
    api.post(path, json!({ "Subject": "1" })).await.json(201);
    api.put(
        &format!("{path}?create-new-version=true"),
        json!({ "Subject": "2" }),
    )
    .await
    .json(202);
    api.put(&format!("{path}?version=2"), json!({ "Subject": "2b" }))
        .await
        .json(202);
    for query in [
        "version=1",
        "version=x",
        "create-new-version=true&version=2",
        "create-new-version=yes",
    ] {
        api.put(&format!("{path}?{query}"), json!({ "Subject": "x" }))
            .await
            .error(400);
    }
    api.put("/v1/templates/gone/email", json!({ "Subject": "x" }))
        .await
        .error(404);
}

#[tokio::test]
async fn templates_belong_to_account_and_region() {
    let api = TestApi::new().await;
    let path = "/v1/templates/t/email";
    api.post(path, json!({ "Subject": "mine" })).await.json(201);
    for stranger in [api.as_account("222222222222").await, api.in_region("us-east-1")] {
        stranger.get(path).await.error(404);
        assert_eq!(stranger.get("/v1/templates").await.json(200)["Item"], json!([]));
        stranger
            .post(path, json!({ "Subject": "theirs" }))
            .await
            .json(201);
    }
    assert_eq!(api.get(path).await.json(200)["Subject"], "mine");
}
