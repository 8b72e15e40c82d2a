//! Additive increase, multiplicative decrease, as TCP's window: one more after an answer in time, a share less after one that is late.

use super::Range;
use crate::base::Span;

/// When to grow and by how much to shrink.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Aimd {
    /// Bounds.
    pub range: Range,
    /// An answer that took longer, waiting included, was late.
    pub latency: Span,
    /// What is left of the limit after a late answer.
    pub decrease: f64,
}

impl Aimd {
    /// As `AIMDLimit` of Netflix's `concurrency-limits`.
    #[must_use]
    pub fn new(latency: Span) -> Self {
        Self { range: Range::default(), latency, decrease: 0.9 }
    }

    pub(super) fn next(&self, limit: f64, latency: Span, in_flight: u32) -> f64 {
        self.range.clamp(if latency > self.latency {
            limit * self.decrease
        } else if f64::from(in_flight) * 2.0 >= limit {
            limit + 1.0
        } else {
            // What is not made use of proves nothing.
            limit
        })
    }
}
