//! Explicit congestion notification (RFC 3168), and the accurate echo of controllers that count marks (RFC 8257 3.2).
//!
//! As Linux does it: `tcp_ecn_*` in `tcp_input.c` and `tcp_output.c`, and `tcp_dctcp.h` for the accurate echo. SYNs, pure ACKs and
//! retransmissions are sent without ECT (RFC 3168 6.1.1, 6.1.4, 6.1.5), unless the controller needs ECN: then every packet is
//! ECT from the SYN on, as in a data centre whose queues drop what they cannot mark.

use super::connection::Connection;
use super::scoreboard::News;
use crate::base::Time;
use crate::transport::congestion::{EcnSample, Phase};
use crate::wire::{Ecn, Flags, Segment};

/// What a host does about ECN (Linux `net.ipv4.tcp_ecn`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EcnMode {
    /// Neither asks for it nor agrees to it (0).
    Off,
    /// Agrees to it and does not ask for it, Linux's default (2).
    #[default]
    Passive,
    /// Asks for it and agrees to it (1).
    On,
}

/// The ECN half of a connection.
#[derive(Debug, Default)]
pub(super) struct EcnState {
    mode: EcnMode,
    /// The controller needs marks: ECN is asked for whatever the mode, every packet is ECT, and the echo says of each segment
    /// whether it was marked.
    accurate: bool,
    /// Both ends have agreed (Linux `TCP_ECN_OK`); before the handshake is over: we have asked.
    agreed: bool,
    /// ECE goes out until CWR comes in (`TCP_ECN_DEMAND_CWR`); with the accurate echo, while marks come.
    echoing: bool,
    /// CWR is due with the next new data (`TCP_ECN_QUEUE_CWR`).
    cwr_due: bool,
    /// The peer has sent ECT or CE (`TCP_ECN_SEEN`).
    seen: bool,
    /// ECN bits of the packet at hand.
    arrived: Ecn,
    /// The ACK at hand carries ECE.
    pub(super) echoed: bool,
    /// Segments delivered by ACKs with ECE.
    delivered_marked: u64,
    /// The last data was marked (RFC 8257 `DCTCP.CE`).
    marked: bool,
    /// Offset up to which everything was received when the last data came: what a delayed ACK would have acknowledged.
    prior_next: u64,
}

impl EcnState {
    pub(super) fn new(mode: EcnMode, accurate: bool) -> Self {
        Self { mode, accurate, ..Self::default() }
    }

    /// Flags of our SYN: both ask for ECN (RFC 3168 6.1.1). One that is sent again does not ask, for there are firewalls that
    /// drop it (6.1.1.1; Linux `tcp_ecn_fallback`).
    pub(super) fn syn_flags(&mut self, again: bool) -> Flags {
        if again || !(self.mode == EcnMode::On || self.accurate) {
            return Flags::default();
        }
        self.agreed = true;
        Flags::ECE | Flags::CWR
    }

    /// Flags of our SYN-ACK: ECE alone agrees.
    pub(super) fn syn_ack_flags(&self) -> Flags {
        if self.agreed { Flags::ECE } else { Flags::default() }
    }

    /// The peer's SYN asks, or does not. One that is itself ECT comes from an end that counts marks, and is agreed to only by
    /// another such end (Linux `tcp_ecn_create_request`).
    pub(super) fn take_syn(&mut self, flags: Flags) {
        let asks = flags.has(Flags::ECE) && flags.has(Flags::CWR);
        let plain = self.mode != EcnMode::Off && self.arrived == Ecn::NotCapable;
        self.agreed = asks && (plain || self.accurate);
    }

    /// Both ends have asked at once (RFC 9293 3.5), or this end alone.
    pub(super) fn take_crossing_syn(&mut self, flags: Flags) {
        self.agreed &= flags.has(Flags::ECE) && flags.has(Flags::CWR);
    }

    /// The peer's SYN-ACK agrees, or does not.
    pub(super) fn take_syn_ack(&mut self, flags: Flags) {
        self.agreed &= flags.has(Flags::ECE) && !flags.has(Flags::CWR);
    }

    /// A packet with these ECN bits and flags has arrived.
    #[inline]
    pub(super) fn arrive(&mut self, ecn: Ecn, flags: Flags) {
        self.arrived = ecn;
        self.echoed = self.agreed && flags.has(Flags::ECE) && !flags.has(Flags::SYN);
    }

    /// ECN bits of packets that carry no new data.
    #[inline]
    pub(super) const fn bare(&self) -> Ecn {
        if self.accurate && self.agreed { Ecn::Ect0 } else { Ecn::NotCapable }
    }

    /// The window is about to be reduced: the peer is to be told (Linux `tcp_ecn_queue_cwr`).
    pub(super) const fn queue_cwr(&mut self) {
        self.cwr_due = self.agreed;
    }

    /// The reduction was undone before the peer was told (Linux `tcp_ecn_withdraw_cwr`).
    pub(super) const fn withdraw_cwr(&mut self) {
        self.cwr_due = false;
    }

    /// Flags that every segment after the handshake carries.
    #[inline]
    pub(super) fn echo(&self) -> Flags {
        if self.echoing { Flags::ECE } else { Flags::default() }
    }

    /// Whether both ends have agreed.
    pub(super) const fn agreed(&self) -> bool {
        self.agreed
    }
}

impl Connection {
    /// What the IP header of the SYN said, for a connection that [`Connection::accept`] has just made: an ECT one comes from an end
    /// that counts marks.
    pub fn note_syn_ecn(&mut self, ecn: Ecn, syn: &Segment) {
        self.ecn.arrived = ecn;
        self.ecn.take_syn(syn.flags);
    }

    /// ECN bits of a segment of new data: it may be marked, and tells of a reduction once (RFC 3168 6.1.2).
    #[inline]
    pub(super) fn enable_marks(&mut self, segment: &mut Segment) -> Ecn {
        if !self.ecn.agreed || segment.payload.is_empty() {
            return self.ecn.bare();
        }
        if std::mem::take(&mut self.ecn.cwr_due) {
            segment.flags = segment.flags | Flags::CWR;
        }
        Ecn::Ect0
    }

    /// Data has come that is to be taken in: has the sender reduced its window? (Linux `tcp_ecn_accept_cwr`)
    pub(super) fn accept_cwr(&mut self, flags: Flags, has_data: bool) {
        if self.ecn.agreed && flags.has(Flags::CWR) {
            self.ecn.echoing = false;
            if has_data {
                // Its window may be very small: no delay.
                self.acks.owed = true;
                self.acks.now = true;
            }
        }
    }

    /// New data has been taken in: was its packet marked? (Linux `__tcp_ecn_check_ce`)
    pub(super) fn check_mark(&mut self, now: Time) {
        if !self.ecn.agreed {
            return;
        }
        match self.ecn.arrived {
            Ecn::NotCapable => {
                // A retransmission, probably: the sender waits for this ACK.
                if self.ecn.seen {
                    self.enter_quick_acks_for(2);
                }
                return;
            }
            Ecn::CongestionExperienced => {
                self.echo_accurately(true, now);
                if !self.ecn.echoing {
                    self.enter_quick_acks_for(2);
                    self.ecn.echoing = true;
                }
            }
            Ecn::Ect0 | Ecn::Ect1 => self.echo_accurately(false, now),
        }
        self.ecn.seen = true;
    }

    /// RFC 8257 3.2: an ACK covers segments that were marked alike. When that changes while one is delayed, the delayed ACK goes
    /// first, for what it would have acknowledged (Linux `dctcp_ece_ack_update`).
    fn echo_accurately(&mut self, marked: bool, now: Time) {
        if !self.ecn.accurate {
            return;
        }
        if self.ecn.marked != marked {
            if !self.acks.delay.is_off() {
                // CWR may just have ended the echo; this ACK still speaks of what came before.
                self.ecn.echoing = self.ecn.marked;
                let mut ack = self.bare_segment(Flags::ACK, self.next, now);
                ack.ack = self.receiver.seq(self.ecn.prior_next);
                self.control_out.push_back(ack);
                self.acks.delay.stop();
            }
            self.acks.owed = true;
            self.acks.now = true;
        }
        self.ecn.prior_next = self.receiver.next;
        self.ecn.marked = marked;
        self.ecn.echoing = marked;
    }

    /// An ACK has been counted: the controller learns how much of what was delivered met congestion.
    pub(super) fn count_marks(&mut self, news: &News) {
        if self.ecn.echoed {
            self.ecn.delivered_marked += u64::from(news.delivered);
        }
        let sample = EcnSample {
            delivered: self.board.delivered,
            marked: self.ecn.delivered_marked,
            una: self.una,
            next: self.next,
        };
        self.control.get().on_ecn(&mut self.window, &sample);
    }

    /// The peer tells of a mark: the window is reduced, once a round trip (RFC 3168 6.1.2; Linux `tcp_enter_cwr`).
    pub(super) fn reduce_for_mark(&mut self, now: Time) {
        if self.phase < Phase::Reducing {
            self.recovery.forbid_undo();
            self.begin_reduction();
            self.set_phase(Phase::Reducing, now);
        }
    }
}

#[cfg(test)]
mod tests;
