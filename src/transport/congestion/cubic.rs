//! CUBIC (RFC 9438) with `HyStart`, as Linux 6.18 computes it: the window follows a cubic of time around the last maximum.
//!
//! The unit of time of the cubic is 1/1024 s, fed by a clock of whole milliseconds (a kernel with `HZ=1000`); `HyStart` looks at
//! microseconds. Both roundings are kept, because they decide in which acknowledgment the window grows.
//!
//! Not modelled: the cube root is exact where Linux is off by up to 0.2 % (a fraction of a segment in the window);
//! `HyStart++` (RFC 9406), which Linux does not have; ECN-based exits. Nothing here is paced.

use super::reno::additive_increase;
use super::{Ack, Control, Phase, Window};
use crate::base::{Span, Time};

/// What a loss multiplies the window by, of [`SCALE`]: 0.7 (RFC 9438 4.6).
const BETA: u64 = 717;
/// Denominator of [`BETA`], and units of the cubic's time per second.
const SCALE: u64 = 1024;
/// C of the cubic in segments/s^3, of [`SCALE`]: 410/1024 = 0.4 (RFC 9438 5.1).
const C: u128 = 410;
/// Acknowledged segments for each segment of the Reno-friendly window, per eighth of a window: 15/8, about
/// (1 + beta) / (3 (1 - beta)) (RFC 9438 4.3; Linux `beta_scale`).
const FRIENDLY_EIGHTHS: u64 = 8 * (SCALE + BETA) / 3 / (SCALE - BETA);
/// While the window stays the same, the cubic is looked at again only after this many milliseconds.
const STALE_MS: u64 = 1000 / 32;
/// Without any loss so far, at most this many acknowledged segments for one of growth: 5 % a round trip.
const UNPROBED_PER: u64 = 20;
/// At least this many acknowledged segments for one of growth: 1.5 times a round trip.
const FASTEST_PER: u64 = 2;
/// Round-trip samples this soon after the start of an epoch are not trusted: the queue may still be the one that lost.
const SETTLE_MS: u64 = 1000;

/// The CUBIC controller.
#[derive(Clone, Debug, Default)]
pub struct Cubic {
    /// The window at the last loss, or less by fast convergence; 0 before any loss.
    last_max: u32,
    /// The stretch of growth since the last loss, once congestion avoidance has begun.
    epoch: Option<Epoch>,
    /// Acknowledged segments for one segment of growth.
    per: u64,
    /// The window when `per` was computed.
    seen_cwnd: u32,
    /// When `per` was computed, in milliseconds.
    seen_ms: u64,
    /// The smallest round-trip time in microseconds; 0 before any.
    delay_min: u64,
    /// Segments acknowledged since the window last grew.
    credit: u32,
    hystart: HyStart,
}

/// One epoch: from the first growth after a loss to the next loss.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    /// Its start in milliseconds.
    start_ms: u64,
    /// The window around which the cubic is flat.
    origin: u32,
    /// Time to reach `origin`, in 1/1024 s (K of RFC 9438 4.2).
    k: u64,
    /// Acknowledged segments not yet turned into growth of `friendly`.
    acked: u64,
    /// The window that Reno with CUBIC's beta would have (`W_est` of RFC 9438 4.3).
    friendly: u64,
}

/// The largest integer whose cube is at most `value`.
fn cube_root(value: u64) -> u64 {
    let mut root = 0_u64;
    for bit in (0..22).rev() {
        let next = root | (1 << bit);
        if u128::from(next).pow(3) <= u128::from(value) {
            root = next;
        }
    }
    root
}

impl Epoch {
    /// An epoch that begins at a window of `cwnd` after a loss at `last_max` (Linux `bictcp_update`).
    fn new(start_ms: u64, cwnd: u32, last_max: u32, acked: u32) -> Self {
        // RFC 9438 4.2: K = cbrt((W_max - cwnd) / C); C is of 2^10 and time of 2^10 a second, so the cube is of 2^40.
        let missing = u64::from(last_max.saturating_sub(cwnd));
        let k = cube_root((1 << 40) / 410 * missing);
        Self { start_ms, origin: last_max.max(cwnd), k, acked: u64::from(acked), friendly: u64::from(cwnd) }
    }

    /// The window the cubic wants a round trip from now.
    fn target(&self, now_ms: u64, delay_min: u64) -> u64 {
        let elapsed = now_ms - self.start_ms + delay_min.div_ceil(1000);
        let t = elapsed * SCALE / 1000;
        let off = u128::from(t.abs_diff(self.k));
        let delta = u64::try_from((C * off * off * off) >> 40).unwrap_or(u64::MAX);
        let origin = u64::from(self.origin);
        if t < self.k { origin.saturating_sub(delta) } else { origin.saturating_add(delta) }
    }

    /// Lets the Reno-friendly window grow, and returns the fewest acknowledged segments per segment of growth with which the
    /// window would catch up with it within a round trip.
    fn catch_up(&mut self, cwnd: u64) -> Option<u64> {
        let per = cwnd * FRIENDLY_EIGHTHS / 8;
        if self.acked > per {
            let grown = (self.acked - 1) / per;
            self.acked -= grown * per;
            self.friendly += grown;
        }
        (self.friendly > cwnd).then(|| cwnd / (self.friendly - cwnd))
    }
}

impl Cubic {
    /// Recomputes how fast the window grows (Linux `bictcp_update`).
    #[inline]
    fn look(&mut self, cwnd: u32, acked: u32, now: Time) {
        let now_ms = now.as_nanos() / 1_000_000;
        if let Some(epoch) = &mut self.epoch {
            epoch.acked += u64::from(acked);
        }
        if self.seen_cwnd != cwnd || now_ms - self.seen_ms > STALE_MS {
            self.look_anew(cwnd, acked, now_ms);
        }
    }

    #[inline(never)]
    fn look_anew(&mut self, cwnd: u32, acked: u32, now_ms: u64) {
        let segments = u64::from(cwnd);
        // Linux recomputes the cubic at most once a tick, but the friendly window on every change.
        if self.epoch.is_none() || now_ms != self.seen_ms {
            self.seen_cwnd = cwnd;
            self.seen_ms = now_ms;
            let last_max = self.last_max;
            let epoch = self.epoch.get_or_insert_with(|| Epoch::new(now_ms, cwnd, last_max, acked));
            let target = epoch.target(now_ms, self.delay_min);
            // RFC 9438 4.4 and 4.5: (target - cwnd) / cwnd for each acknowledged segment; next to nothing on the plateau.
            self.per = if target > segments { segments / (target - segments) } else { 100 * segments };
            if self.last_max == 0 {
                self.per = self.per.min(UNPROBED_PER);
            }
        }
        if let Some(per) = self.epoch.as_mut().and_then(|epoch| epoch.catch_up(segments)) {
            self.per = self.per.min(per);
        }
        self.per = self.per.max(FASTEST_PER);
    }
}

impl Control for Cubic {
    fn name(&self) -> &'static str {
        "cubic"
    }

    fn init(&mut self, _window: &mut Window, now: Time, _srtt: Span, _mss: u32) {
        self.hystart.restart(now, 0);
    }

    #[expect(clippy::inline_always, reason = "with every acknowledgment, which then need not be written down")]
    #[inline(always)]
    fn on_sample(&mut self, window: &mut Window, ack: &Ack) {
        let Some(rtt) = ack.rtt else { return };
        let now_ms = ack.now.as_nanos() / 1_000_000;
        if self.epoch.is_some_and(|epoch| now_ms.saturating_sub(epoch.start_ms) < SETTLE_MS) {
            return;
        }
        let delay = rtt.as_micros().max(1);
        if self.delay_min == 0 || delay < self.delay_min {
            self.delay_min = delay;
        }
        if window.in_slow_start() && self.hystart.leave(window, *ack, delay, self.delay_min) {
            window.ssthresh = window.cwnd;
        }
    }

    #[expect(clippy::inline_always, reason = "with every acknowledgment, which then need not be written down")]
    #[inline(always)]
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
        self.look(window.cwnd, acked, ack.now);
        let per = u32::try_from(self.per).unwrap_or(u32::MAX);
        additive_increase(window, &mut self.credit, per, acked);
    }

    fn ssthresh(&mut self, window: &Window) -> u32 {
        let scaled = |by: u64| u32::try_from(u64::from(window.cwnd) * by / (2 * SCALE)).unwrap_or(u32::MAX);
        self.epoch = None;
        self.credit = 0;
        // Fast convergence (RFC 9438 4.7): a maximum below the last one means that another flow wants room.
        self.last_max = if window.cwnd < self.last_max { scaled(SCALE + BETA) } else { window.cwnd };
        scaled(2 * BETA).max(2)
    }

    fn on_phase(&mut self, _window: &mut Window, phase: Phase, now: Time) {
        // Linux `cubictcp_state`: a timeout forgets everything, the path may be another.
        if phase == Phase::Loss {
            *self = Self::default();
            self.hystart.restart_at_next(now);
        }
    }

    fn on_restart(&mut self, _window: &mut Window, now: Time, idle_since: Time) {
        // RFC 9438 4.2: time without data does not count (Linux `cubictcp_cwnd_event`).
        let now_ms = now.as_nanos() / 1_000_000;
        let idle = now_ms.saturating_sub(idle_since.as_nanos() / 1_000_000);
        if let Some(epoch) = &mut self.epoch {
            epoch.start_ms = (epoch.start_ms + idle).min(now_ms);
        }
    }
}

/// `HyStart` (Ha and Rhee 2011): leave slow start before losses, when acknowledgments span half the round trip or come late.
#[derive(Clone, Debug, Default)]
struct HyStart {
    /// The exit was found; slow start after later losses is not watched, until a timeout.
    found: bool,
    /// When the round began, in microseconds.
    round_start: u64,
    /// The last acknowledgment of the train, in microseconds.
    last_ack: u64,
    /// The round ends when more than this is acknowledged; `None` for what is sent at the next sample.
    end: Option<u64>,
    /// Smallest round-trip time of the round in microseconds, once there is one.
    current: Option<u64>,
    /// Samples in the round so far, up to [`HyStart::MIN_SAMPLES`].
    samples: u8,
}

impl HyStart {
    /// Below this window, nothing is looked for; rounds are counted all the same (Linux since 6.14: before, the first round began here,
    /// which left slow start a few acknowledgments later).
    const LOW_WINDOW: u32 = 16;
    /// Samples a round before its delay counts.
    const MIN_SAMPLES: u8 = 8;
    /// Acknowledgments further apart than this (us) end the train.
    const TRAIN_GAP: u64 = 2_000;
    /// Delay above the minimum that counts as a queue (us): an eighth of the minimum within these bounds.
    const DELAY_BOUNDS: (u64, u64) = (4_000, 16_000);
    /// Largest burst that a sender hands to its interface at once, in bytes (Linux `sk_gso_max_size`).
    const MAX_BURST: u64 = 65_536 - 321;

    fn restart(&mut self, now: Time, next: u64) {
        self.round_start = now.as_nanos() / 1000;
        self.last_ack = self.round_start;
        self.end = Some(next);
        self.current = None;
        self.samples = 0;
    }

    /// A round begins now, and ends with what will have been sent when the next sample comes: nothing new is sent between a
    /// timeout and the first acknowledgment after it.
    fn restart_at_next(&mut self, now: Time) {
        self.restart(now, 0);
        self.end = None;
    }

    /// Whether slow start should end with this round-trip sample (Linux `hystart_update`). All times in microseconds.
    #[inline(never)]
    fn leave(&mut self, window: &Window, ack: Ack, delay: u64, delay_min: u64) -> bool {
        if self.found {
            return false;
        }
        if ack.una > *self.end.get_or_insert(ack.next) {
            self.restart(ack.now, ack.next);
        }
        if window.cwnd < Self::LOW_WINDOW {
            return false;
        }
        let now = ack.now.as_nanos() / 1000;
        if now - self.last_ack <= Self::TRAIN_GAP {
            self.last_ack = now;
            // Unpaced, half of the round trip: a train that long fills the path one way.
            let threshold = delay_min.midpoint(Self::burst_delay(window, &ack));
            self.found = now - self.round_start > threshold;
        }
        let current = self.current.map_or(delay, |least| least.min(delay));
        self.current = Some(current);
        if self.samples < Self::MIN_SAMPLES {
            self.samples += 1;
        } else {
            let (least, most) = Self::DELAY_BOUNDS;
            self.found |= current > delay_min + (delay_min >> 3).clamp(least, most);
        }
        self.found
    }

    /// How long acknowledgments may be held up by bursts, in microseconds: four of the largest at the present rate, at most a
    /// millisecond (Linux `hystart_ack_delay`, with the rate of `tcp_update_pacing_rate`: 2 windows a round trip in slow start,
    /// 1.2 near its end).
    fn burst_delay(window: &Window, ack: &Ack) -> u64 {
        let percent = if window.cwnd < window.ssthresh / 2 { 200 } else { 120 };
        let flight = u128::from(window.cwnd.max(ack.prior_in_flight)) * u128::from(ack.mss) * percent;
        if flight == 0 || ack.srtt.is_zero() {
            return 0;
        }
        let delay = u128::from(Self::MAX_BURST) * 4 * 100 * u128::from(ack.srtt.as_micros()) / flight;
        u64::try_from(delay).unwrap_or(u64::MAX).min(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::congestion::{INFINITE_SSTHRESH, RateSample};

    /// A sender whose window is always full, on a path of constant round-trip time: acknowledgments come one by one, evenly.
    struct Sender {
        cubic: Cubic,
        window: Window,
        now: Time,
        rtt: Span,
        acked: u64,
    }

    impl Sender {
        fn new(cwnd: u32, rtt: Span) -> Self {
            let window = Window { cwnd, ssthresh: INFINITE_SSTHRESH, clamp: u32::MAX };
            let mut sender =
                Self { cubic: Cubic::default(), window, now: Time::from_nanos(5_000_000_000), rtt, acked: 0 };
            sender.cubic.init(&mut sender.window, sender.now, Span::ZERO, 1448);
            sender
        }

        /// An acknowledgment of one segment that took `rtt`.
        fn ack(&mut self, rtt: Span) {
            self.acked += 1;
            let una = self.acked * 1448;
            let ack = Ack {
                now: self.now,
                acked: 1,
                lost: 0,
                rtt: Some(rtt),
                srtt: rtt,
                min_rtt: self.rtt,
                delivered: self.acked,
                prior_in_flight: self.window.cwnd,
                in_flight: self.window.cwnd - 1,
                una,
                next: una + u64::from(self.window.cwnd - 1) * 1448,
                mss: 1448,
                cwnd_limited: true,
                phase: Phase::Open,
                rate: RateSample::default(),
            };
            self.cubic.on_sample(&mut self.window, &ack);
            self.cubic.on_ack(&mut self.window, &ack);
        }

        /// Sends for `span`, one acknowledgment every cwnd-th of the round trip.
        fn run(&mut self, span: Span) {
            let end = self.now + span;
            while self.now < end {
                self.now += self.rtt / u64::from(self.window.cwnd);
                self.ack(self.rtt);
            }
        }

        fn lose(&mut self) {
            self.window.ssthresh = self.cubic.ssthresh(&self.window);
            self.window.cwnd = self.window.ssthresh;
        }

        fn cwnd(&self) -> f64 {
            f64::from(self.window.cwnd)
        }
    }

    #[test]
    fn cube_roots_are_exact() {
        for root in [0, 1, 2, 7, 1000, 65_535, 2_642_245 / 2] {
            let cube = root * root * root;
            assert_eq!(cube_root(cube), root);
            assert_eq!(cube_root(cube + 3 * root * root + 3 * root), root, "just below the next cube");
        }
    }

    #[test]
    fn after_a_loss_the_window_follows_the_cubic_of_time() {
        // RFC 9438 4.2: W(t) = C (t - K)^3 + W_max with K = cbrt(W_max (1 - beta) / C), whatever the round-trip time.
        for (wmax, millis) in [(1000, 100), (1000, 50), (2000, 200), (400, 100)] {
            let mut sender = Sender::new(wmax, Span::from_millis(millis));
            sender.run(Span::from_millis(1));
            let wmax = sender.cwnd();
            sender.lose();
            assert!((sender.cwnd() - 0.7 * wmax).abs() < 1.0);
            let k = libm::cbrt((wmax - sender.cwnd()) / 0.4);
            let step = 0.25;
            for index in 1..80 {
                sender.run(Span::from_secs_f64(step));
                let t = f64::from(index) * step;
                let cubic = 0.4 * (t - k) * (t - k) * (t - k) + wmax;
                let error = sender.cwnd() - cubic;
                assert!(error.abs() < 2.5, "W_max {wmax}, rtt {millis} ms, t {t}: {} not {cubic:.1}", sender.cwnd());
            }
        }
    }

    #[test]
    fn on_short_paths_it_grows_as_reno_with_its_own_beta() {
        // RFC 9438 4.3: alpha = 3 (1 - 0.7) / (1 + 0.7) = 0.529 segments a round trip; Linux has 8/15 = 0.533.
        let mut sender = Sender::new(40, Span::from_millis(5));
        sender.run(Span::from_millis(1));
        sender.lose();
        // Linux looks at an unchanged window only every 31 ms: it lags a few segments behind, but does not fall back further.
        sender.run(Span::from_millis(100));
        let start = sender.cwnd();
        sender.run(Span::from_millis(500));
        let grown = sender.cwnd() - start;
        assert!((grown - 100.0 * 8.0 / 15.0).abs() < 2.0, "100 round trips: {grown}");
    }

    #[test]
    fn growth_is_at_most_half_the_window_a_round_trip() {
        let mut sender = Sender::new(100, Span::from_millis(200));
        sender.run(Span::from_millis(1));
        sender.lose();
        sender.run(Span::from_secs(8));
        // Far beyond K the cubic is steep; nine tenths of the flow's window vanish and it must not jump back.
        sender.window.cwnd = 20;
        sender.window.ssthresh = 20;
        let first = sender.acked;
        sender.run(Span::from_millis(200));
        let acked = (sender.acked - first) as f64;
        assert!((sender.cwnd() - 20.0 - acked / 2.0).abs() <= 1.0, "{} after {acked}", sender.cwnd());
    }

    #[test]
    fn a_second_loss_below_the_first_gives_room_to_others() {
        let mut sender = Sender::new(1000, Span::from_millis(100));
        sender.lose();
        assert_eq!((sender.window.cwnd, sender.cubic.last_max), (700, 1000));
        sender.window.cwnd = 999;
        sender.lose();
        // RFC 9438 4.7: W_max = cwnd (1 + beta) / 2.
        assert_eq!((sender.window.cwnd, sender.cubic.last_max), (699, 849));
        sender.window.cwnd = 849;
        sender.lose();
        assert_eq!(sender.cubic.last_max, 849, "at the old maximum, nobody else wants room");
    }

    #[test]
    fn idle_time_does_not_make_the_window_jump() {
        let loss = || {
            let mut sender = Sender::new(1000, Span::from_millis(100));
            sender.lose();
            sender.run(Span::from_secs(2));
            sender
        };
        let mut idle = loss();
        let before = idle.now;
        idle.now += Span::from_secs(60);
        idle.cubic.on_restart(&mut idle.window, idle.now, before);
        idle.run(Span::from_secs(2));
        let mut busy = loss();
        busy.run(Span::from_secs(2));
        assert!(idle.window.cwnd.abs_diff(busy.window.cwnd) <= 1, "{:?} {:?}", idle.window, busy.window);
    }

    /// Acknowledges `count` segments, `gap` apart, all with a round-trip time of `rtt`; whether slow start ended.
    fn train(sender: &mut Sender, count: u32, gap: Span, rtt: Span) -> bool {
        for _ in 0..count {
            sender.now += gap;
            sender.ack(rtt);
        }
        !sender.window.in_slow_start()
    }

    #[test]
    fn slow_start_ends_when_a_whole_round_comes_late() {
        // Late is an eighth of the minimum, at least 4 ms, at most 16 ms; acknowledgments so far apart make no train.
        let gap = Span::from_micros(2_500);
        for (base, allowed) in [(8, 4_000), (40, 5_000), (100, 12_500), (300, 16_000)] {
            let base = Span::from_millis(base);
            let late = |excess: u64| {
                let mut sender = Sender::new(20, base);
                assert!(!train(&mut sender, 1, Span::ZERO, base));
                // The rest of the first round has one good sample: only the next round can be late as a whole.
                assert!(!train(&mut sender, 19, gap, base + Span::from_micros(excess)));
                let early = train(&mut sender, 8, gap, base + Span::from_micros(excess));
                assert!(!early, "eight samples are gathered first");
                train(&mut sender, 1, gap, base + Span::from_micros(excess))
            };
            assert!(!late(allowed), "{base}");
            assert!(late(allowed + 1), "{base}");
        }
    }

    #[test]
    fn slow_start_ends_when_acknowledgments_span_half_the_round_trip() {
        // (100 ms + 1 ms for bursts) / 2 = 50.5 ms: the 51st millisecond of the round is too long.
        let base = Span::from_millis(100);
        let mut sender = Sender::new(200, base);
        assert!(!train(&mut sender, 51, Span::from_millis(1), base), "the first begins the round");
        assert!(train(&mut sender, 1, Span::from_millis(1), base));
        assert_eq!(sender.window.ssthresh, 251);
        // Gaps beyond 2 ms end the train.
        let mut sender = Sender::new(200, base);
        assert!(!train(&mut sender, 2, Span::from_millis(1), base));
        assert!(!train(&mut sender, 1, Span::from_micros(2_001), base));
        assert!(!train(&mut sender, 60, Span::from_millis(1), base));
    }

    #[test]
    fn below_sixteen_segments_nothing_ends_slow_start() {
        let base = Span::from_millis(20);
        let mut sender = Sender::new(2, base);
        assert!(!train(&mut sender, 13, Span::from_millis(2), base * 3));
        assert_eq!(sender.window.cwnd, 15);
    }

    #[test]
    fn a_timeout_forgets_the_maximum_and_the_delay() {
        let mut sender = Sender::new(1000, Span::from_millis(100));
        sender.run(Span::from_millis(200));
        sender.lose();
        sender.cubic.on_phase(&mut sender.window, Phase::Loss, sender.now);
        assert_eq!((sender.cubic.last_max, sender.cubic.delay_min), (0, 0));
    }
}
