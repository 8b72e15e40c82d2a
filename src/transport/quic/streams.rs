//! Streams and their flow control (RFC 9000 2 to 4): independent of each other but for the connection's own credit.

use super::assembler::Assembler;
use super::config::Config;
use super::connection::{Code, Event};
use super::send::Outgoing;
use crate::base::{Span, Time};
use crate::trace::Arrival;
use crate::wire::Payload;
use crate::wire::quic::{Dir, Side, StreamId, TransportParameters};
use std::collections::{BTreeMap, VecDeque};

/// Credit that we give: how far the peer may send before we have read.
#[derive(Debug)]
pub(super) struct Credit {
    window: u64,
    limit: u64,
    /// Offset up to which the peer may send.
    pub(super) max: u64,
    updated: Time,
}

impl Credit {
    const fn new(window: u64, limit: u64, now: Time) -> Self {
        Self { window, limit, max: window, updated: now }
    }

    /// `read` bytes have been read: whether new credit is worth telling, which is when half of it is used up. A reader that
    /// empties the window in less than two round trips gets a larger one.
    fn update(&mut self, read: u64, rtt: Span, now: Time) -> bool {
        if self.max.saturating_sub(read) > self.window / 2 {
            return false;
        }
        if !rtt.is_zero() && now.since(self.updated) < rtt * 2 {
            self.window = (self.window * 2).min(self.limit.max(self.window));
        }
        self.updated = now;
        self.max = read + self.window;
        true
    }
}

/// Our receiving side of a stream.
#[derive(Debug)]
struct Incoming {
    assembler: Assembler,
    highest: u64,
    final_size: Option<u64>,
    credit: Credit,
    /// The peer has given up, with this code.
    reset: Option<u64>,
    /// We want no more, with this code.
    stopped: Option<u64>,
    /// The reader knows that it is over.
    over: bool,
}

impl Incoming {
    /// Throws away everything that is there, and once the end is known also what is still to come; returns the bytes that
    /// count as read because of it.
    fn throw_away(&mut self) -> u64 {
        let before = self.assembler.bytes_read();
        self.assembler.skip_to(self.final_size.unwrap_or(0));
        self.over = self.final_size.is_some();
        self.assembler.bytes_read() - before
    }
}

/// Our sending side of a stream.
#[derive(Debug)]
struct Sending {
    out: Outgoing,
    /// Offset up to which the peer lets us send.
    max: u64,
    /// We have given up, with this code; and the peer knows.
    reset: Option<u64>,
    reset_acked: bool,
    /// A write was cut short.
    starved: bool,
    /// The limit of which the peer has been told that it blocks us.
    blocked_at: Option<u64>,
}

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    sending: Option<Sending>,
    incoming: Option<Incoming>,
    /// Waits for its turn to send.
    queued: bool,
    /// An event that it is readable waits to be polled.
    pub(super) readable_told: bool,
}

impl Stream {
    fn is_done(&self) -> bool {
        let sent = self.sending.as_ref().is_none_or(|sending| sending.out.is_done() || sending.reset_acked);
        sent && self.incoming.as_ref().is_none_or(|incoming| incoming.over)
    }
}

/// Frames about streams that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct StreamFrames {
    pub(super) max_data: bool,
    pub(super) max_stream_data: Vec<StreamId>,
    pub(super) max_streams: [bool; 2],
    pub(super) resets: Vec<StreamId>,
    pub(super) stops: Vec<StreamId>,
    pub(super) data_blocked: bool,
    pub(super) stream_blocked: Vec<StreamId>,
    pub(super) streams_blocked: [bool; 2],
}

impl StreamFrames {
    pub(super) fn is_empty(&self) -> bool {
        !(self.max_data || self.data_blocked)
            && self.max_streams == [false; 2]
            && self.streams_blocked == [false; 2]
            && self.max_stream_data.is_empty()
            && self.resets.is_empty()
            && self.stops.is_empty()
            && self.stream_blocked.is_empty()
    }
}

pub(super) fn note<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// All streams of a connection.
#[derive(Debug)]
pub(super) struct Streams {
    side: Side,
    all: BTreeMap<StreamId, Stream>,
    /// Streams that have something to send, in turn.
    turn: VecDeque<StreamId>,
    /// Streams that we have opened, and may open.
    opened: [u64; 2],
    may_open: [u64; 2],
    /// Somebody waits for more of them.
    wanted: [bool; 2],
    /// Streams that the peer has opened and may open, and how many of its streams are over.
    peer_opened: [u64; 2],
    peer_may_open: [u64; 2],
    peer_over: [u64; 2],
    at_a_time: [u64; 2],
    /// Stream bytes that we have sent for the first time, and may send.
    sent: u64,
    may_send: u64,
    blocked_at: Option<u64>,
    /// Stream bytes that have arrived, counted by the highest offsets, and been read.
    received: u64,
    read: u64,
    credit: Credit,
    window: (u64, u64),
    send_buffer: u64,
    /// The peer's first credit for a stream, by kind: ours two-way, theirs two-way, one-way.
    first_credit: [u64; 3],
    pub(super) frames: StreamFrames,
    pub(super) events: VecDeque<Event>,
}

type Result<T> = std::result::Result<T, Code>;

impl Streams {
    pub(super) fn new(side: Side, config: &Config, now: Time) -> Self {
        Self {
            side,
            all: BTreeMap::new(),
            turn: VecDeque::new(),
            opened: [0; 2],
            may_open: [0; 2],
            wanted: [false; 2],
            peer_opened: [0; 2],
            peer_may_open: config.streams,
            peer_over: [0; 2],
            at_a_time: config.streams,
            sent: 0,
            may_send: 0,
            blocked_at: None,
            received: 0,
            read: 0,
            credit: Credit::new(config.connection_window, config.connection_window_limit, now),
            window: (config.stream_window, config.stream_window_limit),
            send_buffer: config.send_buffer,
            first_credit: [0; 3],
            frames: StreamFrames::default(),
            events: VecDeque::new(),
        }
    }

    /// The peer's parameters have come, or those of an earlier connection are taken for them.
    pub(super) fn take_parameters(&mut self, peer: &TransportParameters) {
        self.may_send = self.may_send.max(peer.max_data);
        self.may_open = [self.may_open[0].max(peer.max_streams_bidi), self.may_open[1].max(peer.max_streams_uni)];
        self.first_credit =
            [peer.max_stream_data_bidi_remote, peer.max_stream_data_bidi_local, peer.max_stream_data_uni];
        let ids: Vec<StreamId> = self.all.keys().copied().collect();
        for id in ids {
            let credit = self.first_credit(id);
            if let Some(sending) = self.sending(id) {
                sending.max = sending.max.max(credit);
            }
            self.queue(id);
        }
        self.offer_streams();
    }

    fn first_credit(&self, id: StreamId) -> u64 {
        match id.dir() {
            Dir::Uni => self.first_credit[2],
            Dir::Bi => self.first_credit[usize::from(id.initiator() != self.side)],
        }
    }

    fn sending(&mut self, id: StreamId) -> Option<&mut Sending> {
        self.all.get_mut(&id)?.sending.as_mut()
    }

    fn incoming(&mut self, id: StreamId) -> Option<&mut Incoming> {
        self.all.get_mut(&id)?.incoming.as_mut()
    }

    fn create(&mut self, id: StreamId, now: Time) {
        let ours = id.initiator() == self.side;
        let sends = ours || id.dir() == Dir::Bi;
        let receives = !ours || id.dir() == Dir::Bi;
        let max = self.first_credit(id);
        let sending = sends.then(|| Sending {
            out: Outgoing::new(),
            max,
            reset: None,
            reset_acked: false,
            starved: false,
            blocked_at: None,
        });
        let (window, limit) = self.window;
        let incoming = receives.then(|| Incoming {
            assembler: Assembler::default(),
            highest: 0,
            final_size: None,
            credit: Credit::new(window, limit, now),
            reset: None,
            stopped: None,
            over: false,
        });
        self.all.insert(id, Stream { sending, incoming, queued: false, readable_told: false });
    }

    /// Opens a stream; `None` if the peer does not allow another one yet: [`Event::Available`] tells when.
    pub(super) fn open(&mut self, dir: Dir, now: Time) -> Option<StreamId> {
        let kind = dir as usize;
        if self.opened[kind] >= self.may_open[kind] {
            if !self.wanted[kind] && self.may_open[kind] > 0 {
                self.frames.streams_blocked[kind] = true;
            }
            self.wanted[kind] = true;
            return None;
        }
        let id = StreamId::new(self.side, dir, self.opened[kind]);
        self.opened[kind] += 1;
        self.create(id, now);
        Some(id)
    }

    fn offer_streams(&mut self) {
        for (kind, dir) in [Dir::Bi, Dir::Uni].into_iter().enumerate() {
            if self.wanted[kind] && self.opened[kind] < self.may_open[kind] {
                self.wanted[kind] = false;
                self.events.push_back(Event::Available(dir));
            }
        }
    }

    /// Makes sure that a stream that a frame names exists; false if it is over already.
    fn reach(&mut self, id: StreamId, to_us: bool, now: Time) -> Result<bool> {
        let kind = id.dir() as usize;
        let ours = id.initiator() == self.side;
        // RFC 9000 19.8: a frame for a direction that the stream does not have.
        if id.dir() == Dir::Uni && ours == to_us {
            return Err(Code::STREAM_STATE);
        }
        if ours {
            if id.index() >= self.opened[kind] {
                return Err(Code::STREAM_STATE);
            }
        } else {
            if id.index() >= self.peer_may_open[kind] {
                return Err(Code::STREAM_LIMIT);
            }
            // Opening one opens all before it (RFC 9000 3.2).
            while self.peer_opened[kind] <= id.index() {
                let opened = StreamId::new(self.side.peer(), id.dir(), self.peer_opened[kind]);
                self.peer_opened[kind] += 1;
                self.create(opened, now);
                self.events.push_back(Event::Opened(opened));
            }
        }
        Ok(self.all.contains_key(&id))
    }

    /// Puts the stream in line if it has something to send.
    fn queue(&mut self, id: StreamId) {
        if let Some(stream) = self.all.get_mut(&id)
            && !stream.queued
            && stream.sending.as_ref().is_some_and(|sending| sending.out.has_data(sending.max))
        {
            stream.queued = true;
            self.turn.push_back(id);
        }
    }

    /// Appends data and returns what it has no room for; [`Event::Writable`] tells when there is room again.
    pub(super) fn write(&mut self, id: StreamId, mut payload: Payload) -> Payload {
        let buffer = self.send_buffer;
        let Some(sending) = self.sending(id) else { return payload };
        if sending.reset.is_some() || sending.out.is_ended() {
            return payload;
        }
        let room = buffer.saturating_sub(sending.out.buffered());
        sending.out.write(payload.split_to(room));
        sending.starved = !payload.is_empty();
        if sending.out.is_blocked(sending.max) && sending.blocked_at != Some(sending.max) && sending.max > 0 {
            sending.blocked_at = Some(sending.max);
            note(&mut self.frames.stream_blocked, id);
        }
        self.queue(id);
        payload
    }

    /// The stream ends behind what has been written.
    pub(super) fn finish(&mut self, id: StreamId) {
        if let Some(sending) = self.sending(id)
            && sending.reset.is_none()
        {
            sending.out.end();
            self.queue(id);
        }
    }

    /// Gives up sending.
    pub(super) fn reset(&mut self, id: StreamId, code: u64) {
        if let Some(sending) = self.sending(id)
            && sending.reset.is_none()
            && !sending.out.is_done()
        {
            sending.reset = Some(code);
            sending.out.clear();
            note(&mut self.frames.resets, id);
        }
    }

    /// Wants no more of what the peer sends.
    pub(super) fn stop(&mut self, id: StreamId, code: u64, rtt: Span, now: Time) {
        let Some(incoming) = self.incoming(id) else { return };
        if incoming.over || incoming.stopped.is_some() {
            return;
        }
        incoming.stopped = Some(code);
        let unread = incoming.throw_away();
        // Without a known end the peer is asked to stop; what still comes is dropped.
        if !incoming.over {
            note(&mut self.frames.stops, id);
        }
        self.consumed(id, unread, rtt, now);
        self.forget_if_done(id);
    }

    /// Bytes that can be read of the stream.
    pub(super) fn readable(&self, id: StreamId) -> u64 {
        let incoming = self.all.get(&id).and_then(|stream| stream.incoming.as_ref());
        incoming.map_or(0, |incoming| incoming.assembler.readable())
    }

    /// Whether nothing more can be read: the stream has ended, or its sender has given up (`Err`, with the code).
    pub(super) fn at_end(&self, id: StreamId) -> Option<std::result::Result<(), u64>> {
        let Some(stream) = self.all.get(&id) else { return Some(Ok(())) };
        let Some(incoming) = &stream.incoming else { return Some(Ok(())) };
        if let Some(code) = incoming.reset.or(incoming.stopped) {
            return Some(Err(code));
        }
        (incoming.final_size == Some(incoming.assembler.bytes_read())).then_some(Ok(()))
    }

    /// Takes at most `max` bytes in order, and the way of the last one.
    pub(super) fn read(&mut self, id: StreamId, max: u64, rtt: Span, now: Time) -> Option<(Payload, Arrival)> {
        let incoming = self.incoming(id)?;
        let read = incoming.assembler.read(max)?;
        if incoming.final_size == Some(incoming.assembler.bytes_read()) {
            incoming.over = true;
        }
        self.consumed(id, read.0.len(), rtt, now);
        self.forget_if_done(id);
        Some(read)
    }

    /// The reader has taken note of the end.
    pub(super) fn end_seen(&mut self, id: StreamId) {
        if self.at_end(id).is_some()
            && let Some(incoming) = self.incoming(id)
        {
            incoming.over = true;
            self.forget_if_done(id);
        }
    }

    /// So many bytes have been read or thrown away: credit follows.
    fn consumed(&mut self, id: StreamId, bytes: u64, rtt: Span, now: Time) {
        self.read += bytes;
        self.frames.max_data |= self.credit.update(self.read, rtt, now);
        if let Some(incoming) = self.incoming(id)
            && incoming.final_size.is_none()
            && incoming.stopped.is_none()
            && incoming.credit.update(incoming.assembler.bytes_read(), rtt, now)
        {
            note(&mut self.frames.max_stream_data, id);
        }
    }

    fn forget_if_done(&mut self, id: StreamId) {
        if !self.all.get(&id).is_some_and(Stream::is_done) {
            return;
        }
        self.all.remove(&id);
        if id.initiator() != self.side {
            let kind = id.dir() as usize;
            self.peer_over[kind] += 1;
            let max = self.peer_over[kind] + self.at_a_time[kind];
            if max - self.peer_may_open[kind] > self.at_a_time[kind] / 2 {
                self.peer_may_open[kind] = max;
                self.frames.max_streams[kind] = true;
            }
        }
    }

    /// Tells the program that the stream can be read, once until it is polled.
    fn tell_readable(&mut self, id: StreamId) {
        if let Some(stream) = self.all.get_mut(&id)
            && !std::mem::replace(&mut stream.readable_told, true)
        {
            self.events.push_back(Event::Readable(id));
        }
    }

    /// The next event.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Event::Readable(id) = event
            && let Some(stream) = self.all.get_mut(&id)
        {
            stream.readable_told = false;
        }
        Some(event)
    }

    /// The highest offset of a stream has moved: checks limits (RFC 9000 4.1, 4.5) and counts.
    fn advance(&mut self, id: StreamId, end: u64, is_end: bool) -> Result<()> {
        let (received, max) = (self.received, self.credit.max);
        let Some(incoming) = self.incoming(id) else { return Ok(()) };
        let contradiction = match incoming.final_size {
            Some(size) => end > size || (is_end && end != size),
            None => is_end && end < incoming.highest,
        };
        if contradiction {
            return Err(Code::FINAL_SIZE);
        }
        let more = end.saturating_sub(incoming.highest);
        if end > incoming.credit.max || received + more > max {
            return Err(Code::FLOW_CONTROL);
        }
        incoming.highest = incoming.highest.max(end);
        if is_end {
            incoming.final_size = Some(end);
        }
        self.received += more;
        Ok(())
    }

    /// A STREAM frame has come.
    pub(super) fn take_data(
        &mut self,
        id: StreamId,
        offset: u64,
        fin: bool,
        data: Payload,
        arrival: Arrival,
    ) -> Result<()> {
        if !self.reach(id, true, arrival.arrived)? {
            return Ok(());
        }
        self.advance(id, offset + data.len(), fin)?;
        let Some(incoming) = self.incoming(id) else { return Ok(()) };
        if incoming.reset.is_some() {
            return Ok(());
        }
        let more = incoming.assembler.insert(offset, data, arrival);
        if incoming.stopped.is_some() {
            // Nobody reads it: it is consumed as it comes.
            let dropped = incoming.throw_away();
            self.consumed(id, dropped, Span::ZERO, arrival.arrived);
            self.forget_if_done(id);
        } else if more || incoming.final_size == Some(incoming.assembler.in_order()) {
            self.tell_readable(id);
        }
        Ok(())
    }

    /// A RESET_STREAM frame has come.
    pub(super) fn take_reset(&mut self, id: StreamId, code: u64, final_size: u64, now: Time) -> Result<()> {
        if !self.reach(id, true, now)? {
            return Ok(());
        }
        self.advance(id, final_size, true)?;
        let Some(incoming) = self.incoming(id) else { return Ok(()) };
        if incoming.reset.is_some() || incoming.over {
            return Ok(());
        }
        // What has not been read is dropped, and does not hold the connection's credit (RFC 9000 4.5).
        incoming.reset = Some(code);
        let unread = incoming.throw_away();
        incoming.over = incoming.stopped.is_some();
        self.consumed(id, unread, Span::ZERO, now);
        self.tell_readable(id);
        self.forget_if_done(id);
        Ok(())
    }

    /// A STOP_SENDING frame has come: it is answered by a reset (RFC 9000 3.5).
    pub(super) fn take_stop(&mut self, id: StreamId, code: u64, now: Time) -> Result<()> {
        if self.reach(id, false, now)? && self.sending(id).is_some_and(|sending| sending.reset.is_none()) {
            self.reset(id, code);
            self.events.push_back(Event::Stopped(id, code));
        }
        Ok(())
    }

    /// MAX_DATA.
    pub(super) fn take_max_data(&mut self, max: u64) {
        self.may_send = self.may_send.max(max);
    }

    /// MAX_STREAM_DATA.
    pub(super) fn take_max_stream_data(&mut self, id: StreamId, max: u64, now: Time) -> Result<()> {
        if self.reach(id, false, now)?
            && let Some(sending) = self.sending(id)
            && max > sending.max
        {
            sending.max = max;
            self.queue(id);
        }
        Ok(())
    }

    /// MAX_STREAMS.
    pub(super) fn take_max_streams(&mut self, dir: Dir, max: u64) {
        let kind = dir as usize;
        self.may_open[kind] = self.may_open[kind].max(max);
        self.offer_streams();
    }

    /// The code of a stream that is to be reset, and its final size; or of one that is to be stopped.
    pub(super) fn reset_of(&self, id: StreamId) -> Option<(u64, u64)> {
        let sending = self.all.get(&id)?.sending.as_ref()?;
        Some((sending.reset?, sending.out.sent()))
    }

    pub(super) fn stop_of(&self, id: StreamId) -> Option<u64> {
        let incoming = self.all.get(&id)?.incoming.as_ref()?;
        incoming.stopped.filter(|_| incoming.final_size.is_none())
    }

    /// Credit of a stream as the peer is to be told; `None` if it needs no more.
    pub(super) fn credit_of(&self, id: StreamId) -> Option<u64> {
        let incoming = self.all.get(&id)?.incoming.as_ref()?;
        incoming.final_size.is_none().then_some(incoming.credit.max)
    }

    /// Credit of the connection, and the number of streams that the peer may open.
    pub(super) const fn credit(&self) -> u64 {
        self.credit.max
    }

    pub(super) const fn peer_may_open(&self, dir: Dir) -> u64 {
        self.peer_may_open[dir as usize]
    }

    /// The limit that holds a stream back, if one does.
    pub(super) fn blocked_limit(&self, id: StreamId) -> Option<u64> {
        let sending = self.all.get(&id)?.sending.as_ref()?;
        sending.out.is_blocked(sending.max).then_some(sending.max)
    }

    pub(super) const fn may_send(&self) -> u64 {
        self.may_send
    }

    pub(super) const fn may_open(&self, dir: Dir) -> u64 {
        self.may_open[dir as usize]
    }

    /// Whether some stream has bytes that credit lets go.
    pub(super) fn has_data(&self) -> bool {
        self.turn.iter().any(|id| self.next_run(*id).is_some())
    }

    fn next_run(&self, id: StreamId) -> Option<super::send::Run> {
        let sending = self.all.get(&id)?.sending.as_ref()?;
        if sending.reset.is_some() {
            return None;
        }
        let credit = sending.out.sent() + self.may_send.saturating_sub(self.sent);
        sending.out.next_run(sending.max.min(credit))
    }

    /// The next piece of stream data, chosen in turn: `fit` says how many bytes fit for a stream and a run, or that none does;
    /// only data first sent at `first_sent` if that is given.
    pub(super) fn next_data(
        &mut self,
        first_sent: Option<Time>,
        now: Time,
        fit: impl Fn(StreamId, u64, u64) -> Option<u64>,
    ) -> Option<(StreamId, super::send::Run, Payload)> {
        for _ in 0..self.turn.len() {
            let id = *self.turn.front()?;
            let Some(mut run) = self.next_run(id) else {
                self.turn.pop_front();
                self.note_blocked(id);
                if let Some(stream) = self.all.get_mut(&id) {
                    stream.queued = false;
                    // What only the connection's credit holds back keeps its turn.
                    self.queue(id);
                }
                continue;
            };
            if first_sent.is_some_and(|first_sent| run.first_sent.unwrap_or(now) != first_sent) {
                self.turn.rotate_left(1);
                continue;
            }
            let len = fit(id, run.start, run.end - run.start)?;
            if run.end - run.start > len {
                run.end = run.start + len;
                run.fin = false;
            }
            let payload = self.sending(id)?.out.take(run, now);
            if run.first_sent.is_none() {
                self.sent += run.end - run.start;
            }
            // The next packet begins with the next stream.
            self.turn.pop_front();
            if let Some(stream) = self.all.get_mut(&id) {
                stream.queued = false;
            }
            self.queue(id);
            self.note_blocked(id);
            return Some((id, run, payload));
        }
        None
    }

    /// Tells the peer once for each limit that it holds us back (RFC 9000 4.1).
    fn note_blocked(&mut self, id: StreamId) {
        let at_limit = self.sent >= self.may_send;
        let Some(sending) = self.sending(id) else { return };
        let more = sending.out.written() > sending.out.sent();
        if sending.out.is_blocked(sending.max) && sending.blocked_at != Some(sending.max) {
            sending.blocked_at = Some(sending.max);
            note(&mut self.frames.stream_blocked, id);
        }
        if more && at_limit && self.blocked_at != Some(self.may_send) {
            self.blocked_at = Some(self.may_send);
            self.frames.data_blocked = true;
        }
    }

    /// The peer has these bytes.
    pub(super) fn acknowledged(&mut self, id: StreamId, start: u64, end: u64, fin: bool) {
        let Some(sending) = self.sending(id) else { return };
        let room = sending.reset.is_none() && sending.out.acknowledge(start, end, fin);
        if room && std::mem::take(&mut sending.starved) {
            self.events.push_back(Event::Writable(id));
        }
        self.forget_if_done(id);
    }

    /// The peer knows that we gave the stream up.
    pub(super) fn reset_acknowledged(&mut self, id: StreamId) {
        if let Some(sending) = self.sending(id) {
            sending.reset_acked = true;
            self.forget_if_done(id);
        }
    }

    /// These bytes are to be sent again.
    pub(super) fn lost(&mut self, id: StreamId, start: u64, end: u64, fin: bool, first_sent: Time) {
        if let Some(sending) = self.sending(id)
            && sending.reset.is_none()
        {
            sending.out.lose(start, end, fin, first_sent);
            self.queue(id);
        }
    }

    /// Bytes that have arrived, by highest offsets, and have not been read.
    #[cfg(test)]
    pub(super) const fn unread(&self) -> u64 {
        self.received - self.read
    }

    /// Whether everything written has been acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        let settled = |sending: &Sending| {
            sending
                .reset
                .map_or(sending.out.buffered() == 0 && (!sending.out.is_ended() || sending.out.is_done()), |_| {
                    sending.reset_acked
                })
        };
        self.all.values().all(|stream| stream.sending.as_ref().is_none_or(settled))
    }

    /// Nothing more is sent; what has arrived can still be read.
    pub(super) fn clear(&mut self) {
        self.turn.clear();
        self.frames = StreamFrames::default();
        for stream in self.all.values_mut() {
            stream.sending = None;
        }
    }
}
