//! What beginning, moving and ending cost.

use super::super::connection::State;
use super::super::{Config, Event, Reason, Secrets};
use super::channel::{Channel, MS};
use crate::base::Span;
use crate::wire::Payload;
use crate::wire::quic::{Dir, Frame, Header, Item, Side, StreamId, stateless_reset, version_negotiation};

const FIRST: StreamId = StreamId::new(Side::Client, Dir::Bi, 0);

#[test]
fn a_handshake_costs_one_round_trip() {
    let mut channel = Channel::new(Config::default(), MS(50), None, 1);
    channel.run(MS(400));
    assert_eq!(channel.when(0, &Event::Connected), Some(MS(100)));
    assert_eq!(channel.when(1, &Event::Connected), Some(MS(150)));
    assert!(channel.sent.iter().filter(|seen| seen.has_initial()).all(|seen| seen.len >= 1200 || seen.from == 1));
}

#[test]
fn a_request_follows_the_handshake_and_rides_with_the_first_flight_when_the_server_is_known() {
    let mut channel = Channel::new(Config::default(), MS(50), None, 1);
    let now = channel.now;
    let id = channel.end(0).open(Dir::Bi, now);
    assert_eq!(id, None, "nothing is known of an unknown server's limits");
    channel.run(MS(100));
    let now = channel.now;
    assert_eq!(channel.end(0).open(Dir::Bi, now), Some(FIRST));
    channel.write(0, FIRST, Payload::real(&b"GET"[..]));
    channel.run(MS(50));
    assert_eq!(channel.when(1, &Event::Readable(FIRST)), Some(MS(150)));
    channel.run(MS(200));
    let ticket = channel.ticket().expect("the server gives one");
    assert!(ticket.early_data);

    let mut again = Channel::new(Config::default(), MS(50), Some(ticket), 2);
    let now = again.now;
    assert_eq!(again.end(0).open(Dir::Bi, now), Some(FIRST));
    again.write(0, FIRST, Payload::real(&b"GET"[..]));
    again.run(MS(50));
    assert_eq!(again.when(1, &Event::Readable(FIRST)), Some(MS(50)));
    again.write(1, FIRST, Payload::filler(500));
    again.run(MS(150));
    assert_eq!(again.when(0, &Event::Readable(FIRST)), Some(MS(100)));
    assert!(again.end(0).is_resumed() && again.end(1).is_resumed());
    // Without a certificate the server's flight fits into one datagram.
    let server: u64 = again.sent.iter().filter(|seen| seen.from == 1 && seen.at == again.start + MS(50)).count() as u64;
    assert!(server <= 2, "{server} datagrams");
}

#[test]
fn early_data_that_is_not_taken_goes_again_after_the_handshake() {
    let mut channel = Channel::new(Config::default(), MS(50), None, 1);
    channel.run(MS(400));
    let ticket = channel.ticket();
    // The server is another one now: it cannot read the ticket.
    let config = Config { early_data: true, ..Config::default() };
    let mut again = Channel::new(config, MS(50), ticket, 2);
    again.refuse_early_data();
    let now = again.now;
    assert_eq!(again.end(0).open(Dir::Bi, now), Some(FIRST));
    again.write(0, FIRST, Payload::filler(3_000));
    again.run(MS(300));
    assert!(again.when(0, &Event::EarlyDataRejected).is_some());
    assert_eq!(again.when(1, &Event::Readable(FIRST)), Some(MS(150)));
    assert_eq!(again.end(1).readable(FIRST), 3_000);
}

#[test]
fn a_server_sends_three_times_what_has_come_until_the_client_has_proved_its_address() {
    for (chain, round_trips) in [(1_500, 1), (2_400, 1), (8_000, 2)] {
        let config = Config { certificate_chain: chain, ..Config::default() };
        let mut channel = Channel::new(config, MS(50), None, 1);
        let limit = channel.now + MS(400);
        loop {
            let sum = |from| channel.sent.iter().filter(|seen| seen.from == from).map(|seen| seen.len).sum::<u64>();
            let (came, went) = (sum(0), sum(1));
            if channel.ends[1].as_ref().is_none_or(|end| !end.path.validated) {
                assert!(went <= 3 * came, "{went} bytes for {came}");
            }
            if !channel.step(limit) {
                break;
            }
        }
        let connected = channel.when(0, &Event::Connected).expect("it connects");
        assert_eq!(connected, MS(100) * round_trips, "{chain} bytes of certificates");
    }
}

#[test]
fn a_lost_first_flight_goes_again_after_three_assumed_round_trips_and_then_twice_that() {
    let mut channel = Channel::new(Config::default(), MS(50), None, 1);
    channel.drop = Box::new(|_| true);
    channel.run(MS(8_000));
    let mut times: Vec<Span> = channel.sent.iter().map(|seen| seen.at - channel.start).collect();
    times.dedup();
    // RFC 9002 6.2.2: 333 ms, so 999 ms at first, doubled each time.
    assert_eq!(times, [MS(0), MS(999), MS(2_997), MS(6_993)]);
}

#[test]
fn a_lost_answer_does_not_lock_client_and_server() {
    // The server has used up its allowance and all of it was lost: only the client can go on (RFC 9002 6.2.2.1).
    let mut channel = Channel::new(Config { certificate_chain: 8_000, ..Config::default() }, MS(50), None, 1);
    let mut lost = 0;
    channel.drop = Box::new(move |seen| {
        lost += u32::from(seen.from == 1);
        seen.from == 1 && lost <= 3
    });
    assert!(channel.run_until(MS(10_000), |channel| channel.end(0).is_connected()));
}

#[test]
fn nothing_for_the_idle_timeout_ends_it_silently() {
    let mut channel = Channel::open(Config { idle_timeout: Span::from_secs(10), ..Config::default() }, MS(50));
    let last = channel.end(0).active_at;
    channel.run(Span::from_secs(20));
    assert_eq!(channel.reason(0), Some(Reason::TimedOut));
    let ended = channel.events.iter().find(|(_, end, event)| *end == 0 && matches!(event, Event::Closed(_)));
    assert_eq!(ended.map(|ended| ended.0), Some(last + Span::from_secs(10)));
    assert!(channel.sent.is_empty());
}

#[test]
fn a_close_is_told_once_and_answered_by_silence() {
    let mut channel = Channel::open(Config::default(), MS(50));
    let now = channel.now;
    channel.end(0).close(7, now);
    channel.run(MS(60));
    assert_eq!(channel.reason(0), Some(Reason::Closed));
    assert_eq!(channel.reason(1), Some(Reason::PeerClosed(7)));
    assert_eq!(channel.sent.len(), 1);
    assert!(matches!(channel.end(1).state, State::Draining(_)));
    channel.run(Span::from_secs(5));
    assert!(channel.end(0).is_over() && channel.end(1).is_over());
    assert_eq!(channel.sent.len(), 1);
}

#[test]
fn a_lost_close_is_said_again_when_the_peer_goes_on() {
    let mut channel = Channel::open(Config::default(), MS(50));
    let now = channel.now;
    let id = channel.end(1).open(Dir::Uni, now).unwrap();
    channel.drop = Box::new(|seen| seen.frames().any(|frame| matches!(frame, Frame::Close(_))) && seen.from == 0);
    channel.end(0).close(0, now);
    channel.run(MS(10));
    channel.drop = Box::new(|_| false);
    channel.write(1, id, Payload::filler(100));
    channel.run(MS(200));
    assert_eq!(channel.reason(1), Some(Reason::PeerClosed(0)));
}

#[test]
fn only_the_right_token_resets() {
    let mut channel = Channel::open(Config::default(), MS(50));
    let now = channel.now;
    let server = channel.end(1).ids().next().unwrap();
    let token = Secrets::reset_token(2, server);
    assert!(!channel.end(0).handle_reset([1; 16], now));
    let reset = stateless_reset(&token, 40);
    assert_eq!(crate::wire::quic::reset_token_of(&reset), Some(token));
    assert!(channel.end(0).handle_reset(token, now));
    channel.run(MS(1));
    assert_eq!(channel.reason(0), Some(Reason::Reset));
}

#[test]
fn a_version_that_the_server_does_not_speak_ends_it_before_anything_else_has_come() {
    let mut channel = Channel::new(Config::default(), MS(50), None, 1);
    let packet = |channel: &Channel| channel.sent[0].packets[0].header.clone();
    channel.run(MS(1));
    let Header::Long { dst, src, .. } = packet(&channel) else { panic!("an Initial") };
    channel.inject(0, &version_negotiation(src, dst));
    assert_eq!(channel.reason(0), Some(Reason::VersionMismatch));
    let mut later = Channel::open(Config::default(), MS(50));
    later.inject(0, &version_negotiation(src, dst));
    assert_eq!(later.reason(0), None);
}

#[test]
fn a_retry_costs_one_round_trip_and_is_believed_once() {
    let mut channel = Channel::new(Config::default(), MS(50), None, 1);
    channel.run(MS(1));
    let Header::Long { src, .. } = channel.sent[0].packets[0].header.clone() else { panic!("an Initial") };
    let chosen = crate::wire::quic::ConnectionId::of_number(99);
    let mut retry = Payload::empty();
    Item::Retry { dst: src, src: chosen, token: bytes::Bytes::from_static(b"token") }.put(&mut retry);
    channel.sent.clear();
    channel.inject(0, &retry);
    channel.inject(0, &retry);
    assert_eq!(channel.sent.len(), 1);
    let Header::Long { dst, kind, .. } = channel.sent[0].packets[0].header.clone() else { panic!("an Initial") };
    assert_eq!(dst, chosen);
    assert_eq!(kind, crate::wire::quic::LongKind::Initial { token: bytes::Bytes::from_static(b"token") });
    assert_eq!(channel.sent[0].packets[0].number.value, 1, "numbers go on (RFC 9000 17.2.5.3)");
}

#[test]
fn a_client_that_moves_is_followed_once_it_has_answered_from_there() {
    let mut channel = Channel::open(Config::default(), MS(50));
    let now = channel.now;
    let id = channel.end(0).open(Dir::Bi, now).unwrap();
    let old = channel.end(0).ids.peer();
    channel.client.set_port(2000);
    assert!(channel.end(0).migrate(true, now));
    assert_ne!(channel.end(0).ids.peer(), old, "nobody on the way can join the two paths");
    channel.write(0, id, Payload::filler(100));
    channel.run(MS(60));
    let moved = channel.client;
    assert_eq!(channel.end(1).remote(), moved);
    assert!(!channel.end(1).path.validated);
    channel.write(1, id, Payload::filler(50_000));
    channel.run(MS(120));
    assert!(channel.end(1).path.validated);
    channel.run(MS(800));
    assert_eq!(channel.end(0).readable(id), 50_000);
    assert_eq!((channel.reason(0), channel.reason(1)), (None, None));
}

/// RFC 9000 9.3 and 9.4: on a new network nothing is known of the way, and who came there must first prove it.
#[test]
fn a_client_on_another_network_starts_its_way_anew_and_gets_three_times_what_it_sent_until_it_is_proved() {
    let mut channel = Channel::open(Config::default(), MS(50));
    let now = channel.now;
    let id = channel.end(0).open(Dir::Bi, now).unwrap();
    channel.write(0, id, Payload::filler(200_000));
    channel.run(MS(1_000));
    while channel.read(1, id).is_some() {}
    let grown = channel.end(0).info().cwnd_bytes;
    let first = 10 * 1350;
    assert!(grown > 2 * first, "{grown}: the window has grown");
    channel.clear();
    channel.client.set_ip(std::net::Ipv4Addr::new(10, 9, 0, 1));
    let now = channel.now;
    assert!(channel.end(0).migrate(false, now));
    let info = channel.end(0).info();
    assert_eq!((info.cwnd_bytes, info.srtt), (first, Span::ZERO), "nothing is known of the new way");
    channel.write(0, id, Payload::filler(100));
    // The server answers at the new address, where it may send three times what has come from there.
    channel.run(MS(60));
    channel.write(1, id, Payload::filler(100_000));
    channel.run(MS(30));
    let sent = |channel: &Channel, from: usize| -> u64 {
        channel.sent.iter().filter(|seen| seen.from == from).map(|seen| seen.len).sum()
    };
    assert!(!channel.end(1).path.validated);
    let (theirs, ours) = (sent(&channel, 1), sent(&channel, 0));
    assert!(theirs <= 3 * ours, "{theirs} bytes to an address that sent {ours}");
    let challenged = |channel: &Channel, from: usize| {
        channel
            .sent
            .iter()
            .any(|seen| seen.from == from && seen.frames().any(|frame| matches!(frame, Frame::PathChallenge(_))))
    };
    assert!(challenged(&channel, 0) && challenged(&channel, 1), "both ends ask");
    channel.run(MS(100));
    assert!(channel.end(1).path.validated && channel.end(1).remote() == channel.client);
    channel.run(MS(2_000));
    let mut got = 0;
    while let Some((payload, _)) = channel.read(0, id) {
        got += payload.len();
    }
    assert_eq!((got, channel.reason(0), channel.reason(1)), (100_000, None, None));
    let (srtt, way) = (channel.end(0).info().srtt, MS(100));
    assert!(way <= srtt && srtt < way + MS(30), "{srtt}: measured anew");
}

/// RFC 9000 9.2 and 9.4: a client that only listens has nothing to send that would tell its server of the new address, and what the server
/// had in flight to the old one must neither fill the window of the new path nor be held against it.
#[test]
fn a_client_that_downloads_loses_its_network_and_goes_on_from_another_after_a_round_trip() {
    let mut channel = Channel::open(Config::default(), MS(50));
    let now = channel.now;
    let id = channel.end(0).open(Dir::Bi, now).unwrap();
    channel.write(0, id, Payload::filler(1));
    channel.run(MS(60));
    channel.write(1, id, Payload::filler(600_000));
    channel.run(MS(430));
    let (grown, in_flight) = (channel.end(1).info().cwnd_bytes, channel.end(1).info().bytes_in_flight);
    assert!(grown > 80_000 && in_flight > 80_000, "{grown} bytes of window, {in_flight} in flight");
    // The old network is gone, with what was on its way.
    channel.drop = Box::new(|_| true);
    channel.sever();
    channel.run(MS(300));
    channel.clear();
    let moved = channel.now;
    channel.client.set_ip(std::net::Ipv4Addr::new(10, 9, 0, 1));
    // What the server sends to the old address until it hears from the new one is lost too.
    channel.drop = Box::new(move |seen| seen.from == 1 && seen.at < moved + MS(50));
    assert!(channel.end(0).migrate(false, moved));
    let challenge = |seen: &super::channel::Seen| seen.frames().any(|frame| matches!(frame, Frame::PathChallenge(_)));
    assert!(channel.run_until(MS(60), |channel| channel.ends[1].as_ref().unwrap().remote() == channel.client));
    let first = channel.sent.iter().find(|seen| seen.from == 0).unwrap();
    assert!(challenge(first) && first.len >= 1_200 && first.at == moved, "and it alone has moved the server");
    let server = channel.end(1).info();
    assert_eq!((server.cwnd_bytes, server.srtt), (10 * 1350, Span::ZERO), "nothing is known of the way to there");
    assert!(server.bytes_in_flight < 4_000, "{} bytes: of the new path only", server.bytes_in_flight);
    assert!(channel.run_until(MS(60), |channel| channel.when(0, &Event::PathValidated).is_some()));
    assert_eq!(channel.when(0, &Event::PathValidated), Some(MS(100)));
    // Some had arrived, and only their acknowledgments were lost.
    let (before, swallowed) = (channel.end(1).info().lost_packets, in_flight / 2_000);
    assert!(channel.run_until(MS(120), |channel| channel.end(1).info().lost_packets >= before + swallowed));
    assert!(channel.now - moved < MS(210), "what the old network swallowed is known after {}", channel.now - moved);
    let info = channel.end(1).info();
    assert!(info.cwnd_bytes >= 10 * 1350 && info.ssthresh_bytes == u64::MAX, "and is not held against the new one");
    let (mut got, limit) = (0, channel.now + MS(4_000));
    while got < 600_000 && channel.step(limit) {
        while let Some((payload, _)) = channel.read(0, id) {
            got += payload.len();
        }
    }
    assert_eq!((got, channel.reason(0), channel.reason(1)), (600_000, None, None));
    let (srtt, way) = (channel.end(1).info().srtt, MS(100));
    assert!(way <= srtt && srtt < way + MS(30), "{srtt}: of the new path only");
}

/// RFC 9000 9: before the handshake is confirmed nobody moves.
#[test]
fn a_client_does_not_move_before_its_handshake_is_confirmed() {
    let mut channel = Channel::new(Config::default(), MS(50), None, 1);
    assert!(channel.run_until(MS(400), |channel| channel.end(0).is_connected()));
    let now = channel.now;
    assert!(!channel.end(0).migrate(false, now));
    channel.end(0).lose_address();
    channel.run(MS(1));
    assert_eq!(channel.reason(0), Some(Reason::AddressLost));
    assert!(channel.end(0).poll_transmit(now).is_none(), "there is nowhere to send from");
    channel.run(MS(400));
    let now = channel.now;
    let mut later = Channel::open(Config::default(), MS(50));
    assert!(later.end(0).migrate(false, now));
}
