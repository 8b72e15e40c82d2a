//! A circuit breaker: after too many failures nothing is sent for a while, then a few probes decide (Nygard, "Release It!").

use crate::base::{Ratio, Span, Time};
use crate::trace::Circuit;
use std::collections::VecDeque;

/// Which outcomes are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// The last so many.
    Count(u32),
    /// Those of the last so long.
    Time(Span),
}

/// When it opens, and how it closes again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Config {
    /// Which outcomes are looked at.
    pub window: Window,
    /// It opens when this share of them are failures.
    pub failures: Ratio,
    /// It never opens on fewer outcomes.
    pub minimum: u32,
    /// How long it stays open before it lets probes pass.
    pub open_for: Span,
    /// So many probes must end well, one after the other's beginning; one failure opens it again.
    pub probes: u32,
}

/// The breaker of one asker for one origin.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    config: Config,
    circuit: Circuit,
    /// When it opened.
    since: Time,
    /// Grows with every change: outcomes of requests that were let pass before it are old news.
    era: u32,
    /// When each outcome came and whether it was a failure.
    outcomes: VecDeque<(Time, bool)>,
    failures: u32,
    /// Probes let pass, and those that ended well.
    probing: u32,
    probed: u32,
}

/// The right to send, to be handed back with the outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pass(u32);

impl Breaker {
    pub(super) const fn new(config: Config) -> Self {
        Self {
            config,
            circuit: Circuit::Closed,
            since: Time::ZERO,
            era: 0,
            outcomes: VecDeque::new(),
            failures: 0,
            probing: 0,
            probed: 0,
        }
    }

    /// The state.
    pub(super) const fn circuit(&self) -> Circuit {
        self.circuit
    }

    fn turn(&mut self, circuit: Circuit, now: Time) {
        (self.circuit, self.since) = (circuit, now);
        self.era += 1;
        self.outcomes.clear();
        (self.failures, self.probing, self.probed) = (0, 0, 0);
    }

    /// Whether something may be sent now.
    pub(super) fn admit(&mut self, now: Time) -> Option<Pass> {
        if self.circuit == Circuit::Open && now.since(self.since) >= self.config.open_for {
            self.turn(Circuit::HalfOpen, now);
        }
        match self.circuit {
            Circuit::Closed => {}
            Circuit::Open => return None,
            Circuit::HalfOpen if self.probing >= self.config.probes => return None,
            Circuit::HalfOpen => self.probing += 1,
        }
        Some(Pass(self.era))
    }

    /// What came of something that was sent.
    pub(super) fn report(&mut self, pass: Pass, failed: bool, now: Time) {
        if pass.0 != self.era {
            return;
        }
        match (self.circuit, failed) {
            (Circuit::Open, _) => {}
            (Circuit::HalfOpen, true) => self.turn(Circuit::Open, now),
            (Circuit::HalfOpen, false) => {
                self.probed += 1;
                if self.probed >= self.config.probes {
                    self.turn(Circuit::Closed, now);
                }
            }
            (Circuit::Closed, _) => self.count(failed, now),
        }
    }

    fn count(&mut self, failed: bool, now: Time) {
        self.outcomes.push_back((now, failed));
        self.failures += u32::from(failed);
        while let Some(&(time, old)) = self.outcomes.front() {
            let out = match self.config.window {
                Window::Count(most) => self.outcomes.len() > most as usize,
                Window::Time(span) => now.since(time) > span,
            };
            if !out {
                break;
            }
            self.outcomes.pop_front();
            self.failures -= u32::from(old);
        }
        let all = self.outcomes.len();
        let enough = all >= self.config.minimum as usize;
        if enough && self.failures > 0 && f64::from(self.failures) >= self.config.failures.get() * all as f64 {
            self.turn(Circuit::Open, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            window: Window::Count(10),
            failures: Ratio::new(0.5).unwrap(),
            minimum: 4,
            open_for: Span::from_secs(5),
            probes: 2,
        }
    }

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::from_millis(ms)
    }

    fn say(breaker: &mut Breaker, now: u64, outcomes: &[bool]) {
        for &failed in outcomes {
            let pass = breaker.admit(at(now)).unwrap();
            breaker.report(pass, failed, at(now));
        }
    }

    #[test]
    fn it_opens_at_the_share_and_not_before_the_minimum() {
        let mut breaker = Breaker::new(config());
        say(&mut breaker, 0, &[true, true, true]);
        assert_eq!(breaker.circuit(), Circuit::Closed, "three are too few to judge");
        say(&mut breaker, 0, &[false]);
        assert_eq!(breaker.circuit(), Circuit::Open, "three of four");
        let mut breaker = Breaker::new(config());
        say(&mut breaker, 0, &[false, false, false, false, false, true, true, true, true]);
        assert_eq!(breaker.circuit(), Circuit::Closed, "four of nine");
        say(&mut breaker, 0, &[true]);
        assert_eq!(breaker.circuit(), Circuit::Open, "five of ten");
    }

    #[test]
    fn old_outcomes_leave_the_window() {
        let mut breaker = Breaker::new(Config { window: Window::Time(Span::from_secs(1)), ..config() });
        say(&mut breaker, 0, &[true, true, true]);
        say(&mut breaker, 1_001, &[true, false, false]);
        assert_eq!(breaker.circuit(), Circuit::Closed, "the first three are too old");
    }

    #[test]
    fn probes_close_it_and_one_failed_probe_opens_it_again() {
        let open = || {
            let mut breaker = Breaker::new(config());
            say(&mut breaker, 0, &[true; 4]);
            breaker
        };
        let mut breaker = open();
        assert_eq!(breaker.admit(at(4_999)), None);
        let (one, two) = (breaker.admit(at(5_000)).unwrap(), breaker.admit(at(5_000)).unwrap());
        assert_eq!((breaker.circuit(), breaker.admit(at(5_000))), (Circuit::HalfOpen, None), "two probes at most");
        breaker.report(one, false, at(5_100));
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
        breaker.report(two, false, at(5_200));
        assert_eq!(breaker.circuit(), Circuit::Closed);
        let mut breaker = open();
        let (one, two) = (breaker.admit(at(5_000)).unwrap(), breaker.admit(at(5_000)).unwrap());
        breaker.report(one, true, at(5_100));
        assert_eq!(breaker.circuit(), Circuit::Open);
        // The other probe's outcome is old news.
        breaker.report(two, false, at(5_200));
        assert_eq!((breaker.circuit(), breaker.admit(at(10_099))), (Circuit::Open, None));
        assert!(breaker.admit(at(10_100)).is_some());
    }
}
