//! AWS's published signing vectors. They come with the source of the `aws-sigv4` crate, which is here
//! anyway as the oracle.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use http::{HeaderMap, HeaderName};
use pinion_api::auth::sigv4::{AuthError, Key, RequestView, Rules, Verified, Verifier};
use pinion_api::router::RawPath;
use pinion_domain::clock::parse_iso;
use serde_json::Value;

fn suite() -> PathBuf {
    let cargo = |arguments: &[&str]| {
        Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap()
    };
    // Unless told the platform, cargo wants the sources of all platforms' dependencies.
    let version = String::from_utf8(cargo(&["-vV"]).stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let metadata = cargo(&[
        "metadata",
        "--format-version=1",
        "--offline",
        "--locked",
        "--filter-platform",
        host.unwrap(),
    ]);
    assert!(
        metadata.status.success(),
        "{}",
        String::from_utf8_lossy(&metadata.stderr)
    );
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let package = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "aws-sigv4")
        .unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.with_file_name("aws-signing-test-suite").join("v4")
}

/// A request as a server would have parsed it.
struct Raw {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Raw {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        // A line that begins with a space continues the one before.
        let head = head.replace("\n ", " ");
        let mut lines = head.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let target = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.as_bytes().to_vec(),
        }
    }

    fn verify(&self, path: &str, context: &Value) -> Result<Verified, AuthError> {
        let verifier = Verifier::new(Rules {
            service: "service".to_owned(),
            ..Rules::default()
        });
        let credentials = &context["credentials"];
        let view = RequestView {
            method: &self.method,
            path,
            query: &self.query,
            headers: &self.headers,
        };
        let find = |id: &str| {
            (id == credentials["access_key_id"].as_str()?).then(|| Key {
                secret: credentials["secret_access_key"]
                    .as_str()
                    .unwrap()
                    .to_owned()
                    .into(),
                session_token: credentials["token"].as_str().map(str::to_owned),
                expires: None,
            })
        };
        let now = parse_iso(context["timestamp"].as_str().unwrap()).unwrap();
        verifier.verify(view, &self.body, find, now)
    }
}

/// RFC 3986 as a normalising client applies it before it signs. Our front door refuses paths on which
/// this would change anything, so only the vectors need it.
fn normalized(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let slash = if path.ends_with('/') && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}", kept.join("/"))
}

/// Folders whose request verifies, and the others with the reason.
fn run(file: &str) -> (Vec<String>, Vec<(String, AuthError)>) {
    let (mut verified, mut refused) = (Vec::new(), Vec::new());
    for folder in fs::read_dir(suite()).unwrap() {
        let folder = folder.unwrap().path();
        // Two old folders without a context are other services' examples.
        let Ok(context) = fs::read(folder.join("context.json")) else {
            continue;
        };
        let context: Value = serde_json::from_slice(&context).unwrap();
        let request = Raw::parse(&fs::read_to_string(folder.join(file)).unwrap());
        let path = match context["normalize"].as_bool().unwrap() {
            true => normalized(&request.path),
            false => request.path.clone(),
        };
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        match request.verify(&path, &context) {
            Ok(_) => verified.push(name),
            Err(error) => refused.push((name, error)),
        }
    }
    refused.sort_by(|a, b| a.0.cmp(&b.0));
    (verified, refused)
}

#[test]
fn all_header_signed_vectors_verify() {
    let (verified, refused) = run("header-signed-request.txt");
    assert_eq!(refused, []);
    assert_eq!(verified.len(), 38);
}

#[test]
fn all_query_signed_vectors_verify_but_one() {
    let (verified, refused) = run("query-signed-request.txt");
    // It adds its session token after signing, which services of the older kind want.
    let names: Vec<_> = refused.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["post-sts-header-after"]);
    assert_eq!(verified.len(), 37);
}

#[test]
fn vectors_with_ambiguous_paths_never_reach_the_verifier() {
    let mut refused: Vec<String> = Vec::new();
    for folder in fs::read_dir(suite()).unwrap() {
        let folder = folder.unwrap().path();
        let request = Raw::parse(&fs::read_to_string(folder.join("request.txt")).unwrap());
        if RawPath::parse(&request.path).is_err() {
            refused.push(folder.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    refused.sort();
    assert_eq!(refused.len(), 14, "{refused:?}");
    let ambiguous = |name: &String| {
        ["slash", "relative", "space"]
            .iter()
            .any(|word| name.contains(word))
    };
    assert!(refused.iter().all(ambiguous), "{refused:?}");
}
