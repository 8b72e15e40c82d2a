//! Bandwidth in segments per microsecond as a 24-bit fixed-point fraction, and its maximum over a window of rounds.

use crate::base::{BitRate, Span};

/// A bandwidth: segments per microsecond, times 2^24 (about 715 bit/s of 1500-byte packets; Linux `BW_SCALE`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Bandwidth(pub(super) u64);

/// A multiplier, of 256 (Linux `BBR_SCALE`).
pub(super) type Gain = u32;

/// The gain that changes nothing.
pub(super) const UNIT: Gain = 256;

impl Bandwidth {
    /// `segments` over `interval`, which is not zero.
    pub(super) fn of(segments: u64, interval: Span) -> Self {
        let scaled = (u128::from(segments) << 24) * 1000 / u128::from(interval.as_nanos().max(1));
        Self(u64::try_from(scaled).unwrap_or(u64::MAX))
    }

    /// Whole segments delivered in `interval`.
    pub(super) fn segments_in(self, interval: Span) -> u64 {
        u64::try_from((u128::from(self.0) * u128::from(interval.as_nanos()) / 1000) >> 24).unwrap_or(u64::MAX)
    }

    /// Segments in flight that fill a path of `rtt` `gain` times, rounded up (Linux `bbr_bdp`).
    pub(super) fn product(self, rtt: Span, gain: Gain) -> u32 {
        let scaled = (u128::from(self.0) * u128::from(rtt.as_nanos()) / 1000 * u128::from(gain)) >> 8;
        u32::try_from(scaled.div_ceil(1 << 24)).unwrap_or(u32::MAX)
    }

    /// Bytes per second of segments of `mss` bytes at `gain`, less the margin of 1 % that lets queues drain on average
    /// (Linux `bbr_rate_bytes_per_sec`).
    pub(super) fn bytes_per_second(self, mss: u32, gain: Gain) -> u64 {
        let scaled = ((u128::from(self.0) * u128::from(mss) * u128::from(gain)) >> 8) * (1_000_000 / 100 * 99);
        u64::try_from(scaled >> 24).unwrap_or(u64::MAX)
    }
}

/// `bytes` per second as a rate, within what a rate can be.
pub(super) fn bit_rate(bytes: u64) -> BitRate {
    BitRate::from_bps(bytes.saturating_mul(8).max(1)).unwrap_or(BitRate::MAX)
}

/// The largest bandwidth of the last rounds: the three best samples, each younger than the one above it (Nichols' filter,
/// Linux `win_minmax`), so that the estimate ages in steps of a third or so of the window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MaxFilter {
    /// Round and value, best first.
    best: [(u64, Bandwidth); 3],
}

impl MaxFilter {
    /// Rounds that a sample counts: a gain cycle and two more (Linux `bbr_bw_rtts`).
    pub(super) const ROUNDS: u64 = 10;

    pub(super) const fn get(&self) -> Bandwidth {
        self.best[0].1
    }

    /// Takes in a sample made in `round`.
    pub(super) fn add(&mut self, round: u64, value: Bandwidth) {
        let sample = (round, value);
        let [first, second, third] = self.best;
        if value >= first.1 || round - third.0 > Self::ROUNDS {
            self.best = [sample; 3];
            return;
        }
        if value >= second.1 {
            self.best = [first, sample, sample];
        } else if value >= third.1 {
            self.best[2] = sample;
        }
        self.age(sample);
    }

    /// Drops what is too old; without a worse sample for long, takes the newest as next best, to have one when needed.
    fn age(&mut self, newest: (u64, Bandwidth)) {
        let age = newest.0 - self.best[0].0;
        if age > Self::ROUNDS {
            self.best = [self.best[1], self.best[2], newest];
            if newest.0 - self.best[0].0 > Self::ROUNDS {
                self.best = [self.best[1], self.best[2], newest];
            }
        } else if self.best[1].0 == self.best[0].0 && age > Self::ROUNDS / 4 {
            self.best = [self.best[0], newest, newest];
        } else if self.best[2].0 == self.best[1].0 && age > Self::ROUNDS / 2 {
            self.best[2] = newest;
        }
    }
}
