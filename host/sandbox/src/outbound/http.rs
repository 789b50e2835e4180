//! HTTP for plugins: one pool of connections, HTTP/1.1 and 2, no redirects, no proxies.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pinion_domain::extension::Grant;
use tokio::net::TcpStream;
use url::Url;

use super::guard::{Guard, GuardError};
use crate::limits::HttpLimits;

/// Headers that decide how a request is framed or routed: the host's alone.
const REFUSED_HEADERS: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// A request whose secrets have been put in.
#[derive(Debug)]
pub struct Outgoing {
    /// As the guest wrote it.
    pub method: String,
    /// As the guest wrote it.
    pub url: String,
    /// Names and values; `true` marks a value that must not be logged.
    pub headers: Vec<(String, String, bool)>,
    /// The body.
    pub body: Vec<u8>,
    /// Zero takes the default.
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Status code.
    pub status: u16,
    /// Headers whose values are text.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Not granted, or a refused address.
    #[error("denied: {0}")]
    Denied(String),
    /// The request is malformed.
    #[error("invalid request: {0}")]
    Invalid(String),
    /// Nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// TLS failed; nothing was sent.
    #[error("TLS: {0}")]
    Tls(String),
    /// The request may have been processed.
    #[error("no answer in time")]
    Timeout,
    /// The response is larger than the cap.
    #[error("the response is too large")]
    TooLarge,
    /// The connection broke; the request may have been processed.
    #[error("broken: {0}")]
    Broken(String),
}

impl FetchError {
    /// Is it certain that the request did not reach anybody?
    pub fn nothing_left(&self) -> bool {
        matches!(
            self,
            Self::Denied(_) | Self::Invalid(_) | Self::Connect(_) | Self::Tls(_)
        )
    }
}

/// The client of the whole server.
pub struct HttpPool {
    guard: Arc<Guard>,
    limits: HttpLimits,
    /// Connections to public addresses, and those to places that the operator named: kept apart, so
    /// that a private connection never serves a request that may only go to public addresses.
    public: PoolClient,
    private: PoolClient,
}

type PoolClient = Client<HttpsConnector<Connector>, Full<Bytes>>;

impl HttpPool {
    /// A pool with no connections yet.
    pub fn new(guard: &Arc<Guard>, limits: HttpLimits, tls: &rustls::ClientConfig) -> Self {
        let client = |private: bool| {
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(tls.clone())
                .https_or_http()
                .enable_all_versions()
                .wrap_connector(Connector {
                    guard: guard.clone(),
                    private,
                });
            Client::builder(TokioExecutor::new())
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(Duration::from_secs(30))
                .http1_max_headers(limits.headers)
                .http1_max_buf_size(limits.header_bytes.max(8 << 10))
                .http2_max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
                .build(connector)
        };
        Self {
            public: client(false),
            private: client(true),
            guard: guard.clone(),
            limits,
        }
    }

    /// Sends a request to a place that one of the grants opens. `leaving` is called when everything
    /// has been checked: from then on the request may reach somebody.
    pub async fn fetch(
        &self,
        outgoing: Outgoing,
        grants: impl FnOnce(&str, &str, u16) -> Vec<Grant>,
        leaving: impl FnOnce(),
    ) -> Result<Incoming, FetchError> {
        let timeout = match outgoing.timeout {
            Duration::ZERO => self.limits.default_timeout,
            asked => asked.min(self.limits.longest_timeout),
        };
        let (request, place) = self.request(outgoing)?;
        let grants = grants(&place.scheme, &place.host, place.port);
        let private = self.guard.admit(&place.scheme, &place.host, place.port, &grants);
        let private = private.map_err(|error| FetchError::Denied(error.to_string()))?;
        let client = if private { &self.private } else { &self.public };
        leaving();
        tokio::time::timeout(timeout, self.exchange(client, request))
            .await
            .unwrap_or(Err(FetchError::Timeout))
    }

    async fn exchange(
        &self,
        client: &PoolClient,
        request: Request<Full<Bytes>>,
    ) -> Result<Incoming, FetchError> {
        let response = client.request(request).await.map_err(|error| explain(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, self.limits.response_bytes)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    FetchError::TooLarge
                } else {
                    FetchError::Broken(error.to_string())
                }
            })?;
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            value
                .to_str()
                .ok()
                .map(|value| (name.as_str().to_owned(), value.to_owned()))
        };
        Ok(Incoming {
            status: head.status.as_u16(),
            headers: head.headers.iter().filter_map(text).collect(),
            body: body.to_bytes().to_vec(),
        })
    }

    /// Checks everything about a request but its place.
    fn request(&self, outgoing: Outgoing) -> Result<(Request<Full<Bytes>>, Place), FetchError> {
        let invalid = |problem: String| FetchError::Invalid(problem);
        let method = Method::from_bytes(outgoing.method.as_bytes())
            .ok()
            .filter(|method| !matches!(*method, Method::CONNECT | Method::TRACE))
            .ok_or_else(|| invalid(format!("method {:?}", outgoing.method)))?;
        let (uri, place) = parse_url(&outgoing.url)?;
        if outgoing.body.len() > self.limits.request_bytes {
            return Err(invalid(format!(
                "the body has more than {} bytes",
                self.limits.request_bytes
            )));
        }
        let mut request = Request::new(Full::new(Bytes::from(outgoing.body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers(outgoing.headers)?;
        Ok((request, place))
    }

    fn headers(&self, headers: Vec<(String, String, bool)>) -> Result<HeaderMap, FetchError> {
        let bytes: usize = headers
            .iter()
            .map(|(name, value, _)| name.len() + value.len())
            .sum();
        if headers.len() > self.limits.headers || bytes > self.limits.header_bytes {
            return Err(FetchError::Invalid("too many or too long headers".to_owned()));
        }
        let mut map = HeaderMap::with_capacity(headers.len());
        for (name, value, secret) in headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .ok()
                .filter(|name| !REFUSED_HEADERS.contains(&name.as_str()))
                .ok_or_else(|| FetchError::Invalid(format!("header {name:?} is not for plugins to set")))?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                FetchError::Invalid(format!("the value of header {name} has control characters"))
            })?;
            value.set_sensitive(secret);
            map.append(name, value);
        }
        Ok(map)
    }
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    scheme: String,
    host: String,
    port: u16,
}

fn parse_url(text: &str) -> Result<(Uri, Place), FetchError> {
    let invalid = |problem: &str| FetchError::Invalid(format!("URL: {problem}"));
    let mut url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(invalid("the scheme must be https or http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("user name and password do not belong there"));
    }
    url.set_fragment(None);
    let host = url.host_str().ok_or_else(|| invalid("no host"))?;
    let place = Place {
        scheme: url.scheme().to_owned(),
        host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: url.port_or_known_default().ok_or_else(|| invalid("no port"))?,
    };
    // What was checked is what is sent: the request is made of the parsed URL, not of the text.
    let uri = url.as_str().parse().map_err(|_| invalid("cannot be sent"))?;
    Ok((uri, place))
}

/// What a failed request means to the guest.
fn explain(error: &ClientError) -> FetchError {
    let mut text = error.to_string();
    let mut cause = deeper(error);
    while let Some(error) = cause {
        match error.downcast_ref::<GuardError>() {
            Some(GuardError::Denied(why)) => return FetchError::Denied(why.clone()),
            Some(GuardError::Connect(why)) => return FetchError::Connect(why.clone()),
            None => {}
        }
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return FetchError::Tls(tls.to_string());
        }
        text = format!("{text}: {error}");
        cause = deeper(error);
    }
    if error.is_connect() {
        FetchError::Connect(text)
    } else {
        FetchError::Broken(text)
    }
}

/// The next cause. An I/O error that wraps another error hides it from `source`.
fn deeper<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a (dyn std::error::Error + 'static)> {
    match error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Lets hyper connect through the guard.
#[derive(Clone)]
struct Connector {
    guard: Arc<Guard>,
    private: bool,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = GuardError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, GuardError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), GuardError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { guard, private } = self.clone();
        Box::pin(async move {
            let host = uri
                .host()
                .ok_or_else(|| GuardError::Connect("no host".to_owned()))?;
            let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") {
                443
            } else {
                80
            });
            Ok(TokioIo::new(guard.connect_admitted(host, port, private).await?))
        })
    }
}

/// TLS as a client: the public web's roots, and those that the operator adds.
pub fn tls_config(extra_roots: &[rustls_pki_types::CertificateDer<'static>]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let (added, ignored) = roots.add_parsable_certificates(extra_roots.iter().cloned());
    if ignored > 0 {
        tracing::warn!(added, ignored, "some additional root certificates cannot be used");
    }
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use pinion_domain::extension::Grant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::limits::Limits;
    use crate::outbound::guard::EgressConfig;

    fn pool(roots: &[rustls_pki_types::CertificateDer<'static>]) -> HttpPool {
        let guard = Guard::new(&EgressConfig::default(), Duration::from_secs(5));
        let limits = HttpLimits {
            request_bytes: 100,
            ..Limits::default().http
        };
        HttpPool::new(&Arc::new(guard), limits, &tls_config(roots))
    }

    fn get(url: &str) -> Outgoing {
        Outgoing {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn requests_that_could_confuse_a_server_are_not_made() {
        let header = |name: &str, value: &str| Outgoing {
            headers: vec![(name.to_owned(), value.to_owned(), false)],
            ..get("http://a.test/")
        };
        let many = Outgoing {
            headers: vec![("x".to_owned(), "y".to_owned(), false); 65],
            ..get("http://a.test/")
        };
        let method = |method: &str| Outgoing {
            method: method.to_owned(),
            ..get("http://a.test/")
        };
        let large = Outgoing {
            body: vec![0; 101],
            ..get("http://a.test/")
        };
        for outgoing in [
            header("Host", "b.test"),
            header("transfer-encoding", "chunked"),
            header("Content-Length", "0"),
            header("Connection", "close"),
            header("x\r\ny", "z"),
            header("x", "y\r\nz: 1"),
            header("x", &"y".repeat(40_000)),
            many,
            method("CONNECT"),
            method("GET / HTTP/1.1\r\n"),
            large,
        ] {
            let shown = format!("{outgoing:?}");
            let result = pool(&[])
                .fetch(outgoing, |_, _, _| unreachable!(), || unreachable!())
                .await;
            assert!(
                matches!(result, Err(FetchError::Invalid(_))),
                "{shown}: {result:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_private_connection_serves_no_public_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_000];
            while stream.read(&mut request).await.unwrap() > 0 {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .await
                    .unwrap();
            }
        });
        let pool = pool(&[]);
        let url = format!("http://127.0.0.1:{port}/");
        let exact = |scheme: &str, host: &str, port| vec![Grant::exact(scheme, host, port)];
        assert_eq!(pool.fetch(get(&url), exact, || ()).await.unwrap().status, 200);
        // The connection rests in the pool now.
        let public = |_: &str, _: &str, _| vec!["http://*:*".parse().unwrap()];
        let denied = pool.fetch(get(&url), public, || ()).await;
        assert!(matches!(denied, Err(FetchError::Denied(_))), "{denied:?}");
    }

    #[tokio::test]
    async fn tls_is_checked_against_the_name_in_the_url() {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls_pki_types::PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Refused by the client in two of three cases.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut request = [0; 1_000];
                    let read = stream.read(&mut request).await.unwrap_or(0);
                    if read > 0 {
                        stream.write_all(b"HTTP/1.1 204 None\r\n\r\n").await.unwrap();
                    }
                }
            }
        });
        let exact = |scheme: &str, host: &str, port| vec![Grant::exact(scheme, host, port)];
        let trusting = pool(&[certified.cert.der().clone()]);
        let named = trusting
            .fetch(get(&format!("https://localhost:{port}/")), exact, || ())
            .await;
        assert_eq!(named.unwrap().status, 204);
        let unnamed = trusting
            .fetch(get(&format!("https://127.0.0.1:{port}/")), exact, || ())
            .await;
        assert!(matches!(unnamed, Err(FetchError::Tls(_))), "{unnamed:?}");
        let stranger = pool(&[])
            .fetch(get(&format!("https://localhost:{port}/")), exact, || ())
            .await;
        assert!(matches!(stranger, Err(FetchError::Tls(_))), "{stranger:?}");
    }

    #[test]
    fn only_plain_urls_pass() {
        for (text, place) in [
            (
                "https://API.example.com/v1?q=1#frag",
                ("https", "api.example.com", 443),
            ),
            ("http://[::1]:8080/", ("http", "::1", 8080)),
            ("http://2130706433/", ("http", "127.0.0.1", 80)),
            (
                "https://good.test.evil.test/",
                ("https", "good.test.evil.test", 443),
            ),
        ] {
            let (uri, parsed) = parse_url(text).unwrap();
            assert_eq!(
                (parsed.scheme.as_str(), parsed.host.as_str(), parsed.port),
                place,
                "{text}"
            );
            assert!(uri.to_string().find('#').is_none());
        }
        for text in [
            "https://good.test@evil.test/",
            "https://u:p@evil.test/",
            "ftp://a.test/",
            "file:///etc/passwd",
            "//a.test/",
            "https://",
            "not a url",
        ] {
            assert!(matches!(parse_url(text), Err(FetchError::Invalid(_))), "{text}");
        }
    }
}
