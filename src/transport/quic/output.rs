//! What is sent next: packets of all spaces that have something to say, in one datagram where they fit.

use super::config::{INITIAL_WINDOW, MINIMUM_WINDOW};
use super::connection::{Connection, State};
use super::signals::{Transmit, Wake};
use super::space::{Content, Sent, SpaceId};
use crate::base::{Span, Time};
use crate::wire::quic::{
    Close, Dir, Frame, Header, LongKind, MIN_INITIAL, Number, Packet, Side, TAG_LEN, crypto_overhead, stream_overhead,
};
use crate::wire::{Ecn, Payload};
use std::net::SocketAddrV4;

/// A datagram smaller than this is not worth sending, except to close.
const LEAST_ROOM: u64 = 64;

/// A packet under construction.
struct Draft {
    id: SpaceId,
    packet: Packet,
    contents: Vec<Content>,
    /// Bytes left for frames.
    left: u64,
    eliciting: bool,
    first_sent: Option<Time>,
    /// Bytes of a stream or of the handshake are sent again.
    again: bool,
}

impl Draft {
    /// Adds a frame if it fits.
    fn push(&mut self, frame: Frame, content: Option<Content>) -> bool {
        let len = frame.len(false);
        if len > self.left {
            return false;
        }
        self.left -= len;
        self.eliciting |= frame.is_ack_eliciting();
        self.packet.frames.push(frame);
        self.contents.extend(content);
        true
    }
}

impl Connection {
    /// The next datagram to be sent; `None` when everything that may be sent has been.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        match self.state {
            State::Over | State::Draining(_) => return None,
            State::Closing(_) => return self.poll_close(now),
            State::Open => {}
        }
        if let Some(transmit) = self.poll_path(now) {
            return Some(transmit);
        }
        let allowance = self.path.allowance();
        let most = u64::from(self.config.max_datagram).min(self.peer.max_udp_payload).min(allowance);
        if most < LEAST_ROOM {
            return None;
        }
        let in_window = self.in_flight + u64::from(self.config.max_datagram) <= self.window_bytes();
        self.paced = in_window && self.pace_at > now;
        let may_send = in_window && !self.paced;
        // A datagram with an Initial has its least size (RFC 9000 14.1).
        let initial = self.spaces[0].open && self.wants(SpaceId::Initial, may_send);
        if initial && most < u64::from(MIN_INITIAL) {
            return None;
        }
        let mut drafts = Vec::with_capacity(1);
        let mut used = 0;
        for id in SpaceId::ALL {
            if let Some(draft) = self.draft(id, most - used, may_send, now) {
                used += draft.packet.len();
                drafts.push(draft);
            }
        }
        if drafts.is_empty() {
            let waits = self.spaces.iter().any(|space| space.open && space.has_crypto())
                || (self.spaces[2].open && self.has_data_frames());
            self.paced &= waits;
            self.note_use(waits && !may_send);
            return None;
        }
        Some(self.dispatch(drafts, now))
    }

    /// Whether a space has something to send, ACKs included.
    fn wants(&self, id: SpaceId, may_send: bool) -> bool {
        let space = &self.spaces[id as usize];
        if space.received.now || space.probes > 0 {
            return true;
        }
        may_send && (space.has_crypto() || (id == SpaceId::Data && self.has_data_frames()))
    }

    /// Whether frames of application packets wait to be sent.
    pub(super) fn has_data_frames(&self) -> bool {
        self.done_due
            || !self.ids.to_tell.is_empty()
            || !self.ids.to_retire.is_empty()
            || !self.streams.frames.is_empty()
            || self.spaces[2].has_crypto()
            || self.streams.has_data()
    }

    fn header(&self, id: SpaceId) -> Header {
        let dst = self.ids.peer();
        let kind = match id {
            SpaceId::Initial => LongKind::Initial { token: self.token.clone() },
            SpaceId::Handshake => LongKind::Handshake,
            SpaceId::Data if !self.one_rtt => LongKind::ZeroRtt,
            SpaceId::Data => return Header::Short { dst },
        };
        Header::Long { kind, dst, src: self.ids.first() }
    }

    /// A packet of at most `room` bytes, if the space has something to say.
    fn draft(&mut self, id: SpaceId, room: u64, may_send: bool, now: Time) -> Option<Draft> {
        if !self.spaces[id as usize].open || !self.wants(id, may_send) {
            return None;
        }
        let header = self.header(id);
        let space = self.space(id);
        let number = Number::shortest(space.next, space.largest_acked);
        let overhead = u64::from(header.len(number.len) + TAG_LEN);
        let left = room.checked_sub(overhead).filter(|&left| left >= LEAST_ROOM / 2)?;
        let may_elicit = may_send || space.probes > 0;
        let early = matches!(header, Header::Long { kind: LongKind::ZeroRtt, .. });
        let packet = Packet { header, number, frames: Vec::with_capacity(2) };
        let mut draft = Draft {
            id,
            packet,
            contents: Vec::with_capacity(2),
            left,
            eliciting: false,
            first_sent: None,
            again: false,
        };
        // 0-RTT packets cannot acknowledge (RFC 9000 12.4).
        if !early && space.received.owes() {
            let exponent = super::config::ACK_DELAY_EXPONENT;
            let largest = space.received.largest().unwrap_or(0);
            if let Some(frame) = space.received.frame(exponent, now)
                && draft.push(frame, Some(Content::Ack(largest)))
            {
                space.received.sent();
            }
        }
        if may_elicit {
            self.put_crypto(&mut draft, now);
            if id == SpaceId::Data {
                self.put_control(&mut draft);
                self.put_streams(&mut draft, now);
            }
            let space = self.space(id);
            if space.probes > 0 && !draft.eliciting && space.ping {
                draft.push(Frame::Ping, None);
            }
            if draft.eliciting {
                space.probes = space.probes.saturating_sub(1);
                space.ping &= space.probes > 0;
            }
        }
        if draft.packet.frames.is_empty() {
            return None;
        }
        // Header protection samples what lies four bytes behind the number's beginning (RFC 9001 5.4.2).
        let short = (overhead + 4 - u64::from(number.len)).saturating_sub(draft.packet.len());
        if short > 0 {
            draft.packet.frames.insert(0, Frame::Padding(short));
        }
        Some(draft)
    }

    fn put_crypto(&mut self, draft: &mut Draft, now: Time) {
        let out = &mut self.space(draft.id).crypto_out;
        while let Some(mut run) = out.next_run(u64::MAX) {
            let overhead = u64::from(crypto_overhead(run.start, draft.left));
            let Some(room) = draft.left.checked_sub(overhead).filter(|&room| room > 0) else { return };
            run.end = run.end.min(run.start + room);
            let data = out.take(run, now);
            let content = Content::Crypto { start: run.start, end: run.end };
            draft.push(Frame::Crypto { offset: run.start, data }, Some(content));
            draft.again |= run.first_sent.is_some();
        }
    }

    /// Everything but data.
    fn put_control(&mut self, draft: &mut Draft) {
        if self.one_rtt {
            if self.done_due && draft.push(Frame::HandshakeDone, Some(Content::HandshakeDone)) {
                self.done_due = false;
            }
            let ids = &mut self.ids;
            let told = std::mem::take(&mut ids.to_tell);
            let rest = told.into_iter().filter(|&sequence| {
                ids.frame(sequence).is_some_and(|frame| !draft.push(frame, Some(Content::NewId(sequence))))
            });
            let rest: Vec<u64> = rest.collect();
            ids.to_tell = rest;
            ids.to_retire.retain(|&sequence| {
                !draft.push(Frame::RetireConnectionId(sequence), Some(Content::RetireId(sequence)))
            });
        }
        let streams = &mut self.streams;
        let mut frames = std::mem::take(&mut streams.frames);
        frames.max_data &= !draft.push_if(frames.max_data, Frame::MaxData(streams.credit()), Content::MaxData);
        for dir in [Dir::Bi, Dir::Uni] {
            let kind = dir as usize;
            let max = streams.peer_may_open(dir);
            frames.max_streams[kind] &=
                !draft.push_if(frames.max_streams[kind], Frame::MaxStreams { dir, max }, Content::MaxStreams(dir));
            let limit = streams.may_open(dir);
            frames.streams_blocked[kind] &= !draft.push_if(
                frames.streams_blocked[kind],
                Frame::StreamsBlocked { dir, limit },
                Content::StreamsBlocked(dir),
            );
        }
        frames.max_stream_data.retain(|&id| {
            streams
                .credit_of(id)
                .is_some_and(|max| !draft.push(Frame::MaxStreamData { id, max }, Some(Content::MaxStreamData(id))))
        });
        frames.resets.retain(|&id| {
            streams.reset_of(id).is_some_and(|(code, final_size)| {
                !draft.push(Frame::ResetStream { id, code, final_size }, Some(Content::Reset(id)))
            })
        });
        frames.stops.retain(|&id| {
            streams
                .stop_of(id)
                .is_some_and(|code| !draft.push(Frame::StopSending { id, code }, Some(Content::Stop(id))))
        });
        let limit = streams.may_send();
        frames.data_blocked &= !draft.push_if(frames.data_blocked, Frame::DataBlocked(limit), Content::DataBlocked);
        frames.stream_blocked.retain(|&id| {
            streams.blocked_limit(id).is_some_and(|limit| {
                !draft.push(Frame::StreamDataBlocked { id, limit }, Some(Content::StreamDataBlocked(id)))
            })
        });
        streams.frames = frames;
    }

    /// Stream data, one stream after the other. All of it was first sent at the same instant, so that observers can tell from
    /// the packet how long its bytes have been under way.
    fn put_streams(&mut self, draft: &mut Draft, now: Time) {
        loop {
            let left = draft.left;
            let fit = |id, offset, len: u64| {
                let sized = u64::from(stream_overhead(id, offset, len, false));
                if len + sized <= left {
                    return Some(len);
                }
                left.checked_sub(u64::from(stream_overhead(id, offset, len, true)))
                    .filter(|&room| room > 0)
                    .map(|room| room.min(len))
            };
            let Some((id, run, data)) = self.streams.next_data(draft.first_sent, now, fit) else { return };
            let first_sent = run.first_sent.unwrap_or(now);
            draft.first_sent = Some(first_sent);
            draft.again |= run.first_sent.is_some();
            draft.eliciting = true;
            let len = data.len();
            let sized = len + u64::from(stream_overhead(id, run.start, len, false));
            // Without room for a length field it is the last frame of the packet.
            draft.left = left.saturating_sub(sized);
            draft.contents.push(Content::Stream { id, start: run.start, end: run.end, fin: run.fin, first_sent });
            draft.packet.frames.push(Frame::Stream { id, offset: run.start, fin: run.fin, data });
            if sized > left {
                return;
            }
        }
    }

    /// Fills the datagram up where it must be, keeps what was sent, and encodes it.
    fn dispatch(&mut self, mut drafts: Vec<Draft>, now: Time) -> Transmit {
        let padded =
            drafts.iter().any(|draft| draft.id == SpaceId::Initial && (self.side == Side::Client || draft.eliciting));
        let total: u64 = drafts.iter().map(|draft| draft.packet.len()).sum();
        if padded
            && total < u64::from(MIN_INITIAL)
            && let Some(last) = drafts.last_mut()
        {
            // In front: the last frame may have no length of its own.
            last.packet.frames.insert(0, Frame::Padding(u64::from(MIN_INITIAL) - total));
        }
        let mut payload = Payload::empty();
        let ecn = self.ecn_bits();
        let first_sent = drafts.iter().find_map(|draft| draft.first_sent).unwrap_or(now);
        let again = drafts.iter().any(|draft| draft.again);
        let (mut eliciting, mut handshake) = (false, false);
        for draft in drafts {
            draft.packet.put(&mut payload);
            eliciting |= draft.eliciting;
            handshake |= draft.id == SpaceId::Handshake;
            self.keep(draft, now);
        }
        if eliciting {
            self.pace(payload.len(), now);
            if !std::mem::replace(&mut self.sent_since_heard, true) {
                self.active_at = now;
            }
        }
        self.path.sent += payload.len();
        if handshake && self.side == Side::Client {
            // RFC 9001 4.9.1.
            self.discard(SpaceId::Initial);
        }
        Transmit { payload, remote: self.path.remote, first_sent, again, ecn }
    }

    /// Remembers a packet until it is acknowledged or lost.
    fn keep(&mut self, draft: Draft, now: Time) {
        let size = u32::try_from(draft.packet.len()).unwrap_or(u32::MAX);
        let in_flight = draft.eliciting || draft.packet.frames.iter().any(|frame| matches!(frame, Frame::Padding(_)));
        let early = matches!(draft.packet.header, Header::Long { kind: LongKind::ZeroRtt, .. });
        let idle = self.in_flight == 0;
        let delivery = &mut self.delivery;
        if in_flight {
            if idle {
                delivery.first_sent_at = now;
                delivery.delivered_at = now;
            }
            self.in_flight += u64::from(size);
            delivery.sent += u64::from(size);
        }
        let sent = Sent {
            time: now,
            size,
            eliciting: draft.eliciting,
            in_flight,
            early,
            ect: self.ecn.marks(),
            contents: draft.contents,
            delivered: delivery.delivered,
            delivered_at: delivery.delivered_at,
            first_sent_at: delivery.first_sent_at,
            app_limited: delivery.app_limited_until > 0,
            sequence: delivery.sent,
        };
        self.ecn.sent(draft.id);
        self.space(draft.id).push(sent);
    }

    /// The next datagram waits until this one has had its time at the pace (RFC 9002 7.7): the controller's, or a little more
    /// than a window each round trip, with room for a burst of an initial window.
    fn pace(&mut self, bytes: u64, now: Time) {
        let own = self.control.get().pacing_rate();
        let srtt = self.rtt.srtt();
        let bits = match own {
            Some(rate) => u128::from(rate.as_bps().max(1)),
            None if !self.config.pacing || srtt.is_zero() => return,
            None => {
                let quarters = if self.window.in_slow_start() { 8 } else { 5 };
                let bits = u128::from(self.window_bytes()) * 8 * quarters * 1_000_000_000;
                (bits / (4 * u128::from(srtt.as_nanos()))).max(1)
            }
        };
        let gap = |bytes: u64| {
            let nanos = u128::from(bytes) * 8 * 1_000_000_000 / bits;
            Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        let burst = if own.is_some() { MINIMUM_WINDOW } else { INITIAL_WINDOW };
        let earliest = gap(u64::from(burst) * u64::from(self.config.max_datagram));
        let earliest = Time::from_nanos(now.as_nanos().saturating_sub(earliest.as_nanos()));
        self.pace_at = self.pace_at.max(earliest).saturating_add(gap(bytes));
    }

    /// A datagram of full size for a path, with a challenge or the answer to one (RFC 9000 8.2.1).
    fn poll_path(&mut self, now: Time) -> Option<Transmit> {
        if !self.one_rtt {
            return None;
        }
        let (frames, remote) = if let Some((data, remote)) = self.validation.responses.pop() {
            (vec![Frame::PathResponse(data)], remote)
        } else if std::mem::take(&mut self.validation.due)
            && let Some((data, _)) = self.validation.expects
        {
            self.validation.again_at = now + self.pto();
            let mut frames = vec![Frame::PathChallenge(data)];
            frames.extend(self.validation.moves.then_some(Frame::Ping));
            (frames, self.path.remote)
        } else {
            return None;
        };
        Some(self.probe(frames, remote, now))
    }

    fn probe(&mut self, frames: Vec<Frame>, remote: SocketAddrV4, now: Time) -> Transmit {
        let header = self.header(SpaceId::Data);
        let space = self.space(SpaceId::Data);
        let number = Number::shortest(space.next, space.largest_acked);
        let mut packet = Packet { header, number, frames };
        let room = if remote == self.path.remote { self.path.allowance() } else { u64::from(MIN_INITIAL) };
        let padding = u64::from(MIN_INITIAL).min(room).saturating_sub(packet.len());
        if padding > 0 {
            packet.frames.insert(0, Frame::Padding(padding));
        }
        let mut payload = Payload::empty();
        packet.put(&mut payload);
        self.path.sent += payload.len();
        let ecn = self.ecn_bits();
        let draft = Draft {
            id: SpaceId::Data,
            packet,
            contents: Vec::new(),
            left: 0,
            eliciting: true,
            first_sent: None,
            again: false,
        };
        self.keep(draft, now);
        Transmit { payload, remote, first_sent: now, again: false, ecn }
    }

    /// Says that it is over, in every space that the peer may be able to read (RFC 9000 10.2.3).
    fn poll_close(&mut self, now: Time) -> Option<Transmit> {
        let close = self.close_due.take()?;
        self.close_sent = Some(close.clone());
        let mut payload = Payload::empty();
        for id in SpaceId::ALL {
            let open =
                self.spaces[id as usize].open && !(id == SpaceId::Data && self.side == Side::Client && !self.one_rtt);
            if !open {
                continue;
            }
            let header = self.header(id);
            let space = self.space(id);
            let number = Number::shortest(space.next, space.largest_acked);
            space.next += 1;
            // The application's words are for application packets only.
            let frame = if id == SpaceId::Data || !close.application {
                close.clone()
            } else {
                Close { application: false, code: 0x0c, reason: bytes::Bytes::new() }
            };
            let mut packet = Packet { header, number, frames: vec![Frame::Close(frame)] };
            if id == SpaceId::Initial && self.side == Side::Client {
                let padding = u64::from(MIN_INITIAL).saturating_sub(packet.len());
                packet.frames.insert(0, Frame::Padding(padding));
            }
            packet.put(&mut payload);
        }
        if payload.is_empty() || payload.len() > self.path.allowance() {
            return None;
        }
        self.path.sent += payload.len();
        Some(Transmit { payload, remote: self.path.remote, first_sent: now, again: false, ecn: Ecn::NotCapable })
    }

    /// When the machine wants to be woken.
    #[must_use]
    pub fn wake(&self) -> Wake {
        let at = match self.state {
            State::Over => Time::NEVER,
            State::Closing(until) | State::Draining(until) => until,
            State::Open => {
                let acks = self.spaces.iter().map(|space| space.received.deadline).min().unwrap_or(Time::NEVER);
                let pace = if self.paced { self.pace_at } else { Time::NEVER };
                self.idle_at().min(acks).min(pace).min(self.loss_timer().0).min(self.validation_wake())
            }
        };
        if at == Time::NEVER { Wake::OnInput } else { Wake::At(at) }
    }
}

impl Draft {
    /// Adds a frame if it is wanted and fits.
    fn push_if(&mut self, wanted: bool, frame: Frame, content: Content) -> bool {
        wanted && self.push(frame, Some(content))
    }
}
