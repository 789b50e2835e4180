//! `pinion serve`

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::cli::Serve;
use crate::{serve, telemetry};

/// Serves until SIGTERM or SIGINT, then drains.
pub(crate) async fn run(command: Serve) -> Result<()> {
    let config = command.data.settings()?;
    telemetry::init_logs(&config.log)?;
    let metrics = telemetry::init_metrics()?;
    let listener = TcpListener::bind(&command.listen)
        .await
        .with_context(|| format!("cannot listen on {}", command.listen))?;
    let running = serve::start(config, &command.data.data, listener, metrics).await?;
    info!(address = %running.address(), "pinion serves");
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!("stopping: what was taken is finished first");
    running.stop().await;
    info!("stopped");
    Ok(())
}
