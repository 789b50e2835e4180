//! How calls and their failures are told: to the caller, to the log, to the metrics.

use std::sync::Arc;
use std::time::Instant;

use pinion_domain::extension::{Manifest, Owner, PluginError};
use tracing::Span;
use wasmtime::Trap;

use crate::logging::{clip, escape};
use crate::plugin::Version;

/// Longest message that is taken from a plugin or a trap.
const MESSAGE_BYTES: usize = 1 << 10;

/// The plugin returned an error.
pub fn failed(manifest: &Manifest, message: &str) -> PluginError {
    PluginError::Failed {
        name: manifest.name.clone(),
        message: escape(clip(message, MESSAGE_BYTES)),
    }
}

/// The plugin trapped or broke a limit.
pub fn fault(manifest: &Manifest, error: &wasmtime::Error) -> PluginError {
    fault_text(manifest, &describe(error))
}

/// The plugin answered nonsense.
pub fn fault_text(manifest: &Manifest, message: &str) -> PluginError {
    PluginError::Fault {
        name: manifest.name.clone(),
        message: message.to_owned(),
    }
}

/// What happened, without the guest's own words: those may hold what the guest was given.
pub fn describe(error: &wasmtime::Error) -> String {
    let text = match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => "trapped: it panicked or aborted".to_owned(),
        Some(Trap::StackOverflow) => "trapped: it used up its stack".to_owned(),
        Some(Trap::MemoryOutOfBounds) => "trapped: it reached outside its memory".to_owned(),
        Some(trap) => format!("trapped: {trap}"),
        None => error.root_cause().to_string(),
    };
    escape(clip(&text, MESSAGE_BYTES))
}

/// One call of a plugin: its span and its figures.
pub struct Call {
    plugin: String,
    name: &'static str,
    began: Instant,
    span: Span,
}

impl Call {
    /// Begins to watch a call of the export `name`.
    pub fn begin(version: &Arc<Version>, name: &'static str) -> Self {
        let manifest = &version.manifest;
        let span = tracing::info_span!(
            "plugin.call",
            plugin.name = %manifest.name,
            plugin.version = %manifest.version,
            plugin.call = name,
        );
        // Accounts choose names freely, and every label value is a time series for ever.
        let plugin = match version.owner {
            Owner::Server => manifest.name.clone(),
            Owner::Account(_) => "(account)".to_owned(),
        };
        Self {
            plugin,
            name,
            began: Instant::now(),
            span,
        }
    }

    /// The span that the call runs in.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Ends the call.
    pub fn end(self, error: Option<&PluginError>) {
        let Self {
            plugin,
            name,
            began,
            span,
        } = self;
        let _entered = span.entered();
        metrics::counter!("pinion_plugin_calls_total", "plugin" => plugin.clone(), "call" => name)
            .increment(1);
        metrics::histogram!("pinion_plugin_call_seconds", "plugin" => plugin.clone(), "call" => name)
            .record(began.elapsed().as_secs_f64());
        if let Some(error @ PluginError::Fault { .. }) = error {
            metrics::counter!("pinion_plugin_faults_total", "plugin" => plugin, "call" => name).increment(1);
            tracing::error!("{error}");
        }
    }
}
