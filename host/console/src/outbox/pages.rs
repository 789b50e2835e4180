//! The outbox in a browser, and its JSON for programs.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::view::{self, ApiMessage, ApiPage, Pieces};
use super::{Arrival, Counters, Kind, Outbox};
use crate::pages::{self, clock_time, grouped, sandboxed};

const PAGE: usize = 50;
const API_PAGE: usize = 100;
const API_PAGE_LARGEST: usize = 1000;

/// The pages below `/outbox` and the JSON below `/outbox/api`. They show addresses, so whoever mounts
/// them puts a session before them; the stylesheet comes from [`crate::pages::assets`].
pub fn router(outbox: Arc<Outbox>) -> Router {
    Router::new()
        .route("/outbox", get(list))
        .route("/outbox/messages/{seq}", get(message))
        .route("/outbox/messages/{seq}/html", get(html))
        .route("/outbox/messages/{seq}/raw", get(raw))
        .route("/outbox/api/messages", get(api_list))
        .route("/outbox/api/messages/{seq}", get(api_message))
        .with_state(outbox)
}

/// `POST /outbox/sink/…` takes what a custom channel posts and answers its number. No session: the
/// sender is a plugin.
pub fn sink_router(outbox: Arc<Outbox>) -> Router {
    let largest = outbox.shelf.config.message_bytes;
    Router::new()
        .route("/outbox/sink/{*path}", post(sink))
        .layer(DefaultBodyLimit::max(largest))
        .with_state(outbox)
}

#[derive(Deserialize)]
struct ListQuery {
    before: Option<u64>,
    #[serde(default)]
    to: String,
}

#[derive(Serialize)]
struct ListPage {
    rows: Vec<Row>,
    to: String,
    /// Not at the top.
    paged: bool,
    /// Where the next page begins.
    older: Option<u64>,
    totals: Vec<(&'static str, String)>,
    smtp: String,
}

#[derive(Serialize)]
struct Row {
    seq: u64,
    at: String,
    to: String,
    /// Recipients beyond the first.
    more: usize,
    subject: String,
    from: String,
    size: String,
}

async fn list(State(outbox): State<Arc<Outbox>>, Query(query): Query<ListQuery>) -> Response {
    let mut arrivals = outbox.newest(query.before, query.to.trim(), PAGE + 1);
    let more = arrivals.len() > PAGE;
    arrivals.truncate(PAGE);
    let view = ListPage {
        older: arrivals.last().filter(|_| more).map(|last| last.seq),
        rows: arrivals.iter().map(|arrival| row(arrival)).collect(),
        to: query.to,
        paged: query.before.is_some(),
        totals: totals(outbox.counters()),
        smtp: outbox.smtp_address().to_string(),
    };
    pages::html("outbox/list.html", &view)
}

fn row(arrival: &Arrival) -> Row {
    let (to, more, subject, from) = match &arrival.kind {
        Kind::Mail { from, to } => (
            to.first().cloned().unwrap_or_default(),
            to.len().saturating_sub(1),
            view::subject(arrival),
            from.clone(),
        ),
        Kind::Post { path, .. } => (format!("/{path}"), 0, "HTTP POST".to_owned(), String::new()),
    };
    Row {
        seq: arrival.seq,
        at: clock_time(arrival.at),
        to,
        more,
        subject,
        from,
        size: bytes(arrival.raw.len()),
    }
}

fn totals(counters: Counters) -> Vec<(&'static str, String)> {
    let all = [
        ("mails", counters.mails),
        ("posts", counters.posts),
        ("bounced", counters.bounced),
        ("deferred", counters.deferred),
        ("rejected", counters.rejected),
        ("no longer kept", counters.dropped),
    ];
    all.into_iter()
        .filter(|(name, count)| *name == "mails" || *count > 0)
        .map(|(name, count)| (name, grouped(count)))
        .collect()
}

#[derive(Deserialize)]
struct MessageQuery {
    #[serde(default)]
    images: u8,
}

#[derive(Serialize)]
struct MessagePage {
    message: ApiMessage,
    at: String,
    size: String,
    pieces: Pieces,
    attachments: Vec<(String, String)>,
    images: bool,
    newer: Option<u64>,
    older: Option<u64>,
}

async fn message(
    State(outbox): State<Arc<Outbox>>,
    Path(seq): Path<u64>,
    Query(query): Query<MessageQuery>,
) -> Response {
    let Some(arrival) = outbox.arrival(seq) else {
        return gone();
    };
    let mut message = ApiMessage::of(&arrival);
    let pieces = match arrival.kind {
        Kind::Mail { .. } => Pieces::of(&arrival.raw),
        Kind::Post { .. } => Pieces {
            text: Some(readable(&message.raw)),
            ..Pieces::default()
        },
    };
    // The raw text has a page of its own.
    message.raw.clear();
    let kept = |seq: Option<u64>| seq.filter(|seq| outbox.arrival(*seq).is_some());
    let view = MessagePage {
        at: clock_time(arrival.at),
        size: bytes(arrival.raw.len()),
        attachments: pieces
            .attachments
            .iter()
            .map(|(name, size)| (name.clone(), bytes(*size)))
            .collect(),
        images: query.images == 1,
        newer: kept(seq.checked_add(1)),
        older: kept(seq.checked_sub(1)),
        message,
        pieces,
    };
    pages::html("outbox/message.html", &view)
}

/// JSON on several lines; anything else as it is.
fn readable(body: &str) -> String {
    serde_json::from_str::<serde_json::Value>(body)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| body.to_owned())
}

/// The HTML of a message, for the frame of its page. It is a stranger's: no scripts, no forms, an
/// origin of its own, and pictures from elsewhere only when asked for, since fetching them would
/// count as an opening.
async fn html(
    State(outbox): State<Arc<Outbox>>,
    Path(seq): Path<u64>,
    Query(query): Query<MessageQuery>,
) -> Response {
    let html = outbox
        .arrival(seq)
        .and_then(|arrival| Pieces::of(&arrival.raw).html);
    let Some(html) = html else { return gone() };
    // Links open beside the outbox, not in the frame.
    let document = format!("<!doctype html><base target=\"_blank\">{html}");
    let pictures = if query.images == 1 {
        "data: https: http:"
    } else {
        "data:"
    };
    let policy = format!("style-src 'unsafe-inline'; font-src data:; img-src {pictures}");
    sandboxed("text/html; charset=utf-8", &policy, document)
}

async fn raw(State(outbox): State<Arc<Outbox>>, Path(seq): Path<u64>) -> Response {
    match outbox.arrival(seq) {
        Some(arrival) => {
            let text = String::from_utf8_lossy(&arrival.raw).into_owned();
            sandboxed("text/plain; charset=utf-8", "", text)
        }
        None => gone(),
    }
}

#[derive(Deserialize)]
struct ApiQuery {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

async fn api_list(State(outbox): State<Arc<Outbox>>, Query(query): Query<ApiQuery>) -> Json<ApiPage> {
    let limit = query.limit.unwrap_or(API_PAGE).min(API_PAGE_LARGEST);
    Json(outbox.messages(query.after, limit))
}

async fn api_message(State(outbox): State<Arc<Outbox>>, Path(seq): Path<u64>) -> Response {
    match outbox.arrival(seq) {
        Some(arrival) => Json(ApiMessage::of(&arrival)).into_response(),
        None => pages::json_error(StatusCode::NOT_FOUND, "no such message is kept"),
    }
}

async fn sink(
    State(outbox): State<Arc<Outbox>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let headers = headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let seq = outbox.post(path, headers, body);
    let answer = Json(serde_json::json!({ "seq": seq }));
    (
        [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        answer,
    )
        .into_response()
}

fn gone() -> Response {
    pages::sorry(
        StatusCode::NOT_FOUND,
        "Not here",
        "This message is not kept, or never arrived.",
    )
}

fn bytes(count: usize) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}
