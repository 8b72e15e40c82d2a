//! Drawn by weight.

use super::{Asked, Candidate, Policy};
use crate::base::Rng;

/// Each pick is independent of all before.
#[derive(Debug)]
pub struct Random;

impl Policy for Random {
    fn pick(&mut self, among: &[Candidate], _: Asked, rng: &mut Rng) -> usize {
        let total = among.iter().map(|candidate| u64::from(candidate.share)).sum();
        by_share(among, rng.below(total))
    }
}

/// The place of the candidate in whose share a number below the sum of all shares lies.
pub(super) fn by_share(among: &[Candidate], number: u64) -> usize {
    let mut above = 0;
    among
        .iter()
        .position(|candidate| {
            above += u64::from(candidate.share);
            number < above
        })
        .expect("the number lies below the sum")
}
