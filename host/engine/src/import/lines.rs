//! Physical lines of a file, so that a broken one harms only itself.

use std::io::{self, BufRead};

use pinion_domain::endpoint::EndpointBatchItem;
use tokio::sync::mpsc::Sender;

use super::{BATCH, Parsed};

/// A longer line is a failure of its own; the rest of it is passed over.
pub(super) const LONGEST: usize = 1024 * 1024;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Its text, without line end.
    Text(&'a str),
    /// Why it has none.
    Bad(&'static str),
}

/// Reads lines and counts them from 1.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    pub(super) number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            number: 0,
        }
    }

    /// The next line; `None` at the end. An error means that nothing more can be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let mut too_long = false;
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                if self.buffer.is_empty() && !too_long {
                    return Ok(None);
                }
                break;
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            if self.buffer.len() + part.len() > LONGEST {
                too_long = true;
            } else if !too_long {
                self.buffer.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        self.number += 1;
        if too_long {
            return Ok(Some(Line::Bad("is longer than 1 MiB")));
        }
        if self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        let bytes = if self.number == 1 {
            // Spreadsheets begin a file with a byte order mark.
            self.buffer.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.buffer)
        } else {
            &self.buffer
        };
        Ok(Some(match std::str::from_utf8(bytes) {
            Ok(text) => Line::Text(text),
            Err(_) => Line::Bad("is not UTF-8"),
        }))
    }
}

/// Parses line after line and sends what they say in batches; blank lines are passed over. An error is
/// a sentence: the file cannot be read any further.
pub(super) fn feed<R: BufRead>(
    mut lines: Lines<R>,
    sender: &Sender<Parsed>,
    mut parse: impl FnMut(&str) -> Result<EndpointBatchItem, String>,
) -> Result<(), String> {
    let send = |parsed| {
        sender
            .blocking_send(parsed)
            .map_err(|_| "the server stops".to_owned())
    };
    let mut items = Vec::with_capacity(BATCH);
    loop {
        let number = lines.number + 1;
        let line = lines
            .next()
            .map_err(|error| format!("after line {}: {error}", number - 1))?;
        let item = match line {
            None => return send(Parsed::Batch(items)),
            Some(Line::Bad(why)) => Err(why.to_owned()),
            Some(Line::Text(text)) if text.trim().is_empty() => continue,
            Some(Line::Text(text)) => parse(text),
        };
        match item {
            Ok(item) => items.push((number, item)),
            Err(reason) => send(Parsed::Failure { line: number, reason })?,
        }
        if items.len() == BATCH {
            send(Parsed::Batch(std::mem::replace(
                &mut items,
                Vec::with_capacity(BATCH),
            )))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_bad_ones_stand_alone() {
        let mut file = b"\xef\xbb\xbffirst\r\n".to_vec();
        file.extend(vec![b'x'; LONGEST + 10]);
        file.extend(b"\nbad \xff\n\nlast");
        let mut lines = Lines::new(io::BufReader::with_capacity(64, file.as_slice()));
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            seen.push(match line {
                Line::Text(text) => text.to_owned(),
                Line::Bad(why) => format!("<{why}>"),
            });
        }
        assert_eq!(
            seen,
            ["first", "<is longer than 1 MiB>", "<is not UTF-8>", "", "last"]
        );
        assert_eq!(lines.number, 5);
    }
}
