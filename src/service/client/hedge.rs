//! Hedged requests: what has not been answered in time is asked once more, and the first answer counts (Dean and Barroso, "The
//! Tail at Scale", 2013).

use super::budget;
use crate::base::{Ratio, Span};
use std::collections::VecDeque;

/// How long to wait for the first answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum After {
    /// So long.
    Time(Span),
    /// As long as this share of the last answers took; no hedges before there have been [`ENOUGH`].
    Quantile(Ratio),
}

/// Answers that must have come before a quantile of them means something.
pub const ENOUGH: usize = 50;
/// Answers that are remembered.
const REMEMBERED: usize = 1_000;

/// When and how often.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hedge {
    /// How long to wait before each further try.
    pub after: After,
    /// Tries beside the first.
    pub most: u32,
    /// How many of them in all.
    pub budget: Option<budget::Config>,
}

/// How long the last answers took.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies {
    /// In the order of their coming.
    recent: VecDeque<Span>,
    sorted: Vec<Span>,
}

impl Latencies {
    pub(super) fn add(&mut self, latency: Span) {
        if self.recent.len() == REMEMBERED
            && let Some(oldest) = self.recent.pop_front()
            && let Ok(place) = self.sorted.binary_search(&oldest)
        {
            self.sorted.remove(place);
        }
        self.recent.push_back(latency);
        let place = self.sorted.partition_point(|&other| other < latency);
        self.sorted.insert(place, latency);
    }

    /// How long to wait before asking again; `None`: that is not known yet.
    pub(super) fn patience(&self, after: After) -> Option<Span> {
        match after {
            After::Time(span) => Some(span),
            After::Quantile(_) if self.sorted.len() < ENOUGH => None,
            After::Quantile(share) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a thousand")]
                let rank = libm::ceil(share.get() * self.sorted.len() as f64) as usize;
                self.sorted.get(rank.clamp(1, self.sorted.len()) - 1).copied()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_follows_the_last_answers() {
        let mut latencies = Latencies::default();
        let p95 = After::Quantile(Ratio::new(0.95).unwrap());
        for ms in 1..=49 {
            latencies.add(Span::from_millis(ms));
        }
        assert_eq!(latencies.patience(p95), None);
        assert_eq!(latencies.patience(After::Time(Span::ZERO)), Some(Span::ZERO));
        for ms in 50..=100 {
            latencies.add(Span::from_millis(ms));
        }
        assert_eq!(latencies.patience(p95), Some(Span::from_millis(95)));
        for _ in 0..REMEMBERED {
            latencies.add(Span::from_millis(7));
        }
        assert_eq!(latencies.patience(p95), Some(Span::from_millis(7)), "the old ones are forgotten");
        assert_eq!(latencies.sorted.len(), REMEMBERED);
    }
}
