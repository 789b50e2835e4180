//! Signed requests over HTTP/1.1: what a server answers in a second, and how long a caller waits.
//!
//! The server is a process of its own, so that its processor time is its own; the load comes from this one and
//! shares the machine with it.

use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use clap::ValueEnum;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pinion_api::auth::sigv4::{Credentials, Signer};
use pinion_server::config::Config;
use pinion_server::wiring::system_clock;
use pinion_server::{serve, telemetry};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::population::REGION;
use crate::{memory, population};

/// Callers at the same time, each with one request under way.
pub const CALLERS: usize = 64;
/// How long one row is measured; connections and caches are warm by then.
const MEASURED: Duration = Duration::from_secs(8);
const WARM_UP: Duration = Duration::from_secs(2);
/// Endpoints that updates are spread over.
const ENDPOINTS: u64 = 10_000;

/// What is asked.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// `SendMessages` to one address through the `null` channel.
    Send,
    /// `UpdateEndpoint` of one of ten thousand.
    Update,
    /// `PutEvents` with a hundred events.
    Events,
}

impl Kind {
    /// Events in a request, if that is what counts.
    pub fn each(self) -> u64 {
        match self {
            Self::Send | Self::Update => 1,
            Self::Events => 100,
        }
    }

    /// Method, path and body of a request; `number` says which.
    pub fn request(self, app: &str, number: u64) -> (&'static str, String, Value) {
        let endpoint = number % ENDPOINTS;
        match self {
            Self::Send => (
                "POST",
                format!("/v1/apps/{app}/messages"),
                json!({
                    "Addresses": { format!("person{endpoint}@example.com"): { "ChannelType": "EMAIL" } },
                    "MessageConfiguration": { "EmailMessage": { "SimpleEmail": {
                        "Subject": { "Data": "Your code" }, "TextPart": { "Data": "It is 12345." } } } },
                }),
            ),
            Self::Update => (
                "PUT",
                format!("/v1/apps/{app}/endpoints/e{endpoint}"),
                json!({
                    "Address": format!("person{endpoint}@example.com"),
                    "ChannelType": "EMAIL",
                    "Attributes": { "genre": ["poetry", "crime"], "visits": [number.to_string()] },
                    "Demographic": { "Platform": "ios", "AppVersion": "7.1" },
                }),
            ),
            Self::Events => {
                let event = |n: u64| {
                    let event = json!({
                        "EventType": "book.bought",
                        "Timestamp": "2026-11-23T10:00:00Z",
                        "Attributes": { "genre": "poetry" },
                        "Metrics": { "price": 12.5 },
                    });
                    (format!("{number}-{n}"), event)
                };
                let events: serde_json::Map<String, Value> = (0..100).map(event).collect();
                let batch = json!({ "Endpoint": {}, "Events": events });
                (
                    "POST",
                    format!("/v1/apps/{app}/events"),
                    json!({ "BatchItem": { format!("e{endpoint}"): batch } }),
                )
            }
        }
    }
}

/// The server of a measurement: prints where it is and a key, and when its input ends the processor time it used.
pub async fn server(folder: &Path) -> Result<()> {
    let binding = ("PINION_BINDINGS__EMAIL__PLUGIN".to_owned(), "null".to_owned());
    let config = Config::load(None, std::iter::once(binding))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let running = serve::start(config, folder, listener, telemetry::init_metrics()?).await?;
    let store = running.engine().store();
    let app = population::new_app(store).await?;
    let key = store.create_access_key(None).await?;
    let told = json!({
        "address": running.address().to_string(),
        "app": app.id,
        "id": key.id,
        "secret": key.secret.as_str(),
    });
    crate::say(&told.to_string())?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    crate::say(&json!({ "cpu_seconds": memory::cpu_seconds()?, "memory": memory::resident()? }).to_string())?;
    running.stop().await;
    Ok(())
}

/// Requests a second, the median and the slowest hundredth in milliseconds, and the server's processor time.
pub async fn measure(kind: Kind) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["server", "--folder"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut told = BufReader::new(child.stdout.take().context("the server has an output")?);
    let server = line(&mut told)?;
    let measured = load(kind, &server).await;
    drop(child.stdin.take());
    let end = line(&mut told);
    finish(child)?;
    let (mut measured, end) = (measured?, end?);
    let all = measured["all"].as_f64().context("a count")?;
    measured["cpu_micros"] = (end["cpu_seconds"].as_f64().unwrap_or(f64::NAN) * 1e6 / all).into();
    measured["memory"] = end["memory"].clone();
    Ok(measured)
}

fn line(from: &mut impl std::io::BufRead) -> Result<Value> {
    let mut text = String::new();
    from.read_line(&mut text)?;
    serde_json::from_str(&text).with_context(|| format!("the server said {text:?}"))
}

fn finish(mut child: Child) -> Result<()> {
    let status = child.wait()?;
    if !status.success() {
        bail!("the server ended with {status}");
    }
    Ok(())
}

async fn load(kind: Kind, server: &Value) -> Result<Value> {
    let text = |key: &str| {
        server[key]
            .as_str()
            .map(str::to_owned)
            .context("the server told it")
    };
    let (address, app) = (text("address")?, text("app")?);
    let credentials = Arc::new(Credentials::new(text("id")?, text("secret")?));
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now() + WARM_UP;
    let end = begin + MEASURED;
    let callers = (0..CALLERS).map(|_| {
        let (client, next, credentials) = (client.clone(), Arc::clone(&next), Arc::clone(&credentials));
        let (address, app) = (address.clone(), app.clone());
        tokio::spawn(async move {
            let mut waits = Vec::new();
            while Instant::now() < end {
                let (method, path, body) = kind.request(&app, next.fetch_add(1, Ordering::Relaxed));
                let started = Instant::now();
                ask(
                    &client,
                    &credentials,
                    method,
                    &format!("http://{address}{path}"),
                    &body,
                )
                .await?;
                if started >= begin {
                    waits.push(started.elapsed());
                }
            }
            anyhow::Ok(waits)
        })
    });
    let mut waits = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        waits.extend(caller.await??);
    }
    waits.sort_unstable();
    let at = |share: usize| {
        waits
            .get(waits.len() * share / 100)
            .map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e3)
    };
    Ok(json!({
        "per_second": waits.len() as f64 / MEASURED.as_secs_f64(),
        "median_ms": at(50),
        "slowest_hundredth_ms": at(99),
        "all": next.load(Ordering::Relaxed),
    }))
}

async fn ask(
    client: &Client<HttpConnector, Full<Bytes>>,
    credentials: &Credentials,
    method: &str,
    url: &str,
    body: &Value,
) -> Result<()> {
    let uri: http::Uri = url.parse()?;
    let body = body.to_string().into_bytes();
    let signer = Signer {
        credentials,
        region: REGION,
        service: "mobiletargeting",
    };
    let mut headers = http::HeaderMap::new();
    headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    let signed = signer.sign_headers(method, &uri, &headers, &body, system_clock().now());
    headers.extend(signed);
    let mut request = http::Request::builder().method(method).uri(uri);
    if let Some(all) = request.headers_mut() {
        *all = headers;
    }
    let answer = client.request(request.body(Full::new(body.into()))?).await?;
    let status = answer.status();
    let text = answer.into_body().collect().await?.to_bytes();
    // A message or an event that failed is told inside a success.
    let told = String::from_utf8_lossy(&text);
    let failed = !status.is_success()
        || ["4", "5"]
            .iter()
            .any(|class| told.contains(&format!("\"StatusCode\":{class}")));
    if failed {
        bail!("{status}: {told}");
    }
    Ok(())
}
