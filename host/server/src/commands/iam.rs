//! `pinion iam`

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use pinion_domain::iam::Json;
use pinion_domain::iam::entity::{EntityKind, Holder};
use serde_json::{Map, Value, json};

use super::remote::{Remote, segment};
use super::{pairs, say, show};
use crate::cli::iam::{
    Bounds, Group, Iam, IamCommand, Inline, Policy, PolicyDocument, Role, RoleDocument, Simulate, User,
    UserKey,
};

const IAM: &str = "/pinion/v1/iam";

pub(crate) async fn run(IamCommand { target, command }: IamCommand) -> Result<()> {
    let remote = Remote::open(&target).await?;
    let done = match command {
        Iam::User(command) => user(&remote, command).await,
        Iam::Group(command) => group(&remote, command).await,
        Iam::Role(command) => role(&remote, command).await,
        Iam::Policy(command) => policy(&remote, command).await,
        Iam::Attach { policy, holder } => change(&remote, "PUT", &attached(&holder, &policy)?, None).await,
        Iam::Detach { policy, holder } => change(&remote, "DELETE", &attached(&holder, &policy)?, None).await,
        Iam::Inline(command) => inline(&remote, command).await,
        Iam::Key(command) => key(&remote, command).await,
        Iam::Simulate(questions) => simulate(&remote, questions).await,
    };
    remote.close().await;
    done
}

async fn user(remote: &Remote, command: User) -> Result<()> {
    let path = |name: &str| format!("{IAM}/users/{}", segment(name));
    match command {
        User::List => list(remote, "users", "User").await,
        User::Create { name, bounds } => {
            let body = bounded(remote, bounds).await?;
            show(&remote.json("POST", &path(&name), Some(&body)).await?)
        }
        User::Show { name } => show(&remote.json("GET", &path(&name), None).await?),
        User::Update { name, bounds } => {
            let body = bounded(remote, bounds).await?;
            show(&remote.json("PUT", &path(&name), Some(&body)).await?)
        }
        User::Delete { name } => change(remote, "DELETE", &path(&name), None).await,
        User::RevokeSessions { name } => {
            change(remote, "DELETE", &format!("{}/sessions", path(&name)), None).await
        }
    }
}

async fn group(remote: &Remote, command: Group) -> Result<()> {
    let path = |name: &str| format!("{IAM}/groups/{}", segment(name));
    let member = |group: &str, user: &str| format!("{}/users/{}", path(group), segment(user));
    match command {
        Group::List => list(remote, "groups", "Group").await,
        Group::Create { name } => show(&remote.json("POST", &path(&name), None).await?),
        Group::Show { name } => show(&remote.json("GET", &path(&name), None).await?),
        Group::Delete { name } => change(remote, "DELETE", &path(&name), None).await,
        Group::Add { group, user } => change(remote, "PUT", &member(&group, &user), None).await,
        Group::Remove { group, user } => change(remote, "DELETE", &member(&group, &user), None).await,
    }
}

async fn role(remote: &Remote, command: Role) -> Result<()> {
    let path = |name: &str| format!("{IAM}/roles/{}", segment(name));
    match command {
        Role::List => list(remote, "roles", "Role").await,
        Role::Create(document) => {
            let (path, body) = (path(&document.name), role_body(remote, document).await?);
            show(&remote.json("POST", &path, Some(&body)).await?)
        }
        Role::Update(document) => {
            let (path, body) = (path(&document.name), role_body(remote, document).await?);
            show(&remote.json("PUT", &path, Some(&body)).await?)
        }
        Role::Show { name } => show(&remote.json("GET", &path(&name), None).await?),
        Role::Delete { name } => change(remote, "DELETE", &path(&name), None).await,
        Role::RevokeSessions { name } => {
            change(remote, "DELETE", &format!("{}/sessions", path(&name)), None).await
        }
    }
}

async fn role_body(remote: &Remote, document: RoleDocument) -> Result<Value> {
    let mut body = bounded(remote, document.bounds).await?;
    if let Some(file) = &document.trust {
        body["AssumeRolePolicyDocument"] = document_of(file)?;
    }
    if let Some(seconds) = document.max_session {
        body["MaxSessionDuration"] = seconds.into();
    }
    if let Some(text) = document.description {
        body["Description"] = text.into();
    }
    Ok(body)
}

async fn policy(remote: &Remote, command: Policy) -> Result<()> {
    let path = |name: &str| format!("{IAM}/policies/{}", segment(name));
    let body = |document: &PolicyDocument| -> Result<Value> {
        let mut body = json!({ "PolicyDocument": document_of(&document.file)? });
        if let Some(text) = &document.description {
            body["Description"] = text.as_str().into();
        }
        Ok(body)
    };
    match command {
        Policy::List => list(remote, "policies", "Policy").await,
        Policy::Create(document) => show(
            &remote
                .json("POST", &path(&document.name), Some(&body(&document)?))
                .await?,
        ),
        Policy::Show { name } => show(&remote.json("GET", &path(&name), None).await?),
        Policy::Update(document) => show(
            &remote
                .json("PUT", &path(&document.name), Some(&body(&document)?))
                .await?,
        ),
        Policy::Delete { name } => change(remote, "DELETE", &path(&name), None).await,
    }
}

async fn inline(remote: &Remote, command: Inline) -> Result<()> {
    let path = |holder: &str, name: &str| {
        Ok::<_, anyhow::Error>(format!("{}/policies/{}", of(holder)?, segment(name)))
    };
    match command {
        Inline::Put { holder, name, file } => {
            let body = json!({ "PolicyDocument": document_of(&file)? });
            change(remote, "PUT", &path(&holder, &name)?, Some(&body)).await
        }
        Inline::Show { holder, name } => show(&remote.json("GET", &path(&holder, &name)?, None).await?),
        Inline::Delete { holder, name } => change(remote, "DELETE", &path(&holder, &name)?, None).await,
    }
}

async fn key(remote: &Remote, command: UserKey) -> Result<()> {
    let keys = |user: &str| format!("{IAM}/users/{}/access-keys", segment(user));
    let one = |user: &str, id: &str| format!("{}/{}", keys(user), segment(id));
    match command {
        UserKey::List { user } => {
            let list = remote.json("GET", &keys(&user), None).await?;
            for key in list["Item"].as_array().into_iter().flatten() {
                let column = |member: &str| key[member].as_str().unwrap_or_default();
                let (id, status, made) = (column("AccessKeyId"), column("Status"), column("CreationDate"));
                say(&format!("{id}  {status:8}  {made}"))?;
            }
            Ok(())
        }
        UserKey::Create { user } => {
            let key = remote.json("POST", &keys(&user), None).await?;
            let column = |member: &str| key[member].as_str().unwrap_or_default();
            say(&format!("AWS_ACCESS_KEY_ID={}", column("AccessKeyId")))?;
            say(&format!("AWS_SECRET_ACCESS_KEY={}", column("SecretAccessKey")))?;
            say(&format!("# user {user}; the secret is not shown again"))
        }
        UserKey::Enable { user, access_key_id } => {
            let body = json!({ "Status": "Active" });
            change(remote, "PUT", &one(&user, &access_key_id), Some(&body)).await
        }
        UserKey::Disable { user, access_key_id } => {
            let body = json!({ "Status": "Inactive" });
            change(remote, "PUT", &one(&user, &access_key_id), Some(&body)).await
        }
        UserKey::Delete { user, access_key_id } => {
            change(remote, "DELETE", &one(&user, &access_key_id), None).await
        }
    }
}

async fn simulate(remote: &Remote, questions: Simulate) -> Result<()> {
    let mut context: Map<String, Value> = Map::new();
    for (key, value) in pairs(&questions.context)? {
        let value = Value::from(value);
        match context.get_mut(&key) {
            None => {
                context.insert(key, value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(one) => *one = json!([one.take(), value]),
        }
    }
    let body = json!({ "Actions": questions.actions, "Resources": questions.resources, "Context": context });
    let path = format!("{IAM}/simulate/{}", segment(&questions.principal));
    let answer = remote.json("POST", &path, Some(&body)).await?;
    for result in answer["Results"].as_array().into_iter().flatten() {
        say(&sentence(result))?;
    }
    Ok(())
}

/// One outcome for people.
fn sentence(result: &Value) -> String {
    let column = |member: &str| result[member].as_str().unwrap_or_default();
    let asked = format!("{} on {}", column("Action"), column("Resource"));
    let statement = &result["Statement"];
    let index = &statement["Index"];
    let which = match statement["Sid"].as_str() {
        Some(sid) => format!("statement {sid} ({index})"),
        None => format!("statement {index}"),
    };
    let policy = statement["Policy"].as_str().unwrap_or_default();
    match column("Decision") {
        "allowed" => format!("allowed  {asked}: {which} of {policy}"),
        "explicitDeny" => format!("denied   {asked}: {which} of {policy}"),
        _ => {
            let layer = match column("NotAllowedBy") {
                "boundary" => "its boundary does not allow it",
                _ => "no policy allows it",
            };
            format!("denied   {asked}: {layer}")
        }
    }
}

/// Boundary and tags of a request.
async fn bounded(remote: &Remote, bounds: Bounds) -> Result<Value> {
    let mut body = json!({});
    if let Some(boundary) = &bounds.boundary {
        let arn = if boundary.is_empty() {
            String::new()
        } else {
            let policy = remote
                .json("GET", &format!("{IAM}/policies/{}", segment(boundary)), None)
                .await?;
            policy["Arn"].as_str().unwrap_or_default().to_owned()
        };
        body["PermissionsBoundary"] = arn.into();
    }
    if !bounds.tags.is_empty() {
        let tags: Map<String, Value> = pairs(&bounds.tags)?
            .into_iter()
            .map(|(key, value)| (key, value.into()))
            .collect();
        body["tags"] = tags.into();
    }
    Ok(body)
}

/// A policy as the file has it. The server reads it; here only members that are given twice are refused, since
/// one of them would be lost on the way.
fn document_of(file: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let document = Json::parse(&text).map_err(|error| anyhow!("{}: {error}", file.display()))?;
    Ok(serde_json::to_value(document)?)
}

/// The path of `user/ann`.
fn of(holder: &str) -> Result<String> {
    let Some(Holder { kind, name }) = Holder::parse(holder) else {
        bail!("{holder}: must be user/NAME, group/NAME or role/NAME");
    };
    let list = match kind {
        EntityKind::User => "users",
        EntityKind::Group => "groups",
        _ => "roles",
    };
    Ok(format!("{IAM}/{list}/{}", segment(&name)))
}

fn attached(holder: &str, policy: &str) -> Result<String> {
    Ok(format!("{}/attached-policies/{}", of(holder)?, segment(policy)))
}

/// Changes something, and says nothing if it worked.
async fn change(remote: &Remote, method: &str, path: &str, body: Option<&Value>) -> Result<()> {
    remote.json(method, path, body).await.map(drop)
}

/// Name, id and date of creation, a line each.
async fn list(remote: &Remote, kind: &str, noun: &str) -> Result<()> {
    for item in remote.items(&format!("{IAM}/{kind}")).await? {
        let column = |member: &str| item[member].as_str().unwrap_or_default();
        let (name, id) = (column(&format!("{noun}Name")), column(&format!("{noun}Id")));
        say(&format!("{id}  {}  {name}", column("CreationDate")))?;
    }
    Ok(())
}
