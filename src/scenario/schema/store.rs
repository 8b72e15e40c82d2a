//! `Store` nodes: what each member says of itself, and which of them are one store.

use super::form::{Fields, Form, list};
use super::nodes::Nodes;
use super::{Problems, dist, inner, value};
use crate::base::{Dist, Span as Duration};
use crate::scenario::ast::{Kind, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Agreement, NodeKind, Plan, Store, StoreNode};
use crate::service::store::Reads;

pub(super) static STORE: Form = Form {
    name: "Store",
    fields: &[
        "at",
        "count",
        "access",
        "follows",
        "port",
        "workers",
        "service",
        "value",
        "reads",
        "timeout",
        "acks",
        "heartbeat",
        "failover",
        "quorum",
        "tcp",
    ],
};

/// What only the first member says, for all.
const OF_ALL: [&str; 4] = ["acks", "heartbeat", "failover", "quorum"];

/// What holds of a store of one member, and where nothing is said.
const ALONE: Agreement = Agreement { acks: 0, heartbeat: Duration::from_millis(500), failover: None, quorum: 1 };

/// What the first member of a store, or a follower, says of the whole store.
#[derive(Clone, Copy)]
pub(super) struct Whole<'a> {
    /// The member that a follower names.
    follows: Option<&'a Value>,
    acks: Option<&'a Value>,
    heartbeat: Option<&'a Value>,
    failover: Option<&'a Value>,
    quorum: Option<&'a Value>,
}

/// One member's own part, and what it says of the whole.
pub(super) fn read<'a>(fields: &Fields<'a>, problems: &mut Problems) -> (StoreNode, Whole<'a>) {
    let mut node = StoreNode::new();
    let follows = fields.get("follows");
    if follows.is_some() {
        for name in OF_ALL {
            if let Some(value) = fields.get(name) {
                let message = format!("a follower has no `{name}` of its own");
                problems.add(
                    Diagnostic::error(Code::Contradiction, value.span, message)
                        .help("it stands at the store that is followed, and holds for all members"),
                );
            }
        }
    } else {
        fields.no_effect("reads", "a store that follows nobody answers its reads itself", problems);
    }
    if let Some(value) = fields.get("port") {
        let port = value::whole(value, "`port`", 1..=65_535, problems);
        node.port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(node.port);
        if node.port == crate::service::store::PEER_PORT {
            let message = format!("port {} is where the members of a store talk to each other", node.port);
            problems.add(Diagnostic::error(Code::Contradiction, value.span, message).help("choose another"));
        }
    }
    if let Some(value) = fields.get("workers") {
        let workers = value::whole(value, "`workers`", 1..=1_000_000, problems);
        node.workers = workers.and_then(|workers| usize::try_from(workers).ok()).unwrap_or(node.workers);
    }
    if let Some(value) = fields.get("service") {
        node.service = dist::read(value, "`service`", problems).unwrap_or(node.service);
    }
    if node.service == Dist::Constant(Duration::ZERO) {
        fields.no_effect("workers", "work takes no time; give `service` a duration", problems);
    }
    if let Some(value) = fields.get("value") {
        node.value = value::bytes(value, "`value`", 0..=u64::MAX, problems).unwrap_or(node.value);
    }
    if let Some(value) = fields.get("reads") {
        let reads = value::word(value, "`reads`", &["Local", "Primary"], problems);
        node.reads = if reads == Some("Primary") { Reads::Primary } else { Reads::Local };
    }
    if let Some(value) = fields.get("timeout") {
        node.timeout = value::positive_span(value, "`timeout`", problems).unwrap_or(node.timeout);
    }
    let [acks, heartbeat, failover, quorum] = OF_ALL.map(|name| fields.get(name).filter(|_| follows.is_none()));
    (node, Whole { follows, acks, heartbeat, failover, quorum })
}

/// Puts members together into stores, which the plan keeps in the order of their first members; shards of clusters are among them.
pub(super) fn join(nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    super::cluster::shards(nodes, plan);
    let mut followers = Vec::new();
    for group in &nodes.groups {
        let Some(whole) = group.store else { continue };
        if let Some(value) = whole.follows {
            followers.push((group, value));
            continue;
        }
        for &member in &group.members {
            plan.stores.push(Store { members: vec![member], agreement: Some(ALONE) });
        }
    }
    plan.stores.sort_by_key(|store| store.members[0]);
    // Who names a store that cannot be found may mean any: then nobody is told that nobody follows.
    let mut lost = false;
    for (group, value) in followers {
        let Some(store) = followed(nodes, value, plan, problems) else {
            lost = true;
            continue;
        };
        plan.stores[store].members.extend(&group.members);
    }
    for (index, store) in (0u32..).zip(&mut plan.stores) {
        store.members[1..].sort_unstable();
        for &member in &store.members {
            match &mut plan.nodes[member as usize].kind {
                NodeKind::Store(node) => node.store = index,
                // The shards of a cluster stand one after the other, as its masters do.
                NodeKind::Cluster(node) => {
                    let shard = node.members.iter().position(|&other| other == store.members[0]).unwrap_or(0);
                    node.store = index - u32::try_from(shard).unwrap_or(0);
                }
                _ => {}
            }
        }
    }
    for group in &nodes.groups {
        let Some(whole) = group.store.filter(|whole| whole.follows.is_none()) else { continue };
        for (place, &member) in group.members.iter().enumerate() {
            let Some(store) = plan.stores.iter_mut().find(|store| store.members[0] == member) else { continue };
            // What is wrong is said once for a whole group.
            let mut said = Problems::default();
            let others = store.members.len() as u64 - 1;
            let quiet = place > 0 || (lost && others == 0);
            store.agreement = Some(settle(&whole, others, if quiet { &mut said } else { problems }));
        }
    }
}

/// The store that a follower names, by its first member.
fn followed(nodes: &Nodes<'_>, value: &Value, plan: &Plan, problems: &mut Problems) -> Option<usize> {
    let found = nodes.find(value, problems)?;
    let &[first] = found else {
        let message = "`follows` names one store, and this is a group";
        problems.add(
            Diagnostic::error(Code::WrongRole, inner(value), message)
                .help(format!("name a member: {}", list(found.iter().map(|&node| &plan.nodes[node as usize].name)))),
        );
        return None;
    };
    let store = plan.stores.iter().position(|store| store.members[0] == first);
    if store.is_none() {
        let node = &plan.nodes[first as usize];
        let (message, help) = if matches!(node.kind, NodeKind::Store(_)) {
            (format!("`{}` is a follower itself", node.name), "name the store that it follows")
        } else {
            (format!("`{}` is no store", node.name), "name a node declared as `Store(..)` without `follows`")
        };
        problems.add(
            Diagnostic::error(Code::WrongRole, inner(value), message)
                .also(node.declared, node.kind.described())
                .help(help),
        );
    }
    store
}

/// What holds for all members, of whom there are so many `others`.
fn settle(whole: &Whole<'_>, others: u64, problems: &mut Problems) -> Agreement {
    let mut agreement = ALONE;
    if others == 0 {
        let all = [whole.acks, whole.heartbeat, whole.failover, whole.quorum];
        for (value, name) in all.into_iter().zip(OF_ALL) {
            let Some(value) = value else { continue };
            let message = format!("`{name}` has no effect: nobody follows this store");
            problems.add(
                Diagnostic::warning(Code::NoEffect, value.span, message)
                    .help("add a node `Store(follows: \"..\")`, or leave the field out"),
            );
        }
        return agreement;
    }
    let small = |value: &Value, what: &str, range, problems: &mut Problems| {
        value::whole(value, what, range, problems).and_then(|number| usize::try_from(number).ok())
    };
    if let Some(value) = whole.acks {
        agreement.acks = small(value, "`acks` (followers that must have a write)", 0..=others, problems).unwrap_or(0);
    }
    if let Some(value) = whole.heartbeat {
        agreement.heartbeat = value::positive_span(value, "`heartbeat`", problems).unwrap_or(agreement.heartbeat);
    }
    if let Some(value) = whole.failover {
        agreement.failover = match value.kind {
            Kind::Bool(false) => None,
            _ => value::positive_span(value, "`failover` (a duration, or `false`)", problems),
        };
        if let Some(failover) = agreement.failover.filter(|&failover| failover < agreement.heartbeat * 2) {
            let message =
                format!("a primary that is heard every {} would be doubted after {failover}", agreement.heartbeat);
            problems.add(
                Diagnostic::error(Code::Contradiction, value.span, message)
                    .help("`failover` is at least twice the `heartbeat`"),
            );
        }
    }
    // A majority; with two members that would be both, and the one that is left could do nothing.
    agreement.quorum = if others == 1 { 1 } else { usize::try_from(others.div_ceil(2)).unwrap_or(1) + 1 };
    if let Some(value) = whole.quorum {
        let what = "`quorum` (members that vote for a new primary)";
        agreement.quorum = small(value, what, 1..=others + 1, problems).unwrap_or(agreement.quorum);
        if whole.failover.is_none() {
            let message = "`quorum` has no effect: without `failover` nobody stands for election";
            problems.add(Diagnostic::warning(Code::NoEffect, value.span, message).help("add `failover: \"3s\"`"));
        }
    }
    agreement
}

#[cfg(test)]
mod tests {
    use crate::scenario::parse;

    /// What is said of a scenario with these nodes beside a host.
    fn said(nodes: &str) -> Vec<String> {
        let source = format!(
            r#"Scenario(nodes: {{ "user": Host(), "core": Router(), {nodes} }},
                links: [(between: ("user", "core"), rate: "1Gbps", delay: "1ms"), (between: ("db", "core"), rate: "1Gbps", delay: "1ms"),
                    (between: ("f", "core"), rate: "1Gbps", delay: "1ms")],
                traffic: {{ "r": Http(from: "user", to: "http://db/") }})"#
        );
        let all = match parse(&source, "store") {
            Ok((_, warnings)) => warnings,
            Err(all) => all,
        };
        all.into_iter().map(|diagnostic| format!("{}: {}", diagnostic.code.name(), diagnostic.message)).collect()
    }

    #[test]
    fn members_that_do_not_fit_together_are_told_so() {
        for (nodes, want) in [
            (r#""db": Store(acks: 1), "f": Store(follows: "db")"#, None),
            (r#""db": Store(count: 2, acks: 1), "f": Store(follows: "db/2")"#, Some("no-effect: `acks` has no effect")),
            (r#""db": Store(), "f": Store(follows: "core")"#, Some("wrong-role: `core` is no store")),
            (r#""db": Store(follows: "f"), "f": Store(follows: "db")"#, Some("wrong-role: `f` is a follower itself")),
            (r#""db": Store(count: 2), "f": Store(follows: "db")"#, Some("wrong-role: `follows` names one store")),
            (r#""db": Store(acks: 1), "f": Store(follows: "bd")"#, Some("unknown-node: no node is called `bd`")),
            (r#""db": Store(), "f": Store(follows: "db", acks: 1)"#, Some("contradiction: a follower has no `acks`")),
            (r#""db": Store(acks: 2), "f": Store(follows: "db")"#, Some("out-of-range: `acks`")),
            (
                r#""db": Store(failover: "800ms"), "f": Store(follows: "db")"#,
                Some("contradiction: a primary that is heard"),
            ),
            (r#""db": Store(quorum: 2), "f": Store(follows: "db")"#, Some("no-effect: `quorum` has no effect")),
            (r#""db": Store(reads: Local), "f": Store(follows: "db")"#, Some("no-effect: `reads` has no effect")),
            (r#""db": Store(port: 2380), "f": Store(follows: "db")"#, Some("contradiction: port 2380")),
        ] {
            let said = said(nodes);
            match want {
                None => assert!(said.is_empty(), "{nodes}: {said:?}"),
                Some(want) => {
                    assert!(said.iter().any(|line| line.starts_with(want)), "{nodes}: {said:?}");
                    let breeds =
                        want.starts_with("unknown-node") && said.iter().any(|line| line.starts_with("no-effect"));
                    assert!(!breeds, "one fault does not breed another: {said:?}");
                }
            }
        }
    }
}
