//! `pinion backup` and `pinion release`

use anyhow::Result;
use pinion_store::Store;

use super::say;
use crate::cli::{Backup, Data};
use crate::wiring::{open_beside, options, system_clock};

pub(crate) async fn backup(command: Backup) -> Result<()> {
    let store = open_beside(&command.data).await?;
    let copied = store.backup(&command.to).await;
    store.close().await;
    copied?;
    say(&format!(
        "copied to {}; keep the master key apart from it",
        command.to.display()
    ))
}

/// Takes the folder's lock, so that no running server is left with another opinion.
pub(crate) async fn release(data: &Data) -> Result<()> {
    let store = Store::open(options(&data.settings()?, &data.data, true)?, system_clock()).await?;
    let released = store.release_hold().await;
    store.close().await;
    released?;
    say("sending may begin")
}
