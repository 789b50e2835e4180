//! A whole mail that the client wrote (RFC 5322): checked, and completed with what every mail must have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use pinion_domain::id::MessageId;

/// Bytes (user guide, "Quotas": e-mail quotas).
const LARGEST: usize = 10 * 1_024 * 1_024;
/// Bytes of a line (RFC 5322, 2.1.1), the line's end included.
const LONGEST_LINE: usize = 1_000;
/// Headers that are the way's and not the mail's: they would tell recipients of each other, or lie about who
/// carried the mail.
const REMOVED: [&str; 5] = ["bcc", "return-path", "received", "resent-bcc", "delivered-to"];

/// Why a raw mail cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawMailError {
    /// The data is not base64.
    #[error("is not base64")]
    Base64,
    /// It is larger than mail may be.
    #[error("has {0} bytes, at most {LARGEST} are allowed")]
    TooLarge(usize),
    /// It does not begin with headers.
    #[error("line {0} is no header: a mail begins with headers, then an empty line, then its body")]
    NoHeader(usize),
    /// Relays refuse it.
    #[error("line {0} is longer than {LONGEST_LINE} bytes")]
    LongLine(usize),
}

/// A raw mail, read.
#[derive(Clone, Debug)]
pub struct RawMail {
    /// Each with its folded lines, lines ended by CRLF.
    headers: Vec<u8>,
    /// Lower case.
    names: Vec<String>,
    body: Vec<u8>,
}

impl RawMail {
    /// Reads base64 with or without line breaks.
    pub fn read(data: &str) -> Result<Self, RawMailError> {
        let text: String = data
            .chars()
            .filter(|letter| !letter.is_ascii_whitespace())
            .collect();
        let mail = STANDARD.decode(text).map_err(|_| RawMailError::Base64)?;
        if mail.len() > LARGEST {
            return Err(RawMailError::TooLarge(mail.len()));
        }
        Self::parse(&mail)
    }

    fn parse(mail: &[u8]) -> Result<Self, RawMailError> {
        let mut this = Self {
            headers: Vec::new(),
            names: Vec::new(),
            body: Vec::with_capacity(mail.len() + mail.len() / 50),
        };
        let mut in_body = false;
        let mut keeps = false;
        for (at, line) in lines(mail).enumerate() {
            if line.len() + 2 > LONGEST_LINE {
                return Err(RawMailError::LongLine(at + 1));
            }
            if in_body {
                append(&mut this.body, line);
            } else if line.is_empty() {
                in_body = true;
            } else if line[0] == b' ' || line[0] == b'\t' {
                if this.names.is_empty() {
                    return Err(RawMailError::NoHeader(at + 1));
                }
                if keeps {
                    append(&mut this.headers, line);
                }
            } else {
                let name = header_name(line).ok_or(RawMailError::NoHeader(at + 1))?;
                keeps = !REMOVED.contains(&name.as_str());
                if keeps {
                    append(&mut this.headers, line);
                }
                this.names.push(name);
            }
        }
        if this.names.is_empty() {
            return Err(RawMailError::NoHeader(1));
        }
        Ok(this)
    }

    /// Bytes, as far as the client wrote them.
    pub fn size(&self) -> usize {
        self.headers.len() + self.body.len()
    }

    /// The mail as it leaves. `From`, `To`, `Date` and `Message-ID` are added if the client left them out; the
    /// last is the same at every try.
    pub fn to_recipient(&self, from: &str, to: &str, id: &MessageId, at: Timestamp) -> Vec<u8> {
        let domain = from.trim_end_matches('>').rsplit_once('@');
        let domain = domain.map_or("localhost", |(_, domain)| domain);
        let missing = [
            ("From", from.to_owned()),
            ("To", to.to_owned()),
            ("Date", at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()),
            ("Message-ID", format!("<{id}@{domain}>")),
        ];
        let mut mail = Vec::with_capacity(self.size() + 256);
        for (name, value) in missing {
            if !self.names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                append(&mut mail, format!("{name}: {value}").as_bytes());
            }
        }
        mail.extend_from_slice(&self.headers);
        mail.extend_from_slice(b"\r\n");
        mail.extend_from_slice(&self.body);
        mail
    }
}

fn append(text: &mut Vec<u8>, line: &[u8]) {
    text.extend_from_slice(line);
    text.extend_from_slice(b"\r\n");
}

/// Lines without their ends. A CR alone ends a line too: a relay might take it for one.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.filter(|text| !text.is_empty())?;
        let Some(end) = text.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            rest = None;
            return Some(text);
        };
        let behind = if text[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = Some(&text[end + behind..]);
        Some(&text[..end])
    })
}

fn header_name(line: &[u8]) -> Option<String> {
    let end = line.iter().position(|byte| *byte == b':')?;
    let name = &line[..end];
    let fits = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    fits.then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mail: &str) -> Result<RawMail, RawMailError> {
        RawMail::read(&STANDARD.encode(mail))
    }

    fn sent(mail: &str) -> String {
        let mail = read(mail).unwrap();
        let at = "2026-11-23T10:00:00Z".parse().unwrap();
        let sent = mail.to_recipient("Books <news@books.test>", "ann@example.com", &"id1".into(), at);
        String::from_utf8(sent).unwrap()
    }

    #[test]
    fn a_whole_mail_stays_as_it_is() {
        let mail = "From: a@b.c\r\nTo: x@y.z\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@b.c>\r\n\
                    Subject: one\r\n\ttwo\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nżółw\r\n--x--\r\n";
        assert_eq!(sent(mail), mail);
    }

    #[test]
    fn what_is_missing_is_added_and_what_tells_too_much_is_removed() {
        let mail = "Subject: hi\nBcc: secret@example.com,\n other@example.com\nReturn-Path: <x@y.z>\nX-A: b\n\nline\rtwo\n.\n";
        assert_eq!(
            sent(mail),
            "From: Books <news@books.test>\r\nTo: ann@example.com\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\
             Message-ID: <id1@books.test>\r\nSubject: hi\r\nX-A: b\r\n\r\nline\r\ntwo\r\n.\r\n"
        );
    }

    #[test]
    fn what_is_no_mail_is_refused() {
        for (mail, error) in [
            ("", RawMailError::NoHeader(1)),
            ("\r\nbody", RawMailError::NoHeader(1)),
            ("just words", RawMailError::NoHeader(1)),
            (" folded: x\r\n\r\n", RawMailError::NoHeader(1)),
            ("A: b\r\nno header\r\n", RawMailError::NoHeader(2)),
            (
                &format!("A: b\r\n\r\n{}", "x".repeat(999)),
                RawMailError::LongLine(3),
            ),
        ] {
            assert_eq!(read(mail).map(|_| ()), Err(error), "{mail:?}");
        }
        assert_eq!(RawMail::read("%%%").map(|_| ()), Err(RawMailError::Base64));
        assert!(
            RawMail::read("QTogYg0K\r\nDQpj").is_ok(),
            "line breaks in base64 are fine"
        );
    }
}
