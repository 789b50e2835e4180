//! Whom an order names: addresses, endpoints, and the endpoints of users.

use std::collections::BTreeSet;

use pinion_domain as domain;
use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::Reason;
use pinion_domain::endpoint::{Endpoint, EndpointDocument};
use pinion_domain::id::{EndpointId, MessageId, UserId, fresh_id};
use pinion_domain::message::AddressConfiguration;
use pinion_store::AppRef;

use super::{Refusal, To};
use crate::{Engine, Result};

/// Addresses and endpoints, or users, of one order (API reference, `SendMessages`).
const MOST_NAMED: usize = 100;

/// Where a recipient's result is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Address(String),
    Endpoint(String),
    /// User id and endpoint id.
    User(String, String),
}

/// Somebody to reach.
#[derive(Clone, Debug)]
pub(super) struct Recipient {
    pub(super) key: Key,
    pub(super) configuration: AddressConfiguration,
    pub(super) channel_type: ChannelType,
    pub(super) endpoint: Endpoint,
    pub(super) message_id: MessageId,
}

/// All of them, and those about whom all is said already.
#[derive(Debug, Default)]
pub(super) struct Recipients {
    pub(super) to_reach: Vec<Recipient>,
    pub(super) refused: Vec<(Key, Option<String>, Refusal)>,
    /// Users that were named: each has a result, even an empty one.
    pub(super) users: Vec<String>,
}

impl Recipients {
    pub(super) fn channels(&self) -> BTreeSet<ChannelType> {
        let types = self.to_reach.iter().map(|recipient| recipient.channel_type);
        types.collect()
    }
}

impl Recipient {
    pub(super) fn address(&self) -> &str {
        self.endpoint.address.as_deref().unwrap_or_default()
    }

    pub(super) fn is_endpoint(&self) -> bool {
        !matches!(self.key, Key::Address(_))
    }

    /// The address in the result: of an endpoint the client did not name it.
    pub(super) fn shown_address(&self) -> Option<String> {
        self.is_endpoint()
            .then(|| self.endpoint.address.clone())
            .flatten()
    }
}

impl Engine {
    pub(super) async fn recipients(&self, app: &AppRef, to: To<'_>) -> Result<Recipients> {
        let field = if to.users.is_empty() { "Addresses" } else { "Users" };
        let count = to.addresses.len() + to.endpoints.len() + to.users.len();
        if count == 0 || count > MOST_NAMED {
            let problem = format!("names {count} recipients, must be 1 to {MOST_NAMED}");
            return Err(domain::Error::invalid(field, problem).into());
        }
        let mut recipients = Recipients::default();
        for (place, (address, configuration)) in to.addresses.iter().enumerate() {
            let configuration = configuration.clone().unwrap_or_default();
            // The address itself stays out of errors, which are logged.
            let channel_type = configuration.channel_type.ok_or_else(|| {
                let field = format!("Addresses.*.ChannelType (address {} in order)", place + 1);
                domain::Error::invalid(field, "is required")
            })?;
            recipients.to_reach.push(Recipient {
                key: Key::Address(address.clone()),
                configuration,
                channel_type,
                endpoint: stranger(address, channel_type),
                message_id: fresh_id().into(),
            });
        }
        let ids: Vec<EndpointId> = to.endpoints.keys().map(|id| id.as_str().into()).collect();
        let found = self.store().endpoints_by_id(app, &ids).await?;
        for (id, configuration) in to.endpoints {
            let key = Key::Endpoint(id.clone());
            match found.iter().find(|endpoint| endpoint.id.as_str() == id) {
                Some(endpoint) => recipients.add(key, configuration.as_ref(), endpoint.clone()),
                None => {
                    let refusal = Refusal::because(Reason::EndpointDeleted, "no such endpoint");
                    recipients.refused.push((key, None, refusal));
                }
            }
        }
        for (user, configuration) in to.users {
            recipients.users.push(user.clone());
            let id = UserId::from(user.as_str());
            for endpoint in self.store().user_endpoints(app, &id).await? {
                let key = Key::User(user.clone(), endpoint.id.to_string());
                if endpoint.document.is_active() && endpoint.document.channel_type.is_some() {
                    recipients.add(key, configuration.as_ref(), endpoint);
                }
            }
        }
        Ok(recipients)
    }
}

impl Recipients {
    fn add(&mut self, key: Key, configuration: Option<&AddressConfiguration>, endpoint: Endpoint) {
        let Some(channel_type) = endpoint.document.channel_type else {
            let refusal = Refusal::new(Reason::MissingChannel);
            self.refused.push((key, endpoint.address, refusal));
            return;
        };
        self.to_reach.push(Recipient {
            key,
            configuration: configuration.cloned().unwrap_or_default(),
            channel_type,
            endpoint,
            message_id: fresh_id().into(),
        });
    }
}

/// An address that is no endpoint.
fn stranger(address: &str, channel_type: ChannelType) -> Endpoint {
    Endpoint {
        seq: 0,
        id: EndpointId::from(""),
        user_id: None,
        address: Some(address.to_owned()),
        document: EndpointDocument {
            channel_type: Some(channel_type),
            endpoint_status: "ACTIVE".to_owned(),
            opt_out: "NONE".to_owned(),
            ..EndpointDocument::default()
        },
        user: None,
    }
}
