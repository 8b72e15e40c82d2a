//! Long-term bandwidth: two lossy intervals with the same throughput mean a policer, and its rate is then obeyed (Flach et al. 2016).

use super::rate::{Bandwidth, UNIT};
use crate::base::{Span, Time};

/// What has been delivered and lost by now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// Segments delivered.
    pub(super) delivered: u64,
    /// Segments marked lost.
    pub(super) lost: u64,
    /// When the last was delivered.
    pub(super) at: Time,
}

/// One acknowledgment, or a timeout, as the detector sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) totals: Totals,
    /// Segments marked lost just now.
    pub(super) losses: u32,
    pub(super) app_limited: bool,
    /// A round trip has begun.
    pub(super) round_start: bool,
    /// The gain cycle is running.
    pub(super) cycling: bool,
    pub(super) mss: u32,
}

/// What the sighting changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Nothing,
    /// A policer was found.
    Policed,
    /// The policer's rate has been obeyed long enough: probe again.
    Released,
}

/// The detector (Linux `bbr_lt_bw_sampling`).
#[derive(Clone, Debug, Default)]
pub(super) struct Policer {
    /// Bandwidth of the last interval, or of the policer.
    bandwidth: Option<Bandwidth>,
    /// The policer's rate is in use.
    obeyed: bool,
    sampling: bool,
    /// Rounds in this interval, or since the rate is obeyed.
    rounds: u32,
    /// Totals at the start of the interval.
    start: Totals,
}

impl Policer {
    /// Rounds in an interval at least; four times as many at most.
    const MIN_ROUNDS: u32 = 4;
    /// Lost of delivered that make an interval lossy, of 256: 20 %.
    const LOSSY: u64 = 50;
    /// Rounds that the policer's rate is obeyed.
    const OBEY_ROUNDS: u32 = 48;
    /// Bandwidths that differ by this many bytes/s (4 kbit/s), or by an eighth, are the same.
    const SAME: u64 = 4000 / 8;

    /// The policer's rate, if there is one.
    pub(super) fn rate(&self) -> Option<Bandwidth> {
        self.bandwidth.filter(|_| self.obeyed)
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self, totals: Totals) {
        *self = Self { start: totals, ..Self::default() };
    }

    fn begin(&mut self, totals: Totals) {
        self.start = totals;
        self.rounds = 0;
    }

    pub(super) fn see(&mut self, sighting: &Sighting) -> Verdict {
        if self.obeyed {
            return self.obey(sighting);
        }
        // The first loss shows that the policer's tokens are used up; before, a burst would be taken for its rate.
        if !self.sampling {
            if sighting.losses == 0 {
                return Verdict::Nothing;
            }
            self.begin(sighting.totals);
            self.sampling = true;
        }
        if sighting.app_limited {
            self.reset(sighting.totals);
            return Verdict::Nothing;
        }
        self.rounds += u32::from(sighting.round_start);
        if self.rounds < Self::MIN_ROUNDS {
            return Verdict::Nothing;
        }
        if self.rounds > 4 * Self::MIN_ROUNDS {
            self.reset(sighting.totals);
            return Verdict::Nothing;
        }
        // For the same reason, an interval ends with a loss.
        let lost = sighting.totals.lost - self.start.lost;
        let delivered = sighting.totals.delivered - self.start.delivered;
        if sighting.losses == 0 || delivered == 0 || lost << 8 < Self::LOSSY * delivered {
            return Verdict::Nothing;
        }
        let millis = sighting.totals.at.as_nanos() / 1_000_000 - self.start.at.as_nanos() / 1_000_000;
        if millis == 0 {
            return Verdict::Nothing;
        }
        self.conclude(Bandwidth::of(delivered, Span::from_millis(millis)), sighting)
    }

    fn obey(&mut self, sighting: &Sighting) -> Verdict {
        if sighting.cycling && sighting.round_start {
            self.rounds += 1;
            if self.rounds >= Self::OBEY_ROUNDS {
                self.reset(sighting.totals);
                return Verdict::Released;
            }
        }
        Verdict::Nothing
    }

    /// An interval of `now` is complete: is it like the last one?
    fn conclude(&mut self, now: Bandwidth, sighting: &Sighting) -> Verdict {
        if let Some(last) = self.bandwidth {
            let apart = Bandwidth(now.0.abs_diff(last.0));
            if apart.0.saturating_mul(8) <= last.0 || apart.bytes_per_second(sighting.mss, UNIT) <= Self::SAME {
                self.bandwidth = Some(Bandwidth(now.0.midpoint(last.0)));
                self.obeyed = true;
                self.rounds = 0;
                return Verdict::Policed;
            }
        }
        self.bandwidth = Some(now);
        self.begin(sighting.totals);
        Verdict::Nothing
    }
}
