//! What a server turns away though its queue has room: because requests have waited too long, or because answers have become slow.
//!
//! Adding a limit on concurrency: its file, a variant of [`Limit`] and of `Limiter`, and its line in the [table](super::TABLE).

mod aimd;
mod codel;
mod gradient;

pub use aimd::Aimd;
pub use codel::Patience;
pub use gradient::Gradient;

pub(super) use codel::Line;

use crate::base::Span;

/// How many requests may be in the server at a time, found out by how long they take.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Limit {
    /// By additive increase and multiplicative decrease.
    Aimd(Aimd),
    /// By the gradient of the latency.
    Gradient(Gradient),
}

/// The bounds of a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// Where it starts.
    pub start: u32,
    /// Never less.
    pub min: u32,
    /// Never more.
    pub max: u32,
}

impl Default for Range {
    /// As Netflix's `concurrency-limits`.
    fn default() -> Self {
        Self { start: 20, min: 20, max: 200 }
    }
}

impl Range {
    fn clamp(self, limit: f64) -> f64 {
        limit.clamp(f64::from(self.min), f64::from(self.max))
    }
}

/// A limit at work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limiter {
    config: Limit,
    limit: f64,
    /// What is usual, in seconds: for the gradient.
    usual: f64,
    seen: u32,
}

impl Limiter {
    pub(super) fn new(config: Limit) -> Self {
        let range = match config {
            Limit::Aimd(aimd) => aimd.range,
            Limit::Gradient(gradient) => gradient.range,
        };
        Self { config, limit: range.clamp(f64::from(range.start)), usual: 0.0, seen: 0 }
    }

    /// Requests that may be in the server at a time.
    pub(super) fn limit(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range")]
        let whole = self.limit as u32;
        whole
    }

    /// A request has been answered after `latency`, with `in_flight` in the server, itself included.
    pub(super) fn answered(&mut self, latency: Span, in_flight: u32) {
        match self.config {
            Limit::Aimd(aimd) => self.limit = aimd.next(self.limit, latency, in_flight),
            Limit::Gradient(gradient) => {
                (self.usual, self.seen) = Gradient::usual(self.usual, self.seen, latency);
                let (limit, usual) = gradient.next(self.limit, self.usual, latency, in_flight);
                (self.limit, self.usual) = (limit, usual);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server with `workers` that takes 10 ms, always asked as much as the limit allows: the latency follows from the limit.
    fn settle(config: Limit, workers: f64, rounds: u32) -> f64 {
        let mut limiter = Limiter::new(config);
        for _ in 0..rounds {
            let in_flight = f64::from(limiter.limit());
            let latency = Span::from_secs_f64(0.010 * (in_flight / workers).max(1.0));
            limiter.answered(latency, limiter.limit());
        }
        limiter.limit
    }

    #[test]
    fn aimd_settles_where_answers_become_slower_than_wanted() {
        // 50 ms are five times the work: fifty in the server with ten workers.
        let range = Range { start: 20, min: 1, max: 1_000 };
        let limit = settle(Limit::Aimd(Aimd { range, latency: Span::from_millis(50), decrease: 0.9 }), 10.0, 10_000);
        assert!((44.0..=52.0).contains(&limit), "{limit}");
    }

    /// The gradient knows what is usual from quiet times: a rush of 50 requests after 600 in peace finds it near the workers that there
    /// are. (A server that was never idle would take its own queue for usual.)
    #[test]
    fn the_gradient_holds_a_rush_near_the_workers_that_there_are() {
        let range = Range { start: 20, min: 1, max: 1_000 };
        for workers in [10, 100] {
            let mut limiter = Limiter::new(Limit::Gradient(Gradient { range, ..Gradient::default() }));
            for _ in 0..20 {
                for _ in 0..600 {
                    limiter.answered(Span::from_millis(10), limiter.limit().min(workers));
                }
                for _ in 0..50 {
                    let latency = Span::from_secs_f64(0.010 * (limiter.limit / f64::from(workers)).max(1.0));
                    limiter.answered(latency, limiter.limit());
                }
            }
            assert!((workers..=workers * 5 / 2).contains(&limiter.limit()), "{} for {workers}", limiter.limit);
        }
    }

    #[test]
    fn limits_keep_to_their_range_and_do_not_grow_unused() {
        for config in [Limit::Aimd(Aimd::new(Span::from_millis(50))), Limit::Gradient(Gradient::default())] {
            let mut limiter = Limiter::new(config);
            for _ in 0..1_000 {
                limiter.answered(Span::from_millis(10), 1);
            }
            assert_eq!(limiter.limit(), 20, "nobody needed more");
            for _ in 0..1_000 {
                limiter.answered(Span::from_millis(10), 500);
            }
            assert_eq!(limiter.limit(), 200);
            for _ in 0..1_000 {
                limiter.answered(Span::from_secs(10), 500);
            }
            assert!(limiter.limit() >= 20);
        }
    }
}
