//! Which member of each anycast address every machine reaches, for `check`.

use super::load::Loaded;
use crate::report::Style;
use crate::report::table::{Align, Cell, Table, counted, listed};
use crate::scenario::plan::NodeKind;
use crate::topo::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// Machines named of those that reach one member; of more, the rest is counted.
const NAMED: usize = 8;

/// Lines for one address; of more, the rest is counted.
const ROWS: usize = 12;

/// The number of a node in the plan.
pub(super) fn number(node: NodeId) -> u32 {
    u32::try_from(node.index()).expect("nodes are counted in 32 bits")
}

/// A line for each member of each address, and for members that are equally near; of many the first few, or `all`.
pub(super) fn table(loaded: &Loaded, all: bool) -> Table {
    let plan = &loaded.plan;
    let mut table = Table::new([("anycast", Align::Left), ("member", Align::Left), ("reached by", Align::Left)]);
    for (address, anycast) in plan.anycast() {
        let announcing: BTreeSet<u32> = anycast.members.iter().copied().collect();
        // Whoever comes to the same fork goes on alike.
        let mut forks: BTreeMap<NodeId, Vec<(usize, u32)>> = BTreeMap::new();
        for (place, &index) in plan.written.nodes.iter().enumerate() {
            let asks = !matches!(plan.nodes[index as usize].kind, NodeKind::Router | NodeKind::Anycast(_));
            if asks && !announcing.contains(&index) {
                forks.entry(fork(loaded, index, address)).or_default().push((place, index));
            }
        }
        let mut reached: BTreeMap<Vec<u32>, Vec<(usize, u32)>> =
            anycast.members.iter().map(|&member| (vec![member], Vec::new())).collect();
        for (fork, askers) in forks {
            reached.entry(members(loaded, fork, address)).or_default().extend(askers);
        }
        let most = if all || reached.len() <= ROWS { reached.len() } else { NAMED };
        let name = |node: &u32| plan.nodes[*node as usize].name.as_str();
        // Those that somebody reaches come first where not all are shown.
        let mut rows: Vec<_> = reached.into_iter().collect();
        if most < rows.len() {
            rows.sort_by_key(|(_, askers)| askers.is_empty());
        }
        let left = rows.len() - most;
        for (place, (members, mut askers)) in rows.into_iter().take(most).enumerate() {
            askers.sort_unstable();
            let members: Vec<&str> = members.iter().map(name).collect();
            let more = askers.len().saturating_sub(NAMED);
            let mut by =
                askers[..askers.len() - more].iter().map(|(_, asker)| name(asker)).collect::<Vec<_>>().join(", ");
            if more > 0 {
                by = format!("{by} and {} more", counted(more as u64, "machine", "machines"));
            }
            table.row([
                if place == 0 { name(&address).into() } else { Cell::default() },
                match &members[..] {
                    [] => "no route".into(),
                    [.., _] if members.len() > NAMED => {
                        format!("one of {}", listed(members.iter().copied(), NAMED)).into()
                    }
                    _ => members.join(" or ").into(),
                },
                if by.is_empty() { "nobody".into() } else { by.into() },
            ]);
        }
        if left > 0 {
            let more = counted(left as u64, "more member", "more members");
            table.row([Cell::default(), Cell::painted(format!("{more}: --all shows them"), Style::dim)]);
        }
    }
    table
}

/// How far everything from a node to an address goes the same way.
fn fork(loaded: &Loaded, from: u32, address: u32) -> NodeId {
    let graph = loaded.network.blueprint.graph();
    let target = loaded.network.address(address);
    let (mut node, mut seen) = (NodeId::first(from), BTreeSet::new());
    while seen.insert(node) {
        let router = &loaded.network.layout.routers[node.index()];
        match router.fib().lookup(target) {
            Some(&[hop]) if !router.has(target) => node = graph.target(hop),
            _ => break,
        }
    }
    node
}

/// The machines at which packets from a node to an address may end: more than one where several are equally near.
fn members(loaded: &Loaded, from: NodeId, address: u32) -> Vec<u32> {
    let graph = loaded.network.blueprint.graph();
    let target = loaded.network.address(address);
    let (mut open, mut seen, mut ends) = (vec![from], BTreeSet::new(), BTreeSet::new());
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
