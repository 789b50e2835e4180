//! Endpoints: one, many at once.

use pinion_domain::endpoint::{EndpointBatchItem, EndpointRequest, EndpointResponse};
use pinion_domain::id::EndpointId;
use pinion_domain::{Error, endpoint};
use pinion_store::{Lane, Upsert};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// Endpoints of one request (API reference, `UpdateEndpointsBatch`).
const LARGEST_BATCH: usize = 100;

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = id(&call);
    let endpoint = api
        .store()
        .endpoint(&app, &id)
        .await?
        .ok_or_else(|| Error::not_found("endpoint", id.as_str()))?;
    Answer::json(&endpoint.response(&app.id))
}

pub(crate) async fn update(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let mut request: EndpointRequest = call.json()?;
    endpoint::check_id(call.label("endpoint-id"), "endpoint-id")?;
    endpoint::check(&request, "", &api.store().endpoint_quotas())?;
    request.request_id.get_or_insert_with(|| call.request_id.clone());
    let upsert = Upsert {
        id: id(&call),
        request,
    };
    for result in api
        .store()
        .upsert_endpoints(&app, Lane::Interactive, vec![upsert])
        .await?
    {
        result?;
    }
    Answer::accepted(&call)
}

/// `EndpointBatchRequest`.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "EndpointBatchRequest")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchRequest {
    item: Vec<EndpointBatchItem>,
}

/// One wrong item and nothing is stored: the answer has no room to tell which ones were.
pub(crate) async fn update_batch(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let batch: BatchRequest = call.json()?;
    if batch.item.len() > LARGEST_BATCH {
        let problem = format!(
            "has {} endpoints, at most {LARGEST_BATCH} are allowed",
            batch.item.len()
        );
        return Err(Error::invalid("Item", problem).into());
    }
    let quotas = api.store().endpoint_quotas();
    let mut upserts = Vec::with_capacity(batch.item.len());
    for (index, item) in batch.item.into_iter().enumerate() {
        let field = format!("Item[{index}]");
        let id = item
            .id
            .ok_or_else(|| Error::invalid(format!("{field}.Id"), "is required"))?;
        endpoint::check_id(&id, &format!("{field}.Id"))?;
        endpoint::check(&item.endpoint, &field, &quotas)?;
        let mut request = item.endpoint;
        request.request_id.get_or_insert_with(|| call.request_id.clone());
        upserts.push(Upsert {
            id: id.into(),
            request,
        });
    }
    api.store()
        .upsert_all_endpoints(&app, Lane::Interactive, upserts)
        .await?;
    Answer::accepted(&call)
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = id(&call);
    let endpoint = api
        .store()
        .delete_endpoint(&app, &id)
        .await?
        .ok_or_else(|| Error::not_found("endpoint", id.as_str()))?;
    let response: EndpointResponse = endpoint.response(&app.id);
    Answer::json(&response)
}

fn id(call: &Call) -> EndpointId {
    call.label("endpoint-id").into()
}
