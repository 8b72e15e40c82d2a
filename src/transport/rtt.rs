//! Round-trip time and the retransmission timeout that follows from it (RFC 6298, and as Linux does it).

use crate::base::{Span, Time};
use std::collections::VecDeque;

/// How the timeout follows from the samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Linux: the floor holds for the variance term (RTO = SRTT + max(4 RTTVAR, floor)), and the variance falls at most once a
    /// window. RFC 6298: the floor holds for the sum.
    pub floor_on_variance: bool,
    /// The floor.
    pub floor: Span,
    /// The largest timeout.
    pub ceiling: Span,
    /// The timeout before any sample.
    pub initial: Span,
}

/// Window of the minimum filter (Linux `tcp_min_rtt_wlen`: five minutes).
const MIN_WINDOW: Span = Span::from_secs(300);

/// Smoothed round-trip time, its variance, and the smallest of late.
#[derive(Clone, Debug)]
pub struct Rtt {
    rule: Rule,
    /// Eight times SRTT, in nanoseconds; zero before the first sample.
    srtt8: u64,
    /// Four times the smoothed mean deviation, in nanoseconds (Linux `mdev_us`).
    deviation4: u64,
    /// The largest `deviation4` in this window (Linux `mdev_max_us`).
    deviation4_max: u64,
    /// The variance term of the timeout: four times RTTVAR.
    variance4: u64,
    /// The window ends when this offset is acknowledged (Linux `rtt_seq`).
    window_end: u64,
    latest: Span,
    /// Candidates for the minimum, oldest first, each smaller than those before it would allow: (when, sample).
    minima: VecDeque<(Time, Span)>,
}

impl Rtt {
    /// No sample yet.
    #[must_use]
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            srtt8: 0,
            deviation4: 0,
            deviation4_max: 0,
            variance4: 0,
            window_end: 0,
            latest: Span::ZERO,
            minima: VecDeque::new(),
        }
    }

    /// Takes a sample; `una` and `next` are the offsets acknowledged and sent so far, which delimit windows.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub fn sample(&mut self, sample: Span, una: u64, next: u64) {
        let m = sample.as_nanos().max(1);
        self.latest = sample;
        let floor = if self.rule.floor_on_variance { self.rule.floor.as_nanos() } else { 0 };
        if self.srtt8 == 0 {
            self.srtt8 = m * 8;
            self.deviation4 = m * 2;
            self.variance4 = self.deviation4.max(floor);
            self.deviation4_max = self.variance4;
            self.window_end = next;
            return;
        }
        let srtt = self.srtt8 / 8;
        let error = m.abs_diff(srtt);
        if m >= srtt {
            self.srtt8 += error;
        } else {
            self.srtt8 -= error;
        }
        let deviation = self.deviation4 / 4;
        if error >= deviation {
            // Linux: a deviation that grows because the time fell counts an eighth as much.
            let growth = error - deviation;
            let slowly = self.rule.floor_on_variance && m < srtt;
            self.deviation4 += if slowly { growth / 8 } else { growth };
        } else {
            self.deviation4 -= deviation - error;
        }
        if !self.rule.floor_on_variance {
            self.variance4 = self.deviation4;
            return;
        }
        if self.deviation4 > self.deviation4_max {
            self.deviation4_max = self.deviation4;
            self.variance4 = self.variance4.max(self.deviation4_max);
        }
        if una > self.window_end {
            if self.deviation4_max < self.variance4 {
                self.variance4 -= (self.variance4 - self.deviation4_max) / 4;
            }
            self.window_end = next;
            self.deviation4_max = floor;
        }
    }

    /// Takes a sample for the minimum filter.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub fn sample_min(&mut self, sample: Span, now: Time) {
        if let Some(&(at, least)) = self.minima.front()
            && self.minima.len() == 1
            && least < sample
            && at + MIN_WINDOW / 4 > now
        {
            // Nothing fresher is needed while the minimum is young: the usual case costs no queue work.
            return;
        }
        self.sample_min_anew(sample, now);
    }

    #[inline(never)]
    fn sample_min_anew(&mut self, sample: Span, now: Time) {
        while self.minima.back().is_some_and(|&(_, held)| held >= sample) {
            self.minima.pop_back();
        }
        self.minima.push_back((now, sample));
        while self.minima.len() > 1 && self.minima[0].0 + MIN_WINDOW < now {
            self.minima.pop_front();
        }
        // Three candidates are enough, as in Linux's windowed filter.
        if self.minima.len() > 3 {
            self.minima.remove(1);
        }
    }

    /// Smoothed round-trip time; zero before the first sample.
    #[must_use]
    #[inline]
    pub const fn srtt(&self) -> Span {
        Span::from_nanos(self.srtt8 / 8)
    }

    /// RTTVAR: a quarter of the timeout's variance term.
    #[must_use]
    pub const fn variance(&self) -> Span {
        Span::from_nanos(self.variance4 / 4)
    }

    /// The last sample.
    #[must_use]
    pub const fn latest(&self) -> Span {
        self.latest
    }

    /// The smallest sample of the last five minutes; `None` before the first.
    #[must_use]
    #[inline]
    pub fn min(&self) -> Option<Span> {
        self.minima.front().map(|&(_, sample)| sample)
    }

    /// The retransmission timeout without backoff.
    #[must_use]
    pub fn rto(&self) -> Span {
        if self.srtt8 == 0 {
            return self.rule.initial;
        }
        let sum = Span::from_nanos(self.srtt8 / 8 + self.variance4);
        if self.rule.floor_on_variance { sum } else { sum.max(self.rule.floor) }.min(self.rule.ceiling)
    }

    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Span = Span::from_millis;

    fn linux() -> Rtt {
        let rule = Rule { floor_on_variance: true, floor: MS(200), ceiling: MS(120_000), initial: MS(1000) };
        Rtt::new(rule)
    }

    #[test]
    fn linux_keeps_srtt_plus_200_ms() {
        let mut rtt = linux();
        assert_eq!(rtt.rto(), MS(1000));
        for n in 0..100 {
            rtt.sample(MS(56), n * 10, n * 10 + 10);
        }
        assert_eq!(rtt.srtt(), MS(56));
        assert_eq!(rtt.rto(), MS(256));
    }

    #[test]
    fn first_sample_makes_the_timeout_three_round_trips() {
        // RFC 6298 2.2: RTTVAR = R/2, RTO = R + 4 R/2.
        let mut rtt = linux();
        rtt.sample(MS(100), 0, 1);
        assert_eq!(rtt.rto(), MS(300));
        let rule = Rule { floor_on_variance: false, floor: MS(1000), ceiling: MS(60_000), initial: MS(1000) };
        let mut rfc = Rtt::new(rule);
        rfc.sample(MS(100), 0, 1);
        assert_eq!(rfc.rto(), MS(1000));
        rfc.sample(MS(600), 0, 1);
        // SRTT = 100 + 500/8; RTTVAR = 50 + (500 - 50)/4.
        assert_eq!(rfc.srtt(), Span::from_micros(162_500));
        assert_eq!(rfc.variance(), Span::from_micros(162_500));
    }

    #[test]
    fn the_minimum_is_of_the_last_five_minutes() {
        let mut rtt = linux();
        let at = |s| Time::ZERO + Span::from_secs(s);
        rtt.sample_min(MS(50), at(0));
        rtt.sample_min(MS(60), at(100));
        assert_eq!(rtt.min(), Some(MS(50)));
        rtt.sample_min(MS(70), at(301));
        assert_eq!(rtt.min(), Some(MS(60)));
        rtt.sample_min(MS(40), at(302));
        assert_eq!(rtt.min(), Some(MS(40)));
    }
}
