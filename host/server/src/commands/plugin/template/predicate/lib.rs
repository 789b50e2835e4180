//! Selects endpoints of a city that come often.

use pinion_sdk::{ColumnSpec, Memo, Predicate, Row};
use serde::Deserialize;

/// The settings, as a segment gives them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which city.
    city: String,
    /// How many visits are often.
    #[serde(default = "often")]
    visits: i64,
}

fn often() -> i64 {
    5
}

/// The predicate.
#[derive(Debug)]
pub struct TYPE {
    settings: Settings,
    /// Is it the city? Asked once for each distinct value.
    is_local: Memo<bool>,
}

impl Predicate for TYPE {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self {
            settings,
            is_local: Memo::default(),
        })
    }

    fn inputs(&self) -> Vec<ColumnSpec> {
        vec![
            ColumnSpec::text("Location.City"),
            ColumnSpec::integer("Events.visit.Count"),
        ]
    }

    fn matches(&self, row: Row<'_>) -> bool {
        let is_local = self.is_local.of(row, 0, |mut cities| {
            cities.any(|city| city.eq_ignore_ascii_case(&self.settings.city))
        });
        is_local && row.integer(1).unwrap_or(0) >= self.settings.visits
    }
}

pinion_sdk::predicate!(TYPE, manifest = "../plugin.json");
