//! What a handler is given, and what it gives back.

use std::any::{TypeId, type_name};
use std::borrow::Cow;
use std::marker::PhantomData;

use bytes::Bytes;
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use pinion_domain::id::{AppId, Tenant};
use pinion_domain::page::{Page, PageRequest};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
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
    pub fn json<T: DeserializeOwned + 'static>(&self) -> Result<T> {
        self.read::<T, T>()
    }

    /// The same where the body may be left out altogether.
    pub fn optional_json<T: DeserializeOwned + Default + 'static>(&self) -> Result<T> {
        if self.body.is_empty() {
            return Ok(T::default());
        }
        self.read::<T, Option<T>>()
    }

    /// Reads what the table describes as a `D`.
    fn read<T: DeserializeOwned, D: 'static>(&self) -> Result<T> {
        let described = self
            .operation
            .takes
            .is_some_and(|body| body.is(TypeId::of::<D>()));
        debug_assert!(
            described,
            "{} does not take {}",
            self.operation.name,
            type_name::<D>()
        );
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
pub struct Answer {
    body: Option<Vec<u8>>,
    /// Of what the body says.
    document: TypeId,
}

/// `MessageBody`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct MessageBody {
    message: &'static str,
    #[serde(rename = "RequestID")]
    request_id: String,
}

/// `{"Item": […], "NextToken": …}`: how Pinpoint writes a page. Never made: pages are written from
/// where they are, see [`Answer::page`].
pub struct ListOf<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for ListOf<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}List", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "Item": { "type": "array", "items": generator.subschema_for::<T>() },
                "NextToken": { "type": "string", "description": "Absent on the last page." },
            },
            "required": ["Item"],
        })
    }
}

impl Answer {
    /// A JSON document.
    pub fn json<T: Serialize + 'static>(document: &T) -> Result<Self> {
        Self::written::<T>(document)
    }

    /// What `document` is written as, described as a `T`.
    fn written<T: 'static>(document: &impl Serialize) -> Result<Self> {
        Ok(Self {
            body: Some(serde_json::to_vec(document).map_err(ApiError::internal)?),
            document: TypeId::of::<T>(),
        })
    }

    /// Nothing, for 204.
    pub fn empty() -> Self {
        Self {
            body: None,
            document: TypeId::of::<()>(),
        }
    }

    /// The type of what the body says.
    pub fn document(&self) -> TypeId {
        self.document
    }

    /// The body to write, if any.
    pub fn into_body(self) -> Option<Vec<u8>> {
        self.body
    }

    /// `MessageBody`: what most operations without a result of their own answer.
    pub fn accepted(call: &Call) -> Result<Self> {
        Self::json(&MessageBody {
            message: "Accepted",
            request_id: call.request_id.clone(),
        })
    }

    /// `{"Item": […], "NextToken": …}`: how Pinpoint writes a page.
    pub fn page<T: Serialize + 'static>(page: &Page<T>) -> Result<Self> {
        let mut document = json!({ "Item": page.items });
        if let Some(token) = &page.next_token {
            document["NextToken"] = token.as_str().into();
        }
        Self::written::<ListOf<T>>(&document)
    }
}
