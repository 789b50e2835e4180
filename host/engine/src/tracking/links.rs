//! Finds the links of an HTML template and marks them for tracking, once per template.
//!
//! The marks are Handlebars themselves: the value of each `href` of an `<a>` or `<area>` is wrapped in
//! a `pinion-link` block, and `pinion-pixel` is put before `</body>`. So every byte outside stays, and
//! without tracking the template renders as if it had never been marked.

use std::borrow::Cow;
use std::ops::Range;

use super::token::target;
use super::{Stamp, Tracker, TrackingContext};

/// The block that wraps the value of an `href`.
pub const LINK: &str = "pinion-link";
/// The variable that becomes the open pixel.
pub const PIXEL: &str = "pinion-pixel";
/// Variables that become the unsubscribe link.
pub const UNSUBSCRIBE: [&str; 2] = ["UnsubscribeUrl", "pinion.UnsubscribeUrl"];

/// The template with its links and the place of the pixel marked.
pub fn mark(html: &str) -> String {
    let found = Scanner { html, at: 0 }.scan();
    let mut marks = Vec::with_capacity(2 * found.links.len() + 1);
    for link in found.links {
        if is_worth_marking(&html[link.clone()]) {
            marks.push((link.start, "{{#pinion-link}}"));
            marks.push((link.end, "{{/pinion-link}}"));
        }
    }
    let pixel = found.body_end.unwrap_or(html.len());
    // A backslash before `{{` would make it literal text; one more makes it a backslash.
    let mark = if html[..pixel].ends_with('\\') {
        "\\{{{pinion-pixel}}}"
    } else {
        "{{{pinion-pixel}}}"
    };
    marks.push((pixel, mark));
    marks.sort_by_key(|(place, _)| *place);

    let mut marked = String::with_capacity(html.len() + 16 * marks.len() + 16);
    let mut done = 0;
    for (place, mark) in marks {
        marked.push_str(&html[done..place]);
        marked.push_str(mark);
        done = place;
    }
    marked.push_str(&html[done..]);
    marked
}

/// Appends what the value of an `href` becomes: its click address, or itself if it is not to be
/// tracked (`mailto:`, `tel:`, `#fragment`, `javascript:` and the like, our own links).
pub fn write_tracked(track: &TrackingContext<'_>, href: &str, out: &mut String) {
    match destination(href) {
        Some(to) => write_click(track, href, &to, out),
        None => out.push_str(href),
    }
}

/// As [`write_tracked`] for a destination that was found before.
pub(crate) fn write_click(track: &TrackingContext<'_>, href: &str, to: &str, out: &mut String) {
    if track.tracker.is_own(to) {
        out.push_str(href);
    } else {
        track.tracker.write_click(&track.stamp, to, out);
    }
}

/// Where the value of an `href` leads, as the browser reads it, if that is a web address.
pub(crate) fn destination(href: &str) -> Option<Cow<'_, str>> {
    let link = unescape(href.trim_matches(|c: char| c.is_ascii_whitespace()));
    target(&link).is_some().then_some(link)
}

/// The element that counts an open.
pub(crate) fn pixel(tracker: &Tracker, stamp: &Stamp) -> String {
    let url = tracker.open_url(stamp);
    format!(r#"<img src="{url}" width="1" height="1" alt="" style="display:block;border:0">"#)
}

/// Links that can never be tracked stay unmarked, and so does what the marks would break.
fn is_worth_marking(value: &str) -> bool {
    let link = value.trim();
    // The backslash would turn the closing mark into text.
    if link.is_empty() || link.starts_with('#') || value.ends_with('\\') {
        return false;
    }
    if !link.contains("{{") {
        return destination(link).is_some();
    }
    let inner = link.trim_matches(|c: char| matches!(c, '{' | '}' | '~' | '&') || c.is_whitespace());
    // A value that opens a block without closing it cannot be wrapped.
    !UNSUBSCRIBE.contains(&inner) && handlebars::Template::compile(value).is_ok()
}

/// Character references as far as they occur in addresses: numeric ones and the five of XML.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        // The longest reference that is read here has nine characters.
        let end = rest.bytes().take(10).position(|byte| byte == b';');
        match end.and_then(|end| Some((reference(&rest[1..end])?, end))) {
            Some((character, end)) => {
                plain.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

/// What a template holds, by position.
#[derive(Default)]
struct Found {
    /// Values of `href`, in order, without their quotes.
    links: Vec<Range<usize>>,
    /// Before the last `</body`.
    body_end: Option<usize>,
}

/// Walks over HTML with Handlebars in it. An expression counts as one character, whatever it holds.
struct Scanner<'a> {
    html: &'a str,
    at: usize,
}

/// Elements whose content is text, whatever it looks like.
const RAW_TEXT: [&str; 8] = [
    "script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes",
];

impl Scanner<'_> {
    fn scan(mut self) -> Found {
        let mut found = Found::default();
        while self.at < self.html.len() {
            let rest = self.rest();
            if rest.starts_with("{{") {
                self.skip_expression();
            } else if rest.starts_with("<!--") {
                self.skip_past("-->");
            } else if rest.starts_with("<!") || rest.starts_with("<?") {
                self.skip_past(">");
            } else if rest.starts_with("</") {
                let start = self.at;
                self.at += 2;
                if self.name().eq_ignore_ascii_case("body") {
                    found.body_end = Some(start);
                }
                self.skip_past(">");
            } else if rest.starts_with('<') {
                self.at += 1;
                self.element(&mut found);
            } else {
                self.step();
            }
        }
        found
    }

    /// After the `<` of a start tag, or of a mere less-than sign.
    fn element(&mut self, found: &mut Found) {
        if !self.rest().starts_with(|c: char| c.is_ascii_alphabetic()) {
            return;
        }
        let name = self.name().to_ascii_lowercase();
        let is_link = matches!(name.as_str(), "a" | "area");
        while let Some(byte) = self.peek() {
            match byte {
                b'>' => {
                    self.at += 1;
                    break;
                }
                b'/' | b'=' => self.at += 1,
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => {
                    let attribute = self.name().to_ascii_lowercase();
                    if let Some(value) = self.value()
                        && is_link
                        && attribute == "href"
                    {
                        found.links.push(value);
                    }
                }
            }
        }
        if RAW_TEXT.contains(&name.as_str()) {
            self.skip_element(&name);
        }
    }

    /// A tag's or an attribute's name.
    fn name(&mut self) -> &str {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'=') {
                break;
            }
            self.step();
        }
        &self.html[start..self.at]
    }

    /// The value after an attribute's name, without quotes; `None` if there is no `=`.
    fn value(&mut self) -> Option<Range<usize>> {
        self.skip_whitespace();
        if self.peek() != Some(b'=') {
            return None;
        }
        self.at += 1;
        self.skip_whitespace();
        let quote = self.peek().filter(|byte| matches!(byte, b'"' | b'\''));
        self.at += usize::from(quote.is_some());
        let start = self.at;
        while let Some(byte) = self.peek() {
            let ends = match quote {
                Some(quote) => byte == quote,
                None => byte == b'>' || byte.is_ascii_whitespace(),
            };
            if ends {
                break;
            }
            self.step();
        }
        let value = start..self.at;
        // An unfinished quote is no value: the mail is broken there anyway.
        self.peek()?;
        self.at += usize::from(quote.is_some());
        Some(value)
    }

    /// One byte, or a whole expression.
    fn step(&mut self) {
        if self.rest().starts_with("{{") {
            self.skip_expression();
        } else {
            self.at += self.rest().chars().next().map_or(1, char::len_utf8);
        }
    }

    fn skip_expression(&mut self) {
        let html = self.html;
        let rest = &html[self.at..];
        let inside = rest.trim_start_matches('{').trim_start_matches('~');
        if inside.starts_with("!--") {
            match rest.find("--}}").into_iter().chain(rest.find("--~}}")).min() {
                Some(end) => {
                    self.at += end;
                    self.skip_past("}}");
                }
                None => self.at = self.html.len(),
            }
            return;
        }
        let braces = rest.len() - rest.trim_start_matches('{').len();
        self.at += braces;
        let mut quote = None;
        while let Some(byte) = self.peek() {
            match quote {
                Some(open) if byte == open => quote = None,
                Some(_) => {}
                None if inside.starts_with('!') => {}
                // In `[it's]` a quote is part of a name.
                None if byte == b'[' => quote = Some(b']'),
                None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
                None => {}
            }
            if quote.is_none() && self.rest().starts_with("}}") {
                break;
            }
            self.at += 1;
            while !self.html.is_char_boundary(self.at) {
                self.at += 1;
            }
        }
        while self.peek() == Some(b'}') {
            self.at += 1;
        }
    }

    fn skip_element(&mut self, name: &str) {
        while self.at < self.html.len() {
            let closes = self
                .rest()
                .strip_prefix("</")
                .and_then(|rest| rest.get(..name.len()))
                .is_some_and(|found| found.eq_ignore_ascii_case(name));
            if closes {
                return;
            }
            self.step();
        }
    }

    fn skip_past(&mut self, end: &str) {
        self.at = match self.rest().find(end) {
            Some(found) => self.at + found + end.len(),
            None => self.html.len(),
        };
    }

    fn skip_whitespace(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn rest(&self) -> &str {
        &self.html[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.html.as_bytes().get(self.at).copied()
    }
}
