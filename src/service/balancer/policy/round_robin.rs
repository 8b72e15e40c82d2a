//! Each in turn.

use super::{Asked, Candidate, Policy, at_or_after};
use crate::base::Rng;

/// Round robin: the next id after the last one.
#[derive(Debug, Default)]
pub struct RoundRobin {
    next: usize,
}

impl Policy for RoundRobin {
    fn pick(&mut self, among: &[Candidate], _: Asked, _: &mut Rng) -> usize {
        let place = at_or_after(among, self.next);
        self.next = among[place].id + 1;
        place
    }
}
