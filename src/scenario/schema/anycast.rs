//! Anycast addresses: which machines announce them, and what those must have in common.

use super::form::{Fields, Form};
use super::nodes::Nodes;
use super::{Problems, inner, value};
use crate::scenario::ast::{Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Anycast, Node, NodeKind, Plan};

pub(super) static ANYCAST: Form = Form { name: "Anycast", fields: &["members", "health"] };

pub(super) const FORMS: &[&Form] = &[&ANYCAST];

/// Reads who announces each address, now that all nodes have their numbers.
pub(super) fn read(nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    for group in &nodes.groups {
        let (Some(entry), Some(&node)) = (group.anycast, group.members.first()) else { continue };
        // Unknown fields were reported when the node was read.
        let Some(fields) = Fields::open(&ANYCAST, entry, &mut Problems::default()) else { continue };
        let check = fields.get("health").and_then(|value| super::balancer::check_of(value, problems));
        let members = fields.need("members", "[\"edge-a\", \"edge-b\"]", problems);
        let members = members.map(|value| members_of(value, nodes, plan, problems)).unwrap_or_default();
        plan.nodes[node as usize].kind = NodeKind::Anycast(Anycast { members, port: None, check });
    }
}

fn members_of(value: &Value, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Vec<u32> {
    let mut members: Vec<u32> = Vec::new();
    for value in value::each(value) {
        for &node in nodes.find(value, problems).unwrap_or_default() {
            let member = &plan.nodes[node as usize];
            if !may_announce(&member.kind) {
                problems.add(
                    Diagnostic::error(
                        Code::WrongRole,
                        inner(value),
                        format!("`{}` cannot have an anycast address", member.name),
                    )
                    .also(member.declared, member.kind.described())
                    .help("its members are servers, balancers, edges, resolvers or authorities: machines any of which answers as well"),
                );
            } else if members.contains(&node) {
                problems.add(
                    Diagnostic::error(
                        Code::DuplicateName,
                        inner(value),
                        format!("`{}` is a member twice", member.name),
                    )
                    .help("name each machine once: who is nearer gets more, not who is named more often"),
                );
            } else {
                members.push(node);
            }
        }
    }
    members.sort_unstable();
    if members.is_empty() && !problems.has_errors() {
        problems.add(
            Diagnostic::error(Code::Empty, value.span, "nobody announces this address")
                .help("name the machines that share it: [\"edge-a\", \"edge-b\"]"),
        );
    }
    if let ([only], false) = (&members[..], problems.has_errors()) {
        let only = &plan.nodes[*only as usize];
        problems.add(
            Diagnostic::warning(
                Code::NoEffect,
                value.span,
                format!("`{}` alone announces this address: nobody takes over from it", only.name),
            )
            .also(only.declared, "declared here")
            .help("name a second machine, or write this one's name instead of the address"),
        );
    }
    members
}

/// Machines that answer, each for itself, what anybody asks. Members of a store are not: they know each other by their addresses.
const fn may_announce(kind: &NodeKind) -> bool {
    matches!(
        kind,
        NodeKind::Server(_)
            | NodeKind::Balancer(_)
            | NodeKind::Edge(_)
            | NodeKind::Resolver(_)
            | NodeKind::Authority { .. }
    )
}

/// What a machine offers, as far as who asks must know it: what sort of thing, on which port, under TLS or not.
fn offers(node: &Node) -> (&'static str, Option<u16>, bool) {
    let kind = match &node.kind {
        NodeKind::Resolver(_) => "names for users",
        NodeKind::Authority { .. } => "names of zones",
        _ => "HTTP",
    };
    let tls = match &node.kind {
        NodeKind::Server(server) => server.tls.is_some(),
        NodeKind::Balancer(balancer) => balancer.tls.is_some(),
        _ => false,
    };
    (kind, node.kind.port(), tls)
}

/// The members must offer the same, now that all of them are known.
pub(super) fn check(nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    for group in &nodes.groups {
        let (Some(entry), Some(&index)) = (group.anycast, group.members.first()) else { continue };
        let NodeKind::Anycast(anycast) = &plan.nodes[index as usize].kind else { continue };
        let Some(&first) = anycast.members.first() else { continue };
        let first = &plan.nodes[first as usize];
        let differs = |member: &&u32| offers(&plan.nodes[**member as usize]) != offers(first);
        if let Some(&other) = anycast.members.iter().find(differs) {
            mixed(group.span, first, &plan.nodes[other as usize], problems);
            continue;
        }
        let port = first.kind.port();
        if anycast.check.is_some() {
            checked(entry, first, port, problems);
        }
        if let NodeKind::Anycast(anycast) = &mut plan.nodes[index as usize].kind {
            anycast.port = port;
        }
    }
}

fn mixed(span: Span, first: &Node, other: &Node, problems: &mut Problems) {
    let shown = |node: &Node| {
        let (what, port, tls) = offers(node);
        let port = port.map_or_else(String::new, |port| format!(" on port {port}"));
        format!("`{}` offers {what}{port}{}", node.name, if tls { " under TLS" } else { "" })
    };
    problems.add(
        Diagnostic::error(Code::Contradiction, span, format!("{}, and {}", shown(first), shown(other)))
            .label("whoever comes here may reach either")
            .also(first.declared, "declared here")
            .also(other.declared, "and here")
            .help("members of an anycast address answer alike"),
    );
}

/// A check needs a port that can be asked.
fn checked(entry: &Value, first: &Node, port: Option<u16>, problems: &mut Problems) {
    if port.is_some() {
        return;
    }
    let message = format!("`{}` has no port to check", first.name);
    problems.add(
        Diagnostic::error(Code::Contradiction, entry.span, message)
            .also(first.declared, "declared here")
            .help("leave `health` out: name servers withdraw when they crash"),
    );
}
