//! The description of the surface: whole, and without loose ends. Whether it agrees with AWS's model and with
//! what is answered is asked in `tests/clients`.

use axum::body::Body;
use http::Request;
use pinion_api::operations::OPERATIONS;
use pinion_api::testing::TestApi;
use serde_json::Value;

/// As anybody gets it.
async fn described() -> Value {
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let reply = TestApi::new().await.send(request).await;
    assert_eq!(reply.headers["content-type"], "application/json");
    reply.json(200)
}

#[tokio::test]
async fn every_row_of_the_table_is_described_and_nothing_else_is() {
    let document = described().await;
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            let answer = &operation["responses"];
            let status = answer
                .as_object()
                .unwrap()
                .keys()
                .find(|status| status.starts_with('2'));
            found.push((
                name,
                method.to_ascii_uppercase(),
                path.clone(),
                status.unwrap().clone(),
            ));
        }
    }
    let mut rows: Vec<_> = OPERATIONS
        .iter()
        .map(|row| {
            let (name, path) = (row.name.to_owned(), row.path.to_owned());
            (name, row.method.to_string(), path, row.status.to_string())
        })
        .collect();
    // Another protocol, so no row of the table.
    let [name, method, path, status] = ["Sts", "POST", "/", "200"].map(str::to_owned);
    rows.push((name, method, path, status));
    found.sort();
    rows.sort();
    assert_eq!(found, rows);
}

/// Every `$ref` of the document.
fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.push(reference);
            }
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn references_lead_somewhere_and_every_schema_is_used() {
    let document = described().await;
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in &found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let used = found.contains(&format!("#/components/schemas/{name}").as_str());
        assert!(used, "{name} is not used");
    }
}

/// Two types of one name would be told apart by a number that changes with their order.
#[tokio::test]
async fn a_schema_has_the_name_of_one_type() {
    let document = described().await;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in schemas.keys() {
        let base = name.trim_end_matches(|last: char| last.is_ascii_digit());
        assert!(base == name || !schemas.contains_key(base), "{name}");
    }
}
