//! The fewest requests or connections for its weight; among equals, in turn.

use super::{Asked, Candidate, Policy, at_or_after};
use crate::base::Rng;

/// Least connections. Equal ones are taken in turn: an idle pool is served round robin instead of wearing out its first member.
#[derive(Debug, Default)]
pub struct LeastConnections {
    next: usize,
}

impl Policy for LeastConnections {
    fn pick(&mut self, among: &[Candidate], _: Asked, _: &mut Rng) -> usize {
        let first = at_or_after(among, self.next);
        let mut best = first;
        for place in (first + 1..among.len()).chain(0..first) {
            if among[place].is_less_loaded_than(&among[best]) {
                best = place;
            }
        }
        self.next = among[best].id + 1;
        best
    }
}
