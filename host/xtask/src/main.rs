//! `cargo xtask`: the chores of this workspace, one module each.

mod plugins;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// A chore: name, what it does, how.
type Chore = (&'static str, &'static str, fn() -> Result<()>);

const CHORES: &[Chore] = &[(
    "build-plugins",
    "builds every plugin into target/plugins",
    plugins::build,
)];

fn main() -> ExitCode {
    match run(std::env::args().nth(1).as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: Option<&str>) -> Result<()> {
    if let Some((_, _, run)) = CHORES.iter().find(|(chore, ..)| Some(*chore) == name) {
        return run();
    }
    let list: String = CHORES
        .iter()
        .map(|(chore, what, _)| format!("\n  {chore:16} {what}"))
        .collect();
    bail!("usage: cargo xtask CHORE, where CHORE is one of{list}")
}
