//! Laws of BBR on a bottleneck of one queue: a paced sender with nothing but data, a line, a delay.

use super::*;
use crate::transport::congestion::RateSample;
use std::collections::VecDeque;

const MSS: u32 = 1500;

/// What is remembered of a segment in flight, as the delivery-rate estimator wants it.
#[derive(Clone, Copy, Debug)]
struct Segment {
    sent: Time,
    /// When its acknowledgment comes, or its loss is noticed.
    back: Time,
    lost: bool,
    first_sent: Time,
    delivered: u64,
    delivered_at: Time,
    app_limited: bool,
}

/// A sender on a path: a queue in front of a line, then a fixed delay. Every segment is acknowledged by itself.
struct Path {
    bbr: Bbr,
    window: Window,
    now: Time,
    /// Time of the line for one segment.
    service: Span,
    delay: Span,
    /// Segments that wait at most.
    room: u64,
    line_free: Time,
    next_send: Time,
    flight: VecDeque<Segment>,
    in_flight: u32,
    sent: u64,
    delivered: u64,
    delivered_at: Time,
    first_sent: Time,
    app_limited: u64,
    /// When recovery began, and what is to be delivered until it ends: a round after the last loss of what was sent before.
    recovery: Option<(Time, u64)>,
    phase: Phase,
    lost: u64,
}

impl Path {
    fn new(service: Span, delay: Span, room: u64) -> Self {
        let mut path = Self {
            bbr: Bbr::default(),
            window: Window { cwnd: 10, ssthresh: INFINITE_SSTHRESH, clamp: u32::MAX },
            now: Time::from_nanos(1_000_000_000),
            service,
            delay,
            room,
            line_free: Time::ZERO,
            next_send: Time::ZERO,
            flight: VecDeque::new(),
            in_flight: 0,
            sent: 0,
            delivered: 0,
            delivered_at: Time::ZERO,
            first_sent: Time::ZERO,
            app_limited: 0,
            recovery: None,
            phase: Phase::Open,
            lost: 0,
        };
        path.bbr.seed(7);
        path.bbr.init(&mut path.window, path.now, delay, MSS);
        path
    }

    /// 100 Mbit/s of 1500-byte packets, 40 ms, a queue of many bandwidth-delay products.
    fn usual() -> Self {
        Self::new(Span::from_micros(120), Span::from_millis(40), 10_000)
    }

    /// Segments that fill the path without a queue.
    fn bdp(&self) -> f64 {
        (self.delay + self.service).as_secs_f64() / self.service.as_secs_f64()
    }

    fn queue(&self) -> f64 {
        self.line_free.since(self.now).as_secs_f64() / self.service.as_secs_f64()
    }

    /// The bandwidth estimate as a share of the line's.
    fn estimate(&self) -> f64 {
        self.bbr.filter.get().0 as f64 / Bandwidth::of(1, self.service).0 as f64
    }

    fn send(&mut self) {
        if self.in_flight == 0 {
            self.first_sent = self.now;
            self.delivered_at = self.now;
        }
        let start = self.line_free.max(self.now);
        let lost = start.since(self.now).as_nanos() > self.room * self.service.as_nanos();
        if !lost {
            self.line_free = start + self.service;
        }
        self.flight.push_back(Segment {
            sent: self.now,
            back: self.line_free + self.delay,
            lost,
            first_sent: self.first_sent,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            app_limited: self.app_limited > self.delivered,
        });
        self.in_flight += 1;
        self.sent += 1;
        let rate = self.bbr.pacing_rate().expect("bbr paces");
        self.next_send = self.next_send.max(self.now) + rate.time_for(u64::from(MSS));
    }

    fn acknowledge(&mut self) {
        let segment = self.flight.pop_front().expect("something is in flight");
        let prior_in_flight = self.in_flight;
        self.in_flight -= 1;
        let mut rate = RateSample::default();
        if segment.lost {
            self.lost += 1;
            let (began, until) = self.recovery.get_or_insert((self.now, self.sent));
            if segment.sent <= *began {
                *until = self.sent;
            }
            if self.phase == Phase::Open {
                self.phase = Phase::Recovery;
                self.window.ssthresh = self.bbr.ssthresh(&self.window);
            }
        } else {
            self.delivered += 1;
            self.delivered_at = self.now;
            self.first_sent = segment.sent;
            let interval = (segment.sent - segment.first_sent).max(self.now - segment.delivered_at);
            rate = RateSample {
                delivered: u32::try_from(self.delivered - segment.delivered).unwrap(),
                interval,
                prior_delivered: segment.delivered,
                app_limited: segment.app_limited,
            };
        }
        if !segment.lost && self.recovery.is_some_and(|(_, until)| self.delivered + self.lost > until) {
            self.recovery = None;
            self.phase = Phase::Open;
        }
        let rtt = self.now - segment.sent;
        let ack = Ack {
            now: self.now,
            acked: u32::from(!segment.lost),
            lost: u32::from(segment.lost),
            rtt: (!segment.lost).then_some(rtt),
            srtt: rtt,
            min_rtt: self.delay,
            delivered: self.delivered,
            prior_in_flight,
            in_flight: self.in_flight,
            una: self.delivered * u64::from(MSS),
            next: self.sent * u64::from(MSS),
            mss: MSS,
            cwnd_limited: true,
            phase: self.phase,
            rate,
        };
        self.bbr.update(&mut self.window, &ack);
        if self.bbr.limits_samples() {
            self.app_limited = self.delivered + u64::from(self.in_flight);
        }
    }

    /// Sends and acknowledges until `stop` says so after an event, at most for `limit`; returns whether it did.
    fn run_until(&mut self, limit: Span, mut stop: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            let send = (self.in_flight < self.window.cwnd).then_some(self.next_send.max(self.now));
            let back = self.flight.front().map(|segment| segment.back);
            let next = send.into_iter().chain(back).min().expect("it always sends or waits");
            if next > end {
                self.now = end;
                return false;
            }
            self.now = next;
            if back == Some(next) {
                self.acknowledge();
            } else {
                self.send();
            }
            if stop(self) {
                return true;
            }
        }
    }

    fn run(&mut self, span: Span) {
        self.run_until(span, |_| false);
    }
}

#[test]
fn startup_doubles_the_rate_each_round_and_finds_the_bandwidth() {
    let mut path = Path::usual();
    // log2(334 / 10) = 5.1 rounds to fill the pipe, three more to be sure of it.
    assert!(path.run_until(Span::from_secs(2), |path| path.bbr.full.reached));
    assert!((8..=11).contains(&path.bbr.round), "{} rounds", path.bbr.round);
    assert!((path.estimate() - 1.0).abs() < 0.01, "{}", path.estimate());
    assert_eq!(path.bbr.mode, Mode::Drain);
    // Startup's window holds 2.89 products and three bursts: one product in the path, the rest queued.
    let queue = path.queue() / path.bdp();
    assert!((1.7..2.2).contains(&queue), "{queue}");
}

#[test]
fn drain_leaves_one_product_in_flight() {
    let mut path = Path::usual();
    path.run_until(Span::from_secs(2), |path| path.bbr.mode == Mode::Drain);
    let began = path.now;
    assert!(path.run_until(Span::from_secs(1), |path| path.bbr.mode == Mode::ProbeBw));
    let bursts = f64::from(3 * path.bbr.burst() + 3);
    assert!(f64::from(path.in_flight) <= path.bdp() + bursts, "{} in flight", path.in_flight);
    // A queue of 1.9 products at a rate of 0.34 takes 1.9 / (1 - 0.34) round trips.
    assert!(path.now - began < path.delay * 4);
}

#[test]
fn the_cycle_uses_the_whole_line_and_keeps_the_queue_short() {
    let mut path = Path::usual();
    path.run(Span::from_secs(2));
    let (start, before) = (path.now, path.delivered);
    let (mut queue, mut most, mut events) = (0.0, 0.0_f64, 0.0);
    path.run_until(Span::from_secs(6), |path| {
        queue += path.queue();
        most = most.max(path.queue());
        events += 1.0;
        false
    });
    let share = (path.delivered - before) as f64 * path.service.as_secs_f64() / path.now.since(start).as_secs_f64();
    assert!((0.98..=1.0).contains(&share), "goodput {share} of the line");
    assert!((path.estimate() - 1.0).abs() < 0.01, "{}", path.estimate());
    // Probing at 5/4 for a round trip queues a quarter product at most (and bursts); the mean is far lower.
    assert!(most < 0.35 * path.bdp(), "{most} of {}", path.bdp());
    assert!(queue / events < 0.1 * path.bdp(), "{} of {}", queue / events, path.bdp());
}

#[test]
fn every_ten_seconds_four_segments_in_flight_measure_the_delay() {
    let mut path = Path::usual();
    path.run(Span::from_secs(2));
    // Now the path grows longer by 2 ms, which the smallest round-trip time hides for ten seconds.
    path.delay += Span::from_millis(2);
    let cwnd = path.window.cwnd;
    assert!(!path.run_until(Span::from_secs(7), |path| path.bbr.mode == Mode::ProbeRtt));
    assert!(path.run_until(Span::from_secs(3), |path| path.bbr.mode == Mode::ProbeRtt));
    assert_eq!(path.window.cwnd, MIN_WINDOW);
    assert!(path.run_until(Span::from_secs(1), |path| path.in_flight <= MIN_WINDOW));
    let dip = path.now;
    assert!(path.run_until(Span::from_secs(1), |path| path.bbr.mode != Mode::ProbeRtt));
    let length = path.now - dip;
    assert!(length > PROBE_RTT_TIME && length < PROBE_RTT_TIME + path.delay * 2, "{length}");
    assert_eq!(path.bbr.min_rtt, Some(path.delay + path.service));
    // But for the burst allowance, which follows the pace of the phase.
    assert!(path.window.cwnd >= cwnd * 98 / 100, "{cwnd} restored to {}", path.window.cwnd);
    assert!((path.estimate() - 1.0).abs() < 0.02, "the slow samples did not count: {}", path.estimate());
}

#[test]
fn a_faster_line_is_found_within_cycles_and_a_slower_one_within_ten_rounds() {
    let mut path = Path::usual();
    path.run(Span::from_secs(2));
    path.service = Span::from_micros(60);
    path.run(Span::from_secs(3));
    assert!((path.estimate() - 1.0).abs() < 0.02, "twice as fast: {}", path.estimate());
    path.service = Span::from_micros(120);
    path.run(Span::from_secs(2));
    assert!((path.estimate() - 1.0).abs() < 0.02, "half as fast: {}", path.estimate());
}

#[test]
fn a_shallow_queue_costs_losses_but_not_the_line() {
    let mut path = Path::new(Span::from_micros(120), Span::from_millis(40), 30);
    path.run(Span::from_secs(2));
    let (lost, before) = (path.lost, path.delivered);
    path.run(Span::from_secs(5));
    let share = (path.delivered - before) as f64 * 120e-6 / 5.0;
    assert!(share > 0.95, "goodput {share}");
    let lossy = (path.lost - lost) as f64 / (path.delivered - before) as f64;
    assert!(lossy > 0.0 && lossy < 0.05, "lost {lossy}");
}

#[test]
fn recovery_conserves_for_a_round_and_restores_the_window() {
    let mut path = Path::usual();
    path.run(Span::from_secs(2));
    let cwnd = path.window.cwnd;
    for segment in path.flight.iter_mut().take(50) {
        segment.lost = true;
    }
    assert!(path.run_until(Span::from_secs(1), |path| path.phase == Phase::Recovery && path.bbr.conserving));
    let in_flight = path.in_flight;
    assert!(path.window.cwnd <= in_flight + 1, "one out for one in: {} over {in_flight}", path.window.cwnd);
    assert!(path.run_until(Span::from_secs(1), |path| !path.bbr.conserving));
    assert!(path.run_until(Span::from_secs(1), |path| path.phase == Phase::Open));
    path.run(Span::from_millis(1));
    assert!(path.window.cwnd + 3 >= cwnd, "{} restored to {}", cwnd, path.window.cwnd);
}

#[test]
fn after_idling_it_paces_at_the_estimate() {
    let mut path = Path::usual();
    path.run(Span::from_secs(2));
    path.run_until(Span::from_secs(2), |path| path.bbr.mode == Mode::ProbeBw && path.bbr.phase_index == 0);
    path.bbr.on_restart(&mut path.window, path.now + Span::from_secs(30), path.now);
    let share = path.bbr.pacing as f64 * path.service.as_secs_f64() / f64::from(MSS);
    assert!((share - 0.99 * path.estimate()).abs() < 0.001, "1 % below the estimate: {share}");
}

#[test]
fn the_cycle_starts_anywhere_but_where_it_drains() {
    let mut seen = [0; 8];
    for seed in 0..700 {
        let mut bbr = Bbr::default();
        bbr.seed(seed);
        bbr.start_cycle();
        seen[bbr.phase_index] += 1;
    }
    assert_eq!(seen[1], 0);
    assert!(seen.iter().enumerate().all(|(phase, &count)| phase == 1 || (50..150).contains(&count)), "{seen:?}");
}

#[test]
fn the_filter_never_forgets_the_maximum_within_ten_rounds_nor_keeps_it_longer() {
    let mut chance = Rng::stream(3, "test");
    let mut filter = MaxFilter::default();
    let mut samples: Vec<Bandwidth> = Vec::new();
    for round in 0..500 {
        let sample = Bandwidth(chance.bits() % 1000);
        samples.push(sample);
        filter.add(round, sample);
        let from = samples.len().saturating_sub(11);
        let exact = samples[from..].iter().max().unwrap();
        assert!(filter.get() <= *exact, "round {round}: older than ten rounds");
        assert!(filter.get() >= sample);
    }
    filter.add(500, Bandwidth(5000));
    for round in 501..=510 {
        filter.add(round, Bandwidth(1));
        assert_eq!(filter.get(), Bandwidth(5000));
    }
    filter.add(511, Bandwidth(1));
    assert_eq!(filter.get(), Bandwidth(1));
}

/// A policer's victim: `lost` of each 100 segments, `per_round` delivered each 50 ms round.
fn police(policer: &mut Policer, totals: &mut Totals, rounds: u32, per_round: u64, lost: u32) -> Verdict {
    for _ in 0..rounds {
        totals.at += Span::from_millis(50);
        totals.delivered += per_round;
        totals.lost += per_round * u64::from(lost) / 100;
        let sighting =
            Sighting { totals: *totals, losses: lost, app_limited: false, round_start: true, cycling: true, mss: MSS };
        let verdict = policer.see(&sighting);
        if verdict != Verdict::Nothing {
            return verdict;
        }
    }
    Verdict::Nothing
}

#[test]
fn two_lossy_intervals_of_the_same_rate_are_a_policer_for_48_rounds() {
    let run = |second: u64, lost: u32| {
        let (mut policer, mut totals) = (Policer::default(), Totals::default());
        assert_eq!(police(&mut policer, &mut totals, 4, 1000, lost), Verdict::Nothing);
        let verdict = police(&mut policer, &mut totals, 4, second, lost);
        (policer, totals, verdict)
    };
    // 50 of 256 delivered: just under 20 %.
    assert_eq!(run(1000, 19).2, Verdict::Nothing);
    assert_eq!(run(1000, 20).2, Verdict::Policed);
    assert_eq!(run(1200, 30).2, Verdict::Nothing, "more than an eighth apart");
    let (mut policer, mut totals, verdict) = run(1000, 30);
    assert_eq!(verdict, Verdict::Policed);
    let rate = policer.rate().unwrap();
    let expected = Bandwidth::of(1000, Span::from_millis(50));
    assert!(rate.0.abs_diff(expected.0) < expected.0 / 2, "{rate:?} {expected:?}");
    assert_eq!(police(&mut policer, &mut totals, 47, 1000, 0), Verdict::Nothing);
    assert_eq!(police(&mut policer, &mut totals, 1, 1000, 0), Verdict::Released);
    assert_eq!(policer.rate(), None);
}

#[test]
fn bursts_of_acknowledgments_widen_the_window_by_their_size() {
    let bandwidth = Bandwidth::of(1000, Span::from_millis(100));
    let mut aggregation = Aggregation::default();
    let mut now = Time::ZERO;
    aggregation.restart(now);
    // 40 segments every 4 ms are 40 more than the line has carried at the moment they come.
    for _ in 0..100 {
        now += Span::from_millis(4);
        for _ in 0..40 {
            aggregation.add(now, 1, 500, bandwidth, false);
        }
    }
    assert!((39..=41).contains(&aggregation.allowance(bandwidth)), "{}", aggregation.allowance(bandwidth));
    // Ten rounds of smooth acknowledgments forget it.
    for _ in 0..1000 {
        now += Span::from_micros(110);
        aggregation.add(now, 1, 500, bandwidth, false);
    }
    for _ in 0..10 {
        now += Span::from_micros(100);
        aggregation.add(now, 1, 500, bandwidth, true);
    }
    assert!(aggregation.allowance(bandwidth) <= 2, "{}", aggregation.allowance(bandwidth));
}
