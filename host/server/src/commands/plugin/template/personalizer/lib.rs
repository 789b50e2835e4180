//! Fills `Attributes.greeting` with a greeting and the reader's name.

use pinion_sdk::{ColumnSpec, Output, Personalizer, Row};
use serde::Deserialize;

/// The settings, as a campaign's hook gives them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The words before the name.
    #[serde(default = "hello")]
    greeting: String,
}

fn hello() -> String {
    "Hello".to_owned()
}

/// The personalizer.
#[derive(Debug)]
pub struct TYPE {
    settings: Settings,
}

impl Personalizer for TYPE {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self { settings })
    }

    fn inputs(&self) -> Vec<ColumnSpec> {
        vec![ColumnSpec::text("User.UserAttributes.FirstName")]
    }

    fn outputs(&self) -> Vec<ColumnSpec> {
        vec![ColumnSpec::text("Attributes.greeting")]
    }

    fn fill(&self, row: Row<'_>, out: &mut Output) {
        let greeting = &self.settings.greeting;
        match row.text(0) {
            Some(name) => out.text(0, &format!("{greeting}, {name}")),
            None => out.text(0, greeting),
        }
    }
}

pinion_sdk::personalizer!(TYPE, manifest = "../plugin.json");
