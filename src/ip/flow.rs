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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Datagram, Dscp, Ecn, Flags, Segment, Transit};
    use std::net::Ipv4Addr;

    const VECTORS: [u64; 3] = [0xc39b_3979_1a65_ca3b, 0x9be8_e2c1_b021_835f, 0xcf29_5730_2665_168f];
    const PICKED: (usize, usize) = (612, 297);

    fn packet(src: [u8; 4], dst: [u8; 4], body: Body) -> Packet {
        Packet {
            src: Ipv4Addr::from(src),
            dst: Ipv4Addr::from(dst),
            ttl: 64,
            dscp: Dscp::DEFAULT,
            ecn: Ecn::NotCapable,
            ident: 0,
            body,
            transit: Transit::default(),
        }
    }

    fn udp(src_port: u16, dst_port: u16) -> Body {
        Body::Udp(Datagram { src_port, dst_port, ..Datagram::default() })
    }

    #[test]
    fn hashes_are_pinned() {
        // Computed from the definition in another language.
        let hash = |body| flow_hash(&packet([10, 0, 0, 2], [10, 0, 1, 2], body));
        assert_eq!(hash(udp(50_000, 53)), VECTORS[0]);
        assert_eq!(hash(Body::Tcp(Segment { src_port: 50_000, dst_port: 53, ..Segment::default() })), VECTORS[1]);
        assert_eq!(hash(Body::Icmp(Icmp::EchoRequest { identifier: 7, sequence: 1, data_len: 56 })), VECTORS[2]);
        assert_eq!(pick(VECTORS[0], 0, 1_000), PICKED.0);
        assert_eq!(pick(VECTORS[0], 99, 1_000), PICKED.1);
    }

    #[test]
    fn a_flow_is_its_five_tuple_and_nothing_else() {
        let segment = |flags, seq| Segment { src_port: 1, dst_port: 2, flags, seq, ..Segment::default() };
        let mut late = packet([1, 1, 1, 1], [2, 2, 2, 2], Body::Tcp(segment(Flags::ACK, crate::wire::Seq(9))));
        let early = packet([1, 1, 1, 1], [2, 2, 2, 2], Body::Tcp(segment(Flags::SYN, crate::wire::Seq(0))));
        late.ttl = 3;
        assert_eq!(flow_hash(&early), flow_hash(&late));
        let echo = |sequence| Body::Icmp(Icmp::EchoRequest { identifier: 7, sequence, data_len: 56 });
        let of = |body| flow_hash(&packet([1, 1, 1, 1], [2, 2, 2, 2], body));
        assert_eq!(of(echo(1)), of(echo(2)), "the probes of one ping stay on one path");
        let all = [of(udp(1, 2)), of(udp(2, 1)), of(Body::Tcp(segment(Flags::ACK, crate::wire::Seq(0)))), of(echo(1))];
        for (index, hash) in all.iter().enumerate() {
            assert!(!all[..index].contains(hash));
        }
    }

    /// Pearson's statistic of `counts` against equal shares.
    fn chi_square(counts: &[u64]) -> f64 {
        let total: u64 = counts.iter().sum();
        let expected = total as f64 / counts.len() as f64;
        counts.iter().map(|&count| (count as f64 - expected) * (count as f64 - expected) / expected).sum()
    }

    /// Flows as real hosts make them: neighbouring addresses, one server port, consecutive client ports.
    fn flows() -> impl Iterator<Item = u64> {
        (0..40u8).flat_map(|host| {
            (0..500u16).map(move |port| flow_hash(&packet([10, 0, 0, host], [10, 0, 1, 2], udp(40_000 + port, 443))))
        })
    }

    #[test]
    fn flows_spread_evenly() {
        // 99.9th percentiles of the chi-square distribution with k - 1 degrees of freedom (Abramowitz and Stegun, table 26.8).
        for (choices, limit) in [(2, 10.83), (3, 13.82), (4, 16.27), (8, 24.32), (16, 37.70)] {
            for salt in [0, 1, crate::base::stream_id("leaf1")] {
                let mut counts = vec![0; choices];
                flows().for_each(|flow| counts[pick(flow, salt, choices)] += 1);
                let statistic = chi_square(&counts);
                assert!(statistic < limit, "{choices} choices, salt {salt}: {statistic} in {counts:?}");
            }
        }
    }

    #[test]
    fn routers_in_a_row_choose_independently() {
        // The flows that one router sent by its first path spread evenly at the next; with a common salt they all go one way.
        let salt = crate::base::stream_id;
        let second = |salt_of_second| {
            let mut counts = vec![0; 4];
            flows()
                .filter(|&flow| pick(flow, salt("r1"), 4) == 0)
                .for_each(|flow| counts[pick(flow, salt_of_second, 4)] += 1);
            counts
        };
        assert!(chi_square(&second(salt("r2"))) < 16.27);
        assert!(chi_square(&second(salt("r1"))) > 1_000.0);
    }
}
