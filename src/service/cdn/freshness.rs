//! How old a stored response is, and what may be done with it at that age (RFC 9111 4.2, RFC 5861).

use super::control::CacheControl;
use crate::base::{Span, Time};

/// What is needed to tell the age of a stored response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// When the request for it was sent.
    pub asked: Time,
    /// When its head came.
    pub came: Time,
    /// The `Age` that it came with.
    pub age: Span,
}

impl Clock {
    /// Its age at `now` (RFC 9111 4.2.3): the `Age` that it came with, the whole of its way, and how long it has been here. Caches on the
    /// way all say `Age`, so that `Date` is not asked. `Age` is in whole seconds, cut off: behind another cache a response may be
    /// up to a second older than it knows.
    #[must_use]
    pub fn age_at(&self, now: Time) -> Span {
        self.age + (self.came - self.asked) + now.since(self.came)
    }
}

/// What may be done with a stored response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// It is fresh for so long still.
    Fresh(Span),
    /// It is stale for so long and may be used while it is validated.
    WhileRevalidating(Span),
    /// It must be validated first; it is stale for so long.
    Validate(Span),
}

/// What may be done with a response of this age whose lifetime is `lifetime`.
#[must_use]
pub fn usable(control: &CacheControl, lifetime: Span, age: Span) -> Use {
    let stale = age.saturating_sub(lifetime);
    if control.no_cache {
        Use::Validate(stale)
    } else if age < lifetime {
        Use::Fresh(lifetime - age)
    } else if stale < control.while_revalidating() {
        Use::WhileRevalidating(stale)
    } else {
        Use::Validate(stale)
    }
}

/// Whether a response of this age may be used where its validation has failed.
#[must_use]
pub fn usable_on_error(control: &CacheControl, lifetime: Span, age: Span) -> bool {
    // What is still fresh may be used in any case; `no-cache` forbids even that.
    !control.no_cache && (age < lifetime || age - lifetime < control.on_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Span {
        Span::from_secs(n)
    }

    #[test]
    fn the_age_counts_from_the_question() {
        let ms = |n| Time::ZERO + Span::from_millis(n);
        let clock = Clock { asked: ms(1_000), came: ms(1_300), age: secs(2) };
        assert_eq!(clock.age_at(ms(1_300)), Span::from_millis(2_300));
        assert_eq!(clock.age_at(ms(5_000)), secs(6));
    }

    #[test]
    fn uses_change_at_the_instants_that_the_directives_say() {
        let control = CacheControl::of(b"max-age=10, stale-while-revalidate=5, stale-if-error=20");
        let at = |nanos: u64| usable(&control, secs(10), Span::from_nanos(nanos));
        let second = 1_000_000_000;
        assert_eq!(at(10 * second - 1), Use::Fresh(Span::from_nanos(1)));
        assert_eq!(at(10 * second), Use::WhileRevalidating(Span::ZERO));
        assert_eq!(at(15 * second - 1), Use::WhileRevalidating(Span::from_nanos(5 * second - 1)));
        assert_eq!(at(15 * second), Use::Validate(secs(5)));
        let error = |age| usable_on_error(&control, secs(10), Span::from_nanos(age));
        assert!(error(30 * second - 1) && !error(30 * second));
        let never = CacheControl::of(b"max-age=10, no-cache, stale-if-error=20");
        assert_eq!(usable(&never, secs(10), secs(1)), Use::Validate(Span::ZERO));
        assert!(!usable_on_error(&never, secs(10), secs(11)));
    }
}
