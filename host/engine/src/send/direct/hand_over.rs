//! Intents, the channels, verdicts, results.

use futures_util::future::join_all;
use pinion_domain::delivery::{Reason, SuppressionReason};
use pinion_domain::endpoint::EndpointRequest;
use pinion_domain::extension::channel::{Receipt, SendError, Verdict};
use pinion_domain::message::MessageResult;
use pinion_store::{AppRef, DirectOutcome, Finished, HandOver, Lane, NamedRequest, NewOtp, Upsert};
use tracing::{error, warn};

use super::super::prepared::Route;
use super::make::{Made, MadeOrder};
use super::recipients::Recipient;
use super::{DirectResults, Refusal};
use crate::{Engine, Error, Result};

/// The attribute of a receipt in which a push service tells that a token was replaced.
const UPDATED_TOKEN: &str = "updated-token";

impl Engine {
    /// Hands everything over and tells what became of it; `None`: an order of that name has begun already,
    /// and nothing of this one left.
    ///
    /// A client that hangs up does not end it: what is on its way must be recorded.
    pub(super) async fn dispatch(
        &self,
        app: &AppRef,
        made: MadeOrder,
        named: Option<NamedRequest>,
        otp: Option<NewOtp>,
    ) -> Result<Option<DirectResults>> {
        let (engine, app) = (self.clone(), app.clone());
        let task = self
            .inner
            .tasks
            .spawn(async move { engine.deliver(&app, made, named, otp).await });
        task.await
            .map_err(|panic| Error::Internal(format!("sending ended: {panic}")))?
    }

    async fn deliver(
        &self,
        app: &AppRef,
        made: MadeOrder,
        named: Option<NamedRequest>,
        otp: Option<NewOtp>,
    ) -> Result<Option<DirectResults>> {
        let MadeOrder { mut results, batches } = made;
        let intents: Vec<_> = batches
            .iter()
            .flat_map(|(_, batch)| batch.iter().map(|made| made.intent.clone()))
            .collect();
        if intents.is_empty() && named.is_none() {
            return Ok(Some(results));
        }
        let hand_over = HandOver {
            // Nobody can know the code of a message that does not leave.
            otp: otp.filter(|_| !intents.is_empty()),
            intents,
            named: named.clone(),
        };
        if !self.store().begin_direct(app, hand_over).await? {
            return Ok(None);
        }
        let mut outcomes = Vec::new();
        let mut replaced = Vec::new();
        let sent = join_all(batches.into_iter().map(|(route, batch)| send(route, batch))).await;
        for (recipient, verdict) in sent.into_iter().flatten() {
            let (result, outcome) = told(&recipient, verdict);
            if let Some(token) = result.updated_token.clone().filter(|_| recipient.is_endpoint()) {
                replaced.push(Upsert {
                    id: recipient.endpoint.id.clone(),
                    request: EndpointRequest {
                        address: Some(token),
                        ..EndpointRequest::default()
                    },
                });
            }
            results.add(recipient.key, result);
            outcomes.push(outcome);
        }
        let answered = match named {
            None => None,
            Some(named) => {
                let text = serde_json::to_string(&results)
                    .map_err(|error| Error::Internal(format!("results cannot be kept: {error}")))?;
                Some((named, text))
            }
        };
        // The verdict is the provider's: the caller need not wait for our bookkeeping.
        let (engine, app) = (self.clone(), app.clone());
        self.inner.tasks.spawn(async move {
            let finished = Finished { outcomes, answered };
            if let Err(error) = engine.store().finish_direct(&app, finished).await {
                error!(%error, "outcomes of direct messages could not be stored; they will be UNKNOWN");
            }
            let updated = engine.store().upsert_endpoints(&app, Lane::Interactive, replaced);
            if let Err(error) = updated.await {
                warn!(%error, "a push service replaced tokens, but they could not be stored");
            }
        });
        Ok(Some(results))
    }
}

async fn send(route: Route, batch: Vec<Made>) -> Vec<(Recipient, Verdict)> {
    let (recipients, messages): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|made| (made.recipient, made.message))
        .unzip();
    let mut verdicts = route.channel.send(messages).await;
    let missing = Verdict::Unreported {
        left: true,
        fault: "the channel gave no verdict".to_owned(),
    };
    verdicts.resize(recipients.len(), missing);
    recipients.into_iter().zip(verdicts).collect()
}

/// What a verdict is to the client and to the ledger. A direct message is not tried again: its caller
/// decides.
fn told(recipient: &Recipient, verdict: Verdict) -> (MessageResult, DirectOutcome) {
    let mut receipt = Receipt::default();
    let (reason, detail) = match verdict {
        Verdict::Accepted(given) => {
            receipt = given;
            (Reason::Accepted, receipt.detail.clone())
        }
        Verdict::Refused(error) => {
            let (reason, detail) = match error {
                SendError::InvalidAddress(detail) => (Reason::HardBounce, detail),
                SendError::Rejected(detail) => (Reason::Rejected, detail),
                SendError::Unauthorized(detail) => (Reason::Unauthorized, detail),
                SendError::RateLimited(_) => (Reason::Throttled, "rate limited by the provider".to_owned()),
                SendError::Unavailable(detail) => (Reason::RetriesExhausted, detail),
                SendError::Misconfigured(detail) => (Reason::Misconfigured, detail),
                SendError::Unknown(detail) => (Reason::Unknown, detail),
            };
            (reason, Some(detail))
        }
        Verdict::Unreported { left: true, fault } => (Reason::Unknown, Some(fault)),
        Verdict::Unreported { left: false, fault } => (Reason::PluginFault, Some(fault)),
    };
    let token = receipt.attributes.iter().find(|(name, _)| name == UPDATED_TOKEN);
    let refusal = Refusal {
        reason,
        detail: detail.clone(),
    };
    let result = MessageResult {
        message_id: Some(recipient.message_id.to_string()),
        updated_token: token.map(|(_, token)| token.clone()),
        ..refusal.result(recipient.shown_address())
    };
    let outcome = DirectOutcome {
        message_id: recipient.message_id.clone(),
        reason,
        provider_id: receipt.provider_id,
        detail,
        suppress: (reason == Reason::HardBounce).then_some(SuppressionReason::Bounce),
    };
    (result, outcome)
}
