//! The host under test: sockets as programs see them, around the one machine of `transport`.
//!
//! One address pair at a time: what the peer sends meets the newest connection while that lives, else a listening socket, else a
//! reset. Segments of older connections go nowhere, as there is no peer for them.

use crate::base::{Span, Time};
use crate::transport::tcp::{self, Config, Connection, Event, Info, Reason, State, Wake};
use crate::wire::{Cookie, Ecn, FastOpen, Flags, Payload, Segment, Seq, Transit};
use std::collections::VecDeque;
use std::net::Ipv4Addr;

/// Our end and the peer's: documentation addresses (RFC 5737).
const LOCAL: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 8080);
const REMOTE: (Ipv4Addr, u16) = (Ipv4Addr::new(198, 51, 100, 1), 40_000);

/// Our initial sequence numbers lie shortly before the wrap, so that a script of some length crosses it.
const FIRST_ISS: Seq = Seq(0xffff_f000);

/// The cookie that we give (RFC 7413), in scripts `TFO_COOKIE`.
pub(super) const COOKIE: Cookie = [0xc0, 0x0c, 0x1e, 0x5a, 0x7e, 0x57, 0xed, 0x01];

/// A socket.
pub(super) type Handle = usize;

/// An error that a call returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Errno {
    Again,
    Already,
    BadFile,
    BrokenPipe,
    Connected,
    InProgress,
    Invalid,
    NotConnected,
    Refused,
    Reset,
    TimedOut,
    Unreachable,
}

impl Errno {
    /// Its name and its number on Linux.
    pub(super) const fn name(self) -> (&'static str, i64) {
        match self {
            Self::Again => ("EAGAIN", 11),
            Self::Already => ("EALREADY", 114),
            Self::BadFile => ("EBADF", 9),
            Self::BrokenPipe => ("EPIPE", 32),
            Self::Connected => ("EISCONN", 106),
            Self::InProgress => ("EINPROGRESS", 115),
            Self::Invalid => ("EINVAL", 22),
            Self::NotConnected => ("ENOTCONN", 107),
            Self::Refused => ("ECONNREFUSED", 111),
            Self::Reset => ("ECONNRESET", 104),
            Self::TimedOut => ("ETIMEDOUT", 110),
            Self::Unreachable => ("EHOSTUNREACH", 113),
        }
    }
}

/// What a call comes to now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Now {
    Done(i64),
    Failed(Errno),
    /// It would have to wait.
    Waits,
}

/// A segment that the machine has sent.
#[derive(Clone, Debug)]
pub(super) struct Emitted {
    pub(super) segment: Segment,
    pub(super) ecn: Ecn,
    pub(super) at: Time,
}

#[derive(Debug)]
enum Kind {
    Fresh,
    Listening { backlog: usize },
    Connection(usize),
    Closed,
}

/// A socket: its settings, and what it has become.
#[derive(Debug)]
struct Socket {
    config: Config,
    nonblocking: bool,
    /// Closing resets (`SO_LINGER` with no time).
    resets: bool,
    /// The program reads no more.
    deaf: bool,
    /// How many connections that were opened fast may wait for the end of their handshakes.
    fast: usize,
    kind: Kind,
}

/// A connection and what sockets must know about it.
#[derive(Debug)]
struct Peer {
    machine: Connection,
    connected: bool,
    /// A call to connect has returned success.
    told: bool,
    /// Not yet returned by accept: the socket that listens.
    listener: Option<Handle>,
    error: Option<Errno>,
    /// A write was cut short, and there has been no word of room since.
    full: bool,
    /// The state before the last segment or deadline.
    before: State,
}

/// The host under test.
#[derive(Debug)]
pub(super) struct Stack {
    /// Settings of sockets that open later.
    pub(super) config: Config,
    /// What Fast Open does: the bits of `tcp_fastopen`.
    pub(super) fast_open: u64,
    /// What has been sent and not yet been looked at.
    pub(super) out: VecDeque<Emitted>,
    sockets: Vec<Socket>,
    peers: Vec<Peer>,
    /// A socket has begun to listen since the newest connection began: the next SYN is another peer's.
    listens_anew: bool,
}

impl Stack {
    pub(super) fn new(config: Config) -> Self {
        Self { config, fast_open: 1, out: VecDeque::new(), sockets: Vec::new(), peers: Vec::new(), listens_anew: false }
    }

    /// The earliest instant at which a machine wants to be woken.
    pub(super) fn next_wake(&self) -> Time {
        let wakes = self.peers.iter().filter(|peer| !peer.machine.is_closed()).map(|peer| match peer.machine.wake() {
            Wake::Now => Time::ZERO,
            Wake::At(time) => time,
            Wake::OnInput => Time::NEVER,
        });
        wakes.min().unwrap_or(Time::NEVER)
    }

    /// It is `now`: wakes every machine that wants it.
    pub(super) fn wake(&mut self, now: Time) {
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            let due = match peer.machine.wake() {
                Wake::Now => true,
                Wake::At(time) => time <= now,
                Wake::OnInput => false,
            };
            if due && !peer.machine.is_closed() {
                peer.before = peer.machine.state();
                peer.machine.handle_wake(now);
                self.drain(index, now);
            }
        }
    }

    /// How many connections are in a state, by its name in `sockstat`.
    pub(super) fn count(&self, state: &str) -> usize {
        self.peers.iter().filter(|peer| state_name(peer.machine.state()) == state).count()
    }

    /// Sends what the machine has to send, and takes note of what it tells.
    fn drain(&mut self, index: usize, now: Time) {
        let newest = index + 1 == self.peers.len();
        let peer = &mut self.peers[index];
        loop {
            while let Some(transmit) = peer.machine.poll_transmit(now) {
                if newest {
                    self.out.push_back(Emitted { segment: transmit.segment, ecn: transmit.ecn, at: now });
                }
            }
            let Some(event) = peer.machine.poll_event() else { break };
            match event {
                Event::Connected => peer.connected = true,
                Event::Readable => {}
                Event::Writable => peer.full = false,
                Event::Closed(reason) => peer.error = peer.error.or(error_of(reason, peer.before)),
            }
        }
    }

    /// A segment of the peer arrives.
    pub(super) fn inject(&mut self, segment: Segment, ecn: Ecn, now: Time) {
        let mut segment = Segment { src_port: REMOTE.1, dst_port: LOCAL.1, ..segment };
        let opens = segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK) && !segment.flags.has(Flags::RST);
        let listener = self.sockets.iter().rposition(|socket| matches!(socket.kind, Kind::Listening { .. }));
        if let Some((index, peer)) = self.peers.iter_mut().enumerate().next_back()
            && !peer.machine.is_closed()
            && !(opens && listener.is_some() && (self.listens_anew || peer.machine.accepts_reopening(&segment)))
        {
            peer.before = peer.machine.state();
            peer.machine.handle_segment(&mut segment, &Transit::default(), ecn, now);
            self.drain(index, now);
            return;
        }
        if opens && let Some(listener) = listener {
            self.take_syn(listener, &segment, ecn, now);
            return;
        }
        // A listening socket answers what acknowledges something, and lets the rest go by (RFC 9293 3.10.7.2).
        let unheard = listener.is_some() && !segment.flags.has(Flags::ACK);
        if let Some(reset) = tcp::reset_for(&segment).filter(|_| !unheard) {
            self.out.push_back(Emitted { segment: reset, ecn: Ecn::NotCapable, at: now });
        }
    }

    /// A SYN has reached a listening socket. One with FIN, and one beyond the backlog, is dropped without a word, as Linux
    /// does.
    fn take_syn(&mut self, listener: Handle, syn: &Segment, ecn: Ecn, now: Time) {
        let socket = &self.sockets[listener];
        let Kind::Listening { backlog } = socket.kind else { return };
        let ready = self.peers.iter().filter(|peer| peer.connected && peer.listener == Some(listener)).count();
        if ready > backlog || syn.flags.has(Flags::FIN) {
            return;
        }
        let mut machine = Connection::accept(&socket.config, LOCAL, REMOTE, self.next_iss(), syn, now);
        machine.note_syn_ecn(ecn, syn);
        self.accept_fast(&mut machine, listener, syn, now);
        self.add(machine, Some(listener), now);
    }

    /// Opens a connection fast if that is allowed (Linux `tcp_try_fastopen`).
    fn accept_fast(&self, machine: &mut Connection, listener: Handle, syn: &Segment, now: Time) {
        const SERVER: u64 = 0x2;
        const WITHOUT_COOKIE: u64 = 0x200;
        const EVERY_LISTENER: u64 = 0x400;
        let socket = &self.sockets[listener];
        let most = match socket.kind {
            Kind::Listening { backlog } if socket.fast == 0 && self.fast_open & EVERY_LISTENER > 0 => backlog,
            _ => socket.fast,
        };
        let waiting = |peer: &&Peer| peer.connected && peer.machine.state() == State::SynReceived;
        let full = self.peers.iter().filter(|peer| peer.listener == Some(listener)).filter(waiting).count() >= most;
        if self.fast_open & SERVER == 0 || full {
            return;
        }
        let mut syn = syn.clone();
        if self.fast_open & WITHOUT_COOKIE > 0 && !syn.payload.is_empty() {
            syn.options.fast_open = FastOpen::Cookie(COOKIE);
        }
        machine.accept_fast(COOKIE, &syn, &Transit::default(), now);
    }

    fn next_iss(&self) -> Seq {
        FIRST_ISS + u32::try_from(self.peers.len()).unwrap_or(0).wrapping_mul(64_001)
    }

    fn add(&mut self, machine: Connection, listener: Option<Handle>, now: Time) -> usize {
        let before = machine.state();
        if std::mem::take(&mut self.listens_anew) || listener.is_none() {
            // The script looks at the newest connection only.
            self.out.clear();
        }
        self.peers.push(Peer { machine, connected: false, told: false, listener, error: None, full: false, before });
        let index = self.peers.len() - 1;
        self.drain(index, now);
        index
    }

    pub(super) fn socket(&mut self, nonblocking: bool) -> Handle {
        let config = self.config.clone();
        self.sockets.push(Socket { config, nonblocking, resets: false, deaf: false, fast: 0, kind: Kind::Fresh });
        self.sockets.len() - 1
    }

    pub(super) fn is_nonblocking(&self, handle: Handle) -> bool {
        self.sockets[handle].nonblocking
    }

    pub(super) fn set_nonblocking(&mut self, handle: Handle, on: bool) {
        self.sockets[handle].nonblocking = on;
    }

    pub(super) fn is_listening(&self, handle: Handle) -> bool {
        matches!(self.sockets[handle].kind, Kind::Listening { .. })
    }

    /// The settings that the socket's connection will have.
    pub(super) fn settings(&mut self, handle: Handle) -> &mut Config {
        &mut self.sockets[handle].config
    }

    pub(super) fn set_resets(&mut self, handle: Handle, on: bool) {
        self.sockets[handle].resets = on;
    }

    pub(super) fn set_fast_open(&mut self, handle: Handle, most: u64) {
        self.sockets[handle].fast = usize::try_from(most).unwrap_or(usize::MAX);
    }

    /// The machine of a connected socket.
    pub(super) fn machine(&mut self, handle: Handle) -> Option<&mut Connection> {
        match self.sockets[handle].kind {
            Kind::Connection(index) => Some(&mut self.peers[index].machine),
            _ => None,
        }
    }

    /// Does something to a connected socket's machine and sends what comes of it.
    pub(super) fn with_machine(&mut self, handle: Handle, now: Time, act: impl FnOnce(&mut Connection)) {
        if let Kind::Connection(index) = self.sockets[handle].kind {
            act(&mut self.peers[index].machine);
            self.drain(index, now);
        }
    }

    /// The state of a socket's connection.
    pub(super) fn info(&mut self, handle: Handle) -> Option<Info> {
        self.machine(handle).map(|machine| machine.info())
    }

    pub(super) fn listen(&mut self, handle: Handle, backlog: i64) -> Now {
        match self.sockets[handle].kind {
            Kind::Fresh | Kind::Listening { .. } => {
                let backlog = usize::try_from(backlog).unwrap_or(0);
                self.sockets[handle].kind = Kind::Listening { backlog };
                self.listens_anew = true;
                Now::Done(0)
            }
            _ => Now::Failed(Errno::Invalid),
        }
    }

    /// The oldest connection that is complete, as a new socket.
    pub(super) fn accept(&mut self, handle: Handle, nonblocking: bool) -> Result<Handle, Now> {
        if !self.is_listening(handle) {
            return Err(Now::Failed(Errno::Invalid));
        }
        let ready = self.peers.iter().position(|peer| peer.connected && peer.listener == Some(handle));
        let Some(index) = ready else { return Err(Now::Waits) };
        self.peers[index].listener = None;
        let config = self.sockets[handle].config.clone();
        let resets = self.sockets[handle].resets;
        self.sockets.push(Socket { config, nonblocking, resets, deaf: false, fast: 0, kind: Kind::Connection(index) });
        Ok(self.sockets.len() - 1)
    }

    /// Begins to connect, or says how far it has come.
    pub(super) fn connect(&mut self, handle: Handle, now: Time) -> Now {
        match self.sockets[handle].kind {
            Kind::Fresh => {
                let iss = self.next_iss();
                let machine = Connection::connect(&self.sockets[handle].config, LOCAL, REMOTE, iss, now);
                let index = self.add(machine, None, now);
                self.sockets[handle].kind = Kind::Connection(index);
                Now::Waits
            }
            Kind::Connection(index) => {
                let peer = &mut self.peers[index];
                match peer.error.take() {
                    Some(error) => Now::Failed(error),
                    None if peer.told => Now::Failed(Errno::Connected),
                    None if peer.connected => {
                        peer.told = true;
                        Now::Done(0)
                    }
                    None => Now::Waits,
                }
            }
            _ => Now::Failed(Errno::Invalid),
        }
    }

    /// Throws the connection away; the socket may connect again (Linux `tcp_disconnect`).
    pub(super) fn disconnect(&mut self, handle: Handle, now: Time) -> Now {
        if let Kind::Connection(index) = self.sockets[handle].kind {
            self.peers[index].machine.abort(now);
            self.drain(index, now);
            self.sockets[handle].kind = Kind::Fresh;
        }
        Now::Done(0)
    }

    /// Whether a write would have to wait to be told that there is room.
    pub(super) fn is_full(&self, handle: Handle) -> bool {
        match self.sockets[handle].kind {
            Kind::Connection(index) => {
                let peer = &self.peers[index];
                peer.full && peer.error.is_none() && !peer.machine.is_closed()
            }
            _ => false,
        }
    }

    /// Whether the socket has begun to connect.
    pub(super) fn has_connection(&self, handle: Handle) -> bool {
        matches!(self.sockets[handle].kind, Kind::Connection(_))
    }

    /// Reads at most `max` bytes.
    pub(super) fn read(&mut self, handle: Handle, max: u64, peek: bool, now: Time) -> Now {
        let Kind::Connection(index) = self.sockets[handle].kind else { return Now::Failed(Errno::NotConnected) };
        let deaf = self.sockets[handle].deaf;
        let peer = &mut self.peers[index];
        let available = peer.machine.readable().min(max);
        if available > 0 {
            if !peek {
                peer.machine.discard(available, now);
                self.drain(index, now);
            }
            return Now::Done(available.cast_signed());
        }
        // The end of the stream comes before an error that came after it (Linux `SOCK_DONE`).
        if peer.machine.at_eof() || deaf || max == 0 {
            return Now::Done(0);
        }
        if let Some(error) = peer.error.take() {
            return Now::Failed(error);
        }
        match peer.machine.state() {
            State::Closed if peer.connected => Now::Done(0),
            State::Closed => Now::Failed(Errno::NotConnected),
            _ => Now::Waits,
        }
    }

    /// Writes at most `len` bytes, perhaps with `more` to come soon; what is written may be less.
    pub(super) fn write(&mut self, handle: Handle, len: u64, more: bool, now: Time) -> Now {
        let Kind::Connection(index) = self.sockets[handle].kind else { return Now::Failed(Errno::BrokenPipe) };
        let peer = &mut self.peers[index];
        if let Some(error) = peer.error.take() {
            return Now::Failed(error);
        }
        let state = peer.machine.state();
        if !matches!(state, State::SynSent | State::SynReceived | State::Established | State::CloseWait) {
            return Now::Failed(Errno::BrokenPipe);
        }
        if !peer.connected {
            return Now::Waits;
        }
        let rest = peer.machine.write(Payload::filler(len), now).len();
        peer.full = rest > 0;
        if more {
            peer.machine.expect_more();
        }
        self.drain(index, now);
        if rest == len && len > 0 { Now::Waits } else { Now::Done((len - rest).cast_signed()) }
    }

    pub(super) fn shutdown(&mut self, handle: Handle, read: bool, write: bool, now: Time) -> Now {
        let Kind::Connection(index) = self.sockets[handle].kind else { return Now::Failed(Errno::NotConnected) };
        let peer = &mut self.peers[index];
        if matches!(peer.machine.state(), State::Closed | State::TimeWait) {
            return Now::Failed(Errno::NotConnected);
        }
        self.sockets[handle].deaf |= read;
        if write {
            peer.machine.shutdown(now);
            self.drain(index, now);
        }
        Now::Done(0)
    }

    pub(super) fn close(&mut self, handle: Handle, now: Time) -> Now {
        let socket = &mut self.sockets[handle];
        let resets = socket.resets;
        match std::mem::replace(&mut socket.kind, Kind::Closed) {
            Kind::Closed => return Now::Failed(Errno::BadFile),
            Kind::Fresh => {}
            Kind::Listening { .. } => {
                for index in 0..self.peers.len() {
                    let peer = &mut self.peers[index];
                    if peer.listener == Some(handle) {
                        peer.listener = None;
                        peer.machine.abort(now);
                        // Half-open ones go without a word, as in Linux.
                        while !peer.connected && peer.machine.poll_transmit(now).is_some() {}
                        self.drain(index, now);
                    }
                }
            }
            Kind::Connection(index) => {
                let machine = &mut self.peers[index].machine;
                if resets {
                    machine.abort(now);
                } else {
                    machine.close(now);
                }
                self.drain(index, now);
            }
        }
        Now::Done(0)
    }

    /// The error that waits to be told, which this takes away.
    pub(super) fn take_error(&mut self, handle: Handle) -> Option<Errno> {
        match self.sockets[handle].kind {
            Kind::Connection(index) => self.peers[index].error.take(),
            _ => None,
        }
    }
}

/// A state as `sockstat` of FreeBSD spells it.
const fn state_name(state: State) -> &'static str {
    match state {
        State::SynSent => "SYN_SENT",
        State::SynReceived => "SYN_RCVD",
        State::Established => "ESTABLISHED",
        State::FinWait1 => "FIN_WAIT_1",
        State::FinWait2 => "FIN_WAIT_2",
        State::Closing => "CLOSING",
        State::TimeWait => "TIME_WAIT",
        State::CloseWait => "CLOSE_WAIT",
        State::LastAck => "LAST_ACK",
        State::Closed => "CLOSED",
    }
}

/// What a program is told about the end of a connection that was in state `before` (Linux `tcp_reset`).
const fn error_of(reason: Reason, before: State) -> Option<Errno> {
    match (reason, before) {
        // No script takes an address away.
        (Reason::Finished | Reason::Aborted | Reason::AddressLost, _) => None,
        (Reason::Refused, _) => Some(Errno::Refused),
        (Reason::Reset, State::CloseWait) => Some(Errno::BrokenPipe),
        (Reason::Reset, _) => Some(Errno::Reset),
        (Reason::TimedOut, _) => Some(Errno::TimedOut),
        (Reason::Unreachable, _) => Some(Errno::Unreachable),
    }
}

/// The longest that anything is waited for where a script names no time.
pub(super) const PATIENCE: Span = Span::from_secs(10);
