//! Connections: taking them, TLS, whom they come from, and draining at the end.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use http::HeaderMap;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use pinion_api::auth::connection::Connection;
use pinion_domain::iam::Network;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, warn};

/// How long open requests may take once the server stops.
const DRAIN: Duration = Duration::from_secs(30);
/// A client that has not said its request's head by then is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The socket in the data folder by which commands reach the server that runs there.
pub const SOCKET: &str = "pinion.sock";

/// What connections come from.
pub(crate) enum Listener {
    /// A port, with TLS or without.
    Port(TcpListener, Option<TlsAcceptor>),
    /// A socket in the file system: whoever may open it is on this machine. It goes with the listener.
    Socket(UnixListener, PathBuf),
}

enum Stream {
    Port(TcpStream, IpAddr),
    Socket(UnixStream),
}

impl Listener {
    /// The socket in a data folder whose lock is ours, so that one that lies there is of a server that ended.
    /// Without it the server serves all the same; only commands on its folder do not reach it.
    pub(crate) fn socket(folder: &Path) -> Option<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.join(SOCKET);
        let bound = match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => UnixListener::bind(&path).and_then(|listener| {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
                Ok(listener)
            }),
        };
        match bound {
            Ok(listener) => Some(Self::Socket(listener, path)),
            Err(error) => {
                warn!(%error, path = %path.display(), "commands will not reach this server by its folder");
                None
            }
        }
    }

    fn close(self) {
        if let Self::Socket(_, path) = &self
            && let Err(error) = std::fs::remove_file(path)
        {
            warn!(%error, path = %path.display(), "the socket stays behind");
        }
    }

    async fn accept(&self) -> std::io::Result<Stream> {
        Ok(match self {
            Self::Port(listener, _) => {
                let (stream, address) = listener.accept().await?;
                Stream::Port(stream, address.ip())
            }
            Self::Socket(listener, _) => Stream::Socket(listener.accept().await?.0),
        })
    }
}

/// Serves until told to stop, and finishes what was taken.
pub(crate) fn spawn(
    listener: Listener,
    router: Router,
    trusted: Vec<Network>,
    stop: CancellationToken,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let graceful = GracefulShutdown::new();
        let mut connections = tokio::task::JoinSet::new();
        let tls = match &listener {
            Listener::Port(_, tls) => tls.clone(),
            Listener::Socket(..) => None,
        };
        let service = Service { router, trusted };
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok(stream) => stream,
                    Err(error) => {
                        // Out of file descriptors: those that are served give theirs back.
                        warn!(%error, "a connection could not be taken");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                Some(_) = connections.join_next() => continue,
            };
            let served = serve_connection(stream, service.clone(), tls.clone(), graceful.watcher());
            connections.spawn(served);
        }
        listener.close();
        if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
            warn!("some requests were still open and are cut off");
        }
        connections.shutdown().await;
    })
}

#[derive(Clone)]
struct Service {
    router: Router,
    /// Proxies that are believed when they say whom a request is from.
    trusted: Vec<Network>,
}

async fn serve_connection(stream: Stream, service: Service, tls: Option<TlsAcceptor>, watcher: Watcher) {
    let (stream, peer) = match stream {
        // Nobody reads along between two processes of one machine.
        Stream::Socket(stream) => return serve_stream(stream, service, None, true, watcher).await,
        Stream::Port(stream, peer) => (stream, peer),
    };
    // Answers are small: waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY was refused");
    }
    match tls {
        None => serve_stream(stream, service, Some(peer), false, watcher).await,
        Some(tls) => match tokio::time::timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve_stream(stream, service, Some(peer), true, watcher).await,
            Ok(Err(error)) => debug!(%error, "TLS was not agreed on"),
            Err(_) => debug!("TLS was not agreed on in time"),
        },
    }
}

async fn serve_stream(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: Service,
    peer: Option<IpAddr>,
    secure: bool,
    watcher: Watcher,
) {
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let direct = Connection { peer, secure };
        let connection = behind_proxies(direct, request.headers(), &service.trusted);
        request.extensions_mut().insert(connection);
        service.router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(hyper_util::rt::TokioTimer::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        debug!(error, "a connection ended early");
    }
}

/// Whom a request is from. A proxy that is trusted is asked, and so is one that it names in turn; the first
/// that is not is the client. Anybody can write such headers, so from others they mean nothing.
fn behind_proxies(direct: Connection, headers: &HeaderMap, trusted: &[Network]) -> Connection {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let Some(mut peer) = direct.peer.filter(|peer| is_trusted(*peer)) else {
        return direct;
    };
    let named: Vec<&str> = values(headers, "x-forwarded-for");
    for name in named.iter().rev() {
        let Ok(address) = name.parse() else {
            break;
        };
        peer = address;
        if !is_trusted(address) {
            break;
        }
    }
    let secure = match values(headers, "x-forwarded-proto").last() {
        Some(scheme) => scheme.eq_ignore_ascii_case("https"),
        None => direct.secure,
    };
    Connection {
        peer: Some(peer),
        secure,
    }
}

/// The items of a header that is a list, over all its lines.
fn values<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_say_whom_a_request_is_from() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        for (direct, secure, forwarded, scheme, expected, secured) in [
            (
                "203.0.113.1",
                false,
                "198.51.100.7",
                "https",
                "203.0.113.1",
                false,
            ),
            ("10.0.0.1", false, "198.51.100.7", "https", "198.51.100.7", true),
            ("10.0.0.1", true, "198.51.100.7", "http", "198.51.100.7", false),
            (
                "::1",
                false,
                "6.6.6.6, 198.51.100.7, 10.2.3.4",
                "",
                "198.51.100.7",
                false,
            ),
            ("10.0.0.1", true, "", "", "10.0.0.1", true),
            (
                "10.0.0.1",
                false,
                "198.51.100.7, nonsense",
                "http, https",
                "10.0.0.1",
                true,
            ),
            ("10.0.0.1", false, "10.9.9.9", "", "10.9.9.9", false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("x-forwarded-for", forwarded), ("x-forwarded-proto", scheme)] {
                if !value.is_empty() {
                    headers.append(name, value.parse().unwrap());
                }
            }
            let direct = Connection {
                peer: Some(direct.parse().unwrap()),
                secure,
            };
            let expected = Connection {
                peer: Some(expected.parse().unwrap()),
                secure: secured,
            };
            assert_eq!(
                behind_proxies(direct, &headers, &trusted),
                expected,
                "{direct:?} {headers:?}"
            );
        }
    }
}
