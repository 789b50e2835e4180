//! Mails (RFC 5322) made of messages, for a relay or for a provider that takes whole mails.
//!
//! Text and HTML become `multipart/alternative`; what is beyond ASCII is encoded. The headers that the host
//! adds, such as `List-Unsubscribe` and `List-Unsubscribe-Post` for one-click unsubscribe (RFC 8058), are passed on
//! as they are. The `Message-ID` is made of the delivery id: the same at every try, so that a second copy can
//! be told from a second message.
//!
//! Whatever could end a header early is refused, never repaired: a message that tries is wrong or hostile.
//!
//! ```
//! use pinion_sdk::mail::Mail;
//!
//! let mail = Mail::of(&pinion_sdk::testing::message("d1")).unwrap();
//! assert_eq!(mail.recipient, "nina@example.com");
//! assert!(mail.text.starts_with(b"From: <shop@example.com>\r\nTo: <nina@example.com>\r\n"));
//! ```

mod header;
mod mailbox;

use mail_builder::MessageBuilder;

pub use self::mailbox::{Mailbox, NotAMailbox};
use crate::channel::{Message, SendError};
use crate::smtp::Envelope;

/// A mail with the addresses that its envelope needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Bare address for MAIL FROM.
    pub sender: String,
    /// Bare address for RCPT TO.
    pub recipient: String,
    /// Headers and body.
    pub text: Vec<u8>,
}

impl Mail {
    /// Builds the mail of a message. A recipient that is no address is [`SendError::InvalidAddress`], a message
    /// without a sender [`SendError::Misconfigured`], and what cannot be sent as it is [`SendError::Rejected`].
    pub fn of(message: &Message) -> Result<Self, SendError> {
        let subject = message.subject().unwrap_or_default();
        header::refuse_control("the subject", subject).map_err(SendError::Rejected)?;
        let from = message.from.as_deref().filter(|from| !from.trim().is_empty());
        let from = from.ok_or_else(|| SendError::Misconfigured("the message has no sender".to_owned()))?;
        let sender = Mailbox::parse("the sender", from)?;
        let recipient = Mailbox::parse("the recipient", &message.to.value)
            .map_err(|problem| match problem {
                NotAMailbox::Injection(words) => SendError::Rejected(words),
                NotAMailbox::Syntax(words) => SendError::InvalidAddress(words),
            })?
            .address;
        // One that the client wrote itself: the host has checked and completed it.
        if let Some(raw) = message.raw() {
            return Ok(Self {
                sender: sender.address,
                recipient,
                text: raw.to_vec(),
            });
        }
        let reply_to = message.reply_to.iter();
        let reply_to = reply_to.map(|address| Mailbox::parse("a reply address", address));
        let reply_to: Vec<Mailbox> = reply_to.collect::<Result<_, _>>()?;

        let mut mail = MessageBuilder::new()
            .from(&sender)
            .to(recipient.as_str())
            .subject(subject)
            .message_id(message_id(&message.delivery_id, &sender)?);
        if !reply_to.is_empty() {
            mail = mail.reply_to(reply_to.iter().collect::<Vec<_>>());
        }
        for (name, value) in &message.headers {
            mail = mail.header(name.as_str(), header::checked(name, value)?);
        }
        let (text, html) = (message.text(), message.html());
        if text.is_none() && html.is_none() {
            return Err(SendError::Rejected("the message has no text".to_owned()));
        }
        if let Some(text) = text {
            mail = mail.text_body(text);
        }
        if let Some(html) = html {
            mail = mail.html_body(html);
        }
        let mut text = Vec::new();
        mail.serialize(&mut text);
        Ok(Self {
            sender: sender.address,
            recipient,
            text,
        })
    }

    /// Who it goes from and to, as a relay wants to know.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            mail_from: self.sender.clone(),
            rcpt_to: vec![self.recipient.clone()],
        }
    }
}

fn message_id(delivery_id: &str, sender: &Mailbox) -> Result<String, SendError> {
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.+=".contains(&letter);
    if delivery_id.is_empty() || !delivery_id.bytes().all(fits) {
        return Err(SendError::Rejected(
            "the delivery id cannot be a Message-ID".to_owned(),
        ));
    }
    Ok(format!("{delivery_id}@{}", sender.domain()))
}
