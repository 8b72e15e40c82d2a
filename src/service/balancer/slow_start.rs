//! Slow start: one that has just come gets its share little by little, so that cold caches do not meet full load.

use crate::base::{Span, Time};

/// The smallest share of its weight that one gets, in percent (Envoy's `min_weight_percent`).
const LEAST: u64 = 10;

/// What a backend of this weight is to get, in thousandths of a weight of 1, at `now`: in proportion to the part of the `window` that
/// has passed since it came (Envoy's slow start with an aggression of 1), all of it where it has been there from the start.
#[must_use]
pub(super) fn share(weight: u32, since: Option<Time>, window: Option<Span>, now: Time) -> u32 {
    let full = u64::from(weight) * 1_000;
    let (Some(since), Some(window)) = (since, window) else { return saturated(full) };
    let passed = now.since(since).min(window);
    let part = u128::from(full) * u128::from(passed.as_nanos()) / u128::from(window.as_nanos().max(1));
    saturated(u64::try_from(part).unwrap_or(full).max(full * LEAST / 100).max(1))
}

fn saturated(share: u64) -> u32 {
    u32::try_from(share).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_grows_from_a_tenth_to_all_of_it() {
        let (start, second) = (Time::ZERO + Span::from_secs(100), Span::from_secs(1));
        let at = |secs| share(2, Some(start), Some(second * 10), start + second * secs);
        assert_eq!([0, 1, 5, 9, 10, 50].map(at), [200, 200, 1_000, 1_800, 2_000, 2_000]);
        assert_eq!(share(2, None, Some(second), start), 2_000, "there from the start");
        assert_eq!(share(2, Some(start), None, start), 2_000, "no window");
    }
}
