//! BBR version 1 as in Linux 6.18 (Cardwell et al. 2016): send at the bandwidth that was measured, with little more than the
//! bandwidth-delay product in flight.
//!
//! Each acknowledgment updates a model of the path, the largest delivery rate of ten rounds and the smallest round-trip time of
//! ten seconds; rate and window are these times the gains of the mode: Startup doubles each round, Drain empties the queue
//! that Startup built, `ProbeBw` cycles around the estimate, `ProbeRtt` empties the path every ten seconds to see its delay.
//!
//! Not modelled: Linux rounds intervals to microseconds where these are nanoseconds, and counts what leaves between an
//! acknowledgment and the next paced departure as gone already (less than one burst); a sample of the round-trip time that
//! the receiver's delayed acknowledgment may have lengthened is not told apart from others when the old minimum has expired;
//! segments that a timeout declares lost do not count in the search for a policer.

mod aggregation;
mod policer;
mod rate;
#[cfg(test)]
mod tests;

use super::{Ack, Control, INFINITE_SSTHRESH, Phase, Window};
use crate::base::{BitRate, Rng, Span, Time};
use aggregation::Aggregation;
use policer::{Policer, Sighting, Totals, Verdict};
use rate::{Bandwidth, Gain, MaxFilter, UNIT, bit_rate};
use std::cmp::Ordering;

/// 2/ln 2: the smallest gain that doubles the rate each round.
const HIGH: Gain = UNIT * 2885 / 1000 + 1;
/// Its inverse drains within a round what Startup queued.
const DRAIN: Gain = UNIT * 1000 / 2885;
/// Window gain of the cycle: room for delayed and stretched acknowledgments.
const WINDOW: Gain = UNIT * 2;
/// Rate gains of the cycle: probe, drain, six times cruise.
const CYCLE: [Gain; 8] = [UNIT * 5 / 4, UNIT * 3 / 4, UNIT, UNIT, UNIT, UNIT, UNIT, UNIT];
/// The cycle starts at any of its phases but the one that drains.
const START_PHASES: u64 = 7;
/// The window that keeps a path with delayed acknowledgments going.
const MIN_WINDOW: u32 = 4;
/// The window to start from, and without any idea of the delay.
const INITIAL_WINDOW: u32 = 10;
/// Age at which the smallest round-trip time is measured again.
const MIN_RTT_AGE: Span = Span::from_secs(10);
/// How long it is measured.
const PROBE_RTT_TIME: Span = Span::from_millis(200);
/// Assumed round-trip time without any sample.
const NOMINAL_RTT: Span = Span::from_millis(1);
/// Below this rate in bytes/s (1.2 Mbit/s), segments are sent one by one.
const SINGLE_RATE: u64 = 1_200_000 / 8;
/// Largest burst in bytes (Linux `GSO_LEGACY_MAX_SIZE` less headers).
const MAX_BURST: u64 = 65_536 - 1 - 320;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Startup,
    Drain,
    ProbeBw,
    ProbeRtt,
}

/// Has the pipe been filled? Three rounds without a quarter more bandwidth say so.
#[derive(Clone, Debug, Default)]
struct FullPipe {
    reached: bool,
    best: Bandwidth,
    rounds: u32,
}

/// A stay in [`Mode::ProbeRtt`], once little is in flight.
#[derive(Clone, Copy, Debug)]
struct Dip {
    until: Time,
    /// A round trip has passed with little in flight.
    round_done: bool,
}

/// The BBR controller.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts, each true or not")]
pub struct Bbr {
    mode: Mode,
    /// Where the gain cycle starts.
    chance: Rng,
    mss: u32,
    /// Rate in bytes/s; 0 before the connection is established.
    pacing: u64,
    pacing_gain: Gain,
    window_gain: Gain,
    seen_rtt: bool,
    totals: Totals,

    filter: MaxFilter,
    policer: Policer,
    aggregation: Aggregation,
    full: FullPipe,
    min_rtt: Option<Span>,
    min_rtt_at: Time,

    /// Rounds so far; a round ends when a segment sent after its start is delivered.
    round: u64,
    round_end: u64,
    round_start: bool,

    phase_index: usize,
    phase_since: Time,
    dip: Option<Dip>,
    idle_restart: bool,

    last_phase: Phase,
    conserving: bool,
    /// The window to go back to after recovery and [`Mode::ProbeRtt`].
    good_cwnd: u32,
}

impl Default for Bbr {
    fn default() -> Self {
        Self {
            mode: Mode::Startup,
            chance: Rng::stream(0, Self::STREAM),
            mss: 0,
            pacing: 0,
            pacing_gain: HIGH,
            window_gain: HIGH,
            seen_rtt: false,
            totals: Totals::default(),
            filter: MaxFilter::default(),
            policer: Policer::default(),
            aggregation: Aggregation::default(),
            full: FullPipe::default(),
            min_rtt: None,
            min_rtt_at: Time::ZERO,
            round: 0,
            round_end: 0,
            round_start: false,
            phase_index: 0,
            phase_since: Time::ZERO,
            dip: None,
            idle_restart: false,
            last_phase: Phase::Open,
            conserving: false,
            good_cwnd: 0,
        }
    }
}

const fn recovering(phase: Phase) -> bool {
    matches!(phase, Phase::Recovery | Phase::Loss)
}

/// Targets: what should be in flight.
impl Bbr {
    /// The stream of chance, under the seed of the connection.
    const STREAM: &str = "congestion/bbr/phase";

    /// The bandwidth to go by.
    fn bandwidth(&self) -> Bandwidth {
        self.policer.rate().unwrap_or_else(|| self.filter.get())
    }

    fn product(&self, bandwidth: Bandwidth, gain: Gain) -> u32 {
        self.min_rtt.map_or(INITIAL_WINDOW, |rtt| bandwidth.product(rtt, gain))
    }

    /// Segments that leave in one burst: about a millisecond's worth (Linux `bbr_tso_segs_goal`).
    fn burst(&self) -> u32 {
        let least = if self.pacing < SINGLE_RATE { 1 } else { 2 };
        let bytes = (self.pacing >> 10).min(MAX_BURST);
        u32::try_from((bytes / u64::from(self.mss.max(1))).max(least)).unwrap_or(u32::MAX).min(127)
    }

    /// Adds room for whole bursts at both ends (Linux `bbr_quantization_budget`).
    fn with_bursts(&self, segments: u32) -> u32 {
        let even = segments.saturating_add(3 * self.burst()).saturating_add(1) & !1;
        let probing = self.mode == Mode::ProbeBw && self.phase_index == 0;
        even + if probing { 2 } else { 0 }
    }

    /// Segments in flight that fill the path `gain` times.
    fn target(&self, gain: Gain) -> u32 {
        self.with_bursts(self.product(self.filter.get(), gain))
    }

    /// What will be in flight when the next burst leaves.
    fn at_departure(&self, in_flight: u32) -> u32 {
        in_flight + if self.pacing_gain > UNIT { self.burst() } else { 0 }
    }
}

/// The model of the path, in the order of Linux `bbr_update_model`.
impl Bbr {
    fn update_bandwidth(&mut self, cwnd: u32, ack: &Ack) {
        self.round_start = false;
        if ack.rate.interval.is_zero() {
            return;
        }
        if ack.rate.prior_delivered >= self.round_end {
            self.round_end = ack.delivered;
            self.round += 1;
            self.round_start = true;
            self.conserving = false;
        }
        self.look_for_policer(ack.lost, ack.rate.app_limited);
        let sample = Bandwidth::of(u64::from(ack.rate.delivered), ack.rate.interval);
        // A sender short of data shows its own rate, not the path's, unless it is more.
        if !ack.rate.app_limited || sample >= self.filter.get() {
            self.filter.add(self.round, sample);
        }
        if ack.acked > 0 {
            self.aggregation.add(ack.now, ack.acked, cwnd, self.bandwidth(), self.round_start);
        }
    }

    fn look_for_policer(&mut self, losses: u32, app_limited: bool) {
        let sighting = Sighting {
            totals: self.totals,
            losses,
            app_limited,
            round_start: self.round_start,
            cycling: self.mode == Mode::ProbeBw,
            mss: self.mss,
        };
        match self.policer.see(&sighting) {
            Verdict::Nothing => {}
            Verdict::Policed => self.pacing_gain = UNIT,
            Verdict::Released => self.start_cycle(),
        }
    }

    /// Whether this phase of the gain cycle is over (Linux `bbr_is_next_cycle_phase`).
    fn phase_over(&self, ack: &Ack) -> bool {
        let whole = self.totals.at.since(self.phase_since) > self.min_rtt.unwrap_or(Span::MAX);
        let in_flight = self.at_departure(ack.prior_in_flight);
        match self.pacing_gain.cmp(&UNIT) {
            // Probing takes until the flight has grown, unless the path cannot hold as much.
            Ordering::Greater => whole && (ack.lost > 0 || in_flight >= self.target(self.pacing_gain)),
            Ordering::Less => whole || in_flight <= self.target(UNIT),
            Ordering::Equal => whole,
        }
    }

    fn advance_phase(&mut self, now: Time) {
        self.phase_index = (self.phase_index + 1) % CYCLE.len();
        self.phase_since = now;
    }

    /// Enters [`Mode::ProbeBw`] at a phase left to chance, so that flows do not probe in step.
    fn start_cycle(&mut self) {
        self.mode = Mode::ProbeBw;
        let before = self.chance.bits() % START_PHASES;
        self.phase_index = CYCLE.len() - 1 - usize::try_from(before).unwrap_or(0);
        self.advance_phase(self.totals.at);
    }

    fn check_full(&mut self, ack: &Ack) {
        if self.full.reached || !self.round_start || ack.rate.app_limited {
            return;
        }
        let best = self.filter.get();
        if best.0 >= self.full.best.0 * 5 / 4 {
            self.full = FullPipe { best, ..FullPipe::default() };
        } else {
            self.full.rounds += 1;
            self.full.reached = self.full.rounds >= 3;
        }
    }

    fn check_drained(&mut self, window: &mut Window, ack: &Ack) {
        if self.mode == Mode::Startup && self.full.reached {
            self.mode = Mode::Drain;
            window.ssthresh = self.target(UNIT);
        }
        if self.mode == Mode::Drain && self.at_departure(ack.in_flight) <= self.target(UNIT) {
            self.start_cycle();
        }
    }

    /// Tracks the smallest round-trip time, and visits [`Mode::ProbeRtt`] when it is old (Linux `bbr_update_min_rtt`).
    fn update_min_rtt(&mut self, window: &mut Window, ack: &Ack) {
        let expired = ack.now > self.min_rtt_at + MIN_RTT_AGE;
        if let Some(rtt) = ack.rtt
            && (expired || self.min_rtt.is_none_or(|least| rtt <= least))
        {
            self.min_rtt = Some(rtt);
            self.min_rtt_at = ack.now;
        }
        if expired && !self.idle_restart && self.mode != Mode::ProbeRtt {
            self.mode = Mode::ProbeRtt;
            self.save_window(window);
            self.dip = None;
        }
        if self.mode == Mode::ProbeRtt {
            match &mut self.dip {
                None if ack.in_flight <= MIN_WINDOW => {
                    self.dip = Some(Dip { until: ack.now + PROBE_RTT_TIME, round_done: false });
                    self.round_end = ack.delivered;
                }
                None => {}
                Some(dip) => {
                    dip.round_done |= self.round_start;
                    if dip.round_done {
                        self.check_dip_done(window, ack.now);
                    }
                }
            }
        }
        if ack.rate.delivered > 0 {
            self.idle_restart = false;
        }
    }

    fn check_dip_done(&mut self, window: &mut Window, now: Time) {
        if self.dip.is_none_or(|dip| now <= dip.until) {
            return;
        }
        self.min_rtt_at = now;
        window.cwnd = window.cwnd.max(self.good_cwnd);
        if self.full.reached {
            self.start_cycle();
        } else {
            self.mode = Mode::Startup;
        }
    }

    fn update_gains(&mut self) {
        (self.pacing_gain, self.window_gain) = match self.mode {
            Mode::Startup => (HIGH, HIGH),
            Mode::Drain => (DRAIN, HIGH),
            Mode::ProbeBw if self.policer.rate().is_some() => (UNIT, WINDOW),
            Mode::ProbeBw => (CYCLE[self.phase_index], WINDOW),
            Mode::ProbeRtt => (UNIT, UNIT),
        };
    }
}

/// Rate and window.
impl Bbr {
    /// 2/ln 2 windows a round trip, until there is a bandwidth to go by.
    fn pace_by_window(&mut self, cwnd: u32, srtt: Span) {
        self.seen_rtt = !srtt.is_zero();
        let rtt = if self.seen_rtt { srtt } else { NOMINAL_RTT };
        self.pacing = Bandwidth::of(u64::from(cwnd), rtt).bytes_per_second(self.mss, HIGH);
    }

    fn set_pacing(&mut self, gain: Gain) {
        let rate = self.bandwidth().bytes_per_second(self.mss, gain);
        // Startup never slows down.
        if self.full.reached || rate > self.pacing {
            self.pacing = rate;
        }
    }

    /// Remembers a window that loss recovery or [`Mode::ProbeRtt`] has not cut.
    fn save_window(&mut self, window: &Window) {
        self.good_cwnd = if recovering(self.last_phase) || self.mode == Mode::ProbeRtt {
            self.good_cwnd.max(window.cwnd)
        } else {
            window.cwnd
        };
    }

    /// The window after losses: as much as was delivered in the first round of recovery, what it was when recovery ends.
    /// Returns whether that is final (Linux `bbr_set_cwnd_to_recover_or_restore`).
    fn recover(&mut self, window: &mut Window, ack: &Ack) -> bool {
        if ack.lost > 0 {
            window.cwnd = window.cwnd.saturating_sub(ack.lost).max(1);
        }
        let last = std::mem::replace(&mut self.last_phase, ack.phase);
        if ack.phase == Phase::Recovery && last != Phase::Recovery {
            self.conserving = true;
            self.round_end = ack.delivered;
            window.cwnd = ack.in_flight + ack.acked;
        } else if recovering(last) && !recovering(ack.phase) {
            window.cwnd = window.cwnd.max(self.good_cwnd);
            self.conserving = false;
        }
        if self.conserving {
            window.cwnd = window.cwnd.max(ack.in_flight + ack.acked);
        }
        self.conserving
    }

    fn set_window(&mut self, window: &mut Window, ack: &Ack) {
        if ack.acked > 0 && !self.recover(window, ack) {
            let bandwidth = self.bandwidth();
            let mut target = self.product(bandwidth, self.window_gain);
            if self.full.reached {
                target = target.saturating_add(self.aggregation.allowance(bandwidth));
            }
            target = self.with_bursts(target);
            if self.full.reached {
                window.cwnd = window.cwnd.saturating_add(ack.acked).min(target);
            } else if window.cwnd < target || ack.delivered < u64::from(INITIAL_WINDOW) {
                window.cwnd = window.cwnd.saturating_add(ack.acked);
            }
            window.cwnd = window.cwnd.max(MIN_WINDOW);
        }
        window.cwnd = window.cwnd.min(window.clamp);
        if self.mode == Mode::ProbeRtt {
            window.cwnd = window.cwnd.min(MIN_WINDOW);
        }
    }
}

impl Control for Bbr {
    fn name(&self) -> &'static str {
        "bbr"
    }

    fn seed(&mut self, seed: u64) {
        self.chance = Rng::stream(seed, Self::STREAM);
    }

    fn init(&mut self, window: &mut Window, now: Time, srtt: Span, mss: u32) {
        window.ssthresh = INFINITE_SSTHRESH;
        self.mss = mss;
        self.min_rtt = (!srtt.is_zero()).then_some(srtt);
        self.min_rtt_at = now;
        self.aggregation.restart(now);
        self.totals.at = now;
        self.policer.reset(self.totals);
        self.pace_by_window(window.cwnd, srtt);
    }

    fn on_ack(&mut self, _window: &mut Window, _ack: &Ack) {}

    fn owns_window(&self) -> bool {
        true
    }

    fn update(&mut self, window: &mut Window, ack: &Ack) {
        self.totals.delivered = ack.delivered;
        self.totals.lost += u64::from(ack.lost);
        if ack.acked > 0 {
            self.totals.at = ack.now;
        }
        self.update_bandwidth(window.cwnd, ack);
        if self.mode == Mode::ProbeBw && self.phase_over(ack) {
            self.advance_phase(self.totals.at);
        }
        self.check_full(ack);
        self.check_drained(window, ack);
        self.update_min_rtt(window, ack);
        self.update_gains();
        if !self.seen_rtt && !ack.srtt.is_zero() {
            self.pace_by_window(window.cwnd, ack.srtt);
        }
        self.set_pacing(self.pacing_gain);
        self.set_window(window, ack);
    }

    fn ssthresh(&mut self, window: &Window) -> u32 {
        self.save_window(window);
        window.ssthresh
    }

    fn undo(&mut self, window: &Window, _prior: u32) -> u32 {
        self.full = FullPipe { reached: self.full.reached, ..FullPipe::default() };
        self.policer.reset(self.totals);
        window.cwnd
    }

    fn on_phase(&mut self, _window: &mut Window, phase: Phase, _now: Time) {
        if phase == Phase::Loss {
            self.last_phase = Phase::Loss;
            self.full.best = Bandwidth::default();
            // A timeout counts as the end of a round, with a loss.
            self.round_start = true;
            self.look_for_policer(1, false);
        }
    }

    fn on_restart(&mut self, window: &mut Window, now: Time, _idle_since: Time) {
        // Linux asks whether the application was short of data; without anything in flight it was.
        self.idle_restart = true;
        self.aggregation.restart(now);
        // The model is still good: no need for more speed than it says.
        match self.mode {
            Mode::ProbeBw => self.set_pacing(UNIT),
            Mode::ProbeRtt => self.check_dip_done(window, now),
            Mode::Startup | Mode::Drain => {}
        }
    }

    fn limits_samples(&self) -> bool {
        self.mode == Mode::ProbeRtt
    }

    fn pacing_rate(&self) -> Option<BitRate> {
        (self.pacing > 0).then(|| bit_rate(self.pacing))
    }
}
