//! The links inside messages: tracking pixel, tracked links, unsubscribe. They need no signature of the
//! caller: their tokens are signed by us.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY, USER_AGENT};
use http::{HeaderMap, StatusCode};
use pinion_engine::Engine;
use pinion_engine::receipts::Visit;
use tracing::error;

/// A transparent GIF of one pixel.
const PIXEL: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x21\xf9\x04\x01\x00\x00\x00\x00\
    \x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";

/// The routes below `/t`.
pub fn router(engine: Engine) -> Router {
    Router::new()
        .route("/t/o/{token}", get(open))
        .route("/t/c/{token}", get(click))
        .route("/t/u/{token}", get(ask).post(unsubscribe))
        .with_state(Arc::new(engine))
}

async fn open(State(engine): State<Arc<Engine>>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    // Whatever happens, a reader sees no broken picture.
    let status = match engine.opened(&token, &visit(&headers)).await {
        Ok(true) => StatusCode::OK,
        Ok(false) => StatusCode::NOT_FOUND,
        Err(error) => {
            error!(%error, "an open could not be recorded");
            StatusCode::OK
        }
    };
    (
        status,
        [
            (CONTENT_TYPE, "image/gif"),
            (CACHE_CONTROL, "no-store, max-age=0"),
        ],
        PIXEL,
    )
        .into_response()
}

async fn click(State(engine): State<Arc<Engine>>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    match engine.clicked(&token, &visit(&headers)).await {
        Ok(Some(target)) => redirect(target.as_str()),
        Ok(None) => page(
            StatusCode::NOT_FOUND,
            "Link not found",
            "This link is not one of ours, or it was changed.",
        ),
        Err(error) => {
            error!(%error, "a click could not be recorded");
            // The reader comes first: the token is ours, so where it leads is known.
            match engine.click_target(&token) {
                Some(target) => redirect(target.as_str()),
                None => page(
                    StatusCode::NOT_FOUND,
                    "Link not found",
                    "This link is not one of ours.",
                ),
            }
        }
    }
}

fn redirect(target: &str) -> Response {
    let headers = [
        (LOCATION, target),
        (CACHE_CONTROL, "no-store, max-age=0"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (StatusCode::FOUND, headers).into_response()
}

/// GET changes nothing (RFC 8058): scanners fetch links.
async fn ask(State(engine): State<Arc<Engine>>, Path(token): Path<String>) -> Response {
    if !engine.is_unsubscribe(&token) {
        return page(
            StatusCode::NOT_FOUND,
            "Link not found",
            "This link is not one of ours, or it was changed.",
        );
    }
    let form = "<form method=\"post\"><button>Unsubscribe</button></form>";
    page(
        StatusCode::OK,
        "Unsubscribe",
        &format!("No more messages of this kind?</p>{form}<p>"),
    )
}

/// One click, from the page or from a mail program; no cookie, no login, no redirect (RFC 8058).
async fn unsubscribe(
    State(engine): State<Arc<Engine>>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    match engine.unsubscribed(&token, &visit(&headers)).await {
        Ok(true) => page(
            StatusCode::OK,
            "Unsubscribed",
            "You will get no more of these messages.",
        ),
        Ok(false) => page(
            StatusCode::NOT_FOUND,
            "Link not found",
            "This link is not one of ours, or it is too old.",
        ),
        Err(error) => {
            error!(%error, "an unsubscribe could not be recorded");
            page(
                StatusCode::SERVICE_UNAVAILABLE,
                "Not yet",
                "This did not work. Please try again in a minute.",
            )
        }
    }
}

fn visit(headers: &HeaderMap) -> Visit {
    let user_agent = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .map(ToOwned::to_owned);
    Visit { user_agent }
}

/// A page for readers of messages. `text` is ours alone: nothing of the request is in it.
fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\"><title>{title}</title>\
         <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:28rem;margin:20vh auto;padding:0 1rem}}\
         button{{font:inherit;padding:.5rem 1.2rem}}</style><h1>{title}</h1><p>{text}</p></html>"
    );
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";
    let headers = [
        ("content-security-policy", policy),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ];
    (status, headers, Html(html)).into_response()
}
