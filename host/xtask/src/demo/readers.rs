//! What readers do with their mail: some open it, some follow a link, one has enough. Everything they
//! know comes out of the messages as they arrived.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result};
use serde_json::Value;

use super::people::Dice;
use super::screen::Screen;
use super::server::Server;

/// Readers at once.
const AT_ONCE: usize = 8;
const PAGE: usize = 1_000;

/// How a treatment's readers behave, in percent.
#[derive(Clone, Copy)]
pub struct Habit {
    /// Who opens the message.
    pub open: u64,
    /// Who of those follows a link.
    pub click: u64,
}

/// What readers did.
#[derive(Default)]
pub struct Done {
    /// Pixels fetched.
    pub opens: u64,
    /// Links followed.
    pub clicks: u64,
    /// Who unsubscribed.
    pub unsubscribed: String,
}

/// Everything in the outbox, oldest first.
pub fn mails(server: &Server) -> Result<Vec<Value>> {
    let session = server.session()?;
    let mut mails = Vec::new();
    let mut after = 0;
    loop {
        let page = server.console(
            &format!("/outbox/api/messages?after={after}&limit={PAGE}"),
            &session,
        )?;
        let arrived = page["messages"]
            .as_array()
            .context("the outbox answers messages")?;
        if arrived.is_empty() {
            return Ok(mails);
        }
        mails.extend(arrived.iter().cloned());
        after = page["next_after"].as_u64().context("and where to go on")?;
    }
}

/// Lets every reader do as the habit of the mail's treatment says.
pub fn read(
    server: &Server,
    screen: &Screen,
    mails: &[Value],
    habit: impl Fn(&Value) -> Habit,
) -> Result<Done> {
    let mut plan: Vec<&str> = Vec::new();
    let (mut opens, mut clicks) = (0, 0);
    for (number, mail) in mails.iter().enumerate() {
        let mut dice = Dice::new(number as u64 + 77);
        let habit = habit(mail);
        if dice.below(100) >= habit.open {
            continue;
        }
        plan.push(find(mail, "images", "/t/o/")?);
        opens += 1;
        if dice.below(100) < habit.click {
            plan.push(find(mail, "links", "/t/c/")?);
            clicks += 1;
        }
    }
    fetch(server, screen, &plan)?;
    let tired = mails.first().context("somebody got a message")?;
    server.unsubscribe(&unsubscribe_link(tired)?)?;
    let unsubscribed = tired["to"][0].as_str().unwrap_or_default().to_owned();
    Ok(Done {
        opens,
        clicks,
        unsubscribed,
    })
}

fn find<'m>(mail: &'m Value, member: &str, part: &str) -> Result<&'m str> {
    let mut all = mail[member]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    all.find(|url| url.contains(part))
        .with_context(|| format!("a message has no tracked {member}: {}", mail["raw"]))
}

/// The address in `List-Unsubscribe: <https://…>`.
fn unsubscribe_link(mail: &Value) -> Result<String> {
    let headers = mail["headers"].as_array().into_iter().flatten();
    let mut values = headers.filter(|header| {
        header[0]
            .as_str()
            .is_some_and(|name| name.eq_ignore_ascii_case("list-unsubscribe"))
    });
    let value = values
        .next()
        .and_then(|header| header[1].as_str())
        .context("a message cannot be unsubscribed from")?;
    Ok(value
        .trim()
        .trim_start_matches('<')
        .trim_end_matches('>')
        .to_owned())
}

fn fetch(server: &Server, screen: &Screen, urls: &[&str]) -> Result<()> {
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    let total = urls.len() as u64;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(url) = urls.get(next.fetch_add(1, Ordering::Relaxed)) {
                        server.visit(url)?;
                        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                        if done.is_multiple_of(50) && done < total {
                            screen.progress(done, total, "pixels and links fetched");
                        }
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("readers do not panic"))
    })?;
    screen.progress(total, total, "pixels and links fetched");
    Ok(())
}
