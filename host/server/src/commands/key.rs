//! `pinion key`

use anyhow::{Result, bail};
use serde_json::json;

use super::say;
use crate::cli::{Data, KeyCreate};
use crate::wiring::open_beside;

pub(crate) async fn create(command: KeyCreate) -> Result<()> {
    let store = open_beside(&command.data).await?;
    let key = store.create_access_key(command.account).await?;
    store.close().await;
    if command.json {
        let object = json!({
            "AccessKeyId": key.id,
            "SecretAccessKey": key.secret.as_str(),
            "AccountId": key.account,
        });
        return say(&object.to_string());
    }
    say(&format!("AWS_ACCESS_KEY_ID={}", key.id))?;
    say(&format!("AWS_SECRET_ACCESS_KEY={}", key.secret.as_str()))?;
    say(&format!(
        "# account {}; the secret is not shown again",
        key.account
    ))
}

pub(crate) async fn list(data: &Data) -> Result<()> {
    let store = open_beside(data).await?;
    let keys = store.list_access_keys().await?;
    store.close().await;
    for key in keys {
        let state = if key.enabled { "enabled" } else { "disabled" };
        say(&format!(
            "{}  {}  {}  {}  {state}",
            key.id,
            key.account,
            key.principal(),
            key.creation_date
        ))?;
    }
    Ok(())
}

pub(crate) async fn disable(data: &Data, id: &str) -> Result<()> {
    let store = open_beside(data).await?;
    let found = store.set_access_key_enabled(&id.into(), false).await?;
    store.close().await;
    if found {
        say(&format!("{id} is disabled"))
    } else {
        bail!("no access key {id}")
    }
}
