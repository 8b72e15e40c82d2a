//! The server's side of the handshake.

use super::client::binder;
use super::config::ServerConfig;
use super::keys::{Keys, Secret};
use super::session::{Core, Event, proof};
use crate::base::Time;
use crate::wire::tls::typical;
use crate::wire::tls::{ClientHello, Description, Extension, Handshake, NewSessionTicket, Version};
use bytes::Bytes;
use std::rc::Rc;

/// Tickets given out after a handshake of 1.3, as OpenSSL does: so that a client can open two connections.
const TICKETS: u8 = 2;
/// Bytes of a ticket: session state, name of the key and MAC as OpenSSL writes them.
const TICKET_LEN: usize = 192;

/// What comes next from the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    ClientHello,
    // 1.3
    EarlyData,
    Finished,
    // 1.2
    OldKeyExchange,
    OldCipher,
    OldFinished,
    // both
    Connected,
}

pub(super) struct Server {
    state: State,
    config: Rc<ServerConfig>,
    random: [u8; 32],
    client_random: [u8; 32],
    resumed: bool,
    early_accepted: bool,
    pub(super) alpn: Option<Bytes>,
    master: Secret,
    /// The name that the client asked for.
    name: Option<String>,
}

/// What a ticket says: the server keeps nothing (RFC 5077 4).
struct Remembered {
    secret: Secret,
    issued: Time,
    early_data: bool,
    alpn: Option<Bytes>,
}

impl Server {
    pub(super) fn new(config: Rc<ServerConfig>, random: [u8; 32]) -> Self {
        Self {
            state: State::ClientHello,
            config,
            random,
            client_random: [0; 32],
            resumed: false,
            early_accepted: false,
            alpn: None,
            master: Secret::default(),
            name: None,
        }
    }

    pub(super) const fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Whether early data was taken: answers may be sent before the handshake is over.
    pub(super) const fn early_accepted(&self) -> bool {
        self.early_accepted
    }

    /// Whether data that comes now is early data.
    pub(super) fn reads_early(&self) -> bool {
        self.state == State::EarlyData
    }

    pub(super) fn message(&mut self, core: &mut Core, message: Handshake, now: Time) -> Result<(), Description> {
        match (self.state, message) {
            (State::ClientHello, Handshake::ClientHello(hello)) => self.client_hello(core, &hello, now),
            (State::EarlyData, Handshake::EndOfEarlyData) => {
                core.read_with(Keys::new(self.master.derive("client handshake", &[])));
                self.go(State::Finished)
            }
            (State::Finished, Handshake::Finished(hash)) => self.finished(core, &hash, now),
            (State::OldKeyExchange, Handshake::ClientKeyExchange(_)) => self.go(State::OldCipher),
            (State::OldFinished, Handshake::Finished(hash)) => self.old_finished(core, &hash, now),
            _ => Err(Description::UnexpectedMessage),
        }
    }

    fn chain(&self) -> &[Bytes] {
        self.config.chain_for(self.name.as_deref()).unwrap_or(&self.config.chain)
    }

    #[expect(clippy::unnecessary_wraps, reason = "one shape for every step")]
    const fn go(&mut self, state: State) -> Result<(), Description> {
        self.state = state;
        Ok(())
    }

    fn client_hello(&mut self, core: &mut Core, hello: &ClientHello, now: Time) -> Result<(), Description> {
        let versions = self.config.versions();
        let version =
            versions.into_iter().find(|&version| hello.speaks(version)).ok_or(Description::ProtocolVersion)?;
        core.version = Some(version);
        self.client_random = hello.random;
        self.name = hello.server_name().map(str::to_owned);
        if self.config.chain_for(self.name.as_deref()).is_none() {
            return Err(Description::UnrecognisedName);
        }
        if !hello.alpn().is_empty() && !self.config.alpn.is_empty() {
            let common = self.config.alpn.iter().find(|name| hello.alpn().contains(name));
            self.alpn = Some(common.ok_or(Description::NoApplicationProtocol)?.clone());
        }
        match version {
            Version::Tls13 => self.hello_13(core, hello, now),
            Version::Tls12 => self.hello_12(core, hello, now),
        }
    }

    fn hello_13(&mut self, core: &mut Core, hello: &ClientHello, now: Time) -> Result<(), Description> {
        let offered = hello.extensions.iter().find_map(|extension| match extension {
            Extension::PreSharedKeys(offers) => offers.first(),
            _ => None,
        });
        let remembered = offered.and_then(|offer| self.remember(&offer.identity, Version::Tls13, now));
        if let (Some(offer), Some(remembered)) = (offered, &remembered)
            && proof(&offer.binder) != Some(binder(remembered.secret, &hello.random))
        {
            return Err(Description::DecryptError);
        }
        self.resumed = remembered.is_some();
        let psk = remembered.as_ref().map(|remembered| remembered.secret).unwrap_or_default();
        self.master = psk.derive("master", &[&self.client_random, &self.random]);
        core.message(&Handshake::ServerHello(typical::server_hello_13(
            self.random,
            hello.session_id.clone(),
            self.resumed,
        )));
        core.change_cipher_spec();
        let handshake = self.master.derive("server handshake", &[]);
        core.write_with(Keys::new(handshake));
        let early_sent = hello.extensions.contains(&Extension::EarlyData);
        self.early_accepted = early_sent
            && self.config.early_data > 0
            && remembered.is_some_and(|remembered| remembered.early_data && remembered.alpn == self.alpn);
        let named = hello.server_name().is_some();
        core.message(&typical::encrypted_extensions(named, self.alpn.clone(), self.early_accepted, None));
        if !self.resumed {
            core.message(&typical::certificate_message(self.chain(), Version::Tls13));
            core.message(&typical::certificate_verify(&self.random));
            core.event(Event::Work);
        }
        core.message(&typical::finished(Version::Tls13, handshake.derive("finished", &[]).0));
        core.write_with(Keys::new(self.master.derive("server data", &[])));
        if self.early_accepted {
            core.read_with(Keys::new(psk.derive("early", &[&self.client_random])));
            return self.go(State::EarlyData);
        }
        core.read_with(Keys::new(self.master.derive("client handshake", &[])));
        if early_sent {
            // What the largest allowance is, records and all (RFC 8446 4.2.10).
            core.skip = u64::from(self.config.early_data).max(1 << 14) * 2;
        }
        self.go(State::Finished)
    }

    fn finished(&mut self, core: &mut Core, hash: &Bytes, now: Time) -> Result<(), Description> {
        let client = self.master.derive("client handshake", &[]);
        if proof(hash) != Some(client.derive("finished", &[]).0) {
            return Err(Description::DecryptError);
        }
        core.read_with(Keys::new(self.master.derive("client data", &[])));
        core.established = true;
        core.event(Event::Established);
        if self.config.tickets {
            for number in 0..TICKETS {
                let nonce = Bytes::copy_from_slice(&[number]);
                let secret = self.master.derive("resumption", &[&nonce]);
                let early = self.config.early_data;
                let ticket = Handshake::NewSessionTicket(NewSessionTicket {
                    lifetime: self.lifetime(),
                    age_add: u32::from(self.random[usize::from(number)]) << 16,
                    nonce,
                    ticket: self.ticket(secret, Version::Tls13, now),
                    extensions: if early > 0 { vec![Extension::MaxEarlyData(early)] } else { Vec::new() },
                });
                core.message(&ticket);
            }
        }
        self.go(State::Connected)
    }

    fn hello_12(&mut self, core: &mut Core, hello: &ClientHello, now: Time) -> Result<(), Description> {
        let ticket = hello.extensions.iter().find_map(|extension| match extension {
            Extension::SessionTicket(ticket) => Some(ticket),
            _ => None,
        });
        let remembered = ticket.and_then(|ticket| self.remember(ticket, Version::Tls12, now));
        self.resumed = remembered.is_some();
        let issue = self.config.tickets && ticket.is_some() && !self.resumed;
        let session_id = if self.resumed { hello.session_id.clone() } else { Bytes::new() };
        let answer = typical::server_hello_12(self.random, session_id, self.alpn.clone(), issue);
        core.message(&Handshake::ServerHello(answer));
        if let Some(remembered) = remembered {
            self.master = remembered.secret;
            self.old_finish(core);
            return self.go(State::OldCipher);
        }
        self.master = Secret::default().derive("old master", &[&self.client_random, &self.random]);
        core.message(&typical::certificate_message(self.chain(), Version::Tls12));
        core.message(&typical::server_key_exchange(&self.random));
        core.message(&Handshake::ServerHelloDone);
        core.event(Event::Work);
        self.go(State::OldKeyExchange)
    }

    fn old_keys(&self, who: &str) -> Secret {
        self.master.derive(who, &[&self.client_random, &self.random])
    }

    fn old_finish(&self, core: &mut Core) {
        core.change_cipher_spec();
        let keys = self.old_keys("old server");
        core.write_with(Keys::new(keys));
        core.message(&typical::finished(Version::Tls12, keys.derive("finished", &[]).0));
    }

    pub(super) fn change_cipher_spec(&mut self, core: &mut Core) -> Result<(), Description> {
        if self.state != State::OldCipher {
            return Err(Description::UnexpectedMessage);
        }
        core.read_with(Keys::new(self.old_keys("old client")));
        self.go(State::OldFinished)
    }

    fn old_finished(&mut self, core: &mut Core, hash: &Bytes, now: Time) -> Result<(), Description> {
        if proof(hash) != Some(self.old_keys("old client").derive("finished", &[]).0) {
            return Err(Description::DecryptError);
        }
        if !self.resumed {
            if self.config.tickets {
                let ticket = self.ticket(self.master, Version::Tls12, now);
                core.message(&Handshake::SessionTicket { lifetime: self.lifetime(), ticket });
            }
            self.old_finish(core);
        }
        core.established = true;
        core.event(Event::Established);
        self.go(State::Connected)
    }

    /// Whole seconds for which tickets may be used.
    fn lifetime(&self) -> u32 {
        u32::try_from(self.config.ticket_lifetime.as_millis() / 1_000).unwrap_or(u32::MAX)
    }

    /// A ticket that holds what is to be remembered.
    fn ticket(&self, secret: Secret, version: Version, now: Time) -> Bytes {
        let mut ticket = self.config.ticket_key.to_be_bytes().to_vec();
        ticket.extend(secret.0.to_be_bytes());
        ticket.extend(version.code().to_be_bytes());
        ticket.extend(now.since(Time::ZERO).as_nanos().to_be_bytes());
        ticket.push(u8::from(self.config.early_data > 0));
        let alpn = self.alpn.clone().unwrap_or_default();
        ticket.push(u8::try_from(alpn.len()).expect("names of protocols are short"));
        ticket.extend_from_slice(&alpn);
        ticket.resize(ticket.len().max(TICKET_LEN), 0x5a);
        ticket.into()
    }

    /// What one of our tickets says, if it is ours and may still be used.
    fn remember(&self, ticket: &Bytes, version: Version, now: Time) -> Option<Remembered> {
        let word = |at: usize| ticket.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
        let ours = self.config.tickets && word(0)? == self.config.ticket_key;
        if !ours || ticket.get(16..18)? != version.code().to_be_bytes() {
            return None;
        }
        let issued = Time::ZERO + crate::base::Span::from_nanos(word(18)?);
        let len = usize::from(*ticket.get(27)?);
        let alpn = ticket.get(28..28 + len)?;
        let remembered = Remembered {
            secret: Secret(word(8)?),
            issued,
            early_data: *ticket.get(26)? == 1,
            alpn: (len > 0).then(|| Bytes::copy_from_slice(alpn)),
        };
        (now < remembered.issued.saturating_add(self.config.ticket_lifetime)).then_some(remembered)
    }
}
