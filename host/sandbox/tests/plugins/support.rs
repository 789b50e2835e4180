//! A sandbox for a test, its plugins, and a server that they may talk to.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::SystemClock;
use pinion_domain::extension::channel::OutgoingMessage;
use pinion_domain::extension::{Binding, Caller, Channel, Grant, KeyValue, Owner, Plugins};
use pinion_domain::id::{AccountId, AppId};
use pinion_sandbox::outbound::smtp::SmtpLimits;
use pinion_sandbox::{EgressConfig, Limits, Sandbox, SandboxConfig};
use tokio::sync::Semaphore;

/// A component that `cargo xtask build-plugins` made: `null`, `bad/trap` …
pub fn component(name: &str) -> Bytes {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = target
        .parent()
        .unwrap()
        .join("plugins")
        .join(format!("{name}.wasm"));
    match std::fs::read(&path) {
        Ok(bytes) => bytes.into(),
        Err(error) => panic!("{}: {error}: run `cargo xtask build-plugins`", path.display()),
    }
}

/// Values in memory.
#[derive(Default)]
pub struct Values(Mutex<HashMap<(Caller, String, String), Vec<u8>>>);

#[async_trait]
impl KeyValue for Values {
    async fn get(&self, caller: &Caller, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        let key = (caller.clone(), plugin.to_owned(), key.to_owned());
        Ok(self.0.lock().get(&key).cloned())
    }

    async fn set(
        &self,
        caller: &Caller,
        plugin: &str,
        key: &str,
        value: &[u8],
        _: u32,
    ) -> Result<(), String> {
        let key = (caller.clone(), plugin.to_owned(), key.to_owned());
        self.0.lock().insert(key, value.to_vec());
        Ok(())
    }
}

/// Limits for tests: few places, so that many sandboxes fit side by side.
pub fn limits() -> Limits {
    Limits {
        instances: 24,
        ..Limits::default()
    }
}

/// A sandbox with a folder of compiled code that all tests share.
pub fn sandbox_with(limits: Limits) -> Arc<Sandbox> {
    sandbox_in(
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled"),
        [7; 32],
        limits,
    )
}

/// A sandbox with its own folder of compiled code.
pub fn sandbox_in(cache_dir: PathBuf, cache_key: [u8; 32], limits: Limits) -> Arc<Sandbox> {
    Sandbox::new(SandboxConfig {
        cache_dir,
        cache_key,
        limits,
        egress: EgressConfig::default(),
        smtp: SmtpLimits::default(),
        kv: Arc::new(Values::default()),
        clock: Arc::new(SystemClock),
    })
    .unwrap()
}

/// A sandbox with usual limits and these plugins of the server: `null`, `bad/trap` …
pub async fn sandbox(plugins: &[&str]) -> Arc<Sandbox> {
    let sandbox = sandbox_with(limits());
    install(&sandbox, plugins).await;
    sandbox
}

/// Installs plugins of the server.
pub async fn install(sandbox: &Sandbox, plugins: &[&str]) {
    for plugin in plugins {
        sandbox.load(component(plugin), &HashMap::new()).await.unwrap();
    }
}

/// The one who calls in most tests.
pub fn caller() -> Caller {
    Caller {
        account: AccountId::from("111111111111"),
        app: AppId::from("app"),
    }
}

/// The owner of that caller's plugins.
pub fn account() -> Owner {
    Owner::Account(caller().account)
}

/// A channel without settings that may reach these places.
pub async fn open(sandbox: &Sandbox, plugin: &str, grants: Vec<Grant>) -> Arc<dyn Channel> {
    open_with(sandbox, plugin, serde_json::json!({}), grants).await
}

/// A channel with settings.
pub async fn open_with(
    sandbox: &Sandbox,
    plugin: &str,
    settings: serde_json::Value,
    grants: Vec<Grant>,
) -> Arc<dyn Channel> {
    let binding = Binding {
        plugin: plugin.to_owned(),
        settings,
        grants,
    };
    sandbox.channel(&caller(), &binding).await.unwrap()
}

/// A message whose metadata tells a guest what to do.
pub fn message(id: &str, metadata: &[(&str, &str)]) -> OutgoingMessage {
    OutgoingMessage {
        delivery_id: id.into(),
        attempt: 1,
        channel_type: ChannelType::Custom,
        address: format!("{id}@example.com"),
        from: None,
        reply_to: Vec::new(),
        parts: Vec::new(),
        headers: Vec::new(),
        metadata: metadata
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

/// An HTTP server on loopback that answers when it is let.
pub struct Server {
    /// `http://127.0.0.1:PORT/`.
    pub url: String,
    /// Opens the server to a plugin.
    pub grant: Grant,
    seen: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    heads: Arc<Mutex<Vec<http::request::Parts>>>,
}

impl Server {
    /// Answers with what `answer` makes of a path, once [`Self::let_through`] allows it.
    pub async fn start(answer: impl Fn(&str) -> Response<Full<Bytes>> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self {
            url: format!("http://127.0.0.1:{port}/"),
            grant: Grant::exact("http", "127.0.0.1", port),
            seen: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            heads: Arc::default(),
        };
        let (seen, gate, heads) = (server.seen.clone(), server.gate.clone(), server.heads.clone());
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, gate, heads, answer) = (seen.clone(), gate.clone(), heads.clone(), answer.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (seen, gate, heads, answer) =
                        (seen.clone(), gate.clone(), heads.clone(), answer.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        body.collect().await.unwrap();
                        let path = head.uri.path().to_owned();
                        heads.lock().push(head);
                        seen.fetch_add(1, SeqCst);
                        gate.acquire().await.unwrap().forget();
                        Ok::<_, Infallible>(answer(&path))
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        server
    }

    /// Answers every request with 200 and `body`.
    pub async fn answering(body: &'static str) -> Self {
        let server = Self::start(move |_| Response::new(Full::from(body))).await;
        server.let_through(1_000);
        server
    }

    /// Lets so many answers out.
    pub fn let_through(&self, answers: usize) {
        self.gate.add_permits(answers);
    }

    /// Requests so far.
    pub fn seen(&self) -> usize {
        self.seen.load(SeqCst)
    }

    /// The heads of all requests.
    pub fn heads(&self) -> Vec<http::request::Parts> {
        self.heads.lock().clone()
    }

    /// Waits until so many requests have come.
    pub async fn wait_for(&self, requests: usize) {
        until(|| self.seen() >= requests).await;
    }
}

/// Waits for a condition.
pub async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("the condition comes true");
}
