//! The settings of name servers and resolvers: zones with their records, delegations and hints.

use super::Programs;
use crate::app::dns::{Data, Record};
use crate::scenario::plan::{self, NodeKind};
use crate::service::answers::{Answers, Watched};
use crate::service::{authority, balancer, resolver};
use crate::topo::distance;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

impl Programs<'_> {
    pub(super) fn resolver(&self, config: plan::Resolver) -> resolver::Config {
        let from_above = self.plan.zones.iter().any(|zone| zone.apex == plan::ROOT);
        let hinted = self.plan.zones.iter().filter(|zone| !from_above || zone.apex == plan::ROOT);
        let hints = hinted.map(|zone| resolver::Hint {
            zone: Self::name(&zone.apex),
            servers: zone.authorities.iter().map(|&node| self.network.address(node)).collect(),
        });
        resolver::Config {
            cache_entries: config.cache_entries,
            timeout: config.timeout,
            attempts: config.attempts,
            min_ttl: config.min_ttl,
            max_ttl: config.max_ttl,
            rotates: config.rotates,
            ..resolver::Config::new(hints.collect())
        }
    }

    pub(super) fn zone(&self, zone: &plan::Zone) -> authority::Zone {
        let apex = Self::name(&zone.apex);
        let mut made = authority::Zone::new(apex.clone(), apex, zone.negative_ttl);
        made.rotation = match zone.rotation {
            plan::Rotation::Cyclic => authority::Rotation::Cyclic,
            plan::Rotation::Fixed => authority::Rotation::Fixed,
            plan::Rotation::Random => authority::Rotation::Random,
        };
        made.answers = match &zone.answers {
            plan::Answers::All => Answers::All,
            plan::Answers::Failover => Answers::Failover,
            plan::Answers::Weighted(weights) => {
                Answers::Weighted(weights.iter().map(|&(node, weight)| (self.network.address(node), weight)).collect())
            }
            plan::Answers::Nearest => Answers::Nearest(self.nearest(zone)),
        };
        made.watched = zone.check.as_ref().map(|check| Watched {
            check: check.clone(),
            members: zone
                .nodes()
                .into_iter()
                .filter_map(|node| {
                    let known = &self.plan.nodes[node as usize];
                    let at = self.at(node, known.kind.port()?);
                    let tls = self.plan.terminates_tls(node).is_some();
                    Some(balancer::Member { node, name: known.name.clone(), at, tls, weight: 1, drain: None })
                })
                .collect(),
        });
        made.records = zone
            .records
            .iter()
            .map(|record| Record {
                name: Self::name(&record.name),
                ttl: record.ttl,
                data: match &record.data {
                    plan::Data::A(node) => Data::A(self.network.address(*node)),
                    plan::Data::Cname(target) => Data::Cname(Self::name(target)),
                },
            })
            .collect();
        if self
            .plan
            .zones
            .iter()
            .any(|other| other.delegates.iter().any(|&below| self.plan.zones[below as usize] == *zone))
        {
            made.records.extend(self.servers_of(zone, zone.ttl));
        }
        for &below in &zone.delegates {
            made.records.extend(self.servers_of(&self.plan.zones[below as usize], zone.ttl));
        }
        made
    }

    /// The name servers of a zone and their addresses: in the zone itself, and above it the delegation with its glue.
    fn servers_of(&self, zone: &plan::Zone, ttl: u32) -> impl Iterator<Item = Record> {
        let apex = Self::name(&zone.apex);
        zone.authorities.iter().flat_map(move |&node| {
            let host = Self::name(&self.plan.server_name(zone, node));
            let server = Record { name: apex.clone(), ttl, data: Data::Ns(host.clone()) };
            [server, Record { name: host, ttl, data: Data::A(self.network.address(node)) }]
        })
    }

    /// For each resolver the addresses of a zone from near to far, those without a place last.
    fn nearest(&self, zone: &plan::Zone) -> BTreeMap<Ipv4Addr, Vec<Ipv4Addr>> {
        let place = |node: u32| self.plan.nodes[node as usize].place.as_ref().map(|place| place.at);
        let resolvers = (0u32..).zip(&self.plan.nodes).filter(|(_, node)| matches!(node.kind, NodeKind::Resolver(_)));
        resolvers
            .map(|(resolver, _)| {
                let far = |node: &u32| place(resolver).zip(place(*node)).map_or(u64::MAX, |(a, b)| distance(a, b));
                let mut nodes = zone.nodes();
                nodes.sort_by_key(far);
                let addrs = nodes.into_iter().map(|node| self.network.address(node)).collect();
                (self.network.address(resolver), addrs)
            })
            .collect()
    }
}
