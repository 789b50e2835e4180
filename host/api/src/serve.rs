//! One request from the wire to its answer.
//!
//! The order is: path, operation, body (limited), signature, rate, authorization, handler. Whatever happens,
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
use pinion_domain::id::{Region, Tenant};
use tracing::Instrument;

use crate::Api;
use crate::auth::connection::Connection;
use crate::auth::sigv4::{AuthError, Presented, RequestView, Verifier};
use crate::auth::{Authority, Facts, authorize};
use crate::error::{ApiError, Result};
use crate::extract::{Answer, Call, Labels, Query};
use crate::operations::Operation;
use crate::router::{RawPath, route};
use crate::sts;

/// Names the request in the answer and in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Answers any request; never fails.
pub(crate) async fn serve(State(api): State<Arc<Api>>, request: Request<Body>) -> Response {
    let started = Instant::now();
    let request_id = fresh_request_id();
    let (head, body) = request.into_parts();
    let routed = RawPath::parse(head.uri.path()).and_then(|path| route(&head.method, path));
    let for_sts = sts::is_asked(&head);
    let operation = match &routed {
        _ if for_sts => "sts",
        Ok((operation, _)) => operation.name,
        Err(_) => "unknown",
    };
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
        if for_sts {
            return Ok(sts::answer(&api, head, body, &request_id).await);
        }
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
    let connection = connection(&head);
    let body = read(body, operation.largest_body()).await?;
    let query = head.uri.query().unwrap_or_default();
    let view = RequestView {
        method: head.method.as_str(),
        path: head.uri.path(),
        query,
        headers: &head.headers,
    };
    let (authority, region) = authenticate(api, &api.verifier, view, &body).await?;
    let tenant = Tenant {
        account: authority.principal.account.clone(),
        region,
    };
    api.rates
        .take(&tenant.account, operation.name, api.clock().now())?;
    let arn = operation.arn(&tenant, &labels)?;
    let query = Query::parse(query)?;
    let facts = Facts {
        tenant: &tenant,
        connection,
        headers: &head.headers,
        query: &query,
        body: &body,
        now: api.clock().now(),
    };
    authorize(api, &authority, &operation.action(), &arn, &facts).await?;
    let call = Call {
        operation,
        tenant,
        principal: authority.principal,
        labels,
        query,
        headers: head.headers,
        body,
        request_id: request_id.to_owned(),
    };
    let answer = (operation.handler)(api, call).await?;
    debug_assert!(
        operation.answers.is(answer.document()),
        "{} answers something else than the table says",
        operation.name
    );
    Ok(success(operation, answer))
}

/// Verifies a signature and finds out whose it is, and for which region.
pub(crate) async fn authenticate(
    api: &Api,
    verifier: &Verifier,
    view: RequestView<'_>,
    body: &[u8],
) -> Result<(Authority, Region)> {
    let presented = Presented::read(view)?;
    let (key, known) = api.access.find(&presented).await?.unzip();
    let verified = verifier.verify_presented(view, body, presented, key.as_ref(), api.clock().now())?;
    let known = known.ok_or(AuthError::UnknownKey)?;
    let authority = api.access.authority(&verified.access_key_id, known).await?;
    Ok((authority, verified.region.into()))
}

/// What the listener said; nothing is believed of one that said nothing.
pub(crate) fn connection(head: &Parts) -> Connection {
    head.extensions.get().copied().unwrap_or_default()
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
pub(crate) fn with_host(mut head: Parts) -> Parts {
    if !head.headers.contains_key(header::HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(header::HOST, host);
    }
    head
}

pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::payload_too_large(limit)),
        Err(error) => Err(ApiError::bad_request(format!(
            "The request body broke off: {error}"
        ))),
    }
}

/// What is ours to repair is an error in the log, with its cause; the rest is the client's business.
pub(crate) fn log(error: &ApiError) {
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
