//! Builds the parts in order, each from those before it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pinion_api::Api;
use pinion_api::auth::sigv4::Rules;
use pinion_api::sts::Providers;
use pinion_domain::clock::{Clock, SystemClock};
use pinion_domain::extension::Plugins as _;
use pinion_engine::Engine;
use pinion_engine::config::RetryPolicy;
use pinion_sandbox::outbound::smtp::SmtpLimits;
use pinion_sandbox::{EgressConfig, Limits, Sandbox, SandboxConfig};
use pinion_store::{MasterKey, Options, Store};
use tracing::{info, warn};
use url::Url;

use crate::cli::Data;
use crate::config::Config;
use crate::http_client::JwksClient;

/// The label of the key that console links are signed with.
pub const CONSOLE_KEY: &str = "console";

/// First-party components, in the binary.
const EMBEDDED: &[&[u8]] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A component in the binary, by its name; `None` if this server was built without it.
pub fn embedded(name: &str) -> Option<bytes::Bytes> {
    let named =
        |component: &&&[u8]| pinion_sandbox::manifest(component).is_ok_and(|found| found.name == name);
    EMBEDDED
        .iter()
        .find(named)
        .map(|component| bytes::Bytes::from_static(component))
}

/// The clock of everything outside tests.
pub fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// How the store of these settings is opened.
pub fn options(config: &Config, folder: &Path, serve: bool) -> Result<Options> {
    let master_key = match (&config.store.master_key, &config.store.master_key_file) {
        (Some(_), Some(_)) => bail!("store.master_key and store.master_key_file exclude each other"),
        (Some(text), None) => Some(MasterKey::parse(text)?),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("store.master_key_file {}", file.display()))?;
            Some(MasterKey::parse(&text)?)
        }
        (None, None) => None,
    };
    Ok(Options {
        folder: folder.to_owned(),
        database_url: config.database.url.clone(),
        master_key,
        serve,
    })
}

/// The store, for a command beside a server that may be running.
pub async fn open_beside(data: &Data) -> Result<Store> {
    Ok(Store::open(options(&data.settings()?, &data.data, false)?, system_clock()).await?)
}

/// Plugins: embedded ones, those of the folder, and those that were installed through the API.
pub async fn plugins(config: &Config, folder: &Path, store: &Store) -> Result<Arc<Sandbox>> {
    let (sandbox, problems) = load_plugins(config, folder, store).await?;
    for problem in problems {
        warn!("{problem}");
    }
    Ok(sandbox)
}

/// The same, with sentences about those that cannot be served.
pub async fn load_plugins(
    config: &Config,
    folder: &Path,
    store: &Store,
) -> Result<(Arc<Sandbox>, Vec<String>)> {
    let mut problems = Vec::new();
    let sandbox = Sandbox::new(SandboxConfig {
        cache_dir: folder.join("plugin-cache"),
        cache_key: store.derived_key("plugin-cache"),
        limits: Limits::default(),
        egress: EgressConfig::default(),
        smtp: SmtpLimits::default(),
        kv: Arc::new(store.clone()),
        clock: Arc::clone(store.clock()),
    })?;
    let grants: HashMap<_, _> = config.plugins.grants.clone().into_iter().collect();
    for component in EMBEDDED {
        let plugin = sandbox
            .load(bytes::Bytes::from_static(component), &grants)
            .await?;
        info!(plugin.name = %plugin.manifest.name, plugin.version = %plugin.manifest.version, "plugin embedded");
    }
    if let Some(folder) = &config.plugins.folder {
        let loaded = sandbox
            .load_folder(folder, &grants)
            .await
            .with_context(|| format!("plugins.folder {}", folder.display()))?;
        for (file, result) in loaded {
            match result {
                Ok(plugin) => {
                    info!(plugin.name = %plugin.manifest.name, file = %file.display(), "plugin loaded");
                }
                Err(error) => {
                    problems.push(format!("{} is not served: {error}", file.display()));
                }
            }
        }
    }
    for plugin in store.plugins().await? {
        let name = plugin.name.clone();
        if let Err(error) = sandbox
            .install(plugin.owner, &plugin.name, plugin.component.into(), plugin.grants)
            .await
        {
            problems.push(format!("the installed plugin {name} is not served: {error}"));
        }
    }
    Ok((sandbox, problems))
}

/// The API of these settings.
pub fn api(config: &Config, engine: &Engine) -> Result<Api> {
    let regions = (!config.access.regions.is_empty()).then(|| config.access.regions.clone());
    let rules = Rules {
        regions,
        ..Rules::default()
    };
    let providers = config.access.providers()?;
    Ok(Api::new(engine.clone(), rules)
        .with_providers(Providers::new(providers, Arc::new(JwksClient::new())))
        .with_rates(config.rates()?))
}

/// The engine of these settings. `public_url` is where links lead.
pub fn engine(
    config: &Config,
    store: &Store,
    sandbox: Arc<Sandbox>,
    public_url: Option<Url>,
) -> Result<Engine> {
    let defaults = pinion_engine::Config::default();
    let section = &config.engine;
    let retry = RetryPolicy {
        first: section
            .retry_first_seconds
            .map_or(defaults.retry.first, Duration::from_secs_f64),
        attempts: section.retry_attempts.unwrap_or(defaults.retry.attempts),
        ..defaults.retry
    };
    let config = pinion_engine::Config {
        bindings: config.bindings()?,
        public_url,
        import_folder: config.imports.folder.clone(),
        export_folder: config.exports.folder.clone(),
        workers: section.workers.unwrap_or(defaults.workers),
        batch: section.batch.unwrap_or(defaults.batch),
        retry,
        repeat_window: section
            .repeat_window_seconds
            .map_or(defaults.repeat_window, |seconds| {
                Duration::from_secs(u64::from(seconds))
            }),
        audience_bytes: section
            .audience_megabytes
            .map_or(defaults.audience_bytes, |megabytes| {
                megabytes.saturating_mul(1_000_000)
            }),
        ..defaults
    };
    Ok(Engine::new(store.clone(), sandbox, config)?)
}
