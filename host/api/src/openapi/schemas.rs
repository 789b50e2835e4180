//! Schemas of bodies: how requests are read and answers are written differs, and what both share has one name.

use std::collections::BTreeSet;

use schemars::generate::{Contract, SchemaSettings};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::operations::Body;

/// Where schemas are in the document.
const DEFINITIONS: &str = "/components/schemas";

/// Schemas that were asked for, and those that they are made of.
pub(super) struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let generator = |contract| {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = DEFINITIONS.into();
                settings.contract = contract;
            });
            settings.into_generator()
        };
        Self {
            requests: generator(Contract::Deserialize),
            answers: generator(Contract::Serialize),
        }
    }

    /// The body of a request. An `Option` may be left out altogether.
    pub(super) fn request_body(&mut self, body: Body) -> Value {
        let mut schema = renamed(body.schema(&mut self.requests));
        if let Some(media) = schema["contentMediaType"].as_str() {
            return json!({ "required": true, "content": { media: {} } });
        }
        let alternatives = schema["anyOf"].as_array();
        let given = alternatives.and_then(|alternatives| {
            let null = json!({ "type": "null" });
            alternatives
                .iter()
                .find(|alternative| **alternative != null)
                .cloned()
        });
        let required = given.is_none();
        if let Some(given) = given {
            schema = given;
        }
        json!({ "required": required, "content": { "application/json": { "schema": schema } } })
    }

    /// The body of an answer; none, of `()`.
    pub(super) fn answer(&mut self, body: Body) -> Option<Value> {
        let schema = renamed(body.schema(&mut self.answers));
        (schema["type"] != "null").then_some(schema)
    }

    /// All schemas by name. Where a type is written with members that may be left out when it is read, they are not
    /// called required: that is true of both.
    ///
    /// # Panics
    /// If a type is read in quite another way than it is written, for then it needs two names: a test asks for all.
    pub(super) fn finish(mut self) -> Value {
        let mut schemas: Map<String, Value> = Map::new();
        for generator in [&mut self.requests, &mut self.answers] {
            for (name, schema) in generator.take_definitions(true) {
                let (name, mut schema) = (proper(&name), with_names(schema));
                if let Some(read) = schemas.remove(&name) {
                    let both = required(&read)
                        .intersection(&required(&schema))
                        .cloned()
                        .collect();
                    assert_eq!(
                        requiring(read, &BTreeSet::new()),
                        requiring(schema.clone(), &BTreeSet::new()),
                        "{name} is read in another way than it is written"
                    );
                    schema = requiring(schema, &both);
                }
                schemas.insert(name, schema);
            }
        }
        schemas.into()
    }
}

/// The members that must be there.
fn required(schema: &Value) -> BTreeSet<String> {
    let names = schema["required"].as_array().into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The same schema, with these members that must be there.
fn requiring(mut schema: Value, names: &BTreeSet<String>) -> Value {
    if let Some(members) = schema.as_object_mut() {
        members.remove("required");
        if !names.is_empty() {
            members.insert("required".to_owned(), json!(names));
        }
    }
    schema
}

fn renamed(schema: Schema) -> Value {
    with_names(schema.to_value())
}

/// With the proper names in references.
fn with_names(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member {
                    Value::String(reference) if name == "$ref" => {
                        if let Some((path, name)) = reference.rsplit_once('/') {
                            *reference = format!("{path}/{}", proper(name));
                        }
                    }
                    member => *member = with_names(member.take()),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = with_names(item.take())),
        _ => {}
    }
    value
}

/// The name that the service model has for what generic types are called after their parts.
fn proper(name: &str) -> String {
    match name {
        "JourneyExecutionMetricsResponseOfActivity" => {
            return "JourneyExecutionActivityMetricsResponse".to_owned();
        }
        "JourneyExecutionMetricsResponseOfRun" => return "JourneyRunExecutionMetricsResponse".to_owned(),
        "JourneyExecutionMetricsResponseOfActivityOfRun" => {
            return "JourneyRunExecutionActivityMetricsResponse".to_owned();
        }
        "JourneyEmailMessageActivity" | "JourneyPushMessageActivity" | "JourneySMSMessageActivity" => {
            return name.replacen("Journey", "", 1);
        }
        _ => {}
    }
    let name = name.replace("RequestResponse", "Response");
    let Some(item) = name
        .strip_suffix("List")
        .filter(|item| item.ends_with("Response"))
    else {
        return name;
    };
    let item = item.trim_end_matches("Response");
    match (item, item.strip_suffix('y')) {
        ("RecommenderConfiguration", _) => format!("List{item}sResponse"),
        (_, Some(stem)) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}iesResponse"),
        _ => format!("{item}sResponse"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_their_items_name() {
        for (name, expected) in [
            ("SegmentResponseList", "SegmentsResponse"),
            ("ActivityResponseList", "ActivitiesResponse"),
            ("JourneyResponseList", "JourneysResponse"),
            ("ImportJobRequestResponseList", "ImportJobsResponse"),
            ("EmailTemplateRequestResponse", "EmailTemplateResponse"),
            ("SegmentGroupList", "SegmentGroupList"),
        ] {
            assert_eq!(proper(name), expected);
        }
    }
}
