//! Policies as a scenario writes them: `LeastConnections`, `Maglev(key: Path)`, `Subset(size: 4, of: TwoChoices)`...

use crate::scenario::ast::Value;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::schema::form::{Fields, Form};
use crate::scenario::schema::{Problems, dist, value};
use crate::service::balancer::Layer;
use crate::service::balancer::policy::{Algorithm, HashKey, TABLE};

pub(super) static PEAK_EWMA: Form = Form { name: "PeakEwma", fields: &["decay"] };
pub(super) static CONSISTENT_HASH: Form = Form { name: "ConsistentHash", fields: &["key", "points", "load"] };
pub(super) static MAGLEV: Form = Form { name: "Maglev", fields: &["key", "table"] };
pub(super) static SUBSET: Form = Form { name: "Subset", fields: &["size", "of"] };
static PLAIN: Form = Form { name: "policy", fields: &[] };

/// A policy for a balancer of this layer.
pub(in crate::scenario::schema) fn read(value: &Value, layer: Layer, problems: &mut Problems) -> Option<Algorithm> {
    let names: Vec<&str> = TABLE.iter().map(|&(name, _)| name).collect();
    let name = value::choice(value, "`policy`", &names, problems)?;
    let form = match name {
        "PeakEwma" => &PEAK_EWMA,
        "ConsistentHash" => &CONSISTENT_HASH,
        "Maglev" => &MAGLEV,
        "Subset" => &SUBSET,
        _ => &PLAIN,
    };
    if form.fields.is_empty() {
        value::bare(value, problems)?;
    }
    let fields = Fields::open(form, value, problems)?;
    Some(match name {
        "Weighted" => Algorithm::Weighted,
        "Random" => Algorithm::Random,
        "LeastConnections" => Algorithm::LeastConnections,
        "PeakEwma" if !layer.sees_requests() => {
            problems.add(
                Diagnostic::error(
                    Code::Contradiction,
                    value.span,
                    "an L4 balancer sees no answers to take the time of",
                )
                .help("balance requests with `layer: L7`, or choose by `LeastConnections`"),
            );
            return None;
        }
        "PeakEwma" => {
            let decay = fields.get("decay").map(|value| value::positive_span(value, "`decay`", problems));
            Algorithm::PeakEwma { decay: decay.unwrap_or(Some(Algorithm::DECAY))? }
        }
        "IpHash" => Algorithm::IpHash,
        "ConsistentHash" => {
            let key = key(&fields, layer, problems);
            let points = whole(&fields, "points", 1..=10_000, Algorithm::POINTS, problems);
            let load = match fields.get("load") {
                None => Some(None),
                Some(value) => load(value, problems).map(Some),
            };
            Algorithm::ConsistentHash { key: key?, points: points?, load: load? }
        }
        "Maglev" => {
            let key = key(&fields, layer, problems);
            let table = whole(&fields, "table", 2..=16_777_213, Algorithm::TABLE, problems)?;
            if let (false, Some(value)) = (is_prime(table), fields.get("table")) {
                problems.add(
                    Diagnostic::error(Code::OutOfRange, value.span, format!("{table} is no prime")).help(
                        "with another number some preferences would miss entries; 251, 65537 and 655373 are primes",
                    ),
                );
                return None;
            }
            Algorithm::Maglev { key: key?, table }
        }
        "TwoChoices" => Algorithm::TwoChoices,
        "Subset" => {
            let size = fields.need("size", "4", problems);
            let size = size.and_then(|value| value::whole(value, "`size`", 1..=1_000_000, problems));
            let of = fields.get("of").map_or(Some(Algorithm::RoundRobin), |value| read(value, layer, problems))?;
            if let (Algorithm::Subset { .. }, Some(value)) = (&of, fields.get("of")) {
                problems.add(
                    Diagnostic::error(Code::Contradiction, value.span, "a subset of a subset is a smaller subset")
                        .help("give the smaller `size` to one `Subset`"),
                );
                return None;
            }
            Algorithm::Subset { size: u32::try_from(size?).ok()?, of: Box::new(of) }
        }
        _ => Algorithm::RoundRobin,
    })
}

fn whole(
    fields: &Fields<'_>,
    name: &str,
    range: std::ops::RangeInclusive<u64>,
    usual: u32,
    problems: &mut Problems,
) -> Option<u32> {
    let Some(value) = fields.get(name) else { return Some(usual) };
    value::whole(value, &format!("`{name}`"), range, problems).and_then(|n| u32::try_from(n).ok())
}

/// A bound on the load in percent of the mean: `"125%"`.
fn load(value: &Value, problems: &mut Problems) -> Option<u32> {
    let text = value::text(value, "`load`", problems)?;
    let percent = text.strip_suffix('%').and_then(|digits| digits.trim().parse::<u32>().ok());
    if let Some(percent @ 101..=10_000) = percent {
        return Some(percent);
    }
    problems.add(
        Diagnostic::error(Code::OutOfRange, value.span, format!("`load` cannot be {text}"))
            .help("it is a share of the mean above all of it, in whole percent: \"125%\""),
    );
    None
}

fn key(fields: &Fields<'_>, layer: Layer, problems: &mut Problems) -> Option<HashKey> {
    let Some(value) = fields.get("key") else { return Some(HashKey::Address) };
    let kind = value::choice(value, "`key`", &["Address", "Connection", "Path", "Header", "Cookie"], problems)?;
    let named = |problems: &mut Problems| match dist::only(value) {
        Some(item) => value::token(item, "the name of a header field or a cookie", problems),
        None => value::wrong(value, &format!("write `{kind}(\"name\")`"), problems),
    };
    if !matches!(kind, "Header" | "Cookie") {
        value::bare(value, problems)?;
    }
    let key = match kind {
        "Connection" => HashKey::Connection,
        "Path" => HashKey::Path,
        "Header" => HashKey::Header(named(problems)?),
        "Cookie" => HashKey::Cookie(named(problems)?),
        _ => HashKey::Address,
    };
    if key.looks_inside() && !layer.sees_requests() {
        problems.add(
            Diagnostic::error(Code::Contradiction, value.span, "an L4 balancer cannot look into requests")
                .help("hash the `Address` or the `Connection`, or balance requests with `layer: L7`"),
        );
        return None;
    }
    Some(key)
}

fn is_prime(n: u32) -> bool {
    n > 1 && (2..n).take_while(|divisor| divisor * divisor <= n).all(|divisor| !n.is_multiple_of(divisor))
}
