//! An outcome as text for snapshot tests: integers and fixed decimals, one thing a line, nothing that differs from machine
//! to machine.

use crate::run::Outcome;
use crate::run::outcome::{DirectionOutcome, Latency, Resilience, SessionsOutcome, TrafficOutcome};
use indexmap::IndexMap;
use std::fmt::Write as _;

/// The snapshot. Times are milliseconds with six decimals, so every nanosecond shows; shares are percent with four. Phases,
/// drops and links of which there was nothing are left out.
#[must_use]
pub fn snapshot(outcome: &Outcome) -> String {
    let mut lines = Lines::default();
    lines.add(0, "scenario", &outcome.scenario);
    lines.add(0, "seed", &outcome.seed.to_string());
    lines.add(0, "model_version", &outcome.model_version.to_string());
    lines.add(0, "digest", &outcome.digest);
    lines.add(0, "simulated", &millis(outcome.simulated_ns));
    lines.add(0, "events", &outcome.events.to_string());
    lines.add(0, "packet_hops", &outcome.packet_hops.to_string());
    let packets = &outcome.packets;
    let mut fates = vec![
        format!("sent {}", packets.sent),
        format!("duplicated {}", packets.duplicated),
        format!("delivered {}", packets.delivered),
    ];
    fates.extend(packets.dropped.iter().map(|(cause, n)| format!("{cause} {n}")));
    fates.push(format!("in_flight {}", packets.in_flight));
    lines.add(0, "packets", &fates.join(", "));
    for (name, traffic) in &outcome.traffic {
        of_traffic(&mut lines, name, traffic);
    }
    for (name, server) in outcome.servers.iter().filter(|(_, server)| !server.turned_away.is_empty()) {
        let mut parts: Vec<String> = server.turned_away.iter().map(|(why, n)| format!("{why} {n}")).collect();
        parts.extend(server.limit.map(|limit| format!("limit {} to {}, last {}", limit.min, limit.max, limit.last)));
        lines.add(0, &format!("server {name}"), &format!("answered {}, {}", server.answered, parts.join(", ")));
    }
    for (name, link) in &outcome.links {
        for (from, to, direction) in [(&link.a, &link.b, &link.a_to_b), (&link.b, &link.a, &link.b_to_a)] {
            if direction.packets > 0 || !direction.drops.is_empty() {
                lines.add(0, &format!("link {name}"), &of_direction(from, to, direction));
            }
        }
    }
    for (name, balancer) in &outcome.balancers {
        for (backend, known) in &balancer.backends {
            let mut parts = vec![format!("sent {}", known.sent), format!("most_active {}", known.most_active)];
            parts.extend(
                [("again", known.again), ("active", known.active)]
                    .iter()
                    .filter(|part| part.1 > 0)
                    .map(|(what, n)| format!("{what} {n}")),
            );
            parts.extend(known.failed.iter().map(|(why, n)| format!("{why} {n}")));
            if known.probes > 0 {
                parts.push(format!("probes {}, failed {}", known.probes, known.probes_failed));
            }
            lines.add(0, &format!("balancer {name} > {backend}"), &parts.join(", "));
        }
        let refused: Vec<String> = balancer.refused.iter().map(|(why, n)| format!("{why} {n}")).collect();
        if !refused.is_empty() {
            lines.add(0, &format!("refused by {name}"), &refused.join(", "));
        }
    }
    for entry in &outcome.judgements {
        lines.add(0, &format!("at {}", entry.at_ns), &format!("{} {} {}", entry.who, entry.what, entry.subject));
    }
    for (node, drops) in &outcome.node_drops {
        let parts: Vec<String> = drops.iter().map(|(cause, n)| format!("{cause} {n}")).collect();
        lines.add(0, &format!("dropped by {node}"), &parts.join(", "));
    }
    for expectation in &outcome.expect {
        let verdict = if expectation.ok { "ok" } else { "FAILED" };
        lines.add(0, "expect", &format!("{verdict}: {} (measured {})", expectation.text, expectation.measured));
    }
    outcome.warnings.iter().for_each(|warning| lines.add(0, "warning", warning));
    lines.0
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, indent: usize, name: &str, value: &str) {
        let _ = writeln!(self.0, "{:indent$}{name}: {value}", "");
    }
}

fn of_traffic(lines: &mut Lines, name: &str, traffic: &TrafficOutcome) {
    let counts = &traffic.counts;
    let mut parts = vec![format!("started {}", counts.started), format!("ok {}", counts.ok)];
    if let Some(share) = traffic.ok_share {
        parts.push(format!("ok_share {}", percent(share.ppm())));
    }
    parts.extend(counts.failed_by.iter().map(|(why, n)| format!("{why} {n}")));
    parts.push(format!("unfinished {}", counts.unfinished));
    if counts.duplicates > 0 {
        parts.push(format!("duplicates {}", counts.duplicates));
    }
    lines.add(0, &format!("traffic {name}"), &parts.join(", "));
    if let Some(latency) = &traffic.latency_ns {
        lines.add(2, "latency", &of_latency(latency));
    }
    if traffic.useful_bytes > 0 {
        lines.add(2, "useful_bytes", &format!("{}, goodput_bps {}", traffic.useful_bytes, traffic.goodput_bps));
    }
    of_phases(lines, "phases", &traffic.phases_ns);
    if let Some(median) = &traffic.median {
        of_phases(lines, &format!("median #{}", median.number), &median.phases_ns);
    }
    if let Some(slowest) = &traffic.slowest {
        of_phases(lines, &format!("slowest {} from #{}", slowest.count, slowest.number), &slowest.phases_ns);
    }
    if let Some(resilience) = &traffic.resilience {
        let Resilience { tries, retries, saved_by_retry, hedges, saved_by_hedge, failed_tries, breaker } = resilience;
        let mut parts = vec![
            format!("tries {tries}, retries {retries}, saved_by_retry {saved_by_retry}"),
            format!("hedges {hedges}, saved_by_hedge {saved_by_hedge}"),
        ];
        parts.extend(failed_tries.iter().map(|(why, n)| format!("{why} {n}")));
        lines.add(2, "resilience", &parts.join(", "));
        for change in breaker {
            lines.add(2, &format!("breaker of {}", change.node), &format!("{} {}", millis(change.at_ns), change.state));
        }
    }
    if let Some(paid) = &traffic.payments {
        let counts = format!("charges {}, charged_again {}", paid.charges, paid.charged_again);
        let money = format!("owed_cents {}, charged_cents {}", paid.owed_cents, paid.charged_cents);
        lines.add(2, "payments", &format!("{counts}, {money}, charged_but_failed {}", paid.charged_but_failed));
    }
    if let Some(SessionsOutcome { begun, found, lost }) = traffic.sessions {
        lines.add(2, "sessions", &format!("begun {begun}, found {found}, lost {lost}"));
    }
    for (number, flow) in traffic.flows.iter().enumerate() {
        let end = if flow.finished { "finished" } else { "went on" };
        let text =
            format!("{} bytes in {}, goodput_bps {}, {end}", flow.bytes, millis(flow.active_ns), flow.goodput_bps);
        lines.add(2, &format!("flow {number}"), &text);
    }
    for hop in &traffic.hops {
        let latency = hop.latency_ns.as_ref().map_or_else(|| "no answer".into(), of_latency);
        lines.add(2, &format!("hop {} {}", hop.ttl, hop.answered_by.join(" ")), &latency);
    }
}

fn of_latency(latency: &Latency) -> String {
    let mut parts = vec![format!("count {}", latency.count), format!("min {}", millis(latency.min))];
    parts.push(format!("mean {}", millis(latency.mean)));
    for (name, value) in [("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p99.9", latency.p99_9)] {
        parts.extend(value.map(|nanos| format!("{name} {}", millis(nanos))));
    }
    parts.push(format!("max {}", millis(latency.max)));
    parts.join(", ")
}

fn of_phases(lines: &mut Lines, name: &str, phases: &IndexMap<String, u64>) {
    let taken = phases.iter().filter(|(_, nanos)| **nanos > 0);
    let parts: Vec<String> = taken.map(|(phase, &nanos)| format!("{phase} {}", millis(nanos))).collect();
    if !parts.is_empty() {
        lines.add(2, name, &parts.join(", "));
    }
}

fn of_direction(from: &str, to: &str, direction: &DirectionOutcome) -> String {
    let mut parts = vec![
        format!("{from} to {to} packets {}", direction.packets),
        format!("bytes {}", direction.bytes),
        format!("busy {}", percent(direction.utilisation.ppm())),
        format!("queue_max {} B", direction.queue.max_bytes),
        format!("queue_mean {} B", direction.queue.mean_bytes),
    ];
    parts.extend(direction.drops.iter().map(|(cause, n)| format!("{cause} {n}")));
    if direction.marks > 0 {
        parts.push(format!("marked {}", direction.marks));
    }
    parts.join(", ")
}

fn millis(nanos: u64) -> String {
    format!("{}.{:06} ms", nanos / 1_000_000, nanos % 1_000_000)
}

fn percent(ppm: u32) -> String {
    format!("{}.{:04}%", ppm / 10_000, ppm % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::run::outcome::Performance;

    #[test]
    fn a_snapshot_holds_every_nanosecond_and_no_wall_time() {
        let outcome = fixture::outcome([("pages", fixture::pages()), ("way", fixture::route())]);
        let text = snapshot(&outcome);
        insta::assert_snapshot!(text);
        let slower = Performance { wall_ns: 1, cpu_ns: 2 };
        assert_eq!(snapshot(&Outcome { performance: slower, ..outcome }), text);
    }
}
