//! Streams and their flow control (RFC 9000 2 to 4): independent of each other but for the connection's own credit.

mod incoming;
mod outgoing;

use super::assembler::Assembler;
use super::config::Config;
use super::send::Outgoing;
use super::signals::{Code, Event};
use crate::base::{Span, Time};
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

    /// Credit of the connection, and the number of streams that the peer may open.
    pub(super) const fn credit(&self) -> u64 {
        self.credit.max
    }

    pub(super) const fn peer_may_open(&self, dir: Dir) -> u64 {
        self.peer_may_open[dir as usize]
    }

    pub(super) const fn may_send(&self) -> u64 {
        self.may_send
    }

    pub(super) const fn may_open(&self, dir: Dir) -> u64 {
        self.may_open[dir as usize]
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
