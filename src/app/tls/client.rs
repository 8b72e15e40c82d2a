//! The client's side of the handshake.

use super::config::{ClientConfig, Ticket};
use super::keys::{Keys, Secret};
use super::session::{Core, Event, proof};
use crate::base::{Span, Time};
use crate::wire::Payload;
use crate::wire::tls::typical::{self, HASH_LEN, Offer};
use crate::wire::tls::{
    ContentType, Description, Extension, Handshake, NewSessionTicket, OfferedPsk, ServerHello, Version,
};
use bytes::Bytes;

/// What comes next from the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    ServerHello,
    // 1.3
    EncryptedExtensions,
    Certificate,
    CertificateVerify,
    Finished,
    // 1.2
    OldCertificate,
    OldKeyExchange,
    OldHelloDone,
    OldTicketOrCipher,
    OldFinished,
    // both
    Connected,
}

/// What has become of early data.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Early {
    /// None may be sent, or the handshake is over.
    None,
    /// So many bytes may still be sent; those sent are kept until the server takes them.
    Offered { room: u64, sent: Payload },
    /// The server has taken it.
    Accepted { room: u64 },
}

pub(super) struct Client {
    state: State,
    random: [u8; 32],
    session_id: Bytes,
    server_random: [u8; 32],
    versions: Vec<Version>,
    ticket: Option<Ticket>,
    resumed: bool,
    early: Early,
    offered: Vec<Bytes>,
    pub(super) alpn: Option<Bytes>,
    /// From which all others follow.
    master: Secret,
}

impl Client {
    /// Puts the ClientHello into the output.
    pub(super) fn begin(
        core: &mut Core,
        config: &ClientConfig,
        random: [u8; 32],
        ticket: Option<Ticket>,
        now: Time,
    ) -> Self {
        let versions = config.versions();
        let ticket = ticket.filter(|ticket| config.resumption && versions.contains(&ticket.version));
        let new = ticket.as_ref().filter(|ticket| ticket.version == Version::Tls13);
        let room = new.map_or(0, |ticket| {
            let spoken = ticket.alpn.as_ref().is_none_or(|alpn| config.alpn.contains(alpn));
            if config.early_data && spoken { u64::from(ticket.early_data) } else { 0 }
        });
        let psk = new.map(|ticket| OfferedPsk {
            identity: ticket.identity.clone(),
            obfuscated_age: age(ticket, now),
            binder: hash(binder(ticket.secret, &random)),
        });
        let session_ticket = ticket.as_ref().filter(|ticket| ticket.version == Version::Tls12);
        let hello = typical::client_hello(Offer {
            random,
            versions: &versions,
            server_name: config.server_name.as_deref(),
            alpn: &config.alpn,
            session_ticket: session_ticket.map(|ticket| ticket.identity.clone()).unwrap_or_default(),
            psk,
            early_data: room > 0,
            quic: None,
        });
        let session_id = hello.session_id.clone();
        core.first_message(&Handshake::ClientHello(hello));
        let mut early = Early::None;
        if let (Some(ticket), 1..) = (new, room) {
            // Middleboxes are told before the first byte that they cannot read (RFC 8446 D.4).
            core.change_cipher_spec();
            core.write_with(Keys::new(ticket.secret.derive("early", &[&random])));
            early = Early::Offered { room, sent: Payload::empty() };
        }
        Self {
            state: State::ServerHello,
            random,
            session_id,
            server_random: [0; 32],
            versions,
            ticket,
            resumed: false,
            early,
            offered: config.alpn.clone(),
            alpn: None,
            master: Secret::default(),
        }
    }

    pub(super) const fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Bytes of early data that may still be sent.
    pub(super) const fn early_room(&self) -> u64 {
        match self.early {
            Early::None => 0,
            Early::Offered { room, .. } | Early::Accepted { room } => room,
        }
    }

    /// Early data is being sent: it is kept for as long as the server may refuse it.
    pub(super) fn keep_early(&mut self, data: &Payload) {
        match &mut self.early {
            Early::None => {}
            Early::Offered { room, sent } => {
                *room -= data.len();
                sent.append(data.clone());
            }
            Early::Accepted { room } => *room -= data.len(),
        }
    }

    pub(super) fn message(&mut self, core: &mut Core, message: Handshake, now: Time) -> Result<(), Description> {
        match (self.state, message) {
            (State::ServerHello, Handshake::ServerHello(hello)) => self.server_hello(core, &hello),
            (State::EncryptedExtensions, Handshake::EncryptedExtensions(list)) => self.encrypted_extensions(&list),
            (State::Certificate, Handshake::Certificate(chain)) if !chain.is_empty() => {
                self.go(State::CertificateVerify)
            }
            (State::CertificateVerify, Handshake::CertificateVerify { .. }) => self.go(State::Finished),
            (State::Finished, Handshake::Finished(hash)) => self.finished(core, &hash),
            (State::Connected, Handshake::NewSessionTicket(ticket)) => self.new_ticket(core, ticket, now),
            (State::OldCertificate, Handshake::CertificateList(chain)) if !chain.is_empty() => {
                self.go(State::OldKeyExchange)
            }
            (State::OldKeyExchange, Handshake::ServerKeyExchange(_)) => self.go(State::OldHelloDone),
            (State::OldHelloDone, Handshake::ServerHelloDone) => {
                core.message(&typical::client_key_exchange(&self.random));
                self.old_finish(core);
                self.go(State::OldTicketOrCipher)
            }
            (State::OldTicketOrCipher, Handshake::SessionTicket { lifetime, ticket }) => {
                let kept = Ticket {
                    version: Version::Tls12,
                    identity: ticket,
                    secret: self.master,
                    age_add: 0,
                    received: now,
                    expires: now.saturating_add(Span::from_secs(u64::from(lifetime))),
                    early_data: 0,
                    alpn: self.alpn.clone(),
                };
                core.event(Event::Ticket(kept));
                Ok(())
            }
            (State::OldFinished, Handshake::Finished(hash)) => self.old_finished(core, &hash),
            _ => Err(Description::UnexpectedMessage),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "one shape for every step")]
    const fn go(&mut self, state: State) -> Result<(), Description> {
        self.state = state;
        Ok(())
    }

    fn server_hello(&mut self, core: &mut Core, hello: &ServerHello) -> Result<(), Description> {
        let version = hello.version();
        if !self.versions.contains(&version) {
            return Err(Description::ProtocolVersion);
        }
        core.version = Some(version);
        self.server_random = hello.random;
        match version {
            Version::Tls13 => {
                self.resumed = hello.extensions.iter().any(|extension| matches!(extension, Extension::SelectedPsk(0)));
                let psk = if self.resumed {
                    self.ticket.as_ref().ok_or(Description::UnexpectedMessage)?.secret
                } else {
                    Secret::default()
                };
                self.master = psk.derive("master", &[&self.random, &self.server_random]);
                core.read_with(Keys::new(self.master.derive("server handshake", &[])));
                self.state = State::EncryptedExtensions;
            }
            Version::Tls12 => {
                if self.early != Early::None {
                    // Early data cannot have been meant for this server (RFC 8446 D.3).
                    return Err(Description::ProtocolVersion);
                }
                self.select(&hello.extensions)?;
                let old = self.ticket.as_ref().filter(|ticket| ticket.version == Version::Tls12);
                // A server that resumes repeats the session id (RFC 5077 3.4).
                self.resumed = hello.session_id == self.session_id;
                self.master = match (self.resumed, old) {
                    (true, Some(ticket)) => ticket.secret,
                    (true, None) => return Err(Description::UnexpectedMessage),
                    (false, _) => Secret::default().derive("old master", &[&self.random, &self.server_random]),
                };
                self.state = if self.resumed { State::OldTicketOrCipher } else { State::OldCertificate };
            }
        }
        if self.ticket.is_some() && !self.resumed {
            core.event(Event::TicketRefused);
        }
        Ok(())
    }

    /// The server's choice among the application protocols offered.
    fn select(&mut self, extensions: &[Extension]) -> Result<(), Description> {
        let chosen = extensions.iter().find_map(|extension| match extension {
            Extension::Alpn(list) => list.first(),
            _ => None,
        });
        if chosen.is_some_and(|name| !self.offered.contains(name)) {
            return Err(Description::NoApplicationProtocol);
        }
        self.alpn = chosen.cloned();
        Ok(())
    }

    fn encrypted_extensions(&mut self, extensions: &[Extension]) -> Result<(), Description> {
        self.select(extensions)?;
        if extensions.contains(&Extension::EarlyData) {
            let Early::Offered { room, .. } = self.early else { return Err(Description::UnexpectedMessage) };
            self.early = Early::Accepted { room };
        }
        self.go(if self.resumed { State::Finished } else { State::Certificate })
    }

    fn finished(&mut self, core: &mut Core, hash: &Bytes) -> Result<(), Description> {
        let server = self.master.derive("server handshake", &[]);
        if proof(hash) != Some(server.derive("finished", &[]).0) {
            return Err(Description::DecryptError);
        }
        let again = match std::mem::replace(&mut self.early, Early::None) {
            Early::None => {
                core.change_cipher_spec();
                Payload::empty()
            }
            Early::Offered { sent, .. } => sent,
            Early::Accepted { .. } => {
                core.message(&Handshake::EndOfEarlyData);
                Payload::empty()
            }
        };
        let client = self.master.derive("client handshake", &[]);
        core.write_with(Keys::new(client));
        core.message(&typical::finished(Version::Tls13, client.derive("finished", &[]).0));
        core.read_with(Keys::new(self.master.derive("server data", &[])));
        core.write_with(Keys::new(self.master.derive("client data", &[])));
        core.established = true;
        core.event(Event::Established);
        // What the server refused as early data it is sent again.
        core.put(ContentType::ApplicationData, again);
        self.go(State::Connected)
    }

    #[expect(clippy::unnecessary_wraps, reason = "one shape for every step")]
    fn new_ticket(&self, core: &mut Core, ticket: NewSessionTicket, now: Time) -> Result<(), Description> {
        let early_data = ticket.extensions.iter().find_map(|extension| match extension {
            Extension::MaxEarlyData(bytes) => Some(*bytes),
            _ => None,
        });
        core.event(Event::Ticket(Ticket {
            version: Version::Tls13,
            identity: ticket.ticket,
            secret: self.master.derive("resumption", &[&ticket.nonce]),
            age_add: ticket.age_add,
            received: now,
            expires: now.saturating_add(Span::from_secs(u64::from(ticket.lifetime))),
            early_data: early_data.unwrap_or(0),
            alpn: self.alpn.clone(),
        }));
        Ok(())
    }

    fn old_keys(&self, who: &str) -> Secret {
        self.master.derive(who, &[&self.random, &self.server_random])
    }

    /// ChangeCipherSpec and Finished of 1.2.
    fn old_finish(&self, core: &mut Core) {
        core.change_cipher_spec();
        let keys = self.old_keys("old client");
        core.write_with(Keys::new(keys));
        core.message(&typical::finished(Version::Tls12, keys.derive("finished", &[]).0));
    }

    pub(super) fn change_cipher_spec(&mut self, core: &mut Core) -> Result<(), Description> {
        if self.state != State::OldTicketOrCipher {
            return Err(Description::UnexpectedMessage);
        }
        core.read_with(Keys::new(self.old_keys("old server")));
        self.go(State::OldFinished)
    }

    fn old_finished(&mut self, core: &mut Core, hash: &Bytes) -> Result<(), Description> {
        if proof(hash) != Some(self.old_keys("old server").derive("finished", &[]).0) {
            return Err(Description::DecryptError);
        }
        if self.resumed {
            self.old_finish(core);
        }
        core.established = true;
        core.event(Event::Established);
        self.go(State::Connected)
    }
}

/// A binder: that the client knows the ticket's secret.
pub(super) fn binder(secret: Secret, client_random: &[u8]) -> u64 {
    secret.derive("binder", &[client_random]).0
}

fn hash(proof: u64) -> Bytes {
    let mut hash = proof.to_be_bytes().to_vec();
    hash.resize(HASH_LEN, 0x5a);
    hash.into()
}

/// The ticket's age in milliseconds, obfuscated (RFC 8446 4.2.11.1).
fn age(ticket: &Ticket, now: Time) -> u32 {
    let millis = now.since(ticket.received).as_millis();
    u32::try_from(millis).unwrap_or(u32::MAX).wrapping_add(ticket.age_add)
}
