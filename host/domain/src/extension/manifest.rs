//! What a plugin says of itself: JSON in the custom section [`SECTION`] of the component.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Grant;

/// The custom section that holds the manifest.
pub const SECTION: &str = "pinion-manifest";

/// The three worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Reaches people.
    Channel,
    /// Decides who is in a segment.
    Predicate,
    /// Fills a template's values.
    Personalizer,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Channel => "channel",
            Self::Predicate => "predicate",
            Self::Personalizer => "personalizer",
        })
    }
}

/// The manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Lower-case letters, digits and hyphens; the name under which it is installed.
    pub name: String,
    /// Of the plugin, as it likes.
    pub version: String,
    /// Which world.
    pub kind: Kind,
    /// For people, one sentence.
    #[serde(default)]
    pub description: String,
    /// Of a channel: the largest batch.
    #[serde(default = "one")]
    pub max_batch: usize,
    /// Of a channel: what it wants to reach.
    #[serde(default)]
    pub hosts: Vec<Grant>,
    /// Of a channel: settings that are secret.
    #[serde(default)]
    pub secrets: Vec<String>,
}

fn one() -> usize {
    1
}

impl Manifest {
    /// Reads a manifest and checks what JSON cannot say.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(json).map_err(|error| format!("manifest: {error}"))?;
        if !is_name(&manifest.name) {
            return Err(format!(
                "manifest: name {:?} must be 1 to 64 lower-case letters, digits and hyphens",
                manifest.name
            ));
        }
        if manifest.version.is_empty()
            || manifest.version.len() > 64
            || manifest.version.chars().any(char::is_control)
        {
            return Err("manifest: version must have 1 to 64 characters".to_owned());
        }
        if !(1..=1_000).contains(&manifest.max_batch) {
            return Err("manifest: max_batch must be between 1 and 1000".to_owned());
        }
        if manifest.description.len() > 1_024 {
            return Err("manifest: description must have at most 1024 bytes".to_owned());
        }
        Ok(manifest)
    }
}

/// Is this a plugin's name?
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
}
