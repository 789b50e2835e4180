//! All tests, in suites. Each suite makes what it needs below `target/`; what only the system can give
//! (PostgreSQL, Python, Node, Chromium) is installed where that is allowed, and asked for elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::packages::{Program, on_path};
use crate::plugins;
use crate::workspace::{build_server, cargo, root, run as run_program, server_binary, target};

/// A suite: its name, and how it is run with the server's binary.
type Suite = (&'static str, fn(&Path) -> Result<()>);

const SUITES: &[Suite] = &[("rust", rust), ("clients", clients), ("browser", browser)];

/// Runs the suites that are named, or all of them. One that fails does not keep the others from running.
pub fn run(names: &[String]) -> Result<()> {
    if let Some(name) = names
        .iter()
        .find(|name| SUITES.iter().all(|(suite, _)| suite != name))
    {
        let known: Vec<&str> = SUITES.iter().map(|(suite, _)| *suite).collect();
        bail!("there is no suite {name}; there are {}", known.join(", "));
    }
    // All suites need the components: Rust's as fixtures, the others inside the server.
    plugins::build()?;
    let server = server(names.is_empty() || names.iter().any(|name| name == "rust"))?;
    let mut closing = Vec::new();
    let mut failed = false;
    for (name, suite) in SUITES {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        eprintln!("\n== {name} ==");
        let began = Instant::now();
        let outcome = match suite(&server) {
            Ok(()) => "passed".to_owned(),
            Err(error) => {
                failed = true;
                format!("FAILED ({error:#})")
            }
        };
        closing.push(format!("{name:8} {outcome}, {} s", began.elapsed().as_secs()));
    }
    eprintln!("\n{}", closing.join("\n"));
    if failed {
        bail!("some tests failed")
    } else {
        Ok(())
    }
}

/// Builds the server: together with all tests if those are to run, so that nothing is built twice with other
/// features.
fn server(with_tests: bool) -> Result<PathBuf> {
    if !with_tests {
        return build_server();
    }
    run_program(cargo().args(["test", "--workspace", "--no-run"]))?;
    Ok(server_binary())
}

/// Tests of all crates, plugins included: on the machine itself a plugin is plain Rust.
fn rust(_: &Path) -> Result<()> {
    let elsewhere = std::env::var_os("PINION_TEST_POSTGRES_URL").is_some();
    let without = std::env::var("PINION_TEST_POSTGRES").as_deref() == Ok("off");
    if !elsewhere && !without {
        POSTGRES.get()?;
    }
    run_program(cargo().args(["test", "--workspace", "--no-fail-fast"]))
}

/// The server as boto3, the AWS CLI and the AWS SDKs for Rust and JavaScript see it.
fn clients(server: &Path) -> Result<()> {
    let python = python_folder("python", &root().join("tests/clients/requirements.txt"))?;
    let node = NODE.get()?;
    javascript_client()?;
    let rust = rust_client()?;
    let mut pytest = Command::new(python.join("bin").join("pytest"));
    pytest.arg(root().join("tests/clients")).env("PINION", server);
    // Nothing is left behind in the source folders.
    pytest.args([
        "-o",
        &format!("cache_dir={}", target().join("python/pytest").display()),
    ]);
    pytest
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PINION_NODE", node)
        .env("PINION_RUST_CLIENT", rust)
        .env("PINION_OUT", out("clients")?);
    run_program(&mut pytest)
}

/// The pages in a browser.
fn browser(server: &Path) -> Result<()> {
    let modules = node_modules("tests/browser", "node")?;
    let chromium = CHROMIUM.get()?;
    let mut node = Command::new(NODE.get()?);
    node.args(["--test", "--test-reporter=spec"])
        .arg(root().join("tests/browser/pages.test.js"));
    node.env("NODE_PATH", modules).env("CHROMIUM", chromium);
    node.env("PINION", server).env("PINION_OUT", out("browser")?);
    run_program(&mut node)
}

/// Where a suite leaves what people may want to look at.
fn out(suite: &str) -> Result<PathBuf> {
    let folder = target().join("tests").join(suite);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A virtual environment below `target/` with exactly what a list of packages says, made anew when that changes.
pub(crate) fn python_folder(name: &str, requirements: &Path) -> Result<PathBuf> {
    let folder = target().join(name);
    let stamp = folder.join("requirements.txt");
    if same(requirements, &stamp) {
        return Ok(folder);
    }
    let python = PYTHON.get()?;
    run_program(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin").join("pip"));
    pip.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ])
    .arg(requirements);
    run_program(&mut pip)?;
    fs::copy(requirements, &stamp)?;
    Ok(folder)
}

/// The client written with the AWS SDK for Rust. It has a workspace of its own: what the SDK is built with
/// is not what the server is built with.
fn rust_client() -> Result<PathBuf> {
    let folder = target().join("rust-client");
    let manifest = root().join("tests/clients/rust/Cargo.toml");
    let mut build = cargo();
    build
        .args(["build", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&folder);
    run_program(&mut build)?;
    Ok(folder.join("debug").join("pinion-rust-client"))
}

/// Puts the client written with the AWS SDK for JavaScript beside what it imports.
fn javascript_client() -> Result<()> {
    const CLIENT: &str = "client.mjs";
    let modules = node_modules("tests/clients/javascript", "javascript-client")?;
    let source = root().join("tests/clients/javascript").join(CLIENT);
    fs::copy(source, modules.with_file_name(CLIENT)).context("tests/clients/javascript")?;
    Ok(())
}

/// `node_modules` with exactly what the `package-lock.json` of a source folder says, in a folder of `target`.
fn node_modules(source: &str, folder: &str) -> Result<PathBuf> {
    let folder = target().join(folder);
    let from = root().join(source);
    let modules = folder.join("node_modules");
    if modules.is_dir() && same(&from.join("package-lock.json"), &folder.join("package-lock.json")) {
        return Ok(modules);
    }
    let npm = NPM.get()?;
    fs::create_dir_all(&folder)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(from.join(file), folder.join(file)).with_context(|| format!("{source}/{file}"))?;
    }
    let mut install = Command::new(npm);
    install
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(&folder);
    if let Err(error) = run_program(&mut install) {
        // Half an installation must not be taken for a whole one.
        fs::remove_file(folder.join("package-lock.json"))?;
        return Err(error);
    }
    Ok(modules)
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

const POSTGRES: Program = Program {
    name: "PostgreSQL (initdb)",
    packages: &["postgresql"],
    find: || {
        let versions = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten();
        let debian = versions
            .map(|version| version.path().join("bin/initdb"))
            .find(|file| file.is_file());
        debian.or_else(|| on_path("initdb"))
    },
};

const PYTHON: Program = Program {
    name: "Python 3.10 or newer with venv",
    packages: &["python3", "python3-venv"],
    find: || {
        let python = on_path("python3")?;
        // Debian's has venv, but not what venv needs.
        let check = "import ensurepip, sys, venv; assert sys.version_info >= (3, 10)";
        let status = Command::new(&python)
            .args(["-c", check])
            .stderr(std::process::Stdio::null())
            .status();
        status.is_ok_and(|status| status.success()).then_some(python)
    },
};

const NODE: Program = Program {
    name: "Node",
    packages: &["nodejs"],
    find: || on_path("node"),
};

const NPM: Program = Program {
    name: "npm",
    packages: &["nodejs", "npm"],
    find: || on_path("npm"),
};

const CHROMIUM: Program = Program {
    name: "Chromium",
    packages: &["chromium"],
    find: || on_path("chromium").or_else(|| on_path("chromium-browser")),
};
