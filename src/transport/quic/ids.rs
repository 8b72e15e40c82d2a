//! Connection ids in use: ours, which the peer sends to, and the peer's, which we send to (RFC 9000 5.1).

use super::signals::Code;
use crate::base::Digest;
use crate::wire::quic::{ConnectionId, Frame, ResetToken};

/// Ids that we keep for the peer, and that we take from it, at a time.
pub(super) const ACTIVE: u64 = 3;

/// From what an end makes its ids, tokens and other things that nobody else can guess: a secret of the host and the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Secrets {
    /// The machine's, which outlives its connections: makes reset tokens and tickets.
    pub host: u64,
    /// The connection's.
    pub connection: u64,
}

impl Secrets {
    fn fold(words: &[u64]) -> u64 {
        let mut digest = Digest::default();
        words.iter().for_each(|&word| digest.fold(word));
        digest.value()
    }

    /// The `sequence`-th connection id.
    pub(super) fn id(&self, sequence: u64) -> ConnectionId {
        ConnectionId::of_number(Self::fold(&[self.host, self.connection, 1, sequence]))
    }

    /// The id that a client gives its server until it hears of one.
    pub(super) fn first_peer_id(&self) -> ConnectionId {
        ConnectionId::of_number(Self::fold(&[self.host, self.connection, 2]))
    }

    /// Random bytes for the hello.
    pub(super) fn random(&self) -> [u8; 32] {
        let mut random = [0; 32];
        for (at, chunk) in random.chunks_mut(8).enumerate() {
            chunk.copy_from_slice(&Self::fold(&[self.host, self.connection, 3, at as u64]).to_be_bytes());
        }
        random
    }

    /// Data of the `index`-th path challenge.
    pub(super) fn challenge(&self, index: u64) -> [u8; 8] {
        Self::fold(&[self.host, self.connection, 4, index]).to_be_bytes()
    }

    /// A number for a controller's chance.
    pub(super) fn chance(&self) -> u64 {
        Self::fold(&[self.host, self.connection, 5])
    }

    /// What a stateless reset of a machine with the secret `host` ends with for a connection id (RFC 9000 10.3.2).
    #[must_use]
    pub fn reset_token(host: u64, id: ConnectionId) -> ResetToken {
        let mut token = [0; 16];
        for (at, half) in token.chunks_mut(8).enumerate() {
            let mut digest = Digest::default();
            [host, 6, at as u64].into_iter().for_each(|word| digest.fold(word));
            id.as_bytes().iter().for_each(|&byte| digest.fold(u64::from(byte)));
            half.copy_from_slice(&digest.value().to_be_bytes());
        }
        token
    }
}

/// Ids of both sides.
#[derive(Debug)]
pub(super) struct Ids {
    secrets: Secrets,
    /// Ours that the peer may use, by sequence number.
    local: Vec<(u64, ConnectionId)>,
    issued: u64,
    /// The peer's that we may use, with their reset tokens.
    peer: Vec<(u64, ConnectionId, Option<ResetToken>)>,
    retired_prior_to: u64,
    /// How many of ours the peer keeps.
    pub(super) peer_limit: u64,
    /// Frames to send: sequence numbers of ours to be told, and of the peer's to be retired.
    pub(super) to_tell: Vec<u64>,
    pub(super) to_retire: Vec<u64>,
}

impl Ids {
    pub(super) fn new(secrets: Secrets, peer: ConnectionId) -> Self {
        Self {
            secrets,
            local: vec![(0, secrets.id(0))],
            issued: 1,
            peer: vec![(0, peer, None)],
            retired_prior_to: 0,
            peer_limit: 2,
            to_tell: Vec::new(),
            to_retire: Vec::new(),
        }
    }

    /// The id that we began with.
    pub(super) fn first(&self) -> ConnectionId {
        self.secrets.id(0)
    }

    /// The peer's id in use.
    pub(super) fn peer(&self) -> ConnectionId {
        self.peer.first().map_or_else(ConnectionId::default, |entry| entry.1)
    }

    /// The peer has told its own first id.
    pub(super) fn set_peer(&mut self, id: ConnectionId) {
        if let Some(first) = self.peer.first_mut() {
            first.1 = id;
        }
    }

    /// The server's first id comes with a token in its parameters.
    pub(super) fn set_token(&mut self, token: Option<ResetToken>) {
        if let Some(first) = self.peer.first_mut() {
            first.2 = token;
        }
    }

    /// Whether a datagram that ends like this is a reset by the peer.
    pub(super) fn is_reset(&self, token: ResetToken) -> bool {
        self.peer.iter().any(|entry| entry.2 == Some(token))
    }

    /// Makes as many ids as the peer keeps; returns the new ones.
    pub(super) fn issue(&mut self) -> Vec<ConnectionId> {
        let mut new = Vec::new();
        while (self.local.len() as u64) < self.peer_limit.min(ACTIVE) {
            let id = self.secrets.id(self.issued);
            self.local.push((self.issued, id));
            self.to_tell.push(self.issued);
            self.issued += 1;
            new.push(id);
        }
        new
    }

    /// The frame that tells one of ours, if it is still in use.
    pub(super) fn frame(&self, sequence: u64) -> Option<Frame> {
        let &(_, id) = self.local.iter().find(|entry| entry.0 == sequence)?;
        let token = Secrets::reset_token(self.secrets.host, id);
        Some(Frame::NewConnectionId { sequence, retire_prior_to: 0, id, token })
    }

    /// The peer no longer uses one of ours.
    pub(super) fn take_retire(&mut self, sequence: u64) -> Result<Option<ConnectionId>, Code> {
        if sequence >= self.issued {
            return Err(Code::PROTOCOL_VIOLATION);
        }
        let at = self.local.iter().position(|entry| entry.0 == sequence);
        Ok(at.map(|at| self.local.remove(at).1))
    }

    /// The peer tells another one of its own (RFC 9000 19.15).
    pub(super) fn take_new(
        &mut self,
        sequence: u64,
        retire_prior_to: u64,
        id: ConnectionId,
        token: ResetToken,
    ) -> Result<(), Code> {
        if let Some(known) = self.peer.iter().find(|entry| entry.0 == sequence) {
            return if known.1 == id { Ok(()) } else { Err(Code::PROTOCOL_VIOLATION) };
        }
        self.retired_prior_to = self.retired_prior_to.max(retire_prior_to);
        if sequence < self.retired_prior_to {
            super::streams::note(&mut self.to_retire, sequence);
            return Ok(());
        }
        self.peer.push((sequence, id, Some(token)));
        let limit = self.retired_prior_to;
        let retired = self.peer.iter().filter(|entry| entry.0 < limit).map(|entry| entry.0);
        self.to_retire.extend(retired);
        self.peer.retain(|entry| entry.0 >= limit);
        if self.peer.len() as u64 > ACTIVE { Err(Code::ID_LIMIT) } else { Ok(()) }
    }

    /// Takes the peer's next id into use, so that nobody on the way can join two paths (RFC 9000 9.5); false if there is none.
    pub(super) fn change_peer(&mut self) -> bool {
        if self.peer.len() < 2 {
            return false;
        }
        let (sequence, ..) = self.peer.remove(0);
        self.to_retire.push(sequence);
        true
    }

    /// All ids under which the peer may reach us.
    pub(super) fn local(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.local.iter().map(|entry| entry.1)
    }
}
