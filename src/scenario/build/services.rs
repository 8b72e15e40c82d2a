//! The settings of balancers, edges, registries and stores, with the addresses of those whom they talk to.

use super::Programs;
use crate::scenario::plan;
use crate::service::{balancer, cdn, cluster, registry, store};
use std::collections::BTreeMap;

impl Programs<'_> {
    pub(super) fn balancer(&self, node: u32, plan: &plan::Balancer) -> balancer::Config {
        let direct = (0u8..).zip(self.plan.answered_directly()).filter(|&(_, (balancer, _))| balancer == node);
        let code_points = direct.filter_map(|(number, (_, address))| {
            Some((self.network.address(address), balancer::l4::code_point(number)?))
        });
        let pools = plan.pools.iter().map(|pool| self.pool(pool));
        balancer::Config {
            port: plan.port,
            backlog: plan.backlog,
            layer: plan.layer,
            tls: plan.tls.clone(),
            pools: pools.collect(),
            routes: plan.routes.clone(),
            default: plan.default,
            instance: plan.instance,
            code_points: code_points.collect(),
        }
    }

    pub(super) fn pool(&self, pool: &plan::BackendPool) -> balancer::Pool {
        let members = pool.targets.iter().map(|target| balancer::Member {
            tls: target.tls,
            weight: target.weight,
            drain: target.drain,
            ..self.member(target.node, target.port)
        });
        balancer::Pool { members: members.collect(), ..pool.settings.clone() }
    }

    fn member(&self, node: u32, port: u16) -> balancer::Member {
        let name = self.plan.nodes[node as usize].name.clone();
        balancer::Member { node, name, at: self.at(node, port), tls: false, weight: 1, drain: None }
    }

    /// Edges in tiers, those that fetch from no other first.
    pub(super) fn purge_control(&self, control: &plan::PurgeControl) -> cdn::ControlConfig {
        let mut tiers: BTreeMap<usize, Vec<cdn::Site>> = BTreeMap::new();
        for &edge in &control.edges {
            let port = self.plan.nodes[edge as usize].kind.port().expect("an edge listens");
            tiers.entry(self.plan.tier(edge)).or_default().push(cdn::Site(self.member(edge, port)));
        }
        cdn::ControlConfig {
            port: control.port,
            tiers: tiers.into_values().collect(),
            timeout: control.timeout,
            patience: control.patience,
        }
    }

    pub(super) fn registry(&self) -> registry::Config {
        let signs_on = |node: &plan::Node| node.registering.is_some();
        let nodes = (0u32..).zip(&self.plan.nodes).filter(|(_, node)| signs_on(node));
        let nodes = nodes.filter_map(|(index, node)| Some((self.at(index, node.kind.port()?), index)));
        registry::Config { port: plan::registry::PORT, nodes: nodes.collect() }
    }

    pub(super) fn sign_on(&self, own: &plan::Registering, port: u16) -> registry::SignOn {
        registry::SignOn {
            registry: self.at(own.registry, plan::registry::PORT),
            service: own.service.clone(),
            port,
            heartbeat: own.heartbeat,
            lease: own.lease,
            from: own.from,
            until: own.until,
        }
    }

    pub(super) fn cluster(&self, node: u32, own: &plan::ClusterNode) -> cluster::Config {
        cluster::Config {
            store: own.store,
            port: own.port,
            members: own.members.iter().map(|&member| self.network.address(member)).collect(),
            me: own.members.iter().position(|&member| member == node).expect("a cluster has its nodes"),
            shards: own.shards,
            service: own.service,
            value: own.value,
            node_timeout: own.node_timeout,
        }
    }

    pub(super) fn store(&self, node: u32, own: &plan::StoreNode) -> store::Config {
        let whole = &self.plan.stores[own.store as usize];
        let agreement = whole.agreement.expect("the members of a store agree on something");
        store::Config {
            store: own.store,
            port: own.port,
            members: whole.members.iter().map(|&member| self.network.address(member)).collect(),
            me: whole.members.iter().position(|&member| member == node).expect("a store has its members"),
            workers: own.workers,
            service: own.service,
            value: own.value,
            reads: own.reads,
            acks: agreement.acks,
            patience: own.timeout,
            heartbeat: agreement.heartbeat,
            failover: agreement.failover,
            quorum: agreement.quorum,
        }
    }
}
