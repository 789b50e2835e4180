//! Rates: messages a second of a binding and of a campaign, smoothed, and the pauses that providers ask
//! for. A campaign's message waits; a direct one asks whether it may go at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use pinion_domain::clock::Clock;

/// How much unused rate may be saved up.
const BURST: Duration = Duration::from_millis(250);

/// All rates of this node, by name.
pub struct Throttle {
    clock: Arc<dyn Clock>,
    rates: Mutex<HashMap<String, Rate>>,
}

struct Rate {
    /// When the next message may leave if all before it leave in time.
    next: Timestamp,
}

impl Throttle {
    /// No rate has been used yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            rates: Mutex::default(),
        }
    }

    /// Takes `count` permits of a rate and says how long to wait before using them.
    pub fn take(&self, name: &str, per_second: u32, count: usize) -> Duration {
        let now = self.clock.now();
        let mut rates = self.rates.lock();
        let rate = rates.entry(name.to_owned()).or_insert(Rate { next: now });
        let earliest = now - signed(BURST);
        let start = rate.next.max(earliest);
        let cost = Duration::from_secs_f64(count_f64(count) / f64::from(per_second.max(1)));
        rate.next = start + signed(cost);
        let wait = start.duration_since(now);
        Duration::try_from(wait).unwrap_or_default()
    }

    /// Gives back permits that were not used.
    pub fn give_back(&self, name: &str, per_second: u32, count: usize) {
        if let Some(rate) = self.rates.lock().get_mut(name) {
            let cost = Duration::from_secs_f64(count_f64(count) / f64::from(per_second.max(1)));
            rate.next -= signed(cost);
        }
    }

    /// Takes one permit if it may be used at once.
    pub fn try_take(&self, name: &str, per_second: u32) -> bool {
        if self.take(name, per_second, 1).is_zero() {
            return true;
        }
        self.give_back(name, per_second, 1);
        false
    }

    /// Lets nothing of a rate leave before `until`.
    pub fn hold(&self, name: &str, until: Timestamp) {
        let mut rates = self.rates.lock();
        let rate = rates.entry(name.to_owned()).or_insert(Rate { next: until });
        rate.next = rate.next.max(until);
    }

    /// How long a rate that is only held, and not counted, must wait.
    pub fn held(&self, name: &str) -> Duration {
        let now = self.clock.now();
        let until = self.rates.lock().get(name).map_or(now, |rate| rate.next);
        Duration::try_from(until.duration_since(now)).unwrap_or_default()
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn count_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_domain::clock::ManualClock;

    #[test]
    fn a_rate_is_kept_on_average() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let throttle = Throttle::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let mut waited = Duration::ZERO;
        for _ in 0..100 {
            let wait = throttle.take("campaign", 100, 10);
            waited += wait;
            clock.advance(signed(wait));
        }
        // 1,000 messages at 100 a second; the last ten need not be waited for.
        assert!((9.5..=10.0).contains(&waited.as_secs_f64()), "{waited:?}");
    }

    #[test]
    fn permits_that_were_not_used_come_back() {
        let throttle = Throttle::new(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
        throttle.take("b", 10, 10);
        throttle.give_back("b", 10, 10);
        assert_eq!(throttle.take("b", 10, 1), Duration::ZERO);
    }

    #[test]
    fn a_direct_message_does_not_wait() {
        let throttle = Throttle::new(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
        let through = (0..10).filter(|_| throttle.try_take("b", 4)).count();
        assert_eq!(through, 1, "one at once; the burst is earned by waiting");
    }

    #[test]
    fn a_provider_can_ask_for_a_pause() {
        let throttle = Throttle::new(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
        throttle.hold("b", Timestamp::UNIX_EPOCH + SignedDuration::from_secs(30));
        assert_eq!(throttle.held("b"), Duration::from_secs(30));
    }
}
