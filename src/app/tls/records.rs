//! The record layer: content cut into records, with the bytes that protection adds, and back (RFC 8446 5, RFC 5288 3).

use super::keys::{Keys, TAG_LEN};
use crate::wire::tls::{ContentType, MAX_PLAINTEXT, Record, Version};
use crate::wire::{Chunk, Payload};

/// Bytes of the nonce that AES-GCM puts before the content in 1.2 (RFC 5288 3).
const NONCE_LEN: u64 = 8;
/// Real content up to this length is copied next to its header: one chunk instead of three.
const COPIED: usize = 2_048;

/// Puts records together; what is real is joined as far as that is cheap.
pub(super) struct Sealer {
    out: Payload,
    joined: Vec<u8>,
}

impl Sealer {
    pub(super) const fn new() -> Self {
        Self { out: Payload::empty(), joined: Vec::new() }
    }

    fn flush(&mut self) {
        if !self.joined.is_empty() {
            self.out.push(Chunk::Real(std::mem::take(&mut self.joined).into()));
        }
    }

    fn content(&mut self, content: &Payload) {
        for chunk in content.chunks() {
            match chunk {
                Chunk::Real(bytes) if bytes.len() <= COPIED => self.joined.extend_from_slice(bytes),
                other => {
                    self.flush();
                    self.out.push(other.clone());
                }
            }
        }
    }

    /// Content in the clear; `version` is the legacy one of the header.
    pub(super) fn plain(&mut self, content: ContentType, version: u16, mut data: Payload) {
        while !data.is_empty() {
            let part = data.split_to(MAX_PLAINTEXT);
            self.header(content, version, part.len());
            self.content(&part);
        }
    }

    /// Content under `keys`, in records of at most `limit` bytes.
    pub(super) fn sealed(
        &mut self,
        content: ContentType,
        version: Version,
        keys: &mut Keys,
        limit: u64,
        mut data: Payload,
    ) {
        while !data.is_empty() {
            let part = data.split_to(limit.clamp(1, MAX_PLAINTEXT));
            match version {
                Version::Tls13 => {
                    self.header(ContentType::ApplicationData, 0x0303, part.len() + 1 + TAG_LEN);
                    self.content(&part);
                    self.joined.push(content.code());
                }
                Version::Tls12 => {
                    self.header(content, 0x0303, NONCE_LEN + part.len() + TAG_LEN);
                    self.joined.extend_from_slice(&keys.next().to_be_bytes());
                    self.content(&part);
                }
            }
            self.joined.extend_from_slice(&keys.tag());
            keys.count();
        }
    }

    fn header(&mut self, content: ContentType, version: u16, len: u64) {
        let len = u16::try_from(len).expect("a record's content is at most 16 KiB and a little");
        self.joined.extend_from_slice(&Record { content, version, len }.encode());
    }

    pub(super) fn finish(mut self) -> Payload {
        self.flush();
        self.out
    }
}

/// Takes protection off; `None` if the tag is not the one that belongs there.
pub(super) fn open(
    record: Record,
    body: &Payload,
    version: Version,
    keys: &mut Keys,
) -> Option<(ContentType, Payload)> {
    let overhead = match version {
        Version::Tls13 => 1 + TAG_LEN,
        Version::Tls12 => NONCE_LEN + TAG_LEN,
    };
    let len = body.len().checked_sub(overhead)?;
    if body.slice(body.len() - TAG_LEN, TAG_LEN).real_prefix() != keys.tag()[..] {
        return None;
    }
    let opened = match version {
        Version::Tls13 => {
            let code = *body.slice(len, 1).real_prefix().first()?;
            (ContentType::from_code(code).ok()?, body.slice(0, len))
        }
        Version::Tls12 => (record.content, body.slice(NONCE_LEN, len)),
    };
    keys.count();
    Some(opened)
}
