//! What an endpoint may hold (developer guide, "Quotas": endpoint quotas). An operator may set other
//! numbers than the guide's.

use std::io;

use serde::{Deserialize, Serialize};

use super::merge::COHORTS;
use super::{Attributes, EndpointDocument, EndpointRequest, Metrics, UserDocument};
use crate::clock::parse_iso;
use crate::{Error, Result};

/// Bytes of an endpoint's or a user's id: more than any client uses, and what every index takes.
const LONGEST_ID: usize = 1_024;
/// Bytes of an address: web push endpoints are the longest.
const LONGEST_ADDRESS: usize = 4_096;

/// How much one endpoint may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Attributes, metrics and user attributes together.
    pub attributes: usize,
    /// Values of one attribute.
    pub values: usize,
    /// Characters of an attribute's name.
    pub name_characters: usize,
    /// Characters of an attribute's value.
    pub value_characters: usize,
    /// Bytes of the whole endpoint as JSON, with address and user.
    pub bytes: usize,
    /// Endpoints of one user.
    pub per_user: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            attributes: 250,
            values: 50,
            name_characters: 50,
            value_characters: 100,
            bytes: 15 * 1_024,
            per_user: 15,
        }
    }
}

/// Checks an endpoint's id (API reference, `UpdateEndpoint`: it cannot contain `$`, `{` or `}`).
pub fn check_id(id: &str, field: &str) -> Result<()> {
    if id.is_empty() || id.len() > LONGEST_ID {
        return Err(Error::invalid(
            field,
            format!("must have 1 to {LONGEST_ID} bytes"),
        ));
    }
    if id.contains(['$', '{', '}', '\0']) {
        return Err(Error::invalid(field, "must not contain $, { or }"));
    }
    Ok(())
}

/// Checks an update before it is taken. `field` is the path under which errors name members.
pub fn check(request: &EndpointRequest, field: &str, quotas: &Quotas) -> Result<()> {
    check_members(request, quotas).map_err(|error| error.within(field))
}

/// Checks an endpoint as an update would leave it: what was there counts too.
pub fn check_whole(
    document: &EndpointDocument,
    address: Option<&str>,
    user: Option<&UserDocument>,
    quotas: &Quotas,
) -> Result<()> {
    let of_user = user.map_or(0, |user| user.user_attributes.len());
    let count = document.attributes.len() + document.metrics.len() + of_user;
    if count > quotas.attributes {
        let most = quotas.attributes;
        return Err(Error::invalid(
            "Attributes",
            format!("attributes, metrics and user attributes would be {count}, at most {most} are allowed"),
        ));
    }
    let size = bytes(document) + address.map_or(0, str::len) + user.map_or(0, bytes);
    if size > quotas.bytes {
        let most = quotas.bytes;
        return Err(Error::invalid(
            "EndpointRequest",
            format!("the endpoint would have {size} bytes, at most {most} are allowed"),
        ));
    }
    Ok(())
}

/// The length of a document's JSON.
fn bytes(document: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0 += text.len();
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, document).expect("documents are JSON, and counting cannot fail");
    count.0
}

fn check_members(request: &EndpointRequest, quotas: &Quotas) -> Result<()> {
    if let Some(status) = &request.endpoint_status
        && !matches!(status.as_str(), "ACTIVE" | "INACTIVE")
    {
        return Err(Error::invalid("EndpointStatus", "must be ACTIVE or INACTIVE"));
    }
    if let Some(opt_out) = &request.opt_out
        && !matches!(opt_out.as_str(), "ALL" | "NONE")
    {
        return Err(Error::invalid("OptOut", "must be ALL or NONE"));
    }
    if let Some(date) = request.effective_date.as_deref()
        && parse_iso(date).is_none()
    {
        return Err(Error::invalid("EffectiveDate", "must be an ISO 8601 instant"));
    }
    if let Some(address) = &request.address {
        if address.chars().any(char::is_control) {
            return Err(Error::invalid("Address", "must not hold control characters"));
        }
        if address.len() > LONGEST_ADDRESS {
            return Err(Error::invalid(
                "Address",
                format!("must have at most {LONGEST_ADDRESS} bytes"),
            ));
        }
    }
    if let Some(attributes) = &request.attributes {
        check_attributes(attributes, "Attributes", quotas)?;
    }
    if let Some(metrics) = &request.metrics {
        check_metrics(metrics, quotas)?;
    }
    if let Some(location) = &request.location {
        check_degrees(location.latitude, 90.0, "Location.Latitude")?;
        check_degrees(location.longitude, 180.0, "Location.Longitude")?;
    }
    if let Some(cohort) = &request.origin.cohort_id
        && !cohort.parse::<u8>().is_ok_and(|cohort| cohort < COHORTS)
    {
        return Err(Error::invalid("CohortId", "must be between 0 and 99"));
    }
    if let Some(date) = request.origin.creation_date.as_deref()
        && parse_iso(date).is_none()
    {
        return Err(Error::invalid("CreationDate", "must be an ISO 8601 instant"));
    }
    if let Some(user) = &request.user {
        if let Some(attributes) = &user.user_attributes {
            check_attributes(attributes, "User.UserAttributes", quotas)?;
        }
        if let Some(id) = &user.user_id {
            let id = id.as_str();
            if id.is_empty() || id.len() > LONGEST_ID || id.contains('\0') {
                return Err(Error::invalid(
                    "User.UserId",
                    format!("must have 1 to {LONGEST_ID} bytes, none of them NUL"),
                ));
            }
        }
    }
    Ok(())
}

fn check_degrees(value: Option<f64>, most: f64, field: &str) -> Result<()> {
    match value {
        Some(value) if !(-most..=most).contains(&value) => Err(Error::invalid(
            field,
            format!("must be between -{most} and {most}"),
        )),
        _ => Ok(()),
    }
}

fn check_count(count: usize, field: &str, quotas: &Quotas) -> Result<()> {
    let most = quotas.attributes;
    if count > most {
        return Err(Error::invalid(
            field,
            format!("has {count} names, at most {most} are allowed"),
        ));
    }
    Ok(())
}

fn check_name(name: &str, field: &str, quotas: &Quotas) -> Result<()> {
    let most = quotas.name_characters;
    if name.is_empty() || name.chars().count() > most || name.contains('\0') {
        return Err(Error::invalid(
            field,
            format!("names must have 1 to {most} characters"),
        ));
    }
    Ok(())
}

fn check_attributes(attributes: &Attributes, field: &str, quotas: &Quotas) -> Result<()> {
    check_count(attributes.len(), field, quotas)?;
    for (name, values) in attributes {
        check_name(name, field, quotas)?;
        let field = || format!("{field}.{name}");
        if values.len() > quotas.values {
            return Err(Error::invalid(
                field(),
                format!("has more than {} values", quotas.values),
            ));
        }
        for value in values {
            let most = quotas.value_characters;
            if value.chars().count() > most || value.contains('\0') {
                return Err(Error::invalid(
                    field(),
                    format!("values must have at most {most} characters and no NUL"),
                ));
            }
        }
    }
    Ok(())
}

fn check_metrics(metrics: &Metrics, quotas: &Quotas) -> Result<()> {
    check_count(metrics.len(), "Metrics", quotas)?;
    for (name, value) in metrics {
        check_name(name, "Metrics", quotas)?;
        if !value.is_finite() {
            return Err(Error::invalid(
                format!("Metrics.{name}"),
                "must be a finite number",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Origin;
    use super::*;
    use serde_json::json;

    fn field_of(result: Result<()>) -> Option<String> {
        match result {
            Ok(()) => None,
            Err(Error::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn bad_updates_name_the_field() {
        for (value, field) in [
            (json!({"OptOut": "MAYBE"}), "OptOut"),
            (json!({"EndpointStatus": "GONE"}), "EndpointStatus"),
            (json!({"EffectiveDate": "soon"}), "EffectiveDate"),
            (json!({"Address": "a@b.c\r\nBcc: x@y.z"}), "Address"),
            (json!({"Address": "x".repeat(5_000)}), "Address"),
            (json!({"Attributes": {"": ["x"]}}), "Attributes"),
            (json!({"Attributes": {"a": ["x".repeat(101)]}}), "Attributes.a"),
            (json!({"Attributes": {"a": vec!["x"; 51]}}), "Attributes.a"),
            (json!({"Metrics": {("ż".repeat(51)): 1}}), "Metrics"),
            (json!({"Location": {"Latitude": 91}}), "Location.Latitude"),
            (json!({"User": {"UserId": ""}}), "User.UserId"),
            (json!({"User": {"UserId": "u".repeat(1_025)}}), "User.UserId"),
            (
                json!({"User": {"UserAttributes": {"a": ["\u{0}"]}}}),
                "User.UserAttributes.a",
            ),
        ] {
            let request: EndpointRequest = serde_json::from_value(value.clone()).unwrap();
            let quotas = Quotas::default();
            assert_eq!(
                field_of(check(&request, "", &quotas)).as_deref(),
                Some(field),
                "{value}"
            );
            let within = field_of(check(&request, "Item[3]", &quotas));
            assert_eq!(within, Some(format!("Item[3].{field}")), "{value}");
        }
    }

    #[test]
    fn where_an_endpoint_comes_from_is_checked_too() {
        for (cohort, created, field) in [
            ("100", "2020-01-01", Some("CohortId")),
            ("1", "once", Some("CreationDate")),
            ("99", "2020-01-01", None),
        ] {
            let request = EndpointRequest {
                origin: Origin {
                    cohort_id: Some(cohort.to_owned()),
                    creation_date: Some(created.to_owned()),
                },
                ..EndpointRequest::default()
            };
            let named = field_of(check(&request, "", &Quotas::default()));
            assert_eq!(named.as_deref(), field);
        }
    }

    #[test]
    fn ids_have_no_dollar_and_no_braces() {
        for id in [
            "a/b",
            "ann@example.com",
            "żółw 日本",
            "%2F",
            "'\"<>",
            &"x".repeat(1_024),
        ] {
            assert_eq!(check_id(id, "Id"), Ok(()), "{id}");
        }
        for id in ["", "a$b", "{", "x}", "a\0b", &"x".repeat(1_025)] {
            assert_eq!(field_of(check_id(id, "Id")).as_deref(), Some("Id"), "{id}");
        }
    }

    #[test]
    fn what_was_there_counts_too() {
        let mut document = EndpointDocument::default();
        let mut user = UserDocument::default();
        for n in 0..100 {
            document.attributes.insert(format!("a{n}"), vec!["v".to_owned()]);
            document.metrics.insert(format!("m{n}"), 1.0);
        }
        for n in 0..50 {
            user.user_attributes.insert(format!("u{n}"), vec!["v".to_owned()]);
        }
        let whole = |document: &EndpointDocument, user: &UserDocument, quotas: &Quotas| {
            field_of(check_whole(document, Some("a@b.c"), Some(user), quotas))
        };
        let quotas = Quotas::default();
        assert_eq!(whole(&document, &user, &quotas), None);
        user.user_attributes.insert("one".to_owned(), vec![]);
        assert_eq!(whole(&document, &user, &quotas).as_deref(), Some("Attributes"));
        let more = Quotas {
            attributes: 300,
            ..quotas
        };
        assert_eq!(whole(&document, &user, &more), None);

        let value = vec!["x".repeat(100); 50];
        let long: Attributes = (0..3).map(|n| (format!("a{n}"), value.clone())).collect();
        let document = EndpointDocument {
            attributes: long,
            ..EndpointDocument::default()
        };
        let nobody = UserDocument::default();
        assert_eq!(
            whole(&document, &nobody, &quotas).as_deref(),
            Some("EndpointRequest")
        );
    }
}
