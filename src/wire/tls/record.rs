//! Records (RFC 8446 5): the five bytes that say what follows and how much of it.

use super::DecodeError;

/// Bytes before a record's content.
pub const RECORD_HEADER: u64 = 5;
/// Largest content of a record before encryption, in bytes (RFC 8446 5.1).
pub const MAX_PLAINTEXT: u64 = 1 << 14;
/// Largest content of a record of 1.2 after encryption (RFC 5246 6.2.3); that of 1.3 is smaller.
const MAX_CIPHERTEXT: u16 = (1 << 14) + 2_048;

/// What a record holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContentType {
    /// In 1.2, that what follows is encrypted; in 1.3, one byte that makes middleboxes believe it is 1.2.
    ChangeCipherSpec,
    /// An alert.
    Alert,
    /// Handshake messages or parts of them.
    Handshake,
    /// Data; in 1.3 everything encrypted looks like this.
    ApplicationData,
}

impl ContentType {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::ChangeCipherSpec => 20,
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
        }
    }

    /// The type with this number.
    pub const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            20 => Ok(Self::ChangeCipherSpec),
            21 => Ok(Self::Alert),
            22 => Ok(Self::Handshake),
            23 => Ok(Self::ApplicationData),
            other => Err(DecodeError::ContentType(other)),
        }
    }
}

/// A record's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// What it holds, or claims to hold.
    pub content: ContentType,
    /// The legacy version: 0x0301 on a first ClientHello, 0x0303 on everything else (RFC 8446 5.1).
    pub version: u16,
    /// Bytes that follow.
    pub len: u16,
}

impl Record {
    /// The header on the wire.
    #[must_use]
    pub const fn encode(self) -> [u8; 5] {
        let ([v0, v1], [l0, l1]) = (self.version.to_be_bytes(), self.len.to_be_bytes());
        [self.content.code(), v0, v1, l0, l1]
    }

    /// The header in `bytes`. Something else than TLS is nearly always found here: its first byte is no content type.
    pub const fn decode(bytes: [u8; 5]) -> Result<Self, DecodeError> {
        let [content, v0, v1, l0, l1] = bytes;
        let content = match ContentType::from_code(content) {
            Ok(content) => content,
            Err(error) => return Err(error),
        };
        let (version, len) = (u16::from_be_bytes([v0, v1]), u16::from_be_bytes([l0, l1]));
        if v0 != 3 {
            return Err(DecodeError::Version(version));
        }
        if len > MAX_CIPHERTEXT {
            return Err(DecodeError::RecordLength(len));
        }
        Ok(Self { content, version, len })
    }
}
