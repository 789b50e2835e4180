//! Newline-delimited JSON: one endpoint a line, as Pinpoint imports and exports them.

use std::io::BufRead;

use pinion_domain::endpoint::{EndpointBatchItem, Origin};
use serde::Deserialize;
use tokio::sync::mpsc::Sender;

use super::Parsed;
use super::lines::{Lines, feed};

/// An endpoint as it may come back from an export.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    cohort_id: Option<String>,
    creation_date: Option<String>,
    #[serde(flatten)]
    item: EndpointBatchItem,
}

/// Parses a whole file. An error is a sentence: the file cannot be read any further.
pub(super) fn parse(reader: impl BufRead, sender: &Sender<Parsed>) -> Result<(), String> {
    feed(Lines::new(reader), sender, |text| {
        let line: Line =
            serde_json::from_str(text).map_err(|error| format!("is not an endpoint: {error}"))?;
        let mut item = line.item;
        item.endpoint.origin = Origin {
            cohort_id: line.cohort_id,
            creation_date: line.creation_date,
        };
        Ok(item)
    })
}
