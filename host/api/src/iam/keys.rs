//! Access keys of users. Those of an account's root are the operator's to make, on the machine itself.

use pinion_domain::Error;
use pinion_domain::iam::entity::User;
use pinion_domain::id::AccessKeyId;
use pinion_domain::page::Page;
use pinion_store::AccessKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::existing;
use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeyResponse {
    access_key_id: AccessKeyId,
    user_name: String,
    /// `Active` or `Inactive`.
    status: &'static str,
    creation_date: String,
    /// Shown once, when the key is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<String>,
}

/// Switches a key on or off.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "UpdateAccessKeyRequest")]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct StatusRequest {
    /// `Active` or `Inactive`.
    status: String,
}

impl KeyResponse {
    fn new(key: &AccessKey) -> Self {
        Self {
            access_key_id: key.id.clone(),
            user_name: key.user.clone().unwrap_or_default(),
            status: if key.enabled { "Active" } else { "Inactive" },
            creation_date: key.creation_date.clone(),
            secret_access_key: None,
        }
    }
}

fn missing(call: &Call) -> Error {
    let (id, user) = (call.label("access-key-id"), call.label("user-name"));
    Error::not_found("access key", format!("{id} of user {user}"))
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let user = existing::<User>(api, &call, call.label("user-name")).await?;
    let keys = api
        .store()
        .user_access_keys(&call.tenant.account, &user.name)
        .await?;
    Answer::page(&Page {
        items: keys.iter().map(KeyResponse::new).collect(),
        next_token: None,
    })
}

pub(crate) async fn create(api: &Api, call: Call) -> Result<Answer> {
    let user = call.label("user-name");
    let key = api
        .store()
        .create_user_access_key(&call.tenant.account, user)
        .await?;
    Answer::json(&KeyResponse {
        secret_access_key: Some(key.secret.to_string()),
        ..KeyResponse::new(&key)
    })
}

pub(crate) async fn update(api: &Api, call: Call) -> Result<Answer> {
    let enabled = match call.json::<StatusRequest>()?.status.as_str() {
        "Active" => true,
        "Inactive" => false,
        _ => return Err(Error::invalid("Status", "must be Active or Inactive").into()),
    };
    let id: AccessKeyId = call.label("access-key-id").into();
    let found = api.store().access_key(&id).await?;
    let belongs = |key: &AccessKey| {
        key.account == call.tenant.account && key.user.as_deref() == Some(call.label("user-name"))
    };
    let mut key = found.filter(belongs).ok_or_else(|| missing(&call))?;
    if !api.store().set_access_key_enabled(&id, enabled).await? {
        return Err(missing(&call).into());
    }
    key.enabled = enabled;
    Answer::json(&KeyResponse::new(&key))
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let (user, id) = (call.label("user-name"), call.label("access-key-id").into());
    let deleted = api
        .store()
        .delete_user_access_key(&call.tenant.account, user, &id)
        .await?;
    if !deleted {
        return Err(missing(&call).into());
    }
    Ok(Answer::empty())
}
