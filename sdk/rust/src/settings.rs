//! Reading a plugin's settings into the type that its author gave.
//!
//! Settings come as JSON from the API and as text from environment variables. So where a number or a truth
//! value is wanted, its text will do (`"587"` for 587), and a mistake is told with the name of the setting.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

/// Reads settings; none at all are an empty object. The error is a sentence for whoever wrote them.
pub fn read<S: DeserializeOwned>(json: &str) -> Result<S, String> {
    let json = if json.is_empty() { "{}" } else { json };
    let value = parse(json).map_err(|error| format!("settings: {error}"))?;
    S::deserialize(Setting(value)).map_err(|error| format!("settings: {error}"))
}

/// In a function that is not generic, so that a component has the code of reading JSON once.
fn parse(json: &str) -> serde_json::Result<Value> {
    serde_json::from_str(json)
}

/// A setting, or all of them.
struct Setting(Value);

impl Setting {
    /// Text that says a number or a truth value becomes one.
    fn plain(self) -> Self {
        let Value::String(text) = self.0 else {
            return self;
        };
        Self(match parse(&text) {
            Ok(plain @ (Value::Number(_) | Value::Bool(_))) => plain,
            _ => Value::String(text),
        })
    }
}

macro_rules! plain {
    ($($kind:ident)*) => {$(
        fn $kind<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
            self.plain().deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Setting {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(truth),
            Value::Number(number) => Ok(number.deserialize_any(visitor)?),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter().enumerate())),
            Value::Object(members) => visitor.visit_map(Members::of(members)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::String(variant) => visitor.visit_enum(variant.into_deserializer()),
            Value::Object(members) => visitor.visit_enum(MapAccessDeserializer::new(Members::of(members))),
            // Neither names a variant, so that the visitor says what it expected.
            other => Self(other).deserialize_any(visitor),
        }
    }

    plain! {
        deserialize_bool
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The members of an object.
struct Members {
    rest: serde_json::map::IntoIter,
    value: Option<(String, Value)>,
}

impl Members {
    fn of(members: Map<String, Value>) -> Self {
        Self {
            rest: members.into_iter(),
            value: None,
        }
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        self.value = self.rest.next();
        self.value
            .as_ref()
            .map(|(name, _)| seed.deserialize(name.as_str().into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let (name, value) = self.value.take().expect("serde asks for the name first");
        seed.deserialize(Setting(value))
            .map_err(|mistake| mistake.inside(&name))
    }
}

/// The items of an array.
struct Items(std::iter::Enumerate<std::vec::IntoIter<Value>>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some((place, item)) = self.0.next() else {
            return Ok(None);
        };
        let item = seed.deserialize(Setting(item));
        item.map(Some)
            .map_err(|mistake| mistake.inside(&place.to_string()))
    }
}

/// What is wrong, and where: `weights.open: invalid type …`.
#[derive(Debug)]
struct Mistake {
    path: String,
    words: String,
}

impl Mistake {
    fn inside(mut self, name: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{name}.{path}"),
        };
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.words)
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self {
            path: String::new(),
            words: words.to_string(),
        }
    }
}

impl From<serde_json::Error> for Mistake {
    fn from(error: serde_json::Error) -> Self {
        de::Error::custom(error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroU16;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Settings {
        name: String,
        port: Option<NonZeroU16>,
        ratio: f64,
        strict: bool,
        sizes: Vec<i64>,
        weights: BTreeMap<String, f32>,
        mode: Mode,
        id: Id,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        #[default]
        Plain,
        Every {
            seconds: u32,
        },
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Id(u64);

    #[test]
    fn text_is_taken_for_numbers_and_truth_wherever_they_are_wanted() {
        let plain = r#"{"name": "25", "port": 25, "ratio": 0.5, "strict": true, "sizes": [1, -2],
            "weights": {"a": 1.5}, "mode": {"every": {"seconds": 9}}, "id": 7}"#;
        let text = r#"{"name": "25", "port": "25", "ratio": "5e-1", "strict": "true", "sizes": ["1", "-2"],
            "weights": {"a": "1.5"}, "mode": {"every": {"seconds": "9"}}, "id": "7"}"#;
        let expected = Settings {
            name: "25".to_owned(),
            port: NonZeroU16::new(25),
            ratio: 0.5,
            strict: true,
            sizes: vec![1, -2],
            weights: [("a".to_owned(), 1.5)].into(),
            mode: Mode::Every { seconds: 9 },
            id: Id(7),
        };
        assert_eq!(read(plain), Ok(expected));
        assert_eq!(read::<Settings>(text), read(plain));
        assert_eq!(read(""), Ok(Settings::default()));
        assert_eq!(
            read(r#"{"port": null, "mode": "plain"}"#),
            Ok(Settings::default())
        );
    }

    #[test]
    fn a_mistake_names_its_setting() {
        for (json, words) in [
            (
                r#"{"port": "smtp"}"#,
                "settings: port: invalid type: string \"smtp\", expected a nonzero u16",
            ),
            (
                r#"{"port": 70000}"#,
                "settings: port: invalid value: integer `70000`, expected a nonzero u16",
            ),
            (
                r#"{"name": 5}"#,
                "settings: name: invalid type: integer `5`, expected a string",
            ),
            (
                r#"{"strict": "perhaps"}"#,
                "settings: strict: invalid type: string \"perhaps\", expected a boolean",
            ),
            (
                r#"{"sizes": [1, "many"]}"#,
                "settings: sizes.1: invalid type: string \"many\", expected i64",
            ),
            (
                r#"{"weights": {"a": {}}}"#,
                "settings: weights.a: invalid type: map, expected f32",
            ),
            (
                r#"{"mode": "often"}"#,
                "settings: mode: unknown variant `often`, expected `plain` or `every`",
            ),
            (
                r#"{"mode": {"every": {"seconds": "x"}}}"#,
                "settings: mode.every.seconds: invalid type: string \"x\", expected u32",
            ),
            (
                r#"{"colour": 1}"#,
                "settings: unknown field `colour`, expected one of",
            ),
            ("{", "settings: EOF while parsing"),
        ] {
            let error = read::<Settings>(json).unwrap_err();
            assert!(error.starts_with(words), "{json}: {error}");
        }
    }
}
