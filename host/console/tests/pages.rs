//! The console as a browser meets it: through its router, with sample reports and an outbox that got
//! real mail.

#![expect(clippy::unwrap_used, reason = "a test")]

mod sample;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use pinion_console::outbox::{Outbox, OutboxConfig};
use pinion_console::session::Sessions;
use pinion_domain::clock::SystemClock;
use sample::{APP, BITING, Sample};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

struct Console {
    app: Router,
    outbox: Arc<Outbox>,
    cookie: String,
}

impl Console {
    async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let outbox = Outbox::start(listener, OutboxConfig::default()).unwrap();
        let sessions = Arc::new(Sessions::new([1; 32], Arc::new(SystemClock)));
        let session = sessions.redeem(&sessions.issue_link_token()).unwrap();
        Self {
            app: pinion_console::router(sessions, Arc::new(Sample), Some(outbox.clone())),
            outbox,
            cookie: format!("pinion_session={session}"),
        }
    }

    async fn ask(&self, path: &str, cookie: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::get(path).header(header::COOKIE, cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 10_000_000).await.unwrap();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    /// The page, which must be fine.
    async fn get(&self, path: &str) -> String {
        let (status, _, body) = self.ask(path, &self.cookie).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.get(path).await).unwrap()
    }

    /// Says a whole conversation and hears it to its end.
    async fn mail(&self, to: &[&str], message: &str) -> String {
        let mut stream = TcpStream::connect(self.outbox.smtp_address()).await.unwrap();
        let rcpt: String = to.iter().map(|to| format!("RCPT TO:<{to}>\r\n")).collect();
        let said =
            format!("EHLO x\r\nMAIL FROM:<news@shop.test>\r\n{rcpt}DATA\r\n{message}\r\n.\r\nQUIT\r\n");
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        heard
    }
}

const MAIL: &str = "From: Shop <news@shop.test>\r\nTo: ann@x.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= <b>\r\n\
    Message-ID: <1@shop.test>\r\nList-Unsubscribe: <https://p.test/u/1>\r\nMIME-Version: 1.0\r\n\
    Content-Type: text/html; charset=utf-8\r\n\r\n\
    <h1>Hi</h1><script>alert(1)</script><a href=\"https://p.test/c/1?a=1&amp;b=2\">go</a>\
    <img src=\"https://p.test/o/1.gif\">";

#[tokio::test]
async fn a_report_shows_its_figures() {
    let console = Console::open().await;
    let page = console
        .get(&format!("/console/apps/{APP}/campaigns/autumn"))
        .await;
    for expected in [
        "Autumn in Zürich – 秋の新作",
        "71.2 %",
        "142\u{202f}311 of 200\u{202f}000",
        "11 min 8 s",
        "Hard bounce",
        "Short subject",
        "41.0 %",
        "each bar is one minute",
        "data-every=\"1000\"",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    // The part that is fetched again is the part that was there.
    let live = console
        .get(&format!("/console/apps/{APP}/campaigns/autumn/live"))
        .await;
    assert!(page.contains(live.trim()));
    let json = console
        .json(&format!("/console/api/apps/{APP}/campaigns/autumn"))
        .await;
    assert_eq!(json["runs"][0]["done"], 142_311);
    assert_eq!(json["reasons"][0]["outcome"], "SKIPPED");
    assert_eq!(json["timeline"][0]["minute"], "2026-11-23T15:04:00Z");

    let draft = console.get(&format!("/console/apps/{APP}/campaigns/draft")).await;
    assert!(draft.contains("has not run yet"));
    let index = console.get("/console").await;
    assert!(index.contains(&format!("/console/apps/{APP}/campaigns/autumn")));
    assert!(index.contains("No campaigns."));
}

#[tokio::test]
async fn what_is_missing_or_broken_is_said() {
    let console = Console::open().await;
    for (path, expected) in [
        (
            format!("/console/apps/{APP}/campaigns/none"),
            StatusCode::NOT_FOUND,
        ),
        (
            format!("/console/api/apps/{APP}/campaigns/none"),
            StatusCode::NOT_FOUND,
        ),
        (
            format!("/console/apps/{APP}/campaigns/broken"),
            StatusCode::SERVICE_UNAVAILABLE,
        ),
        ("/outbox/messages/1".to_owned(), StatusCode::NOT_FOUND),
        ("/outbox/messages/0/raw".to_owned(), StatusCode::NOT_FOUND),
        (
            "/outbox/messages/18446744073709551615".to_owned(),
            StatusCode::NOT_FOUND,
        ),
        ("/outbox/api/messages/1".to_owned(), StatusCode::NOT_FOUND),
        ("/outbox/messages/x".to_owned(), StatusCode::BAD_REQUEST),
    ] {
        let (status, _, body) = console.ask(&path, &console.cookie).await;
        assert_eq!(status, expected, "{path}");
        assert!(!body.contains("on fire"), "{path}");
    }
    let nothing = console
        .json("/outbox/api/messages?after=18446744073709551615")
        .await;
    assert_eq!(nothing["messages"], serde_json::json!([]));
}

#[tokio::test]
async fn names_are_text_and_pages_hold_no_code() {
    let console = Console::open().await;
    console.mail(&["ann@x.test"], MAIL).await;
    console
        .mail(
            &["<ann>\"@x.test"],
            "Subject: <script>alert(2)</script>\r\n\r\n<script>alert(3)</script>",
        )
        .await;
    let biting = format!("/console/apps/{APP}/campaigns/biting");
    for path in [
        "/console",
        &biting,
        "/outbox",
        "/outbox?to=%22%3E%3Cscript%3Ealert(4)%3C/script%3E",
        "/outbox/messages/1",
        "/outbox/messages/1?images=1",
    ] {
        let (status, headers, body) = console.ask(path, &console.cookie).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(
            !body.contains(BITING) && !body.contains("<script>"),
            "{path}: {body}"
        );
        assert!(!body.contains("<style") && !body.contains(" style="), "{path}");
        assert!(!body.contains("<b>") || path != "/outbox/messages/1", "{path}");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
    let report = console.get(&biting).await;
    assert!(report.contains("&lt;script&gt;alert("), "{report}");
}

#[tokio::test]
async fn a_mail_is_listed_shown_and_given_to_programs() {
    let console = Console::open().await;
    let heard = console
        .mail(&["ann@x.test", "bounce+1@x.test", "Bob@y.test"], MAIL)
        .await;
    assert!(
        heard.contains("550 5.1.1") && heard.contains("250 2.0.0 kept as 1"),
        "{heard}"
    );
    let list = console.get("/outbox").await;
    assert!(
        list.contains("Grüße &lt;b&gt;") && list.contains("and 1 more"),
        "{list}"
    );
    assert!(console.get("/outbox?to=BOB").await.contains("Grüße"));
    assert!(!console.get("/outbox?to=carol").await.contains("Grüße"));

    let message = console.get("/outbox/messages/1").await;
    for expected in [
        "<iframe title=\"The message\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\"",
        "src=\"/outbox/messages/1/html\"",
        "ann@x.test, Bob@y.test",
        "https:&#x2f;&#x2f;p.test&#x2f;c&#x2f;1?a=1&amp;b=2",
        "List-Unsubscribe",
        "?images=1",
    ] {
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let json = console.json("/outbox/api/messages?after=0&limit=10").await;
    let first = &json["messages"][0];
    assert_eq!(first["to"], serde_json::json!(["ann@x.test", "Bob@y.test"]));
    assert_eq!(first["subject"], "Grüße <b>");
    assert_eq!(first["message_id"], "1@shop.test");
    assert_eq!(first["links"], serde_json::json!(["https://p.test/c/1?a=1&b=2"]));
    assert_eq!(first["images"], serde_json::json!(["https://p.test/o/1.gif"]));
    assert_eq!(first["raw"], format!("{MAIL}\r\n"));
    assert_eq!(
        (&json["next_after"], &json["counters"]["bounced"]),
        (&1.into(), &1.into())
    );
    assert_eq!(console.json("/outbox/api/messages/1").await, *first);
    assert_eq!(console.get("/outbox/messages/1/raw").await, format!("{MAIL}\r\n"));
}

#[tokio::test]
async fn html_of_strangers_is_boxed_in() {
    let console = Console::open().await;
    console.mail(&["ann@x.test"], MAIL).await;
    for (query, pictures) in [
        ("", "img-src data:;"),
        ("?images=1", "img-src data: https: http:;"),
    ] {
        let path = format!("/outbox/messages/1/html{query}");
        let (status, headers, body) = console.ask(&path, &console.cookie).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("<h1>Hi</h1>"));
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for expected in [
            "default-src 'none'",
            "sandbox allow-popups",
            "frame-ancestors 'self'",
            "form-action 'none'",
            pictures,
        ] {
            assert!(policy.contains(expected), "{expected}: {policy}");
        }
        assert!(!policy.contains("script"), "{policy}");
    }
    let (_, headers, _) = console.ask("/outbox/messages/1/raw", &console.cookie).await;
    assert_eq!(headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert!(
        headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .contains("sandbox")
    );
}

#[tokio::test]
async fn posts_of_custom_channels_are_kept_too() {
    let console = Console::open().await;
    let post = Request::post("/outbox/sink/hooks/1").header("x-delivery", "d1");
    let post = post.body(Body::from(
        "{\"Endpoints\":{\"e1\":{\"Address\":\"a\"}},\"u\":\"https://p.test/c\"}",
    ));
    let (status, _, body) = console.send(post.unwrap()).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "{\"seq\":1}"));
    let message = &console.json("/outbox/api/messages/1").await;
    assert_eq!(
        (&message["kind"], &message["path"]),
        (&"post".into(), &"hooks/1".into())
    );
    assert_eq!(message["headers"][0], serde_json::json!(["x-delivery", "d1"]));
    assert_eq!(message["links"], serde_json::json!(["https://p.test/c"]));
    let page = console.get("/outbox/messages/1").await;
    assert!(
        page.contains("POST &#x2f;hooks&#x2f;1") || page.contains("POST /hooks"),
        "{page}"
    );
    assert!(page.contains("\n  &quot;Endpoints&quot;: {"), "{page}");
}

#[tokio::test]
async fn long_lists_have_pages() {
    let console = Console::open().await;
    for n in 1..=120 {
        let post = Request::post(format!("/outbox/sink/{n}"))
            .body(Body::empty())
            .unwrap();
        console.send(post).await;
    }
    let mut query = String::new();
    let mut seen = Vec::new();
    loop {
        let page = console.get(&format!("/outbox{query}")).await;
        let links = page.split("href=\"/outbox/messages/").skip(1);
        seen.extend(links.map(|link| link.split('"').next().unwrap().parse::<u64>().unwrap()));
        match page.split("href=\"/outbox?before=").nth(1) {
            Some(link) => query = format!("?before={}", link.split('&').next().unwrap()),
            None => break,
        }
    }
    assert_eq!(seen, (1..=120).rev().collect::<Vec<_>>());
    let (mut after, mut count) = (0, 0);
    loop {
        let json = console
            .json(&format!("/outbox/api/messages?after={after}&limit=50"))
            .await;
        let messages = json["messages"].as_array().unwrap().len();
        if messages == 0 {
            break;
        }
        count += messages;
        after = json["next_after"].as_u64().unwrap();
    }
    assert_eq!((count, after), (120, 120));
}

#[tokio::test]
async fn only_a_session_opens_the_pages() {
    let console = Console::open().await;
    console.mail(&["ann@x.test"], MAIL).await;
    let report = format!("/console/apps/{APP}/campaigns/autumn");
    let live = format!("{report}/live");
    let api = format!("/console/api/apps/{APP}/campaigns/autumn");
    for path in [
        "/console",
        "/console/",
        &report,
        &live,
        "/console/api/apps",
        &api,
        "/outbox",
        "/outbox/messages/1",
        "/outbox/messages/1/html",
        "/outbox/messages/1/raw",
        "/outbox/api/messages",
        "/outbox/api/messages/1",
    ] {
        for cookie in ["", "pinion_session=guess"] {
            let (status, _, body) = console.ask(path, cookie).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(!body.contains("ann@") && !body.contains("Autumn"), "{path}");
        }
        console.get(path).await;
    }
    for path in ["/console/static/console.css", "/console/static/report.js"] {
        assert_eq!(console.ask(path, "").await.0, StatusCode::OK);
    }
}
