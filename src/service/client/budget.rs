//! A retry budget: retries may be a share of the requests, so that a server in trouble is not asked many times as much.

use crate::base::{Ratio, Span, Time};

/// How much may be tried again. A token bucket, as in Finagle's `RetryBudget`: each request puts in `share` of a token, time puts in
/// `floor` tokens a second, each retry takes one out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Config {
    /// Retries per request in the long run.
    pub share: Ratio,
    /// Time in which one more token comes, for traffic so thin that its share would never make one; `None`: never.
    pub floor: Option<Span>,
    /// Most tokens that are kept, and how many there are at the start.
    pub burst: u32,
}

/// A token is a million parts, so that shares add up exactly.
const TOKEN: u64 = 1_000_000;

/// A bucket.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    config: Config,
    parts: u64,
    /// Up to when time has put in its tokens.
    at: Time,
}

impl Budget {
    pub(super) fn new(config: Config, now: Time) -> Self {
        Self { config, parts: u64::from(config.burst) * TOKEN, at: now }
    }

    fn put(&mut self, parts: u64) {
        self.parts = self.parts.saturating_add(parts).min(u64::from(self.config.burst) * TOKEN);
    }

    /// A request came.
    pub(super) fn deposit(&mut self) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
        self.put(libm::round(self.config.share.get() * TOKEN as f64) as u64);
    }

    /// Takes a token for a retry; false if there is none.
    pub(super) fn withdraw(&mut self, now: Time) -> bool {
        if let Some(gap) = self.config.floor {
            let whole = now.since(self.at).as_nanos() / gap.as_nanos().max(1);
            self.at += gap.saturating_mul(whole);
            self.put(whole.saturating_mul(TOKEN));
        }
        let enough = self.parts >= TOKEN;
        if enough {
            self.parts -= TOKEN;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However often retries are wanted: `share` of the requests, the burst, and what time adds; not one more.
    #[test]
    fn retries_never_exceed_the_budget() {
        let share = Ratio::new(0.2).unwrap();
        for floor in [None, Some(Span::from_millis(500))] {
            let mut budget = Budget::new(Config { share, floor, burst: 10 }, Time::ZERO);
            let mut retries = 0;
            for request in 0..1_000_u64 {
                budget.deposit();
                let now = Time::ZERO + Span::from_millis(10) * request;
                retries += (0..5).filter(|_| budget.withdraw(now)).count();
            }
            // The first request finds the bucket full: 0.2 x 999 and the burst.
            assert_eq!(retries, 209 + if floor.is_some() { 19 } else { 0 });
        }
    }
}
