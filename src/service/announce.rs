//! A speaker: announces an address that its machine has in common with others, as long as the machine is well.
//!
//! What routers make of it, and how long that takes, is routing's. A machine that withdraws an address keeps it: what still comes is answered.

use super::balancer::{Check, probe};
use crate::host::Host;
use crate::trace::{Judged, Judgement, Record};
use std::net::{Ipv4Addr, SocketAddrV4};

/// What is announced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The shared address.
    pub address: Ipv4Addr,
    /// How the machine checks itself, the port that it asks, and whether TLS is spoken there; without a check it announces as long as it
    /// runs.
    pub check: Option<(Check, u16, bool)>,
}

/// Announces for ever. The first check comes one interval after the start. After a crash the address is announced again when as many
/// checks have succeeded as it takes, or at once without a check.
pub async fn run(host: Host, config: Config) {
    let Config { address, check } = config;
    let mut well = check.is_none() || host.boots() == 0;
    host.announce(address, well);
    let Some((check, port, tls)) = check else { return };
    let at = SocketAddrV4::new(host.addr(), port);
    let start = host.now() + check.every;
    let mut row = 0;
    for index in 0.. {
        host.sleep_until(super::tick(start, check.every, index)).await;
        let ok = host.timeout(check.timeout, probe(&host, at, tls, &check.probe)).await == Ok(true);
        row = if ok == well { 0 } else { row + 1 };
        if row == if well { check.fall } else { check.rise } {
            (well, row) = (ok, 0);
            host.announce(address, well);
            let (time, node) = (host.now(), host.node());
            let what = if well { Judged::Up } else { Judged::Down };
            host.record(Record::Judgement(Judgement { time, node, what, subject: node }));
        }
    }
}
