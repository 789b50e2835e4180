//! What this process takes, as Linux counts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

/// How often the memory is looked at.
const EVERY: Duration = Duration::from_millis(20);

/// Watches anonymous memory: what the process itself allocated, without pages of files that the kernel may
/// take back.
pub struct Peak {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64>>,
}

impl Peak {
    pub fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut most = 0;
            while !seen.load(Ordering::Relaxed) {
                most = most.max(status("RssAnon:")?);
                std::thread::sleep(EVERY);
            }
            Ok(most)
        });
        Self { stop, thread }
    }

    /// The most that was seen, in bytes.
    pub fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the watcher panicked"))?
    }
}

/// The most memory that this process ever had, pages of files included, in bytes.
pub fn resident() -> Result<u64> {
    status("VmHWM:")
}

fn status(key: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .with_context(|| format!("no {key} in the process's status"))?;
    let kilobytes: u64 = value.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1_024)
}

/// Seconds of processor that this process has used, in all its threads.
pub fn cpu_seconds() -> Result<f64> {
    // Nanoseconds on a processor are the first number of each thread's statistics.
    let mut nanoseconds = 0_u64;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let first = text.split(' ').next().context("schedstat is empty")?;
        nanoseconds += first.parse::<u64>()?;
    }
    Ok(nanoseconds as f64 / 1e9)
}
