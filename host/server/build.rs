//! Embeds the first-party components that `cargo xtask build-plugins` left in `target/plugins`, so that
//! the binary alone is complete. Without them the server still builds, and starts without plugins.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
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
    fs::write(Path::new(&env::var("OUT_DIR")?).join("embedded.rs"), code)?;
    Ok(())
}
