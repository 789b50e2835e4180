//! Requests of commands: to the server that runs on a data folder, through its socket; to none, when none
//! runs, through the API in this process; or to a server somewhere, with a key.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pinion_api::auth::session::of_operator;
use pinion_api::auth::sigv4::{Credentials, Signer};
use pinion_store::Store;
use serde_json::Value;
use tokio::net::UnixStream;
use tower::ServiceExt as _;

use crate::cli::Target;
use crate::config::Config;
use crate::http_client::{HttpClient, http_client};
use crate::listen::SOCKET;
use crate::wiring;

/// What stays as it is in one segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A server, and who asks it.
pub(crate) struct Remote {
    way: Way,
    /// Scheme and authority of requests.
    base: String,
    region: String,
    credentials: Credentials,
}

enum Way {
    Network(Box<HttpClient>),
    Socket(PathBuf),
    /// Nothing runs: the API itself, over the store.
    Here(Router, Store),
}

impl Remote {
    /// Finds the way to what the arguments name.
    pub(crate) async fn open(target: &Target) -> Result<Self> {
        let region = target.region.clone();
        let Some(folder) = &target.data else {
            let (Some(id), Some(secret)) = (&target.access_key_id, &target.secret_access_key) else {
                bail!(
                    "say --data for the server of this machine, or give a key (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
                );
            };
            let base = target.endpoint.trim_end_matches('/');
            let uri: Uri = base.parse().with_context(|| format!("--endpoint {base}"))?;
            if !matches!(uri.scheme_str(), Some("http" | "https")) {
                bail!("--endpoint {base}: must be an http or https URL");
            }
            return Ok(Self {
                way: Way::Network(Box::new(http_client())),
                base: base.to_owned(),
                region,
                credentials: Credentials {
                    session_token: target.session_token.clone(),
                    ..Credentials::new(id, secret)
                },
            });
        };
        let config = Config::load(target.config.as_deref(), std::env::vars())?;
        if !folder.is_dir() {
            bail!("{}: there is no data folder", folder.display());
        }
        let store = Store::open(wiring::options(&config, folder, false)?, wiring::system_clock()).await?;
        let account = match &target.account {
            Some(account) => account.clone(),
            None => store.default_account().await?,
        };
        let credentials = of_operator(&store, account);
        let socket = folder.join(SOCKET);
        let way = match UnixStream::connect(&socket).await {
            Ok(_) => {
                store.close().await;
                Way::Socket(socket)
            }
            // Left behind by a server that was killed, or never there.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                let router = here(&config, folder, &store).await?;
                Way::Here(router, store)
            }
            Err(error) => return Err(anyhow!(error).context(format!("{}", socket.display()))),
        };
        Ok(Self {
            way,
            base: "http://localhost".to_owned(),
            region,
            credentials,
        })
    }

    /// Ends what was opened.
    pub(crate) async fn close(self) {
        if let Way::Here(_, store) = self.way {
            store.close().await;
        }
    }

    /// Asks, and gives status and body.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes)> {
        let uri: Uri = format!("{}{path}", self.base)
            .parse()
            .with_context(|| format!("{path} is not a path"))?;
        let signer = Signer {
            credentials: &self.credentials,
            region: &self.region,
            service: "mobiletargeting",
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let now = wiring::system_clock().now();
        let signed = signer.sign_headers(method, &uri, &headers, &body, now);
        headers.extend(signed.into_iter().map(|(name, value)| (Some(name), value)));
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Full::from(body))?;
        *request.headers_mut() = headers;
        let (head, body) = match &self.way {
            Way::Network(client) => {
                let answer = client.request(request).await;
                let answer = answer.with_context(|| format!("cannot reach {}", self.base))?;
                read(answer.map(Body::new)).await?
            }
            Way::Socket(path) => over_socket(path, request).await?,
            Way::Here(router, _) => {
                let answer = match router.clone().oneshot(request.map(Body::new)).await {
                    Ok(answer) => answer,
                    Err(never) => match never {},
                };
                read(answer).await?
            }
        };
        Ok((head, body))
    }

    /// Asks for JSON; a refusal is an error with the server's own sentence.
    pub(crate) async fn json(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        answered(self.send(method, path, body).await?)
    }

    /// All items of a list, page by page.
    pub(crate) async fn items(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let page = format!("{path}?page-size=200{token}");
            let mut page = self.json("GET", &page, None).await?;
            match page["Item"].take() {
                Value::Array(more) => items.extend(more),
                _ => bail!("{path}: the answer is no list"),
            }
            match page["NextToken"].as_str() {
                Some(next) => token = format!("&token={}", segment(next)),
                None => return Ok(items),
            }
        }
    }
}

/// The document of an answer, or the sentence of a refusal.
pub(crate) fn answered((status, body): (StatusCode, Bytes)) -> Result<Value> {
    let document: Value = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&body).with_context(|| format!("{status}, and the answer is not JSON"))?
    };
    if status.is_success() {
        return Ok(document);
    }
    match document["Message"].as_str() {
        Some(message) => bail!("{message}"),
        None => bail!("{status}"),
    }
}

async fn read(answer: Response<Body>) -> Result<(StatusCode, Bytes)> {
    let status = answer.status();
    let body = answer
        .into_body()
        .collect()
        .await
        .context("the answer broke off")?;
    Ok((status, body.to_bytes()))
}

async fn over_socket(path: &Path, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
    let stream = UnixStream::connect(path)
        .await
        .with_context(|| path.display().to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let answer = read(answer.map(Body::new)).await;
    drop(sender);
    connection.await??;
    answer
}

/// The API over the store, with plugins and an engine that does nothing by itself.
async fn here(config: &Config, folder: &Path, store: &Store) -> Result<Router> {
    let sandbox = wiring::plugins(config, folder, store).await?;
    let engine = wiring::engine(config, store, sandbox, None)?;
    Ok(pinion_api::router(std::sync::Arc::new(wiring::api(
        config, &engine,
    )?)))
}
