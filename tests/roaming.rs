//! Laws of hosts with several addresses: what comes and goes by which link, what a move costs over each transport, and that QUIC loses
//! nothing whatever fails when.

mod runs;

use lightlag::run::outcome::{Outcome, Performance};
use lightlag::run::{Observer, Simulation};
use lightlag::scenario::build::{Network, lay_out};
use lightlag::scenario::parse;
use lightlag::topo::{Egress, NodeId};
use lightlag::trace::{Mask, Message, PacketEvent, PacketRecord, Record};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const MS: u64 = 1_000_000;

/// A phone 10 ms from the core by Wi-Fi and 30 ms by LTE, and whom it calls 5 ms behind the core.
fn phone(delay: &str, traffic: &str, faults: &str) -> String {
    let asks = traffic.contains("shop");
    let (shop, link) = if asks {
        (r#""shop": Server(response: "1kB"),"#, r#"(between: ("shop", "core"), delay: "5ms"),"#)
    } else {
        ("", "")
    };
    format!(
        r#"Scenario(run_for: "40s", nodes: {{
            "phone": Host(uplinks: ["ap", "tower"], carrier_delay: "{delay}"), "ap": Router(), "tower": Router(), "core": Router(),
            "friend": Host(), {shop}
        }},
        links: [
            (name: "wifi", between: ("phone", "ap"), rate: "100Mbps", delay: "1ms"),
            (name: "lte", between: ("phone", "tower"), rate: "50Mbps", delay: "21ms"),
            (between: ("ap", "core"), delay: "9ms"),
            (between: ("tower", "core"), delay: "9ms"),
            (between: ("friend", "core"), delay: "5ms"),
            {link}
        ],
        traffic: {{ {traffic} }},
        faults: [{faults}])"#
    )
}

fn call(over: &str) -> String {
    format!(r#""call": Messages(from: "phone", to: "friend", size: "200B", every: "10ms", over: {over}, for: "20s"),"#)
}

/// The round trip by LTE.
const LTE: u64 = 70 * MS;

/// What is sent until the notice and not past the break is lost, and every datagram after it arrives, from the address in use.
#[test]
fn datagrams_are_lost_until_the_notice_and_none_after_it() {
    let cut = r#"Cut(link: "wifi", at: "5.005s", for: "5s")"#;
    for (delay, notice) in [("0s", 0), ("40ms", 40), ("2s", 2_000)] {
        let (outcome, _) = runs::run(&phone(delay, &call("Udp"), cut));
        // Those sent every 10 ms from 5.01 s until the notice. When the link broke nothing was on it.
        assert_eq!(outcome.traffic["call"].counts.failed + outcome.traffic["call"].counts.unfinished, notice / 10);
        let at: Vec<u64> = outcome.moves.iter().map(|moved| moved.at_ns).collect();
        assert_eq!(at, [(5_005 + notice) * MS, (10_005 + notice) * MS]);
        let via = |place: usize| outcome.moves[place].to.as_ref().unwrap().via.as_str();
        assert_eq!((via(0), via(1)), ("tower", "ap"));
        let noticed = &outcome.timeline[0].noticed[0];
        assert_eq!((noticed.node.as_str(), noticed.by.as_str()), ("phone", "carrier"));
    }
}

/// A change that does not last as long as the carrier delay is none.
#[test]
fn what_does_not_last_is_not_noticed() {
    let (outcome, _) = runs::run(&phone("300ms", &call("Tcp"), r#"Cut(link: "wifi", at: "5s", for: "299ms")"#));
    assert!(outcome.moves.is_empty(), "{:?}", outcome.moves);
    let counts = &outcome.traffic["call"].counts;
    assert_eq!((counts.ok, counts.failed), (counts.started, 0), "its connection has gone on");
}

/// The message that finds the connection gone waits for a handshake from the new address: nothing less, and nothing else.
#[test]
fn over_tcp_a_move_costs_a_handshake_and_what_was_under_way() {
    let (outcome, traffic) = runs::run(&phone("100ms", &call("Tcp"), r#"Cut(link: "wifi", at: "5.005s")"#));
    let moved = &outcome.moves[0];
    assert_eq!((moved.tcp_ended, moved.quic_migrated, moved.validated_ns), (1, 0, None));
    let slowest = traffic[0].samples.as_slice().iter().map(|sample| sample.latency.as_nanos()).max().unwrap();
    // A round trip of the handshake, one way of the message, and what its bits take.
    assert!((LTE + LTE / 2..LTE + LTE / 2 + MS).contains(&slowest), "{slowest}");
    // Those due from 5.01 s to 5.1 s went into the old connection, and the next one found it gone.
    let counts = &outcome.traffic["call"].counts;
    assert!((10..=12).contains(&(counts.failed + counts.unfinished)), "{counts:?}");
}

/// Nothing is lost, and what the old path swallowed is late by the notice, a round trip of the new path until that is known, and its way.
#[test]
fn over_quic_a_move_costs_the_notice_and_a_round_trip() {
    for notice in [0, 50, 250] {
        let cut = r#"Cut(link: "wifi", at: "5.0005s")"#;
        let (outcome, traffic) = runs::run(&phone(&format!("{notice}ms"), &call("Quic"), cut));
        let moved = &outcome.moves[0];
        assert_eq!((moved.tcp_ended, moved.quic_migrated, moved.quic_ended), (0, 1, 0));
        let proved = moved.validated_ns.unwrap() - moved.at_ns;
        assert!((LTE..LTE + MS).contains(&proved), "{proved}: a round trip");
        let counts = &outcome.traffic["call"].counts;
        // The first is due when the connection is open.
        assert_eq!((counts.ok, counts.started), (1_997, 1_997));
        let slowest = traffic[0].samples.as_slice().iter().map(|sample| sample.latency.as_nanos()).max().unwrap();
        // The receiver may take 25 ms to acknowledge (RFC 9000 18.2: max_ack_delay), and the last two before the move wait an
        // eighth of a round trip (RFC 9002 6.1.2).
        let most = notice * MS + LTE + LTE / 2 + 25 * MS + LTE / 8 + MS;
        assert!(slowest <= most, "{slowest} after a notice of {notice} ms; {most} at most");
        assert!(notice == 0 || slowest >= (notice - 10) * MS + LTE + LTE / 2, "{slowest} after {notice} ms");
    }
}

/// A download goes on: what is under way on the old path is sent again, and the whole is there once.
#[test]
fn a_download_goes_on_over_quic_and_fails_over_tcp() {
    let bulk = |over: &str| {
        format!(
            r#""file": Bulk(from: "phone", to: "friend", bytes: "10MB", over: {over}, direction: Down, start: "4.8s"),"#
        )
    };
    let cut = r#"Cut(link: "wifi", at: "5.2s")"#;
    let quic = runs::run(&phone("100ms", &bulk("Quic"), cut)).0;
    assert_eq!(quic.traffic["file"].counts.ok, 1);
    assert_eq!(quic.traffic["file"].flows[0].bytes, 10_000_000);
    let tcp = runs::run(&phone("100ms", &bulk("Tcp"), cut)).0;
    assert_eq!((tcp.traffic["file"].counts.ok, tcp.traffic["file"].counts.failed_by["address_lost"]), (0, 1));
}

/// A connection that cannot move yet ends, and the next one opens from the new address.
#[test]
fn a_handshake_does_not_move() {
    let faults = r#"Cut(link: "wifi", at: "20ms")"#;
    let traffic =
        r#""call": Messages(from: "phone", to: "friend", size: "200B", every: "10ms", over: Quic, for: "2s"),"#;
    let (outcome, _) = runs::run(&phone("0s", traffic, faults));
    let moved = &outcome.moves[0];
    assert_eq!((moved.quic_migrated, moved.quic_ended, moved.validated_ns), (0, 1, None));
    let counts = &outcome.traffic["call"].counts;
    assert!(counts.ok > 180 && counts.ok == counts.started, "{counts:?}");
}

/// Without any link everything is refused at once, and goes on when one is back.
#[test]
fn without_a_link_requests_are_refused_and_quic_waits() {
    let traffic = format!(
        r#"{} "pages": Http(from: "phone", to: "http://shop/", arrivals: Every("100ms"), until: "20s"),"#,
        call("Quic")
    );
    let faults = r#"Cut(link: "wifi", at: "5.05s", for: "2s"), Cut(link: "lte", at: "4.05s", for: "10s")"#;
    let (outcome, _) = runs::run(&phone("0s", &traffic, faults));
    let pages = &outcome.traffic["pages"].counts;
    // Those that begin between 5.1 s and 7.0 s; the one before has its answer, which takes 30 ms.
    assert_eq!((pages.failed, pages.failed_by["unreachable"]), (20, 20), "{pages:?}");
    let to = |place: usize| outcome.moves[place].to.as_ref().map(|home| home.via.as_str());
    assert_eq!((outcome.moves.len(), to(0), to(1)), (2, None, Some("ap")));
    let call = &outcome.traffic["call"].counts;
    assert_eq!((call.ok, call.started), (1_997, 1_997), "the Wi-Fi is back before anybody has given up");
}

/// Looks at every packet of the phone: what leaves by a link comes from the address on it, and what comes by it is for that address.
struct Addresses<'a> {
    network: &'a Network,
    phone: u32,
    seen: u64,
    /// How often each message was delivered, by number.
    delivered: BTreeMap<u64, u32>,
}

impl Observer for Addresses<'_> {
    fn mask(&self) -> Mask {
        Mask::TRAFFIC.and(Mask::PACKETS)
    }

    fn record(&mut self, record: &Record) {
        if let Record::Message(Message { number, .. }) = record {
            *self.delivered.entry(*number).or_default() += 1;
        }
    }

    fn packet(&mut self, record: &PacketRecord) {
        let (Some(link), true) = (record.link, record.node == self.phone) else { return };
        let egress = Egress::from_number(link);
        let (out, address) = match record.event {
            PacketEvent::Offered => (egress, record.packet.src),
            PacketEvent::Arrived => (egress.reversed(), record.packet.dst),
            _ => return,
        };
        let uplinks = self.network.layout.addresses.uplinks(NodeId::first(self.phone));
        let own = uplinks.iter().find(|uplink| uplink.egress == out).expect("every link of the phone is an uplink");
        assert_eq!(own.address, address, "{record:?}");
        self.seen += 1;
    }
}

fn watched(source: &str) -> (Outcome, BTreeMap<u64, u32>) {
    let (plan, warnings) = parse(source, "test").unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"));
    assert_eq!(warnings, []);
    let network = lay_out(&plan).unwrap();
    let phone = u32::try_from(plan.nodes.iter().position(|node| node.name == "phone").unwrap()).unwrap();
    let mut addresses = Addresses { network: &network, phone, seen: 0, delivered: BTreeMap::new() };
    let mut simulation = Simulation::new(&plan, &network, None, addresses.mask());
    while simulation.step(&mut [&mut addresses]) {}
    assert!(addresses.seen > 1_000 && simulation.world().tally().balances());
    let Addresses { delivered, .. } = addresses;
    (simulation.outcome(Performance::default(), Vec::new()).0, delivered)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However links fail and come back, both at once for a while too: each packet uses the address of its link, a QUIC call loses nothing
    /// and delivers nothing twice, and observers change nothing.
    #[test]
    fn a_call_over_quic_survives_whatever_fails(
        cuts in prop::collection::vec((any::<bool>(), 1_000u64..18_000, 1u64..6_000), 1..6),
        delay in prop::sample::select(vec!["0s", "70ms", "300ms"]),
    ) {
        // Two cuts of one link do not overlap: each begins when the one before is over.
        let mut over = [0, 0];
        let mut faults = String::from(r#"Cut(link: "wifi", at: "19.5s", for: "50ms"),"#);
        let mut cuts = cuts;
        cuts.sort_by_key(|cut| cut.1);
        for (wifi, at, lasts) in cuts {
            let at = at.max(over[usize::from(wifi)] + 1);
            over[usize::from(wifi)] = at + lasts;
            if at + lasts >= 19_000 {
                continue;
            }
            let link = if wifi { "wifi" } else { "lte" };
            let _ = write!(faults, r#"Cut(link: "{link}", at: "{at}ms", for: "{lasts}ms"),"#);
        }
        let source = phone(delay, &call("Quic"), &faults);
        let (outcome, delivered) = watched(&source);
        prop_assert!(delivered.values().all(|&times| times == 1), "twice: {delivered:?}");
        let ended = outcome.moves.iter().any(|moved| moved.quic_ended > 0);
        // A connection that has no other id left to move with ends, and with it what it had not delivered (RFC 9000 9.5).
        prop_assert!(ended || delivered.len() == 1_997, "{} of 1997 with {faults}", delivered.len());
    }
}
