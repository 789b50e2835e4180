//! Another account's application, whose plugin sends all the while and must not notice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pinion_domain::extension::channel::Verdict;
use pinion_domain::extension::{Binding, Caller, Channel, Grant, Plugins as _};
use pinion_sandbox::Sandbox;
use tokio::task::JoinHandle;

use crate::support::{install, message};

/// Messages under way at once.
const LANES: usize = 6;
/// The fewest sends that say something about the slowest of a hundred.
const ENOUGH: usize = 100;

/// Sends until it is stopped.
pub struct Bystander {
    lanes: Vec<JoinHandle<()>>,
    seen: Arc<Mutex<Seen>>,
}

/// What it noticed.
#[derive(Default)]
pub struct Seen {
    times: Vec<Duration>,
    /// Verdicts that are not acceptances.
    pub errors: Vec<String>,
}

/// The one who sends.
pub fn caller() -> Caller {
    Caller {
        account: "222222222222".into(),
        app: "bystander".into(),
    }
}

impl Bystander {
    /// Starts to send through its own plugin, to a server that takes [`crate::web::LATENCY`].
    pub async fn start(sandbox: &Arc<Sandbox>, port: u16) -> Self {
        install(sandbox, &["bad/slow"]).await;
        let binding = Binding {
            plugin: "slow".to_owned(),
            settings: serde_json::json!({}),
            grants: vec![Grant::exact("http", "127.0.0.1", port)],
        };
        let channel = sandbox.channel(&caller(), &binding).await.expect("a good plugin");
        let seen = Arc::<Mutex<Seen>>::default();
        let url: Arc<str> = format!("http://127.0.0.1:{port}/wait").into();
        let lanes = (0..LANES)
            .map(|_| tokio::spawn(send(channel.clone(), url.clone(), seen.clone())))
            .collect();
        let bystander = Self { lanes, seen };
        // Instances and connections are made; from here on it counts.
        bystander.has_sent(LANES * 2).await;
        bystander.forget();
        bystander
    }

    /// Forgets what was noticed so far.
    pub fn forget(&self) {
        *self.seen.lock() = Seen::default();
    }

    /// Waits until enough was sent to judge.
    pub async fn has_sent_enough(&self) {
        self.has_sent(ENOUGH).await;
    }

    async fn has_sent(&self, sends: usize) {
        let began = Instant::now();
        while self.seen.lock().times.len() < sends && began.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops, and tells.
    pub async fn stop(self) -> Seen {
        for lane in &self.lanes {
            lane.abort();
        }
        for lane in self.lanes {
            // Cancelled, as it should be.
            drop(lane.await);
        }
        std::mem::take(&mut *self.seen.lock())
    }
}

impl Seen {
    /// The time that one of a hundred exceeds.
    pub fn p99(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        let place = (times.len() * 99 / 100).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or(Duration::MAX)
    }
}

async fn send(channel: Arc<dyn Channel>, url: Arc<str>, seen: Arc<Mutex<Seen>>) {
    for n in 0_u64.. {
        let began = Instant::now();
        let verdicts = channel
            .send(vec![message(&format!("b{n}"), &[("url", &url)])])
            .await;
        let mut seen = seen.lock();
        seen.times.push(began.elapsed());
        let bad = verdicts
            .iter()
            .filter(|verdict| !matches!(verdict, Verdict::Accepted(_)));
        seen.errors.extend(bad.map(|verdict| format!("{verdict:?}")));
    }
}
