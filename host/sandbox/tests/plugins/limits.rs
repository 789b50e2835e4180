//! Every limit, reached. CPU time, installation limits and those of text guests are tested beside
//! what they belong to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http_body_util::Full;
use parking_lot::Mutex;
use pinion_domain::extension::channel::Verdict;
use pinion_sandbox::Limits;
use pinion_sandbox::limits::HttpLimits;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Server, install, limits, message, open, sandbox, sandbox_with};

fn text(verdict: &Verdict) -> String {
    format!("{verdict:?}")
}

#[tokio::test]
async fn memory() {
    let sandbox = sandbox(&["bad/hog"]).await;
    let channel = open(&sandbox, "hog", Vec::new()).await;
    let verdicts = channel.send(vec![message("a", &[("do", "hog")])]).await;
    assert!(
        text(&verdicts[0]).contains("forcing trap when growing memory"),
        "{verdicts:?}"
    );
    let verdicts = channel.send(vec![message("b", &[])]).await;
    assert!(matches!(verdicts[0], Verdict::Accepted(_)));
}

#[tokio::test]
async fn host_calls() {
    let sandbox = sandbox(&["bad/slow"]).await;
    let channel = open(&sandbox, "slow", Vec::new()).await;
    let verdicts = channel.send(vec![message("a", &[("do", "for-ever")])]).await;
    assert!(
        text(&verdicts[0]).contains("more host calls than one call may make"),
        "{verdicts:?}"
    );
}

#[tokio::test]
async fn wall_time() {
    let sandbox = sandbox_with(Limits {
        send_wall: Duration::from_millis(200),
        ..limits()
    });
    install(&sandbox, &["bad/slow"]).await;
    // Never lets an answer out.
    let server = Server::start(|_| Response::new(Full::from("ok"))).await;
    let channel = open(&sandbox, "slow", vec![server.grant.clone()]).await;
    let verdicts = channel
        .send(vec![message("a", &[("url", &server.url)]), message("b", &[])])
        .await;
    assert_eq!(
        verdicts[0],
        Verdict::Unreported {
            left: true,
            fault: "plugin slow faulted: did not answer in 200ms".to_owned(),
        }
    );
    assert!(matches!(verdicts[1], Verdict::Accepted(_)));
}

async fn reach(http: HttpLimits, server: &Server) -> String {
    let sandbox = sandbox_with(Limits { http, ..limits() });
    install(&sandbox, &["bad/reach"]).await;
    let channel = open(&sandbox, "reach", vec![server.grant.clone()]).await;
    text(&channel.send(vec![message("a", &[("url", &server.url)])]).await[0])
}

#[tokio::test]
async fn time_of_a_request() {
    let server = Server::start(|_| Response::new(Full::from("ok"))).await;
    let http = HttpLimits {
        default_timeout: Duration::from_millis(200),
        ..Limits::default().http
    };
    let verdict = reach(http, &server).await;
    assert!(verdict.contains("Timeout"), "{verdict}");
}

#[tokio::test]
async fn bytes_of_a_response() {
    let server = Server::answering("longer than ten bytes").await;
    let http = HttpLimits {
        response_bytes: 10,
        ..Limits::default().http
    };
    let verdict = reach(http, &server).await;
    assert!(verdict.contains("TooLarge"), "{verdict}");
}

#[tokio::test]
async fn headers_of_a_response() {
    let server = Server::start(|_| {
        let response = (0..100).fold(Response::builder(), |response, n| {
            response.header(format!("x-{n}"), "y")
        });
        response.body(Full::from("ok")).unwrap()
    })
    .await;
    server.let_through(1);
    let verdict = reach(Limits::default().http, &server).await;
    assert!(verdict.contains("Broken"), "{verdict}");
}

#[tokio::test]
async fn open_requests() {
    let sandbox = sandbox_with(Limits {
        open_requests: 0,
        ..limits()
    });
    install(&sandbox, &["bad/reach"]).await;
    let server = Server::answering("ok").await;
    let channel = open(&sandbox, "reach", vec![server.grant.clone()]).await;
    // One for each message in flight is always allowed.
    let batch = vec![
        message("a", &[("url", &server.url)]),
        message("b", &[("url", &server.url)]),
    ];
    let verdicts = channel.send(batch).await;
    assert!(
        verdicts
            .iter()
            .all(|verdict| matches!(verdict, Verdict::Accepted(_))),
        "{verdicts:?}"
    );
}

/// Log lines in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn log_bytes() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let sandbox = sandbox(&["bad/chatty"]).await;
    let channel = open(&sandbox, "chatty", Vec::new()).await;
    let line = format!("x\nERROR forged {}", "y".repeat(1_000));
    let verdicts = channel
        .send(vec![message("a", &[("line", &line), ("times", "150")])])
        .await;
    assert!(matches!(verdicts[0], Verdict::Accepted(_)), "{verdicts:?}");
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    let logged: Vec<_> = text.lines().filter(|line| line.contains("forged")).collect();
    assert!(
        logged
            .iter()
            .all(|line| line.contains("x\\nERROR forged") && line.contains("chatty"))
    );
    // 64 KiB hold 64 lines of a little more than 1,000 bytes, the last of them cut.
    assert_eq!(logged.len(), 65);
}
