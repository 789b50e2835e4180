//! Configurations of recommender models.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arn::ForeignArn;
use crate::campaign::PluginReference;
use crate::{Error, Result};

/// `CreateRecommenderConfiguration` and `UpdateRecommenderConfigurationShape`; also what is stored.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CreateRecommenderConfiguration")]
#[serde(rename_all = "PascalCase")]
pub struct Recommender {
    /// Attributes that the transformer fills, with the names under which people see them.
    pub attributes: Option<BTreeMap<String, String>>,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub name: Option<String>,
    /// Whom the model knows: endpoints, unless it says users.
    #[serde(default)]
    pub recommendation_provider_id_type: IdType,
    /// The role that may ask the model.
    pub recommendation_provider_role_arn: String,
    /// An Amazon Personalize campaign, or `plugin:NAME`.
    pub recommendation_provider_uri: String,
    /// A Lambda function, or `plugin:NAME`.
    pub recommendation_transformer_uri: Option<String>,
    /// The name under which people see `RecommendationItems`.
    pub recommendations_display_name: Option<String>,
    /// Items that each message may use.
    pub recommendations_per_message: Option<i64>,
}

/// `RecommendationProviderIdType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum IdType {
    #[default]
    PinpointEndpointId,
    PinpointUserId,
}

/// The bounds of the API reference, `CreateRecommenderConfiguration`.
const MOST_ITEMS: i64 = 5;
const MOST_ATTRIBUTES: usize = 10;
const LONGEST_ATTRIBUTE: usize = 50;
const LONGEST_DISPLAY_NAME: usize = 25;
const LONGEST_NAME: usize = 128;
const LONGEST_DESCRIPTION: usize = 128;

impl Recommender {
    /// Items of a message; five if the configuration does not say.
    pub fn items(&self) -> i64 {
        self.recommendations_per_message.unwrap_or(MOST_ITEMS)
    }

    /// Plugins that it names, with the members that name them.
    pub fn plugins(&self) -> impl Iterator<Item = (&'static str, PluginReference<'_>)> {
        let provider = PluginReference::parse(&self.recommendation_provider_uri);
        let transformer = self.transformer().and_then(PluginReference::parse);
        [
            ("RecommendationProviderUri", provider),
            ("RecommendationTransformerUri", transformer),
        ]
        .into_iter()
        .filter_map(|(member, plugin)| Some((member, plugin?)))
    }

    /// Clients send an empty text for none.
    fn transformer(&self) -> Option<&str> {
        self.recommendation_transformer_uri
            .as_deref()
            .filter(|uri| !uri.is_empty())
    }

    /// Checks everything but the plugins, which must also be there.
    pub fn check(&self) -> Result<()> {
        let provider = &self.recommendation_provider_uri;
        let personalize = ForeignArn::parse(provider)
            .is_some_and(|arn| arn.service == "personalize" && arn.resource.starts_with("campaign/"));
        if !personalize && PluginReference::parse(provider).is_none() {
            return Err(Error::invalid(
                "RecommendationProviderUri",
                "must be the ARN of an Amazon Personalize campaign, or plugin:NAME",
            ));
        }
        if !ForeignArn::parse(&self.recommendation_provider_role_arn).is_some_and(|arn| arn.is_role()) {
            return Err(Error::invalid(
                "RecommendationProviderRoleArn",
                "must be the ARN of a role",
            ));
        }
        if !(1..=MOST_ITEMS).contains(&self.items()) {
            return Err(Error::invalid(
                "RecommendationsPerMessage",
                format!("must be between 1 and {MOST_ITEMS}"),
            ));
        }
        check_text("Name", self.name.as_deref(), LONGEST_NAME, " _-", true)?;
        check_text(
            "Description",
            self.description.as_deref(),
            LONGEST_DESCRIPTION,
            " _;(),.-‐",
            false,
        )?;
        let display_name = self.recommendations_display_name.as_deref();
        check_text(
            "RecommendationsDisplayName",
            display_name,
            LONGEST_DISPLAY_NAME,
            " _-",
            false,
        )?;
        self.check_transformer()
    }

    /// With a transformer there are attributes, without one there is a name for the items.
    fn check_transformer(&self) -> Result<()> {
        let attributes = self
            .attributes
            .as_ref()
            .filter(|attributes| !attributes.is_empty());
        let Some(transformer) = self.transformer() else {
            if attributes.is_some() {
                return Err(Error::invalid(
                    "Attributes",
                    "only go with a RecommendationTransformerUri, which fills them",
                ));
            }
            if self
                .recommendations_display_name
                .as_deref()
                .is_none_or(str::is_empty)
            {
                return Err(Error::invalid(
                    "RecommendationsDisplayName",
                    "is required without a RecommendationTransformerUri",
                ));
            }
            return Ok(());
        };
        let is_function = |character: char| character.is_ascii_alphanumeric() || "-_:$./".contains(character);
        if PluginReference::parse(transformer).is_none() && !transformer.chars().all(is_function) {
            return Err(Error::invalid(
                "RecommendationTransformerUri",
                "must be the name or ARN of a Lambda function, or plugin:NAME",
            ));
        }
        let attributes = attributes.ok_or_else(|| {
            Error::invalid("Attributes", "are required with a RecommendationTransformerUri")
        })?;
        if attributes.len() > MOST_ATTRIBUTES {
            return Err(Error::invalid(
                "Attributes",
                format!("can be {MOST_ATTRIBUTES} at the most"),
            ));
        }
        for (name, display_name) in attributes {
            let field = format!("Attributes.{name}");
            if name.is_empty() {
                return Err(Error::invalid("Attributes", "names must not be empty"));
            }
            check_text(&field, Some(name), LONGEST_ATTRIBUTE, "_-", true)?;
            check_text(&field, Some(display_name), LONGEST_DISPLAY_NAME, " _-", true)?;
        }
        Ok(())
    }
}

/// Letters and digits of any script, and a few signs.
fn check_text(
    field: &str,
    text: Option<&str>,
    most: usize,
    signs: &str,
    first_is_letter: bool,
) -> Result<()> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    if text.chars().count() > most {
        return Err(Error::invalid(field, format!("has more than {most} characters")));
    }
    let fine = |character: char| character.is_alphanumeric() || signs.contains(character);
    if let Some(wrong) = text.chars().find(|character| !fine(*character)) {
        return Err(Error::invalid(
            field,
            format!("must not have the character {wrong:?}"),
        ));
    }
    if first_is_letter && !text.chars().next().is_some_and(char::is_alphanumeric) {
        return Err(Error::invalid(field, "must begin with a letter or digit"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn with(changes: &Value) -> Recommender {
        let mut value = json!({
            "RecommendationProviderRoleArn": "arn:aws:iam::123456789012:role/personalize",
            "RecommendationProviderUri": "arn:aws:personalize:eu-west-1:123456789012:campaign/books",
            "RecommendationsDisplayName": "Books",
        });
        for (name, change) in changes.as_object().unwrap() {
            value[name] = change.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_member_has_its_bounds() {
        let names = |count: usize| -> Value {
            (0..count)
                .map(|n| (format!("a{n}"), json!("A name")))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST";
        for (changes, wrong) in [
            (json!({}), None),
            (
                json!({ "Name": "1 ż_日本-x", "Description": "a; b (c), d" }),
                None,
            ),
            (json!({ "Name": "" }), None),
            (json!({ "Name": "_x" }), Some("Name")),
            (json!({ "Name": "a/b" }), Some("Name")),
            (json!({ "Name": "x".repeat(129) }), Some("Name")),
            (json!({ "Description": "x".repeat(129) }), Some("Description")),
            (json!({ "Description": "50 %" }), Some("Description")),
            (json!({ "RecommendationsPerMessage": 1 }), None),
            (
                json!({ "RecommendationsPerMessage": 0 }),
                Some("RecommendationsPerMessage"),
            ),
            (
                json!({ "RecommendationsPerMessage": 6 }),
                Some("RecommendationsPerMessage"),
            ),
            (
                json!({ "RecommendationsDisplayName": "x".repeat(26) }),
                Some("RecommendationsDisplayName"),
            ),
            (
                json!({ "RecommendationsDisplayName": null }),
                Some("RecommendationsDisplayName"),
            ),
            (json!({ "RecommendationProviderUri": "plugin:best" }), None),
            (
                json!({ "RecommendationProviderUri": "https://x" }),
                Some("RecommendationProviderUri"),
            ),
            (
                json!({ "RecommendationProviderUri": "arn:aws:s3:::campaign/x" }),
                Some("RecommendationProviderUri"),
            ),
            (
                json!({ "RecommendationProviderRoleArn": "role" }),
                Some("RecommendationProviderRoleArn"),
            ),
            (json!({ "Attributes": names(1) }), Some("Attributes")),
            (
                json!({ "RecommendationTransformerUri": function }),
                Some("Attributes"),
            ),
            (
                json!({ "RecommendationTransformerUri": function, "Attributes": names(10) }),
                None,
            ),
            (
                json!({ "RecommendationTransformerUri": function, "Attributes": names(11) }),
                Some("Attributes"),
            ),
            (
                json!({ "RecommendationTransformerUri": "plugin:p", "Attributes": names(1) }),
                None,
            ),
            (
                json!({ "RecommendationTransformerUri": "a b", "Attributes": names(1) }),
                Some("RecommendationTransformerUri"),
            ),
            (
                json!({ "RecommendationTransformerUri": "f", "Attributes": { "a b": "x" } }),
                Some("Attributes.a b"),
            ),
            (
                json!({ "RecommendationTransformerUri": "f", "Attributes": { "a": "_x" } }),
                Some("Attributes.a"),
            ),
        ] {
            let field = match with(&changes).check() {
                Ok(()) => None,
                Err(Error::Invalid { field, .. }) => Some(field),
                Err(other) => panic!("{changes}: {other:?}"),
            };
            assert_eq!(field.as_deref(), wrong, "{changes}");
        }
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let recommender = with(&json!({}));
        assert_eq!(recommender.items(), 5);
        assert_eq!(
            recommender.recommendation_provider_id_type,
            IdType::PinpointEndpointId
        );
        let plugins = with(&json!({ "RecommendationProviderUri": "plugin:best?{\"a\":1}" }));
        let (member, plugin) = plugins.plugins().next().unwrap();
        assert_eq!(
            (member, plugin.name, plugin.settings),
            ("RecommendationProviderUri", "best", "{\"a\":1}")
        );
    }
}
