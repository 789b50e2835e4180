//! Channels.

use pinion_api::testing::TestApi;
use serde_json::{Value, json};

/// Path segment, platform, a request, what the answer repeats of it, and what it must never tell.
fn samples() -> Vec<(&'static str, &'static str, Value, Value, &'static [&'static str])> {
    let certificate = json!({ "Certificate": "s3cret-c", "PrivateKey": "s3cret-p", "BundleId": "s3cret-b" });
    let token = json!({
        "BundleId": "s3cret-b", "TeamId": "s3cret-t", "TokenKey": "s3cret-k", "TokenKeyId": "s3cret-i",
        "DefaultAuthenticationMethod": "TOKEN",
    });
    let apns: &[&str] = &["s3cret"];
    vec![
        (
            "adm",
            "ADM",
            json!({ "ClientId": "s3cret-i", "ClientSecret": "s3cret-s" }),
            json!({ "HasCredential": true }),
            &["s3cret"],
        ),
        (
            "apns",
            "APNS",
            certificate.clone(),
            json!({ "HasCredential": true, "HasTokenKey": false }),
            apns,
        ),
        (
            "apns_sandbox",
            "APNS_SANDBOX",
            token.clone(),
            json!({ "HasTokenKey": true, "DefaultAuthenticationMethod": "TOKEN" }),
            apns,
        ),
        (
            "apns_voip",
            "APNS_VOIP",
            token,
            json!({ "HasTokenKey": true }),
            apns,
        ),
        (
            "apns_voip_sandbox",
            "APNS_VOIP_SANDBOX",
            certificate,
            json!({ "HasTokenKey": false }),
            apns,
        ),
        (
            "baidu",
            "BAIDU",
            json!({ "ApiKey": "the-key", "SecretKey": "s3cret" }),
            json!({ "Credential": "the-key", "HasCredential": true }),
            &["s3cret"],
        ),
        (
            "gcm",
            "GCM",
            json!({ "ApiKey": "the-key", "ServiceJson": "{\"private_key\":\"s3cret\"}" }),
            json!({
                "Credential": "the-key", "HasFcmServiceCredentials": true, "DefaultAuthenticationMethod": "KEY",
            }),
            &["s3cret"],
        ),
        (
            "sms",
            "SMS",
            json!({ "SenderId": "Harbour", "ShortCode": "12345" }),
            json!({ "SenderId": "Harbour", "ShortCode": "12345" }),
            &["HasCredential", "Credential", "MessagesPerSecond"],
        ),
        (
            "voice",
            "VOICE",
            json!({}),
            json!({}),
            &["HasCredential", "SenderId"],
        ),
        (
            "email",
            "EMAIL",
            json!({ "FromAddress": "Shop <shop@example.com>", "Identity": "arn:aws:ses:x", "RoleArn": "r" }),
            json!({ "FromAddress": "Shop <shop@example.com>", "Identity": "arn:aws:ses:x", "RoleArn": "r" }),
            &["ConfigurationSet", "HasCredential"],
        ),
    ]
}

#[tokio::test]
async fn every_channel_is_put_read_changed_and_goes() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let in_app = json!({ "IN_APP": { "Enabled": true, "IsArchived": false, "Version": 0 } });
    for (segment, platform, request, repeated, untold) in samples() {
        let path = format!("/v1/apps/{app}/channels/{segment}");
        api.get(&path).await.error(404);
        api.delete(&path).await.error(404);
        let made = api.put(&path, request.clone()).await.json(200);
        let mut expected = repeated.as_object().unwrap().clone();
        for (member, value) in [
            ("ApplicationId", json!(app)),
            ("Platform", json!(platform)),
            ("Id", json!(segment)),
            ("Enabled", json!(true)),
            ("IsArchived", json!(false)),
            ("Version", json!(1)),
            ("CreationDate", json!("2026-11-23T10:00:00.000Z")),
            ("LastModifiedDate", json!("2026-11-23T10:00:00.000Z")),
        ] {
            expected.insert(member.to_owned(), value);
        }
        for (member, value) in &expected {
            assert_eq!(made[member], *value, "{platform} {member}");
        }
        assert!(
            made["LastModifiedBy"].as_str().unwrap().ends_with("root"),
            "{made}"
        );
        for text in untold {
            assert!(
                !made.to_string().contains(text),
                "{platform} tells {text}: {made}"
            );
        }
        assert_eq!(api.get(&path).await.json(200), made);

        // The same again changes nothing but the version, and the switch is kept.
        assert_eq!(api.put(&path, request.clone()).await.json(200)["Version"], 2);
        let mut off = request;
        off["Enabled"] = json!(false);
        assert_eq!(api.put(&path, off).await.json(200)["Enabled"], false);
        let all = api.get(&format!("/v1/apps/{app}/channels")).await.json(200);
        assert_eq!(all["Channels"].as_object().unwrap().len(), 2);
        assert_eq!(all["Channels"][platform]["Enabled"], false);
        assert_eq!(all["Channels"][platform]["Version"], 3);

        let gone = api.delete(&path).await.json(200);
        assert_eq!(
            (&gone["Platform"], &gone["Enabled"]),
            (&json!(platform), &json!(false))
        );
        // Terraform waits for this.
        api.get(&path).await.error(404);
        api.delete(&path).await.error(404);
        let all = api.get(&format!("/v1/apps/{app}/channels")).await.json(200);
        assert_eq!(all, json!({ "Channels": in_app }));
    }
}

#[tokio::test]
async fn what_a_service_needs_is_asked_for_by_name() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    for (segment, request, wrong) in [
        ("adm", json!({ "ClientId": "i" }), "ClientSecret: is required"),
        ("apns", json!({ "Certificate": "c" }), "PrivateKey: is missing"),
        (
            "apns_voip",
            json!({ "DefaultAuthenticationMethod": "x" }),
            "DefaultAuthenticationMethod: must be one of",
        ),
        ("baidu", json!({}), "ApiKey: is required"),
        (
            "gcm",
            json!({ "DefaultAuthenticationMethod": "TOKEN" }),
            "ServiceJson: is required",
        ),
        (
            "gcm",
            json!({ "ServiceJson": "no" }),
            "ServiceJson: must be the JSON object",
        ),
        ("sms", json!({ "SenderId": 1 }), "SenderId: must be a string"),
        ("voice", json!({ "Enabled": 1 }), "Enabled: must be true or false"),
        ("voice", json!([]), "request body: "),
        (
            "email",
            json!({ "FromAddress": "nobody", "Identity": "i" }),
            "FromAddress: must be",
        ),
    ] {
        let path = format!("/v1/apps/{app}/channels/{segment}");
        let (code, message) = api.put(&path, request).await.error(400);
        assert_eq!(code, "BadRequestException");
        assert!(message.starts_with(wrong), "{message}");
        api.get(&path).await.error(404);
    }
    api.get("/v1/apps/nobody/channels/sms").await.error(404);
    api.get(&format!("/v1/apps/{app}/channels/pigeon"))
        .await
        .error(404);
    api.get(&format!("/v1/apps/{app}/channels/SMS")).await.error(404);
}

#[tokio::test]
async fn a_channel_is_switched_without_its_credentials() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let path = format!("/v1/apps/{app}/channels/gcm");
    let made = json!({ "ServiceJson": "{}", "DefaultAuthenticationMethod": "TOKEN" });
    api.put(&path, made).await.json(200);
    let off = api.put(&path, json!({ "Enabled": false })).await.json(200);
    assert_eq!(off["HasFcmServiceCredentials"], true);
    assert_eq!(off["DefaultAuthenticationMethod"], "TOKEN");
    assert_eq!(off.get("Credential"), None);
}

#[tokio::test]
async fn channels_belong_to_their_application() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let path = format!("/v1/apps/{app}/channels/sms");
    api.put(&path, json!({})).await.json(200);
    for stranger in [api.as_account("222222222222").await, api.in_region("us-east-1")] {
        stranger.get(&path).await.error(404);
        stranger.put(&path, json!({})).await.error(404);
        stranger.delete(&path).await.error(404);
    }
    let other = api.app("other").await;
    api.get(&format!("/v1/apps/{other}/channels/sms"))
        .await
        .error(404);
}
