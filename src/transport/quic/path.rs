//! The way to the peer: how far it is trusted, and how a new one is proved (RFC 9000 8, 9).

use super::connection::Connection;
use super::signals::Event;
use crate::base::Time;
use crate::wire::quic::{MIN_INITIAL, Side};
use std::net::SocketAddrV4;

/// A path.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) remote: SocketAddrV4,
    /// The peer has proved that it is there.
    pub(super) validated: bool,
    /// UDP payload bytes received from there and sent there; only counted until it is validated.
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl Path {
    pub(super) const fn new(remote: SocketAddrV4) -> Self {
        Self { remote, validated: false, received: 0, sent: 0 }
    }

    /// Bytes that may be sent: three times what has come until the address is proved (RFC 9000 8.1).
    pub(super) fn allowance(&self) -> u64 {
        if self.validated { u64::MAX } else { (3 * self.received).saturating_sub(self.sent) }
    }
}

/// A path validation under way, and answers owed to the peer's.
#[derive(Debug, Default)]
pub(super) struct Validation {
    /// Challenges made so far.
    made: u64,
    /// What the present one says, and when it ends in failure.
    pub(super) expects: Option<([u8; 8], Time)>,
    /// A challenge is to be sent; again at this instant.
    pub(super) due: bool,
    pub(super) again_at: Time,
    /// The challenge goes with a PING, so that the peer follows: a packet that only probes moves nobody (RFC 9000 9.1, 9.2).
    pub(super) moves: bool,
    /// Data of challenges to be echoed, and to whom.
    pub(super) responses: Vec<([u8; 8], SocketAddrV4)>,
}

impl Connection {
    /// Challenges whoever is at the other end of the present path.
    pub(super) fn validate_path(&mut self, now: Time) {
        let data = self.secrets.challenge(self.validation.made);
        self.validation.made += 1;
        // RFC 9000 8.2.4.
        let deadline = now + self.pto().max(super::config::INITIAL_RTT * 3) * 3;
        self.validation.expects = Some((data, deadline));
        self.validation.due = true;
        self.validation.moves = false;
    }

    /// The peer's packets come from another address (RFC 9000 9.3).
    pub(super) fn peer_moved(&mut self, remote: SocketAddrV4, bytes: u64, now: Time) {
        let only_port = remote.ip() == self.path.remote.ip();
        let mut path = Path::new(remote);
        path.received = bytes;
        let old = std::mem::replace(&mut self.path, path);
        if old.validated {
            self.previous = Some(old);
        }
        if !only_port {
            self.reset_path_state(now);
        }
        self.ids.change_peer();
        self.validate_path(now);
    }

    /// We are at another address from now on, which the world has taken for us: the peer is told by a challenge from there (RFC
    /// 9000 9.2). `same_host` if only the port has changed: then what is sent next will tell the peer that we have moved. At another
    /// address the challenge itself does, for the old one may be gone and nothing else to be sent. False if the peer does not want
    /// that, has no other connection id for us (9.5), or the handshake is not over.
    pub fn migrate(&mut self, same_host: bool, now: Time) -> bool {
        if self.side == Side::Server || !self.confirmed || self.peer.disable_active_migration || !self.ids.change_peer()
        {
            return false;
        }
        if !same_host {
            self.reset_path_state(now);
        }
        self.validate_path(now);
        self.validation.moves = !same_host;
        true
    }

    /// The peer's address is proved, or ours to the peer.
    pub(super) fn take_path_response(&mut self, data: [u8; 8]) {
        if self.validation.expects.is_some_and(|(expected, _)| expected == data) {
            self.validation.expects = None;
            self.validation.due = false;
            self.validation.again_at = Time::NEVER;
            self.path.validated = true;
            self.previous = None;
            self.events.push_back(Event::PathValidated);
        }
    }

    /// A path validation may have failed, or its challenge may be due again.
    pub(super) fn check_validation(&mut self, now: Time) {
        let Some((_, deadline)) = self.validation.expects else { return };
        if deadline <= now {
            self.validation.expects = None;
            self.validation.due = false;
            self.validation.again_at = Time::NEVER;
            // RFC 9000 9.3.2: back to where the peer last was for certain.
            if let Some(previous) = self.previous.take() {
                self.path = previous;
            }
        } else if self.validation.again_at <= now {
            self.validation.due = true;
        }
    }

    /// When a path validation wants attention.
    pub(super) fn validation_wake(&self) -> Time {
        match self.validation.expects {
            Some((_, deadline)) if self.validation.due => deadline,
            Some((_, deadline)) => deadline.min(self.validation.again_at),
            None => Time::NEVER,
        }
    }

    /// Whether the peer's address lets a datagram of the smallest useful size go.
    pub(super) fn is_amplification_blocked(&self) -> bool {
        self.path.allowance() < u64::from(if self.complete { 64 } else { MIN_INITIAL / 4 })
    }
}
