use std::time::Instant;

use pinion_domain::extension::columns::{Column, ColumnData, ColumnKind, ColumnSpec};
use pinion_domain::message::CampaignEmail;
use pinion_domain::quotas::Quotas;
use pinion_domain::template::{EmailTemplate, MessageHeader};
use url::Url;

use super::*;
use crate::tracking::{Kind, Stamp, Tracker, TrackingContext, TrackingKey};

fn tracker() -> Tracker {
    let keys = [TrackingKey { id: 1, key: [1; 32] }];
    Tracker::new(&keys, &Url::parse("https://mail.example.com").unwrap()).unwrap()
}

fn header(name: &str, value: &str) -> MessageHeader {
    MessageHeader {
        name: Some(name.to_owned()),
        value: Some(value.to_owned()),
    }
}

fn mail(template: &EmailTemplate, stamp: Option<Stamp>) -> RenderedEmail {
    let renderer = EmailRenderer::new(template).unwrap();
    let tracker = tracker();
    let track = stamp.map(|stamp| TrackingContext {
        tracker: &tracker,
        stamp,
    });
    with_input(&[], |input| renderer.render(input, track.as_ref())).unwrap()
}

fn html(source: &str) -> EmailTemplate {
    EmailTemplate {
        html_part: Some(source.to_owned()),
        ..EmailTemplate::default()
    }
}

/// The targets of the click links of a text.
fn targets(html: &str) -> Vec<String> {
    let links = html.split("https://mail.example.com/t/c/").skip(1);
    let tokens = links.map(|rest| rest.split(['"', '\'', '>', ' ']).next().unwrap());
    tokens
        .map(|token| {
            tracker()
                .verify(Kind::Click, token)
                .unwrap()
                .target
                .unwrap()
                .into()
        })
        .collect()
}

#[test]
fn a_mail_has_all_its_parts() {
    let template = EmailTemplate {
        subject: Some("Hi {{User.UserAttributes.FirstName}} & {{nick}}".to_owned()),
        html_part: Some("<p>{{Attributes.markup}}</p>".to_owned()),
        text_part: Some("{{Attributes.markup}}".to_owned()),
        headers: Some(vec![header("X-Plan", "{{Attributes.plan}}")]),
        default_substitutions: Some(r#"{"nick": "<friend>", "Attributes.nothing.[0]": "some"}"#.to_owned()),
        ..EmailTemplate::default()
    };
    assert_eq!(
        mail(&template, None),
        RenderedEmail {
            subject: "Hi Jane & <friend>".to_owned(),
            html: Some(
                "<p>&lt;b&gt;Tom &amp; &#x27;Jerry&#x27; &#x3D; &#x60;&quot;x&quot;&#x60;&lt;/b&gt;</p>"
                    .to_owned()
            ),
            text: Some("<b>Tom & 'Jerry' = `\"x\"`</b>".to_owned()),
            headers: vec![("X-Plan".to_owned(), "gold".to_owned())],
        }
    );
    let email = CampaignEmail {
        title: Some("{{Id}}".to_owned()),
        body: Some("text".to_owned()),
        ..CampaignEmail::default()
    };
    let renderer = EmailRenderer::of_campaign(&email).unwrap();
    let mail = with_input(&[], |input| renderer.render(input, None)).unwrap();
    assert_eq!(
        (mail.subject.as_str(), mail.html, mail.text.as_deref()),
        ("e-1", None, Some("text"))
    );
    let broken = CampaignEmail {
        html_body: Some("{{nope 1}}".to_owned()),
        ..CampaignEmail::default()
    };
    assert_eq!(EmailRenderer::of_campaign(&broken).unwrap_err().part, "HtmlBody");
}

#[test]
fn tracked_mail_differs_in_links_and_pixel_only() {
    let source = "<html><body class=x>\n  <a href=\"https://a.example/?x=1&amp;y=2\">A</a> {{Id}} <a href='mailto:x@y.example'>m</a>\n\
                  {{#if Attributes.plan}}\n  <a href=\"https://b.example/{{Attributes.plan}}\">B</a>\n{{/if}}\n\
                  <a href=\"{{Attributes.url}}\">C</a> <a href={{Attributes.script}}>D</a>\n</body></html>\n";
    let stamp = Stamp::of_run(1, 2, 0, 7);
    for source in [
        source.to_owned(),
        source
            .replace("{{#if Attributes.plan}}\n", "")
            .replace("{{/if}}\n", ""),
    ] {
        let plain = mail(&html(&source), None).html.unwrap();
        let unmarked = Template::compile(&source, Escape::Html).unwrap();
        assert_eq!(with_input(&[], |input| unmarked.render(input)).unwrap(), plain);

        let tracked = mail(&html(&source), Some(stamp)).html.unwrap();
        assert_eq!(
            targets(&tracked),
            [
                "https://a.example/?x=1&y=2",
                "https://b.example/gold",
                "https://shop.example/?a=1&b=2"
            ]
        );
        // Put back what was replaced, take the pixel out: nothing else has changed.
        let clicks = |to: &str| tracker().click_url(&stamp, to).unwrap();
        let pixel = tracked.split("<img ").nth(1).unwrap().split('>').next().unwrap();
        assert!(pixel.contains(&tracker().open_url(&stamp)));
        let restored = tracked
            .replace(
                &clicks("https://a.example/?x=1&y=2"),
                "https://a.example/?x=1&amp;y=2",
            )
            .replace(&clicks("https://b.example/gold"), "https://b.example/gold")
            .replace(
                &clicks("https://shop.example/?a=1&b=2"),
                "https://shop.example/?a&#x3D;1&amp;b&#x3D;2",
            )
            .replace(&format!("<img {pixel}></body>"), "</body>");
        assert_eq!(restored, plain);
    }
}

#[test]
fn campaign_mail_can_be_unsubscribed_with_one_click() {
    let source = "<a href=\"{{UnsubscribeUrl}}\">x</a>{{pinion.UnsubscribeUrl}}";
    let run = Stamp::of_run(1, 2, 0, 7);
    let url = tracker().unsubscribe_url(&run);
    let rendered = mail(&html(source), Some(run));
    assert!(
        rendered
            .html
            .unwrap()
            .starts_with(&format!("<a href=\"{url}\">x</a>{url}<img "))
    );
    let one_click = [
        ("List-Unsubscribe".to_owned(), format!("<{url}>")),
        (
            "List-Unsubscribe-Post".to_owned(),
            "List-Unsubscribe=One-Click".to_owned(),
        ),
    ];
    assert_eq!(rendered.headers, one_click);
    // Not of a direct message, not without tracking, not beside the author's own.
    let direct = Stamp::of_direct(1, 7, &"0123456789abcdef0123456789abcdef".into()).unwrap();
    assert_eq!(mail(&html(source), Some(direct)).headers, []);
    assert_eq!(
        mail(&html(source), None).html.as_deref(),
        Some("<a href=\"\">x</a>")
    );
    let own = EmailTemplate {
        headers: Some(vec![header("list-unsubscribe", "<https://own.example/{{Id}}>")]),
        ..EmailTemplate::default()
    };
    let headers = mail(&own, Some(run)).headers;
    assert_eq!(
        headers,
        [(
            "list-unsubscribe".to_owned(),
            "<https://own.example/e-1>".to_owned()
        )]
    );
}

#[test]
fn values_cannot_begin_a_header() {
    let evil = lists(&[("x", &["a\r\nBcc: all@example.com\r\n\r\nbody\u{0}\u{85}b"])]);
    let template = EmailTemplate {
        subject: Some("{{x}}".to_owned()),
        headers: Some(vec![header("X-Note", "{{x}}")]),
        ..EmailTemplate::default()
    };
    let renderer = EmailRenderer::new(&template).unwrap();
    let mail = with_input(&[&evil], |input| renderer.render(input, None)).unwrap();
    assert_eq!(mail.subject, "a Bcc: all@example.com body b");
    assert_eq!(mail.headers[0].1, "a Bcc: all@example.com body b");
    let long = lists(&[("x", &["y".repeat(871).as_str()])]);
    assert!(with_input(&[&long], |input| renderer.render(input, None)).is_err());
}

#[test]
fn a_personalizer_may_replace_title_and_body() {
    let outputs = ["TitleOverride", "BodyOverride"].map(|path| ColumnSpec {
        path: path.to_owned(),
        kind: ColumnKind::Text,
    });
    let column = |text: &str, valid| Column {
        data: ColumnData::Text([text].into_iter().collect()),
        valid,
    };
    let render = |template: &EmailTemplate, valid: Vec<u8>| {
        let answer = Personalized {
            columns: vec![column("T\n{{Id}}", valid.clone()), column("<b>B</b>", valid)],
            drop: vec![],
        };
        let renderer = EmailRenderer::new(template).unwrap();
        with_input(&[], |input| {
            let personalized = Some(PersonalizedRow {
                answer: &answer,
                outputs: &outputs,
                row: 0,
            });
            renderer
                .render(
                    &RenderInput {
                        personalized,
                        ..*input
                    },
                    None,
                )
                .unwrap()
        })
    };
    let both = EmailTemplate {
        subject: Some("s".to_owned()),
        text_part: Some("t".to_owned()),
        ..html("h")
    };
    let mail = render(&both, vec![]);
    assert_eq!(
        (mail.subject.as_str(), mail.html.as_deref(), mail.text.as_deref()),
        ("T {{Id}}", Some("<b>B</b>"), Some("t"))
    );
    let mail = render(&both, vec![0]);
    assert_eq!((mail.subject.as_str(), mail.html.as_deref()), ("s", Some("h")));
    let only_text = EmailTemplate {
        html_part: None,
        ..both
    };
    let mail = render(&only_text, vec![]);
    assert_eq!((mail.html, mail.text.as_deref()), (None, Some("<b>B</b>")));
}

#[test]
fn templates_are_checked_as_they_are_written() {
    let problem = |template: EmailTemplate| template.check(&Quotas::default()).unwrap_err().to_string();
    assert_eq!(
        problem(html("a\n{{nope 1}}")),
        "HtmlPart: line 2: unknown helper \"nope\""
    );
    let text = |text: &str| EmailTemplate {
        text_part: Some(text.to_owned()),
        ..EmailTemplate::default()
    };
    assert!(problem(text("{{#if}}")).starts_with("TextPart: line 1: "));
    assert_eq!(
        problem(text(&"é".repeat(600_001))),
        "TextPart: has 600001 characters, at most 600000 are allowed"
    );
    let check = |template: EmailTemplate| template.check(&Quotas::default());
    check(text(&"é".repeat(600_000))).unwrap();
    let subject = EmailTemplate {
        subject: Some("{{".to_owned()),
        ..EmailTemplate::default()
    };
    assert!(problem(subject).starts_with("Subject: line 1: "));
    for defaults in ["[]", "{", "{\"a\": 1}"] {
        let template = EmailTemplate {
            default_substitutions: Some(defaults.to_owned()),
            ..EmailTemplate::default()
        };
        assert!(problem(template).starts_with("DefaultSubstitutions: must be a JSON object"));
    }
    let with = |headers| EmailTemplate {
        headers: Some(headers),
        ..EmailTemplate::default()
    };
    for name in ["Bcc", "from", "Content-Type", "", "X Y", "X:Y", "X\r\nY", "Ü"] {
        assert!(
            problem(with(vec![header(name, "v")])).starts_with("Headers[0].Name: "),
            "{name}"
        );
    }
    assert!(
        problem(with(vec![header("X-A", "a"), header("X-B", "{{")]))
            .starts_with("Headers[1].Value: line 1: ")
    );
    assert!(problem(with(vec![header("X-A", "a"); 16])).starts_with("Headers: "));
    // Marking links must not turn a sound template into a broken one.
    check(html(
        "<a href=\"{{#if Id}}https://a.example\">{{else}}x\">{{/if}}</a>\\",
    ))
    .unwrap();
    check(EmailTemplate::default()).unwrap();
}

/// `cargo test --release -p pinion-engine -- --ignored --nocapture nanoseconds`
#[test]
#[ignore = "a measurement, not a check"]
fn nanoseconds_per_mail() {
    let paragraph =
        "<p>Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor.</p>\n".repeat(19);
    let plain = format!(
        "<html><body><h1>Hi {{{{User.UserAttributes.FirstName.[0]}}}} {{{{User.UserAttributes.LastName}}}}</h1>{paragraph}\
         <a href=\"https://shop.example/a?utm=1&amp;b=2\">{{{{Attributes.plan}}}}</a><a href=\"https://shop.example/b\">b</a>\
         <a href=\"https://shop.example/c\">{{{{Location.City}}}}</a>{{{{Metrics.visits}}}}</body></html>"
    );
    let blocks = plain.replace("<h1>", "{{#if Attributes.plan}}x{{/if}}<h1>");
    let tracker = tracker();
    let track = TrackingContext {
        tracker: &tracker,
        stamp: Stamp::of_run(12, 345, 1, 67_890),
    };
    for (name, source) in [("pieces", &plain), ("blocks", &blocks)] {
        let renderer = EmailRenderer::new(&html(source)).unwrap();
        for (kind, track) in [("untracked", None), ("tracked", Some(&track))] {
            let times = 200_000;
            with_input(&[], |input| {
                let start = Instant::now();
                let mut length = 0;
                for _ in 0..times {
                    length += renderer
                        .render(std::hint::black_box(input), track)
                        .unwrap()
                        .html
                        .unwrap()
                        .len();
                }
                println!(
                    "{name}, {kind}: {} ns, {} bytes",
                    start.elapsed().as_nanos() / times,
                    length / times as usize
                );
            });
        }
    }
}
