//! The least response time: a moving average that follows peaks at once and forgets them slowly, times what is outstanding.

use super::{Asked, Candidate, Policy, at_or_after};
use crate::base::{Rng, Span, Time};

/// Peak EWMA as in Finagle's `PeakEwma` load metric: a response slower than the average replaces it; a faster one is mixed in with
/// weight 1 - e^(-t/decay), t since the last one. The average sinks while nothing is asked, so that one slow answer does not
/// shut a backend out for ever. The cost is the average times (outstanding + 1); Finagle looks at two drawn at random, here
/// all are looked at.
#[derive(Debug)]
pub struct PeakEwma {
    decay: Span,
    averages: Vec<Average>,
    next: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Average {
    value: Span,
    since: Time,
}

/// What one with requests outstanding and no answer yet counts as: it is asked again only when all others are worse (Finagle).
const UNKNOWN: Span = Span::from_secs(1 << 20);

impl Average {
    fn observe(&mut self, latency: Span, now: Time, decay: Span) {
        if latency > self.value {
            self.value = latency;
        } else {
            let old = libm::exp(-now.since(self.since).as_secs_f64() / decay.as_secs_f64());
            let mixed = self.value.as_secs_f64() * old + latency.as_secs_f64() * (1.0 - old);
            self.value = Span::from_secs_f64(mixed);
        }
        self.since = now;
    }
}

impl PeakEwma {
    /// For a pool of so many.
    #[must_use]
    pub fn new(members: usize, decay: Span) -> Self {
        Self { decay, averages: vec![Average::default(); members], next: 0 }
    }

    fn cost(&mut self, candidate: &Candidate, now: Time) -> u128 {
        let average = &mut self.averages[candidate.id];
        average.observe(Span::ZERO, now, self.decay);
        match (average.value, candidate.active) {
            (Span::ZERO, 0) => 0,
            (Span::ZERO, active) => u128::from(UNKNOWN.as_nanos()) + u128::from(active),
            (value, active) => u128::from(value.as_nanos()) * (u128::from(active) + 1),
        }
    }
}

impl Policy for PeakEwma {
    fn pick(&mut self, among: &[Candidate], asked: Asked, _: &mut Rng) -> usize {
        let first = at_or_after(among, self.next);
        let order = (first..among.len()).chain(0..first);
        let best = order.min_by_key(|&place| self.cost(&among[place], asked.now)).expect("somebody may be chosen");
        self.next = among[best].id + 1;
        best
    }

    fn answered(&mut self, id: usize, latency: Span, now: Time) {
        self.averages[id].observe(latency, now, self.decay);
    }
}
