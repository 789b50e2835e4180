//! Messages as people and programs read them: parsed when somebody looks, not when they arrive.

use std::borrow::Cow;

use mail_parser::{MessageParser, MimeHeaders};
use pinion_domain::clock::iso;
use serde::Serialize;

use super::{Arrival, Counters, Kind};

/// A page of `GET /outbox/api/messages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiPage {
    /// Oldest first.
    pub messages: Vec<ApiMessage>,
    /// What to give as `after` to go on.
    pub next_after: u64,
    /// What happened since the start.
    pub counters: Counters,
}

/// One arrival.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiMessage {
    /// Counts from 1, without gaps.
    pub seq: u64,
    /// When it arrived.
    pub at: String,
    /// `mail` or `post`.
    pub kind: &'static str,
    /// The envelope's sender; of a post, empty.
    pub from: String,
    /// The envelope's recipients; of a post, none.
    pub to: Vec<String>,
    /// Path of a post below the sink; of mail, empty.
    pub path: String,
    /// Decoded; of a post, empty.
    pub subject: String,
    /// Without angle brackets; empty if there is none.
    pub message_id: String,
    /// Unfolded, not decoded, in order.
    pub headers: Vec<(String, String)>,
    /// Targets of `<a href>` in the HTML, then addresses in the text, each once.
    pub links: Vec<String>,
    /// Sources of `<img>` in the HTML.
    pub images: Vec<String>,
    /// As it arrived; what is no UTF-8 is replaced.
    pub raw: String,
}

/// The pieces that only the page of one message shows.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Pieces {
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    /// Name and bytes.
    pub(super) attachments: Vec<(String, usize)>,
}

impl ApiMessage {
    pub(super) fn of(arrival: &Arrival) -> Self {
        let mut message = Self {
            seq: arrival.seq,
            at: iso(arrival.at),
            kind: "mail",
            from: String::new(),
            to: Vec::new(),
            path: String::new(),
            subject: String::new(),
            message_id: String::new(),
            headers: Vec::new(),
            links: Vec::new(),
            images: Vec::new(),
            raw: String::from_utf8_lossy(&arrival.raw).into_owned(),
        };
        match &arrival.kind {
            Kind::Post { path, headers } => {
                message.kind = "post";
                message.path.clone_from(path);
                message.headers.clone_from(headers);
                links_of_text(&message.raw, &mut message.links);
            }
            Kind::Mail { from, to } => {
                message.from.clone_from(from);
                message.to.clone_from(to);
                message.read_mail(&arrival.raw);
            }
        }
        message
    }

    fn read_mail(&mut self, raw: &[u8]) {
        // Only an empty message is none.
        let Some(parsed) = MessageParser::default().parse(raw) else {
            return;
        };
        self.subject = parsed.subject().unwrap_or_default().to_owned();
        self.message_id = parsed.message_id().unwrap_or_default().to_owned();
        self.headers = parsed
            .headers_raw()
            .map(|(name, value)| (name.to_owned(), unfold(value)))
            .collect();
        let pieces = Pieces::of(raw);
        if let Some(html) = &pieces.html {
            attributes(html, "a", "href", &mut self.links);
            attributes(html, "img", "src", &mut self.images);
        }
        if let Some(text) = &pieces.text {
            links_of_text(text, &mut self.links);
        }
    }
}

/// The decoded subject of a mail, which is all that the list needs.
pub(super) fn subject(arrival: &Arrival) -> String {
    MessageParser::default()
        .parse_headers(&arrival.raw[..])
        .and_then(|parsed| parsed.subject().map(str::to_owned))
        .unwrap_or_default()
}

impl Pieces {
    pub(super) fn of(raw: &[u8]) -> Self {
        let Some(parsed) = MessageParser::default().parse(raw) else {
            return Self::default();
        };
        // Asked for a kind of body that a message has not, the parser converts the other.
        let html = parsed.html_bodies().find(|part| part.is_text_html());
        let text = parsed
            .text_bodies()
            .find(|part| part.is_text() && !part.is_text_html());
        let attachments = parsed.attachments().map(|part| {
            let name = part.attachment_name().unwrap_or("unnamed").to_owned();
            (name, part.contents().len())
        });
        Self {
            html: html.and_then(|part| part.text_contents()).map(str::to_owned),
            text: text.and_then(|part| part.text_contents()).map(str::to_owned),
            attachments: attachments.collect(),
        }
    }
}

fn unfold(value: &str) -> String {
    value.replace("\r\n", "").trim().to_owned()
}

/// Notes each web address of a text.
fn links_of_text(text: &str, links: &mut Vec<String>) {
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\')) {
        let start = [word.find("https://"), word.find("http://")]
            .into_iter()
            .flatten()
            .min();
        if let Some(start) = start {
            let link = word[start..].trim_end_matches(['.', ',', ';', ':', ')', ']', '}', '\'', '!', '?']);
            note(link.to_owned(), links);
        }
    }
}

/// Notes the values of an attribute of all elements of a name. It reads what mail programs write, and
/// makes no claim to be a browser.
fn attributes(html: &str, element: &str, attribute: &str, values: &mut Vec<String>) {
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let name = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let is_element = rest[..name].eq_ignore_ascii_case(element);
        rest = &rest[name..];
        while let Some((name, value, after)) = next_attribute(rest) {
            if is_element && name.eq_ignore_ascii_case(attribute) {
                note(decode(value).into_owned(), values);
            }
            rest = after;
        }
    }
}

/// Name, value (still encoded) and what follows; nothing at the end of the tag.
fn next_attribute(tag: &str) -> Option<(&str, &str, &str)> {
    let tag = tag.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
    let end = tag
        .find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/' | '<'))
        .unwrap_or(tag.len());
    let (name, rest) = tag.split_at(end);
    if name.is_empty() {
        return None;
    }
    let Some(value) = rest.trim_start().strip_prefix('=') else {
        return Some((name, "", rest));
    };
    let value = value.trim_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            let (value, after) = quoted.split_once(quote).unwrap_or((quoted, ""));
            return Some((name, value, after));
        }
    }
    let end = value
        .find(|c: char| c.is_whitespace() || c == '>')
        .unwrap_or(value.len());
    Some((name, &value[..end], &value[end..]))
}

/// The entities that stand in addresses.
fn decode(value: &str) -> Cow<'_, str> {
    if !value.contains('&') {
        return Cow::Borrowed(value);
    }
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find('&') {
        decoded.push_str(&rest[..start]);
        rest = &rest[start..];
        let entity = rest.find(';').map(|end| (&rest[1..end], end + 1));
        match entity.and_then(|(name, length)| Some((character(name)?, length))) {
            Some((c, length)) => {
                decoded.push(c);
                rest = &rest[length..];
            }
            None => {
                decoded.push('&');
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

fn character(entity: &str) -> Option<char> {
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        numeric => {
            let digits = numeric.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(number.ok()?)?
        }
    })
}

fn note(value: String, values: &mut Vec<String>) {
    if !value.is_empty() && !values.contains(&value) {
        values.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_as_mail_programs_write_them() {
        let html = r#"<A class=x HREF = "https://a.test/?x=1&amp;y=2&#x26;z">a</A><!-- <a href="no"> -->
            <a href='https://b.test/"q"'>b</a><a href=https://c.test/d>c</a><a>none</a><abbr href="no"></abbr>
            <a data-href="no" href="https://a.test/?x=1&y=2&z">again</a><img src="https://i.test/p.gif"/>
            <a href="" name>x</a><a href="https://d.test/?a>b">d</a> 1 < 2 <a href="cut"#;
        let (mut links, mut images) = (Vec::new(), Vec::new());
        attributes(html, "a", "href", &mut links);
        attributes(html, "img", "src", &mut images);
        let expected = [
            "https://a.test/?x=1&y=2&z",
            "https://b.test/\"q\"",
            "https://c.test/d",
            "https://d.test/?a>b",
            "cut",
        ];
        assert_eq!(links, expected);
        assert_eq!(images, ["https://i.test/p.gif"]);
    }

    #[test]
    fn addresses_are_found_in_text() {
        let mut links = Vec::new();
        links_of_text(
            "See https://a.test/x?y=(1), (http://b.test). <https://c.test/>: {\"u\":\"https://d.test/\"}",
            &mut links,
        );
        let expected = [
            "https://a.test/x?y=(1",
            "http://b.test",
            "https://c.test/",
            "https://d.test/",
        ];
        assert_eq!(links, expected);
    }

    #[test]
    fn both_bodies_and_attachments_are_told_apart() {
        let raw = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x.test>\r\nX-Long: one\r\n two\r\n\
            MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
            Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\r\nhi https://t.test\r\n--a\r\n\
            Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            <p>h=C3=A4 <a href=3D\"https://h.test\">x</a></p>\r\n--a--\r\n--m\r\n\
            Content-Type: text/csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\r\n1,2\r\n--m--\r\n";
        let pieces = Pieces::of(raw.as_bytes());
        assert_eq!(pieces.text.as_deref(), Some("hi https://t.test"));
        assert_eq!(
            pieces.html.as_deref(),
            Some("<p>hä <a href=\"https://h.test\">x</a></p>")
        );
        assert_eq!(pieces.attachments, [("a.csv".to_owned(), 3)]);
        let arrival = Arrival {
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            kind: Kind::Mail {
                from: "a@x.test".to_owned(),
                to: vec!["b@x.test".to_owned()],
            },
            raw: raw.into(),
        };
        let message = ApiMessage::of(&arrival);
        assert_eq!(message.subject, "Grüße");
        assert_eq!(subject(&arrival), "Grüße");
        assert_eq!(message.message_id, "1@x.test");
        assert_eq!(message.links, ["https://h.test", "https://t.test"]);
        assert_eq!(message.headers[2], ("X-Long".to_owned(), "one two".to_owned()));
    }

    #[test]
    fn what_is_no_mail_is_shown_all_the_same() {
        for raw in ["", "\r\n", "no header\r\n", "\u{0}\u{1}"] {
            let arrival = Arrival {
                seq: 1,
                at: jiff::Timestamp::UNIX_EPOCH,
                kind: Kind::Mail {
                    from: String::new(),
                    to: vec![],
                },
                raw: raw.into(),
            };
            assert_eq!(ApiMessage::of(&arrival).raw, raw);
        }
    }
}
