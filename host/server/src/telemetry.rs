//! Logs to standard error, metrics in Prometheus' form.

use anyhow::{Context as _, Result};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// Starts logging. `RUST_LOG` wins over the settings.
pub fn init_logs(log: &Log) -> Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) => text,
        Err(_) => log.filter.clone().unwrap_or_else(|| "info".to_owned()),
    };
    let filter = EnvFilter::try_new(&filter).with_context(|| format!("log filter {filter:?}"))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match log.format.as_deref() {
        Some("json") => subscriber.json().try_init(),
        _ => subscriber
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging: {error}"))
}

/// Starts counting; what is returned renders `/metrics`.
pub fn init_metrics() -> Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("metrics")
}
