//! A scenario with nothing left to decide: every name a number, every default filled in, every quantity in base types.
//!
//! Nodes, links, traffic and zones are in the natural order of their names (`host/2` before `host/10`), so that nothing depends on
//! the order of the file; [`Written`] keeps that order for display. A `u32` that refers to one is its index in the plan.

mod anycast;
mod balancer;
mod behind;
mod edge;
mod expect;

pub use anycast::Anycast;
pub use balancer::{BackendPool, Balancer, Target};
pub use edge::{EdgeNode, PurgeControl};

use super::ast;
use crate::base::{Span, Time};
use crate::fault;
use crate::link;
use crate::service::balancer::Check;
use crate::service::bulk::{Amount, Direction};
use crate::service::carrier::Over;
use crate::service::client::{Arrivals, Catalogue, Connections, Policy, Tls};
use crate::service::{Limit, Numbering, server};
use crate::topo::{Place, Stretch};
use crate::transport::tcp::EcnMode;
use crate::wire::Dscp;
pub use crate::world::Routing;

pub mod registry;
mod store;

pub use expect::{Bounds, Expect, Measure, Quantity, Statistic, Way, Window};
pub use registry::{Discovery, Registering};
pub use store::{Agreement, ClusterNode, Lookups, Store, StoreNode};

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
}

/// A recursive resolver. Its hints are the root's authorities, or without a root zone those of every zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resolver {
    /// Record sets to remember; 0 remembers nothing.
    pub cache_entries: usize,
    /// How long to wait for an authority's answer to one datagram.
    pub timeout: Span,
    /// Datagrams sent for one step of one question.
    pub attempts: u32,
    /// Answers are remembered for so many seconds at least, whatever their TTL says.
    pub min_ttl: u32,
    /// And for so many at most.
    pub max_ttl: u32,
    /// Whether several addresses from memory are given in turn.
    pub rotates: bool,
}

/// A named set of TCP constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Profile {
    /// As a Linux 6.x kernel.
    #[default]
    Linux,
    /// As the RFCs.
    Rfc,
}

/// TCP settings of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, as in TCP's options")]
pub struct Tcp {
    /// Which constants.
    pub profile: Profile,
    /// Name of the congestion controller.
    pub congestion: &'static str,
    /// Largest IP packet in bytes: the smallest MTU of the node's links unless the scenario says another.
    pub mtu: u32,
    /// Nagle's algorithm.
    pub nagle: bool,
    /// Timestamps (RFC 7323).
    pub timestamps: bool,
    /// SACK (RFC 2018).
    pub sack: bool,
    /// Window scaling (RFC 7323).
    pub window_scaling: bool,
    /// Tail loss probes (RFC 8985 7).
    pub tail_loss_probe: bool,
    /// Losses found by time (RFC 8985).
    pub rack: bool,
    /// Largest receive window in bytes.
    pub receive_buffer: u64,
    /// Bytes that the send buffer holds.
    pub send_buffer: u64,
    /// Whether the window starts again after idling; `None`: as the profile says.
    pub restart_after_idle: Option<bool>,
    /// Explicit congestion notification.
    pub ecn: EcnMode,
    /// Whether segments are paced also where the controller does not ask for it.
    pub pacing: bool,
    /// Give up when sent data stays unacknowledged for so long.
    pub user_timeout: Option<Span>,
    /// Whether connections are opened and accepted with data in the SYN (RFC 7413).
    pub fast_open: bool,
    /// Probe an idle connection after so long, then so often, and give up after so many without an answer.
    pub keep_alive: Option<(Span, Span, u32)>,
}

impl Default for Tcp {
    fn default() -> Self {
        Self {
            profile: Profile::Linux,
            congestion: "cubic",
            mtu: 1500,
            nagle: true,
            timestamps: true,
            sack: true,
            window_scaling: true,
            tail_loss_probe: true,
            rack: true,
            receive_buffer: 64 << 20,
            send_buffer: 16 << 20,
            restart_after_idle: None,
            ecn: EcnMode::Passive,
            pacing: false,
            user_timeout: None,
            fast_open: false,
            keep_alive: None,
        }
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

/// A zone of names.
#[derive(Clone, PartialEq, Debug)]
pub struct Zone {
    /// The name at its top.
    pub apex: String,
    /// Nodes that know it.
    pub authorities: Vec<u32>,
    /// How long answers are remembered, in seconds.
    pub ttl: u32,
    /// How long "no such name" is remembered, in seconds.
    pub negative_ttl: u32,
    /// Order of several addresses.
    pub rotation: Rotation,
    /// Which of several addresses are given.
    pub answers: Answers,
    /// How its addresses are checked.
    pub check: Option<Check>,
    /// Its names.
    pub records: Vec<Record>,
    /// Zones that it delegates, where there is a root zone: those below it and below no other.
    pub delegates: Vec<u32>,
}

/// Apex of the root zone.
pub const ROOT: &str = ".";

impl Zone {
    /// Whether a full name lies in the zone or in one below it.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.apex == ROOT || name == self.apex || name.ends_with(&format!(".{}", self.apex))
    }

    /// Nodes whose addresses it holds, each once, in the order of the zone.
    #[must_use]
    pub fn nodes(&self) -> Vec<u32> {
        let mut nodes = Vec::new();
        for record in &self.records {
            if let Data::A(node) = record.data
                && !nodes.contains(&node)
            {
                nodes.push(node);
            }
        }
        nodes
    }
}

impl Plan {
    /// The name in a zone of a node that answers for it: `ns-1.shop.example` of `ns/1`.
    #[must_use]
    pub fn server_name(&self, zone: &Zone, node: u32) -> String {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
        let label: String = self.nodes[node as usize].name.chars().take(40).map(plain).collect();
        // Node names that differ in other letters only would be one name.
        let label = label.trim_matches('-');
        let label = if label.is_empty() { "ns" } else { label };
        let same = |&&other: &&u32| {
            self.nodes[other as usize].name.chars().map(plain).eq(self.nodes[node as usize].name.chars().map(plain))
        };
        let before = zone.authorities.iter().take_while(|&&other| other != node).filter(same).count();
        let number = if before == 0 { String::new() } else { format!("-{}", before + 1) };
        if zone.apex == ROOT { format!("{label}{number}") } else { format!("{label}{number}.{}", zone.apex) }
    }
}

/// Which of several addresses of a name are given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Answers {
    /// All.
    #[default]
    All,
    /// The first that is well.
    Failover,
    /// One, by the weights of nodes.
    Weighted(Vec<(u32, u32)>),
    /// The nearest to the resolver.
    Nearest,
}

/// In which order several addresses of a name are given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rotation {
    /// Each answer starts one further on.
    #[default]
    Cyclic,
    /// Always the same.
    Fixed,
    /// Shuffled for each answer.
    Random,
}

/// A name of a zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its full name: `www.shop.example`.
    pub name: String,
    /// How long it is remembered, in seconds.
    pub ttl: u32,
    /// What it stands for.
    pub data: Data,
}

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Data {
    /// The address of a node.
    A(u32),
    /// Another full name.
    Cname(String),
}

/// Something that users do.
#[derive(Clone, PartialEq, Debug)]
pub struct Traffic {
    /// Its name.
    pub name: String,
    /// Where its name is declared.
    pub declared: ast::Span,
    /// When it starts.
    pub start: Time,
    /// Code point of its packets and of the answers to its connections.
    pub dscp: Dscp,
    /// What it is.
    pub kind: TrafficKind,
}

/// Kinds of traffic. Where several hosts make the traffic, each makes all that is described; the numbers of requests,
/// messages and echoes are dealt out to them in turn (see [`Traffic::numbering`]).
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each traffic, and most are HTTP")]
pub enum TrafficKind {
    /// HTTP requests.
    Http(Http),
    /// Transfers in bulk.
    Bulk(Bulk),
    /// Messages at an interval.
    Messages(Messages),
    /// Objects fetched at once.
    Objects(Objects),
    /// Commands to a cluster.
    Lookups(Lookups),
    /// ICMP echoes.
    Ping(Ping),
    /// A way through the network.
    Traceroute(Traceroute),
}

impl Traffic {
    /// The hosts that make it and the nodes that it is for; for HTTP by name, every node that the name may stand for.
    #[must_use]
    pub fn pairs(&self) -> Vec<(u32, u32)> {
        match &self.kind {
            TrafficKind::Http(http) => {
                let each = |ask: &Ask| ask.targets.iter().map(|&to| (ask.from, to)).collect::<Vec<_>>();
                http.asks.iter().flat_map(each).collect()
            }
            TrafficKind::Bulk(bulk) => bulk.pairs.clone(),
            TrafficKind::Messages(messages) => messages.pairs.clone(),
            TrafficKind::Objects(objects) => objects.pairs.clone(),
            TrafficKind::Lookups(lookups) => {
                let each = |&from: &u32| lookups.cluster.iter().map(|&to| (from, to)).collect::<Vec<_>>();
                lookups.from.iter().flat_map(each).collect()
            }
            TrafficKind::Ping(ping) => ping.pairs.clone(),
            TrafficKind::Traceroute(traceroute) => traceroute.pairs.clone(),
        }
    }

    /// The numbers of the `index`-th maker's items, of `makers` in all.
    #[must_use]
    pub const fn numbering(index: u64, makers: u64) -> Numbering {
        Numbering { first: index, step: makers }
    }
}

/// HTTP requests: each of `asks` makes them all.
#[derive(Clone, PartialEq, Debug)]
pub struct Http {
    /// Who asks whom.
    pub asks: Vec<Ask>,
    /// Port of the origin.
    pub port: u16,
    /// TLS; `None`: in the clear.
    pub tls: Option<Tls>,
    /// Path and query.
    pub path: String,
    /// Objects below the path, of which each request is for one.
    pub catalogue: Option<Catalogue>,
    /// Method, in capitals.
    pub method: &'static str,
    /// Bytes of a request's head; `None`: what a browser sends.
    pub head_bytes: Option<u64>,
    /// Fields of their own in a request's head, names and values.
    pub headers: Vec<(String, String)>,
    /// Whether users keep cookies, and those that they have from the start; `None`: they do not.
    pub cookies: Option<Vec<(String, String)>>,
    /// Bytes of a request's body.
    pub body_bytes: u64,
    /// Whether each try says how long it will be waited for.
    pub deadline: bool,
    /// Whether each request carries a key of its own.
    pub idempotency_key: bool,
    /// What each request pays, in cents.
    pub pays: Option<u64>,
    /// Whether each try reads first and writes only if nothing has changed since.
    pub conditional: bool,
    /// When requests come.
    pub arrivals: Arrivals,
    /// When they end.
    pub limit: Limit,
    /// Which connections carry them.
    pub connections: Connections,
    /// When to give a request up; `None`: never.
    pub timeout: Option<Span>,
    /// What is done about failures.
    pub policy: Policy,
    /// A congestion controller instead of the host's own.
    pub congestion: Option<&'static str>,
    /// The registry that says who may be asked, and how one of them is chosen.
    pub discovery: Option<Discovery>,
}

/// Who asks whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// The host whose users ask.
    pub from: u32,
    /// Whom they ask.
    pub origin: Origin,
    /// The nodes that the origin may turn out to be.
    pub targets: Vec<u32>,
}

/// How an origin is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// By a name of a zone.
    Name(String),
    /// By a node: its address is known.
    Node(u32),
    /// By the name of a service at a registry.
    Service(String),
}

/// Transfers in bulk: each pair makes them all.
#[derive(Clone, PartialEq, Debug)]
pub struct Bulk {
    /// Client, who connects, and server.
    pub pairs: Vec<(u32, u32)>,
    /// Port of the server.
    pub port: u16,
    /// What carries it.
    pub over: Over,
    /// Which way the bytes go.
    pub direction: Direction,
    /// How much on each flow.
    pub amount: Amount,
    /// Flows of each pair.
    pub flows: u32,
    /// From one flow's start to the next one's, over all flows of all pairs.
    pub stagger: Span,
    /// A congestion controller for the sender instead of its host's own.
    pub congestion: Option<&'static str>,
    /// Goodput counts from here: what comes before is warming up.
    pub measure_from: Time,
}

/// Messages at an interval: each pair sends them all.
#[derive(Clone, PartialEq, Debug)]
pub struct Messages {
    /// Sender and receiver.
    pub pairs: Vec<(u32, u32)>,
    /// Port of the receiver.
    pub port: u16,
    /// Payload bytes of each.
    pub bytes: u64,
    /// From one to the next.
    pub every: Span,
    /// What carries them.
    pub carrier: Carrier,
    /// When they end.
    pub limit: Limit,
    /// The senders come from another port every so long.
    pub rebinds: Option<Span>,
}

/// What carries messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// A datagram each.
    Udp,
    /// One connection.
    Tcp {
        /// A congestion controller instead of the host's own.
        congestion: Option<&'static str>,
    },
    /// One connection with a stream for each.
    Quic {
        /// A congestion controller instead of the host's own.
        congestion: Option<&'static str>,
    },
}

/// Objects fetched at once over one connection, again and again.
#[derive(Clone, PartialEq, Debug)]
pub struct Objects {
    /// Client and server.
    pub pairs: Vec<(u32, u32)>,
    /// Port of the server.
    pub port: u16,
    /// What carries them.
    pub over: Over,
    /// Objects of a fetch.
    pub objects: u32,
    /// Bytes of each.
    pub bytes: u64,
    /// From one fetch to the next.
    pub every: Span,
    /// When they end; counts fetches.
    pub limit: Limit,
    /// A congestion controller for the server instead of its host's own.
    pub congestion: Option<&'static str>,
}

/// Echoes at an interval: each pair makes them all.
#[derive(Clone, PartialEq, Debug)]
pub struct Ping {
    /// Who asks whom.
    pub pairs: Vec<(u32, u32)>,
    /// From one to the next.
    pub every: Span,
    /// When they end.
    pub limit: Limit,
    /// Bytes of data in each.
    pub bytes: u32,
    /// TTL of each.
    pub ttl: u8,
    /// How long an answer is waited for.
    pub timeout: Span,
}

/// A way through the network, by echoes of growing TTL.
#[derive(Clone, PartialEq, Debug)]
pub struct Traceroute {
    /// Who asks whom.
    pub pairs: Vec<(u32, u32)>,
    /// Largest TTL tried.
    pub max_ttl: u8,
    /// Probes for each TTL.
    pub probes: u32,
    /// Bytes of data in each.
    pub bytes: u32,
    /// How long an answer is waited for.
    pub timeout: Span,
}
