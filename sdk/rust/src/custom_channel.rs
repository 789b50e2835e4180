//! The payload with which Amazon Pinpoint calls a custom channel's web hook or function, and what such a
//! receiver answers (developer guide, "Creating custom channels").

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::channel::{Message, Receipt, SendError};
use crate::http::Response;

/// Pinpoint's limit of endpoints in a call.
pub const MOST_ENDPOINTS: usize = 50;

/// May this message join a call? Only messages that say the same share one, and an endpoint is in it once. For
/// [`send_in_calls`](crate::send_in_calls).
pub fn fits(call: &[&Message], message: &Message) -> bool {
    // Who has a broken endpoint is refused alone.
    let shares = |first: &&Message| facts(first) == facts(message) && endpoint(first).is_ok();
    call.len() < MOST_ENDPOINTS
        && call.first().is_none_or(shares)
        && call
            .iter()
            .all(|other| endpoint_id(other) != endpoint_id(message))
        && endpoint(message).is_ok()
}

/// The event that Pinpoint gives to a custom channel.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Payload<'a> {
    /// Always empty for custom channels.
    message: Map<String, Value>,
    /// The campaign's or journey's own document.
    data: &'a str,
    application_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    treatment_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_time: Option<&'a str>,
    endpoints: BTreeMap<&'a str, Box<RawValue>>,
    /// Ours: the message id of each endpoint, the same at every try, for receivers that must not act twice.
    message_ids: BTreeMap<&'a str, &'a str>,
}

impl<'a> Payload<'a> {
    /// The payload of messages that [`fits`] put together.
    pub fn of(call: &[&'a Message]) -> Result<Self, SendError> {
        let first = call.first().copied();
        let meta = |key| first.and_then(|message| message.meta(key));
        let mut payload = Self {
            message: Map::new(),
            data: first.map_or("", data),
            application_id: meta("application-id"),
            campaign_id: meta("campaign-id"),
            treatment_id: meta("treatment-id"),
            activity_id: meta("activity-id"),
            scheduled_time: meta("scheduled-time"),
            endpoints: BTreeMap::new(),
            message_ids: BTreeMap::new(),
        };
        for message in call {
            let id = endpoint_id(message);
            payload.endpoints.insert(id, endpoint(message)?);
            payload.message_ids.insert(id, &message.delivery_id);
        }
        Ok(payload)
    }
}

/// `{ENDPOINT: {"EventAttributes": {KEY: VALUE}}}`, what journeys decide by. Any other answer says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer(Map<String, Value>);

impl Answer {
    /// Reads the body of a response.
    pub fn of(response: &Response) -> Self {
        Self(response.json().unwrap_or_default())
    }

    /// The receipt of a message of the call, with its endpoint's event attributes.
    pub fn receipt(&self, message: &Message) -> Receipt {
        let answer = self.0.get(endpoint_id(message));
        let attributes = answer.and_then(|answer| answer["EventAttributes"].as_object());
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Receipt {
            attributes: attributes
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), text(value)))
                .collect(),
            ..Receipt::accepted()
        }
    }
}

/// What is the same for all messages of a call.
fn facts(message: &Message) -> [Option<&str>; 6] {
    [
        Some(data(message)),
        message.meta("application-id"),
        message.meta("campaign-id"),
        message.meta("treatment-id"),
        message.meta("activity-id"),
        message.meta("scheduled-time"),
    ]
}

fn data(message: &Message) -> &str {
    message.json().or(message.text()).unwrap_or_default()
}

/// A message to a bare address has no endpoint; its own id stands in.
fn endpoint_id(message: &Message) -> &str {
    message.meta("endpoint-id").unwrap_or(&message.delivery_id)
}

fn endpoint(message: &Message) -> Result<Box<RawValue>, SendError> {
    let endpoint = match message.meta("endpoint") {
        Some(json) => RawValue::from_string(json.to_owned()),
        None => serde_json::value::to_raw_value(&serde_json::json!({
            "Address": message.to.value,
            "ChannelType": message.to.kind,
        })),
    };
    endpoint.map_err(|error| SendError::Rejected(format!("the endpoint is not JSON: {error}")))
}
