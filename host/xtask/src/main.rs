//! `cargo xtask`: the chores of this workspace, one module each.

mod check;
mod demo;
mod packages;
mod plugins;
mod test;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// A chore: name, what it takes, what it does, how.
type Chore = (
    &'static str,
    &'static str,
    &'static str,
    fn(&[String]) -> Result<()>,
);

const CHORES: &[Chore] = &[
    (
        "demo",
        "[--exit]",
        "shows the main job for real, then stays (or ends)",
        demo::run,
    ),
    (
        "test",
        "[SUITE…]",
        "runs all tests, or some suites: rust, clients, browser",
        test::run,
    ),
    (
        "check",
        "",
        "format, lints, docs and licences, as the project wants them",
        check::run,
    ),
    (
        "bench",
        "[audience]",
        "measures an optimised build; the audience beside DuckDB",
        bench,
    ),
    (
        "build-plugins",
        "",
        "builds every plugin into target/plugins",
        |_| plugins::build(),
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    if let Some((name, rest)) = arguments.split_first()
        && let Some((.., run)) = CHORES.iter().find(|(chore, ..)| chore == name)
    {
        return run(rest);
    }
    let list: String = CHORES
        .iter()
        .map(|(chore, takes, what, _)| format!("\n  {:24} {what}", format!("{chore} {takes}")))
        .collect();
    bail!("usage: cargo xtask CHORE, where CHORE is one of{list}")
}

fn bench(arguments: &[String]) -> Result<()> {
    plugins::build()?;
    let mut cargo = workspace::cargo();
    let peer = arguments.first().is_some_and(|what| what == "audience")
        && arguments.iter().all(|argument| argument != "--without-peer");
    if peer {
        let requirements = workspace::root().join("tests/bench/peer/requirements.txt");
        let python = test::python_folder("python-bench", &requirements)?;
        cargo.env("PINION_BENCH_PYTHON", python.join("bin/python"));
    }
    workspace::run(
        cargo
            .args(["run", "--release", "--package", "pinion-bench", "--"])
            .args(arguments),
    )
}
