//! A balancer of connections: packets go on as they come, by a table of connections; nothing in them is looked at but addresses,
//! ports and flags.
//!
//! Two ways back. With [`Return::Nat`] the balancer takes the client's place with a port of its own, so that answers come back to it.
//! With [`Return::Direct`] the server answers the client itself from the balancer's address; how it knows that address is told by the
//! code point of the packets (L3DSR: Schaumann, NANOG 51, 2011), so nothing has to be wrapped into another packet. Not modelled:
//! ICMP errors about connections that are balanced do not find their way through a NAT.

mod table;

use super::config::{Config, Return};
use super::members::Members;
use crate::base::Span;
use crate::host::Host;
use crate::wire::Dscp;
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use table::Table;

/// Connections that have been idle for too long are looked for so often.
const SWEEP: Span = Span::from_secs(10);

/// The code point by which servers know the n-th address of balancers whose answers go direct: those for experiments and local use (RFC 2474 6),
/// of which there are 16.
#[must_use]
pub fn code_point(n: u8) -> Option<Dscp> {
    if n < 16 { Dscp::new(4 * n + 3) } else { None }
}

/// Balances for ever.
pub(super) async fn run(host: Host, mut config: Config, back: Return, idle: Span) {
    let pool = config.pools.swap_remove(0);
    let key = pool.algorithm.hash_key().cloned();
    let members = Members::start(&host, pool, config.instance);
    let table = Rc::new(RefCell::new(Table::new(&host, config.port, members, key, back, config.code_points, idle)));
    host.steer(Rc::clone(&table) as _);
    loop {
        host.sleep(SWEEP).await;
        table.borrow_mut().forget(host.now());
    }
}

/// On a server: connections that come with this code point are answered from that address.
#[expect(clippy::unused_async, reason = "programs are async functions")]
pub async fn answer_directly(host: Host, dscp: Dscp, balancer: Ipv4Addr) {
    host.answer_from(dscp, balancer);
}
