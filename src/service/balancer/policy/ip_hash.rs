//! By the client's address: the hash's remainder.

use super::random::by_share;
use super::{Asked, Candidate, Policy};
use crate::base::Rng;

/// The hash modulo the sum of the weights. When a backend comes or goes nearly every client meets another one: compare
/// [`super::Ring`] and [`super::Maglev`].
#[derive(Debug)]
pub struct IpHash;

impl Policy for IpHash {
    fn pick(&mut self, among: &[Candidate], asked: Asked, _: &mut Rng) -> usize {
        let total: u64 = among.iter().map(|candidate| u64::from(candidate.share)).sum();
        by_share(among, asked.key % total)
    }
}
