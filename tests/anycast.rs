//! Laws of anycast: who reaches which member, how long the others' users wait when one goes, and what becomes of connections.

mod runs;

use lightlag::run::anycast::WithdrawalOutcome;
use lightlag::run::outcome::Outcome;
use lightlag::scenario::{Code, parse};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn run(source: &str) -> Outcome {
    runs::run(source).0
}

/// A user 2 ms from `near` and 50 ms from `far`, which have an address in common; `members` says what they are.
fn two(members: &str, address: &str, rest: &str) -> Outcome {
    run(&format!(
        r#"Scenario(run_for: "40s", nodes: {{
            "user": Host(), "left": Router(), "right": Router(), {members},
            "front": Anycast(members: ["near", "far"]{address}),
        }},
        links: [
            (between: ("user", "left"), delay: "1ms"), (between: ("near", "left"), delay: "1ms"),
            (between: ("left", "right"), delay: "48ms"), (between: ("far", "right"), delay: "1ms"),
        ],
        {rest})"#
    ))
}

const SERVERS: &str = r#""near": Server(workers: 4, service: "2ms"), "far": Server(workers: 4, service: "2ms")"#;

fn withdrawals<'a>(outcome: &'a Outcome, member: &str) -> &'a [WithdrawalOutcome] {
    &outcome.anycast["front"].members[member].withdrawn
}

/// Echoes every 10 ms; the nearest machine loses its power from 10 s to 20 s; routing takes 700 ms. Those sent in between are lost, those of
/// before and after are answered, from near, from far and from near again.
#[test]
fn an_address_moves_when_routing_has_followed_and_not_earlier() {
    let outcome = two(
        SERVERS,
        "",
        r#"routing: (reconverge: "700ms"),
        traffic: { "echo": Ping(from: "user", to: "front", every: "10ms", timeout: "200ms", count: 3_000) },
        faults: [Crash(node: "near", at: "10s", for: "10s")]"#,
    );
    let echo = &outcome.traffic["echo"];
    // The last that is answered reaches it before 10 s, the first that is led elsewhere comes to the router at 10.7 s.
    assert_eq!(echo.counts.failed, 70, "{:?}", echo.counts);
    assert_eq!(outcome.anycast["front"].members["far"].withdrawn, []);
    let [gone] = withdrawals(&outcome, "near") else { panic!("{outcome:?}") };
    let expected = WithdrawalOutcome {
        at_ns: 10 * SECOND,
        rerouted_ns: Some(10_700 * MS),
        announced_ns: Some(20 * SECOND),
        restored_ns: Some(20_700 * MS),
    };
    assert_eq!(*gone, expected);
    let latency = echo.latency_ns.unwrap();
    // Four links of a millisecond in all; 48 ms more each way while the other one answers, that is for 1,000 of 2,930.
    assert!((4 * MS..5 * MS).contains(&latency.min) && (100 * MS..101 * MS).contains(&latency.max), "{latency:?}");
    let far = (latency.mean - latency.min) * latency.count / (latency.max - latency.min);
    assert!((999..=1_001).contains(&far), "{far} were answered from afar");
}

/// Who is asking when his machine dies asks a dead connection: the packets are lost until routing has followed, then the other machine, which
/// knows nothing of the connection, resets it, and a fresh one takes a round trip to the far end. Both are told apart.
#[test]
fn the_time_on_a_dead_connection_is_not_the_time_of_the_new_ones_handshake() {
    let outcome = two(
        SERVERS,
        "",
        r#"routing: (reconverge: "700ms"),
        traffic: { "pages": Http(from: "user", to: "http://front/", arrivals: Every("2s"), until: "20s") },
        faults: [Crash(node: "near", how: Silence, at: "9500ms")]"#,
    );
    let slowest = &outcome.traffic["pages"].slowest.as_ref().unwrap();
    let of = |phase: &str| slowest.phases_ns[phase] / slowest.count;
    // Asked at 10 s, at 10.2 s routes have followed: the next retransmission after that, of a timer that doubles from somewhat over 200 ms,
    // comes to the other one, and its reset back.
    let dead = of("dead_connection") / MS;
    assert!((200 + 100..3 * 210 + 100).contains(&dead), "{slowest:?}");
    assert!((100 * MS..101 * MS).contains(&of("connect")), "{slowest:?}");
    assert_eq!(outcome.traffic["pages"].counts.failed, 0);
    assert_eq!(outcome.traffic["pages"].median.as_ref().unwrap().phases_ns["dead_connection"], 0);
}

/// A check every second with 300 ms of patience, out after three: a machine that is too slow from 10 s on is found so between 12.3 and 13.3 s.
/// It is withdrawn then and not before, and announced again when it has answered as often as it takes.
#[test]
fn an_unwell_machine_withdraws_after_what_its_intervals_say() {
    for phase in [0, 137, 500, 863] {
        let outcome = two(
            SERVERS,
            r#", health: Http(path: "/", every: "1s", timeout: "300ms", fall: 3, rise: 2)"#,
            &format!(
                r#"traffic: {{ "pages": Http(from: "user", to: "http://front/", arrivals: Every("100ms"), until: "35s") }},
                faults: [Slow(node: "near", factor: 1_000, at: "{}ms", for: "10s")]"#,
                10_000 + phase
            ),
        );
        let struck = 10 * SECOND + phase * MS;
        let [gone] = withdrawals(&outcome, "near") else { panic!("{:?}", outcome.anycast) };
        let found = gone.at_ns - struck;
        assert!((2_300 * MS..=3_300 * MS).contains(&found), "found after {found} ns");
        assert_eq!(gone.rerouted_ns, Some(gone.at_ns + SECOND));
        // The first check that succeeds begins 300 ms before the end at the earliest, the second a second later.
        let back = gone.announced_ns.unwrap() - struck - 10 * SECOND;
        assert!(back >= 700 * MS, "two checks in a row cannot have succeeded after {back} ns");
        assert_eq!(gone.restored_ns, Some(gone.announced_ns.unwrap() + SECOND));
        let judged: Vec<_> = outcome.judgements.iter().map(|said| (&*said.who, &*said.what, said.at_ns)).collect();
        assert_eq!(judged, [("near", "down", gone.at_ns), ("near", "up", gone.announced_ns.unwrap())]);
    }
}

/// A long upload is under way when its server loses its power. The client's next segment comes to the other member, which knows no such
/// connection: a reset, from the shared address.
#[test]
fn connections_in_progress_are_reset_by_the_new_member() {
    let outcome = two(
        SERVERS,
        "",
        r#"routing: (reconverge: "2s"), traffic: { "film": Http(from: "user", to: "http://front/", method: "POST", body: "200MB", timeout: "30s") },
        faults: [Crash(node: "near", at: "400ms")]"#,
    );
    let film = &outcome.traffic["film"];
    assert_eq!(film.counts.failed_by.get("reset"), Some(&1), "{:?}", film.counts);
    let strike = &outcome.timeline[0];
    // The client sends again after 200 ms, doubled each time, until what it sends comes to the other: the first after 2 s.
    let failed = strike.traffic["film"].first_failure_ns.unwrap();
    assert!((2_400 * MS..=6 * SECOND).contains(&failed), "reset at {failed} ns");
}

/// A balancer passes checks on to its servers: when they are gone, so is its reason to be asked, and its users go to the other one.
#[test]
fn a_balancer_without_servers_sends_its_users_to_the_other() {
    for layer in ["L7", "L4(back: Nat)", "L4(back: Direct)"] {
        let members = format!(
            r#""near": Balancer(to: "near-shop", layer: {layer}), "far": Balancer(to: "far-shop", layer: {layer}),
            "near-shop": Server(service: "2ms"), "far-shop": Server(service: "2ms")"#
        );
        let source = format!(
            r#"Scenario(run_for: "40s", nodes: {{
                "user": Host(), "left": Router(), "right": Router(), {members},
                "front": Anycast(members: ["near", "far"], health: Http(path: "/", every: "500ms", timeout: "400ms", fall: 2)),
            }},
            links: [
                (between: ("user", "left"), delay: "1ms"), (between: ("near", "left"), delay: "1ms"),
                (between: ("near-shop", "left"), delay: "1ms"), (between: ("far-shop", "right"), delay: "1ms"),
                (between: ("left", "right"), delay: "48ms"), (between: ("far", "right"), delay: "1ms"),
            ],
            traffic: {{ "pages": Http(from: "user", to: "http://front/", arrivals: Every("100ms"), connection: Fresh, timeout: "900ms", until: "30s") }},
            faults: [Crash(node: "near-shop", how: Reset, at: "10s")])"#
        );
        let outcome = run(&source);
        let [gone] = withdrawals(&outcome, "near") else { panic!("{layer}: {:?}", outcome.anycast) };
        let found = gone.at_ns - 10 * SECOND;
        assert!((500 * MS..=1_400 * MS).contains(&found), "{layer}: found after {found} ns");
        let pages = &outcome.traffic["pages"];
        // From the crash until routes are others, and the way of those before.
        let broken = (gone.rerouted_ns.unwrap() - 10 * SECOND) / (100 * MS);
        let failed = pages.counts.failed;
        assert!(failed.abs_diff(broken) <= 2, "{layer}: {failed} failed of {broken}: {:?}", pages.counts);
        let latency = pages.latency_ns.unwrap();
        assert!(latency.min < 20 * MS && latency.max > 190 * MS, "{layer}: {latency:?}");
    }
}

/// Resolvers that share an address, as public ones do: datagrams are answered from the address that they were sent to.
#[test]
fn resolvers_share_an_address() {
    let outcome = run(r#"Scenario(run_for: "40s", nodes: {
            "user": Host(resolver: "quad"), "left": Router(), "right": Router(),
            "near": Resolver(cache: 0, timeout: "500ms"), "far": Resolver(cache: 0, timeout: "500ms"), "quad": Anycast(members: ["near", "far"]),
            "ns": Authority(), "shop": Server(service: "2ms"),
        },
        links: [
            (between: ("user", "left"), delay: "1ms"), (between: ("near", "left"), delay: "1ms"), (between: ("shop", "left"), delay: "1ms"),
            (between: ("ns", "left"), delay: "1ms"), (between: ("left", "right"), delay: "48ms"), (between: ("far", "right"), delay: "1ms"),
        ],
        zones: { "shop.example": (A: ["shop"], ttl: "0s") },
        traffic: { "pages": Http(from: "user", to: "http://shop.example/", arrivals: Every("1s"), connection: Fresh, until: "30s") },
        faults: [Crash(node: "near", at: "10.5s")])"#);
    let pages = &outcome.traffic["pages"];
    assert_eq!(pages.counts.failed, 0, "{:?}", pages.counts);
    let latency = pages.latency_ns.unwrap();
    // A lookup that takes four links of the left side, and one that crosses to the right and asks back from there.
    assert!(latency.min < 20 * MS && latency.mean > 100 * MS && latency.max > 200 * MS, "{latency:?}");
}

/// When the last member is gone, routers have no route and say so.
#[test]
fn nobody_is_left() {
    let outcome = two(
        SERVERS,
        "",
        r#"traffic: { "pages": Http(from: "user", to: "http://front/", arrivals: Every("1s"), connection: Fresh, timeout: "5s", until: "30s") },
        faults: [Crash(node: "near", how: Reset, at: "9.5s"), Crash(node: "far", how: Reset, at: "9.5s")]"#,
    );
    let failed = &outcome.traffic["pages"].counts.failed_by;
    // At 10 s the machine itself still refuses; from 10.5 s on there is no route.
    assert_eq!((failed.get("refused"), failed.get("unreachable")), (Some(&1), Some(&19)), "{failed:?}");
    // From the last one nobody is led anywhere.
    let last = outcome.timeline.iter().find(|strike| strike.fault == "crash near").unwrap();
    assert_eq!((last.rerouted_ns, withdrawals(&outcome, "near")[0].rerouted_ns), (None, None));
}

#[test]
fn what_cannot_be_is_said() {
    let said = |nodes: &str, rest: &str| {
        let source = format!(
            r#"Scenario(nodes: {{ "user": Host(), "r": Router(), "a": Server(), "b": Server(), {nodes} }},
            links: [(between: ("user", "r"), delay: "1ms"), (between: ("a", "r"), delay: "1ms"), (between: ("b", "r"), delay: "1ms")],
            traffic: {{ "pages": Http(from: "user", to: "http://front/"), {rest} }})"#
        );
        let found = match parse(&source, "test") {
            Ok((_, warnings)) => warnings,
            Err(errors) => errors,
        };
        let shown = |found: &lightlag::scenario::Diagnostic| (found.code, found.message.clone());
        found.iter().map(shown).collect::<Vec<_>>()
    };
    let fine = r#""front": Anycast(members: ["a", "b"])"#;
    assert_eq!(said(fine, ""), []);
    let one = |nodes: &str, rest: &str, code: Code, message: &str| {
        assert_eq!(said(nodes, rest), [(code, message.to_owned())], "{nodes} {rest}");
    };
    let alone = "`a` alone announces this address: nobody takes over from it";
    assert!(said(r#""front": Anycast(members: ["a"])"#, "").contains(&(Code::NoEffect, alone.into())));
    one(r#""front": Anycast(members: ["a", "b", "a"])"#, "", Code::DuplicateName, "`a` is a member twice");
    one(r#""front": Anycast(members: [])"#, "", Code::Empty, "nobody announces this address");
    let mixed = "`a` offers HTTP on port 80, and `c` offers HTTP on port 8080";
    let other = r#""c": Server(port: 8080), "front": Anycast(members: ["a", "b", "c"])"#;
    assert!(said(other, "").contains(&(Code::Contradiction, mixed.into())));
    one(r#""front": Anycast(members: ["a", "user"])"#, "", Code::WrongRole, "`user` cannot have an anycast address");
    one(
        fine,
        r#""up": Bulk(from: "user", to: "front", bytes: "1MB")"#,
        Code::WrongRole,
        "`front` is an address and no machine",
    );
}

/// A machine whose link is cut is heard of no more, though it is well itself; the timeline of the fault says the same.
#[test]
fn a_machine_without_a_link_is_withdrawn_whatever_it_says() {
    let outcome = two(
        SERVERS,
        r#", health: Http(path: "/", every: "1s", timeout: "300ms", fall: 3, rise: 2)"#,
        r#"routing: (reconverge: "700ms"),
        traffic: { "echo": Ping(from: "user", to: "front", every: "10ms", timeout: "200ms", count: 3_000) },
        faults: [Cut(link: "near-left", at: "10s", for: "10s")]"#,
    );
    let gone = WithdrawalOutcome {
        at_ns: 10 * SECOND,
        rerouted_ns: Some(10_700 * MS),
        announced_ns: Some(20 * SECOND),
        restored_ns: Some(20_700 * MS),
    };
    assert_eq!(withdrawals(&outcome, "near"), [gone]);
    assert_eq!(withdrawals(&outcome, "far"), []);
    let strike = &outcome.timeline[0];
    assert_eq!((strike.rerouted_ns, strike.restored_ns), (gone.rerouted_ns, gone.restored_ns));
}

/// The links of a machine are up with its power, but the address comes back when it has found itself well: the fault is not repaired before.
#[test]
fn a_fault_is_repaired_when_the_address_is_back() {
    for fault in
        [r#"Crash(node: "near", at: "10s", for: "10s")"#, r#"Slow(node: "near", factor: 1_000, at: "10s", for: "10s")"#]
    {
        let outcome = two(
            SERVERS,
            r#", health: Http(path: "/", every: "1s", timeout: "300ms", fall: 3, rise: 2)"#,
            &format!(
                r#"routing: (reconverge: "700ms"),
                traffic: {{ "echo": Ping(from: "user", to: "front", every: "10ms", timeout: "200ms", count: 3_000) }},
                faults: [{fault}]"#
            ),
        );
        let ([gone], [strike]) = (withdrawals(&outcome, "near"), &outcome.timeline[..]) else { panic!("{outcome:?}") };
        assert!(gone.announced_ns.unwrap() > 20 * SECOND, "{fault}: {gone:?}");
        assert_eq!(gone.restored_ns.unwrap(), gone.announced_ns.unwrap() + 700 * MS, "{fault}");
        assert_eq!((strike.rerouted_ns, strike.restored_ns), (gone.rerouted_ns, gone.restored_ns), "{fault}");
    }
}
