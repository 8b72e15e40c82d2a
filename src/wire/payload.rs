//! Payload bytes: real where their content matters, counted filler where only their size does.

use bytes::Bytes;
use std::collections::VecDeque;

/// A run of payload bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Chunk {
    /// Bytes that somebody will read: DNS messages, HTTP heads, small bodies.
    Real(Bytes),
    /// So many bytes whose content nobody reads; a capture writes them as zeros.
    Filler(u64),
    /// A few bytes that somebody will read, and so many behind them that nobody does: a small message, without memory of its own.
    Headed([u8; HEAD], u64),
}

/// Bytes at the head of a [`Chunk::Headed`].
pub const HEAD: usize = 16;

impl Chunk {
    /// Length in bytes.
    #[must_use]
    #[inline]
    pub fn len(&self) -> u64 {
        match self {
            Self::Real(bytes) => bytes.len() as u64,
            Self::Filler(n) => *n,
            Self::Headed(_, n) => HEAD as u64 + *n,
        }
    }

    /// The real bytes at its front.
    #[must_use]
    #[inline]
    pub fn real(&self) -> &[u8] {
        match self {
            Self::Real(bytes) => bytes,
            Self::Filler(_) => &[],
            Self::Headed(head, _) => head,
        }
    }

    /// How many bytes of filler follow those.
    #[must_use]
    #[inline]
    pub const fn filler(&self) -> u64 {
        match self {
            Self::Real(_) => 0,
            Self::Filler(n) | Self::Headed(_, n) => *n,
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Splits off and returns the first `n` bytes; `n` is at most the length.
    fn split_to(&mut self, n: u64) -> Self {
        match self {
            Self::Real(bytes) => Self::Real(bytes.split_to(index(n))),
            Self::Filler(have) => {
                *have -= n;
                Self::Filler(n)
            }
            Self::Headed(..) => {
                let (taken, left) = (self.slice(0, n), self.slice(n, self.len() - n));
                *self = left;
                taken
            }
        }
    }

    /// The `len` bytes from `start` on, which lie inside.
    fn slice(&self, start: u64, len: u64) -> Self {
        match self {
            Self::Real(bytes) => Self::Real(bytes.slice(index(start)..index(start + len))),
            Self::Filler(_) => Self::Filler(len),
            Self::Headed(..) if start >= HEAD as u64 => Self::Filler(len),
            Self::Headed(head, _) if start == 0 && len >= HEAD as u64 => Self::Headed(*head, len - HEAD as u64),
            Self::Headed(head, _) => {
                // A part of the head, with what follows it.
                let mut part = head[index(start)..HEAD.min(index(start + len))].to_vec();
                part.resize(index(len), 0);
                Self::Real(part.into())
            }
        }
    }
}

/// A sequence of chunks: nothing, one chunk (which allocates nothing), or several.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    len: u64,
    first: Option<Chunk>,
    /// Chunks behind the first; boxed, because there are none in nearly every packet.
    #[expect(clippy::box_collection, reason = "three words less in every packet")]
    rest: Option<Box<VecDeque<Chunk>>>,
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.chunks().eq(other.chunks())
    }
}

impl Eq for Payload {}

impl Payload {
    /// No bytes.
    #[must_use]
    pub const fn empty() -> Self {
        Self { len: 0, first: None, rest: None }
    }

    /// `n` bytes of filler.
    #[must_use]
    pub const fn filler(n: u64) -> Self {
        if n == 0 {
            return Self::empty();
        }
        Self { len: n, first: Some(Chunk::Filler(n)), rest: None }
    }

    /// A head of real bytes, and `n` bytes of filler behind it.
    #[must_use]
    #[inline]
    pub const fn headed(head: [u8; HEAD], n: u64) -> Self {
        Self { len: HEAD as u64 + n, first: Some(Chunk::Headed(head, n)), rest: None }
    }

    /// Real bytes.
    #[must_use]
    pub fn real(bytes: impl Into<Bytes>) -> Self {
        let mut payload = Self::empty();
        payload.push(Chunk::Real(bytes.into()));
        payload
    }

    /// Length in bytes.
    #[must_use]
    #[inline]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Length in bytes of what is in a packet, which is less than 64 KiB.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a packet holds less than 64 KiB")]
    pub const fn len_u32(&self) -> u32 {
        self.len as u32
    }

    /// Whether there are no bytes.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The chunks in order.
    pub fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.first.iter().chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }

    /// Appends a chunk; filler next to filler becomes one chunk.
    pub fn push(&mut self, chunk: Chunk) {
        let more = chunk.len();
        if more == 0 {
            return;
        }
        self.len += more;
        let last = self.rest.as_mut().and_then(|rest| rest.back_mut()).or(self.first.as_mut());
        match (last, chunk) {
            (Some(Chunk::Filler(have) | Chunk::Headed(_, have)), Chunk::Filler(n)) => *have += n,
            (Some(_), chunk) => self.rest.get_or_insert_default().push_back(chunk),
            (None, chunk) => self.first = Some(chunk),
        }
    }

    /// Appends everything in `other`.
    pub fn append(&mut self, other: Self) {
        other.first.into_iter().for_each(|chunk| self.push(chunk));
        other.rest.into_iter().flat_map(|rest| *rest).for_each(|chunk| self.push(chunk));
    }

    /// Takes the first `n` bytes off the front, or all if there are fewer.
    #[must_use]
    #[inline]
    pub fn split_to(&mut self, n: u64) -> Self {
        if n >= self.len { std::mem::take(self) } else { self.split_short(n) }
    }

    fn split_short(&mut self, n: u64) -> Self {
        let mut taken = Self::empty();
        while taken.len < n {
            let Some(first) = &mut self.first else { break };
            let want = n - taken.len;
            if first.len() <= want {
                self.len -= first.len();
                let next = self.rest.as_mut().and_then(|rest| rest.pop_front());
                if let Some(chunk) = std::mem::replace(&mut self.first, next) {
                    taken.push(chunk);
                }
            } else {
                self.len -= want;
                taken.push(first.split_to(want));
            }
        }
        taken
    }

    /// Drops the first `n` bytes, or all if there are fewer.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub fn advance(&mut self, n: u64) {
        match &mut self.first {
            Some(Chunk::Filler(have)) if n < *have => {
                *have -= n;
                self.len -= n;
            }
            _ => drop(self.split_to(n)),
        }
    }

    /// A copy of the `len` bytes from `start` on, cut off at the end; real bytes are shared, not copied.
    #[must_use]
    #[inline]
    pub fn slice(&self, start: u64, len: u64) -> Self {
        if let Some(Chunk::Filler(have)) = &self.first
            && start.saturating_add(len) <= *have
        {
            return Self::filler(len);
        }
        self.slice_of_chunks(start, len)
    }

    /// As [`Payload::slice`], written over what `out` was. Where filler is cut from filler, as in bulk transfers, nothing is dropped
    /// and nothing moved.
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    pub fn slice_into(&self, start: u64, len: u64, out: &mut Self) {
        if let Some(Chunk::Filler(have)) = &self.first
            && start.saturating_add(len) <= *have
            && len > 0
            && out.is_empty()
        {
            out.len = len;
            out.first = Some(Chunk::Filler(len));
        } else {
            *out = self.slice(start, len);
        }
    }

    /// Takes everything out if it is filler and nothing else; whether it was.
    #[inline]
    pub fn take_filler(&mut self) -> bool {
        let filler = matches!(self.first, Some(Chunk::Filler(_))) && self.rest.is_none();
        if filler {
            self.len = 0;
            self.first = None;
        }
        filler
    }

    /// Drops everything, if there is anything.
    #[inline]
    pub fn clear(&mut self) {
        if self.len > 0 {
            *self = Self::empty();
        }
    }

    fn slice_of_chunks(&self, start: u64, len: u64) -> Self {
        let end = self.len.min(start.saturating_add(len));
        if start >= end {
            return Self::empty();
        }
        let single = self.rest.as_ref().is_none_or(|rest| rest.is_empty());
        if let (Some(chunk), true) = (&self.first, single) {
            return Self { len: end - start, first: Some(chunk.slice(start, end - start)), rest: None };
        }
        let mut slice = Self::empty();
        let mut at = 0;
        for chunk in self.chunks() {
            let (from, to) = (start.max(at), end.min(at + chunk.len()));
            if from < to {
                slice.push(chunk.slice(from - at, to - from));
            }
            at += chunk.len();
        }
        slice
    }

    /// The real bytes at the front, up to the first filler: what a parser of heads looks at. Copies only when the front
    /// consists of several chunks.
    #[must_use]
    pub fn real_prefix(&self) -> Bytes {
        if let Some(Chunk::Real(first)) = &self.first
            && self.chunks().nth(1).is_none_or(|second| second.real().is_empty())
        {
            return first.clone();
        }
        let mut joined = Vec::new();
        for chunk in self.chunks() {
            joined.extend_from_slice(chunk.real());
            if chunk.filler() > 0 {
                break;
            }
        }
        joined.into()
    }

    /// The first bytes, if they are real.
    #[must_use]
    #[inline]
    pub fn real_head(&self) -> Option<[u8; HEAD]> {
        if let Some(Chunk::Headed(head, _)) = &self.first {
            Some(*head)
        } else {
            self.real_prefix().first_chunk().copied()
        }
    }

    /// All bytes, filler as zeros.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(index(self.len));
        for chunk in self.chunks() {
            all.extend_from_slice(chunk.real());
            all.resize(all.len() + index(chunk.filler()), 0);
        }
        all
    }
}

/// A length that is known to be in memory as an index.
fn index(n: u64) -> usize {
    usize::try_from(n).expect("bytes in memory are counted by usize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    #[test]
    fn cutting_and_joining_loses_nothing() {
        let mut rng = Rng::stream(9, "test/payload");
        for _ in 0..500 {
            let mut whole = Payload::empty();
            for _ in 0..rng.below(6) {
                let n = rng.below(20);
                whole.push(match rng.below(3) {
                    0 => Chunk::Filler(n),
                    1 => Chunk::Real((0..n).map(|_| rng.bits().to_le_bytes()[0]).collect()),
                    _ => Chunk::Headed(std::array::from_fn(|_| rng.bits().to_le_bytes()[0]), n),
                });
            }
            let bytes = whole.to_vec();
            let cut = rng.below(whole.len() + 3);
            let mut tail = whole.clone();
            let head = tail.split_to(cut);
            assert_eq!(head.len() + tail.len(), whole.len());
            assert_eq!([head.to_vec(), tail.to_vec()].concat(), bytes);
            let real = whole.real_prefix();
            assert!(bytes.starts_with(&real));
            let len = rng.below(30);
            let from = usize::try_from(cut.min(whole.len())).unwrap();
            let to = usize::try_from((cut + len).min(whole.len())).unwrap();
            assert_eq!(whole.slice(cut, len).to_vec(), bytes[from..to]);
            let mut joined = head;
            joined.append(tail);
            assert_eq!(joined.to_vec(), bytes);
        }
    }

    #[test]
    fn heads_are_readable_up_to_the_first_filler() {
        let mut payload = Payload::real(&b"GET "[..]);
        payload.append(Payload::real(&b"/"[..]));
        payload.append(Payload::filler(3));
        payload.append(Payload::real(&b"x"[..]));
        assert_eq!(payload.real_prefix(), &b"GET /"[..]);
        assert_eq!(payload.to_vec(), b"GET /\0\0\0x");
    }
}
