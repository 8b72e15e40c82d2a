//! Handshake messages (RFC 8446 4, RFC 5246 7.4): a type, a length of 24 bits, the body.

use super::cursor::{Reader, Writer};
use super::extension::{Extension, Place};
use super::hello::{ClientHello, ServerHello};
use super::{DecodeError, Version};
use bytes::Bytes;

/// Bytes before a message's body.
pub const MESSAGE_HEADER: usize = 4;

/// A ticket of 1.3 (RFC 8446 4.6.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewSessionTicket {
    /// Seconds for which it may be used, at most seven days.
    pub lifetime: u32,
    /// Added to its age when that is sent.
    pub age_add: u32,
    /// Makes each ticket's key another.
    pub nonce: Bytes,
    /// The ticket.
    pub ticket: Bytes,
    /// Extensions: [`Extension::MaxEarlyData`] or none.
    pub extensions: Vec<Extension>,
}

/// A certificate of a chain in 1.3.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateEntry {
    /// The certificate in DER.
    pub der: Bytes,
    /// Extensions: its status or timestamps where the client asked for them.
    pub extensions: Vec<Extension>,
}

/// The server's half of the key exchange in 1.2 (RFC 8422 5.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerKeyExchange {
    /// The group's number.
    pub group: u16,
    /// The public key.
    pub key: Bytes,
    /// How it is signed.
    pub scheme: u16,
    /// The signature.
    pub signature: Bytes,
}

/// A handshake message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Handshake {
    /// 1.
    ClientHello(ClientHello),
    /// 2.
    ServerHello(ServerHello),
    /// 4 in 1.3.
    NewSessionTicket(NewSessionTicket),
    /// 4 in 1.2 (RFC 5077 3.3).
    SessionTicket {
        /// Seconds for which it may be used.
        lifetime: u32,
        /// The ticket.
        ticket: Bytes,
    },
    /// 5.
    EndOfEarlyData,
    /// 8.
    EncryptedExtensions(Vec<Extension>),
    /// 11 in 1.3: the chain, the server's own certificate first.
    Certificate(Vec<CertificateEntry>),
    /// 11 in 1.2.
    CertificateList(Vec<Bytes>),
    /// 12.
    ServerKeyExchange(ServerKeyExchange),
    /// 14.
    ServerHelloDone,
    /// 15.
    CertificateVerify {
        /// How it is signed.
        scheme: u16,
        /// The signature.
        signature: Bytes,
    },
    /// 16: the client's public key.
    ClientKeyExchange(Bytes),
    /// 20: a hash over the handshake, 32 bytes in 1.3 with SHA-256, 12 in 1.2.
    Finished(Bytes),
}

impl Handshake {
    /// The message's number.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::ClientHello(_) => 1,
            Self::ServerHello(_) => 2,
            Self::NewSessionTicket(_) | Self::SessionTicket { .. } => 4,
            Self::EndOfEarlyData => 5,
            Self::EncryptedExtensions(_) => 8,
            Self::Certificate(_) | Self::CertificateList(_) => 11,
            Self::ServerKeyExchange(_) => 12,
            Self::ServerHelloDone => 14,
            Self::CertificateVerify { .. } => 15,
            Self::ClientKeyExchange(_) => 16,
            Self::Finished(_) => 20,
        }
    }

    /// The message on the wire, header included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(self.code());
        w.vector::<3>(|w| self.body(w));
        w.0
    }

    fn body(&self, w: &mut Writer) {
        match self {
            Self::ClientHello(hello) => hello.encode(w),
            Self::ServerHello(hello) => hello.encode(w),
            Self::NewSessionTicket(ticket) => ticket.encode(w),
            Self::SessionTicket { lifetime, ticket } => {
                w.u32(*lifetime);
                w.vector::<2>(|w| w.bytes(ticket));
            }
            Self::EndOfEarlyData | Self::ServerHelloDone => {}
            Self::EncryptedExtensions(extensions) => Extension::encode_all(extensions, Place::Encrypted, w),
            Self::Certificate(entries) => {
                // No context: nobody asked for it (RFC 8446 4.4.2).
                w.u8(0);
                w.vector::<3>(|w| {
                    for entry in entries {
                        w.vector::<3>(|w| w.bytes(&entry.der));
                        Extension::encode_all(&entry.extensions, Place::Encrypted, w);
                    }
                });
            }
            Self::CertificateList(list) => {
                w.vector::<3>(|w| list.iter().for_each(|der| w.vector::<3>(|w| w.bytes(der))));
            }
            Self::ServerKeyExchange(exchange) => exchange.encode(w),
            Self::CertificateVerify { scheme, signature } => {
                w.u16(*scheme);
                w.vector::<2>(|w| w.bytes(signature));
            }
            Self::ClientKeyExchange(key) => w.vector::<1>(|w| w.bytes(key)),
            Self::Finished(hash) => w.bytes(hash),
        }
    }

    /// Takes one message off the front of `bytes`; `None` if it is not whole yet. `version` tells forms with the same
    /// number apart; hellos are the same in both.
    pub fn decode(bytes: &mut Bytes, version: Version) -> Result<Option<Self>, DecodeError> {
        let Some(&[code, l0, l1, l2]) = bytes.first_chunk() else { return Ok(None) };
        let len = MESSAGE_HEADER + u32::from_be_bytes([0, l0, l1, l2]) as usize;
        if bytes.len() < len {
            return Ok(None);
        }
        let mut r = Reader::new(bytes.split_to(len).slice(MESSAGE_HEADER..));
        let message = Self::read(code, &mut r, version)?;
        r.end().map(|()| Some(message))
    }

    fn read(code: u8, r: &mut Reader, version: Version) -> Result<Self, DecodeError> {
        Ok(match (code, version) {
            (1, _) => Self::ClientHello(ClientHello::decode(r)?),
            (2, _) => Self::ServerHello(ServerHello::decode(r)?),
            (4, Version::Tls13) => Self::NewSessionTicket(NewSessionTicket::decode(r)?),
            (4, Version::Tls12) => Self::SessionTicket { lifetime: r.u32()?, ticket: r.vector::<2>()?.rest() },
            (5, _) => Self::EndOfEarlyData,
            (8, _) => Self::EncryptedExtensions(Extension::decode_all(r, Place::Encrypted)?),
            (11, Version::Tls13) => {
                if r.u8()? != 0 {
                    return Err(DecodeError::Value);
                }
                Self::Certificate(r.vector::<3>()?.all(|r| {
                    let der = r.vector::<3>()?.rest();
                    Ok(CertificateEntry { der, extensions: Extension::decode_all(r, Place::Encrypted)? })
                })?)
            }
            (11, Version::Tls12) => Self::CertificateList(r.vector::<3>()?.all(|r| Ok(r.vector::<3>()?.rest()))?),
            (12, _) => Self::ServerKeyExchange(ServerKeyExchange::decode(r)?),
            (14, _) => Self::ServerHelloDone,
            (15, _) => Self::CertificateVerify { scheme: r.u16()?, signature: r.vector::<2>()?.rest() },
            (16, _) => Self::ClientKeyExchange(r.vector::<1>()?.rest()),
            (20, _) => Self::Finished(r.rest()),
            (other, _) => return Err(DecodeError::MessageType(other)),
        })
    }
}

impl NewSessionTicket {
    fn encode(&self, w: &mut Writer) {
        w.u32(self.lifetime);
        w.u32(self.age_add);
        w.vector::<1>(|w| w.bytes(&self.nonce));
        w.vector::<2>(|w| w.bytes(&self.ticket));
        Extension::encode_all(&self.extensions, Place::Ticket, w);
    }

    fn decode(r: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            lifetime: r.u32()?,
            age_add: r.u32()?,
            nonce: r.vector::<1>()?.rest(),
            ticket: r.vector::<2>()?.rest(),
            extensions: Extension::decode_all(r, Place::Ticket)?,
        })
    }
}

/// A curve by its number (RFC 8422 5.4).
const NAMED_CURVE: u8 = 3;

impl ServerKeyExchange {
    fn encode(&self, w: &mut Writer) {
        w.u8(NAMED_CURVE);
        w.u16(self.group);
        w.vector::<1>(|w| w.bytes(&self.key));
        w.u16(self.scheme);
        w.vector::<2>(|w| w.bytes(&self.signature));
    }

    fn decode(r: &mut Reader) -> Result<Self, DecodeError> {
        if r.u8()? != NAMED_CURVE {
            return Err(DecodeError::Value);
        }
        Ok(Self { group: r.u16()?, key: r.vector::<1>()?.rest(), scheme: r.u16()?, signature: r.vector::<2>()?.rest() })
    }
}
