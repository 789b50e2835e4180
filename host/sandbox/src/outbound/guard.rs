//! The one door to the network: which places a plugin may reach, and which addresses never.
//!
//! A name is resolved once, every answer is judged, and the connection goes to a judged address: a
//! second answer for the same name (DNS rebinding) is never asked for. Names that no grant opens are
//! not resolved at all, so that a look-up cannot carry data out.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pinion_domain::extension::Grant;
use tokio::net::TcpStream;

use super::smtp::{Dial, SmtpError};

/// What the operator opens beside the grants.
#[derive(Clone, Debug, Default)]
pub struct EgressConfig {
    /// Hosts and ports that may be loopback or private addresses, if a grant opens them at all.
    pub private: Vec<(String, u16)>,
    /// Certificates that are trusted beside the public web's.
    pub roots: Vec<rustls_pki_types::CertificateDer<'static>>,
    /// Who answers for names; the system's resolver if absent.
    pub resolver: Option<Arc<dyn Resolve>>,
}

/// Answers for names.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of a name, or of an address in any spelling, with this port.
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The resolver of the operating system.
#[derive(Debug)]
struct System;

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}

/// Why a connection was not made. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// No grant opens the place, or its address is one that must not be reached.
    #[error("{0}")]
    Denied(String),
    /// The name does not resolve, or nobody answers there.
    #[error("{0}")]
    Connect(String),
}

/// Decides about places and connects to them.
#[derive(Debug)]
pub struct Guard {
    private: HashSet<(String, u16)>,
    resolver: Arc<dyn Resolve>,
    connect_timeout: Duration,
}

impl Guard {
    /// A guard for the whole server. Each address gets `connect_timeout`.
    pub fn new(config: &EgressConfig, connect_timeout: Duration) -> Self {
        let private = config
            .private
            .iter()
            .map(|(host, port)| (host_name(host), *port))
            .collect();
        Self {
            private,
            resolver: config.resolver.clone().unwrap_or_else(|| Arc::new(System)),
            connect_timeout,
        }
    }

    /// Connects to a place that one of the grants opens. `scheme` is `https`, `http` or `smtp`.
    pub async fn connect(
        &self,
        scheme: &str,
        host: &str,
        port: u16,
        grants: &[Grant],
    ) -> Result<TcpStream, GuardError> {
        let private = self.admit(scheme, host, port, grants)?;
        self.connect_admitted(host, port, private).await
    }

    /// Does a grant open the place? `true`: addresses of this machine and of private networks too.
    pub fn admit(&self, scheme: &str, host: &str, port: u16, grants: &[Grant]) -> Result<bool, GuardError> {
        let name = host_name(host);
        let mut opening = grants
            .iter()
            .filter(|grant| grant.allows(scheme, &name, port))
            .peekable();
        if opening.peek().is_none() {
            return Err(GuardError::Denied(format!(
                "{scheme}://{host}:{port} is not granted to this plugin"
            )));
        }
        Ok(opening.any(Grant::allows_private) || self.private.contains(&(name, port)))
    }

    /// Connects to an admitted place.
    pub(super) async fn connect_admitted(
        &self,
        host: &str,
        port: u16,
        private: bool,
    ) -> Result<TcpStream, GuardError> {
        let name = host_name(host);
        let unreachable = |problem: String| GuardError::Connect(format!("{host}:{port}: {problem}"));
        let resolving = self.resolver.resolve(&name, port);
        let addresses = match tokio::time::timeout(self.connect_timeout, resolving).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => return Err(unreachable(format!("cannot resolve: {error}"))),
            Err(_) => return Err(unreachable("resolving took too long".to_owned())),
        };
        if let Some((address, why)) = addresses
            .iter()
            .filter(|_| !private)
            .find_map(|address| refusal(address.ip()).map(|why| (address.ip(), why)))
        {
            return Err(GuardError::Denied(format!("{host} is {address}, {why}")));
        }
        let mut last = "has no address".to_owned();
        for address in addresses {
            match tokio::time::timeout(self.connect_timeout, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without it small writes wait for the peer's delayed acknowledgement: 44 ms for
                    // each HTTP/2 request.
                    stream
                        .set_nodelay(true)
                        .map_err(|error| unreachable(error.to_string()))?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = format!("no answer in {:?}", self.connect_timeout),
            }
        }
        Err(unreachable(last))
    }
}

#[async_trait]
impl Dial for Guard {
    async fn dial(&self, host: &str, port: u16, grants: &[Grant]) -> Result<TcpStream, SmtpError> {
        self.connect("smtp", host, port, grants)
            .await
            .map_err(|error| match error {
                GuardError::Denied(why) => SmtpError::Denied(why),
                GuardError::Connect(why) => SmtpError::Connect(why),
            })
    }
}

/// A host as grants write it: lower-case, without the brackets of an IPv6 address.
fn host_name(host: &str) -> String {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase()
}

/// Why an address must not be reached, if so.
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => refusal_v4(v4),
        IpAddr::V6(v6) => refusal_v6(v6),
    }
}

/// The special-purpose registry of IANA (RFC 6890 and its successors).
fn refusal_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, ..) => Some("an address of this network"),
        (127, ..) => Some("a loopback address"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("a private address"),
        (100, 64..=127, _) => Some("a carrier's private address"),
        (169, 254, _) => Some("a link-local address, where cloud metadata lives"),
        (192, 0, 0) | (192, 0, 2) | (192, 88, 99) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => {
            Some("a reserved address")
        }
        (224..=239, ..) => Some("a multicast address"),
        (240..=255, ..) => Some("a reserved address"),
        _ => None,
    }
}

fn refusal_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    let v4_at = |high: usize| {
        let [a, b] = segments[high].to_be_bytes();
        let [c, d] = segments[high + 1].to_be_bytes();
        refusal_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("the unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("a loopback address"),
        // IPv4-mapped, IPv4-translated and the deprecated IPv4-compatible form.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0, 0, 0, 0, 0, 0, ..] => {
            v4_at(6).or(Some("an IPv4 address in disguise"))
        }
        // NAT64: the well-known prefix wraps any IPv4 address, the local one is private by definition.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => v4_at(6),
        [0x64, 0xff9b, 1, ..] => Some("a private address"),
        [0x100, 0, 0, 0, ..] => Some("a reserved address"),
        // Teredo hides an IPv4 address behind an exclusive or; 6to4 carries one in the open.
        [0x2001, 0, ..] => Some("a tunnelled address"),
        [0x2002, ..] => v4_at(1),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x2001, 0x2..=0x2f, ..] => {
            Some("a reserved address")
        }
        [0xfc00..=0xfdff, ..] => Some("a private address"),
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        [0xfec0..=0xfeff, ..] => Some("a private address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        // Global unicast is 2000::/3; nothing else is routed.
        [first, ..] if first >> 13 != 1 => Some("a reserved address"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(private: &[(&str, u16)]) -> Guard {
        let private = private
            .iter()
            .map(|(host, port)| ((*host).to_owned(), *port))
            .collect();
        Guard::new(
            &EgressConfig {
                private,
                ..EgressConfig::default()
            },
            Duration::from_secs(5),
        )
    }

    fn grants(texts: &[&str]) -> Vec<Grant> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn only_public_addresses_may_be_reached() {
        for refused in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "169.254.170.2",
            "192.0.0.170",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::7f00:1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001:0:1:2:3:4:5:6",
            "2001:db8::1",
            "fd00:ec2::254",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "4000::1",
            "3fff::1",
        ] {
            assert!(refusal(refused.parse().unwrap()).is_some(), "{refused}");
        }
        for public in [
            "8.8.8.8",
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "169.253.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert_eq!(refusal(public.parse().unwrap()), None, "{public}");
        }
    }

    #[tokio::test]
    async fn what_is_not_granted_is_denied_before_it_is_resolved() {
        let open = grants(&["https://api.example.com:443"]);
        let error = guard(&[])
            .connect("https", "secret-data.evil.invalid", 443, &open)
            .await
            .unwrap_err();
        assert_eq!(
            error,
            GuardError::Denied(
                "https://secret-data.evil.invalid:443 is not granted to this plugin".to_owned()
            )
        );
    }

    #[tokio::test]
    async fn loopback_is_denied_in_every_spelling_unless_the_operator_named_it() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let any = grants(&["http://*:*"]);
        for host in [
            "127.0.0.1",
            "localhost",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
        ] {
            let error = guard(&[]).connect("http", host, port, &any).await.unwrap_err();
            assert!(matches!(error, GuardError::Denied(_)), "{host}: {error}");
        }
        let exact = [Grant::exact("http", "127.0.0.1", port)];
        guard(&[])
            .connect("http", "127.0.0.1", port, &exact)
            .await
            .unwrap();
        guard(&[("127.0.0.1", port)])
            .connect("http", "127.0.0.1", port, &any)
            .await
            .unwrap();
        let other = guard(&[("127.0.0.1", port.wrapping_add(1))])
            .connect("http", "127.0.0.1", port, &any)
            .await;
        assert!(matches!(other, Err(GuardError::Denied(_))));
    }

    #[tokio::test]
    async fn nobody_at_home_is_a_connect_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let exact = [Grant::exact("smtp", "127.0.0.1", port)];
        let error = guard(&[])
            .connect("smtp", "127.0.0.1", port, &exact)
            .await
            .unwrap_err();
        assert!(matches!(error, GuardError::Connect(_)), "{error}");
    }
}
