//! Which member of each anycast address every machine reaches, for `check`.

use super::load::Loaded;
use crate::report::table::{Align, Cell, Table, counted};
use crate::scenario::plan::NodeKind;
use crate::topo::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// Machines named of those that reach one member; of more, the rest is counted.
const NAMED: usize = 8;

/// The number of a node in the plan.
pub(super) fn number(node: NodeId) -> u32 {
    u32::try_from(node.index()).expect("nodes are counted in 32 bits")
}

/// A line for each member of each address, and for members that are equally near.
pub(super) fn table(loaded: &Loaded) -> Table {
    let plan = &loaded.plan;
    let mut table = Table::new([("anycast", Align::Left), ("member", Align::Left), ("reached by", Align::Left)]);
    for (address, anycast) in plan.anycast() {
        let mut reached: BTreeMap<Vec<u32>, Vec<&str>> =
            anycast.members.iter().map(|&member| (vec![member], Vec::new())).collect();
        for &index in &plan.written.nodes {
            let node = &plan.nodes[index as usize];
            let asks = !matches!(node.kind, NodeKind::Router | NodeKind::Anycast(_));
            if asks && !anycast.members.contains(&index) {
                reached.entry(members(loaded, index, address)).or_default().push(&node.name);
            }
        }
        let mut first = true;
        for (members, names) in reached {
            let members: Vec<&str> = members.iter().map(|&member| &*plan.nodes[member as usize].name).collect();
            let more = names.len().saturating_sub(NAMED);
            let mut by = names[..names.len() - more].join(", ");
            if more > 0 {
                by = format!("{by} and {} more", counted(more as u64, "machine", "machines"));
            }
            table.row([
                if std::mem::take(&mut first) {
                    plan.nodes[address as usize].name.as_str().into()
                } else {
                    Cell::default()
                },
                if members.is_empty() { "no route".into() } else { members.join(" or ").into() },
                if by.is_empty() { "nobody".into() } else { by.into() },
            ]);
        }
    }
    table
}

/// The machines at which packets from a node to an address may end: more than one where several are equally near.
fn members(loaded: &Loaded, from: u32, address: u32) -> Vec<u32> {
    let graph = loaded.network.blueprint.graph();
    let target = loaded.network.address(address);
    let (mut open, mut seen, mut ends) = (vec![NodeId::first(from)], BTreeSet::new(), BTreeSet::new());
    while let Some(node) = open.pop() {
        let router = &loaded.network.layout.routers[node.index()];
        if router.has(target) {
            ends.insert(number(node));
        } else if seen.insert(node) {
            open.extend(router.fib().lookup(target).unwrap_or_default().iter().map(|&hop| graph.target(hop)));
        }
    }
    ends.into_iter().collect()
}
