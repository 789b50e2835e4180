//! `pinion call`: a signed request by hand.

use anyhow::{Context as _, Result, bail};

use super::remote::Remote;
use super::say;
use crate::cli::Call;

/// Prints the body; fails if the status is not 2xx.
pub(crate) async fn run(call: Call) -> Result<()> {
    let body = match call.body.as_deref() {
        None => Vec::new(),
        Some(text) => match text.strip_prefix('@') {
            Some(file) => std::fs::read(file).with_context(|| format!("cannot read {file}"))?,
            None => text.as_bytes().to_vec(),
        },
    };
    let remote = Remote::open(&call.target).await?;
    let answer = remote.send(&call.method.to_uppercase(), &call.path, body).await;
    remote.close().await;
    let (status, body) = answer?;
    say(&String::from_utf8_lossy(&body))?;
    if !status.is_success() {
        bail!("{status}");
    }
    Ok(())
}
