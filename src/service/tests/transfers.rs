//! Transfers and messages: what is counted and when it ends.

use super::{MS, exchanges, requests};
use crate::base::{Span, Time};
use crate::service::ideal::{Ideal, addr};
use crate::service::{Limit, Numbering, bulk, messages, tick};
use crate::trace::{Progress, Record};
use std::net::SocketAddrV4;

fn progress(net: &Ideal) -> Vec<Progress> {
    let progress = |record: &Record| match record {
        Record::Progress(progress) => Some(*progress),
        _ => None,
    };
    net.records.iter().filter_map(progress).collect()
}

/// Host 2 transfers from or to host 1.
fn transfer(net: &Ideal, direction: bulk::Direction, amount: bulk::Amount, flows: u32) {
    let server = bulk::Server {
        traffic: 0,
        port: 5001,
        over: crate::service::carrier::Over::Tcp,
        congestion: None,
        progress_every: bulk::PROGRESS_EVERY,
    };
    net.spawn(1, |host| bulk::server(host, server));
    let client = bulk::Client {
        over: crate::service::carrier::Over::Tcp,
        traffic: 0,
        first_flow: 0,
        to: SocketAddrV4::new(addr(1), 5001),
        direction,
        amount,
        flows,
        start: Time::ZERO,
        stagger: MS,
        congestion: None,
        progress_every: bulk::PROGRESS_EVERY,
    };
    net.spawn(2, |host| bulk::client(host, client));
}

/// As the reference measures it: from asking for the connection to the last byte, here two round trips.
#[test]
fn a_download_ends_with_its_last_byte_and_an_upload_with_its_receipt() {
    for direction in [bulk::Direction::Down, bulk::Direction::Up] {
        let mut net = Ideal::new(MS * 28);
        transfer(&net, direction, bulk::Amount::Bytes(1_000_000), 3);
        net.run(10);
        let requests = requests(&net);
        assert_eq!(requests.len(), 3);
        for (request, started) in requests.iter().zip(0..) {
            assert_eq!((request.failure, request.body), (None, 1_000_000));
            assert_eq!(request.start, Time::ZERO + MS * started);
            assert_eq!(request.end - request.start, MS * 112);
            let exchange = exchanges(&net).into_iter().find(|exchange| exchange.flow == request.flow).unwrap();
            assert_eq!(exchange.request.released, request.start + MS * 84);
        }
        let last: Vec<_> = progress(&net).into_iter().filter(|progress| progress.finished).collect();
        assert!(last.len() == 3 && last.iter().all(|progress| progress.bytes == 1_000_000));
    }
}

#[test]
fn a_transfer_with_a_duration_ends_when_its_time_is_up() {
    for (direction, receives) in [(bulk::Direction::Down, 2), (bulk::Direction::Up, 1)] {
        let mut net = Ideal::new(MS * 28);
        net.send_buffer = Some(100_000);
        transfer(&net, direction, bulk::Amount::For(Span::from_secs(1)), 1);
        net.run(10);
        assert!(requests(&net).is_empty(), "host {receives} receives");
        let progress = progress(&net);
        // Every 100 ms from the first one after the connection was there.
        let times: Vec<_> = progress.iter().map(|progress| progress.time.as_nanos() / 1_000_000).collect();
        assert_eq!(times, (1..=10).map(|tenth| tenth * 100).collect::<Vec<_>>());
        assert!(progress.is_sorted_by_key(|progress| progress.bytes));
        assert!(progress[9].finished && !progress[8].finished);
        // 100,000 bytes each 28 ms, from the first that could have come.
        let rate = progress[9].bytes as f64 / (1.0 - 0.084);
        assert!((rate / (100_000.0 / 0.028) - 1.0).abs() < 0.1, "{rate}");
    }
}

#[test]
fn messages_over_a_stream_are_told_apart_and_timed_from_when_they_were_due() {
    let mut net = Ideal::new(MS * 28);
    let carrier = messages::Carrier::Tcp { congestion: None };
    let receiver = messages::Receiver { traffic: 0, port: 9000, carrier, bytes: 160 };
    net.spawn(1, |host| messages::receive(host, receiver));
    let sender = messages::Sender {
        traffic: 0,
        numbering: Numbering::ALONE,
        to: SocketAddrV4::new(addr(1), 9000),
        carrier,
        bytes: 160,
        start: Time::ZERO,
        every: MS * 20,
        limit: Limit { count: Some(100), until: None },
        rebinds: None,
    };
    net.spawn(2, |host| messages::send(host, sender));
    net.run(10);
    let mut numbers = 0..;
    for record in &net.records {
        if let Record::Message(message) = record {
            let number = numbers.next().unwrap();
            assert_eq!((message.number, message.bytes), (number, 160));
            // The handshake is over at 56 ms.
            assert_eq!(message.written, Time::ZERO + MS * (56 + 20 * number));
            assert_eq!(message.arrival.released - message.written, MS * 28);
        }
    }
    assert_eq!(numbers.next(), Some(100));
    let sent = net.records.iter().filter(|record| matches!(record, Record::MessageSent(_))).count();
    assert_eq!(sent, 100);
}

#[test]
fn ticks_never_drift() {
    assert_eq!(tick(Time::ZERO + MS, Span::from_nanos(333), 3_000_000), Time::ZERO + MS * 1_000);
}
