//! Plugins of an account: our own operations, in the manner of AWS's. What comes with the server is
//! shown and cannot be changed here.

use std::borrow::Cow;

use pinion_domain::Error;
use pinion_domain::extension::manifest::is_name;
use pinion_domain::extension::{Grant, Kind, Owner, PluginInfo};
use pinion_domain::page::Page;
use pinion_store::StoredPlugin;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::error::{ApiError, Result};
use crate::extract::{Answer, Call};

/// A plugin as clients see it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PluginResponse {
    name: String,
    version: String,
    kind: Kind,
    description: String,
    /// `ACCOUNT` or `SERVER`.
    owner: &'static str,
    /// SHA-256 of the component.
    digest: String,
    /// Bytes of the component.
    size: u64,
    /// What the manifest asks to reach.
    asks: Vec<Grant>,
    /// What it may reach.
    grants: Vec<Grant>,
}

/// What it may reach, from now on.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "PluginGrantsRequest")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Grants {
    grants: Vec<Grant>,
}

/// The raw bytes of a WebAssembly component. Never made: handlers take them as they come.
pub(crate) enum Component {}

impl JsonSchema for Component {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Component".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "contentMediaType": "application/wasm" })
    }
}

impl From<PluginInfo> for PluginResponse {
    fn from(plugin: PluginInfo) -> Self {
        Self {
            name: plugin.manifest.name,
            version: plugin.manifest.version,
            kind: plugin.manifest.kind,
            description: plugin.manifest.description,
            owner: match plugin.owner {
                Owner::Server => "SERVER",
                Owner::Account(_) => "ACCOUNT",
            },
            digest: plugin.digest,
            size: plugin.size,
            asks: plugin.manifest.hosts,
            grants: plugin.grants,
        }
    }
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let items = api.plugins().list(&call.tenant.account);
    Answer::page(&Page {
        items: items.into_iter().map(PluginResponse::from).collect(),
        next_token: None,
    })
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let plugin = find(api, &call).ok_or_else(|| missing(&call))?;
    Answer::json(&PluginResponse::from(plugin))
}

/// Takes the raw component. It is compiled and tried beside whatever serves under the name; grants
/// given before stay.
pub(crate) async fn put(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("plugin-name");
    if !is_name(name) {
        return Err(Error::invalid(
            "plugin-name",
            "must be 1 to 64 lower-case letters, digits and hyphens",
        )
        .into());
    }
    if call.body.is_empty() {
        return Err(Error::invalid("request body", "must be a WebAssembly component").into());
    }
    let owner = owner(&call);
    let grants = find(api, &call)
        .filter(|plugin| plugin.owner == owner)
        .map(|plugin| plugin.grants)
        .unwrap_or_default();
    let plugin = api
        .plugins()
        .install(owner.clone(), name, call.body.clone(), grants)
        .await?;
    api.store()
        .put_plugin(StoredPlugin {
            owner,
            name: name.to_owned(),
            digest: plugin.digest.clone(),
            component: call.body.to_vec(),
            grants: plugin.grants.clone(),
        })
        .await?;
    Answer::json(&PluginResponse::from(plugin))
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let plugin = own(api, &call)?;
    api.store()
        .delete_plugin(&plugin.owner, call.label("plugin-name"))
        .await?;
    api.plugins()
        .remove(&plugin.owner, call.label("plugin-name"))
        .await;
    Answer::json(&PluginResponse::from(plugin))
}

/// Replaces all grants.
pub(crate) async fn put_grants(api: &Api, call: Call) -> Result<Answer> {
    let Grants { grants } = call.json()?;
    let plugin = own(api, &call)?;
    let name = call.label("plugin-name");
    api.store().put_grants(&plugin.owner, name, &grants).await?;
    let plugin = api.plugins().grant(&plugin.owner, name, grants).await?;
    Answer::json(&PluginResponse::from(plugin))
}

fn owner(call: &Call) -> Owner {
    Owner::Account(call.tenant.account.clone())
}

/// The account's own plugin comes before the server's.
fn find(api: &Api, call: &Call) -> Option<PluginInfo> {
    let name = call.label("plugin-name");
    api.plugins()
        .list(&call.tenant.account)
        .into_iter()
        .find(|plugin| plugin.manifest.name == name)
}

fn own(api: &Api, call: &Call) -> Result<PluginInfo> {
    let plugin = find(api, call).ok_or_else(|| missing(call))?;
    if plugin.owner == owner(call) {
        Ok(plugin)
    } else {
        Err(ApiError::access_denied(format!(
            "plugin {} comes with the server and cannot be changed by an account",
            plugin.manifest.name
        )))
    }
}

fn missing(call: &Call) -> ApiError {
    Error::not_found("plugin", call.label("plugin-name")).into()
}
