//! Two drawn at random, the less loaded of them.

use super::{Asked, Candidate, Policy};
use crate::base::Rng;

/// The power of two choices (Mitzenmacher 2001): nearly as good as looking at all, and balancers that know nothing of each other do
/// not all run to the same idle backend.
#[derive(Debug)]
pub struct TwoChoices;

impl Policy for TwoChoices {
    fn pick(&mut self, among: &[Candidate], _: Asked, rng: &mut Rng) -> usize {
        let n = among.len() as u64;
        let draw = |rng: &mut Rng, n: u64| usize::try_from(rng.below(n)).expect("an index");
        let first = draw(rng, n);
        if n == 1 {
            return first;
        }
        // Another one, each as likely.
        let second = (first + 1 + draw(rng, n - 1)) % among.len();
        if among[second].is_less_loaded_than(&among[first]) { second } else { first }
    }
}
