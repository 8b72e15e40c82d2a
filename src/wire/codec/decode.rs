//! Bytes to packet, or what is wrong with them and where.

use super::checksum::Checksum;
use super::encode::pseudo_header;
use crate::wire::{
    Body, Datagram, Dscp, Ecn, FastOpen, Flags, Icmp, Options, Packet, Payload, Quote, SackBlocks, Segment, Seq,
    Transit, UnreachableCode,
};
use std::fmt;
use std::net::Ipv4Addr;

/// What is wrong with bytes that are no packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// They end too early.
    Truncated,
    /// The version is not 4.
    Version,
    /// A length field contradicts the bytes, or the smallest possible value.
    Length,
    /// A checksum does not fit.
    Checksum,
    /// There is no UDP checksum, though this stack always sends one.
    NoChecksum,
    /// IP options, which this stack does not send.
    IpOptions,
    /// A fragment, or a packet that may be fragmented; this stack does neither.
    Fragment,
    /// Bits that must be zero are not.
    Reserved,
    /// A protocol other than ICMP, TCP and UDP.
    Protocol,
    /// An ICMP type or code that this stack does not send.
    IcmpKind,
    /// A TCP option of the wrong length.
    Option,
}

/// Why bytes are no packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeError {
    /// What is wrong.
    pub fault: Fault,
    /// Where, in bytes from the start of the packet: the field that is wrong, or the end where more was needed.
    pub offset: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            Fault::Truncated => "the bytes end too early",
            Fault::Version => "not IPv4",
            Fault::Length => "impossible length",
            Fault::Checksum => "wrong checksum",
            Fault::NoChecksum => "no UDP checksum",
            Fault::IpOptions => "IP options are not supported",
            Fault::Fragment => "fragments are not supported",
            Fault::Reserved => "reserved bits are set",
            Fault::Protocol => "unknown protocol",
            Fault::IcmpKind => "unknown ICMP type or code",
            Fault::Option => "TCP option of wrong length",
        };
        write!(f, "{what}, at byte {}", self.offset)
    }
}

impl std::error::Error for DecodeError {}

const fn fail<T>(fault: Fault, offset: usize) -> Result<T, DecodeError> {
    Err(DecodeError { fault, offset })
}

/// Bytes with their place in the packet.
#[derive(Clone, Copy)]
struct Part<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Part<'_> {
    const fn error<T>(self, fault: Fault, at: usize) -> Result<T, DecodeError> {
        fail(fault, self.offset + at)
    }

    /// The first `n` bytes and the rest.
    fn split(self, n: usize) -> Result<(Self, Self), DecodeError> {
        let Some((head, tail)) = self.bytes.split_at_checked(n) else {
            return self.error(Fault::Truncated, self.bytes.len());
        };
        Ok((Self { bytes: head, offset: self.offset }, Self { bytes: tail, offset: self.offset + n }))
    }

    /// `N` bytes from `at` on.
    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], DecodeError> {
        let found = self.bytes.get(at..).and_then(|rest| rest.first_chunk());
        found.copied().ok_or(DecodeError { fault: Fault::Truncated, offset: self.offset + self.bytes.len() })
    }

    fn byte(self, at: usize) -> Result<u8, DecodeError> {
        self.array::<1>(at).map(|[byte]| byte)
    }

    fn word(self, at: usize) -> Result<u16, DecodeError> {
        self.array(at).map(u16::from_be_bytes)
    }

    fn long(self, at: usize) -> Result<u32, DecodeError> {
        self.array(at).map(u32::from_be_bytes)
    }

    fn address(self, at: usize) -> Result<Ipv4Addr, DecodeError> {
        self.array::<4>(at).map(Ipv4Addr::from)
    }

    /// Whether the bytes, with their checksum in them, sum up to nothing after `so_far`.
    fn sums_up(self, mut so_far: Checksum) -> bool {
        so_far.add(self.bytes);
        so_far.value() == 0
    }
}

/// The packet in `bytes`, which hold it and nothing else.
///
/// Everything that [`encode`](super::encode()) writes comes back, except what no machine on the way can see: the
/// [`Transit`], and that filler was filler (zeros are real bytes here). What this stack never sends is refused, not guessed
/// at. TCP options that it does not know, and the data of echoes, are skipped. Of quoted headers only the fields of
/// [`Quote`] are read.
pub fn decode(bytes: &[u8]) -> Result<Packet, DecodeError> {
    let whole = Part { bytes, offset: 0 };
    if whole.byte(0)? >> 4 != 4 {
        return whole.error(Fault::Version, 0);
    }
    let (header, body) = whole.split(20)?;
    match header.byte(0)? & 0xf {
        5 => {}
        0..5 => return header.error(Fault::Length, 0),
        _ => return header.error(Fault::IpOptions, 0),
    }
    if usize::from(header.word(2)?) != bytes.len() {
        return header.error(Fault::Length, 2);
    }
    if !header.sums_up(Checksum::new()) {
        return header.error(Fault::Checksum, 10);
    }
    if header.word(6)? != 0x4000 {
        return header.error(Fault::Fragment, 6);
    }
    let (src, dst) = (header.address(12)?, header.address(16)?);
    let protocol = header.byte(9)?;
    let len = u16::try_from(body.bytes.len()).unwrap_or(u16::MAX);
    let pseudo = pseudo_header(src, dst, protocol, len);
    let body = match protocol {
        1 => Body::Icmp(icmp(body)?),
        6 => Body::Tcp(tcp(body, pseudo)?),
        17 => Body::Udp(udp(body, pseudo)?),
        _ => return header.error(Fault::Protocol, 9),
    };
    let class = header.byte(1)?;
    let dscp = Dscp::new(class >> 2).unwrap_or_default();
    let ecn = match class & 3 {
        0 => Ecn::NotCapable,
        1 => Ecn::Ect1,
        2 => Ecn::Ect0,
        _ => Ecn::CongestionExperienced,
    };
    let (ident, ttl) = (header.word(4)?, header.byte(8)?);
    Ok(Packet { src, dst, ttl, dscp, ecn, ident, body, transit: Transit::default() })
}

fn udp(part: Part<'_>, pseudo: Checksum) -> Result<Datagram, DecodeError> {
    let (header, data) = part.split(8)?;
    if usize::from(header.word(4)?) != part.bytes.len() {
        return header.error(Fault::Length, 4);
    }
    if header.word(6)? == 0 {
        return header.error(Fault::NoChecksum, 6);
    }
    if !part.sums_up(pseudo) {
        return header.error(Fault::Checksum, 6);
    }
    Ok(Datagram { src_port: header.word(0)?, dst_port: header.word(2)?, payload: payload(data) })
}

fn payload(data: Part<'_>) -> Payload {
    Payload::real(data.bytes.to_vec())
}

fn tcp(part: Part<'_>, pseudo: Checksum) -> Result<Segment, DecodeError> {
    let (fixed, _) = part.split(20)?;
    let header_len = usize::from(fixed.byte(12)? >> 4) * 4;
    if header_len < 20 {
        return fixed.error(Fault::Length, 12);
    }
    let (header, data) = part.split(header_len)?;
    if !part.sums_up(pseudo) {
        return fixed.error(Fault::Checksum, 16);
    }
    if fixed.byte(12)? & 0xf != 0 {
        return fixed.error(Fault::Reserved, 12);
    }
    Ok(Segment {
        src_port: fixed.word(0)?,
        dst_port: fixed.word(2)?,
        seq: Seq(fixed.long(4)?),
        ack: Seq(fixed.long(8)?),
        flags: Flags(fixed.byte(13)?),
        window: fixed.word(14)?,
        options: tcp_options(header.split(20)?.1)?,
        payload: payload(data),
    })
}

/// RFC 9293 3.2.
fn tcp_options(mut part: Part<'_>) -> Result<Options, DecodeError> {
    const END: u8 = 0;
    const NOP: u8 = 1;
    let mut options = Options::default();
    while let Some(&kind) = part.bytes.first() {
        if kind == END {
            break;
        }
        if kind == NOP {
            part = part.split(1)?.1;
            continue;
        }
        let len = usize::from(part.byte(1)?);
        if len < 2 || len > part.bytes.len() {
            return part.error(Fault::Option, 1);
        }
        let (option, rest) = part.split(len)?;
        match (kind, len) {
            (2, 4) => options.mss = Some(option.word(2)?),
            (3, 3) => options.window_scale = Some(option.byte(2)?),
            (4, 2) => options.sack_permitted = true,
            (5, 10 | 18 | 26 | 34) => options.sack = sack(option)?,
            (34, 2) => options.fast_open = FastOpen::Request,
            (34, 10) => options.fast_open = FastOpen::Cookie(option.array(2)?),
            (8, 10) => options.timestamps = Some((option.long(2)?, option.long(6)?)),
            (2..=5 | 8, _) => return option.error(Fault::Option, 1),
            _ => {}
        }
        part = rest;
    }
    Ok(options)
}

fn sack(option: Part<'_>) -> Result<SackBlocks, DecodeError> {
    let mut blocks = SackBlocks::none();
    for at in (2..option.bytes.len()).step_by(8) {
        if !blocks.push(Seq(option.long(at)?), Seq(option.long(at + 4)?)) {
            return option.error(Fault::Option, 1);
        }
    }
    Ok(blocks)
}

fn icmp(part: Part<'_>) -> Result<Icmp, DecodeError> {
    let (header, data) = part.split(8)?;
    if !part.sums_up(Checksum::new()) {
        return header.error(Fault::Checksum, 2);
    }
    let (identifier, sequence) = (header.word(4)?, header.word(6)?);
    let data_len = u32::try_from(data.bytes.len()).unwrap_or(u32::MAX);
    Ok(match (header.byte(0)?, header.byte(1)?) {
        (8, 0) => Icmp::EchoRequest { identifier, sequence, data_len },
        (0, 0) => Icmp::EchoReply { identifier, sequence, data_len },
        (11, 0) => Icmp::TimeExceeded(quote(data)?),
        (3, 0) => Icmp::Unreachable(UnreachableCode::Network, quote(data)?),
        (3, 1) => Icmp::Unreachable(UnreachableCode::Host, quote(data)?),
        (3, 3) => Icmp::Unreachable(UnreachableCode::Port, quote(data)?),
        (3, 4) => Icmp::PacketTooBig { mtu: sequence, quote: quote(data)? },
        _ => return header.error(Fault::IcmpKind, 0),
    })
}

fn quote(data: Part<'_>) -> Result<Quote, DecodeError> {
    if data.bytes.len() > 28 {
        return data.error(Fault::Length, 28);
    }
    if data.byte(0)? != 0x45 {
        return data.error(Fault::IpOptions, 0);
    }
    Ok(Quote {
        src: data.address(12)?,
        dst: data.address(16)?,
        protocol: data.byte(9)?,
        total_len: data.word(2)?,
        head: data.array(20)?,
    })
}
