//! Hosts with an address on each of their links: the links in the order in which they are preferred, and who may be such a host.

use super::form::list;
use super::nodes::{Group, Nodes};
use super::{Problems, inner, value};
use crate::base::Span as Duration;
use crate::fault::Effect;
use crate::link::Trouble;
use crate::scenario::ast::Value;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Data, Homing, Plan};

/// What a host says of its links.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) uplinks: &'a Value,
    pub(super) carrier_delay: Duration,
}

/// Reads which links hosts have an address on each, now that there are links.
pub(super) fn read(nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    for group in &nodes.groups {
        let Some(said) = group.uplinks else { continue };
        let before = problems.0.len();
        for &member in &group.members {
            let uplinks = links(group, &said, member, nodes, plan, problems);
            // What is wrong with one member is wrong with all: it is said once.
            if problems.0.len() > before {
                break;
            }
            let homing = Homing { declared: said.uplinks.span, uplinks, carrier_delay: said.carrier_delay };
            plan.nodes[member as usize].homing = Some(homing);
        }
    }
}

/// The links of one host in the order in which it names the routers behind them.
fn links(
    group: &Group<'_>,
    said: &Said<'_>,
    host: u32,
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
) -> Vec<u32> {
    let (name, entries) = (&plan.nodes[host as usize].name, value::each(said.uplinks));
    let mut found: Vec<u32> = Vec::new();
    for entry in entries {
        let Some(routers) = nodes.find(entry, problems) else { continue };
        let span = inner(entry);
        if let Some(&other) = routers.iter().find(|&&node| !plan.nodes[node as usize].kind.forwards()) {
            let other = &plan.nodes[other as usize];
            problems.add(
                Diagnostic::error(Code::WrongRole, span, format!("`{}` forwards nothing: it is no uplink", other.name))
                    .also(other.declared, other.kind.described())
                    .help("an uplink is a link to a `Router(..)`"),
            );
            continue;
        }
        let joins = |link: &u32| {
            let link = &plan.links[*link as usize];
            (link.a == host && routers.contains(&link.b)) || (link.b == host && routers.contains(&link.a))
        };
        let own: Vec<u32> = (0u32..).take(plan.links.len()).filter(joins).collect();
        match &own[..] {
            &[link] if found.contains(&link) => problems.add(
                Diagnostic::error(Code::Contradiction, span, "this uplink is named twice")
                    .help("name each once, the one that is preferred first"),
            ),
            &[link] => found.push(link),
            [] => problems.add(
                Diagnostic::error(Code::UnknownLink, span, format!("no link joins `{name}` and this router"))
                    .also(group.span, format!("`{name}` is declared here"))
                    .help(neighbours(host, plan)),
            ),
            [first, second, ..] => problems.add(
                Diagnostic::error(Code::Contradiction, span, format!("`{name}` has several links to this router"))
                    .also(plan.links[*first as usize].declared, "one of them")
                    .also(plan.links[*second as usize].declared, "another")
                    .help("an uplink is known by the router behind it: give each a router of its own"),
            ),
        }
    }
    if found.len() == entries.len() {
        complete(host, &found, said, plan, problems);
    }
    found
}

/// The uplinks must be at least two, and all links of the host.
fn complete(host: u32, found: &[u32], said: &Said<'_>, plan: &Plan, problems: &mut Problems) {
    let (name, span) = (&plan.nodes[host as usize].name, said.uplinks.span);
    let of = |link: u32| [plan.links[link as usize].a, plan.links[link as usize].b].contains(&host);
    let missing = (0u32..).take(plan.links.len()).find(|&link| of(link) && !found.contains(&link));
    if let Some(link) = missing.filter(|_| !found.is_empty()) {
        let link = &plan.links[link as usize];
        let other = &plan.nodes[if link.a == host { link.b } else { link.a } as usize];
        let message = format!("`{name}` has a link to `{}` that is not among its uplinks", other.name);
        problems.add(
            Diagnostic::error(Code::Contradiction, span, message)
                .label("a host has an address on each of its links or on none")
                .also(link.declared, "the link")
                .help(format!("name `{}` too, where it comes in the order of preference", other.name)),
        );
    } else if found.len() < 2 {
        let message = format!("`{name}` has no second uplink to move to");
        let code = if found.is_empty() { Code::Empty } else { Code::Contradiction };
        problems.add(
            Diagnostic::error(code, span, message)
                .help("link it to another router and name that one too, or leave `uplinks` out"),
        );
    }
}

fn neighbours(host: u32, plan: &Plan) -> String {
    let other = |link: &crate::scenario::plan::Link| match () {
        () if link.a == host => Some(link.b),
        () if link.b == host => Some(link.a),
        () => None,
    };
    let names: Vec<&str> =
        plan.links.iter().filter_map(other).map(|node| plan.nodes[node as usize].name.as_str()).collect();
    if names.is_empty() { "it has no links".to_owned() } else { format!("its links lead to {}", list(names)) }
}

/// What only the whole plan shows: nobody can be told where such a host has moved, and without faults it never moves.
pub(super) fn check(plan: &Plan, problems: &mut Problems) {
    for traffic in &plan.traffic {
        let to = traffic.pairs().map(|(_, to)| to).find(|&to| plan.nodes[to as usize].homing.is_some());
        if let Some(to) = to {
            asked(to, traffic.declared, plan, problems);
        }
    }
    for zone in &plan.zones {
        for record in &zone.records {
            if let Data::A(node) = record.data
                && let Some(homing) = &plan.nodes[node as usize].homing
            {
                asked(node, homing.declared, plan, problems);
            }
        }
    }
    for (index, node) in (0u32..).zip(&plan.nodes) {
        let Some(homing) = &node.homing else { continue };
        let Some(&first) = homing.uplinks.first() else { continue };
        let link = &plan.links[first as usize];
        let router = if link.a == index { link.b } else { link.a };
        let takes = |effect: &Effect| match effect {
            Effect::Link { direction, trouble: Trouble::Break { seen: true, .. } } => direction / 2 == first,
            Effect::Crash { node, .. } => *node == router,
            _ => false,
        };
        if !plan.faults.iter().flat_map(|fault| &fault.fault.effects).any(takes) {
            let router = &plan.nodes[router as usize].name;
            let message =
                format!("`uplinks` of `{}` has no effect: nothing takes the link to `{router}` away", node.name);
            problems.add(
                Diagnostic::warning(Code::NoEffect, homing.declared, message)
                    .help("have a fault cut that link, or leave `uplinks` out"),
            );
            return;
        }
    }
}

fn asked(host: u32, span: crate::scenario::ast::Span, plan: &Plan, problems: &mut Problems) {
    let host = &plan.nodes[host as usize];
    let message = format!("`{}` cannot be called: nobody is told to which of its addresses it has moved", host.name);
    problems.add(
        Diagnostic::error(Code::WrongRole, span, message)
            .also(host.declared, "it has `uplinks`")
            .help(format!("have `{}` begin: `from: \"{}\"`", host.name, host.name)),
    );
}
