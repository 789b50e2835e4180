//! One request from the wire to its answer.
//!
//! The order is: path, operation, body (limited), signature, authorization, handler. Whatever happens,
//! the answer has AWS's shape, `x-amzn-RequestId` and `Date` (by which SDKs set their clocks), and is
//! counted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use pinion_domain::id::Tenant;
use tracing::Instrument;

use crate::Api;
use crate::auth::sigv4::{Presented, RequestView};
use crate::auth::{Principal, authorize};
use crate::error::{ApiError, Result};
use crate::extract::{Answer, Call, Labels, Query};
use crate::operations::Operation;
use crate::router::{RawPath, route};

/// Names the request in the answer and in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Answers any request; never fails.
pub(crate) async fn serve(State(api): State<Arc<Api>>, request: Request<Body>) -> Response {
    let started = Instant::now();
    let request_id = fresh_request_id();
    let (head, body) = request.into_parts();
    let routed = RawPath::parse(head.uri.path()).and_then(|path| route(&head.method, path));
    let operation = routed.as_ref().map_or("unknown", |(operation, _)| operation.name);
    let app = routed
        .as_ref()
        .ok()
        .and_then(|(_, labels)| labels.find("application-id"));
    let span = tracing::info_span!(
        "api.request",
        operation,
        "request.id" = request_id,
        "app.id" = app,
        status = tracing::field::Empty,
        duration_ms = tracing::field::Empty,
    );
    let answered = async {
        let (operation, labels) = routed?;
        answer(&api, head, body, operation, labels, &request_id).await
    };
    // A bug in one handler must not take the connection with it, and its client gets an answer.
    let result = AssertUnwindSafe(answered.instrument(span.clone()))
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(ApiError::internal(panic_text(panic.as_ref()))));

    let _entered = span.enter();
    let mut response = result.unwrap_or_else(|error| {
        log(&error);
        error.response(&request_id)
    });
    let headers = response.headers_mut();
    headers.insert(
        REQUEST_ID,
        HeaderValue::from_str(&request_id).expect("hexadecimal"),
    );
    headers.insert(header::DATE, http_date(api.clock().now()));

    let elapsed = started.elapsed();
    let status = response.status();
    span.record("status", status.as_u16());
    span.record(
        "duration_ms",
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    );
    tracing::debug!("answered");
    let labels = [
        ("operation", operation.to_owned()),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("pinion_http_requests_total", &labels).increment(1);
    metrics::histogram!("pinion_http_seconds", "operation" => operation).record(elapsed.as_secs_f64());
    response
}

/// Everything between the route and the answer of the handler.
async fn answer(
    api: &Api,
    head: Parts,
    body: Body,
    operation: &'static Operation,
    labels: Labels,
    request_id: &str,
) -> Result<Response> {
    let head = with_host(head);
    let body = read(body, operation.largest_body()).await?;
    let query = head.uri.query().unwrap_or_default();
    let view = RequestView {
        method: head.method.as_str(),
        path: head.uri.path(),
        query,
        headers: &head.headers,
    };
    let presented = Presented::read(view)?;
    let known = api.keys.find(&presented.access_key_id.as_str().into()).await?;
    let key = known.as_ref().map(|known| &known.key);
    let verified = api
        .verifier
        .verify_presented(view, &body, presented, key, api.clock().now())?;
    let known = known.expect("without a key nothing verifies");

    let principal = Principal {
        access_key_id: verified.access_key_id.into(),
        account: known.account,
        name: known.principal,
    };
    let tenant = Tenant {
        account: principal.account.clone(),
        region: verified.region.into(),
    };
    let arn = operation.arn(&tenant, &labels)?;
    authorize(&principal, &operation.action(), &arn)?;
    let handler = operation
        .handler
        .ok_or_else(|| ApiError::not_implemented(operation.name))?;
    let call = Call {
        operation,
        tenant,
        principal,
        labels,
        query: Query::parse(query)?,
        headers: head.headers,
        body,
        request_id: request_id.to_owned(),
    };
    let answer = handler(api, call).await?;
    Ok(success(operation, answer))
}

fn success(operation: &Operation, answer: Answer) -> Response {
    let status = StatusCode::from_u16(operation.status).expect("the table has statuses of HTTP");
    match answer.into_body() {
        Some(json) => {
            let json_type = HeaderValue::from_static("application/json");
            (status, [(header::CONTENT_TYPE, json_type)], json).into_response()
        }
        None => status.into_response(),
    }
}

/// HTTP/2 carries the host as `:authority`; clients sign it as `host` all the same.
fn with_host(mut head: Parts) -> Parts {
    if !head.headers.contains_key(header::HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(header::HOST, host);
    }
    head
}

async fn read(body: Body, limit: usize) -> Result<Bytes> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::payload_too_large(limit)),
        Err(error) => Err(ApiError::bad_request(format!(
            "The request body broke off: {error}"
        ))),
    }
}

/// What is ours to repair is an error in the log, with its cause; the rest is the client's business.
fn log(error: &ApiError) {
    if error.status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(code = error.code, error = error.chain(), "request failed");
    } else {
        tracing::debug!(code = error.code, error = error.message, "request refused");
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", text.unwrap_or("no text"))
}

/// As AWS writes them: `8-4-4-4-12` hexadecimal digits.
fn fresh_request_id() -> String {
    let mut id = pinion_domain::id::fresh_id();
    for at in [20, 16, 12, 8] {
        id.insert(at, '-');
    }
    id
}

fn http_date(now: Timestamp) -> HeaderValue {
    let text = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    HeaderValue::from_str(&text).expect("dates have no control characters")
}
