//! First in, first out, for packets that wait until they are let out: what disciplines that decide at departure are made of.

use super::packet::{Gone, Verdict, Waiting};
use super::{Found, Gate, Limit, Room};
use crate::base::{Span, Time};
use crate::link::Backlog;
use crate::trace::Cause;
use std::collections::VecDeque;

/// A queue with a limit, and a gate that may mark or drop on arrival.
#[derive(Debug)]
pub(in crate::link) struct Fifo<P> {
    room: Room,
    gate: Gate,
    packets: VecDeque<Waiting<P>>,
    bytes: u64,
    /// When it was last emptied, if it is empty.
    empty_since: Option<Time>,
}

impl<P: Copy> Fifo<P> {
    pub(super) fn new(limit: Limit, gate: Gate) -> Self {
        Self { room: limit.into(), gate, packets: VecDeque::new(), bytes: 0, empty_since: Some(Time::ZERO) }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Takes a packet in, or throws it out.
    pub(super) fn enqueue(&mut self, mut packet: Waiting<P>, gone: &mut Gone<P>) {
        let now = packet.since;
        let backlog = Backlog { packets: self.packets.len() as u64, bytes: self.bytes };
        let idle = self.empty_since.map_or(Span::ZERO, |since| now.since(since));
        match self.gate.decide(&packet.label, &Found { backlog, idle }, now) {
            Verdict::Admit => {}
            Verdict::Mark => {
                packet.mark();
            }
            Verdict::Drop(cause) => {
                gone.push((packet, cause));
                return;
            }
        }
        if self.room.admits(packet.label.size, backlog) {
            self.push(packet);
        } else {
            gone.push((packet, Cause::QueueFull));
        }
    }

    /// Takes a packet in without asking.
    pub(super) fn push(&mut self, packet: Waiting<P>) {
        self.bytes += u64::from(packet.label.size);
        self.packets.push_back(packet);
        self.empty_since = None;
    }

    /// Lets the first packet out.
    pub(super) fn dequeue(&mut self, now: Time) -> Option<Waiting<P>> {
        let packet = self.packets.pop_front()?;
        self.bytes -= u64::from(packet.label.size);
        if self.packets.is_empty() {
            self.empty_since = Some(now);
        }
        Some(packet)
    }
}
