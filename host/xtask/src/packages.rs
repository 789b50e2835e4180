//! Programs of other people that tests need: found, installed as Debian packages where that is allowed,
//! or asked for by name.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace;

/// A program, and the Debian packages that bring it.
pub struct Program {
    /// As people call it.
    pub name: &'static str,
    /// What to install.
    pub packages: &'static [&'static str],
    /// Finds it.
    pub find: fn() -> Option<PathBuf>,
}

impl Program {
    /// Where it is, after installing it if need be.
    pub fn get(&self) -> Result<PathBuf> {
        if let Some(found) = (self.find)() {
            return Ok(found);
        }
        let packages = self.packages.join(" ");
        if !may_install() {
            bail!(
                "{} is missing: install it (on Debian: apt-get install {packages})",
                self.name
            );
        }
        eprintln!("installing {packages}, for {} is missing", self.name);
        apt(&["update", "--quiet"])?;
        let mut install = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
        install.extend(self.packages);
        apt(&install)?;
        match (self.find)() {
            Some(found) => Ok(found),
            None => bail!("{} is missing even though {packages} is installed", self.name),
        }
    }
}

/// The file of that name on the search path.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Debian and its relatives, as root.
fn may_install() -> bool {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    root && Path::new("/usr/bin/apt-get").exists()
}

fn apt(arguments: &[&str]) -> Result<()> {
    workspace::run(
        Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
