//! Requests of our own: those of commands to a server, and for the public keys of identity providers.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pinion_api::sts::{FetchKeys, KeySource};

/// A set of public keys is small.
const LARGEST_KEYS: usize = 1024 * 1024;
/// Whoever waits for keys holds a request open.
const PATIENCE: Duration = Duration::from_secs(10);

/// HTTP and HTTPS with the usual authorities.
pub(crate) type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client without anything kept open.
pub(crate) fn http_client() -> HttpClient {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(provider)
        .expect("ring knows the usual versions of TLS")
        .https_or_http()
        .enable_http1()
        .build();
    Client::builder(TokioExecutor::new()).build(connector)
}

/// Gets keys of identity providers. The operator's settings name them, so they may be anywhere.
pub(crate) struct JwksClient(HttpClient);

impl JwksClient {
    pub(crate) fn new() -> Self {
        Self(http_client())
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>> {
        let uri: Uri = url.parse()?;
        let request = Request::get(uri)
            .header(http::header::ACCEPT, "application/json")
            .body(Full::default())?;
        let answer: Response<_> = tokio::time::timeout(PATIENCE, self.0.request(request))
            .await
            .context("no answer in time")??;
        if !answer.status().is_success() {
            bail!("{url} answered {}", answer.status());
        }
        let body = Limited::new(answer.into_body(), LARGEST_KEYS).collect();
        match tokio::time::timeout(PATIENCE, body)
            .await
            .context("no answer in time")?
        {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            Err(error) => bail!("{url}: {error}"),
        }
    }
}

impl FetchKeys for JwksClient {
    fn fetch<'a>(&'a self, source: &'a KeySource) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        Box::pin(async move {
            let keys = match source {
                KeySource::Url(url) => self.get(url.as_str()).await,
                KeySource::File(file) => tokio::fs::read(file)
                    .await
                    .with_context(|| file.display().to_string()),
            };
            keys.map_err(|error| format!("{error:#}"))
        })
    }
}
