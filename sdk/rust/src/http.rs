//! HTTP by the host: pooled, allow-listed, with secrets put in by name.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::channel::pinion::host::http as wit;
pub use crate::bindings::channel::pinion::host::http::{Error, HeaderValue, Response};
use crate::channel::{Message, SendError};
use crate::host;

/// A request under construction.
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request(wit::Request);

impl Request {
    /// A request with any method.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self(wit::Request {
            method: method.to_owned(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: 0,
            deliveries: Vec::new(),
        })
    }

    /// A GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header.
    pub fn header(self, name: &str, value: impl Into<String>) -> Self {
        self.push(name, HeaderValue::Plain(value.into()))
    }

    /// Adds a header whose value is the secret of that name.
    pub fn secret(self, name: &str, secret: &str) -> Self {
        self.push(name, HeaderValue::Secret(secret.to_owned()))
    }

    /// Adds `Authorization: Bearer` and the secret of that name.
    pub fn bearer(self, secret: &str) -> Self {
        self.push("authorization", HeaderValue::Bearer(secret.to_owned()))
    }

    /// Adds `Authorization: Basic` of a user and the secret of that name.
    pub fn basic(self, user: &str, secret: &str) -> Self {
        self.push(
            "authorization",
            HeaderValue::Basic((user.to_owned(), secret.to_owned())),
        )
    }

    fn push(mut self, name: &str, value: HeaderValue) -> Self {
        self.0.headers.push((name.to_owned(), value));
        self
    }

    /// Sets the body.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.0.body = body.into();
        self.header("content-type", content_type)
    }

    /// Sets a JSON body. Panics if the value cannot be JSON (a map with keys that are not strings),
    /// which is a mistake in the plugin.
    pub fn json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("the body can be written as JSON");
        self.body("application/json", body)
    }

    /// Says that this request carries a message: the host must know what may have left.
    pub fn carries(mut self, message: &Message) -> Self {
        self.0.deliveries.push(message.delivery_id.clone());
        self
    }

    /// Says that this request carries several messages.
    pub fn carries_all(self, messages: &[&Message]) -> Self {
        messages
            .iter()
            .fold(self, |request, message| request.carries(message))
    }

    /// Sets the time until the answer must be there; the host caps it. Without, it is 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        self
    }

    /// Sends it.
    pub async fn send(self) -> Result<Response, Error> {
        host::fetch(self.0).await
    }

    /// What was put together, for tests.
    pub fn parts(&self) -> &wit::Request {
        &self.0
    }
}

impl Response {
    /// Is it a 2xx?
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of that name; names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// `Retry-After` in seconds. Its other form, a date, is taken from the answer's own `Date`: a plugin's clock
    /// and the provider's may differ.
    pub fn retry_after(&self) -> Option<u32> {
        let after = self.header("retry-after")?.trim();
        if let Ok(seconds) = after.parse() {
            return Some(seconds);
        }
        let until = httpdate::parse_http_date(after).ok()?;
        let now = httpdate::parse_http_date(self.header("date")?).ok()?;
        let wait = until.duration_since(now).unwrap_or_default();
        Some(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX))
    }

    /// The body as text, with replacement characters where it is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }

    /// `Ok` for a 2xx, otherwise what its status usually means for a message: 401 and 403 an operator's
    /// matter, 429 too fast, 408 and 5xx passing, a redirect or 404 wrong settings, the rest rejected.
    pub fn accepted(&self) -> Result<(), SendError> {
        let words = || {
            let text: String = self.text().chars().take(200).collect();
            format!("HTTP {} {}", self.status, text.trim())
                .trim_end()
                .to_owned()
        };
        Err(match self.status {
            200..=299 => return Ok(()),
            300..=399 | 404 => SendError::Misconfigured(words()),
            401 | 403 => SendError::Unauthorized(words()),
            429 => SendError::RateLimited(self.retry_after()),
            408 | 500..=599 => SendError::Unavailable(words()),
            _ => SendError::Rejected(words()),
        })
    }
}

impl From<Error> for SendError {
    /// Whatever leaves open whether the request was processed is unknown.
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(text) | Error::Invalid(text) => Self::Misconfigured(text),
            Error::Connect(text) | Error::Tls(text) => Self::Unavailable(text),
            Error::Timeout => Self::Unknown("no answer in time".to_owned()),
            Error::TooLarge => Self::Unknown("the answer is too large to read".to_owned()),
            Error::Broken(text) => Self::Unknown(text),
        }
    }
}
