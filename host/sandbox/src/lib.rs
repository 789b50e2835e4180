//! Runs plugins: WebAssembly components with no more reach than they were granted.
//!
//! [`Sandbox`] is [`pinion_domain::extension::Plugins`]; nothing else of this crate is needed to use
//! plugins. `install` is how a file becomes a plugin, `channel` and `pure` are how plugins are
//! called, `outbound` is where their traffic leaves.

mod adapters;
mod channel;
mod code;
mod cpu;
mod engines;
mod fault;
mod inspect;
mod install;
pub mod limits;
mod logging;
pub mod outbound;
mod plugin;
mod pure;
mod services;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pinion_domain::clock::Clock;
use pinion_domain::extension::{
    Binding, Caller, Channel, Grant, KeyValue, Kind, Manifest, Owner, Personalizer, PluginError, PluginInfo,
    Plugins, Predicate,
};
use pinion_domain::id::AccountId;

use adapters::Adapters;
use channel::SandboxedChannel;
use code::CodeCache;
use engines::Engines;
pub use inspect::{Inspection, inspection};
pub use limits::Limits;
pub use outbound::guard::EgressConfig;
use outbound::guard::Guard;
use outbound::http::{HttpPool, tls_config};
use outbound::smtp::{SmtpLimits, SmtpPool};
use plugin::{Code, Version};
use pure::personalizer::SandboxedPersonalizer;
use pure::predicate::SandboxedPredicate;
use services::{Services, Shed};

/// What a sandbox needs.
pub struct SandboxConfig {
    /// Where compiled code is kept; made if need be.
    pub cache_dir: PathBuf,
    /// Authenticates compiled code.
    pub cache_key: [u8; 32],
    /// Ceilings for plugins.
    pub limits: Limits,
    /// What the operator opens beside grants.
    pub egress: EgressConfig,
    /// Outgoing mail.
    pub smtp: SmtpLimits,
    /// Where plugins keep small values.
    pub kv: Arc<dyn KeyValue>,
    /// Time, as channels see it.
    pub clock: Arc<dyn Clock>,
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The folder for compiled code cannot be used.
    #[error("the folder for compiled plugins, {folder}: {source}")]
    Cache {
        /// Which.
        folder: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// wasmtime does not start: mostly for want of address space (`ulimit -v`).
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
}

/// All plugins of a server.
pub struct Sandbox {
    services: Arc<Services>,
    cache: Arc<CodeCache>,
    channels: Adapters<ChannelKey, SandboxedChannel>,
    predicates: Adapters<PureKey, SandboxedPredicate>,
    personalizers: Adapters<PureKey, SandboxedPersonalizer>,
}

/// Who, which plugin, which settings, which grants.
type ChannelKey = (Caller, String, String, Vec<Grant>);
/// Who, which plugin, which settings.
type PureKey = (Caller, String, String);

impl Sandbox {
    /// A sandbox without plugins. Must be called inside a tokio runtime.
    pub fn new(config: SandboxConfig) -> Result<Arc<Self>, SandboxError> {
        let SandboxConfig {
            cache_dir,
            cache_key,
            limits,
            egress,
            smtp,
            kv,
            clock,
        } = config;
        let cache = CodeCache::open(cache_dir.clone(), cache_key).map_err(|source| SandboxError::Cache {
            folder: cache_dir,
            source,
        })?;
        let engines = Engines::new(&limits).map_err(|error| SandboxError::Engine(code::one_line(&error)))?;
        let guard = Arc::new(Guard::new(&egress, Duration::from_secs(10)));
        let http = HttpPool::new(&guard, limits.http.clone(), &tls_config(&egress.roots));
        let smtp = SmtpPool::new(guard, smtp);
        Ok(Arc::new(Self {
            services: Arc::new(Services::new(limits, engines, http, smtp, kv, clock)),
            cache: Arc::new(cache),
            channels: Adapters::default(),
            predicates: Adapters::default(),
            personalizers: Adapters::default(),
        }))
    }

    /// Installs every `*.wasm` of a folder as a plugin of the server, under the name in its manifest
    /// and with the grants listed for that name. One result for each file, by file name.
    pub async fn load_folder(
        &self,
        folder: &Path,
        grants: &HashMap<String, Vec<Grant>>,
    ) -> std::io::Result<Vec<(PathBuf, Result<PluginInfo, PluginError>)>> {
        let mut files = Vec::new();
        let mut entries = tokio::fs::read_dir(folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "wasm") {
                files.push(path);
            }
        }
        files.sort();
        let mut results = Vec::with_capacity(files.len());
        for file in files {
            let result = match tokio::fs::read(&file).await {
                Ok(component) => self.load(component.into(), grants).await,
                Err(error) => Err(PluginError::Refused(format!("{}: {error}", file.display()))),
            };
            results.push((file, result));
        }
        Ok(results)
    }

    /// Installs a component as a plugin of the server, under the name in its manifest and with the
    /// grants listed for that name.
    pub async fn load(
        &self,
        component: Bytes,
        grants: &HashMap<String, Vec<Grant>>,
    ) -> Result<PluginInfo, PluginError> {
        let name = manifest(&component)?.name;
        let grants = grants.get(&name).cloned().unwrap_or_default();
        self.install(Owner::Server, &name, component, grants).await
    }

    fn version(&self, caller: &Caller, name: &str, kind: Kind) -> Result<Arc<Version>, PluginError> {
        let version = self.services.registry.find(&caller.account, name)?.version();
        if version.manifest.kind == kind {
            Ok(version)
        } else {
            Err(version.wrong_kind(kind))
        }
    }

    /// Places for instances that are free: the pure engine's and the io engine's.
    pub fn free_places(&self) -> (usize, usize) {
        (
            self.services.free_places(Kind::Predicate),
            self.services.free_places(Kind::Channel),
        )
    }
}

/// What a component file says of itself, if it is one that this host can run.
pub fn manifest(component: &[u8]) -> Result<Manifest, PluginError> {
    inspect::inspect(component).map_err(PluginError::Refused)
}

/// Runs code of a plugin off the runtime's threads.
async fn off_runtime<R: Send + 'static>(
    name: &str,
    code: impl FnOnce() -> Result<R, PluginError> + Send + 'static,
) -> Result<R, PluginError> {
    tokio::task::spawn_blocking(code).await.unwrap_or_else(|_| {
        Err(PluginError::Fault {
            name: name.to_owned(),
            message: "the host panicked".to_owned(),
        })
    })
}

#[async_trait]
impl Plugins for Sandbox {
    async fn channel(&self, caller: &Caller, binding: &Binding) -> Result<Arc<dyn Channel>, PluginError> {
        self.version(caller, &binding.plugin, Kind::Channel)?;
        let settings = binding.settings.to_string();
        let key = (
            caller.clone(),
            binding.plugin.clone(),
            settings,
            binding.grants.clone(),
        );
        if let Some(channel) = self.channels.get(&key) {
            return Ok(channel);
        }
        let channel = Arc::new(SandboxedChannel::new(self.services.clone(), caller, binding)?);
        let holder: Arc<dyn Shed> = channel.clone();
        self.services.register(Arc::downgrade(&holder));
        self.channels.put(key, channel.clone());
        Ok(channel)
    }

    async fn predicate(
        &self,
        caller: &Caller,
        name: &str,
        settings: &str,
    ) -> Result<Arc<dyn Predicate>, PluginError> {
        let version = self.version(caller, name, Kind::Predicate)?;
        let key = (caller.clone(), name.to_owned(), settings.to_owned());
        let found = self.predicates.get(&key);
        if let Some(predicate) = found.filter(|predicate| Arc::ptr_eq(predicate.version(), &version)) {
            return Ok(predicate);
        }
        let (services, settings) = (self.services.clone(), settings.to_owned());
        let open = move || {
            let Code::Predicate(component) = &version.code else {
                return Err(version.wrong_kind(Kind::Predicate));
            };
            let component = component.clone();
            SandboxedPredicate::new(version, component, services, &settings)
        };
        let predicate = Arc::new(off_runtime(name, open).await?);
        self.predicates.put(key, predicate.clone());
        Ok(predicate)
    }

    async fn personalizer(
        &self,
        caller: &Caller,
        name: &str,
        settings: &str,
    ) -> Result<Arc<dyn Personalizer>, PluginError> {
        let version = self.version(caller, name, Kind::Personalizer)?;
        let key = (caller.clone(), name.to_owned(), settings.to_owned());
        let found = self.personalizers.get(&key);
        if let Some(personalizer) = found.filter(|found| Arc::ptr_eq(found.version(), &version)) {
            return Ok(personalizer);
        }
        let (services, settings) = (self.services.clone(), settings.to_owned());
        let open = move || {
            let Code::Personalizer(component) = &version.code else {
                return Err(version.wrong_kind(Kind::Personalizer));
            };
            let component = component.clone();
            SandboxedPersonalizer::new(version, component, services, &settings)
        };
        let personalizer = Arc::new(off_runtime(name, open).await?);
        let holder: Arc<dyn Shed> = personalizer.clone();
        self.services.register(Arc::downgrade(&holder));
        self.personalizers.put(key, personalizer.clone());
        Ok(personalizer)
    }

    async fn install(
        &self,
        owner: Owner,
        name: &str,
        component: Bytes,
        grants: Vec<Grant>,
    ) -> Result<PluginInfo, PluginError> {
        let version = install::prepare(&self.services, &self.cache, owner, name, component).await;
        let version =
            version.inspect_err(|error| tracing::warn!(plugin.name = name, "not installed: {error}"))?;
        let info = self.services.registry.swap_in(version, grants)?;
        tracing::info!(
            plugin.name = name,
            plugin.version = info.manifest.version,
            plugin.digest = info.digest,
            "installed plugin {name}"
        );
        Ok(info)
    }

    async fn remove(&self, owner: &Owner, name: &str) -> bool {
        self.services.registry.remove(owner, name)
    }

    async fn grant(&self, owner: &Owner, name: &str, grants: Vec<Grant>) -> Result<PluginInfo, PluginError> {
        self.services.registry.grant(owner, name, grants)
    }

    fn list(&self, account: &AccountId) -> Vec<PluginInfo> {
        self.services.registry.list(account)
    }
}
