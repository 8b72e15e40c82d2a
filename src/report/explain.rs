//! One request, message or echo explained: what it was, a waterfall of its phases, and their exact sum.

use super::style::Style;
use super::table::{Align, Cell, Table, counted, grouped};
use crate::base::Span;
use crate::observe::fetches::Fetch;
use crate::observe::parts::{End, Part, What};
use crate::observe::roaming::Migration;
use crate::observe::waterfall::{Bar, bars};
use crate::observe::{Case, Phase, Story};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Columns of the waterfall.
const BARS: u64 = 38;

/// What the words need to know besides the case itself.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Name of the traffic.
    pub traffic: &'a str,
    /// Names of the nodes, by their number in the plan.
    pub nodes: &'a [String],
    /// Names of all traffic, by its number in the plan.
    pub traffics: &'a [&'a str],
    /// Light in fiber between the two ends.
    pub light_floor: Option<Span>,
    /// With colour or without.
    pub style: Style,
}

/// The explanation, a dozen lines or two: with each try where there were several, and with what the server asked of others.
#[must_use]
pub fn explain(case: &Case, (tries, calls): &(Vec<Part>, Vec<Part>), context: Context<'_>) -> String {
    let style = context.style;
    let mut text = heading(case, context);
    for part in tries.iter().take(LINES) {
        text.push_str(&line(part, context));
    }
    text.push_str(&rest(tries.len(), ""));
    let bars = bars(&case.budget());
    if bars.is_empty() {
        return text;
    }
    let mut table = Table::new([
        ("phase", Align::Left),
        ("from ms", Align::Right),
        ("took ms", Align::Right),
        ("share", Align::Right),
        ("", Align::Left),
    ])
    .indented(2);
    let total = case.latency().as_nanos().max(1);
    for bar in &bars {
        table.row([
            words(bar.phase).into(),
            millis(bar.start).into(),
            millis(bar.length).into(),
            share(bar.length.as_nanos(), total).into(),
            Cell::painted(drawn(bar, total), Style::bar),
        ]);
    }
    table.row([
        Cell::painted("total", Style::bold),
        Cell::default(),
        Cell::painted(millis(case.latency()), Style::bold),
        share(total, total).into(),
    ]);
    let _ = write!(text, "\n{}", table.render(style));
    text.push_str(&call_lines(calls, context));
    text.push_str(&light(case, context));
    text
}

/// Tries shown; of more, the rest is counted. The same of calls.
const LINES: usize = 8;

fn rest(all: usize, what: &str) -> String {
    let more = all.saturating_sub(LINES) as u64;
    if more == 0 { String::new() } else { format!("  and {} more{what}\n", grouped(more)) }
}

/// Two lines for each fetch of the edges behind the one that answered: what it was, and where its time went.
#[must_use]
pub fn fetched(case: &Case, fetches: &[Fetch], context: Context<'_>) -> String {
    let node = |node: u32| context.nodes.get(node as usize).map_or("?", String::as_str);
    let mut text = String::new();
    for (depth, fetch) in fetches.iter().enumerate() {
        let indent = "  ".repeat(depth);
        let from = fetch.from.map_or_else(String::new, |from| format!(" from {}", node(from)));
        let when = if fetch.start < case.start {
            format!("{} ms before", millis(case.start - fetch.start))
        } else {
            format!("at {} ms", millis(fetch.start - case.start))
        };
        let end = match fetch.failure {
            Some(why) => format!("failed: {}", why.name().replace('_', " ")),
            None => format!("answered {}", fetch.status),
        };
        let shared = if fetch.shared { ", for another request too" } else { "" };
        let _ = writeln!(
            text,
            "{indent}{} fetched it{from}, {when}, for {} ms{shared}: {end}",
            node(fetch.by),
            millis(fetch.took)
        );
        let phases: Vec<String> =
            bars(&fetch.budget()).iter().map(|bar| format!("{} {}", words(bar.phase), millis(bar.length))).collect();
        if !phases.is_empty() {
            let _ = writeln!(text, "{indent}  {}", phases.join(" + "));
        }
    }
    text
}

/// A line for each time that the connection moved to another address; `via` names the router on the link of an address of a node.
#[must_use]
pub fn moved(case: &Case, moves: &[Migration], via: impl Fn(u32, Ipv4Addr) -> String) -> String {
    let mut text = String::new();
    for moved in moves {
        let when = if moved.at < case.start {
            format!("{} ms before", millis(case.start - moved.at))
        } else {
            format!("at {} ms", millis(moved.at - case.start))
        };
        let _ = writeln!(
            text,
            "the connection migrated to {} via {} {when}; its path was validated after {} ms",
            moved.to,
            via(moved.node, moved.to),
            millis(moved.validated_after)
        );
    }
    text
}

/// One line for each call of the server; the slowest of them if there are many.
fn call_lines(calls: &[Part], context: Context<'_>) -> String {
    if calls.is_empty() {
        return String::new();
    }
    let passed = calls.iter().filter(|part| matches!(part.what, What::Passed { .. })).count();
    let asked = (calls.len() - passed) as u64;
    let mut text = match (passed, asked) {
        (0, n) => format!("its server's {}:\n", counted(n, "call", "calls")),
        (_, 0) => "behind it:\n".to_owned(),
        (_, n) => format!("behind it, with {}:\n", counted(n, "call", "calls")),
    };
    let mut order: Vec<usize> = (0..calls.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(calls[index].took), index));
    order.truncate(LINES);
    order.sort_unstable();
    order.iter().for_each(|&index| text.push_str(&line(&calls[index], context)));
    text + &rest(calls.len(), ", all of them faster")
}

/// One try or call.
fn line(part: &Part, context: Context<'_>) -> String {
    let what = match part.what {
        What::Try { index, hedge } => format!("try {}{}", index + 1, if hedge { " (hedge)" } else { "" }),
        What::Dead { exchange, .. } => {
            format!("on a connection kept after {}", counted(exchange.into(), "request", "requests"))
        }
        What::Passed { to } => format!("passed on to {}", context.nodes.get(to as usize).map_or("?", String::as_str)),
        What::Call { traffic, number } => {
            format!("{} #{number}", context.traffics.get(traffic as usize).copied().unwrap_or("?"))
        }
    };
    let end = match part.end {
        End::Answered(status) => format!("answered {status}"),
        End::Failed(why) => format!("failed: {}", why.replace('_', " ")),
        End::Overtaken => "given up: another try was answered".to_owned(),
    };
    let timers = match part.what {
        What::Dead { timeouts: timeouts @ 1.., .. } => {
            format!(", after {}", counted(timeouts.into(), "retransmission timeout", "retransmission timeouts"))
        }
        _ => String::new(),
    };
    format!("  {what} from {} ms, for {} ms: {end}{timers}\n", millis(part.start), millis(part.took))
}

fn heading(case: &Case, context: Context<'_>) -> String {
    let style = context.style;
    let node = |node: u32| context.nodes.get(node as usize).map_or("?", String::as_str);
    let name = style.bold(&format!("{} #{}", context.traffic, case.number));
    let verdict = case
        .failure
        .map_or_else(|| style.good("ok"), |why| style.bad(&format!("failed: {}", why.name().replace('_', " "))));
    let mut text = format!("{name}   {verdict} after {}   began at {}\n", case.latency(), case.start);
    match &case.story {
        Story::Request(request, exchange, lookup) => {
            let _ = write!(text, "asked by {}", node(request.node));
            if let Some(exchange) = exchange {
                let _ = write!(text, ", served by {}", node(exchange.node));
            }
            if request.tries > 1 {
                let _ = write!(text, " in {} tries", request.tries);
            }
            if request.status > 0 {
                let _ = write!(text, ", status {}, {}", request.status, counted(request.body, "byte", "bytes"));
            }
            if let Some(lookup) = lookup {
                let _ = match lookup.of.tries() {
                    Some(tries) => {
                        write!(text, "; name lookup in {}", counted(u64::from(tries), "datagram", "datagrams"))
                    }
                    None => write!(text, "; waited for the registry's first list"),
                };
            }
            if request.exchange > 0 {
                let _ = write!(text, "; number {} on its connection", request.exchange + 1);
            }
            text.push('\n');
        }
        Story::Message(message) => {
            let _ = writeln!(text, "one way, {}", counted(message.bytes, "byte", "bytes"));
        }
        Story::Echo(echo) => {
            let whom = echo.answer.map_or_else(|| "nobody".into(), |(address, _)| address.to_string());
            let _ = writeln!(text, "ttl {}, answered by {whom}", echo.ttl);
        }
    }
    text
}

/// How far it is from what light would allow.
fn light(case: &Case, context: Context<'_>) -> String {
    let Some(floor) = context.light_floor.filter(|floor| !floor.is_zero()) else { return String::new() };
    let way = if matches!(case.story, Story::Message(_)) { "one way" } else { "round trip" };
    let times = case.latency().as_nanos() as f64 / floor.as_nanos() as f64;
    format!("light in fiber on the great circle: {floor} {way}; this took {times:.2} times that\n")
}

/// Milliseconds with six decimals: every nanosecond.
fn millis(span: Span) -> String {
    let nanos = span.as_nanos();
    format!("{}.{:06}", nanos / 1_000_000, nanos % 1_000_000)
}

fn share(part: u64, whole: u64) -> String {
    let permille = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    format!("{}.{}%", permille / 10, permille % 10)
}

/// A bar at its place; at least a dot.
fn drawn(bar: &Bar, total: u64) -> String {
    let place = |nanos: u64| u128::from(nanos) * u128::from(BARS) / u128::from(total);
    let from = place(bar.start.as_nanos());
    let to = place((bar.start + bar.length).as_nanos());
    let columns = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
    let indent = usize::try_from(from.min(u128::from(BARS) - 1)).unwrap_or(0);
    let mark = if columns == 0 { ".".into() } else { "#".repeat(columns) };
    format!("{:indent$}{mark}", "")
}

/// What a phase is called on the screen.
const fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Held => "held by a bulkhead",
        Phase::Backoff => "backoff",
        Phase::EarlierTries => "earlier tries",
        Phase::DeadConnection => "on a dead connection",
        Phase::Dns => "name lookup",
        Phase::Connect => "connecting",
        Phase::Tls => "TLS handshake",
        Phase::ReadFirst => "reads first",
        Phase::RequestWait => "request waits in sender",
        Phase::RequestRecovery => "request lost, sent again",
        Phase::RequestSerialisation => "request serialised",
        Phase::RequestQueueing => "request queued",
        Phase::RequestPropagation => "request propagates",
        Phase::RequestReorderWait => "request waits for earlier",
        Phase::ServerQueue => "waits for a worker",
        Phase::ServerCalls => "server's calls",
        Phase::ServerCoreWait => "shares cores",
        Phase::ServerWork => "server works",
        Phase::Unobserved => "answered unobserved",
        Phase::ResponseWait => "response waits in sender",
        Phase::ResponseRecovery => "response lost, sent again",
        Phase::ResponseSerialisation => "response serialised",
        Phase::ResponseQueueing => "response queued",
        Phase::ResponsePropagation => "response propagates",
        Phase::ResponseReorderWait => "response waits for earlier",
        Phase::ReadWait => "waits for its reader",
        Phase::Unanswered => "no answer",
        Phase::SenderWait => "waits in sender",
        Phase::Recovery => "lost, sent again",
        Phase::Serialisation => "serialised",
        Phase::Queueing => "queued",
        Phase::Propagation => "propagates",
        Phase::ReorderWait => "waits for earlier",
        Phase::Turnaround => "turned round",
        Phase::Transfer => "transfer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_lies_where_its_phase_lies() {
        let bar =
            |start, length| Bar { phase: Phase::Dns, start: Span::from_nanos(start), length: Span::from_nanos(length) };
        assert_eq!(drawn(&bar(0, 100), 100), "#".repeat(38));
        assert_eq!(drawn(&bar(50, 50), 100), format!("{}{}", " ".repeat(19), "#".repeat(19)));
        // Too short for a column, at either end.
        assert_eq!(drawn(&bar(0, 1), 100), ".");
        assert_eq!(drawn(&bar(100, 0), 100), format!("{}.", " ".repeat(37)));
    }

    #[test]
    fn shares_are_rounded_to_a_tenth_of_a_percent() {
        assert_eq!(share(1, 3), "33.3%");
        assert_eq!(share(1, 1), "100.0%");
        assert_eq!(share(1, 3000), "0.0%");
        assert_eq!(millis(Span::from_nanos(1_234_567)), "1.234567");
    }
}
