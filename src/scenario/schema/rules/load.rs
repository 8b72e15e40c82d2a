//! Offered load against what links and servers carry.

use super::super::Problems;
use super::super::paths::{Paths, Tree};
use super::end;
use crate::base::{BitRate, Span, Time};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Carrier, Http, NodeKind, Plan, Traffic, TrafficKind};
use crate::service::carrier::Over;
use crate::service::client::Arrivals;
use crate::service::server;
use std::collections::BTreeMap;

/// Bytes of headers per datagram (IP and UDP) and per segment (IP, TCP and its timestamps).
const UDP_HEADERS: u64 = 28;
const TCP_HEADERS: u64 = 52;
/// IPv4, UDP, a short header with an eight-byte connection id, the header of a STREAM frame, the tag.
const QUIC_HEADERS: u64 = 28 + 11 + 4 + 16;
/// Above so many steps the ways are not looked for: `check` should answer at once.
const MOST_STEPS: usize = 20_000_000;

/// Bits per second offered to a direction of a link: its index, and whether it leads from its first end.
type Loads = BTreeMap<(u32, bool), f64>;

/// Bits per second from one node to another.
struct Stream {
    from: u32,
    to: u32,
    bps: f64,
}

pub(super) fn check(plan: &Plan, paths: &Paths<'_>, problems: &mut Problems) {
    let steady: Vec<(&Traffic, Vec<Stream>)> = plan
        .traffic
        .iter()
        .map(|traffic| (traffic, streams(traffic, plan)))
        .filter(|(_, all)| !all.is_empty())
        .collect();
    servers(plan, problems);
    let steps = steady.iter().map(|(_, streams)| streams.len()).sum::<usize>().saturating_mul(plan.nodes.len());
    if steps > MOST_STEPS {
        return;
    }
    let mut trees: BTreeMap<u32, Tree> = BTreeMap::new();
    let loads: Vec<(&Traffic, Loads)> =
        steady.into_iter().map(|(traffic, streams)| (traffic, spread(&streams, plan, paths, &mut trees))).collect();
    for (traffic, _) in &loads {
        let now = traffic.start;
        let mut sum = Loads::new();
        for (other, load) in &loads {
            if other.start <= now && now < end(other, plan) {
                load.iter().for_each(|(&way, bps)| *sum.entry(way).or_default() += bps);
            }
        }
        let worst = sum.into_iter().map(|((link, forward), bps)| {
            let rate = plan.links[link as usize].directions[usize::from(!forward)].rate;
            (bps / rate.as_bps() as f64, link, bps, rate)
        });
        if let Some((share, link, bps, rate)) = worst.max_by(|left, right| left.0.total_cmp(&right.0))
            && share > 1.0
        {
            let link = &plan.links[link as usize];
            problems.add(
                Diagnostic::warning(
                    Code::Overload,
                    traffic.declared,
                    format!("`{}` is offered {} and carries {rate}", link.name, shown(bps)),
                )
                .label("with what this traffic adds")
                .also(link.declared, "this link")
                .help("give the link a higher `rate`, or send less"),
            );
            return;
        }
    }
}

/// The rate for display.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "loads are positive and shown with three digits"
)]
fn shown(bps: f64) -> String {
    BitRate::from_bps(bps as u64).unwrap_or(BitRate::MAX).to_string()
}

/// The steady streams of an open loop; what adapts to the network overloads nothing.
fn streams(traffic: &Traffic, plan: &Plan) -> Vec<Stream> {
    match &traffic.kind {
        TrafficKind::Messages(messages) => {
            let headers = match messages.carrier {
                Carrier::Udp => UDP_HEADERS,
                Carrier::Tcp { .. } => TCP_HEADERS,
                Carrier::Quic { .. } => QUIC_HEADERS,
            };
            let packets = messages.bytes.div_ceil(1_448).max(1);
            let bits = (messages.bytes + packets * headers) * 8;
            let bps = bits as f64 / messages.every.as_secs_f64();
            messages.pairs.iter().map(|&(from, to)| Stream { from, to, bps }).collect()
        }
        TrafficKind::Http(http) => {
            let Some(gap) = gap(&http.arrivals) else { return Vec::new() };
            let asks = http.asks.iter().filter(|ask| ask.targets.len() == 1);
            asks.filter_map(|ask| {
                let to = ask.targets[0];
                let bytes = match &plan.nodes[to as usize].kind {
                    NodeKind::Server(server) => answer(server, http).0,
                    NodeKind::Store(store) if http.method == "GET" => store.value,
                    NodeKind::Store(_) => 0,
                    // What stands behind a balancer may answer in different lengths.
                    _ => return None,
                };
                let bits = (bytes + bytes.div_ceil(1_448).max(1) * TCP_HEADERS) * 8;
                Some(Stream { from: to, to: ask.from, bps: bits as f64 / gap.as_secs_f64() })
            })
            .collect()
        }
        TrafficKind::Objects(objects) => {
            let headers = if objects.over == Over::Quic { QUIC_HEADERS } else { TCP_HEADERS };
            let bytes = objects.bytes + objects.bytes.div_ceil(1_300) * headers;
            let bps = (bytes * 8 * u64::from(objects.objects)) as f64 / objects.every.as_secs_f64();
            objects.pairs.iter().map(|&(from, to)| Stream { from: to, to: from, bps }).collect()
        }
        _ => Vec::new(),
    }
}

fn gap(arrivals: &Arrivals) -> Option<Span> {
    match arrivals {
        Arrivals::Every(gap) | Arrivals::Poisson { mean_gap: gap } => Some(*gap),
        _ => None,
    }
}

/// Bytes of the body and mean time in seconds for which a server's worker and one of its cores are taken by such a request.
fn answer(server: &server::Config, http: &Http) -> (u64, Option<(f64, f64)>) {
    let path = http.path.split('?').next().unwrap_or_default();
    let planned = server.answer(crate::scenario::schema::server::parsed(http.method), path.as_bytes());
    let seconds = |dist: crate::base::Dist| dist.mean().map(Span::as_secs_f64);
    let busy = seconds(planned.service).zip(seconds(planned.io)).map(|(work, io)| {
        let work = work / server.speed;
        (work + io, work)
    });
    (planned.mean_body, busy)
}

/// Which links the streams of a traffic use, as far as routing leaves no choice.
fn spread(streams: &[Stream], plan: &Plan, paths: &Paths<'_>, trees: &mut BTreeMap<u32, Tree>) -> Loads {
    let mut loads = Loads::new();
    for stream in streams {
        let tree = trees.entry(stream.from).or_insert_with(|| paths.from(stream.from));
        for (link, before) in tree.certain_links(stream.to) {
            let forward = plan.links[link as usize].a == before;
            *loads.entry((link, forward)).or_default() += stream.bps;
        }
    }
    loads
}

/// Work offered to each server against its workers.
fn servers(plan: &Plan, problems: &mut Problems) {
    let mut offered: BTreeMap<u32, (f64, f64, &Traffic)> = BTreeMap::new();
    let together = plan.traffic.iter().filter_map(|traffic| match &traffic.kind {
        TrafficKind::Http(http) => Some((traffic, http)),
        _ => None,
    });
    // Traffic that does not start together may not overlap.
    let together: Vec<(&Traffic, &Http)> = together.filter(|(traffic, _)| traffic.start == Time::ZERO).collect();
    for (traffic, http) in together {
        let Some(gap) = gap(&http.arrivals) else { continue };
        for asks in http.choices() {
            for &target in &asks[0].targets {
                let NodeKind::Server(server) = &plan.nodes[target as usize].kind else { continue };
                let Some((worker, core)) = answer(server, http).1 else { continue };
                let often = gap.as_secs_f64() * asks[0].targets.len() as f64 / asks.len() as f64;
                let sum = offered.entry(target).or_insert((0.0, 0.0, traffic));
                sum.0 += worker / often;
                sum.1 += core / often;
            }
        }
    }
    let over = offered.into_iter().find_map(|(node, (workers, cores, traffic))| {
        let node = &plan.nodes[node as usize];
        let NodeKind::Server(server) = &node.kind else { return None };
        let has = server.cores.map_or(server.workers, |cores| cores.min(server.workers));
        // What turns requests away means to be offered more than it can do.
        let meant = server.queue_limit.is_some() || server.patience.is_some() || server.concurrency.is_some();
        match (workers > server.workers as f64, cores > has as f64) {
            _ if meant => None,
            (true, _) => Some((node, workers, server.workers, "workers", traffic)),
            (_, true) => Some((node, cores, has, "cores", traffic)),
            _ => None,
        }
    });
    if let Some((node, busy, has, what, traffic)) = over {
        problems.add(
            Diagnostic::warning(
                Code::Overload,
                traffic.declared,
                format!("`{}` is offered work for {busy:.1} {what} and has {has}", node.name),
            )
            .also(node.declared, "this server")
            .help(format!("give it more `{what}` or a shorter `service`, or ask less often")),
        );
    }
}
