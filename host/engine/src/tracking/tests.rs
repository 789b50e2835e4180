use pinion_domain::id::MessageId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::links::{mark, write_tracked};
use super::*;

fn key(id: u8) -> TrackingKey {
    TrackingKey { id, key: [id; 32] }
}

fn tracker(keys: &[TrackingKey]) -> Tracker {
    Tracker::new(keys, &Url::parse("https://mail.example.com/p/").unwrap()).unwrap()
}

fn token(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

#[test]
fn a_tokens_content_comes_back() {
    let tracker = tracker(&[key(1)]);
    let message = MessageId::from("0123456789abcdef0123456789abcdef");
    let stamps = [
        Stamp::of_run(1, 1, 0, 0),
        Stamp::of_run(i64::MAX, i64::MAX, 255, u32::MAX),
        Stamp::of_run(-1, 300, 4, 128),
        Stamp::of_direct(7, 99, &message).unwrap(),
    ];
    for stamp in stamps {
        let open = tracker.open_url(&stamp);
        assert!(open.starts_with("https://mail.example.com/p/t/o/"), "{open}");
        let expected = Token { stamp, target: None };
        assert_eq!(tracker.verify(Kind::Open, token(&open)), Some(expected.clone()));
        let unsubscribe = tracker.unsubscribe_url(&stamp);
        assert!(unsubscribe.starts_with("https://mail.example.com/p/t/u/"));
        assert_eq!(
            tracker.verify(Kind::Unsubscribe, token(&unsubscribe)),
            Some(expected)
        );
        let click = tracker
            .click_url(&stamp, "https://shop.example/ü?a=1&b=%20#top")
            .unwrap();
        assert!(click.starts_with("https://mail.example.com/p/t/c/"));
        let expected = Token {
            stamp,
            target: Some(Url::parse("https://shop.example/%C3%BC?a=1&b=%20#top").unwrap()),
        };
        assert_eq!(tracker.verify(Kind::Click, token(&click)), Some(expected));
    }
    assert_eq!(stamps[3].direct_message(), Some(message));
    assert_eq!(stamps[0].direct_message(), None);
    assert_eq!(Stamp::of_direct(1, 1, &"short".into()), None);
}

#[test]
fn a_token_is_good_for_one_kind_only() {
    let tracker = tracker(&[key(1)]);
    let url = tracker.open_url(&Stamp::of_run(1, 2, 0, 3));
    for kind in [Kind::Click, Kind::Unsubscribe] {
        assert_eq!(tracker.verify(kind, token(&url)), None);
    }
}

#[test]
fn a_changed_token_is_refused() {
    let tracker = tracker(&[key(1), key(65)]);
    let stamp = Stamp::of_run(12, 345, 1, 67_890);
    let url = tracker.click_url(&stamp, "https://shop.example/sale").unwrap();
    let good = token(&url);
    assert!(tracker.verify(Kind::Click, good).is_some());
    for place in 0..good.len() {
        for other in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/ \x00\xff" {
            let mut bytes = good.as_bytes().to_vec();
            if bytes[place] == *other {
                continue;
            }
            bytes[place] = *other;
            let text = String::from_utf8_lossy(&bytes);
            for kind in [Kind::Open, Kind::Click, Kind::Unsubscribe] {
                assert_eq!(tracker.verify(kind, &text), None, "{place} {other}");
            }
        }
        assert_eq!(tracker.verify(Kind::Click, &good[..place]), None);
        assert_eq!(tracker.verify(Kind::Click, &good[place + 1..]), None);
    }
    let long = "A".repeat(100_000);
    for bad in ["", "A", "====", long.as_str()] {
        assert_eq!(tracker.verify(Kind::Click, bad), None);
    }
}

#[test]
fn old_links_stay_valid_when_keys_rotate() {
    let stamp = Stamp::of_run(1, 2, 3, 4);
    let old = tracker(&[key(1)]).unsubscribe_url(&stamp);
    let rotated = tracker(&[key(2), key(1)]);
    assert!(rotated.verify(Kind::Unsubscribe, token(&old)).is_some());
    let new = rotated.unsubscribe_url(&stamp);
    assert_ne!(old, new);
    assert!(
        tracker(&[key(2)])
            .verify(Kind::Unsubscribe, token(&new))
            .is_some()
    );
    assert!(
        tracker(&[key(2)])
            .verify(Kind::Unsubscribe, token(&old))
            .is_none()
    );
    // The same id with another key's bytes is another key.
    let forged = TrackingKey { id: 1, key: [9; 32] };
    assert!(
        tracker(&[forged])
            .verify(Kind::Unsubscribe, token(&old))
            .is_none()
    );
}

#[test]
fn a_tracker_needs_keys_and_a_web_address() {
    let url = |url: &str| Url::parse(url).unwrap();
    let error = |keys: &[TrackingKey], base: &str| Tracker::new(keys, &url(base)).unwrap_err();
    assert_eq!(error(&[], "https://a.example"), TrackerError::NoKey);
    assert_eq!(
        error(&[key(1), key(1)], "https://a.example"),
        TrackerError::DuplicateKey(1)
    );
    for base in [
        "ftp://a.example",
        "mailto:a@a.example",
        "https://a.example/?q",
        "https://a.example/#f",
    ] {
        assert_eq!(error(&[key(1)], base), TrackerError::PublicUrl);
    }
    assert!(!format!("{:?}", key(7)).contains("7, 7"));
}

#[test]
fn only_web_addresses_are_targets() {
    for good in [
        "http://a.example",
        "HTTPS://A.example/x?y=z&w#f",
        "https://user@[::1]:8080/",
        "https://bücher.example",
    ] {
        assert!(target(good).is_some(), "{good}");
    }
    let long = format!("https://a.example/{}", "x".repeat(LONGEST_TARGET));
    for bad in [
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "mailto:a@b.example",
        "tel:+1",
        "sms:1",
        "#top",
        "/path",
        "//host/path",
        "path",
        "ftp://a.example",
        "file:///etc/passwd",
        "https://",
        "https:///",
        "http:",
        "https://a b.example",
        "https://a.example/\r\nSet-Cookie:x",
        "blob:https://a.example/x",
        long.as_str(),
    ] {
        assert_eq!(target(bad), None, "{bad}");
        let tracker = tracker(&[key(1)]);
        assert_eq!(tracker.click_url(&Stamp::of_run(1, 1, 0, 1), bad), None, "{bad}");
    }
    let almost = format!("https://a.example/{}", "x".repeat(LONGEST_TARGET - 18));
    let tracker = tracker(&[key(1)]);
    let url = tracker.click_url(&Stamp::of_run(1, 1, 0, 1), &almost).unwrap();
    assert_eq!(
        tracker
            .verify(Kind::Click, token(&url))
            .unwrap()
            .target
            .unwrap()
            .as_str(),
        almost
    );
}

/// `[…]` for what is marked, `^` for the pixel.
fn marks(html: &str) -> String {
    mark(html)
        .replace("{{#pinion-link}}", "[")
        .replace("{{/pinion-link}}", "]")
        .replace("{{{pinion-pixel}}}", "^")
}

#[test]
fn links_are_found_as_a_browser_finds_them() {
    for (html, expected) in [
        (
            r#"<a href="https://a.example">x</a>"#,
            r#"<a href="[https://a.example]">x</a>^"#,
        ),
        ("<a href='https://a.example'>", "<a href='[https://a.example]'>^"),
        ("<a href=https://a.example/x>", "<a href=[https://a.example/x]>^"),
        (
            "<A class=b HREF = \"https://a.example\" id=c>",
            "<A class=b HREF = \"[https://a.example]\" id=c>^",
        ),
        (
            "<a\n\thref=\"https://a.example\"\n>",
            "<a\n\thref=\"[https://a.example]\"\n>^",
        ),
        (
            "<area href=\"https://a.example\">",
            "<area href=\"[https://a.example]\">^",
        ),
        (
            "<a href=\" https://a.example \">",
            "<a href=\"[ https://a.example ]\">^",
        ),
        (
            "<a title=\"a > b\" href=\"https://a.example\">",
            "<a title=\"a > b\" href=\"[https://a.example]\">^",
        ),
        (
            "<a href=\"https://a.example?a=1&amp;b=2\">",
            "<a href=\"[https://a.example?a=1&amp;b=2]\">^",
        ),
        // Not links, or not to the web.
        (
            "<link href=\"https://a.example\">",
            "<link href=\"https://a.example\">^",
        ),
        (
            "<abbr href=\"https://a.example\">",
            "<abbr href=\"https://a.example\">^",
        ),
        (
            "<a data-href=\"https://a.example\">",
            "<a data-href=\"https://a.example\">^",
        ),
        (
            "<a href=\"mailto:a@b.example\"><a href='tel:1'><a href='#t'><a href=''><a href>",
            "<a href=\"mailto:a@b.example\"><a href='tel:1'><a href='#t'><a href=''><a href>^",
        ),
        (
            "<a href=\"javascript:alert(1)\">",
            "<a href=\"javascript:alert(1)\">^",
        ),
        (
            "<a href=\"&#106;avascript:alert(1)\">",
            "<a href=\"&#106;avascript:alert(1)\">^",
        ),
        (
            "<!-- <a href=\"https://a.example\"> -->",
            "<!-- <a href=\"https://a.example\"> -->^",
        ),
        (
            "<script>'<a href=\"https://a.example\">'</script>",
            "<script>'<a href=\"https://a.example\">'</script>^",
        ),
        (
            "<title><a href=\"https://a.example\"></TITLE>",
            "<title><a href=\"https://a.example\"></TITLE>^",
        ),
        (
            "a < b <a href=\"https://a.example\">",
            "a < b <a href=\"[https://a.example]\">^",
        ),
        ("<a href=\"https://a.example", "<a href=\"https://a.example^"),
        // Handlebars.
        (
            "<a href=\"{{Attributes.url}}\">",
            "<a href=\"[{{Attributes.url}}]\">^",
        ),
        (
            "<a href=\"https://a.example/{{upper \"x>y\"}}\">",
            "<a href=\"[https://a.example/{{upper \"x>y\"}}]\">^",
        ),
        (
            "<a href={{#if Id}}https://a.example{{/if}}>",
            "<a href=[{{#if Id}}https://a.example{{/if}}]>^",
        ),
        (
            "<a href=\"{{#if Id}}https://a.example\">{{/if}}",
            "<a href=\"{{#if Id}}https://a.example\">{{/if}}^",
        ),
        (
            "<a href=\"{{UnsubscribeUrl}}\"><a href='{{ pinion.UnsubscribeUrl }}'>",
            "<a href=\"{{UnsubscribeUrl}}\"><a href='{{ pinion.UnsubscribeUrl }}'>^",
        ),
        (
            "{{!-- }} <a href=\"https://a.example\"> --}}",
            "{{!-- }} <a href=\"https://a.example\"> --}}^",
        ),
        (
            "{{! don't }}<a href=\"https://a.example\">",
            "{{! don't }}<a href=\"[https://a.example]\">^",
        ),
        (
            "{{Attributes.[it's]}}<a href=\"https://a.example\">",
            "{{Attributes.[it's]}}<a href=\"[https://a.example]\">^",
        ),
        (
            "<a href=\"https://a.example\\\">",
            "<a href=\"https://a.example\\\">^",
        ),
        // The pixel.
        ("<body>x</body></html>", "<body>x^</body></html>"),
        (
            "<!-- </body> --><BODY>x</BODY >",
            "<!-- </body> --><BODY>x^</BODY >",
        ),
        ("x\\</body>", "x\\\\^</body>"),
        ("", "^"),
    ] {
        assert_eq!(marks(html), expected);
    }
}

#[test]
fn marks_leave_every_other_byte() {
    let pieces = [
        "<a ",
        "href",
        "=",
        "\"",
        "'",
        " ",
        "\n",
        ">",
        "<",
        "/",
        "</a>",
        "</body>",
        "<!--",
        "-->",
        "é€😀",
        "\\",
        "https://a.example",
        "{{x}}",
        "{{#if x}}",
        "{{/if}}",
        "{{{x}}}",
        "{{!-- ",
        "--}}",
        "<script>",
        "</script>",
        "&amp;",
        "title=\"a\"",
        "{{",
        "}}",
        "{{upper \"",
        "\u{0}",
        "<a href=\"https://b.example/\">",
    ];
    let mut random = StdRng::seed_from_u64(48);
    let mut marked_links = 0;
    for _ in 0..20_000 {
        let html: String = (0..random.random_range(0..14))
            .map(|_| pieces[random.random_range(0..pieces.len())])
            .collect();
        let marked = mark(&html);
        marked_links += marked.matches("{{#pinion-link}}").count();
        let pixel = marked.find("{{{pinion-pixel}}}").unwrap();
        let mut without = marked.replacen("{{{pinion-pixel}}}", "", 1);
        let plain = without
            .replace("{{#pinion-link}}", "")
            .replace("{{/pinion-link}}", "");
        if plain != html {
            // The one byte more that keeps a backslash from swallowing the pixel.
            assert_eq!(&without[pixel - 1..pixel], "\\");
            without.remove(pixel - 1);
        }
        let plain = without
            .replace("{{#pinion-link}}", "")
            .replace("{{/pinion-link}}", "");
        assert_eq!(plain, html);
    }
    assert!(marked_links > 1_000, "{marked_links}");
}

#[test]
fn a_rendered_link_is_judged_by_what_it_became() {
    let tracker = tracker(&[key(1)]);
    let track = TrackingContext {
        tracker: &tracker,
        stamp: Stamp::of_run(1, 2, 0, 3),
    };
    let tracked = |href: &str| {
        let mut out = String::new();
        write_tracked(&track, href, &mut out);
        out
    };
    let click = tracked("https://a.example/?a&#x3D;1&amp;b=&quot;2&bogus;");
    let target = tracker
        .verify(Kind::Click, token(&click))
        .unwrap()
        .target
        .unwrap();
    assert_eq!(target.as_str(), "https://a.example/?a=1&b=%222&bogus;");
    for untouched in [
        "javascript:alert(1)",
        " JAVASCRIPT:alert(1)",
        "java&#115;cript:alert(1)",
        "&#x6a;avascript:alert(1)",
        "mailto:x@y.example",
        "",
        "#a",
        "https://mail.example.com/p/t/u/abc",
        "&amp;&#0;&#xffffffff;&",
    ] {
        assert_eq!(tracked(untouched), untouched);
    }
}
