//! A factor longer before every retry.

use crate::base::Span;

pub(super) fn wait(first: Span, max: Span, factor: f64, n: u32) -> Span {
    let mut wait = first.as_secs_f64();
    for _ in 0..n {
        // Multiplied out one by one: the same on every platform, and over when the maximum is reached.
        if wait >= max.as_secs_f64() {
            return max;
        }
        wait *= factor;
    }
    Span::from_secs_f64(wait).min(max)
}
