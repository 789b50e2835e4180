//! Answers and errors in XML, as AWS's query protocol has them.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;

use crate::auth::sigv4::Credentials;
use crate::error::ApiError;

/// The namespace of the service's documents.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// An element of a result.
#[derive(Debug)]
pub(super) struct Element {
    name: &'static str,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(String),
    Elements(Vec<Element>),
}

impl Element {
    /// An element that holds text.
    pub(super) fn text(name: &'static str, text: impl Into<String>) -> Self {
        let content = Content::Text(text.into());
        Self { name, content }
    }

    /// An element that holds others.
    pub(super) fn of(name: &'static str, elements: Vec<Element>) -> Self {
        let content = Content::Elements(elements);
        Self { name, content }
    }

    fn write(&self, out: &mut String) {
        open(out, self.name);
        match &self.content {
            Content::Text(text) => escape(out, text),
            Content::Elements(elements) => elements.iter().for_each(|element| element.write(out)),
        }
        close(out, self.name);
    }
}

fn open(out: &mut String, name: &str) {
    out.extend(["<", name, ">"]);
}

fn close(out: &mut String, name: &str) {
    out.extend(["</", name, ">"]);
}

/// Characters that XML cannot carry at all become a replacement.
fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' => out.push(letter),
            '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            letter if letter.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            letter => out.push(letter),
        }
    }
}

/// `Credentials`, with what must be shown now or never.
pub(super) fn credentials(given: &Credentials, expires: Timestamp) -> Element {
    let token = given.session_token.as_deref().unwrap_or_default();
    Element::of(
        "Credentials",
        vec![
            Element::text("AccessKeyId", given.access_key_id.as_str()),
            Element::text("SecretAccessKey", given.secret_access_key.as_str()),
            Element::text("SessionToken", token),
            Element::text("Expiration", expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ],
    )
}

/// The answer of an action. Its name was one of ours, so it needs no escaping.
pub(super) fn success(action: &str, result: &[Element], request_id: &str) -> Response {
    let mut text = format!("<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>");
    result.iter().for_each(|element| element.write(&mut text));
    close(&mut text, &format!("{action}Result"));
    Element::of("ResponseMetadata", vec![Element::text("RequestId", request_id)]).write(&mut text);
    close(&mut text, &format!("{action}Response"));
    xml(StatusCode::OK, text)
}

fn xml(status: StatusCode, text: String) -> Response {
    let kind = HeaderValue::from_static("text/xml");
    (status, [(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Fault {
    /// In this service's own words.
    Own {
        status: StatusCode,
        code: &'static str,
        message: String,
    },
    /// Of a part that all services share.
    Api(ApiError),
}

impl Fault {
    /// 400 with a code of the service.
    pub(super) fn sender(code: &'static str, message: impl Into<String>) -> Self {
        Self::Own {
            status: StatusCode::BAD_REQUEST,
            code,
            message: message.into(),
        }
    }

    /// 400: a parameter cannot be.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::sender("ValidationError", message)
    }

    /// 403: not allowed.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::Own {
            status: StatusCode::FORBIDDEN,
            code: "AccessDenied",
            message: message.into(),
        }
    }

    pub(super) fn response(&self, request_id: &str) -> Response {
        let (status, code, message) = match self {
            Self::Own {
                status,
                code,
                message,
            } => (*status, *code, message),
            Self::Api(error) => (error.status, code(error), &error.message),
        };
        let side = if status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let mut text = format!("<ErrorResponse xmlns=\"{NAMESPACE}\">");
        let error = vec![
            Element::text("Type", side),
            Element::text("Code", code),
            Element::text("Message", message.as_str()),
        ];
        Element::of("Error", error).write(&mut text);
        Element::text("RequestId", request_id).write(&mut text);
        close(&mut text, "ErrorResponse");
        xml(status, text)
    }
}

/// The query protocol has names of its own for what all services refuse.
fn code(error: &ApiError) -> &'static str {
    match error.code {
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        "IncompleteSignatureException" => "IncompleteSignature",
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "ExpiredTokenException" => "ExpiredToken",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        "AccessDeniedException" => "AccessDenied",
        "BadRequestException" => "ValidationError",
        "PayloadTooLargeException" => "RequestEntityTooLarge",
        "ServiceUnavailableException" => "ServiceUnavailable",
        "InternalServerErrorException" => "InternalFailure",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut out = String::new();
        Element::text("A", "<b>&\"ż\u{0}\n").write(&mut out);
        assert_eq!(out, "<A>&lt;b&gt;&amp;\"ż\u{fffd}\n</A>");
    }
}
