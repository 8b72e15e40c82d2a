//! The connection: its state, and what programs and the world may do to it.

use super::acks::Acks;
use super::config::{Config, Constants};
use super::ecn::EcnState;
use super::fast_open::Opening;
use super::receive::Receiver;
use super::recovery::{Due, Recovery};
use super::scoreboard::{Marks, Scoreboard};
use super::send_buffer::SendBuffer;
use super::signals::{Event, Events, Reason, State};
use super::timers::Timers;
use crate::base::{Span, Time};
use crate::trace::Arrival;
use crate::transport::congestion::{Controller, INFINITE_SSTHRESH, Phase, Window};
use crate::transport::rtt::Rtt;
use crate::wire::{Cookie, Flags, Payload, SackBlocks, Segment, Seq};
use std::collections::VecDeque;
use std::net::Ipv4Addr;

/// One end of a TCP connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) constants: Constants,
    pub(super) state: State,
    pub(super) local_port: u16,
    pub(super) remote_port: u16,
    pub(super) iss: Seq,
    /// Largest segment that our interface carries, without options.
    pub(super) own_mss: u32,
    /// Largest payload of a segment with the usual options.
    pub(super) mss: u32,
    pub(super) timestamps: bool,
    pub(super) sack: bool,
    pub(super) scaling: bool,
    pub(super) nagle: bool,
    /// Segments that are not full wait for more (`TCP_CORK`).
    pub(super) corked: bool,
    /// Offset beyond which a segment that is not full waits for more, corked or because the program has announced more.
    pub(super) held_from: u64,
    pub(super) probes_tail: bool,
    pub(super) rack: bool,
    pub(super) restarts: bool,
    pub(super) paces: bool,
    /// Whether segments may be paced at all, by the setting or by the controller.
    pub(super) may_pace: bool,
    pub(super) user_timeout: Option<Span>,
    pub(super) keep_alive: Option<(Span, Span, u32)>,

    // Sending. Offsets count from our initial sequence number.
    /// First offset not acknowledged.
    pub(super) una: u64,
    /// Next offset to send.
    pub(super) next: u64,
    /// Data from `buffer_start` on: not acknowledged, or not sent.
    pub(super) buffer: Payload,
    pub(super) buffer_start: u64,
    pub(super) send_buffer: SendBuffer,
    /// Segments that leave together at least, where the pacing rate is not very low.
    pub(super) least_burst: u32,
    /// The program has no more to write: FIN follows the buffer.
    pub(super) fin: bool,
    /// A write was cut short; tell when there is room.
    pub(super) starved: bool,
    /// End of the last segment smaller than `mss` (Minshall's `snd_sml`).
    pub(super) small_end: u64,
    pub(super) peer_window: u64,
    pub(super) peer_scale: u8,
    pub(super) largest_peer_window: u64,
    /// Offsets (theirs, ours) of the segment that last updated the peer's window.
    pub(super) window_update: (u64, u64),

    pub(super) board: Scoreboard,
    pub(super) rtt: Rtt,
    pub(super) window: Window,
    pub(super) control: Controller,
    pub(super) phase: Phase,
    pub(super) recovery: Recovery,
    pub(super) timers: Timers,

    // Receiving.
    pub(super) receiver: Receiver,
    pub(super) acks: Acks,
    pub(super) ecn: EcnState,
    /// Their latest timestamp (RFC 7323 `TS.Recent`), and the echo in the segment at hand.
    pub(super) ts_recent: u32,
    pub(super) echo: Option<u32>,

    /// Whether our SYN offered timestamps and SACK, and its window scale, where the peer's crossed it: our answer repeats them whatever
    /// the peer offers (Linux `tcp_syn_options`).
    pub(super) crossed: Option<(bool, bool, Option<u8>)>,
    /// Segments without data that wait to be sent: resets and challenges.
    pub(super) control_out: VecDeque<Segment>,
    /// What Fast Open does, and a cookie that the server has given.
    pub(super) opening: Opening,
    /// Whether data in a SYN, ours or the peer's, has been taken in.
    pub(super) syn_data_taken: bool,
    pub(super) cookie: Option<Cookie>,
    pub(super) events: Events,
    /// What is in flight was sent while the program had too little data, until so many segments have been delivered; 0 if not
    /// (Linux `tp->app_limited`).
    pub(super) app_limited_until: u64,
    /// No program holds the connection.
    pub(super) orphan: bool,
    /// Whether [`Connection::is_calm`] has held since it was last asked: whatever may end that clears it.
    pub(super) calm: bool,
    /// Last instant at which anything came from the peer.
    pub(super) heard: Time,
}

impl Connection {
    fn new(config: &Config, local_port: u16, remote_port: u16, iss: Seq, state: State, now: Time) -> Self {
        let constants = config.profile.constants();
        let scale = if config.window_scaling { config.window_scale() } else { 0 };
        let limit = if config.window_scaling { config.receive_buffer } else { config.receive_buffer.min(65_535) };
        let own_mss = config.mss();
        let mut control = config.congestion.build();
        control.get().seed(u64::from(iss.0));
        let accurate = control.get().needs_ecn();
        let first = config.first_receive_buffer / 2;
        let receiver = Receiver::new(own_mss, constants.first_receive_window, first, limit, scale);
        Self {
            constants,
            state,
            local_port,
            remote_port,
            iss,
            own_mss,
            mss: own_mss,
            timestamps: config.timestamps,
            sack: config.sack,
            scaling: config.window_scaling,
            nagle: config.nagle,
            corked: false,
            held_from: u64::MAX,
            probes_tail: config.tail_loss_probe,
            rack: config.rack,
            restarts: config.restart_after_idle.unwrap_or(constants.restart_after_idle),
            paces: config.pacing,
            may_pace: config.pacing || control.may_pace(),
            user_timeout: config.user_timeout,
            keep_alive: config.keep_alive,
            una: 0,
            next: 0,
            buffer: Payload::empty(),
            buffer_start: 1,
            send_buffer: SendBuffer::new(config, constants.first_send_window),
            least_burst: config.least_burst,
            fin: false,
            starved: false,
            small_end: 0,
            peer_window: 0,
            peer_scale: 0,
            largest_peer_window: 0,
            window_update: (0, 0),
            board: Scoreboard::new(),
            rtt: Rtt::new(constants.rto),
            window: Window { cwnd: constants.initial_window, ssthresh: INFINITE_SSTHRESH, clamp: u32::MAX },
            control,
            phase: Phase::Open,
            recovery: Recovery::default(),
            timers: Timers::new(constants.rto.initial, config.ticks.unwrap_or(constants.ticks)),
            receiver,
            acks: Acks::new(now),
            ecn: EcnState::new(config.ecn, accurate),
            ts_recent: 0,
            echo: None,
            crossed: None,
            control_out: VecDeque::new(),
            opening: Opening::Usual,
            syn_data_taken: false,
            cookie: None,
            events: Events::default(),
            app_limited_until: 0,
            orphan: false,
            calm: false,
            heard: now,
        }
    }

    /// Opens actively: the SYN is ready to be polled.
    #[must_use]
    pub fn connect(config: &Config, local: (Ipv4Addr, u16), remote: (Ipv4Addr, u16), iss: Seq, now: Time) -> Self {
        let mut connection = Self::new(config, local.1, remote.1, iss, State::SynSent, now);
        connection.recovery.syn_due = true;
        connection
    }

    /// Opens passively, in answer to `syn`: the SYN-ACK is ready to be polled.
    #[must_use]
    pub fn accept(
        config: &Config,
        local: (Ipv4Addr, u16),
        remote: (Ipv4Addr, u16),
        iss: Seq,
        syn: &Segment,
        now: Time,
    ) -> Self {
        let mut connection = Self::new(config, local.1, remote.1, iss, State::SynReceived, now);
        connection.take_syn(syn);
        connection.ecn.take_syn(syn.flags);
        connection.recovery.syn_due = true;
        connection
    }

    /// Notes what the peer's SYN offers.
    pub(super) fn take_syn(&mut self, syn: &Segment) {
        let options = &syn.options;
        self.receiver.start(syn.seq);
        // What we send next acknowledges it: the timestamp of the segment that follows counts (RFC 7323 4.3).
        self.acks.acked = self.receiver.next;
        self.timestamps &= options.timestamps.is_some();
        self.sack &= options.sack_permitted;
        self.scaling &= options.window_scale.is_some();
        if self.scaling {
            self.peer_scale = options.window_scale.unwrap_or(0).min(14);
        } else {
            self.receiver.scale = 0;
        }
        if let Some((value, _)) = options.timestamps {
            self.ts_recent = value;
        }
        // RFC 9293 3.7.1: 536 unless stated; options take their room from the payload (RFC 6691).
        let peer = u32::from(options.mss.unwrap_or(536));
        let header = if self.timestamps { 12 } else { 0 };
        self.mss = self.own_mss.min(peer).max(64) - header;
        // The window of a SYN is not scaled (RFC 7323 2.2).
        self.peer_window = u64::from(syn.window);
        self.largest_peer_window = self.peer_window;
        self.window_update = (0, 0);
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether nothing is left to be done, ever.
    #[must_use]
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed && self.control_out.is_empty()
    }

    /// The offset behind everything written.
    #[inline]
    pub(super) const fn written(&self) -> u64 {
        self.buffer_start + self.buffer.len()
    }

    /// Appends data to the send buffer and returns what it has no room for; [`Event::Writable`] tells when there is room
    /// again. Data written after [`Connection::shutdown`] or the end of the connection is returned whole.
    pub fn write(&mut self, payload: Payload, now: Time) -> Payload {
        self.calm = false;
        if self.fin || self.orphan || self.state == State::Closed || self.state > State::CloseWait {
            return payload;
        }
        self.restart_after_idle(now);
        let board = &self.board;
        if self.written().saturating_sub(self.next) < u64::from(self.mss)
            && board.in_flight() < self.window.cwnd
            && board.lost_out <= board.retrans_out
        {
            self.mark_app_limited();
        }
        let room = self.send_room(payload.len());
        let mut rest = payload;
        self.buffer.append(rest.split_to(room));
        self.starved = !rest.is_empty();
        self.release_held();
        if self.state == State::SynSent {
            self.open_now();
        }
        rest
    }

    /// Rate samples of what is in flight say what the program, or the controller itself, allowed, not what the path can carry.
    pub(super) fn mark_app_limited(&mut self) {
        self.app_limited_until = (self.board.delivered + u64::from(self.board.in_flight())).max(1);
    }

    /// The send buffer takes so many bytes of memory from now on and does not grow (`SO_SNDBUF`); what it holds already stays.
    pub const fn set_send_buffer(&mut self, bytes: u64) {
        self.send_buffer.fix(bytes);
    }

    /// Nagle's algorithm on or off (`TCP_NODELAY`); what it held back may go at once, and what a cork holds back too (Linux
    /// `TCP_NAGLE_PUSH`).
    pub const fn set_nagle(&mut self, on: bool) {
        self.calm = false;
        self.nagle = on;
        if !on && self.held_from < u64::MAX {
            self.held_from = self.written();
        }
    }

    /// Holds segments that are not full back, or no longer (`TCP_CORK`). What is held goes when it has waited for a timeout.
    pub const fn set_cork(&mut self, on: bool) {
        self.calm = false;
        self.corked = on;
        self.held_from = if on { 0 } else { u64::MAX };
    }

    /// The program has announced more (`MSG_MORE`): a segment that is not full waits for it, or for the next acknowledgment.
    pub const fn expect_more(&mut self) {
        self.calm = false;
        if !self.corked {
            self.held_from = 0;
        }
    }

    /// What waits for more waits no longer, unless it is corked.
    pub(super) const fn release_held(&mut self) {
        if !self.corked {
            self.held_from = u64::MAX;
        }
    }

    /// Gives up when sent data stays unacknowledged for so long (RFC 5482).
    pub const fn set_user_timeout(&mut self, timeout: Option<Span>) {
        self.user_timeout = timeout;
    }

    /// Bytes in the send buffer, acknowledged ones taken out.
    #[must_use]
    pub const fn buffered(&self) -> u64 {
        self.buffer.len()
    }

    /// Bytes that can be read.
    #[must_use]
    #[inline]
    pub const fn readable(&self) -> u64 {
        self.receiver.readable()
    }

    /// Whether the peer has closed its direction and everything it sent has been read.
    #[must_use]
    #[inline]
    pub fn at_eof(&self) -> bool {
        self.receiver.readable() == 0 && self.receiver.ended()
    }

    /// Takes at most `max` in-order bytes, and the way of the last one. May ask for a window update to be sent.
    pub fn read(&mut self, max: u64, now: Time) -> Option<(Payload, Arrival)> {
        let read = self.receiver.read(max)?;
        self.after_read(now);
        Some(read)
    }

    /// Counts and drops at most `max` in-order bytes, as [`Connection::read`] without the payload; [`Connection::discarded`] says
    /// how they came.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub fn discard(&mut self, max: u64, now: Time) -> u64 {
        let read = self.receiver.discard(max);
        if read > 0 {
            self.after_read(now);
        }
        read
    }

    /// The way of the last byte that [`Connection::discard`] has dropped.
    #[must_use]
    pub const fn discarded(&self) -> Arrival {
        self.receiver.discarded()
    }

    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    fn after_read(&mut self, now: Time) {
        self.receiver.adjust(self.rtt.srtt(), now);
        if matches!(self.state, State::Established | State::FinWait1 | State::FinWait2) {
            self.ack_after_read();
        }
    }

    /// No more will be written: FIN follows what is in the buffer.
    pub fn shutdown(&mut self, now: Time) {
        self.calm = false;
        if self.fin {
            return;
        }
        match self.state {
            // What was written goes with the SYN or after it; FIN follows.
            State::SynSent if matches!(self.opening, Opening::Shows { sent: true, .. }) => self.fin = true,
            State::SynSent => self.finish(Reason::Aborted, now),
            State::SynReceived | State::Established => {
                self.fin = true;
                if self.state == State::Established {
                    self.state = State::FinWait1;
                }
            }
            State::CloseWait => {
                self.fin = true;
                self.state = State::LastAck;
            }
            _ => {}
        }
    }

    /// The program lets go. Unread data makes it a reset (RFC 9293 3.10.4, RFC 2525 2.17), as does data that comes later.
    pub fn close(&mut self, now: Time) {
        self.calm = false;
        if self.receiver.unread() > 0 && !matches!(self.state, State::TimeWait | State::Closed) {
            self.abort(now);
            return;
        }
        self.shutdown(now);
        self.orphan = true;
        if self.state == State::FinWait2 {
            self.timers.linger = now + self.constants.fin_wait;
        }
    }

    /// Resets the connection.
    pub fn abort(&mut self, now: Time) {
        self.calm = false;
        if self.state > State::SynSent && !matches!(self.state, State::TimeWait | State::Closed) {
            let mut reset = self.bare_segment(Flags::RST | Flags::ACK, self.next, now);
            reset.options.sack = SackBlocks::none();
            self.control_out.push_back(reset);
        }
        self.orphan = true;
        self.finish(Reason::Aborted, now);
    }

    /// Our address is gone: the connection ends without a word, as nothing can be sent from it (Linux `tcp_abort` by `SOCK_DESTROY`, whose
    /// reset finds no way out).
    pub fn lose_address(&mut self, now: Time) {
        self.calm = false;
        self.control_out.clear();
        self.orphan = true;
        self.finish(Reason::AddressLost, now);
    }

    /// Nothing more happens after this.
    pub(super) fn finish(&mut self, reason: Reason, _now: Time) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        self.timers.stop();
        self.acks.stop();
        let retransmitted = self.board.retransmitted;
        self.board = Scoreboard::new();
        self.board.retransmitted = retransmitted;
        self.buffer = Payload::empty();
        self.events.close(reason);
    }

    /// The peer cannot be reached, an ICMP error says: during the handshake that is the end (for an unreachable port always),
    /// later it is only a hint (RFC 1122 4.2.3.9, RFC 5461).
    pub fn handle_unreachable(&mut self, port: bool, now: Time) {
        self.calm = false;
        if self.state == State::SynSent {
            self.finish(if port { Reason::Refused } else { Reason::Unreachable }, now);
        }
    }

    /// Whether [`Connection::poll_event`] has something to tell.
    #[must_use]
    #[inline]
    pub const fn has_events(&self) -> bool {
        self.events.waiting != 0
    }

    /// Whether all that [`Connection::poll_event`] had to tell was that data can be read, and more may come; then it has been told.
    #[inline]
    pub fn tells_only_of_data(&mut self) -> bool {
        self.events.waiting == Events::READABLE && !self.receiver.ended() && self.events.take(Events::READABLE)
    }

    /// The next thing that the program should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        let events = &mut self.events;
        if events.take(Events::CONNECTED) {
            return Some(Event::Connected);
        }
        if events.take(Events::READABLE) {
            return Some(Event::Readable);
        }
        if events.take(Events::WRITABLE) {
            return Some(Event::Writable);
        }
        if events.take(Events::CLOSED) { events.closed.take().map(Event::Closed) } else { None }
    }

    /// The sequence number of one of our offsets.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "sequence numbers count modulo 2^32")]
    pub(super) fn seq(&self, offset: u64) -> Seq {
        self.iss + offset as u32
    }

    /// The offset of one of our sequence numbers, near the last one acknowledged.
    #[inline]
    pub(super) fn offset(&self, seq: Seq) -> i64 {
        let una = self.seq(self.una);
        self.una.cast_signed() + i64::from((seq.0.wrapping_sub(una.0)).cast_signed())
    }

    /// The path carries only packets of `mtu` bytes (RFC 1191): segments become smaller, and those in flight that are too large
    /// are sent again.
    pub fn handle_too_big(&mut self, mtu: u32, now: Time) {
        self.calm = false;
        let header = if self.timestamps { 52 } else { 40 };
        // RFC 1191 3: never below the minimum; what is not smaller is stale.
        let mss = mtu.max(88) - header;
        if mss >= self.mss || self.state <= State::SynReceived {
            return;
        }
        self.mss = mss;
        let mut news = super::scoreboard::News::default();
        self.board.resegment(u64::from(mss), &mut news);
        self.recovery.due.set(Due::RETRANSMIT);
        self.rearm_rto(now);
    }

    /// Whether a segment of ours carries FIN.
    pub(super) const fn fin_marks(fin: bool) -> u8 {
        if fin { Marks::FIN } else { 0 }
    }
}
