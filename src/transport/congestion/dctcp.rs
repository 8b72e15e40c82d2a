//! DCTCP (RFC 8257): the window shrinks in proportion to the share of segments that met congestion.
//!
//! As Linux `tcp_dctcp.c`: `alpha` in 1,024ths, a gain of 1/16, Reno's growth, Reno's halving on loss. Where the peer does not
//! agree to ECN, `alpha` stays at 1 and this is Reno.

use super::reno::additive_increase;
use super::{Ack, Control, EcnSample, Phase, Window};
use crate::base::Time;

/// `alpha` when every segment was marked.
const ONE: u32 = 1_024;
/// Weight of a round in the estimate: 1/16 (RFC 8257 4.2).
const GAIN_SHIFT: u32 = 4;

/// The estimate of how much of the traffic meets congestion.
#[derive(Clone, Debug)]
pub struct Dctcp {
    /// In 1,024ths.
    alpha: u32,
    /// Segments delivered, and of those marked, when the present round began.
    before: (u64, u64),
    /// The round ends when this offset is acknowledged.
    round_end: u64,
    /// Window before the last reduction.
    prior: u32,
    credit: u32,
}

impl Default for Dctcp {
    /// `alpha` begins at 1, so that the first mark halves the window (RFC 8257 4.2).
    fn default() -> Self {
        Self { alpha: ONE, before: (0, 0), round_end: 0, prior: 0, credit: 0 }
    }
}

impl Dctcp {
    /// The estimated share of marked segments.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        f64::from(self.alpha) / f64::from(ONE)
    }
}

impl Control for Dctcp {
    fn name(&self) -> &'static str {
        "dctcp"
    }

    fn needs_ecn(&self) -> bool {
        true
    }

    fn on_ecn(&mut self, _window: &mut Window, ecn: &EcnSample) {
        if ecn.una < self.round_end {
            return;
        }
        // RFC 8257 3.3 step 5: alpha = (1 - g) alpha + g F. The decay is at least 1, so that alpha reaches 0.
        let decay = self.alpha >> GAIN_SHIFT;
        self.alpha -= if decay == 0 { self.alpha } else { decay };
        let (delivered, marked) = (ecn.delivered - self.before.0, ecn.marked - self.before.1);
        if marked > 0 {
            let share = (marked << (10 - GAIN_SHIFT)) / delivered.max(1);
            self.alpha = (self.alpha + u32::try_from(share).unwrap_or(ONE)).min(ONE);
        }
        self.before = (ecn.delivered, ecn.marked);
        self.round_end = ecn.next;
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        if !ack.cwnd_limited {
            return;
        }
        let mut acked = ack.acked;
        if window.in_slow_start() {
            acked = window.slow_start(acked);
            if acked == 0 {
                return;
            }
        }
        let per = window.cwnd;
        additive_increase(window, &mut self.credit, per, acked);
    }

    fn ssthresh(&mut self, window: &Window) -> u32 {
        self.credit = 0;
        self.prior = window.cwnd;
        // RFC 8257 3.3 step 9: cwnd (1 - alpha / 2).
        let cut = (u64::from(window.cwnd) * u64::from(self.alpha)) >> 11;
        window.cwnd.saturating_sub(u32::try_from(cut).unwrap_or(u32::MAX)).max(2)
    }

    fn undo(&mut self, window: &Window, prior: u32) -> u32 {
        window.cwnd.max(self.prior).max(prior)
    }

    fn on_phase(&mut self, window: &mut Window, phase: Phase, _now: Time) {
        // RFC 8257 3.5: a lost packet counts as for any other controller.
        if matches!(phase, Phase::Recovery | Phase::Loss) {
            window.ssthresh = (self.prior / 2).max(2);
        }
        if phase == Phase::Loss {
            self.credit = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cwnd: u32) -> Window {
        Window { cwnd, ssthresh: 10, clamp: u32::MAX }
    }

    /// `rounds` of 100 segments of which so many are marked.
    fn rounds(dctcp: &mut Dctcp, rounds: u64, marked: u64) {
        let (mut delivered, mut count, mut una) = (dctcp.before.0, dctcp.before.1, dctcp.round_end);
        for _ in 0..rounds {
            (delivered, count) = (delivered + 100, count + marked);
            dctcp.on_ecn(&mut window(100), &EcnSample { delivered, marked: count, una, next: una + 1 });
            una += 1;
        }
    }

    #[test]
    fn alpha_converges_to_the_share_of_marks_with_a_gain_of_a_sixteenth() {
        for share in [0, 10, 50, 100] {
            let mut dctcp = Dctcp::default();
            rounds(&mut dctcp, 200, share);
            let wanted = f64::from(u32::try_from(share).unwrap()) / 100.0;
            // Integers of 1,024ths lose up to a sixteenth of sixteen: 1.6 %.
            assert!((dctcp.alpha() - wanted).abs() <= 0.016, "{share}: {}", dctcp.alpha());
        }
        // After n rounds without marks: (15/16)^n.
        let mut dctcp = Dctcp::default();
        rounds(&mut dctcp, 11, 0);
        assert!((dctcp.alpha() - libm::pow(15.0 / 16.0, 11.0)).abs() < 0.01, "{}", dctcp.alpha());
    }

    #[test]
    fn the_cut_is_half_of_alpha_and_losses_halve() {
        let mut dctcp = Dctcp::default();
        assert_eq!(dctcp.ssthresh(&window(100)), 50, "the first mark halves");
        rounds(&mut dctcp, 200, 20);
        let wanted = 100.0 * (1.0 - dctcp.alpha() / 2.0);
        assert!((f64::from(dctcp.ssthresh(&window(100))) - wanted).abs() <= 1.0);
        let mut reduced = window(90);
        dctcp.on_phase(&mut reduced, Phase::Recovery, Time::ZERO);
        assert_eq!(reduced.ssthresh, 50);
        assert_eq!(Dctcp::default().ssthresh(&window(3)), 2, "never below two");
    }

    #[test]
    fn without_marks_to_count_it_is_reno() {
        let (mut dctcp, mut reno) = (Dctcp::default(), super::super::Reno::default());
        for cwnd in 2..200 {
            // But for rounding: half of an odd window goes up.
            let (own, renos) = (dctcp.ssthresh(&window(cwnd)), reno.ssthresh(&window(cwnd)));
            assert!(own == renos || own == renos + 1 && cwnd % 2 == 1, "{cwnd}: {own} {renos}");
        }
    }
}
