//! The protocol without input and output: records in, bytes and events out; one shape for both sides.

use super::client::Client;
use super::config::{ClientConfig, ServerConfig, Ticket};
use super::keys::Keys;
use super::records::{Sealer, open};
use super::server::Server;
use crate::base::Time;
use crate::wire::tls::{Alert, ContentType, DecodeError, Description, Handshake, MAX_PLAINTEXT, Record, Version};
use crate::wire::{Chunk, Payload};
use bytes::Bytes;
use std::collections::VecDeque;
use std::rc::Rc;

/// What has happened in a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The handshake is over on this side.
    Established,
    /// Data of the peer.
    Data(Payload),
    /// A ticket to resume with.
    Ticket(Ticket),
    /// The server did not take the ticket that was offered.
    TicketRefused,
    /// The server has to sign: what is in the output may be written once that is done.
    Work,
    /// The peer will send no more.
    PeerClosed,
}

/// Why a session is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failed {
    /// The peer sent a fatal alert.
    Received(Description),
    /// The peer broke the protocol, and was sent this alert.
    Sent(Description),
}

/// What both sides keep.
pub(super) struct Core {
    out: Payload,
    /// The version, once the hellos have settled it.
    pub(super) version: Option<Version>,
    read: Option<Keys>,
    write: Option<Keys>,
    /// Most content bytes of a record that this side writes.
    pub(super) record: u64,
    /// Handshake bytes that are no whole message yet.
    incoming: Bytes,
    events: VecDeque<Event>,
    pub(super) established: bool,
    /// Bytes of early data that are skipped because they cannot be read (RFC 8446 4.2.10).
    pub(super) skip: u64,
    failed: Option<Failed>,
    peer_closed: bool,
    closed: bool,
}

impl Core {
    fn new(record: u64) -> Self {
        Self {
            out: Payload::empty(),
            version: None,
            read: None,
            write: None,
            record,
            incoming: Bytes::new(),
            events: VecDeque::new(),
            established: false,
            skip: 0,
            failed: None,
            peer_closed: false,
            closed: false,
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(super) const fn read_with(&mut self, keys: Keys) {
        self.read = Some(keys);
    }

    pub(super) const fn write_with(&mut self, keys: Keys) {
        self.write = Some(keys);
    }

    /// Puts content into records as this side's state protects it.
    pub(super) fn put(&mut self, content: ContentType, data: Payload) {
        let mut sealer = Sealer::new();
        match (&mut self.write, self.version) {
            (Some(keys), version) => {
                sealer.sealed(content, version.unwrap_or(Version::Tls13), keys, self.record, data);
            }
            (None, _) => sealer.plain(content, 0x0303, data),
        }
        self.out.append(sealer.finish());
    }

    /// Puts a handshake message into records of its own.
    pub(super) fn message(&mut self, message: &Handshake) {
        self.put(ContentType::Handshake, Payload::real(message.encode()));
    }

    /// Puts the first message of a connection: its record says 1.0, for servers of long ago (RFC 8446 5.1).
    pub(super) fn first_message(&mut self, message: &Handshake) {
        let mut sealer = Sealer::new();
        sealer.plain(ContentType::Handshake, 0x0301, Payload::real(message.encode()));
        self.out.append(sealer.finish());
    }

    /// Puts a ChangeCipherSpec, which is never protected by the keys that it announces.
    pub(super) fn change_cipher_spec(&mut self) {
        let mut sealer = Sealer::new();
        sealer.plain(ContentType::ChangeCipherSpec, 0x0303, Payload::real(&[1_u8][..]));
        self.out.append(sealer.finish());
    }
}

enum Side {
    Client(Box<Client>),
    Server(Box<Server>),
}

/// One end of a connection.
pub struct Session {
    core: Core,
    side: Side,
}

impl Session {
    /// A client that begins at `now`, with a ticket if there is one; its ClientHello is in the output.
    #[must_use]
    pub fn client(config: &ClientConfig, random: [u8; 32], ticket: Option<Ticket>, now: Time) -> Self {
        let mut core = Core::new(MAX_PLAINTEXT);
        let client = Client::begin(&mut core, config, random, ticket, now);
        Self { core, side: Side::Client(Box::new(client)) }
    }

    /// A server that waits for a client.
    #[must_use]
    pub fn server(config: Rc<ServerConfig>, random: [u8; 32]) -> Self {
        let core = Core::new(config.record);
        Self { core, side: Side::Server(Box::new(Server::new(config, random))) }
    }

    /// The version, once the hellos have settled it.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.core.version
    }

    /// The application protocol, once it is settled.
    #[must_use]
    pub fn alpn(&self) -> Option<&Bytes> {
        match &self.side {
            Side::Client(client) => client.alpn.as_ref(),
            Side::Server(server) => server.alpn.as_ref(),
        }
    }

    /// Whether the handshake is over on this side.
    #[must_use]
    pub const fn is_established(&self) -> bool {
        self.core.established
    }

    /// Whether a ticket was taken: nothing had to be signed.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        match &self.side {
            Side::Client(client) => client.is_resumed(),
            Side::Server(server) => server.is_resumed(),
        }
    }

    /// Whether data can be sent now: the handshake is over, or this side may send before that.
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.core.failed.is_none()
            && !self.core.closed
            && (self.core.established
                || match &self.side {
                    Side::Client(client) => client.early_room() > 0,
                    Side::Server(server) => server.early_accepted(),
                })
    }

    /// Whether the peer has said that it will send no more.
    #[must_use]
    pub const fn peer_closed(&self) -> bool {
        self.core.peer_closed
    }

    /// Why the session is over, if it is.
    #[must_use]
    pub const fn failed(&self) -> Option<Failed> {
        self.core.failed
    }

    /// The bytes to be written to the transport.
    #[must_use]
    pub fn take_output(&mut self) -> Payload {
        std::mem::take(&mut self.core.out)
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }

    /// Puts data into records and returns what cannot be sent before the handshake is over.
    pub fn send(&mut self, mut data: Payload) -> Payload {
        if !self.can_send() {
            return data;
        }
        let rest = match &mut self.side {
            Side::Client(client) if !self.core.established => {
                let part = data.split_to(client.early_room());
                client.keep_early(&part);
                std::mem::replace(&mut data, part)
            }
            _ => Payload::empty(),
        };
        self.core.put(ContentType::ApplicationData, data);
        rest
    }

    /// Largest record that data goes in, in bytes of data.
    pub(super) fn record(&self) -> u64 {
        self.core.record.clamp(1, MAX_PLAINTEXT)
    }

    /// Says that nothing more will be sent.
    pub fn close(&mut self) {
        if self.core.closed || self.core.failed.is_some() {
            return;
        }
        self.core.closed = true;
        self.alert(Alert::CLOSE);
    }

    fn alert(&mut self, alert: Alert) {
        self.core.put(ContentType::Alert, Payload::real(Bytes::copy_from_slice(&alert.encode())));
    }

    /// Ends the session because the peer broke the protocol.
    pub fn fail(&mut self, description: Description) -> Failed {
        let failed = Failed::Sent(description);
        if self.core.failed.is_none() {
            self.alert(Alert::fatal(description));
            self.core.failed = Some(failed);
        }
        failed
    }

    /// Takes a whole record in. After an error the output holds the alert to be sent, and nothing else will happen.
    pub fn handle_record(&mut self, record: Record, body: &Payload, now: Time) -> Result<(), Failed> {
        if let Some(failed) = self.core.failed {
            return Err(failed);
        }
        match self.unprotect(record, body).and_then(|opened| match opened {
            Some((content, data)) => self.content(content, data, now),
            None => Ok(None),
        }) {
            Ok(None) => Ok(()),
            Ok(Some(received)) => {
                let failed = Failed::Received(received);
                self.core.failed = Some(failed);
                Err(failed)
            }
            Err(description) => Err(self.fail(description)),
        }
    }

    /// The content of a record; `None` for early data that is skipped.
    fn unprotect(&mut self, record: Record, body: &Payload) -> Result<Option<(ContentType, Payload)>, Description> {
        let core = &mut self.core;
        let version = core.version.unwrap_or(Version::Tls13);
        let Some(keys) = &mut core.read else {
            let early = record.content == ContentType::ApplicationData;
            return if early { Err(Description::UnexpectedMessage) } else { Ok(Some((record.content, body.clone()))) };
        };
        if version == Version::Tls13 && record.content != ContentType::ApplicationData {
            // The one byte for middleboxes, or an alert of a peer that could not read the hello.
            return match record.content {
                ContentType::ChangeCipherSpec | ContentType::Alert => Ok(Some((record.content, body.clone()))),
                _ => Err(Description::UnexpectedMessage),
            };
        }
        if let Some(opened) = open(record, body, version, keys) {
            if matches!(self.side, Side::Server(_)) {
                core.skip = 0;
            }
            return Ok(Some(opened));
        }
        if core.skip >= body.len() {
            core.skip -= body.len();
            return Ok(None);
        }
        Err(Description::BadRecordMac)
    }

    /// Acts on a record's content; a fatal alert of the peer is handed back.
    fn content(&mut self, content: ContentType, data: Payload, now: Time) -> Result<Option<Description>, Description> {
        match content {
            ContentType::ChangeCipherSpec => match (&mut self.side, self.core.version) {
                (Side::Client(client), Some(Version::Tls12)) => client.change_cipher_spec(&mut self.core)?,
                (Side::Server(server), Some(Version::Tls12)) => server.change_cipher_spec(&mut self.core)?,
                _ => {}
            },
            ContentType::Alert => {
                let alert = Alert::decode(data.real_prefix()).map_err(|_| Description::DecodeError)?;
                if alert.description == Description::CloseNotify {
                    self.core.peer_closed = true;
                    self.core.event(Event::PeerClosed);
                } else if alert.fatal || self.core.version == Some(Version::Tls13) {
                    return Ok(Some(alert.description));
                }
            }
            ContentType::Handshake => self.messages(&data, now)?,
            ContentType::ApplicationData => {
                let expected = self.core.established
                    || match &self.side {
                        Side::Client(_) => false,
                        Side::Server(server) => server.reads_early(),
                    };
                if !expected {
                    return Err(Description::UnexpectedMessage);
                }
                if !data.is_empty() {
                    self.core.event(Event::Data(data));
                }
            }
        }
        Ok(None)
    }

    fn messages(&mut self, data: &Payload, now: Time) -> Result<(), Description> {
        let real = data.real_prefix();
        if (real.len() as u64) < data.len() {
            return Err(Description::DecodeError);
        }
        let core = &mut self.core;
        core.incoming = if core.incoming.is_empty() {
            real
        } else {
            let mut joined = Payload::real(std::mem::take(&mut core.incoming));
            joined.push(Chunk::Real(real));
            joined.real_prefix()
        };
        loop {
            let version = self.core.version.unwrap_or(Version::Tls13);
            let decoded = Handshake::decode(&mut self.core.incoming, version).map_err(|error| match error {
                DecodeError::MessageType(_) => Description::UnexpectedMessage,
                DecodeError::Version(_) => Description::ProtocolVersion,
                _ => Description::DecodeError,
            })?;
            let Some(message) = decoded else { return Ok(()) };
            match &mut self.side {
                Side::Client(client) => client.message(&mut self.core, message, now)?,
                Side::Server(server) => server.message(&mut self.core, message, now)?,
            }
        }
    }
}

/// The proof in a hash that stands for one over the handshake.
pub(super) fn proof(hash: &Bytes) -> Option<u64> {
    hash.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}
