//! When a fault strikes and heals: once, at an interval, or by chance with mean times between failures and to repair.

use crate::base::{Rng, Span, Time};
use std::fmt;

/// When a fault strikes and heals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schedule {
    /// Once.
    Once {
        /// When it strikes.
        at: Time,
        /// How long it lasts; `None`: to the end of the run.
        lasts: Option<Span>,
    },
    /// At an interval.
    Every {
        /// When it strikes first.
        at: Time,
        /// From one strike to the next.
        every: Span,
        /// How long each lasts; shorter than the interval.
        lasts: Span,
        /// When all is over.
        until: Option<Time>,
    },
    /// By chance: times between failures and to repair are exponential.
    Random {
        /// The first time between failures begins here.
        from: Time,
        /// Mean time from repair to failure.
        mtbf: Span,
        /// Mean time from failure to repair.
        mttr: Span,
        /// When all is over.
        until: Option<Time>,
    },
}

impl Schedule {
    /// The first instant at which something may happen.
    #[must_use]
    pub const fn first(&self) -> Time {
        match *self {
            Self::Once { at, .. } | Self::Every { at, .. } => at,
            Self::Random { from, .. } => from,
        }
    }

    /// When the first strike is over, as far as that is not left to chance.
    #[must_use]
    pub fn first_end(&self) -> Option<Time> {
        match *self {
            Self::Once { at, lasts } => lasts.map(|lasts| at.saturating_add(lasts)),
            Self::Every { at, lasts, .. } => Some(at.saturating_add(lasts)),
            Self::Random { .. } => None,
        }
    }
}

impl fmt::Display for Schedule {
    /// `at 10.0 s for 5.00 s`, `every 20.0 s from 10.0 s for 2.00 s`, `mtbf 60.0 s, mttr 5.00 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = |time: Time| time.since(Time::ZERO);
        let until = match *self {
            Self::Once { at, lasts: None } => return write!(f, "at {}, to the end", since(at)),
            Self::Once { at, lasts: Some(lasts) } => return write!(f, "at {} for {lasts}", since(at)),
            Self::Every { at, every, lasts, until } => {
                write!(f, "every {every} from {} for {lasts}", since(at))?;
                until
            }
            Self::Random { from, mtbf, mttr, until } => {
                write!(f, "mtbf {mtbf}, mttr {mttr}")?;
                if from > Time::ZERO {
                    write!(f, ", from {}", since(from))?;
                }
                until
            }
        };
        until.map_or(Ok(()), |until| write!(f, ", until {}", since(until)))
    }
}

/// The instants of a schedule, each computed when the one before has come.
#[derive(Debug)]
pub struct Timetable {
    schedule: Schedule,
    /// The last strike or heal; none has been yet if there are none.
    last: Time,
    strikes: u64,
    lasting: bool,
    up: Rng,
    down: Rng,
}

impl Timetable {
    /// The timetable of the fault called `name`, whose chance is the streams `fault/<name>/up` and `fault/<name>/down`.
    #[must_use]
    pub fn new(schedule: Schedule, seed: u64, name: &str) -> Self {
        let stream = |purpose: &str| Rng::stream(seed, &format!("fault/{name}/{purpose}"));
        Self { schedule, last: schedule.first(), strikes: 0, lasting: false, up: stream("up"), down: stream("down") }
    }

    /// When it strikes next, or when the strike that lasts is over: the two take turns.
    pub fn advance(&mut self) -> Option<Time> {
        let at = if self.lasting { self.end() } else { self.strike() }?;
        self.strikes += u64::from(!self.lasting);
        self.lasting = !self.lasting;
        self.last = at;
        Some(at)
    }

    fn strike(&mut self) -> Option<Time> {
        let (at, until) = match self.schedule {
            Schedule::Once { at, .. } => return (self.strikes == 0).then_some(at),
            Schedule::Every { at, every, until, .. } => (at.saturating_add(every.saturating_mul(self.strikes)), until),
            Schedule::Random { mtbf, until, .. } => {
                (self.last.saturating_add(Span::from_secs_f64(self.up.exponential(mtbf.as_secs_f64()))), until)
            }
        };
        (until.is_none_or(|until| at < until) && at != Time::NEVER).then_some(at)
    }

    fn end(&mut self) -> Option<Time> {
        match self.schedule {
            Schedule::Once { at, lasts } => lasts.map(|lasts| at.saturating_add(lasts)),
            Schedule::Every { lasts, until, .. } => {
                Some(self.last.saturating_add(lasts).min(until.unwrap_or(Time::NEVER)))
            }
            Schedule::Random { mttr, until, .. } => {
                // A repair takes some time, be it a nanosecond: strike and heal are never the same instant.
                let lasts = Span::from_secs_f64(self.down.exponential(mttr.as_secs_f64())).max(Span::from_nanos(1));
                Some(self.last.saturating_add(lasts).min(until.unwrap_or(Time::NEVER)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Time {
        Time::ZERO + Span::from_millis(n)
    }

    fn first(schedule: Schedule, n: usize) -> Vec<Time> {
        let mut timetable = Timetable::new(schedule, 1, "test");
        std::iter::from_fn(|| timetable.advance()).take(n).collect()
    }

    #[test]
    fn a_fault_strikes_once_or_at_its_interval_until_all_is_over() {
        let once = |lasts| Schedule::Once { at: ms(10), lasts };
        assert_eq!(first(once(None), 9), [ms(10)]);
        assert_eq!(first(once(Some(Span::from_millis(5))), 9), [ms(10), ms(15)]);
        let every = |until| Schedule::Every {
            at: ms(10),
            every: Span::from_millis(20),
            lasts: Span::from_millis(5),
            until: Some(ms(until)),
        };
        assert_eq!(first(every(50), 9), [ms(10), ms(15), ms(30), ms(35)]);
        assert_eq!(first(every(52), 9), [ms(10), ms(15), ms(30), ms(35), ms(50), ms(52)]);
    }

    /// The mean of n exponential times is within five standard errors, 5/sqrt(n), of what was asked.
    #[test]
    fn chance_has_its_means_and_takes_turns() {
        let schedule =
            Schedule::Random { from: ms(500), mtbf: Span::from_secs(60), mttr: Span::from_secs(5), until: None };
        let instants = first(schedule, 20_001);
        assert!(instants.windows(2).all(|pair| pair[0] < pair[1]) && instants[0] > ms(500));
        let mean = |skip: usize| {
            let spans = instants.windows(2).skip(skip).step_by(2).map(|pair| (pair[1] - pair[0]).as_secs_f64());
            spans.sum::<f64>() / 10_000.0
        };
        assert!((mean(0) / 5.0 - 1.0).abs() < 0.05, "to repair {}", mean(0));
        assert!((mean(1) / 60.0 - 1.0).abs() < 0.05, "between failures {}", mean(1));
    }
}
