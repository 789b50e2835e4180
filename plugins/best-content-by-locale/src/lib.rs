//! Fills attributes with the text that fits a reader's locale best: `pl-PL`, then `pl`, then the default.

use std::collections::{BTreeMap, BTreeSet};

use pinion_sdk::{ColumnSpec, Output, Personalizer, Row};
use serde::Deserialize;

/// The settings, as a campaign's hook gives them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Texts by locale, then by name: `{"pl": {"greeting": "Cześć"}}` fills `Attributes.greeting`.
    content: BTreeMap<String, BTreeMap<String, String>>,
    /// The locale of readers whose own has no content. Without it they get no message.
    default: Option<String>,
    /// Where a reader's locale stands; the first that has content counts.
    #[serde(default = "usual_places")]
    locale_from: Vec<String>,
}

/// What a person chose says more than what a device reports.
fn usual_places() -> Vec<String> {
    ["User.UserAttributes.locale", "Demographic.Locale"]
        .map(str::to_owned)
        .to_vec()
}

/// The personalizer.
#[derive(Debug)]
pub struct BestContentByLocale {
    places: Vec<String>,
    /// What is filled, in the order of the outputs.
    names: Vec<String>,
    /// For each locale a text for each name, its gaps filled from wider locales and the default.
    content: BTreeMap<String, Vec<Option<String>>>,
    default: Option<String>,
}

impl BestContentByLocale {
    /// The narrowest locale with content that includes this one.
    fn best(&self, locale: &str) -> Option<&[Option<String>]> {
        wider(&normal(locale)).find_map(|locale| self.content.get(locale).map(Vec::as_slice))
    }
}

impl Personalizer for BestContentByLocale {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.content.is_empty() || settings.locale_from.is_empty() {
            return Err("settings: content and locale_from must not be empty".to_owned());
        }
        let default = settings.default.as_deref().map(normal);
        let mut given: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (locale, texts) in settings.content {
            if given.insert(normal(&locale), texts).is_some() {
                return Err(format!("settings: content has {locale:?} twice"));
            }
        }
        if let Some(locale) = default.as_ref().filter(|locale| !given.contains_key(*locale)) {
            return Err(format!(
                "settings: content has nothing for the default {locale:?}"
            ));
        }
        let names: BTreeSet<&String> = given.values().flat_map(BTreeMap::keys).collect();
        if names.is_empty() || names.iter().any(|name| name.is_empty()) {
            return Err("settings: content needs names, and none of them empty".to_owned());
        }
        let text = |locale: &str, name: &String| {
            wider(locale)
                .chain(default.as_deref())
                .find_map(|locale| given.get(locale)?.get(name).cloned())
        };
        let content = given
            .keys()
            .map(|locale| {
                (
                    locale.clone(),
                    names.iter().map(|name| text(locale, name)).collect(),
                )
            })
            .collect();
        Ok(Self {
            places: settings.locale_from,
            names: names.into_iter().cloned().collect(),
            content,
            default,
        })
    }

    fn inputs(&self) -> Vec<ColumnSpec> {
        self.places.iter().map(ColumnSpec::text).collect()
    }

    fn outputs(&self) -> Vec<ColumnSpec> {
        let path = |name| ColumnSpec::text(format!("Attributes.{name}"));
        self.names.iter().map(path).collect()
    }

    fn fill(&self, row: Row<'_>, out: &mut Output) {
        let own = (0..self.places.len()).find_map(|place| self.best(row.text(place)?));
        let texts = own.or_else(|| self.best(self.default.as_deref()?));
        let Some(texts) = texts else {
            return out.drop_row();
        };
        for (place, text) in texts.iter().enumerate() {
            if let Some(text) = text {
                out.text(place, text);
            }
        }
    }
}

/// One spelling for `pl-PL`, `pl_PL` and `pl_PL.UTF-8`.
fn normal(locale: &str) -> String {
    let end = locale.find(['.', '@']).unwrap_or(locale.len());
    locale[..end].trim().replace('_', "-").to_ascii_lowercase()
}

/// The locale, then without its last part, and so on.
fn wider(locale: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(locale), |locale| {
        locale.rsplit_once('-').map(|(wider, _)| wider)
    })
}

pinion_sdk::personalizer!(BestContentByLocale, manifest = "../plugin.json");
