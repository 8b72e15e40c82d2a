//! Random early detection (Floyd & Jacobson 1993): signals grow with the average queue and are spread evenly over packets.
//!
//! Probabilities are per packet whatever its size, as RFC 7141 2.1 asks. The average is a real number that only additions,
//! multiplications and `libm` move: the same bits on every platform.

use super::packet::{Label, Verdict};
use super::{Found, Limit};
use crate::base::{BitRate, Ratio, Rng};
use crate::trace::Cause;

/// In what the average queue and its thresholds are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Packets.
    Packets,
}

/// Parameters of RED.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Config {
    /// Of the thresholds.
    pub unit: Unit,
    /// Below this average nothing is signalled.
    pub min: u64,
    /// At this average the probability of a signal is `probability`.
    pub max: u64,
    /// Probability of a signal at `max` (the paper's `max_p`).
    pub probability: Ratio,
    /// Weight of the present queue in the average (the paper's `w_q`).
    pub weight: Ratio,
    /// Whether the probability goes on growing from `max` to twice that (Floyd 2000); otherwise everything is dropped above `max`.
    pub gentle: bool,
    /// Whether packets of transports with ECN are marked instead, up to `max` (RFC 3168 7 wants drops beyond).
    pub ecn: bool,
    /// What the queue holds at most, the packet in service included.
    pub limit: Limit,
}

impl Config {
    /// Between these thresholds, with the parameters that Floyd recommends (1997): 0.002 of weight, 10 % at `max`, gentle.
    #[must_use]
    pub fn new(unit: Unit, min: u64, max: u64, limit: Limit) -> Self {
        let share = |value| Ratio::new(value).expect("a share");
        Self { unit, min, max, probability: share(0.1), weight: share(0.002), gentle: true, ecn: false, limit }
    }

    /// The probability with which a packet is signalled at this average, before signals are spread (the paper's `p_b`).
    #[must_use]
    pub fn signal_probability(&self, average: f64) -> f64 {
        let (min, max, most) = (self.min as f64, self.max as f64, self.probability.get());
        if average < min {
            0.0
        } else if average < max {
            most * (average - min) / (max - min)
        } else if self.gentle && average < 2.0 * max {
            most + (1.0 - most) * (average - max) / max
        } else {
            1.0
        }
    }
}

/// Bytes of a typical packet: while the line idles, the average falls as if such packets arrived back to back (the value that
/// tc-red(8) recommends for `avpkt`).
const TYPICAL_PACKET: u64 = 1_000;

/// RED's state.
#[derive(Debug)]
pub(in crate::link) struct Red {
    config: Config,
    rng: Rng,
    average: f64,
    /// Packets since the last signal, or since the average was last below `min`.
    quiet: u32,
    /// Nanoseconds that a typical packet needs on the line.
    typical: f64,
}

impl Red {
    pub(super) fn new(config: &Config, rate: BitRate, rng: Rng) -> Self {
        let typical = rate.time_for(TYPICAL_PACKET).as_nanos().max(1) as f64;
        Self { config: *config, rng, average: 0.0, quiet: 0, typical }
    }

    pub(super) fn decide(&mut self, label: &Label, found: &Found) -> Verdict {
        self.average_in(found);
        let base = self.config.signal_probability(self.average);
        if base <= 0.0 {
            self.quiet = 0;
            return Verdict::Admit;
        }
        if base < 1.0 {
            // The paper's method 2: with `quiet` packets passed since the last signal, the gap between signals is uniform over
            // 1, 2 ... 1 / p_b, so that they neither cluster nor fail to come.
            let left = 1.0 - f64::from(self.quiet) * base;
            let spread = if left > base { base / left } else { 1.0 };
            self.quiet += 1;
            if !self.rng.chance(spread) {
                return Verdict::Admit;
            }
        }
        self.quiet = 0;
        if self.config.ecn && self.average < self.config.max as f64 {
            Verdict::signal(label.ecn)
        } else {
            Verdict::Drop(Cause::EarlyDrop)
        }
    }

    /// Takes the queue found by an arriving packet into the average.
    fn average_in(&mut self, found: &Found) {
        let weight = self.config.weight.get();
        let queue = match self.config.unit {
            Unit::Bytes => found.backlog.bytes,
            Unit::Packets => found.backlog.packets,
        };
        if found.idle.is_zero() {
            self.average += weight * (queue as f64 - self.average);
        } else {
            let missed = found.idle.as_nanos() as f64 / self.typical;
            self.average *= libm::pow(1.0 - weight, missed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::link::Backlog;
    use crate::wire::{Dscp, Ecn};

    fn config() -> Config {
        Config::new(Unit::Packets, 20, 60, Limit::Packets(1_000))
    }

    fn red(config: &Config) -> Red {
        Red::new(config, BitRate::from_bps(8_000_000).unwrap(), Rng::stream(3, "test/red"))
    }

    /// A RED whose average stays where it is.
    fn held_at(mut config: Config, average: f64) -> Red {
        config.weight = Ratio::ZERO;
        let mut red = red(&config);
        red.average = average;
        red
    }

    fn busy(packets: u64) -> Found {
        Found { backlog: Backlog { packets, bytes: packets * 1_500 }, idle: Span::ZERO }
    }

    const PLAIN: Label = Label { size: 1_500, ecn: Ecn::NotCapable, dscp: Dscp::DEFAULT, flow: 0 };
    const CAPABLE: Label = Label { ecn: Ecn::Ect0, ..PLAIN };

    #[test]
    fn the_probability_is_the_papers_line_and_gentle_goes_on_to_twice_the_maximum() {
        let at = |average: f64, gentle| Config { gentle, ..config() }.signal_probability(average);
        for (average, want) in [(0.0, 0.0), (19.9, 0.0), (20.0, 0.0), (40.0, 0.05), (59.999, 0.099_997_5)] {
            assert!((at(average, true) - want).abs() < 1e-9, "{average}");
        }
        assert!((at(60.0, true) - 0.1).abs() < 1e-9);
        assert!((at(90.0, true) - 0.55).abs() < 1e-9);
        assert!(at(119.9, true) < 1.0 && at(120.0, true) >= 1.0);
        assert!(at(60.0, false) >= 1.0 && at(59.9, false) < 0.1);
    }

    #[test]
    fn drops_are_as_frequent_as_the_formula_says_and_uniformly_spaced() {
        // p_b = 0.05: gaps are uniform over 1..=20, so their mean is 10.5 and none is longer than 20.
        let mut red = held_at(config(), 40.0);
        let mut gaps = [0u32; 21];
        let mut gap = 0;
        for _ in 0..210_000 {
            gap += 1;
            if red.decide(&PLAIN, &busy(40)) == Verdict::Drop(Cause::EarlyDrop) {
                gaps[gap] += 1;
                gap = 0;
            }
        }
        let drops: u32 = gaps.iter().sum();
        assert!((f64::from(drops) / (210_000.0 / 10.5) - 1.0).abs() < 0.02, "{drops}");
        for (gap, &count) in gaps.iter().enumerate().skip(1) {
            // 1,000 of each; five standard deviations are 155.
            assert!(count.abs_diff(1_000) < 155, "gap {gap}: {count}");
        }
    }

    #[test]
    fn marks_take_the_place_of_drops_up_to_the_maximum() {
        let ecn = Config { ecn: true, ..config() };
        let outcomes = |average: f64, label| {
            let mut red = held_at(ecn, average);
            let (mut marks, mut drops) = (0, 0);
            for _ in 0..10_000 {
                match red.decide(&label, &busy(40)) {
                    Verdict::Mark => marks += 1,
                    Verdict::Drop(_) => drops += 1,
                    Verdict::Admit => {}
                }
            }
            (marks, drops)
        };
        let (marks, drops) = outcomes(50.0, CAPABLE);
        assert!(marks > 1_000 && drops == 0, "{marks} {drops}");
        let (marks, drops) = outcomes(50.0, PLAIN);
        assert!(marks == 0 && drops > 1_000, "{marks} {drops}");
        let (marks, drops) = outcomes(61.0, CAPABLE);
        assert!(marks == 0 && drops > 1_000, "beyond the maximum: {marks} {drops}");
        assert_eq!(outcomes(120.0, CAPABLE), (0, 10_000));
    }

    #[test]
    fn the_average_follows_with_its_weight_and_decays_while_the_line_idles() {
        // After n packets that find a queue of 100 the average is 100 (1 - (1 - w)^n).
        let mut red = red(&config());
        for _ in 0..100 {
            red.decide(&PLAIN, &busy(100));
        }
        assert!((red.average - 100.0 * (1.0 - libm::pow(0.998, 100.0))).abs() < 1e-9, "{}", red.average);
        // 1,000 bytes take 1 ms here: 346 ms of silence are 346 typical packets, and 0.998^346 is a half.
        let before = red.average;
        red.decide(&PLAIN, &Found { idle: Span::from_millis(346), ..Found::default() });
        assert!((red.average / before - 0.5).abs() < 0.001, "{} {before}", red.average);
    }
}
