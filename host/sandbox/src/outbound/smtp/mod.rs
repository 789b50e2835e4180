//! The host's SMTP client: what `pinion:host/smtp` does for a component.
//!
//! This file has the words of a submission and the pool of connections; one conversation is in
//! `connection.rs`, its commands in `plan.rs`, bytes on the wire in `wire.rs`. Nothing here retries a message: that is the
//! engine's, which knows what a repeat would mean. The one exception is a pooled connection that
//! turns out to be closed before it said anything about the message.

mod connection;
mod plan;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pinion_domain::extension::Grant;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use connection::Connection;

/// The scheme under which relays are granted.
const SCHEME: &str = "smtp";

/// A server that takes messages for delivery.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Relay {
    /// Name or address; the certificate must be for it.
    pub host: String,
    /// 25, 465, 587 …
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// User name and password.
    pub auth: Option<(String, String)>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            port,
            tls,
            auth,
        } = self;
        write!(f, "Relay({host}:{port}, {tls:?}, login: {})", auth.is_some())
    }
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tls {
    /// Not at all; a login goes in the clear because the operator chose so.
    None,
    /// Upgraded before anything else is said; a relay that does not offer it is refused.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// Who sends to whom, which need not be what the headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Empty for messages that must not bounce.
    pub mail_from: String,
    /// At least one.
    pub rcpt_to: Vec<String>,
}

/// What a server answered, or what the host answers in its place when it can tell beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// As RFC 5321: 250, 450, 550 …
    pub code: u16,
    /// As RFC 3463, such as `5.1.1`, when the server gave one.
    pub enhanced: Option<String>,
    /// Without code and enhanced code, lines joined by `\n`.
    pub text: String,
}

impl Reply {
    /// Did the server say yes?
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// A reply that the host gives in the server's place.
    fn own(code: u16, enhanced: &str, text: &str) -> Self {
        Self {
            code,
            enhanced: Some(enhanced.to_owned()),
            text: text.to_owned(),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = &self.enhanced {
            write!(f, " {enhanced}")?;
        }
        write!(f, " {}", self.text)
    }
}

/// What a server said about a message that it did not refuse as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// One reply to each RCPT TO, in order.
    pub recipients: Vec<Reply>,
    /// The positive reply to the message itself; absent if no recipient was accepted.
    pub message: Option<Reply>,
}

/// Why there is no acceptance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmtpError {
    /// The operator did not grant this relay, or it resolves to a refused address.
    #[error("not granted: {0}")]
    Denied(String),
    /// No conversation came about; nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection could not be protected; nothing was sent.
    #[error("TLS: {0}")]
    Tls(String),
    /// The login was refused.
    #[error("login refused: {0}")]
    Auth(Reply),
    /// The server refused the whole message before or after DATA.
    #[error("refused: {0}")]
    Refused(Reply),
    /// The server did not answer in time.
    #[error("no answer in time")]
    Timeout {
        /// The message was complete, so it may have been accepted.
        maybe_accepted: bool,
    },
    /// The connection broke, or the server spoke nonsense.
    #[error("connection broke: {detail}")]
    Broken {
        /// The message was complete, so it may have been accepted.
        maybe_accepted: bool,
        /// For people.
        detail: String,
    },
}

/// How long each step may take. The defaults are those of RFC 5321 §4.5.3.2, except where a
/// shorter time harms nobody.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// TCP: 30 seconds.
    pub connect: Duration,
    /// TLS handshake: 30 seconds.
    pub tls: Duration,
    /// The server's first word: 5 minutes.
    pub greeting: Duration,
    /// EHLO, MAIL, RCPT, AUTH and others: 5 minutes.
    pub command: Duration,
    /// The answer to DATA: 2 minutes.
    pub data_start: Duration,
    /// Writing 64 KiB: 3 minutes.
    pub data_block: Duration,
    /// The answer to the final dot: 5 minutes, half of the RFC's, since a component waits.
    pub data_end: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            tls: Duration::from_secs(30),
            greeting: Duration::from_secs(300),
            command: Duration::from_secs(300),
            data_start: Duration::from_secs(120),
            data_block: Duration::from_secs(180),
            data_end: Duration::from_secs(300),
        }
    }
}

/// What the pool may use.
#[derive(Clone, Debug)]
pub struct SmtpLimits {
    /// Connections at once to one relay under one login: 16. More submissions wait in order.
    pub connections_per_relay: usize,
    /// Messages after which a connection is closed: 1,000.
    pub messages_per_connection: u32,
    /// Time after which an unused connection is closed: 20 seconds.
    pub idle: Duration,
    /// Largest reply, all its lines together: 16 KiB.
    pub reply_bytes: usize,
    /// The name given in EHLO; without one it is the connection's own address, as RFC 5321 asks.
    pub hello: Option<String>,
    /// Patience.
    pub timeouts: Timeouts,
    /// Who may sign a relay's certificate: Mozilla's list.
    pub roots: RootCertStore,
}

impl Default for SmtpLimits {
    fn default() -> Self {
        Self {
            connections_per_relay: 16,
            messages_per_connection: 1000,
            idle: Duration::from_secs(20),
            reply_bytes: 16 * 1024,
            hello: None,
            timeouts: Timeouts::default(),
            roots: RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
        }
    }
}

impl SmtpLimits {
    /// Trusts the authorities of a PEM file too, for private relays. Fails with a sentence if the
    /// file has none or one is malformed.
    pub fn trust_pem(&mut self, pem: &[u8]) -> Result<(), String> {
        let before = self.roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            self.roots.add(certificate).map_err(|error| error.to_string())?;
        }
        if self.roots.len() == before {
            return Err("no certificate found".to_owned());
        }
        Ok(())
    }
}

/// Opens TCP connections to places that grants allow. The guard of outgoing traffic does; tests
/// dial their own servers.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// Connects, or says [`SmtpError::Denied`] or [`SmtpError::Connect`].
    async fn dial(&self, host: &str, port: u16, grants: &[Grant]) -> Result<TcpStream, SmtpError>;
}

/// Connections to relays, kept while they are useful.
pub struct SmtpPool {
    dial: Arc<dyn Dial>,
    limits: SmtpLimits,
    tls: TlsConnector,
    lanes: Arc<Lanes>,
}

type Lanes = Mutex<HashMap<LaneKey, Arc<Lane>>>;

/// Connections are shared by those who could have made them: same relay, same login, and same
/// right to private addresses.
#[derive(Clone, PartialEq, Eq, Hash)]
struct LaneKey {
    relay: Relay,
    private: bool,
}

/// The connections of one key.
struct Lane {
    /// Used connections; who waits here waits in order.
    places: Semaphore,
    /// Unused ones, the last used on top.
    idle: Mutex<Vec<Connection>>,
}

impl SmtpPool {
    /// An empty pool. It must be made inside a tokio runtime, which closes idle connections.
    pub fn new(dial: Arc<dyn Dial>, limits: SmtpLimits) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_root_certificates(limits.roots.clone())
            .with_no_client_auth();
        let lanes = Arc::default();
        tokio::spawn(reap(Arc::downgrade(&lanes), limits.idle));
        Self {
            dial,
            limits,
            tls: TlsConnector::from(Arc::new(tls)),
            lanes,
        }
    }

    /// Hands one message to a relay. `message` is RFC 5322 text; line ends are made CRLF and dots
    /// are stuffed here. `data_left` is called right before the first byte of the message may
    /// leave. Dropping the future closes its connection.
    pub async fn submit(
        &self,
        relay: &Relay,
        grants: &[Grant],
        envelope: &Envelope,
        message: &[u8],
        data_left: &(dyn Fn() + Send + Sync),
    ) -> Result<Acceptance, SmtpError> {
        let key = self.key(relay, grants)?;
        let lane = self.lane(&key);
        let _place = lane.places.acquire().await.expect("never closed");
        let body = wire::body(message);
        if let Some(mut pooled) = lane.take(self.limits.idle) {
            let result = pooled
                .submit(envelope, message, &body, data_left, &self.limits)
                .await;
            let stale = pooled.was_stale(&result);
            self.put_back(&lane, pooled);
            if !stale {
                return result;
            }
        }
        let mut fresh = self.open(&key.relay, grants).await?;
        let result = fresh
            .submit(envelope, message, &body, data_left, &self.limits)
            .await;
        self.put_back(&lane, fresh);
        result
    }

    /// Connects, greets and logs in, then hangs up. It takes no place of the pool.
    pub async fn probe(&self, relay: &Relay, grants: &[Grant]) -> Result<(), SmtpError> {
        let key = self.key(relay, grants)?;
        let connection = self.open(&key.relay, grants).await?;
        connection.quit().await;
        Ok(())
    }

    /// Grants are looked at for every message, not only where a connection is made: a pooled
    /// connection must not carry what its first user was allowed and this one is not.
    fn key(&self, relay: &Relay, grants: &[Grant]) -> Result<LaneKey, SmtpError> {
        let mut relay = relay.clone();
        relay.host = relay.host.trim_matches(['[', ']']).to_ascii_lowercase();
        let mut allowing = grants
            .iter()
            .filter(|grant| grant.allows(SCHEME, &relay.host, relay.port))
            .peekable();
        if allowing.peek().is_none() {
            return Err(SmtpError::Denied(format!(
                "{SCHEME}://{}:{}",
                relay.host, relay.port
            )));
        }
        let private = allowing.any(Grant::allows_private);
        Ok(LaneKey { relay, private })
    }

    fn lane(&self, key: &LaneKey) -> Arc<Lane> {
        let mut lanes = self.lanes.lock();
        if let Some(lane) = lanes.get(key) {
            return lane.clone();
        }
        let lane = Arc::new(Lane {
            places: Semaphore::new(self.limits.connections_per_relay.max(1)),
            idle: Mutex::default(),
        });
        lanes.insert(key.clone(), lane.clone());
        lane
    }

    async fn open(&self, relay: &Relay, grants: &[Grant]) -> Result<Connection, SmtpError> {
        let dial = self.dial.dial(&relay.host, relay.port, grants);
        let stream = tokio::time::timeout(self.limits.timeouts.connect, dial)
            .await
            .unwrap_or_else(|_| Err(SmtpError::Connect("no answer in time".to_owned())));
        let opened = match stream {
            Ok(stream) => Connection::open(stream, relay, &self.tls, &self.limits).await,
            Err(error) => Err(error),
        };
        let result = if opened.is_ok() { "opened" } else { "failed" };
        metrics::counter!("pinion_smtp_connections_total", "result" => result).increment(1);
        opened
    }

    fn put_back(&self, lane: &Lane, mut connection: Connection) {
        if !connection.is_reusable() {
            return;
        }
        if connection.served() >= self.limits.messages_per_connection {
            tokio::spawn(connection.quit());
            return;
        }
        connection.rest();
        lane.idle.lock().push(connection);
    }
}

impl Lane {
    /// The most recently used connection that has not rested too long; the others are closed.
    fn take(&self, idle: Duration) -> Option<Connection> {
        let mut resting = self.idle.lock();
        let last = resting.pop()?;
        if last.rested() < idle {
            return Some(last);
        }
        // It was used last, so the others have rested longer.
        resting.clear();
        None
    }
}

/// Closes connections that rest too long, and forgets relays that nobody uses.
async fn reap(lanes: Weak<Lanes>, idle: Duration) {
    let mut tick = tokio::time::interval_at(Instant::now() + idle, (idle / 2).max(Duration::from_millis(10)));
    loop {
        tick.tick().await;
        let Some(lanes) = lanes.upgrade() else { return };
        let mut tired = Vec::new();
        lanes.lock().retain(|_, lane| {
            let mut resting = lane.idle.lock();
            let (old, young) = resting
                .drain(..)
                .partition(|connection: &Connection| connection.rested() >= idle);
            *resting = young;
            tired.extend::<Vec<_>>(old);
            // The map and a submission that just looked the lane up are the only holders.
            !resting.is_empty() || Arc::strong_count(lane) > 1
        });
        for connection in tired {
            tokio::spawn(connection.quit());
        }
    }
}
