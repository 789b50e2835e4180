//! CPU budgets. Epoch deadlines alone count wall ticks since they were set, which a guest that waits
//! for a provider also lets pass; so the deadline only asks, and this meter answers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

/// The CPU time that one store has used and may use. Nanoseconds.
#[derive(Debug, Default)]
pub struct CpuMeter {
    spent: AtomicU64,
    /// CPU time of the thread when it began to run this store.
    entered: AtomicU64,
    budget: AtomicU64,
}

impl CpuMeter {
    /// Starts a call with a fresh budget.
    pub fn allow(&self, budget: Duration) {
        self.spent.store(0, Relaxed);
        self.budget.store(nanoseconds(budget), Relaxed);
    }

    /// Runs `code`, which belongs to this store, on the current thread.
    pub fn measure<R>(&self, code: impl FnOnce() -> R) -> R {
        self.entered.store(thread_time(), Relaxed);
        let result = code();
        self.spent.fetch_add(self.running_for(), Relaxed);
        result
    }

    /// Is the budget used up? Called from inside [`Self::measure`].
    pub fn is_exhausted(&self) -> bool {
        self.spent.load(Relaxed) + self.running_for() > self.budget.load(Relaxed)
    }

    fn running_for(&self) -> u64 {
        thread_time().saturating_sub(self.entered.load(Relaxed))
    }
}

/// A future whose polls are measured.
pub struct Measured<F> {
    meter: Arc<CpuMeter>,
    future: Pin<Box<F>>,
}

impl<F> Measured<F> {
    /// Counts the polls of `future` on `meter`.
    pub fn new(meter: Arc<CpuMeter>, future: F) -> Self {
        Self {
            meter,
            future: Box::pin(future),
        }
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let meter = self.meter.clone();
        meter.measure(|| self.future.as_mut().poll(context))
    }
}

/// CPU time of the current thread.
fn thread_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_inside_counts() {
        let meter = CpuMeter::default();
        meter.allow(Duration::from_millis(5));
        let burn = |time: Duration| {
            let start = thread_time();
            while thread_time() - start < nanoseconds(time) {}
        };
        burn(Duration::from_millis(10));
        meter.measure(|| assert!(!meter.is_exhausted()));
        meter.measure(|| burn(Duration::from_millis(3)));
        meter.measure(|| assert!(!meter.is_exhausted()));
        meter.measure(|| {
            burn(Duration::from_millis(3));
            assert!(meter.is_exhausted());
        });
        meter.allow(Duration::from_millis(5));
        meter.measure(|| assert!(!meter.is_exhausted()));
    }
}
