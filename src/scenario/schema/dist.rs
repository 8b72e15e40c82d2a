//! Distributions of durations: `"5ms"`, `Exponential("5ms")`, `LogNormal(median: "5ms", p99: "40ms")`...

use super::Problems;
use super::form::{Fields, Form};
use super::value;
use crate::base::{Dist, Span};
use crate::scenario::ast::{Kind, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};

static UNIFORM: Form = Form { name: "Uniform", fields: &["low", "high"] };
static EXPONENTIAL: Form = Form { name: "Exponential", fields: &["mean"] };
static NORMAL: Form = Form { name: "Normal", fields: &["mean", "sd"] };
static LOG_NORMAL: Form = Form { name: "LogNormal", fields: &["median", "p99", "sigma"] };
static PARETO: Form = Form { name: "Pareto", fields: &["min", "alpha"] };

pub(super) const FORMS: &[&Form] = &[&UNIFORM, &EXPONENTIAL, &NORMAL, &LOG_NORMAL, &PARETO];

const NAMES: &[&str] = &["Constant", "Uniform", "Exponential", "Normal", "LogNormal", "Pareto"];

/// The one value in the bracket of `Name(value)`.
pub(super) fn only(value: &Value) -> Option<&Value> {
    match &value.kind {
        Kind::Tuple { items, .. } => match &items[..] {
            [item] => Some(item),
            _ => None,
        },
        _ => None,
    }
}

/// How one quantity is read, as a duration.
type Unit = fn(&Value, &str, &mut Problems) -> Option<Span>;

/// A distribution of sizes, in which a nanosecond stands for a byte.
pub(super) fn sizes(value: &Value, what: &str, problems: &mut Problems) -> Option<Dist> {
    let bytes: Unit = |value, what, problems| value::bytes(value, what, 0..=1 << 40, problems).map(Span::from_nanos);
    read_in(value, what, bytes, problems)
}

/// A distribution; a duration alone is a constant.
pub(super) fn read(value: &Value, what: &str, problems: &mut Problems) -> Option<Dist> {
    read_in(value, what, value::span, problems)
}

fn read_in(value: &Value, what: &str, unit: Unit, problems: &mut Problems) -> Option<Dist> {
    if value.variant().is_none() {
        return match &value.kind {
            Kind::Text(_) | Kind::Number(_) => unit(value, what, problems).map(Dist::Constant),
            _ => value::wrong(value, &format!("{what} is a quantity or a distribution"), problems),
        };
    }
    let named = value::choice(value, what, NAMES, problems)?;
    match named {
        "Constant" => one(value, "Constant(\"5ms\")", what, unit, problems).map(Dist::Constant),
        "Exponential" => {
            let mean = if let Some(mean) = only(value) {
                unit(mean, "the mean", problems)
            } else {
                let fields = Fields::open(&EXPONENTIAL, value, problems)?;
                span(&fields, "mean", unit, problems)
            };
            mean.map(|mean| Dist::Exponential { mean })
        }
        "Uniform" => {
            let fields = Fields::open(&UNIFORM, value, problems)?;
            let (low, high) = (span(&fields, "low", unit, problems), span(&fields, "high", unit, problems));
            let (low, high) = (low?, high?);
            if low > high {
                return refuse(value, "`low` is longer than `high`", "exchange them", problems);
            }
            Some(Dist::Uniform { low, high })
        }
        "Normal" => {
            let fields = Fields::open(&NORMAL, value, problems)?;
            let (mean, sd) = (span(&fields, "mean", unit, problems), span(&fields, "sd", unit, problems));
            Some(Dist::Normal { mean: mean?, sd: sd? })
        }
        "LogNormal" => log_normal(value, unit, problems),
        _ => {
            let fields = Fields::open(&PARETO, value, problems)?;
            let min = span(&fields, "min", unit, problems);
            let alpha = fields.need("alpha", "1.5", problems);
            let alpha = alpha.and_then(|value| value::real(value, "`alpha`", 0.01..=1_000.0, problems));
            Some(Dist::Pareto { min: min?, alpha: alpha? })
        }
    }
}

fn log_normal(value: &Value, unit: Unit, problems: &mut Problems) -> Option<Dist> {
    let fields = Fields::open(&LOG_NORMAL, value, problems)?;
    let median = span(&fields, "median", unit, problems);
    if !fields.at_most_one(&["p99", "sigma"], "each decides the width", problems) {
        return None;
    }
    if let Some(sigma) = fields.get("sigma") {
        let sigma = value::real(sigma, "`sigma`", 0.0..=10.0, problems);
        return Some(Dist::LogNormal { median: median?, sigma: sigma? });
    }
    let p99 = span(&fields, "p99", unit, problems);
    let (median, p99) = (median?, p99?);
    match Dist::log_normal(median, p99) {
        Some(dist) => Some(dist),
        None => refuse(
            value,
            "the 99th percentile must be longer than the median, and the median longer than nothing",
            "give the median first: `LogNormal(median: \"5ms\", p99: \"40ms\")`",
            problems,
        ),
    }
}

fn one(value: &Value, sample: &str, what: &str, unit: Unit, problems: &mut Problems) -> Option<Span> {
    match only(value) {
        Some(item) => unit(item, what, problems),
        None => value::wrong(value, &format!("write `{sample}`"), problems),
    }
}

fn span(fields: &Fields<'_>, name: &str, unit: Unit, problems: &mut Problems) -> Option<Span> {
    let value = fields.need(name, "\"5ms\"", problems)?;
    unit(value, &format!("`{name}`"), problems)
}

fn refuse(value: &Value, why: &str, help: &str, problems: &mut Problems) -> Option<Dist> {
    problems.add(Diagnostic::error(Code::OutOfRange, value.span, why).help(help));
    None
}
