//! Traceroute: echo requests with growing TTL; each router on the way answers one of them with "time exceeded".

use super::Numbering;
use crate::base::{Span, Time};
use crate::host::Host;
use crate::trace::{Echo, Record};
use std::net::Ipv4Addr;

/// What to trace and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// How its probes are numbered.
    pub numbering: Numbering,
    /// The target.
    pub to: Ipv4Addr,
    /// Instant of the first probe.
    pub start: Time,
    /// Largest TTL tried.
    pub max_ttl: u8,
    /// Probes for each TTL.
    pub probes: u32,
    /// Bytes of data in each probe.
    pub data_len: u32,
    /// How long to wait for an answer.
    pub timeout: Span,
}

impl Config {
    /// As `traceroute -I` does it: three probes of 60 bytes in all for each of at most 30 hops, 5 s each. One probe at a time.
    #[must_use]
    pub const fn new(traffic: u32, to: Ipv4Addr) -> Self {
        Self {
            traffic,
            numbering: Numbering::ALONE,
            to,
            start: Time::ZERO,
            max_ttl: 30,
            probes: 3,
            data_len: 32,
            timeout: Span::from_secs(5),
        }
    }
}

/// Probes hop after hop until the target answers or `max_ttl` has been tried. Emits an [`Echo`] record for each probe.
pub async fn run(host: Host, config: Config) {
    host.sleep_until(config.start).await;
    let mut index = 0;
    for ttl in 1..=config.max_ttl {
        let mut reached = false;
        for _ in 0..config.probes {
            let echo = asked(config.traffic, config.numbering.at(index), host.now(), ttl);
            index += 1;
            let echo = probe(&host, config.to, config.data_len, config.timeout, echo).await;
            reached |= echo.reached;
            host.record(Record::Echo(echo));
        }
        if reached {
            return;
        }
    }
}

/// The record of an echo that has been sent and not answered.
pub(super) fn asked(traffic: u32, number: u64, sent: Time, ttl: u8) -> Echo {
    let spent = (Span::ZERO, Span::ZERO, Span::ZERO);
    Echo { traffic, number, sent, ttl, ended: sent, answer: None, reached: false, spent }
}

/// Sends one echo request as `asked` describes it, and completes the record with what came back before the timeout.
pub(super) async fn probe(host: &Host, to: Ipv4Addr, data_len: u32, timeout: Span, asked: Echo) -> Echo {
    match host.timeout(timeout, host.echo().probe(to, asked.ttl, data_len)).await {
        Ok(echoed) => Echo {
            ended: host.now(),
            answer: Some((echoed.from, asked.sent + echoed.rtt)),
            reached: echoed.reached,
            spent: echoed.spent,
            ..asked
        },
        Err(_) => Echo { ended: host.now(), ..asked },
    }
}
