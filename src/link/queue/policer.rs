//! A policer: what exceeds rate and burst is dropped on arrival; nothing is delayed.

use super::bucket::Bucket;
use super::packet::{Label, Verdict};
use crate::base::{BitRate, Time};
use crate::trace::Cause;

/// A token bucket at the entrance of a queue.
#[derive(Debug)]
pub(in crate::link) struct Policer {
    bucket: Bucket,
}

impl Policer {
    pub(super) const fn new(rate: BitRate, burst: u64) -> Self {
        Self { bucket: Bucket::new(rate, burst) }
    }

    pub(super) fn decide(&mut self, label: &Label, now: Time) -> Verdict {
        if self.bucket.take(label.size, now) { Verdict::Admit } else { Verdict::Drop(Cause::Policed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;

    #[test]
    fn a_steady_stream_above_the_rate_gets_the_rate_and_one_burst() {
        // 2,000 packets of 1,000 bytes at 16 Mb/s for a second against 8 Mb/s and 50 kB of burst.
        let mut policer = Policer::new(BitRate::from_bps(8_000_000).unwrap(), 50_000);
        let label = Label { size: 1_000, ..Label::default() };
        let passed = (0..2_000u64)
            .filter(|n| {
                let now = Time::ZERO + Span::from_micros(500 * n);
                policer.decide(&label, now) == Verdict::Admit
            })
            .count();
        // 50 of the burst, and those that the 999.5 ms until the last arrival have filled: 999.
        assert_eq!(passed, 50 + 999);
    }
}
