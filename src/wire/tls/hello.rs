//! ClientHello and ServerHello (RFC 8446 4.1; the same layout as in RFC 5246 7.4.1).

use super::cursor::{Reader, Writer};
use super::extension::{Extension, Place};
use super::{DecodeError, Version};
use bytes::Bytes;

/// The first word of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientHello {
    /// Random bytes.
    pub random: [u8; 32],
    /// Session id, at most 32 bytes: filler of 32 for middleboxes in 1.3 (RFC 8446 D.4).
    pub session_id: Bytes,
    /// Cipher suites in order of preference.
    pub cipher_suites: Vec<u16>,
    /// Extensions in the order of the wire; pre-shared keys come last (RFC 8446 4.2.11).
    pub extensions: Vec<Extension>,
}

impl ClientHello {
    pub(super) fn encode(&self, w: &mut Writer) {
        w.u16(Version::Tls12.code());
        w.bytes(&self.random);
        w.vector::<1>(|w| w.bytes(&self.session_id));
        w.vector::<2>(|w| self.cipher_suites.iter().for_each(|&suite| w.u16(suite)));
        // One compression method: none.
        w.vector::<1>(|w| w.u8(0));
        Extension::encode_all(&self.extensions, Place::ClientHello, w);
    }

    pub(super) fn decode(r: &mut Reader) -> Result<Self, DecodeError> {
        legacy_version(r)?;
        let (random, session_id) = (r.random()?, session_id(r)?);
        let cipher_suites = r.vector::<2>()?.all(Reader::u16)?;
        r.vector::<1>()?;
        let extensions = Extension::decode_all(r, Place::ClientHello)?;
        Ok(Self { random, session_id, cipher_suites, extensions })
    }

    /// The name that the client asks for.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.extensions.iter().find_map(|extension| match extension {
            Extension::ServerName(name) => name.as_deref(),
            _ => None,
        })
    }

    /// The application protocols that the client speaks, in order of preference.
    #[must_use]
    pub fn alpn(&self) -> &[Bytes] {
        let list = self.extensions.iter().find_map(|extension| match extension {
            Extension::Alpn(list) => Some(list.as_slice()),
            _ => None,
        });
        list.unwrap_or_default()
    }

    /// Whether the client speaks `version`.
    #[must_use]
    pub fn speaks(&self, version: Version) -> bool {
        let listed = self.extensions.iter().find_map(|extension| match extension {
            Extension::SupportedVersions(list) => Some(list.contains(&version.code())),
            _ => None,
        });
        // A client of 1.2 does not have the extension.
        listed.unwrap_or(version == Version::Tls12)
    }
}

/// The answer of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerHello {
    /// Random bytes.
    pub random: [u8; 32],
    /// The client's session id again, or in 1.2 a new one.
    pub session_id: Bytes,
    /// The cipher suite.
    pub cipher_suite: u16,
    /// Extensions in the order of the wire.
    pub extensions: Vec<Extension>,
}

impl ServerHello {
    pub(super) fn encode(&self, w: &mut Writer) {
        w.u16(Version::Tls12.code());
        w.bytes(&self.random);
        w.vector::<1>(|w| w.bytes(&self.session_id));
        w.u16(self.cipher_suite);
        w.u8(0);
        Extension::encode_all(&self.extensions, Place::ServerHello, w);
    }

    pub(super) fn decode(r: &mut Reader) -> Result<Self, DecodeError> {
        legacy_version(r)?;
        let (random, session_id, cipher_suite) = (r.random()?, session_id(r)?, r.u16()?);
        if r.u8()? != 0 {
            return Err(DecodeError::Value);
        }
        // A server of 1.2 may leave the whole list away (RFC 5246 7.4.1.3).
        let extensions = if r.is_empty() { Vec::new() } else { Extension::decode_all(r, Place::ServerHello)? };
        Ok(Self { random, session_id, cipher_suite, extensions })
    }

    /// The version spoken from here on.
    #[must_use]
    pub fn version(&self) -> Version {
        let selected = self.extensions.iter().find_map(|extension| match extension {
            Extension::SelectedVersion(version) => Some(*version),
            _ => None,
        });
        selected.unwrap_or(Version::Tls12)
    }
}

fn legacy_version(r: &mut Reader) -> Result<(), DecodeError> {
    match r.u16()? {
        0x0303 => Ok(()),
        other => Err(DecodeError::Version(other)),
    }
}

fn session_id(r: &mut Reader) -> Result<Bytes, DecodeError> {
    let id = r.vector::<1>()?.rest();
    if id.len() > 32 { Err(DecodeError::Value) } else { Ok(id) }
}
