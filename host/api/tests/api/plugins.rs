//! Plugins: our own operations.

use std::sync::Arc;

use pinion_api::testing::TestApi;
use pinion_domain::extension::fake::{FakeChannel, FakePlugins};
use serde_json::json;

async fn api() -> TestApi {
    let plugins = FakePlugins::default().with_channel("mailer", Arc::new(FakeChannel::default()));
    TestApi::with_plugins(Arc::new(plugins)).await
}

#[tokio::test]
async fn plugins_of_the_server_are_shown_and_not_changed() {
    let api = api().await;
    let all = api.get("/pinion/v1/plugins").await.json(200);
    let plugin = api.get("/pinion/v1/plugins/mailer").await.json(200);
    assert_eq!(all, json!({ "Item": [plugin] }));
    for (member, value) in [
        ("Name", json!("mailer")),
        ("Kind", json!("channel")),
        ("Owner", json!("SERVER")),
        ("Grants", json!([])),
    ] {
        assert_eq!(plugin[member], value, "{member}");
    }
    let (code, message) = api.delete("/pinion/v1/plugins/mailer").await.error(403);
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("comes with the server"), "{message}");
    let grants = json!({ "Grants": ["https://api.example.com:443"] });
    api.put("/pinion/v1/plugins/mailer/grants", grants)
        .await
        .error(403);
}

#[tokio::test]
async fn what_cannot_be_installed_is_told_why() {
    let api = api().await;
    let put =
        |name: &str, body: &[u8]| api.signed("PUT", &format!("/pinion/v1/plugins/{name}"), body.to_vec());
    let (_, message) = api.send(put("Bad.Name", b"x")).await.error(400);
    assert!(message.contains("plugin-name:"), "{message}");
    api.send(put("empty", b"")).await.error(400);
    // The fake runs no components and says so.
    let (_, message) = api.send(put("new", b"\0asm")).await.error(400);
    assert!(message.contains("cannot install new"), "{message}");
    // Components may be larger than other bodies.
    api.send(put("new", &vec![0; 8 * 1024 * 1024])).await.error(400);
    api.send(put("new", &vec![0; 32 * 1024 * 1024 + 1]))
        .await
        .error(413);
    api.get("/pinion/v1/plugins/new").await.error(404);
    api.delete("/pinion/v1/plugins/new").await.error(404);
}

#[tokio::test]
async fn grants_that_cannot_be_read_name_their_place() {
    let api = api().await;
    let (_, message) = api
        .put(
            "/pinion/v1/plugins/mailer/grants",
            json!({ "Grants": ["ftp://x:1"] }),
        )
        .await
        .error(400);
    assert!(message.contains("Grants[0]: grant \"ftp://x:1\""), "{message}");
}
