//! The main job, for real: a server, an import, a segment with a predicate, a campaign with two
//! treatments and a holdout, mail in the outbox, readers who open and click, figures, and two pages.
//!
//! Everything goes the way that a user's programs go: signed calls of the API, files below the import
//! folder, mail over SMTP, links over HTTP.

mod people;
mod readers;
mod screen;
mod server;
mod story;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};

use crate::plugins;
use crate::workspace::build_server;
use screen::Screen;
use server::Server;

/// `cargo xtask demo [--exit]`
pub fn run(arguments: &[String]) -> Result<()> {
    let stay = match arguments {
        [] => true,
        [flag] if flag == "--exit" => false,
        _ => bail!("usage: cargo xtask demo [--exit]"),
    };
    // The terminal interrupts the server too, which then drains; here it is only noted, so that the
    // server is waited for and its folder removed.
    let interrupted = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&interrupted);
    ctrlc::set_handler(move || noted.store(true, Ordering::SeqCst)).context("interrupts cannot be noted")?;

    let outcome = show(stay);
    if interrupted.load(Ordering::SeqCst) {
        eprintln!("stopped; the demo's folder is removed");
        return Ok(());
    }
    outcome
}

fn show(stay: bool) -> Result<()> {
    let mut screen = Screen::default();
    screen.step("Building the components and the server (the first time takes minutes)");
    plugins::build()?;
    let binary = build_server()?;

    screen.step("Starting the server");
    let mut server = Server::start(&binary)?;
    screen.say(&format!(
        "pinion serve --data {} --listen {}",
        server.data().display(),
        server.address()
    ));
    screen.say(&format!("plugins inside: {}", server.plugins()?.join(", ")));
    screen.say(&format!(
        "mail goes to the outbox, an SMTP listener on {}",
        server.smtp()
    ));

    let told = story::tell(&server, &mut screen).map_err(|error| server.explain(error))?;

    screen.step("Two pages");
    screen.say(&format!("the outbox             {}", server.link("/outbox")?));
    screen.say(&format!("the campaign's report  {}", server.link(&told.report)?));
    screen.say("each link opens the console once, within fifteen minutes");
    if !stay {
        return server.stop();
    }
    screen.step("The server stays until you press Ctrl-C. From another terminal:");
    for line in server.environment() {
        screen.say(&line);
    }
    screen.say("aws pinpoint get-apps");
    server.wait()
}
