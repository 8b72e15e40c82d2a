//! Half of the wait, and anything up to the other half.

use super::uniform;
use crate::base::{Rng, Span};

pub(super) fn apply(wait: Span, rng: &mut Rng) -> Span {
    wait / 2 + uniform(Span::ZERO, wait / 2, rng)
}
