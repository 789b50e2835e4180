//! Builds the text of a mail (RFC 5322). Whatever could end a header early is refused, never repaired: a
//! message that tries is wrong or hostile.

use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use pinion_sdk::{Message, SendError};

/// RFC 5322 §2.1.1: no line may be longer, and a word cannot be folded.
const LONGEST_WORD: usize = 900;

/// A mail, ready for a relay.
#[derive(Debug)]
pub struct Mail {
    /// Bare address for MAIL FROM.
    pub sender: String,
    /// Bare address for RCPT TO.
    pub recipient: String,
    /// Headers and body.
    pub text: Vec<u8>,
}

/// Builds the mail of a message.
pub fn build(message: &Message) -> Result<Mail, SendError> {
    let subject = message.subject().unwrap_or_default();
    refuse_control("the subject", subject)?;
    let from = message
        .from
        .as_deref()
        .filter(|from| !from.trim().is_empty())
        .ok_or_else(|| SendError::Misconfigured("the message has no sender".to_owned()))?;
    let sender = mailbox("the sender", from)?;
    let recipient = mailbox("the recipient", &message.to.value)
        .map_err(|problem| match problem {
            Problem::Injection(text) => SendError::Rejected(text),
            Problem::Syntax(text) => SendError::InvalidAddress(text),
        })?
        .address;

    let mut mail = MessageBuilder::new()
        .from(sender.to_header())
        .to(recipient.as_str())
        .subject(subject)
        .message_id(message_id(&message.delivery_id, &sender.address)?);
    if !message.reply_to.is_empty() {
        let mailboxes: Result<Vec<_>, _> = message
            .reply_to
            .iter()
            .map(|address| mailbox("a reply address", address).map(|mailbox| mailbox.to_header()))
            .collect();
        mail = mail.reply_to(mailboxes?);
    }
    for (name, value) in &message.headers {
        refuse_header(name, value)?;
        mail = mail.header(name.as_str(), header_value(value));
    }
    match (message.text(), message.html()) {
        (None, None) => return Err(SendError::Rejected("the message has no text".to_owned())),
        (text, html) => {
            if let Some(text) = text {
                mail = mail.text_body(text);
            }
            if let Some(html) = html {
                mail = mail.html_body(html);
            }
        }
    }
    let mut text = Vec::new();
    mail.serialize(&mut text);
    Ok(Mail {
        sender: sender.address,
        recipient,
        text,
    })
}

/// `Name <address>`, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Mailbox {
    name: Option<String>,
    address: String,
}

impl Mailbox {
    fn to_header(&self) -> Address<'static> {
        Address::new_address(self.name.clone(), self.address.clone())
    }
}

/// Why this is no mailbox.
#[derive(Debug, PartialEq, Eq)]
enum Problem {
    /// It could change the mail's headers.
    Injection(String),
    /// It is not an address that this channel can reach.
    Syntax(String),
}

impl From<Problem> for SendError {
    fn from(problem: Problem) -> Self {
        let (Problem::Injection(text) | Problem::Syntax(text)) = problem;
        Self::Rejected(text)
    }
}

/// `what` begins the sentence of an error; the address itself stays out of it.
fn mailbox(what: &str, text: &str) -> Result<Mailbox, Problem> {
    refuse_control(what, text)?;
    let text = text.trim();
    let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => (unquoted(name.trim()), address.trim()),
        None => (String::new(), text),
    };
    let (local, domain) = address.rsplit_once('@').unwrap_or_default();
    let outside = |letter: char| letter.is_whitespace() || "<>()[],;:\\\"@".contains(letter);
    if local.is_empty() || domain.is_empty() || address.len() > 254 {
        return Err(Problem::Syntax(format!("{what} is not an e-mail address")));
    }
    if local.contains(outside) || domain.contains(outside) {
        return Err(Problem::Syntax(format!(
            "{what} has a character that e-mail addresses may not have"
        )));
    }
    if !address.is_ascii() {
        return Err(Problem::Syntax(format!(
            "{what} is not plain ASCII: write the domain in its xn-- form; names beyond ASCII are not supported"
        )));
    }
    Ok(Mailbox {
        name: (!name.is_empty()).then_some(name),
        address: address.to_owned(),
    })
}

/// The words of a quoted string, or the text as it is.
fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let Some(inner) = inner else {
        return name.to_owned();
    };
    let mut words = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        words.extend(if letter == '\\' {
            letters.next()
        } else {
            Some(letter)
        });
    }
    words
}

/// Stable across retries, so that a second copy can be told from a second message.
fn message_id(delivery_id: &str, sender: &str) -> Result<String, SendError> {
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.+=".contains(&letter);
    if delivery_id.is_empty() || !delivery_id.bytes().all(fits) {
        return Err(SendError::Rejected(
            "the delivery id cannot be a Message-ID".to_owned(),
        ));
    }
    let domain = sender.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    Ok(format!("{delivery_id}@{domain}"))
}

/// Headers that are built from the message itself; a second one would contradict the first.
const OURS: [&str; 11] = [
    "from",
    "sender",
    "to",
    "cc",
    "bcc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "return-path",
];

fn refuse_header(name: &str, value: &str) -> Result<(), SendError> {
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || name.len() > 76 || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
    {
        return Err(SendError::Rejected(
            "a header has a name that no header may have".to_owned(),
        ));
    }
    if OURS.contains(&lower.as_str()) || lower.starts_with("content-") {
        return Err(SendError::Rejected(format!("the header {name} cannot be set")));
    }
    refuse_control(&format!("the header {name}"), value)?;
    if value.is_ascii() && value.split(' ').any(|word| word.len() > LONGEST_WORD) {
        return Err(SendError::Rejected(format!(
            "the header {name} is too long for a line"
        )));
    }
    Ok(())
}

/// As it is where that is possible: an encoded `List-Unsubscribe` would be no link any more.
fn header_value(value: &str) -> HeaderType<'_> {
    if value.is_ascii() {
        HeaderType::Raw(Raw::new(value))
    } else {
        HeaderType::Text(Text::new(value))
    }
}

fn refuse_control(what: &str, text: &str) -> Result<(), Problem> {
    if text.chars().any(|letter| letter.is_control() && letter != '\t') {
        return Err(Problem::Injection(format!(
            "{what} has a line break or another control character"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
