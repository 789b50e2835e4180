//! An order that was given before: SDKs try again when an answer is lost, under the same invocation id. The
//! repeat is answered with what the first was answered, and nothing is sent.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use pinion_domain as domain;
use pinion_domain::delivery::Reason;
use pinion_domain::message::MessageResult;
use pinion_store::{AppRef, DirectMessage, Finished, NamedRequest, PastRequest};
use tracing::warn;

use super::recipients::Recipient;
use super::{DirectResults, Refusal, To};
use crate::{Engine, Error, Result};

/// How long a repeat waits for the first to be answered.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How often forgotten requests and expired passwords are removed.
const SWEEP: Duration = Duration::from_secs(60);

/// How an order is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The server's id of the request.
    pub request_id: String,
    /// Absent: every request is a new order.
    pub repeatable: Option<Repeatable>,
}

/// A request that its client may repeat.
#[derive(Clone, Debug)]
pub struct Repeatable {
    /// Who asks.
    pub principal: String,
    /// The client's name for the request.
    pub name: String,
    /// What makes it the same request, from [`pinion_store::Store::fingerprint`].
    pub fingerprint: Vec<u8>,
}

impl Engine {
    pub(super) fn named(&self, app: &AppRef, asked: &Asked) -> Option<NamedRequest> {
        let window = SignedDuration::try_from(self.config().repeat_window).unwrap_or(SignedDuration::MAX);
        let repeatable = asked.repeatable.clone()?;
        Some(NamedRequest {
            account: app.tenant.account.clone(),
            principal: repeatable.principal,
            name: repeatable.name,
            request_id: asked.request_id.clone(),
            fingerprint: repeatable.fingerprint,
            since: self.inner.clock.now() - window,
        })
    }

    /// What an order of that name was answered; `None`: there was none, or nothing of it ever left.
    pub(super) async fn repeated(
        &self,
        app: &AppRef,
        named: &NamedRequest,
        to: To<'_>,
    ) -> Result<Option<DirectResults>> {
        let began = Instant::now();
        loop {
            match self.store().past_request(app, named).await? {
                None => return Ok(None),
                Some(PastRequest::Other) => {
                    let problem = format!(
                        "the id {:?} was given to another request before: a repeat must be the same request",
                        named.name
                    );
                    return Err(domain::Error::Conflict(problem).into());
                }
                Some(PastRequest::Answered { results, .. }) => {
                    return serde_json::from_str(&results)
                        .map(Some)
                        .map_err(|error| Error::Internal(format!("kept results cannot be read: {error}")));
                }
                Some(PastRequest::Lost { request_id }) => {
                    return self.recall(app, named, to, &request_id).await;
                }
                Some(PastRequest::UnderWay) if began.elapsed() >= PATIENCE => {
                    let sentence = "the same request is still under way; ask again for its answer";
                    return Err(Error::Busy(sentence.to_owned()));
                }
                Some(PastRequest::UnderWay) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Answers for an order that was cut off: what the ledger knows, and UNKNOWN for what was in flight. If
    /// nothing had left, the order may be carried out now.
    async fn recall(
        &self,
        app: &AppRef,
        named: &NamedRequest,
        to: To<'_>,
        request_id: &str,
    ) -> Result<Option<DirectResults>> {
        let messages = self.store().direct_of_request(app, request_id).await?;
        if messages.is_empty() {
            self.store().forget_request(named, request_id).await?;
            return Ok(None);
        }
        warn!(request_id, "an order that was cut off is asked for again");
        let recipients = self.recipients(app, to).await?;
        let mut results = DirectResults::new(request_id);
        for user in recipients.users {
            results.users.entry(user).or_default();
        }
        for (key, address, refusal) in recipients.refused {
            results.add(key, refusal.result(address));
        }
        for recipient in recipients.to_reach {
            let message = messages.iter().find(|message| is_to(app, message, &recipient));
            let result = recalled(&recipient, message);
            results.add(recipient.key, result);
        }
        let text = serde_json::to_string(&results)
            .map_err(|error| Error::Internal(format!("results cannot be kept: {error}")))?;
        let first = NamedRequest {
            request_id: request_id.to_owned(),
            ..named.clone()
        };
        let finished = Finished {
            outcomes: Vec::new(),
            answered: Some((first, text)),
        };
        self.store().finish_direct(app, finished).await?;
        Ok(Some(results))
    }
}

fn is_to(app: &AppRef, message: &DirectMessage, recipient: &Recipient) -> bool {
    if message.channel != recipient.channel_type {
        return false;
    }
    match message.seq {
        Some(seq) => recipient.is_endpoint() && seq == recipient.endpoint.seq,
        None => {
            !recipient.is_endpoint()
                && message.address_index == app.address_index(message.channel, recipient.address())
        }
    }
}

fn recalled(recipient: &Recipient, message: Option<&DirectMessage>) -> MessageResult {
    let address = recipient.shown_address();
    let Some(message) = message else {
        // Without an intent it was not handed over, for a reason that nobody wrote down.
        let detail = "not sent before the server stopped";
        return Refusal::because(Reason::PluginFault, detail).result(address);
    };
    let refusal = Refusal {
        reason: message.reason.unwrap_or(Reason::Unknown),
        detail: message.detail.clone(),
    };
    MessageResult {
        message_id: Some(message.message_id.to_string()),
        ..refusal.result(address)
    }
}

/// Removes what is forgotten until the engine stops, and gives messages of nodes that died their outcome.
pub(crate) async fn sweep_loop(engine: Engine) {
    loop {
        if let Err(error) = sweep(&engine).await {
            warn!(%error, "requests and passwords that are over could not be removed");
        }
        if !engine.sleep(SWEEP).await {
            return;
        }
    }
}

async fn sweep(engine: &Engine) -> Result<()> {
    let window = SignedDuration::try_from(engine.config().repeat_window).unwrap_or(SignedDuration::MAX);
    while engine
        .store()
        .sweep_requests(engine.clock().now() - window)
        .await?
        > 0
    {}
    engine.store().unknown_direct_after_crash().await?;
    Ok(())
}
