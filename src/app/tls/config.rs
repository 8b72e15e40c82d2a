//! What either side is set to, and the tickets that a client keeps.

use super::keys::Secret;
use crate::base::{Span, Time};
use crate::wire::tls::{MAX_PLAINTEXT, Version, chain};
use bytes::Bytes;
use std::cell::RefCell;

/// Bytes of a server's certificate chain unless it says otherwise: two certificates with RSA or elliptic curve keys and what
/// public authorities put into them.
pub const DEFAULT_CHAIN: usize = 3_000;

/// What a client is set to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientConfig {
    /// Oldest version spoken.
    pub min_version: Version,
    /// Newest version spoken.
    pub max_version: Version,
    /// Application protocols in order of preference.
    pub alpn: Vec<Bytes>,
    /// The name that is asked for; `None` where the server is known by its address only.
    pub server_name: Option<String>,
    /// Whether tickets are kept and used.
    pub resumption: bool,
    /// Whether data is sent before the handshake where a ticket allows it.
    pub early_data: bool,
}

impl ClientConfig {
    /// Both versions, HTTP/1.1, resumption, no early data: what a browser does.
    #[must_use]
    pub fn new(server_name: Option<String>) -> Self {
        Self {
            min_version: Version::Tls12,
            max_version: Version::Tls13,
            alpn: vec![Bytes::from_static(b"http/1.1")],
            server_name,
            resumption: true,
            early_data: false,
        }
    }

    /// The versions spoken, newest first.
    #[must_use]
    pub fn versions(&self) -> Vec<Version> {
        versions(self.min_version, self.max_version)
    }
}

fn versions(min: Version, max: Version) -> Vec<Version> {
    [Version::Tls13, Version::Tls12].into_iter().filter(|version| (min..=max).contains(version)).collect()
}

/// What a server is set to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerConfig {
    /// Oldest version spoken.
    pub min_version: Version,
    /// Newest version spoken.
    pub max_version: Version,
    /// Application protocols in order of preference.
    pub alpn: Vec<Bytes>,
    /// The certificate chain in DER, the server's own first.
    pub chain: Vec<Bytes>,
    /// Chains for names that clients may ask for (RFC 6066 3). Where there are any, other names are refused; clients who ask for none get
    /// [`ServerConfig::chain`].
    pub names: Vec<(String, Vec<Bytes>)>,
    /// Whether tickets are given out and taken.
    pub tickets: bool,
    /// The key of the tickets: servers with the same key take each other's.
    pub ticket_key: u64,
    /// How long a ticket may be used.
    pub ticket_lifetime: Span,
    /// Bytes of early data that a ticket allows; 0 for none.
    pub early_data: u32,
    /// Most content bytes of a record.
    pub record: u64,
}

impl ServerConfig {
    /// Both versions, HTTP/1.1, a chain of `chain_bytes` for `name`, tickets for five minutes (nginx's `ssl_session_timeout`),
    /// no early data (nginx's `ssl_early_data off`), records of 16 KiB.
    #[must_use]
    pub fn new(name: &str, chain_bytes: usize) -> Self {
        Self {
            min_version: Version::Tls12,
            max_version: Version::Tls13,
            alpn: vec![Bytes::from_static(b"http/1.1")],
            chain: chain(name, chain_bytes),
            names: Vec::new(),
            tickets: true,
            ticket_key: crate::base::stream_id(name),
            ticket_lifetime: Span::from_secs(300),
            early_data: 0,
            record: MAX_PLAINTEXT,
        }
    }

    /// The versions spoken, newest first.
    #[must_use]
    pub fn versions(&self) -> Vec<Version> {
        versions(self.min_version, self.max_version)
    }

    /// The chain for a client who asks for this name; `None`: there is no certificate for it.
    #[must_use]
    pub fn chain_for(&self, name: Option<&str>) -> Option<&[Bytes]> {
        match name {
            Some(name) if !self.names.is_empty() => {
                self.names.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, chain)| &chain[..])
            }
            _ => Some(&self.chain),
        }
    }
}

/// A ticket as its owner keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    pub(super) version: Version,
    /// What the server wants back.
    pub(super) identity: Bytes,
    /// The secret that goes with it.
    pub(super) secret: Secret,
    pub(super) age_add: u32,
    pub(super) received: Time,
    pub(super) expires: Time,
    /// Bytes of early data that it allows.
    pub(super) early_data: u32,
    /// The application protocol that early data speaks.
    pub(super) alpn: Option<Bytes>,
}

/// The tickets of one server that a client keeps. The newest is used first; the last one is kept and used again, as programs
/// with OpenSSL do (RFC 8446 C.4 advises against it for privacy's sake only).
#[derive(Debug, Default)]
pub struct Tickets(RefCell<Vec<Ticket>>);

/// As many as a browser keeps for one server.
const KEPT: usize = 4;

impl Tickets {
    /// Keeps a ticket.
    pub fn put(&self, ticket: Ticket) {
        let mut kept = self.0.borrow_mut();
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(ticket);
    }

    /// A ticket that may be used at `now`.
    #[must_use]
    pub fn take(&self, now: Time) -> Option<Ticket> {
        let mut kept = self.0.borrow_mut();
        kept.retain(|ticket| now < ticket.expires);
        if kept.len() > 1 { kept.pop() } else { kept.first().cloned() }
    }

    /// Throws everything away: the server did not take a ticket.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}
