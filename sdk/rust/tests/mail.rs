//! Mails read back with another library's parser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use mail_parser::{HeaderValue, MessageParser, MimeHeaders};
use pinion_sdk::mail::Mail;
use pinion_sdk::smtp::Envelope;
use pinion_sdk::testing::message;
use pinion_sdk::{Message, Part, SendError};

fn text(message: &Message) -> String {
    String::from_utf8(Mail::of(message).unwrap().text).unwrap()
}

/// The lines of the head, with folding undone.
fn head(text: &str) -> Vec<String> {
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    head.replace("\r\n ", " ")
        .replace("\r\n\t", " ")
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn text_and_html_are_alternatives() {
    let text = text(&message("d1"));
    let mail = MessageParser::default().parse(&text).unwrap();
    assert_eq!(
        mail.content_type().unwrap().c_subtype.as_deref(),
        Some("alternative")
    );
    assert_eq!(mail.subject(), Some("Hello"));
    assert_eq!(mail.message_id(), Some("d1@example.com"));
    assert!(mail.date().is_some());
    assert_eq!(mail.body_text(0).as_deref(), Some("Hello, Nina"));
    assert_eq!(mail.body_html(0).as_deref(), Some("<p>Hello, Nina</p>"));
    let names: Vec<_> = head(&text)
        .iter()
        .map(|line| line.split_once(':').unwrap().0.to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "From",
            "To",
            "Subject",
            "Message-ID",
            "Date",
            "MIME-Version",
            "Content-Type"
        ]
    );
}

#[test]
fn a_mail_that_the_client_wrote_leaves_as_it_is() {
    let mut raw = message("d1");
    let mail = b"Subject: mine\r\nX-Bytes: \xff\r\n\r\n--\r\n".to_vec();
    raw.parts = vec![Part::Raw(mail.clone())];
    let built = Mail::of(&raw).unwrap();
    assert_eq!(built.text, mail);
    assert_eq!(
        (built.sender.as_str(), built.recipient.as_str()),
        ("shop@example.com", "nina@example.com")
    );
    raw.to.value = "nobody".to_owned();
    assert!(matches!(Mail::of(&raw), Err(SendError::InvalidAddress(_))));
}

#[test]
fn one_body_needs_no_multipart() {
    let mut only_html = message("d1");
    only_html.parts.retain(|part| matches!(part, Part::Html(_)));
    let only_html = text(&only_html);
    assert!(
        only_html.contains("Content-Type: text/html; charset=\"utf-8\""),
        "{only_html}"
    );
    assert!(!only_html.contains("multipart"));

    let mut nothing = message("d1");
    nothing.parts.retain(|part| matches!(part, Part::Subject(_)));
    assert!(matches!(Mail::of(&nothing), Err(SendError::Rejected(_))));
}

#[test]
fn letters_beyond_ascii_arrive() {
    let mut mail = message("d1");
    mail.from = Some("\"Żółć, \\\"Shop\\\"\" <shop@example.com>".to_owned());
    mail.reply_to = vec![
        "Pomoc 日本 <help@example.com>".to_owned(),
        "b@example.com".to_owned(),
    ];
    mail.parts = vec![
        Part::Subject("Zażółć gęślą jaźń 🎉 – ".repeat(6).trim().to_owned()),
        Part::Text("Cześć, Łucja 🎉\n.\nZa kropką".to_owned()),
    ];
    let text = text(&mail);
    assert!(text.split_once("\r\n\r\n").unwrap().0.is_ascii());
    assert!(text.lines().all(|line| line.len() <= 998));

    let parsed = MessageParser::default().parse(&text).unwrap();
    assert_eq!(parsed.subject(), mail.subject());
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some("Żółć, \"Shop\""));
    assert_eq!(from.address(), Some("shop@example.com"));
    let HeaderValue::Address(reply_to) = parsed.header("Reply-To").unwrap() else {
        panic!("addresses are expected")
    };
    let reply_to: Vec<_> = reply_to
        .iter()
        .map(|mailbox| (mailbox.name(), mailbox.address()))
        .collect();
    assert_eq!(
        reply_to,
        [
            (Some("Pomoc 日本"), Some("help@example.com")),
            (None, Some("b@example.com"))
        ]
    );
    assert_eq!(
        parsed.body_text(0).unwrap().replace("\r\n", "\n").trim_end(),
        "Cześć, Łucja 🎉\n.\nZa kropką"
    );
}

#[test]
fn the_hosts_headers_stay_as_they_are() {
    let link = format!("<https://track.example.com/u/{}>", "a1".repeat(150));
    let mut mail = message("d1");
    mail.headers = vec![
        ("List-Unsubscribe".to_owned(), link.clone()),
        (
            "List-Unsubscribe-Post".to_owned(),
            "List-Unsubscribe=One-Click".to_owned(),
        ),
        ("X-Kampania".to_owned(), "święta".to_owned()),
    ];
    let head = head(&text(&mail));
    assert!(head.contains(&format!("List-Unsubscribe: {link}")), "{head:#?}");
    assert!(head.contains(&"List-Unsubscribe-Post: List-Unsubscribe=One-Click".to_owned()));
    assert!(
        head.iter().any(|line| line.starts_with("X-Kampania: =?utf-8?")),
        "{head:#?}"
    );
}

#[test]
fn nothing_injects_a_header() {
    type Change = fn(&mut Message, String);
    let places: [(&str, Change); 8] = [
        ("subject", |mail, evil| mail.parts[0] = Part::Subject(evil)),
        ("to", |mail, evil| mail.to.value = format!("{evil}@example.com")),
        ("from name", |mail, evil| {
            mail.from = Some(format!("{evil} <shop@example.com>"));
        }),
        ("from address", |mail, evil| {
            mail.from = Some(format!("shop@example.com{evil}"));
        }),
        ("reply-to", |mail, evil| {
            mail.reply_to = vec![format!("{evil}@example.com")];
        }),
        ("header value", |mail, evil| {
            mail.headers = vec![("X-A".to_owned(), evil)];
        }),
        ("header name", |mail, evil| {
            mail.headers = vec![(evil, "b".to_owned())];
        }),
        ("delivery id", |mail, evil| mail.delivery_id = evil),
    ];
    for (place, change) in places {
        for evil in [
            "a\r\nBcc: x@evil.test",
            "a\nBcc: x@evil.test",
            "a\rBcc: x",
            "a\0b",
            "a\u{85}b",
        ] {
            let mut mail = message("d1");
            change(&mut mail, evil.to_owned());
            let result = Mail::of(&mail);
            assert!(
                matches!(result, Err(SendError::Rejected(_))),
                "{place} {evil:?}: {result:?}"
            );
        }
    }
}

#[test]
fn headers_of_the_mail_itself_cannot_be_set() {
    for name in ["Bcc", "from", "Content-Type", "MESSAGE-ID", "", "A B", "A:", "Ą"] {
        let mut mail = message("d1");
        mail.headers = vec![(name.to_owned(), "x".to_owned())];
        assert!(matches!(Mail::of(&mail), Err(SendError::Rejected(_))), "{name:?}");
    }
    let mut long = message("d1");
    long.headers = vec![("X-Long".to_owned(), "a".repeat(1_000))];
    assert!(matches!(Mail::of(&long), Err(SendError::Rejected(_))));
}

#[test]
fn an_address_that_cannot_be_is_invalid_and_not_repeated() {
    let mut mail = message("d1");
    mail.to.value = "nina example.com".to_owned();
    let Err(SendError::InvalidAddress(text)) = Mail::of(&mail) else {
        panic!("it is no address")
    };
    assert!(!text.contains("nina"));
}

#[test]
fn a_message_needs_a_sender() {
    let mut mail = message("d1");
    mail.from = None;
    assert!(matches!(Mail::of(&mail), Err(SendError::Misconfigured(_))));
}

#[test]
fn the_envelope_has_bare_addresses() {
    let mut mail = message("d1");
    mail.from = Some("Shop <shop@example.com>".to_owned());
    mail.to.value = "Nina <nina@example.com>".to_owned();
    let envelope = Envelope {
        mail_from: "shop@example.com".to_owned(),
        rcpt_to: vec!["nina@example.com".to_owned()],
    };
    assert_eq!(Mail::of(&mail).unwrap().envelope(), envelope);
}
