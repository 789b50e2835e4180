//! Reads a component file before anything is compiled: its manifest, what it imports and exports,
//! and whether a world of ours fits. Every refusal is a sentence for the plugin's author.

use pinion_domain::extension::manifest::SECTION;
use pinion_domain::extension::{Kind, Manifest};
use wasmparser::{Encoding, Parser, Payload};

/// The version of the packages under `wit/` that this host speaks.
const PACKAGES: &str = "0.1.0";

/// The custom section with the SDK's language and version.
const SDK_SECTION: &str = "pinion-sdk";

const KINDS: [Kind; 3] = [Kind::Channel, Kind::Predicate, Kind::Personalizer];

/// What a file says of itself, and everything that keeps this host from running it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// Its manifest, if it has exactly one that can be read.
    pub manifest: Option<Manifest>,
    /// Language and version of the SDK it was made with: `rust 0.1.0`.
    pub sdk: Option<String>,
    /// The interfaces that it imports, with their versions.
    pub imports: Vec<String>,
    /// The interfaces that it exports, with their versions.
    pub exports: Vec<String>,
    /// Sentences for the plugin's author. Without one the component fits a world of this host, as far as names tell:
    /// whether every function does, linking shows.
    pub problems: Vec<String>,
}

/// Looks at a component file without compiling it.
pub fn inspection(component: &[u8]) -> Inspection {
    let outline = match outline(component) {
        Ok(outline) => outline,
        Err(problem) => {
            return Inspection {
                problems: vec![problem],
                ..Inspection::default()
            };
        }
    };
    let mut problems = Vec::new();
    let manifest = outline.manifest().map_err(|problem| problems.push(problem)).ok();
    // Without a manifest, what the component exports says what it wants to be.
    let kind = manifest.as_ref().map(|manifest| manifest.kind);
    if let Some(kind) = kind.or_else(|| exported_kind(&outline.exports)) {
        problems.extend(check_exports(&outline.exports, kind).err());
        let imports = outline.imports.iter();
        problems.extend(imports.filter_map(|import| check_import(import, kind).err()));
    } else {
        let interfaces = KINDS.map(exported_interface).join(", ");
        problems.push(format!("the component exports none of {interfaces}"));
    }
    Inspection {
        manifest,
        sdk: outline.sdk,
        imports: outline.imports,
        exports: outline.exports,
        problems,
    }
}

/// Reads and judges a component file; the error is the first problem.
pub fn inspect(component: &[u8]) -> Result<Manifest, String> {
    let Inspection {
        manifest, problems, ..
    } = inspection(component);
    match (problems.into_iter().next(), manifest) {
        (None, Some(manifest)) => Ok(manifest),
        (problem, _) => Err(problem.unwrap_or_else(|| "the component has no manifest".to_owned())),
    }
}

/// What matters of a component's structure.
#[derive(Debug, Default)]
struct Outline<'a> {
    manifests: Vec<&'a [u8]>,
    sdk: Option<String>,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Outline<'_> {
    fn manifest(&self) -> Result<Manifest, String> {
        match self.manifests.as_slice() {
            [] => Err(format!(
                "the component has no manifest: the SDK's macros put one into the custom section {SECTION:?}"
            )),
            [manifest] => Manifest::parse(manifest),
            several => Err(format!(
                "the component has {} manifests; it must have one",
                several.len()
            )),
        }
    }
}

fn outline(component: &[u8]) -> Result<Outline<'_>, String> {
    if !component.starts_with(b"\0asm") {
        return Err("the file is not WebAssembly".to_owned());
    }
    let mut outline = Outline::default();
    // Depth of the module or component that is being read; 1 is the file itself.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(|error| format!("the file is not a valid component: {error}"))?;
        match payload {
            Payload::Version { encoding, .. } => {
                depth += 1;
                if depth == 1 && encoding == Encoding::Module {
                    return Err(
                        "the file is a core module, not a component: build it for wasm32-wasip2".to_owned(),
                    );
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            // Linkers put custom sections of Rust statics into the module inside the component.
            Payload::CustomSection(section) if section.name() == SECTION => {
                outline.manifests.push(section.data());
            }
            Payload::CustomSection(section) if section.name() == SDK_SECTION => {
                outline.sdk = Some(String::from_utf8_lossy(section.data()).into_owned());
            }
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(|error| format!("unreadable imports: {error}"))?;
                    outline.imports.push(import.name.full_name().into_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(|error| format!("unreadable exports: {error}"))?;
                    outline.exports.push(export.name.full_name().into_owned());
                }
            }
            _ => {}
        }
    }
    Ok(outline)
}

/// The interface that a kind exports, without its version.
fn exported_interface(kind: Kind) -> &'static str {
    match kind {
        Kind::Channel => "pinion:channel/channel",
        Kind::Predicate => "pinion:predicate/predicate",
        Kind::Personalizer => "pinion:personalizer/personalizer",
    }
}

/// The interfaces of ours that a kind may import, without their versions.
fn importable_interfaces(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Channel => &[
            "pinion:host/log",
            "pinion:host/config",
            "pinion:host/kv",
            "pinion:host/outcome",
            "pinion:host/http",
            "pinion:host/smtp",
            "pinion:channel/types",
        ],
        Kind::Predicate | Kind::Personalizer => &["pinion:host/log", "pinion:types/columns"],
    }
}

/// What language runtimes ask for before any of the author's code runs. It is linked, with nothing
/// granted.
const RUNTIME_PACKAGES: [&str; 6] = [
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:io",
    "wasi:random",
    "wasi:sockets",
];

/// The kind whose interface is among the exports.
fn exported_kind(exports: &[String]) -> Option<Kind> {
    let exports = |interface| exports.iter().any(|export| split_version(export).0 == interface);
    KINDS.into_iter().find(|kind| exports(exported_interface(*kind)))
}

fn check_exports(exports: &[String], kind: Kind) -> Result<(), String> {
    let wanted = exported_interface(kind);
    let found = exports
        .iter()
        .map(|export| split_version(export))
        .find(|(name, _)| *name == wanted);
    match (found, exported_kind(exports)) {
        (Some((_, version)), _) => check_version(wanted, version),
        (None, Some(other)) => Err(format!(
            "the manifest says {kind}, but the component is a {other}"
        )),
        (None, None) => Err(format!(
            "the component does not export {wanted}@{PACKAGES}, as a {kind} must"
        )),
    }
}

fn check_import(import: &str, kind: Kind) -> Result<(), String> {
    let (name, version) = split_version(import);
    let package = name.split('/').next().unwrap_or(name);
    if RUNTIME_PACKAGES.contains(&package) {
        if version.starts_with("0.2.") {
            Ok(())
        } else {
            Err(format!(
                "the component imports {import}; this host has version 0.2 of {package}"
            ))
        }
    } else if importable_interfaces(kind).contains(&name) {
        check_version(name, version)
    } else {
        Err(format!("the component imports {import}, which a {kind} may not"))
    }
}

/// Versions `0.1.x` are compatible with each other; whether `x` has what is used, linking tells.
fn check_version(name: &str, version: &str) -> Result<(), String> {
    let compatible = |version: &str| version.rsplit_once('.').map(|(line, _)| line.to_owned());
    if compatible(version) == compatible(PACKAGES) {
        Ok(())
    } else {
        Err(format!(
            "the component was built against {name}@{version}; this host has {name}@{PACKAGES}"
        ))
    }
}

fn split_version(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn imports_must_belong_to_the_world() {
        for (kind, import, problem) in [
            (Kind::Channel, "pinion:host/http@0.1.0", None),
            (Kind::Channel, "pinion:host/http@0.1.7", None),
            (Kind::Channel, "wasi:io/streams@0.2.6", None),
            (Kind::Predicate, "wasi:random/insecure-seed@0.2.6", None),
            (Kind::Predicate, "pinion:types/columns@0.1.0", None),
            (
                Kind::Predicate,
                "pinion:host/http@0.1.0",
                Some("the component imports pinion:host/http@0.1.0, which a predicate may not"),
            ),
            (
                Kind::Channel,
                "pinion:host/http@0.2.0",
                Some(
                    "the component was built against pinion:host/http@0.2.0; this host has pinion:host/http@0.1.0",
                ),
            ),
            (
                Kind::Channel,
                "wasi:http/outgoing-handler@0.2.6",
                Some("the component imports wasi:http/outgoing-handler@0.2.6, which a channel may not"),
            ),
            (
                Kind::Channel,
                "wasi:io/streams@0.3.0",
                Some("the component imports wasi:io/streams@0.3.0; this host has version 0.2 of wasi:io"),
            ),
            (
                Kind::Personalizer,
                "somebody",
                Some("the component imports somebody, which a personalizer may not"),
            ),
        ] {
            assert_eq!(check_import(import, kind).err().as_deref(), problem, "{import}");
        }
    }

    #[test]
    fn exports_must_be_what_the_manifest_says() {
        let channel = names(&["pinion:channel/channel@0.1.0"]);
        assert_eq!(check_exports(&channel, Kind::Channel), Ok(()));
        assert_eq!(
            check_exports(&channel, Kind::Predicate).unwrap_err(),
            "the manifest says predicate, but the component is a channel"
        );
        assert_eq!(
            check_exports(&names(&["run"]), Kind::Personalizer).unwrap_err(),
            "the component does not export pinion:personalizer/personalizer@0.1.0, as a personalizer must"
        );
        assert_eq!(
            check_exports(&names(&["pinion:channel/channel@0.3.0"]), Kind::Channel).unwrap_err(),
            "the component was built against pinion:channel/channel@0.3.0; this host has pinion:channel/channel@0.1.0"
        );
    }

    #[test]
    fn what_is_not_a_component_is_refused() {
        for (file, problem) in [
            (&b""[..], "the file is not WebAssembly"),
            (b"\x7fELF\x02\x01\x01", "the file is not WebAssembly"),
            (b"hello, world", "the file is not WebAssembly"),
            (
                b"\0asm\x01\0\0\0",
                "the file is a core module, not a component: build it for wasm32-wasip2",
            ),
            (
                b"\0asm\x0d\0\x01\0",
                "the component has no manifest: the SDK's macros put one into the custom section \"pinion-manifest\"",
            ),
        ] {
            assert_eq!(inspect(file).unwrap_err(), problem);
        }
        let truncated = b"\0asm\x0d\0\x01\0\x01\x7f";
        assert!(
            inspect(truncated)
                .unwrap_err()
                .starts_with("the file is not a valid component")
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let component = wat::parse_str(
            r#"(component
                (import "pinion:host/log@0.1.0" (instance))
                (import "pinion:host/http@0.2.0" (instance))
                (import "wasi:http/types@0.2.6" (instance))
                (instance $export)
                (export "pinion:channel/channel@0.3.0" (instance $export))
                (@custom "pinion-sdk" "c 7"))"#,
        )
        .unwrap();
        let inspection = inspection(&component);
        assert_eq!(inspection.manifest, None);
        assert_eq!(inspection.sdk.as_deref(), Some("c 7"));
        assert_eq!(inspection.exports, ["pinion:channel/channel@0.3.0"]);
        assert_eq!(
            inspection.imports,
            [
                "pinion:host/log@0.1.0",
                "pinion:host/http@0.2.0",
                "wasi:http/types@0.2.6"
            ]
        );
        assert_eq!(
            inspection.problems,
            [
                "the component has no manifest: the SDK's macros put one into the custom section \"pinion-manifest\"",
                "the component was built against pinion:channel/channel@0.3.0; this host has pinion:channel/channel@0.1.0",
                "the component was built against pinion:host/http@0.2.0; this host has pinion:host/http@0.1.0",
                "the component imports wasi:http/types@0.2.6, which a channel may not",
            ]
        );
    }
}
