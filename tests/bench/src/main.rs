//! What the spine does in a second, in what memory, and how both grow with size.
//!
//! Every row runs in a process of its own, so that its peak memory is its own. Figures of one run are
//! to be compared with each other; machines differ.

mod audience;
mod campaign;
mod costs;
mod import;
mod memory;
mod population;
mod predicate;
mod requests;

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Measures Pinion: sending, importing, predicates, and the audience")]
struct Cli {
    #[command(subcommand)]
    what: Option<What>,
    /// Leaves out the largest sizes.
    #[arg(long, global = true)]
    quick: bool,
}

#[derive(Subcommand)]
enum What {
    /// One campaign through the `null` component.
    Null {
        #[arg(long)]
        size: u32,
        #[arg(long)]
        personalizer: bool,
    },
    /// One campaign to an SMTP sink on loopback.
    Smtp {
        #[arg(long)]
        size: u32,
    },
    /// The import before a campaign, into `data` below the folder.
    Import {
        #[arg(long)]
        folder: std::path::PathBuf,
        #[arg(long)]
        size: u32,
    },
    /// The sink of `smtp`: prints its address, runs until its input ends.
    Sink,
    /// Signed requests to a server of its own.
    Requests {
        #[arg(long)]
        kind: requests::Kind,
    },
    /// What of a signed request's cost is whose.
    Costs {
        #[arg(long)]
        kind: requests::Kind,
    },
    /// The server of `requests`: runs until its input ends.
    Server {
        #[arg(long)]
        folder: std::path::PathBuf,
    },
    /// Nanoseconds of CPU per row of a predicate.
    Predicate,
    /// Columns: building, following, and segments beside DuckDB.
    Audience {
        /// Endpoints; 1 and 10 million unless given.
        #[arg(long)]
        size: Vec<u32>,
        /// Events for each of them.
        #[arg(long, default_value_t = 10)]
        events_per_endpoint: u32,
        /// Leaves DuckDB out.
        #[arg(long)]
        without_peer: bool,
        /// Measures one size in this process and prints it as JSON.
        #[arg(long, hide = true)]
        measure: bool,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match cli.what {
        None => table(cli.quick),
        Some(What::Null { size, personalizer }) => {
            say(&runtime.block_on(campaign::null(size, personalizer))?.to_string())
        }
        Some(What::Smtp { size }) => say(&runtime.block_on(campaign::smtp(size))?.to_string()),
        Some(What::Import { folder, size }) => {
            say(&runtime.block_on(campaign::import(&folder, size))?.to_string())
        }
        Some(What::Requests { kind }) => say(&runtime.block_on(requests::measure(kind))?.to_string()),
        Some(What::Costs { kind }) => say(&runtime.block_on(costs::measure(kind))?.to_string()),
        Some(What::Server { folder }) => runtime.block_on(requests::server(&folder)),
        Some(What::Sink) => runtime.block_on(campaign::sink()),
        Some(What::Audience {
            size,
            events_per_endpoint,
            without_peer,
            measure,
        }) => {
            let sizes: &[u32] = match (size.as_slice(), cli.quick) {
                ([], true) => &[100_000],
                ([], false) => &[1_000_000, 10_000_000],
                (given, _) => given,
            };
            if measure {
                let measured = audience::measure(sizes[0], events_per_endpoint, without_peer);
                say(&runtime.block_on(measured)?.to_string())
            } else {
                audience::table(sizes, events_per_endpoint, without_peer)
            }
        }
        Some(What::Predicate) => say(&runtime.block_on(predicate::measure())?.to_string()),
    }
}

/// Runs every row and prints the table.
fn table(quick: bool) -> Result<()> {
    let sizes: &[u32] = if quick {
        &[10_000, 100_000]
    } else {
        &[10_000, 100_000, 1_000_000]
    };
    say("| what | size | per second | CPU each | memory | import | memory of the import |")?;
    say("|---|---|---|---|---|---|---|")?;
    for personalizer in [false, true] {
        for size in sizes {
            let mut args = vec!["null".to_owned(), "--size".to_owned(), size.to_string()];
            let name = if personalizer {
                "null, with personalizer"
            } else {
                "null"
            };
            if personalizer {
                args.push("--personalizer".to_owned());
            }
            print_row(name, *size, &child(&args)?)?;
        }
    }
    for size in [10_000_u32, 50_000] {
        let args = ["smtp".to_owned(), "--size".to_owned(), size.to_string()];
        print_row("email-smtp to a loopback sink", size, &child(&args)?)?;
    }
    say("")?;
    say(
        "| signed requests | per second | median | slowest hundredth | CPU of the server each | verifier | JSON | store |",
    )?;
    say("|---|---|---|---|---|---|---|---|")?;
    for (kind, name, what) in [
        (
            requests::Kind::Send,
            "send",
            "SendMessages to one address, `null` channel",
        ),
        (requests::Kind::Update, "update", "UpdateEndpoint"),
        (requests::Kind::Events, "events", "PutEvents with 100 events"),
    ] {
        let row = child(&["requests".to_owned(), "--kind".to_owned(), name.to_owned()])?;
        let costs = child(&["costs".to_owned(), "--kind".to_owned(), name.to_owned()])?;
        let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        let cost = |key: &str| costs[key].as_f64().unwrap_or(f64::NAN);
        let events = match kind.each() {
            1 => String::new(),
            each => format!(" ({:.0} events)", number("per_second") * each as f64),
        };
        say(&format!(
            "| {what} | {:.0}{events} | {:.1} ms | {:.1} ms | {:.0} µs | {:.0} µs | {:.0} µs | {:.0} µs |",
            number("per_second"),
            number("median_ms"),
            number("slowest_hundredth_ms"),
            number("cpu_micros"),
            cost("verifier"),
            cost("json"),
            cost("store"),
        ))?;
    }
    let predicate = child(&["predicate".to_owned()])?;
    say("")?;
    say("| predicate engagement-score, ns of CPU per row | in the sandbox | native | ratio |")?;
    say("|---|---|---|---|")?;
    for row in predicate.as_array().into_iter().flatten() {
        let name = row["name"].as_str().unwrap_or_default();
        let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        let (sandboxed, native) = (number("sandboxed"), number("native"));
        say(&format!(
            "| {name} | {sandboxed:.1} | {native:.1} | {:.1} |",
            sandboxed / native
        ))?;
    }
    Ok(())
}

fn print_row(name: &str, size: u32, row: &Value) -> Result<()> {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    // Anonymous, and with the pages of files.
    let memory = |of: &Value| {
        format!(
            "{:.0} MB ({:.0})",
            number(&of["anonymous"]) / 1e6,
            number(&of["memory"]) / 1e6
        )
    };
    say(&format!(
        "| {name} | {size} | {:.0} msg | {:.1} µs | {} | {:.0} lines | {} |",
        number(&row["messages_per_second"]),
        number(&row["cpu_seconds"]) * 1e6 / f64::from(size),
        memory(row),
        number(&row["import"]["lines_per_second"]),
        memory(&row["import"]),
    ))
}

pub(crate) fn child(args: &[String]) -> Result<Value> {
    let output = Command::new(std::env::current_exe()?).args(args).output()?;
    if !output.status.success() {
        bail!("{args:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    serde_json::from_str(text.lines().last().context("the measurement printed nothing")?)
        .with_context(|| format!("{args:?} printed {text}"))
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn say(line: &str) -> Result<()> {
    println!("{line}");
    Ok(())
}
