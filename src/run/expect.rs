//! Expectations: what must hold of a run, judged on exact samples.

use super::outcome::{Expectation, Share};
use crate::base::{BitRate, Ratio, Span, Time};
use crate::observe::samples::BEYOND;
use crate::observe::{Percentile, Sorted, Traffic};

/// Which latency of a traffic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statistic {
    /// The shortest.
    Min,
    /// The mean.
    Mean,
    /// A percentile; unknown, and so not as expected, where fewer than ten samples lie beyond it.
    Percentile(Percentile),
    /// The longest.
    Max,
}

/// Limits on a quantity, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds<T> {
    /// It must not be less.
    pub at_least: Option<T>,
    /// It must not be more.
    pub at_most: Option<T>,
}

/// What is expected of a traffic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Claim {
    /// A latency.
    Latency(Statistic, Bounds<Span>),
    /// The share that ends well; of messages, that arrives.
    Success(Bounds<Ratio>),
    /// Useful bits per second, over the whole or between two instants (rounded down to tenths of a second).
    Goodput(Option<(Time, Time)>, Bounds<BitRate>),
}

/// Judges a claim about a traffic.
#[must_use]
pub fn judge(traffic: &Traffic, claim: &Claim) -> Expectation {
    let name = &traffic.plan.name;
    match *claim {
        Claim::Latency(statistic, bounds) => {
            let sorted = traffic.samples.sorted();
            let measured = latency(&sorted, statistic);
            Expectation {
                text: format!("{name} {} {}", statistic_name(statistic), bounds_text(bounds)),
                ok: measured.is_some_and(|span| within(span, bounds)),
                measured: measured.map_or_else(|| unknown(&sorted), |span| span.to_string()),
            }
        }
        Claim::Success(bounds) => {
            let ended = traffic.ok_of();
            let measured = ended.and_then(|(ok, whole)| Share::of(ok, whole));
            Expectation {
                text: format!("{name} success {}", bounds_text(bounds)),
                ok: ended.is_some_and(|(ok, whole)| share_within(ok, whole, bounds)),
                measured: measured.map_or_else(|| "nothing ended".into(), |share| share.to_string()),
            }
        }
        Claim::Goodput(window, bounds) => {
            let bps =
                window.map_or_else(|| traffic.goodput_bps(), |(from, until)| traffic.goodput_between(from, until));
            let when = window.map_or_else(String::new, |(from, until)| {
                format!(" from {} to {}", from - Time::ZERO, until - Time::ZERO)
            });
            let bounds_bps =
                Bounds { at_least: bounds.at_least.map(BitRate::as_bps), at_most: bounds.at_most.map(BitRate::as_bps) };
            Expectation {
                text: format!("{name} goodput{when} {}", bounds_text(bounds)),
                ok: within(bps, bounds_bps),
                measured: BitRate::from_bps(bps).map_or_else(|| "0 bps".into(), |rate| rate.to_string()),
            }
        }
    }
}

fn latency(sorted: &Sorted, statistic: Statistic) -> Option<Span> {
    match statistic {
        Statistic::Min => sorted.min(),
        Statistic::Mean => sorted.mean(),
        Statistic::Percentile(percentile) => sorted.percentile(percentile),
        Statistic::Max => sorted.max(),
    }
}

fn statistic_name(statistic: Statistic) -> String {
    match statistic {
        Statistic::Min => "min".into(),
        Statistic::Mean => "mean".into(),
        Statistic::Percentile(percentile) => percentile.to_string(),
        Statistic::Max => "max".into(),
    }
}

/// Why a latency is not known.
fn unknown(sorted: &Sorted) -> String {
    match sorted.count() {
        0 => "nothing ended well".into(),
        n => format!("too few: {n} samples, of which {BEYOND} must lie beyond"),
    }
}

fn within<T: PartialOrd>(value: T, bounds: Bounds<T>) -> bool {
    bounds.at_least.is_none_or(|least| value >= least) && bounds.at_most.is_none_or(|most| value <= most)
}

/// Whether `ok` of `whole` is within bounds that are exact to a ten-thousandth of a percent.
fn share_within(ok: u64, whole: u64, bounds: Bounds<Ratio>) -> bool {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a ratio lies between 0 and 1")]
    let ppm = |ratio: Ratio| libm::round(ratio.get() * 1e6) as u128 * u128::from(whole);
    let have = u128::from(ok) * 1_000_000;
    within(have, Bounds { at_least: bounds.at_least.map(ppm), at_most: bounds.at_most.map(ppm) })
}

fn bounds_text<T: std::fmt::Display>(bounds: Bounds<T>) -> String {
    match (bounds.at_least, bounds.at_most) {
        (Some(least), Some(most)) => format!("between {least} and {most}"),
        (Some(least), None) => format!(">= {least}"),
        (None, Some(most)) => format!("<= {most}"),
        (None, None) => "whatever it is".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Kind, Metrics, Plan};
    use crate::trace::{Progress, Record};

    /// Transfers of one to `count` milliseconds, one after the other, each of 1,000 bytes.
    fn transfers(count: u32) -> Traffic {
        let mut metrics = Metrics::new([Plan { name: "bulk".into(), kind: Kind::Bulk, light_floor: None }]);
        for flow in 0..count {
            let began = Time::ZERO + Span::from_millis(100) * u64::from(flow);
            let time = began + Span::from_millis(u64::from(flow) + 1);
            let progress = Progress { traffic: 0, flow, time, bytes: 1_000, began, finished: flow % 20 != 19 };
            metrics.record(&Record::Progress(progress));
        }
        metrics.finish().remove(0)
    }

    fn at_most<T>(most: T) -> Bounds<T> {
        Bounds { at_least: None, at_most: Some(most) }
    }

    fn at_least<T>(least: T) -> Bounds<T> {
        Bounds { at_least: Some(least), at_most: None }
    }

    #[test]
    fn bounds_belong_to_what_is_allowed() {
        let traffic = transfers(19);
        let max = |millis| judge(&traffic, &Claim::Latency(Statistic::Max, at_most(Span::from_millis(millis))));
        assert!(max(19).ok && !max(18).ok);
        assert_eq!(max(18).text, "bulk max <= 18.0 ms");
        assert_eq!(max(18).measured, "19.0 ms");
        let share = |ratio| judge(&transfers(20), &Claim::Success(at_least(Ratio::new(ratio).unwrap())));
        assert!(share(0.95).ok && !share(0.950_001).ok);
        assert_eq!(share(0.95).text, "bulk success >= 95%");
    }

    #[test]
    fn what_cannot_be_known_is_not_as_expected() {
        let p50 = Claim::Latency(Statistic::Percentile(Percentile::P50), at_most(Span::MAX));
        let judged = judge(&transfers(19), &p50);
        assert!(!judged.ok);
        assert_eq!(judged.measured, "too few: 19 samples, of which 10 must lie beyond");
        assert!(judge(&transfers(22), &p50).ok);
        assert_eq!(judge(&transfers(0), &p50).measured, "nothing ended well");
    }

    #[test]
    fn goodput_is_judged_over_the_whole_or_a_window() {
        // 1,000 bytes every 100 ms: 80 kb/s.
        let traffic = transfers(40);
        let claim = |window| Claim::Goodput(window, at_least(BitRate::from_bps(80_000).unwrap()));
        let second = |n| Time::ZERO + Span::from_secs(n);
        assert!(judge(&traffic, &claim(Some((second(1), second(3))))).ok);
        assert!(!judge(&traffic, &claim(Some((second(1), second(5))))).ok);
        assert_eq!(
            judge(&traffic, &claim(Some((second(1), second(3))))).text,
            "bulk goodput from 1.00 s to 3.00 s >= 80.0 kbps"
        );
    }
}
