//! A few of the backends for each balancer, dealt out evenly: connections grow with the subset instead of with the pool.

use super::{Asked, Candidate, Policy};
use crate::base::{Rng, Span, Time};

/// Deterministic subsetting (Beyer et al., Site Reliability Engineering, chapter 20): balancers in one round share out one shuffled
/// list, so each backend serves equally many of them. Where no member of the subset may be chosen, all that may are.
pub struct Subset {
    /// Ids, ascending.
    mine: Vec<usize>,
    inner: Box<dyn Policy>,
    /// Those of the subset that may be chosen now, and their places.
    among: Vec<Candidate>,
    places: Vec<usize>,
}

impl Subset {
    /// The subset of `size` out of `members` for the balancer with this number, from 0; `inner` chooses among them.
    #[must_use]
    pub fn new(size: usize, members: usize, instance: u32, inner: Box<dyn Policy>) -> Self {
        let size = size.clamp(1, members.max(1));
        let subsets = (members / size).max(1);
        let (round, index) = (instance as usize / subsets, instance as usize % subsets);
        let mut order: Vec<usize> = (0..members).collect();
        // The shuffle (Fisher and Yates) depends on the round alone, not on the run: balancers agree without a word.
        let mut rng = Rng::stream(round as u64, "balancer/subset");
        for last in (1..members).rev() {
            let other = usize::try_from(rng.below(last as u64 + 1)).expect("an index");
            order.swap(last, other);
        }
        let mut mine: Vec<usize> = order.into_iter().skip(index * size).take(size).collect();
        mine.sort_unstable();
        Self { mine, inner, among: Vec::new(), places: Vec::new() }
    }

    /// The ids of the subset, ascending.
    #[must_use]
    pub fn members(&self) -> &[usize] {
        &self.mine
    }
}

impl Policy for Subset {
    fn pick(&mut self, among: &[Candidate], asked: Asked, rng: &mut Rng) -> usize {
        self.among.clear();
        self.places.clear();
        for (place, candidate) in among.iter().enumerate() {
            if self.mine.binary_search(&candidate.id).is_ok() {
                self.among.push(*candidate);
                self.places.push(place);
            }
        }
        if self.among.is_empty() {
            return self.inner.pick(among, asked, rng);
        }
        self.places[self.inner.pick(&self.among, asked, rng)]
    }

    fn answered(&mut self, id: usize, latency: Span, now: Time) {
        self.inner.answered(id, latency, now);
    }
}
