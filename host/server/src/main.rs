//! `pinion`: the server and its command line.

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match pinion_server::cli::run(pinion_server::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The reader of settings ends its sentences with a line break.
            eprintln!("pinion: {}", format!("{error:#}").trim_end());
            ExitCode::FAILURE
        }
    }
}
