//! Explicit congestion notification over QUIC (RFC 9000 13.4): packets that say they may be marked, the proof that marks come
//! back, and what a mark means (RFC 9002 7.1).
//!
//! As RFC 9000 A.4 proposes: the first packets on a path are sent with ECT(0); what their acknowledgments say decides whether the
//! rest are. Marks are reported by every receiver that is not told to be blind to them.

use super::connection::Connection;
use super::space::{Acked, SpaceId};
use crate::base::Time;
use crate::transport::congestion::{EcnSample, Phase};
use crate::wire::Ecn;
use crate::wire::quic::EcnCounts;

/// Packets that test a path (RFC 9000 A.4: for example, the first ten).
const TESTED: u32 = 10;
/// Probe timeouts after which the test ends although fewer have gone (RFC 9000 A.4).
const TESTED_TIMEOUTS: u32 = 3;

/// What is known of marks on the present path (RFC 9000 A.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EcnPath {
    /// Packets go as they always did: ECN is not asked for.
    Off,
    /// The first packets say that they may be marked; so many are to follow.
    Testing(u32),
    /// They have gone, and nothing has come back.
    Unknown,
    /// What came back agrees with what was sent: all packets may be marked.
    Capable,
    /// Marks do not come through, or the peer does not report them: no packet says any more that it may be marked.
    Failed,
}

/// The ECN half of a connection.
#[derive(Debug)]
pub(super) struct EcnState {
    pub(super) path: EcnPath,
    /// Packets sent with ECT(0), in each space.
    sent: [u64; 3],
    /// The peer's last counts, in each space.
    told: [EcnCounts; 3],
    /// Packets with ECT(0) on this path of which nothing is known yet, and those that were lost before any arrived.
    open: u64,
    lost: u64,
    /// Packets acknowledged in all, and of those, marked.
    delivered: u64,
    marked: u64,
}

impl EcnState {
    pub(super) const fn new(wanted: bool) -> Self {
        let none = EcnCounts { ect0: 0, ect1: 0, ce: 0 };
        Self {
            path: if wanted { EcnPath::Testing(TESTED) } else { EcnPath::Off },
            sent: [0; 3],
            told: [none; 3],
            open: 0,
            lost: 0,
            delivered: 0,
            marked: 0,
        }
    }

    /// Another path: what is known of marks was about the old one (RFC 9000 9.3).
    pub(super) fn restart(&mut self) {
        if self.path != EcnPath::Off {
            self.path = EcnPath::Testing(TESTED);
            self.open = 0;
            self.lost = 0;
        }
    }

    /// Whether packets now say that they may be marked.
    pub(super) const fn marks(&self) -> bool {
        matches!(self.path, EcnPath::Testing(_) | EcnPath::Capable)
    }

    /// A packet has been sent.
    pub(super) fn sent(&mut self, id: SpaceId) {
        if !self.marks() {
            return;
        }
        self.sent[id as usize] += 1;
        self.open += 1;
        if let EcnPath::Testing(left) = &mut self.path {
            *left -= 1;
            if *left == 0 {
                self.path = EcnPath::Unknown;
            }
        }
    }

    /// Packets with ECT(0) were lost. Where all of them are, the path may drop what it does not know (RFC 9000 A.4).
    pub(super) fn lost(&mut self, packets: u64) {
        self.lost += packets;
        if packets > 0 && self.path == EcnPath::Unknown && self.lost >= self.open {
            self.path = EcnPath::Failed;
        }
    }

    /// So many probe timeouts in a row: the test has lasted long enough (RFC 9000 A.4).
    pub(super) fn timed_out(&mut self, times: u32) {
        if times >= TESTED_TIMEOUTS && matches!(self.path, EcnPath::Testing(_)) {
            self.path = EcnPath::Unknown;
        }
    }

    /// Judges the counts of an ACK that acknowledges `packets` sent with ECT(0) for the first time (RFC 9000 13.4.2.1); the marks
    /// that are new. `None` if the counts cannot be true.
    fn judge(&mut self, id: SpaceId, packets: u64, counts: Option<EcnCounts>) -> Option<u64> {
        let space = id as usize;
        let Some(counts) = counts else { return (packets == 0).then_some(0) };
        let before = self.told[space];
        let ect0 = counts.ect0.checked_sub(before.ect0)?;
        let ce = counts.ce.checked_sub(before.ce)?;
        let possible = counts.ect1 == 0 && counts.ect0 + counts.ce <= self.sent[space] && ect0 + ce >= packets;
        if !possible {
            return None;
        }
        self.told[space] = counts;
        Some(ce)
    }
}

impl Connection {
    /// What an ACK says about marks; `grown` if its largest number is new, for others may have been overtaken.
    pub(super) fn take_marks(&mut self, id: SpaceId, acked: &Acked, counts: Option<EcnCounts>, now: Time) {
        if matches!(self.ecn.path, EcnPath::Off | EcnPath::Failed) || acked.newest.is_none() {
            return;
        }
        let packets = acked.packets.iter().filter(|(_, sent)| sent.ect).count() as u64;
        let Some(marks) = self.ecn.judge(id, packets, counts) else {
            self.ecn.path = EcnPath::Failed;
            return;
        };
        if packets > 0 {
            // Also while packets are still being tested: what is proved is proved.
            self.ecn.path = EcnPath::Capable;
        }
        self.ecn.delivered += packets;
        self.ecn.marked += marks;
        let una = acked.packets.last().map_or(0, |(_, sent)| sent.sequence);
        let sample =
            EcnSample { delivered: self.ecn.delivered, marked: self.ecn.marked, una, next: self.delivery.sent };
        self.control.get().on_ecn(&mut self.window, &sample);
        if let (true, Some(newest)) = (marks > 0, acked.newest) {
            // RFC 9002 B.7: the time of the largest packet acknowledged.
            self.congestion(newest, Phase::Reducing, now);
        }
    }

    /// ECN bits of the next datagram.
    pub(super) const fn ecn_bits(&self) -> Ecn {
        if self.ecn.marks() { Ecn::Ect0 } else { Ecn::NotCapable }
    }

    /// What is known of marks on the present path.
    #[must_use]
    pub const fn ecn_path(&self) -> EcnPath {
        self.ecn.path
    }
}
