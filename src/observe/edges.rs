//! Edges over a run: how requests were served, what was fetched, how old answers were, and when each edge had carried out a purge.
//!
//! A reader of the trace knows what no edge can: which version an origin has when an edge serves another one.

use crate::base::Time;
use crate::trace::{CacheEvent, CacheRecord, Changed, Handling, Record, Request, Served};
use std::collections::BTreeMap;

/// What one edge did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edge {
    /// Requests answered, by how.
    pub served: BTreeMap<Handling, u64>,
    /// Bytes of bodies sent to clients.
    pub bytes_sent: u64,
    /// Of those, out of the store.
    pub bytes_from_store: u64,
    /// Bytes of bodies fetched.
    pub bytes_fetched: u64,
    /// Fetches that ended.
    pub fetches: u64,
    /// Of those, the ones that found that what was stored was right still (304).
    pub validated: u64,
    /// Of those, the ones that failed.
    pub fetches_failed: u64,
    /// Objects that went for want of room.
    pub evicted: u64,
    /// Objects that were purged.
    pub purged: u64,
    /// Answers with a version that its origin had replaced already.
    pub outdated: u64,
}

impl Edge {
    /// Requests answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.served.values().sum()
    }

    /// Of those, the ones for which nothing had to be waited for.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.served.iter().filter(|(handling, _)| handling.is_hit()).map(|(_, n)| n).sum()
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        for (&handling, n) in &other.served {
            *self.served.entry(handling).or_default() += n;
        }
        for (own, more) in [
            (&mut self.bytes_sent, other.bytes_sent),
            (&mut self.bytes_from_store, other.bytes_from_store),
            (&mut self.bytes_fetched, other.bytes_fetched),
            (&mut self.fetches, other.fetches),
            (&mut self.validated, other.validated),
            (&mut self.fetches_failed, other.fetches_failed),
            (&mut self.evicted, other.evicted),
            (&mut self.purged, other.purged),
            (&mut self.outdated, other.outdated),
        ] {
            *own += more;
        }
    }

    fn served(&mut self, served: &Served) {
        *self.served.entry(served.handling).or_default() += 1;
        self.bytes_sent += served.body;
        if served.handling.is_from_store() {
            self.bytes_from_store += served.body;
        }
    }
}

/// A purge by a control point.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Purge {
    /// The control point.
    pub control: u32,
    /// Its number there.
    pub number: u64,
    /// When the control point was told.
    pub began: Time,
    /// When each edge had carried it out, in that order, and how many objects it had.
    pub done: Vec<(u32, Time, u64)>,
    /// When one of those edges last served a version that the origin had replaced before the purge began.
    pub last_outdated: Option<Time>,
    path: Option<u64>,
}

/// Reads records and knows what edges did.
#[derive(Clone, Debug, Default)]
pub struct Edges {
    nodes: BTreeMap<u32, Edge>,
    purges: Vec<Purge>,
    /// The versions of each path at origins: since when which.
    versions: BTreeMap<u64, Vec<(Time, u64)>>,
}

impl Edges {
    /// These edges, by their number in the plan, have done nothing yet.
    #[must_use]
    pub fn new(nodes: impl IntoIterator<Item = u32>) -> Self {
        Self { nodes: nodes.into_iter().map(|node| (node, Edge::default())).collect(), ..Self::default() }
    }

    /// Takes a record in.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Cache(record) => self.cache(record),
            Record::Fetched(fetched) => self.fetched(fetched),
            Record::Changed(Changed { time, path, version, .. }) => {
                self.versions.entry(*path).or_default().push((*time, *version));
            }
            _ => {}
        }
    }

    fn cache(&mut self, &CacheRecord { node, time, event }: &CacheRecord) {
        match event {
            CacheEvent::Served(served) => {
                let outdated = self.is_outdated(&served, time);
                let edge = self.nodes.entry(node).or_default();
                edge.served(&served);
                edge.outdated += u64::from(outdated);
                let versions = &self.versions;
                for purge in self.purges.iter_mut().filter(|_| outdated) {
                    let told = purge.path.is_none_or(|path| path == served.path);
                    // What was replaced after the purge is not for this purge to remove.
                    let replaced = versions.get(&served.path).into_iter().flatten();
                    let before = replaced
                        .filter(|(when, _)| *when <= purge.began)
                        .any(|(_, now)| served.version.is_some_and(|own| own < *now));
                    if told && before {
                        purge.last_outdated = Some(time);
                    }
                }
            }
            CacheEvent::Evicted { objects } => self.nodes.entry(node).or_default().evicted += objects,
            CacheEvent::Purging { purge: number, path } => {
                self.purges.push(Purge {
                    control: node,
                    number,
                    began: time,
                    done: Vec::new(),
                    last_outdated: None,
                    path,
                });
            }
            CacheEvent::Purged { control, purge: number, objects } => {
                self.nodes.entry(node).or_default().purged += objects;
                let wanted = |purge: &&mut Purge| Some(purge.control) == control && purge.number == number;
                if let Some(purge) = self.purges.iter_mut().rev().find(wanted)
                    && !purge.done.iter().any(|(other, ..)| *other == node)
                {
                    purge.done.push((node, time, objects));
                }
            }
        }
    }

    /// Whether the origin has a later version than the one that is served.
    fn is_outdated(&self, served: &Served, now: Time) -> bool {
        let known = self.versions.get(&served.path).into_iter().flatten();
        let latest = known.filter(|(since, _)| *since <= now).map(|(_, version)| *version).max();
        served.version.zip(latest).is_some_and(|(own, latest)| own < latest)
    }

    fn fetched(&mut self, fetched: &Request) {
        let edge = self.nodes.entry(fetched.node).or_default();
        edge.fetches += 1;
        edge.fetches_failed += u64::from(fetched.failure.is_some());
        edge.validated += u64::from(fetched.status == 304);
        edge.bytes_fetched += fetched.body;
    }

    /// What each edge did, by its number in the plan, and the purges in their order.
    #[must_use]
    pub fn finish(self) -> (BTreeMap<u32, Edge>, Vec<Purge>) {
        (self.nodes, self.purges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;

    fn ms(n: u64) -> Time {
        Time::ZERO + Span::from_millis(n)
    }

    fn served(at: u64, version: u64) -> Record {
        let event = CacheEvent::Served(Served {
            flow: 1,
            exchange: 0,
            handling: Handling::Hit,
            fetch: 0,
            path: 7,
            version: Some(version),
            age: Span::ZERO,
            lifetime: Span::ZERO,
            body: 10,
        });
        Record::Cache(CacheRecord { node: 3, time: ms(at), event })
    }

    fn cache(node: u32, at: u64, event: CacheEvent) -> Record {
        Record::Cache(CacheRecord { node, time: ms(at), event })
    }

    #[test]
    fn a_purge_is_over_for_an_edge_when_it_serves_what_was_replaced_no_longer() {
        let mut edges = Edges::new([3, 4]);
        let changed = |at, version| Record::Changed(Changed { node: 1, time: ms(at), path: 7, version });
        let purged = |node, at| cache(node, at, CacheEvent::Purged { control: Some(9), purge: 1, objects: 1 });
        for record in [
            served(1, 1),
            changed(10, 2),
            served(11, 1),
            cache(9, 20, CacheEvent::Purging { purge: 1, path: Some(7) }),
            served(30, 1),
            purged(3, 40),
            served(50, 2),
            changed(60, 3),
            served(70, 2),
            purged(4, 80),
            purged(4, 90),
        ] {
            edges.record(&record);
        }
        let (edges, purges) = edges.finish();
        assert_eq!((edges[&3].outdated, edges[&3].hits(), edges[&3].bytes_from_store), (3, 5, 50));
        assert_eq!(purges.len(), 1);
        assert_eq!(purges[0].done, [(3, ms(40), 1), (4, ms(80), 1)]);
        assert_eq!(purges[0].last_outdated, Some(ms(30)), "the later change is not this purge's");
    }
}
