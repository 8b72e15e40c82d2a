//! What stands in for cryptography: secrets that both ends derive, and tags that only they can make.

use crate::base::Digest;

/// Bytes of a tag: AES-GCM's.
pub(super) const TAG_LEN: u64 = 16;

/// A secret that both ends know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Secret(pub(super) u64);

impl Secret {
    /// The secret that follows from this one for one use, with random bytes of both ends.
    pub(super) fn derive(self, label: &str, randoms: &[&[u8]]) -> Self {
        let mut digest = Digest::default();
        digest.fold(self.0);
        digest.fold_text(label);
        for random in randoms {
            for chunk in random.chunks(8) {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                digest.fold(u64::from_le_bytes(word));
            }
        }
        Self(digest.value())
    }
}

/// One direction of one epoch: its secret, and how many records it has protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Keys {
    secret: Secret,
    records: u64,
}

impl Keys {
    pub(super) const fn new(secret: Secret) -> Self {
        Self { secret, records: 0 }
    }

    /// The number of the next record.
    pub(super) const fn next(&self) -> u64 {
        self.records
    }

    /// The tag of the next record.
    pub(super) fn tag(&self) -> [u8; 16] {
        let mut digest = Digest::default();
        digest.fold(self.secret.0);
        digest.fold(self.records);
        let first = digest.value();
        digest.fold(first);
        (u128::from(first) << 64 | u128::from(digest.value())).to_be_bytes()
    }

    /// One more record is protected.
    pub(super) const fn count(&mut self) {
        self.records += 1;
    }
}
