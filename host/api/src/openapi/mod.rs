//! The description of the whole surface in OpenAPI 3.1, made of the table of operations and of the types that
//! its rows name: nothing is described twice, so nothing can be described wrongly.

mod parts;
mod schemas;

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::operations::{OPERATIONS, Operation, label};
use schemas::Schemas;

/// Where it is served, to anybody.
pub const PATH: &str = "/openapi.json";

/// The document.
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| generate().to_string());
    &DOCUMENT
}

fn generate() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let described = describe(operation, &mut schemas);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = described;
    }
    paths.insert("/".to_owned(), parts::sts());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pinion",
            "version": env!("CARGO_PKG_VERSION"),
            "description": parts::INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "SigV4": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas.finish(),
            "responses": parts::errors(),
            "headers": parts::headers(),
            "securitySchemes": parts::security(),
        },
    })
}

fn describe(operation: &Operation, schemas: &mut Schemas) -> Value {
    let labels = operation
        .path
        .split('/')
        .filter_map(label)
        .map(parts::path_parameter);
    let query = operation.parameters().map(parts::query_parameter);
    let headers = parts::header_parameters(operation.name);
    let parameters: Vec<Value> = labels.chain(query).chain(headers).collect();
    let mut described = json!({
        "operationId": operation.name,
        "summary": words(operation.name),
        "description": format!("Needs `{}`.", operation.action()),
        "tags": [tag(operation.path)],
        "responses": responses(operation, schemas),
    });
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = operation.takes {
        described["requestBody"] = schemas.request_body(body);
    }
    described
}

fn responses(operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut success = json!({ "description": "Done.", "headers": parts::header_references() });
    if let Some(content) = schemas.answer(operation.answers) {
        success["content"] = json!({ "application/json": { "schema": content } });
    }
    let mut responses = parts::error_references();
    responses[operation.status.to_string()] = success;
    responses
}

/// The resource that a path is about: what stands last before a label or a verb of ours.
fn tag(path: &str) -> &str {
    let behind = path.strip_prefix("/pinion/v1/").or(path.strip_prefix("/v1/"));
    let segments: Vec<&str> = behind.unwrap_or(path).split('/').collect();
    match segments[..] {
        ["apps", _, "jobs", kind, ..] => kind,
        ["apps", _, inner, ..] => inner,
        ["iam", inner, ..] => inner,
        [first, ..] => first,
        [] => "",
    }
}

/// `GetApp` in words: `Get app`. Abbreviations stay.
fn words(name: &str) -> String {
    let is_small = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_lowercase());
    let mut words = String::new();
    let mut previous = None;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let begins_word = is_small(letters.peek().copied());
        let is_apart = previous.is_some() && (is_small(previous) || begins_word);
        if letter.is_ascii_uppercase() && is_apart {
            words.push(' ');
            words.push(if begins_word {
                letter.to_ascii_lowercase()
            } else {
                letter
            });
        } else {
            words.push(letter);
        }
        previous = Some(letter);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        assert_eq!(words("GetApps"), "Get apps");
        assert_eq!(words("SendOTPMessage"), "Send OTP message");
    }
}
