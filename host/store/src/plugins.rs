//! Plugins installed through the API, and the small values that plugins keep.

use async_trait::async_trait;
use pinion_domain::extension::{Caller, Grant, KeyValue, Owner};
use pinion_domain::id::AppId;
use sqlx::FromRow;

use crate::backend::{read, write};
use crate::{Error, Lane, Result, Store};

/// A plugin as it was installed.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPlugin {
    /// Whose.
    pub owner: Owner,
    /// The name under which it serves.
    pub name: String,
    /// SHA-256 of the component, hexadecimal.
    pub digest: String,
    /// The component file.
    pub component: Vec<u8>,
    /// What was granted.
    pub grants: Vec<Grant>,
}

#[derive(FromRow)]
struct Row {
    owner: String,
    name: String,
    digest: String,
    component: Vec<u8>,
    grants: String,
}

impl Store {
    /// Keeps a plugin; one of the same owner and name is replaced.
    pub async fn put_plugin(&self, plugin: StoredPlugin) -> Result<()> {
        let grants = grants_text(&plugin.grants)?;
        self.inner
            .main
            .write(Lane::Interactive, (plugin, grants), |tx, (plugin, grants)| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    write!(tx, |db| sqlx::query(
                        "insert into plugin (owner, name, digest, component, grants, installed_at)
                         values ($1, $2, $3, $4, $5, $6)
                         on conflict (owner, name) do update set
                             digest = excluded.digest, component = excluded.component,
                             grants = excluded.grants, installed_at = excluded.installed_at"
                    )
                    .bind(owner_text(&plugin.owner))
                    .bind(&plugin.name)
                    .bind(&plugin.digest)
                    .bind(&plugin.component)
                    .bind(grants)
                    .bind(now)
                    .execute(&mut *db)
                    .await
                    .map(drop))?;
                    Ok(())
                })
            })
            .await
    }

    /// All plugins of all owners.
    pub async fn plugins(&self) -> Result<Vec<StoredPlugin>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(
            "select owner, name, digest, component, grants from plugin order by owner, name"
        )
        .fetch_all(db)
        .await)?;
        rows.into_iter()
            .map(|row| {
                Ok(StoredPlugin {
                    owner: if row.owner.is_empty() {
                        Owner::Server
                    } else {
                        Owner::Account(row.owner.into())
                    },
                    grants: serde_json::from_str(&row.grants)
                        .map_err(|error| Error::corrupt(format!("plugin {}", row.name), error))?,
                    name: row.name,
                    digest: row.digest,
                    component: row.component,
                })
            })
            .collect()
    }

    /// Forgets a plugin; `false` if there was none. The values that it kept stay, for its return.
    pub async fn delete_plugin(&self, owner: &Owner, name: &str) -> Result<bool> {
        self.inner
            .main
            .write(
                Lane::Interactive,
                (owner.clone(), name.to_owned()),
                |tx, (owner, name)| {
                    Box::pin(async move {
                        let deleted = write!(tx, |db| sqlx::query(
                            "delete from plugin where owner = $1 and name = $2"
                        )
                        .bind(owner_text(owner))
                        .bind(name)
                        .execute(&mut *db)
                        .await?
                        .rows_affected());
                        Ok(deleted > 0)
                    })
                },
            )
            .await
    }

    /// Replaces what is granted to a plugin; `false` if there is none.
    pub async fn put_grants(&self, owner: &Owner, name: &str, grants: &[Grant]) -> Result<bool> {
        let input = (owner.clone(), name.to_owned(), grants_text(grants)?);
        self.inner
            .main
            .write(Lane::Interactive, input, |tx, (owner, name, grants)| {
                Box::pin(async move {
                    let changed = write!(tx, |db| sqlx::query(
                        "update plugin set grants = $3 where owner = $1 and name = $2"
                    )
                    .bind(owner_text(owner))
                    .bind(name)
                    .bind(grants)
                    .execute(&mut *db)
                    .await?
                    .rows_affected());
                    Ok(changed > 0)
                })
            })
            .await
    }

    async fn plugin_value(&self, app: &AppId, plugin: &str, key: &str) -> Result<Option<Vec<u8>>> {
        let sealed: Option<Vec<u8>> = read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select value_sealed from plugin_value
             where app_id = $1 and plugin = $2 and name = $3 and (expires_at is null or expires_at > $4)"
        )
        .bind(app.as_str())
        .bind(plugin)
        .bind(key)
        .bind(self.inner.clock.now().as_millisecond())
        .fetch_optional(db)
        .await)?;
        sealed
            .map(|sealed| {
                let value = self
                    .inner
                    .secrets
                    .open(&sealed, &bound(app, plugin, key), "plugin value")?;
                Ok(value.to_vec())
            })
            .transpose()
    }

    async fn put_plugin_value(
        &self,
        app: &AppId,
        plugin: &str,
        key: &str,
        value: &[u8],
        ttl_seconds: u32,
    ) -> Result<()> {
        struct Input {
            app: AppId,
            plugin: String,
            key: String,
            sealed: Vec<u8>,
            ttl: Option<i64>,
        }
        let input = Input {
            sealed: self.inner.secrets.seal(value, &bound(app, plugin, key)),
            app: app.clone(),
            plugin: plugin.to_owned(),
            key: key.to_owned(),
            ttl: (ttl_seconds > 0).then(|| i64::from(ttl_seconds) * 1_000),
        };
        self.inner
            .main
            .write(Lane::Interactive, input, |tx, input| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    write!(tx, |db| {
                        // Whoever writes sweeps, so that values which expired do not pile up.
                        sqlx::query("delete from plugin_value where expires_at <= $1")
                            .bind(now)
                            .execute(&mut *db)
                            .await?;
                        sqlx::query(
                            "insert into plugin_value (app_id, plugin, name, value_sealed, expires_at)
                             values ($1, $2, $3, $4, $5)
                             on conflict (app_id, plugin, name) do update set
                                 value_sealed = excluded.value_sealed, expires_at = excluded.expires_at",
                        )
                        .bind(input.app.as_str())
                        .bind(&input.plugin)
                        .bind(&input.key)
                        .bind(&input.sealed)
                        .bind(input.ttl.map(|ttl| now + ttl))
                        .execute(&mut *db)
                        .await?;
                    });
                    Ok(())
                })
            })
            .await
    }
}

#[async_trait]
impl KeyValue for Store {
    async fn get(&self, caller: &Caller, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.plugin_value(&caller.app, plugin, key)
            .await
            .map_err(|error| error.to_string())
    }

    async fn set(
        &self,
        caller: &Caller,
        plugin: &str,
        key: &str,
        value: &[u8],
        ttl_seconds: u32,
    ) -> Result<(), String> {
        self.put_plugin_value(&caller.app, plugin, key, value, ttl_seconds)
            .await
            .map_err(|error| error.to_string())
    }
}

/// As JSON, so that no name can be mistaken for two.
fn bound(app: &AppId, plugin: &str, key: &str) -> String {
    serde_json::json!(["plugin-value", app, plugin, key]).to_string()
}

fn owner_text(owner: &Owner) -> &str {
    match owner {
        Owner::Server => "",
        Owner::Account(account) => account.as_str(),
    }
}

fn grants_text(grants: &[Grant]) -> Result<String> {
    serde_json::to_string(grants).map_err(|error| Error::corrupt("grants", error))
}
