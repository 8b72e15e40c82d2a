//! Balancers of a plan: their settings, and their backends as nodes.

use crate::base::Time;
use crate::service::{balancer, server};

/// A balancer.
#[derive(Clone, PartialEq, Debug)]
pub struct Balancer {
    /// Port on which clients come.
    pub port: u16,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// What it looks at.
    pub layer: balancer::Layer,
    /// TLS with its clients.
    pub tls: Option<server::Tls>,
    /// Its pools.
    pub pools: Vec<BackendPool>,
    /// Which requests go to which pool.
    pub routes: Vec<balancer::Route>,
    /// The pool of requests that no route matches.
    pub default: Option<usize>,
    /// Its number in its group, from 0.
    pub instance: u32,
}

/// A pool and the nodes that it consists of.
#[derive(Clone, PartialEq, Debug)]
pub struct BackendPool {
    /// Settings; its members are in `targets`.
    pub settings: balancer::Pool,
    /// Members, in the order of their nodes.
    pub targets: Vec<Target>,
}

/// A member of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// Its node.
    pub node: u32,
    /// The port it listens on.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Its weight.
    pub weight: u32,
    /// From when on it gets nothing new.
    pub drain: Option<Time>,
}

impl Balancer {
    /// One that has no pools yet.
    #[must_use]
    pub const fn unread() -> Self {
        Self {
            port: 80,
            backlog: 511,
            layer: balancer::Layer::L7 { idle: balancer::Layer::IDLE },
            tls: None,
            pools: Vec::new(),
            routes: Vec::new(),
            default: None,
            instance: 0,
        }
    }

    /// Whether servers answer its clients themselves.
    #[must_use]
    pub const fn answers_directly(&self) -> bool {
        matches!(self.layer, balancer::Layer::L4 { back: balancer::Return::Direct, .. })
    }

    /// All backends of all pools.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.pools.iter().flat_map(|pool| &pool.targets)
    }
}
