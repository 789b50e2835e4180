//! One-time passwords through the API.

use jiff::SignedDuration;
use pinion_domain::extension::channel::{OutgoingMessage, Part, SendError, Verdict};
use serde_json::{Value, json};

use super::messages::Shop;

const NUMBER: &str = "+12065550100";

fn request(change: &Value) -> Value {
    let mut request = json!({
        "BrandName": "Books", "ReferenceId": "login", "Channel": "SMS", "DestinationIdentity": NUMBER,
        "OriginationIdentity": "+18555550142", "CodeLength": 6, "ValidityPeriod": 5, "AllowedAttempts": 2,
    });
    for (name, value) in change.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

async fn send(shop: &Shop, change: Value) -> Value {
    let path = format!("/v1/apps/{}/otp", shop.app);
    shop.api.post(&path, request(&change)).await.json(200)
}

async fn verify(shop: &Shop, reference: &str, code: &str) -> bool {
    let path = format!("/v1/apps/{}/verify-otp", shop.app);
    let guess = json!({"ReferenceId": reference, "Otp": code, "DestinationIdentity": NUMBER});
    let answer = shop.api.post(&path, guess).await.json(200);
    assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
    answer["Valid"].as_bool().unwrap()
}

/// The code in the message.
fn code(message: &OutgoingMessage) -> String {
    let [Part::Text(text)] = &message.parts[..] else {
        panic!("{:?}", message.parts)
    };
    text.chars().filter(char::is_ascii_digit).collect()
}

#[tokio::test]
async fn a_code_is_sent_and_verified_once() {
    let shop = Shop::open().await;
    let response = send(
        &shop,
        json!({"EntityId": "E", "TemplateId": "T", "Language": "de-DE"}),
    )
    .await;
    let result = &response["Result"][NUMBER];
    assert_eq!(
        (
            &response["ApplicationId"],
            &result["DeliveryStatus"],
            &result["StatusCode"]
        ),
        (&json!(shop.app), &json!("SUCCESSFUL"), &json!(200))
    );
    let sent = shop.sent(0);
    let code = code(&sent);
    assert_eq!(code.len(), 6);
    assert_eq!(
        sent.parts,
        [Part::Text(format!(
            "Dies ist Ihr Einmalpasswort: {code} von Books"
        ))]
    );
    assert!(
        !response.to_string().contains(&code),
        "the answer must not tell the code"
    );
    assert_eq!(sent.from.as_deref(), Some("+18555550142"));
    for fact in [
        ("message-type", "TRANSACTIONAL"),
        ("entity-id", "E"),
        ("template-id", "T"),
    ] {
        let fact = (fact.0.to_owned(), fact.1.to_owned());
        assert!(sent.metadata.contains(&fact), "{fact:?}");
    }
    assert!(!verify(&shop, "other", &code).await);
    assert!(verify(&shop, "login", &code).await);
    assert!(!verify(&shop, "login", &code).await);
}

#[tokio::test]
async fn codes_are_random_and_end_with_attempts_and_time() {
    let shop = Shop::open().await;
    for _ in 0..20 {
        send(&shop, json!({"CodeLength": 8})).await;
    }
    let codes: std::collections::HashSet<String> = shop.channel.sent().iter().map(code).collect();
    assert!(codes.len() > 18, "{codes:?}");

    send(&shop, json!({})).await;
    let right = code(&shop.channel.sent()[20]);
    assert!(!verify(&shop, "login", "nonsense").await);
    assert!(!verify(&shop, "login", "000000000").await);
    assert!(
        !verify(&shop, "login", &right).await,
        "two wrong guesses were allowed"
    );

    send(&shop, json!({})).await;
    let right = code(&shop.channel.sent()[21]);
    shop.api.clock.advance(SignedDuration::from_mins(5));
    assert!(!verify(&shop, "login", &right).await, "five minutes have passed");
}

#[tokio::test]
async fn parallel_wrong_guesses_use_the_attempts_up() {
    let shop = std::sync::Arc::new(Shop::open().await);
    send(&shop, json!({"AllowedAttempts": 5})).await;
    let right = code(&shop.sent(0));
    let guesses: Vec<_> = (0..30)
        .map(|n| {
            let shop = std::sync::Arc::clone(&shop);
            tokio::spawn(async move { verify(&shop, "login", &format!("x{n}")).await })
        })
        .collect();
    for guess in guesses {
        assert!(!guess.await.unwrap());
    }
    assert!(!verify(&shop, "login", &right).await);
}

#[tokio::test]
async fn a_message_that_is_refused_is_a_result() {
    let shop = Shop::open().await;
    shop.channel
        .answer(|_| Verdict::Refused(SendError::Unavailable("later".to_owned())));
    let response = send(&shop, json!({})).await;
    assert_eq!(response["Result"][NUMBER]["DeliveryStatus"], "TEMPORARY_FAILURE");
    let app = shop.app_ref().await;
    shop.api
        .store
        .delete_channel(&app, pinion_domain::channel::ChannelType::Sms)
        .await
        .unwrap();
    let response = send(&shop, json!({})).await;
    let result = &response["Result"][NUMBER];
    assert_eq!(result["DeliveryStatus"], "PERMANENT_FAILURE");
    assert_eq!(
        result["StatusMessage"],
        "the SMS channel is not enabled for this application"
    );
}

#[tokio::test]
async fn mistakes_are_named() {
    let shop = Shop::open().await;
    let otp = format!("/v1/apps/{}/otp", shop.app);
    for (change, field) in [
        (json!({"Channel": "EMAIL"}), "Channel"),
        (json!({"CodeLength": 9}), "CodeLength"),
        (json!({"ValidityPeriod": 4}), "ValidityPeriod"),
        (json!({"AllowedAttempts": 6}), "AllowedAttempts"),
        (json!({"AllowedAttempts": -1}), "AllowedAttempts"),
        (json!({"BrandName": "a brand that is far too long"}), "BrandName"),
        (json!({"Language": "xx"}), "Language"),
        (json!({"DestinationIdentity": "12"}), "DestinationIdentity"),
        (json!({"ReferenceId": null}), "ReferenceId"),
    ] {
        let (_, sentence) = shop.api.post(&otp, request(&change)).await.error(400);
        assert!(sentence.starts_with(field), "{field}: {sentence}");
    }
    let verify = format!("/v1/apps/{}/verify-otp", shop.app);
    let empty = json!({"ReferenceId": "r", "Otp": "", "DestinationIdentity": NUMBER});
    assert!(
        shop.api
            .post(&verify, empty)
            .await
            .error(400)
            .1
            .starts_with("Otp")
    );
    assert!(shop.channel.sent().is_empty());
}
