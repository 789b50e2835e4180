//! What all pages share: templates, stylesheet, headers, and how numbers and times are written.

pub mod report;

mod chart;

use std::sync::LazyLock;

use axum::Json;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// Scripts and styles come from files of ours, never from within a page, so that text which slips
/// through as HTML still cannot act.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; frame-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in [
        ("layout.html", include_str!("../../templates/layout.html")),
        ("sorry.html", include_str!("../../templates/sorry.html")),
        ("entered.html", include_str!("../../templates/entered.html")),
        (
            "outbox/list.html",
            include_str!("../../templates/outbox/list.html"),
        ),
        (
            "outbox/message.html",
            include_str!("../../templates/outbox/message.html"),
        ),
        (
            "report/index.html",
            include_str!("../../templates/report/index.html"),
        ),
        (
            "report/report.html",
            include_str!("../../templates/report/report.html"),
        ),
        (
            "report/live.html",
            include_str!("../../templates/report/live.html"),
        ),
    ] {
        environment
            .add_template(name, source)
            .expect("templates are part of the program, and a test compiles them");
    }
    environment
});

/// `GET /console/static/…`: stylesheet and script, which hold nothing worth a session.
pub fn assets() -> Router {
    Router::new()
        .route(
            "/console/static/console.css",
            get(|| async {
                asset(
                    "text/css; charset=utf-8",
                    include_str!("../../static/console.css"),
                )
            }),
        )
        .route(
            "/console/static/report.js",
            get(|| async {
                asset(
                    "text/javascript; charset=utf-8",
                    include_str!("../../static/report.js"),
                )
            }),
        )
}

/// A page.
pub(crate) fn html(template: &str, view: &impl Serialize) -> Response {
    let text = match render(template, view) {
        Ok(text) => text,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                template,
                "a page cannot be rendered"
            );
            return (
                StatusCode::INTERNAL_SERVER_ERROR,
                "This page is broken; the log says why.",
            )
                .into_response();
        }
    };
    with_headers(text, "text/html; charset=utf-8", POLICY)
}

/// Part of a page, or a whole one, as text.
pub(crate) fn render(template: &str, view: &impl Serialize) -> Result<String, minijinja::Error> {
    TEMPLATES.get_template(template)?.render(Value::from(Serde(view)))
}

/// A page that says what went wrong.
pub(crate) fn sorry(status: StatusCode, title: &str, text: &str) -> Response {
    #[derive(Serialize)]
    struct Sorry<'a> {
        title: &'a str,
        text: &'a str,
    }
    (status, html("sorry.html", &Sorry { title, text })).into_response()
}

/// The same for programs.
pub(crate) fn json_error(status: StatusCode, message: &str) -> Response {
    (status, Json(serde_json::json!({ "message": message }))).into_response()
}

/// A stranger's document: it gets an origin of its own and may load what `policy` says.
pub(crate) fn sandboxed(content_type: &'static str, policy: &str, body: String) -> Response {
    let policy = format!(
        "default-src 'none'; {policy}; frame-ancestors 'self'; base-uri 'none'; form-action 'none'; \
         sandbox allow-popups allow-popups-to-escape-sandbox"
    );
    with_headers(body, content_type, &policy)
}

fn asset(content_type: &'static str, body: &'static str) -> Response {
    with_headers(body.to_owned(), content_type, "default-src 'none'")
}

fn with_headers(body: String, content_type: &'static str, policy: &str) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_str(policy).expect("policies are written here, in ASCII");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// `2026-11-23 15:04:05`, UTC.
pub(crate) fn clock_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `1 234 567`, with thin spaces.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_compiles() {
        assert_eq!(TEMPLATES.templates().count(), 8);
    }

    #[test]
    fn an_undefined_variable_is_an_error_and_text_is_escaped() {
        #[derive(Serialize)]
        struct Sorry {
            title: &'static str,
        }
        assert!(render("sorry.html", &Sorry { title: "x" }).is_err());
        let page = sorry(StatusCode::OK, "<b>", "<script>alert(1)</script>");
        let body = tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(axum::body::to_bytes(page.into_body(), 100_000))
            .unwrap();
        let body = String::from_utf8_lossy(&body);
        assert!(!body.contains("<script>alert"), "{body}");
        assert!(
            body.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"),
            "{body}"
        );
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(grouped(number).replace('\u{202f}', " "), expected);
        }
    }
}
