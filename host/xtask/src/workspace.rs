//! Where things are, and how other programs are run from here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The folder of the root manifest.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors()
        .nth(2)
        .expect("this crate lies two folders below the root")
        .to_owned()
}

/// Where cargo builds, and where everything else goes that can be made again.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// Cargo, in the root, as if called by hand: what `cargo run` tells this program about itself must not reach
/// build scripts, which would take it for a change and build again what is built.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let of_this_package =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(of_this_package) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Builds the server as developers build it, and tells where it is. With the features that the whole workspace
/// needs, so that what tests built serves too.
pub fn build_server() -> Result<PathBuf> {
    run(cargo().args(["build", "--workspace", "--bin", "pinion"]))?;
    Ok(server_binary())
}

/// Where cargo puts the server that developers build.
pub fn server_binary() -> PathBuf {
    target().join("debug").join("pinion")
}

/// Runs a program that talks to the terminal itself.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{} cannot be run", command.get_program().display()))?;
    if !status.success() {
        bail!("{} failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a program for what it prints.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("{} cannot be run", command.get_program().display()))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let answer = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{} failed: {}{}",
        line(command),
        complaint.trim(),
        answer.trim()
    );
    Ok(answer.trim().to_owned())
}

/// The program and its first arguments: enough to know which one it was.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args().take(3));
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
