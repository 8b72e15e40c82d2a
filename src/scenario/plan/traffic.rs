//! Traffic in a plan: who asks whom for what, how often, and until when.

use super::{Discovery, Lookups};
use crate::base::{Span, Time};
use crate::scenario::ast;
use crate::service::bulk::{Amount, Direction};
use crate::service::carrier::Over;
use crate::service::client::{Arrivals, Catalogue, Connections, Policy, Tls};
use crate::service::{Limit, Numbering};
use crate::wire::Dscp;
use std::collections::BTreeSet;

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
    pub fn pairs(&self) -> Box<dyn Iterator<Item = (u32, u32)> + '_> {
        match &self.kind {
            TrafficKind::Http(http) => {
                Box::new(http.asks.iter().flat_map(|ask| ask.targets.iter().map(|&to| (ask.from, to))))
            }
            TrafficKind::Bulk(bulk) => Box::new(bulk.pairs.iter().copied()),
            TrafficKind::Messages(messages) => Box::new(messages.pairs.iter().copied()),
            TrafficKind::Objects(objects) => Box::new(objects.pairs.iter().copied()),
            TrafficKind::Lookups(lookups) => {
                Box::new(lookups.from.iter().flat_map(|&from| lookups.cluster.iter().map(move |&to| (from, to))))
            }
            TrafficKind::Ping(ping) => Box::new(ping.pairs.iter().copied()),
            TrafficKind::Traceroute(traceroute) => Box::new(traceroute.pairs.iter().copied()),
        }
    }

    /// Everybody who talks.
    #[must_use]
    pub fn ends(&self) -> BTreeSet<u32> {
        match &self.kind {
            TrafficKind::Http(http) => {
                let targets = http.choices().filter_map(|asks| asks.first()).flat_map(|ask| &ask.targets);
                http.asks.iter().map(|ask| ask.from).chain(targets.copied()).collect()
            }
            _ => self.pairs().flat_map(|(from, to)| [from, to]).collect(),
        }
    }

    /// The numbers of the `index`-th maker's items, of `makers` in all.
    #[must_use]
    pub const fn numbering(index: u64, makers: u64) -> Numbering {
        Numbering { first: index, step: makers }
    }
}

impl Http {
    /// Those who ask, in runs of such as choose among the same: each by itself would be as many steps as there are pairs.
    pub fn choices(&self) -> impl Iterator<Item = &[Ask]> {
        self.asks.chunk_by(|ask, next| ask.targets == next.targets)
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
