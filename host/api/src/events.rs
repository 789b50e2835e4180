//! Events that applications report.

use std::collections::BTreeMap;

use pinion_domain::clock::parse_iso;
use pinion_domain::endpoint::EndpointRequest;
use pinion_domain::event::{Event, EventsRequest};
use pinion_domain::id::EndpointId;
use pinion_domain::{Error, endpoint};
use pinion_store::{AppRef, Lane, NewEvent, Upsert};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// Events of one request (user guide, "Quotas").
const MOST_EVENTS: usize = 100;
/// Attributes and metrics of one event.
const MOST_KEYS: usize = 40;
/// Characters of a key and of an event type.
const LONGEST_KEY: usize = 50;
/// Characters of an attribute's value.
const LONGEST_VALUE: usize = 200;

/// `EventsResponse`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EventsResponse {
    /// By endpoint id.
    results: BTreeMap<String, ItemResponse>,
}

/// `ItemResponse`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ItemResponse {
    endpoint_item_response: PartResponse,
    /// By event id.
    events_item_response: BTreeMap<String, PartResponse>,
}

/// `EndpointItemResponse` and `EventItemResponse`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventItemResponse")]
#[serde(rename_all = "PascalCase")]
struct PartResponse {
    message: String,
    /// 202, or 400 for what was not stored.
    status_code: u16,
}

impl PartResponse {
    fn accepted() -> Self {
        Self {
            message: "Accepted".to_owned(),
            status_code: 202,
        }
    }

    fn refused(error: &impl std::fmt::Display) -> Self {
        Self {
            message: error.to_string(),
            status_code: 400,
        }
    }
}

/// Stores what can be stored and tells, endpoint by endpoint and event by event, what could not.
pub(crate) async fn put(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let request: EventsRequest = call.json()?;
    let count: usize = request.batch_item.values().map(|batch| batch.events.len()).sum();
    if count > MOST_EVENTS {
        let problem = format!("has {count} events, at most {MOST_EVENTS} are allowed");
        return Err(Error::invalid("BatchItem", problem).into());
    }
    let mut results = BTreeMap::new();
    let mut events = Vec::with_capacity(count);
    let updates: Vec<(String, EndpointRequest)> = request
        .batch_item
        .iter()
        .map(|(id, batch)| (id.clone(), batch.endpoint.clone()))
        .collect();
    let mut endpoint_results = update_endpoints(api, &app, updates).await?;
    let ids: Vec<EndpointId> = request.batch_item.keys().map(|id| id.as_str().into()).collect();
    let seqs: BTreeMap<String, u32> = api
        .store()
        .endpoints_by_id(&app, &ids)
        .await?
        .into_iter()
        .map(|endpoint| (endpoint.id.into(), endpoint.seq))
        .collect();
    for (id, batch) in request.batch_item {
        let mut event_results = BTreeMap::new();
        for (event_id, event) in batch.events {
            let result = match new_event(&app, &id, &event_id, &event, seqs.get(&id).copied()) {
                Ok(event) => {
                    events.push(event);
                    PartResponse::accepted()
                }
                Err(error) => PartResponse::refused(&error),
            };
            event_results.insert(event_id, result);
        }
        let endpoint_result = endpoint_results
            .remove(&id)
            .unwrap_or_else(PartResponse::accepted);
        results.insert(
            id,
            ItemResponse {
                endpoint_item_response: endpoint_result,
                events_item_response: event_results,
            },
        );
    }
    if !events.is_empty() {
        api.store().append_events(Lane::Interactive, events).await?;
    }
    Answer::json(&EventsResponse { results })
}

/// An `Endpoint` of `{}` is normal and changes nothing.
async fn update_endpoints(
    api: &Api,
    app: &AppRef,
    updates: Vec<(String, EndpointRequest)>,
) -> Result<BTreeMap<String, PartResponse>> {
    let mut results = BTreeMap::new();
    let mut upserts = Vec::new();
    let quotas = api.store().endpoint_quotas();
    for (id, request) in updates {
        if request == EndpointRequest::default() {
            continue;
        }
        match endpoint::check(&request, "Endpoint", &quotas) {
            Ok(()) => upserts.push(Upsert {
                id: id.into(),
                request,
            }),
            Err(error) => {
                results.insert(id, PartResponse::refused(&error));
            }
        }
    }
    if upserts.is_empty() {
        return Ok(results);
    }
    let ids: Vec<String> = upserts.iter().map(|upsert| upsert.id.to_string()).collect();
    for (id, stored) in ids.into_iter().zip(
        api.store()
            .upsert_endpoints(app, Lane::Interactive, upserts)
            .await?,
    ) {
        if let Err(error) = stored {
            results.insert(id, PartResponse::refused(&error));
        }
    }
    Ok(results)
}

fn new_event(
    app: &AppRef,
    endpoint: &str,
    id: &str,
    event: &Event,
    seq: Option<u32>,
) -> pinion_domain::Result<NewEvent> {
    let kind = event.event_type.as_str();
    if kind.is_empty() || kind.chars().count() > LONGEST_KEY || kind.contains('\0') {
        return Err(Error::invalid(
            "EventType",
            format!("must have 1 to {LONGEST_KEY} characters"),
        ));
    }
    let at = parse_iso(&event.timestamp)
        .ok_or_else(|| Error::invalid("Timestamp", "must be an ISO 8601 instant"))?;
    let attributes = event.attributes.iter().flatten();
    let metrics = event.metrics.iter().flatten();
    if attributes.clone().count() + metrics.clone().count() > MOST_KEYS {
        return Err(Error::invalid(
            "Attributes",
            format!("attributes and metrics must be at most {MOST_KEYS}"),
        ));
    }
    let keys = attributes
        .clone()
        .map(|(key, _)| key)
        .chain(metrics.map(|(key, _)| key));
    for key in keys {
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Err(Error::invalid(
                "Attributes",
                format!("names must have 1 to {LONGEST_KEY} characters"),
            ));
        }
    }
    for (key, value) in attributes {
        if value.chars().count() > LONGEST_VALUE {
            let problem = format!("must have at most {LONGEST_VALUE} characters");
            return Err(Error::invalid(format!("Attributes.{key}"), problem));
        }
    }
    let document = serde_json::to_value(event)
        .map_err(|error| Error::invalid("Event", format!("cannot be stored: {error}")))?;
    Ok(NewEvent {
        app_no: app.no,
        seq,
        event_type: kind.to_owned(),
        at,
        // SDKs send a batch again when its answer is lost: the same event counts once.
        key: Some(format!("put|{endpoint}|{id}")),
        run_no: 0,
        treatment: 0,
        message_id: None,
        document,
    })
}
