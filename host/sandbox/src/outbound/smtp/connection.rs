//! One conversation with a relay: greeting, TLS, login, then messages.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::plan::{Offers, Plan};
use super::wire::Incoming;
use super::{Acceptance, Envelope, Relay, Reply, SmtpError, SmtpLimits, Tls};

/// Recipients that are said ahead of their answers; beyond it each waits for its own, so that
/// neither side's socket buffers can fill while the other only writes.
const PIPELINED_RECIPIENTS: usize = 100;
/// Bytes of a message that one `data_block` time-out covers.
const BLOCK: usize = 64 * 1024;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection that is greeted, protected and logged in.
pub(super) struct Connection {
    stream: Stream,
    incoming: Incoming,
    /// Said but not yet written.
    outgoing: Vec<u8>,
    offers: Offers,
    served: u32,
    resting_since: Instant,
    /// The last transaction was left open and must be ended before the next.
    reset_first: bool,
    /// The server answered the running transaction's MAIL.
    mail_answered: bool,
    /// The server said 421: it hangs up.
    closing: bool,
    reusable: bool,
}

enum Stream {
    Plain(TcpStream),
    Protected(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// Brings a fresh TCP connection to the point where messages can be handed over.
    pub(super) async fn open(
        stream: TcpStream,
        relay: &Relay,
        tls: &TlsConnector,
        limits: &SmtpLimits,
    ) -> Result<Self, SmtpError> {
        let connect = |error: std::io::Error| SmtpError::Connect(error.to_string());
        stream.set_nodelay(true).map_err(connect)?;
        let hello = match &limits.hello {
            Some(name) => name.clone(),
            None => address_literal(stream.local_addr().map_err(connect)?),
        };
        let stream = match relay.tls {
            Tls::Implicit => protect(stream, relay, tls, limits).await?,
            Tls::None | Tls::StartTls => Stream::Plain(stream),
        };
        let mut connection = Self {
            stream,
            incoming: Incoming::default(),
            outgoing: Vec::new(),
            offers: Offers::default(),
            served: 0,
            resting_since: Instant::now(),
            reset_first: false,
            mail_answered: false,
            closing: false,
            reusable: true,
        };
        let greeting = connection.answer(limits.timeouts.greeting, limits).await?;
        if greeting.code != 220 {
            return Err(SmtpError::Connect(format!("greeted with {greeting}")));
        }
        connection.hello(&hello, limits).await?;
        if relay.tls == Tls::StartTls {
            connection = connection.upgrade(relay, tls, limits).await?;
            connection.hello(&hello, limits).await?;
        }
        if let Some((user, password)) = &relay.auth {
            connection.login(user, password, limits).await?;
        }
        Ok(connection)
    }

    /// Hands over one message; `body` is `message` as it goes over the wire.
    pub(super) async fn submit(
        &mut self,
        envelope: &Envelope,
        message: &[u8],
        body: &[u8],
        data_left: &(dyn Fn() + Send + Sync),
        limits: &SmtpLimits,
    ) -> Result<Acceptance, SmtpError> {
        // Unless the transaction comes to an orderly end, nobody knows what state this is in.
        self.reusable = false;
        self.mail_answered = false;
        let result = self.transaction(envelope, message, body, data_left, limits).await;
        self.served += 1;
        // An answer that nobody asked for would be taken for one about the next message.
        let orderly = !self.closing && self.incoming.is_empty();
        self.reusable = orderly && matches!(result, Ok(_) | Err(SmtpError::Refused(_)));
        result
    }

    /// A connection from the pool was found to be closed before the server said anything about the
    /// message, so another connection may try. A time-out is no such sign.
    pub(super) fn was_stale(&self, result: &Result<Acceptance, SmtpError>) -> bool {
        !self.mail_answered
            && matches!(
                result,
                Err(SmtpError::Broken { .. } | SmtpError::Refused(Reply { code: 421, .. }))
            )
    }

    /// May it carry another message?
    pub(super) fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// Messages so far.
    pub(super) fn served(&self) -> u32 {
        self.served
    }

    /// Begins to rest.
    pub(super) fn rest(&mut self) {
        self.resting_since = Instant::now();
    }

    /// How long it has not been used.
    pub(super) fn rested(&self) -> Duration {
        self.resting_since.elapsed()
    }

    /// Says goodbye. Whether the server hears it does not matter.
    pub(super) async fn quit(mut self) {
        self.say("QUIT");
        let goodbye = async {
            self.flush().await?;
            self.stream.shutdown().await
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }

    async fn transaction(
        &mut self,
        envelope: &Envelope,
        message: &[u8],
        body: &[u8],
        data_left: &(dyn Fn() + Send + Sync),
        limits: &SmtpLimits,
    ) -> Result<Acceptance, SmtpError> {
        let plan = Plan::new(self.offers, envelope, message).map_err(SmtpError::Refused)?;
        let Plan { mail, mut recipients } = plan;
        if recipients.iter().all(Result::is_err) {
            let recipients = recipients.into_iter().filter_map(Result::err).collect();
            return Ok(Acceptance {
                recipients,
                message: None,
            });
        }

        let command = limits.timeouts.command;
        // Ahead: everything up to DATA is said before the first answer is read (RFC 2920).
        let ahead = self.offers.pipelining && recipients.len() <= PIPELINED_RECIPIENTS;
        if self.reset_first {
            self.say("RSET");
        }
        if ahead {
            self.say(&mail);
            for recipient in recipients.iter().flatten() {
                self.say(recipient);
            }
            self.say("DATA");
        }
        if self.reset_first {
            let reply = self.answer(command, limits).await?;
            if !reply.is_positive() {
                return Err(broken(false, format!("RSET was answered by {reply}")));
            }
            self.reset_first = false;
        }
        if !ahead {
            self.say(&mail);
        }
        let mail = self.answer(command, limits).await?;
        self.mail_answered = mail.code != 421;
        if !mail.is_positive() && (!ahead || self.closing) {
            return Err(SmtpError::Refused(mail));
        }
        self.reset_first = mail.is_positive();

        for recipient in &mut recipients {
            if let Ok(line) = recipient {
                if !ahead {
                    self.say(line);
                }
                *recipient = Err(self.answer(command, limits).await?);
            }
        }
        let recipients: Vec<Reply> = recipients.into_iter().filter_map(Result::err).collect();
        let wanted = mail.is_positive() && recipients.iter().any(Reply::is_positive);
        if ahead || wanted {
            if !ahead {
                self.say("DATA");
            }
            let data = self.answer(limits.timeouts.data_start, limits).await?;
            if wanted && data.code != 354 {
                return Err(SmtpError::Refused(data));
            }
            if !wanted && data.code == 354 {
                // RFC 2920 §3.1: such a server waits for a message, and gets one for nobody.
                self.outgoing.extend_from_slice(b".\r\n");
                self.answer(limits.timeouts.data_end, limits).await?;
            }
        }
        if !mail.is_positive() {
            return Err(SmtpError::Refused(mail));
        }
        if !wanted {
            return Ok(Acceptance {
                recipients,
                message: None,
            });
        }

        data_left();
        self.write_body(body, limits).await?;
        let reply = self
            .answer(limits.timeouts.data_end, limits)
            .await
            .map_err(after_the_dot)?;
        self.reset_first = false;
        match reply.code {
            200..300 => Ok(Acceptance {
                recipients,
                message: Some(reply),
            }),
            400..600 => Err(SmtpError::Refused(reply)),
            _ => Err(broken(true, format!("the message was answered by {reply}"))),
        }
    }

    /// Writes the message. An error here means that the final dot did not leave as a whole, so the
    /// server cannot have taken the message.
    async fn write_body(&mut self, body: &[u8], limits: &SmtpLimits) -> Result<(), SmtpError> {
        let written = async {
            for block in body.chunks(BLOCK) {
                timeout(limits.timeouts.data_block, self.stream.write_all(block)).await??;
            }
            timeout(limits.timeouts.data_block, self.stream.flush()).await??;
            Ok(())
        };
        written.await.map_err(|error: std::io::Error| failed(&error))
    }

    async fn hello(&mut self, name: &str, limits: &SmtpLimits) -> Result<(), SmtpError> {
        self.say(&format!("EHLO {name}"));
        let reply = self.answer(limits.timeouts.command, limits).await?;
        if reply.is_positive() {
            self.offers = Offers::read(&reply.text);
            return Ok(());
        }
        self.offers = Offers::default();
        // RFC 5321 §3.2: a server that knows no EHLO gets HELO, one that refuses the name does not.
        if !matches!(reply.code, 500 | 501 | 502 | 504) {
            return Err(SmtpError::Connect(format!("EHLO was answered by {reply}")));
        }
        self.say(&format!("HELO {name}"));
        let reply = self.answer(limits.timeouts.command, limits).await?;
        if !reply.is_positive() {
            return Err(SmtpError::Connect(format!("HELO was answered by {reply}")));
        }
        Ok(())
    }

    /// STARTTLS. What was offered before it is forgotten; what came in the clear behind the answer
    /// was put there by somebody in between (CVE-2011-0411) and ends the conversation.
    async fn upgrade(
        mut self,
        relay: &Relay,
        tls: &TlsConnector,
        limits: &SmtpLimits,
    ) -> Result<Self, SmtpError> {
        if !self.offers.starttls {
            return Err(SmtpError::Tls("the relay does not offer STARTTLS".to_owned()));
        }
        self.say("STARTTLS");
        let reply = self.answer(limits.timeouts.command, limits).await?;
        if reply.code != 220 {
            return Err(SmtpError::Tls(format!("STARTTLS was answered by {reply}")));
        }
        if !self.incoming.is_empty() {
            return Err(SmtpError::Tls(
                "the relay spoke in the clear after STARTTLS".to_owned(),
            ));
        }
        self.offers = Offers::default();
        self.stream = match self.stream {
            Stream::Plain(stream) => protect(stream, relay, tls, limits).await?,
            Stream::Protected(_) => unreachable!("only a plain connection is upgraded"),
        };
        Ok(self)
    }

    async fn login(&mut self, user: &str, password: &str, limits: &SmtpLimits) -> Result<(), SmtpError> {
        let command = limits.timeouts.command;
        let reply = if self.offers.auth_plain && !user.contains('\0') && !password.contains('\0') {
            let secret = BASE64.encode(format!("\0{user}\0{password}"));
            self.say(&format!("AUTH PLAIN {secret}"));
            self.answer(command, limits).await?
        } else if self.offers.auth_login {
            let mut reply = Reply::own(334, "3.0.0", "");
            for word in ["AUTH LOGIN", &BASE64.encode(user), &BASE64.encode(password)] {
                if reply.code == 334 {
                    self.say(word);
                    reply = self.answer(command, limits).await?;
                }
            }
            reply
        } else {
            Reply::own(504, "5.5.4", "the relay offers neither AUTH PLAIN nor AUTH LOGIN")
        };
        match reply.code {
            235 => Ok(()),
            _ => Err(SmtpError::Auth(reply)),
        }
    }

    /// Notes a line that goes with the next flush.
    fn say(&mut self, line: &str) {
        self.outgoing.extend_from_slice(line.as_bytes());
        self.outgoing.extend_from_slice(b"\r\n");
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        self.stream.write_all(&self.outgoing).await?;
        self.outgoing.clear();
        self.stream.flush().await
    }

    /// Writes what was said, and reads one reply.
    async fn answer(&mut self, patience: Duration, limits: &SmtpLimits) -> Result<Reply, SmtpError> {
        let answer = async {
            if !self.outgoing.is_empty() {
                self.flush().await.map_err(|error| failed(&error))?;
            }
            loop {
                let reply = self
                    .incoming
                    .reply(limits.reply_bytes)
                    .map_err(|detail| broken(false, detail))?;
                if let Some(reply) = reply {
                    return Ok(reply);
                }
                let read = self.stream.read(&mut self.incoming.buffer).await;
                if read.map_err(|error| failed(&error))? == 0 {
                    return Err(broken(false, "the relay hung up".to_owned()));
                }
            }
        };
        let reply = timeout(patience, answer)
            .await
            .unwrap_or(Err(SmtpError::Timeout {
                maybe_accepted: false,
            }))?;
        self.closing |= reply.code == 421;
        Ok(reply)
    }
}

impl Stream {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(buffer).await,
            Self::Protected(stream) => stream.read_buf(buffer).await,
        }
    }

    async fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Protected(stream) => stream.write_all(bytes).await,
        }
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush().await,
            Self::Protected(stream) => stream.flush().await,
        }
    }

    async fn shutdown(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Protected(stream) => stream.shutdown().await,
        }
    }
}

async fn protect(
    stream: TcpStream,
    relay: &Relay,
    tls: &TlsConnector,
    limits: &SmtpLimits,
) -> Result<Stream, SmtpError> {
    let name = ServerName::try_from(relay.host.clone())
        .map_err(|_| SmtpError::Tls(format!("{:?} is no name of a server", relay.host)))?;
    match timeout(limits.timeouts.tls, tls.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Stream::Protected(Box::new(stream))),
        Ok(Err(error)) => Err(SmtpError::Tls(error.to_string())),
        Err(_) => Err(SmtpError::Tls("no handshake in time".to_owned())),
    }
}

/// The name of a host that has none, RFC 5321 §4.1.3.
fn address_literal(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

fn broken(maybe_accepted: bool, detail: String) -> SmtpError {
    SmtpError::Broken {
        maybe_accepted,
        detail,
    }
}

fn failed(error: &std::io::Error) -> SmtpError {
    match error.kind() {
        std::io::ErrorKind::TimedOut => SmtpError::Timeout {
            maybe_accepted: false,
        },
        _ => broken(false, error.to_string()),
    }
}

/// The same error for a message that was complete.
fn after_the_dot(error: SmtpError) -> SmtpError {
    match error {
        SmtpError::Timeout { .. } => SmtpError::Timeout { maybe_accepted: true },
        SmtpError::Broken { detail, .. } => broken(true, detail),
        other => other,
    }
}
