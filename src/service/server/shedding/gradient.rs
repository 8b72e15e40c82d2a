//! The gradient of the latency: as long as answers take hardly longer than usual the limit grows, as they get slower it shrinks.

use super::Range;
use crate::base::Span;

/// How much slower is still usual, and how fast to follow. Constants of `Gradient2Limit` in Netflix's `concurrency-limits`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Gradient {
    /// Bounds.
    pub range: Range,
    /// So many times the usual latency are no reason to shrink.
    pub tolerance: f64,
    /// Requests that may wait in any case, so that the limit can find out whether more is possible.
    pub queue: u32,
    /// Share of each step that is taken.
    pub smoothing: f64,
}

/// Answers over which the usual latency is averaged.
const MEMORY: u32 = 600;

impl Default for Gradient {
    fn default() -> Self {
        Self { range: Range::default(), tolerance: 1.5, queue: 4, smoothing: 0.2 }
    }
}

impl Gradient {
    /// The usual latency in seconds after one more answer, and how many there have been.
    pub(super) fn usual(usual: f64, seen: u32, latency: Span) -> (f64, u32) {
        let seen = (seen + 1).min(MEMORY);
        let weight = 2.0 / f64::from(seen + 1);
        (usual + (latency.as_secs_f64() - usual) * weight, seen)
    }

    /// The limit after an answer, and the usual latency, which is made to fall faster when overload is over.
    pub(super) fn next(&self, limit: f64, usual: f64, latency: Span, in_flight: u32) -> (f64, f64) {
        let now = latency.as_secs_f64();
        if now <= 0.0 {
            return (limit, usual);
        }
        let usual = if usual > 2.0 * now { usual * 0.95 } else { usual };
        if f64::from(in_flight) * 2.0 < limit {
            return (limit, usual);
        }
        let gradient = (self.tolerance * usual / now).clamp(0.5, 1.0);
        let wanted = limit * gradient + f64::from(self.queue);
        (self.range.clamp(limit * (1.0 - self.smoothing) + wanted * self.smoothing), usual)
    }
}
