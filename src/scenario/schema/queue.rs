//! Queues: `DropTail("256KiB")`, `Codel(target: "5ms")`, `TokenBucket(rate: "10Mbps", burst: "15kB", queue: FqCodel())`...

use super::Problems;
use super::dist;
use super::form::{Fields, Form};
use super::value;
use crate::base::{BitRate, Bytes, Ratio};
use crate::link::queue::{Config, Limit, codel, fq_codel, priority, red, shaper};
use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::wire::Dscp;

static DROP_TAIL: Form = Form { name: "DropTail", fields: &["limit", "ecn"] };
static RED: Form = Form { name: "Red", fields: &["min", "max", "probability", "weight", "gentle", "ecn", "limit"] };
static CODEL: Form = Form { name: "Codel", fields: &["target", "interval", "ecn", "ce_threshold", "limit"] };
static FQ_CODEL: Form =
    Form { name: "FqCodel", fields: &["target", "interval", "ecn", "ce_threshold", "limit", "flows", "quantum"] };
static PRIORITY: Form = Form { name: "Priority", fields: &["bands", "each"] };
static TOKEN_BUCKET: Form = Form { name: "TokenBucket", fields: &["rate", "burst", "queue"] };
static POLICER: Form = Form { name: "Policer", fields: &["rate", "burst", "limit"] };

pub(super) const FORMS: &[&Form] = &[&DROP_TAIL, &RED, &CODEL, &FQ_CODEL, &PRIORITY, &TOKEN_BUCKET, &POLICER];

const NAMES: &[&str] = &["DropTail", "Red", "Codel", "FqCodel", "Priority", "TokenBucket", "Policer"];

/// What a queue without a limit of its own holds: a network card's 1,000 packets.
const DEFAULT_LIMIT: Limit = Limit::Packets(1_000);

/// Reads a queue.
pub(super) fn read(value: &Value, problems: &mut Problems) -> Option<Config> {
    if value.variant().is_none() {
        let sample = "a queue is `DropTail(\"256KiB\")` or, in packets, `DropTail(1000)`";
        return value::wrong(value, sample, problems);
    }
    match value::choice(value, "a queue", NAMES, problems)? {
        "DropTail" => drop_tail(value, problems),
        "Red" => red(value, problems).map(Config::Red),
        "Codel" => {
            codel(&Fields::open(&CODEL, value, problems)?, codel::Config::default(), problems).map(Config::Codel)
        }
        "FqCodel" => fq_codel(value, problems).map(Config::FqCodel),
        "Priority" => priority(value, problems).map(Config::Priority),
        "TokenBucket" => token_bucket(value, problems).map(Config::TokenBucket),
        _ => policer(value, problems),
    }
}

/// A number of packets, or a size in bytes.
fn limit(value: &Value, what: &str, problems: &mut Problems) -> Option<Limit> {
    Some(match value.kind {
        Kind::Number(_) => Limit::Packets(value::whole(value, &format!("{what} (packets)"), 1..=u64::MAX, problems)?),
        _ => Limit::Bytes(value::bytes(value, what, 1..=u64::MAX, problems)?),
    })
}

/// The field `limit`.
fn limit_of(fields: &Fields<'_>, default: Limit, problems: &mut Problems) -> Option<Limit> {
    fields.get("limit").map_or(Some(default), |value| limit(value, "a queue", problems))
}

fn flag_of(fields: &Fields<'_>, name: &str, default: bool, problems: &mut Problems) -> Option<bool> {
    fields.get(name).map_or(Some(default), |value| value::flag(value, &format!("`{name}`"), problems))
}

fn drop_tail(value: &Value, problems: &mut Problems) -> Option<Config> {
    if let Some(inside) = dist::only(value) {
        return Some(Config::DropTail(limit(inside, "a queue", problems)?));
    }
    if !matches!(&value.kind, Kind::Struct { .. }) {
        let sample = "a queue is `DropTail(\"256KiB\")` or, in packets, `DropTail(1000)`";
        return value::wrong(value, sample, problems);
    }
    let fields = Fields::open(&DROP_TAIL, value, problems)?;
    let held = limit_of(&fields, DEFAULT_LIMIT, problems);
    let Some(ecn) = fields.get("ecn") else { return Some(Config::DropTail(held?)) };
    if let Kind::Bool(_) = ecn.kind {
        return value::wrong(
            ecn,
            "`ecn` of a drop-tail queue is a threshold: packets that find more are marked",
            problems,
        );
    }
    let mark_above = limit(ecn, "`ecn`", problems);
    let (held, mark_above) = (held?, mark_above?);
    let reached = match (held, mark_above) {
        (Limit::Bytes(held), Limit::Bytes(mark)) | (Limit::Packets(held), Limit::Packets(mark)) => mark < held,
        _ => true,
    };
    if !reached {
        fields.no_effect("ecn", &format!("the queue never holds more than {held}"), problems);
    }
    Some(Config::Threshold { limit: held, mark_above })
}

fn red(value: &Value, problems: &mut Problems) -> Option<red::Config> {
    let fields = Fields::open(&RED, value, problems)?;
    let threshold = |name: &str, problems: &mut Problems| {
        let value = fields.need(name, "\"30kB\"", problems)?;
        Some((limit(value, &format!("`{name}`"), problems)?, value.span))
    };
    let (min, max) = (threshold("min", problems), threshold("max", problems));
    let share = |name: &str, default: f64, problems: &mut Problems| {
        let given = fields.get(name).map(|value| value::ratio(value, &format!("`{name}`"), problems));
        given.unwrap_or(Ratio::new(default))
    };
    let (probability, weight) = (share("probability", 0.1, problems), share("weight", 0.002, problems));
    let (gentle, ecn) = (flag_of(&fields, "gentle", true, problems), flag_of(&fields, "ecn", false, problems));
    let held = limit_of(&fields, DEFAULT_LIMIT, problems);
    let ((min, min_span), (max, max_span)) = (min?, max?);
    let (unit, min, max) = match (min, max) {
        (Limit::Bytes(min), Limit::Bytes(max)) => (red::Unit::Bytes, min, max),
        (Limit::Packets(min), Limit::Packets(max)) => (red::Unit::Packets, min, max),
        _ => {
            let message = "`min` and `max` are both sizes or both numbers of packets";
            problems.add(Diagnostic::error(Code::WrongShape, max_span, message).also(min_span, "the other one"));
            return None;
        }
    };
    if max <= min {
        problems.add(
            Diagnostic::error(Code::Contradiction, max_span, "`max` must be more than `min`")
                .also(min_span, "`min` is here")
                .help("Floyd's advice is three times `min`"),
        );
        return None;
    }
    let held = held?;
    let never = match (unit, held) {
        (red::Unit::Bytes, Limit::Bytes(held)) | (red::Unit::Packets, Limit::Packets(held)) => held <= min,
        _ => false,
    };
    if never {
        fields.no_effect("min", &format!("the queue never holds more than {held}"), problems);
    }
    Some(red::Config {
        unit,
        min,
        max,
        probability: probability?,
        weight: weight?,
        gentle: gentle?,
        ecn: ecn?,
        limit: held,
    })
}

fn codel(fields: &Fields<'_>, default: codel::Config, problems: &mut Problems) -> Option<codel::Config> {
    let span = |name: &str, problems: &mut Problems| {
        fields.get(name).map(|value| value::positive_span(value, &format!("`{name}`"), problems))
    };
    let target = span("target", problems).unwrap_or(Some(default.target));
    let interval = span("interval", problems).unwrap_or(Some(default.interval));
    let ce_threshold = match span("ce_threshold", problems) {
        Some(given) => Some(given?),
        None => None,
    };
    let ecn = flag_of(fields, "ecn", default.ecn, problems);
    let held = limit_of(fields, default.limit, problems);
    let (target, interval) = (target?, interval?);
    if target >= interval {
        let span = fields.get("target").or(fields.get("interval")).map_or(fields.span, |value| value.span);
        problems.add(
            Diagnostic::error(
                Code::Contradiction,
                span,
                format!("a target of {target} needs an interval longer than {interval}"),
            )
            .help("the interval is about the longest usual round trip, the target 5 to 10 % of it (RFC 8289 4.3)"),
        );
        return None;
    }
    Some(codel::Config { target, interval, ecn: ecn?, ce_threshold, limit: held? })
}

fn fq_codel(value: &Value, problems: &mut Problems) -> Option<fq_codel::Config> {
    let default = fq_codel::Config::default();
    let fields = Fields::open(&FQ_CODEL, value, problems)?;
    let codel = codel(&fields, default.codel, problems);
    let flows = fields.get("flows").map_or(Some(u64::from(default.flows)), |value| {
        value::whole(value, "`flows` (the number of queues)", 1..=65_536, problems)
    });
    let quantum = match fields.get("quantum") {
        Some(value) => Some(value::bytes(value, "`quantum`", 64..=65_535, problems)?),
        None => None,
    };
    Some(fq_codel::Config {
        codel: codel?,
        flows: u32::try_from(flows?).ok()?,
        quantum: quantum.and_then(|bytes| u32::try_from(bytes).ok()),
    })
}

/// A code point by name or number.
pub(super) fn dscp(value: &Value, problems: &mut Problems) -> Option<Dscp> {
    if let Kind::Number(_) = value.kind {
        let number = value::whole(value, "a code point", 0..=63, problems)?;
        return u8::try_from(number).ok().and_then(Dscp::new);
    }
    let names = Dscp::names().filter_map(|name| Some((name, Dscp::by_name(name)?)));
    value::named(value, "a code point (DSCP)", names, problems)
}

fn priority(value: &Value, problems: &mut Problems) -> Option<priority::Config> {
    let fields = Fields::open(&PRIORITY, value, problems)?;
    let bands = fields.need("bands", "[[\"EF\"], [\"AF41\"]]", problems);
    let each = fields.get("each").map_or(Some(Config::DropTail(DEFAULT_LIMIT)), |value| read(value, problems));
    let bands = bands?;
    let Kind::List(items) = &bands.kind else {
        return value::wrong(bands, "`bands` is a list, most urgent first: [[\"EF\"], [\"AF41\"]]", problems);
    };
    if items.is_empty() {
        let message = "without bands there is nothing to be more urgent than the rest";
        problems.add(Diagnostic::error(Code::OutOfRange, bands.span, message).help("write `[[\"EF\"]]`"));
        return None;
    }
    let mut seen: Vec<(Dscp, Span)> = Vec::new();
    let mut made = Vec::new();
    for band in items {
        let Kind::List(points) = &band.kind else {
            value::wrong::<()>(band, "a band is a list of code points: [\"EF\", \"CS6\"]", problems);
            continue;
        };
        let mut read = Vec::new();
        for point in points {
            let Some(dscp) = dscp(point, problems) else { continue };
            if let Some((_, first)) = seen.iter().find(|(other, _)| *other == dscp) {
                problems.add(
                    Diagnostic::error(Code::Contradiction, point.span, format!("{dscp} is already in a band"))
                        .also(*first, "here"),
                );
                continue;
            }
            seen.push((dscp, point.span));
            read.push(dscp);
        }
        made.push(read);
    }
    Some(priority::Config { bands: made, each: Box::new(each?) })
}

fn rate_and_burst(fields: &Fields<'_>, problems: &mut Problems) -> (Option<BitRate>, Option<u64>) {
    let rate = fields.need("rate", "\"10Mbps\"", problems);
    let rate = rate.and_then(|value| value::rate(value, "`rate`", problems));
    let burst = fields.need("burst", "\"15kB\"", problems);
    (rate, burst.and_then(|value| value::bytes(value, "`burst`", 68..=1 << 40, problems)))
}

fn token_bucket(value: &Value, problems: &mut Problems) -> Option<shaper::Config> {
    let fields = Fields::open(&TOKEN_BUCKET, value, problems)?;
    let (rate, burst) = rate_and_burst(&fields, problems);
    let queue = fields.get("queue").map_or(Some(Config::DropTail(DEFAULT_LIMIT)), |value| read(value, problems));
    Some(shaper::Config { rate: rate?, burst: burst?, queue: Box::new(queue?) })
}

fn policer(value: &Value, problems: &mut Problems) -> Option<Config> {
    let fields = Fields::open(&POLICER, value, problems)?;
    let (rate, burst) = rate_and_burst(&fields, problems);
    let held = limit_of(&fields, DEFAULT_LIMIT, problems);
    Some(Config::Policer { rate: rate?, burst: burst?, limit: held? })
}

/// What about this queue cannot work before a line of this rate and MTU, or has no effect there.
pub(super) fn judge(queue: &Config, span: Span, mtu: u32, line: BitRate, problems: &mut Problems) {
    match queue {
        Config::DropTail(limit) | Config::Threshold { limit, .. } => room(*limit, span, mtu, problems),
        Config::Red(red) => room(red.limit, span, mtu, problems),
        Config::Codel(codel) => room(codel.limit, span, mtu, problems),
        Config::FqCodel(fq) => room(fq.codel.limit, span, mtu, problems),
        Config::Priority(priority) => judge(&priority.each, span, mtu, line, problems),
        Config::Policer { rate, burst, limit } => {
            tokens((*rate, *burst), span, mtu, line, problems);
            room(*limit, span, mtu, problems);
        }
        Config::TokenBucket(shaper) => {
            tokens((shaper.rate, shaper.burst), span, mtu, line, problems);
            judge(&shaper.queue, span, mtu, line, problems);
        }
    }
}

fn room(limit: Limit, span: Span, mtu: u32, problems: &mut Problems) {
    if let Limit::Bytes(bytes) = limit
        && bytes < u64::from(mtu)
    {
        problems.add(
            Diagnostic::error(Code::OutOfRange, span, format!("a packet of {mtu} B never fits into this queue"))
                .help(format!("give the queue {mtu} B or more, or the link a smaller `mtu`")),
        );
    }
}

fn tokens((rate, burst): (BitRate, u64), span: Span, mtu: u32, line: BitRate, problems: &mut Problems) {
    if burst < u64::from(mtu) {
        let message = format!("a packet of {mtu} B never has enough tokens with a burst of {}", Bytes(burst));
        problems.add(
            Diagnostic::error(Code::OutOfRange, span, message)
                .help(format!("give the bucket a `burst` of {mtu} B or more, or the link a smaller `mtu`")),
        );
    }
    if rate >= line {
        problems.add(
            Diagnostic::warning(
                Code::NoEffect,
                span,
                format!("the bucket has no effect: it fills at {rate}, and the line itself carries {line}"),
            )
            .help("give the bucket a lower `rate`"),
        );
    }
}

#[cfg(test)]
mod tests;
