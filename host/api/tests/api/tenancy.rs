//! Accounts and regions are worlds apart: for every operation of the table, somebody else's valid key on
//! this account's ids finds nothing, changes nothing, and is shown not a byte of what is there.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pinion_api::operations::{OPERATIONS, Operation};
use pinion_api::testing::{Reply, TestApi, policy};
use serde_json::{Value, json};

/// In everything that the account keeps, and in no name that a stranger could guess.
const SECRET: &str = "MARKED-AS-SECRET";

/// What one account has, by the labels of paths.
struct Kept {
    api: TestApi,
    labels: Vec<(&'static str, String)>,
    arns: Vec<String>,
    account: String,
}

fn text(value: &Value, member: &str) -> String {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {value}"))
        .to_owned()
}

impl Kept {
    async fn new() -> Self {
        let api = TestApi::new().await;
        let account = api.account().await.to_string();
        let created = api
            .post("/v1/apps", json!({ "Name": SECRET, "tags": { "t": SECRET } }))
            .await
            .json(201);
        let app = text(&created, "Id");
        let in_app = format!("/v1/apps/{app}");
        let endpoint = json!({
            "Address": "ann@example.com", "ChannelType": "EMAIL", "Attributes": { "a": [SECRET] },
            "User": { "UserId": "shared-user", "UserAttributes": { "b": [SECRET] } },
        });
        api.put(&format!("{in_app}/endpoints/shared-endpoint"), endpoint)
            .await
            .json(202);
        let dimensions = json!({ "Attributes": { "a": { "Values": [SECRET] } } });
        let segment = json!({ "Name": SECRET, "Dimensions": dimensions });
        let segment = api.post(&format!("{in_app}/segments"), segment).await.json(201);
        let campaign = json!({
            "Name": SECRET, "SegmentId": segment["Id"], "SegmentVersion": 1, "Schedule": { "StartTime": "2027-01-01T00:00:00Z" },
            "MessageConfiguration": { "EmailMessage": { "Title": SECRET, "Body": SECRET, "FromAddress": "a@example.com" } },
        });
        let campaign = api.post(&format!("{in_app}/campaigns"), campaign).await.json(201);
        let journey = api
            .post(&format!("{in_app}/journeys"), json!({ "Name": SECRET }))
            .await
            .json(201);
        let journey = text(&journey, "Id");
        let email = json!({ "FromAddress": format!("{SECRET}@example.com"), "Identity": SECRET });
        api.put(&format!("{in_app}/channels/email"), email)
            .await
            .json(200);
        let template = json!({ "Subject": SECRET, "TextPart": SECRET, "tags": { "t": SECRET } });
        let template = api.post("/v1/templates/shared/email", template).await.json(201);
        let import = json!({
            "Format": "CSV", "RoleArn": "arn:aws:iam::1:role/r", "S3Url": format!("s3://{SECRET}/x.csv"),
        });
        let import = api.post(&format!("{in_app}/jobs/import"), import).await.json(201);

        let iam = "/pinion/v1/iam";
        let tags = json!({ "tags": { "t": SECRET } });
        api.post(&format!("{iam}/users/shared"), tags).await.json(201);
        api.post(&format!("{iam}/groups/shared"), json!({}))
            .await
            .json(201);
        let document = json!({ "PolicyDocument": policy(&json!(
            { "Sid": SECRET.replace('-', ""), "Effect": "Allow", "Action": "a:b", "Resource": "*" }
        )), "Description": SECRET });
        api.post(&format!("{iam}/policies/shared"), document.clone())
            .await
            .json(201);
        let role = json!({ "Description": SECRET, "AssumeRolePolicyDocument": {
            "Statement": { "Effect": "Allow", "Principal": { "AWS": account }, "Action": "sts:AssumeRole" },
        } });
        api.post(&format!("{iam}/roles/shared"), role).await.json(201);
        let own = json!({ "PolicyDocument": document["PolicyDocument"] });
        for holder in ["users", "groups", "roles"] {
            api.put(&format!("{iam}/{holder}/shared/policies/shared"), own.clone())
                .await;
            api.put(
                &format!("{iam}/{holder}/shared/attached-policies/shared"),
                json!({}),
            )
            .await;
        }
        api.put(&format!("{iam}/groups/shared/users/shared"), json!({}))
            .await;
        let key = api
            .post(&format!("{iam}/users/shared/access-keys"), json!({}))
            .await
            .json(201);

        let arns = vec![
            text(&created, "Arn"),
            text(&segment, "Arn"),
            text(&campaign, "Arn"),
            text(&template, "Arn"),
        ];
        Self {
            labels: vec![
                ("application-id", app),
                ("segment-id", text(&segment, "Id")),
                ("campaign-id", text(&campaign, "Id")),
                ("journey-id", journey),
                ("endpoint-id", "shared-endpoint".to_owned()),
                ("user-id", "shared-user".to_owned()),
                ("job-id", text(&import, "Id")),
                ("access-key-id", text(&key, "AccessKeyId")),
                ("template-type", "EMAIL".to_owned()),
                ("version", "1".to_owned()),
                ("kpi-name", "txn-emails-sent".to_owned()),
                ("attribute-type", "endpoint-custom-attributes".to_owned()),
                ("principal", "user%2Fshared".to_owned()),
            ],
            api,
            arns,
            account,
        }
    }

    /// The operation's path with this account's ids; whatever else has a name is called `shared`.
    fn path(&self, operation: &Operation) -> String {
        let mut path = operation.path.to_owned();
        for (label, value) in &self.labels {
            path = path.replace(&format!("{{{label}}}"), value);
        }
        let arn = utf8_percent_encode(&self.arns[0], NON_ALPHANUMERIC).to_string();
        path = path.replace("{resource-arn}", &arn);
        while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, "shared");
        }
        path
    }

    /// Everything that can be read, as the account itself sees it.
    async fn everything(&self) -> Vec<(String, u16, String)> {
        let mut all = Vec::new();
        for operation in OPERATIONS.iter().filter(|operation| operation.method == "GET") {
            let path = self.path(operation);
            let reply = self.api.get(&path).await;
            let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
            if let Some(members) = body.as_object_mut() {
                members.remove("RequestID");
            }
            all.push((path, reply.status.as_u16(), body.to_string()));
        }
        all
    }
}

#[track_caller]
fn shows_nothing(reply: &Reply, of: &Kept, what: &str) {
    let body = String::from_utf8_lossy(&reply.body);
    let headers = format!("{:?}", reply.headers);
    for secret in [SECRET, &SECRET.replace('-', ""), "ann@example.com"] {
        assert!(
            !body.contains(secret) && !headers.contains(secret),
            "{what}: {body}"
        );
    }
    // A stranger's own sentence may name the stranger, and the ARN that it asked about; never the account.
    if reply.status.is_success() {
        assert!(!body.contains(&of.account), "{what}: {body}");
        for (label, id) in of.labels.iter().filter(|(label, _)| label.ends_with("-id")) {
            assert!(
                id.starts_with("shared") || !body.contains(id.as_str()),
                "{what} shows {label}: {body}"
            );
        }
    }
}

/// Operations that make or list something in the caller's own world, whatever is in others.
fn acts_on_its_own_world(operation: &Operation) -> bool {
    let names_nothing_of_others = !operation.path.contains('{');
    let makes_its_own = operation.name.starts_with("Create") && operation.method == "POST";
    let makes_its_own = makes_its_own && !operation.path.contains("{application-id}");
    // Putting a plugin makes it, too.
    names_nothing_of_others || makes_its_own || operation.name == "PutPlugin"
}

#[tokio::test]
async fn nobody_else_finds_changes_or_sees_anything() {
    let kept = Kept::new().await;
    let before = kept.everything().await;
    let readable = before.iter().filter(|(_, _, body)| body.contains(SECRET)).count();
    assert!(readable > 20, "the marks are where they should be: {readable}");

    let other = kept.api.as_account("222222222222").await;
    let user = other
        .as_user(
            "zoe",
            json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }),
        )
        .await;
    let elsewhere = kept.api.in_region("us-east-1");
    // What makes something of one's own comes last: it would be found afterwards.
    let (own_world, others): (Vec<_>, Vec<_>) = OPERATIONS
        .iter()
        .partition(|operation| acts_on_its_own_world(operation));
    for operation in others.into_iter().chain(own_world) {
        let regional = operation.path.starts_with("/v1/");
        let path = kept.path(operation);
        for body in [&b"{}"[..], b"", br#"{"tags":{"a":"b"}}"#] {
            for (stranger, another_account) in [(&other, true), (&user, true), (&elsewhere, false)] {
                if !another_account && !regional {
                    continue;
                }
                let request = stranger.signed(operation.method.as_str(), &path, body.to_vec());
                let reply = stranger.send(request).await;
                let what = format!("{} {path}", operation.name);
                if another_account {
                    shows_nothing(&reply, &kept, &what);
                } else {
                    assert!(!String::from_utf8_lossy(&reply.body).contains(SECRET), "{what}");
                }
                let status = reply.status.as_u16();
                let refused = matches!(status, 403 | 404);
                // What cannot be read is refused as such where nothing is looked up by it.
                let unreadable = status == 400 && !operation.path.contains("{application-id}");
                assert!(
                    refused || unreadable || acts_on_its_own_world(operation),
                    "{what} answered {status}: {}",
                    String::from_utf8_lossy(&reply.body)
                );
            }
        }
    }
    let after = kept.everything().await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn ids_of_others_mean_nothing_inside_ones_own_application() {
    let kept = Kept::new().await;
    let before = kept.everything().await;
    let other = kept.api.as_account("222222222222").await;
    let own = other.app("own").await;
    let theirs = &kept.labels[0].1;
    for operation in OPERATIONS {
        let below = operation.path.strip_prefix("/v1/apps/{application-id}/");
        if !below.is_some_and(|below| below.contains("-id}")) {
            continue;
        }
        let path = kept.path(operation).replace(theirs, &own);
        let reply = other
            .send(other.signed(operation.method.as_str(), &path, b"{}".to_vec()))
            .await;
        shows_nothing(&reply, &kept, &format!("{} {path}", operation.name));
    }
    let label = |wanted: &str| {
        kept.labels
            .iter()
            .find(|(label, _)| *label == wanted)
            .unwrap()
            .1
            .as_str()
    };
    let (segment, in_own) = (label("segment-id"), format!("/v1/apps/{own}"));
    let message = json!({ "EmailMessage": { "Title": "t", "Body": "b", "FromAddress": "a@example.com" } });
    for (path, body) in [
        (
            format!("{in_own}/campaigns"),
            json!({ "SegmentId": segment, "Schedule": { "StartTime": "IMMEDIATE" }, "MessageConfiguration": message }),
        ),
        (
            format!("{in_own}/campaigns"),
            json!({ "SegmentId": segment, "Schedule": { "StartTime": "IMMEDIATE" },
                    "TemplateConfiguration": { "EmailTemplate": { "Name": "shared" } } }),
        ),
        (
            format!("{in_own}/segments"),
            json!({ "SegmentGroups": { "Include": "ALL", "Groups": [{ "Type": "ALL", "SourceSegments": [{ "Id": segment }] }] } }),
        ),
        (
            format!("{in_own}/jobs/import"),
            json!({ "Format": "CSV", "RoleArn": "arn:aws:iam::1:role/r", "S3Url": "s3://a/b", "SegmentId": segment }),
        ),
        (
            "/pinion/v1/iam/users/new".to_owned(),
            json!({ "PermissionsBoundary": format!("arn:aws:iam::{}:policy/shared", kept.account) }),
        ),
    ] {
        let reply = other.post(&path, body.clone()).await;
        assert!(reply.status.is_client_error(), "{path} {body}: {reply:?}");
        shows_nothing(&reply, &kept, &path);
    }
    let endpoints = json!({ "MessageConfiguration": message, "Endpoints": { "shared-endpoint": {} } });
    shows_nothing(
        &other.post(&format!("{in_own}/messages"), endpoints).await,
        &kept,
        "SendMessages",
    );
    assert_eq!(kept.everything().await, before);
}

#[tokio::test]
async fn tokens_of_others_lists_lead_nowhere() {
    let kept = Kept::new().await;
    for name in ["second", "third"] {
        kept.api
            .post("/v1/apps", json!({ "Name": SECRET }))
            .await
            .json(201);
        kept.api
            .post(
                &format!("/v1/templates/{name}/email"),
                json!({ "Subject": SECRET }),
            )
            .await
            .json(201);
        for kind in ["users", "groups"] {
            kept.api
                .post(&format!("/pinion/v1/iam/{kind}/{name}"), json!({}))
                .await
                .json(201);
        }
    }
    let other = kept.api.as_account("222222222222").await;
    let mut tokens = 0;
    for operation in OPERATIONS.iter().filter(|operation| operation.method == "GET") {
        if operation.path.contains('{') {
            continue;
        }
        let page = kept
            .api
            .get(&format!("{}?page-size=1", operation.path))
            .await
            .json(200);
        let Some(token) = page["NextToken"].as_str() else {
            continue;
        };
        tokens += 1;
        for parameter in ["token", "next-token"] {
            let reply = other
                .get(&format!("{}?{parameter}={token}", operation.path))
                .await;
            shows_nothing(&reply, &kept, operation.name);
        }
    }
    assert!(tokens >= 4, "{tokens}");
}
