//! Reads through a payload of real bytes and filler, which reads as zeros.

use super::DecodeError;
use crate::wire::{Chunk, Payload};
use bytes::Bytes;

/// A place in a payload, and where to stop.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    whole: &'a Payload,
    /// Offset of the next byte, and of the end.
    at: u64,
    end: u64,
    /// The chunk that holds the next byte, its number and its offset.
    chunk: Option<&'a Chunk>,
    index: usize,
    start: u64,
}

impl<'a> Reader<'a> {
    /// At the beginning of `whole`.
    pub(crate) fn new(whole: &'a Payload) -> Self {
        Self { whole, at: 0, end: whole.len(), chunk: whole.chunks().next(), index: 0, start: 0 }
    }

    /// Bytes left.
    pub(crate) const fn left(&self) -> u64 {
        self.end - self.at
    }

    /// The next `len` bytes as a reader of their own; this one goes on behind them.
    pub(crate) fn part(&mut self, len: u64) -> Result<Self, DecodeError> {
        if len > self.left() {
            return Err(DecodeError::Short);
        }
        let part = Self { end: self.at + len, ..*self };
        self.skip(len)?;
        Ok(part)
    }

    /// Leaves out the last `len` bytes.
    pub(crate) fn cut(&mut self, len: u64) -> Result<(), DecodeError> {
        if len > self.left() {
            return Err(DecodeError::Short);
        }
        self.end -= len;
        Ok(())
    }

    /// Goes to the chunk that holds the next byte.
    fn seek(&mut self) {
        while let Some(chunk) = self.chunk
            && self.at >= self.start + chunk.len()
        {
            self.start += chunk.len();
            self.index += 1;
            self.chunk = self.whole.chunks().nth(self.index);
        }
    }

    /// Passes over `len` bytes.
    pub(crate) fn skip(&mut self, len: u64) -> Result<(), DecodeError> {
        if len > self.left() {
            return Err(DecodeError::Short);
        }
        self.at += len;
        self.seek();
        Ok(())
    }

    /// The next byte without taking it.
    pub(crate) fn peek(&self) -> Result<u8, DecodeError> {
        if self.left() == 0 {
            return Err(DecodeError::Short);
        }
        let real = self.chunk.map_or(&[][..], Chunk::real);
        Ok(real.get(usize::try_from(self.at - self.start).unwrap_or(0)).copied().unwrap_or(0))
    }

    /// The next byte.
    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = self.peek()?;
        self.at += 1;
        self.seek();
        Ok(byte)
    }

    /// The next `len` bytes (at most eight) as a big-endian number.
    pub(crate) fn number(&mut self, len: u32) -> Result<u64, DecodeError> {
        let mut value = 0;
        for _ in 0..len {
            value = value << 8 | u64::from(self.byte()?);
        }
        Ok(value)
    }

    /// A variable-length integer.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let first = self.byte()?;
        let mut value = u64::from(first & 0x3f);
        for _ in 1..1u32 << (first >> 6) {
            value = value << 8 | u64::from(self.byte()?);
        }
        Ok(value)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        for byte in &mut array {
            *byte = self.byte()?;
        }
        Ok(array)
    }

    /// The next `len` bytes as they are.
    pub(crate) fn payload(&mut self, len: u64) -> Result<Payload, DecodeError> {
        if len > self.left() {
            return Err(DecodeError::Short);
        }
        let part = self.whole.slice(self.at, len);
        self.skip(len)?;
        Ok(part)
    }

    /// The next `len` bytes, all real.
    pub(crate) fn bytes(&mut self, len: u64) -> Result<Bytes, DecodeError> {
        let part = self.payload(len)?;
        let real = part.real_prefix();
        Ok(if real.len() as u64 == part.len() { real } else { part.to_vec().into() })
    }

    /// Passes over zeros and returns their number.
    pub(crate) fn zeros(&mut self) -> u64 {
        let from = self.at;
        while self.left() > 0 {
            match self.chunk {
                Some(chunk @ Chunk::Filler(_)) => {
                    let run = (self.start + chunk.len()).min(self.end) - self.at;
                    self.at += run;
                }
                _ if self.peek() == Ok(0) => self.at += 1,
                _ => break,
            }
            self.seek();
        }
        self.at - from
    }
}
