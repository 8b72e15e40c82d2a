//! Anything from the first wait to three times the one before, whatever the number of the try.

use super::uniform;
use crate::base::{Rng, Span};

pub(super) fn apply(last: Span, (first, max): (Span, Span), rng: &mut Rng) -> Span {
    uniform(first, last.saturating_mul(3).max(first), rng).min(max)
}
