//! A web server that is no better than some plugins, and names that resolve to what a case wants.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pinion_sandbox::outbound::guard::Resolve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long the provider of the bystander takes.
pub const LATENCY: Duration = Duration::from_millis(20);

/// The server.
#[derive(Clone)]
pub struct Web {
    /// On loopback.
    pub port: u16,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Requests of plugins under test that are open now, and the most that were.
    open: AtomicUsize,
    peak: AtomicUsize,
}

impl Web {
    /// Listens.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let counts = Arc::<Counts>::default();
        let web = Self {
            port,
            counts: counts.clone(),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counts = counts.clone();
                // Clients of the corpus hang up whenever they like.
                tokio::spawn(async move { drop(serve(stream, &counts).await) });
            }
        });
        web
    }

    /// Requests of the plugin under test that are open now.
    pub fn open(&self) -> usize {
        self.counts.open.load(SeqCst)
    }

    /// The most that were open since the last question.
    pub fn take_peak(&self) -> usize {
        self.counts.peak.swap(0, SeqCst)
    }
}

struct Open<'a>(&'a Counts);

impl<'a> Open<'a> {
    fn new(counts: &'a Counts) -> Self {
        let open = counts.open.fetch_add(1, SeqCst) + 1;
        counts.peak.fetch_max(open, SeqCst);
        Self(counts)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

async fn serve(mut stream: TcpStream, counts: &Counts) -> io::Result<()> {
    loop {
        let Some(path) = head(&mut stream).await? else {
            return Ok(());
        };
        let (path, argument) = path.split_once('?').unwrap_or((&path, ""));
        if path == "/wait" {
            tokio::time::sleep(LATENCY).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .await?;
            continue;
        }
        let _open = Open::new(counts);
        match path {
            "/never" => {
                // Until the client hangs up.
                let mut byte = [0];
                while stream.read(&mut byte).await? > 0 {}
                return Ok(());
            }
            "/drip" => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                    .await?;
                loop {
                    stream.write_all(b"x").await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            "/drip-head" => loop {
                stream.write_all(b"H").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            },
            "/endless" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    stream.write_all(&[b'x'; 65_536]).await?;
                }
            }
            "/large" => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {argument}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&[b'x'; 65_536]).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
                return Ok(());
            }
            "/gzip" => {
                // Says that it is compressed; a client that believes it makes 10 MB of these.
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00")
                    .await?;
            }
            "/headers" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
                for n in 0..10_000 {
                    stream.write_all(format!("x-{n}: y\r\n").as_bytes()).await?;
                }
                stream.write_all(b"content-length: 0\r\n\r\n").await?;
            }
            "/two-lengths" => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 20\r\n\r\nok")
                    .await?;
                return Ok(());
            }
            "/to" => {
                let answer =
                    format!("HTTP/1.1 302 Found\r\nlocation: {argument}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await?;
            }
            _ => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    .await?;
            }
        }
    }
}

/// The target of the next request; `None` at the end.
async fn head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
        if head.len() > 65_536 {
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head);
    Ok(head.split(' ').nth(1).map(str::to_owned))
}

/// Answers for names, and counts what would have left the host.
#[derive(Debug)]
pub struct Names {
    answers: BTreeMap<String, Vec<Vec<IpAddr>>>,
    asked: Mutex<BTreeMap<String, usize>>,
}

impl Names {
    /// The names of a case.
    pub fn new(answers: &BTreeMap<String, Vec<Vec<IpAddr>>>) -> Arc<Self> {
        Arc::new(Self {
            answers: answers.clone(),
            asked: Mutex::default(),
        })
    }

    /// Look-ups of names so far.
    pub fn asked(&self) -> usize {
        self.asked.lock().values().sum()
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        // Spellings of addresses are read as the system reads them, which asks nobody.
        let is_name = name.contains(|letter: char| letter.is_ascii_alphabetic())
            && name.parse::<IpAddr>().is_err()
            && !name.starts_with("0x");
        if !is_name {
            return Ok(tokio::net::lookup_host((name, port)).await?.collect());
        }
        let turn = {
            let mut asked = self.asked.lock();
            let turn = asked.entry(name.to_owned()).or_default();
            *turn += 1;
            *turn - 1
        };
        let answers = self
            .answers
            .get(name)
            .and_then(|turns| turns.get(turn).or(turns.last()));
        let answers = answers.ok_or_else(|| io::Error::other("no such name"))?;
        Ok(answers
            .iter()
            .map(|address| SocketAddr::new(*address, port))
            .collect())
    }
}
