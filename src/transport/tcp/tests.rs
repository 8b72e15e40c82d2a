//! Laws of a TCP connection over a channel that loses, reorders, doubles and corrupts what it likes, and that may be dead for a while.

#![expect(clippy::cast_possible_truncation, reason = "random bytes, and timestamps modulo 2^32")]

use super::connection::Connection;
use super::predicted::PREDICT;
use super::signals::{Event, Reason, State, Wake};
use super::{Algorithm, Config, reset_for};
use crate::base::{Rng, Span, Time};
use crate::trace::Arrival;
use crate::wire::{Body, Cookie, Ecn, Flags, Options, Packet, Payload, Segment, Seq, Transit, codec};
use proptest::prelude::*;
use std::net::Ipv4Addr;

const MS: fn(u64) -> Span = Span::from_millis;
const A: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 0, 1), 1000);
const B: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 0, 2), 80);

/// When a channel opens.
const START: Time = Time::from_nanos(1_000_000_000);

/// What a channel does to each segment, each with this probability.
#[derive(Clone, Copy, Debug, Default)]
struct Vices {
    loss: f64,
    doubling: f64,
    reordering: f64,
    /// One bit flips: the checksum must notice.
    corruption: f64,
    /// Nothing gets through from the first instant (after the start) until the second.
    outage: Option<(Span, Span)>,
}

struct Flying {
    due: Time,
    to: usize,
    segment: Segment,
    transit: Transit,
}

/// Two ends and a channel of constant delay with vices.
struct Channel {
    now: Time,
    ends: [Option<Connection>; 2],
    configs: [Config; 2],
    flying: Vec<Flying>,
    sent: Vec<(Time, usize, Segment)>,
    events: Vec<(usize, Event)>,
    delay: Span,
    vices: Vices,
    /// The cookie that the server expects.
    server_cookie: Cookie,
    rng: Rng,
}

/// The cookie that the client shows where it opens fast.
const COOKIE: Cookie = *b"a cookie";

impl Channel {
    fn new(configs: [Config; 2], delay: Span, vices: Vices, seed: u64) -> Self {
        let now = START;
        // Most of what is tested here is not about a send buffer that grows.
        let configs = configs.map(|config| Config { first_send_buffer: config.send_buffer, ..config });
        let mut client = Connection::connect(&configs[0], A, B, Seq(u32::MAX - 2000), now);
        if configs[0].fast_open {
            client.open_fast(Some(COOKIE));
        }
        Self {
            now,
            ends: [Some(client), None],
            configs,
            flying: Vec::new(),
            sent: Vec::new(),
            events: Vec::new(),
            delay,
            vices,
            server_cookie: COOKIE,
            rng: Rng::stream(seed, "test/tcp/channel"),
        }
    }

    fn open(config: &Config, delay: Span) -> Self {
        let mut channel = Self::new([config.clone(), config.clone()], delay, Vices::default(), 1);
        channel.run(MS(1) + delay * 4);
        assert_eq!((channel.end(0).state(), channel.end(1).state()), (State::Established, State::Established));
        channel.sent.clear();
        channel
    }

    fn end(&mut self, index: usize) -> &mut Connection {
        self.ends[index].as_mut().expect("the end exists")
    }

    fn write(&mut self, index: usize, payload: Payload) {
        let now = self.now;
        let rest = self.end(index).write(payload, now);
        assert!(rest.is_empty(), "the buffer has room");
        self.flush();
    }

    fn flush(&mut self) {
        let dead = self.is_dead();
        for from in 0..2 {
            let Some(end) = &mut self.ends[from] else { continue };
            while let Some(transmit) = end.poll_transmit(self.now) {
                end.check();
                self.sent.push((self.now, from, transmit.segment.clone()));
                let transit = Transit { first_sent: transmit.first_sent, sent: self.now, ..Transit::default() };
                let copies = 1 + u32::from(self.rng.chance(self.vices.doubling));
                for _ in 0..copies {
                    if self.rng.chance(self.vices.loss) || dead {
                        continue;
                    }
                    if self.rng.chance(self.vices.corruption) {
                        let bit = self.rng.bits();
                        assert_corruption_is_noticed(from, &transmit.segment, bit);
                        continue;
                    }
                    let mut delay = self.delay;
                    if self.rng.chance(self.vices.reordering) {
                        delay += Span::from_micros(self.rng.below(30_000));
                    }
                    let transit = Transit { propagation: delay, ..transit };
                    let segment = transmit.segment.clone();
                    self.flying.push(Flying { due: self.now + delay, to: 1 - from, segment, transit });
                }
            }
            while let Some(event) = end.poll_event() {
                self.events.push((from, event));
            }
        }
    }

    /// Whether the channel lets nothing through.
    fn is_dead(&self) -> bool {
        let since = self.now.since(START);
        self.vices.outage.is_some_and(|(dies, heals)| dies <= since && since < heals)
    }

    /// Lets the next thing happen, if it does by `limit`.
    fn step(&mut self, limit: Time) -> bool {
        self.flush();
        let mut next = self.flying.iter().map(|flying| flying.due).min().unwrap_or(Time::NEVER);
        for end in self.ends.iter().flatten() {
            if let Wake::At(at) = end.wake() {
                next = next.min(at);
            }
        }
        if next > limit {
            self.now = limit;
            return false;
        }
        self.now = self.now.max(next);
        let first = self.flying.iter().enumerate().filter(|(_, flying)| flying.due <= self.now).min_by_key(|x| x.1.due);
        if let Some(index) = first.map(|(index, _)| index) {
            let Flying { to, segment, transit, .. } = self.flying.remove(index);
            self.deliver(to, segment, &transit);
        } else {
            for end in self.ends.iter_mut().flatten() {
                end.handle_wake(self.now);
                end.check();
            }
        }
        self.flush();
        true
    }

    fn deliver(&mut self, to: usize, mut segment: Segment, transit: &Transit) {
        match &mut self.ends[to] {
            Some(end) => {
                end.handle_segment(&mut segment, transit, Ecn::NotCapable, self.now);
                end.check();
            }
            None if segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK) => {
                let mut end = Connection::accept(&self.configs[to], B, A, Seq(7), &segment, self.now);
                if self.configs[to].fast_open {
                    end.accept_fast(self.server_cookie, &segment, transit, self.now);
                }
                self.ends[to] = Some(end);
            }
            None => drop(reset_for(&segment)),
        }
    }

    fn run(&mut self, span: Span) {
        let limit = self.now + span;
        while self.step(limit) {}
    }

    /// Data segments that an end has sent, as (time, bytes).
    fn data(&self, from: usize) -> Vec<(Time, u64)> {
        let data = self.sent.iter().filter(|sent| sent.1 == from && !sent.2.payload.is_empty());
        data.map(|sent| (sent.0, sent.2.payload.len())).collect()
    }
}

/// As bytes on a wire and back the segment is the same; with one bit flipped, wherever, it is none.
fn assert_corruption_is_noticed(from: usize, segment: &Segment, random: u64) {
    let [(src, _), (dst, _)] = if from == 0 { [A, B] } else { [B, A] };
    let (body, ecn) = (Body::Tcp(segment.clone()), Ecn::NotCapable);
    let packet = Packet {
        src,
        dst,
        ttl: 64,
        dscp: crate::wire::Dscp::DEFAULT,
        ecn,
        ident: 1,
        body,
        transit: Transit::default(),
    };
    let mut bytes = Vec::new();
    codec::encode(&packet, &mut bytes).expect("a segment fits into a packet");
    let whole = codec::decode(&bytes).expect("what was encoded can be decoded");
    let Body::Tcp(again) = &whole.body else { panic!("{whole:?} is no segment") };
    let bits = |segment: &Segment| (segment.seq, segment.ack, segment.flags, segment.window, segment.options);
    assert_eq!((bits(again), again.payload.to_vec()), (bits(segment), segment.payload.to_vec()));
    let bit = (random % (bytes.len() as u64 * 8)) as usize;
    bytes[bit / 8] ^= 1 << (bit % 8);
    assert!(codec::decode(&bytes).is_err(), "bit {bit} of {packet:?}");
}

impl Connection {
    /// The counters of the scoreboard agree with each other.
    fn check(&self) {
        let board = &self.board;
        assert!(board.sacked_out + board.lost_out <= board.packets_out(), "{board:?}");
        assert!(board.retrans_out <= board.packets_out(), "{board:?}");
        assert!(self.una <= self.next && self.window.cwnd > 0);
    }
}

fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::stream(seed, "test/tcp/bytes");
    (0..len).map(|_| rng.below(256) as u8).collect()
}

/// How long a connection over a channel of the worst kind may take: 925 s without progress end it (15 doublings from 200 ms, at
/// most 120 s each), so each segment, the handshake and the two ends of the stream have as long. It does take long where the
/// SYN was sent again: the SYN-ACK echoes the first one's timestamp, the first sample is all the time that the handshake took,
/// and the timeout that follows from it stays for as long as losses leave few samples.
fn bounded(lens: [usize; 2]) -> Span {
    Span::from_secs(925 * (lens[0].div_ceil(1_000) + lens[1].div_ceil(1_000) + 4) as u64)
}

/// Both ends send; everything must arrive in order, or the connection must have ended with an error.
fn transfer(configs: [Config; 2], vices: Vices, cookie: Cookie, lens: [usize; 2], seed: u64) -> Channel {
    let mut channel = Channel::new(configs, MS(10), vices, seed);
    channel.server_cookie = cookie;
    // A SYN that waits for data: there is nothing else to wait for.
    let fast = channel.configs[0].fast_open;
    let data = [bytes(seed, lens[0]), bytes(seed + 1, lens[1])];
    let mut written = [0, 0];
    let mut got = [Vec::new(), Vec::new()];
    let limit = channel.now + bounded(lens);
    let mut first = true;
    while std::mem::take(&mut first) || channel.step(limit) {
        for index in 0..2 {
            let now = channel.now;
            let Some(end) = &mut channel.ends[index] else { continue };
            if end.state() < State::Established && !end.opened_fast() && !(fast && index == 0) {
                continue;
            }
            if fast && index == 0 && data[0].is_empty() && end.open_now() {
                continue;
            }
            if written[index] < data[index].len() {
                let rest = end.write(Payload::real(data[index][written[index]..].to_vec()), now);
                written[index] = data[index].len() - usize::try_from(rest.len()).unwrap();
                if written[index] == data[index].len() {
                    end.shutdown(now);
                }
            } else if data[index].is_empty() {
                end.shutdown(now);
            }
            while let Some((payload, _)) = end.read(1 + seed % 5000, now) {
                got[index].extend(payload.to_vec());
            }
        }
        channel.flush();
        if channel.ends.iter().flatten().filter(|end| end.state() >= State::TimeWait).count() == 2 {
            break;
        }
    }
    let failed =
        channel.events.iter().any(|event| matches!(event.1, Event::Closed(reason) if reason != Reason::Finished));
    for index in 0..2 {
        let want = &data[1 - index];
        assert!(want.starts_with(&got[index]), "what was delivered is what was sent, in order");
        assert!(failed || got[index].len() == want.len(), "{} of {} bytes", got[index].len(), want.len());
    }
    channel
}

/// A connection over a hostile channel: settings, vices, bytes each way, seed.
#[derive(Clone, Debug)]
struct Hostile {
    configs: [Config; 2],
    vices: Vices,
    cookie: Cookie,
    lens: [usize; 2],
    seed: u64,
}

prop_compose! {
    /// Nothing, or a channel that dies within a second and heals within two minutes.
    fn outages()(dies in 0..1_000u64, lasts in 1..120_000u64, outage in prop::bool::weighted(0.3)) -> Option<(Span, Span)> {
        outage.then(|| (MS(dies), MS(dies + lasts)))
    }
}

prop_compose! {
    fn hostile()(
        seed in any::<u32>(),
        (loss, doubling, reordering, corruption) in (0.0..0.3f64, 0.0..0.2f64, 0.0..0.5f64, 0.0..0.05f64),
        outage in outages(),
        (sack, timestamps, scaling, rack) in any::<(bool, bool, bool, bool)>(),
        (fast, welcome, cookie) in (any::<bool>(), any::<bool>(), prop_oneof![Just(COOKIE), Just([0; 8])]),
        (buffer, lens) in (prop_oneof![Just(3_000u64), Just(20_000), Just(1 << 20)], (0usize..60_000, 0usize..60_000)),
        congestion in prop_oneof![Just("reno"), Just("cubic"), Just("bbr")],
    ) -> Hostile {
        let config = Config {
            sack,
            timestamps,
            window_scaling: scaling,
            rack,
            receive_buffer: buffer,
            send_buffer: 30_000,
            fast_open: fast,
            congestion: Algorithm::by_name(congestion).unwrap(),
            ..Config::default()
        };
        let vices = Vices { loss, doubling, reordering, corruption, outage };
        let server = Config { sack: true, timestamps: true, fast_open: welcome, ..config.clone() };
        Hostile { configs: [config, server], vices, cookie, lens: [lens.0, lens.1], seed: u64::from(seed) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    #[ignore = "minutes without optimisation"]
    fn ten_thousand_hostile_channels_deliver_every_byte_once_and_in_order_or_fail(case in hostile()) {
        drop(transfer(case.configs, case.vices, case.cookie, case.lens, case.seed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_byte_arrives_once_and_in_order_or_the_connection_fails(case in hostile()) {
        drop(transfer(case.configs, case.vices, case.cookie, case.lens, case.seed));
    }

    #[test]
    fn header_prediction_changes_nothing(case in hostile(), calm in any::<bool>()) {
        // With less trouble, more is predicted.
        let vices = if calm { Vices { loss: case.vices.loss / 30.0, ..Vices::default() } } else { case.vices };
        let [predicted, general] = [true, false].map(|predict| {
            PREDICT.set(predict);
            let channel = transfer(case.configs.clone(), vices, case.cookie, case.lens, case.seed);
            PREDICT.set(true);
            let info = channel.ends.map(|end| end.map(|end| format!("{:?}", end.info())));
            (channel.now, channel.sent, channel.events, info)
        });
        prop_assert_eq!(predicted, general);
    }

    #[test]
    fn an_arrival_accounts_for_every_nanosecond(seed in any::<u32>(), loss in 0.0..0.2f64) {
        let config = Config::default();
        let vices = Vices { loss, ..Vices::default() };
        let mut channel = Channel::new([config.clone(), config], MS(20), vices, u64::from(seed));
        while channel.ends[1].as_ref().is_none_or(|end| end.state() < State::Established) {
            let limit = channel.now + Span::from_secs(600);
            prop_assume!(channel.step(limit));
        }
        // One handshake in some hundred is given up.
        prop_assume!(channel.end(1).state() == State::Established);
        channel.write(1, Payload::filler(50_000));
        let limit = channel.now + Span::from_secs(300);
        let mut got = 0;
        while got < 50_000 && channel.step(limit) {
            let now = channel.now;
            while let Some((payload, arrival)) = channel.end(0).read(u64::MAX, now) {
                got += payload.len();
                let Arrival { first_sent, sent, arrived, released, serialisation, queueing, propagation } = arrival;
                let (recovery, reorder_wait) = (sent.since(first_sent), released.since(arrived));
                let parts = recovery + serialisation + queueing + propagation + reorder_wait;
                prop_assert_eq!(released.since(first_sent), parts);
                prop_assert_eq!(released, now, "what was read at once was released just now");
            }
        }
        prop_assert_eq!(got, 50_000);
    }
}

#[test]
fn a_lone_segment_is_acknowledged_after_40_ms_once_quick_acks_are_used_up() {
    let mut channel = Channel::open(&Config::default(), MS(10));
    // Never pushed from the reader's side: nobody reads.
    for _ in 0..40 {
        channel.write(0, Payload::filler(1448));
        channel.run(MS(100));
    }
    let data = channel.data(0).last().copied().expect("data was sent").0;
    let ack = channel.sent.iter().rfind(|sent| sent.1 == 1).expect("it was acknowledged").0;
    let waited = ack.since(data) - MS(10);
    assert!(waited >= MS(40) && waited <= MS(48), "{waited}: 40 ms, to the next tick of 4 ms");
}

#[test]
fn nagle_keeps_small_writes_back_while_one_is_in_flight() {
    for (nagle, segments) in [(true, 2), (false, 5)] {
        let mut channel = Channel::open(&Config { nagle, ..Config::default() }, MS(10));
        for _ in 0..5 {
            channel.write(0, Payload::filler(100));
        }
        channel.run(MS(200));
        let sizes: Vec<u64> = channel.data(0).iter().map(|data| data.1).collect();
        assert_eq!((sizes.len(), sizes.iter().sum()), (segments, 500), "nagle {nagle}: {sizes:?}");
    }
}

#[test]
fn a_closed_window_is_probed_with_backoff_and_reopens() {
    let config = Config { receive_buffer: 10_000, ..Config::default() };
    let mut channel = Channel::open(&config, MS(10));
    channel.write(0, Payload::filler(100_000));
    channel.run(Span::from_secs(20));
    let held = channel.end(1).readable();
    assert!((5_000..=12_000).contains(&held), "{held}");
    let recent = channel.now - Span::from_secs(16);
    let probes =
        channel.sent.iter().filter(|sent| sent.1 == 0 && sent.0 > Time::ZERO + recent.since(Time::ZERO)).count();
    assert!((2..=8).contains(&probes), "probes double their distance: {probes}");
    let mut got = 0;
    for _ in 0..4_000 {
        let now = channel.now;
        got += channel.end(1).discard(u64::MAX, now);
        channel.flush();
        channel.run(MS(50));
        if got == 100_000 {
            break;
        }
    }
    assert_eq!(got, 100_000);
}

#[test]
fn both_may_open_at_once() {
    let config = Config::default();
    let now = Time::from_nanos(1_000_000_000);
    let mut channel = Channel::new([config.clone(), config.clone()], MS(10), Vices::default(), 1);
    channel.ends[1] = Some(Connection::connect(&config, B, A, Seq(77), now));
    channel.run(Span::from_secs(3));
    assert_eq!((channel.end(0).state(), channel.end(1).state()), (State::Established, State::Established));
    channel.write(0, Payload::filler(5_000));
    channel.run(MS(100));
    assert_eq!(channel.end(1).readable(), 5_000);
}

#[test]
fn both_may_close_at_once() {
    let mut channel = Channel::open(&Config::default(), MS(10));
    for index in 0..2 {
        let now = channel.now;
        channel.end(index).close(now);
    }
    channel.run(MS(15));
    assert_eq!((channel.end(0).state(), channel.end(1).state()), (State::Closing, State::Closing));
    channel.run(MS(100));
    assert_eq!((channel.end(0).state(), channel.end(1).state()), (State::TimeWait, State::TimeWait));
    channel.run(Span::from_secs(61));
    assert!(channel.end(0).is_closed() && channel.end(1).is_closed());
}

/// A segment from the client to the server, `ahead` of what the server expects.
fn stray(channel: &mut Channel, flags: Flags, ahead: u32) -> Option<Segment> {
    let now = channel.now;
    let (seq, ack) = {
        let client = channel.end(0);
        (client.seq(client.next), client.receiver.seq(client.receiver.next))
    };
    let stamp = (now.as_nanos() / 1_000_000) as u32 + 1;
    let options = Options { timestamps: Some((stamp, 0)), ..Options::default() };
    let mut segment = Segment { seq: seq + ahead, ack, flags, options, window: 1000, ..Segment::default() };
    let server = channel.end(1);
    server.handle_segment(&mut segment, &Transit::default(), Ecn::NotCapable, now);
    server.poll_transmit(now).map(|transmit| transmit.segment)
}

#[test]
fn only_the_exact_number_resets() {
    // RFC 5961 3.2: exactly the next number resets; elsewhere in the window it is challenged; outside it is nothing.
    let mut channel = Channel::open(&Config::default(), MS(10));
    let answer = stray(&mut channel, Flags::RST, 1).expect("a challenge");
    assert_eq!((answer.flags, channel.end(1).state()), (Flags::ACK, State::Established));
    assert_eq!(stray(&mut channel, Flags::RST, 10_000_000), None);
    assert_eq!(channel.end(1).state(), State::Established);
    assert_eq!(stray(&mut channel, Flags::RST, 0), None);
    assert_eq!(channel.end(1).poll_event(), Some(Event::Closed(Reason::Reset)));
}

#[test]
fn a_syn_on_an_open_connection_is_challenged() {
    // RFC 5961 4.2, in the window and out of it.
    for ahead in [0, 1, 10_000_000] {
        let mut channel = Channel::open(&Config::default(), MS(10));
        let answer = stray(&mut channel, Flags::SYN, ahead).expect("a challenge");
        assert_eq!((answer.flags, channel.end(1).state()), (Flags::ACK, State::Established), "{ahead}");
    }
}

#[test]
fn data_and_fin_out_of_the_window_are_only_acknowledged() {
    for (flags, ahead) in [(Flags::FIN | Flags::ACK, 10_000_000), (Flags::ACK, 10_000_000)] {
        let mut channel = Channel::open(&Config::default(), MS(10));
        let answer = stray(&mut channel, flags, ahead).expect("an acknowledgment");
        assert_eq!((answer.flags, channel.end(1).state()), (Flags::ACK, State::Established));
    }
    let mut channel = Channel::open(&Config::default(), MS(10));
    drop(stray(&mut channel, Flags::FIN | Flags::ACK, 0));
    assert_eq!(channel.end(1).state(), State::CloseWait);
}

/// With a cookie data arrives half a round trip after it was written, and the answer after one; without a server that knows the
/// cookie, it is sent again at once when the SYN-ACK says so.
#[test]
fn data_in_the_syn_saves_a_round_trip() {
    let config = Config { fast_open: true, ..Config::default() };
    let talk = |server: Cookie| {
        let mut channel = Channel::new([config.clone(), config.clone()], MS(50), Vices::default(), 1);
        channel.server_cookie = server;
        let began = channel.now;
        channel.run(MS(1_000));
        assert!(channel.sent.is_empty(), "the SYN waits for data");
        let wrote = channel.now;
        channel.write(0, Payload::filler(3_000));
        channel.run(MS(51));
        let early = channel.end(1).readable();
        if early > 0 {
            channel.write(1, Payload::filler(500));
        }
        channel.run(MS(400));
        let syn = channel.sent[0].2.clone();
        assert!(wrote > began && syn.flags == Flags::SYN);
        // Beside 40 bytes of options, whatever they really are.
        assert_eq!(syn.payload.len(), 1_420);
        assert_eq!(channel.end(1).readable(), 3_000);
        let given = channel.end(0).take_cookie();
        (early, channel.end(0).readable(), channel.data(0).iter().map(|sent| sent.1).collect::<Vec<_>>(), given)
    };
    assert_eq!(talk(COOKIE), (1_420, 500, vec![1_420, 1_448, 132], None));
    // The data that the SYN carried in vain goes again, and the new cookie has come.
    assert_eq!(talk([7; 8]), (0, 0, vec![1_420, 1_448, 1_448, 104], Some([7; 8])));
}

/// A SYN that is lost is sent again without data and option (Linux): what it carried follows the handshake.
#[test]
fn a_lost_syn_with_data_costs_a_timeout_and_no_byte() {
    let config = Config { fast_open: true, ..Config::default() };
    let mut channel = Channel::new([config.clone(), config], MS(50), Vices { loss: 1.0, ..Vices::default() }, 1);
    channel.write(0, Payload::filler(1_000));
    channel.vices.loss = 0.0;
    channel.run(MS(1_500));
    let syns: Vec<_> = channel.sent.iter().filter(|sent| sent.1 == 0 && sent.2.flags.has(Flags::SYN)).collect();
    assert_eq!(syns.iter().map(|syn| syn.2.payload.len()).collect::<Vec<_>>(), [1_000, 0]);
    assert!(syns[1].2.options.fast_open.is_empty());
    assert_eq!(channel.end(1).readable(), 1_000);
}
