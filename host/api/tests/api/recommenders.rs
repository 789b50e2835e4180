//! Configurations of recommender models.

use std::sync::Arc;

use pinion_api::testing::TestApi;
use pinion_domain::extension::columns::{ColumnSpec, Rows};
use pinion_domain::extension::fake::{FakeChannel, FakePlugins};
use pinion_domain::extension::personalizer::Personalized;
use pinion_domain::extension::{Personalizer, PluginError};
use serde_json::{Value, json};

const ODD: &str = "ż_日本-9";

/// A personalizer that is only named.
struct Nothing;

impl Personalizer for Nothing {
    fn inputs(&self) -> &[ColumnSpec] {
        &[]
    }

    fn outputs(&self) -> &[ColumnSpec] {
        &[]
    }

    fn personalize(&self, _: i64, _: Rows) -> Result<Personalized, PluginError> {
        unreachable!("nobody asks it")
    }
}

fn books() -> Value {
    json!({
        "Name": ODD,
        "Description": "Books; old (and new), 1st",
        "RecommendationProviderRoleArn": "arn:aws:iam::123456789012:role/personalize",
        "RecommendationProviderUri": "arn:aws:personalize:eu-west-1:123456789012:campaign/books",
        "RecommendationsDisplayName": "Books",
    })
}

#[tokio::test]
async fn a_configuration_is_made_replaced_listed_and_goes() {
    let api = TestApi::new().await;
    let made = api.post("/v1/recommenders", books()).await.json(201);
    for (member, value) in [
        ("Name", json!(ODD)),
        ("RecommendationProviderIdType", json!("PINPOINT_ENDPOINT_ID")),
        ("RecommendationsPerMessage", json!(5)),
        ("CreationDate", json!("2026-11-23T10:00:00.000Z")),
        ("LastModifiedDate", json!("2026-11-23T10:00:00.000Z")),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    let path = format!("/v1/recommenders/{}", made["Id"].as_str().unwrap());
    assert_eq!(api.get(&path).await.json(200), made);

    api.clock.advance(jiff::SignedDuration::from_secs(60));
    let mut other = books();
    other["RecommendationsDisplayName"] = Value::Null;
    other["Description"] = Value::Null;
    other["RecommendationTransformerUri"] = json!("best-books");
    other["Attributes"] = json!({ "Title": "The title" });
    other["RecommendationsPerMessage"] = json!(2);
    other["RecommendationProviderIdType"] = json!("PINPOINT_USER_ID");
    let replaced = api.put(&path, other).await.json(200);
    assert_eq!(replaced["Id"], made["Id"]);
    assert_eq!(replaced["CreationDate"], made["CreationDate"]);
    assert_eq!(replaced["LastModifiedDate"], "2026-11-23T10:01:00.000Z");
    assert_eq!(replaced["Attributes"], json!({ "Title": "The title" }));
    // What an update leaves out goes.
    assert_eq!(replaced.get("Description"), None);
    assert_eq!(replaced.get("RecommendationsDisplayName"), None);

    for _ in 0..2 {
        api.post("/v1/recommenders", books()).await.json(201);
    }
    let first = api.get("/v1/recommenders?page-size=2").await.json(200);
    let token = first["NextToken"].as_str().unwrap();
    let second = api
        .get(&format!("/v1/recommenders?page-size=2&token={token}"))
        .await
        .json(200);
    assert_eq!(first["Item"].as_array().unwrap().len(), 2);
    assert_eq!(second["Item"].as_array().unwrap().len(), 1);
    assert_eq!(second.get("NextToken"), None);

    assert_eq!(api.delete(&path).await.json(200), replaced);
    api.get(&path).await.error(404);
    api.put(&path, books()).await.error(404);
    api.delete(&path).await.error(404);
}

#[tokio::test]
async fn mistakes_name_their_member() {
    let plugins = FakePlugins::default()
        .with_personalizer("best", Arc::new(Nothing))
        .with_channel("sender", Arc::new(FakeChannel::default()));
    let api = TestApi::with_plugins(Arc::new(plugins)).await;
    for (member, value, wrong) in [
        (
            "RecommendationsPerMessage",
            json!(6),
            "RecommendationsPerMessage: must be between 1 and 5",
        ),
        (
            "RecommendationsPerMessage",
            json!("five"),
            "RecommendationsPerMessage: invalid type",
        ),
        (
            "RecommendationProviderIdType",
            json!("EMAIL"),
            "RecommendationProviderIdType: unknown variant",
        ),
        (
            "RecommendationProviderUri",
            json!("plugin:nobody"),
            "RecommendationProviderUri: plugin nobody is not",
        ),
        (
            "RecommendationProviderUri",
            json!("plugin:sender"),
            "RecommendationProviderUri: plugin sender is a",
        ),
        (
            "RecommendationProviderUri",
            Value::Null,
            "RecommendationProviderUri: invalid type",
        ),
        (
            "RecommendationProviderRoleArn",
            json!("r"),
            "RecommendationProviderRoleArn: must be the ARN",
        ),
        (
            "Name",
            json!("@/+%*~:&=;"),
            "Name: must not have the character '@'",
        ),
        ("Attributes", json!({ "a": "b" }), "Attributes: only go with"),
    ] {
        let mut request = books();
        request[member] = value;
        let (code, message) = api.post("/v1/recommenders", request).await.error(400);
        assert_eq!(code, "BadRequestException");
        assert!(message.starts_with(wrong), "{message}");
    }
    let (_, message) = api.post("/v1/recommenders", json!({})).await.error(400);
    assert!(
        message.contains("missing field `RecommendationProviderRoleArn`"),
        "{message}"
    );
    let mut request = books();
    request["RecommendationProviderUri"] = json!("plugin:best?{\"shelf\": 3}");
    api.post("/v1/recommenders", request).await.json(201);
    assert_eq!(
        api.get("/v1/recommenders").await.json(200)["Item"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn configurations_belong_to_account_and_region() {
    let api = TestApi::new().await;
    let made = api.post("/v1/recommenders", books()).await.json(201);
    let path = format!("/v1/recommenders/{}", made["Id"].as_str().unwrap());
    for stranger in [api.as_account("222222222222").await, api.in_region("us-east-1")] {
        stranger.get(&path).await.error(404);
        stranger.delete(&path).await.error(404);
        assert_eq!(
            stranger.get("/v1/recommenders").await.json(200),
            json!({ "Item": [] })
        );
    }
}
