//! Whole numbers in documents that have a range: out of it, the error tells the range.

use serde::{Deserialize, Deserializer, de};

/// Reads a number between two others, both included.
pub(crate) fn between<'de, D, const LOW: u8, const HIGH: u8>(deserializer: D) -> Result<u8, D::Error>
where
    D: Deserializer<'de>,
{
    let number = i64::deserialize(deserializer)?;
    u8::try_from(number)
        .ok()
        .filter(|number| (LOW..=HIGH).contains(number))
        .ok_or_else(|| de::Error::custom(format!("must be between {LOW} and {HIGH}")))
}

/// The same for a member that may be absent.
pub(crate) fn absent_or_between<'de, D, const LOW: u8, const HIGH: u8>(
    deserializer: D,
) -> Result<Option<u8>, D::Error>
where
    D: Deserializer<'de>,
{
    let number: Option<i64> = Option::deserialize(deserializer)?;
    match number {
        None => Ok(None),
        Some(number) => between::<_, LOW, HIGH>(de::value::I64Deserializer::new(number)).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Document {
        #[serde(deserialize_with = "between::<_, 0, 100>")]
        share: u8,
        #[serde(default, deserialize_with = "absent_or_between::<_, 1, 5>")]
        priority: Option<u8>,
    }

    #[test]
    fn ranges_are_told() {
        let read = |value| serde_json::from_value::<Document>(value).map_err(|error| error.to_string());
        let share = |share| {
            Ok(Document {
                share,
                priority: None,
            })
        };
        assert_eq!(read(json!({"share": 0})), share(0));
        assert_eq!(read(json!({"share": 100, "priority": null})), share(100));
        for wrong in [json!(101), json!(-1), json!(70_000)] {
            assert_eq!(
                read(json!({"share": wrong})),
                Err("must be between 0 and 100".to_owned())
            );
        }
        assert_eq!(
            read(json!({"share": 1, "priority": 6})),
            Err("must be between 1 and 5".to_owned())
        );
    }
}
