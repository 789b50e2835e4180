//! Direct messages: to addresses and endpoints, and to users.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::id::AppId;
use pinion_domain::message::{MessageRequest, MessageResult, UsersMessageRequest};
use pinion_engine::send::{Asked, DirectResults, Repeatable};
use schemars::JsonSchema;
use serde::Serialize;
use serde_with::skip_serializing_none;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// The client's own name for a request that it may repeat.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// What AWS's SDKs send: the same for all tries of one call.
const INVOCATION_ID: &str = "amz-sdk-invocation-id";
/// Characters of either.
const LONGEST_NAME: usize = 255;

/// `MessageResponse`.
#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MessageResponse {
    application_id: AppId,
    /// By endpoint id.
    endpoint_result: Option<BTreeMap<String, MessageResult>>,
    request_id: String,
    /// By address.
    result: Option<BTreeMap<String, MessageResult>>,
}

/// `SendUsersMessageResponse`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SendUsersMessageResponse")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UsersMessageResponse {
    application_id: AppId,
    request_id: String,
    /// By user id and endpoint id.
    result: BTreeMap<String, BTreeMap<String, MessageResult>>,
}

/// Answers 200 even if every recipient failed: the results tell.
pub(crate) async fn send(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let request: MessageRequest = call.json()?;
    let results = api
        .engine
        .send_messages(&app, &request, &asked(api, &call)?)
        .await?;
    Answer::json(&MessageResponse::new(
        &call,
        results,
        request.addresses.is_some(),
        request.endpoints.is_some(),
    ))
}

/// Answers 200 even if every endpoint failed: the results tell.
pub(crate) async fn send_to_users(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let request: UsersMessageRequest = call.json()?;
    let asked = asked(api, &call)?;
    let results = api.engine.send_users_messages(&app, &request, &asked).await?;
    Answer::json(&UsersMessageResponse {
        application_id: app.id,
        request_id: results.request_id,
        result: results.users,
    })
}

impl MessageResponse {
    /// With the maps that the request had.
    pub(crate) fn new(call: &Call, results: DirectResults, addresses: bool, endpoints: bool) -> Self {
        Self {
            application_id: call.app_id(),
            endpoint_result: endpoints.then_some(results.endpoints),
            request_id: results.request_id,
            result: addresses.then_some(results.addresses),
        }
    }
}

/// How a request asks to send: under its client's name for it, if it has one, a repeat is known.
pub(crate) fn asked(api: &Api, call: &Call) -> Result<Asked> {
    let mut name = None;
    for header in [IDEMPOTENCY_KEY, INVOCATION_ID] {
        let Some(value) = call.headers.get(header).filter(|_| name.is_none()) else {
            continue;
        };
        let value = value.to_str().unwrap_or_default();
        if value.is_empty() || value.len() > LONGEST_NAME {
            let problem = format!("must be 1 to {LONGEST_NAME} visible ASCII characters");
            return Err(Error::invalid(header, problem).into());
        }
        name = Some(format!("{header}:{value}"));
    }
    let operation = call.operation.name.as_bytes();
    let repeatable = name.map(|name| Repeatable {
        principal: call.principal.user_id(),
        fingerprint: api
            .store()
            .fingerprint(&[operation, call.app_id().as_str().as_bytes(), &call.body]),
        name,
    });
    Ok(Asked {
        request_id: call.request_id.clone(),
        repeatable,
    })
}
