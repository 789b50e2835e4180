//! `pinion plugin new`: a project that builds at once. The SDK is not downloaded: its source comes out of this
//! binary, so that plugin and server speak of the same world.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use pinion_domain::extension::manifest::is_name;

use crate::commands::say;

/// The SDK and the WIT files: path below the folder `pinion` of a project, and content.
const SDK: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

#[derive(Debug, Args)]
pub struct New {
    /// What the plugin does: reach people, decide who is in a segment, or fill values of templates.
    #[arg(long, value_enum)]
    kind: Kind,
    /// What it is written in.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    lang: Language,
    /// Its name: lower-case letters, digits and hyphens. The project's folder is called so, too.
    name: String,
    /// Where the folder is made.
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Channel,
    Predicate,
    Personalizer,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    Rust,
}

/// Path in the project and text, with `NAME`, `CRATE` and `TYPE` to be filled in.
type Template = (&'static str, &'static str);

const FOR_ALL: [Template; 3] = [
    ("Cargo.toml", include_str!("template/manifest.toml")),
    ("README.md", include_str!("template/README.md")),
    (".gitignore", "/target\n"),
];

impl Kind {
    fn templates(self) -> [Template; 3] {
        match self {
            Self::Channel => [
                ("plugin.json", include_str!("template/channel/plugin.json")),
                ("src/lib.rs", include_str!("template/channel/lib.rs")),
                ("tests/sending.rs", include_str!("template/channel/test.rs")),
            ],
            Self::Predicate => [
                ("plugin.json", include_str!("template/predicate/plugin.json")),
                ("src/lib.rs", include_str!("template/predicate/lib.rs")),
                ("tests/rows.rs", include_str!("template/predicate/test.rs")),
            ],
            Self::Personalizer => [
                ("plugin.json", include_str!("template/personalizer/plugin.json")),
                ("src/lib.rs", include_str!("template/personalizer/lib.rs")),
                ("tests/rows.rs", include_str!("template/personalizer/test.rs")),
            ],
        }
    }
}

pub(super) fn run(command: &New) -> Result<()> {
    let Language::Rust = command.lang;
    let folder = make(command.kind, &command.name, &command.folder)?;
    say(&format!("made {}; next:", folder.display()))?;
    say(&format!("  cd {}", folder.display()))?;
    say("  cargo test")?;
    say("  cargo build --target wasm32-wasip2 --release   # once before: rustup target add wasm32-wasip2")?;
    let file = format!("{}.wasm", crate_name(&command.name));
    say(&format!(
        "  pinion plugin check target/wasm32-wasip2/release/{file}"
    ))
}

/// Writes a project, and tells where it is.
fn make(kind: Kind, name: &str, below: &Path) -> Result<PathBuf> {
    let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    ensure!(
        is_name(name) && begins_well && !name.ends_with('-'),
        "{name:?} must be lower-case letters, digits and hyphens, a letter first and no hyphen last"
    );
    ensure!(!is_taken(name), "{name:?} means something else in Rust");
    let folder = below.join(name);
    fs::create_dir(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let fill_in = |text: &str| {
        text.replace("CRATE", &crate_name(name))
            .replace("TYPE", &type_name(name))
            .replace("NAME", name)
    };
    for (path, text) in FOR_ALL.into_iter().chain(kind.templates()) {
        write(&folder.join(path), fill_in(text).as_bytes())?;
    }
    for (path, content) in SDK {
        write(&folder.join("pinion").join(path), content)?;
    }
    Ok(folder)
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all);
    written
        .and_then(|()| fs::write(path, content))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn crate_name(name: &str) -> String {
    name.replace('-', "_")
}

/// `text-messages` is the type `TextMessages`.
fn type_name(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect()
}

/// Words and crates that cargo does not let a package be called by, or that would hide another crate.
fn is_taken(name: &str) -> bool {
    const TAKEN: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum \
        extern false final fn for gen if impl in let loop macro match mod move mut override pinion-sdk priv \
        proc-macro pub ref return self serde serde-json static std struct super test trait true try type typeof \
        unsafe unsized use virtual where while yield";
    TAKEN.split_whitespace().any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use pinion_domain::extension::Manifest;

    use super::*;

    #[test]
    fn a_project_has_all_it_needs_and_nothing_to_fill_in() {
        for kind in [Kind::Channel, Kind::Predicate, Kind::Personalizer] {
            let below = tempfile::tempdir().unwrap();
            let folder = make(kind, "my-first-1", below.path()).unwrap();
            let text = |path: &str| fs::read_to_string(folder.join(path)).unwrap();
            let manifest = Manifest::parse(text("plugin.json").as_bytes()).unwrap();
            assert_eq!(manifest.name, "my-first-1");
            assert_eq!(
                manifest.kind.to_string(),
                kind.to_possible_value().unwrap().get_name()
            );
            assert!(text("src/lib.rs").contains("!(MyFirst1, manifest = \"../plugin.json\");"));
            for (path, _) in FOR_ALL.into_iter().chain(kind.templates()) {
                for blank in ["NAME", "TYPE", "CRATE"] {
                    assert!(!text(path).contains(blank), "{path} has {blank}");
                }
            }
            let sdk = text("pinion/sdk/rust/Cargo.toml");
            assert!(
                sdk.contains("name = \"pinion-sdk\"") && sdk.contains("\nwit-bindgen = "),
                "{sdk}"
            );
            assert!(!sdk.contains("workspace"), "{sdk}");
            assert!(text("pinion/wit/world.wit").contains("world channel-plugin"));
            assert!(text("pinion/sdk/rust/src/lib.rs").contains("pub mod http;"));
        }
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        let below = tempfile::tempdir().unwrap();
        make(Kind::Channel, "twice", below.path()).unwrap();
        let error = make(Kind::Predicate, "twice", below.path()).unwrap_err();
        assert!(
            format!("{error:#}").starts_with("cannot make the folder"),
            "{error:#}"
        );
        let lib = fs::read_to_string(below.path().join("twice/src/lib.rs")).unwrap();
        assert!(lib.contains("impl Channel for Twice"), "{lib}");
    }

    #[test]
    fn names_are_those_of_plugins_and_of_packages() {
        let below = tempfile::tempdir().unwrap();
        for name in [
            "",
            "Upper",
            "with space",
            "1st",
            "-a",
            "a-",
            "../x",
            "a_b",
            "match",
            "std",
            "serde-json",
        ] {
            assert!(make(Kind::Channel, name, below.path()).is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(below.path()).unwrap().count(), 0);
    }
}
