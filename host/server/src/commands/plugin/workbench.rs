//! A sandbox for one component, away from any server's data.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use bytes::Bytes;
use pinion_domain::extension::{Caller, KeyValue};
use pinion_sandbox::outbound::smtp::SmtpLimits;
use pinion_sandbox::{EgressConfig, Limits, Sandbox, SandboxConfig};
use tempfile::TempDir;

use crate::wiring::system_clock;

/// A sandbox with the limits of a server, whose files go when it is dropped.
pub(super) struct Workbench {
    pub(super) sandbox: Arc<Sandbox>,
    _cache: TempDir,
}

impl Workbench {
    pub(super) fn new() -> Result<Self> {
        let cache = tempfile::tempdir().context("no temporary folder")?;
        let sandbox = Sandbox::new(SandboxConfig {
            cache_dir: cache.path().to_owned(),
            cache_key: rand::random(),
            limits: Limits::default(),
            egress: EgressConfig::default(),
            smtp: SmtpLimits::default(),
            kv: Arc::new(Values::default()),
            clock: system_clock(),
        })?;
        Ok(Self {
            sandbox,
            _cache: cache,
        })
    }

    /// Who calls plugins here.
    pub(super) fn caller() -> Caller {
        Caller {
            account: "000000000000".into(),
            app: "workbench".into(),
        }
    }
}

/// The file of a component.
pub(super) fn read(file: &Path) -> Result<Bytes> {
    let component = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(component.into())
}

/// What plugins keep, for as long as the command runs.
#[derive(Default)]
struct Values(Mutex<HashMap<(String, String), Vec<u8>>>);

#[async_trait]
impl KeyValue for Values {
    async fn get(&self, _: &Caller, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(values.get(&(plugin.to_owned(), key.to_owned())).cloned())
    }

    async fn set(&self, _: &Caller, plugin: &str, key: &str, value: &[u8], _: u32) -> Result<(), String> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.insert((plugin.to_owned(), key.to_owned()), value.to_owned());
        Ok(())
    }
}
