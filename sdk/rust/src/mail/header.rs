//! Headers that a message brings along.

use mail_builder::headers::HeaderType;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;

use crate::channel::SendError;

/// RFC 5322 §2.1.1: no line may be longer than 998 bytes, and a word cannot be folded.
const LONGEST_WORD: usize = 900;

/// Headers that are built from the message itself; a second one would contradict the first.
const OURS: [&str; 11] = [
    "from",
    "sender",
    "to",
    "cc",
    "bcc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "return-path",
];

/// A header's value as it goes into the mail, if it may.
pub fn checked<'a>(name: &str, value: &'a str) -> Result<HeaderType<'a>, SendError> {
    let rejected = |words: String| Err(SendError::Rejected(words));
    let is_name = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if name.is_empty() || name.len() > 76 || !name.bytes().all(is_name) {
        return rejected("a header has a name that no header may have".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    if OURS.contains(&lower.as_str()) || lower.starts_with("content-") {
        return rejected(format!("the header {name} cannot be set"));
    }
    refuse_control(&format!("the header {name}"), value).map_err(SendError::Rejected)?;
    if !value.is_ascii() {
        return Ok(HeaderType::Text(Text::new(value)));
    }
    if value.split(' ').any(|word| word.len() > LONGEST_WORD) {
        return rejected(format!("the header {name} is too long for a line"));
    }
    // As it is: an encoded `List-Unsubscribe` would be no link any more.
    Ok(HeaderType::Raw(Raw::new(value)))
}

/// `what` begins the sentence of the error.
pub fn refuse_control(what: &str, text: &str) -> Result<(), String> {
    if text.chars().any(|letter| letter.is_control() && letter != '\t') {
        return Err(format!("{what} has a line break or another control character"));
    }
    Ok(())
}
