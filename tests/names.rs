//! Laws of names: what each step from the root costs, how long it is remembered, what does not fit into a datagram, how often memory
//! helps, and how long a dead address is given.

mod runs;

use lightlag::app::dns::{Data, Kind, Message, Name, Question, Record as Resource};
use lightlag::base::{BitRate, Span, Time};
use lightlag::link;
use lightlag::run::outcome::Outcome;
use lightlag::scenario::{Code, parse};
use lightlag::service::{authority, resolver};
use lightlag::topo::Role;
use lightlag::trace::Mask;
use lightlag::transport::tcp;
use lightlag::world::{Blueprint, World};
use std::net::SocketAddrV4;
use std::rc::Rc;

const MS: u64 = 1_000_000;
/// Questions by chance.
const QUESTIONS: u64 = 20_000;
const SECOND: u64 = 1_000 * MS;

fn run(source: &str) -> Outcome {
    runs::run(source).0
}

/// Users and a resolver at 1 ms from a router, a root server at 10, the servers of `example` at 20 and those below at 40; each user asks once.
fn hierarchy(zones: &str, asks: &[(&str, &str)]) -> Outcome {
    let traffic: Vec<String> = (1..)
        .zip(asks)
        .map(|(user, (start, name))| {
            format!(r#""{user}": Http(from: "user/{user}", to: "http://{name}/", start: "{start}")"#)
        })
        .collect();
    run(&format!(
        r#"Scenario(run_for: "30min", nodes: {{
            "user": Host(count: {}), "r": Router(), "dns": Resolver(timeout: "1s"),
            "root": Authority(zones: ["."]), "tld": Authority(zones: ["example"]), "ns": Authority(zones: ["shop.example", "bank.example"]),
            "shop": Server(count: 90, response: "1kB"),
        }},
        links: [
            (between: ("user", "r"), delay: "1ms"), (between: ("dns", "r"), delay: "1ms"), (between: ("root", "r"), delay: "10ms"),
            (between: ("tld", "r"), delay: "20ms"), (between: ("ns", "r"), delay: "40ms"), (between: ("shop", "r"), delay: "1ms"),
        ],
        zones: {{ {zones} }},
        traffic: {{ {} }})"#,
        asks.len(),
        traffic.join(", ")
    ))
}

/// Nanoseconds that the only request of the n-th user spent on its lookup.
fn lookup(outcome: &Outcome, user: usize) -> u64 {
    let traffic = &outcome.traffic[&user.to_string()];
    assert_eq!(traffic.counts.ok, 1, "{user}: {:?}", traffic.counts);
    traffic.phases_ns["dns"]
}

/// Whether a lookup took these round trips, and a few microseconds for the bits on the lines.
fn took(outcome: &Outcome, user: usize, millis: u64) {
    let spent = lookup(outcome, user);
    assert!((millis * MS..millis * MS + 300_000).contains(&spent), "{user}: {spent} ns instead of {millis} ms");
}

const ZONES: &str = r#"".": (ttl: "172800s"), "example": (ttl: "60s"),
    "shop.example": (A: ["shop/1"], ttl: "30s", names: { "api": (A: ["shop/2"]), "www": (CNAME: "bank.example") }), "bank.example": (A: ["shop/3"], ttl: "30s")"#;

/// Round trips: 4 ms from user to resolver, from there 22 to the root, 42 to `example`, 82 to the zones below.
#[test]
fn each_step_down_is_a_round_trip_and_is_remembered_for_its_own_ttl() {
    let asks = [
        // From nothing, and from memory.
        ("0s", "shop.example"),
        ("5s", "shop.example"),
        // Another name of the zone, another zone of `example`.
        ("10s", "api.shop.example"),
        ("15s", "bank.example"),
        // The address has run out, the delegation has not.
        ("40s", "shop.example"),
        // Both have; the root's word about `example` holds for two days.
        ("200s", "shop.example"),
        // An alias that leads into another zone, whose servers are not known any more.
        ("400s", "www.shop.example"),
    ];
    let outcome = hierarchy(ZONES, &asks);
    let expected = [4 + 22 + 42 + 82, 4, 4 + 82, 4 + 42 + 82, 4 + 82, 4 + 42 + 82, 4 + 42 + 82 + 42 + 82];
    for (user, millis) in (1..).zip(expected) {
        took(&outcome, user, millis);
    }
}

/// As many aliases as a plan allows, from one zone to the other and back: each is a round trip to the authority of its own zone.
#[test]
fn the_longest_chain_of_aliases_is_followed_to_its_end() {
    let in_zone = |zone: usize| {
        let alias = |from: usize| {
            let to = from + 1;
            format!(r#""n{from}": (CNAME: "n{to}.{}.example")"#, ["shop", "bank"][to % 2])
        };
        let aliases: Vec<String> = (0..16).filter(|from| from % 2 == zone).map(alias).collect();
        aliases.join(", ")
    };
    let zones = format!(
        r#"".": (ttl: "172800s"), "example": (ttl: "60s"),
            "shop.example": (names: {{ {}, "n16": (A: ["shop/1"]) }}), "bank.example": (names: {{ {} }})"#,
        in_zone(0),
        in_zone(1)
    );
    let outcome = hierarchy(&zones, &[("0s", "n0.shop.example"), ("10s", "n0.shop.example")]);
    took(&outcome, 1, 4 + 22 + (42 + 82) + (42 + 82) + 15 * 82);
    took(&outcome, 2, 4);
}

/// Ninety addresses are 1,475 bytes: they are cut to nothing, and asked for again on a connection. That costs whoever asked a handshake
/// and a round trip more, and the next one who asks pays it for himself alone.
#[test]
fn what_is_truncated_costs_a_handshake_and_a_round_trip_more() {
    let zones = r#"".": (ttl: "172800s"), "example": (ttl: "3600s"),
        "shop.example": (names: { "few": (A: ["shop/1"]), "many": (A: ["shop"]) }), "bank.example": (A: ["shop/3"])"#;
    let asks = [
        ("0s", "bank.example"),
        ("5s", "few.shop.example"),
        ("10s", "many.shop.example"),
        ("15s", "few.shop.example"),
        ("20s", "many.shop.example"),
    ];
    let outcome = hierarchy(zones, &asks);
    took(&outcome, 2, 4 + 42 + 82);
    took(&outcome, 3, 3 * 4 + 3 * 82);
    took(&outcome, 4, 4);
    took(&outcome, 5, 3 * 4);
}

/// A resolver that rotates what it remembers shares users out between two servers; one that does not sends all of them to the same.
#[test]
fn a_resolver_that_rotates_shares_users_out() {
    let served = |rotation: &str| {
        let outcome = run(&format!(
            r#"Scenario(nodes: {{ "user": Host(count: 20), "r": Router(), "dns": Resolver({rotation}), "ns": Authority(), "shop": Server(count: 2) }},
            links: [
                (between: ("user", "r"), delay: "1ms"), (between: ("dns", "r"), delay: "1ms"),
                (between: ("ns", "r"), delay: "1ms"), (between: ("shop", "r"), delay: "1ms"),
            ],
            zones: {{ "shop.example": (A: ["shop"], rotation: Fixed) }},
            traffic: {{ "pages": Http(from: "user", to: "http://shop.example/", arrivals: Poisson("0.2/s"), count: 1) }})"#
        ));
        [1, 2].map(|n| outcome.servers[&format!("shop/{n}")].answered)
    };
    assert_eq!(served(""), [20, 0]);
    let [first, second] = served("rotation: Cyclic");
    assert!(first + second == 20 && first.abs_diff(second) <= 1, "{first} and {second}");
}

/// Of questions that come by chance, L a second, a memory of T seconds answers LT/(1+LT): after each that it cannot answer, LT on average
/// find it there.
#[test]
fn memory_answers_lt_of_one_more_than_lt() {
    for (rate, ttl) in [(0.5, 1), (0.5, 4), (2.0, 5), (2.0, 20)] {
        let tcp = Rc::new(tcp::Config::default());
        let mut blueprint = Blueprint::new();
        let nodes = ["users", "r", "dns", "ns"]
            .map(|name| blueprint.node(name, if name == "r" { Role::Router } else { Role::Host }, &tcp));
        for place in [0, 2, 3] {
            let config = link::Config::new(BitRate::from_bps(1_000_000_000).unwrap(), Span::from_millis(1));
            blueprint.link(nodes[1], nodes[place], [config.clone(), config]).unwrap();
        }
        let layout = blueprint.lay_out().unwrap();
        let mut world = World::new(&blueprint, layout, 7, Mask::NONE);
        let name: Name = "shop.example".parse().unwrap();
        let mut zone = authority::Zone::new(name.clone(), name.clone(), 60);
        zone.records.push(Resource { name: name.clone(), ttl, data: Data::A(world.host(0).addr()) });
        world.spawn(3, |host| authority::run(host, authority::Config::new(vec![zone])));
        let hint = resolver::Hint { zone: name.clone(), servers: vec![world.host(3).addr()] };
        world.spawn(2, |host| resolver::run(host, resolver::Config::new(vec![hint])));
        let at = SocketAddrV4::new(world.host(2).addr(), 53);
        world.spawn(0, |host| async move {
            let socket = host.udp(0).await.unwrap();
            let mut gaps = host.rng("questions");
            let query = Message::query(1, Question { name, kind: Kind::A }, true).to_payload(512);
            for _ in 0..QUESTIONS {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
                let gap = Span::from_nanos((gaps.exponential(1.0 / rate) * 1e9) as u64);
                host.sleep(gap).await;
                socket.send(at, query.clone());
            }
            host.sleep(Span::from_secs(1)).await;
        });
        while world.advance(Time::ZERO + Span::from_secs(1_000_000), 100_000) {
            world.trace().drain(|_| {}, |_| {});
        }
        // Links are numbered as they were made, two directions each: questions reach the resolver by the third direction, and what it
        // cannot answer goes to the authority by the fifth.
        let (asked, passed_on) = (world.link(2).sent, world.link(4).sent);
        assert_eq!(asked, 2 * QUESTIONS - (QUESTIONS - passed_on), "questions, and answers to what it asked");
        let hits = 1.0 - passed_on as f64 / QUESTIONS as f64;
        let expected = rate * f64::from(ttl) / (1.0 + rate * f64::from(ttl));
        assert!((hits - expected).abs() < 0.01, "L {rate} T {ttl}: {hits} instead of {expected}");
    }
}

/// Two balancers under a name that changes when three checks a second apart have failed, and under an address that moves: users fail for
/// detection plus what is left of the TTL in one case, and for the time of routing in the other.
#[test]
fn a_pair_of_balancers_is_out_for_what_its_intervals_say() {
    for (phase, ttl, reconverge) in [(0, 2, 500), (370, 6, 1_500), (810, 10, 3_000)] {
        let struck = 10 * SECOND + phase * MS;
        let outcome = run(&format!(
            r#"Scenario(run_for: "60s", nodes: {{
                "user": Host(), "r": Router(), "dns": Resolver(), "ns": Authority(),
                "one": Balancer(to: "shop"), "two": Balancer(to: "shop"), "front": Anycast(members: ["one", "two"]), "shop": Server(service: "1ms", workers: 8),
            }},
            links: [
                (between: ("user", "r"), delay: "1ms"), (between: ("dns", "r"), delay: "1ms"), (between: ("ns", "r"), delay: "1ms"),
                (between: ("one", "r"), delay: "1ms"), (between: ("two", "r"), delay: "2ms"), (between: ("shop", "r"), delay: "1ms"),
            ],
            routing: (reconverge: "{reconverge}ms"),
            zones: {{ "named.example": (A: ["one", "two"], ttl: "{ttl}s", answers: Failover, health: Tcp(every: "1s", timeout: "600ms", fall: 3)) }},
            traffic: {{
                "named": Http(from: "user", to: "http://named.example/", arrivals: Every("50ms"), connection: Fresh, timeout: "200ms", until: "50s"),
                "routed": Http(from: "user", to: "http://front/", arrivals: Every("50ms"), connection: Fresh, timeout: "200ms", until: "50s"),
            }},
            faults: [Crash(node: "one", at: "{}ms")])"#,
            10_000 + phase
        ));
        let down = outcome.judgements.iter().find(|said| said.what == "down" && said.subject == "one").unwrap();
        // The last of three failed checks began two intervals after the first, which began within one of the strike.
        let found = down.at_ns - struck;
        assert!((2_600 * MS - 10 * MS..=3_600 * MS).contains(&found), "found after {found} ns");
        let touched = &outcome.timeline[0].traffic;
        let last = |traffic: &str| touched[traffic].last_failure_ns.unwrap() - 200 * MS;
        // Nobody is given the other address before it is known; the last who still asks the first one was told of it just before.
        assert!(touched["named"].recovered_ns.unwrap() > down.at_ns, "{touched:?}");
        let late = last("named").saturating_sub(down.at_ns);
        assert!(late <= ttl * SECOND + 50 * MS, "{late} ns after the notice with a TTL of {ttl} s");
        // The user renews what it knows every TTL: it asks for the last time before the notice within a TTL of it.
        assert!(last("named") > down.at_ns - 60 * MS);
        let routed = last("routed") - struck;
        let expected = reconverge * MS;
        assert!((expected - 55 * MS..=expected).contains(&routed), "{routed} ns instead of {expected}");
    }
}

#[test]
fn a_root_leads_somewhere() {
    let source = r#"Scenario(nodes: { "user": Host(), "r": Router(), "dns": Resolver(), "ns": Authority(), "shop": Server() },
        links: [(between: ("user", "r"), delay: "1ms"), (between: ("dns", "r"), delay: "1ms"), (between: ("ns", "r"), delay: "1ms"), (between: ("shop", "r"), delay: "1ms")],
        zones: { ".": () }, traffic: { "pages": Http(from: "user", to: "http://shop/") })"#;
    let (_, warnings) = parse(source, "test").unwrap();
    let found: Vec<_> = warnings.iter().map(|warning| (warning.code, &*warning.message)).collect();
    assert_eq!(found, [(Code::NoEffect, "there is no zone below the root that it could lead to")]);
    let empty = source.replace("\".\": ()", "\".\": (), \"example\": ()");
    let errors = parse(&empty, "test").unwrap_err();
    assert!(errors.iter().any(|error| error.code == Code::Empty && error.message == "the zone `example` has no names"));
}
