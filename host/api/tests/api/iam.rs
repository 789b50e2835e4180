//! Users, groups, roles and policies as clients manage them.

use pinion_api::auth::sigv4::Credentials;
use pinion_api::testing::TestApi;
use serde_json::{Value, json};

const IAM: &str = "/pinion/v1/iam";

fn document(statement: &Value) -> Value {
    json!({ "PolicyDocument": { "Version": "2012-10-17", "Statement": statement } })
}

fn allow(action: &str) -> Value {
    document(&json!({ "Effect": "Allow", "Action": action, "Resource": "*" }))
}

fn trust(principal: &Value) -> Value {
    json!({ "Statement": { "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole" } })
}

#[tokio::test]
async fn users_are_made_changed_and_removed() {
    let api = TestApi::new().await;
    let account = api.account().await;
    let ann = format!("{IAM}/users/ann");
    let made = api
        .post(&ann, json!({ "tags": { "team": "crew" } }))
        .await
        .json(201);
    assert_eq!(made["Arn"], format!("arn:aws:iam::{account}:user/ann"));
    assert_eq!(made["tags"], json!({ "team": "crew" }));
    assert!(made["UserId"].as_str().unwrap().starts_with("AIDA"), "{made}");
    assert_eq!(api.get(&ann).await.json(200), made);
    // A user needs no body.
    let bob = api
        .send(api.signed("POST", &format!("{IAM}/users/bob"), Vec::new()))
        .await;
    bob.json(201);
    let (code, _) = api.post(&ann, json!({})).await.error(409);
    assert_eq!(code, "ConflictException");
    api.post(&format!("{IAM}/users/ANN"), json!({})).await.error(409);
    api.get(&format!("{IAM}/users/ANN")).await.error(404);

    api.post(&format!("{IAM}/policies/Bound"), allow("*"))
        .await
        .json(201);
    let arn = format!("arn:aws:iam::{account}:policy/Bound");
    let bounded = api
        .put(&ann, json!({ "PermissionsBoundary": arn }))
        .await
        .json(200);
    assert_eq!(bounded["PermissionsBoundary"], arn);
    assert_eq!(bounded["tags"], made["tags"]);
    let free = api
        .put(&ann, json!({ "PermissionsBoundary": "" }))
        .await
        .json(200);
    assert_eq!(free.get("PermissionsBoundary"), None);

    let list = api.get(&format!("{IAM}/users?page-size=1")).await.json(200);
    assert_eq!(list["Item"][0]["UserName"], "ann");
    let token = list["NextToken"].as_str().unwrap();
    let list = api
        .get(&format!("{IAM}/users?page-size=1&token={token}"))
        .await
        .json(200);
    assert_eq!(
        (list["Item"][0]["UserName"].as_str(), list.get("NextToken")),
        (Some("bob"), None)
    );
    api.delete(&ann).await.json(200);
    api.delete(&ann).await.error(404);
}

#[tokio::test]
async fn keys_are_shown_once_and_work_while_they_are_active() {
    let api = TestApi::new().await;
    let ann = format!("{IAM}/users/ann");
    let keys = format!("{ann}/access-keys");
    api.post(&keys, json!({})).await.error(404);
    api.post(&ann, json!({})).await.json(201);
    api.put(&format!("{ann}/policies/own"), allow("mobiletargeting:GetApps"))
        .await;
    let key = api.post(&keys, json!({})).await.json(201);
    let id = key["AccessKeyId"].as_str().unwrap();
    let credentials = Credentials::new(id, key["SecretAccessKey"].as_str().unwrap());
    let as_ann = api.with_credentials(credentials);
    as_ann.get("/v1/apps").await.json(200);

    let list = api.get(&keys).await;
    assert_eq!(list.json(200)["Item"][0]["Status"], "Active");
    assert!(!String::from_utf8_lossy(&list.body).contains("Secret"));
    let path = format!("{keys}/{id}");
    let changed = api.put(&path, json!({ "Status": "Inactive" })).await.json(200);
    assert_eq!(changed["Status"], "Inactive");
    assert_eq!(
        as_ann.get("/v1/apps").await.error(403).0,
        "UnrecognizedClientException"
    );
    api.put(&path, json!({ "Status": "Active" })).await.json(200);
    as_ann.get("/v1/apps").await.json(200);
    api.put(&path, json!({ "Status": "Maybe" })).await.error(400);

    api.post(&keys, json!({})).await.json(201);
    let (_, message) = api.post(&keys, json!({})).await.error(400);
    assert!(message.contains("2 access keys already"), "{message}");
    // Neither another user's path nor another account reaches the key.
    api.post(&format!("{IAM}/users/bob"), json!({})).await.json(201);
    let wrong = format!("{IAM}/users/bob/access-keys/{id}");
    api.put(&wrong, json!({ "Status": "Inactive" })).await.error(404);
    api.delete(&wrong).await.error(404);
    let other = api.as_account("222222222222").await;
    other.put(&path, json!({ "Status": "Inactive" })).await.error(404);
    // Nor does any of them reach the root's.
    let root = format!("{keys}/{}", api.key().access_key_id);
    api.delete(&root).await.error(404);
    api.put(&root, json!({ "Status": "Inactive" })).await.error(404);

    assert_eq!(api.delete(&path).await.status, 204);
    as_ann.get("/v1/apps").await.error(403);
    api.delete(&ann).await.error(409);
}

#[tokio::test]
async fn policies_are_put_on_users_groups_and_roles() {
    let api = TestApi::new().await;
    api.post(&format!("{IAM}/policies/P"), allow("a:b"))
        .await
        .json(201);
    api.post(&format!("{IAM}/users/ann"), json!({})).await.json(201);
    api.post(&format!("{IAM}/groups/crew"), json!({})).await.json(201);
    let role = json!({ "AssumeRolePolicyDocument": trust(&json!({ "AWS": "*" })) });
    api.post(&format!("{IAM}/roles/sender"), role).await.json(201);
    for holder in ["users/ann", "groups/crew", "roles/sender"] {
        let holder = format!("{IAM}/{holder}");
        assert_eq!(
            api.put(&format!("{holder}/policies/own"), allow("c:d"))
                .await
                .status,
            204
        );
        assert_eq!(
            api.put(&format!("{holder}/attached-policies/P"), json!({}))
                .await
                .status,
            204
        );
        let got = api.get(&holder).await.json(200);
        assert_eq!(
            (&got["Policies"], &got["AttachedPolicies"]),
            (&json!(["own"]), &json!(["P"]))
        );
        let own = api.get(&format!("{holder}/policies/own")).await.json(200);
        assert_eq!(own["PolicyDocument"], allow("c:d")["PolicyDocument"]);
        api.get(&format!("{holder}/policies/P")).await.error(404);
        api.delete(&holder).await.error(409);
        assert_eq!(api.delete(&format!("{holder}/policies/own")).await.status, 204);
        api.delete(&format!("{holder}/policies/own")).await.error(404);
        api.delete(&format!("{IAM}/policies/P")).await.error(409);
        assert_eq!(
            api.delete(&format!("{holder}/attached-policies/P")).await.status,
            204
        );
        api.delete(&format!("{holder}/attached-policies/P"))
            .await
            .error(404);
        api.put(&format!("{holder}/attached-policies/none"), json!({}))
            .await
            .error(404);
    }
    let members = format!("{IAM}/groups/crew/users/ann");
    assert_eq!(api.put(&members, json!({})).await.status, 204);
    assert_eq!(
        api.get(&format!("{IAM}/groups/crew")).await.json(200)["Users"],
        json!(["ann"])
    );
    assert_eq!(
        api.get(&format!("{IAM}/users/ann")).await.json(200)["Groups"],
        json!(["crew"])
    );
    assert_eq!(api.delete(&members).await.status, 204);
    api.delete(&members).await.error(404);
    for holder in ["users/ann", "groups/crew", "roles/sender", "policies/P"] {
        api.delete(&format!("{IAM}/{holder}")).await.json(200);
    }
}

#[tokio::test]
async fn roles_say_who_and_for_how_long() {
    let api = TestApi::new().await;
    let role = format!("{IAM}/roles/sender");
    let request = json!({
        "AssumeRolePolicyDocument": trust(&json!({ "AWS": "111122223333" })),
        "Description": "sends", "MaxSessionDuration": 7_200, "tags": { "team": "crew" },
    });
    let made = api.post(&role, request.clone()).await.json(201);
    assert_eq!(
        made["AssumeRolePolicyDocument"],
        request["AssumeRolePolicyDocument"]
    );
    assert_eq!(made["MaxSessionDuration"], 7_200);
    let changed = api
        .put(&role, json!({ "MaxSessionDuration": 3_600 }))
        .await
        .json(200);
    assert_eq!(
        (&changed["MaxSessionDuration"], &changed["Description"]),
        (&json!(3_600), &json!("sends"))
    );
    for (wrong, expected) in [
        (
            json!({ "MaxSessionDuration": 3_599 }),
            "MaxSessionDuration: must be between 3600 and 43200",
        ),
        (
            json!({ "MaxSessionDuration": 43_201 }),
            "MaxSessionDuration: must be between",
        ),
        (
            json!({ "AssumeRolePolicyDocument": {} }),
            "AssumeRolePolicyDocument.Statement: is missing",
        ),
        (
            json!({ "PermissionsBoundary": "arn:aws:iam::1:policy/x" }),
            "PermissionsBoundary: must be the ARN",
        ),
        (
            json!({ "PermissionBoundary": "" }),
            "unknown field `PermissionBoundary`",
        ),
        (
            json!({ "tags": { "aws:x": "y" } }),
            "tags.aws:x: keys that begin with aws:",
        ),
    ] {
        let (_, message) = api.put(&role, wrong).await.error(400);
        assert!(message.contains(expected), "{message}");
    }
    let (_, message) = api
        .post(&format!("{IAM}/roles/other"), json!({}))
        .await
        .error(400);
    assert!(
        message.contains("AssumeRolePolicyDocument: must say who"),
        "{message}"
    );
}

#[tokio::test]
async fn what_is_no_policy_is_refused_with_its_place() {
    let api = TestApi::new().await;
    api.post(&format!("{IAM}/users/ann"), json!({})).await.json(201);
    let long: Vec<String> = (0..200)
        .map(|n| format!("arn:aws:mobiletargeting:*:*:apps/{n:032}"))
        .collect();
    for (wrong, expected) in [
        (json!({}), "missing field `PolicyDocument`"),
        (
            json!({ "PolicyDocument": "{}" }),
            "PolicyDocument: must be an object, not a string",
        ),
        (
            document(
                &json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "StringLikes": { "aws:x": "y" } } }),
            ),
            "PolicyDocument.Statement.Condition.StringLikes: is not a condition operator",
        ),
        (
            document(&json!([{ "Effect": "Allow", "Action": "*", "Resource": "apps/*" }])),
            "PolicyDocument.Statement[0].Resource: \"apps/*\" is neither * nor an ARN",
        ),
        (
            document(&json!({ "Effect": "Allow", "Action": "*", "Resource": long })),
            "PolicyDocument: a policy has at most 6144 characters",
        ),
    ] {
        let (code, message) = api
            .put(&format!("{IAM}/users/ann/policies/p"), wrong)
            .await
            .error(400);
        assert_eq!(code, "BadRequestException");
        assert!(message.contains(expected), "{message}");
    }
    let twice =
        br#"{"PolicyDocument":{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}}"#;
    let path = format!("{IAM}/users/ann/policies/p");
    let (_, message) = api
        .send(api.signed("PUT", &path, twice.to_vec()))
        .await
        .error(400);
    assert!(message.contains("\"Effect\" is given twice"), "{message}");
    for name in ["a b", "ż"] {
        let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let (_, message) = api
            .post(&format!("{IAM}/users/{name}"), json!({}))
            .await
            .error(400);
        assert!(message.starts_with("user-name: must be 1 to 64"), "{message}");
    }
}

#[tokio::test]
async fn accounts_manage_their_own() {
    let api = TestApi::new().await;
    api.post(&format!("{IAM}/users/ann"), json!({})).await.json(201);
    let other = api.as_account("222222222222").await;
    other.get(&format!("{IAM}/users/ann")).await.error(404);
    assert_eq!(
        other.get(&format!("{IAM}/users")).await.json(200)["Item"],
        json!([])
    );
    // Users have no region.
    api.in_region("us-east-1")
        .get(&format!("{IAM}/users/ann"))
        .await
        .json(200);
    // And a user manages what it may.
    let statement = json!({ "Effect": "Allow", "Action": "pinion:*AccessKey*",
        "Resource": "arn:aws:iam::*:user/${aws:username}" });
    let bob = api.as_user("bob", statement).await;
    bob.get(&format!("{IAM}/users/bob/access-keys")).await.json(200);
    bob.get(&format!("{IAM}/users/ann/access-keys")).await.error(403);
    bob.get(&format!("{IAM}/users/bob")).await.error(403);
}

#[tokio::test]
async fn a_simulation_names_the_statement() {
    let api = TestApi::new().await;
    let app = api
        .post("/v1/apps", json!({ "Name": "x", "tags": { "team": "crew" } }))
        .await
        .json(201);
    let arn = app["Arn"].as_str().unwrap();
    let statements = json!([
        { "Sid": "Reads", "Effect": "Allow", "Action": "mobiletargeting:Get*", "Resource": "*",
          "Condition": { "StringEquals": { "aws:ResourceTag/team": "crew" } } },
        { "Effect": "Deny", "Action": "*", "Resource": "*",
          "Condition": { "NotIpAddressIfExists": { "aws:SourceIp": "10.0.0.0/8" } } },
    ]);
    api.as_user("ann", statements).await;
    let path = format!("{IAM}/simulate/user%2Fann");
    let ask = async |context: Value| {
        let questions = json!({
            "Actions": ["mobiletargeting:GetApp", "mobiletargeting:DeleteApp"], "Resources": [arn], "Context": context,
        });
        api.post(&path, questions).await.json(200)["Results"].clone()
    };
    assert_eq!(
        ask(json!({ "aws:SourceIp": "10.1.1.1" })).await,
        json!([
            { "Action": "mobiletargeting:GetApp", "Resource": arn, "Decision": "allowed",
              "Statement": { "Layer": "identity", "Policy": "policy test of user/ann", "Sid": "Reads", "Index": 0 } },
            { "Action": "mobiletargeting:DeleteApp", "Resource": arn, "Decision": "implicitDeny",
              "NotAllowedBy": "identity" },
        ])
    );
    let outside = ask(json!({ "aws:SourceIp": "192.0.2.1" })).await;
    assert_eq!(outside[0]["Decision"], "explicitDeny");
    assert_eq!(outside[0]["Statement"]["Index"], 1);
    let untagged = ask(json!({ "aws:SourceIp": "10.1.1.1", "aws:ResourceTag/team": "other" })).await;
    assert_eq!(untagged[0]["Decision"], "implicitDeny");

    let questions = json!({ "Actions": ["a:b"], "Resources": ["*"] });
    api.post(&format!("{IAM}/simulate/user%2Fbob"), questions.clone())
        .await
        .error(404);
    api.post(&format!("{IAM}/simulate/group%2Fcrew"), questions)
        .await
        .error(400);
    api.post(&path, json!({ "Actions": [], "Resources": ["*"] }))
        .await
        .error(400);
    api.post(
        &path,
        json!({ "Actions": ["a:b"], "Resources": ["*"], "Contxt": {} }),
    )
    .await
    .error(400);
}
