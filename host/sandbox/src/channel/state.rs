//! What the host knows of a running channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pinion_domain::clock::Clock;
use pinion_domain::extension::{Caller, Grant};
use wasmtime::component::{HasData, ResourceTable};
use wasmtime::{Result, StoreLimits};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

use super::batch::Batch;
use super::settings::Settings;
use crate::engines::store_limits;
use crate::logging::{GuestLog, Level, LogStream};
use crate::plugin::Version;
use crate::services::Services;

/// The data of a channel's store.
pub struct ChannelState {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
    pub(super) log: GuestLog,
    /// Fixed when the instance was made.
    pub(super) bound: Arc<Bound>,
    /// Of the running call.
    pub(super) running: Arc<Running>,
    host_calls_left: u32,
}

/// How generated code finds the functions of [`ChannelState`].
pub struct ChannelFunctions;

impl HasData for ChannelFunctions {
    type Data<'a> = &'a mut ChannelState;
}

/// Whose instance it is, and what it serves.
pub struct Bound {
    pub services: Arc<Services>,
    pub caller: Caller,
    /// The plugin's name in the key-value store.
    pub store_name: String,
    pub settings: Settings,
}

/// What belongs to one call.
#[derive(Default)]
pub struct Running {
    pub batch: Batch,
    pub reach: Reach,
    /// Requests that wait for an answer.
    open_requests: AtomicU32,
    pub most_open_requests: u32,
}

impl Running {
    /// A call that sends `batch`.
    pub fn new(batch: Batch, reach: Reach, most_open_requests: u32) -> Self {
        Self {
            batch,
            reach,
            open_requests: AtomicU32::new(0),
            most_open_requests,
        }
    }

    /// Counts a request as open until the answer is dropped; `None` if there are too many.
    pub fn open_request(self: &Arc<Self>) -> Option<OpenRequest> {
        // Counted before it is judged, and given back by the drop.
        let open = OpenRequest(self.clone());
        let before = self.open_requests.fetch_add(1, Relaxed);
        (before < self.most_open_requests).then_some(open)
    }
}

/// A request that waits for an answer.
pub struct OpenRequest(Arc<Running>);

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.open_requests.fetch_sub(1, Relaxed);
    }
}

/// What a call may reach: what the manifest asks and the operator grants, and what the one who made
/// the binding opens.
#[derive(Default)]
pub struct Reach {
    pub asked: Vec<Grant>,
    pub granted: Arc<Vec<Grant>>,
    pub binding: Arc<Vec<Grant>>,
}

impl Reach {
    /// The grants that open a place; empty if it is closed.
    pub fn opening(&self, scheme: &str, host: &str, port: u16) -> Vec<Grant> {
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let opens = |grant: &&Grant| grant.allows(scheme, &host, port);
        let asked = self.asked.iter().any(|grant| opens(&grant));
        let granted = self.granted.iter().filter(|_| asked).filter(opens);
        granted
            .chain(self.binding.iter().filter(opens))
            .cloned()
            .collect()
    }
}

impl ChannelState {
    /// The state of a fresh instance.
    pub fn new(version: &Version, bound: Arc<Bound>) -> Self {
        let limits = &bound.services.limits;
        let manifest = &version.manifest;
        let log = GuestLog::new(&manifest.name, &manifest.version, limits.log_bytes);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            wasi: wasi(&log, bound.services.clock.clone()),
            table,
            limits: store_limits(limits),
            log,
            host_calls_left: limits.host_calls,
            running: Arc::default(),
            bound,
        }
    }

    /// Prepares for a call.
    pub fn begin_call(&mut self, running: Arc<Running>, host_calls: u32) {
        self.log.begin_call(running.batch.addresses());
        self.running = running;
        self.host_calls_left = host_calls;
    }

    /// Counts a call of the host; too many are a trap.
    pub fn count_host_call(&mut self) -> Result<()> {
        self.host_calls_left = (self.host_calls_left.checked_sub(1))
            .ok_or_else(|| wasmtime::Error::msg("more host calls than one call may make"))?;
        Ok(())
    }

    /// For the store.
    pub fn limiter(&mut self) -> &mut StoreLimits {
        &mut self.limits
    }
}

impl WasiView for ChannelState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

fn wasi(log: &GuestLog, clock: Arc<dyn Clock>) -> WasiCtx {
    WasiCtx::builder()
        .stdout(LogStream::new(log, Level::Debug))
        .stderr(LogStream::new(log, Level::Error))
        .wall_clock(Wall(clock))
        .monotonic_clock(Monotonic(Instant::now()))
        .max_random_size(64 << 10)
        .allow_tcp(false)
        .allow_udp(false)
        .build()
}

/// Clocks are coarse: a millisecond is enough for a channel, and too little to spy with.
const RESOLUTION: Duration = Duration::from_millis(1);

struct Wall(Arc<dyn Clock>);

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().as_millisecond()).unwrap_or(0))
    }
}

struct Monotonic(Instant);

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX / 1_000_000) * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_open_if_asked_and_granted_or_opened_by_the_binding() {
        let grants = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| text.parse().unwrap())
                .collect::<Vec<Grant>>()
        };
        let reach = Reach {
            asked: grants(&["https://*.example.com:443", "https://asked.test:443"]),
            granted: Arc::new(grants(&["https://a.example.com:443", "https://granted.test:443"])),
            binding: Arc::new(grants(&["smtp://mail.test:25"])),
        };
        for (scheme, host, port, open) in [
            ("https", "a.example.com", 443, true),
            ("https", "A.example.COM", 443, true),
            ("https", "b.example.com", 443, false),
            ("https", "asked.test", 443, false),
            ("https", "granted.test", 443, false),
            ("smtp", "mail.test", 25, true),
            ("smtp", "mail.test", 26, false),
            ("http", "mail.test", 25, false),
        ] {
            assert_eq!(
                !reach.opening(scheme, host, port).is_empty(),
                open,
                "{scheme}://{host}:{port}"
            );
        }
    }

    #[test]
    fn open_requests_are_counted() {
        let running = Arc::new(Running::new(Batch::default(), Reach::default(), 1));
        let first = running.open_request().unwrap();
        assert!(running.open_request().is_none());
        drop(first);
        assert!(running.open_request().is_some());
    }
}
