//! Channels: ways to reach people.

use async_trait::async_trait;

use super::PluginError;
use crate::channel::ChannelType;
use crate::id::MessageId;

/// A rendered message on its way to a provider.
#[derive(Clone, Debug, PartialEq)]
pub struct OutgoingMessage {
    /// Stable across retries: the idempotency key that the provider gets.
    pub delivery_id: MessageId,
    /// 1 for the first try.
    pub attempt: u32,
    /// Where to.
    pub channel_type: ChannelType,
    /// Where to.
    pub address: String,
    /// Sender, for channels that have one.
    pub from: Option<String>,
    /// For e-mail.
    pub reply_to: Vec<String>,
    /// What to say.
    pub parts: Vec<Part>,
    /// Headers that the host adds, such as `List-Unsubscribe`.
    pub headers: Vec<(String, String)>,
    /// `application-id`, `campaign-id`, `endpoint-id` …
    pub metadata: Vec<(String, String)>,
}

/// One piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Title line.
    Subject(String),
    /// Plain text.
    Text(String),
    /// HTML.
    Html(String),
    /// A whole document: the payload of a push, the data of a custom channel.
    Json(String),
    /// A whole mail that the client wrote (RFC 5322).
    Raw(Vec<u8>),
}

/// What a provider said when it took a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's own id.
    pub provider_id: Option<String>,
    /// For people.
    pub detail: Option<String>,
    /// Message parts that were billed.
    pub parts: u32,
    /// Millionths of a US dollar.
    pub cost_micros: Option<u64>,
    /// For later decisions.
    pub attributes: Vec<(String, String)>,
}

/// Why a provider did not take a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The address will never work.
    InvalidAddress(String),
    /// This message will never be taken.
    Rejected(String),
    /// An operator must act.
    Unauthorized(String),
    /// Later; after that many seconds, if given.
    RateLimited(Option<u32>),
    /// Passing failure.
    Unavailable(String),
    /// An operator must act.
    Misconfigured(String),
    /// The provider may have taken it.
    Unknown(String),
}

/// What became of one message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The provider took it.
    Accepted(Receipt),
    /// It did not.
    Refused(SendError),
    /// The plugin died or ran out of time before it reported.
    Unreported {
        /// A request that carried this message had left: it may have arrived.
        left: bool,
        /// What happened to the plugin.
        fault: String,
    },
}

/// What a provider tells later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum EventKind {
    Delivered,
    Bounced,
    SoftBounced,
    Complained,
    Opened,
    Clicked,
    Unsubscribed,
    Failed,
}

/// A provider's later word about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEvent {
    /// The provider's id, as in the receipt.
    pub provider_id: String,
    /// What happened.
    pub kind: EventKind,
    /// Microseconds since 1970, UTC.
    pub at: Option<i64>,
    /// For people.
    pub detail: Option<String>,
}

/// A request that a provider made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "HTTP's own words")]
pub struct Webhook {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// The answer to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "HTTP's own words")]
pub struct WebhookReply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Something wrong with a binding's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting, or empty.
    pub key: String,
    /// What is wrong.
    pub text: String,
}

/// A plugin with its settings, ready to send. Always the newest version of the plugin: a swap shows
/// at the next call.
#[async_trait]
pub trait Channel: Send + Sync {
    /// The plugin's name and version, for logs and pages.
    fn name(&self) -> (String, String);

    /// The largest batch that it takes.
    fn max_batch(&self) -> usize;

    /// Are the settings complete, does the login work?
    async fn check(&self) -> Result<Vec<Problem>, PluginError>;

    /// Sends a batch; verdicts in the order of the messages, always as many.
    async fn send(&self, batch: Vec<OutgoingMessage>) -> Vec<Verdict>;

    /// Turns a provider's web hook into events and the reply to give.
    async fn events(&self, request: Webhook) -> Result<(Vec<ProviderEvent>, WebhookReply), PluginError>;
}
