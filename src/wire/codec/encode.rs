//! Packet to bytes, checksums included.

use super::checksum::Checksum;
use crate::wire::{
    Body, Datagram, Dscp, Ecn, FastOpen, IPV4_HEADER, Icmp, Options, Packet, Payload, Quote, Segment, TCP_HEADER,
    UnreachableCode,
};
use std::fmt;
use std::net::Ipv4Addr;

/// Why a packet has no bytes: it could not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// Longer than the 65,535 bytes that an IPv4 packet can have.
    TooLong {
        /// Its length in bytes.
        len: u64,
    },
    /// More than the 40 bytes of options that a TCP header can hold.
    OptionsTooLong {
        /// Their length in bytes.
        len: u32,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len } => write!(f, "an IPv4 packet has at most 65,535 bytes, not {len}"),
            Self::OptionsTooLong { len } => write!(f, "TCP options have at most 40 bytes, not {len}"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// Appends the bytes of `packet` to `out`; on an error `out` is as it was.
///
/// The header is that of a host of today: no IP options, "don't fragment" set. Filler, and the data of echoes, are
/// zeros. A UDP checksum is always there.
pub fn encode(packet: &Packet, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let len = u64::from(IPV4_HEADER) + body_len(&packet.body);
    let total = u16::try_from(len).map_err(|_| EncodeError::TooLong { len })?;
    if let Body::Tcp(segment) = &packet.body
        && segment.options.len() > 40
    {
        return Err(EncodeError::OptionsTooLong { len: segment.options.len() });
    }
    out.reserve(usize::from(total));
    ip_header(
        out,
        &Ip {
            src: packet.src,
            dst: packet.dst,
            ttl: packet.ttl,
            dscp: packet.dscp,
            ecn: packet.ecn,
            ident: packet.ident,
            protocol: packet.body.protocol(),
            total,
        },
    );
    match &packet.body {
        Body::Tcp(segment) => tcp(out, packet, segment),
        Body::Udp(datagram) => udp(out, packet, datagram),
        Body::Icmp(message) => icmp(out, message),
    }
    Ok(())
}

/// The first eight bytes of the packet's payload as they are on the wire: what an ICMP error repeats.
#[must_use]
pub fn head(packet: &Packet) -> [u8; 8] {
    let mut bytes = [0; 8];
    match &packet.body {
        Body::Tcp(segment) => {
            bytes[..2].copy_from_slice(&segment.src_port.to_be_bytes());
            bytes[2..4].copy_from_slice(&segment.dst_port.to_be_bytes());
            bytes[4..].copy_from_slice(&segment.seq.0.to_be_bytes());
        }
        Body::Udp(datagram) => bytes = udp_header(packet, datagram),
        Body::Icmp(message) => {
            let mut whole = Vec::new();
            icmp(&mut whole, message);
            bytes.copy_from_slice(&whole[..8]);
        }
    }
    bytes
}

/// Like [`Body::wire_len`], but in 64 bits, which no payload overflows.
fn body_len(body: &Body) -> u64 {
    match body {
        Body::Tcp(segment) => u64::from(TCP_HEADER + segment.options.len()) + segment.payload.len(),
        Body::Udp(datagram) => 8 + datagram.payload.len(),
        Body::Icmp(Icmp::EchoRequest { data_len, .. } | Icmp::EchoReply { data_len, .. }) => 8 + u64::from(*data_len),
        Body::Icmp(_) => 36,
    }
}

struct Ip {
    src: Ipv4Addr,
    dst: Ipv4Addr,
    ttl: u8,
    dscp: Dscp,
    ecn: Ecn,
    ident: u16,
    protocol: u8,
    total: u16,
}

/// RFC 791 3.1.
fn ip_header(out: &mut Vec<u8>, ip: &Ip) {
    let start = out.len();
    let ecn = match ip.ecn {
        Ecn::NotCapable => 0,
        Ecn::Ect1 => 1,
        Ecn::Ect0 => 2,
        Ecn::CongestionExperienced => 3,
    };
    out.extend([0x45, ip.dscp.get() << 2 | ecn]);
    out.extend(ip.total.to_be_bytes());
    out.extend(ip.ident.to_be_bytes());
    out.extend([0x40, 0, ip.ttl, ip.protocol, 0, 0]);
    out.extend(ip.src.octets());
    out.extend(ip.dst.octets());
    seal(out, start, 10);
}

/// Writes the checksum of everything from `start` on into the field at `start + field`, which is zero.
fn seal(out: &mut [u8], start: usize, field: usize) {
    let mut checksum = Checksum::new();
    checksum.add(&out[start..]);
    out[start + field..start + field + 2].copy_from_slice(&checksum.value().to_be_bytes());
}

/// The pseudo-header of TCP and UDP (RFC 9293 3.1, RFC 768).
pub(super) fn pseudo_header(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, len: u16) -> Checksum {
    let mut checksum = Checksum::new();
    checksum.add(&src.octets());
    checksum.add(&dst.octets());
    checksum.add(&[0, protocol]);
    checksum.add(&len.to_be_bytes());
    checksum
}

#[expect(clippy::cast_possible_truncation, reason = "the caller has checked the total length")]
fn tcp(out: &mut Vec<u8>, packet: &Packet, segment: &Segment) {
    let start = out.len();
    let header = TCP_HEADER + segment.options.len();
    out.extend(segment.src_port.to_be_bytes());
    out.extend(segment.dst_port.to_be_bytes());
    out.extend(segment.seq.0.to_be_bytes());
    out.extend(segment.ack.0.to_be_bytes());
    out.extend([((header / 4) as u8) << 4, segment.flags.0]);
    out.extend(segment.window.to_be_bytes());
    out.extend([0; 4]);
    tcp_options(out, &segment.options);
    debug_assert_eq!(out.len() - start, header as usize);
    let mut checksum = pseudo_header(packet.src, packet.dst, 6, segment.wire_len() as u16);
    checksum.add(&out[start..]);
    checksum.add_payload(&segment.payload);
    out[start + 16..start + 18].copy_from_slice(&checksum.value().to_be_bytes());
    data(out, &segment.payload);
}

fn data(out: &mut Vec<u8>, payload: &Payload) {
    for chunk in payload.chunks() {
        out.extend_from_slice(chunk.real());
        zeros(out, chunk.filler());
    }
}

/// Appends `n` zeros, of which a packet has at most 64 KiB.
#[expect(clippy::cast_possible_truncation, reason = "the caller has checked the total length")]
fn zeros(out: &mut Vec<u8>, n: u64) {
    out.resize(out.len() + n as usize, 0);
}

/// In the order and padding of Linux's `tcp_options_write`.
fn tcp_options(out: &mut Vec<u8>, options: &Options) {
    const NOP: u8 = 1;
    if let Some(mss) = options.mss {
        out.extend([2, 4]);
        out.extend(mss.to_be_bytes());
    }
    let sack_permitted = if options.sack_permitted { [4, 2] } else { [NOP, NOP] };
    if let Some((value, echo)) = options.timestamps {
        out.extend(sack_permitted);
        out.extend([8, 10]);
        out.extend(value.to_be_bytes());
        out.extend(echo.to_be_bytes());
    } else if options.sack_permitted {
        out.extend([NOP, NOP, 4, 2]);
    }
    if let Some(shift) = options.window_scale {
        out.extend([NOP, 3, 3, shift]);
    }
    match options.fast_open {
        FastOpen::Absent => {}
        FastOpen::Request => out.extend([34, 2, NOP, NOP]),
        FastOpen::Cookie(cookie) => {
            out.extend([34, 10]);
            out.extend(cookie);
            out.extend([NOP, NOP]);
        }
    }
    let blocks = options.sack.as_slice();
    if !blocks.is_empty() {
        out.extend([NOP, NOP, 5, u8::try_from(2 + 8 * blocks.len()).unwrap_or(u8::MAX)]);
        for (left, right) in blocks {
            out.extend(left.0.to_be_bytes());
            out.extend(right.0.to_be_bytes());
        }
    }
}

/// RFC 768. A checksum that comes out as zero is sent as its other form, 0xffff: zero would mean that there is none.
#[expect(clippy::cast_possible_truncation, reason = "the caller has checked the total length")]
fn udp_header(packet: &Packet, datagram: &Datagram) -> [u8; 8] {
    let len = (8 + datagram.payload.len()) as u16;
    let mut header = [0; 8];
    header[..2].copy_from_slice(&datagram.src_port.to_be_bytes());
    header[2..4].copy_from_slice(&datagram.dst_port.to_be_bytes());
    header[4..6].copy_from_slice(&len.to_be_bytes());
    let mut checksum = pseudo_header(packet.src, packet.dst, 17, len);
    checksum.add(&header);
    checksum.add_payload(&datagram.payload);
    let value = if checksum.value() == 0 { 0xffff } else { checksum.value() };
    header[6..].copy_from_slice(&value.to_be_bytes());
    header
}

fn udp(out: &mut Vec<u8>, packet: &Packet, datagram: &Datagram) {
    out.extend(udp_header(packet, datagram));
    data(out, &datagram.payload);
}

/// RFC 792, and RFC 1191 4 for the MTU.
fn icmp(out: &mut Vec<u8>, message: &Icmp) {
    let start = out.len();
    match message {
        Icmp::EchoRequest { identifier, sequence, data_len } => echo(out, 8, *identifier, *sequence, *data_len),
        Icmp::EchoReply { identifier, sequence, data_len } => echo(out, 0, *identifier, *sequence, *data_len),
        Icmp::TimeExceeded(quote) => error(out, [11, 0], 0, 1, quote),
        Icmp::Unreachable(code, quote) => error(out, [3, unreachable_code(*code)], 0, 64, quote),
        Icmp::PacketTooBig { mtu, quote } => error(out, [3, 4], *mtu, 64, quote),
    }
    seal(out, start, 2);
}

const fn unreachable_code(code: UnreachableCode) -> u8 {
    match code {
        UnreachableCode::Network => 0,
        UnreachableCode::Host => 1,
        UnreachableCode::Port => 3,
    }
}

fn echo(out: &mut Vec<u8>, kind: u8, identifier: u16, sequence: u16, data_len: u32) {
    out.extend([kind, 0, 0, 0]);
    out.extend(identifier.to_be_bytes());
    out.extend(sequence.to_be_bytes());
    zeros(out, u64::from(data_len));
}

/// An error and its quote. Of the quoted header a [`Quote`] does not hold TTL, identification, DSCP and ECN; they are written
/// as `ttl` and zeros.
fn error(out: &mut Vec<u8>, kind: [u8; 2], mtu: u16, ttl: u8, quote: &Quote) {
    out.extend(kind);
    out.extend([0; 4]);
    out.extend(mtu.to_be_bytes());
    let Quote { src, dst, protocol, total_len, head } = *quote;
    ip_header(
        out,
        &Ip { src, dst, ttl, dscp: Dscp::DEFAULT, ecn: Ecn::NotCapable, ident: 0, protocol, total: total_len },
    );
    out.extend(head);
}
