//! `pinion plugin`: what an author of a plugin does, from an empty folder to figures.

use std::path::{Path, PathBuf};
use std::process::Command;

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    )
}

/// What `pinion plugin` prints, or its complaint.
fn pinion(arguments: &[&str]) -> Result<String, String> {
    let done = Command::new(env!("CARGO_BIN_EXE_pinion"))
        .arg("plugin")
        .args(arguments)
        .output()
        .unwrap();
    if done.status.success() {
        Ok(String::from_utf8(done.stdout).unwrap())
    } else {
        Err(String::from_utf8(done.stderr).unwrap())
    }
}

/// A component that `cargo xtask build-plugins` built.
fn built(name: &str) -> String {
    let path = target().join("plugins").join(format!("{name}.wasm"));
    assert!(
        path.is_file(),
        "{}: run `cargo xtask build-plugins`",
        path.display()
    );
    path.display().to_string()
}

#[test]
fn check_tells_what_a_component_is() {
    let told = pinion(&["check", &built("email-smtp")]).unwrap();
    for words in [
        "email-smtp 0.1.0, a channel",
        "largest batch     200",
        "asks to reach     smtp://*:*",
        "asks for secrets  password",
        "made with         rust 0.1.0",
        "exports           pinion:channel/channel@0.1.0",
        "pinion:host/smtp@0.1.0",
        "this server runs it",
    ] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
}

#[test]
fn check_tells_everything_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugin.wasm");
    let path = file.display().to_string();
    let good = std::fs::read(built("webhook")).unwrap();
    let with = |old: &str, new: &str| {
        assert_eq!(old.len(), new.len());
        let mut bytes = good.clone();
        let (old, new) = (old.as_bytes(), new.as_bytes());
        let mut place = 0;
        while let Some(found) = bytes[place..].windows(old.len()).position(|bytes| bytes == old) {
            place += found;
            bytes[place..place + new.len()].copy_from_slice(new);
        }
        assert_ne!(bytes, good, "{old:?} is not in the component");
        bytes
    };
    for (bytes, words) in [
        (b"hello".to_vec(), vec!["the file is not WebAssembly"]),
        (
            b"\0asm\x01\0\0\0".to_vec(),
            vec!["the file is a core module, not a component: build it for wasm32-wasip2"],
        ),
        (
            good[..good.len() / 2].to_vec(),
            vec!["the file is not a valid component"],
        ),
        (
            b"\0asm\x0d\0\x01\0".to_vec(),
            vec![
                "the component has no manifest",
                "the component exports none of pinion:channel/channel",
            ],
        ),
        (
            with("pinion:host/http@0.1.0", "pinion:host/http@0.9.0"),
            vec!["was built against pinion:host/http@0.9.0; this host has pinion:host/http@0.1.0"],
        ),
        (
            with("pinion:host/http@0.1.0", "pinion:host/mine@0.1.0"),
            vec!["the component imports pinion:host/mine@0.1.0, which a channel may not"],
        ),
        (
            with("\"max_batch\": 100", "\"max_batch\":   0"),
            vec!["manifest: max_batch must be between 1 and 1000"],
        ),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let complaint = pinion(&["check", &path]).unwrap_err();
        assert!(
            complaint.contains(&format!("this server does not run {path}:")),
            "{complaint}"
        );
        for words in words {
            assert!(complaint.contains(words), "{words:?} is not in {complaint}");
        }
    }
    let complaint = pinion(&["check", "/nowhere.wasm"]).unwrap_err();
    assert!(complaint.contains("cannot read /nowhere.wasm"), "{complaint}");
}

#[test]
fn bench_tells_the_cost_of_each_kind() {
    let mail = r#"{"host": "127.0.0.1", "port": "$SMTP_PORT", "tls": "none"}"#;
    let post = r#"{"url": "$POST_URL"}"#;
    for (name, settings) in [("email-smtp", mail), ("webhook", post), ("null", "{}")] {
        let file = built(name);
        let arguments = ["bench", &file, "--settings", settings, "--messages", "400"];
        let told = pinion(&arguments).unwrap();
        let line = told.lines().find(|line| line.starts_with(&format!("{name}  ")));
        assert!(line.is_some_and(|line| line.contains(" µs")), "{told}");
        assert_eq!(
            told.lines().filter(|line| line.starts_with("null  ")).count(),
            1,
            "{told}"
        );
    }
    let told = pinion(&["bench", &built("engagement-score"), "--settings", r#"{"min": 4}"#]).unwrap();
    assert!(told.contains("a predicate") && told.contains(" ns"), "{told}");
    let content = r#"{"default": "en", "content": {"en": {"greeting": "Hello"}}}"#;
    let told = pinion(&["bench", &built("best-content-by-locale"), "--settings", content]).unwrap();
    assert!(told.contains("a personalizer") && told.contains(" ns"), "{told}");
    // The settings lead nowhere, so no message is accepted.
    let nowhere = r#"{"url": "https://127.0.0.1:9/"}"#;
    let complaint = pinion(&["bench", &built("webhook"), "--settings", nowhere]).unwrap_err();
    assert!(complaint.contains("a message was not accepted"), "{complaint}");
    let complaint = pinion(&["bench", &built("engagement-score")]).unwrap_err();
    assert!(complaint.contains("give min, below or both"), "{complaint}");
}

#[test]
fn a_new_project_builds_tests_and_runs_at_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Kept between runs, so that the SDK is compiled once.
    let cache = target().join("tests/new-plugins");
    for (kind, settings) in [
        ("channel", None),
        ("predicate", Some(r#"{"city": "value 7"}"#)),
        ("personalizer", Some(r#"{"greeting": "Good day"}"#)),
    ] {
        let below = tempfile::tempdir().unwrap();
        let folder = below.path().display().to_string();
        let name = format!("my-{kind}");
        let told = pinion(&["new", "--kind", kind, "--folder", &folder, &name]).unwrap();
        assert!(
            told.contains("cargo build --target wasm32-wasip2 --release"),
            "{told}"
        );
        let project = below.path().join(&name);
        // The versions that are here already: tests need no network.
        std::fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
        let cargo = |arguments: &[&str]| {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.current_dir(&project).arg("--offline").args(arguments);
            let done = cargo.env("CARGO_TARGET_DIR", &cache).output().unwrap();
            let complaint = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{kind}: {arguments:?}: {complaint}");
            assert!(!complaint.contains("warning: unused"), "{kind}: {complaint}");
        };
        cargo(&["test"]);
        cargo(&["build", "--release", "--target", "wasm32-wasip2"]);
        let file = format!("wasm32-wasip2/release/my_{kind}.wasm");
        let file = cache.join(file).display().to_string();
        let told = pinion(&["check", &file]).unwrap();
        assert!(told.contains("this server runs it"), "{told}");
        if let Some(settings) = settings {
            let told = pinion(&["bench", &file, "--settings", settings]).unwrap();
            assert!(told.contains(&format!("my-{kind} 0.1.0, a {kind}")), "{told}");
        }
    }
}
