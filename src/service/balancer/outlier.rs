//! Outlier ejection: a backend that fails too often in a row is left out for a while, each time for longer.

use crate::base::{Ratio, Span, Time};
use std::fmt;

/// Envoy's rules for consecutive errors (`outlier_detection`), with its defaults.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outliers {
    /// So many failures in a row: errors of the network, timeouts and answers from 500 up.
    pub consecutive: u32,
    /// How often it is looked whether somebody may come back.
    pub interval: Span,
    /// The first ejection lasts so long, the n-th in a row n times as long; it ends with the next look.
    pub base: Span,
    /// No ejection lasts longer.
    pub longest: Span,
    /// At most this share of the pool is left out; one always may be.
    pub share: Ratio,
}

impl Outliers {
    /// Envoy's defaults: five in a row, a look every 10 s, 30 s for each time, at most 300 s, at most a tenth of the pool.
    #[must_use]
    pub fn new() -> Self {
        Self {
            consecutive: 5,
            interval: Span::from_secs(10),
            base: Span::from_secs(30),
            longest: Span::from_secs(300),
            share: Ratio::new(0.1).unwrap_or_default(),
        }
    }

    /// Whether one more of `members` may be ejected while `ejected` are.
    #[must_use]
    pub fn allows(&self, ejected: usize, members: usize) -> bool {
        ejected == 0 || (ejected + 1) as f64 <= self.share.get() * members as f64 + 1e-9
    }
}

impl fmt::Display for Outliers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { consecutive, interval, base, longest, share } = self;
        write!(
            f,
            "after {consecutive} in a row, {base} each time up to {longest}, a look every {interval}, {share} at most"
        )
    }
}

impl Default for Outliers {
    fn default() -> Self {
        Self::new()
    }
}

/// What is held against one backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Record {
    failures: u32,
    /// How many ejections count.
    times: u32,
    /// Since when it is left out.
    ejected: Option<Time>,
}

impl Record {
    pub(super) const fn is_ejected(&self) -> bool {
        self.ejected.is_some()
    }

    /// Something sent to it ended. True if it has now failed often enough to be ejected; the failures are counted anew.
    pub(super) fn ended(&mut self, well: bool, rules: &Outliers) -> bool {
        if well {
            self.failures = 0;
            return false;
        }
        self.failures += 1;
        if self.failures < rules.consecutive {
            return false;
        }
        self.failures = 0;
        !self.is_ejected()
    }

    pub(super) fn eject(&mut self, now: Time) {
        self.ejected = Some(now);
        self.times += 1;
    }

    /// The look that comes at every interval. True if it comes back; one that has stayed is forgiven one ejection.
    pub(super) fn look(&mut self, now: Time, rules: &Outliers) -> bool {
        let Some(since) = self.ejected else {
            self.times = self.times.saturating_sub(1);
            return false;
        };
        let over = now.since(since) >= rules.base.saturating_mul(u64::from(self.times)).min(rules.longest);
        if over {
            self.ejected = None;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Span = Span::from_secs(1);

    fn at(secs: u64) -> Time {
        Time::ZERO + SECOND * secs
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let (rules, mut record) = (Outliers::new(), Record::default());
        for _ in 0..10 {
            assert!((0..4).all(|_| !record.ended(false, &rules)));
            assert!(!record.ended(true, &rules));
        }
        assert!((0..4).all(|_| !record.ended(false, &rules)));
        assert!(record.ended(false, &rules));
    }

    /// The time is the base times the ejections in a row, up to the longest, rounded up to the next look.
    #[test]
    fn each_ejection_in_a_row_lasts_longer() {
        let rules = Outliers { longest: SECOND * 75, ..Outliers::new() };
        let mut record = Record::default();
        let mut now = 0;
        let mut lasted = Vec::new();
        for _ in 0..4 {
            record.eject(at(now));
            let began = now;
            loop {
                now += 10;
                if record.look(at(now), &rules) {
                    break;
                }
            }
            lasted.push(now - began);
        }
        assert_eq!(lasted, [30, 60, 80, 80]);
        // Four looks without an ejection, and all is forgiven.
        (0..4).for_each(|n| assert!(!record.look(at(now + 10 * n), &rules)));
        record.eject(at(1_000));
        assert!(!record.look(at(1_020), &rules));
        assert!(record.look(at(1_030), &rules));
    }

    #[test]
    fn no_more_than_the_share_is_ejected_but_one_always_may_be() {
        let rules = Outliers { share: Ratio::new(0.5).unwrap(), ..Outliers::new() };
        let most = |rules: &Outliers, members| (0..members).take_while(|&n| rules.allows(n, members)).count();
        assert_eq!([1, 2, 3, 4, 10].map(|members| most(&rules, members)), [1, 1, 1, 2, 5]);
        assert_eq!([1, 9, 10, 20, 100].map(|members| most(&Outliers::new(), members)), [1, 1, 1, 2, 10]);
    }
}
