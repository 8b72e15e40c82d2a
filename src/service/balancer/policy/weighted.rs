//! Smooth weighted round robin: shares by weight, and the heaviest is not asked several times running.

use super::{Asked, Candidate, Policy};
use crate::base::Rng;

/// The algorithm of nginx (`ngx_http_upstream_get_peer`, 2012): every pick raises each one's credit by its weight; the one with
/// most credit is taken and pays the sum of all weights.
#[derive(Debug)]
pub struct Weighted {
    credit: Vec<i64>,
}

impl Weighted {
    /// For a pool of so many.
    #[must_use]
    pub fn new(members: usize) -> Self {
        Self { credit: vec![0; members] }
    }
}

impl Policy for Weighted {
    fn pick(&mut self, among: &[Candidate], _: Asked, _: &mut Rng) -> usize {
        let mut best = 0;
        for (place, candidate) in among.iter().enumerate() {
            self.credit[candidate.id] += i64::from(candidate.share);
            if self.credit[candidate.id] > self.credit[among[best].id] {
                best = place;
            }
        }
        self.credit[among[best].id] -= among.iter().map(|candidate| i64::from(candidate.share)).sum::<i64>();
        best
    }
}
