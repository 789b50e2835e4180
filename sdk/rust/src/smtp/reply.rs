//! What a relay's answer means for a message.

use super::{Acceptance, Error, Reply};
use crate::channel::{Outcome, Problem, Receipt, SendError};

impl Acceptance {
    /// What became of a message to one recipient. The relay's queue id, where it says one, is the provider id.
    pub fn outcome(&self) -> Outcome {
        match self.recipients.first() {
            Some(reply) if !is_positive(reply) => return Err(refusal(reply, About::Recipient)),
            Some(_) => {}
            None => return Err(SendError::Unknown("no reply to the recipient".to_owned())),
        }
        match &self.message {
            Some(reply) if is_positive(reply) => Ok(Receipt {
                provider_id: queue_id(&reply.text).map(str::to_owned),
                detail: Some(words(reply)),
                ..Receipt::accepted()
            }),
            Some(reply) => Err(refusal(reply, About::Message)),
            None => Err(SendError::Unknown("no reply to the message".to_owned())),
        }
    }
}

impl From<Error> for SendError {
    /// The conversation broke off. Whatever leaves open whether the relay took the message is unknown.
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(text) => Self::Misconfigured(text),
            Error::Connect(text) | Error::Tls(text) | Error::Broken((false, text)) => Self::Unavailable(text),
            Error::Auth(reply) if is_passing(&reply) => Self::Unavailable(words(&reply)),
            Error::Auth(reply) => Self::Unauthorized(words(&reply)),
            Error::Refused(reply) => refusal(&reply, About::Message),
            Error::Timeout(false) => Self::Unavailable("the relay did not answer in time".to_owned()),
            Error::Timeout(true) => Self::Unknown("no answer after the whole message was sent".to_owned()),
            Error::Broken((true, text)) => Self::Unknown(text),
        }
    }
}

impl From<Error> for Problem {
    /// What is wrong with the settings of a relay, if this is what a probe gave.
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(text) => Self::new("host", text),
            Error::Connect(text) => Self::new("host", format!("the relay cannot be reached: {text}")),
            Error::Tls(text) => Self::new("tls", text),
            Error::Auth(reply) => Self::new("username", format!("the login was refused: {}", words(&reply))),
            Error::Refused(reply) => Self::new("host", format!("the relay refuses: {}", words(&reply))),
            Error::Timeout(_) => Self::new("host", "the relay did not answer in time"),
            Error::Broken((_, text)) => Self::new("host", format!("the connection broke: {text}")),
        }
    }
}

/// Whom a reply speaks of: the same code means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// RCPT TO.
    Recipient,
    /// MAIL FROM, DATA, or the end of the message.
    Message,
}

fn is_positive(reply: &Reply) -> bool {
    (200..300).contains(&reply.code)
}

fn is_passing(reply: &Reply) -> bool {
    (400..500).contains(&reply.code)
}

fn refusal(reply: &Reply, about: About) -> SendError {
    let text = words(reply);
    match reply.code {
        400..=499 => SendError::Unavailable(text),
        530 | 534 | 535 | 538 => SendError::Unauthorized(text),
        500..=599 if blames_address(reply, about) => SendError::InvalidAddress(text),
        500..=599 => SendError::Rejected(text),
        // Neither yes nor no: the two sides do not understand each other, so nothing was taken.
        _ => SendError::Unavailable(text),
    }
}

/// The host suppresses an address for this, so a refusal for another reason must not count: servers
/// answer 550 to policy (5.7.x) and to bad senders (5.1.7, 5.1.8) as well.
fn blames_address(reply: &Reply, about: About) -> bool {
    match reply.enhanced.as_deref() {
        Some("5.1.7" | "5.1.8") => false,
        Some(code) => code.starts_with("5.1.") || (code == "5.2.1" && about == About::Recipient),
        None => about == About::Recipient && matches!(reply.code, 550 | 551 | 553),
    }
}

fn words(reply: &Reply) -> String {
    let text = reply.text.trim();
    let enhanced = reply.enhanced.as_deref().filter(|code| !text.starts_with(code));
    let text: String = text.chars().take(300).collect();
    match enhanced {
        Some(enhanced) => format!("{} {enhanced} {text}", reply.code),
        None => format!("{} {text}", reply.code),
    }
}

/// The relay's own id of the message: `queued as X` (Postfix), `id=X` (Exim), `Ok X` (Amazon SES).
fn queue_id(text: &str) -> Option<&str> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    let rest = after("queued as ").or_else(|| after("id=")).or_else(|| {
        let rest = text.strip_prefix("Ok ").or_else(|| text.strip_prefix("OK "))?;
        (!rest.trim().contains(' ')).then_some(rest)
    })?;
    let id = rest
        .split(|letter: char| letter.is_whitespace() || matches!(letter, ';' | ',' | '<' | '>'))
        .next()?;
    (!id.is_empty()).then_some(id)
}
