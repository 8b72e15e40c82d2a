//! TLS 1.2 and 1.3 on the wire: handshake messages, records and alerts, to real bytes and back.
//!
//! Messages do not know records: TLS over TCP cuts them into records ([`Record`]), QUIC carries the same bytes in CRYPTO frames
//! (RFC 9001 4.1.3). Sizes are those of real implementations to the byte; keys, signatures and tags are filler of the right
//! length, since nobody in here attacks anybody. Sources: RFC 8446 (1.3), RFC 5246 (1.2), RFC 5288 (AES-GCM in 1.2),
//! RFC 8422 (elliptic curves in 1.2), RFC 5077 (tickets in 1.2), RFC 6066 (SNI), RFC 7301 (ALPN), RFC 5280 (certificates).
//!
//! Not modelled: client certificates, HelloRetryRequest, key updates, renegotiation, messages of DTLS: an error to read.

mod alert;
mod certificate;
mod cursor;
mod extension;
mod hello;
mod message;
mod record;
#[cfg(test)]
mod tests;
pub mod typical;

pub use alert::{Alert, Description};
pub use certificate::{SMALLEST_CERTIFICATE, certificate, chain};
pub use extension::{Extension, KeyShare, OfferedPsk};
pub use hello::{ClientHello, ServerHello};
pub use message::{CertificateEntry, Handshake, MESSAGE_HEADER, NewSessionTicket, ServerKeyExchange};
pub use record::{ContentType, MAX_PLAINTEXT, RECORD_HEADER, Record};

use std::fmt;

/// A version of the protocol that is spoken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl Version {
    /// The version's number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    /// The version as people write it: `1.2`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Numbers of cipher suites, groups and signature schemes that the model names (IANA TLS parameters).
pub mod numbers {
    /// `TLS_AES_128_GCM_SHA256`, the suite that every 1.3 implementation has (RFC 8446 9.1).
    pub const AES_128_GCM_SHA256: u16 = 0x1301;
    /// `TLS_AES_256_GCM_SHA384`.
    pub const AES_256_GCM_SHA384: u16 = 0x1302;
    /// `TLS_CHACHA20_POLY1305_SHA256`.
    pub const CHACHA20_POLY1305_SHA256: u16 = 0x1303;
    /// `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`.
    pub const ECDHE_ECDSA_AES_128_GCM_SHA256: u16 = 0xc02b;
    /// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`.
    pub const ECDHE_RSA_AES_128_GCM_SHA256: u16 = 0xc02f;
    /// The X25519 group.
    pub const X25519: u16 = 0x001d;
    /// The NIST P-256 group.
    pub const SECP256R1: u16 = 0x0017;
    /// The NIST P-384 group.
    pub const SECP384R1: u16 = 0x0018;
    /// `ecdsa_secp256r1_sha256`.
    pub const ECDSA_SECP256R1_SHA256: u16 = 0x0403;
    /// `rsa_pss_rsae_sha256`.
    pub const RSA_PSS_RSAE_SHA256: u16 = 0x0804;
    /// `rsa_pkcs1_sha256`.
    pub const RSA_PKCS1_SHA256: u16 = 0x0401;
}

/// Why bytes are no TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// Something ends in the middle.
    Short,
    /// Bytes follow the last field of a message, extension or list.
    Long,
    /// A handshake message of a type that is not modelled.
    MessageType(u8),
    /// A record of a type that does not exist.
    ContentType(u8),
    /// A record longer than the protocol allows.
    RecordLength(u16),
    /// A version that is not spoken.
    Version(u16),
    /// A field with a value that it cannot have.
    Value,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("something ends in the middle"),
            Self::Long => f.write_str("bytes follow the last field"),
            Self::MessageType(code) => write!(f, "handshake message type {code} is not known"),
            Self::ContentType(code) => write!(f, "content type {code} does not exist"),
            Self::RecordLength(len) => write!(f, "a record of {len} bytes is too long"),
            Self::Version(code) => write!(f, "version {code:#06x} is not spoken"),
            Self::Value => f.write_str("a field has a value that it cannot have"),
        }
    }
}

impl std::error::Error for DecodeError {}
