//! What only the whole plan shows: ways that do not exist, loads that no link carries, runs that end too early.

mod load;
mod queues;

use super::Problems;
use super::paths::Paths;
use crate::base::{Span, Time};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Http, Lookups, Measure, NodeKind, Origin, Plan, ROOT, Statistic, Traffic, TrafficKind};
use crate::service::Limit;
use crate::service::bulk::Amount;
use crate::service::client::Arrivals;
use std::collections::BTreeSet;

/// Reports what is wrong or doubtful about the plan as a whole, all nodes and links of which could be read.
pub(super) fn check(plan: &Plan, problems: &mut Problems) {
    let paths = Paths::new(plan);
    reachable(plan, &paths, problems);
    super::balancer::check(plan, &paths, problems);
    super::server::reach(plan, &paths, problems);
    super::edge::check(plan, &paths, problems);
    if problems.has_errors() {
        // Doubts about half a plan would be about the errors in it.
        return;
    }
    unused(plan, problems);
    plan.traffic.iter().for_each(|traffic| ends_in_time(traffic, plan, problems));
    enough_samples(plan, problems);
    load::check(plan, &paths, problems);
    queues::check(plan, problems);
}

/// Every two nodes that talk need a way between them.
fn reachable(plan: &Plan, paths: &Paths<'_>, problems: &mut Problems) {
    let parts = paths.parts();
    for traffic in &plan.traffic {
        let Some((a, b)) = traffic.pairs().find(|&(a, b)| !parts.reaches(a, b)) else { continue };
        let (a, b) = (&plan.nodes[a as usize], &plan.nodes[b as usize]);
        problems.add(
            Diagnostic::error(
                Code::Unreachable,
                traffic.declared,
                format!("there is no route from `{}` to `{}`", a.name, b.name),
            )
            .label("this traffic could not flow")
            .also(b.declared, format!("`{}` is declared here", b.name))
            .help("join them with a link, or with routers between them: hosts and servers do not forward packets"),
        );
    }
    super::registry::reachable(plan, &parts, problems);
    let by_name = plan.traffic.iter().filter_map(|traffic| match &traffic.kind {
        TrafficKind::Http(http) => Some((traffic, http)),
        _ => None,
    });
    for (traffic, http) in by_name {
        let Origin::Name(name) = &http.asks[0].origin else { continue };
        let mut chain = Vec::new();
        for name in plan.follow(name).names {
            let mut above: Vec<_> = plan.zones.iter().filter(|zone| zone.holds(name)).collect();
            above.sort_by_key(|zone| zone.apex.len());
            // Without a root, resolvers know where each zone is.
            if above.first().is_some_and(|zone| zone.apex != ROOT) {
                above.drain(..above.len() - 1);
            }
            chain.append(&mut above);
        }
        let resolvers: BTreeSet<u32> =
            http.asks.iter().flat_map(|ask| &plan.nodes[ask.from as usize].resolvers).copied().collect();
        let cut = chain.iter().filter(|zone| !zone.authorities.is_empty()).find_map(|zone| {
            let reaches = |&resolver: &u32| zone.authorities.iter().any(|&ns| parts.reaches(resolver, ns));
            resolvers.iter().find(|resolver| !reaches(resolver)).map(|&resolver| (zone, resolver))
        });
        if let Some((zone, resolver)) = cut {
            let resolver = &plan.nodes[resolver as usize];
            let message = format!("`{}` reaches no authority of `{}`", resolver.name, zone.apex);
            problems.add(
                Diagnostic::error(Code::Unreachable, resolver.declared, message)
                    .also(traffic.declared, "which this traffic needs")
                    .help("link the authority to a router that the resolver reaches"),
            );
        }
    }
}

/// Hosts and servers that nobody mentions.
fn unused(plan: &Plan, problems: &mut Problems) {
    let mut used: BTreeSet<u32> = plan.traffic.iter().flat_map(Traffic::ends).collect();
    for record in plan.zones.iter().flat_map(|zone| &zone.records) {
        if let crate::scenario::plan::Data::A(node) = record.data {
            used.insert(node);
        }
    }
    for node in &plan.nodes {
        match &node.kind {
            NodeKind::Balancer(balancer) => used.extend(balancer.targets().map(|target| target.node)),
            NodeKind::Edge(edge) => used.extend(edge.upstream.targets.iter().map(|target| target.node)),
            _ => {}
        }
        if let NodeKind::Server(server) = &node.kind {
            used.extend(server.shared_keys.iter().flat_map(|shared| &shared.members).map(|(member, _)| member));
        }
    }
    // By HTTP, members of an anycast address are asked, and not the address.
    for traffic in &plan.traffic {
        let TrafficKind::Http(http) = &traffic.kind else { continue };
        used.extend(http.asks.iter().filter_map(|ask| match ask.origin {
            Origin::Node(node) => Some(node),
            Origin::Name(_) | Origin::Service(_) => None,
        }));
    }
    let resolvers: BTreeSet<u32> = plan.nodes.iter().flat_map(|node| &node.resolvers).copied().collect();
    for (node, anycast) in plan.anycast() {
        if used.contains(&node) || resolvers.contains(&node) {
            used.insert(node);
            used.extend(&anycast.members);
        }
    }
    used.extend(plan.nodes.iter().filter_map(|node| Some(node.registering.as_ref()?.registry)));
    used.extend(plan.traffic.iter().filter_map(|traffic| match &traffic.kind {
        TrafficKind::Http(http) => Some(http.discovery.as_ref()?.registry),
        _ => None,
    }));
    used.extend(
        looking_up(plan).flat_map(|node| &plan.nodes[node as usize].resolvers).flat_map(|node| plan.machines(node)),
    );
    if !plan.zones.is_empty() && plan.zones.iter().all(|zone| zone.records.is_empty()) {
        // There is nothing to ask resolvers for, which is said where the zones are.
        let resolvers = (0u32..).zip(&plan.nodes).filter(|(_, node)| matches!(node.kind, NodeKind::Resolver(_)));
        used.extend(resolvers.map(|(index, _)| index));
    }
    // Members of a store are asked by each other.
    used.extend(plan.stores.iter().filter(|store| store.members.len() > 1).flat_map(|store| &store.members));
    let ends: BTreeSet<_> = used.iter().map(|&node| plan.nodes[node as usize].declared).collect();
    let mut said = BTreeSet::new();
    for node in &plan.nodes {
        let idle = matches!(
            node.kind,
            NodeKind::Host
                | NodeKind::Server(_)
                | NodeKind::Store(_)
                | NodeKind::Cluster(_)
                | NodeKind::Balancer(_)
                | NodeKind::Edge(_)
                | NodeKind::PurgeControl(_)
                | NodeKind::Anycast(_)
                | NodeKind::Registry
                | NodeKind::Resolver(_)
        ) && !ends.contains(&node.declared);
        if idle && said.insert(node.declared) {
            problems.add(
                Diagnostic::warning(
                    Code::Unused,
                    node.declared,
                    format!("nothing is asked of `{}`", group(&node.name)),
                )
                .help(match node.kind {
                    NodeKind::Resolver(_) => {
                        "ask for a name of a zone: `to: \"http://shop.example/\"`; or leave it out"
                    }
                    NodeKind::Registry => "let servers `register` with it, or leave it out",
                    _ => "name it in `traffic`, or leave it out",
                }),
            );
        }
    }
}

/// The nodes that look up names.
pub(super) fn looking_up(plan: &Plan) -> impl Iterator<Item = u32> {
    let asks = plan.traffic.iter().filter_map(|traffic| match &traffic.kind {
        TrafficKind::Http(http) => Some(&http.asks),
        _ => None,
    });
    asks.flatten().filter(|ask| matches!(ask.origin, Origin::Name(_))).map(|ask| ask.from)
}

/// The declared name of a node: `origin` of `origin/2`.
fn group(name: &str) -> &str {
    name.split_once('/').map_or(name, |(group, _)| group)
}

/// When a traffic begins nothing any more: by its limits, or with the run.
fn end(traffic: &Traffic, plan: &Plan) -> Time {
    let run = Time::ZERO + plan.run_for;
    let limited = |limit: &Limit, every: Option<Span>| {
        let counted =
            limit.count.zip(every).map(|(count, every)| traffic.start.saturating_add(every.saturating_mul(count)));
        [limit.until, counted].into_iter().flatten().fold(run, Time::min)
    };
    match &traffic.kind {
        TrafficKind::Http(Http { arrivals, limit, .. }) | TrafficKind::Lookups(Lookups { arrivals, limit, .. }) => {
            match arrivals {
                Arrivals::Once => traffic.start,
                Arrivals::Every(every) => limited(limit, Some(*every)),
                Arrivals::Poisson { mean_gap } => limited(limit, Some(*mean_gap)),
                Arrivals::At(_) | Arrivals::Users { .. } | Arrivals::Called => limited(limit, None),
            }
        }
        TrafficKind::Messages(messages) => limited(&messages.limit, Some(messages.every)),
        TrafficKind::Objects(objects) => limited(&objects.limit, Some(objects.every)),
        TrafficKind::Ping(ping) => limited(&ping.limit, Some(ping.every)),
        TrafficKind::Bulk(_) | TrafficKind::Traceroute(_) => run,
    }
}

/// How many requests, messages or echoes there will be, as far as that can be known.
fn expected(traffic: &Traffic, plan: &Plan) -> Option<f64> {
    let time = end(traffic, plan).since(traffic.start).as_secs_f64();
    let asked = |arrivals: &Arrivals, limit: &Limit, askers: usize| {
        let most = limit.count.map_or(f64::INFINITY, |count| count as f64);
        let each = match arrivals {
            Arrivals::Once => 1.0,
            Arrivals::Every(gap) | Arrivals::Poisson { mean_gap: gap } => time / gap.as_secs_f64(),
            Arrivals::At(instants) => instants.len() as f64,
            Arrivals::Users { .. } if most.is_finite() => most,
            Arrivals::Users { .. } | Arrivals::Called => return None,
        };
        Some(each.min(most) * askers as f64)
    };
    let each = match &traffic.kind {
        TrafficKind::Http(http) => asked(&http.arrivals, &http.limit, http.asks.len())?,
        TrafficKind::Lookups(lookups) => asked(&lookups.arrivals, &lookups.limit, lookups.from.len())?,
        TrafficKind::Messages(messages) => time / messages.every.as_secs_f64() * messages.pairs.len() as f64,
        TrafficKind::Objects(objects) => {
            let fetches = (time / objects.every.as_secs_f64()).max(1.0);
            fetches * f64::from(objects.objects) * objects.pairs.len() as f64
        }
        TrafficKind::Ping(ping) => time / ping.every.as_secs_f64() * ping.pairs.len() as f64,
        TrafficKind::Bulk(bulk) => f64::from(bulk.flows) * bulk.pairs.len() as f64,
        TrafficKind::Traceroute(_) => return None,
    };
    Some(each)
}

/// What is counted or timed should be over before the run is.
fn ends_in_time(traffic: &Traffic, plan: &Plan, problems: &mut Problems) {
    let run = Time::ZERO + plan.run_for;
    let count = |limit: &Limit, every: Span| {
        let last = limit.count.unwrap_or(0).saturating_sub(1);
        let all = traffic.start.saturating_add(every.saturating_mul(last));
        (all >= run).then(|| format!("the last of {} comes after {}", limit.count.unwrap_or(0), all.since(Time::ZERO)))
    };
    let why = match &traffic.kind {
        TrafficKind::Messages(messages) => count(&messages.limit, messages.every),
        TrafficKind::Objects(objects) => count(&objects.limit, objects.every),
        TrafficKind::Ping(ping) => count(&ping.limit, ping.every),
        TrafficKind::Http(Http { arrivals, limit, .. }) | TrafficKind::Lookups(Lookups { arrivals, limit, .. }) => {
            match arrivals {
                Arrivals::Every(every) => count(limit, *every),
                Arrivals::At(instants) => instants
                    .last()
                    .filter(|&&last| last >= run)
                    .map(|last| format!("the last request comes at {}", last.since(Time::ZERO))),
                _ => None,
            }
        }
        TrafficKind::Bulk(bulk) => match bulk.amount {
            Amount::For(span) => {
                let all = traffic.start.saturating_add(span);
                (all > run).then(|| format!("the transfer lasts until {}", all.since(Time::ZERO)))
            }
            Amount::Bytes(_) => None,
        },
        TrafficKind::Traceroute(_) => None,
    };
    if let Some(why) = why {
        problems.add(
            Diagnostic::warning(
                Code::RunTooShort,
                traffic.declared,
                format!("the run ends after {} with `{}` not over", plan.run_for, traffic.name),
            )
            .label(why)
            .help("give the scenario a longer `run_for`"),
        );
    }
}

/// A percentile means something where at least ten samples lie beyond it.
fn enough_samples(plan: &Plan, problems: &mut Problems) {
    const BEYOND: f64 = 10.0;
    for expect in &plan.expect {
        let Measure::Latency { of, at: Statistic::Percentile(percentile), .. } = &expect.measure else { continue };
        let traffic = &plan.traffic[*of as usize];
        let Some(samples) = expected(traffic, plan) else { continue };
        let beyond = 1.0 - percentile.get();
        let needed = libm::ceil(BEYOND / beyond - 1e-6);
        if samples < needed - 0.5 {
            problems.add(
                Diagnostic::warning(
                    Code::TooFewSamples,
                    expect.declared,
                    format!(
                        "`{}` makes about {samples:.0} samples; p{} needs {needed:.0}",
                        traffic.name,
                        percentile.to_string().trim_end_matches('%'),
                    ),
                )
                .also(traffic.declared, "of this traffic")
                .help("run for longer, ask more often, or expect a lower percentile or the maximum"),
            );
        }
    }
}
