//! Laws of client-side balancing: how long a caller believes what is not true any more, and how soon it knows what is new.

mod runs;

use lightlag::run::outcome::Outcome;
use lightlag::run::registry::StayOutcome;
use lightlag::scenario::{Code, parse};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// From a caller to the registry and back.
const RTT: u64 = 4 * MS;

fn run(source: &str) -> Outcome {
    runs::run(source).0
}

/// Two callers of three instances, all a millisecond from one router, who ask every 10 ms.
fn shop(discover: &str, register: &str, faults: &str) -> Outcome {
    run(&format!(
        r#"Scenario(run_for: "40s", nodes: {{ "user": Host(count: 2), "r": Router(), "registry": Registry(),
            "shop": Server(count: 2, service: "1ms", workers: 8, register: (with: "registry", as: "shop", heartbeat: "1s", lease: "3s")),
            "other": Server(service: "1ms", workers: 8, register: (with: "registry", as: "shop", heartbeat: "1s", lease: "3s"{register})),
        }},
        links: [
            (between: ("user", "r"), delay: "1ms"), (between: ("registry", "r"), delay: "1ms"),
            (between: ("shop", "r"), delay: "1ms"), (between: ("other", "r"), delay: "1ms"),
        ],
        traffic: {{ "pages": Http(from: "user", to: "http://shop/", discover: {discover}, arrivals: Every("10ms"), timeout: "200ms", until: "35s") }},
        faults: [{faults}])"#
    ))
}

fn stays<'a>(outcome: &'a Outcome, instance: &str) -> Vec<&'a StayOutcome> {
    outcome.registries["registry"].iter().filter(|stay| stay.instance == instance).collect()
}

/// A machine dies somewhere between two heartbeats. The registry drops it a lease after the last one; callers ask it for as long as
/// their copy is older than that: a poll and a round trip, or one way where they are told. Not one call less than that either.
#[test]
fn a_dead_instance_is_asked_for_a_lease_and_a_poll_at_most() {
    for (phase, poll) in [(0, 500), (300, 2_000), (850, 5_000)] {
        let crash = format!(r#"Crash(node: "other", at: "{}ms")"#, 10_000 + phase);
        for (discover, late) in [
            (format!(r#"Poll(with: "registry", every: "{poll}ms")"#), poll * MS + RTT),
            (r#"Push(with: "registry")"#.to_owned(), RTT / 2),
        ] {
            let outcome = shop(&discover, "", &crash);
            let [stay] = stays(&outcome, "other")[..] else { panic!("{:?}", outcome.registries) };
            let (heard, dropped) = (stay.heard_ns.unwrap(), stay.dropped_ns.unwrap());
            let struck = (10_000 + phase) * MS;
            assert!(heard <= struck + 2 * MS && struck - heard.min(struck) <= SECOND, "{heard}");
            assert_eq!(dropped - heard, 3 * SECOND);
            assert!(!stay.signed_off);
            let last = stay.last_stale_ns.unwrap();
            // Calls come every 10 ms, a third or so of them to each.
            assert!(last + 150 * MS >= dropped, "the last call at {last}, dropped at {dropped}");
            assert!(last <= dropped + late + MS, "{discover}: the last call {} ns after", last - dropped);
            let pages = &outcome.traffic["pages"];
            assert!(pages.counts.failed > 0 && pages.counts.failed <= stay.stale_calls, "{:?}", pages.counts);
            let failed = outcome.timeline[0].traffic["pages"].last_failure_ns.unwrap();
            assert!(failed <= last + 201 * MS, "nobody fails for another reason");
        }
    }
}

/// An instance that signs on late is asked within a poll of it, or at once where callers are told; one that signs off is asked no longer than
/// that, and nobody fails.
#[test]
fn who_comes_and_goes_in_good_order_is_known_within_a_poll() {
    for (discover, late) in [
        (r#"Poll(with: "registry", every: "3s", policy: LeastConnections)"#, 3 * SECOND + RTT),
        (r#"Push(with: "registry")"#, RTT / 2),
    ] {
        let outcome = shop(discover, r#", from: "10s", until: "25s""#, "");
        let [stay] = stays(&outcome, "other")[..] else { panic!("{:?}", outcome.registries) };
        assert!((10 * SECOND..10 * SECOND + 20 * MS).contains(&stay.registered_ns), "{stay:?}");
        let first = stay.first_call_ns.unwrap() - stay.registered_ns;
        assert!(first <= late + 50 * MS, "{discover}: first asked {first} ns after");
        assert!(stay.signed_off && stay.dropped_ns.unwrap() - 25 * SECOND < 20 * MS, "{stay:?}");
        if let Some(last) = stay.last_stale_ns {
            assert!(last <= stay.dropped_ns.unwrap() + late + MS, "{stay:?}");
        }
        assert_eq!(outcome.traffic["pages"].counts.failed, 0);
        // While three are there each gets a third, of both callers together.
        let served: Vec<u64> = outcome.servers.values().map(|server| server.answered).collect();
        assert_eq!(served.iter().sum::<u64>(), outcome.traffic["pages"].counts.ok);
    }
}

/// Without its registry a caller goes on with what it knows; a registry that starts again knows nobody, which nobody believes.
#[test]
fn callers_outlive_their_registry() {
    for discover in [r#"Poll(with: "registry", every: "1s")"#, r#"Push(with: "registry")"#] {
        let outcome = shop(discover, "", r#"Crash(node: "registry", at: "10s", for: "10s")"#);
        assert_eq!(outcome.traffic["pages"].counts.failed, 0);
        // All have signed on twice.
        assert_eq!(outcome.registries["registry"].len(), 6, "{:?}", outcome.registries);
    }
}

/// A server that calls others finds them the same way.
#[test]
fn servers_call_whom_the_registry_names() {
    let outcome = run(r#"Scenario(run_for: "20s", nodes: { "user": Host(), "r": Router(), "registry": Registry(),
            "front": Server(workers: 8, calls: [(to: "http://rows/", discover: Push(with: "registry", policy: PeakEwma))]),
            "db": Server(count: 2, service: "1ms", workers: 8, register: (with: "registry", as: "rows")),
        },
        links: [
            (between: ("user", "r"), delay: "1ms"), (between: ("registry", "r"), delay: "1ms"),
            (between: ("front", "r"), delay: "1ms"), (between: ("db", "r"), delay: "1ms"),
        ],
        traffic: { "pages": Http(from: "user", to: "http://front/", arrivals: Every("50ms"), timeout: "2s", until: "15s", start: "1s") })"#);
    assert_eq!(outcome.traffic["pages"].counts.failed, 0);
    let served = ["db/1", "db/2"].map(|name| outcome.servers[name].answered);
    assert!(
        served.iter().all(|&n| n >= 20) && served.iter().sum::<u64>() == outcome.servers["front"].answered,
        "{served:?}"
    );
}

#[test]
fn what_cannot_be_is_said() {
    let said = |register: &str, discover: &str| {
        let source = format!(
            r#"Scenario(nodes: {{ "user": Host(), "r": Router(), "registry": Registry(), "shop": Server(register: ({register})) }},
            links: [(between: ("user", "r"), delay: "1ms"), (between: ("registry", "r"), delay: "1ms"), (between: ("shop", "r"), delay: "1ms")],
            traffic: {{ "pages": Http(from: "user", to: "http://shop/", discover: {discover}) }})"#
        );
        let found = match parse(&source, "test") {
            Ok((_, warnings)) => warnings,
            Err(errors) => errors,
        };
        found.iter().map(|found| (found.code, found.message.clone())).collect::<Vec<_>>()
    };
    let (register, poll) = (r#"with: "registry", as: "shop""#, r#"Poll(with: "registry")"#);
    assert_eq!(said(register, poll), []);
    let lease = said(&format!(r#"{register}, heartbeat: "5s", lease: "5s""#), poll);
    assert!(
        lease.contains(&(Code::Contradiction, "the lease runs out before the next heartbeat renews it".into())),
        "{lease:?}"
    );
    let other = said(r#"with: "registry", as: "store""#, poll);
    assert_eq!(other, [(Code::UnknownHost, "nobody signs on at `registry` as `shop`".into())]);
    let wrong = said(register, r#"Push(with: "shop")"#);
    assert_eq!(wrong, [(Code::WrongRole, "`shop` is no registry".into())]);
    let key = said(register, r#"Push(with: "registry", policy: Maglev(key: Path))"#);
    assert_eq!(key[0].0, Code::Unsupported, "{key:?}");
    let order = said(&format!(r#"{register}, from: "9s", until: "8s""#), poll);
    assert!(order.contains(&(Code::NeverStarts, "it signs off before it signs on".into())), "{order:?}");
}
