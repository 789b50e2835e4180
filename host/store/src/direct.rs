//! Direct messages: the intent first, the outcome behind it.

use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::Reason;
use pinion_domain::id::MessageId;

use crate::{AppRef, Error, Result, Store};

/// A message about to be handed over.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "placeholder")]
pub struct Intent {
    pub message_id: MessageId,
    pub request_id: String,
    pub channel: ChannelType,
    pub seq: Option<u32>,
    pub address: String,
}

/// What became of it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "placeholder")]
pub struct DirectOutcome {
    pub message_id: MessageId,
    pub reason: Reason,
    pub provider_id: Option<String>,
    pub detail: Option<String>,
}

/// A stored direct message.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "placeholder")]
pub struct DirectMessage {
    pub message_id: MessageId,
    pub request_id: String,
    pub channel: ChannelType,
    pub seq: Option<u32>,
    pub reason: Option<Reason>,
    pub provider_id: Option<String>,
    pub detail: Option<String>,
}

#[expect(missing_docs, reason = "placeholder")]
impl Store {
    pub async fn begin_direct(&self, _app: &AppRef, _intents: Vec<Intent>) -> Result<()> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn finish_direct(&self, _app: &AppRef, _outcomes: Vec<DirectOutcome>) -> Result<()> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn unknown_direct_after_crash(&self) -> Result<u64> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn direct(&self, _app: &AppRef, _id: &MessageId) -> Result<Option<DirectMessage>> {
        Err(Error::Setup("not built".into()))
    }
}
