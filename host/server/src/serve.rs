//! Starts everything, and stops it in order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use pinion_console::outbox::{Outbox, OutboxConfig};
use pinion_console::session::Sessions;
use pinion_engine::Engine;
use pinion_store::Store;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use url::Url;

use crate::config::Config;
use crate::listen::{Listener, spawn};
use crate::report::StoreReports;
use crate::wiring;

/// A server that runs.
pub struct Running {
    address: SocketAddr,
    outbox: Option<Arc<Outbox>>,
    stop: CancellationToken,
    listeners: Vec<JoinHandle<()>>,
    engine: Engine,
    store: Store,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the outbox takes mail, if there is one.
    pub fn outbox_address(&self) -> Option<SocketAddr> {
        self.outbox.as_ref().map(|outbox| outbox.smtp_address())
    }

    /// The engine, for tests in the same process.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Takes nothing new, finishes what was taken, and closes the store.
    pub async fn stop(self) {
        self.stop.cancel();
        for listener in self.listeners {
            if let Err(error) = listener.await {
                warn!(%error, "a listener did not end in peace");
            }
        }
        self.engine.stop().await;
        self.store.close().await;
    }
}

/// Starts everything. When it returns, requests are taken.
pub async fn start(
    config: Config,
    folder: &Path,
    listener: TcpListener,
    metrics: PrometheusHandle,
) -> Result<Running> {
    let address = listener.local_addr()?;
    let tls = tls(&config)?;
    let public_url = public_url(&config, address, tls.is_some())?;
    let clock = wiring::system_clock();
    let store = Store::open(wiring::options(&config, folder, true)?, clock)
        .await?
        .with_quotas(config.quotas.clone());
    let sandbox = wiring::plugins(&config, folder, &store).await?;
    let engine = wiring::engine(&config, &store, sandbox, public_url)?;

    let outbox = match &config.outbox.smtp_listen {
        None => None,
        Some(address) => {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("outbox.smtp_listen {address}"))?;
            let outbox = Outbox::start(listener, OutboxConfig::default())?;
            info!(address = %outbox.smtp_address(), "the outbox takes mail");
            Some(outbox)
        }
    };
    let api = Arc::new(wiring::api(&config, &engine)?);
    let sessions = Sessions::new(store.derived_key(wiring::CONSOLE_KEY), Arc::clone(store.clock()));
    let sessions = Arc::new(sessions.over_https(tls.is_some()));
    let reports = Arc::new(StoreReports(store.clone()));
    let admin =
        admin_routes(&store, metrics).merge(pinion_console::router(sessions, reports, outbox.clone()));
    let public = pinion_api::links::router(engine.clone()).merge(health_routes(&store));
    let api = pinion_api::router(api);

    let stop = CancellationToken::new();
    let trusted = config.http.trusted_proxies()?;
    let listen = |listener, router| spawn(listener, router, trusted.clone(), stop.clone());
    let mut listeners = Vec::new();
    if let Some(socket) = Listener::socket(folder) {
        listeners.push(listen(socket, api.clone()));
    }
    let listener = Listener::Port(listener, tls);
    match &config.http.admin_listen {
        None => listeners.push(listen(listener, public.merge(admin).merge(api))),
        Some(address) => {
            let second = TcpListener::bind(address)
                .await
                .with_context(|| format!("http.admin_listen {address}"))?;
            listeners.push(listen(listener, public.merge(api)));
            let admin = admin.merge(health_routes(&store));
            listeners.push(listen(Listener::Port(second, None), admin));
        }
    }
    engine.start().await?;
    Ok(Running {
        address,
        outbox,
        stop,
        listeners,
        engine,
        store,
    })
}

/// The base of links: what the settings say, or the listening address if that is loopback.
fn public_url(config: &Config, address: SocketAddr, tls: bool) -> Result<Option<Url>> {
    if let Some(url) = &config.http.public_url {
        return Ok(Some(url.clone()));
    }
    if address.ip().is_loopback() {
        let scheme = if tls { "https" } else { "http" };
        return Ok(Some(Url::parse(&format!("{scheme}://{address}"))?));
    }
    if !config.bindings.is_empty() {
        bail!("http.public_url is needed to send tracked messages while listening on {address}");
    }
    Ok(None)
}

/// TLS as the settings want it.
pub(crate) fn tls(config: &Config) -> Result<Option<TlsAcceptor>> {
    let (cert, key) = match (&config.http.tls_cert, &config.http.tls_key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        _ => bail!("http.tls_cert and http.tls_key need each other"),
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("http.tls_cert {}", cert.display()))?;
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("http.tls_key {}", key.display()))?;
    let mut server =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

fn health_routes(store: &Store) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(store.clone())
}

async fn ready(State(store): State<Store>) -> (StatusCode, String) {
    match store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => {
            warn!(%error, "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the store does not answer\n".to_owned(),
            )
        }
    }
}

fn admin_routes(store: &Store, metrics: PrometheusHandle) -> Router {
    let store = store.clone();
    Router::new().route(
        "/metrics",
        get(move || async move {
            metrics::gauge!("pinion_sending_held").set(if store.is_held() { 1.0 } else { 0.0 });
            (
                [(http::header::CONTENT_TYPE, "text/plain; version=0.0.4")],
                metrics.render(),
            )
        }),
    )
}
