//! Ping: an ICMP echo request at an interval, each answered or given up on its own.

use super::traceroute::{asked, probe};
use super::{Limit, Numbering, tick};
use crate::base::{Span, Time};
use crate::host::Host;
use crate::trace::Record;
use std::net::Ipv4Addr;

/// What to ping and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// How its echoes are numbered.
    pub numbering: Numbering,
    /// The target.
    pub to: Ipv4Addr,
    /// Instant of the first echo.
    pub start: Time,
    /// From one echo to the next.
    pub every: Span,
    /// When to stop.
    pub limit: Limit,
    /// Bytes of data in each echo.
    pub data_len: u32,
    /// TTL of each echo.
    pub ttl: u8,
    /// How long to wait for an answer.
    pub timeout: Span,
}

impl Config {
    /// As the `ping` command does it: 56 bytes every second, TTL 64; an answer later than 10 s counts as none.
    #[must_use]
    pub const fn new(traffic: u32, to: Ipv4Addr) -> Self {
        Self {
            traffic,
            numbering: Numbering::ALONE,
            to,
            start: Time::ZERO,
            every: Span::from_secs(1),
            limit: Limit::NONE,
            data_len: 56,
            ttl: 64,
            timeout: Span::from_secs(10),
        }
    }
}

/// Pings until the limit. Emits an [`Echo`](crate::trace::Echo) record for each echo when it is answered or given up.
pub async fn run(host: Host, config: Config) {
    for index in 0.. {
        let at = tick(config.start, config.every, index);
        if !config.limit.allows(index, at) {
            return;
        }
        host.sleep_until(at).await;
        let echo = asked(config.traffic, config.numbering.at(index), host.now(), config.ttl);
        let (host, config) = (host.clone(), config.clone());
        // A task of its own: an answer later than the interval does not hold up the next echo.
        drop(host.clone().spawn(async move {
            let echo = probe(&host, config.to, config.data_len, config.timeout, echo).await;
            host.record(Record::Echo(echo));
        }));
    }
}
