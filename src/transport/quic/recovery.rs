//! Loss detection, probes, and what both mean for the window (RFC 9002).

use super::config::{
    GRANULARITY, INITIAL_RTT, INITIAL_WINDOW, MINIMUM_WINDOW, PACKET_THRESHOLD, PERSISTENT_CONGESTION, RTT_RULE,
};
use super::connection::{Connection, Early, LostPacket};
use super::signals::{Code, Event};
use super::space::{Acked, Content, Sent, SpaceId};
use super::streams::note;
use crate::base::{Span, Time};
use crate::trace::QuicKind;
use crate::transport::congestion::{Ack, INFINITE_SSTHRESH, Phase, RateSample, Window};
use crate::transport::rtt::Rtt;
use crate::wire::quic::{AckRanges, EcnCounts, Side};

/// What has been sent and delivered so far, in bytes of packets in flight: from it follow rates and the use of the window.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub(super) sent: u64,
    pub(super) delivered: u64,
    pub(super) delivered_at: Time,
    pub(super) first_sent_at: Time,
    /// The program had too little data for the window until so much has been delivered; 0 if not.
    pub(super) app_limited_until: u64,
    /// The window was not full when sending last stopped.
    pub(super) idle_window: bool,
    /// Bytes acknowledged and lost that do not make a whole datagram yet.
    acked_rest: u64,
    /// The most in flight since the window was last full, in bytes.
    most_in_flight: u64,
}

impl Connection {
    /// Smoothed round-trip time and four times its variance, as assumed before the first sample.
    pub(super) fn pto_base(&self) -> Span {
        let srtt = self.rtt.srtt();
        if srtt.is_zero() {
            // RFC 9002 6.2.2.
            return INITIAL_RTT + (INITIAL_RTT / 2) * 4;
        }
        srtt + (self.rtt.variance() * 4).max(GRANULARITY)
    }

    fn segments(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(u64::from(self.config.max_datagram))).unwrap_or(u32::MAX)
    }

    /// The window in bytes.
    pub(super) fn window_bytes(&self) -> u64 {
        u64::from(self.window.cwnd) * u64::from(self.config.max_datagram)
    }

    /// An ACK frame has come.
    pub(super) fn take_ack(
        &mut self,
        id: SpaceId,
        ranges: &AckRanges,
        delay: u64,
        ecn: Option<EcnCounts>,
        now: Time,
    ) -> Result<(), Code> {
        let acked = self.space(id).acknowledge(ranges).ok_or(Code::PROTOCOL_VIOLATION)?;
        if acked.packets.is_empty() {
            return Ok(());
        }
        let prior = self.in_flight;
        let sample = self.sample_rtt(id, &acked, delay, now);
        let mut tally = Tally::default();
        for (_, sent) in &acked.packets {
            self.acknowledged(id, sent, &mut tally, now);
        }
        self.take_marks(id, &acked, ecn, now);
        let lost = self.detect_lost(id, now);
        self.govern(&acked, sample, &tally, (prior, lost), now);
        if self.peer_validated() {
            self.pto_count = 0;
        }
        Ok(())
    }

    /// RFC 9002 5: from the largest packet, if it was acknowledged just now and something of the ACK had asked for it.
    fn sample_rtt(&mut self, id: SpaceId, acked: &Acked, delay: u64, now: Time) -> Option<Span> {
        // What was sent by another path has been acknowledged by way of it, or of both (RFC 9000 9.4).
        let sent = acked.newest.filter(|&sent| sent >= self.path_began)?;
        if !acked.packets.iter().any(|(_, sent)| sent.eliciting) {
            return None;
        }
        let latest = now - sent;
        self.rtt.sample_min(latest, now);
        let mut delay = if id == SpaceId::Initial {
            Span::ZERO
        } else {
            let exponent = u32::from(self.peer.ack_delay_exponent);
            Span::from_micros(1).saturating_mul(delay.checked_shl(exponent).unwrap_or(u64::MAX))
        };
        if self.confirmed {
            delay = delay.min(self.peer.max_ack_delay);
        }
        let floor = self.rtt.min().unwrap_or(latest);
        let adjusted = if latest.saturating_sub(delay) >= floor { latest.saturating_sub(delay) } else { latest };
        self.rtt.sample(adjusted, 0, 0);
        Some(adjusted)
    }

    /// The peer has a packet.
    fn acknowledged(&mut self, id: SpaceId, sent: &Sent, tally: &mut Tally, now: Time) {
        for content in &sent.contents {
            match *content {
                Content::Ack(largest) => self.space(id).received.reported(largest),
                Content::Crypto { start, end } => {
                    self.space(id).crypto_out.acknowledge(start, end, false);
                }
                Content::Stream { id, start, end, fin, .. } => self.streams.acknowledged(id, start, end, fin),
                Content::Reset(id) => self.streams.reset_acknowledged(id),
                _ => {}
            }
        }
        if !sent.in_flight {
            return;
        }
        let size = u64::from(sent.size);
        self.in_flight -= size;
        let delivery = &mut self.delivery;
        delivery.delivered += size;
        delivery.delivered_at = now;
        if delivery.app_limited_until > 0 && delivery.delivered > delivery.app_limited_until {
            delivery.app_limited_until = 0;
        }
        tally.bytes += size;
        if self.recovery_start.is_none_or(|start| sent.time > start) {
            tally.fresh += size;
        }
        if tally.newest.as_ref().is_none_or(|newest| sent.time >= newest.time) {
            tally.newest = Some(Newest {
                time: sent.time,
                sequence: sent.sequence,
                delivered: sent.delivered,
                delivered_at: sent.delivered_at,
                first_sent_at: sent.first_sent_at,
                app_limited: sent.app_limited,
            });
            delivery.first_sent_at = sent.time;
        }
    }

    /// Looks for losses in a space and deals with them; returns the bytes lost.
    pub(super) fn detect_lost(&mut self, id: SpaceId, now: Time) -> u64 {
        let longest = self.rtt.latest().max(self.rtt.srtt());
        let longest = if longest.is_zero() { INITIAL_RTT } else { longest };
        // RFC 9002 6.1.2: nine eighths.
        let lost = self.space(id).detect_lost(longest * 9 / 8, now);
        if lost.is_empty() {
            return 0;
        }
        let mut bytes = 0;
        self.ecn.lost(lost.iter().filter(|(_, sent)| sent.ect).count() as u64);
        for (_, sent) in &lost {
            self.requeue(id, &sent.contents);
            if sent.in_flight {
                bytes += u64::from(sent.size);
                self.in_flight -= u64::from(sent.size);
            }
            self.lost_packets += 1;
        }
        let largest = self.space(id).largest_acked.unwrap_or(0);
        self.lost.extend(lost.iter().map(|(number, sent)| LostPacket {
            kind: match id {
                SpaceId::Initial => QuicKind::Initial,
                SpaceId::Handshake => QuicKind::Handshake,
                SpaceId::Data if sent.early => QuicKind::ZeroRtt,
                SpaceId::Data => QuicKind::OneRtt,
            },
            number: *number,
            by_time: number + PACKET_THRESHOLD > largest,
        }));
        let last = lost.iter().filter(|(_, sent)| sent.in_flight).map(|(_, sent)| sent.time).max();
        if let Some(last) = last {
            self.congestion(last, Phase::Recovery, now);
            if self.is_persistent(&lost) {
                // RFC 9002 7.6.2.
                self.window.cwnd = MINIMUM_WINDOW;
                self.recovery_start = None;
                self.phase = Phase::Loss;
                self.control.get().on_phase(&mut self.window, Phase::Loss, now);
            }
        }
        bytes
    }

    /// Whether a run of lost packets without one acknowledged between them lasted so long that the path was dead meanwhile.
    fn is_persistent(&self, lost: &[(u64, Sent)]) -> bool {
        if self.rtt.srtt().is_zero() {
            return false;
        }
        let duration = (self.pto_base() + self.peer.max_ack_delay) * PERSISTENT_CONGESTION;
        let mut run: Option<(Time, u64)> = None;
        for (number, sent) in lost {
            if run.is_some_and(|(_, last)| last + 1 != *number) {
                run = None;
            }
            match (&mut run, sent.eliciting) {
                (Some((from, last)), eliciting) => {
                    *last = *number;
                    if eliciting && sent.time.since(*from) > duration {
                        return true;
                    }
                }
                (None, true) => run = Some((sent.time, *number)),
                (None, false) => {}
            }
        }
        false
    }

    /// A packet that was sent at `sent` was lost or marked, as `phase` says: the window shrinks once a round trip (RFC 9002 7.3.2).
    pub(super) fn congestion(&mut self, sent: Time, phase: Phase, now: Time) {
        if self.recovery_start.is_some_and(|start| sent <= start) {
            return;
        }
        self.recovery_start = Some(now);
        let control = self.control.get();
        // Also those that own the window want to know what it was.
        self.window.ssthresh = control.ssthresh(&self.window);
        if !control.owns_window() {
            self.window.cwnd = self.window.ssthresh.max(MINIMUM_WINDOW);
        }
        if self.phase != phase {
            self.phase = phase;
            self.control.get().on_phase(&mut self.window, phase, now);
        }
    }

    /// The controller is told what an ACK brought.
    fn govern(&mut self, acked: &Acked, sample: Option<Span>, tally: &Tally, (prior, lost): (u64, u64), now: Time) {
        let Some(newest) = &tally.newest else { return };
        if self.phase != Phase::Open && self.recovery_start.is_none_or(|start| newest.time > start) {
            self.phase = Phase::Open;
            self.control.get().on_phase(&mut self.window, Phase::Open, now);
        }
        let datagram = u64::from(self.config.max_datagram);
        let owns = self.control.get().owns_window();
        let counted = self.delivery.acked_rest + if owns { tally.bytes } else { tally.fresh };
        self.delivery.acked_rest = counted % datagram;
        let interval = (newest.time - newest.first_sent_at).max(now - newest.delivered_at);
        let valid = newest.delivered_at > Time::ZERO && !interval.is_zero();
        let ack = Ack {
            now,
            acked: u32::try_from(counted / datagram).unwrap_or(u32::MAX),
            lost: self.segments(lost),
            rtt: sample,
            srtt: self.rtt.srtt(),
            min_rtt: self.rtt.min().unwrap_or_default(),
            delivered: self.delivery.delivered / datagram,
            prior_in_flight: self.segments(prior),
            in_flight: self.segments(self.in_flight),
            una: newest.sequence,
            next: self.delivery.sent,
            mss: self.config.max_datagram,
            cwnd_limited: self.is_window_limited(),
            phase: self.phase,
            rate: RateSample {
                delivered: if valid { self.segments(self.delivery.delivered - newest.delivered) } else { 0 },
                interval: if valid { interval } else { Span::ZERO },
                prior_delivered: newest.delivered / datagram,
                app_limited: newest.app_limited,
            },
        };
        let _ = acked;
        let window = &mut self.window;
        let control = self.control.get();
        if sample.is_some() {
            control.on_sample(window, &ack);
        }
        if owns {
            control.update(window, &ack);
            let limits = control.limits_samples();
            window.cwnd = window.cwnd.max(MINIMUM_WINDOW);
            if limits {
                self.mark_app_limited();
            }
        } else if self.phase == Phase::Open && ack.acked > 0 {
            control.on_ack(window, &ack);
        }
    }

    /// Rate samples of what is in flight say what the program allowed, not what the path can carry.
    pub(super) fn mark_app_limited(&mut self) {
        self.delivery.app_limited_until = (self.delivery.delivered + self.in_flight).max(1);
    }

    /// Whether the window has held sending back of late (RFC 9002 7.8): it was full when sending stopped, or, in slow start, more
    /// than half full.
    fn is_window_limited(&self) -> bool {
        !self.delivery.idle_window
            || (self.window.in_slow_start() && self.window_bytes() < 2 * self.delivery.most_in_flight)
    }

    /// Sending has stopped; `limited` if the window or the pace did it.
    pub(super) fn note_use(&mut self, limited: bool) {
        self.delivery.idle_window = !limited;
        self.delivery.most_in_flight =
            if limited { self.in_flight } else { self.delivery.most_in_flight.max(self.in_flight) };
        if !limited {
            self.mark_app_limited();
        }
    }

    /// What a lost packet carried is to be sent again, as far as it still matters (RFC 9000 13.3).
    pub(super) fn requeue(&mut self, id: SpaceId, contents: &[Content]) {
        for content in contents {
            let frames = &mut self.streams.frames;
            match *content {
                Content::Ack(_) => {}
                Content::Crypto { start, end } => self.space(id).crypto_out.lose(start, end, false, Time::ZERO),
                Content::Stream { id, start, end, fin, first_sent } => {
                    self.streams.lost(id, start, end, fin, first_sent);
                }
                Content::Reset(id) => note(&mut frames.resets, id),
                Content::Stop(id) => note(&mut frames.stops, id),
                Content::MaxData => frames.max_data = true,
                Content::MaxStreamData(id) => note(&mut frames.max_stream_data, id),
                Content::MaxStreams(dir) => frames.max_streams[dir as usize] = true,
                Content::DataBlocked => frames.data_blocked = true,
                Content::StreamDataBlocked(id) => note(&mut frames.stream_blocked, id),
                Content::StreamsBlocked(dir) => frames.streams_blocked[dir as usize] = true,
                Content::NewId(sequence) => note(&mut self.ids.to_tell, sequence),
                Content::RetireId(sequence) => note(&mut self.ids.to_retire, sequence),
                Content::HandshakeDone => self.done_due = true,
            }
        }
    }

    /// Whether the peer is known to accept what we send (RFC 9002 A.8): a server's client always is.
    pub(super) fn peer_validated(&self) -> bool {
        self.side == Side::Server || self.confirmed || self.spaces[1].largest_acked.is_some()
    }

    /// The instant of the earliest loss by time, or else of the probe timeout, and whose it is.
    pub(super) fn loss_timer(&self) -> (Time, SpaceId, bool) {
        let earliest = SpaceId::ALL.into_iter().min_by_key(|&id| self.spaces[id as usize].loss_at);
        if let Some(id) = earliest
            && self.spaces[id as usize].loss_at != Time::NEVER
        {
            return (self.spaces[id as usize].loss_at, id, true);
        }
        let never = (Time::NEVER, SpaceId::Initial, false);
        if self.side == Side::Server && self.is_amplification_blocked() {
            return never;
        }
        let backoff = 1u64 << self.pto_count.min(30);
        let base = self.pto_base();
        // Data in flight may fill the window so that the handshake cannot go on: it is probed for, too.
        let awaited = |id: SpaceId| {
            let space = &self.spaces[id as usize];
            space.eliciting > 0 || (id != SpaceId::Data && space.open && space.has_crypto())
        };
        if !SpaceId::ALL.into_iter().any(awaited) {
            if self.peer_validated() {
                return never;
            }
            // RFC 9002 6.2.2.1: a client keeps probing, or server and client could wait for each other for ever.
            let id = if self.spaces[1].open { SpaceId::Handshake } else { SpaceId::Initial };
            return (self.active_at.saturating_add(base.saturating_mul(backoff)), id, false);
        }
        let mut first = never;
        for id in SpaceId::ALL {
            if !awaited(id) {
                continue;
            }
            let mut wait = base;
            if id == SpaceId::Data {
                // Before the handshake is confirmed the peer may be unable to read or to acknowledge (RFC 9002 6.2.1).
                if !self.confirmed {
                    continue;
                }
                wait += self.peer.max_ack_delay;
            }
            let last = self.spaces[id as usize].last_eliciting;
            let last = if last == Time::NEVER { self.active_at } else { last };
            let at = last.saturating_add(wait.saturating_mul(backoff));
            if at < first.0 {
                first = (at, id, false);
            }
        }
        if first.0 == Time::NEVER && !self.peer_validated() {
            let id = if self.spaces[1].open { SpaceId::Handshake } else { SpaceId::Initial };
            return (self.active_at.saturating_add(base.saturating_mul(backoff)), id, false);
        }
        first
    }

    /// The loss timer has expired.
    pub(super) fn loss_timer_due(&mut self, now: Time) {
        let (_, id, by_time) = self.loss_timer();
        if by_time {
            self.detect_lost(id, now);
            return;
        }
        self.pto_count += 1;
        self.ecn.timed_out(self.pto_count);
        let probes = if self.pto_count == 1 { 1 } else { 2 };
        for other in SpaceId::ALL {
            let space = self.space(other);
            // RFC 9002 6.2.4: whatever else of the handshake waits goes with it, also where data has filled the window.
            let goes_along = id != SpaceId::Data
                && other != SpaceId::Data
                && space.open
                && (space.eliciting > 0 || space.has_crypto());
            if other == id || goes_along {
                self.probe_space(other, probes);
            }
        }
    }

    /// A space sends so many packets whatever the window says: what waits, or else what the oldest in flight carried.
    fn probe_space(&mut self, id: SpaceId, probes: u32) {
        let waiting = if id == SpaceId::Data { self.has_data_frames() } else { self.space(id).has_crypto() };
        let space = self.space(id);
        space.probes = probes;
        space.ping = true;
        let contents = space.oldest(probes);
        if !waiting {
            self.requeue(id, &contents);
        }
    }

    /// The keys of a space are gone (RFC 9001 4.9, RFC 9002 6.4).
    pub(super) fn discard(&mut self, id: SpaceId) {
        if !self.space(id).open && !self.space(id).readable {
            return;
        }
        let gone: u64 =
            self.space(id).discard().iter().filter(|sent| sent.in_flight).map(|sent| u64::from(sent.size)).sum();
        self.in_flight -= gone;
        self.pto_count = 0;
    }

    /// The server has not taken the data sent with the first flight: it goes again, and nothing was congested.
    pub(super) fn early_data_rejected(&mut self) {
        self.early = Early::None;
        for sent in self.space(SpaceId::Data).take_early() {
            if sent.in_flight {
                self.in_flight -= u64::from(sent.size);
            }
            self.requeue(SpaceId::Data, &sent.contents);
        }
        self.events.push_back(Event::EarlyDataRejected);
    }

    /// Another path: nothing is known of it (RFC 9000 9.4). What is in flight on the old one is left to be acknowledged or lost, and says
    /// nothing of the new one.
    pub(super) fn reset_path_state(&mut self, now: Time) {
        self.spaces.iter_mut().for_each(super::space::Space::leave_behind);
        self.in_flight = 0;
        self.path_began = now;
        self.rtt = Rtt::new(RTT_RULE);
        self.ecn.restart();
        self.window = Window { cwnd: INITIAL_WINDOW, ssthresh: INFINITE_SSTHRESH, clamp: u32::MAX };
        self.control = self.config.congestion.build();
        self.control.get().seed(self.secrets.chance());
        self.control.get().init(&mut self.window, now, Span::ZERO, self.config.max_datagram);
        self.phase = Phase::Open;
        self.recovery_start = Some(now);
        self.pace_at = now;
        self.pto_count = 0;
    }
}

#[cfg(test)]
impl Connection {
    /// What is counted as it happens is what is there.
    pub(super) fn check(&self) {
        let counts = self.spaces.each_ref().map(super::space::Space::count);
        assert_eq!(self.in_flight, counts.iter().map(|count| count.0).sum::<u64>(), "bytes in flight");
        for (space, count) in self.spaces.iter().zip(counts) {
            assert_eq!(space.eliciting, count.1, "ack-eliciting packets");
        }
        assert!(self.window.cwnd >= MINIMUM_WINDOW);
    }
}

/// What the packets of one ACK add up to, in bytes.
#[derive(Debug, Default)]
struct Tally {
    bytes: u64,
    /// Of packets sent after the last reduction of the window.
    fresh: u64,
    newest: Option<Newest>,
}

/// The packet among them that was sent last.
#[derive(Debug)]
struct Newest {
    time: Time,
    sequence: u64,
    delivered: u64,
    delivered_at: Time,
    first_sent_at: Time,
    app_limited: bool,
}
