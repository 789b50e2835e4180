//! What a handler is given, and what it gives back.

use bytes::Bytes;
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use pinion_domain::id::{AppId, Tenant};
use pinion_domain::page::{Page, PageRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::auth::Principal;
use crate::error::{ApiError, Result};
use crate::operations::Operation;

/// An authorized request.
#[derive(Clone, Debug)]
pub struct Call {
    /// What was asked for.
    pub operation: &'static Operation,
    /// The account of the key in the region of the signature: the world in which names are looked up.
    pub tenant: Tenant,
    /// Who asks.
    pub principal: Principal,
    /// The path's labels.
    pub labels: Labels,
    /// The query.
    pub query: Query,
    /// The headers, for the few that mean something, such as `amz-sdk-invocation-id`.
    pub headers: HeaderMap,
    /// The body as it was verified.
    pub body: Bytes,
    /// The id in the answer's `x-amzn-RequestId`.
    pub request_id: String,
}

impl Call {
    /// A label of the path.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name)
    }

    /// The application in the path.
    pub fn app_id(&self) -> AppId {
        self.label("application-id").into()
    }

    /// The body as JSON. An error names the member that is wrong.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        // Before anything is read: a member that nobody asks for is skipped unread.
        let text = std::str::from_utf8(&self.body)
            .map_err(|error| ApiError::bad_request(format!("request body: is not UTF-8: {error}")))?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            let path = if path == "." { "request body" } else { &path };
            ApiError::bad_request(format!("{path}: {}", error.inner()))
        })?;
        reader
            .end()
            .map_err(|error| ApiError::bad_request(format!("request body: {error}")))?;
        Ok(value)
    }

    /// `page-size` and `token`, or `next-token` as some lists call it.
    pub fn page(&self) -> Result<PageRequest> {
        let token = self.query.get("token").or_else(|| self.query.get("next-token"));
        Ok(PageRequest::parse(self.query.get("page-size"), token)?)
    }

    /// A `{version}` in the path.
    pub fn version(&self) -> Result<u32> {
        self.label("version")
            .parse()
            .map_err(|_| ApiError::bad_request("version: must be a whole number"))
    }
}

/// Decoded labels of a path, by name.
#[derive(Clone)]
pub struct Labels(Vec<(&'static str, String)>);

impl Labels {
    /// In the order of the path.
    pub fn new(labels: Vec<(&'static str, String)>) -> Self {
        Self(labels)
    }

    /// The label's value. Handlers only ask for labels of their own path; a test walks all operations.
    pub fn get(&self, name: &str) -> &str {
        self.find(name)
            .expect("handlers and resources name labels of their own path")
    }

    /// The label's value, if the path has that label.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(label, _)| *label == name)
            .map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for Labels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A decoded query, in its order.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes a query; a plus is a plus, as in the signature.
    pub fn parse(query: &str) -> Result<Self> {
        let decode = |part: &str| match percent_decode_str(part).decode_utf8() {
            Ok(text) if !text.contains('\0') => Ok(text.into_owned()),
            _ => Err(ApiError::bad_request("The query is not readable text.")),
        };
        query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| Ok((decode(name)?, decode(value)?)))
            .collect::<Result<_>>()
            .map(Self)
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What a handler answers; the status is the operation's.
#[derive(Clone, Debug)]
pub struct Answer(Option<Vec<u8>>);

impl Answer {
    /// A JSON document.
    pub fn json(document: &impl Serialize) -> Result<Self> {
        serde_json::to_vec(document)
            .map(|body| Self(Some(body)))
            .map_err(ApiError::internal)
    }

    /// Nothing, for 204.
    pub fn empty() -> Self {
        Self(None)
    }

    /// The body to write, if any.
    pub fn into_body(self) -> Option<Vec<u8>> {
        self.0
    }

    /// `MessageBody`: what most operations without a result of their own answer.
    pub fn accepted(call: &Call) -> Result<Self> {
        Self::json(&json!({ "Message": "Accepted", "RequestID": call.request_id }))
    }

    /// `{"Item": […], "NextToken": …}`: how Pinpoint writes a page.
    pub fn page<T: Serialize>(page: &Page<T>) -> Result<Self> {
        let mut document = json!({ "Item": page.items });
        if let Some(token) = &page.next_token {
            document["NextToken"] = token.as_str().into();
        }
        Self::json(&document)
    }
}
