//! Connection ids (RFC 9000 5.1): what a packet is found by when addresses change.

use std::fmt;

/// A secret by which an endpoint that has lost its state can end a connection (RFC 9000 10.3).
pub type ResetToken = [u8; 16];

/// Up to 20 bytes chosen by the one who receives packets with them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ConnectionId {
    len: u8,
    bytes: [u8; 20],
}

impl ConnectionId {
    /// The longest that version 1 allows.
    pub const MAX_LEN: usize = 20;

    /// The id with these bytes; `None` if there are more than 20.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut id = Self { len: u8::try_from(bytes.len()).ok()?, bytes: [0; 20] };
        id.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(id)
    }

    /// The eight-byte id of a number.
    #[must_use]
    pub fn of_number(number: u64) -> Self {
        let mut id = Self { len: 8, bytes: [0; 20] };
        id.bytes[..8].copy_from_slice(&number.to_be_bytes());
        id
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len as u32
    }

    /// Whether it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
