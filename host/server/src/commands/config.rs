//! `pinion config`

use std::path::Path;

use anyhow::Result;

use super::say;
use crate::config::Config;

/// Reads everything as `serve` would, and tells the first mistake.
pub(crate) fn check(file: Option<&Path>) -> Result<()> {
    let config = Config::load(file, std::env::vars())?;
    say(&format!(
        "the settings can be read; {} channel types are bound",
        config.bindings()?.len()
    ))
}
