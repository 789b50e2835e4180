//! What every commit must pass besides tests: format, lints, docs, licences.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::plugins;
use crate::workspace::{cargo, output, run as run_program, target};

/// Licences of code that may become part of the server; a copyleft one is looked at by people first.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks them all, what is quick first.
pub fn run(_: &[String]) -> Result<()> {
    run_program(cargo().args(["fmt", "--all", "--check"]))?;
    licences()?;
    // Guests are crates of this workspace too: natively for their tests, then as what they become.
    run_program(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    let client = ["--manifest-path", "tests/clients/rust/Cargo.toml"];
    run_program(cargo().arg("fmt").args(client).arg("--check"))?;
    run_program(
        cargo()
            .arg("clippy")
            .args(client)
            .arg("--target-dir")
            .arg(target().join("rust-client"))
            .args(["--", "--deny", "warnings"]),
    )?;
    plugins::ensure_target()?;
    let mut guests = cargo();
    guests.args(["clippy", "--target", plugins::TARGET]);
    for package in plugins::packages()? {
        guests.args(["--package", &package]);
    }
    run_program(guests.args(["--", "--deny", "warnings"]))?;
    run_program(
        cargo()
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )
}

/// Every dependency can be had under one of [`LICENCES`].
fn licences() -> Result<()> {
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let mut wrong = String::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let licence = package["license"].as_str().unwrap_or("no licence expression");
        if !is_allowed(licence) {
            wrong.push_str(&format!(
                "\n  {} {}: {licence}",
                package["name"], package["version"]
            ));
        }
    }
    if !wrong.is_empty() {
        bail!("licences that are not on the list in xtask/src/check.rs:{wrong}");
    }
    Ok(())
}

/// Reads an SPDX expression: `(MIT OR Apache-2.0) AND Unicode-3.0`. AND binds closer than OR; a slash is
/// an old way to write OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest) && rest.is_empty()
}

fn either(words: &mut &[&str]) -> bool {
    let mut allowed = all(words);
    while take(words, "OR") {
        // Not `||`: the words must be read in any case.
        allowed |= all(words);
    }
    allowed
}

fn all(words: &mut &[&str]) -> bool {
    let mut allowed = one(words);
    while take(words, "AND") {
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut &[&str]) -> bool {
    if take(words, "(") {
        let allowed = either(words);
        return take(words, ")") && allowed;
    }
    let Some((licence, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    // An exception only ever permits more.
    if take(words, "WITH") {
        *words = words.get(1..).unwrap_or_default();
    }
    LICENCES.contains(licence)
}

fn take(words: &mut &[&str], word: &str) -> bool {
    let found = words.first() == Some(&word);
    if found {
        *words = &words[1..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        for (expression, expected) in [
            ("MIT", true),
            ("MIT OR Apache-2.0", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("MIT/GPL-3.0", true),
            ("(GPL-3.0 OR MIT) AND Unicode-3.0", true),
            ("GPL-3.0 OR MIT AND AGPL-3.0", false),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("no licence expression", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(expression), expected, "{expression}");
        }
    }
}
