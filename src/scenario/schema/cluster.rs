//! `Cluster` nodes: a group whose members are the masters of shards and their replicas.

use super::form::{Fields, Form};
use super::nodes::Nodes;
use super::{Problems, dist, value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{ClusterNode, NodeKind, Plan, Store};
use crate::service::cluster::BUS_OFFSET;

pub(super) static CLUSTER: Form = Form {
    name: "Cluster",
    fields: &["at", "count", "access", "replicas", "port", "service", "value", "node_timeout", "tcp"],
};

/// Fewer masters have no majority without the one that has failed (as `redis-cli --cluster create` refuses).
const LEAST_MASTERS: u64 = 3;

/// A node, and how many replicas each master has.
pub(super) fn read(fields: &Fields<'_>, count: Option<u64>, problems: &mut Problems) -> ClusterNode {
    let mut node = ClusterNode::new();
    let replicas = fields.get("replicas").and_then(|value| value::whole(value, "`replicas`", 0..=10, problems));
    let each = replicas.unwrap_or(0) + 1;
    let nodes = count.unwrap_or(1);
    let masters = nodes / each;
    if nodes > 1_000 || masters < LEAST_MASTERS || !nodes.is_multiple_of(each) {
        let span = fields.get("count").map_or(fields.span, |value| value.span);
        let message = format!("{nodes} nodes are no cluster of masters with {} replicas each", each - 1);
        problems.add(Diagnostic::error(Code::OutOfRange, span, message).help(format!(
            "`count` is all nodes, at most 1000: a multiple of {each}, for at least {LEAST_MASTERS} masters {}",
            LEAST_MASTERS * each
        )));
    }
    node.shards = usize::try_from(masters.max(1)).unwrap_or(1);
    if let Some(value) = fields.get("port") {
        let highest = u64::from(u16::MAX - BUS_OFFSET);
        let port = value::whole(value, "`port` (the bus is 10,000 above)", 1..=highest, problems);
        node.port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(node.port);
    }
    if let Some(value) = fields.get("service") {
        node.service = dist::read(value, "`service`", problems).unwrap_or(node.service);
    }
    if let Some(value) = fields.get("value") {
        node.value = value::bytes(value, "`value`", 0..=512 << 20, problems).unwrap_or(node.value);
    }
    if let Some(value) = fields.get("node_timeout") {
        node.node_timeout = value::positive_span(value, "`node_timeout`", problems).unwrap_or(node.node_timeout);
    }
    node
}

/// Tells the nodes of each cluster of each other, and adds a store to the plan for each shard.
pub(super) fn shards(nodes: &Nodes<'_>, plan: &mut Plan) {
    for group in &nodes.groups {
        let mut shards = 0;
        for &member in &group.members {
            let NodeKind::Cluster(node) = &mut plan.nodes[member as usize].kind else { continue };
            node.members.clone_from(&group.members);
            shards = node.shards;
        }
        for shard in 0..shards {
            let members = group.members.iter().skip(shard).step_by(shards).copied().collect();
            plan.stores.push(Store { members, agreement: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::parse;

    #[test]
    fn a_cluster_has_masters_enough_and_the_same_replicas_for_each() {
        let said = |fields: &str| {
            let source = format!(
                r#"Scenario(nodes: {{ "web": Host(), "cache": Cluster({fields}) }},
                    links: [(between: ("web", "cache"), rate: "1Gbps", delay: "1ms")],
                    traffic: {{ "l": Lookups(from: "web", to: "cache") }})"#
            );
            parse(&source, "cluster").err().map_or(0, |all| all.len())
        };
        for (fields, faults) in [
            ("count: 6, replicas: 1", 0),
            ("count: 3", 0),
            ("count: 5, replicas: 1", 1),
            ("count: 4, replicas: 1", 1),
            ("", 1),
            ("count: 3, port: 60_000", 1),
        ] {
            assert_eq!(said(fields), faults, "{fields}");
        }
    }
}
