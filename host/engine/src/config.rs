//! What an operator can set about sending, imports and tracking.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use pinion_domain::channel::ChannelType;
use pinion_domain::extension::{Binding, Grant};
use url::Url;

/// The engine's settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server-wide binding of each channel type.
    pub bindings: BTreeMap<ChannelType, ServerBinding>,
    /// The base of tracking, unsubscribe and hook links; without it nothing is tracked.
    pub public_url: Option<Url>,
    /// The folder below which `file://` imports may read; absent forbids them.
    pub import_folder: Option<PathBuf>,
    /// The folder below which `file://` exports may write; absent forbids them.
    pub export_folder: Option<PathBuf>,
    /// Endpoints that an exported file holds at the most.
    pub export_piece: u32,
    /// Chunks that are worked on at once.
    pub workers: usize,
    /// Recipients that are loaded, rendered and committed together.
    pub batch: usize,
    /// How failures that may pass are tried again.
    pub retry: RetryPolicy,
    /// How long a chunk belongs to a worker that says nothing.
    pub lease: Duration,
    /// How often schedules are looked at.
    pub tick: Duration,
    /// How long a request to send is known when its client repeats it.
    pub repeat_window: Duration,
    /// Bytes that the columns of all applications may hold, from which segments are answered.
    pub audience_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bindings: BTreeMap::new(),
            public_url: None,
            import_folder: None,
            export_folder: None,
            export_piece: 50_000,
            workers: 4,
            batch: 500,
            retry: RetryPolicy::default(),
            lease: Duration::from_secs(60),
            tick: Duration::from_millis(500),
            repeat_window: Duration::from_secs(3_600),
            audience_bytes: 4 << 30,
        }
    }
}

/// A binding that the config file names.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerBinding {
    /// Plugin, settings, and the host and port of its settings as grant.
    pub binding: Binding,
    /// Messages a second; absent means as fast as it goes.
    pub rate: Option<u32>,
    /// What happens to messages that may have left when something died.
    pub delivery: Delivery,
}

/// What happens to messages that may have left when a plugin, a connection or the server died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// They are sent again, with the same message id.
    #[default]
    AtLeastOnce,
    /// They become `UNKNOWN`.
    AtMostOnce,
}

/// Back-off: the n-th retry waits `first * factor^(n-1)`, with up to a fifth of jitter.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// The wait before the second try.
    pub first: Duration,
    /// The growth of the wait.
    pub factor: u32,
    /// The longest wait, whatever a provider asks for.
    pub longest: Duration,
    /// Tries in all.
    pub attempts: u16,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(10),
            factor: 4,
            longest: Duration::from_secs(3_600),
            attempts: 6,
        }
    }
}

impl RetryPolicy {
    /// The wait after `attempts` tries, or `None` when there were enough. `chance` is in 0..1.
    pub fn wait(&self, attempts: u16, asked: Option<Duration>, chance: f64) -> Option<Duration> {
        if attempts >= self.attempts {
            return None;
        }
        let exponent = u32::from(attempts.saturating_sub(1));
        let growth = self.factor.checked_pow(exponent).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(growth).min(self.longest);
        let wait = wait.mul_f64(1.0 + chance / 5.0);
        Some(asked.unwrap_or_default().min(self.longest).max(wait))
    }
}

impl ServerBinding {
    /// A binding that opens the host and port of its own settings, loopback included.
    pub fn of_settings(plugin: String, settings: serde_json::Value) -> Self {
        let mut grants = Vec::new();
        let text = |key: &str| settings.get(key).and_then(serde_json::Value::as_str);
        if let (Some(host), Some(port)) = (
            text("host"),
            settings.get("port").and_then(serde_json::Value::as_u64),
        ) {
            grants.extend(
                u16::try_from(port)
                    .ok()
                    .map(|port| Grant::exact("smtp", host, port)),
            );
        }
        if let Some(url) = text("url").and_then(|url| Url::parse(url).ok())
            && let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default())
        {
            grants.push(Grant::exact(url.scheme(), host, port));
        }
        Self {
            binding: Binding {
                plugin,
                settings,
                grants,
            },
            rate: None,
            delivery: Delivery::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let policy = RetryPolicy {
            first: Duration::from_secs(1),
            factor: 10,
            longest: Duration::from_secs(60),
            attempts: 4,
        };
        let wait = |attempts, asked: Option<u64>| policy.wait(attempts, asked.map(Duration::from_secs), 0.0);
        assert_eq!(wait(1, None), Some(Duration::from_secs(1)));
        assert_eq!(wait(2, None), Some(Duration::from_secs(10)));
        assert_eq!(wait(3, None), Some(Duration::from_secs(60)));
        assert_eq!(wait(4, None), None);
        assert_eq!(wait(1, Some(20)), Some(Duration::from_secs(20)));
        assert_eq!(wait(1, Some(1_000_000)), Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_binding_opens_the_host_of_its_settings() {
        let smtp = ServerBinding::of_settings(
            "email-smtp".into(),
            serde_json::json!({"host": "::1", "port": 25}),
        );
        assert!(smtp.binding.grants[0].allows("smtp", "::1", 25) && smtp.binding.grants[0].allows_private());
        let hook = ServerBinding::of_settings(
            "webhook".into(),
            serde_json::json!({"url": "http://127.0.0.1:9/x"}),
        );
        assert!(hook.binding.grants[0].allows("http", "127.0.0.1", 9));
    }
}
