//! Independent losses: the gap to the next one is drawn, so a packet that is not lost costs a decrement.

use crate::base::{Ratio, Rng};

#[derive(Debug)]
pub(in crate::link) struct Iid {
    p: f64,
    /// Packets that pass before the next loss.
    pass: u64,
    rng: Rng,
}

impl Iid {
    pub(super) fn new(p: Ratio, mut rng: Rng) -> Self {
        let pass = rng.gap(p.get());
        Self { p: p.get(), pass, rng }
    }

    #[inline]
    pub(super) fn takes(&mut self) -> bool {
        if self.pass > 0 {
            self.pass -= 1;
            return false;
        }
        self.pass = self.rng.gap(self.p);
        true
    }
}
