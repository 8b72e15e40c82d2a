//! An authoritative name server: answers for its zones and refuses everything else.

use crate::app::dns::{Name, Record, Soa};
use crate::host::Host;

/// In which order several records of one name and type are given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rotation {
    /// As configured, each answer starting one further on.
    #[default]
    Cyclic,
    /// As configured, always.
    Fixed,
    /// Shuffled for each answer.
    Random,
}

/// A zone.
#[derive(Clone, PartialEq, Debug)]
pub struct Zone {
    /// The name at its top.
    pub apex: Name,
    /// Its start of authority.
    pub soa: Soa,
    /// TTL of the SOA record in seconds.
    pub soa_ttl: u32,
    /// Its records other than the SOA, in the order of answering. NS records below the apex delegate; address records at or
    /// below a delegation are its glue.
    pub records: Vec<Record>,
    /// Order of several records of one name.
    pub rotation: Rotation,
}

impl Zone {
    /// A zone without records that lets "no such name" be remembered for `negative_ttl` seconds. The times for secondary
    /// servers, which nothing here reads, are those that RIPE-203 recommends.
    #[must_use]
    pub fn new(apex: Name, primary: Name, negative_ttl: u32) -> Self {
        let mailbox = primary.clone();
        let soa = Soa {
            primary,
            mailbox,
            serial: 1,
            refresh: 86_400,
            retry: 7_200,
            expire: 3_600_000,
            minimum: negative_ttl,
        };
        Self { apex, soa, soa_ttl: negative_ttl, records: Vec::new(), rotation: Rotation::default() }
    }
}

/// What an authoritative server serves.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Port to listen on.
    pub port: u16,
    /// Its zones; of two that hold a name the deeper one answers.
    pub zones: Vec<Zone>,
}

impl Config {
    /// These zones on port 53.
    #[must_use]
    pub const fn new(zones: Vec<Zone>) -> Self {
        Self { port: 53, zones }
    }
}

/// Answers questions for ever.
pub async fn run(host: Host, config: Config) {
    let _ = (host, config);
}
