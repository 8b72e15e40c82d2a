//! Transfers in bulk, messages, echoes and routes: what protocol people measure with.

use super::Reading;
use crate::base::{Span as Duration, Time};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Bulk, Carrier, Messages, Objects, Ping, Traceroute};
use crate::scenario::schema::form::{Fields, Form};
use crate::scenario::schema::tcp::congestion_of;
use crate::scenario::schema::{Problems, value};
use crate::service::Limit;
use crate::service::bulk::{Amount, Direction};
use crate::service::carrier::Over;
use crate::service::messages::MIN_BYTES;

pub(in crate::scenario::schema) static BULK: Form = Form {
    name: "Bulk",
    fields: &[
        "from",
        "to",
        "pairing",
        "over",
        "bytes",
        "for",
        "flows",
        "direction",
        "congestion",
        "start",
        "stagger",
        "measure_from",
        "dscp",
    ],
};
pub(in crate::scenario::schema) static MESSAGES: Form = Form {
    name: "Messages",
    fields: &[
        "from",
        "to",
        "pairing",
        "size",
        "every",
        "over",
        "count",
        "for",
        "start",
        "rebinds",
        "congestion",
        "dscp",
    ],
};
pub(in crate::scenario::schema) static PING: Form = Form {
    name: "Ping",
    fields: &["from", "to", "pairing", "every", "count", "size", "ttl", "timeout", "start", "dscp"],
};
pub(in crate::scenario::schema) static TRACEROUTE: Form = Form {
    name: "Traceroute",
    fields: &["from", "to", "pairing", "max_ttl", "probes", "size", "timeout", "start", "dscp"],
};
pub(in crate::scenario::schema) static OBJECTS: Form = Form {
    name: "Objects",
    fields: &["from", "to", "pairing", "objects", "size", "over", "every", "count", "for", "start", "congestion"],
};

/// The largest datagram in IPv4: 65,535 bytes less the headers of IP and UDP or ICMP.
const MOST_DATAGRAM: u64 = 65_535 - 28;

pub(super) fn bulk(reading: &Reading<'_, '_>, problems: &mut Problems) -> Option<Bulk> {
    let fields = reading.fields;
    let pairs = reading.pairs(true, problems);
    fields.at_most_one(&["bytes", "for"], "each says how much is sent", problems);
    let left = (Time::ZERO + reading.plan.run_for).since(reading.start.min(Time::ZERO + reading.plan.run_for));
    let amount = if let Some(value) = fields.get("bytes") {
        value::bytes(value, "`bytes`", 1..=u64::MAX, problems).map(Amount::Bytes)
    } else if let Some(value) = fields.get("for") {
        value::positive_span(value, "`for`", problems).map(Amount::For)
    } else {
        Some(Amount::For(left))
    };
    let flows = fields.get("flows").map_or(Some(1), |value| value::whole(value, "`flows`", 1..=1_000_000, problems));
    let direction = fields
        .get("direction")
        .map_or(Some("Up"), |value| value::word(value, "`direction`", &["Up", "Down"], problems));
    let stagger = fields.get("stagger").and_then(|value| value::span(value, "`stagger`", problems));
    let congestion = congestion_of(fields, problems);
    let over = over(fields, problems);
    let measure_from = reading.instant("measure_from", problems);
    if let (Some(value), Some(from)) = (fields.get("measure_from"), measure_from)
        && from >= Time::ZERO + reading.plan.run_for
    {
        problems.add(
            Diagnostic::error(Code::NeverStarts, value.span, "the run ends before measuring begins")
                .help(format!("the run ends after {}", reading.plan.run_for)),
        );
    }
    let begins = reading.start.since(Time::ZERO);
    if measure_from.is_some_and(|from| from < reading.start) {
        fields.no_effect("measure_from", &format!("it starts at {begins} anyway"), problems);
    }
    if let (Some(value), Some(from), Some(Amount::For(lasts))) = (fields.get("measure_from"), measure_from, amount)
        && fields.get("for").is_some()
        && from >= reading.start.saturating_add(lasts)
    {
        problems.add(
            Diagnostic::error(Code::NeverStarts, value.span, "the transfer ends before measuring begins")
                .help(format!("it starts at {begins} and lasts for {lasts}")),
        );
    }
    let pairs = pairs?;
    let all = flows? * pairs.len() as u64;
    if all == 1 {
        fields.no_effect("stagger", "there is one flow", problems);
    }
    let last = stagger.map(|stagger| reading.start.saturating_add(stagger.saturating_mul(all - 1)));
    if let (Some(value), true) = (fields.get("stagger"), last >= Some(Time::ZERO + reading.plan.run_for)) {
        let message = format!("the last of {all} flows never starts: the run ends after {}", reading.plan.run_for);
        problems.add(
            Diagnostic::warning(Code::NeverStarts, value.span, message)
                .help("give a shorter `stagger`, or the scenario a longer `run_for`"),
        );
    }
    Some(Bulk {
        pairs,
        port: reading.port,
        over: over.unwrap_or_default(),
        direction: if direction? == "Up" { Direction::Up } else { Direction::Down },
        amount: amount?,
        flows: u32::try_from(flows?).unwrap_or(u32::MAX),
        stagger: stagger.unwrap_or(Duration::ZERO),
        congestion,
        measure_from: measure_from.unwrap_or(reading.start),
    })
}

pub(super) fn messages(reading: &Reading<'_, '_>, problems: &mut Problems) -> Option<Messages> {
    let fields = reading.fields;
    let pairs = reading.pairs(true, problems);
    let over = fields.need("over", "Udp", problems);
    let over = over.and_then(|value| value::word(value, "`over`", &["Udp", "Tcp", "Quic"], problems));
    let most = if over == Some("Udp") { MOST_DATAGRAM } else { u64::MAX };
    let size = fields.need("size", "\"160B\"", problems);
    let size = size.and_then(|value| value::bytes(value, "`size`", MIN_BYTES..=most, problems));
    let every = fields.need("every", "\"20ms\"", problems);
    let every = every.and_then(|value| value::positive_span(value, "`every`", problems));
    let mut limit = reading.limit(problems);
    if let Some(value) = fields.get("for") {
        limit.until = value::positive_span(value, "`for`", problems).map(|span| reading.start.saturating_add(span));
        if limit.until > Some(Time::ZERO + reading.plan.run_for) {
            fields.no_effect("for", &format!("the run ends after {} anyway", reading.plan.run_for), problems);
        }
    }
    let congestion = congestion_of(fields, problems);
    if over == Some("Udp") {
        fields.no_effect("congestion", "UDP has no congestion control", problems);
    }
    let rebinds = fields
        .get("rebinds")
        .and_then(|value| value::positive_span(value, "`rebinds` (from one port to the next)", problems));
    if rebinds.is_some_and(|rebinds| reading.start.saturating_add(rebinds) >= Time::ZERO + reading.plan.run_for) {
        fields.no_effect("rebinds", "the run ends before the first of them", problems);
    }
    Some(Messages {
        pairs: pairs?,
        port: reading.port,
        bytes: size?,
        every: every?,
        carrier: match over? {
            "Udp" => Carrier::Udp,
            "Tcp" => Carrier::Tcp { congestion },
            _ => Carrier::Quic { congestion },
        },
        limit,
        rebinds,
    })
}

/// The transport named by `over`; `None` if it is not named or wrong.
fn over(fields: &Fields<'_>, problems: &mut Problems) -> Option<Over> {
    let value = fields.get("over")?;
    match value::word(value, "`over`", &["Tcp", "Quic"], problems)? {
        "Tcp" => Some(Over::Tcp),
        _ => Some(Over::Quic),
    }
}

pub(super) fn objects(reading: &Reading<'_, '_>, problems: &mut Problems) -> Option<Objects> {
    let fields = reading.fields;
    let pairs = reading.pairs(true, problems);
    let objects = fields.need("objects", "30", problems);
    let objects = objects.and_then(|value| value::whole(value, "`objects`", 1..=10_000, problems));
    let size = fields.need("size", "\"40KiB\"", problems);
    let size = size.and_then(|value| value::bytes(value, "`size`", 1..=1 << 40, problems));
    fields.need("over", "Quic", problems);
    let over = over(fields, problems);
    let mut limit = reading.limit(problems);
    if let Some(value) = fields.get("for") {
        limit.until = value::positive_span(value, "`for`", problems).map(|span| reading.start.saturating_add(span));
        if limit.until > Some(Time::ZERO + reading.plan.run_for) {
            fields.no_effect("for", &format!("the run ends after {} anyway", reading.plan.run_for), problems);
        }
    }
    let every = if let Some(value) = fields.get("every") {
        if limit.count == Some(1) {
            fields.no_effect("every", "all are fetched once: `count` is 1", problems);
        }
        value::positive_span(value, "`every`", problems)
    } else {
        if limit.count.is_none_or(|count| count == 1) && limit.until.is_none() {
            limit.count = Some(1);
        } else {
            fields.need("every", "\"1s\"", problems);
        }
        Some(Duration::from_secs(1))
    };
    let congestion = congestion_of(fields, problems);
    Some(Objects {
        pairs: pairs?,
        port: reading.port,
        over: over?,
        objects: small(objects?),
        bytes: size?,
        every: every?,
        limit,
        congestion,
    })
}

pub(super) fn ping(reading: &Reading<'_, '_>, problems: &mut Problems) -> Option<Ping> {
    let fields = reading.fields;
    let mut ping = no_pings();
    let pairs = reading.pairs(false, problems);
    ping.limit = reading.limit(problems);
    if let Some(value) = fields.get("every") {
        ping.every = value::positive_span(value, "`every`", problems)?;
    }
    if let Some(value) = fields.get("size") {
        ping.bytes = small(value::bytes(value, "`size`", 0..=MOST_DATAGRAM, problems)?);
    }
    if let Some(value) = fields.get("ttl") {
        ping.ttl = u8::try_from(value::whole(value, "`ttl`", 1..=255, problems)?).ok()?;
    }
    if let Some(value) = fields.get("timeout") {
        ping.timeout = value::positive_span(value, "`timeout`", problems)?;
    }
    ping.pairs = pairs?;
    Some(ping)
}

/// As the `ping` command: 56 bytes every second, TTL 64; an answer later than 10 s counts as none. Among nobody.
pub(super) const fn no_pings() -> Ping {
    Ping {
        pairs: Vec::new(),
        every: Duration::from_secs(1),
        limit: Limit::NONE,
        bytes: 56,
        ttl: 64,
        timeout: Duration::from_secs(10),
    }
}

pub(super) fn traceroute(reading: &Reading<'_, '_>, problems: &mut Problems) -> Option<Traceroute> {
    let fields = reading.fields;
    let pairs = reading.pairs(false, problems);
    // As `traceroute -I`: three probes of 60 bytes in all for each of at most 30 hops, 5 s each.
    let (mut max_ttl, mut probes, mut bytes, mut timeout) = (30, 3, 32, Duration::from_secs(5));
    if let Some(value) = fields.get("max_ttl") {
        max_ttl = u8::try_from(value::whole(value, "`max_ttl`", 1..=255, problems)?).ok()?;
    }
    if let Some(value) = fields.get("probes") {
        probes = small(value::whole(value, "`probes`", 1..=100, problems)?);
    }
    if let Some(value) = fields.get("size") {
        bytes = small(value::bytes(value, "`size`", 0..=MOST_DATAGRAM, problems)?);
    }
    if let Some(value) = fields.get("timeout") {
        timeout = value::positive_span(value, "`timeout`", problems)?;
    }
    Some(Traceroute { pairs: pairs?, max_ttl, probes, bytes, timeout })
}

fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
