//! `pinion plugin`: one file a command.

mod bench;
mod check;
mod new;
mod workbench;

use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// Makes a project for a new plugin, which builds at once.
    New(new::New),
    /// Says what a component is, and everything that keeps this server from running it.
    Check(check::Check),
    /// Measures what a component costs for each message or row.
    Bench(bench::Bench),
}

pub(crate) async fn run(command: Plugin) -> Result<()> {
    match command {
        Plugin::New(command) => new::run(&command),
        Plugin::Check(command) => check::run(&command).await,
        Plugin::Bench(command) => bench::run(&command).await,
    }
}
