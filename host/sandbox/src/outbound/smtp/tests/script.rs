//! Servers for the tests of the SMTP client. Nobody else speaks like them; they show what the client
//! does when a server is odd.
//!
//! A script is a list of lines: `S: text` is said by the server (`¶` is a line end, so that several
//! lines leave in one write), `C: text` is a line that must come and begin so, `BODY` takes a message
//! up to its dot, `TLS` does the handshake (`TLS FAILS` expects it to fail), `SILENT` checks that
//! the client waits, `CLOSE` hangs up, `CLOSED` expects the client to have hung up, `HANG` waits
//! until it does.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate authority with one server, `localhost`.
pub(super) struct Authority {
    pem: String,
    acceptor: TlsAcceptor,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["localhost".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], key)
            .unwrap();
        Self {
            pem: issuer.pem(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }
}

/// A server that plays one script a connection, one connection after the other.
pub(super) struct Script {
    pub(super) port: u16,
    lines: Arc<Mutex<Vec<String>>>,
    playing: JoinHandle<Vec<String>>,
}

impl Script {
    pub(super) async fn play(scripts: &[&str]) -> Self {
        Self::start(scripts, None).await
    }

    pub(super) async fn play_tls(scripts: &[&str], authority: &Authority) -> Self {
        Self::start(scripts, Some(authority.acceptor.clone())).await
    }

    async fn start(scripts: &[&str], acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scripts: Vec<String> = scripts.iter().map(|script| (*script).to_owned()).collect();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = lines.clone();
        let playing = tokio::spawn(async move {
            let mut bodies = Vec::new();
            for script in scripts {
                let stream = listener.accept().await.unwrap().0;
                Box::pin(perform(stream, &script, acceptor.as_ref(), &heard, &mut bodies)).await;
            }
            bodies
        });
        Self { port, lines, playing }
    }

    /// Waits until the client said a line that begins so.
    pub(super) async fn reached(&self, start: &str) {
        until(|| self.lines.lock().iter().any(|line| line.starts_with(start))).await;
    }

    /// The messages as they came, once every script was played to its end.
    pub(super) async fn finish(self) -> Vec<String> {
        tokio::time::timeout(PATIENCE, self.playing)
            .await
            .expect("the script was not played to its end")
            .unwrap()
    }
}

async fn perform(
    stream: TcpStream,
    script: &str,
    acceptor: Option<&TlsAcceptor>,
    heard: &Mutex<Vec<String>>,
    bodies: &mut Vec<String>,
) {
    stream.set_nodelay(true).unwrap();
    let (before, after) = match (script.strip_prefix("TLS\n"), script.split_once("\nTLS\n")) {
        (Some(after), _) => ("", Some(after)),
        (None, Some((before, after))) => (before, Some(after)),
        (None, None) => (script, None),
    };
    let mut stream = BufReader::new(stream);
    if before.trim() == "TLS FAILS" {
        let handshake = acceptor.unwrap().accept(stream.into_inner()).await;
        assert!(handshake.is_err());
        return;
    }
    act(&mut stream, before, heard, bodies).await;
    if let Some(after) = after {
        assert!(
            stream.buffer().is_empty(),
            "the client did not wait for the handshake"
        );
        let stream = acceptor.unwrap().accept(stream.into_inner()).await.unwrap();
        act(&mut BufReader::new(stream), after, heard, bodies).await;
    }
}

async fn act<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    script: &str,
    heard: &Mutex<Vec<String>>,
    bodies: &mut Vec<String>,
) {
    for step in script.lines() {
        if let Some(text) = step.strip_prefix("S: ") {
            let text = text.replace('¶', "\r\n") + "\r\n";
            // A client that hung up meanwhile shows at the next line that it should have said.
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.flush().await;
        } else if let Some(expected) = step.strip_prefix("C: ") {
            let line = read_line(stream).await;
            assert!(line.starts_with(expected), "expected {expected:?}, got {line:?}");
            assert!(line.ends_with("\r\n"), "{line:?}");
            heard.lock().push(line);
        } else {
            match step {
                "BODY" => {
                    let mut body = String::new();
                    while !body.ends_with("\r\n.\r\n") {
                        body += &read_line(stream).await;
                    }
                    bodies.push(body);
                }
                "SILENT" => assert!(stream.buffer().is_empty(), "the client did not wait"),
                "CLOSE" => {
                    let _ = stream.shutdown().await;
                    return;
                }
                "CLOSED" | "HANG" => {
                    let mut rest = Vec::new();
                    // A reset is a way to hang up, too.
                    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
                        .await
                        .expect("the client did not hang up");
                    assert_eq!(String::from_utf8_lossy(&rest), "");
                    return;
                }
                other => panic!("no such step: {other}"),
            }
        }
    }
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> String {
    let mut line = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_until(b'\n', &mut line))
        .await
        .expect("the client said nothing")
        .unwrap();
    assert!(!line.is_empty(), "the client hung up");
    String::from_utf8(line).unwrap()
}

/// A server that takes everything and counts.
pub(super) struct Obliging {
    pub(super) port: u16,
    seen: Arc<Mutex<Seen>>,
}

/// What an obliging server saw.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) connections: usize,
    pub(super) messages: usize,
    pub(super) goodbyes: usize,
}

impl Obliging {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let counted = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.lock().connections += 1;
                tokio::spawn(oblige(stream, counted.clone()));
            }
        });
        Self { port, seen }
    }

    pub(super) fn seen(&self) -> Seen {
        *self.seen.lock()
    }

    /// Waits until it saw that.
    pub(super) async fn until(&self, condition: impl Fn(Seen) -> bool) {
        until(|| condition(self.seen())).await;
    }
}

async fn oblige(stream: TcpStream, seen: Arc<Mutex<Seen>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 hi\r\n").await?;
    let (mut line, mut in_data) = (String::new(), false);
    while stream.read_line(&mut line).await? > 0 {
        let answer = match line.trim_end() {
            "." if in_data => {
                seen.lock().messages += 1;
                in_data = false;
                "250 ok\r\n"
            }
            _ if in_data => "",
            "DATA" => {
                in_data = true;
                "354 go\r\n"
            }
            "QUIT" => {
                seen.lock().goodbyes += 1;
                "221 bye\r\n"
            }
            hello if hello.starts_with("EHLO") => "250-obliging.test\r\n250 PIPELINING\r\n",
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

/// Waits for a condition.
pub(super) async fn until(condition: impl Fn() -> bool) {
    tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("it never came to pass");
}
