//! Newline-delimited JSON: one endpoint a line, as Pinpoint imports and exports them.

use std::io::BufRead;

use pinion_domain::endpoint::EndpointBatchItem;
use tokio::sync::mpsc::Sender;

use super::lines::{Line, Lines};
use super::{BATCH, Parsed};

/// Parses a whole file. An error is a sentence: the file cannot be read any further.
pub(super) fn parse(reader: impl BufRead, sender: &Sender<Parsed>) -> Result<(), String> {
    let mut lines = Lines::new(reader);
    let mut items = Vec::with_capacity(BATCH);
    let mut counted = 0;
    loop {
        let number = lines.number + 1;
        let line = lines
            .next()
            .map_err(|error| format!("after line {}: {error}", number - 1))?;
        let item = match line {
            None => break,
            Some(Line::Bad(why)) => Err(why.to_owned()),
            Some(Line::Text(text)) if text.trim().is_empty() => continue,
            Some(Line::Text(text)) => serde_json::from_str::<EndpointBatchItem>(text)
                .map_err(|error| format!("is not an endpoint: {error}")),
        };
        match item {
            Ok(item) => {
                items.push((number, item));
                counted += 1;
            }
            Err(reason) => send(sender, Parsed::Failure { line: number, reason })?,
        }
        if items.len() == BATCH {
            let items = std::mem::replace(&mut items, Vec::with_capacity(BATCH));
            send(
                sender,
                Parsed::Batch {
                    items,
                    lines: std::mem::take(&mut counted),
                },
            )?;
        }
    }
    send(
        sender,
        Parsed::Batch {
            items,
            lines: counted,
        },
    )
}

pub(super) fn send(sender: &Sender<Parsed>, parsed: Parsed) -> Result<(), String> {
    sender
        .blocking_send(parsed)
        .map_err(|_| "the server stops".to_owned())
}
