//! The outbox: a development sink that takes mail and custom-channel posts and shows what arrived.
//!
//! It delivers nothing and keeps everything in memory, the newest up to a bound. It is off unless
//! configured; a channel without a binding never falls into it.
//!
//! Some recipients are refused on purpose, so that bounces can be seen without a provider:
//!
//! | local part begins with | answer |
//! |---|---|
//! | `bounce+` | `550 5.1.1` to RCPT |
//! | `defer+` | `451 4.3.0` to the first RCPT of this address, then accepted |
//! | `reject+` | `554 5.7.1` to the whole message, after DATA |

mod pages;
mod smtp;
mod view;

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use pinion_domain::clock::{Clock, SystemClock};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use pages::{router, sink_router};
pub use view::{ApiMessage, ApiPage};

/// What the outbox may keep.
#[derive(Clone)]
pub struct OutboxConfig {
    /// Messages that are kept: 20,000. The oldest go first.
    pub messages: usize,
    /// Bytes that all of them together may have: 256 MiB.
    pub bytes: usize,
    /// Largest message: 25 MiB.
    pub message_bytes: usize,
    /// SMTP connections at once: 256.
    pub connections: usize,
    /// Tells when a message arrived.
    pub clock: Arc<dyn Clock>,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self {
            messages: 20_000,
            bytes: 256 * 1024 * 1024,
            message_bytes: 25 * 1024 * 1024,
            connections: 256,
            clock: Arc::new(SystemClock),
        }
    }
}

/// A running sink. Dropping the last handle ends its listener and its connections.
pub struct Outbox {
    shelf: Arc<Shelf>,
    address: SocketAddr,
    listening: JoinHandle<()>,
}

/// One thing that arrived.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// Counts from 1, without gaps.
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: Kind,
    pub(crate) raw: Bytes,
}

/// How it arrived.
#[derive(Debug)]
pub(crate) enum Kind {
    Mail {
        from: String,
        to: Vec<String>,
    },
    Post {
        path: String,
        headers: Vec<(String, String)>,
    },
}

/// What happened since the start, and what is kept now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// SMTP connections.
    pub connections: u64,
    /// Mail that was accepted.
    pub mails: u64,
    /// Posts that were accepted.
    pub posts: u64,
    /// Recipients that were refused for good.
    pub bounced: u64,
    /// Recipients that were told to come again.
    pub deferred: u64,
    /// Messages that were refused after DATA.
    pub rejected: u64,
    /// Accepted, but no longer kept.
    pub dropped: u64,
    /// Kept.
    pub kept: u64,
    /// Bytes of what is kept.
    pub kept_bytes: u64,
}

/// Where arrivals are kept.
pub(crate) struct Shelf {
    config: OutboxConfig,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Oldest first.
    arrivals: VecDeque<Arc<Arrival>>,
    /// Addresses that were deferred once.
    deferred: HashSet<String>,
    last: u64,
    counters: Counters,
}

impl Outbox {
    /// Takes mail from a listener until it is dropped. It must be called inside a tokio runtime; an
    /// error means that the listener has no address.
    pub fn start(listener: TcpListener, config: OutboxConfig) -> std::io::Result<Arc<Self>> {
        let address = listener.local_addr()?;
        let shelf = Arc::new(Shelf {
            config,
            kept: Mutex::default(),
        });
        let listening = tokio::spawn(smtp::listen(listener, shelf.clone()));
        Ok(Arc::new(Self {
            shelf,
            address,
            listening,
        }))
    }

    /// Where it listens for SMTP.
    pub fn smtp_address(&self) -> SocketAddr {
        self.address
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.shelf.kept.lock().counters
    }

    /// Kept arrivals behind `after`, oldest first, with the number to go on from. This is what
    /// `GET /outbox/api/messages` answers.
    pub fn messages(&self, after: u64, limit: usize) -> ApiPage {
        let arrivals = self.shelf.after(after, limit);
        ApiPage {
            next_after: arrivals.last().map_or(after, |last| last.seq),
            messages: arrivals.iter().map(|arrival| ApiMessage::of(arrival)).collect(),
            counters: self.counters(),
        }
    }

    /// The arrival of that number, if it is kept.
    pub(crate) fn arrival(&self, seq: u64) -> Option<Arc<Arrival>> {
        self.shelf
            .after(seq.checked_sub(1)?, 1)
            .pop()
            .filter(|arrival| arrival.seq == seq)
    }

    /// Kept arrivals before `before`, newest first, that name `recipient` (part of an address, any
    /// case).
    pub(crate) fn newest(&self, before: Option<u64>, recipient: &str, limit: usize) -> Vec<Arc<Arrival>> {
        let recipient = recipient.to_lowercase();
        let kept = self.shelf.kept.lock();
        kept.arrivals
            .iter()
            .rev()
            .filter(|arrival| before.is_none_or(|before| arrival.seq < before))
            .filter(|arrival| recipient.is_empty() || arrival.names(&recipient))
            .take(limit)
            .cloned()
            .collect()
    }

    pub(crate) fn post(&self, path: String, headers: Vec<(String, String)>, body: Bytes) -> u64 {
        self.shelf.keep(Kind::Post { path, headers }, body)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Arrival {
    fn names(&self, recipient: &str) -> bool {
        match &self.kind {
            Kind::Mail { to, .. } => to.iter().any(|to| to.to_lowercase().contains(recipient)),
            Kind::Post { path, .. } => path.to_lowercase().contains(recipient),
        }
    }
}

/// What the outbox answers to a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Welcome {
    Accepted,
    Bounced,
    Deferred,
    /// Accepted, but the message will be refused.
    Rejected,
}

impl Shelf {
    fn keep(&self, kind: Kind, raw: Bytes) -> u64 {
        let at = self.config.clock.now();
        let mut kept = self.kept.lock();
        kept.last += 1;
        let seq = kept.last;
        match kind {
            Kind::Mail { .. } => kept.counters.mails += 1,
            Kind::Post { .. } => kept.counters.posts += 1,
        }
        kept.counters.kept += 1;
        kept.counters.kept_bytes += raw.len() as u64;
        let arrival = Arrival { seq, at, kind, raw };
        kept.arrivals.push_back(Arc::new(arrival));
        let (messages, bytes) = (self.config.messages as u64, self.config.bytes as u64);
        while kept.counters.kept > messages || kept.counters.kept_bytes > bytes {
            let Some(oldest) = kept.arrivals.pop_front() else {
                break;
            };
            kept.counters.kept -= 1;
            kept.counters.kept_bytes -= oldest.raw.len() as u64;
            kept.counters.dropped += 1;
        }
        seq
    }

    /// Numbers have no gaps, so a position can be computed.
    fn after(&self, seq: u64, limit: usize) -> Vec<Arc<Arrival>> {
        let kept = self.kept.lock();
        let first = kept.arrivals.front().map_or(1, |arrival| arrival.seq);
        let skip = usize::try_from(seq.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        kept.arrivals.iter().skip(skip).take(limit).cloned().collect()
    }

    fn welcome(&self, recipient: &str) -> Welcome {
        let recipient = recipient.to_lowercase();
        let mut kept = self.kept.lock();
        if recipient.starts_with("bounce+") {
            kept.counters.bounced += 1;
            return Welcome::Bounced;
        }
        if recipient.starts_with("reject+") {
            return Welcome::Rejected;
        }
        if recipient.starts_with("defer+") && !kept.deferred.contains(&recipient) {
            // A bound for what a stranger can make us remember.
            if kept.deferred.len() >= 100_000 {
                kept.deferred.clear();
            }
            kept.deferred.insert(recipient);
            kept.counters.deferred += 1;
            return Welcome::Deferred;
        }
        Welcome::Accepted
    }

    fn count(&self, what: impl FnOnce(&mut Counters)) {
        what(&mut self.kept.lock().counters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(messages: usize, bytes: usize) -> Shelf {
        Shelf {
            config: OutboxConfig {
                messages,
                bytes,
                ..OutboxConfig::default()
            },
            kept: Mutex::default(),
        }
    }

    fn keep(shelf: &Shelf, raw: &'static str) -> u64 {
        let kind = Kind::Mail {
            from: String::new(),
            to: vec![],
        };
        shelf.keep(kind, Bytes::from_static(raw.as_bytes()))
    }

    fn seqs(arrivals: &[Arc<Arrival>]) -> Vec<u64> {
        arrivals.iter().map(|arrival| arrival.seq).collect()
    }

    #[test]
    fn the_oldest_make_room() {
        let shelf = shelf(3, 10);
        for _ in 0..5 {
            keep(&shelf, "a");
        }
        assert_eq!(seqs(&shelf.after(0, 10)), [3, 4, 5]);
        assert_eq!(seqs(&shelf.after(3, 1)), [4]);
        assert_eq!(seqs(&shelf.after(5, 1)), [] as [u64; 0]);
        keep(&shelf, "123456789");
        assert_eq!(seqs(&shelf.after(0, 10)), [5, 6]);
        let counters = shelf.kept.lock().counters;
        assert_eq!(
            (
                counters.mails,
                counters.dropped,
                counters.kept,
                counters.kept_bytes
            ),
            (6, 4, 2, 10)
        );
        // One that is larger than all that may be kept is taken and not kept.
        keep(&shelf, "12345678901");
        assert_eq!(shelf.kept.lock().counters.kept, 0);
        assert_eq!(keep(&shelf, "a"), 8);
        assert_eq!(seqs(&shelf.after(0, 10)), [8]);
    }

    #[test]
    fn some_recipients_are_refused_on_purpose() {
        let shelf = shelf(1, 1);
        for (recipient, expected) in [
            ("ann@x.test", Welcome::Accepted),
            ("bounce+1@x.test", Welcome::Bounced),
            ("Bounce+1@x.test", Welcome::Bounced),
            ("bounce@x.test", Welcome::Accepted),
            ("reject+1@x.test", Welcome::Rejected),
            ("defer+1@x.test", Welcome::Deferred),
            ("defer+2@x.test", Welcome::Deferred),
            ("defer+1@x.test", Welcome::Accepted),
        ] {
            assert_eq!(shelf.welcome(recipient), expected, "{recipient}");
        }
        let counters = shelf.kept.lock().counters;
        assert_eq!((counters.bounced, counters.deferred), (2, 2));
    }
}
