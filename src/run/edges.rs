//! What edges and purges came to, as plain data.

use super::outcome::Share;
use crate::observe::edges::{Edge, Purge};
use crate::scenario::plan::{Node, NodeKind};
use crate::trace::Handling;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an edge did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct EdgeOutcome {
    /// Requests answered.
    pub requests: u64,
    /// From the store, fresh.
    pub hits: u64,
    /// From the store, stale, while it was validated.
    pub stale: u64,
    /// From the store, stale, because the fetch failed.
    pub stale_on_error: u64,
    /// From the store: an error that was remembered.
    pub negative: u64,
    /// From the store, after it had been validated.
    pub revalidated: u64,
    /// With what was being fetched for another request.
    pub coalesced: u64,
    /// With what was fetched for it.
    pub misses: u64,
    /// Passed on, as their methods or what they ask for are not for caches.
    pub passed: u64,
    /// With an error of the edge's own, as nobody upstream answered.
    pub failed: u64,
    /// Share of requests for which nothing had to be waited for: `hits`, `stale` and `negative`.
    pub hit_ratio: Option<Share>,
    /// Share of the bytes of bodies sent that came out of the store.
    pub byte_hit_ratio: Option<Share>,
    /// Bytes of bodies sent to clients.
    pub bytes_sent: u64,
    /// Of those, out of the store.
    pub bytes_from_store: u64,
    /// Bytes of bodies fetched.
    pub bytes_fetched: u64,
    /// Fetches that ended.
    pub fetches: u64,
    /// Of those, the ones that brought no body, as what was stored was right still (304).
    pub validated: u64,
    /// Of those, the ones that failed.
    pub fetches_failed: u64,
    /// Objects that went for want of room.
    pub evicted: u64,
    /// Objects that were purged.
    pub purged: u64,
    /// Answers with a version that the origin had replaced already.
    pub outdated: u64,
}

/// A purge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PurgeOutcome {
    /// The control point that was asked for it.
    pub by: String,
    /// When it was asked, in nanoseconds from the start of the run.
    pub at_ns: u64,
    /// How long after that each edge had carried it out, in that order.
    pub edges_ns: IndexMap<String, u64>,
    /// Edges that had not carried it out when the run ended.
    pub missed: Vec<String>,
    /// Objects removed.
    pub removed: u64,
    /// How long after that an edge last served a version that had been replaced before; `None` if none did.
    pub last_outdated_ns: Option<u64>,
}

/// Edges by name, and purges, given the nodes of the plan.
#[must_use]
pub fn outcomes(
    (edges, purges): &(BTreeMap<u32, Edge>, Vec<Purge>),
    nodes: &[Node],
) -> (IndexMap<String, EdgeOutcome>, Vec<PurgeOutcome>) {
    let name = |node: u32| nodes[node as usize].name.clone();
    let missed = |purge: &Purge| {
        let NodeKind::PurgeControl(control) = &nodes[purge.control as usize].kind else { return Vec::new() };
        let left = control.edges.iter().filter(|edge| !purge.done.iter().any(|done| done.0 == **edge));
        left.map(|&edge| name(edge)).collect()
    };
    let of_purge = |purge: &Purge| PurgeOutcome {
        by: name(purge.control),
        at_ns: purge.began.as_nanos(),
        edges_ns: purge.done.iter().map(|&(edge, at, _)| (name(edge), (at - purge.began).as_nanos())).collect(),
        missed: missed(purge),
        removed: purge.done.iter().map(|(.., objects)| objects).sum(),
        last_outdated_ns: purge.last_outdated.map(|at| (at - purge.began).as_nanos()),
    };
    (edges.iter().map(|(&node, edge)| (name(node), outcome(edge))).collect(), purges.iter().map(of_purge).collect())
}

/// What one edge, or several added, did.
#[must_use]
pub fn outcome(edge: &Edge) -> EdgeOutcome {
    let of = |handling| edge.served.get(&handling).copied().unwrap_or(0);
    EdgeOutcome {
        requests: edge.requests(),
        hits: of(Handling::Hit),
        stale: of(Handling::Stale),
        stale_on_error: of(Handling::StaleOnError),
        negative: of(Handling::Negative),
        revalidated: of(Handling::Revalidated),
        coalesced: of(Handling::Coalesced),
        misses: of(Handling::Miss),
        passed: of(Handling::Passed),
        failed: of(Handling::Failed),
        hit_ratio: Share::of(edge.hits(), edge.requests()),
        byte_hit_ratio: Share::of(edge.bytes_from_store, edge.bytes_sent),
        bytes_sent: edge.bytes_sent,
        bytes_from_store: edge.bytes_from_store,
        bytes_fetched: edge.bytes_fetched,
        fetches: edge.fetches,
        validated: edge.validated,
        fetches_failed: edge.fetches_failed,
        evicted: edge.evicted,
        purged: edge.purged,
        outdated: edge.outdated,
    }
}
