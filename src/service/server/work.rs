//! How long work takes on this machine now: its cores' speed, and a start during which everything is slower.

use crate::base::{Span, Time};

/// A server that starts cold: caches are empty, code is not compiled, pools are not filled.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WarmUp {
    /// How long it takes to reach full speed, evenly.
    pub over: Span,
    /// Speed at the start, as a share of full speed.
    pub from: f64,
}

/// The speed of a server over time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Pace {
    pub(super) speed: f64,
    pub(super) warm_up: Option<WarmUp>,
    pub(super) started: Time,
}

impl Pace {
    /// How long work that takes a warm core of speed 1 `work` takes if it begins at `now`. It keeps its speed to its end.
    pub(super) fn stretch(&self, work: Span, now: Time) -> Span {
        let warm = self.warm_up.map_or(1.0, |WarmUp { over, from }| {
            let passed = now.since(self.started).as_secs_f64() / over.as_secs_f64();
            from + (1.0 - from) * passed.min(1.0)
        });
        let speed = self.speed * warm;
        // What is not changed must not be rounded.
        if (speed - 1.0).abs() < f64::EPSILON { work } else { Span::from_secs_f64(work.as_secs_f64() / speed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_less_on_a_faster_core_and_more_on_a_cold_one() {
        let ms = Span::from_millis;
        let start = Time::ZERO + ms(500);
        let warm_up = Some(WarmUp { over: ms(1_000), from: 0.25 });
        let pace = Pace { speed: 2.0, warm_up, started: start };
        let at = |after| pace.stretch(ms(10), start + ms(after));
        assert_eq!([at(0), at(1_000), at(9_000)], [ms(20), ms(5), ms(5)]);
        // Half way from a quarter to all: five eighths of full speed.
        assert_eq!(at(500), ms(8));
        let odd = Span::from_nanos(1_234_567);
        assert_eq!(Pace { speed: 1.0, warm_up: None, started: start }.stretch(odd, start), odd);
    }
}
