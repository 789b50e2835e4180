//! Who may do what: policies decide every request.

use http::{HeaderValue, header};
use jiff::SignedDuration;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pinion_api::auth::connection::Connection;
use pinion_api::operations::OPERATIONS;
use pinion_api::testing::{Reply, TestApi, policy};
use pinion_domain::iam::entity::User;
use pinion_domain::iam::entity::{Group, Holder, ManagedPolicy, UserChange};
use serde_json::{Value, json};

fn allow(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

#[track_caller]
fn refused(reply: &Reply) -> String {
    let (code, message) = reply.error(403);
    assert_eq!(code, "AccessDeniedException");
    // Errors of access carry both spellings.
    assert_eq!(reply.json(403)["message"], message.as_str());
    message
}

fn tags_path(arn: &str) -> String {
    format!("/v1/tags/{}", utf8_percent_encode(arn, NON_ALPHANUMERIC))
}

async fn managed(api: &TestApi, name: &str, statements: Value) {
    let account = api.account().await;
    let entity = ManagedPolicy {
        description: String::new(),
        document: policy(&statements),
    };
    api.store.create_entity(&account, name, entity).await.unwrap();
}

#[tokio::test]
async fn a_user_may_do_what_its_policy_allows() {
    let api = TestApi::new().await;
    let (mine, other) = (api.app("mine").await, api.app("other").await);
    let reads = json!([
        { "Effect": "Allow", "Action": ["mobiletargeting:Get*", "mobiletargeting:List*"],
          "Resource": format!("arn:aws:mobiletargeting:eu-west-1:*:apps/{mine}*") },
    ]);
    let ann = api.as_user("ann", reads).await;
    ann.get(&format!("/v1/apps/{mine}")).await.json(200);
    ann.get(&format!("/v1/apps/{mine}/segments")).await.json(200);
    let account = api.account().await;
    let message = refused(&ann.get(&format!("/v1/apps/{other}")).await);
    assert_eq!(
        message,
        format!(
            "User: arn:aws:iam::{account}:user/ann is not authorized to perform: mobiletargeting:GetApp \
             on resource: arn:aws:mobiletargeting:eu-west-1:{account}:apps/{other} because no \
             identity-based policy allows the mobiletargeting:GetApp action"
        )
    );
    refused(&ann.delete(&format!("/v1/apps/{mine}")).await);
    refused(&ann.get("/v1/apps").await);
    refused(&ann.get("/pinion/v1/plugins").await);
    // Another region is another world, and the policy names this one.
    refused(&ann.in_region("us-east-1").get(&format!("/v1/apps/{mine}")).await);
    api.get(&format!("/v1/apps/{mine}")).await.json(200);
}

/// Every row of the table is decided: without a policy nothing is allowed, and the sentence names what
/// would have to be.
#[tokio::test]
async fn nothing_is_allowed_without_a_policy() {
    let api = TestApi::new().await;
    let deny = json!({ "Effect": "Deny", "Action": "nothing:AtAll", "Resource": "*" });
    let ann = api.as_user("ann", deny).await;
    for operation in OPERATIONS {
        let arn = "arn%3Aaws%3Amobiletargeting%3Aeu-west-1%3A";
        let arn = format!("{arn}{}%3Aapps%2Fa", api.account().await);
        let path = operation
            .path
            .replace("{resource-arn}", &arn)
            .replace(['{', '}'], "");
        let reply = ann
            .send(ann.signed(operation.method.as_str(), &path, b"{}".to_vec()))
            .await;
        let message = refused(&reply);
        let asked = format!(
            "is not authorized to perform: {} on resource: arn:aws:",
            operation.action()
        );
        assert!(message.contains(&asked), "{message}");
    }
}

#[tokio::test]
async fn a_refusal_does_not_say_what_exists() {
    let api = TestApi::new().await;
    let app = api.app("secret").await;
    let ann = api.as_user("ann", allow("mobiletargeting:GetApps", "*")).await;
    let there = refused(&ann.get(&format!("/v1/apps/{app}")).await);
    let nowhere = "0".repeat(app.len());
    let gone = refused(&ann.get(&format!("/v1/apps/{nowhere}")).await);
    assert_eq!(there.replace(&app, "X"), gone.replace(&nowhere, "X"));
    // Nor does a body that could not be read.
    let reply = ann
        .send(ann.signed("POST", &format!("/v1/apps/{app}/segments"), b"{".to_vec()))
        .await;
    refused(&reply);
}

#[tokio::test]
async fn a_deny_wins_and_groups_count() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let account = api.account().await;
    let ann = api.as_user("ann", allow("mobiletargeting:GetApps", "*")).await;
    let path = format!("/v1/apps/{app}");
    refused(&ann.get(&path).await);
    api.store.create_entity(&account, "crew", Group {}).await.unwrap();
    managed(&api, "Everything", allow("*", "*")).await;
    api.store
        .attach_policy(&account, &Holder::group("crew"), "Everything")
        .await
        .unwrap();
    refused(&ann.get(&path).await);
    api.store.add_to_group(&account, "crew", "ann").await.unwrap();
    ann.get(&path).await.json(200);
    let deny = json!({ "Effect": "Deny", "Action": "mobiletargeting:GetApp", "Resource": "*" });
    api.allow(&Holder::group("crew"), deny).await;
    let message = refused(&ann.get(&path).await);
    assert!(
        message.ends_with("with an explicit deny in an identity-based policy"),
        "{message}"
    );
    ann.get("/v1/apps").await.json(200);
}

#[tokio::test]
async fn a_boundary_bounds() {
    let api = TestApi::new().await;
    let account = api.account().await;
    let ann = api.as_user("ann", allow("*", "*")).await;
    ann.get("/pinion/v1/plugins").await.json(200);
    managed(&api, "Bound", allow("mobiletargeting:*", "*")).await;
    let change = UserChange {
        boundary: Some(Some("Bound".to_owned())),
        ..UserChange::default()
    };
    api.store
        .update_entity::<User>(&account, "ann", change)
        .await
        .unwrap();
    ann.get("/v1/apps").await.json(200);
    let message = refused(&ann.get("/pinion/v1/plugins").await);
    assert!(
        message.contains("no permissions boundary allows the pinion:ListPlugins action"),
        "{message}"
    );
}

#[tokio::test]
async fn tags_of_requests_and_resources_decide() {
    let api = TestApi::new().await;
    let statements = json!([
        { "Effect": "Allow", "Action": "mobiletargeting:CreateApp", "Resource": "*",
          "Condition": { "StringEquals": { "aws:RequestTag/team": "crew" },
                         "ForAllValues:StringEquals": { "aws:TagKeys": ["team", "cost"] } } },
        { "Effect": "Allow", "Action": ["mobiletargeting:GetApp", "mobiletargeting:UntagResource"], "Resource": "*",
          "Condition": { "StringEquals": { "aws:ResourceTag/team": "${aws:PrincipalTag/team}" },
                         "ForAllValues:StringNotEquals": { "aws:TagKeys": "team" } } },
        { "Effect": "Allow", "Action": "mobiletargeting:TagResource", "Resource": "*",
          "Condition": { "ForAllValues:StringEquals": { "aws:TagKeys": "cost" }, "Null": { "aws:TagKeys": "false" } } },
    ]);
    let ann = api.as_user("ann", statements).await;
    let change = UserChange {
        tags: Some([("team".to_owned(), "crew".to_owned())].into()),
        ..UserChange::default()
    };
    api.store
        .update_entity::<User>(&api.account().await, "ann", change)
        .await
        .unwrap();

    let create = async |tags: Value| ann.post("/v1/apps", json!({ "Name": "x", "tags": tags })).await;
    let made = create(json!({ "team": "crew", "cost": "1" })).await.json(201);
    refused(&create(json!({ "team": "other" })).await);
    refused(&create(json!({ "team": "crew", "more": "1" })).await);
    refused(&create(json!({})).await);
    refused(&ann.post("/v1/apps", json!({ "Name": "x" })).await);
    // Who decides and who acts see the same tags.
    let twice = br#"{"Name":"x","tags":{"team":"crew","team":"other"}}"#.to_vec();
    let (_, message) = ann.send(ann.signed("POST", "/v1/apps", twice)).await.error(400);
    assert!(message.contains("given twice"), "{message}");
    let twice = br#"{"Name":"x","tags":{"team":"other"},"tags":{"team":"crew"}}"#.to_vec();
    ann.send(ann.signed("POST", "/v1/apps", twice)).await.error(400);

    let path = format!("/v1/apps/{}", made["Id"].as_str().unwrap());
    let tags = tags_path(made["Arn"].as_str().unwrap());
    ann.get(&path).await.json(200);
    assert_eq!(ann.delete(&format!("{tags}?tagKeys=cost")).await.status, 204);
    refused(&ann.delete(&format!("{tags}?tagKeys=cost&tagKeys=team")).await);
    assert_eq!(
        ann.post(&tags, json!({ "tags": { "cost": "2" } })).await.status,
        204
    );
    refused(&ann.post(&tags, json!({ "tags": { "team": "x" } })).await);
    api.post(&tags, json!({ "tags": { "team": "other" } })).await;
    refused(&ann.get(&path).await);
    // What does not exist has no tags.
    refused(&ann.get("/v1/apps/nothing").await);
}

#[tokio::test]
async fn the_connection_decides() {
    let api = TestApi::new().await;
    let statements = json!([
        { "Effect": "Allow", "Action": "mobiletargeting:GetApps", "Resource": "*",
          "Condition": { "IpAddress": { "aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"] },
                         "Bool": { "aws:SecureTransport": "true" },
                         "StringLike": { "aws:UserAgent": "Boto3/*" },
                         "StringEquals": { "aws:RequestedRegion": "eu-west-1", "aws:username": "ann" },
                         "DateLessThan": { "aws:CurrentTime": "2026-11-24T00:00:00Z" } } },
    ]);
    let ann = api.as_user("ann", statements).await;
    let ask = async |peer: Option<&str>, secure: bool, agent: &'static str| {
        let mut request = ann.signed("GET", "/v1/apps", Vec::new());
        request
            .headers_mut()
            .insert(header::USER_AGENT, HeaderValue::from_static(agent));
        request.extensions_mut().insert(Connection {
            peer: peer.map(|peer| peer.parse().unwrap()),
            secure,
        });
        ann.send(request).await.status.as_u16()
    };
    for (peer, secure, agent, expected) in [
        (Some("203.0.113.9"), true, "Boto3/1.40", 200),
        (Some("::ffff:203.0.113.9"), true, "Boto3/1.40", 200),
        (Some("2001:db8::1"), true, "Boto3/1.40", 200),
        (Some("198.51.100.1"), true, "Boto3/1.40", 403),
        (None, true, "Boto3/1.40", 403),
        (Some("203.0.113.9"), false, "Boto3/1.40", 403),
        (Some("203.0.113.9"), true, "curl/8", 403),
    ] {
        assert_eq!(
            ask(peer, secure, agent).await,
            expected,
            "{peer:?} {secure} {agent}"
        );
    }
    api.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(ask(Some("203.0.113.9"), true, "Boto3/1.40").await, 403);
}

#[tokio::test]
async fn changes_act_at_once_here_and_within_a_second_elsewhere() {
    let api = TestApi::new().await;
    let ann = api.as_user("ann", allow("mobiletargeting:GetApps", "*")).await;
    let node = api.other_node().await;
    let there = node.with_credentials(ann.key().clone());
    for asked in [&ann, &there] {
        asked.get("/v1/apps").await.json(200);
    }
    let second = SignedDuration::from_secs(1);
    api.allow(&Holder::user("ann"), allow("mobiletargeting:GetApp", "*"))
        .await;
    refused(&ann.get("/v1/apps").await);
    // The other node may believe the old policy for less than a second.
    there.get("/v1/apps").await.json(200);
    api.clock.advance(second);
    refused(&there.get("/v1/apps").await);

    node.allow(&Holder::user("ann"), allow("mobiletargeting:GetApps", "*"))
        .await;
    there.get("/v1/apps").await.json(200);
    api.clock.advance(second);
    ann.get("/v1/apps").await.json(200);

    let id = ann.key().access_key_id.as_str().into();
    node.store.set_access_key_enabled(&id, false).await.unwrap();
    assert_eq!(
        there.get("/v1/apps").await.error(403).0,
        "UnrecognizedClientException"
    );
    api.clock.advance(second);
    assert_eq!(
        ann.get("/v1/apps").await.error(403).0,
        "UnrecognizedClientException"
    );
    // A key that was unknown a moment ago is looked up.
    let account = api.account().await;
    let key = node.store.create_user_access_key(&account, "ann").await.unwrap();
    let fresh = api.with_credentials(pinion_api::auth::sigv4::Credentials::new(
        key.id,
        key.secret.as_str(),
    ));
    fresh.get("/v1/apps").await.json(200);
}

#[tokio::test]
async fn another_accounts_resources_are_refused_by_name() {
    let api = TestApi::new().await;
    let app = api.post("/v1/apps", json!({ "Name": "x" })).await.json(201);
    let arn = app["Arn"].as_str().unwrap();
    let other = api.as_account("222222222222").await;
    let admin = other.as_user("ann", allow("*", "*")).await;
    for stranger in [&other, &admin] {
        let message = refused(&stranger.get(&tags_path(arn)).await);
        assert!(
            message.ends_with(
                "because no resource-based policy allows the mobiletargeting:ListTagsForResource action"
            ),
            "{message}"
        );
    }
}
