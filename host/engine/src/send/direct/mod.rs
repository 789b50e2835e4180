//! Direct messages: commit the intent, call the channel, answer with the provider's verdict; the outcome
//! commits behind the answer. They have their own lane and never wait behind a campaign.
//!
//! | module | holds |
//! |---|---|
//! | `recipients` | whom an order names |
//! | `said` | what it says, by channel, compiled |
//! | `make` | who may be reached right now, and the message of each |
//! | `hand_over` | intents, the channels, verdicts, results |
//! | `repeats` | an order that was given before is answered and not sent again |
//! | `otp` | one-time passwords |
//!
//! An order fails as a whole only before anything is handed over; afterwards every recipient has a result.

mod hand_over;
mod make;
mod otp;
mod recipients;
mod repeats;
mod said;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use pinion_domain::delivery::Reason;
use pinion_domain::message::direct::{self, MessageContext};
use pinion_domain::message::{
    AddressConfiguration, DirectMessageConfiguration, MessageRequest, MessageResult, UsersMessageRequest,
};
use pinion_domain::template::TemplateConfiguration;
use pinion_store::{AppRef, NewOtp};
use serde::{Deserialize, Serialize};

pub(crate) use repeats::sweep_loop;
pub use repeats::{Asked, Repeatable};

use recipients::Key;
use said::Said;

use crate::{Engine, Error, Result};

/// What became of an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DirectResults {
    /// The order's id; of a repeat, that of the first.
    pub request_id: String,
    /// By address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses: BTreeMap<String, MessageResult>,
    /// By endpoint id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, MessageResult>,
    /// By user id and endpoint id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, BTreeMap<String, MessageResult>>,
}

/// Recipients and what is particular about each.
type Named = BTreeMap<String, Option<AddressConfiguration>>;

/// Whom an order names.
#[derive(Clone, Copy)]
struct To<'a> {
    addresses: &'a Named,
    endpoints: &'a Named,
    users: &'a Named,
}

/// An order to send, whichever operation gave it.
struct Order<'a> {
    to: To<'a>,
    says: Says<'a>,
    context: &'a MessageContext,
    trace_id: Option<&'a str>,
}

/// What an order says.
enum Says<'a> {
    /// What the request brings.
    Configured(&'a DirectMessageConfiguration, &'a TemplateConfiguration),
    /// Words of our own, and the password in them.
    Password(Box<(Said, NewOtp)>),
}

impl Engine {
    /// Sends one message to each address and endpoint of a request and tells the verdicts.
    pub async fn send_messages(
        &self,
        app: &AppRef,
        request: &MessageRequest,
        asked: &Asked,
    ) -> Result<DirectResults> {
        let (nobody, nothing, no_template) = Default::default();
        let order = Order {
            to: To {
                addresses: request.addresses.as_ref().unwrap_or(&nobody),
                endpoints: request.endpoints.as_ref().unwrap_or(&nobody),
                users: &nobody,
            },
            says: Says::Configured(
                &request.message_configuration,
                request.template_configuration.as_ref().unwrap_or(&no_template),
            ),
            context: request.context.as_ref().unwrap_or(&nothing),
            trace_id: request.trace_id.as_deref(),
        };
        self.carry_out(app, order, asked).await
    }

    /// Sends a message to the endpoints of each user of a request and tells the verdicts: to those that are
    /// active and whose channel the request has a message for.
    pub async fn send_users_messages(
        &self,
        app: &AppRef,
        request: &UsersMessageRequest,
        asked: &Asked,
    ) -> Result<DirectResults> {
        let (nobody, nothing, no_template) = Default::default();
        let order = Order {
            to: To {
                addresses: &nobody,
                endpoints: &nobody,
                users: &request.users,
            },
            says: Says::Configured(
                &request.message_configuration,
                request.template_configuration.as_ref().unwrap_or(&no_template),
            ),
            context: request.context.as_ref().unwrap_or(&nothing),
            trace_id: request.trace_id.as_deref(),
        };
        self.carry_out(app, order, asked).await
    }

    async fn carry_out(&self, app: &AppRef, order: Order<'_>, asked: &Asked) -> Result<DirectResults> {
        if let Says::Configured(configuration, _) = &order.says {
            direct::check(configuration)?;
        }
        let named = self.named(app, asked);
        if let Some(named) = &named
            && let Some(results) = self.repeated(app, named, order.to).await?
        {
            return Ok(results);
        }
        let recipients = self.recipients(app, order.to).await?;
        let channels = recipients.channels();
        let ways = self.ways(app, &channels).await?;
        let (said, otp) = match order.says {
            Says::Configured(configuration, templates) => (
                self.said(app, configuration, templates, &channels, &ways).await?,
                None,
            ),
            Says::Password(password) => {
                let (said, otp) = *password;
                (BTreeMap::from([(said.channel(), said)]), Some(otp))
            }
        };
        let facts = make::Facts {
            app: app.clone(),
            context: order.context.clone(),
            trace_id: order.trace_id.map(str::to_owned),
            now: self.inner.clock.now(),
        };
        let made = self
            .make(facts, recipients, said, ways, &asked.request_id)
            .await?;
        match self.dispatch(app, made, named.clone(), otp).await? {
            Some(results) => Ok(results),
            // Somebody else began the same order since we looked.
            None => {
                let named = named.expect("only a named order can have begun already");
                let results = self.repeated(app, &named, order.to).await?;
                results.ok_or_else(|| Error::Busy("the request was given up at another place".to_owned()))
            }
        }
    }
}

impl DirectResults {
    fn new(request_id: &str) -> Self {
        Self {
            request_id: request_id.to_owned(),
            ..Self::default()
        }
    }

    fn add(&mut self, key: Key, result: MessageResult) {
        match key {
            Key::Address(address) => {
                self.addresses.insert(address, result);
            }
            Key::Endpoint(id) => {
                self.endpoints.insert(id, result);
            }
            Key::User(user, id) => {
                self.users.entry(user).or_default().insert(id, result);
            }
        }
    }
}

/// Why a recipient gets nothing.
#[derive(Clone, Debug, PartialEq)]
struct Refusal {
    reason: Reason,
    detail: Option<String>,
}

impl Refusal {
    fn new(reason: Reason) -> Self {
        Self { reason, detail: None }
    }

    fn because(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: Some(detail.into()),
        }
    }

    fn result(self, address: Option<String>) -> MessageResult {
        let (delivery_status, status_code) = self.reason.delivery_status();
        MessageResult {
            address,
            delivery_status,
            message_id: None,
            status_code,
            status_message: Some(self.detail.unwrap_or_else(|| self.reason.as_str().to_owned())),
            updated_token: None,
        }
    }
}
