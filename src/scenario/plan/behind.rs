//! Who stands behind whom in a plan: the servers that a request may reach, directly or through balancers.

use super::{Http, NodeKind, Plan};
use crate::app::http1::path_matches;
use crate::service::server;
use std::collections::BTreeSet;

impl Plan {
    /// The servers among `nodes` and behind the balancers among them, each once.
    #[must_use]
    pub fn servers_behind(&self, nodes: &[u32]) -> Vec<(u32, &server::Config)> {
        let mut found: Vec<(u32, &server::Config)> = Vec::new();
        let (mut left, mut seen) = (nodes.to_vec(), BTreeSet::new());
        while let Some(node) = left.pop() {
            // Looked at twice nobody leads to anybody new.
            if !seen.insert(node) {
                continue;
            }
            match &self.nodes[node as usize].kind {
                NodeKind::Server(config) => found.push((node, config)),
                NodeKind::Anycast(anycast) => left.extend(&anycast.members),
                NodeKind::Balancer(balancer) => left.extend(balancer.targets().map(|target| target.node)),
                _ => {}
            }
        }
        found
    }

    /// The servers that a request to `nodes` may come to, also by way of edges that have not stored the answer, each once.
    #[must_use]
    pub fn servers_reached(&self, nodes: &[u32]) -> Vec<(u32, &server::Config)> {
        let (mut all, mut at) = (nodes.to_vec(), 0);
        let mut seen: BTreeSet<u32> = nodes.iter().copied().collect();
        while let Some(&node) = all.get(at) {
            at += 1;
            let next: &[u32] = match &self.nodes[node as usize].kind {
                NodeKind::Anycast(anycast) => &anycast.members,
                NodeKind::Edge(edge) => &edge.upstream.targets.iter().map(|target| target.node).collect::<Vec<u32>>(),
                _ => continue,
            };
            // Edges that fetch from each other are reported elsewhere.
            all.extend(next.iter().copied().filter(|&node| seen.insert(node)));
        }
        self.servers_behind(&all)
    }

    /// How a node that answers HTTP speaks TLS; `None`: in the clear. Behind a balancer that looks at packets, its first backend decides.
    #[must_use]
    pub fn terminates_tls(&self, node: u32) -> Option<&server::Tls> {
        match &self.nodes[node as usize].kind {
            NodeKind::Server(server) => server.tls.as_ref(),
            NodeKind::Balancer(balancer) if balancer.layer.sees_requests() => balancer.tls.as_ref(),
            NodeKind::Balancer(balancer) => self.terminates_tls(balancer.targets().next()?.node),
            NodeKind::Anycast(anycast) => self.terminates_tls(*anycast.members.first()?),
            _ => None,
        }
    }

    /// Whether a server keeps sessions for those who make these requests.
    #[must_use]
    pub fn keeps_sessions(&self, http: &Http) -> bool {
        let path = http.path.split('?').next().unwrap_or_default();
        let targets: Vec<u32> = http.asks.iter().flat_map(|ask| ask.targets.iter().copied()).collect();
        self.servers_behind(&targets)
            .iter()
            .any(|(_, config)| config.session.as_ref().is_some_and(|session| path_matches(&session.path, path)))
    }
}
