//! Distributions of durations and of ranks, sampled with `libm` so that every platform draws the same.

use super::rng::Rng;
use super::time::Span;
use std::fmt;

/// A distribution of durations.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Dist {
    /// Always the same.
    Constant(Span),
    /// Uniform between two durations.
    Uniform {
        /// Shortest.
        low: Span,
        /// Longest.
        high: Span,
    },
    /// Exponential.
    Exponential {
        /// Mean.
        mean: Span,
    },
    /// Normal, cut off at zero.
    Normal {
        /// Mean before the cut.
        mean: Span,
        /// Standard deviation before the cut.
        sd: Span,
    },
    /// Log-normal by its median and the standard deviation of the logarithm.
    LogNormal {
        /// Median.
        median: Span,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// Pareto (type I).
    Pareto {
        /// Smallest value.
        min: Span,
        /// Tail index; the mean is infinite at 1 and below.
        alpha: f64,
    },
}

/// The 99th percentile of the standard normal distribution.
const NORMAL_P99: f64 = 2.326_347_874_040_841;

impl Dist {
    /// The log-normal with this median and 99th percentile, or `None` unless `p99 > median > 0`.
    #[must_use]
    pub fn log_normal(median: Span, p99: Span) -> Option<Self> {
        if median.is_zero() || p99 <= median {
            return None;
        }
        let sigma = libm::log(p99.as_secs_f64() / median.as_secs_f64()) / NORMAL_P99;
        Some(Self::LogNormal { median, sigma })
    }

    /// One draw.
    pub fn sample(&self, rng: &mut Rng) -> Span {
        match *self {
            Self::Constant(span) => span,
            Self::Uniform { low, high } => low + Span::from_nanos(rng.below(high.as_nanos() - low.as_nanos() + 1)),
            Self::Exponential { mean } => Span::from_secs_f64(rng.exponential(mean.as_secs_f64())),
            Self::Normal { mean, sd } => Span::from_secs_f64(mean.as_secs_f64() + sd.as_secs_f64() * rng.normal()),
            Self::LogNormal { median, sigma } => {
                Span::from_secs_f64(median.as_secs_f64() * libm::exp(sigma * rng.normal()))
            }
            Self::Pareto { min, alpha } => {
                Span::from_secs_f64(min.as_secs_f64() / libm::pow(1.0 - rng.unit(), 1.0 / alpha))
            }
        }
    }

    /// The mean in closed form; `None` where it is infinite. The cut of [`Dist::Normal`] at zero is not counted.
    #[must_use]
    pub fn mean(&self) -> Option<Span> {
        Some(match *self {
            Self::Constant(span) => span,
            Self::Uniform { low, high } => (low + high) / 2,
            Self::Exponential { mean } | Self::Normal { mean, .. } => mean,
            Self::LogNormal { median, sigma } => {
                Span::from_secs_f64(median.as_secs_f64() * libm::exp(sigma * sigma / 2.0))
            }
            Self::Pareto { min, alpha } if alpha > 1.0 => {
                Span::from_secs_f64(min.as_secs_f64() * alpha / (alpha - 1.0))
            }
            Self::Pareto { .. } => return None,
        })
    }
}

impl fmt::Display for Dist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(span) => write!(f, "{span}"),
            Self::Uniform { low, high } => write!(f, "uniform {low} to {high}"),
            Self::Exponential { mean } => write!(f, "exponential, mean {mean}"),
            Self::Normal { mean, sd } => write!(f, "normal, mean {mean}, sd {sd}"),
            Self::LogNormal { median, sigma } => write!(f, "log-normal, median {median}, sigma {sigma:.3}"),
            Self::Pareto { min, alpha } => write!(f, "Pareto, min {min}, alpha {alpha}"),
        }
    }
}

/// Zipf's law over ranks `0..n`: rank `k` is drawn with weight `(k + 1)^-exponent`.
#[derive(Clone, Debug)]
pub struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    /// The law over `n` ranks.
    ///
    /// # Panics
    /// If `n` is zero.
    #[must_use]
    pub fn new(n: u32, exponent: f64) -> Self {
        assert!(n > 0, "a law over no ranks has nothing to draw");
        let mut total = 0.0;
        let mut cumulative: Vec<f64> = (1..=n)
            .map(|rank| {
                total += libm::pow(f64::from(rank), -exponent);
                total
            })
            .collect();
        cumulative.iter_mut().for_each(|sum| *sum /= total);
        Self { cumulative }
    }

    /// One rank, 0 the most likely.
    pub fn sample(&self, rng: &mut Rng) -> usize {
        let u = rng.unit();
        self.cumulative.partition_point(|&sum| sum <= u).min(self.cumulative.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_means_agree_with_the_closed_forms() {
        let mut rng = Rng::stream(3, "test/dist");
        let ms = Span::from_millis;
        let all = [
            Dist::Constant(ms(5)),
            Dist::Uniform { low: ms(2), high: ms(8) },
            Dist::Exponential { mean: ms(5) },
            Dist::Normal { mean: ms(50), sd: ms(5) },
            Dist::LogNormal { median: ms(5), sigma: 0.5 },
            Dist::Pareto { min: ms(5), alpha: 3.0 },
        ];
        for dist in all {
            let n = 100_000;
            let mean = (0..n).map(|_| dist.sample(&mut rng)).sum::<Span>() / n;
            let want = dist.mean().unwrap();
            assert!((mean.as_secs_f64() / want.as_secs_f64() - 1.0).abs() < 0.02, "{dist}: {mean}, want {want}");
        }
    }

    #[test]
    fn log_normal_meets_its_percentiles() {
        let dist = Dist::log_normal(Span::from_millis(5), Span::from_millis(40)).unwrap();
        let mut rng = Rng::stream(3, "test/log-normal");
        let mut draws: Vec<Span> = (0..100_000).map(|_| dist.sample(&mut rng)).collect();
        draws.sort_unstable();
        assert!((draws[50_000].as_millis_f64() - 5.0).abs() < 0.1);
        assert!((draws[99_000].as_millis_f64() - 40.0).abs() < 2.0);
        assert_eq!(Dist::log_normal(Span::from_millis(5), Span::from_millis(5)), None);
    }

    #[test]
    fn zipf_follows_its_weights() {
        let law = Zipf::new(1000, 1.0);
        let mut rng = Rng::stream(3, "test/zipf");
        let first = (0..100_000).filter(|_| law.sample(&mut rng) == 0).count();
        // 1 / H(1000) = 0.1336.
        assert!((13_000..13_700).contains(&first), "{first}");
    }

    /// Pinned so that a change of sampler or of `libm` is noticed; the moments above say that the values are right.
    #[test]
    fn golden_draws() {
        let mut rng = Rng::stream(42, "test/golden");
        let ms = Span::from_millis;
        let draws = [
            Dist::Uniform { low: ms(2), high: ms(8) },
            Dist::Exponential { mean: ms(5) },
            Dist::Normal { mean: ms(50), sd: ms(5) },
            Dist::LogNormal { median: ms(5), sigma: 0.5 },
            Dist::Pareto { min: ms(5), alpha: 3.0 },
        ]
        .map(|dist| dist.sample(&mut rng).as_nanos());
        assert_eq!(draws, [7_405_046, 3_145_623, 55_101_646, 4_990_557, 9_558_614]);
    }
}
