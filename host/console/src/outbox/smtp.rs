//! The SMTP side of the outbox: takes what is said, as fast as it is said.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smtp_proto::request::receiver::{DataReceiver, DummyDataReceiver, RequestReceiver};
use smtp_proto::{Error, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Kind, Shelf, Welcome};

/// RFC 5321 §4.5.3.2.7.
const PATIENCE: Duration = Duration::from_secs(300);
const RECIPIENTS: usize = 1000;
/// Senseless lines before we hang up.
const MISTAKES: u32 = 20;

/// Serves every connection until the task is dropped.
pub(super) async fn listen(listener: TcpListener, shelf: Arc<Shelf>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let room = connections.len() < shelf.config.connections;
                    connections.spawn(serve(stream, shelf.clone(), room));
                }
                Err(error) => {
                    // Out of descriptors, most likely: accepting again at once would only spin.
                    tracing::warn!(%error, "the outbox cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut stream: TcpStream, shelf: Arc<Shelf>, room: bool) {
    shelf.count(|counters| counters.connections += 1);
    let conversation = async {
        stream.set_nodelay(true)?;
        if !room {
            return stream.write_all(b"421 4.3.2 too many connections\r\n").await;
        }
        stream
            .write_all(b"220 outbox.invalid ESMTP Pinion outbox\r\n")
            .await?;
        let mut session = Session::new(&shelf);
        let mut input = Vec::with_capacity(16 * 1024);
        while !session.over {
            input.clear();
            match timeout(PATIENCE, stream.read_buf(&mut input)).await {
                Ok(read) => {
                    if read? == 0 {
                        break;
                    }
                    session.hear(&input);
                }
                Err(_) => session.farewell("421 4.4.2 you said nothing for five minutes"),
            }
            stream.write_all(session.replies.as_bytes()).await?;
            session.replies.clear();
        }
        stream.shutdown().await
    };
    // A client that hangs up in the middle is no news to anybody.
    if let Err(error) = conversation.await {
        tracing::debug!(%error, "a conversation with the outbox broke");
    }
}

struct Session<'a> {
    shelf: &'a Shelf,
    requests: RequestReceiver,
    /// A message that is being said.
    data: Option<Data>,
    from: Option<String>,
    to: Vec<String>,
    reject: bool,
    mistakes: u32,
    replies: String,
    over: bool,
}

struct Data {
    receiver: DataReceiver,
    /// Takes the place of `receiver` once the message is too large.
    overflow: Option<DummyDataReceiver>,
    /// Begins with [`PRIMER`].
    message: Vec<u8>,
}

/// `DataReceiver` sees a leading dot only behind a line end, also that of the first line, so it is
/// given one to begin with.
const PRIMER: &[u8] = b"\r\n";

impl Data {
    fn new() -> Self {
        let (mut receiver, mut message) = (DataReceiver::new(), Vec::new());
        receiver.ingest(&mut PRIMER.iter(), &mut message);
        Self {
            receiver,
            overflow: None,
            message,
        }
    }

    /// Takes what belongs to the message; `true` once it is complete.
    fn hear(&mut self, bytes: &mut std::slice::Iter<'_, u8>, largest: usize) -> bool {
        if let Some(overflow) = &mut self.overflow {
            return overflow.ingest(bytes);
        }
        let complete = self.receiver.ingest(bytes, &mut self.message);
        if self.message.len() > largest + PRIMER.len() {
            self.overflow = Some(DummyDataReceiver::new_data(&self.receiver));
            self.message = Vec::new();
        }
        complete
    }
}

impl<'a> Session<'a> {
    fn new(shelf: &'a Shelf) -> Self {
        Self {
            shelf,
            requests: RequestReceiver::default(),
            data: None,
            from: None,
            to: Vec::new(),
            reject: false,
            mistakes: 0,
            replies: String::new(),
            over: false,
        }
    }

    /// Takes whatever came, which may be half a command or a dozen.
    fn hear(&mut self, input: &[u8]) {
        let mut bytes = input.iter();
        while !self.over {
            if let Some(data) = &mut self.data {
                if !data.hear(&mut bytes, self.shelf.config.message_bytes) {
                    return;
                }
                self.finish();
                continue;
            }
            match self.requests.ingest(&mut bytes).map(Request::into_owned) {
                Ok(request) => self.obey(request),
                Err(Error::NeedsMoreData { .. }) => return,
                Err(error) => self.complain(&error),
            }
        }
    }

    fn obey(&mut self, request: Request<String>) {
        match request {
            Request::Ehlo { .. } => {
                self.reset();
                let size = self.shelf.config.message_bytes;
                self.say("250-outbox.invalid");
                for offer in ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"] {
                    self.say(&format!("250-{offer}"));
                }
                self.say(&format!("250 SIZE {size}"));
            }
            Request::Helo { .. } => {
                self.reset();
                self.say("250 outbox.invalid");
            }
            Request::Mail { .. } if self.from.is_some() => self.say("503 5.5.1 one MAIL a message"),
            Request::Mail { from } if from.size > self.shelf.config.message_bytes => {
                self.say("552 5.3.4 too large");
            }
            Request::Mail { from } => {
                self.from = Some(from.address);
                self.say("250 2.1.0 go on");
            }
            Request::Rcpt { .. } if self.from.is_none() => self.say("503 5.5.1 MAIL first"),
            Request::Rcpt { .. } if self.to.len() >= RECIPIENTS => self.say("452 4.5.3 too many recipients"),
            Request::Rcpt { to } => match self.shelf.welcome(&to.address) {
                Welcome::Bounced => self.say("550 5.1.1 no such user, on purpose"),
                Welcome::Deferred => self.say("451 4.3.0 come again, on purpose"),
                welcome => {
                    self.reject |= welcome == Welcome::Rejected;
                    self.to.push(to.address);
                    self.say("250 2.1.5 go on");
                }
            },
            Request::Data if self.to.is_empty() => self.say("503 5.5.1 RCPT first"),
            Request::Data => {
                self.data = Some(Data::new());
                self.say("354 end with a dot");
            }
            Request::Rset => {
                self.reset();
                self.say("250 2.0.0 forgotten");
            }
            Request::Noop { .. } => self.say("250 2.0.0 fine"),
            Request::Vrfy { .. } => self.say("252 2.1.5 try it"),
            Request::Help { .. } => self.say("214 2.0.0 this keeps mail and delivers none"),
            Request::Quit => self.farewell("221 2.0.0 bye"),
            _ => self.complain(&Error::UnknownCommand),
        }
    }

    /// A message is complete.
    fn finish(&mut self) {
        let Some(data) = self.data.take() else { return };
        let (from, to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        if data.overflow.is_some() {
            self.say("552 5.3.4 too large");
        } else if self.reject {
            self.shelf.count(|counters| counters.rejected += 1);
            self.say("554 5.7.1 rejected, on purpose");
        } else {
            let message = Bytes::from(data.message).slice(PRIMER.len()..);
            let seq = self.shelf.keep(Kind::Mail { from, to }, message);
            self.say(&format!("250 2.0.0 kept as {seq}"));
        }
        self.reset();
    }

    fn complain(&mut self, error: &Error) {
        self.mistakes += 1;
        if self.mistakes >= MISTAKES {
            return self.farewell("421 4.7.0 too many mistakes");
        }
        self.say(match error {
            Error::UnknownCommand => "502 5.5.1 not here",
            Error::InvalidSenderAddress => "553 5.1.7 malformed sender",
            Error::InvalidRecipientAddress => "553 5.1.3 malformed recipient",
            Error::ResponseTooLong => "500 5.5.2 line too long",
            Error::InvalidParameter { .. } | Error::UnsupportedParameter { .. } => {
                "555 5.5.4 unknown parameter"
            }
            _ => "501 5.5.2 syntax",
        });
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
        self.reject = false;
    }

    fn say(&mut self, line: &str) {
        self.replies.push_str(line);
        self.replies.push_str("\r\n");
    }

    fn farewell(&mut self, line: &str) {
        self.say(line);
        self.over = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::OutboxConfig;
    use super::*;

    fn shelf(message_bytes: usize) -> Shelf {
        Shelf {
            config: OutboxConfig {
                message_bytes,
                ..OutboxConfig::default()
            },
            kept: parking_lot::Mutex::default(),
        }
    }

    fn kept(shelf: &Shelf) -> Vec<(Vec<String>, String)> {
        let text = |raw: &[u8]| String::from_utf8(raw.to_vec()).unwrap();
        let arrivals = shelf.after(0, 100);
        let mails = arrivals.iter().map(|arrival| match &arrival.kind {
            Kind::Mail { to, .. } => (to.clone(), text(&arrival.raw)),
            Kind::Post { .. } => panic!("nobody posted"),
        });
        mails.collect()
    }

    const CONVERSATION: &str = "EHLO x\r\nMAIL FROM:<a@x.test> SIZE=10 BODY=8BITMIME SMTPUTF8\r\n\
        RCPT TO:<b@x.test>\r\nRCPT TO:<bounce+c@x.test>\r\nRCPT TO:<jürgen@x.test>\r\nDATA\r\n\
        ..first\r\nSubject: hi\r\n\r\n..dot\r\n\n.\r\nend\r\n.\r\n\
        MAIL FROM:<>\r\nRCPT TO:<reject+b@x.test>\r\nDATA\r\nx\r\n.\r\n\
        MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n.\r\nNOOP\r\nQUIT\r\nNOOP\r\n";

    #[test]
    fn a_conversation_may_come_in_any_pieces() {
        for size in [1, 2, 3, 7, 64, 10_000] {
            let shelf = shelf(1000);
            let mut session = Session::new(&shelf);
            for piece in CONVERSATION.as_bytes().chunks(size) {
                session.hear(piece);
            }
            let replies = session.replies.lines().skip(5);
            let codes: Vec<&str> = replies.map(|line| line.get(..9).unwrap_or(line)).collect();
            let expected = [
                "250 SIZE ",
                "250 2.1.0",
                "250 2.1.5",
                "550 5.1.1",
                "250 2.1.5",
                "354 end w",
                "250 2.0.0",
                "250 2.1.0",
                "250 2.1.5",
                "354 end w",
                "554 5.7.1",
                "250 2.1.0",
                "250 2.1.5",
                "354 end w",
                "250 2.0.0",
                "250 2.0.0",
                "221 2.0.0",
            ];
            assert_eq!(codes, expected, "pieces of {size}");
            assert!(session.over);
            let to = |names: &[&str]| {
                names
                    .iter()
                    .map(|name| format!("{name}@x.test"))
                    .collect::<Vec<_>>()
            };
            let first = ".first\r\nSubject: hi\r\n\r\n.dot\r\n\n.\r\nend\r\n";
            let expected = [
                (to(&["b", "jürgen"]), first.to_owned()),
                (to(&["b"]), String::new()),
            ];
            assert_eq!(kept(&shelf), expected, "pieces of {size}");
            assert_eq!(shelf.kept.lock().counters.rejected, 1);
        }
    }

    #[test]
    fn what_comes_out_of_order_or_too_large_is_refused() {
        let shelf = shelf(100);
        let long = "x".repeat(200);
        for (input, expected) in [
            ("DATA\r\n".to_owned(), "503"),
            ("RCPT TO:<a@x.test>\r\n".to_owned(), "503"),
            ("MAIL FROM:<a@x.test> SIZE=101\r\n".to_owned(), "552"),
            ("MAIL FROM:<a b@x.test>\r\n".to_owned(), "553"),
            ("MAIL FROM:<a@x.test>\r\nDATA\r\n".to_owned(), "503"),
            ("STARTTLS\r\n".to_owned(), "502"),
            ("HELLO\r\n".to_owned(), "502"),
            (format!("NOOP {}\r\n", "x".repeat(10_000)), "2"),
            (
                format!("MAIL FROM:<>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n{long}\r\n{long}\r\n.\r\n"),
                "552 5.3.4",
            ),
            ("\r\n".repeat(100), "421"),
        ] {
            let mut session = Session::new(&shelf);
            session.hear(input.as_bytes());
            let last = session.replies.lines().last().unwrap_or_default();
            let start = &input[..input.len().min(40)];
            assert!(last.starts_with(expected), "{start:?}: {last:?}");
        }
        assert_eq!(kept(&shelf), []);
    }

    #[test]
    fn noise_ends_the_conversation_and_nothing_else() {
        let shelf = shelf(100);
        let mut session = Session::new(&shelf);
        let noise: Vec<u8> = (0..200_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        for piece in noise.chunks(997) {
            session.hear(piece);
        }
        assert!(session.over);
    }
}
