//! Alerts (RFC 8446 6): two bytes that end a connection, in peace or not.

use super::DecodeError;
use super::cursor::Reader;
use bytes::Bytes;
use std::fmt;

/// What an alert says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Description {
    /// The sender will send no more (RFC 8446 6.1).
    CloseNotify,
    /// A message that must not come now.
    UnexpectedMessage,
    /// A record whose tag is wrong.
    BadRecordMac,
    /// No common cipher suite, group or signature scheme.
    HandshakeFailure,
    /// The certificate's issuer is not known.
    UnknownCa,
    /// A message that cannot be read.
    DecodeError,
    /// A Finished or binder that does not verify.
    DecryptError,
    /// No common version.
    ProtocolVersion,
    /// Nobody here has this name.
    UnrecognisedName,
    /// No common application protocol (RFC 7301 3.2).
    NoApplicationProtocol,
    /// Any other.
    Other(u8),
}

impl Description {
    /// The description with this number.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::CloseNotify,
            10 => Self::UnexpectedMessage,
            20 => Self::BadRecordMac,
            40 => Self::HandshakeFailure,
            48 => Self::UnknownCa,
            50 => Self::DecodeError,
            51 => Self::DecryptError,
            70 => Self::ProtocolVersion,
            112 => Self::UnrecognisedName,
            120 => Self::NoApplicationProtocol,
            other => Self::Other(other),
        }
    }

    /// Its number; QUIC closes a connection with 0x100 plus this (RFC 9001 4.8).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::CloseNotify => 0,
            Self::UnexpectedMessage => 10,
            Self::BadRecordMac => 20,
            Self::HandshakeFailure => 40,
            Self::UnknownCa => 48,
            Self::DecodeError => 50,
            Self::DecryptError => 51,
            Self::ProtocolVersion => 70,
            Self::UnrecognisedName => 112,
            Self::NoApplicationProtocol => 120,
            Self::Other(code) => code,
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CloseNotify => "close_notify",
            Self::UnexpectedMessage => "unexpected_message",
            Self::BadRecordMac => "bad_record_mac",
            Self::HandshakeFailure => "handshake_failure",
            Self::UnknownCa => "unknown_ca",
            Self::DecodeError => "decode_error",
            Self::DecryptError => "decrypt_error",
            Self::ProtocolVersion => "protocol_version",
            Self::UnrecognisedName => "unrecognized_name",
            Self::NoApplicationProtocol => "no_application_protocol",
            Self::Other(code) => return write!(f, "alert {code}"),
        })
    }
}

/// An alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alert {
    /// Whether the connection is over at once; otherwise a warning.
    pub fatal: bool,
    /// What it says.
    pub description: Description,
}

impl Alert {
    /// "I shall send no more": a warning by its level.
    pub const CLOSE: Self = Self { fatal: false, description: Description::CloseNotify };

    /// A fatal alert.
    #[must_use]
    pub const fn fatal(description: Description) -> Self {
        Self { fatal: true, description }
    }

    /// The alert on the wire.
    #[must_use]
    pub const fn encode(self) -> [u8; 2] {
        [if self.fatal { 2 } else { 1 }, self.description.code()]
    }

    /// The alert in `bytes`.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let level = reader.u8()?;
        let description = Description::from_code(reader.u8()?);
        reader.end()?;
        match level {
            1 | 2 => Ok(Self { fatal: level == 2, description }),
            _ => Err(DecodeError::Value),
        }
    }
}
