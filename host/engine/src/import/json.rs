//! Newline-delimited JSON: one endpoint a line, as Pinpoint imports and exports them.

use std::io::BufRead;

use tokio::sync::mpsc::Sender;

use super::Parsed;
use super::lines::{Lines, feed};

/// Parses a whole file. An error is a sentence: the file cannot be read any further.
pub(super) fn parse(reader: impl BufRead, sender: &Sender<Parsed>) -> Result<(), String> {
    feed(Lines::new(reader), sender, |text| {
        serde_json::from_str(text).map_err(|error| format!("is not an endpoint: {error}"))
    })
}
