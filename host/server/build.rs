//! Embeds what makes the binary alone complete: the first-party components that `cargo xtask build-plugins` left
//! in `target/plugins` (without them the server still builds, and starts without plugins), and the SDK, for
//! `pinion plugin new`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    components(&manifest, &out)?;
    sdk(&manifest.join("../..").canonicalize()?, &out)
}

fn components(manifest: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let folder = match env::var_os("CARGO_TARGET_DIR") {
        Some(target) => Path::new(&target).join("plugins"),
        None => manifest.join("../../target/plugins"),
    };
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    let mut files: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
        Err(_) => Vec::new(),
    };
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    let mut code = String::from("&[\n");
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        code.push_str(&format!(
            "    include_bytes!({:?}),\n",
            file.canonicalize()?.display().to_string()
        ));
    }
    code.push_str("]\n");
    fs::write(out.join("embedded.rs"), code)?;
    Ok(())
}

/// The files that a plugin needs to be built elsewhere, with their paths from the workspace's root.
fn sdk(root: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    for part in [
        "sdk/rust/src",
        "sdk/rust/README.md",
        "sdk/rust/tests/parrot.json",
        "wit",
        "LICENSE",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
        collect(&root.join(part), &mut files)?;
    }
    files.sort();
    let mut code = String::from("&[\n");
    let mut embed = |path: &Path, file: &Path| {
        code.push_str(&format!(
            "    ({:?}, include_bytes!({:?})),\n",
            path.display().to_string(),
            file.display().to_string()
        ));
    };
    for file in &files {
        embed(file.strip_prefix(root)?, file);
    }
    let manifest = out.join("sdk.toml");
    embed(Path::new("sdk/rust/Cargo.toml"), &manifest);
    code.push_str("]\n");
    for file in ["Cargo.toml", "sdk/rust/Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(file).display());
    }
    let workspace = fs::read_to_string(root.join("Cargo.toml"))?;
    let sdk = fs::read_to_string(root.join("sdk/rust/Cargo.toml"))?;
    fs::write(manifest, standalone(&sdk, &workspace)?)?;
    fs::write(out.join("sdk.rs"), code)?;
    Ok(())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else {
        files.push(path.to_owned());
    }
    Ok(())
}

/// A manifest with what it takes from the workspace written out, as far as users of the crate need it.
fn standalone(manifest: &str, workspace: &str) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    let mut is_needed = true;
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_needed = !matches!(line, "[dev-dependencies]" | "[lints]");
        }
        if !is_needed {
            continue;
        }
        let line = match line.strip_suffix(".workspace = true") {
            None => line,
            Some(key) => {
                let own = format!("{key} = ");
                let found = workspace.lines().find(|line| line.starts_with(&own));
                let found = found.ok_or_else(|| format!("the workspace has no {key}"))?;
                found.split(" #").next().unwrap_or(found).trim_end()
            }
        };
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}
