//! A packet number space (RFC 9000 12.3): what has been sent in it and is not accounted for, and what has been received.

use super::assembler::Assembler;
use super::config::{GRANULARITY, PACKET_THRESHOLD};
use super::received::Received;
use super::send::Outgoing;
use crate::base::{Span, Time};
use crate::wire::quic::{AckRanges, Dir, StreamId};
use std::collections::VecDeque;

/// Which space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum SpaceId {
    /// Initial packets.
    Initial,
    /// Handshake packets.
    Handshake,
    /// 0-RTT and 1-RTT packets.
    Data,
}

impl SpaceId {
    pub(super) const ALL: [Self; 3] = [Self::Initial, Self::Handshake, Self::Data];
}

/// What a sent packet carried that matters when it is acknowledged or lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content {
    /// An ACK of everything up to this number.
    Ack(u64),
    Crypto {
        start: u64,
        end: u64,
    },
    /// Bytes `start..end` of a stream, first sent at this time.
    Stream {
        id: StreamId,
        start: u64,
        end: u64,
        fin: bool,
        first_sent: Time,
    },
    Reset(StreamId),
    Stop(StreamId),
    MaxData,
    MaxStreamData(StreamId),
    MaxStreams(Dir),
    DataBlocked,
    StreamDataBlocked(StreamId),
    StreamsBlocked(Dir),
    NewId(u64),
    RetireId(u64),
    HandshakeDone,
}

/// A packet that has been sent, until it is acknowledged or lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sent {
    pub(super) time: Time,
    /// Bytes of the packet, tag included.
    pub(super) size: u32,
    pub(super) eliciting: bool,
    /// Whether it counts as in flight: ack-eliciting or padded.
    pub(super) in_flight: bool,
    /// Under 0-RTT keys.
    pub(super) early: bool,
    /// In a datagram that could be marked.
    pub(super) ect: bool,
    pub(super) contents: Vec<Content>,
    /// The state of delivery when it was sent, for the rate: bytes delivered, when, and when the first of that flight left.
    pub(super) delivered: u64,
    pub(super) delivered_at: Time,
    pub(super) first_sent_at: Time,
    pub(super) app_limited: bool,
    /// Bytes sent in all, this packet included.
    pub(super) sequence: u64,
}

/// What an ACK frame brought.
#[derive(Debug, Default)]
pub(super) struct Acked {
    /// Packets, oldest first.
    pub(super) packets: Vec<(u64, Sent)>,
    /// The largest number was acknowledged for the first time, and was sent at this time.
    pub(super) newest: Option<Time>,
}

/// One of the three spaces.
#[derive(Debug)]
pub(super) struct Space {
    /// Number of the next packet.
    pub(super) next: u64,
    /// Packets from number `first` on; those accounted for are empty.
    sent: VecDeque<Option<Sent>>,
    first: u64,
    pub(super) largest_acked: Option<u64>,
    /// When a packet will be lost by time.
    pub(super) loss_at: Time,
    pub(super) last_eliciting: Time,
    /// Ack-eliciting packets in flight.
    pub(super) eliciting: u32,
    /// Probes due.
    pub(super) probes: u32,
    /// A PING is due.
    pub(super) ping: bool,
    pub(super) received: Received,
    /// Bytes of the handshake to send, and as they arrive.
    pub(super) crypto_out: Outgoing,
    pub(super) crypto_in: Assembler,
    /// Whether packets of this space can be sent, and received.
    pub(super) open: bool,
    pub(super) readable: bool,
}

impl Space {
    pub(super) fn new() -> Self {
        Self {
            next: 0,
            sent: VecDeque::new(),
            first: 0,
            largest_acked: None,
            loss_at: Time::NEVER,
            last_eliciting: Time::NEVER,
            eliciting: 0,
            probes: 0,
            ping: false,
            received: Received::new(),
            crypto_out: Outgoing::new(),
            crypto_in: Assembler::default(),
            open: false,
            readable: false,
        }
    }

    /// Both keys are there.
    pub(super) const fn install(&mut self) {
        self.open = true;
        self.readable = true;
    }

    /// The keys are gone: nothing of this space matters any more. Returns the packets that were in flight.
    pub(super) fn discard(&mut self) -> Vec<Sent> {
        self.open = false;
        self.readable = false;
        self.loss_at = Time::NEVER;
        self.eliciting = 0;
        self.probes = 0;
        self.ping = false;
        self.received = Received::new();
        self.crypto_out = Outgoing::new();
        self.discard_sent()
    }

    /// Nothing that was sent matters any more.
    pub(super) fn discard_sent(&mut self) -> Vec<Sent> {
        self.first = self.next;
        self.eliciting = 0;
        self.loss_at = Time::NEVER;
        self.sent.drain(..).flatten().collect()
    }

    /// Keeps a packet that has been sent under the next number.
    pub(super) fn push(&mut self, sent: Sent) {
        if sent.eliciting {
            self.last_eliciting = sent.time;
            self.eliciting += 1;
        }
        self.sent.push_back(Some(sent));
        self.next += 1;
    }

    fn take(&mut self, number: u64) -> Option<Sent> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let sent = self.sent.get_mut(index)?.take()?;
        self.eliciting -= u32::from(sent.eliciting);
        Some(sent)
    }

    fn trim(&mut self) {
        while let Some(None) = self.sent.front() {
            self.sent.pop_front();
            self.first += 1;
        }
    }

    /// Takes an ACK; `None` if it acknowledges what has not been sent.
    pub(super) fn acknowledge(&mut self, ranges: &AckRanges) -> Option<Acked> {
        let largest = ranges.largest()?;
        if largest >= self.next {
            return None;
        }
        let mut acked = Acked::default();
        for (low, high) in ranges.iter().rev() {
            for number in low.max(self.first)..=high {
                if let Some(sent) = self.take(number) {
                    if number == largest {
                        acked.newest = Some(sent.time);
                    }
                    acked.packets.push((number, sent));
                }
            }
        }
        self.largest_acked = self.largest_acked.max(Some(largest));
        self.trim();
        Some(acked)
    }

    /// The packets that are lost (RFC 9002 6.1), oldest first; sets the time at which more will be.
    pub(super) fn detect_lost(&mut self, delay: Span, now: Time) -> Vec<(u64, Sent)> {
        self.loss_at = Time::NEVER;
        let mut lost = Vec::new();
        let Some(largest) = self.largest_acked else { return lost };
        let delay = delay.max(GRANULARITY);
        for number in self.first..=largest {
            let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
            let Some(Some(sent)) = self.sent.get(index) else { continue };
            let due = sent.time.saturating_add(delay);
            if number + PACKET_THRESHOLD <= largest || due <= now {
                lost.extend(self.take(number).map(|sent| (number, sent)));
            } else {
                self.loss_at = self.loss_at.min(due);
            }
        }
        self.trim();
        lost
    }

    /// Everything sent under 0-RTT keys, which the server has refused.
    pub(super) fn take_early(&mut self) -> Vec<Sent> {
        let numbers: Vec<u64> = (self.first..self.next).collect();
        let early: Vec<Sent> = numbers
            .into_iter()
            .filter_map(|number| {
                let index = usize::try_from(number - self.first).ok()?;
                let early = self.sent.get(index)?.as_ref()?.early;
                if early { self.take(number) } else { None }
            })
            .collect();
        self.trim();
        early
    }

    /// What the oldest `count` ack-eliciting packets carried, which probes are to carry again.
    pub(super) fn oldest(&self, count: u32) -> Vec<Content> {
        let eliciting = self.sent.iter().flatten().filter(|sent| sent.eliciting);
        eliciting.take(count as usize).flat_map(|sent| sent.contents.iter().copied()).collect()
    }

    /// What has been sent so far went by another path: whatever becomes of it tells nothing of the present one, and it does not fill
    /// that one's window (RFC 9000 9.4).
    pub(super) fn leave_behind(&mut self) {
        for sent in self.sent.iter_mut().flatten() {
            sent.in_flight = false;
            sent.ect = false;
        }
    }

    /// Bytes in flight, and ack-eliciting packets, counted anew.
    #[cfg(test)]
    pub(super) fn count(&self) -> (u64, u32) {
        let all = self.sent.iter().flatten();
        let bytes = all.clone().filter(|sent| sent.in_flight).map(|sent| u64::from(sent.size)).sum();
        (bytes, u32::try_from(all.filter(|sent| sent.eliciting).count()).unwrap_or(u32::MAX))
    }

    /// Whether bytes of the handshake wait to be sent.
    pub(super) fn has_crypto(&self) -> bool {
        self.crypto_out.has_data(u64::MAX)
    }
}
