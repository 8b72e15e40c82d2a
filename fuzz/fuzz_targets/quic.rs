//! QUIC datagrams: what decodes is written so that it decodes to the same again, and a connection takes whatever comes without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lightlag::base::{Span, Time};
use lightlag::transport::quic::{Accepting, Config, Connection, ID_LEN, Opening, Secrets, Wake, chain};
use lightlag::wire::quic::decode;
use lightlag::wire::{Ecn, Payload, Transit};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 1000);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 443);

// The first byte says how many flights of the handshake pass first; the rest is datagrams, each with its length in two bytes before it,
// which reach the client and the server in turn.
fuzz_target!(|data: &[u8]| {
    let Some((&handshake, data)) = data.split_first() else { return };
    let mut now = Time::from_nanos(1_000_000_000);
    let config = Rc::new(Config::default());
    let opening = Opening { server_name: Some("shop.example".into()), ..Opening::default() };
    let mut client = Connection::connect(&config, opening, SERVER, Secrets { host: 1, connection: 1 }, now);
    let accepting = Accepting { alpn: Vec::new(), chain: chain("shop.example", config.certificate_chain) };
    let mut server: Option<Connection> = None;
    let mut left = usize::from(handshake % 16);
    while left > 0 {
        left -= 1;
        now += Span::from_millis(10);
        while let Some(transmit) = client.poll_transmit(now) {
            let end = server.get_or_insert_with(|| {
                let (items, _) = decode(&transmit.payload, ID_LEN);
                let lightlag::wire::quic::Item::Packet(first) = &items[0] else { unreachable!("an Initial") };
                let lightlag::wire::quic::Header::Long { dst, src, .. } = first.header else { unreachable!("an Initial") };
                Connection::accept(&config, &accepting, (dst, src), CLIENT, Secrets { host: 2, connection: 2 }, now)
            });
            end.handle_datagram(&transmit.payload, CLIENT, &Transit::default(), Ecn::NotCapable, now);
        }
        while let Some(transmit) = server.as_mut().and_then(|end| end.poll_transmit(now)) {
            client.handle_datagram(&transmit.payload, SERVER, &Transit::default(), Ecn::NotCapable, now);
        }
    }
    let mut rest = data;
    let mut to_client = true;
    while let Some((len, after)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len)).min(after.len());
        let (datagram, after) = after.split_at(len);
        rest = after;
        let payload = Payload::real(datagram.to_vec());
        let (items, _) = decode(&payload, ID_LEN);
        let mut again = Payload::empty();
        items.iter().for_each(|item| item.put(&mut again));
        assert_eq!(decode(&again, ID_LEN), (items, Ok(())), "{datagram:02x?}");
        now += Span::from_millis(1);
        let (end, from) = if to_client { (Some(&mut client), SERVER) } else { (server.as_mut(), CLIENT) };
        to_client = !to_client;
        let Some(end) = end else { continue };
        end.handle_datagram(&payload, from, &Transit::default(), Ecn::NotCapable, now);
        if let Wake::At(at) = end.wake()
            && at <= now
        {
            end.handle_wake(now);
        }
        // Whatever it has to say, it comes to an end.
        assert!((0..1_000).any(|_| end.poll_transmit(now).is_none()));
        while end.poll_event().is_some() {}
    }
});
