//! How long to wait before trying again: a growth over the tries, and a jitter that keeps clients apart.
//!
//! Adding a growth: its file, its line in [`TABLE`] and a variant of [`Growth`].

mod exponential;
mod fixed;
mod linear;

use super::jitter::Jitter;
use crate::base::{Rng, Span};

/// Every growth and what it does.
pub const TABLE: &[(&str, &str)] = &[
    ("Fixed", "the same wait before every retry"),
    ("Linear", "one step more before every retry, up to a maximum"),
    ("Exponential", "twice as long before every retry (or another factor), up to a maximum"),
];

/// The wait before the n-th retry, before jitter.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Growth {
    /// Always the same.
    Fixed(Span),
    /// `first`, then `first` more each time.
    Linear {
        /// Before the first retry, and by how much each further wait is longer.
        first: Span,
        /// No wait is longer.
        max: Span,
    },
    /// `first`, then `factor` times as long each time.
    Exponential {
        /// Before the first retry.
        first: Span,
        /// No wait is longer.
        max: Span,
        /// From one to the next.
        factor: f64,
    },
}

impl Growth {
    /// The wait before retry `n`, from 0.
    #[must_use]
    pub fn wait(&self, n: u32) -> Span {
        match *self {
            Self::Fixed(wait) => fixed::wait(wait),
            Self::Linear { first, max } => linear::wait(first, max, n),
            Self::Exponential { first, max, factor } => exponential::wait(first, max, factor, n),
        }
    }

    /// The shortest and the longest wait.
    #[must_use]
    pub const fn limits(&self) -> (Span, Span) {
        match *self {
            Self::Fixed(wait) => (wait, wait),
            Self::Linear { first, max } | Self::Exponential { first, max, .. } => (first, max),
        }
    }
}

/// Growth and jitter.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Backoff {
    /// How waits grow.
    pub growth: Growth,
    /// What chance makes of them.
    pub jitter: Jitter,
}

impl Backoff {
    /// No waiting at all.
    pub const NONE: Self = Self { growth: Growth::Fixed(Span::ZERO), jitter: Jitter::None };
}

/// The waits of one request, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    backoff: Backoff,
    retry: u32,
    last: Span,
}

impl Waits {
    pub(super) const fn new(backoff: Backoff) -> Self {
        Self { backoff, retry: 0, last: backoff.growth.limits().0 }
    }

    /// The next wait.
    pub(super) fn next(&mut self, rng: &mut Rng) -> Span {
        let Backoff { growth, jitter } = self.backoff;
        self.last = jitter.apply(growth.wait(self.retry), self.last, growth.limits(), rng);
        self.retry += 1;
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: Backoff, count: usize) -> Vec<Span> {
        let (mut rng, mut waits) = (Rng::stream(1, "test/backoff"), Waits::new(backoff));
        (0..count).map(|_| waits.next(&mut rng)).collect()
    }

    const EXPONENTIAL: Growth =
        Growth::Exponential { first: Span::from_millis(100), max: Span::from_millis(1_000), factor: 2.0 };

    #[test]
    fn growths_are_what_their_names_say() {
        let of = |growth| -> Vec<u64> {
            waits(Backoff { growth, jitter: Jitter::None }, 6).into_iter().map(Span::as_millis).collect()
        };
        let ms = Span::from_millis;
        assert_eq!(of(Growth::Fixed(ms(70))), [70; 6]);
        assert_eq!(of(Growth::Linear { first: ms(100), max: ms(450) }), [100, 200, 300, 400, 450, 450]);
        assert_eq!(of(EXPONENTIAL), [100, 200, 400, 800, 1_000, 1_000]);
        let wait = Growth::Exponential { first: ms(1), max: Span::from_secs(60), factor: 2.0 }.wait(u32::MAX);
        assert_eq!(wait, Span::from_secs(60), "no power is too large");
    }

    /// Each jitter keeps to its interval and has the mean of the uniform distribution over it (Brooker 2015).
    #[test]
    fn jitters_keep_to_their_intervals() {
        let mean = |jitter, retry: usize| {
            let mut rng = Rng::stream(1, "test/jitter");
            let draws: Vec<f64> = (0..20_000)
                .map(|_| {
                    let mut waits = Waits::new(Backoff { growth: EXPONENTIAL, jitter });
                    (0..=retry).map(|_| waits.next(&mut rng)).last().unwrap().as_millis_f64()
                })
                .collect();
            let (low, high) = draws.iter().fold((f64::MAX, 0.0_f64), |(l, h), &d| (l.min(d), h.max(d)));
            (low, high, draws.iter().sum::<f64>() / draws.len() as f64)
        };
        let near = |got: f64, want: f64| (got / want - 1.0).abs() < 0.02;
        let (low, high, middle) = mean(Jitter::Full, 2);
        assert!(low < 1.0 && high <= 400.0 && near(middle, 200.0), "{low} {high} {middle}");
        let (low, high, middle) = mean(Jitter::Equal, 2);
        assert!(low >= 200.0 && high <= 400.0 && near(middle, 300.0), "{low} {high} {middle}");
        // Between `first` and three times the wait before: 100 to 300, so 200; then 100 to three times that, so 350 on average.
        let (low, high, middle) = mean(Jitter::Decorrelated, 0);
        assert!(low >= 100.0 && high <= 300.0 && near(middle, 200.0), "{low} {high} {middle}");
        let (low, high, middle) = mean(Jitter::Decorrelated, 1);
        assert!(low >= 100.0 && high <= 900.0 && near(middle, 350.0), "{low} {high} {middle}");
        assert!(
            waits(Backoff { growth: EXPONENTIAL, jitter: Jitter::Decorrelated }, 99)
                .iter()
                .all(|w| w.as_millis() <= 1_000)
        );
    }
}
