//! The pcapng file format (draft-ietf-opsawg-pcapng), as far as captures need it: a section, its interfaces, its packets.
//!
//! Everything is little-endian. Packets are raw IP (link type 101, `LINKTYPE_RAW`), time is nanoseconds since the run began, which
//! readers show as the first of January 1970.

use std::net::Ipv4Addr;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const LINKTYPE_RAW: u16 = 101;

/// Codes of options; each kind of block counts its own from 2 on.
mod option {
    pub(super) const COMMENT: u16 = 1;
    pub(super) const SHB_USERAPPL: u16 = 4;
    pub(super) const IF_NAME: u16 = 2;
    pub(super) const IF_DESCRIPTION: u16 = 3;
    pub(super) const IF_IPV4ADDR: u16 = 4;
    pub(super) const IF_SPEED: u16 = 8;
    pub(super) const IF_TSRESOL: u16 = 9;
    pub(super) const EPB_FLAGS: u16 = 2;
    pub(super) const EPB_PACKETID: u16 = 5;
}

/// What a file says of an interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// A sentence about it.
    pub description: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Rate at which it sends, in bits per second.
    pub speed: u64,
    /// Bytes kept of each packet; 0 keeps all.
    pub snap_len: u32,
}

/// Which way a packet went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Received.
    Inbound,
    /// Sent.
    Outbound,
}

/// One packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Captured<'a> {
    /// Number of its interface, in the order of their blocks.
    pub interface: u32,
    /// When, in nanoseconds.
    pub nanos: u64,
    /// Which way it went.
    pub direction: Direction,
    /// A number that the same packet has on every interface.
    pub packet_id: u64,
    /// All its bytes.
    pub bytes: &'a [u8],
    /// Words about it.
    pub comments: &'a [String],
}

/// Appends the block that begins a file: who wrote it, and words about the whole.
pub fn section(out: &mut Vec<u8>, application: &str, comment: &str) {
    block(out, SECTION_HEADER, |out| {
        out.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        // Version 1.0; the length of the section is not stated.
        out.extend([1, 0, 0, 0]);
        out.extend((-1i64).to_le_bytes());
        text(out, option::COMMENT, comment);
        text(out, option::SHB_USERAPPL, application);
        end_of_options(out);
    });
}

/// Appends the description of an interface.
pub fn interface(out: &mut Vec<u8>, interface: &Interface) {
    block(out, INTERFACE_DESCRIPTION, |out| {
        out.extend(LINKTYPE_RAW.to_le_bytes());
        out.extend([0; 2]);
        out.extend(interface.snap_len.to_le_bytes());
        text(out, option::IF_NAME, &interface.name);
        text(out, option::IF_DESCRIPTION, &interface.description);
        let [a, b, c, d] = interface.address.octets();
        value(out, option::IF_IPV4ADDR, &[a, b, c, d, 255, 255, 255, 255]);
        value(out, option::IF_SPEED, &interface.speed.to_le_bytes());
        // Ten to the power of minus nine seconds.
        value(out, option::IF_TSRESOL, &[9]);
        end_of_options(out);
    });
}

/// Appends a packet, cut to `snap_len` bytes unless that is 0.
pub fn packet(out: &mut Vec<u8>, packet: &Captured<'_>, snap_len: u32) {
    block(out, ENHANCED_PACKET, |out| {
        let whole = packet.bytes.len();
        let kept = if snap_len == 0 { whole } else { whole.min(snap_len as usize) };
        out.extend(packet.interface.to_le_bytes());
        let [low, high] = halves(packet.nanos);
        out.extend(high.to_le_bytes());
        out.extend(low.to_le_bytes());
        out.extend(length(kept).to_le_bytes());
        out.extend(length(whole).to_le_bytes());
        out.extend_from_slice(&packet.bytes[..kept]);
        pad(out, kept);
        for comment in packet.comments {
            text(out, option::COMMENT, comment);
        }
        let way: u32 = match packet.direction {
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        value(out, option::EPB_FLAGS, &way.to_le_bytes());
        value(out, option::EPB_PACKETID, &packet.packet_id.to_le_bytes());
        end_of_options(out);
    });
}

/// A block: its kind, its length, what `fill` writes, its length again.
fn block(out: &mut Vec<u8>, kind: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    fill(out);
    let total = length(out.len() - start + 4).to_le_bytes();
    out.extend(total);
    out[start + 4..start + 8].copy_from_slice(&total);
}

/// The lower and the upper half.
#[expect(clippy::cast_possible_truncation, reason = "each half is a half")]
const fn halves(n: u64) -> [u32; 2] {
    [n as u32, (n >> 32) as u32]
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a block holds one packet and a few words")
}

/// Zeros up to a multiple of four.
fn pad(out: &mut Vec<u8>, len: usize) {
    out.resize(out.len() + len.next_multiple_of(4) - len, 0);
}

fn value(out: &mut Vec<u8>, code: u16, bytes: &[u8]) {
    out.extend(code.to_le_bytes());
    out.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
    pad(out, bytes.len());
}

/// Words, cut where an option would not hold them.
fn text(out: &mut Vec<u8>, code: u16, words: &str) {
    let most = words.len().min(usize::from(u16::MAX));
    let end = (0..=most).rev().find(|&place| words.is_char_boundary(place)).unwrap_or(0);
    value(out, code, &words.as_bytes()[..end]);
}

fn end_of_options(out: &mut Vec<u8>) {
    out.extend([0; 4]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    fn sample() -> Vec<u8> {
        let mut out = Vec::new();
        section(&mut out, "lightlag", "scenario x");
        let description = Interface {
            name: "user:user-isp".into(),
            description: "São Paulo".into(),
            address: Ipv4Addr::new(10, 0, 0, 1),
            speed: 1_000_000_000,
            snap_len: 0,
        };
        interface(&mut out, &description);
        let comments = ["lost".to_owned(), "twice".to_owned()];
        let one = Captured {
            interface: 0,
            nanos: 5_000_000_001,
            direction: Direction::Outbound,
            packet_id: 7,
            bytes: &[0x45; 21],
            comments: &comments,
        };
        packet(&mut out, &one, 0);
        packet(&mut out, &one, 20);
        out
    }

    /// A reader finds every block by the lengths at its beginning and end, and both agree.
    #[test]
    fn blocks_follow_one_another_without_a_gap() {
        let bytes = sample();
        let (mut at, mut kinds) = (0, Vec::new());
        while at < bytes.len() {
            let len = word(&bytes, at + 4) as usize;
            assert_eq!(len % 4, 0);
            assert_eq!(word(&bytes, at + len - 4) as usize, len);
            kinds.push(word(&bytes, at));
            at += len;
        }
        assert_eq!(kinds, [0x0a0d_0d0a, 1, 6, 6]);
    }

    #[test]
    fn a_packet_keeps_its_length_when_its_bytes_are_cut() {
        let bytes = sample();
        let starts: Vec<usize> = (0..bytes.len()).step_by(4).filter(|&at| word(&bytes, at) == 6).collect();
        let [whole, cut] = starts[..] else { panic!("{starts:?}") };
        assert_eq!(
            (word(&bytes, whole + 12), word(&bytes, whole + 16)),
            (1, 705_032_705),
            "5,000,000,001 in two halves"
        );
        assert_eq!((word(&bytes, whole + 20), word(&bytes, whole + 24)), (21, 21));
        assert_eq!((word(&bytes, cut + 20), word(&bytes, cut + 24)), (20, 21));
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let mut out = Vec::new();
        text(&mut out, 1, &"é".repeat(40_000));
        assert_eq!(out[2..4], 65_534u16.to_le_bytes());
        assert_eq!(out.len() % 4, 0);
    }
}
