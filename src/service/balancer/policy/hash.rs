//! Hashes of keys and of points: the same on every platform and in every balancer.

use crate::base::stream_id;

/// A hash of bytes.
#[must_use]
pub fn key(bytes: &[u8]) -> u64 {
    // FNV-1a over bytes that may be no text.
    let fnv = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    numbers(fnv, bytes.len() as u64)
}

/// A hash of two numbers.
pub(super) fn numbers(a: u64, b: u64) -> u64 {
    let mut digest = crate::base::Digest::default();
    digest.fold(a);
    digest.fold(b);
    digest.value()
}

/// A family of hashes of backends, by its purpose.
pub(super) fn of_backend(purpose: &str, id: usize, index: u64) -> u64 {
    numbers(stream_id(purpose) ^ id as u64, index)
}
