mod engine;
mod helpers;
mod mails;

use std::collections::BTreeMap;

use pinion_domain::channel::ChannelType;
use pinion_domain::endpoint::{Demographic, Endpoint, EndpointDocument, Location, UserDocument};
use pinion_domain::id::MessageId;
use pinion_domain::message::Substitutions;

use super::*;

pub(super) const NOW: &str = "2020-09-19T18:05:09.123Z";

fn lists(values: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    values
        .iter()
        .map(|(name, values)| ((*name).to_owned(), owned(values)))
        .collect()
}

pub(super) fn endpoint() -> Endpoint {
    let colors: Vec<String> = (1..=20).map(|number| format!("c{number}")).collect();
    let mut attributes = lists(&[
        ("description", &["my first post"]),
        ("plan", &["gold"]),
        ("favorite_colors", &["blue", "red", "green"]),
        ("markup", &["<b>Tom & 'Jerry' = `\"x\"`</b>"]),
        ("IsUserSubscribed", &["true"]),
        ("url", &["https://shop.example/?a=1&b=2"]),
        ("script", &["javascript:alert(1)"]),
        ("2024", &["a year"]),
        ("it's", &["apostrophe"]),
        ("empty", &[]),
    ]);
    attributes.insert("many".to_owned(), colors);
    Endpoint {
        seq: 7,
        id: "e-1".into(),
        user_id: Some("u-1".into()),
        address: Some("jane@example.com".to_owned()),
        document: EndpointDocument {
            attributes,
            channel_type: Some(ChannelType::Email),
            creation_date: "2019-06-30T11:45:25.220Z".to_owned(),
            effective_date: "2019-08-23T10:54:35.220Z".to_owned(),
            endpoint_status: "ACTIVE".to_owned(),
            opt_out: "NONE".to_owned(),
            request_id: None,
            demographic: Some(Demographic {
                timezone: Some("America/Los_Angeles".to_owned()),
                ..Demographic::default()
            }),
            location: Some(Location {
                city: Some("Los Angeles".to_owned()),
                country: Some("US".to_owned()),
                latitude: Some(34.1),
                longitude: Some(-118.0),
                ..Location::default()
            }),
            metrics: [("visits".to_owned(), 22.0), ("spent".to_owned(), 19.25)].into(),
            ..EndpointDocument::default()
        },
        user: Some(UserDocument {
            user_attributes: lists(&[
                ("FirstName", &["Jane"]),
                ("LastName", &["Alejandro"]),
                ("UserAge", &["22"]),
                ("StartDate", &["09/19/2020"]),
                ("interests", &["<h1>Art</h1>"]),
                ("Last Name", &["Roe"]),
            ]),
        }),
    }
}

/// Renders with the endpoint of the tests.
pub(super) fn with_input<T>(
    substitutions: &[&Substitutions],
    use_input: impl FnOnce(&RenderInput<'_>) -> T,
) -> T {
    let message_id = MessageId::from("0123456789abcdef0123456789abcdef");
    use_input(&RenderInput {
        endpoint: &endpoint(),
        personalized: None,
        substitutions,
        now: NOW.parse().unwrap(),
        message_id: &message_id,
    })
}

pub(super) fn render(source: &str, escape: Escape) -> Result<String, String> {
    let template = Template::compile(source, escape).map_err(|error| error.to_string())?;
    with_input(&[], |input| template.render(input)).map_err(|error| error.to_string())
}

#[track_caller]
pub(super) fn check(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(render(source, Escape::None).as_deref(), Ok(*expected), "{source}");
    }
}

/// Each template fails, with a text that contains the words.
#[track_caller]
pub(super) fn check_fails(cases: &[(&str, &str)]) {
    for (source, words) in cases {
        let error = render(source, Escape::None).expect_err(source);
        assert!(error.contains(words), "{source}: {error}");
    }
}
