//! What a plugin is to the rest of the host. `sandbox` implements these traits with WebAssembly;
//! `fake` does so without, for tests.

pub mod channel;
pub mod columns;
#[cfg(feature = "fake")]
pub mod fake;
pub mod grant;
pub mod manifest;
pub mod personalizer;
pub mod predicate;

use std::sync::Arc;

use async_trait::async_trait;

pub use channel::Channel;
pub use grant::Grant;
pub use manifest::{Kind, Manifest};
pub use personalizer::Personalizer;
pub use predicate::Predicate;

use crate::id::{AccountId, AppId};

/// What can go wrong with a plugin. Messages name the plugin; they are for operators.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum PluginError {
    /// Nothing of that name is installed for this account.
    #[error("plugin {0} is not installed")]
    NotFound(String),
    /// It is installed, but of another kind.
    #[error("plugin {name} is a {actual}, not a {wanted}")]
    WrongKind {
        /// Which.
        name: String,
        /// What was needed.
        wanted: Kind,
        /// What it is.
        actual: Kind,
    },
    /// The file is not a component that this host can run; the sentence says why.
    #[error("{0}")]
    Refused(String),
    /// The plugin itself returned an error: wrong settings, unreadable input.
    #[error("plugin {name}: {message}")]
    Failed {
        /// Which.
        name: String,
        /// The plugin's own words, clipped.
        message: String,
    },
    /// It trapped, ran out of time or memory, or answered nonsense.
    #[error("plugin {name} faulted: {message}")]
    Fault {
        /// Which.
        name: String,
        /// What happened.
        message: String,
    },
}

/// Whose plugin it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// Embedded, or from the server's folder: for every account, read-only to accounts.
    Server,
    /// Installed through the API.
    Account(AccountId),
}

/// Who calls a plugin: state is never shared between two of these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The account; its own plugins come before the server's.
    pub account: AccountId,
    /// The application.
    pub app: AppId,
}

/// Which plugin, with which settings, serves a channel of an application.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The plugin's name.
    pub plugin: String,
    /// A JSON object; members that the manifest marks as secret never enter the sandbox.
    pub settings: serde_json::Value,
    /// What the one who made the binding opens, beside the grants of the plugin.
    pub grants: Vec<Grant>,
}

/// What is known of an installed plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginInfo {
    /// Whose.
    pub owner: Owner,
    /// What it says of itself.
    pub manifest: Manifest,
    /// SHA-256 of the component file, hexadecimal.
    pub digest: String,
    /// Bytes of the component file.
    pub size: u64,
    /// What the operator granted.
    pub grants: Vec<Grant>,
}

/// All plugins of the server.
#[async_trait]
pub trait Plugins: Send + Sync + 'static {
    /// A channel behind a binding. Cheap after the first call with the same arguments.
    async fn channel(&self, caller: &Caller, binding: &Binding) -> Result<Arc<dyn Channel>, PluginError>;

    /// A predicate with its settings (a JSON text).
    async fn predicate(
        &self,
        caller: &Caller,
        name: &str,
        settings: &str,
    ) -> Result<Arc<dyn Predicate>, PluginError>;

    /// A personalizer with its settings (a JSON text).
    async fn personalizer(
        &self,
        caller: &Caller,
        name: &str,
        settings: &str,
    ) -> Result<Arc<dyn Personalizer>, PluginError>;

    /// Compiles a component beside whatever serves under its name, tries it, and swaps. Calls in
    /// flight finish on the old one. On any error the old one keeps serving.
    async fn install(
        &self,
        owner: Owner,
        name: &str,
        component: bytes::Bytes,
        grants: Vec<Grant>,
    ) -> Result<PluginInfo, PluginError>;

    /// Stops serving a plugin; `false` if there was none.
    async fn remove(&self, owner: &Owner, name: &str) -> bool;

    /// Replaces a plugin's grants without reloading it.
    async fn grant(&self, owner: &Owner, name: &str, grants: Vec<Grant>) -> Result<PluginInfo, PluginError>;

    /// The plugins that an account can use, its own first.
    fn list(&self, account: &AccountId) -> Vec<PluginInfo>;
}

/// Small durable values of a plugin: implemented by `store`, handed to `sandbox` by `server`.
#[async_trait]
pub trait KeyValue: Send + Sync + 'static {
    /// The value, unless it has expired.
    async fn get(&self, caller: &Caller, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, String>;

    /// Stores a value; `ttl_seconds` 0 keeps it.
    async fn set(
        &self,
        caller: &Caller,
        plugin: &str,
        key: &str,
        value: &[u8],
        ttl_seconds: u32,
    ) -> Result<(), String>;
}
