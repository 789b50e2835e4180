//! What the command line does, one file a subject.

pub(crate) mod call;
pub(crate) mod console;
pub(crate) mod data;
pub(crate) mod key;
pub(crate) mod plugin;
pub(crate) mod serve;

use std::io::Write as _;

use anyhow::Result;

/// Prints a line for the caller: scripts read it, so it goes to standard output alone.
pub(crate) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
