//! How often an account may call an operation. Nothing is limited unless the operator says so.
//!
//! Each account has a bucket per operation that holds a second's worth of requests and fills at its rate.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use pinion_domain::id::AccountId;

use crate::error::{ApiError, Result};
use crate::operations::OPERATIONS;

/// Stands for every operation that is not named.
const DEFAULT: &str = "default";
/// What a bucket holds.
const BURST: SignedDuration = SignedDuration::from_secs(1);

/// Requests a second, by operation, and who asked when.
#[derive(Debug, Default)]
pub struct Rates {
    /// Time that one request takes out of its bucket.
    costs: HashMap<&'static str, SignedDuration>,
    /// When a bucket will be full again. One that is full is not kept longer than it takes to find that out.
    full: Mutex<HashMap<(AccountId, &'static str), Timestamp>>,
}

impl Rates {
    /// Reads `{"PutEvents": 7000, "default": 300}`; case does not count, so that variables of the environment can
    /// name operations. Fails with a sentence that names what is wrong.
    pub fn new(rates: &BTreeMap<String, u32>) -> Result<Self, String> {
        let known = |name: &str| OPERATIONS.iter().find(|row| row.name.eq_ignore_ascii_case(name));
        let cost = |name: &str, rate: u32| match rate {
            0 => Err(format!("{name}: must be at least 1 request a second")),
            rate => Ok(BURST / i32::try_from(rate).unwrap_or(i32::MAX)),
        };
        let mut costs = HashMap::new();
        if let Some(rate) = rates.get(DEFAULT) {
            let cost = cost(DEFAULT, *rate)?;
            costs.extend(OPERATIONS.iter().map(|row| (row.name, cost)));
        }
        for (name, rate) in rates.iter().filter(|(name, _)| *name != DEFAULT) {
            let row = known(name).ok_or_else(|| format!("{name}: is no operation"))?;
            costs.insert(row.name, cost(name, *rate)?);
        }
        Ok(Self {
            costs,
            full: Mutex::default(),
        })
    }

    /// Takes a request out of its bucket, or tells when there will be one.
    pub(crate) fn take(&self, account: &AccountId, operation: &'static str, now: Timestamp) -> Result<()> {
        let Some(cost) = self.costs.get(operation) else {
            return Ok(());
        };
        let mut full = self.full.lock();
        let bucket = full.entry((account.clone(), operation)).or_insert(now);
        let after = (*bucket).max(now) + *cost;
        let missing = after.duration_since(now) - BURST;
        if missing <= SignedDuration::ZERO {
            *bucket = after;
            return Ok(());
        }
        let seconds = missing.as_secs() + i64::from(missing.subsec_nanos() > 0);
        Err(ApiError::too_many_requests(
            format!("The account calls {operation} more often than it may."),
            u32::try_from(seconds).unwrap_or(u32::MAX),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(pairs: &[(&str, u32)]) -> Result<Rates, String> {
        let pairs = pairs.iter().map(|(name, rate)| ((*name).to_owned(), *rate));
        Rates::new(&pairs.collect())
    }

    #[test]
    fn a_bucket_holds_a_second_and_fills_at_its_rate() {
        let rates = rates(&[("GetApp", 2)]).unwrap();
        let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let at = |milliseconds| start + SignedDuration::from_millis(milliseconds);
        for (account, operation, milliseconds, fine) in [
            ("1", "GetApp", 0, true),
            ("1", "GetApp", 0, true),
            ("1", "GetApp", 0, false),
            ("2", "GetApp", 0, true),
            ("1", "GetApps", 0, true),
            ("1", "GetApp", 499, false),
            ("1", "GetApp", 500, true),
            ("1", "GetApp", 500, false),
            // However long nobody asks, a bucket holds no more.
            ("1", "GetApp", 60_000, true),
            ("1", "GetApp", 60_000, true),
            ("1", "GetApp", 60_000, false),
            // A clock that goes back gives nothing.
            ("1", "GetApp", 0, false),
        ] {
            let taken = rates.take(&account.into(), operation, at(milliseconds));
            assert_eq!(taken.is_ok(), fine, "{account} {operation} {milliseconds}");
        }
    }

    #[test]
    fn names_are_operations() {
        assert!(rates(&[]).unwrap().costs.is_empty());
        let two = rates(&[("default", 10), ("putevents", 20)]).unwrap();
        assert_eq!(two.costs["PutEvents"], SignedDuration::from_millis(50));
        assert_eq!(two.costs["GetApp"], SignedDuration::from_millis(100));
        assert_eq!(
            rates(&[("PutEvent", 1)]).unwrap_err(),
            "PutEvent: is no operation"
        );
        assert_eq!(
            rates(&[("default", 0)]).unwrap_err(),
            "default: must be at least 1 request a second"
        );
    }
}
