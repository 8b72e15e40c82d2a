//! From what the observers saw and the links counted to an [`Outcome`].

use super::balancing::JudgementOutcome;
use super::outcome::{
    BreakerChange, Counts, DirectionOutcome, Expectation, FlowOutcome, HopOutcome, Latency, LimitOutcome, LinkOutcome,
    MODEL_VERSION, Outcome, Packets, PaymentsOutcome, Performance, QueueOutcome, Resilience, ServerOutcome,
    SessionsOutcome, Share, Slowest, Specimen, TrafficKind, TrafficOutcome,
};
use super::timeline::StrikeOutcome;
use crate::base::{Digest, Span};
use crate::link::Counters;
use crate::observe::metrics::{Efforts, Flow, Hop, Served, Sessions, bits_per_second};
use crate::observe::{Kind, Percentile, Phase, Sorted, Traffic};
use crate::trace::{Cause, Tripped};
use indexmap::IndexMap;

/// Drops by cause, in the order of [`Cause::ALL`].
pub type Drops = [u64; Cause::ALL.len()];

/// What a run knows of itself when it has ended.
#[derive(Debug)]
pub struct Ended {
    /// Name of the scenario.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// Fingerprint of what happened.
    pub digest: Digest,
    /// How long it was, in simulated time.
    pub simulated: Span,
    /// Events handled.
    pub events: u64,
    /// Packets crossing a link.
    pub packet_hops: u64,
    /// What it cost.
    pub performance: Performance,
    /// Packets made by hosts and routers.
    pub packets_sent: u64,
    /// Of those, packets that carried something again.
    pub packets_retransmitted: u64,
    /// Of these, those of QUIC.
    pub packets_retransmitted_quic: u64,
    /// Packets made by links that duplicate.
    pub packets_duplicated: u64,
    /// Packets taken in by hosts.
    pub packets_delivered: u64,
    /// Packets under way.
    pub packets_in_flight: u64,
    /// Packets that each node dropped: its name and its drops, in the plan's order; drops on links are in `links`.
    pub nodes: Vec<(String, Drops)>,
    /// What its servers did, in the plan's order: name, workers and the rest.
    pub servers: Vec<(String, usize, Served)>,
    /// What its links counted, in the plan's order.
    pub links: Vec<LinkCounters>,
    /// The strikes of its faults.
    pub timeline: Vec<StrikeOutcome>,
    /// The expectations, judged.
    pub expect: Vec<Expectation>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// What a link counted.
#[derive(Clone, Debug, Default)]
pub struct LinkCounters {
    /// Its name in the scenario.
    pub name: String,
    /// Name of its first end.
    pub a: String,
    /// Name of its second end.
    pub b: String,
    /// From the first to the second.
    pub a_to_b: Counters,
    /// From the second to the first.
    pub b_to_a: Counters,
}

/// Puts together what a run came to.
#[must_use]
pub fn summarise(ended: Ended, traffic: &[Traffic]) -> Outcome {
    let simulated = ended.simulated;
    let mut dropped = Drops::default();
    let on_links = ended.links.iter().flat_map(|link| [&link.a_to_b.dropped, &link.b_to_a.dropped]);
    for drops in on_links.chain(ended.nodes.iter().map(|(_, drops)| drops)) {
        dropped.iter_mut().zip(drops).for_each(|(total, n)| *total += n);
    }
    let names: Vec<&str> = ended.nodes.iter().map(|(name, _)| name.as_str()).collect();
    Outcome {
        scenario: ended.scenario,
        seed: ended.seed,
        digest: ended.digest.to_string(),
        model_version: MODEL_VERSION,
        simulated_ns: simulated.as_nanos(),
        events: ended.events,
        packet_hops: ended.packet_hops,
        performance: ended.performance,
        packets: Packets {
            sent: ended.packets_sent,
            retransmitted: ended.packets_retransmitted,
            retransmitted_quic: ended.packets_retransmitted_quic,
            duplicated: ended.packets_duplicated,
            delivered: ended.packets_delivered,
            dropped: by_cause(&dropped),
            in_flight: ended.packets_in_flight,
        },
        traffic: traffic.iter().map(|traffic| (traffic.plan.name.clone(), of_traffic(traffic, &names))).collect(),
        servers: ended
            .servers
            .iter()
            .map(|(name, workers, served)| (name.clone(), server(served, *workers, simulated)))
            .collect(),
        balancers: IndexMap::new(),
        judgements: Vec::new(),
        links: ended
            .links
            .into_iter()
            .map(|link| {
                let (a_to_b, b_to_a) = (direction(&link.a_to_b, simulated), direction(&link.b_to_a, simulated));
                (link.name, LinkOutcome { a: link.a, b: link.b, a_to_b, b_to_a })
            })
            .collect(),
        node_drops: ended
            .nodes
            .into_iter()
            .map(|(name, drops)| (name, by_cause(&drops)))
            .filter(|(_, drops)| !drops.is_empty())
            .collect(),
        timeline: ended.timeline,
        stores: IndexMap::new(),
        edges: IndexMap::new(),
        purges: Vec::new(),
        anycast: IndexMap::new(),
        registries: IndexMap::new(),
        moves: Vec::new(),
        series: None,
        expect: ended.expect,
        warnings: ended.warnings,
    }
}

/// What one traffic came to; `names` are those of the nodes, by their number in the plan.
#[must_use]
pub fn of_traffic(traffic: &Traffic, names: &[&str]) -> TrafficOutcome {
    let sorted = traffic.samples.sorted();
    let samples = traffic.samples.as_slice();
    let median = traffic.median(&sorted).map(|index| Specimen {
        number: traffic.number(index),
        latency_ns: samples[index].latency.as_nanos(),
        phases_ns: named(traffic.budget(index).iter()),
    });
    let slowest = traffic.slowest();
    let slowest = slowest.first().map(|&first| Slowest {
        count: slowest.len() as u64,
        number: traffic.number(first),
        latency_ns: slowest.iter().map(|&index| samples[index].latency).sum::<Span>().as_nanos(),
        phases_ns: named(traffic.total(slowest.iter().copied()).into_iter()),
    });
    let outcome = TrafficOutcome {
        kind: kind(traffic.plan.kind),
        called: traffic.plan.called,
        counts: Counts {
            started: traffic.counts.started,
            ok: traffic.counts.ok,
            failed: traffic.counts.failures(),
            unfinished: traffic.counts.unfinished(),
            duplicates: traffic.counts.duplicates,
            failed_by: traffic.counts.failed.iter().map(|(why, &n)| (why.name().to_owned(), n)).collect(),
        },
        ok_share: traffic.ok_of().and_then(|(ok, whole)| Share::of(ok, whole)),
        latency_ns: latency(&sorted),
        light_floor_ns: traffic.plan.light_floor.map(Span::as_nanos),
        useful_bytes: traffic.bytes,
        goodput_bps: traffic.goodput_bps(),
        phases_ns: named(traffic.totals()),
        median,
        slowest,
        flows: traffic.flows.iter().flatten().map(flow).collect(),
        hops: traffic.hops.iter().map(|(&ttl, seen)| hop(ttl, seen)).collect(),
        resilience: resilience(traffic, names),
        payments: payments(traffic),
        sessions: sessions(traffic),
    };
    debug_assert_eq!(outcome.phases_ns.values().sum::<u64>(), outcome.latency_ns.map_or(0, |latency| latency.sum));
    outcome
}

/// What was done about failures, where anything was to be done.
fn resilience(traffic: &Traffic, names: &[&str]) -> Option<Resilience> {
    let Efforts { tries, retries, saved, hedges, hedges_won, failed, tripped } = &traffic.efforts;
    let breaker = |tripped: &Tripped| BreakerChange {
        at_ns: tripped.time.as_nanos(),
        node: names.get(tripped.node as usize).map_or_else(String::new, |&name| name.to_owned()),
        state: tripped.circuit.name().to_owned(),
    };
    (traffic.plan.tries_again || !tripped.is_empty()).then(|| Resilience {
        tries: *tries,
        retries: *retries,
        saved_by_retry: *saved,
        hedges: *hedges,
        saved_by_hedge: *hedges_won,
        failed_tries: failed.iter().map(|(why, &n)| (why.name().to_owned(), n)).collect(),
        breaker: tripped.iter().map(breaker).collect(),
    })
}

/// Puts the changes of circuit breakers among the judgements.
pub(super) fn breakers(outcome: &mut Outcome) {
    for (name, traffic) in &outcome.traffic {
        let changes = traffic.resilience.iter().flat_map(|resilience| &resilience.breaker);
        outcome.judgements.extend(changes.map(|change| JudgementOutcome {
            at_ns: change.at_ns,
            who: change.node.clone(),
            what: format!("breaker_{}", change.state),
            subject: name.clone(),
        }));
    }
    outcome.judgements.sort_by_key(|entry| entry.at_ns);
}

/// What was paid, where anything was to be paid.
fn payments(traffic: &Traffic) -> Option<PaymentsOutcome> {
    let payments = &traffic.payments;
    let (charged_cents, owed_cents) = payments.cents();
    traffic.plan.pays.then(|| PaymentsOutcome {
        charges: payments.charges(),
        charged_again: payments.charges() - payments.charged.len() as u64,
        owed_cents,
        charged_cents,
        charged_but_failed: payments.charged_but_failed(),
    })
}

/// What became of sessions, where there are any.
fn sessions(traffic: &Traffic) -> Option<SessionsOutcome> {
    let Sessions { begun, found, lost } = traffic.sessions;
    traffic.plan.sessions.then_some(SessionsOutcome { begun, found, lost })
}

fn server(served: &Served, workers: usize, simulated: Span) -> ServerOutcome {
    let all = simulated.as_nanos().saturating_mul(workers as u64);
    ServerOutcome {
        answered: served.answered,
        turned_away: served.turned_away.iter().map(|(why, &n)| (why.name().to_owned(), n)).collect(),
        busy: Share::of(served.worked.as_nanos(), all).unwrap_or_default(),
        limit: served.limit.map(|(min, max, last)| LimitOutcome { min, max, last }),
        mean_queue_wait_ns: served.queued.as_nanos().checked_div(served.answered).unwrap_or(0),
    }
}

const fn kind(kind: Kind) -> TrafficKind {
    match kind {
        Kind::Requests => TrafficKind::Requests,
        Kind::Messages => TrafficKind::Messages,
        Kind::Echoes => TrafficKind::Echoes,
        Kind::Route => TrafficKind::Route,
        Kind::Bulk | Kind::Transfer => TrafficKind::Bulk,
    }
}

pub(super) fn latency(sorted: &Sorted) -> Option<Latency> {
    let percentile = |percentile| sorted.percentile(percentile).map(Span::as_nanos);
    Some(Latency {
        count: sorted.count() as u64,
        min: sorted.min()?.as_nanos(),
        mean: sorted.mean()?.as_nanos(),
        p50: percentile(Percentile::P50),
        p90: percentile(Percentile::P90),
        p99: percentile(Percentile::P99),
        p99_9: percentile(Percentile::P99_9),
        max: sorted.max()?.as_nanos(),
        sum: sorted.sum().as_nanos(),
    })
}

fn named(phases: impl Iterator<Item = (Phase, Span)>) -> IndexMap<String, u64> {
    phases.map(|(phase, span)| (phase.name().to_owned(), span.as_nanos())).collect()
}

fn flow(flow: &Flow) -> FlowOutcome {
    let active = flow.time.since(flow.began);
    FlowOutcome {
        bytes: flow.bytes,
        began_ns: flow.began.as_nanos(),
        active_ns: active.as_nanos(),
        goodput_bps: bits_per_second(flow.bytes, active),
        finished: flow.finished,
    }
}

fn hop(ttl: u8, hop: &Hop) -> HopOutcome {
    HopOutcome {
        ttl,
        sent: hop.sent,
        answered_by: hop.answered_by.iter().map(ToString::to_string).collect(),
        reached: hop.reached,
        latency_ns: latency(&hop.samples.sorted()),
    }
}

fn by_cause(drops: &Drops) -> IndexMap<String, u64> {
    Cause::ALL.iter().zip(drops).filter(|&(_, &n)| n > 0).map(|(cause, &n)| (cause.name().to_owned(), n)).collect()
}

fn direction(counters: &Counters, simulated: Span) -> DirectionOutcome {
    let mean = counters.queue_integral.checked_div(u128::from(simulated.as_nanos())).unwrap_or(0);
    DirectionOutcome {
        packets: counters.sent,
        bytes: counters.sent_bytes,
        drops: by_cause(&counters.dropped),
        marks: counters.marked,
        utilisation: Share::of(counters.busy.as_nanos(), simulated.as_nanos()).unwrap_or_default(),
        queue: QueueOutcome { max_bytes: counters.max_queue, mean_bytes: u64::try_from(mean).unwrap_or(u64::MAX) },
    }
}
