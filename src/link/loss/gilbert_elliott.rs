//! Bursts: a two-state Markov chain that steps before every packet (Gilbert 1960, Elliott 1963).

use crate::base::{Ratio, Rng};

#[derive(Debug)]
pub(in crate::link) struct GilbertElliott {
    bad: bool,
    good_to_bad: f64,
    bad_to_good: f64,
    loss_good: f64,
    loss_bad: f64,
    rng: Rng,
}

impl GilbertElliott {
    pub(super) fn new(good_to_bad: Ratio, bad_to_good: Ratio, loss_good: Ratio, loss_bad: Ratio, rng: Rng) -> Self {
        Self {
            bad: false,
            good_to_bad: good_to_bad.get(),
            bad_to_good: bad_to_good.get(),
            loss_good: loss_good.get(),
            loss_bad: loss_bad.get(),
            rng,
        }
    }

    pub(super) fn takes(&mut self) -> bool {
        let leave = if self.bad { self.bad_to_good } else { self.good_to_bad };
        // Two draws for every packet, so that the chain's path does not depend on the loss rates.
        let (step, loss) = (self.rng.unit(), self.rng.unit());
        self.bad ^= step < leave;
        loss < if self.bad { self.loss_bad } else { self.loss_good }
    }
}
