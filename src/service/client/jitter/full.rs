//! Anything from nothing to the wait.

use super::uniform;
use crate::base::{Rng, Span};

pub(super) fn apply(wait: Span, rng: &mut Rng) -> Span {
    uniform(Span::ZERO, wait, rng)
}
