//! `pinion plugin check`

use std::collections::HashMap;
use std::fmt::Display;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use pinion_domain::extension::{Kind, Manifest};
use pinion_sandbox::{Inspection, inspection};

use super::workbench::{Workbench, read};
use crate::commands::say;

/// A component that is larger was most likely not built as it could be.
const LARGE: usize = 1 << 20;

#[derive(Debug, Args)]
pub struct Check {
    /// The component: a `.wasm` file.
    file: PathBuf,
}

/// Fails if this server would not run the component, with a sentence for each reason.
pub(super) async fn run(command: &Check) -> Result<()> {
    let component = read(&command.file)?;
    let inspection = inspection(&component);
    for line in describe(&inspection, component.len()) {
        say(&line)?;
    }
    let mut problems = inspection.problems;
    if problems.is_empty() {
        // As an upload would be: compiled, linked and started.
        let workbench = Workbench::new()?;
        let loaded = workbench.sandbox.load(component, &HashMap::new()).await;
        problems.extend(loaded.err().map(|error| error.to_string()));
    }
    if !problems.is_empty() {
        let list: String = problems
            .iter()
            .map(|problem| format!("\n  - {problem}"))
            .collect();
        bail!("this server does not run {}:{list}", command.file.display());
    }
    say("this server runs it")
}

/// What the component says of itself, and hints.
fn describe(inspection: &Inspection, bytes: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut tell = |what: &str, things: &[String]| {
        for (place, thing) in things.iter().enumerate() {
            lines.push(format!("  {:16}  {thing}", if place == 0 { what } else { "" }));
        }
    };
    if let Some(manifest) = &inspection.manifest {
        let Manifest {
            name, version, kind, ..
        } = manifest;
        tell("plugin", &[format!("{name} {version}, a {kind}")]);
        if !manifest.description.is_empty() {
            tell("description", std::slice::from_ref(&manifest.description));
        }
        if *kind == Kind::Channel {
            tell("largest batch", &[manifest.max_batch.to_string()]);
        }
        tell("asks to reach", &texts(&manifest.hosts));
        tell("asks for secrets", &manifest.secrets);
    }
    tell("size", &[format!("{} kB", bytes.div_ceil(1_000))]);
    tell("made with", inspection.sdk.as_slice());
    tell("exports", &inspection.exports);
    tell("imports", &inspection.imports);
    if bytes > LARGE
        && inspection
            .sdk
            .as_ref()
            .is_some_and(|sdk| sdk.starts_with("rust "))
    {
        let words = "build with `strip = true` and `lto = true` in the profile, and it is a tenth of that";
        tell("hint", &[words.to_owned()]);
    }
    lines
}

fn texts(things: &[impl Display]) -> Vec<String> {
    things.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_described() {
        let manifest = br#"{"name": "texts", "version": "1.2", "kind": "channel", "max_batch": 50,
            "hosts": ["https://a.example.com:443", "https://b.example.com:443"], "secrets": ["key"]}"#;
        let inspection = Inspection {
            manifest: Some(Manifest::parse(manifest).unwrap()),
            sdk: Some("rust 0.1.0".to_owned()),
            imports: vec!["pinion:host/http@0.1.0".to_owned()],
            exports: vec!["pinion:channel/channel@0.1.0".to_owned()],
            problems: Vec::new(),
        };
        let expected = [
            "  plugin            texts 1.2, a channel",
            "  largest batch     50",
            "  asks to reach     https://a.example.com:443",
            "                    https://b.example.com:443",
            "  asks for secrets  key",
            "  size              2500 kB",
            "  made with         rust 0.1.0",
            "  exports           pinion:channel/channel@0.1.0",
            "  imports           pinion:host/http@0.1.0",
            "  hint              build with `strip = true` and `lto = true` in the profile, and it is a tenth of that",
        ];
        assert_eq!(describe(&inspection, 2_500_000), expected);
    }

    #[test]
    fn what_is_no_component_has_only_a_size() {
        assert_eq!(describe(&inspection(b"hello"), 5), ["  size              1 kB"]);
    }
}
