//! Equal-cost paths by flow: a hash of the 5-tuple that this crate owns, salted by each router.

use crate::wire::{Body, Icmp, Packet};

/// A 64-bit hash of (source, destination, protocol, source port, destination port). ICMP echoes have their identifier for a
/// source port, so that the probes of one ping stay on one path; other ICMP messages have no ports.
#[must_use]
pub fn flow_hash(packet: &Packet) -> u64 {
    let (src_port, dst_port) = match &packet.body {
        Body::Tcp(segment) => (segment.src_port, segment.dst_port),
        Body::Udp(datagram) => (datagram.src_port, datagram.dst_port),
        Body::Icmp(Icmp::EchoRequest { identifier, .. } | Icmp::EchoReply { identifier, .. }) => (*identifier, 0),
        Body::Icmp(_) => (0, 0),
    };
    let addresses = u64::from(packet.src.to_bits()) << 32 | u64::from(packet.dst.to_bits());
    let ends = u64::from(packet.body.protocol()) << 32 | u64::from(src_port) << 16 | u64::from(dst_port);
    mix(mix(addresses).wrapping_add(ends))
}

/// One of `0..choices` for the flow with hash `flow` at the router with `salt`. Routers with different salts choose
/// independently: with one common choice the second of two routers in a row would see only flows that the first sent its
/// way, and use one of its own paths for them all.
///
/// # Panics
/// In debug builds, if there are no choices.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the quotient is smaller than `choices`")]
pub fn pick(flow: u64, salt: u64, choices: usize) -> usize {
    debug_assert!(choices > 0);
    ((u128::from(mix(flow ^ salt)) * choices as u128) >> 64) as usize
}

/// The finaliser of `MurmurHash3` (Appleby, public domain) in the constants of splitmix64 variant 13 (Stafford): every input bit
/// moves every output bit.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
