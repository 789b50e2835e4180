//! `pinion console`

use std::sync::Arc;

use anyhow::Result;
use pinion_console::session::Sessions;

use super::say;
use crate::cli::Data;
use crate::wiring::{CONSOLE_KEY, open_beside};

/// Prints a link; the server that runs beside knows the same key and lets it in once.
pub(crate) async fn link(data: &Data, url: &str) -> Result<()> {
    let store = open_beside(data).await?;
    let sessions = Sessions::new(store.derived_key(CONSOLE_KEY), Arc::clone(store.clock()));
    let token = sessions.issue_link_token();
    store.close().await;
    say(&format!(
        "{}/console/enter?token={token}",
        url.trim_end_matches('/')
    ))
}
