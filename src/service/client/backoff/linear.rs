//! One step more before every retry.

use crate::base::Span;

pub(super) fn wait(first: Span, max: Span, n: u32) -> Span {
    first.saturating_mul(u64::from(n) + 1).min(max)
}
