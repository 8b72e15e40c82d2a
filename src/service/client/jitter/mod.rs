//! What chance makes of a wait, so that clients that failed together do not come back together.
//!
//! Names and formulas of Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015). Adding one: its file, its line in
//! [`TABLE`] and a variant of [`Jitter`].

mod decorrelated;
mod equal;
mod full;
mod none;

use crate::base::{Rng, Span};

/// Every jitter and what it does.
pub const TABLE: &[(&str, Jitter, &str)] = &[
    ("None", Jitter::None, "the wait as it is: clients that failed together come back together"),
    ("Full", Jitter::Full, "anything from nothing to the wait"),
    ("Equal", Jitter::Equal, "half of the wait, and anything up to the other half"),
    ("Decorrelated", Jitter::Decorrelated, "anything from the first wait to three times the one before"),
];

/// A jitter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Jitter {
    /// None.
    #[default]
    None,
    /// Full.
    Full,
    /// Equal.
    Equal,
    /// Decorrelated.
    Decorrelated,
}

impl Jitter {
    /// The wait that is made of `wait`, given the one before and the shortest and longest of the growth.
    pub(super) fn apply(self, wait: Span, last: Span, limits: (Span, Span), rng: &mut Rng) -> Span {
        match self {
            Self::None => none::apply(wait),
            Self::Full => full::apply(wait, rng),
            Self::Equal => equal::apply(wait, rng),
            Self::Decorrelated => decorrelated::apply(last, limits, rng),
        }
    }

    /// Its name as scenarios write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(_, jitter, _)| *jitter == self).map_or("", |(name, ..)| name)
    }
}

/// Uniform between two spans, both included.
fn uniform(low: Span, high: Span, rng: &mut Rng) -> Span {
    let width = high.as_nanos().saturating_sub(low.as_nanos());
    low + Span::from_nanos(rng.below(width.saturating_add(1)))
}
