//! Traffic in the summary: a line for each, what failed of it, and which servers turned requests away.

use super::detail::Detail;
use super::families::{Line, lines};
use super::{more, span};
use crate::base::BitRate;
use crate::report::style::Style;
use crate::report::table::{Align, Cell, Table, counted, grouped};
use crate::run::outcome::{Latency, Outcome, PaymentsOutcome, Resilience, Share, TrafficKind, TrafficOutcome};
use std::fmt::Write as _;

/// One line for each traffic of users, then what servers ask of others; families of many in one. Percentiles are left out where none can
/// be stated of any traffic.
pub(super) fn traffic(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let mut latencies = outcome.traffic.values().filter_map(|traffic| traffic.latency_ns);
    let percentiles = latencies.any(|latency| latency.p50.is_some());
    let columns = if percentiles { ["p50", "p90", "p99", "p99.9", "max"].as_slice() } else { &["min", "mean", "max"] };
    let head = ["traffic", "", "ok", ""].into_iter().zip([Align::Left, Align::Right, Align::Right, Align::Right]);
    let goodput = if outcome.traffic.values().any(|traffic| carries(traffic.kind)) { "goodput" } else { "" };
    let head = head.chain(columns.iter().map(|&name| (name, Align::Right))).chain([(goodput, Align::Right)]);
    let mut table = Table::new(head);
    let (calls, users): (Vec<_>, Vec<_>) = outcome.traffic.iter().partition(|(_, traffic)| traffic.called);
    let mut shown = lines(&users, detail.traffic, "others");
    shown.extend(lines(&calls, detail.calls, if calls.len() > detail.calls { "calls" } else { "more calls" }));
    for line in &shown {
        table.row(match line {
            Line::One(name, traffic) => one(name, traffic, percentiles),
            Line::Several(name, members) => several(name, members, percentiles),
        });
    }
    if table.is_empty() { String::new() } else { table.render(style) }
}

const fn carries(kind: TrafficKind) -> bool {
    !matches!(kind, TrafficKind::Echoes | TrafficKind::Route)
}

fn one(name: &str, traffic: &TrafficOutcome, percentiles: bool) -> Vec<Cell> {
    let mut row: Vec<Cell> = vec![
        Cell::painted(name, Style::bold),
        counted(traffic.counts.started, unit(traffic.kind).0, unit(traffic.kind).1).into(),
        grouped(traffic.counts.ok).into(),
        traffic.ok_share.map_or_else(Cell::default, |share| ok_share(share, traffic.kind)),
    ];
    match traffic.latency_ns {
        Some(latency) if percentiles => row.extend(percentile_cells(&latency)),
        Some(latency) => row.extend([latency.min, latency.mean, latency.max].map(|nanos| span(nanos).into())),
        None => row.extend((0..if percentiles { 5 } else { 3 }).map(|_| Cell::from("-"))),
    }
    row.push(if carries(traffic.kind) { rate(traffic.goodput_bps).into() } else { Cell::default() });
    row
}

/// Counts are added up; of latencies, the least and the most of the members' own.
fn several(name: &str, members: &[&TrafficOutcome], percentiles: bool) -> Vec<Cell> {
    let sum = |of: fn(&TrafficOutcome) -> u64| members.iter().map(|traffic| of(traffic)).sum::<u64>();
    let (started, ok) = (sum(|traffic| traffic.counts.started), sum(|traffic| traffic.counts.ok));
    let kind = members.first().map_or(TrafficKind::Requests, |traffic| traffic.kind);
    let alike = members.iter().all(|traffic| traffic.kind == kind);
    let of = if kind == TrafficKind::Messages { started } else { ok + sum(|traffic| traffic.counts.failed) };
    let share = Share::of(ok, of).filter(|_| alike);
    let mut row: Vec<Cell> = vec![
        Cell::painted(name, Style::bold),
        if alike { counted(started, unit(kind).0, unit(kind).1).into() } else { grouped(started).into() },
        grouped(ok).into(),
        share.map_or_else(Cell::default, |share| ok_share(share, kind)),
    ];
    let range = |of: fn(&Latency) -> Option<u64>| {
        let all = || members.iter().filter_map(|traffic| traffic.latency_ns.as_ref().and_then(of));
        match all().min().zip(all().max()) {
            None => Cell::painted("too few", Style::dim),
            Some((least, most)) if span(least) == span(most) => span(most).into(),
            Some((least, most)) => format!("{} - {}", span(least), span(most)).into(),
        }
    };
    let columns: &[fn(&Latency) -> Option<u64>] = if percentiles {
        &[|at| at.p50, |at| at.p90, |at| at.p99, |at| at.p99_9, |at| Some(at.max)]
    } else {
        &[|at| Some(at.min), |at| Some(at.mean), |at| Some(at.max)]
    };
    row.extend(columns.iter().map(|&of| range(of)));
    row.push(if carries(kind) { rate(sum(|traffic| traffic.goodput_bps)).into() } else { Cell::default() });
    row
}

fn rate(bps: u64) -> String {
    BitRate::from_bps(bps).map_or_else(|| "-".into(), |rate| rate.to_string())
}

fn percentile(nanos: Option<u64>) -> Cell {
    nanos.map_or_else(|| Cell::painted("too few", Style::dim), |nanos| span(nanos).into())
}

fn ok_share(share: Share, kind: TrafficKind) -> Cell {
    let text = share.to_string();
    // A lost datagram or an unanswered probe is life; a failed request is not.
    let alarming = share.ppm() < 1_000_000 && kind == TrafficKind::Requests;
    if alarming { Cell::painted(text, Style::warn) } else { text.into() }
}

fn percentile_cells(latency: &Latency) -> [Cell; 5] {
    let Latency { p50, p90, p99, p99_9, max, .. } = *latency;
    [percentile(p50), percentile(p90), percentile(p99), percentile(p99_9), span(max).into()]
}

pub(super) const fn unit(kind: TrafficKind) -> (&'static str, &'static str) {
    match kind {
        TrafficKind::Requests => ("request", "requests"),
        TrafficKind::Messages => ("message", "messages"),
        TrafficKind::Echoes => ("echo", "echoes"),
        TrafficKind::Route => ("probe", "probes"),
        TrafficKind::Bulk => ("transfer", "transfers"),
    }
}

/// One line for each traffic of which not all ended well.
pub(super) fn failures(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let mut text = String::new();
    let (mut shown, mut left) = (0, 0);
    let (calls, users): (Vec<_>, Vec<_>) = outcome.traffic.iter().partition(|(_, traffic)| traffic.called);
    // A hop that keeps silent is shown with the route.
    for (name, traffic) in users.into_iter().chain(calls).filter(|(_, traffic)| traffic.kind != TrafficKind::Route) {
        let counts = &traffic.counts;
        let mut parts = Vec::new();
        if counts.failed > 0 {
            let by: Vec<String> =
                counts.failed_by.iter().map(|(why, n)| format!("{} {}", grouped(*n), why.replace('_', " "))).collect();
            parts.push(style.warn(&format!("{} failed", grouped(counts.failed))) + &format!(" ({})", by.join(", ")));
        }
        if let Some(resilience) = &traffic.resilience {
            parts.extend(efforts(resilience));
        }
        if let Some(paid) = &traffic.payments {
            parts.push(money(paid, style));
        }
        if let Some(sessions) = &traffic.sessions {
            let lost = format!("{} lost", grouped(sessions.lost));
            let lost = if sessions.lost > 0 { style.bad(&lost) } else { lost };
            parts.push(format!("{lost} of {}", counted(sessions.begun, "session", "sessions")));
        }
        if counts.unfinished > 0 {
            let what = match traffic.kind {
                TrafficKind::Messages => "never arrived",
                TrafficKind::Bulk => "went on when the run ended",
                _ => "had no answer when the run ended",
            };
            parts.push(format!("{} {what}", grouped(counts.unfinished)));
        }
        if counts.duplicates > 0 {
            parts.push(format!("{} arrived more than once", grouped(counts.duplicates)));
        }
        if parts.is_empty() {
            continue;
        }
        if shown == detail.failures {
            left += 1;
            continue;
        }
        shown += 1;
        let _ = writeln!(text, "{name}: {}", parts.join(", "));
    }
    text + &more(style, left, "traffic with something to say", "kinds of traffic with something to say")
}

/// What was taken, and what should have been.
fn money(paid: &PaymentsOutcome, style: Style) -> String {
    let amount = |cents: u64| format!("{}.{:02}", grouped(cents / 100), cents % 100);
    let taken = format!("charged {} of {} owed", amount(paid.charged_cents), amount(paid.owed_cents));
    if paid.charged_again == 0 {
        return taken;
    }
    style.bad(&format!("{taken}, {} again", counted(paid.charged_again, "payment", "payments")))
}

/// What retries, hedges and breakers did.
fn efforts(resilience: &Resilience) -> Vec<String> {
    let mut parts = Vec::new();
    if resilience.retries > 0 {
        let saved = grouped(resilience.saved_by_retry);
        parts.push(format!("{} ({saved} of use)", counted(resilience.retries, "retry", "retries")));
    }
    if resilience.hedges > 0 {
        let saved = grouped(resilience.saved_by_hedge);
        parts.push(format!("{} ({saved} of use)", counted(resilience.hedges, "hedge", "hedges")));
    }
    let opened = || resilience.breaker.iter().filter(|change| change.state == "open");
    if let Some(first) = opened().next() {
        let times = counted(opened().count() as u64, "time", "times");
        parts.push(format!("breaker opened {times}, first at {}", span(first.at_ns)));
    }
    parts
}

/// One line for each server that turned requests away.
pub(super) fn servers(outcome: &Outcome, detail: &Detail) -> String {
    let mut text = String::new();
    let turned = outcome.servers.iter().filter(|(_, server)| !server.turned_away.is_empty());
    let all = turned.clone().count();
    for (name, server) in turned.take(detail.servers) {
        let by: Vec<String> =
            server.turned_away.iter().map(|(why, n)| format!("{} {}", grouped(*n), why.replace('_', " "))).collect();
        let _ = writeln!(text, "{name}: {} answered, turned away {}", grouped(server.answered), by.join(", "));
    }
    if all > detail.servers {
        let _ = writeln!(
            text,
            "and {} more turned requests away",
            counted((all - detail.servers) as u64, "server", "servers")
        );
    }
    text
}
