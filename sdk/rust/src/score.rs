//! What scores are made of: counts that count ever less, and time that lets them fade.
//!
//! WebAssembly has no instruction for a logarithm or a power, so the functions of `f64` are software there and
//! cost a row more than everything else. These work from small tables that are made once.
//!
//! ```
//! use pinion_sdk::score::{Diminishing, HalfLife};
//!
//! let worth = Diminishing::new();
//! assert_eq!([0, 1, 3, 7].map(|count| worth.of(count)), [0.0, 1.0, 2.0, 3.0]);
//!
//! let day = 86_400_000_000;
//! let month = HalfLife::days(30.0).unwrap();
//! assert_eq!([0, 30 * day, 60 * day].map(|age| month.left_after(age)), [1.0, 0.5, 0.25]);
//! ```

/// Counts below this have their logarithm in a table.
const COUNTS: usize = 256;

/// What a count is worth if each doubling adds the same: `log2(1 + count)`.
#[derive(Clone, Debug)]
pub struct Diminishing(Box<[f64]>);

impl Diminishing {
    /// Makes the table.
    #[expect(clippy::new_without_default, reason = "it is work, not a value")]
    pub fn new() -> Self {
        Self((0..COUNTS).map(|count| (1.0 + count as f64).log2()).collect())
    }

    /// The worth of a count: 0, 1, 1.58, 2 …; a negative count is 0.
    pub fn of(&self, count: i64) -> f64 {
        let count = count.max(0);
        match usize::try_from(count).ok().and_then(|count| self.0.get(count)) {
            Some(known) => *known,
            None => (1.0 + count as f64).log2(),
        }
    }
}

/// Steps of a half-life that have their factor in a table. A power of two, so that every whole half-life is exact.
const STEPS: u32 = 256;
const MICROS_PER_DAY: f64 = 86_400e6;
/// Added to a number between 0 and 2^51, it leaves the nearest whole number in the lowest bits.
const ROUND: f64 = (3_u64 << 51) as f64;
/// 2^-1022 is the smallest number whose exponent can be set by itself.
const MOST_HALF_LIVES: u32 = 1_022;

/// How fast something fades: after this time half is left, after twice the time a quarter.
#[derive(Clone, Debug)]
pub struct HalfLife {
    step_micros: f64,
    /// `2 ^ (-step / STEPS)`.
    factors: Box<[f64]>,
}

impl HalfLife {
    /// A half-life of so many days; `None` unless that is a number above 0.
    pub fn days(days: f64) -> Option<Self> {
        let step_micros = days * MICROS_PER_DAY / f64::from(STEPS);
        let factor = |step| (-f64::from(step) / f64::from(STEPS)).exp2();
        (step_micros > 0.0 && step_micros.is_finite()).then(|| Self {
            step_micros,
            factors: (0..STEPS).map(factor).collect(),
        })
    }

    /// The part that is left after this many microseconds: `0.5 ^ (age / half-life)`. What is not old yet is whole.
    pub fn left_after(&self, age_micros: i64) -> f64 {
        // Clocks differ: what lies in the future is of now.
        let steps = age_micros.max(0) as f64 / self.step_micros;
        if steps > f64::from(MOST_HALF_LIVES * STEPS) {
            return 0.0;
        }
        let rounded = steps + ROUND;
        let nearest = rounded.to_bits() as u32;
        let factor = self.factors[(nearest % STEPS) as usize];
        // Halving takes one from the exponent.
        let halved = f64::from_bits(factor.to_bits() - (u64::from(nearest / STEPS) << 52));
        // The rest is at most half a step, so that four terms of e^x are as exact as a float can be.
        let x = (rounded - ROUND - steps) * (std::f64::consts::LN_2 / f64::from(STEPS));
        halved * (1.0 + x * (1.0 + x * (1.0 / 2.0 + x * (1.0 / 6.0 + x * (1.0 / 24.0)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn a_worth_is_the_logarithm() {
        let worth = Diminishing::new();
        for count in [0, 1, 2, 100, 255, 256, 257, 1_000_000, i64::MAX] {
            assert_eq!(worth.of(count), (1.0 + count as f64).log2(), "{count}");
        }
        assert_eq!(worth.of(-5), 0.0);
    }

    #[test]
    fn whole_half_lives_are_exact() {
        for days in [0.001, 1.0, 7.0, 30.0, 365.0] {
            let half_life = HalfLife::days(days).unwrap();
            for halves in 0..1_000_i64 {
                let age = (days * MICROS_PER_DAY) as i64 * halves;
                let exact = (-(halves as f64)).exp2();
                assert_eq!(half_life.left_after(age), exact, "{halves} × {days} days");
            }
        }
    }

    #[test]
    fn between_them_it_is_the_power_to_the_last_digits() {
        let half_life = HalfLife::days(30.0).unwrap();
        for age in (0..30_000 * DAY).step_by(777_777_777_777) {
            let exact = (-(age as f64) / (30.0 * MICROS_PER_DAY)).exp2();
            let off = (half_life.left_after(age) / exact - 1.0).abs();
            assert!(off < 4e-15, "{age}: {off:e}");
        }
    }

    #[test]
    fn the_future_is_now_and_the_distant_past_is_nothing() {
        let half_life = HalfLife::days(1.0).unwrap();
        assert_eq!(half_life.left_after(-DAY), 1.0);
        assert_eq!(half_life.left_after(i64::MIN), 1.0);
        assert_eq!(half_life.left_after(1_022 * DAY), f64::MIN_POSITIVE);
        assert_eq!(half_life.left_after(1_023 * DAY), 0.0);
        assert_eq!(half_life.left_after(i64::MAX), 0.0);
    }

    #[test]
    fn a_half_life_is_a_time() {
        for days in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX] {
            assert!(HalfLife::days(days).is_none(), "{days}");
        }
        // Shorter than a microsecond: everything but now is gone.
        let instant = HalfLife::days(1e-300).unwrap();
        assert_eq!((instant.left_after(0), instant.left_after(1)), (1.0, 0.0));
    }
}
