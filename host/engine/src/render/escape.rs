//! What keeps a value from being read as markup.

use std::fmt::Write as _;

/// How values are written into a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Escape {
    /// As they are: subjects, text parts, headers.
    None,
    /// As HTML text, the way Handlebars does it.
    Html,
    /// As the inside of a JSON string.
    Json,
}

impl Escape {
    /// Appends a value.
    pub(super) fn write(self, value: &str, out: &mut String) {
        match self {
            Self::None => out.push_str(value),
            Self::Html => write_escaped(value, out, |byte| {
                Some(match byte {
                    b'<' => "&lt;",
                    b'>' => "&gt;",
                    b'"' => "&quot;",
                    b'&' => "&amp;",
                    b'\'' => "&#x27;",
                    b'`' => "&#x60;",
                    b'=' => "&#x3D;",
                    _ => return None,
                })
            }),
            Self::Json => {
                for character in value.chars() {
                    match character {
                        '"' => out.push_str("\\\""),
                        '\\' => out.push_str("\\\\"),
                        '\n' => out.push_str("\\n"),
                        '\r' => out.push_str("\\r"),
                        '\t' => out.push_str("\\t"),
                        control if control < ' ' => {
                            write!(out, "\\u{:04x}", u32::from(control)).expect("a string takes all");
                        }
                        other => out.push(other),
                    }
                }
            }
        }
    }

    /// A value on its own.
    pub(super) fn text(self, value: &str) -> String {
        let mut text = String::with_capacity(value.len());
        self.write(value, &mut text);
        text
    }
}

/// Copies runs of harmless bytes at once; all that are replaced are ASCII.
fn write_escaped(value: &str, out: &mut String, replacement: impl Fn(u8) -> Option<&'static str>) {
    let mut done = 0;
    for (at, byte) in value.bytes().enumerate() {
        if let Some(replacement) = replacement(byte) {
            out.push_str(&value[done..at]);
            out.push_str(replacement);
            done = at + 1;
        }
    }
    out.push_str(&value[done..]);
}
