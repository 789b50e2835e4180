//! What a guest says to the operator, through `pinion:host/log` or on its standard streams.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Anything shorter is no address, and would make gaps in all lines.
const SHORTEST_PRIVATE: usize = 4;

/// Longest line that is kept.
const LINE_BYTES: usize = 4 << 10;

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// For the curious operator.
    Info,
    /// For the operator.
    Warn,
    /// For the operator, now.
    Error,
}

/// The log of one instance. What exceeds the bytes of a call is dropped and counted.
#[derive(Clone, Debug)]
pub struct GuestLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plugin: String,
    version: String,
    bytes_per_call: usize,
    left: AtomicUsize,
    /// Texts that must not be logged: the addresses of the running call.
    private: ArcSwap<Arc<[String]>>,
}

impl GuestLog {
    /// A log in a plugin's name.
    pub fn new(plugin: &str, version: &str, bytes_per_call: usize) -> Self {
        Self(Arc::new(Inner {
            plugin: plugin.to_owned(),
            version: version.to_owned(),
            bytes_per_call,
            left: AtomicUsize::new(bytes_per_call),
            private: ArcSwap::default(),
        }))
    }

    /// Starts a call with a fresh allowance. What it logs of `private` texts is replaced.
    pub fn begin_call(&self, private: Arc<[String]>) {
        self.0.private.store(Arc::new(private));
        self.0.left.store(self.0.bytes_per_call, Relaxed);
    }

    /// Writes one entry.
    pub fn write(&self, level: Level, text: &str) {
        let Inner { plugin, version, .. } = &*self.0;
        let wanted = text.len().max(1);
        let left = self
            .0
            .left
            .fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(wanted)));
        let left = left.unwrap_or(0);
        if left == 0 {
            metrics::counter!("pinion_plugin_log_dropped_bytes_total").increment(wanted as u64);
            return;
        }
        let text = escape(&conceal(clip(text, left.min(LINE_BYTES)), &self.0.private.load()));
        match level {
            Level::Debug => tracing::debug!(plugin.name = plugin, plugin.version = version, "{text}"),
            Level::Info => tracing::info!(plugin.name = plugin, plugin.version = version, "{text}"),
            Level::Warn => tracing::warn!(plugin.name = plugin, plugin.version = version, "{text}"),
            Level::Error => tracing::error!(plugin.name = plugin, plugin.version = version, "{text}"),
        }
    }
}

/// A text without the addresses that it tells.
fn conceal(text: &str, private: &[String]) -> String {
    let told = |address: &&String| address.len() >= SHORTEST_PRIVATE && text.contains(address.as_str());
    let told: Vec<_> = private.iter().filter(told).collect();
    told.into_iter().fold(text.to_owned(), |text, address| {
        text.replace(address, "[address]")
    })
}

/// The start of a text, at most so many bytes, cut between characters.
pub fn clip(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// A text that stays on its line and moves no cursor.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        // Besides control characters: those that end lines or turn the direction of writing.
        let unsafe_here = character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if unsafe_here {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// A standard stream of a guest: everything it writes becomes log lines.
#[derive(Clone)]
pub struct LogStream {
    log: GuestLog,
    level: Level,
}

impl LogStream {
    /// Standard output is for the author, standard error for the operator.
    pub fn new(log: &GuestLog, level: Level) -> Self {
        Self {
            log: log.clone(),
            level,
        }
    }

    fn write_bytes(&self, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.log.write(self.level, &String::from_utf8_lossy(line));
        }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.write_bytes(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE_BYTES)
    }
}

#[async_trait::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.write_bytes(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cannot_be_faked() {
        assert_eq!(
            escape("a\nINFO fake\r\u{1b}[31m\u{202e}é"),
            "a\\nINFO fake\\r\\u{1b}[31m\\u{202e}é"
        );
        assert_eq!(clip("żółw", 3), "ż");
    }

    #[test]
    fn a_call_has_an_allowance() {
        let log = GuestLog::new("p", "1", 10);
        log.write(Level::Info, "12345678");
        log.write(Level::Info, "12345678");
        assert_eq!(log.0.left.load(Relaxed), 0);
        log.begin_call(Arc::default());
        assert_eq!(log.0.left.load(Relaxed), 10);
    }

    #[test]
    fn addresses_are_concealed() {
        let private = ["nina@example.com", "+4912345", "a"].map(str::to_owned);
        assert_eq!(
            conceal("to nina@example.com or +4912345, a user", &private),
            "to [address] or [address], a user"
        );
    }
}
