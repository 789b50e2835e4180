//! What a plugin may reach: `scheme://host:port`, asked by the manifest, granted by the operator.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One place that may be reached. `*` may stand for the whole host, the leftmost label of a host
/// (`*.example.com`), or the port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Grant {
    scheme: String,
    host: String,
    port: Option<u16>,
    /// Addresses of the machine itself and of private networks are meant too.
    private: bool,
}

impl Grant {
    /// Opens one host and port, named by the operator's own configuration: private addresses and
    /// loopback included.
    pub fn exact(scheme: &str, host: &str, port: u16) -> Self {
        Self {
            scheme: scheme.to_ascii_lowercase(),
            host: host.trim_matches(['[', ']']).to_ascii_lowercase(),
            port: Some(port),
            private: true,
        }
    }

    /// Does it open this place? The host must be lower-case, without brackets.
    pub fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.scheme == scheme && self.port.is_none_or(|granted| granted == port) && self.host_matches(host)
    }

    /// May the place be an address of this machine or of a private network? Only if the operator's
    /// own configuration named it to the letter.
    pub fn allows_private(&self) -> bool {
        self.private
    }

    fn host_matches(&self, host: &str) -> bool {
        match self.host.strip_prefix("*.") {
            Some(parent) => host
                .strip_suffix(parent)
                .and_then(|label| label.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
            None => self.host == "*" || self.host == host,
        }
    }
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |problem: &str| format!("grant {text:?}: {problem}; write scheme://host:port");
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("no scheme"))?;
        if !matches!(scheme, "https" | "http" | "smtp") {
            return Err(wrong("the scheme must be https, http or smtp"));
        }
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| wrong("no port"))?;
        let port = match port {
            "*" => None,
            digits => Some(
                digits
                    .parse()
                    .map_err(|_| wrong("the port must be a number or *"))?,
            ),
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        let labels = host.strip_prefix("*.").unwrap_or(&host);
        let fine = host == "*"
            || (!labels.is_empty()
                && labels
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte)));
        if !fine {
            return Err(wrong("the host must be a name, *.name or *"));
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            host,
            port,
            private: false,
        })
    }
}

impl TryFrom<String> for Grant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        match self.port {
            Some(port) => write!(f, "{}://{host}:{port}", self.scheme),
            None => write!(f, "{}://{host}:*", self.scheme),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_open_what_they_name_and_nothing_else() {
        for (grant, place, open) in [
            (
                "https://api.example.com:443",
                ("https", "api.example.com", 443),
                true,
            ),
            (
                "https://api.example.com:443",
                ("http", "api.example.com", 443),
                false,
            ),
            (
                "https://api.example.com:443",
                ("https", "api.example.com", 8443),
                false,
            ),
            (
                "https://api.example.com:443",
                ("https", "api.example.com.evil.test", 443),
                false,
            ),
            ("https://*.example.com:443", ("https", "a.example.com", 443), true),
            (
                "https://*.example.com:443",
                ("https", "a.b.example.com", 443),
                false,
            ),
            ("https://*.example.com:443", ("https", "example.com", 443), false),
            (
                "https://*.example.com:443",
                ("https", "evilexample.com", 443),
                false,
            ),
            ("smtp://mail.test:*", ("smtp", "mail.test", 587), true),
            ("https://*:443", ("https", "anything.test", 443), true),
        ] {
            let parsed: Grant = grant.parse().unwrap();
            assert_eq!(
                parsed.allows(place.0, place.1, place.2),
                open,
                "{grant} {place:?}"
            );
            assert_eq!(parsed.to_string(), grant);
            assert!(!parsed.allows_private());
        }
    }

    #[test]
    fn bad_grants_are_refused() {
        for text in [
            "example.com",
            "ftp://a:1",
            "https://a",
            "https://a:x",
            "https://a*b:1",
            "https://u@h:1",
        ] {
            assert!(text.parse::<Grant>().is_err(), "{text}");
        }
    }
}
