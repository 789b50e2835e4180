//! The one place that knows how an error looks to AWS's clients: status, `x-amzn-ErrorType`, and a
//! body with `Message` and `RequestID`.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use pinion_domain::extension::PluginError;
use pinion_engine::audience::AudienceError;
use serde_json::json;

use crate::auth::sigv4::AuthError;

/// Names the error; SDKs make their exception types of it.
pub const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Result of a handler.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

/// What a client is told, and beside it what only the log may know.
#[derive(Debug)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// The exception's name.
    pub code: &'static str,
    /// A sentence that the client can act on.
    pub message: String,
    /// What else the client is told by a header: when to come again, or what else there is.
    hint: Option<Box<(HeaderName, HeaderValue)>>,
    /// For the log.
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: None,
            cause: None,
        }
    }

    /// 400: the request says something that cannot be.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequestException", message)
    }

    /// 403: known, but not allowed.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDeniedException", message)
    }

    /// 404: not there, for this caller.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFoundException", message)
    }

    /// 405: the path exists, the method does not; `allowed` do.
    pub fn method_not_allowed(message: impl Into<String>, allowed: &[&Method]) -> Self {
        let allowed: Vec<&str> = allowed.iter().map(|method| method.as_str()).collect();
        let allowed = HeaderValue::from_str(&allowed.join(", ")).expect("methods are visible ASCII");
        Self {
            hint: Some(Box::new((header::ALLOW, allowed))),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowedException",
                message,
            )
        }
    }

    /// 409: it exists already, or its state forbids the change.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "ConflictException", message)
    }

    /// 413: more than `limit` bytes.
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PayloadTooLargeException",
            format!("The request body must have at most {limit} bytes."),
        )
    }

    /// 429: again in so many seconds.
    pub fn too_many_requests(message: impl Into<String>, seconds: u32) -> Self {
        Self {
            hint: Some(Box::new((header::RETRY_AFTER, seconds.into()))),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", message)
        }
    }

    /// 503: not now. SDKs try again.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailableException",
            message,
        )
    }

    /// 500: our fault. The client learns the request id, the log learns the cause.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerErrorException",
                "An internal error occurred. The server's log tells more under this request's id.",
            )
        }
    }

    /// The cause with all that is behind it, for the log.
    pub fn chain(&self) -> String {
        let mut chain = self.message.clone();
        let mut next = self
            .cause
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static));
        while let Some(cause) = next {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            next = cause.source();
        }
        chain
    }

    /// The answer. Errors of authentication carry their sentence under both spellings: Go's SDK reads
    /// one, older ones the other.
    pub fn response(&self, request_id: &str) -> Response {
        let mut body = json!({ "Message": self.message, "RequestID": request_id });
        if self.status == StatusCode::FORBIDDEN {
            body["message"] = self.message.clone().into();
        }
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (ERROR_TYPE, HeaderValue::from_static(self.code)),
        ];
        let mut response = (self.status, headers, body.to_string()).into_response();
        if let Some((name, value)) = self.hint.as_deref() {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let code = match &error {
            AuthError::Missing => "MissingAuthenticationTokenException",
            AuthError::Incomplete(_) => "IncompleteSignatureException",
            AuthError::UnknownKey => "UnrecognizedClientException",
            AuthError::ExpiredToken => "ExpiredTokenException",
            AuthError::Invalid(_) => "InvalidSignatureException",
            // SDKs know this one without the suffix, and set their clocks by it.
            AuthError::Skewed { .. } => "RequestTimeTooSkewed",
            AuthError::Unsupported(sentence) => return Self::bad_request(*sentence),
        };
        Self::new(StatusCode::FORBIDDEN, code, error.to_string())
    }
}

impl From<pinion_domain::Error> for ApiError {
    fn from(error: pinion_domain::Error) -> Self {
        use pinion_domain::Error;
        match &error {
            // What is not supported is an error that AWS's clients know: they have none for it.
            Error::Invalid { .. } | Error::LimitExceeded(_) | Error::Unsupported(_) => {
                Self::bad_request(error.to_string())
            }
            Error::NotFound { .. } => Self::not_found(error.to_string()),
            Error::Conflict(_) => Self::conflict(error.to_string()),
        }
    }
}

impl From<pinion_store::Error> for ApiError {
    fn from(error: pinion_store::Error) -> Self {
        match error {
            pinion_store::Error::Domain(error) => error.into(),
            // The server stops; another one, or the same in a moment, may answer.
            pinion_store::Error::Closed => Self::unavailable("The server is shutting down."),
            error => Self::internal(error),
        }
    }
}

impl From<pinion_engine::Error> for ApiError {
    fn from(error: pinion_engine::Error) -> Self {
        match error {
            pinion_engine::Error::Domain(error) => error.into(),
            pinion_engine::Error::Store(error) => error.into(),
            pinion_engine::Error::Plugin(error) => error.into(),
            pinion_engine::Error::CannotRun(sentence) => Self::bad_request(sentence),
            pinion_engine::Error::Internal(sentence) => Self::internal(sentence),
            pinion_engine::Error::Busy(sentence) => Self::unavailable(sentence),
            pinion_engine::Error::Audience(error) => match error {
                AudienceError::Segment(error) => error.into(),
                error @ AudienceError::TooLarge { .. } => Self::unavailable(error.to_string()),
                error => Self::internal(error),
            },
        }
    }
}

impl From<PluginError> for ApiError {
    fn from(error: PluginError) -> Self {
        match &error {
            PluginError::NotFound(_) => Self::not_found(error.to_string()),
            // The sentences are for the one who installs or names the plugin.
            PluginError::WrongKind { .. }
            | PluginError::Refused(_)
            | PluginError::Failed { .. }
            | PluginError::Fault { .. } => Self::bad_request(error.to_string()),
        }
    }
}
