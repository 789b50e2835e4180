//! How much there may be of everything: the quotas of Pinpoint's developer guide ("Amazon Pinpoint
//! quotas"), unless the operator sets others.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, Result};

/// Quotas that an operator can set. Counts are per account and region unless said otherwise; lengths
/// are characters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Applications.
    pub apps: u32,
    /// Tags of one resource.
    pub tags: u32,
    /// Length of a tag's key.
    pub tag_key_characters: u32,
    /// Length of a tag's value.
    pub tag_value_characters: u32,
    /// Templates of all types together.
    pub templates: u32,
    /// Versions of one template.
    pub template_versions: u32,
    /// Length of each part of an e-mail template.
    pub email_template_characters: u32,
    /// Length of an SMS template's body.
    pub sms_template_characters: u32,
    /// Length of a voice template's script.
    pub voice_template_characters: u32,
    /// Recommender configurations.
    pub recommenders: u32,
    /// Campaigns that wait, run or are paused, in all applications together.
    pub active_campaigns: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            apps: 100,
            tags: 50,
            tag_key_characters: 128,
            tag_value_characters: 256,
            templates: 20_000,
            template_versions: 5_000,
            email_template_characters: 600_000,
            sms_template_characters: 1_600,
            voice_template_characters: 10_000,
            recommenders: 100,
            active_campaigns: 200,
        }
    }
}

impl Quotas {
    /// Checks the tags of one resource (developer guide, "Tag restrictions").
    pub fn check_tags(&self, tags: &BTreeMap<String, String>) -> Result<()> {
        let most = self.tags;
        if tags.len() > most as usize {
            return Err(Error::LimitExceeded(format!(
                "a resource has at most {most} tags"
            )));
        }
        for (key, value) in tags {
            let field = format!("tags.{key}");
            if key.is_empty() {
                return Err(Error::invalid(field, "a tag key must not be empty"));
            }
            if key.starts_with("aws:") {
                return Err(Error::invalid(field, "keys that begin with aws: are reserved"));
            }
            check_length(&field, key, self.tag_key_characters)?;
            check_length(&field, value, self.tag_value_characters)?;
        }
        Ok(())
    }
}

/// Fails if `text` has more characters than `most`; the error names `field`.
pub fn check_length(field: &str, text: &str, most: u32) -> Result<()> {
    // A text never has more characters than bytes, so most are decided without counting.
    let most = most as usize;
    if text.len() <= most {
        return Ok(());
    }
    let length = text.chars().count();
    if length > most {
        let problem = format!("has {length} characters, at most {most} are allowed");
        return Err(Error::invalid(field, problem));
    }
    Ok(())
}

/// Fails if there are `count` already and no more than `most` are allowed.
pub fn check_count(count: u64, most: u32, nouns: &str) -> Result<()> {
    if count >= u64::from(most) {
        return Err(Error::LimitExceeded(format!(
            "there are {count} {nouns} already, at most {most} are allowed"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_characters_and_not_bytes() {
        for (text, most, fine) in [
            ("", 0, true),
            ("abc", 3, true),
            ("abcd", 3, false),
            ("日本żó", 4, true),
        ] {
            assert_eq!(check_length("Body", text, most).is_ok(), fine, "{text}");
        }
        let error = check_length("Body", "日本", 1).unwrap_err().to_string();
        assert_eq!(error, "Body: has 2 characters, at most 1 are allowed");
    }

    #[test]
    fn the_last_one_is_allowed_and_the_next_is_not() {
        assert!(check_count(99, 100, "applications").is_ok());
        let error = check_count(100, 100, "applications").unwrap_err();
        assert_eq!(
            error,
            Error::LimitExceeded("there are 100 applications already, at most 100 are allowed".to_owned())
        );
    }

    #[test]
    fn tags_are_few_and_short() {
        let quotas = Quotas {
            tags: 2,
            ..Quotas::default()
        };
        let tags = |pairs: &[(&str, &str)]| {
            let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            quotas.check_tags(&pairs.iter().map(pair).collect())
        };
        let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
        for (pairs, fine) in [
            (
                &[
                    ("a", ""),
                    ("@ / + % * ~ : & = ; ż 日本", "@ / + % * ~ : & = ; ż 日本"),
                ][..],
                true,
            ),
            (&[("a", "1"), ("b", "2"), ("c", "3")], false),
            (&[("", "x")], false),
            (&[("aws:x", "x")], false),
            (&[(&long_key, "x")], false),
            (&[("x", &long_value)], false),
        ] {
            assert_eq!(tags(pairs).is_ok(), fine, "{pairs:?}");
        }
    }

    #[test]
    fn what_is_not_set_is_the_guides() {
        let set: Quotas = serde_json::from_str(r#"{ "apps": 3 }"#).unwrap();
        assert_eq!(
            set,
            Quotas {
                apps: 3,
                ..Quotas::default()
            }
        );
        assert!(serde_json::from_str::<Quotas>(r#"{ "aps": 3 }"#).is_err());
    }
}
