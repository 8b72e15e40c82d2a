//! Hosts with an address on each of several links: they speak from the first that is up, and what spoke from one that went must move or end.
//!
//! A host sees the carrier of its own links and of no others. What it does about a link that goes is what a phone does:
//! - datagrams and new connections leave by the first link that is up, with its address for their source;
//! - TCP connections of the lost address end at once, without a word to the peer, who cannot be reached from it: Android closes them so
//!   when an address is removed (`SOCK_DESTROY`, netd's `NetlinkHandler`), and programs see `ECONNABORTED`;
//! - QUIC connections of clients migrate (RFC 9000 9). One whose handshake is not confirmed cannot, and ends (9: "before the handshake
//!   is confirmed").
//!
//! When a link comes back that it likes better, only what is new uses it: a connection stays where it is while that link lives.

use super::{Event, World};
use crate::base::Span;
use crate::ip::Uplink;
use crate::trace::{Record, Roamed};
use std::net::Ipv4Addr;

/// A host with several uplinks.
pub(super) struct Roamer {
    node: u32,
    uplinks: Box<[Uplink]>,
    /// Which of them are up, as far as the host has noticed.
    up: Vec<bool>,
    /// How long a change of a carrier must last before it is noticed.
    delay: Span,
}

impl Roamer {
    pub(super) fn new(node: u32, uplinks: Box<[Uplink]>, delay: Span) -> Self {
        let up = vec![true; uplinks.len()];
        Self { node, uplinks, up, delay }
    }

    /// The uplink that it would rather use than others.
    fn best(&self) -> Option<Uplink> {
        let up = self.uplinks.iter().zip(&self.up).find(|&(_, &up)| up);
        up.map(|(uplink, _)| *uplink)
    }

    fn is_up(&self, address: Ipv4Addr) -> bool {
        self.uplinks.iter().zip(&self.up).any(|(uplink, &up)| up && uplink.address == address)
    }
}

impl World {
    /// Whether a link works both ways at this instant, as the machine at its end sees it.
    fn has_carrier(&self, uplink: Uplink) -> bool {
        let ways = [uplink.egress, uplink.egress.reversed()];
        !ways.iter().any(|way| self.directions[way.index()].link.is_down())
    }

    /// A fault has struck or is over: hosts with several links look at theirs, now or when the change has lasted.
    pub(super) fn look_at_carriers(&mut self, fault: u32) {
        for index in 0..self.roamers.len() {
            let Roamer { node, delay, .. } = self.roamers[index];
            let now = self.carriers_of(index);
            if now == self.roamers[index].up {
                continue;
            }
            if delay.is_zero() {
                self.carrier_event(node, fault);
            } else {
                self.schedule(node, self.now.saturating_add(delay), Event::Carrier { node, fault });
            }
        }
    }

    fn carriers_of(&self, index: usize) -> Vec<bool> {
        self.roamers[index].uplinks.iter().map(|&uplink| self.has_carrier(uplink)).collect()
    }

    /// Whether a host with several links has none that is up.
    pub(super) fn is_cut_off(&self, node: u32) -> bool {
        !self.nodes[node as usize].router.uplinks().is_empty()
            && self.roamers.iter().any(|roamer| roamer.node == node && roamer.best().is_none())
    }

    /// A host notices which of its links are up.
    #[cold]
    pub(super) fn carrier_event(&mut self, node: u32, fault: u32) {
        let Some(index) = self.roamers.iter().position(|roamer| roamer.node == node) else { return };
        let up = self.carriers_of(index);
        let roamer = &mut self.roamers[index];
        if up == roamer.up {
            return;
        }
        let before = std::mem::replace(&mut roamer.up, up);
        let lost: Vec<Ipv4Addr> = roamer
            .uplinks
            .iter()
            .zip(before.iter().zip(&roamer.up))
            .filter(|&(_, (&before, &now))| before && !now)
            .map(|(uplink, _)| uplink.address)
            .collect();
        let best = roamer.best();
        let router = &mut self.nodes[node as usize].router;
        let from = router.source();
        if let Some(best) = best {
            router.speak_from(best.address);
        }
        let broken = lost.iter().map(|&address| self.tcp_lose_address(node, address)).sum();
        let (migrated, given_up) = best.map_or((0, 0), |best| self.quic_roam(node, index, best.address));
        let to = best.map(|best| best.address);
        let was_up = before.iter().any(|&up| up);
        self.trace.record(Record::Roamed(Roamed {
            time: self.now,
            node,
            fault,
            lost: !lost.is_empty(),
            from: was_up.then_some(from),
            to,
            broken,
            migrated,
            given_up,
        }));
    }

    /// Ends the TCP connections that have this address of a machine; how many there were.
    fn tcp_lose_address(&mut self, node: u32, address: Ipv4Addr) -> u32 {
        let connections = self.nodes[node as usize].stack.connections.values().copied();
        let bound = |&id: &_| self.connections.get(id).is_some_and(|connection| connection.local == address);
        let bound: Vec<_> = connections.filter(bound).collect();
        for &id in &bound {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.machine.lose_address(self.now);
            }
            self.tcp_drain(id);
        }
        u32::try_from(bound.len()).unwrap_or(u32::MAX)
    }

    /// Moves the QUIC connections of clients on a machine whose own link is down to another address: how many have moved, and how
    /// many could not and have ended.
    fn quic_roam(&mut self, node: u32, index: usize, to: Ipv4Addr) -> (u32, u32) {
        let stranded = self.quic_clients(node).into_iter();
        let stranded: Vec<_> = stranded.filter(|&(_, local)| !self.roamers[index].is_up(local)).collect();
        let (mut moved, mut ended) = (0, 0);
        for (id, _) in stranded {
            if self.quic_move(id, to) {
                moved += 1;
            } else {
                ended += 1;
            }
        }
        (moved, ended)
    }
}
