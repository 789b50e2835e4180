//! Installed plugins: who has which, in which version, with which grants.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::RwLock;
use pinion_bindings::channel::ChannelPluginPre;
use pinion_bindings::personalizer::PersonalizerPluginPre;
use pinion_bindings::predicate::PredicatePluginPre;
use pinion_domain::extension::{Grant, Kind, Manifest, Owner, PluginError, PluginInfo};
use pinion_domain::id::AccountId;

use crate::channel::state::ChannelState;
use crate::pure::PureState;

/// One version of a plugin, compiled and linked.
pub struct Version {
    /// Whose.
    pub owner: Owner,
    /// What it says of itself.
    pub manifest: Manifest,
    /// SHA-256 of the component file, hexadecimal.
    pub digest: String,
    /// Bytes of the component file.
    pub size: u64,
    /// Ready to be instantiated.
    pub code: Code,
}

/// A component that only needs a store.
pub enum Code {
    Channel(ChannelPluginPre<ChannelState>),
    Predicate(PredicatePluginPre<PureState>),
    Personalizer(PersonalizerPluginPre<PureState>),
}

impl Version {
    /// The name under which its values are kept, which no other plugin can have: an account's plugin
    /// may carry the name of a server's, and must not read what that one stored.
    pub fn store_name(&self) -> String {
        match self.owner {
            Owner::Server => self.manifest.name.clone(),
            Owner::Account(_) => format!("account:{}", self.manifest.name),
        }
    }

    /// The error for one who needs another kind.
    pub fn wrong_kind(&self, wanted: Kind) -> PluginError {
        PluginError::WrongKind {
            name: self.manifest.name.clone(),
            wanted,
            actual: self.manifest.kind,
        }
    }
}

/// A plugin under its name: the version that serves now, and what it may reach.
pub struct Installed {
    version: ArcSwap<Version>,
    grants: ArcSwap<Vec<Grant>>,
}

impl Installed {
    /// What serves now. Who holds on to it finishes on it.
    pub fn version(&self) -> Arc<Version> {
        self.version.load_full()
    }

    /// What the operator granted.
    pub fn grants(&self) -> Arc<Vec<Grant>> {
        self.grants.load_full()
    }

    fn info(&self) -> PluginInfo {
        let version = self.version.load();
        PluginInfo {
            owner: version.owner.clone(),
            manifest: version.manifest.clone(),
            digest: version.digest.clone(),
            size: version.size,
            grants: self.grants.load().to_vec(),
        }
    }
}

/// All plugins of the server.
#[derive(Default)]
pub struct Registry(RwLock<HashMap<(Owner, String), Arc<Installed>>>);

impl Registry {
    /// The plugin that a name means to an account: its own, else the server's.
    pub fn find(&self, account: &AccountId, name: &str) -> Result<Arc<Installed>, PluginError> {
        let plugins = self.0.read();
        [Owner::Account(account.clone()), Owner::Server]
            .into_iter()
            .find_map(|owner| plugins.get(&(owner, name.to_owned())))
            .cloned()
            .ok_or_else(|| PluginError::NotFound(name.to_owned()))
    }

    /// Puts a version in the place of whatever served under its name.
    pub fn swap_in(&self, version: Arc<Version>, grants: Vec<Grant>) -> Result<PluginInfo, PluginError> {
        let key = (version.owner.clone(), version.manifest.name.clone());
        let mut plugins = self.0.write();
        let installed = match plugins.get(&key) {
            Some(installed) => {
                // Whoever uses it as what it was could not go on.
                let (old, new) = (installed.version.load().manifest.kind, version.manifest.kind);
                if old != new {
                    let name = &version.manifest.name;
                    return Err(PluginError::Refused(format!(
                        "plugin {name}: it is a {old}; remove it before a {new} takes its name"
                    )));
                }
                // Grants first: the new version must never run with what only the old one was given.
                installed.grants.store(Arc::new(grants));
                installed.version.store(version);
                installed.clone()
            }
            None => {
                let installed = Arc::new(Installed {
                    version: ArcSwap::new(version),
                    grants: ArcSwap::from_pointee(grants),
                });
                plugins.insert(key, installed.clone());
                installed
            }
        };
        Ok(installed.info())
    }

    /// Forgets a plugin.
    pub fn remove(&self, owner: &Owner, name: &str) -> bool {
        self.0.write().remove(&(owner.clone(), name.to_owned())).is_some()
    }

    /// Replaces a plugin's grants.
    pub fn grant(&self, owner: &Owner, name: &str, grants: Vec<Grant>) -> Result<PluginInfo, PluginError> {
        let plugins = self.0.read();
        let installed = plugins
            .get(&(owner.clone(), name.to_owned()))
            .ok_or_else(|| PluginError::NotFound(name.to_owned()))?;
        installed.grants.store(Arc::new(grants));
        Ok(installed.info())
    }

    /// The plugins that an account can use, its own first, each part by name.
    pub fn list(&self, account: &AccountId) -> Vec<PluginInfo> {
        let mine = Owner::Account(account.clone());
        let plugins = self.0.read();
        let of = |owner: &Owner| {
            let mut infos: Vec<_> = plugins
                .iter()
                .filter(|((of, _), _)| of == owner)
                .map(|(_, installed)| installed.info())
                .collect();
            infos.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
            infos
        };
        let mut infos = of(&mine);
        infos.extend(of(&Owner::Server));
        infos
    }
}
