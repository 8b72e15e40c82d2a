//! A scenario with nothing left to decide: every name a number, every default filled in, every quantity in base types.
//!
//! Nodes, links, traffic and zones are in the natural order of their names (`host/2` before `host/10`), so that nothing depends on
//! the order of the file; [`Written`] keeps that order for display. A `u32` that refers to one is its index in the plan.

mod alias;
mod anycast;
mod balancer;
mod behind;
mod edge;
mod expect;
mod names;
pub mod registry;
mod store;
mod tcp;
mod traffic;

pub use alias::{End, MOST_ALIASES, Trail};
pub use anycast::Anycast;
pub use balancer::{BackendPool, Balancer, Target};
pub use edge::{EdgeNode, PurgeControl};
pub use expect::{Bounds, Expect, Measure, Quantity, Statistic, Way, Window};
pub use names::{Answers, Data, ROOT, Record, Resolver, Rotation, Zone};
pub use registry::{Discovery, Registering};
pub use store::{Agreement, ClusterNode, Lookups, Store, StoreNode};
pub use tcp::{Profile, Tcp};
pub use traffic::{Ask, Bulk, Carrier, Http, Messages, Objects, Origin, Ping, Traceroute, Traffic, TrafficKind};

use super::ast;
use crate::base::Span;
use crate::fault;
use crate::link;
use crate::service::server;
use crate::topo::{Place, Stretch};
pub use crate::world::Routing;

/// A checked scenario.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// Name of the scenario.
    pub name: String,
    /// Seed of all chance.
    pub seed: u64,
    /// The run ends after so long, or earlier when nothing is left to happen.
    pub run_for: Span,
    /// Hosts, routers and servers; members of a group each on their own.
    pub nodes: Vec<Node>,
    /// Links between nodes.
    pub links: Vec<Link>,
    /// Replicated stores, in the order of their first members.
    pub stores: Vec<Store>,
    /// What name servers know.
    pub zones: Vec<Zone>,
    /// Who asks whom for what.
    pub traffic: Vec<Traffic>,
    /// How routing follows what fails and what comes back.
    pub routing: Routing,
    /// What breaks, in the natural order of names.
    pub faults: Vec<Fault>,
    /// What must hold, in the order of the file.
    pub expect: Vec<Expect>,
    /// The order of the file.
    pub written: Written,
}

/// Indices in the order of the file, members of a group in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Nodes.
    pub nodes: Vec<u32>,
    /// Links.
    pub links: Vec<u32>,
    /// Traffic.
    pub traffic: Vec<u32>,
    /// Faults.
    pub faults: Vec<u32>,
}

/// Something that breaks.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// Where the scenario says so.
    pub declared: ast::Span,
    /// Its kind as a scenario says it.
    pub kind: &'static str,
    /// Whether the scenario gives it a name; otherwise it is called after its kind and what it strikes.
    pub named: bool,
    /// What it does and when, under its name.
    pub fault: fault::Fault,
}

/// A machine.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Its name: `user`, or `origin/2` for the second member of a group.
    pub name: String,
    /// Where its name is declared.
    pub declared: ast::Span,
    /// Where it stands.
    pub place: Option<Place>,
    /// What it is.
    pub kind: NodeKind,
    /// Its TCP.
    pub tcp: Tcp,
    /// Resolvers that programs on it ask, in the order of asking.
    pub resolvers: Vec<u32>,
    /// Name of the access profile of its link.
    pub access: Option<&'static str>,
    /// Where it signs on.
    pub registering: Option<Registering>,
    /// The links on which it has an address each, if it has several.
    pub homing: Option<Homing>,
}

/// How a host with an address on each of its links uses them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Homing {
    /// Where the scenario says so.
    pub declared: ast::Span,
    /// All its links, the one that it prefers first.
    pub uplinks: Vec<u32>,
    /// How long a link must have failed, or be back, before the host acts on it.
    pub carrier_delay: Span,
}

/// What a node does.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each node, and servers are many of them")]
pub enum NodeKind {
    /// Programs of users run on it.
    Host,
    /// It forwards packets.
    Router,
    /// It answers HTTP requests.
    Server(server::Config),
    /// It is a member of a store.
    Store(StoreNode),
    /// It is a node of a cluster.
    Cluster(ClusterNode),
    /// It resolves names for others.
    Resolver(Resolver),
    /// It shares out requests or connections.
    Balancer(Balancer),
    /// It keeps lists of instances.
    Registry,
    /// It keeps what others have fetched.
    Edge(EdgeNode),
    /// It tells edges what to forget.
    PurgeControl(PurgeControl),
    /// It is no machine but an address that several machines announce.
    Anycast(Anycast),
    /// It knows zones.
    Authority {
        /// Which zones.
        zones: Vec<u32>,
    },
}

impl NodeKind {
    /// The port on which it answers HTTP requests.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Server(server) => Some(server.port),
            Self::Store(store) => Some(store.port),
            Self::Balancer(balancer) => Some(balancer.port),
            Self::Edge(edge) => Some(edge.settings.port),
            Self::PurgeControl(control) => Some(control.port),
            Self::Anycast(anycast) => anycast.port,
            _ => None,
        }
    }

    /// Whether it forwards packets that are not for it.
    #[must_use]
    pub const fn forwards(&self) -> bool {
        matches!(self, Self::Router)
    }

    /// The kind as a scenario says it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::Router => "Router",
            Self::Server(_) => "Server",
            Self::Store(_) => "Store",
            Self::Cluster(_) => "Cluster",
            Self::Resolver(_) => "Resolver",
            Self::Balancer(_) => "Balancer",
            Self::Edge(_) => "Edge",
            Self::PurgeControl(_) => "PurgeControl",
            Self::Anycast(_) => "Anycast",
            Self::Registry => "Registry",
            Self::Authority { .. } => "Authority",
        }
    }

    /// The kind as it stands in a sentence: `` an `Edge` ``.
    #[must_use]
    pub fn described(&self) -> String {
        let name = self.name();
        format!("{} `{name}`", if name.starts_with(['A', 'E', 'I', 'O']) { "an" } else { "a" })
    }
}

/// A link.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    /// Its name: `edge-lb` unless the scenario says another.
    pub name: String,
    /// Where it is declared.
    pub declared: ast::Span,
    /// One end.
    pub a: u32,
    /// The other end.
    pub b: u32,
    /// From `a` to `b`, and back.
    pub directions: [link::Config; 2],
    /// Where its delay comes from.
    pub length: Length,
    /// Geodesic between the places of its ends, in metres.
    pub geodesic: Option<u64>,
    /// Delay that access profiles of its ends add to each direction, within the directions' delay.
    pub access: [Span; 2],
}

/// Where a link's delay comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// The scenario states the delay.
    Delay,
    /// Cable of so many metres times the stretch, stated by the scenario or from the places of both ends.
    Metres {
        /// Metres.
        metres: u64,
        /// How much longer the cable is.
        stretch: Stretch,
    },
    /// Only the access profile says something.
    Access,
}
