//! How an update changes an endpoint (developer guide, "Adding endpoints"; API reference,
//! `UpdateEndpoint`).

use jiff::Timestamp;
use rand::RngExt;

use super::{Attributes, Demographic, EndpointDocument, EndpointRequest, Location, UserDocument};
use crate::clock::{iso, parse_iso};
use crate::id::UserId;

/// Endpoints are spread over so many cohorts.
pub(super) const COHORTS: u8 = 100;

/// What an update made of an endpoint, apart from the document that it changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// The address, if the update names one.
    pub address: Option<String>,
    /// The user, if the update names one.
    pub user_id: Option<UserId>,
    /// Attributes to merge into the user's document.
    pub user_attributes: Option<Attributes>,
    /// Who may have the address from now on.
    pub claim: Claim,
}

/// What an update means for other endpoints that have the same address on the same channel: of these only
/// one is ever active, so that nobody gets a message twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: the endpoint is as active as before, or INACTIVE.
    #[default]
    None,
    /// It names the address, changes the channel or says ACTIVE: the others become INACTIVE.
    Takes,
    /// It would only activate the endpoint as every update does. An address that somebody took over in the
    /// meantime stays theirs, and the endpoint INACTIVE: a job that refreshes attributes of all endpoints it
    /// ever knew must not take phones away from their new owners.
    IfFree,
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
    let before = (document.is_active(), document.channel_type);
    let claims = request.address.is_some()
        || request.endpoint_status.is_some()
        || request
            .channel_type
            .is_some_and(|channel| before.1 != Some(channel));
    // Every update sets ACTIVE again unless it says otherwise.
    document.endpoint_status = request.endpoint_status.unwrap_or_else(|| "ACTIVE".to_owned());
    let claim = match (document.is_active(), claims, before.0) {
        (true, true, _) => Claim::Takes,
        (true, false, false) => Claim::IfFree,
        (true, false, true) | (false, ..) => Claim::None,
    };
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
        claim,
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
    // Adding zero makes the zero that JSON would write as -0.0 a plain one.
    let one_decimal = |degrees: f64| (degrees * 10.0).round() / 10.0 + 0.0;
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
    }

    #[test]
    fn who_may_have_the_address_follows_from_what_an_update_says() {
        use Claim::{IfFree, None as Nothing, Takes};
        for (stored, update, expected) in [
            (None, json!({"Address": "a@b.c", "ChannelType": "EMAIL"}), Takes),
            (None, json!({"Attributes": {"a": ["b"]}}), Nothing),
            (Some("ACTIVE"), json!({"Attributes": {"a": ["b"]}}), Nothing),
            (Some("ACTIVE"), json!({"ChannelType": "EMAIL"}), Nothing),
            (Some("ACTIVE"), json!({"ChannelType": "SMS"}), Takes),
            (Some("ACTIVE"), json!({"Address": "a@b.c"}), Takes),
            (Some("INACTIVE"), json!({"Attributes": {"a": ["b"]}}), IfFree),
            (
                Some("INACTIVE"),
                json!({"ChannelType": "EMAIL", "OptOut": "NONE"}),
                IfFree,
            ),
            (Some("INACTIVE"), json!({"EndpointStatus": "ACTIVE"}), Takes),
            (Some("INACTIVE"), json!({"Address": "a@b.c"}), Takes),
            (
                Some("INACTIVE"),
                json!({"Address": "a@b.c", "EndpointStatus": "INACTIVE"}),
                Nothing,
            ),
            (Some("ACTIVE"), json!({"EndpointStatus": "INACTIVE"}), Nothing),
        ] {
            let document = stored.map(|status: &str| EndpointDocument {
                channel_type: Some(crate::channel::ChannelType::Email),
                endpoint_status: status.to_owned(),
                ..EndpointDocument::default()
            });
            let (_, applied) = apply(document, request(update.clone()), at("2026-01-01"));
            assert_eq!(applied.claim, expected, "{stored:?} {update}");
        }
    }

    #[test]
    fn places_are_rounded_to_one_decimal() {
        let place = request(json!({"Location": {"Latitude": -0.04, "Longitude": -179.96}}));
        let (document, _) = apply(None, place, at("2026-01-01"));
        let location = serde_json::to_string(&document.location).unwrap();
        assert_eq!(location, r#"{"Latitude":0.0,"Longitude":-180.0}"#);
    }
}
