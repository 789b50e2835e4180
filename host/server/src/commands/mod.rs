//! What the command line does, one file a subject.

pub(crate) mod call;
pub(crate) mod config;
pub(crate) mod console;
pub(crate) mod data;
pub(crate) mod doctor;
pub(crate) mod iam;
pub(crate) mod key;
pub(crate) mod plugin;
mod remote;
pub(crate) mod resources;
pub(crate) mod serve;

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Prints a line for the caller: scripts read it, so it goes to standard output alone.
pub(crate) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// Prints a document for people.
fn show(document: &Value) -> Result<()> {
    say(&serde_json::to_string_pretty(document)?)
}

/// Reads `KEY=VALUE`s.
fn pairs(arguments: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |text: &String| {
        let (key, value) = text
            .split_once('=')
            .with_context(|| format!("{text}: must be KEY=VALUE"))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    arguments.iter().map(pair).collect()
}
