//! What is posted and what comes back.

use std::collections::BTreeMap;

use pinion_sdk::http::Response;
use pinion_sdk::{Message, Outcome, SendError};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Pinpoint's limit of endpoints in a call.
const ENDPOINTS_PER_CALL: usize = 50;

/// The event that Pinpoint gives to a custom channel's function or web hook.
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

/// The messages of one call.
#[derive(Debug)]
pub struct Call<'a> {
    /// What is posted.
    pub payload: Payload<'a>,
    /// Place in the batch, endpoint, message.
    members: Vec<(usize, &'a str, &'a Message)>,
}

impl<'a> Call<'a> {
    fn new(message: &'a Message) -> Self {
        Self {
            payload: Payload {
                message: Map::new(),
                data: data(message),
                application_id: message.meta("application-id"),
                campaign_id: message.meta("campaign-id"),
                treatment_id: message.meta("treatment-id"),
                activity_id: message.meta("activity-id"),
                scheduled_time: message.meta("scheduled-time"),
                endpoints: BTreeMap::new(),
                message_ids: BTreeMap::new(),
            },
            members: Vec::new(),
        }
    }

    /// Only messages that say the same share a call, and an endpoint is in it once.
    fn takes(&self, message: &Message) -> bool {
        let own = &self.payload;
        self.members.len() < ENDPOINTS_PER_CALL
            && own.data == data(message)
            && own.application_id == message.meta("application-id")
            && own.campaign_id == message.meta("campaign-id")
            && own.treatment_id == message.meta("treatment-id")
            && own.activity_id == message.meta("activity-id")
            && own.scheduled_time == message.meta("scheduled-time")
            && !own.endpoints.contains_key(endpoint_id(message))
    }

    fn add(&mut self, place: usize, message: &'a Message, endpoint: Box<RawValue>) {
        let id = endpoint_id(message);
        self.payload.endpoints.insert(id, endpoint);
        self.payload.message_ids.insert(id, &message.delivery_id);
        self.members.push((place, id, message));
    }

    /// Places in the batch.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        self.members.iter().map(|(place, ..)| *place)
    }

    /// Ids of the endpoints, in the order of the places.
    pub fn endpoints(&self) -> impl Iterator<Item = &'a str> {
        self.members.iter().map(|(_, endpoint, _)| *endpoint)
    }

    /// The messages, in the order of the places.
    pub fn messages(&self) -> impl Iterator<Item = &'a Message> {
        self.members.iter().map(|(_, _, message)| *message)
    }
}

/// Sorts a batch into calls. Messages that cannot be part of one have their outcome already.
pub fn calls(batch: &[Message]) -> (Vec<Call<'_>>, Vec<Option<Outcome>>) {
    let mut calls: Vec<Call<'_>> = Vec::new();
    let outcomes = batch
        .iter()
        .enumerate()
        .map(|(place, message)| match endpoint(message) {
            Ok(endpoint) => {
                let open = calls.iter().position(|call| call.takes(message));
                let call = open.unwrap_or_else(|| {
                    calls.push(Call::new(message));
                    calls.len() - 1
                });
                calls[call].add(place, message, endpoint);
                None
            }
            Err(error) => Some(Err(SendError::Rejected(format!(
                "the endpoint is not JSON: {error}"
            )))),
        })
        .collect();
    (calls, outcomes)
}

fn data(message: &Message) -> &str {
    message.json().or(message.text()).unwrap_or_default()
}

/// A message to a bare address has no endpoint; its own id stands in.
fn endpoint_id(message: &Message) -> &str {
    message.meta("endpoint-id").unwrap_or(&message.delivery_id)
}

fn endpoint(message: &Message) -> serde_json::Result<Box<RawValue>> {
    match message.meta("endpoint") {
        Some(json) => RawValue::from_string(json.to_owned()),
        None => serde_json::value::to_raw_value(&serde_json::json!({
            "Address": message.to.value,
            "ChannelType": message.to.kind,
        })),
    }
}

/// `{ENDPOINT: {"EventAttributes": {KEY: VALUE}}}`, what journeys decide by. Anything else says nothing.
#[derive(Debug, Default)]
pub struct Answer(Map<String, Value>);

impl Answer {
    /// Reads the body of a response.
    pub fn read(response: &Response) -> Self {
        Self(response.json().unwrap_or_default())
    }

    /// The event attributes of an endpoint.
    pub fn attributes(&self, endpoint: &str) -> Vec<(String, String)> {
        let attributes = self
            .0
            .get(endpoint)
            .and_then(|answer| answer["EventAttributes"].as_object());
        attributes
            .into_iter()
            .flatten()
            .map(|(key, value)| {
                let value = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                (key.clone(), value)
            })
            .collect()
    }
}
