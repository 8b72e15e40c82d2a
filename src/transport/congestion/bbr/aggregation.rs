//! Acknowledgments in bursts: how many more segments than expected were acknowledged, so that the window can bridge the gaps.

use super::rate::Bandwidth;
use crate::base::{Span, Time};

/// The largest excess of the last five to ten rounds (Linux `bbr_update_ack_aggregation`).
#[derive(Clone, Debug, Default)]
pub(super) struct Aggregation {
    /// When counting began.
    epoch: Time,
    /// Segments acknowledged since.
    acked: u64,
    /// Largest excess in the current and the previous five rounds.
    excess: [u32; 2],
    current: usize,
    rounds: u32,
}

impl Aggregation {
    /// Rounds after which the older maximum is forgotten.
    const ROUNDS: u32 = 5;
    /// An epoch ends after this many acknowledged segments at the latest.
    const LONGEST: u64 = 1 << 20;
    /// No more than what the path delivers in this time is made up for.
    const MOST: Span = Span::from_millis(100);

    /// Counting begins anew.
    pub(super) fn restart(&mut self, now: Time) {
        self.epoch = now;
        self.acked = 0;
    }

    /// `acked` segments were acknowledged at `now`.
    pub(super) fn add(&mut self, now: Time, acked: u32, cwnd: u32, bandwidth: Bandwidth, round_start: bool) {
        if round_start {
            self.rounds += 1;
            if self.rounds >= Self::ROUNDS {
                self.rounds = 0;
                self.current = 1 - self.current;
                self.excess[self.current] = 0;
            }
        }
        let mut expected = bandwidth.segments_in(now.since(self.epoch));
        if self.acked <= expected || self.acked + u64::from(acked) >= Self::LONGEST {
            self.restart(now);
            expected = 0;
        }
        self.acked += u64::from(acked);
        let excess = u32::try_from(self.acked - expected).unwrap_or(u32::MAX).min(cwnd);
        self.excess[self.current] = self.excess[self.current].max(excess);
    }

    /// Segments to add to the window.
    pub(super) fn allowance(&self, bandwidth: Bandwidth) -> u32 {
        let most = u32::try_from(bandwidth.segments_in(Self::MOST)).unwrap_or(u32::MAX);
        self.excess[0].max(self.excess[1]).min(most)
    }
}
