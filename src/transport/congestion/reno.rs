//! Reno (RFC 5681): one segment a round trip, half on loss.

use super::{Ack, Control, Phase, Window};
use crate::base::Time;

/// Additive increase, multiplicative decrease.
#[derive(Clone, Debug, Default)]
pub struct Reno {
    /// Segments acknowledged since the window last grew (RFC 3465 style counting, as Linux `snd_cwnd_cnt`).
    credit: u32,
}

/// Grows the window by one for every `per` acknowledged segments.
#[inline]
pub(super) fn additive_increase(window: &mut Window, credit: &mut u32, per: u32, acked: u32) {
    let per = per.max(1);
    // Credit from a larger window becomes growth at once when the window has shrunk since.
    if *credit >= per {
        *credit = 0;
        window.cwnd += 1;
    }
    *credit += acked;
    if *credit >= per {
        let growth = *credit / per;
        *credit -= growth * per;
        window.cwnd += growth;
    }
    window.cwnd = window.cwnd.min(window.clamp);
}

impl Control for Reno {
    fn name(&self) -> &'static str {
        "reno"
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
        // Linux `tcp_init_cwnd_reduction`: growth that had been earned in part is forfeited.
        self.credit = 0;
        (window.cwnd / 2).max(2)
    }

    fn on_phase(&mut self, _window: &mut Window, phase: Phase, _now: Time) {
        if phase == Phase::Loss {
            self.credit = 0;
        }
    }
}
