//! What operations have in common: parameters, headers, errors, signatures.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::messages::IDEMPOTENCY_KEY;

/// For whoever reads the document.
pub(super) const INTRODUCTION: &str = "Amazon Pinpoint's API below `/v1`, and what it has no words for below \
`/pinion/v1`: plugins, and users, groups, roles and policies in the manner of IAM.\n\nRequests are signed with AWS \
Signature Version 4 for the service `mobiletargeting`; every AWS SDK does that. The region of the signature is the one \
in which names are looked up. Temporary credentials come from AWS's Security Token Service on the same port, in its query \
protocol. Errors name themselves in the header `x-amzn-ErrorType`.";

/// Errors by status: names of the service model, and what they mean.
const ERRORS: [(StatusCode, &str, &str); 9] = [
    (
        StatusCode::BAD_REQUEST,
        "BadRequestException",
        "The request says something that cannot be; the message names the member.",
    ),
    (
        StatusCode::FORBIDDEN,
        "ForbiddenException",
        "The signature is missing or wrong, or no policy allows it.",
    ),
    (
        StatusCode::NOT_FOUND,
        "NotFoundException",
        "It is not there, for this caller.",
    ),
    (
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowedException",
        "The path is there, the method is not.",
    ),
    (
        StatusCode::CONFLICT,
        "ConflictException",
        "It is there already, or its state forbids the change.",
    ),
    (
        StatusCode::PAYLOAD_TOO_LARGE,
        "PayloadTooLargeException",
        "The body is larger than may be.",
    ),
    (
        StatusCode::TOO_MANY_REQUESTS,
        "TooManyRequestsException",
        "The rate that the operator set is used up.",
    ),
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalServerErrorException",
        "A fault of the server; its log tells more under the request's id.",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "ServiceUnavailableException",
        "Not now: the server is shutting down.",
    ),
];

/// A label of a path.
pub(super) fn path_parameter(name: &str) -> Value {
    let schema = match name {
        "attribute-type" => json!({ "type": "string", "enum": [
            "endpoint-custom-attributes", "endpoint-metric-attributes", "endpoint-user-attributes",
        ] }),
        "template-type" => json!({ "type": "string", "enum": ["EMAIL", "SMS", "VOICE", "PUSH", "INAPP"] }),
        "version" => json!({ "type": "string", "pattern": "^[0-9]+$" }),
        _ => json!({ "type": "string", "minLength": 1 }),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

/// What a query may say.
pub(super) fn query_parameter(name: &str) -> Value {
    let (schema, description) = match name {
        "page-size" => (
            json!({ "type": "integer", "minimum": 1 }),
            "Items of a page; more than 200 count as 200.",
        ),
        "token" | "next-token" => (json!({ "type": "string" }), "`NextToken` of the page before."),
        "tagKeys" => (
            json!({ "type": "array", "items": { "type": "string" } }),
            "Keys of tags.",
        ),
        "version" => (
            json!({ "type": "string" }),
            "The number of a version; without it, the one that is active.",
        ),
        "create-new-version" => (
            json!({ "type": "boolean" }),
            "Adds a version instead of overwriting the latest.",
        ),
        "template-type" => (
            json!({ "type": "string", "enum": ["EMAIL", "SMS", "VOICE", "PUSH", "INAPP"] }),
            "Templates of that type alone.",
        ),
        "prefix" => (json!({ "type": "string" }), "How names begin."),
        "start-time" | "end-time" => (
            json!({ "type": "string" }),
            "An end of the range, an ISO 8601 instant.",
        ),
        _ => (json!({ "type": "string" }), ""),
    };
    let mut parameter = json!({ "name": name, "in": "query", "schema": schema, "description": description });
    if name == "tagKeys" {
        parameter["required"] = true.into();
    } else {
        // It counts as absent.
        parameter["allowEmptyValue"] = true.into();
    }
    parameter
}

/// What the headers of an operation may say, besides its signature.
pub(super) fn header_parameters(operation: &str) -> Vec<Value> {
    if !matches!(operation, "SendMessages" | "SendUsersMessages" | "SendOTPMessage") {
        return Vec::new();
    }
    vec![json!({
        "name": IDEMPOTENCY_KEY,
        "in": "header",
        "description": "The client's name for the request: a repeat under it is answered and not sent again. Without it, `amz-sdk-invocation-id` is.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
    })]
}

/// Every answer has these.
pub(super) fn header_references() -> Value {
    json!({ "x-amzn-RequestId": { "$ref": "#/components/headers/RequestId" } })
}

pub(super) fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "The request's name in the server's log.",
            "required": true,
            "schema": { "type": "string" },
        },
        "ErrorType": {
            "description": "The error's name.",
            "required": true,
            "schema": { "type": "string" },
        },
        "RetryAfter": {
            "description": "Seconds to wait.",
            "required": true,
            "schema": { "type": "integer", "minimum": 1 },
        },
    })
}

/// The errors of an operation.
pub(super) fn error_references() -> Value {
    let references = ERRORS.map(|(status, name, _)| {
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        (status.as_str().to_owned(), reference)
    });
    Map::from_iter(references).into()
}

pub(super) fn errors() -> Value {
    let responses = ERRORS.map(|(status, name, description)| {
        let mut headers = header_references();
        headers["x-amzn-ErrorType"] = json!({ "$ref": "#/components/headers/ErrorType" });
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" });
        }
        let mut schema = json!({
            "type": "object",
            "properties": {
                "Message": { "type": "string", "description": "A sentence that one can act on." },
                "RequestID": { "type": "string" },
            },
            "required": ["Message", "RequestID"],
        });
        if status == StatusCode::FORBIDDEN {
            schema["properties"]["message"] =
                json!({ "type": "string", "description": "The same, for old SDKs." });
        }
        let content = json!({ "application/json": { "schema": schema } });
        (
            name.to_owned(),
            json!({ "description": description, "headers": headers, "content": content }),
        )
    });
    Map::from_iter(responses).into()
}

/// AWS's own exports describe it in the same way.
pub(super) fn security() -> Value {
    json!({ "SigV4": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "x-amazon-apigateway-authtype": "awsSigv4",
        "description": "AWS Signature Version 4 for the service `mobiletargeting`, in the header or presigned in the query.",
    } })
}

/// Temporary credentials: another protocol, so only its frame is described here.
pub(super) fn sts() -> Value {
    let xml = json!({ "text/xml": { "schema": { "type": "string" } } });
    let actions = [
        "AssumeRole",
        "AssumeRoleWithWebIdentity",
        "GetCallerIdentity",
        "GetSessionToken",
    ];
    json!({ "post": {
        "operationId": "Sts",
        "summary": "AWS Security Token Service, version 2011-06-15",
        "description": "As any `sts` client of AWS asks, signed for the service `sts`; AssumeRoleWithWebIdentity is not signed.",
        "tags": ["sts"],
        "requestBody": {
            "required": true,
            "content": { "application/x-www-form-urlencoded": { "schema": {
                "type": "object",
                "properties": {
                    "Action": { "type": "string", "enum": actions },
                    "Version": { "type": "string", "const": "2011-06-15" },
                },
                "required": ["Action", "Version"],
                "additionalProperties": { "type": "string" },
            } } },
        },
        "responses": {
            "200": { "description": "The result of the action.", "headers": header_references(), "content": xml },
            "default": { "description": "An error of the query protocol.", "headers": header_references(), "content": xml },
        },
    } })
}
