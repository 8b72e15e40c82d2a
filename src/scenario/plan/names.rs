//! Names in a plan: zones and what they hold, and those who resolve them.

use super::Plan;
use crate::base::Span;
use crate::service::balancer::Check;
use std::collections::BTreeSet;

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
        let mut seen = BTreeSet::new();
        self.records.iter().filter_map(|record| record.data.node()).filter(|&node| seen.insert(node)).collect()
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

impl Data {
    /// The node, if it is an address.
    #[must_use]
    pub const fn node(&self) -> Option<u32> {
        match self {
            Self::A(node) => Some(*node),
            Self::Cname(_) => None,
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
