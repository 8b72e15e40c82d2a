//! What a balancer is told: its pools, whom they consist of, how it chooses and what it does about those that fail.

use super::health::Check;
use super::l7::Route;
use super::outlier::Outliers;
use super::policy::Algorithm;
use crate::base::{Ratio, Span, Time};
use crate::service::client;
use crate::service::server::Tls;
use crate::wire::Dscp;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A balancer.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Port on which clients come.
    pub port: u16,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// What it looks at.
    pub layer: Layer,
    /// TLS with its clients, which ends here; `None`: in the clear, or, at L4, whatever client and backend speak.
    pub tls: Option<Tls>,
    /// Its pools, at least one; an L4 balancer uses the first.
    pub pools: Vec<Pool>,
    /// Which requests go to which pool; the first that matches counts.
    pub routes: Vec<Route>,
    /// The pool of requests that no route matches; `None`: they are answered 404.
    pub default: Option<usize>,
    /// Number of this balancer among those of its group, from 0.
    pub instance: u32,
    /// The addresses that clients come to, each with the code point of packets whose answers go direct from there.
    pub code_points: Vec<(Ipv4Addr, Dscp)>,
}

/// What a balancer looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    /// Requests: it ends its clients' connections and has its own to the backends.
    L7 {
        /// A client's connection without a request for so long is closed.
        idle: Span,
    },
    /// Packets: a connection stays with the backend that its SYN was given to.
    L4 {
        /// The way of the answers.
        back: Return,
        /// A connection without a packet for so long is forgotten.
        idle: Span,
    },
}

impl Layer {
    /// A client's connection without a request is kept for so long (nginx's `keepalive_timeout`).
    pub const IDLE: Span = Span::from_secs(75);
    /// A connection of which nothing is seen is remembered for so long (AWS's network load balancers: 350 s).
    pub const FORGET: Span = Span::from_secs(350);

    /// Whether it sees requests.
    #[must_use]
    pub const fn sees_requests(self) -> bool {
        matches!(self, Self::L7 { .. })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::L7 { idle } => write!(f, "requests (L7), idle {idle}"),
            Self::L4 { back: Return::Nat, idle } => write!(f, "packets (L4), answers through it, idle {idle}"),
            Self::L4 { back: Return::Direct, idle } => write!(f, "packets (L4), answers direct, idle {idle}"),
        }
    }
}

/// The way of the answers behind an L4 balancer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Return {
    /// Through the balancer, which puts its own address and a port of its own in the place of the client's (NAT in both directions).
    #[default]
    Nat,
    /// Straight to the client, from the balancer's address (direct server return).
    Direct,
}

/// Backends that can answer for each other.
#[derive(Clone, PartialEq, Debug)]
pub struct Pool {
    /// Its name, for messages.
    pub name: String,
    /// Who belongs to it, at least one.
    pub members: Vec<Member>,
    /// How one is chosen.
    pub algorithm: Algorithm,
    /// Connections to each backend at most; further requests wait. `None`: any number.
    pub connections: Option<usize>,
    /// A connection to a backend without a request for so long is closed.
    pub idle: Span,
    /// A backend that has not begun to answer after so long has failed.
    pub timeout: Span,
    /// Other backends that are tried after one failed.
    pub retries: u32,
    /// Whether an answer of 502, 503 or 504 is a failure that another backend may make good.
    pub retry_errors: bool,
    /// How TLS is spoken with members that speak it.
    pub upstream: client::Tls,
    /// Connections to each backend that are opened at the start and again as soon as fewer are there, used or not.
    pub warm: usize,
    /// Name of a cookie that keeps a client with its backend.
    pub sticky: Option<String>,
    /// Health checks.
    pub check: Option<Check>,
    /// Ejection of those that fail.
    pub outliers: Option<Outliers>,
    /// One that has come back gets its share little by little over so long.
    pub slow_start: Option<Span>,
    /// While a smaller share than this is healthy, health is not looked at.
    pub panic: Ratio,
}

impl Pool {
    /// Round robin among `members` without checks; connections kept for 60 s (nginx's `keepalive_timeout`), 60 s for an answer to
    /// begin (`proxy_read_timeout`), one other backend after a failure; panic below half (Envoy).
    #[must_use]
    pub fn new(name: &str, members: Vec<Member>) -> Self {
        Self {
            name: name.to_owned(),
            members,
            algorithm: Algorithm::RoundRobin,
            connections: None,
            idle: Span::from_secs(60),
            timeout: Span::from_secs(60),
            retries: 1,
            retry_errors: false,
            upstream: client::Tls::BROWSER,
            warm: 0,
            sticky: None,
            check: None,
            outliers: None,
            slow_start: None,
            panic: Ratio::new(0.5).unwrap_or_default(),
        }
    }
}

/// A member of a pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Number of its node in the plan, for records.
    pub node: u32,
    /// Its name: what a sticky cookie holds.
    pub name: String,
    /// Where it listens.
    pub at: SocketAddrV4,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Its weight, at least 1.
    pub weight: u32,
    /// From when on it gets nothing new.
    pub drain: Option<Time>,
}
