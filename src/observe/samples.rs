//! Latency samples kept exactly, and what can honestly be said of them.

use crate::base::{Span, Time};

/// Samples that must lie beyond a percentile for it to be stated.
pub const BEYOND: usize = 10;

/// A share in parts per million, for percentiles: 99.9 % is 999,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Percentile(u32);

impl Percentile {
    /// The median.
    pub const P50: Self = Self(500_000);
    /// The 90th.
    pub const P90: Self = Self(900_000);
    /// The 99th.
    pub const P99: Self = Self(990_000);
    /// The 99.9th.
    pub const P99_9: Self = Self(999_000);

    /// `ppm` parts per million, or `None` above the whole.
    #[must_use]
    pub const fn from_ppm(ppm: u32) -> Option<Self> {
        if ppm > 1_000_000 { None } else { Some(Self(ppm)) }
    }

    /// How many of `count` samples lie at or below the percentile: `ceil(p * count)`.
    fn rank(self, count: usize) -> usize {
        let rank = (count as u128 * u128::from(self.0)).div_ceil(1_000_000);
        usize::try_from(rank).expect("at most the count")
    }
}

impl std::fmt::Display for Percentile {
    /// `p50`, `p99`, `p99.9`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("p{}.{:04}", self.0 / 10_000, self.0 % 10_000);
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// One sample: something that took `latency` was complete at `time`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// When it was complete.
    pub time: Time,
    /// How long it took.
    pub latency: Span,
}

/// All samples of one kind, in the order in which they came.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Samples {
    all: Vec<Sample>,
}

impl Samples {
    /// Adds a sample.
    #[inline]
    pub fn push(&mut self, time: Time, latency: Span) {
        self.all.push(Sample { time, latency });
    }

    /// The samples in the order in which they came.
    #[must_use]
    pub fn as_slice(&self) -> &[Sample] {
        &self.all
    }

    /// Sorts a copy, from which any number of percentiles can be read.
    #[must_use]
    pub fn sorted(&self) -> Sorted {
        let mut latencies: Vec<Span> = self.all.iter().map(|sample| sample.latency).collect();
        latencies.sort_unstable();
        Sorted(latencies)
    }
}

impl FromIterator<Sample> for Samples {
    fn from_iter<I: IntoIterator<Item = Sample>>(samples: I) -> Self {
        Self { all: samples.into_iter().collect() }
    }
}

/// Latencies in ascending order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sorted(Vec<Span>);

impl Sorted {
    /// Number of samples.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The shortest.
    #[must_use]
    pub fn min(&self) -> Option<Span> {
        self.0.first().copied()
    }

    /// The longest.
    #[must_use]
    pub fn max(&self) -> Option<Span> {
        self.0.last().copied()
    }

    /// All of them added.
    #[must_use]
    pub fn sum(&self) -> Span {
        self.0.iter().copied().sum()
    }

    /// The mean, rounded down to a nanosecond.
    #[must_use]
    pub fn mean(&self) -> Option<Span> {
        (!self.0.is_empty()).then(|| self.sum() / self.0.len() as u64)
    }

    /// The smallest sample that at least the share `percentile` of samples do not exceed (nearest rank), or `None` where
    /// fewer than [`BEYOND`] samples lie beyond it: one unlucky sample must not make a p99.
    #[must_use]
    pub fn percentile(&self, percentile: Percentile) -> Option<Span> {
        let rank = percentile.rank(self.0.len());
        (self.0.len() - rank >= BEYOND).then(|| self.0[rank.saturating_sub(1)])
    }

    /// Like [`Sorted::percentile`], however few samples lie beyond: for pictures and for picking a typical sample.
    #[must_use]
    pub fn nearest(&self, percentile: Percentile) -> Option<Span> {
        self.0.get(percentile.rank(self.0.len()).saturating_sub(1)).copied()
    }

    /// The latencies in ascending order.
    #[must_use]
    pub fn as_slice(&self) -> &[Span] {
        &self.0
    }
}
