//! Fast Open (RFC 7413): data in the SYN for those who can show a cookie, a round trip earlier.
//!
//! As in Linux with `TCP_FASTOPEN_CONNECT`: the first connection to a server asks for a cookie; one that has a cookie waits with
//! its SYN for the first data. Cookies are eight bytes. Not modelled: cookies of other lengths, and the memory of paths on which
//! SYNs with data vanish (RFC 7413 4.1.3).

use super::connection::Connection;
use super::receive::arrival_of;
use super::signals::{Events, State};
use crate::base::Time;
use crate::wire::{Cookie, FastOpen, Segment, Transit};

/// What Fast Open does for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Opening {
    /// Nothing, or nothing more.
    #[default]
    Usual,
    /// A client asks for a cookie.
    Asks,
    /// A client shows its cookie; its SYN waits for data until `sent`.
    Shows { cookie: Cookie, sent: bool },
    /// A server gives out a cookie with its SYN-ACK.
    Gives(Cookie),
    /// A server has seen the right cookie: data may flow before the handshake is over.
    Open,
}

impl Connection {
    /// A client's choice before anything is polled: asks for a cookie, or shows the one that the server gave; then the SYN waits
    /// for the first write, or [`Connection::open_now`].
    pub fn open_fast(&mut self, cookie: Option<Cookie>) {
        debug_assert!(self.state == State::SynSent && self.board.is_empty(), "only before the SYN");
        match cookie {
            None => self.opening = Opening::Asks,
            Some(cookie) => {
                self.opening = Opening::Shows { cookie, sent: false };
                self.recovery.syn_due = false;
            }
        }
    }

    /// The SYN is not to wait for data any longer; true if it had.
    pub fn open_now(&mut self) -> bool {
        if let Opening::Shows { sent, .. } = &mut self.opening
            && self.state == State::SynSent
            && !std::mem::replace(sent, true)
        {
            self.recovery.syn_due = true;
            return true;
        }
        false
    }

    /// A server's choice after [`Connection::accept`] before anything is polled: `expected` is the client's cookie. A SYN that
    /// shows it brings its data, and the connection is open; one that asks, or shows a wrong one, is given it.
    pub fn accept_fast(&mut self, expected: Cookie, syn: &Segment, transit: &Transit, now: Time) {
        match syn.options.fast_open {
            FastOpen::Absent => {}
            FastOpen::Cookie(cookie) if cookie == expected => {
                self.opening = Opening::Open;
                self.events.raise(Events::CONNECTED);
                if !syn.payload.is_empty() {
                    self.syn_data_taken = true;
                    self.receiver.take(1, syn.payload.clone(), arrival_of(transit, now));
                    self.events.raise(Events::READABLE);
                }
            }
            FastOpen::Request | FastOpen::Cookie(_) => self.opening = Opening::Gives(expected),
        }
    }

    /// The cookie that the server has given, once.
    pub fn take_cookie(&mut self) -> Option<Cookie> {
        self.cookie.take()
    }

    /// Whether a server may send before the handshake is over.
    pub(super) fn opened_fast(&self) -> bool {
        self.opening == Opening::Open
    }

    /// The option for a SYN or SYN-ACK; one that is sent again has none (Linux forgets the request with the first).
    pub(super) const fn fast_open_option(&self, again: bool) -> FastOpen {
        match self.opening {
            _ if again => FastOpen::Absent,
            Opening::Usual | Opening::Open => FastOpen::Absent,
            Opening::Asks => FastOpen::Request,
            Opening::Shows { cookie, .. } | Opening::Gives(cookie) => FastOpen::Cookie(cookie),
        }
    }

    /// Bytes that go with the SYN: what has been written, as far as it fits beside all options that there could be (Linux
    /// `tcp_send_syn_data`).
    pub(super) fn syn_data(&self) -> u64 {
        match self.opening {
            Opening::Shows { .. } => self.buffer.len().min(u64::from(self.own_mss.saturating_sub(40))),
            _ => 0,
        }
    }

    /// What the SYN carried beyond `end` is not in flight any more: it will be sent as data (RFC 7413 4.2.2).
    pub(super) fn take_back_syn_data(&mut self, end: u64) {
        if self.next > end && self.state == State::SynSent {
            self.board.cut_head(end);
            self.next = end;
        }
    }
}
