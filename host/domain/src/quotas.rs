//! How much there may be of everything: the quotas of Pinpoint's developer guide ("Amazon Pinpoint
//! quotas"), unless the operator sets others.

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
        }
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
