//! The host can read the manifest of every plugin in this workspace.

use std::fs;
use std::path::Path;

use pinion_domain::extension::Manifest;

#[test]
fn every_manifest_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut seen = 0;
    for folder in ["plugins", "tests/fixtures/bad"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_dir() {
                continue;
            }
            let json = fs::read(path.join("plugin.json")).unwrap();
            let manifest =
                Manifest::parse(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let folder_name = path.file_name().unwrap().to_string_lossy();
            let shared = folder_name.starts_with("swap-");
            assert!(
                shared || manifest.name == folder_name,
                "{}: {}",
                path.display(),
                manifest.name
            );
            assert!(!manifest.description.is_empty(), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} manifests found");
}
