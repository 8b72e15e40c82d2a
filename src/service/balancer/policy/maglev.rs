//! Maglev hashing: a table that every balancer fills alike from preferences of its backends.

use super::hash::of_backend;
use super::{Asked, Candidate, Policy};
use crate::base::Rng;

/// Maglev's lookup table (Eisenbud et al., NSDI 2016, 3.4): each backend has an order of preference over all entries; in turn each
/// takes the first that is free, as often as its weight says. Shares differ by at most one turn, and few keys of those that
/// stay move when one goes.
#[derive(Debug)]
pub struct Maglev {
    size: u64,
    /// Ids.
    table: Vec<usize>,
    /// Ids and weights that the table was made of.
    members: Vec<(usize, u32)>,
}

impl Maglev {
    /// With a table of so many entries, a prime.
    #[must_use]
    pub fn new(size: u32) -> Self {
        Self { size: u64::from(size), table: Vec::new(), members: Vec::new() }
    }

    fn arrange(&mut self, among: &[Candidate]) {
        const FREE: usize = usize::MAX;
        if among.iter().map(|one| (one.id, one.weight)).eq(self.members.iter().copied()) {
            return;
        }
        self.members = among.iter().map(|one| (one.id, one.weight)).collect();
        let size = usize::try_from(self.size).expect("a table fits into memory");
        self.table = vec![FREE; size];
        // Where each one's preferences go on.
        let mut at: Vec<u64> =
            self.members.iter().map(|&(id, _)| of_backend("maglev/offset", id, 0) % self.size).collect();
        let step: Vec<u64> =
            self.members.iter().map(|&(id, _)| of_backend("maglev/skip", id, 0) % (self.size - 1) + 1).collect();
        let mut filled = 0;
        while filled < size {
            for (index, &(id, weight)) in self.members.iter().enumerate() {
                for _ in 0..weight {
                    if filled == size {
                        return;
                    }
                    let entry = loop {
                        let entry = usize::try_from(at[index]).expect("below the size");
                        at[index] = (at[index] + step[index]) % self.size;
                        if self.table[entry] == FREE {
                            break entry;
                        }
                    };
                    self.table[entry] = id;
                    filled += 1;
                }
            }
        }
    }
}

impl Policy for Maglev {
    fn pick(&mut self, among: &[Candidate], asked: Asked, _: &mut Rng) -> usize {
        self.arrange(among);
        let id = self.table[usize::try_from(asked.key % self.size).expect("below the size")];
        among.partition_point(|candidate| candidate.id < id)
    }
}
