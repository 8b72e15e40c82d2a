//! Two sessions face to face: round trips, sizes, resumption, and what happens to those who do not keep the rules.

use super::session::Failed;
use super::*;
use crate::base::{Span, Time};
use crate::wire::Payload;
use crate::wire::tls::{ContentType, Description, RECORD_HEADER, Record, Version};
use std::rc::Rc;

/// A client and a server between whom bytes move when told.
struct Pair {
    client: Session,
    server: Session,
    now: Time,
    /// Bytes that have gone each way: the client's first.
    sent: [u64; 2],
    tickets: Tickets,
    to_server: Payload,
    to_client: Payload,
    worked: u32,
}

/// Hands whole records to a session; what it says of the first that it does not take.
fn feed(session: &mut Session, mut bytes: Payload, now: Time) -> Result<(), Failed> {
    while !bytes.is_empty() {
        let header = bytes.split_to(RECORD_HEADER).to_vec();
        let record = Record::decode(*header.first_chunk().unwrap()).unwrap();
        let body = bytes.split_to(u64::from(record.len));
        assert_eq!(body.len(), u64::from(record.len), "a record is whole");
        session.handle_record(record, &body, now)?;
    }
    Ok(())
}

impl Pair {
    fn new(client: &ClientConfig, server: &ServerConfig, tickets: Tickets, now: Time) -> Self {
        let ticket = tickets.take(now);
        let word = now.since(Time::ZERO).as_nanos().to_le_bytes()[0];
        Self {
            client: Session::client(client, [word ^ 1; 32], ticket, now),
            server: Session::server(Rc::new(server.clone()), [word ^ 2; 32]),
            now,
            sent: [0; 2],
            tickets,
            to_server: Payload::empty(),
            to_client: Payload::empty(),
            worked: 0,
        }
    }

    /// One flight each way; true if anything moved.
    fn step(&mut self) -> Result<bool, Failed> {
        let (up, now) = (self.client.take_output(), self.now);
        self.sent[0] += up.len();
        let moved = !up.is_empty();
        feed(&mut self.server, up, now)?;
        while let Some(event) = self.server.poll_event() {
            match event {
                Event::Data(data) => self.to_server.append(data),
                Event::Work => self.worked += 1,
                _ => {}
            }
        }
        let down = self.server.take_output();
        self.sent[1] += down.len();
        let moved = moved || !down.is_empty();
        feed(&mut self.client, down, now)?;
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Data(data) => self.to_client.append(data),
                Event::Ticket(ticket) => self.tickets.put(ticket),
                Event::TicketRefused => self.tickets.clear(),
                _ => {}
            }
        }
        Ok(moved)
    }

    /// Round trips until the client can send, and then until nothing moves.
    fn shake(&mut self) -> u32 {
        let mut round_trips = 0;
        while !self.client.can_send() {
            assert!(self.step().unwrap(), "stuck");
            round_trips += 1;
        }
        round_trips
    }

    fn settle(&mut self) {
        while self.step().unwrap() {}
    }
}

fn versions(version: Version) -> ClientConfig {
    ClientConfig {
        min_version: version,
        max_version: version,
        ..ClientConfig::new(Some("www.shop.example".to_owned()))
    }
}

fn server() -> ServerConfig {
    ServerConfig::new("www.shop.example", DEFAULT_CHAIN)
}

fn early() -> (ClientConfig, ServerConfig) {
    let client = ClientConfig { early_data: true, ..versions(Version::Tls13) };
    (client, ServerConfig { early_data: 16_384, ..server() })
}

/// A pair after which the tickets hold one of `server`.
fn visited(client: &ClientConfig, server: &ServerConfig) -> Tickets {
    let mut pair = Pair::new(client, server, Tickets::default(), Time::ZERO);
    pair.shake();
    pair.settle();
    assert!(pair.server.is_established() && !pair.server.is_resumed());
    pair.tickets
}

fn at(secs: u64) -> Time {
    Time::ZERO + Span::from_secs(secs)
}

/// 1.3 takes one round trip, 1.2 two (RFC 8446 2, RFC 5246 7.3); the chain is what makes the server's flight large.
#[test]
fn round_trips_and_bytes_of_a_full_handshake() {
    for (version, round_trips) in [(Version::Tls13, 1), (Version::Tls12, 2)] {
        let mut pair = Pair::new(&versions(version), &server(), Tickets::default(), Time::ZERO);
        assert_eq!(pair.shake(), round_trips);
        assert_eq!(pair.client.version(), Some(version));
        assert_eq!(pair.client.alpn().unwrap(), &b"http/1.1"[..]);
        pair.settle();
        assert!(pair.server.is_established());
        assert_eq!(pair.worked, 1);
        let [up, down] = pair.sent;
        assert!((280..=480).contains(&up), "{version}: {up} bytes up");
        assert!((3_200..=4_100).contains(&down), "{version}: {down} bytes down");
    }
}

#[test]
fn a_ticket_saves_the_certificate_and_in_1_2_a_round_trip() {
    for version in [Version::Tls13, Version::Tls12] {
        let tickets = visited(&versions(version), &server());
        let mut pair = Pair::new(&versions(version), &server(), tickets, at(10));
        assert_eq!(pair.shake(), 1);
        pair.settle();
        assert!(pair.client.is_resumed() && pair.server.is_resumed());
        assert_eq!(pair.worked, 0);
        assert!(pair.sent[1] < 1_000, "{version}: {} bytes down", pair.sent[1]);
    }
}

/// Just inside and just outside a ticket's lifetime; and a server with another key.
#[test]
fn a_ticket_that_is_too_old_or_of_another_server_is_refused() {
    let (client, config) = (versions(Version::Tls13), server());
    let resumed = |config: &ServerConfig, when| {
        let mut pair = Pair::new(&client, config, visited(&client, &server()), when);
        pair.shake();
        pair.settle();
        pair.client.is_resumed()
    };
    assert!(resumed(&config, at(299)));
    assert!(!resumed(&config, at(300)));
    assert!(!resumed(&ServerConfig { ticket_key: 1, ..config.clone() }, at(1)));
    assert!(!resumed(&ServerConfig { tickets: false, ..config }, at(1)));
}

#[test]
fn early_data_takes_no_round_trip_and_is_answered_at_once() {
    let (client, config) = early();
    let tickets = visited(&client, &config);
    let mut pair = Pair::new(&client, &config, tickets, at(1));
    assert_eq!(pair.shake(), 0);
    assert!(pair.client.send(Payload::real(&b"GET / HTTP/1.1\r\n\r\n"[..])).is_empty());
    pair.step().unwrap();
    assert_eq!(pair.to_server.real_prefix(), &b"GET / HTTP/1.1\r\n\r\n"[..]);
    assert!(!pair.server.is_established());
    assert!(pair.server.send(Payload::filler(5_000)).is_empty());
    pair.settle();
    assert_eq!(pair.to_client.len(), 5_000);
    assert!(pair.server.is_established() && pair.client.is_established());
}

/// A server that does not want it (any more) skips it, and the client sends it again (RFC 8446 4.2.10).
#[test]
fn early_data_that_is_refused_is_sent_again() {
    let (client, config) = early();
    for refusing in [ServerConfig { early_data: 0, ..config.clone() }, ServerConfig { ticket_key: 1, ..config.clone() }]
    {
        let mut pair = Pair::new(&client, &refusing, visited(&client, &config), at(1));
        pair.shake();
        assert!(pair.client.send(Payload::filler(1_000)).is_empty());
        pair.step().unwrap();
        assert!(pair.to_server.is_empty());
        pair.settle();
        assert_eq!(pair.to_server.len(), 1_000);
    }
}

#[test]
fn no_more_early_data_than_the_ticket_allows() {
    let (client, config) = early();
    let mut pair = Pair::new(&client, &config, visited(&client, &config), at(1));
    let rest = pair.client.send(Payload::filler(16_385));
    assert_eq!(rest.len(), 1);
    pair.settle();
    assert!(pair.client.send(rest).is_empty());
    pair.settle();
    assert_eq!(pair.to_server.len(), 16_385);
}

/// 16 KiB of content, 5 bytes before it and 17 behind it in 1.3; 5, 8 and 16 in 1.2.
#[test]
fn records_cost_what_they_cost() {
    for (version, overhead) in [(Version::Tls13, 5 + 1 + 16), (Version::Tls12, 5 + 8 + 16)] {
        let mut pair = Pair::new(&versions(version), &server(), Tickets::default(), Time::ZERO);
        pair.shake();
        pair.settle();
        for (bytes, records) in [(1, 1), (16_384, 1), (16_385, 2), (100_000, 7)] {
            let before = pair.sent[0];
            assert!(pair.client.send(Payload::filler(bytes)).is_empty());
            pair.settle();
            assert_eq!(pair.sent[0] - before, bytes + records * overhead, "{version}: {bytes} bytes");
        }
    }
}

#[test]
fn those_with_nothing_in_common_part_with_an_alert() {
    let failed = |client: &ClientConfig, server: &ServerConfig| {
        let mut pair = Pair::new(client, server, Tickets::default(), Time::ZERO);
        let first = pair.step().unwrap_err();
        let down = pair.server.take_output();
        (first, feed(&mut pair.client, down, Time::ZERO).unwrap_err())
    };
    let old = versions(Version::Tls12);
    let new = ServerConfig { min_version: Version::Tls13, ..server() };
    let version = Description::ProtocolVersion;
    assert_eq!(failed(&old, &new), (Failed::Sent(version), Failed::Received(version)));
    let h2 = ServerConfig { alpn: vec![(&b"h2"[..]).into()], ..server() };
    let alpn = Description::NoApplicationProtocol;
    assert_eq!(failed(&versions(Version::Tls13), &h2), (Failed::Sent(alpn), Failed::Received(alpn)));
}

/// A record under the wrong key or out of its place is noticed, as a cipher's tag would notice it.
#[test]
fn records_out_of_place_are_noticed() {
    for version in [Version::Tls13, Version::Tls12] {
        let mut pair = Pair::new(&versions(version), &server(), Tickets::default(), Time::ZERO);
        pair.shake();
        pair.settle();
        assert!(pair.client.send(Payload::filler(10)).is_empty());
        let first = pair.client.take_output();
        assert!(feed(&mut pair.server, first.clone(), Time::ZERO).is_ok());
        let again = feed(&mut pair.server, first, Time::ZERO);
        assert_eq!(again, Err(Failed::Sent(Description::BadRecordMac)));
    }
}

#[test]
fn closing_is_told_under_protection() {
    let mut pair = Pair::new(&versions(Version::Tls13), &server(), Tickets::default(), Time::ZERO);
    pair.shake();
    pair.settle();
    pair.server.close();
    let bytes = pair.server.take_output();
    assert_eq!(bytes.len(), 5 + 2 + 17);
    assert_eq!(bytes.to_vec()[0], ContentType::ApplicationData.code());
    feed(&mut pair.client, bytes, Time::ZERO).unwrap();
    assert!(pair.client.peer_closed());
    assert!(!pair.server.can_send());
}
