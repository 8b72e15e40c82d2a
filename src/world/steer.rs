//! Packets that a program of a machine sends on instead of its TCP taking them in.

use super::World;
use super::pool::PacketId;
use crate::host::Steered;
use crate::wire::{Dscp, Segment};
use std::net::Ipv4Addr;
use std::rc::Rc;

impl World {
    /// Asks the machine's program about a segment that is for none of its connections. True if it has gone on or away.
    pub(super) fn steered(&mut self, node: u32, id: PacketId) -> bool {
        let Some(steer) = self.nodes[node as usize].stack.steer.as_ref().map(Rc::clone) else { return false };
        self.executor.set_now(self.now);
        let packet = self.packets.sized_mut(id).0;
        let steered = steer.borrow_mut().steer(packet, self.now);
        match steered {
            Steered::Own => return false,
            Steered::Forward { again } => {
                self.tally.retransmitted += u64::from(again);
                self.send_made(node, id);
            }
            Steered::Drop => self.packets.free(id),
        }
        true
    }

    /// The address from which a machine answers a connection that comes to one of its addresses with this code point, and the code
    /// point of its answers (L3DSR: the code point says which balancer sent it).
    pub(super) fn answers_from(&self, node: u32, to: Ipv4Addr, dscp: Dscp) -> (Ipv4Addr, Dscp) {
        match self.nodes[node as usize].stack.aliases.get(&dscp) {
            Some(&alias) => (alias, Dscp::DEFAULT),
            None => (to, dscp),
        }
    }

    /// Answers a segment that is for nobody with a reset, from the address that it was sent to as the client knows it.
    pub(super) fn tcp_reset(
        &mut self,
        node: u32,
        (client, to): (Ipv4Addr, Ipv4Addr),
        dscp: Dscp,
        reset: Segment,
        flow: u64,
    ) {
        let (from, dscp) = self.answers_from(node, to, dscp);
        self.tcp_send_from(node, from, (client, dscp), reset, flow);
    }
}
