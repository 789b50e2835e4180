//! What a personalizer reads of a batch's endpoints, packed as columns.

use jiff::Timestamp;
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::parse_iso;
use pinion_domain::endpoint::{Attributes, Endpoint};
use pinion_domain::extension::columns::{
    Column, ColumnData, ColumnKind, ColumnSpec, Rows, TextCells, bitmap,
};

/// The columns that were asked for, in that order; a path that no endpoint has is a column without
/// values. Of a list of values the first is taken.
pub(super) fn rows(inputs: &[ColumnSpec], endpoints: &[&Endpoint]) -> Rows {
    let columns = inputs.iter().map(|input| column(input, endpoints)).collect();
    Rows {
        count: u32::try_from(endpoints.len()).expect("a batch is small"),
        columns,
    }
}

fn column(input: &ColumnSpec, endpoints: &[&Endpoint]) -> Column {
    let path = input.path.as_str();
    match input.kind {
        ColumnKind::Text => {
            let mut cells = TextCells::with_capacity(endpoints.len(), endpoints.len() * 16);
            let valid = bitmap(endpoints.iter().map(|endpoint| {
                let value = text(endpoint, path);
                cells.push(value.unwrap_or_default());
                value.is_some()
            }));
            Column {
                data: ColumnData::Text(cells),
                valid,
            }
        }
        ColumnKind::Number => {
            let values: Vec<Option<f64>> = endpoints.iter().map(|endpoint| number(endpoint, path)).collect();
            let valid = bitmap(values.iter().map(Option::is_some));
            Column {
                data: ColumnData::Number(values.into_iter().map(Option::unwrap_or_default).collect()),
                valid,
            }
        }
        ColumnKind::Integer => {
            // Counts of events are columns of segments; a message's personalizer does not see them.
            Column {
                data: ColumnData::Integer(vec![0; endpoints.len()]),
                valid: none(endpoints.len()),
            }
        }
        ColumnKind::Instant => {
            let values: Vec<Option<i64>> = endpoints
                .iter()
                .map(|endpoint| {
                    text(endpoint, path)
                        .and_then(parse_iso)
                        .map(Timestamp::as_microsecond)
                })
                .collect();
            let valid = bitmap(values.iter().map(Option::is_some));
            Column {
                data: ColumnData::Instant(values.into_iter().map(Option::unwrap_or_default).collect()),
                valid,
            }
        }
    }
}

fn none(rows: usize) -> Vec<u8> {
    bitmap(std::iter::repeat_n(false, rows))
}

fn text<'a>(endpoint: &'a Endpoint, path: &str) -> Option<&'a str> {
    let first = |attributes: &'a Attributes, name: &str| attributes.get(name)?.first().map(String::as_str);
    let document = &endpoint.document;
    if let Some(name) = path.strip_prefix("Attributes.") {
        return first(&document.attributes, name);
    }
    if let Some(name) = path.strip_prefix("User.UserAttributes.") {
        return first(&endpoint.user.as_ref()?.user_attributes, name);
    }
    let demographic = document.demographic.as_ref();
    let location = document.location.as_ref();
    match path {
        "Id" => Some(endpoint.id.as_str()),
        "User.UserId" => endpoint.user_id.as_ref().map(AsRef::as_ref),
        "ChannelType" => document.channel_type.map(ChannelType::as_str),
        "EffectiveDate" => Some(&document.effective_date),
        "CreationDate" => Some(&document.creation_date),
        "OptOut" => Some(&document.opt_out),
        "EndpointStatus" => Some(&document.endpoint_status),
        "Demographic.AppVersion" => demographic?.app_version.as_deref(),
        "Demographic.Locale" => demographic?.locale.as_deref(),
        "Demographic.Make" => demographic?.make.as_deref(),
        "Demographic.Model" => demographic?.model.as_deref(),
        "Demographic.ModelVersion" => demographic?.model_version.as_deref(),
        "Demographic.Platform" => demographic?.platform.as_deref(),
        "Demographic.PlatformVersion" => demographic?.platform_version.as_deref(),
        "Demographic.Timezone" => demographic?.timezone.as_deref(),
        "Location.City" => location?.city.as_deref(),
        "Location.Country" => location?.country.as_deref(),
        "Location.PostalCode" => location?.postal_code.as_deref(),
        "Location.Region" => location?.region.as_deref(),
        // The address is the host's: a personalizer never sees it.
        _ => None,
    }
}

fn number(endpoint: &Endpoint, path: &str) -> Option<f64> {
    let document = &endpoint.document;
    match path {
        "Location.Latitude" => document.location.as_ref()?.latitude,
        "Location.Longitude" => document.location.as_ref()?.longitude,
        _ => document.metrics.get(path.strip_prefix("Metrics.")?).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_domain::endpoint::EndpointDocument;
    use pinion_domain::extension::columns::bit;

    #[test]
    fn columns_come_in_the_order_asked_for() {
        let endpoint = |plan: &[&str], age: Option<f64>| Endpoint {
            seq: 1,
            id: "e".into(),
            user_id: None,
            address: Some("secret@example.com".to_owned()),
            document: EndpointDocument {
                attributes: [("plan".to_owned(), plan.iter().map(|v| (*v).to_owned()).collect())].into(),
                metrics: age.into_iter().map(|age| ("age".to_owned(), age)).collect(),
                ..EndpointDocument::default()
            },
            user: None,
        };
        let spec = |path: &str, kind| ColumnSpec {
            path: path.to_owned(),
            kind,
        };
        let (first, second) = (endpoint(&["pro", "old"], Some(3.0)), endpoint(&[], None));
        let rows = rows(
            &[
                spec("Metrics.age", ColumnKind::Number),
                spec("Attributes.plan", ColumnKind::Text),
                spec("Address", ColumnKind::Text),
            ],
            &[&first, &second],
        );
        assert_eq!(rows.count, 2);
        assert_eq!(rows.columns[0].data, ColumnData::Number(vec![3.0, 0.0]));
        assert_eq!(
            rows.columns[1].data,
            ColumnData::Text(["pro", ""].into_iter().collect())
        );
        let valid = |column: usize, row| bit(&rows.columns[column].valid, row, true);
        assert!(valid(0, 0) && !valid(0, 1) && valid(1, 0) && !valid(1, 1));
        assert!(!valid(2, 0), "addresses stay with the host");
    }
}
