//! `cargo xtask`: the chores of this workspace, one module each.

mod plugins;

use anyhow::{Result, bail};

/// A chore: name, what it does, how.
type Chore = (&'static str, &'static str, fn() -> Result<()>);

const CHORES: &[Chore] = &[(
    "build-plugins",
    "builds every plugin into target/plugins",
    plugins::build,
)];

fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    match CHORES.iter().find(|(chore, ..)| *chore == name) {
        Some((_, _, run)) => run(),
        None => {
            let list: String = CHORES
                .iter()
                .map(|(chore, what, _)| format!("\n  {chore:16} {what}"))
                .collect();
            bail!("usage: cargo xtask CHORE, where CHORE is one of{list}")
        }
    }
}
