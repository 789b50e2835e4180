//! Temporary credentials.

use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use http::Request;
use jiff::SignedDuration;
use pinion_api::auth::sigv4::Credentials;
use pinion_api::sts::{FetchKeys, KeySource, Provider, Providers};
use pinion_api::testing::{Reply, TestApi, policy};
use pinion_domain::iam::Json;
use pinion_domain::iam::entity::User;
use pinion_domain::iam::entity::{Holder, ManagedPolicy, Role, RoleChange, UserChange};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

const IAM: &str = "/pinion/v1/iam";

fn allow(action: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": "*" })
}

/// A role that may list applications, trusted as the statements say.
async fn role(api: &TestApi, name: &str, trust: Value) -> String {
    let account = api.account().await;
    let document = json!({ "Version": "2012-10-17", "Statement": trust }).to_string();
    let role = Role {
        description: String::new(),
        trust: Json::parse(&document).unwrap(),
        longest_session: 7_200,
        boundary: None,
        tags: [
            ("team".to_owned(), "crew".to_owned()),
            ("kind".to_owned(), "role".to_owned()),
        ]
        .into(),
        sessions_from: None,
    };
    api.store.create_entity(&account, name, role).await.unwrap();
    api.allow(&Holder::role(name), allow("mobiletargeting:GetApps"))
        .await;
    format!("arn:aws:iam::{account}:role/{name}")
}

fn trusting(principal: &Value) -> Value {
    json!({ "Effect": "Allow", "Principal": principal,
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] })
}

async fn assume(api: &TestApi, role: &str, more: &[(&str, &str)]) -> Reply {
    let mut parameters = vec![
        ("Action", "AssumeRole"),
        ("RoleArn", role),
        ("RoleSessionName", "s1"),
    ];
    parameters.extend(more);
    api.sts(&parameters).await
}

#[tokio::test]
async fn everybody_may_ask_who_they_are() {
    let api = TestApi::new().await;
    let account = api.account().await;
    let who = async |api: &TestApi| {
        let reply = api.sts(&[("Action", "GetCallerIdentity")]).await;
        (
            reply.element("Arn"),
            reply.element("UserId"),
            reply.element("Account"),
        )
    };
    let root = (
        format!("arn:aws:iam::{account}:root"),
        account.to_string(),
        account.to_string(),
    );
    assert_eq!(who(&api).await, root);
    let deny = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
    let ann = api.as_user("ann", deny).await;
    let (arn, id, _) = who(&ann).await;
    assert_eq!(arn, format!("arn:aws:iam::{account}:user/ann"));
    assert!(id.starts_with("AIDA"), "{id}");
}

#[tokio::test]
async fn requests_that_cannot_be_answered_say_why_in_xml() {
    let api = TestApi::new().await;
    let unsigned = Request::post("/").header("host", "x");
    let unsigned = unsigned.body(Body::from("Action=GetCallerIdentity")).unwrap();
    assert_eq!(
        api.send(unsigned).await.fault(403).0,
        "MissingAuthenticationToken"
    );
    assert_eq!(
        api.sts(&[("Action", "GetFederationToken")]).await.fault(400).0,
        "InvalidAction"
    );
    assert_eq!(api.sts(&[]).await.fault(400).0, "MissingParameter");
    let stranger = api.with_credentials(Credentials::new("AKIANOBODY", "x"));
    let reply = stranger.sts(&[("Action", "GetCallerIdentity")]).await;
    assert_eq!(reply.fault(403).0, "InvalidClientTokenId");
    // A signature for one service is none for the other.
    let request = api.signed("POST", "/", b"Action=GetCallerIdentity".to_vec());
    assert_eq!(api.send(request).await.fault(403).0, "SignatureDoesNotMatch");
    let (_, message) = assume(&api, "arn:aws:iam::1:user/x", &[]).await.fault(400);
    assert!(message.starts_with("RoleArn:"), "{message}");
    // The rest of the path is no service.
    api.get("/").await.error(404);
}

#[tokio::test]
async fn a_role_is_assumed_by_whom_it_trusts() {
    let api = TestApi::new().await;
    let account = api.account().await;
    let nothing = json!({ "Effect": "Allow", "Action": "nothing:AtAll", "Resource": "*" });
    let ann = api.as_user("ann", nothing.clone()).await;
    let ann_arn = format!("arn:aws:iam::{account}:user/ann");
    let trusted = role(&api, "trusted", trusting(&json!({ "AWS": ann_arn }))).await;
    let through = role(&api, "through", trusting(&json!({ "AWS": account.as_str() }))).await;

    let reply = assume(&ann, &trusted, &[]).await;
    let credentials = reply.credentials();
    assert!(credentials.access_key_id.starts_with("ASIA"));
    assert_eq!(credentials.secret_access_key.len(), 40);
    assert_eq!(reply.element("Expiration"), "2026-11-23T11:00:00Z");
    assert_eq!(
        (
            reply.element("Arn"),
            reply.element("AssumedRoleId")[..4].to_owned()
        ),
        (
            format!("arn:aws:sts::{account}:assumed-role/trusted/s1"),
            "AROA".to_owned()
        )
    );
    let session = ann.with_credentials(credentials);
    session.get("/v1/apps").await.json(200);
    let (_, message) = session.get("/v1/apps/x").await.error(403);
    assert!(
        message.starts_with(&format!(
            "User: arn:aws:sts::{account}:assumed-role/trusted/s1 is not"
        )),
        "{message}"
    );
    let who = session.sts(&[("Action", "GetCallerIdentity")]).await;
    assert!(who.element("UserId").ends_with(":s1"));

    // Trust in the account is not enough without a policy of one's own.
    let (code, message) = assume(&ann, &through, &[]).await.fault(403);
    assert_eq!(code, "AccessDenied");
    assert_eq!(
        message,
        format!("User: {ann_arn} is not authorized to perform: sts:AssumeRole on resource: {through}")
    );
    // A role that is not there is refused in the same words.
    let nowhere = through.replace("through", "nowhere");
    let (_, other) = assume(&ann, &nowhere, &[]).await.fault(403);
    assert_eq!(other, message.replace("through", "nowhere"));
    api.allow(
        &Holder::user("ann"),
        json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": through }),
    )
    .await;
    assume(&ann, &through, &[]).await.credentials();
    // A deny of one's own holds against trust by name.
    api.allow(
        &Holder::user("ann"),
        json!({ "Effect": "Deny", "Action": "sts:*", "Resource": "*" }),
    )
    .await;
    assume(&ann, &trusted, &[]).await.fault(403);
    // The root assumes nothing.
    assert_eq!(
        assume(&api, &trusted, &[]).await.fault(403).1,
        "Roles may not be assumed by root accounts."
    );
}

#[tokio::test]
async fn another_account_needs_trust_and_a_policy() {
    let api = TestApi::new().await;
    let other = api.as_account("222222222222").await;
    let zoe = other
        .as_user(
            "zoe",
            json!({ "Effect": "Allow", "Action": "nothing:AtAll", "Resource": "*" }),
        )
        .await;
    let role = role(&api, "guest", json!({
        "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::222222222222:user/zoe" }, "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "sts:ExternalId": "42:x" } },
    })).await;
    assume(&zoe, &role, &[("ExternalId", "42:x")]).await.fault(403);
    other.allow(&Holder::user("zoe"), allow("sts:AssumeRole")).await;
    assume(&zoe, &role, &[]).await.fault(403);
    assume(&zoe, &role, &[("ExternalId", "43")]).await.fault(403);
    let session = zoe.with_credentials(assume(&zoe, &role, &[("ExternalId", "42:x")]).await.credentials());
    // The session is one of the role's account.
    let app = api.app("theirs").await;
    let apps = session.get("/v1/apps").await.json(200);
    assert_eq!(apps["Item"][0]["Id"], app.as_str());
    assume(&zoe, &role, &[("ExternalId", "a b")]).await.fault(400);
}

#[tokio::test]
async fn temporary_credentials_end_and_cannot_be_changed() {
    let api = TestApi::new().await;
    let ann = api.as_user("ann", allow("sts:AssumeRole")).await;
    let role = role(
        &api,
        "r",
        trusting(&json!({ "AWS": api.account().await.as_str() })),
    )
    .await;
    let reply = assume(&ann, &role, &[("DurationSeconds", "900")]).await;
    let given = reply.credentials();
    let session = api.with_credentials(given.clone());
    session.get("/v1/apps").await.json(200);

    let token = given.session_token.clone().unwrap();
    let unknown = async |credentials: Credentials| {
        let (code, _) = api.with_credentials(credentials).get("/v1/apps").await.error(403);
        assert_eq!(code, "UnrecognizedClientException");
    };
    unknown(Credentials {
        session_token: None,
        ..given.clone()
    })
    .await;
    let mut bytes = BASE64_STANDARD.decode(&token).unwrap();
    for at in [0, 30, bytes.len() - 1] {
        bytes[at] ^= 1;
        let changed = BASE64_STANDARD.encode(&bytes);
        unknown(Credentials {
            session_token: Some(changed),
            ..given.clone()
        })
        .await;
        bytes[at] ^= 1;
    }
    let second = assume(&ann, &role, &[]).await.credentials();
    unknown(Credentials {
        session_token: second.session_token,
        ..given.clone()
    })
    .await;
    // A long-term key has no token.
    unknown(Credentials {
        session_token: Some(token.clone()),
        ..ann.key().clone()
    })
    .await;
    let guessed = Credentials {
        session_token: Some(token),
        ..Credentials::new(given.access_key_id.as_str(), "x".repeat(40))
    };
    let (code, _) = api.with_credentials(guessed).get("/v1/apps").await.error(403);
    assert_eq!(code, "InvalidSignatureException");

    api.clock.advance(SignedDuration::from_secs(899));
    session.get("/v1/apps").await.json(200);
    api.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(
        session.get("/v1/apps").await.error(403).0,
        "ExpiredTokenException"
    );
    assert_eq!(
        session.sts(&[("Action", "GetCallerIdentity")]).await.fault(403).0,
        "ExpiredToken"
    );
}

#[tokio::test]
async fn durations_have_limits() {
    let api = TestApi::new().await;
    let account = api.account().await;
    let ann = api.as_user("ann", allow("sts:AssumeRole")).await;
    let first = role(&api, "first", trusting(&json!({ "AWS": account.as_str() }))).await;
    for (seconds, status) in [
        ("899", 400),
        ("900", 200),
        ("7200", 200),
        ("7201", 400),
        ("x", 400),
    ] {
        let reply = assume(&ann, &first, &[("DurationSeconds", seconds)]).await;
        assert_eq!(reply.status.as_u16(), status, "{seconds}");
    }
    // From one role into the next for an hour at most.
    api.allow(&Holder::role("first"), allow("sts:AssumeRole")).await;
    let chained = ann.assume(&first, &[]).await;
    assume(&chained, &first, &[("DurationSeconds", "3600")])
        .await
        .credentials();
    assume(&chained, &first, &[("DurationSeconds", "3601")])
        .await
        .fault(400);
    for name in ["a", &"x".repeat(65), "a b"] {
        let parameters = [
            ("Action", "AssumeRole"),
            ("RoleArn", first.as_str()),
            ("RoleSessionName", name),
        ];
        let (_, message) = ann.sts(&parameters).await.fault(400);
        assert!(
            message.starts_with("RoleSessionName: must be 2 to 64"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_session_policy_only_narrows() {
    let api = TestApi::new().await;
    let account = api.account().await;
    let ann = api.as_user("ann", allow("sts:AssumeRole")).await;
    let role = role(&api, "r", trusting(&json!({ "AWS": account.as_str() }))).await;
    api.allow(&Holder::role("r"), allow("mobiletargeting:*")).await;
    let narrow = policy(&allow("mobiletargeting:GetApps")).to_string();
    let session = ann.assume(&role, &[("Policy", &narrow)]).await;
    session.get("/v1/apps").await.json(200);
    let (_, message) = session.get("/v1/templates").await.error(403);
    assert!(
        message.contains("no session policy allows the mobiletargeting:ListTemplates action"),
        "{message}"
    );
    // Wider than the role is no wider.
    let wide = policy(&allow("*")).to_string();
    let session = ann.assume(&role, &[("Policy", &wide)]).await;
    session.get("/v1/templates").await.json(200);
    session.get("/pinion/v1/plugins").await.error(403);

    let entity = ManagedPolicy {
        description: String::new(),
        document: policy(&allow("mobiletargeting:ListTemplates")),
    };
    api.store
        .create_entity(&account, "Templates", entity)
        .await
        .unwrap();
    let arn = format!("arn:aws:iam::{account}:policy/Templates");
    let both = [
        ("Policy", narrow.as_str()),
        ("PolicyArns.member.1.arn", arn.as_str()),
    ];
    let session = ann.assume(&role, &both).await;
    session.get("/v1/apps").await.json(200);
    session.get("/v1/templates").await.json(200);
    session.get("/v1/recommenders").await.error(403);

    let none = format!("arn:aws:iam::{account}:policy/None");
    for (parameter, value, code) in [
        ("Policy", "{", "MalformedPolicyDocument"),
        (
            "Policy",
            r#"{"Statement":{"Effect":"Allow","Action":"*"}}"#,
            "MalformedPolicyDocument",
        ),
        (
            "Policy",
            &format!("{}{}", wide, " ".repeat(2_048)),
            "ValidationError",
        ),
        ("PolicyArns.member.1.arn", &none, "ValidationError"),
        (
            "PolicyArns.member.1.arn",
            "arn:aws:iam::222222222222:policy/Templates",
            "ValidationError",
        ),
        ("SerialNumber", "x", "ValidationError"),
    ] {
        assert_eq!(
            assume(&ann, &role, &[(parameter, value)]).await.fault(400).0,
            code,
            "{value}"
        );
    }
}

#[tokio::test]
async fn session_tags_are_principal_tags() {
    let api = TestApi::new().await;
    let account = api.account().await;
    let ann = api.as_user("ann", allow("sts:*")).await;
    let first = role(&api, "first", trusting(&json!({ "AWS": account.as_str() }))).await;
    let tagged = json!([
        { "Effect": "Allow", "Action": "mobiletargeting:GetApps", "Resource": "*",
          "Condition": { "StringEquals": { "aws:PrincipalTag/team": "shore", "aws:PrincipalTag/kind": "role" } } },
        { "Effect": "Allow", "Action": "sts:*", "Resource": "*" },
    ]);
    api.allow(&Holder::role("first"), tagged.clone()).await;
    ann.assume(&first, &[]).await.get("/v1/apps").await.error(403);
    let team = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "shore")];
    let session = ann.assume(&first, &team).await;
    session.get("/v1/apps").await.json(200);

    // Handed on into the next role if they are transitive, and then they stay.
    let second = role(&api, "second", trusting(&json!({ "AWS": first }))).await;
    api.allow(&Holder::role("second"), tagged).await;
    let next = session.assume(&second, &[]).await;
    next.get("/v1/apps").await.error(403);
    let transitive = [team[0], team[1], ("TransitiveTagKeys.member.1", "team")];
    let session = ann.assume(&first, &transitive).await;
    let next = session.assume(&second, &[]).await;
    next.get("/v1/apps").await.json(200);
    assert_eq!(
        assume(&session, &second, &team).await.fault(400).0,
        "InvalidParameterValue"
    );

    // Tags need a permission of their own on both sides.
    api.allow(&Holder::user("ann"), allow("sts:AssumeRole")).await;
    let (_, message) = assume(&ann, &first, &team).await.fault(403);
    assert!(
        message.contains("is not authorized to perform: sts:TagSession"),
        "{message}"
    );
    assume(&ann, &first, &[]).await.credentials();
    for wrong in [
        vec![("Tags.member.1.Value", "x")],
        vec![("Tags.member.1.Key", "a"), ("Tags.member.2.Key", "A")],
        vec![("TransitiveTagKeys.member.1", "a")],
        vec![("Tags.member.1.Key", "aws:x")],
    ] {
        assume(&ann, &first, &wrong).await.fault(400);
    }
    let many: Vec<(String, String)> = (1..=20)
        .flat_map(|n| {
            [
                (format!("Tags.member.{n}.Key"), format!("{n:0>100}")),
                (format!("Tags.member.{n}.Value"), "v".repeat(256)),
            ]
        })
        .collect();
    let many: Vec<(&str, &str)> = many
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    api.allow(&Holder::user("ann"), allow("sts:*")).await;
    assert_eq!(
        assume(&ann, &first, &many).await.fault(400).0,
        "PackedPolicyTooLarge"
    );
}

#[tokio::test]
async fn trust_sees_tags_and_source_identity() {
    let api = TestApi::new().await;
    let ann = api.as_user("ann", allow("sts:*")).await;
    let trust = json!({
        "Effect": "Allow", "Principal": { "AWS": api.account().await.as_str() }, "Action": "sts:*",
        "Condition": { "StringEquals": { "aws:RequestTag/team": "crew", "sts:RoleSessionName": "${aws:username}" },
                       "StringLike": { "sts:SourceIdentity": "a*" } },
    });
    let role = role(&api, "r", trust).await;
    let ask = async |team: &str, name: &str, identity: &str| {
        let parameters = [
            ("Action", "AssumeRole"),
            ("RoleArn", role.as_str()),
            ("RoleSessionName", name),
            ("SourceIdentity", identity),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", team),
        ];
        ann.sts(&parameters).await
    };
    let reply = ask("crew", "ann", "annie").await;
    assert_eq!(reply.element("SourceIdentity"), "annie");
    for (team, name, identity) in [
        ("x", "ann", "annie"),
        ("crew", "bob", "annie"),
        ("crew", "ann", "bob"),
    ] {
        ask(team, name, identity).await.fault(403);
    }
    let session = api.with_credentials(reply.credentials());
    let sees = json!({ "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": { "StringEquals": { "aws:SourceIdentity": "annie" }, "DateEquals": { "aws:TokenIssueTime": "2026-11-23T10:00:00Z" } } });
    api.allow(&Holder::role("r"), sees).await;
    session.get("/v1/apps").await.json(200);
}

#[tokio::test]
async fn what_is_taken_away_is_gone_from_sessions_too() {
    let api = TestApi::new().await;
    let account = api.account().await;
    let ann = api
        .as_user(
            "ann",
            json!([allow("sts:AssumeRole"), allow("mobiletargeting:GetApps")]),
        )
        .await;
    let arn = role(&api, "r", trusting(&json!({ "AWS": account.as_str() }))).await;
    let node = api.other_node().await;
    let second = SignedDuration::from_secs(1);
    let gone = async |session: &TestApi| {
        assert_eq!(
            session.get("/v1/apps").await.error(403).0,
            "UnrecognizedClientException"
        );
    };

    // The policies of a session are those of the role, as they are now.
    let session = ann.assume(&arn, &[]).await;
    session.get("/v1/apps").await.json(200);
    node.allow(&Holder::role("r"), allow("nothing:AtAll")).await;
    api.clock.advance(second);
    assert_eq!(
        session.get("/v1/apps").await.error(403).0,
        "AccessDeniedException"
    );
    node.allow(&Holder::role("r"), allow("*")).await;
    api.clock.advance(second);
    session.get("/v1/apps").await.json(200);

    // Sessions are revoked; later ones are not.
    let change = RoleChange {
        sessions_from: Some(pinion_domain::clock::Clock::now(&*api.clock)),
        ..RoleChange::default()
    };
    node.store
        .update_entity::<Role>(&account, "r", change)
        .await
        .unwrap();
    api.clock.advance(second);
    gone(&session).await;
    let session = ann.assume(&arn, &[]).await;
    session.get("/v1/apps").await.json(200);
    assert_eq!(api.delete(&format!("{IAM}/roles/r/sessions")).await.status, 204);
    session.get("/v1/apps").await.json(200);
    api.clock.advance(second);
    assert_eq!(api.delete(&format!("{IAM}/roles/r/sessions")).await.status, 204);
    gone(&session).await;

    // A new role of the same name is another.
    let session = ann.assume(&arn, &[]).await;
    api.delete(&format!("{IAM}/roles/r/policies/test")).await;
    api.delete(&format!("{IAM}/roles/r")).await.json(200);
    gone(&session).await;
    role(&api, "r", trusting(&json!({ "AWS": account.as_str() }))).await;
    gone(&session).await;

    // Credentials of GetSessionToken end with the key that asked for them, and with the user.
    let token = async |of: &TestApi| {
        let reply = of.sts(&[("Action", "GetSessionToken")]).await;
        api.with_credentials(reply.credentials())
    };
    let session = token(&ann).await;
    session.get("/v1/apps").await.json(200);
    let id = ann.key().access_key_id.as_str().into();
    api.store.set_access_key_enabled(&id, false).await.unwrap();
    gone(&session).await;
    api.store.set_access_key_enabled(&id, true).await.unwrap();
    session.get("/v1/apps").await.json(200);
    api.clock.advance(second);
    assert_eq!(api.delete(&format!("{IAM}/users/ann/sessions")).await.status, 204);
    gone(&session).await;
    ann.get("/v1/apps").await.json(200);
}

#[tokio::test]
async fn a_session_token_is_the_same_principal() {
    let api = TestApi::new().await;
    let ann = api.as_user("ann", allow("mobiletargeting:GetApps")).await;
    let change = UserChange {
        tags: Some([("a".to_owned(), "b".to_owned())].into()),
        ..UserChange::default()
    };
    api.store
        .update_entity::<User>(&api.account().await, "ann", change)
        .await
        .unwrap();
    let reply = ann
        .sts(&[("Action", "GetSessionToken"), ("DurationSeconds", "129600")])
        .await;
    assert_eq!(reply.element("Expiration"), "2026-11-24T22:00:00Z");
    let session = api.with_credentials(reply.credentials());
    session.get("/v1/apps").await.json(200);
    session.get("/v1/templates").await.error(403);
    let who = session.sts(&[("Action", "GetCallerIdentity")]).await;
    assert!(who.element("Arn").ends_with(":user/ann"));
    assert_eq!(
        session.sts(&[("Action", "GetSessionToken")]).await.fault(403).0,
        "AccessDenied"
    );
    for (parameter, value) in [
        ("DurationSeconds", "129601"),
        ("DurationSeconds", "1"),
        ("TokenCode", "123456"),
    ] {
        ann.sts(&[("Action", "GetSessionToken"), (parameter, value)])
            .await
            .fault(400);
    }
    // A root's lasts an hour.
    let reply = api.sts(&[("Action", "GetSessionToken")]).await;
    assert_eq!(reply.element("Expiration"), "2026-11-23T11:00:00Z");
    api.with_credentials(reply.credentials())
        .get("/v1/templates")
        .await
        .json(200);
    api.sts(&[("Action", "GetSessionToken"), ("DurationSeconds", "3601")])
        .await
        .fault(400);
}

/// A provider whose keys are in memory.
struct Idp {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

struct Keys(String);

impl FetchKeys for Keys {
    fn fetch<'a>(&'a self, source: &'a KeySource) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        Box::pin(async move {
            match source {
                KeySource::File(_) => Ok(self.0.clone().into_bytes()),
                KeySource::Url(_) => Err("connection refused".to_owned()),
            }
        })
    }
}

impl Idp {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Self { key, random }
    }

    fn keys(&self) -> String {
        let point = &self.key.public_key().as_ref()[1..];
        let (x, y) = point.split_at(32);
        let key = |id: &str| {
            json!({
                "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
                "x": BASE64_URL_SAFE_NO_PAD.encode(x), "y": BASE64_URL_SAFE_NO_PAD.encode(y),
            })
        };
        json!({ "keys": [{ "kty": "unheard-of", "kid": "0" }, key("1")] }).to_string()
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&self.random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn providers(&self) -> Providers {
        let provider = |issuer: &str, keys| Provider {
            issuer: issuer.to_owned(),
            audiences: vec!["pinion".to_owned(), "sts.amazonaws.com".to_owned()],
            keys,
        };
        let list = vec![
            provider("https://login.example.com/crew", KeySource::File("keys".into())),
            provider(
                "https://down.example.com",
                KeySource::Url("https://down.example.com/k".parse().unwrap()),
            ),
        ];
        Providers::new(list, Arc::new(Keys(self.keys())))
    }
}

#[tokio::test]
async fn a_token_of_a_provider_becomes_a_role() {
    let api = TestApi::new().await;
    let idp = Idp::new();
    let trust = json!({
        "Effect": "Allow", "Principal": { "Federated": "login.example.com/crew" },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": { "StringEquals": { "login.example.com/crew:aud": "pinion" },
                       "StringLike": { "login.example.com/crew:sub": "repo:me/*" } },
    });
    let arn = role(&api, "web", trust).await;
    let api = api.with_providers(idp.providers());
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": "1" });
    let now = 1_795_428_000;
    let claims = |member: &str, value: Value| {
        let mut claims = json!({
            "iss": "https://login.example.com/crew", "sub": "repo:me/it", "aud": "pinion", "exp": now + 60, "iat": now,
        });
        claims[member] = value;
        claims
    };
    let ask = async |token: String| {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("Action", "AssumeRoleWithWebIdentity"),
                ("RoleArn", arn.as_str()),
                ("RoleSessionName", "web-1"),
                ("WebIdentityToken", token.as_str()),
            ])
            .finish();
        // Nobody signs it.
        let request = Request::post("/")
            .header("host", "x")
            .body(Body::from(body))
            .unwrap();
        api.send(request).await
    };

    let reply = ask(idp.token(&header, &claims("aud", json!(["other", "pinion"])))).await;
    assert_eq!(reply.element("SubjectFromWebIdentityToken"), "repo:me/it");
    assert_eq!(reply.element("Provider"), "https://login.example.com/crew");
    assert_eq!(reply.element("Audience"), "pinion");
    let session = api.with_credentials(reply.credentials());
    session.get("/v1/apps").await.json(200);
    let who = session.sts(&[("Action", "GetCallerIdentity")]).await;
    assert!(who.element("Arn").ends_with(":assumed-role/web/web-1"));

    let invalid = "InvalidIdentityToken";
    for (claims, status, code) in [
        (claims("sub", json!("repo:you/it")), 403, "AccessDenied"),
        // Known to the provider's setting, and not to the role's trust.
        (claims("aud", json!("sts.amazonaws.com")), 403, "AccessDenied"),
        (claims("aud", json!("somebody")), 400, invalid),
        (claims("iss", json!("https://login.example.com")), 400, invalid),
        (
            claims("iss", json!("https://down.example.com")),
            400,
            "IDPCommunicationError",
        ),
        (claims("exp", json!(now)), 400, "ExpiredTokenException"),
        (claims("exp", Value::Null), 400, invalid),
        (claims("nbf", json!(now + 61)), 400, invalid),
        (claims("iat", json!(now + 61)), 400, invalid),
    ] {
        let (found, _) = ask(idp.token(&header, &claims)).await.fault(status);
        assert_eq!(found, code, "{claims}");
    }
    let good = claims("iat", json!(now));
    let (head, tail) = idp
        .token(&header, &good)
        .rsplit_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let other = Idp::new();
    for token in [
        "x".to_owned(),
        head.clone(),
        format!("{head}."),
        format!("{head}.{}", "A".repeat(tail.len())),
        other.token(&header, &good),
        idp.token(&json!({ "alg": "ES256", "kid": "2" }), &good),
        idp.token(&json!({ "alg": "RS256", "kid": "1" }), &good),
        idp.token(&json!({ "alg": "HS256", "kid": "1" }), &good),
        idp.token(&json!({ "alg": "none" }), &good),
    ] {
        assert_eq!(ask(token.clone()).await.fault(400).0, invalid, "{token}");
    }
    // A token without the id of its key is tried with all.
    ask(idp.token(&json!({ "alg": "ES256" }), &good))
        .await
        .credentials();
}
