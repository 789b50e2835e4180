//! Channels: ways to reach people.

use std::future::Future;

use serde::de::DeserializeOwned;

pub use crate::bindings::channel::pinion::channel::types::{
    Address, Event, EventKind, Message, Part, Problem, Receipt, SendError, Webhook, WebhookReply,
};
use crate::{batch, host, settings};

/// What became of one message.
pub type Outcome = Result<Receipt, SendError>;

/// A way to reach people.
///
/// An instance serves one binding, so it is made once from that binding's settings. Secrets are not
/// among them: name them where the host can put them in.
pub trait Channel: Sized + 'static {
    /// The binding's settings, read from a JSON object.
    type Settings: DeserializeOwned;

    /// Takes the settings. An error is a sentence for the operator; every message is then refused as
    /// [`SendError::Misconfigured`].
    fn new(settings: Self::Settings) -> Result<Self, String>;

    /// Sends one message. Up to a batch of these wait at the same time.
    fn send(&self, message: &Message) -> impl Future<Output = Outcome>;

    /// Sends a batch; results in the order of the messages. By default all messages at once through
    /// [`send`](Self::send), each reported as it comes. A provider that takes many messages in a call
    /// is served best by overriding this with [`send_in_calls`](crate::send_in_calls).
    fn send_batch(&self, batch: &[Message]) -> impl Future<Output = Vec<Outcome>> {
        batch::send_each(self, batch)
    }

    /// Does the login work? Nothing wrong by default.
    fn check(&self) -> impl Future<Output = Vec<Problem>> {
        async { Vec::new() }
    }

    /// Turns a provider's web hook into events and the reply to give. Refused by default.
    fn events(&self, request: Webhook) -> impl Future<Output = Result<(Vec<Event>, WebhookReply), String>> {
        async move { Err(format!("no web hook is expected at {}", request.path)) }
    }
}

/// Tells the host what became of a message before the batch is done. Should the instance die, the host
/// does not send again what was reported.
pub fn report(message: &Message, outcome: &Outcome) {
    host::report(&message.delivery_id, outcome.as_ref());
}

impl Message {
    /// The title line, if there is one.
    pub fn subject(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| match part {
            Part::Subject(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The plain text, if there is one.
    pub fn text(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The HTML, if there is one.
    pub fn html(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| match part {
            Part::Html(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The whole document, if there is one.
    pub fn json(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| match part {
            Part::Json(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The whole mail, if the client wrote it itself: it leaves as it is.
    pub fn raw(&self) -> Option<&[u8]> {
        self.parts.iter().find_map(|part| match part {
            Part::Raw(mail) => Some(mail.as_slice()),
            _ => None,
        })
    }

    /// A fact about the message, such as `campaign-id`.
    pub fn meta(&self, key: &str) -> Option<&str> {
        self.metadata
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

impl Receipt {
    /// The provider took it, as one part, and gave no id.
    pub fn accepted() -> Self {
        Self {
            provider_id: None,
            detail: None,
            parts: 1,
            cost_micros: None,
            attributes: Vec::new(),
        }
    }

    /// The provider took it, as one part, under this id.
    pub fn with_id(id: impl Into<String>) -> Self {
        Self {
            provider_id: Some(id.into()),
            ..Self::accepted()
        }
    }
}

impl SendError {
    /// The words of the refusal, without its kind.
    pub fn reason(&self) -> &str {
        match self {
            Self::InvalidAddress(text)
            | Self::Rejected(text)
            | Self::Unauthorized(text)
            | Self::Unavailable(text)
            | Self::Misconfigured(text)
            | Self::Unknown(text) => text,
            Self::RateLimited(_) => "too many requests",
        }
    }
}

impl Problem {
    /// A setting, or the empty string for all of them, and what is wrong with it.
    pub fn new(key: &str, text: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            text: text.into(),
        }
    }
}

impl WebhookReply {
    /// A reply without headers or body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

/// Makes the channel that this instance serves.
#[doc(hidden)]
pub fn open<C: Channel>() -> Result<C, String> {
    C::new(settings::read(&host::settings())?)
}

/// The export `check`.
#[doc(hidden)]
pub async fn check<C: Channel>(channel: &Result<C, String>) -> Vec<Problem> {
    match channel {
        Ok(channel) => channel.check().await,
        Err(problem) => vec![Problem::new("", problem)],
    }
}

/// The export `send`.
#[doc(hidden)]
pub async fn send<C: Channel>(channel: &Result<C, String>, batch: Vec<Message>) -> Vec<Outcome> {
    match channel {
        Ok(channel) => channel.send_batch(&batch).await,
        Err(problem) => batch
            .iter()
            .map(|_| Err(SendError::Misconfigured(problem.clone())))
            .collect(),
    }
}

/// The export `events`.
#[doc(hidden)]
pub async fn events<C: Channel>(
    channel: &Result<C, String>,
    request: Webhook,
) -> Result<(Vec<Event>, WebhookReply), String> {
    match channel {
        Ok(channel) => channel.events(request).await,
        Err(problem) => Err(problem.clone()),
    }
}
