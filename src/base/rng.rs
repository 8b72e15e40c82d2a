//! Chance by name: every stream of random numbers is derived from (seed, owner and purpose) and nothing else.

use super::digest::mix;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// One named stream of random numbers (`ChaCha8`).
///
/// Streams are independent of each other and of how much any other stream has been used, so changing one thing in a
/// scenario changes only that thing's draws. All functions use integer arithmetic or `libm`: the same on every platform.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

/// The 64-bit `ChaCha` stream number of a name: FNV-1a over its bytes, then the splitmix64 finaliser.
#[must_use]
pub const fn stream_id(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    mix(hash)
}

impl Rng {
    /// The stream called `name` (owner, then purpose: `"link/paris-tokyo/loss"`) under `seed`.
    #[must_use]
    pub fn stream(seed: u64, name: &str) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream_id(name));
        Self(generator)
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// True with probability `p`.
    #[inline]
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in `0..n` without bias (Lemire 2019).
    ///
    /// # Panics
    /// If `n` is zero.
    #[expect(clippy::cast_possible_truncation, reason = "takes the two halves of a product apart")]
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "no number lies below zero");
        loop {
            let product = u128::from(self.bits()) * u128::from(n);
            if product as u64 >= n.wrapping_neg() % n {
                return (product >> 64) as u64;
            }
        }
    }

    /// Exponential with the given mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -libm::log(1.0 - self.unit()) * mean
    }

    /// Standard normal (Box and Muller 1958; the second value of the pair is not kept, so that one draw is one pair).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Number of failures before the first success of trials that succeed with probability `p`; `u64::MAX` when `p` is 0.
    /// Drawing the gap to the next lost packet costs one draw a loss instead of one a packet.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    pub fn gap(&mut self, p: f64) -> u64 {
        if p <= 0.0 {
            return u64::MAX;
        }
        if p >= 1.0 {
            return 0;
        }
        libm::floor(libm::log(1.0 - self.unit()) / libm::log1p(-p)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ids_are_pinned() {
        assert_eq!(stream_id(""), mix(0xcbf2_9ce4_8422_2325));
        // FNV-1a of "foobar" is 85944171f73967e8 (the vectors in the FNV reference).
        assert_eq!(stream_id("foobar"), mix(0x8594_4171_f739_67e8));
    }

    #[test]
    fn streams_are_pinned_and_apart() {
        let first = |seed, name| Rng::stream(seed, name).bits();
        assert_eq!(first(7, "link/a/loss"), first(7, "link/a/loss"));
        assert_ne!(first(7, "link/a/loss"), first(8, "link/a/loss"));
        assert_ne!(first(7, "link/a/loss"), first(7, "link/b/loss"));
    }

    /// Mean and variance of `n` draws.
    fn moments(n: u32, mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = draw();
            sum += x;
            squares += x * x;
        }
        let mean = sum / f64::from(n);
        (mean, squares / f64::from(n) - mean * mean)
    }

    #[test]
    fn samplers_have_their_moments() {
        let mut rng = Rng::stream(1, "test/moments");
        let close = |(mean, variance): (f64, f64), want_mean: f64, want_variance: f64| {
            assert!((mean - want_mean).abs() <= 0.01 * want_mean.max(1.0), "mean {mean}, want {want_mean}");
            assert!((variance / want_variance - 1.0).abs() < 0.03, "variance {variance}, want {want_variance}");
        };
        close(moments(200_000, || rng.unit()), 0.5, 1.0 / 12.0);
        close(moments(200_000, || rng.normal()), 0.0, 1.0);
        close(moments(200_000, || rng.exponential(2.0)), 2.0, 4.0);
        let mut as_f64 = |draw: fn(&mut Rng) -> u64| moments(200_000, || draw(&mut rng) as f64);
        close(as_f64(|rng| rng.below(6)), 2.5, 35.0 / 12.0);
        // Geometric: mean (1-p)/p, variance (1-p)/p^2.
        close(as_f64(|rng| rng.gap(0.25)), 3.0, 12.0);
    }

    #[test]
    fn gap_is_exact_at_the_ends() {
        let mut rng = Rng::stream(1, "test/gap");
        assert_eq!(rng.gap(0.0), u64::MAX);
        assert_eq!(rng.gap(1.0), 0);
    }
}
