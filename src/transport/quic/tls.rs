//! The TLS 1.3 handshake as QUIC carries it (RFC 9001 4): messages of real size in CRYPTO frames, and the keys that follow.
//!
//! Keys themselves do not exist here; what matters is which packets can be sent and read, and when. A ticket opens with 0-RTT if both
//! ends want it. Not modelled: client certificates, HelloRetryRequest, key updates.

use super::ids::Secrets;
use super::signals::Code;
use super::space::SpaceId;
use crate::base::Time;
use crate::wire::Payload;
use crate::wire::quic::{Side, TransportParameters};
use crate::wire::tls::{self, Extension, Handshake, NewSessionTicket, OfferedPsk, Version, typical};
use bytes::Bytes;
use std::rc::Rc;

/// What a client keeps of a connection to begin the next one with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    identity: Bytes,
    age_add: u32,
    issued: Time,
    /// Seconds for which it holds.
    lifetime: u32,
    /// Whether data may come with the first flight.
    pub early_data: bool,
    /// The server's parameters, which hold for that data.
    pub(super) parameters: TransportParameters,
}

impl Ticket {
    /// Whether it can be used at `now`.
    #[must_use]
    pub fn is_valid(&self, now: Time) -> bool {
        now.since(self.issued) < crate::base::Span::from_secs(u64::from(self.lifetime))
    }
}

/// What a server shows: its name and its certificates.
pub type Chain = Rc<[Bytes]>;

/// A chain of `total` bytes for `name`.
#[must_use]
pub fn chain(name: &str, total: u32) -> Chain {
    tls::chain(name, total as usize).into()
}

/// What the handshake asks of the connection, in order.
#[derive(Debug)]
pub(super) enum Step {
    /// Send these bytes in CRYPTO frames of a space.
    Send(SpaceId, Payload),
    /// Handshake packets can be sent and read.
    HandshakeKeys,
    /// The peer's parameters; 0-RTT data is or is not taken.
    Parameters(Box<TransportParameters>),
    EarlyData(bool),
    /// 1-RTT packets can be sent; and read.
    SendKeys,
    ReadKeys,
    /// The handshake is complete.
    Complete,
    /// A ticket for the next connection.
    Ticket(Ticket),
}

/// One end of a handshake.
#[derive(Debug)]
pub(super) struct Tls {
    side: Side,
    secrets: Secrets,
    /// Messages that are not whole yet, by space.
    partial: [Vec<u8>; 3],
    server_name: Option<String>,
    alpn: Vec<Bytes>,
    offered: Option<Ticket>,
    resumed: bool,
    /// The server's.
    chain: Option<Chain>,
    takes_early_data: bool,
    gives_tickets: bool,
    own: TransportParameters,
    peer: TransportParameters,
    complete: bool,
}

const LIFETIME: u32 = 7 * 86_400;
const TICKET_LEN: usize = 192;

impl Tls {
    pub(super) fn client(
        secrets: Secrets,
        server_name: Option<String>,
        alpn: Vec<Bytes>,
        offered: Option<Ticket>,
        own: TransportParameters,
    ) -> Self {
        let mut tls = Self::new(Side::Client, secrets, alpn, own);
        tls.server_name = server_name;
        tls.offered = offered;
        tls
    }

    pub(super) fn server(
        secrets: Secrets,
        alpn: Vec<Bytes>,
        chain: Chain,
        (takes_early_data, gives_tickets): (bool, bool),
        own: TransportParameters,
    ) -> Self {
        let mut tls = Self::new(Side::Server, secrets, alpn, own);
        tls.chain = Some(chain);
        tls.takes_early_data = takes_early_data;
        tls.gives_tickets = gives_tickets;
        tls
    }

    fn new(side: Side, secrets: Secrets, alpn: Vec<Bytes>, own: TransportParameters) -> Self {
        Self {
            side,
            secrets,
            partial: Default::default(),
            server_name: None,
            alpn,
            offered: None,
            resumed: false,
            chain: None,
            takes_early_data: false,
            gives_tickets: false,
            own,
            peer: TransportParameters::default(),
            complete: false,
        }
    }

    fn parameters(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(64);
        self.own.encode(&mut bytes);
        bytes.into()
    }

    /// The client's first message.
    pub(super) fn hello(&self, now: Time) -> Payload {
        let psk = self.offered.as_ref().map(|ticket| {
            let age = u32::try_from(now.since(ticket.issued).as_millis()).unwrap_or(u32::MAX);
            OfferedPsk {
                identity: ticket.identity.clone(),
                obfuscated_age: age.wrapping_add(ticket.age_add),
                binder: vec![0x5a; typical::HASH_LEN].into(),
            }
        });
        let hello = typical::client_hello(typical::Offer {
            random: self.secrets.random(),
            versions: &[Version::Tls13],
            server_name: self.server_name.as_deref(),
            alpn: &self.alpn,
            session_ticket: Bytes::new(),
            psk,
            early_data: self.offered.as_ref().is_some_and(|ticket| ticket.early_data),
            quic: Some(self.parameters()),
        });
        Payload::real(Handshake::ClientHello(hello).encode())
    }

    /// Takes bytes of a space as they come in order.
    pub(super) fn take(&mut self, space: SpaceId, bytes: &Payload, now: Time) -> Result<Vec<Step>, Code> {
        let partial = &mut self.partial[space as usize];
        partial.extend(bytes.to_vec());
        let mut bytes = Bytes::from(std::mem::take(partial));
        let mut steps = Vec::new();
        while let Some(message) =
            Handshake::decode(&mut bytes, Version::Tls13).map_err(|_| Code::crypto(tls::Description::DecodeError))?
        {
            self.message(space, message, &mut steps, now)?;
        }
        self.partial[space as usize] = bytes.to_vec();
        Ok(steps)
    }

    fn message(&mut self, space: SpaceId, message: Handshake, steps: &mut Vec<Step>, now: Time) -> Result<(), Code> {
        match (self.side, space, message) {
            (Side::Server, SpaceId::Initial, Handshake::ClientHello(hello)) => self.answer(&hello, steps),
            (Side::Server, SpaceId::Handshake, Handshake::Finished(_)) => {
                self.complete = true;
                steps.extend([Step::ReadKeys, Step::Complete]);
                if self.gives_tickets {
                    steps.push(Step::Send(SpaceId::Data, self.ticket()));
                }
                Ok(())
            }
            (Side::Client, SpaceId::Initial, Handshake::ServerHello(hello)) => {
                self.resumed = hello.extensions.iter().any(|extension| matches!(extension, Extension::SelectedPsk(_)));
                steps.push(Step::HandshakeKeys);
                Ok(())
            }
            (Side::Client, SpaceId::Handshake, Handshake::EncryptedExtensions(extensions)) => {
                let quic = extensions.iter().find_map(|extension| match extension {
                    Extension::QuicTransportParameters(content) => Some(content),
                    _ => None,
                });
                self.peer = Self::read_parameters(quic)?;
                steps.push(Step::Parameters(Box::new(self.peer.clone())));
                if self.offered.as_ref().is_some_and(|ticket| ticket.early_data) {
                    steps.push(Step::EarlyData(extensions.contains(&Extension::EarlyData)));
                }
                Ok(())
            }
            (Side::Client, SpaceId::Handshake, Handshake::Certificate(_) | Handshake::CertificateVerify { .. }) => {
                Ok(())
            }
            (Side::Client, SpaceId::Handshake, Handshake::Finished(_)) => {
                let finished = typical::finished(Version::Tls13, self.secrets.connection);
                steps.push(Step::Send(SpaceId::Handshake, Payload::real(finished.encode())));
                steps.extend([Step::SendKeys, Step::ReadKeys, Step::Complete]);
                self.complete = true;
                Ok(())
            }
            (Side::Client, SpaceId::Data, Handshake::NewSessionTicket(ticket)) => {
                let early = |extension: &Extension| matches!(extension, Extension::MaxEarlyData(_));
                steps.push(Step::Ticket(Ticket {
                    early_data: ticket.extensions.iter().any(early),
                    identity: ticket.ticket,
                    age_add: ticket.age_add,
                    issued: now,
                    lifetime: ticket.lifetime,
                    parameters: self.peer.clone(),
                }));
                Ok(())
            }
            _ => Err(Code::crypto(tls::Description::UnexpectedMessage)),
        }
    }

    fn read_parameters(content: Option<&Bytes>) -> Result<TransportParameters, Code> {
        // RFC 9001 8.2.
        let content = content.ok_or(Code::crypto(tls::Description::Other(109)))?;
        TransportParameters::decode(content).map_err(|_| Code::TRANSPORT_PARAMETER)
    }

    /// The server's answer: one flight, unless amplification or the window cuts it.
    fn answer(&mut self, hello: &tls::ClientHello, steps: &mut Vec<Step>) -> Result<(), Code> {
        let mut quic = None;
        let mut ticket = None;
        let mut early = false;
        for extension in &hello.extensions {
            match extension {
                Extension::QuicTransportParameters(content) => quic = Some(content),
                Extension::PreSharedKeys(offered) => ticket = offered.first().map(|psk| psk.identity.clone()),
                Extension::EarlyData => early = true,
                _ => {}
            }
        }
        self.peer = Self::read_parameters(quic)?;
        let offered = hello.alpn();
        let alpn = self.alpn.iter().find(|own| offered.contains(own)).cloned();
        if alpn.is_none() && !(offered.is_empty() && self.alpn.is_empty()) {
            return Err(Code::crypto(tls::Description::NoApplicationProtocol));
        }
        self.resumed = ticket.is_some_and(|ticket| ticket.starts_with(&self.secrets.host.to_be_bytes()));
        let early = early && self.resumed && self.takes_early_data;
        steps.push(Step::Parameters(Box::new(self.peer.clone())));
        let random = self.secrets.random();
        let server_hello = typical::server_hello_13(random, hello.session_id.clone(), self.resumed);
        steps.push(Step::Send(SpaceId::Initial, Payload::real(Handshake::ServerHello(server_hello).encode())));
        steps.push(Step::HandshakeKeys);
        if early {
            steps.push(Step::EarlyData(true));
        }
        let named = hello.server_name().is_some();
        let mut flight = typical::encrypted_extensions(named, alpn, early, Some(self.parameters())).encode();
        if !self.resumed {
            let chain = self.chain.as_deref().unwrap_or_default();
            flight.extend(typical::certificate_message(chain, Version::Tls13).encode());
            flight.extend(typical::certificate_verify(&random).encode());
        }
        flight.extend(typical::finished(Version::Tls13, self.secrets.connection).encode());
        steps.push(Step::Send(SpaceId::Handshake, Payload::real(flight)));
        steps.push(Step::SendKeys);
        Ok(())
    }

    /// The ticket begins with the host's secret, which stands for a seal under a key that only the host has.
    fn ticket(&self) -> Payload {
        let mut ticket = self.secrets.host.to_be_bytes().to_vec();
        ticket.extend(self.secrets.connection.to_be_bytes());
        ticket.resize(TICKET_LEN, 0x5a);
        // RFC 9001 4.6.1: over QUIC the number is a constant, flow control bounds the data.
        let extensions = if self.takes_early_data { vec![Extension::MaxEarlyData(u32::MAX)] } else { Vec::new() };
        let message = Handshake::NewSessionTicket(NewSessionTicket {
            lifetime: LIFETIME,
            age_add: 0x5a5a_5a5a,
            nonce: vec![0; 8].into(),
            ticket: ticket.into(),
            extensions,
        });
        Payload::real(message.encode())
    }

    /// Whether the client proves who it is with a ticket, and the server took it.
    pub(super) const fn resumed(&self) -> bool {
        self.resumed
    }

    /// Whether data goes with the first flight.
    pub(super) fn offers_early_data(&self) -> Option<&TransportParameters> {
        self.offered.as_ref().filter(|ticket| ticket.early_data).map(|ticket| &ticket.parameters)
    }
}
