//! Bytes on the wire: replies as they come, messages as they go, addresses that may be said.
//!
//! Replies are not read by `smtp-proto`, which the outbox uses for requests: it keeps enhanced
//! codes in bytes (5.7.509 would become 5.7.255) and sets no bound to empty continuation lines.

use super::Reply;

/// What came and was not yet read.
#[derive(Default)]
pub(super) struct Incoming {
    /// Filled by the socket.
    pub(super) buffer: Vec<u8>,
    start: usize,
}

impl Incoming {
    /// Nothing is waiting to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// The next reply, if it is complete. Fails with a sentence on what is no reply, and on one of
    /// more than `limit` bytes.
    pub(super) fn reply(&mut self, limit: usize) -> Result<Option<Reply>, String> {
        let unread = &self.buffer[self.start..];
        let parsed = parse(&unread[..unread.len().min(limit)])?;
        match parsed {
            Some((reply, length)) => {
                self.start += length;
                if self.is_empty() {
                    self.buffer.clear();
                    self.start = 0;
                }
                Ok(Some(reply))
            }
            None if unread.len() >= limit => Err(format!("a reply of more than {limit} bytes")),
            None => Ok(None),
        }
    }
}

/// A whole reply and its length, if one is there.
fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, String> {
    let mut reply: Option<Reply> = None;
    let mut length = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else {
            return Ok(None);
        };
        length += line.len() + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (code, last, text) = parse_line(line).ok_or_else(|| {
            let start = &line[..line.len().min(60)];
            format!("not a reply: {:?}", String::from_utf8_lossy(start))
        })?;
        let (enhanced, text) = split_enhanced(code, text);
        let reply = match &mut reply {
            None => reply.insert(Reply { code, enhanced, text }),
            Some(reply) if reply.code == code => {
                reply.text.push('\n');
                reply.text.push_str(&text);
                reply.enhanced = reply.enhanced.take().or(enhanced);
                reply
            }
            Some(reply) => return Err(format!("a reply with two codes, {} and {code}", reply.code)),
        };
        if last {
            return Ok(Some((reply.clone(), length)));
        }
    }
    Ok(None)
}

/// Code, whether it is the last line, and the rest.
fn parse_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let digits = line.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    if !(200..600).contains(&code) {
        return None;
    }
    match line.get(3) {
        None => Some((code, true, &[])),
        Some(b' ') => Some((code, true, &line[4..])),
        Some(b'-') => Some((code, false, &line[4..])),
        Some(_) => None,
    }
}

/// Takes the enhanced code of RFC 3463 off a line: class (that of the reply), subject and detail of
/// up to three digits.
fn split_enhanced(code: u16, text: &[u8]) -> (Option<String>, String) {
    let text: String = String::from_utf8_lossy(text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let (first, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let mut parts = first.split('.');
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let class = parts.next().unwrap_or_default();
    let is_code = class.len() == 1
        && class.as_bytes()[0] == b'0' + u8::try_from(code / 100).unwrap_or_default()
        && parts.next().is_some_and(number)
        && parts.next().is_some_and(number)
        && parts.next().is_none();
    if is_code {
        (Some(first.to_owned()), rest.to_owned())
    } else {
        (None, text)
    }
}

/// The message as DATA carries it: every line ended by CRLF (bare CR and LF too, so that no server
/// sees an end where another sees none), leading dots doubled, and the final dot.
pub(super) fn body(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len() + message.len() / 32 + 16);
    let mut rest = message;
    while let Some(first) = rest.first() {
        if *first == b'.' {
            wire.push(b'.');
        }
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'\r' | b'\n'))
            .unwrap_or(rest.len());
        wire.extend_from_slice(&rest[..end]);
        wire.extend_from_slice(b"\r\n");
        rest = match &rest[end..] {
            [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
            [] => &[],
        };
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

/// May this stand between the angle brackets of MAIL or RCPT? Nothing that could end the path or
/// the line: no control characters, no brackets, no spaces, at most 254 bytes (RFC 5321 §4.5.3.1.3).
pub(super) fn is_path(address: &str) -> bool {
    address.len() <= 254
        && !address
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '<' || c == '>')
}

/// The address in ASCII, for servers without SMTPUTF8: the domain can be written so, the part before
/// the `@` cannot.
pub(super) fn to_ascii(address: &str) -> Option<String> {
    if address.is_ascii() {
        return Some(address.to_owned());
    }
    let (local, domain) = address.rsplit_once('@')?;
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(domain)) if local.is_ascii() => Some(format!("{local}@{domain}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_as_servers_write_them() {
        for (text, code, enhanced, expected) in [
            ("250 ok\r\n", 250, None, "ok"),
            ("250\r\n", 250, None, ""),
            ("250 \n", 250, None, ""),
            ("250 2.1.0 Sender ok\r\n", 250, Some("2.1.0"), "Sender ok"),
            (
                "550 5.7.509 Access denied\r\n",
                550,
                Some("5.7.509"),
                "Access denied",
            ),
            ("550 5.1.1\r\n", 550, Some("5.1.1"), ""),
            ("550 2.1.1 wrong class\r\n", 550, None, "2.1.1 wrong class"),
            ("550 5.1.1.1 too long\r\n", 550, None, "5.1.1.1 too long"),
            ("550-5.1.1 a\r\n550 5.1.1 b\r\n", 550, Some("5.1.1"), "a\nb"),
            ("550-a\r\n550 5.1.1 b\r\n", 550, Some("5.1.1"), "a\nb"),
            ("421 bye\x07\u{fc}\r\n", 421, None, "bye \u{fc}"),
        ] {
            let mut incoming = Incoming {
                buffer: [text.as_bytes(), b"354 next\r\n"].concat(),
                start: 0,
            };
            let reply = incoming.reply(1000).unwrap().unwrap();
            let expected = Reply {
                code,
                enhanced: enhanced.map(str::to_owned),
                text: expected.to_owned(),
            };
            assert_eq!(reply, expected, "{text:?}");
            assert_eq!(incoming.reply(1000).unwrap().unwrap().code, 354, "{text:?}");
            assert!(incoming.is_empty());
        }
    }

    #[test]
    fn a_reply_in_pieces_waits_for_its_end() {
        let whole = b"250-one\r\n250-two\r\n250 three\r\n";
        for cut in 0..whole.len() {
            let mut incoming = Incoming {
                buffer: whole[..cut].to_vec(),
                start: 0,
            };
            assert_eq!(incoming.reply(1000), Ok(None), "{cut}");
            incoming.buffer.extend_from_slice(&whole[cut..]);
            assert_eq!(incoming.reply(1000).unwrap().unwrap().text, "one\ntwo\nthree");
        }
    }

    #[test]
    fn nonsense_and_floods_are_errors() {
        for text in [
            "hello\r\n",
            "25\r\n",
            "\r\n",
            "999 x\r\n",
            "100 x\r\n",
            "250x\r\n",
            "250-a\r\n550 b\r\n",
        ] {
            let mut incoming = Incoming {
                buffer: text.into(),
                start: 0,
            };
            assert!(incoming.reply(1000).is_err(), "{text:?}");
        }
        let mut flood = Incoming {
            buffer: b"250-\r\n".repeat(1000),
            start: 0,
        };
        assert!(flood.reply(1000).is_err());
    }

    #[test]
    fn lines_end_in_crlf_and_dots_are_doubled() {
        for (message, expected) in [
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a\nb\rc\r\n", "a\r\nb\r\nc\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            (".a\r\n..b", "..a\r\n...b\r\n.\r\n"),
            ("a\n.\nQUIT\n", "a\r\n..\r\nQUIT\r\n.\r\n"),
            ("a\r.\r\nQUIT", "a\r\n..\r\nQUIT\r\n.\r\n"),
            ("\r\n\r\n", "\r\n\r\n.\r\n"),
            ("a\r\r\nb", "a\r\n\r\nb\r\n.\r\n"),
        ] {
            let wire = body(message.as_bytes());
            assert_eq!(String::from_utf8_lossy(&wire), expected, "{message:?}");
        }
    }

    #[test]
    fn addresses_cannot_smuggle_commands() {
        for (address, fine) in [
            ("", true),
            ("a@example.com", true),
            ("jürgen@example.com", true),
            ("a@example.com>\r\nRCPT TO:<b@example.com", false),
            ("a@example.com> SIZE=1", false),
            ("a\n@example.com", false),
            ("a\0@example.com", false),
            ("a b@example.com", false),
            ("a\u{2028}@example.com", false),
        ] {
            assert_eq!(is_path(address), fine, "{address:?}");
        }
        assert!(!is_path(&"a".repeat(255)));
    }

    #[test]
    fn domains_can_be_written_in_ascii() {
        for (address, expected) in [
            ("a@example.com", Some("a@example.com")),
            ("a@bücher.example", Some("a@xn--bcher-kva.example")),
            ("ä@bücher.example", None),
            ("ä", None),
        ] {
            assert_eq!(to_ascii(address).as_deref(), expected, "{address}");
        }
    }
}
