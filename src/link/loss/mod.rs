//! Loss models: which packets never arrive.

mod gilbert_elliott;
mod iid;

use super::Fate;
use crate::base::{Ratio, Rng};
use crate::trace::Cause;
use gilbert_elliott::GilbertElliott;
use iid::Iid;

/// Which model, and its parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Config {
    /// Nothing is lost.
    #[default]
    None,
    /// Each packet is lost with this probability, independently of all others.
    Iid(Ratio),
    /// A two-state Markov chain that steps with every packet (Gilbert 1960, Elliott 1963): losses come in bursts.
    GilbertElliott {
        /// Probability of going from good to bad before a packet.
        good_to_bad: Ratio,
        /// Probability of going from bad to good before a packet.
        bad_to_good: Ratio,
        /// Loss in the good state.
        loss_good: Ratio,
        /// Loss in the bad state.
        loss_bad: Ratio,
    },
}

/// Every model with a line about it, for `lightlag list`.
pub const TABLE: &[(&str, &str)] = &[
    ("\"1%\"", "each packet is lost with this probability, independently"),
    ("GilbertElliott", "two states, good and bad, each with its own loss: bursts"),
];

impl Config {
    /// The share of packets lost in the long run.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match *self {
            Self::None => 0.0,
            Self::Iid(p) => p.get(),
            Self::GilbertElliott { good_to_bad, bad_to_good, loss_good, loss_bad } => {
                let moves = good_to_bad.get() + bad_to_good.get();
                // A chain that never moves stays in the good state, where it starts.
                let bad = if moves > 0.0 { good_to_bad.get() / moves } else { 0.0 };
                (1.0 - bad) * loss_good.get() + bad * loss_bad.get()
            }
        }
    }
}

/// The loss of one link direction.
#[derive(Debug)]
pub(super) enum Loss {
    None,
    Iid(Box<Iid>),
    GilbertElliott(Box<GilbertElliott>),
}

impl Loss {
    pub(super) fn new(config: &Config, rng: Rng) -> Self {
        match *config {
            Config::None => Self::None,
            Config::Iid(p) => Self::Iid(Box::new(Iid::new(p, rng))),
            Config::GilbertElliott { good_to_bad, bad_to_good, loss_good, loss_bad } => {
                let chain = GilbertElliott::new(good_to_bad, bad_to_good, loss_good, loss_bad, rng);
                Self::GilbertElliott(Box::new(chain))
            }
        }
    }

    /// What becomes of the next packet.
    #[inline]
    pub(super) fn fate(&mut self) -> Fate {
        if !matches!(self, Self::None) && self.takes() { Fate::Dropped(Cause::Loss) } else { Fate::Arrives }
    }

    /// Whether the next packet is lost.
    #[inline(never)]
    fn takes(&mut self) -> bool {
        match self {
            Self::None => false,
            Self::Iid(iid) => iid.takes(),
            Self::GilbertElliott(chain) => chain.takes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(p: f64) -> Ratio {
        Ratio::new(p).unwrap()
    }

    /// Share lost and mean length of a run of losses over a million packets.
    fn measure(config: Config) -> (f64, f64) {
        let mut loss = Loss::new(&config, Rng::stream(1, "test/loss"));
        let (mut lost, mut bursts, mut before) = (0u32, 0u32, false);
        for _ in 0..1_000_000 {
            let takes = loss.takes();
            lost += u32::from(takes);
            bursts += u32::from(takes && !before);
            before = takes;
        }
        (f64::from(lost) / 1e6, f64::from(lost) / f64::from(bursts.max(1)))
    }

    #[test]
    fn independent_losses_have_their_rate_and_no_memory() {
        for p in [0.001, 0.02, 0.3] {
            let (share, burst) = measure(Config::Iid(ratio(p)));
            // Five standard deviations of a binomial share; a run of independent losses has mean length 1/(1-p).
            assert!((share - p).abs() < 5.0 * libm::sqrt(p * (1.0 - p) / 1e6), "{share} at {p}");
            assert!((burst * (1.0 - p) - 1.0).abs() < 0.03, "{burst} at {p}");
        }
        assert!(measure(Config::Iid(Ratio::ZERO)).0 <= 0.0);
        assert!(measure(Config::Iid(Ratio::ONE)).0 >= 1.0);
    }

    #[test]
    fn gilbert_elliott_has_its_mean_and_its_bursts() {
        let config = Config::GilbertElliott {
            good_to_bad: ratio(0.01),
            bad_to_good: ratio(0.25),
            loss_good: Ratio::ZERO,
            loss_bad: Ratio::ONE,
        };
        let (share, burst) = measure(config);
        // Stationary share of the bad state: 0.01 / 0.26; mean stay in it: 1 / 0.25 packets.
        assert!((share / config.mean() - 1.0).abs() < 0.05, "{share}, want {}", config.mean());
        assert!((burst - 4.0).abs() < 0.15, "{burst}");
    }
}
