//! Reading and writing TLS's presentation language: big-endian numbers and vectors with their length before them.

use super::DecodeError;
use bytes::Bytes;

/// Appends fields to a message.
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// What `fill` writes, behind its length in `WIDTH` bytes.
    ///
    /// # Panics
    /// If it is longer than the length field can say: callers bound what they write.
    pub(super) fn vector<const WIDTH: usize>(&mut self, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.resize(start + WIDTH, 0);
        fill(self);
        let len = (self.0.len() - start - WIDTH).to_be_bytes();
        let (over, fits) = len.split_at(len.len() - WIDTH);
        assert!(over.iter().all(|&byte| byte == 0), "a vector fits its length field");
        self.0[start..start + WIDTH].copy_from_slice(fits);
    }
}

/// Takes fields off the front of a message.
pub(super) struct Reader(Bytes);

impl Reader {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, n: usize) -> Result<Bytes, DecodeError> {
        if self.0.len() < n { Err(DecodeError::Short) } else { Ok(self.0.split_to(n)) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let taken = self.take(N)?;
        taken.as_ref().try_into().map_err(|_| DecodeError::Short)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn random(&mut self) -> Result<[u8; 32], DecodeError> {
        self.array()
    }

    /// The content of a vector whose length stands before it in `WIDTH` bytes.
    pub(super) fn vector<const WIDTH: usize>(&mut self) -> Result<Self, DecodeError> {
        let len = self.array::<WIDTH>()?.iter().fold(0_usize, |len, &byte| len << 8 | usize::from(byte));
        self.take(len).map(Self)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    /// Every element of what is left.
    pub(super) fn all<T>(
        mut self,
        mut next: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let mut all = Vec::new();
        while !self.is_empty() {
            all.push(next(&mut self)?);
        }
        Ok(all)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::Long) }
    }
}
