//! `Name <address>`, taken apart.

use mail_builder::headers::address::Address;

use super::header::refuse_control;
use crate::channel::SendError;

/// A person's name, if there is one, and a bare address in plain ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The name, without quotes.
    pub name: Option<String>,
    /// `local@domain`.
    pub address: String,
}

/// Why a text is no mailbox, as a sentence without the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAMailbox {
    /// It could change the mail's headers.
    Injection(String),
    /// It is not an address that a mail can be sent to.
    Syntax(String),
}

impl From<NotAMailbox> for SendError {
    fn from(problem: NotAMailbox) -> Self {
        let (NotAMailbox::Injection(words) | NotAMailbox::Syntax(words)) = problem;
        Self::Rejected(words)
    }
}

impl Mailbox {
    /// Reads `ann@example.com`, `Ann <ann@example.com>` or `"Ann, A." <ann@example.com>`. `what` begins the
    /// sentence of an error.
    pub fn parse(what: &str, text: &str) -> Result<Self, NotAMailbox> {
        let wrong = |words: &str| Err(NotAMailbox::Syntax(format!("{what} {words}")));
        refuse_control(what, text).map_err(NotAMailbox::Injection)?;
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, address)) => (unquoted(name.trim()), address.trim()),
            None => (String::new(), text),
        };
        let (local, domain) = address.rsplit_once('@').unwrap_or_default();
        let outside = |letter: char| letter.is_whitespace() || "<>()[],;:\\\"@".contains(letter);
        if local.is_empty() || domain.is_empty() || address.len() > 254 {
            return wrong("is not an e-mail address");
        }
        if local.contains(outside) || domain.contains(outside) {
            return wrong("has a character that e-mail addresses may not have");
        }
        if !address.is_ascii() {
            return wrong(
                "is not plain ASCII: write the domain in its xn-- form; names beyond ASCII are not supported",
            );
        }
        Ok(Self {
            name: (!name.is_empty()).then_some(name),
            address: address.to_owned(),
        })
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl<'a> From<&'a Mailbox> for Address<'a> {
    fn from(mailbox: &'a Mailbox) -> Self {
        Self::new_address(mailbox.name.as_deref(), mailbox.address.as_str())
    }
}

/// The words of a quoted string, or the text as it is.
fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let Some(inner) = inner else {
        return name.to_owned();
    };
    let mut words = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        words.extend(if letter == '\\' {
            letters.next()
        } else {
            Some(letter)
        });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        for (text, name, address) in [
            ("a@b.test", None, "a@b.test"),
            (" <a@b.test> ", None, "a@b.test"),
            ("Ann <a@b.test>", Some("Ann"), "a@b.test"),
            ("\"Ann, \\\"A\\\"\" <a@b.test>", Some("Ann, \"A\""), "a@b.test"),
            ("A <3 B <a@b.test>", Some("A <3 B"), "a@b.test"),
            ("o'neil+tag@b.test", None, "o'neil+tag@b.test"),
        ] {
            let mailbox = Mailbox::parse("it", text).unwrap();
            assert_eq!(
                (mailbox.name.as_deref(), mailbox.address.as_str()),
                (name, address),
                "{text}"
            );
            assert_eq!(mailbox.domain(), "b.test");
        }
    }

    #[test]
    fn what_is_no_address_is_told() {
        for text in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@b c",
            "a@b@c",
            "a@b, c@d",
            "<a@b",
            "ż@b.test",
            "a@ż.test",
        ] {
            let problem = Mailbox::parse("it", text);
            assert!(
                matches!(problem, Err(NotAMailbox::Syntax(_))),
                "{text}: {problem:?}"
            );
        }
        let long = format!("{}@b.test", "a".repeat(250));
        let problem = NotAMailbox::Syntax("it is not an e-mail address".to_owned());
        assert_eq!(Mailbox::parse("it", &long), Err(problem));
        let problem = NotAMailbox::Injection("it has a line break or another control character".to_owned());
        assert_eq!(Mailbox::parse("it", "a@b.test\r\nBcc: x@y"), Err(problem));
    }
}
