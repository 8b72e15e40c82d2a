//! Protected bytes for captures: Initial packets as RFC 9001 protects them, so that any tool reads the handshake's first messages, and
//! the rest as bytes that nobody can read without keys.

mod aes;
mod hash;

use super::cid::ConnectionId;
use super::header::{Header, LongKind};
use super::packet::{Item, decode};
use super::{Frame, Packet as QuicPacket, Side, TAG_LEN};
use crate::base::Digest;
use crate::wire::{Body, Packet, Payload};
use aes::Aes128;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

/// The salt of version 1 (RFC 9001 5.2).
const SALT: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f,
    0x0a,
];

/// The keys of Initial packets in one direction.
#[derive(Debug)]
struct Keys {
    packet: Aes128,
    iv: [u8; 12],
    header: Aes128,
}

impl Keys {
    /// RFC 9001 5.2, for the destination connection id of the client's first Initial.
    fn initial(original: &ConnectionId, side: Side) -> Self {
        let initial = hash::hmac(&SALT, original.as_bytes());
        let label = if side == Side::Client { "client in" } else { "server in" };
        let secret = hash::expand_label(&initial, label);
        Self {
            packet: Aes128::new(hash::expand_label(&secret, "quic key")),
            iv: hash::expand_label(&secret, "quic iv"),
            header: Aes128::new(hash::expand_label(&secret, "quic hp")),
        }
    }

    /// Protects a packet in place: `head` bytes of header, of which the last `number_len` are the number, then frames, then room
    /// for the tag.
    fn protect(&self, packet: &mut [u8], head: usize, number: u64, number_len: usize) {
        let mut nonce = self.iv;
        nonce.iter_mut().skip(4).zip(number.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        let (header, body) = packet.split_at_mut(head);
        let text = body.len() - TAG_LEN as usize;
        let tag = self.packet.seal(nonce, header, &mut body[..text]);
        body[text..].copy_from_slice(&tag);
        // RFC 9001 5.4: the sample begins four bytes behind the beginning of the number.
        let number_at = head - number_len;
        let mut sample = [0; 16];
        sample.copy_from_slice(&packet[number_at + 4..number_at + 20]);
        let mask = self.header.encrypt(sample);
        packet[0] ^= mask[0] & if packet[0] & 0x80 == 0 { 0x1f } else { 0x0f };
        packet[number_at..head].iter_mut().zip(&mask[1..]).for_each(|(byte, mask)| *byte ^= mask);
    }
}

/// A connection as a capture knows it.
#[derive(Debug)]
struct Known {
    /// Whether a Retry has changed it.
    retried: bool,
    keys: [Keys; 2],
}

impl Known {
    fn new(original: &ConnectionId, retried: bool) -> Self {
        let keys = [Side::Client, Side::Server].map(|side| Keys::initial(original, side));
        Self { retried, keys }
    }
}

/// Makes protected datagrams of plaintext ones, in the order in which they were sent.
#[derive(Debug, Default)]
pub struct Protector {
    /// By the addresses of client and server.
    known: BTreeMap<(SocketAddrV4, SocketAddrV4), Known>,
    /// Servers: what goes there or comes from there is QUIC also after its client has moved.
    servers: BTreeSet<SocketAddrV4>,
}

impl Protector {
    /// Nothing has been seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the payload of a QUIC datagram by protected bytes of the same length; other packets stay as they are. A datagram is
    /// QUIC if it begins with an Initial, or if one went between its addresses, or to its server, before.
    pub fn protect(&mut self, packet: &mut Packet) {
        let (src, dst) = (packet.src, packet.dst);
        let Body::Udp(datagram) = &mut packet.body else { return };
        let from = SocketAddrV4::new(src, datagram.src_port);
        let to = SocketAddrV4::new(dst, datagram.dst_port);
        let server = |end: &SocketAddrV4| self.servers.contains(end);
        let initial = super::reader::Reader::new(&datagram.payload).peek().is_ok_and(|first| first & 0xf0 == 0xc0);
        if !initial && !server(&from) && !server(&to) {
            return;
        }
        let (items, _) = decode(&datagram.payload, super::ID_LEN);
        if items.is_empty() {
            return;
        }
        if let Some(Item::Packet(QuicPacket {
            header: Header::Long { kind: LongKind::Initial { token }, dst, .. },
            ..
        })) = items.first()
        {
            let retried = !token.is_empty();
            let fresh = |known: &Known| retried && !known.retried;
            if !server(&from) && self.known.get(&(from, to)).is_none_or(fresh) {
                self.known.insert((from, to), Known::new(dst, retried));
                self.servers.insert(to);
            }
        }
        let mut bytes = datagram.payload.to_vec();
        let mut at = 0usize;
        for item in &items {
            let mut one = Payload::empty();
            item.put(&mut one);
            let len = usize::try_from(one.len()).unwrap_or(usize::MAX);
            if let (Item::Packet(quic), Some(part)) = (item, bytes.get_mut(at..at.saturating_add(len))) {
                self.protect_packet(quic, (from, to), part);
            }
            at = at.saturating_add(len);
        }
        datagram.payload = Payload::real(bytes);
    }

    fn protect_packet(&self, quic: &QuicPacket, (from, to): (SocketAddrV4, SocketAddrV4), part: &mut [u8]) {
        let head = quic.header.len(quic.number.len) as usize;
        let number_len = usize::from(quic.number.len);
        if let Header::Long { kind: LongKind::Initial { .. }, .. } = quic.header {
            let (known, side) = match (self.known.get(&(from, to)), self.known.get(&(to, from))) {
                (Some(known), _) => (known, Side::Client),
                (None, Some(known)) => (known, Side::Server),
                (None, None) => return,
            };
            // Few Initials are sent: their numbers are whole in their low bytes.
            known.keys[side as usize].protect(part, head, quic.number.value, number_len);
            return;
        }
        // Without keys nobody can tell these bytes from ciphertext.
        let mut digest = Digest::default();
        quic.header.dst().as_bytes().iter().for_each(|&byte| digest.fold(u64::from(byte)));
        digest.fold(quic.number.value);
        digest.fold(quic.frames.iter().map(|frame: &Frame| frame.len(false)).sum());
        part[0] ^= digest.value().to_be_bytes()[0] & if part[0] & 0x80 == 0 { 0x1f } else { 0x0f };
        for chunk in part[head - number_len..].chunks_mut(8) {
            digest.fold(1);
            let word = digest.value().to_be_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::quic::{MIN_INITIAL, Number};
    use crate::wire::{Datagram, Ecn, Transit};
    use bytes::Bytes;
    use std::net::Ipv4Addr;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    fn unhex(text: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(digit).collect()
    }

    fn example() -> ConnectionId {
        ConnectionId::new(&unhex("8394c8f03e515708")).unwrap()
    }

    #[test]
    fn the_keys_of_rfc_9001_a_1() {
        let initial = hash::hmac(&SALT, example().as_bytes());
        let client: [u8; 32] = hash::expand_label(&initial, "client in");
        assert_eq!(hex(&hash::expand_label::<16>(&client, "quic key")), "1f369613dd76d5467730efcbe3b1a22d");
        assert_eq!(hex(&hash::expand_label::<12>(&client, "quic iv")), "fa044b2f42a3fd3b46fb255c");
        assert_eq!(hex(&hash::expand_label::<16>(&client, "quic hp")), "9f50449e04a0e810283a1e9933adedd2");
        let server: [u8; 32] = hash::expand_label(&initial, "server in");
        assert_eq!(hex(&hash::expand_label::<16>(&server, "quic key")), "cf3a5331653c364c88f0f379b6067e37");
    }

    #[test]
    fn the_server_initial_of_rfc_9001_a_3() {
        let header = unhex("c1000000010008f067a5502a4262b50040750001");
        let frames = unhex(concat!(
            "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf739",
            "88cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c94",
            "0d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00",
            "020304",
        ));
        let mut packet = [&header[..], &frames, &[0; 16]].concat();
        Keys::initial(&example(), Side::Server).protect(&mut packet, header.len(), 1, 2);
        let expected = concat!(
            "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a",
            "5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3",
            "dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84",
            "022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4",
            "2158407dd074ee",
        );
        assert_eq!(hex(&packet), expected);
    }

    fn datagram(from: u16, to: u16, items: &[QuicPacket]) -> Packet {
        let mut payload = Payload::empty();
        items.iter().for_each(|item| item.put(&mut payload));
        Packet {
            src: Ipv4Addr::new(10, 0, 0, if from == 443 { 2 } else { 1 }),
            dst: Ipv4Addr::new(10, 0, 0, if to == 443 { 2 } else { 1 }),
            ttl: 64,
            dscp: crate::wire::Dscp::DEFAULT,
            ecn: Ecn::NotCapable,
            ident: 0,
            body: Body::Udp(Datagram { src_port: from, dst_port: to, payload }),
            transit: Transit::default(),
        }
    }

    fn bytes_of(packet: &Packet) -> Vec<u8> {
        let Body::Udp(datagram) = &packet.body else { panic!("a datagram") };
        datagram.payload.to_vec()
    }

    #[test]
    fn datagrams_keep_their_length_and_what_routers_may_read() {
        let mut protector = Protector::new();
        let initial = QuicPacket {
            header: Header::Long {
                kind: LongKind::Initial { token: Bytes::new() },
                dst: example(),
                src: ConnectionId::of_number(7),
            },
            number: Number { value: 0, len: 1 },
            frames: vec![Frame::Padding(u64::from(MIN_INITIAL) - 43 - 1), Frame::Ping],
        };
        let short = QuicPacket {
            header: Header::Short { dst: ConnectionId::of_number(7) },
            number: Number { value: 3, len: 1 },
            frames: vec![Frame::Padding(900), Frame::Ping],
        };
        let plain = datagram(4000, 443, std::slice::from_ref(&initial));
        let mut protected = plain.clone();
        protector.protect(&mut protected);
        let (before, after) = (bytes_of(&plain), bytes_of(&protected));
        assert_eq!((before.len(), before.len()), (1200, after.len()));
        // Version, ids, token and length are in the clear; nothing else is.
        assert_eq!(before[1..26], after[1..26]);
        assert_ne!(before[26..], after[26..]);
        assert_eq!(after[0] & 0xf0, 0xc0);
        let plain = datagram(443, 4000, std::slice::from_ref(&short));
        let mut protected = plain.clone();
        protector.protect(&mut protected);
        let (before, after) = (bytes_of(&plain), bytes_of(&protected));
        assert_eq!((before.len(), before[1..9].to_vec()), (after.len(), after[1..9].to_vec()));
        assert!(after.windows(8).all(|window| window != [0; 8]), "no plaintext is left");
        // Others are left alone.
        let mut other = datagram(53, 5353, &[]);
        let Body::Udp(dns) = &mut other.body else { panic!("a datagram") };
        dns.payload = Payload::real(&b"\x12\x34\x01\x00"[..]);
        let same = other.clone();
        protector.protect(&mut other);
        assert_eq!(other, same);
    }
}
