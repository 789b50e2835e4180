//! Channels.

use pinion_api::testing::TestApi;
use serde_json::json;

#[tokio::test]
async fn the_email_channel_is_put_and_goes() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let path = format!("/v1/apps/{app}/channels/email");
    api.get(&path).await.error(404);
    let email =
        json!({ "FromAddress": "Shop <shop@example.com>", "Identity": "arn:aws:ses:x", "Enabled": true });
    let made = api.put(&path, email).await.json(200);
    for (member, value) in [
        ("Platform", json!("EMAIL")),
        ("ApplicationId", json!(app)),
        ("Enabled", json!(true)),
        ("FromAddress", json!("Shop <shop@example.com>")),
        ("Id", json!("email")),
        ("IsArchived", json!(false)),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    assert_eq!(api.get(&path).await.json(200), made);
    let again = json!({ "FromAddress": "b@example.com", "Identity": "i", "Enabled": false });
    assert_eq!(api.put(&path, again).await.json(200)["Enabled"], false);
    let all = api.get(&format!("/v1/apps/{app}/channels")).await.json(200);
    assert_eq!(all["Channels"]["EMAIL"]["Enabled"], false);
    assert_eq!(all["Channels"].as_object().unwrap().len(), 1);

    api.delete(&path).await.json(200);
    // Terraform waits for this.
    api.get(&path).await.error(404);
    api.delete(&path).await.error(404);
    let all = api.get(&format!("/v1/apps/{app}/channels")).await.json(200);
    assert_eq!(all, json!({ "Channels": {} }));
    api.put(&path, json!({ "FromAddress": "nobody", "Identity": "i" }))
        .await
        .error(400);
}
