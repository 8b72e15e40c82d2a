//! What must hold of the codec: everything comes back, nothing panics, every flipped bit is noticed, and others read it.

use super::*;
use crate::wire::{
    Body, Datagram, Dscp, Ecn, FastOpen, Flags, Icmp, Options, Packet, Payload, Quote, SackBlocks, Segment, Seq,
    Transit, UnreachableCode,
};
use proptest::prelude::*;
use std::net::Ipv4Addr;

fn bytes_of(packet: &Packet) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(packet, &mut bytes).unwrap();
    bytes
}

fn of(body: Body) -> Packet {
    Packet {
        src: Ipv4Addr::new(10, 0, 0, 2),
        dst: Ipv4Addr::new(10, 0, 1, 2),
        ttl: 64,
        dscp: Dscp::DEFAULT,
        ecn: Ecn::NotCapable,
        ident: 1,
        body,
        transit: Transit::default(),
    }
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from_bits)
}

fn payload() -> impl Strategy<Value = Payload> {
    prop::collection::vec(any::<u8>(), 0..120).prop_map(Payload::real)
}

fn options() -> impl Strategy<Value = Options> {
    let blocks = prop::collection::vec((any::<u32>(), any::<u32>()), 0..=4);
    let others = (any::<Option<u16>>(), any::<Option<u8>>(), any::<bool>(), any::<Option<(u32, u32)>>());
    (others, blocks)
        .prop_map(|((mss, window_scale, sack_permitted, timestamps), blocks)| {
            let mut sack = SackBlocks::none();
            for (left, right) in blocks {
                sack.push(Seq(left), Seq(right));
            }
            Options { mss, window_scale, sack_permitted, timestamps, fast_open: FastOpen::Absent, sack }
        })
        .prop_filter("a TCP header has room for 40 bytes of options", |options| options.len() <= 40)
}

fn segment() -> impl Strategy<Value = Segment> {
    let numbers = (any::<u16>(), any::<u16>(), any::<u32>(), any::<u32>(), any::<u8>(), any::<u16>());
    (numbers, options(), payload()).prop_map(|((src_port, dst_port, seq, ack, flags, window), options, payload)| {
        let (seq, ack, flags) = (Seq(seq), Seq(ack), Flags(flags));
        Segment { src_port, dst_port, seq, ack, flags, window, options, payload }
    })
}

fn quote() -> impl Strategy<Value = Quote> {
    (address(), address(), any::<u8>(), any::<u16>(), any::<[u8; 8]>())
        .prop_map(|(src, dst, protocol, total_len, head)| Quote { src, dst, protocol, total_len, head })
}

fn icmp() -> impl Strategy<Value = Icmp> {
    use UnreachableCode::{Host, Network, Port};
    let echo =
        (any::<u16>(), any::<u16>(), 0u32..100, any::<bool>()).prop_map(|(identifier, sequence, data_len, reply)| {
            if reply {
                Icmp::EchoReply { identifier, sequence, data_len }
            } else {
                Icmp::EchoRequest { identifier, sequence, data_len }
            }
        });
    prop_oneof![
        echo,
        quote().prop_map(Icmp::TimeExceeded),
        (quote(), prop_oneof![Just(Host), Just(Network), Just(Port)])
            .prop_map(|(quote, code)| Icmp::Unreachable(code, quote)),
        (quote(), any::<u16>()).prop_map(|(quote, mtu)| Icmp::PacketTooBig { mtu, quote }),
    ]
}

fn packet() -> impl Strategy<Value = Packet> {
    let datagram = (any::<u16>(), any::<u16>(), payload()).prop_map(|(src_port, dst_port, payload)| Datagram {
        src_port,
        dst_port,
        payload,
    });
    let body = prop_oneof![segment().prop_map(Body::Tcp), datagram.prop_map(Body::Udp), icmp().prop_map(Body::Icmp)];
    let ecn = prop_oneof![Just(Ecn::NotCapable), Just(Ecn::Ect0), Just(Ecn::Ect1), Just(Ecn::CongestionExperienced)];
    let class = ((0..64u8).prop_map(|value| Dscp::new(value).unwrap()), ecn);
    let fields = (address(), address(), any::<u8>(), class, any::<u16>(), body);
    fields.prop_map(|(src, dst, ttl, (dscp, ecn), ident, body)| Packet {
        src,
        dst,
        ttl,
        dscp,
        ecn,
        ident,
        body,
        transit: Transit::default(),
    })
}

proptest! {
    #[test]
    fn everything_comes_back(packet in packet()) {
        let bytes = bytes_of(&packet);
        prop_assert_eq!(bytes.len(), packet.wire_len() as usize);
        prop_assert_eq!(decode(&bytes), Ok(packet));
    }

    #[test]
    fn bytes_are_appended(packet in packet(), before in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut out = before.clone();
        encode(&packet, &mut out).unwrap();
        prop_assert_eq!(out, [before, bytes_of(&packet)].concat());
    }

    #[test]
    fn any_flipped_bit_is_noticed(packet in packet()) {
        let mut bytes = bytes_of(&packet);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&bytes).is_err(), "bit {} of byte {}", bit % 8, bit / 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn nonsense_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = decode(&bytes) {
            prop_assert!(error.offset <= bytes.len());
        }
    }

    /// Nonsense behind valid checksums gets deep into the decoder.
    #[test]
    fn nonsense_with_good_checksums_is_refused_without_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 20..120),
        protocol in prop_oneof![Just(1u8), Just(6), Just(17)],
        header_words in 5u8..16,
    ) {
        let total = u16::try_from(bytes.len()).unwrap();
        bytes[..10].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol]);
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        let body_len = total - 20;
        match protocol {
            6 if body_len > 12 => bytes[32] = header_words << 4,
            17 if body_len > 5 => bytes[24..26].copy_from_slice(&body_len.to_be_bytes()),
            _ => {}
        }
        let field = 20 + match protocol { 1 => 2, 6 => 16, _ => 6 };
        if field + 2 <= bytes.len() {
            bytes[field..field + 2].fill(0);
            let mut sum = Checksum::new();
            if protocol != 1 {
                sum.add(&bytes[12..20]);
                sum.add(&[0, protocol]);
                sum.add(&body_len.to_be_bytes());
            }
            sum.add(&bytes[20..]);
            bytes[field..field + 2].copy_from_slice(&sum.value().to_be_bytes());
        }
        bytes[10..12].fill(0);
        let mut sum = Checksum::new();
        sum.add(&bytes[..20]);
        bytes[10..12].copy_from_slice(&sum.value().to_be_bytes());
        match decode(&bytes) {
            Ok(packet) => prop_assert_eq!(packet.src.octets(), <[u8; 4]>::try_from(&bytes[12..16]).unwrap()),
            Err(error) => prop_assert!(error.offset <= bytes.len() && error.fault != Fault::Checksum, "{error}"),
        }
    }

    /// An independent parser reads what was written, and finds the checksums that it would have computed itself.
    #[test]
    fn others_read_it(packet in packet()) {
        use etherparse::{NetSlice, SlicedPacket, TransportSlice};
        let bytes = bytes_of(&packet);
        let sliced = SlicedPacket::from_ip(&bytes).unwrap();
        let Some(NetSlice::Ipv4(ip)) = &sliced.net else { panic!("no IPv4") };
        let header = ip.header().to_header();
        prop_assert_eq!(header.header_checksum, header.calc_header_checksum());
        prop_assert_eq!((header.source, header.destination), (packet.src.octets(), packet.dst.octets()));
        prop_assert_eq!((header.time_to_live, header.identification), (packet.ttl, packet.ident));
        prop_assert!(header.dont_fragment && !header.more_fragments);
        match (sliced.transport.unwrap(), &packet.body) {
            (TransportSlice::Tcp(tcp), Body::Tcp(segment)) => others_read_tcp(&tcp, &header, segment)?,
            (TransportSlice::Udp(udp), Body::Udp(datagram)) => {
                let other = udp.to_header();
                let sum = other.calc_checksum_ipv4(&header, udp.payload()).unwrap();
                prop_assert_eq!(other.checksum, if sum == 0 { 0xffff } else { sum });
                prop_assert_eq!((other.source_port, other.destination_port), (datagram.src_port, datagram.dst_port));
                prop_assert_eq!(udp.payload(), datagram.payload.to_vec());
            }
            (TransportSlice::Icmpv4(icmp), Body::Icmp(message)) => others_read_icmp(&icmp, message)?,
            (other, body) => panic!("{other:?} is not {body:?}"),
        }
    }
}

fn others_read_tcp(
    tcp: &etherparse::TcpSlice<'_>,
    ip: &etherparse::Ipv4Header,
    segment: &Segment,
) -> Result<(), TestCaseError> {
    use etherparse::TcpOptionElement as Element;
    let other = tcp.to_header();
    prop_assert_eq!(other.checksum, other.calc_checksum_ipv4(ip, tcp.payload()).unwrap());
    prop_assert_eq!((other.source_port, other.destination_port), (segment.src_port, segment.dst_port));
    prop_assert_eq!((other.sequence_number, other.acknowledgment_number), (segment.seq.0, segment.ack.0));
    prop_assert_eq!(other.window_size, segment.window);
    let flags = [other.fin, other.syn, other.rst, other.psh, other.ack, other.urg, other.ece, other.cwr];
    let ours: [bool; 8] = std::array::from_fn(|bit| segment.flags.0 >> bit & 1 == 1);
    prop_assert_eq!(flags, ours);
    prop_assert_eq!(tcp.payload(), segment.payload.to_vec());
    let mut options = Options::default();
    for element in tcp.options_iterator() {
        match element.unwrap() {
            Element::Noop => {}
            Element::MaximumSegmentSize(mss) => options.mss = Some(mss),
            Element::WindowScale(shift) => options.window_scale = Some(shift),
            Element::SelectiveAcknowledgementPermitted => options.sack_permitted = true,
            Element::SelectiveAcknowledgement(first, more) => {
                for (left, right) in std::iter::once(first).chain(more.into_iter().flatten()) {
                    options.sack.push(Seq(left), Seq(right));
                }
            }
            Element::Timestamp(value, echo) => options.timestamps = Some((value, echo)),
        }
    }
    prop_assert_eq!(options, segment.options);
    Ok(())
}

fn others_read_icmp(icmp: &etherparse::Icmpv4Slice<'_>, message: &Icmp) -> Result<(), TestCaseError> {
    use etherparse::{Icmpv4Type, icmpv4};
    let other = icmp.header();
    prop_assert_eq!(other.checksum, other.icmp_type.calc_checksum(icmp.payload()));
    match (other.icmp_type, message) {
        (Icmpv4Type::EchoRequest(echo), Icmp::EchoRequest { identifier, sequence, data_len })
        | (Icmpv4Type::EchoReply(echo), Icmp::EchoReply { identifier, sequence, data_len }) => {
            prop_assert_eq!((echo.id, echo.seq), (*identifier, *sequence));
            prop_assert_eq!(icmp.payload().len(), *data_len as usize);
        }
        (Icmpv4Type::TimeExceeded(icmpv4::TimeExceededCode::TtlExceededInTransit), Icmp::TimeExceeded(quote))
        | (
            Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Network),
            Icmp::Unreachable(UnreachableCode::Network, quote),
        )
        | (
            Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Host),
            Icmp::Unreachable(UnreachableCode::Host, quote),
        )
        | (
            Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port),
            Icmp::Unreachable(UnreachableCode::Port, quote),
        ) => {
            others_read_quote(icmp.payload(), quote)?;
        }
        (
            Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu }),
            Icmp::PacketTooBig { mtu, quote },
        ) => {
            prop_assert_eq!(next_hop_mtu, *mtu);
            others_read_quote(icmp.payload(), quote)?;
        }
        (other, message) => panic!("{other:?} is not {message:?}"),
    }
    Ok(())
}

fn others_read_quote(bytes: &[u8], quote: &Quote) -> Result<(), TestCaseError> {
    let (header, rest) = etherparse::Ipv4Header::from_slice(bytes).unwrap();
    prop_assert_eq!(header.header_checksum, header.calc_header_checksum());
    prop_assert_eq!((header.source, header.destination), (quote.src.octets(), quote.dst.octets()));
    prop_assert_eq!((header.total_len, header.protocol.0), (quote.total_len, quote.protocol));
    prop_assert_eq!(rest, &quote.head[..]);
    Ok(())
}

#[test]
fn the_header_of_a_well_known_example_comes_out() {
    // The IPv4 header that textbooks and encyclopedias use to show the checksum: 192.168.0.1 to 192.168.0.199, UDP, checksum b861.
    let datagram = Datagram { src_port: 1, dst_port: 2, payload: Payload::filler(0x73 - 28) };
    let mut packet = of(Body::Udp(datagram));
    (packet.src, packet.dst) = (Ipv4Addr::new(192, 168, 0, 1), Ipv4Addr::new(192, 168, 0, 199));
    (packet.ident, packet.ttl) = (0, 64);
    let header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];
    assert_eq!(bytes_of(&packet)[..20], header);
}

/// RFC 7413 4.1.1: kind 34, padded as Linux does.
#[test]
fn a_fast_open_option_comes_back() {
    for (fast_open, bytes) in [
        (FastOpen::Request, vec![34, 2, 1, 1]),
        (FastOpen::Cookie(*b"12345678"), vec![34, 10, 49, 50, 51, 52, 53, 54, 55, 56, 1, 1]),
    ] {
        let options = Options { fast_open, ..Options::default() };
        let packet = of(Body::Tcp(Segment { options, flags: Flags::SYN, ..Segment::default() }));
        let encoded = bytes_of(&packet);
        assert_eq!(encoded[40..], bytes);
        assert_eq!(decode(&encoded), Ok(packet));
    }
}

#[test]
fn options_are_laid_out_as_linux_does() {
    let laid_out =
        |options: Options| bytes_of(&of(Body::Tcp(Segment { options, ..Segment::default() })))[40..].to_vec();
    let syn = Options {
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: Some((0x0102_0304, 0)),
        fast_open: FastOpen::Absent,
        sack: SackBlocks::none(),
    };
    // mss 1460, sackOK, TS, nop, wscale 7.
    assert_eq!(laid_out(syn), [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7]);
    // mss 1460, nop, nop, sackOK, nop, wscale 7.
    let without_timestamps = Options { timestamps: None, ..syn };
    assert_eq!(laid_out(without_timestamps), [2, 4, 0x05, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7]);
    // nop, nop, TS, nop, nop, sack 1.
    let mut ack = Options { timestamps: Some((1, 2)), ..Options::default() };
    ack.sack.push(Seq(16), Seq(17));
    assert_eq!(laid_out(ack), [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 0, 16, 0, 0, 0, 17]);
}

#[test]
fn a_packet_ends_at_65535_bytes() {
    let sized = |n| of(Body::Udp(Datagram { payload: Payload::filler(n), ..Datagram::default() }));
    assert_eq!(bytes_of(&sized(65_507)).len(), 65_535);
    let mut out = vec![1];
    assert_eq!(encode(&sized(65_508), &mut out), Err(EncodeError::TooLong { len: 65_536 }));
    assert_eq!(out, [1]);
}

#[test]
fn tcp_options_end_at_40_bytes() {
    let mut options = Options { timestamps: Some((1, 2)), ..Options::default() };
    for _ in 0..3 {
        options.sack.push(Seq(1), Seq(2));
    }
    let with = |options| of(Body::Tcp(Segment { options, ..Segment::default() }));
    assert_eq!(bytes_of(&with(options)).len(), 80);
    options.sack.push(Seq(1), Seq(2));
    assert_eq!(encode(&with(options), &mut Vec::new()), Err(EncodeError::OptionsTooLong { len: 48 }));
}

#[test]
fn a_udp_checksum_of_zero_is_sent_as_ones() {
    // The sum of pseudo-header, header and payload is chosen to be ffff, so its complement is 0.
    let mut packet = of(Body::Udp(Datagram { payload: Payload::real(vec![0, 0]), ..Datagram::default() }));
    let field = u16::from_be_bytes([bytes_of(&packet)[26], bytes_of(&packet)[27]]);
    packet.body = Body::Udp(Datagram { payload: Payload::real(field.to_be_bytes().to_vec()), ..Datagram::default() });
    let mut bytes = bytes_of(&packet);
    assert_eq!(bytes[26..28], [0xff, 0xff]);
    assert_eq!(decode(&bytes), Ok(packet));
    bytes[26..28].fill(0);
    assert_eq!(decode(&bytes), Err(DecodeError { fault: Fault::NoChecksum, offset: 26 }));
}

#[test]
fn errors_say_where() {
    let bytes = bytes_of(&of(Body::Udp(Datagram { payload: Payload::filler(10), ..Datagram::default() })));
    let broken = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        decode(&bytes).unwrap_err()
    };
    assert_eq!(decode(&[]), Err(DecodeError { fault: Fault::Truncated, offset: 0 }));
    assert_eq!(decode(&bytes[..19]), Err(DecodeError { fault: Fault::Truncated, offset: 19 }));
    assert_eq!(decode(&bytes[..30]), Err(DecodeError { fault: Fault::Length, offset: 2 }));
    assert_eq!(broken(0, 0x65), DecodeError { fault: Fault::Version, offset: 0 });
    assert_eq!(broken(0, 0x44), DecodeError { fault: Fault::Length, offset: 0 });
    assert_eq!(broken(0, 0x46), DecodeError { fault: Fault::IpOptions, offset: 0 });
    assert_eq!(broken(8, 63), DecodeError { fault: Fault::Checksum, offset: 10 });
    assert_eq!(broken(37, 1).to_string(), "wrong checksum, at byte 26");
}

#[test]
fn the_head_of_a_packet_is_what_an_error_repeats() {
    let packets = [
        Body::Tcp(Segment { src_port: 1, dst_port: 2, seq: Seq(3), ..Segment::default() }),
        Body::Udp(Datagram { src_port: 1, dst_port: 2, payload: Payload::filler(3) }),
        Body::Icmp(Icmp::EchoRequest { identifier: 1, sequence: 2, data_len: 3 }),
    ];
    for packet in packets.map(of) {
        assert_eq!(head(&packet), bytes_of(&packet)[20..28]);
    }
}
