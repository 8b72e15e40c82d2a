//! Sizes, rates and shares as types, and the integer division that turns bytes at a rate into time.

use super::time::Span;
use std::fmt;
use std::num::NonZeroU64;

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    /// Decimal units as the field's tools print them: `512 B`, `14.6 kB`, `1.00 MB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&scaled(self.0, ["B", "kB", "MB", "GB", "TB"]))
    }
}

/// Bits per second; never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BitRate(u64);

impl BitRate {
    /// The fastest rate that can be stated: 100 Tbit/s.
    pub const MAX: Self = Self(100_000_000_000_000);

    /// A rate of `bps` bits per second, or `None` outside `1..=BitRate::MAX`.
    #[must_use]
    pub const fn from_bps(bps: u64) -> Option<Self> {
        if bps == 0 || bps > Self::MAX.0 { None } else { Some(Self(bps)) }
    }

    /// Bits per second.
    #[must_use]
    pub const fn as_bps(self) -> u64 {
        self.0
    }

    /// Time to send `bytes` at this rate, rounded up to a nanosecond.
    #[must_use]
    pub fn time_for(self, bytes: u64) -> Span {
        let bits = u128::from(bytes) * 8 * 1_000_000_000;
        Span::from_nanos(u64::try_from(bits.div_ceil(u128::from(self.0))).unwrap_or(u64::MAX))
    }

    /// Whole bytes that this rate carries in `span`.
    #[must_use]
    pub fn bytes_in(self, span: Span) -> u64 {
        let bits = u128::from(self.0) * u128::from(span.as_nanos()) / 1_000_000_000;
        u64::try_from(bits / 8).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&scaled(self.0, ["bps", "kbps", "Mbps", "Gbps", "Tbps"]))
    }
}

/// Serialisation at a fixed rate without drift: each division keeps its remainder for the next packet.
#[derive(Clone, Copy, Debug)]
pub struct Serialiser {
    bps: NonZeroU64,
    remainder: u64,
    /// The size divided last, in bytes, and what it came to: packets of one size follow each other.
    bytes: u32,
    whole: u64,
    rest: u64,
}

impl Serialiser {
    /// A serialiser at `rate` that has sent nothing.
    #[must_use]
    pub const fn new(rate: BitRate) -> Self {
        let bps = NonZeroU64::new(rate.0).expect("a rate is never zero");
        Self { bps, remainder: 0, bytes: 0, whole: 0, rest: 0 }
    }

    /// The rate.
    #[must_use]
    pub const fn rate(&self) -> BitRate {
        BitRate(self.bps.get())
    }

    /// Nanoseconds that the next packet of `bytes` (at most 1 MiB) occupies the line. Over any run of back-to-back
    /// packets the sum differs from the exact quotient by less than one nanosecond.
    #[inline]
    pub fn occupy(&mut self, bytes: u32) -> Span {
        debug_assert!(bytes <= 1 << 20);
        if bytes != self.bytes {
            self.divide(bytes);
        }
        // Two remainders come to less than two nanoseconds.
        self.remainder += self.rest;
        if self.remainder < self.bps.get() {
            return Span::from_nanos(self.whole);
        }
        self.remainder -= self.bps.get();
        Span::from_nanos(self.whole + 1)
    }

    #[inline(never)]
    fn divide(&mut self, bytes: u32) {
        // 2^20 bytes * 8 * 10^9 stays below 2^63.
        let work = u64::from(bytes) * 8_000_000_000;
        self.bytes = bytes;
        self.whole = work / self.bps;
        self.rest = work - self.whole * self.bps.get();
    }

    /// Forget the remainder: the line has been idle.
    #[inline]
    pub const fn rest(&mut self) {
        self.remainder = 0;
    }
}

/// A share between 0 and 1, both included: a probability, a loss rate.
#[derive(Clone, Copy, PartialEq, PartialOrd, Default, Debug)]
pub struct Ratio(f64);

impl Ratio {
    /// Never.
    pub const ZERO: Self = Self(0.0);
    /// Always.
    pub const ONE: Self = Self(1.0);

    /// The share `value`, or `None` outside 0..=1.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The share as a number between 0 and 1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether the share is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 <= 0.0
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.4}", self.0 * 100.0);
        f.pad(&format!("{}%", text.trim_end_matches('0').trim_end_matches('.')))
    }
}

/// `value` with three significant digits and the decimal unit that fits.
fn scaled(value: u64, units: [&str; 5]) -> String {
    if value < 1000 {
        return format!("{value} {}", units[0]);
    }
    let mut shown = value as f64;
    let mut unit = 0;
    while shown >= 999.5 && unit + 1 < units.len() {
        shown /= 1000.0;
        unit += 1;
    }
    let digits = if shown < 9.995 { 2 } else { usize::from(shown < 99.95) };
    format!("{shown:.digits$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialisation_never_drifts() {
        // 1,500 bytes at 7 Mb/s take 1,714,285.714... ns: seven packets take exactly 12 ms.
        let mut line = Serialiser::new(BitRate::from_bps(7_000_000).unwrap());
        let total: Span = (0..7_000).map(|_| line.occupy(1500)).sum();
        assert_eq!(total, Span::from_secs(12));
    }

    #[test]
    fn units_read_as_people_write_them() {
        assert_eq!(Bytes(999).to_string(), "999 B");
        assert_eq!(Bytes(14_600).to_string(), "14.6 kB");
        assert_eq!(Bytes(999_999).to_string(), "1.00 MB");
        assert_eq!(BitRate::from_bps(100_000_000).unwrap().to_string(), "100 Mbps");
        assert_eq!(Ratio::new(0.015).unwrap().to_string(), "1.5%");
        assert_eq!(Ratio::new(0.0).unwrap().to_string(), "0%");
    }

    #[test]
    fn impossible_values_do_not_exist() {
        assert_eq!(Ratio::new(1.2), None);
        assert_eq!(Ratio::new(f64::NAN), None);
        assert_eq!(BitRate::from_bps(0), None);
    }
}
