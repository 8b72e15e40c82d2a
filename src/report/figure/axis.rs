//! Scales: from values to places along an axis, with ticks where a person would put them.

use crate::base::{BitRate, Bytes, Span};

/// What an axis measures, and so how its ticks read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    /// Nanoseconds, shown in the unit that fits each tick.
    Latency,
    /// Nanoseconds since the start of the run, shown in seconds.
    Elapsed,
    /// A share between 0 and 1, shown in percent.
    Share,
    /// Bits per second.
    Rate,
    /// Bytes.
    Bytes,
}

/// A linear or logarithmic scale.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Scale {
    unit: Unit,
    low: f64,
    high: f64,
    log: bool,
}

/// Values that span more than this factor are put on a logarithmic scale.
const WIDE: f64 = 20.0;

impl Scale {
    /// A scale from `low` to `high`, widened to round ends.
    #[must_use]
    pub(super) fn linear(unit: Unit, low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = round_step((high - low) / 6.0);
        Self { unit, low: libm::floor(low / step) * step, high: libm::ceil(high / step - 1e-9) * step, log: false }
    }

    /// A scale that ends exactly at `low` and `high`.
    #[must_use]
    pub(super) fn exact(unit: Unit, low: f64, high: f64) -> Self {
        Self { unit, low, high: if high > low { high } else { low + 1.0 }, log: false }
    }

    /// A logarithmic scale from `low` to `high`, both above zero, widened to the next 1, 2 or 5 times a power of ten.
    #[must_use]
    pub(super) fn log(unit: Unit, low: f64, high: f64) -> Self {
        let (mut from, mut to) = (round_step(low), round_step(high));
        if from > low {
            from = below(from);
        }
        if to < high {
            to = above(to);
        }
        if to <= from {
            to = above(from);
        }
        Self { unit, low: from, high: to, log: true }
    }

    /// A logarithmic scale for values that are all positive and far apart, a linear one from zero otherwise.
    #[must_use]
    pub(super) fn fitting(unit: Unit, values: impl Iterator<Item = f64> + Clone) -> Self {
        let high = values.clone().fold(0.0, f64::max);
        let low = values.fold(f64::INFINITY, f64::min);
        if low > 0.0 && low.is_finite() && high / low > WIDE {
            Self::log(unit, low, high)
        } else {
            Self::linear(unit, 0.0, high)
        }
    }

    /// Where `value` lies between the ends, 0 to 1; outside values lie at the ends.
    #[must_use]
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.log {
            if value <= self.low {
                return 0.0;
            }
            libm::log(value / self.low) / libm::log(self.high / self.low)
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }

    /// Places that get a line and a label.
    #[must_use]
    pub(super) fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        if self.log {
            // Beyond three decades only the powers of ten.
            let decades_only = self.high / self.low > 2_000.0;
            let mut tick = self.low;
            while tick <= self.high * (1.0 + 1e-9) {
                if !decades_only || is_power(tick) {
                    ticks.push(tick);
                }
                tick = above(tick);
            }
            return ticks;
        }
        let step = round_step((self.high - self.low) / 6.0);
        let mut n = libm::ceil(self.low / step - 1e-9);
        while n * step <= self.high + step * 1e-6 {
            // Zero without a sign.
            ticks.push(n * step + 0.0);
            n += 1.0;
        }
        ticks
    }

    /// What stands beside a tick.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates; ticks are not negative"
    )]
    pub(super) fn label(&self, tick: f64) -> String {
        match self.unit {
            Unit::Latency if tick <= 0.0 => "0".into(),
            Unit::Latency => trimmed(&Span::from_nanos(libm::round(tick) as u64).to_string()),
            Unit::Elapsed => format!("{} s", decimal(tick / 1e9)),
            Unit::Share => format!("{}%", decimal(tick * 100.0)),
            Unit::Bytes => trimmed(&Bytes(libm::round(tick) as u64).to_string()),
            Unit::Rate => BitRate::from_bps(libm::round(tick) as u64)
                .map_or_else(|| "0".into(), |rate| trimmed(&rate.to_string())),
        }
    }
}

/// `55.0 ms` as `55 ms`, `1.00 s` as `1 s`.
fn trimmed(text: &str) -> String {
    let Some((number, unit)) = text.split_once(' ') else { return text.to_owned() };
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number} {unit}")
}

/// A number without useless zeros, at most six places.
fn decimal(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The power of ten at or below `value`.
fn power_below(value: f64) -> f64 {
    libm::pow(10.0, libm::floor(libm::log10(value) + 1e-9))
}

/// The nearest of 1, 2, 5 times a power of ten at or above `value`, or just below it.
fn round_step(value: f64) -> f64 {
    let power = power_below(value);
    let digit = value / power;
    power
        * if digit < 1.5 {
            1.0
        } else if digit < 3.5 {
            2.0
        } else if digit < 7.5 {
            5.0
        } else {
            10.0
        }
}

fn is_power(tick: f64) -> bool {
    let digit = tick / power_below(tick);
    digit < 1.5
}

/// The next of 1, 2, 5 times a power of ten after `tick`, which is one.
fn above(tick: f64) -> f64 {
    let power = power_below(tick);
    let digit = tick / power;
    power
        * if digit < 1.5 {
            2.0
        } else if digit < 3.5 {
            5.0
        } else {
            10.0
        }
}

/// The one before `tick`.
fn below(tick: f64) -> f64 {
    let power = power_below(tick);
    let digit = tick / power;
    if digit < 1.5 {
        power / 2.0
    } else if digit < 3.5 {
        power
    } else {
        power * 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|tick| scale.label(tick)).collect()
    }

    #[test]
    fn ticks_stand_where_a_person_would_put_them() {
        let latency = |low: f64, high: f64| labels(&Scale::log(Unit::Latency, low * 1e6, high * 1e6));
        assert_eq!(latency(28.0, 900.0), ["20 ms", "50 ms", "100 ms", "200 ms", "500 ms", "1 s"]);
        assert_eq!(latency(0.9, 9_000.0), ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        assert_eq!(labels(&Scale::linear(Unit::Share, 0.0, 0.05)), ["0%", "1%", "2%", "3%", "4%", "5%"]);
        assert_eq!(labels(&Scale::linear(Unit::Rate, 0.0, 93e6))[..3], ["0", "20 Mbps", "40 Mbps"]);
        assert_eq!(
            labels(&Scale::exact(Unit::Elapsed, 0.0, 30e9)),
            ["0 s", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s"]
        );
    }

    #[test]
    fn every_value_has_a_place_between_its_scales_ends() {
        for (low, high) in [(1.0, 1.0), (3.0, 4.0), (28e6, 29e6), (1.0, 1e9), (0.7e6, 68e6)] {
            for scale in [Scale::log(Unit::Latency, low, high), Scale::linear(Unit::Latency, low, high)] {
                let (first, last) = (scale.place(low), scale.place(high));
                assert!(
                    0.0 <= first && first <= last && last <= 1.0 && scale.low <= low && scale.high >= high,
                    "{scale:?}"
                );
                assert!((2..=12).contains(&scale.ticks().len()), "{scale:?} {:?}", scale.ticks());
            }
        }
    }
}
