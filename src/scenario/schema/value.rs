//! Single values: texts, whole numbers, quantities with units, choices; what is wrong with one is reported where it stands.

use super::form::{list, similar};
use super::{Problems, inner};
use crate::app::http1::is_token;
use crate::base::{BitRate, Ratio, Span as Duration};
use crate::scenario::ast::{Kind, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::quantity::{self, Frequency, Problem};
use std::ops::RangeInclusive;

/// The values of a list; a value that is none stands for a list of itself.
pub(super) fn each(value: &Value) -> &[Value] {
    match &value.kind {
        Kind::List(values) => values,
        _ => std::slice::from_ref(value),
    }
}

/// A text.
pub(super) fn text<'a>(value: &'a Value, what: &str, problems: &mut Problems) -> Option<&'a str> {
    match &value.kind {
        Kind::Text(text) => Some(text),
        Kind::Name(name) => {
            let message = format!("{what} is a text: `{name}` needs quotes");
            problems.add(Diagnostic::error(Code::WrongShape, value.span, message).help(format!("write `\"{name}\"`")));
            None
        }
        _ => wrong(value, &format!("{what} is a text in quotes"), problems),
    }
}

/// `true` or `false`.
pub(super) fn flag(value: &Value, what: &str, problems: &mut Problems) -> Option<bool> {
    match value.kind {
        Kind::Bool(flag) => Some(flag),
        _ => wrong(value, &format!("{what} is `true` or `false`"), problems),
    }
}

/// A whole number in a range.
pub(super) fn whole(value: &Value, what: &str, range: RangeInclusive<u64>, problems: &mut Problems) -> Option<u64> {
    let Kind::Number(written) = &value.kind else {
        return wrong(value, &format!("{what} is a whole number without quotes"), problems);
    };
    let (low, high) = (*range.start(), *range.end());
    let digits: String = written.chars().filter(|&digit| digit != '_').collect();
    let number = match digits.get(..2) {
        Some("0x" | "0X") => u64::from_str_radix(&digits[2..], 16).ok(),
        Some("0b" | "0B") => u64::from_str_radix(&digits[2..], 2).ok(),
        Some("0o" | "0O") => u64::from_str_radix(&digits[2..], 8).ok(),
        _ => digits.trim_start_matches('+').parse().ok(),
    };
    if let Some(number) = number.filter(|number| range.contains(number)) {
        return Some(number);
    }
    let limits = match (low, high) {
        (low, u64::MAX) => format!("a whole number, at least {low}"),
        _ => format!("a whole number from {low} to {high}"),
    };
    problems.add(
        Diagnostic::error(Code::OutOfRange, value.span, format!("{what} cannot be {written}"))
            .help(format!("{what} is {limits}")),
    );
    None
}

/// A number with or without decimals, in a range.
pub(super) fn real(value: &Value, what: &str, range: RangeInclusive<f64>, problems: &mut Problems) -> Option<f64> {
    let Kind::Number(written) = &value.kind else {
        return wrong(value, &format!("{what} is a number without quotes"), problems);
    };
    let digits: String = written.chars().filter(|&digit| digit != '_').collect();
    if let Some(number) = digits.parse().ok().filter(|number| range.contains(number)) {
        return Some(number);
    }
    problems.add(Diagnostic::error(Code::OutOfRange, value.span, format!("{what} cannot be {written}")).help(format!(
        "{what} lies between {} and {}",
        range.start(),
        range.end()
    )));
    None
}

/// Reports a value of the wrong shape.
pub(super) fn wrong<T>(value: &Value, needed: &str, problems: &mut Problems) -> Option<T> {
    problems.add(Diagnostic::error(Code::WrongShape, value.span, needed).label(format!("found {}", value.describe())));
    None
}

/// A quantity with a unit; `unit` is the one to suggest for a bare number.
fn quantity<T>(
    value: &Value,
    what: &str,
    unit: &str,
    read: impl Fn(&str) -> Result<T, Problem>,
    problems: &mut Problems,
) -> Option<T> {
    match &value.kind {
        Kind::Text(text) => match read(text) {
            Ok(quantity) => Some(quantity),
            Err(problem) => {
                problems.add(problem.at(value.span).label(what.trim_matches('`')));
                None
            }
        },
        Kind::Number(number) => {
            problems.add(
                Diagnostic::error(Code::MissingUnit, value.span, format!("{what} needs a unit"))
                    .label("a bare number")
                    .help(format!("write `\"{number}{unit}\"` if that is what you mean")),
            );
            None
        }
        _ => wrong(value, &format!("{what} is a text with a unit: \"5{unit}\""), problems),
    }
}

/// A token, as names of header fields and cookies are (RFC 9110 5.6.2).
pub(super) fn token(value: &Value, what: &str, problems: &mut Problems) -> Option<String> {
    let name = text(value, what, problems)?;
    if is_token(name.as_bytes()) {
        return Some(name.to_owned());
    }
    problems.add(
        Diagnostic::error(Code::BadName, inner(value), format!("`{name}` cannot be {what}"))
            .help("it consists of letters, digits and `-`, `_`, `.`"),
    );
    None
}

/// The path of a URL, perhaps with a query.
pub(super) fn path<'a>(value: &'a Value, problems: &mut Problems) -> Option<&'a str> {
    let path = text(value, "a path", problems)?;
    if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(path);
    }
    problems.add(
        Diagnostic::error(Code::OutOfRange, inner(value), format!("`{path}` is no path"))
            .help("a path begins with `/` and has no spaces: `/health`"),
    );
    None
}

/// A duration: `"56ms"`.
pub(super) fn span(value: &Value, what: &str, problems: &mut Problems) -> Option<Duration> {
    quantity(value, what, "ms", quantity::span, problems)
}

/// A duration that is not zero.
pub(super) fn positive_span(value: &Value, what: &str, problems: &mut Problems) -> Option<Duration> {
    let span = span(value, what, problems)?;
    if span.is_zero() {
        problems.add(Diagnostic::error(Code::OutOfRange, value.span, format!("{what} cannot be zero")));
        return None;
    }
    Some(span)
}

/// A size: `"256KiB"`.
pub(super) fn bytes(value: &Value, what: &str, range: RangeInclusive<u64>, problems: &mut Problems) -> Option<u64> {
    let size = quantity(value, what, "B", quantity::bytes, problems)?.0;
    if range.contains(&size) {
        return Some(size);
    }
    let (low, high) = (range.start(), range.end());
    let help = if *high == u64::MAX {
        format!("{what} is at least {low} B")
    } else {
        format!("{what} is from {low} B to {high} B")
    };
    problems.add(Diagnostic::error(Code::OutOfRange, value.span, format!("{what} cannot be {size} B")).help(help));
    None
}

/// A rate: `"100Mbps"`.
pub(super) fn rate(value: &Value, what: &str, problems: &mut Problems) -> Option<BitRate> {
    quantity(value, what, "Mbps", quantity::rate, problems)
}

/// A frequency: `"50/s"`.
pub(super) fn frequency(value: &Value, what: &str, problems: &mut Problems) -> Option<Frequency> {
    quantity(value, what, "/s", quantity::frequency, problems)
}

/// A distance in metres: `"5600km"`.
pub(super) fn distance(value: &Value, what: &str, problems: &mut Problems) -> Option<u64> {
    quantity(value, what, "km", quantity::distance, problems)
}

/// A share: `"1.5%"`.
pub(super) fn ratio(value: &Value, what: &str, problems: &mut Problems) -> Option<Ratio> {
    quantity(value, what, "%", quantity::ratio, problems)
}

/// The choice among named variants that a value makes, by its bare name or the name before its bracket. A misspelt one is
/// reported, and read as the one it means.
pub(super) fn choice(
    value: &Value,
    what: &str,
    known: &[&'static str],
    problems: &mut Problems,
) -> Option<&'static str> {
    let Some(name) = value.variant() else {
        return wrong(value, &format!("{what} is one of {}", list(known)), problems);
    };
    if let Some(chosen) = known.iter().find(|known| **known == name) {
        return Some(chosen);
    }
    let place = value.variant_span();
    let diagnostic = Diagnostic::error(Code::UnknownVariant, place, format!("{what} cannot be `{name}`"))
        .help(format!("it is one of {}", list(known)));
    let meant = similar(name, known.iter().copied());
    problems.add(match meant {
        Some(other) => diagnostic.label(format!("did you mean `{other}`?")),
        None => diagnostic,
    });
    meant
}

/// The choice among names that have nothing in brackets.
pub(super) fn word(value: &Value, what: &str, known: &[&'static str], problems: &mut Problems) -> Option<&'static str> {
    let name = choice(value, what, known, problems)?;
    bare(value, problems)?;
    Some(name)
}

/// Reports what stands in the brackets of a name that has none.
pub(super) fn bare(value: &Value, problems: &mut Problems) -> Option<()> {
    let empty = match &value.kind {
        Kind::Struct { fields, .. } => fields.is_empty(),
        Kind::Tuple { items, .. } => items.is_empty(),
        _ => true,
    };
    if empty {
        return Some(());
    }
    let name = value.variant().unwrap_or_default();
    problems.add(
        Diagnostic::error(Code::WrongShape, value.span, format!("`{name}` has nothing in brackets"))
            .help(format!("write `{name}`")),
    );
    None
}

/// Warns of what no path of a request has, as routes see it: a `*` that does not stand at the end, a query, a space.
pub(super) fn pattern(value: &Value, path: &str, problems: &mut Problems) {
    let beginning = path.split('*').next().unwrap_or_default();
    if let Some((path, query)) = path.split_once(['?', '#']) {
        problems.add(
            Diagnostic::warning(
                Code::NoEffect,
                inner(value),
                "no request comes to this route: it looks at paths without their queries",
            )
            .help(format!("leave `{query}` out: `{path}`")),
        );
        return;
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        problems.add(
            Diagnostic::warning(
                Code::NoEffect,
                inner(value),
                "no request comes to this route: no URL holds such a path",
            )
            .help("write spaces as `%20` and letters outside ASCII percent-encoded"),
        );
        return;
    }
    if path.strip_suffix('*').unwrap_or(path).contains('*') {
        problems.add(
            Diagnostic::warning(Code::NoEffect, inner(value), "this `*` stands for itself: it is not at the end")
                .help(format!("write `{beginning}*`, or each path by its name")),
        );
    }
}

/// A named thing from a table, written as a text: a controller, an access profile. A misspelt one is reported, and read as
/// the one it means.
pub(super) fn named<T: Copy>(
    value: &Value,
    what: &str,
    mut table: impl Iterator<Item = (&'static str, T)> + Clone,
    problems: &mut Problems,
) -> Option<T> {
    let name = text(value, what, problems)?;
    if let Some((_, found)) = table.clone().find(|(known, _)| *known == name) {
        return Some(found);
    }
    let names: Vec<&str> = table.clone().map(|(known, _)| known).collect();
    let diagnostic = Diagnostic::error(Code::UnknownVariant, value.span, format!("{what} cannot be `{name}`"))
        .help(format!("it is one of {}", list(&names)));
    let meant = similar(name, names.iter().copied());
    problems.add(match meant {
        Some(other) => diagnostic.label(format!("did you mean `{other}`?")),
        None => diagnostic,
    });
    table.find(|(known, _)| Some(*known) == meant).map(|(_, found)| found)
}
