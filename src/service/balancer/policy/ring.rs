//! Consistent hashing with bounded loads: points on a ring, and a full backend passes a key on to the next.

use super::hash::of_backend;
use super::{Asked, Candidate, Policy};
use crate::base::Rng;

/// A ring of points (Karger et al. 1997). With a bound, a key whose backend has its share of the load already goes on along the
/// ring (Mirrokni, Thorup and Zadimoghaddam 2018): no backend has more than ceil(c x (load + 1) / n), c being the bound.
#[derive(Debug)]
pub struct Ring {
    points: u32,
    /// In percent.
    load: Option<u32>,
    /// Position on the ring and id, for `members`.
    positions: Vec<(u64, usize)>,
    /// Ids and weights that the ring was made of.
    members: Vec<(usize, u32)>,
}

impl Ring {
    /// With so many points for a weight of 1, and perhaps no more load than so many percent of the mean, at least 100.
    #[must_use]
    pub const fn new(points: u32, load: Option<u32>) -> Self {
        Self { points, load, positions: Vec::new(), members: Vec::new() }
    }

    fn arrange(&mut self, among: &[Candidate]) {
        if among.iter().map(|one| (one.id, one.weight)).eq(self.members.iter().copied()) {
            return;
        }
        self.members = among.iter().map(|one| (one.id, one.weight)).collect();
        self.positions = among
            .iter()
            .flat_map(|one| {
                let points = u64::from(self.points) * u64::from(one.weight);
                (0..points).map(|point| (of_backend("ring", one.id, point), one.id))
            })
            .collect();
        self.positions.sort_unstable();
    }

    /// Most that a candidate may have with one more.
    fn capacity(&self, among: &[Candidate], candidate: &Candidate) -> u64 {
        let Some(load) = self.load else { return u64::MAX };
        let (mut weights, mut active) = (0, 0);
        for one in among {
            weights += u64::from(one.weight);
            active += u64::from(one.active);
        }
        (u64::from(load) * (active + 1) * u64::from(candidate.weight)).div_ceil(100 * weights)
    }
}

impl Policy for Ring {
    fn pick(&mut self, among: &[Candidate], asked: Asked, _: &mut Rng) -> usize {
        self.arrange(among);
        let first = self.positions.partition_point(|&(position, _)| position < asked.key);
        let order = self.positions[first..].iter().chain(&self.positions[..first]);
        let places = order.map(|&(_, id)| among.partition_point(|candidate| candidate.id < id));
        // The bounds of all add up to more than the load with one more: somebody has room.
        places
            .into_iter()
            .find(|&place| u64::from(among[place].active) < self.capacity(among, &among[place]))
            .expect("a bound of at least the mean leaves room")
    }
}
