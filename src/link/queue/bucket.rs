//! A token bucket in exact integers: what it lets through in any span is at most burst + rate x span.

use crate::base::{BitRate, Span, Time};

/// Tokens are counted in billionths of a bit, so that a nanosecond at any rate in bits per second is a whole number of them.
const PER_BYTE: u128 = 8 * 1_000_000_000;

/// Fills at `rate` up to `burst`; starts full. A burst of exactly one packet loses the fraction of a nanosecond by which each
/// packet is late; with more room nothing is lost.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    rate: BitRate,
    capacity: u128,
    level: u128,
    filled_at: Time,
}

impl Bucket {
    pub(super) const fn new(rate: BitRate, burst: u64) -> Self {
        let capacity = burst as u128 * PER_BYTE;
        Self { rate, capacity, level: capacity, filled_at: Time::ZERO }
    }

    fn level_at(&self, now: Time) -> u128 {
        let elapsed = u128::from(now.since(self.filled_at).as_nanos());
        (self.level + elapsed * u128::from(self.rate.as_bps())).min(self.capacity)
    }

    /// Takes tokens for `size` bytes; false, and nothing is taken, if there are not enough.
    pub(super) fn take(&mut self, size: u32, now: Time) -> bool {
        self.level = self.level_at(now);
        self.filled_at = self.filled_at.max(now);
        let need = u128::from(size) * PER_BYTE;
        let enough = need <= self.level;
        if enough {
            self.level -= need;
        }
        enough
    }

    /// The first nanosecond, not before `now`, at which [`Bucket::take`] succeeds. A packet larger than the bucket: never.
    pub(super) fn ready(&self, size: u32, now: Time) -> Time {
        let need = u128::from(size) * PER_BYTE;
        if need > self.capacity {
            return Time::NEVER;
        }
        let now = now.max(self.filled_at);
        let missing = need.saturating_sub(self.level_at(now));
        let wait = missing.div_ceil(u128::from(self.rate.as_bps()));
        now.saturating_add(Span::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket() -> Bucket {
        // A byte every microsecond.
        Bucket::new(BitRate::from_bps(8_000_000).unwrap(), 3_000)
    }

    fn at_us(us: u64) -> Time {
        Time::ZERO + Span::from_micros(us)
    }

    #[test]
    fn the_burst_is_exact() {
        let mut bucket = bucket();
        assert!(bucket.take(1_500, Time::ZERO));
        assert!(!bucket.take(1_501, Time::ZERO), "one byte more than is left");
        assert!(bucket.take(1_500, Time::ZERO));
        assert!(!bucket.take(1, Time::ZERO));
    }

    #[test]
    fn tokens_come_at_the_rate_and_not_a_nanosecond_early() {
        let mut bucket = bucket();
        assert!(bucket.take(3_000, at_us(5)));
        let ready = bucket.ready(1_000, at_us(100));
        assert_eq!(ready, at_us(1_005));
        assert!(!bucket.take(1_000, Time::from_nanos(ready.as_nanos() - 1)));
        assert!(bucket.take(1_000, ready));
    }

    #[test]
    fn a_full_bucket_gains_nothing_by_waiting() {
        let mut bucket = bucket();
        assert!(bucket.take(3_000, at_us(1_000_000)));
        assert!(!bucket.take(1, at_us(1_000_000)));
        assert_eq!(bucket.ready(3_001, at_us(1_000_000)), Time::NEVER);
    }

    #[test]
    fn the_long_run_rate_has_no_drift_at_rates_that_do_not_divide() {
        // 1,500 bytes at 7 Mb/s: 1,714,285.714... ns. A greedy sender gets exactly rate x time + burst.
        let rate = BitRate::from_bps(7_000_000).unwrap();
        let mut bucket = Bucket::new(rate, 3_000);
        let mut now = Time::ZERO;
        for _ in 0..7_002 {
            now = bucket.ready(1_500, now);
            assert!(bucket.take(1_500, now));
        }
        assert_eq!(now, Time::ZERO + Span::from_secs(12));
    }
}
