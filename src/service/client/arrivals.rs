//! When users ask: open loop, where requests come whatever happens to those before, or closed loop, where users wait.

use crate::base::{Dist, Rng, Span, Time};

/// The pattern of a traffic's requests.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrivals {
    /// One request.
    Once,
    /// Open loop, one every so often, the first at the start.
    Every(Span),
    /// Open loop, a Poisson process; the first comes one gap after the start.
    Poisson {
        /// Mean time between requests.
        mean_gap: Span,
    },
    /// Open loop, at these instants of the run, in order; those before the start come at the start.
    At(Vec<Time>),
    /// Closed loop: users who ask, wait for the answer, think, and ask again; all ask first at the start.
    Users {
        /// How many.
        count: u32,
        /// How long each thinks before asking again.
        think: Dist,
    },
    /// Not by themselves: a server asks while it answers others.
    Called,
}

/// The instants of an open loop, one after the other.
pub(in crate::service) struct Instants<'a> {
    arrivals: &'a Arrivals,
    start: Time,
    last: Time,
    index: u64,
    rng: Rng,
}

impl<'a> Instants<'a> {
    /// The instants from `start` on; `rng` draws the gaps where they are random.
    pub(in crate::service) const fn new(arrivals: &'a Arrivals, start: Time, rng: Rng) -> Self {
        Self { arrivals, start, last: start, index: 0, rng }
    }
}

impl Iterator for Instants<'_> {
    type Item = Time;

    fn next(&mut self) -> Option<Time> {
        let index = self.index;
        self.index += 1;
        self.last = match self.arrivals {
            Arrivals::Once if index == 0 => self.start,
            Arrivals::Once | Arrivals::Users { .. } | Arrivals::Called => return None,
            Arrivals::Every(gap) => crate::service::tick(self.start, *gap, index),
            Arrivals::Poisson { mean_gap } => {
                let gap = Span::from_secs_f64(self.rng.exponential(mean_gap.as_secs_f64()));
                self.last.saturating_add(gap)
            }
            Arrivals::At(instants) => (*instants.get(usize::try_from(index).ok()?)?).max(self.start),
        };
        Some(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instants(arrivals: &Arrivals, count: usize) -> Vec<u64> {
        let start = Time::ZERO + Span::from_secs(1);
        let instants = Instants::new(arrivals, start, Rng::stream(1, "test/arrivals"));
        instants.take(count).map(|time| time.since(start).as_millis()).collect()
    }

    #[test]
    fn open_loops_ask_at_their_instants() {
        let at = |secs| Time::ZERO + Span::from_secs(secs);
        assert_eq!(instants(&Arrivals::Once, 5), [0]);
        assert_eq!(instants(&Arrivals::Every(Span::from_millis(20)), 3), [0, 20, 40]);
        assert_eq!(instants(&Arrivals::At(vec![at(0), at(1), at(3)]), 5), [0, 0, 2_000]);
    }

    /// In a Poisson process the number of arrivals in a second has its mean as its variance.
    #[test]
    fn poisson_counts_have_their_mean_as_their_variance() {
        let mut counts = vec![0.0; 2_000];
        for at in instants(&Arrivals::Poisson { mean_gap: Span::from_millis(20) }, 110_000) {
            if let Some(count) = usize::try_from(at / 1_000).ok().and_then(|second| counts.get_mut(second)) {
                *count += 1.0;
            }
        }
        let n = counts.len() as f64;
        let mean = counts.iter().sum::<f64>() / n;
        let variance = counts.iter().map(|count| (count - mean) * (count - mean)).sum::<f64>() / n;
        assert!((mean - 50.0).abs() < 1.0, "mean {mean}");
        assert!((variance / mean - 1.0).abs() < 0.1, "variance {variance}, mean {mean}");
    }
}
