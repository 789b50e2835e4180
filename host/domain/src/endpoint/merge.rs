//! How an update changes an endpoint (developer guide, "Adding endpoints"; API reference,
//! `UpdateEndpoint`).

use jiff::Timestamp;
use rand::RngExt;

use super::{Attributes, Demographic, EndpointDocument, EndpointRequest, Location, UserDocument};
use crate::clock::{iso, parse_iso};
use crate::id::UserId;
use crate::{Error, Result};

/// The quotas of the guide.
const MOST_ATTRIBUTES: usize = 250;
const MOST_VALUES: usize = 50;
const LONGEST_NAME: usize = 50;
const LONGEST_VALUE: usize = 100;
/// Endpoints are spread over so many cohorts.
const COHORTS: u8 = 100;

/// What an update made of an endpoint, apart from the document that it changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// The address, if the update names one.
    pub address: Option<String>,
    /// The user, if the update names one.
    pub user_id: Option<UserId>,
    /// Attributes to merge into the user's document.
    pub user_attributes: Option<Attributes>,
}

/// Checks an update before it is taken. `field` is the path under which errors name members.
pub fn check(request: &EndpointRequest, field: &str) -> Result<()> {
    let at = |member: &str| {
        if field.is_empty() {
            member.to_owned()
        } else {
            format!("{field}.{member}")
        }
    };
    if let Some(status) = &request.endpoint_status
        && !matches!(status.as_str(), "ACTIVE" | "INACTIVE")
    {
        return Err(Error::invalid(at("EndpointStatus"), "must be ACTIVE or INACTIVE"));
    }
    if let Some(opt_out) = &request.opt_out
        && !matches!(opt_out.as_str(), "ALL" | "NONE")
    {
        return Err(Error::invalid(at("OptOut"), "must be ALL or NONE"));
    }
    if let Some(date) = request.effective_date.as_deref()
        && parse_iso(date).is_none()
    {
        return Err(Error::invalid(at("EffectiveDate"), "must be an ISO 8601 instant"));
    }
    if let Some(address) = &request.address
        && address.chars().any(char::is_control)
    {
        return Err(Error::invalid(at("Address"), "must not hold control characters"));
    }
    if let Some(attributes) = &request.attributes {
        check_attributes(attributes, &at("Attributes"))?;
    }
    if let Some(metrics) = &request.metrics {
        check_count(metrics.len(), &at("Metrics"))?;
        for (name, value) in metrics {
            check_name(name, &at("Metrics"))?;
            if !value.is_finite() {
                return Err(Error::invalid(
                    format!("{}.{name}", at("Metrics")),
                    "must be a finite number",
                ));
            }
        }
    }
    if let Some(location) = &request.location {
        check_degrees(location.latitude, 90.0, &at("Location.Latitude"))?;
        check_degrees(location.longitude, 180.0, &at("Location.Longitude"))?;
    }
    if let Some(cohort) = &request.origin.cohort_id
        && !cohort.parse::<u8>().is_ok_and(|cohort| cohort < COHORTS)
    {
        return Err(Error::invalid(at("CohortId"), "must be between 0 and 99"));
    }
    if let Some(date) = request.origin.creation_date.as_deref()
        && parse_iso(date).is_none()
    {
        return Err(Error::invalid(at("CreationDate"), "must be an ISO 8601 instant"));
    }
    if let Some(user) = &request.user {
        if let Some(attributes) = &user.user_attributes {
            check_attributes(attributes, &at("User.UserAttributes"))?;
        }
        if let Some(id) = &user.user_id
            && (id.as_str().is_empty() || id.as_str().contains('\0'))
        {
            return Err(Error::invalid(at("User.UserId"), "must not be empty"));
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

fn check_count(count: usize, field: &str) -> Result<()> {
    if count > MOST_ATTRIBUTES {
        return Err(Error::invalid(
            field,
            format!("has {count} names, at most {MOST_ATTRIBUTES} are allowed"),
        ));
    }
    Ok(())
}

fn check_name(name: &str, field: &str) -> Result<()> {
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains('\0') {
        return Err(Error::invalid(
            field,
            format!("names must have 1 to {LONGEST_NAME} characters"),
        ));
    }
    Ok(())
}

fn check_attributes(attributes: &Attributes, field: &str) -> Result<()> {
    check_count(attributes.len(), field)?;
    for (name, values) in attributes {
        check_name(name, field)?;
        let field = || format!("{field}.{name}");
        if values.len() > MOST_VALUES {
            return Err(Error::invalid(
                field(),
                format!("has more than {MOST_VALUES} values"),
            ));
        }
        for value in values {
            if value.chars().count() > LONGEST_VALUE || value.contains('\0') {
                return Err(Error::invalid(
                    field(),
                    format!("values must have at most {LONGEST_VALUE} characters and no NUL"),
                ));
            }
        }
    }
    Ok(())
}

/// Applies a checked update to the stored document, or makes a new one from it.
pub fn apply(
    document: Option<EndpointDocument>,
    request: EndpointRequest,
    now: Timestamp,
) -> (EndpointDocument, Applied) {
    let origin = request.origin;
    let mut document = document.unwrap_or_else(|| EndpointDocument {
        cohort_id: origin
            .cohort_id
            .unwrap_or_else(|| rand::rng().random_range(0..COHORTS).to_string()),
        creation_date: iso(origin.creation_date.as_deref().and_then(parse_iso).unwrap_or(now)),
        opt_out: "NONE".to_owned(),
        ..EndpointDocument::default()
    });
    // Every update sets ACTIVE again unless it says otherwise.
    document.endpoint_status = request.endpoint_status.unwrap_or_else(|| "ACTIVE".to_owned());
    document.effective_date = iso(request
        .effective_date
        .as_deref()
        .and_then(parse_iso)
        .unwrap_or(now));
    if let Some(opt_out) = request.opt_out {
        document.opt_out = opt_out;
    }
    document.channel_type = request.channel_type.or(document.channel_type);
    document.request_id = request.request_id.or(document.request_id);
    merge_attributes(&mut document.attributes, request.attributes);
    document.metrics.extend(request.metrics.unwrap_or_default());
    if let Some(change) = request.demographic {
        merge_demographic(document.demographic.get_or_insert_default(), change);
    }
    if let Some(change) = request.location {
        merge_location(document.location.get_or_insert_default(), change);
    }
    let user = request.user.unwrap_or_default();
    let applied = Applied {
        address: request.address,
        user_id: user.user_id,
        user_attributes: user.user_attributes,
    };
    (document, applied)
}

/// Merges attributes into a user's document.
pub fn apply_user(user: &mut UserDocument, attributes: Attributes) {
    merge_attributes(&mut user.user_attributes, Some(attributes));
}

/// Values that are sent replace those of the same name; an empty list removes the attribute.
fn merge_attributes(stored: &mut Attributes, change: Option<Attributes>) {
    for (name, values) in change.unwrap_or_default() {
        if values.is_empty() {
            stored.remove(&name);
        } else {
            stored.insert(name, values);
        }
    }
}

fn merge_demographic(stored: &mut Demographic, change: Demographic) {
    let Demographic {
        app_version,
        locale,
        make,
        model,
        model_version,
        platform,
        platform_version,
        timezone,
    } = change;
    stored.app_version = app_version.or(stored.app_version.take());
    stored.locale = locale.or(stored.locale.take());
    stored.make = make.or(stored.make.take());
    stored.model = model.or(stored.model.take());
    stored.model_version = model_version.or(stored.model_version.take());
    stored.platform = platform.or(stored.platform.take());
    stored.platform_version = platform_version.or(stored.platform_version.take());
    stored.timezone = timezone.or(stored.timezone.take());
}

fn merge_location(stored: &mut Location, change: Location) {
    let one_decimal = |degrees: f64| (degrees * 10.0).round() / 10.0;
    let Location {
        city,
        country,
        latitude,
        longitude,
        postal_code,
        region,
    } = change;
    stored.city = city.or(stored.city.take());
    stored.country = country.or(stored.country.take());
    stored.latitude = latitude.map(one_decimal).or(stored.latitude);
    stored.longitude = longitude.map(one_decimal).or(stored.longitude);
    stored.postal_code = postal_code.or(stored.postal_code.take());
    stored.region = region.or(stored.region.take());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Origin;
    use serde_json::json;

    fn request(value: serde_json::Value) -> EndpointRequest {
        serde_json::from_value(value).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        parse_iso(text).unwrap()
    }

    #[test]
    fn a_new_endpoint_is_active_and_not_opted_out() {
        let (document, applied) = apply(None, request(json!({"Address": "a@b.c"})), at("2026-01-01"));
        assert_eq!(document.endpoint_status, "ACTIVE");
        assert_eq!(document.opt_out, "NONE");
        assert_eq!(document.creation_date, "2026-01-01T00:00:00.000Z");
        assert!(document.cohort_id.parse::<u8>().unwrap() < 100);
        assert_eq!(applied.address.as_deref(), Some("a@b.c"));
    }

    #[test]
    fn members_left_out_stay_and_an_update_activates_again() {
        let first = request(json!({
            "Attributes": {"plan": ["free"], "likes": ["tea", "cake"]}, "Metrics": {"age": 3},
            "Location": {"City": "Łódź", "Latitude": 51.7592}, "OptOut": "ALL", "EndpointStatus": "INACTIVE"
        }));
        let (document, _) = apply(None, first, at("2026-01-01"));
        let second =
            request(json!({"Attributes": {"plan": ["pro"], "likes": []}, "Location": {"Country": "PL"}}));
        let (document, _) = apply(Some(document), second, at("2026-01-02"));
        assert_eq!(
            document.attributes,
            Attributes::from([("plan".into(), vec!["pro".into()])])
        );
        assert_eq!(document.metrics["age"], 3.0);
        let location = document.location.unwrap();
        assert_eq!(
            (location.city.as_deref(), location.latitude),
            (Some("Łódź"), Some(51.8))
        );
        assert_eq!(document.opt_out, "ALL");
        assert_eq!(document.endpoint_status, "ACTIVE");
        assert_eq!(document.creation_date, "2026-01-01T00:00:00.000Z");
        assert_eq!(document.effective_date, "2026-01-02T00:00:00.000Z");
    }

    #[test]
    fn a_new_endpoint_takes_over_where_it_comes_from_and_an_old_one_does_not() {
        let comes = |cohort: &str, created: &str| EndpointRequest {
            origin: Origin {
                cohort_id: Some(cohort.to_owned()),
                creation_date: Some(created.to_owned()),
            },
            ..EndpointRequest::default()
        };
        let (document, _) = apply(None, comes("7", "2020-02-03T04:05:06Z"), at("2026-01-01"));
        assert_eq!(
            (document.cohort_id.as_str(), document.creation_date.as_str()),
            ("7", "2020-02-03T04:05:06.000Z")
        );
        let (document, _) = apply(Some(document), comes("8", "2021-01-01"), at("2026-01-02"));
        assert_eq!(
            (document.cohort_id.as_str(), document.creation_date.as_str()),
            ("7", "2020-02-03T04:05:06.000Z")
        );
        for (cohort, created, field) in [("100", "2020-01-01", "CohortId"), ("1", "once", "CreationDate")] {
            match check(&comes(cohort, created), "") {
                Err(Error::Invalid { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn bad_updates_name_the_field() {
        for (value, field) in [
            (json!({"OptOut": "MAYBE"}), "OptOut"),
            (json!({"EndpointStatus": "GONE"}), "EndpointStatus"),
            (json!({"EffectiveDate": "soon"}), "EffectiveDate"),
            (json!({"Address": "a@b.c\r\nBcc: x@y.z"}), "Address"),
            (json!({"Attributes": {"": ["x"]}}), "Attributes"),
            (json!({"Attributes": {"a": ["x".repeat(101)]}}), "Attributes.a"),
            (json!({"Location": {"Latitude": 91}}), "Location.Latitude"),
            (json!({"User": {"UserId": ""}}), "User.UserId"),
        ] {
            match check(&request(value.clone()), "") {
                Err(Error::Invalid { field: named, .. }) => assert_eq!(named, field, "{value}"),
                other => panic!("{value}: {other:?}"),
            }
        }
    }
}
