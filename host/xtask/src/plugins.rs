//! Builds every plugin and every misbehaving test guest to a component: `target/plugins/NAME.wasm` and
//! `target/plugins/bad/NAME.wasm`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::workspace::{cargo, output, run, target};

/// What components are built for.
pub const TARGET: &str = "wasm32-wasip2";
/// The profile in the root manifest that makes components small.
const PROFILE: &str = "component";

/// Where the built files of a source folder go, below the target folder.
const KINDS: [(&str, &str); 2] = [("plugins", "plugins"), ("tests/fixtures/bad", "plugins/bad")];

/// A crate that builds to a component.
struct Guest {
    /// Name of the package: what cargo builds.
    package: String,
    /// Name of its folder: what the component is called.
    name: String,
    /// Where the component goes, below the target folder.
    folder: &'static str,
}

/// Builds them all.
pub fn build() -> Result<()> {
    ensure_target()?;
    let target = target();
    let guests = guests()?;

    let mut cargo = cargo();
    cargo.args(["build", "--target", TARGET, "--profile", PROFILE]);
    for guest in &guests {
        cargo.args(["--package", &guest.package]);
    }
    run(&mut cargo)?;

    for guest in &guests {
        let built = target
            .join(TARGET)
            .join(PROFILE)
            .join(format!("{}.wasm", guest.package.replace('-', "_")));
        install(&built, &target.join(guest.folder), &guest.name)?;
    }
    Ok(())
}

/// The packages that are built to components.
pub fn packages() -> Result<Vec<String>> {
    Ok(guests()?.into_iter().map(|guest| guest.package).collect())
}

/// Installs the standard library of the target, which is not there on a fresh machine.
pub fn ensure_target() -> Result<()> {
    let installed = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("rustc cannot be run")?;
    let folder = String::from_utf8_lossy(&installed.stdout).trim().to_owned();
    if installed.status.success() && Path::new(&folder).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", TARGET]))
        .with_context(|| format!("plugins are built for {TARGET}, which this Rust does not have"))
}

/// The packages in the folders of [`KINDS`].
fn guests() -> Result<Vec<Guest>> {
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let root = PathBuf::from(text(&metadata["workspace_root"])?);
    let mut guests = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = PathBuf::from(text(&package["manifest_path"])?);
        let source = manifest.parent().context("a manifest lies in a folder")?;
        let kind = KINDS
            .iter()
            .find(|(from, _)| source.parent() == Some(&root.join(from)));
        let (Some((_, folder)), Some(name)) = (kind, source.file_name()) else {
            continue;
        };
        guests.push(Guest {
            package: text(&package["name"])?.to_owned(),
            name: name.to_string_lossy().into_owned(),
            folder,
        });
    }
    ensure!(!guests.is_empty(), "no plugin found beside this workspace");
    Ok(guests)
}

/// Copies beside the place and renames, so that a server which watches the folder never reads half a file.
fn install(built: &Path, folder: &Path, name: &str) -> Result<()> {
    fs::create_dir_all(folder)?;
    let partial = folder.join(format!(".{name}.partial"));
    fs::copy(built, &partial).with_context(|| format!("{} was not built", built.display()))?;
    fs::rename(&partial, folder.join(format!("{name}.wasm")))?;
    Ok(())
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("cargo metadata has no such text")
}
