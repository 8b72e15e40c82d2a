//! Laws of faults: what is lost, who notices when, and that nothing is lost uncounted, whatever breaks.

mod runs;

use lightlag::run::outcome::Outcome;
use lightlag::run::timeline::StrikeOutcome;
use lightlag::scenario::parse;
use proptest::prelude::*;
use std::fmt::Write;

fn run(source: &str) -> Outcome {
    runs::run(source).0
}

const MS: u64 = 1_000_000;

/// Users 10 ms of light away from a server, behind a router, who ask twenty times a second; then the faults.
fn shop(timeout: &str, faults: &str) -> Outcome {
    run(&format!(
        r#"Scenario(run_for: "40s", nodes: {{ "user": Host(), "r": Router(), "shop": Server(workers: 4, service: "1ms") }},
        links: [(between: ("user", "r"), delay: "1ms"), (between: ("r", "shop"), delay: "9ms")],
        traffic: {{ "pages": Http(from: "user", to: "http://shop/", arrivals: Every("50ms"), timeout: {timeout}, until: "30s") }},
        faults: [{faults}])"#
    ))
}

fn only(outcome: &Outcome) -> &StrikeOutcome {
    let [strike] = &outcome.timeline[..] else { panic!("{:#?}", outcome.timeline) };
    strike
}

/// A datagram a millisecond, one way 10 ms, break in the middle of the fiber: from 1 s to 1.1 s a hundred pass it, less what their bits take.
#[test]
fn a_cut_takes_what_passes_and_service_is_back_a_way_after_it_is_mended() {
    let outcome = run(r#"Scenario(run_for: "3s", nodes: { "a": Host(), "b": Host() },
        links: [(between: ("a", "b"), rate: "1Gbps", delay: "10ms")],
        traffic: { "probes": Messages(from: "a", to: "b", over: Udp, size: "100B", every: "1ms", for: "2s") },
        faults: [Cut(link: "a-b", at: "1s", for: "100ms")])"#);
    let strike = only(&outcome);
    // Sent at n ms, 1.024 us on the line: those sent from 995 ms on until before 1,095 ms. The bits of the first end behind the break.
    assert_eq!(strike.lost["down"], 100);
    assert_eq!(outcome.traffic["probes"].counts.ok, 1_900);
    let back = strike.traffic["probes"].recovered_ns.unwrap();
    // The first that passes after the end was sent at 1,095 ms.
    assert_eq!(back, 1_105 * MS + 1_024);
    assert_eq!((strike.struck_ns, strike.healed_ns), (1_000 * MS, Some(1_100 * MS)));
}

/// The reset leaves the server when its process dies and is there 10 ms later; a new connection is refused in one round trip.
#[test]
fn a_killed_process_is_noticed_one_way_of_light_later() {
    let outcome = shop("\"5s\"", r#"Crash(node: "shop", how: Reset, at: "10.03s", for: "5s")"#);
    let strike = only(&outcome);
    assert_eq!(strike.noticed[0].node, "user");
    // The connection is idle when its peer dies; that it has been reset is known when the packet comes.
    let first = strike.noticed[0].at_ns - strike.struck_ns;
    assert!((10 * MS..11 * MS).contains(&first), "{first}");
    let pages = &outcome.traffic["pages"];
    // Every 50 ms for five seconds: a hundred requests are refused, each after a round trip of 20 ms.
    assert!((98..=101).contains(&pages.counts.failed_by["refused"]), "{:?}", pages.counts);
    assert_eq!(pages.counts.failed, pages.counts.failed_by.values().sum::<u64>());
    let touched = &strike.traffic["pages"];
    assert!(touched.recovered_ns.unwrap() - strike.healed_ns.unwrap() < 100 * MS, "services start again at once");
}

/// A machine without power says nothing. Its peer waits for its retransmission timer: the round trip plus at least 200 ms as Linux
/// counts; and requests end at their deadline.
#[test]
fn silence_is_noticed_by_timers_alone() {
    let outcome = shop("\"3s\"", r#"Crash(node: "shop", how: Silence, at: "10.01s", for: "5s")"#);
    let strike = only(&outcome);
    let first = &strike.noticed[0];
    assert_eq!((first.node.as_str(), first.by.as_str()), ("user", "rto"));
    let after = first.at_ns - strike.struck_ns;
    assert!((200 * MS..500 * MS).contains(&after), "{after}");
    let counts = &outcome.traffic["pages"].counts;
    assert!(counts.failed_by["timeout"] > 35, "{counts:?}");
    assert!(!counts.failed_by.contains_key("refused") && counts.failed < 110, "{counts:?}");
    let touched = &strike.traffic["pages"];
    assert!(touched.recovered_ns.unwrap() > strike.healed_ns.unwrap());
}

/// Whoever used a connection of before the crash is told by a reset as soon as it is used again.
#[test]
fn after_the_power_is_back_old_connections_are_reset() {
    let outcome = run(r#"Scenario(run_for: "30s", nodes: { "user": Host(), "shop": Server() },
        links: [(between: ("user", "shop"), delay: "10ms")],
        traffic: { "pages": Http(from: "user", to: "http://shop/", method: "POST", arrivals: At(["1s", "20s", "21s"])) },
        faults: [Crash(node: "shop", at: "5s", for: "5s")])"#);
    let strike = only(&outcome);
    assert_eq!(strike.noticed.len(), 1);
    let notice = &strike.noticed[0];
    assert_eq!((notice.node.as_str(), notice.by.as_str()), ("user", "reset"));
    assert!((20_020 * MS..20_030 * MS).contains(&notice.at_ns), "{}", notice.at_ns);
    let counts = &outcome.traffic["pages"].counts;
    assert_eq!((counts.ok, counts.failed, counts.failed_by["reset"]), (2, 1, 1));
}

#[test]
fn a_partition_lets_one_way_pass_and_without_end_all_requests_fail_and_are_counted() {
    let outcome = shop("\"2s\"", r#"Partition(of: ["shop"], way: Out, at: "10.01s")"#);
    let strike = only(&outcome);
    assert_eq!(strike.healed_ns, None);
    let (into, out) = (&outcome.links["r-shop"].a_to_b, &outcome.links["r-shop"].b_to_a);
    assert_eq!(into.drops.len(), 0, "requests arrive");
    assert_eq!(out.drops["partitioned"], strike.lost["partitioned"]);
    let counts = &outcome.traffic["pages"].counts;
    // Twenty a second for ten seconds are answered, and for twenty are not.
    assert_eq!((counts.started, counts.unfinished), (600, 0));
    assert!((398..=400).contains(&counts.failed), "{counts:?}");
    assert_eq!(strike.traffic["pages"].recovered_ns, None);
}

/// Between two sets: the others are not touched.
#[test]
fn a_partition_between_two_sets_leaves_the_rest_alone() {
    let outcome = run(r#"Scenario(run_for: "20s", nodes: { "a": Host(), "b": Host(), "c": Host(), "r": Router() },
        links: [(between: ("a", "r"), delay: "1ms"), (between: ("b", "r"), delay: "1ms"), (between: ("c", "r"), delay: "1ms")],
        traffic: { "ab": Ping(from: "a", to: "b", every: "100ms", count: 100), "ac": Ping(from: "a", to: "c", every: "100ms", count: 100) },
        faults: [Partition(of: ["a"], from: ["b"], at: "5.05s")])"#);
    let counts = |name: &str| &outcome.traffic[name].counts;
    assert_eq!((counts("ab").ok, counts("ab").failed), (51, 49));
    assert_eq!(counts("ac").ok, 100);
}

/// Two ways of different length. Until routing has followed, packets vanish; then they go the long way, and back when it is over.
#[test]
fn routes_follow_after_the_stated_time_and_lead_back() {
    let outcome = run(r#"Scenario(run_for: "10s",
        nodes: { "a": Host(), "b": Host(), "x": Router(), "y": Router(), "z": Router() },
        links: [(between: ("a", "x"), delay: "1ms"), (between: ("b", "y"), delay: "1ms"), (between: ("x", "y"), delay: "5ms"),
                (between: ("x", "z"), delay: "10ms"), (between: ("z", "y"), delay: "10ms")],
        routing: (reconverge: "300ms"),
        traffic: { "probes": Messages(from: "a", to: "b", over: Udp, size: "100B", every: "10ms", for: "9s") },
        faults: [Cut(link: "x-y", at: "2s", for: "3s")])"#);
    let strike = only(&outcome);
    assert_eq!(strike.rerouted_ns, Some(2_300 * MS));
    assert_eq!(strike.restored_ns, Some(5_300 * MS));
    assert_eq!(strike.lost["down"], 30);
    // 7 ms by the direct way, 22 ms by the other; three seconds of nine, 300 messages, went there.
    let latency = outcome.traffic["probes"].latency_ns.unwrap();
    assert!(latency.max > 22 * MS && latency.max < 23 * MS, "{latency:?}");
    assert_eq!(outcome.links["x-z"].a_to_b.packets, 300);
}

/// Where routers do not agree yet packets go in circles until their TTL ends.
#[test]
fn while_routers_disagree_packets_loop_until_their_ttl_ends() {
    // x reaches y by way of z or directly; z reaches y by x when its own link is gone. x learns later than z, or z than x.
    let outcome = run(r#"Scenario(run_for: "10s", seed: 3,
        nodes: { "a": Host(), "b": Host(), "x": Router(), "y": Router(), "z": Router() },
        links: [(between: ("a", "x"), delay: "1ms"), (between: ("b", "y"), delay: "1ms"), (between: ("x", "y"), delay: "50ms"),
                (between: ("x", "z"), delay: "1ms"), (between: ("z", "y"), delay: "1ms")],
        routing: (reconverge: "100ms", stagger: "2s"),
        traffic: { "probes": Messages(from: "a", to: "b", over: Udp, size: "100B", every: "10ms", for: "8s") },
        faults: [Cut(link: "y-z", name: "near", at: "2s")])"#.replace("y-z", "z-y").as_str());
    let strike = only(&outcome);
    assert!(strike.rerouted_ns.unwrap() > 2_100 * MS);
    let looped = strike.lost.get("ttl_expired").copied().unwrap_or(0);
    assert!(looped > 0, "{:?}", strike.lost);
    assert!(outcome.links["x-z"].a_to_b.packets > 30 * looped, "each went to and fro, 64 hops in all");
}

#[test]
fn a_router_that_fails_is_led_around_and_its_last_hop_says_so() {
    let outcome = run(r#"Scenario(run_for: "10s", nodes: { "a": Host(), "b": Host(), "x": Router(), "y": Router() },
        links: [(between: ("a", "x"), delay: "1ms"), (between: ("x", "y"), delay: "1ms"), (between: ("y", "b"), delay: "1ms")],
        routing: (reconverge: "500ms"),
        traffic: { "probes": Messages(from: "a", to: "b", over: Udp, size: "100B", every: "10ms", for: "9s") },
        faults: [RouterFailure(node: "y", at: "2s", for: "2s")])"#);
    let strike = only(&outcome);
    // Half a second into the dead router, a second and a half and the half second of coming back without a route.
    let (down, no_route) = (strike.lost["down"], strike.lost["no_route"]);
    assert!((49..=51).contains(&down) && (199..=201).contains(&no_route), "{:?}", strike.lost);
    let notice = &strike.noticed[0];
    assert_eq!((notice.node.as_str(), notice.by.as_str()), ("a", "unreachable"));
    assert!(notice.at_ns >= 2_500 * MS && notice.at_ns < 2_520 * MS);
}

#[test]
fn work_on_a_gray_server_takes_its_factor() {
    let outcome = shop("Never", r#"Slow(node: "shop", factor: 30, at: "10s", for: "10s")"#);
    let latency = outcome.traffic["pages"].latency_ns.unwrap();
    // 20 ms of light, 1 ms of work: 30 ms of work while it lasts.
    assert!((21 * MS..23 * MS).contains(&latency.p50.unwrap()), "{latency:?}");
    assert!((50 * MS..52 * MS).contains(&latency.p90.unwrap()), "{latency:?}");
}

/// The one who asks a resolver that does not answer learns of it when its patience of five seconds ends, twice.
#[test]
fn name_servers_fall_silent_lie_and_remember_too_long() {
    let asked = |ttl: &str, faults: &str| {
        run(&format!(
            r#"Scenario(run_for: "100s", nodes: {{ "user": Host(), "dns": Resolver(), "ns": Authority(), "shop": Server(), "r": Router() }},
            links: [(between: ("user", "r"), delay: "1ms"), (between: ("dns", "r"), delay: "1ms"), (between: ("ns", "r"), delay: "1ms"), (between: ("shop", "r"), delay: "1ms")],
            zones: {{ "shop.example": (A: ["shop"], ttl: "{ttl}") }},
            traffic: {{ "pages": Http(from: "user", to: "http://shop.example/", arrivals: Every("1s"), connection: Fresh, until: "80s") }},
            faults: [{faults}])"#
        ))
    };
    let silent = asked("2s", r#"DnsOutage(node: "dns", at: "10.5s", for: "30s")"#);
    let strike = only(&silent);
    let notice = &strike.noticed[0];
    assert_eq!((notice.node.as_str(), notice.by.as_str()), ("user", "no_name"));
    // The TTL ends at 12 s, or with what was asked next: five seconds later the first datagram has not been answered.
    assert!((5_000 * MS..8_000 * MS).contains(&(notice.at_ns - strike.struck_ns)), "{strike:#?}");
    assert!(silent.traffic["pages"].counts.failed_by["name_timeout"] >= 15, "{:?}", silent.traffic["pages"].counts);
    let refused = asked("2s", r#"DnsOutage(node: "ns", how: ServFail, at: "10.5s", for: "30s")"#);
    assert!(refused.traffic["pages"].counts.failed >= 25);
    assert_eq!(only(&refused).noticed[0].node, "dns", "the resolver is told, and tells the stub");
    // The same with a resolver that believes what it knows: nobody notices.
    let stale = asked(
        "2s",
        r#"DnsOutage(node: "ns", at: "10.5s", for: "30s"), StaleDns(node: "dns", at: "10.4s", for: "40s")"#,
    );
    assert_eq!(stale.traffic["pages"].counts.failed, 0);
    // Or that was told too long a TTL before.
    let lied = asked(
        "2s",
        r#"TtlOverride(node: "ns", ttl: "60s", at: "1.5s"), DnsOutage(node: "ns", at: "10.5s", for: "30s")"#,
    );
    assert_eq!(lied.traffic["pages"].counts.failed, 0);
}

/// What is wrong with a fault is said at its place, everything at once.
#[test]
fn wrong_faults_are_told_all_at_once() {
    let source = r#"Scenario(run_for: "20s",
        nodes: { "user": Host(at: "Paris"), "r": Router(at: "Paris"), "shop": Server(at: "Lyon"), "dns": Resolver(at: "Paris"), "ns": Authority(at: "Paris") },
        links: [(between: ("user", "r")), (between: ("r", "shop")), (between: ("dns", "r")), (between: ("ns", "r"))],
        zones: { "shop.example": (A: ["shop"]) },
        traffic: { "pages": Http(from: "user", to: "http://shop.example/") },
        faults: [
            Cut(link: "r-shopp", at: "1s"),
            Cut(between: ("user", "shop"), at: "1s"),
            Cut(link: "r-shop", toward: "user", at: "1s"),
            Cut(link: "r-shop"),
            Cut(link: "r-shop", at: "5s", until: "4s"),
            Cut(link: "r-shop", at: "5s", for: "1s", until: "7s"),
            Cut(link: "r-shop", at: "5s", every: "1s", for: "1s"),
            Cut(link: "r-shop", at: "5s", every: "1s"),
            Cut(link: "r-shop", mtbf: "5s"),
            Crash(node: "r", at: "1s"),
            RouterFailure(node: "shop", at: "1s"),
            DnsOutage(node: "shop", at: "1s"),
            StaleDns(node: "ns", at: "1s"),
            Slow(node: "user", factor: 5, at: "1s"),
            Slow(node: "shop", factor: 1, at: "1s"),
            Partition(of: ["user"], from: ["user"], at: "1s"),
            Partition(of: ["user", "r", "shop", "dns", "ns"], at: "1s"),
            Partition(place: "London", at: "1s"),
            Cut(link: "r-shop", name: "mine", at: "1s"),
            Cut(link: "user-r", name: "mine", at: "1s"),
            Crush(node: "shop", at: "1s"),
        ])"#;
    let codes = |source: &str| -> Vec<&'static str> {
        let all = match parse(source, "test") {
            Ok((_, warnings)) => warnings,
            Err(errors) => errors,
        };
        all.iter().map(|diagnostic| diagnostic.code.name()).collect()
    };
    let expected = [
        "unknown-link",
        "unknown-link",
        "contradiction",
        "missing-field",
        "contradiction",
        "contradiction",
        "contradiction",
        "missing-field",
        "missing-field",
        "wrong-role",
        "wrong-role",
        "wrong-role",
        "wrong-role",
        "wrong-role",
        "out-of-range",
        "contradiction",
        "no-effect",
        "unknown-place",
        "duplicate-name",
        "unknown-variant",
    ];
    assert_eq!(codes(source), expected);
    let doubtful = r#"Scenario(run_for: "20s", nodes: { "user": Host(), "shop": Server() }, links: [(between: ("user", "shop"), delay: "1ms", rate: "1Gbps")],
        traffic: { "pages": Http(from: "user", to: "http://shop/") },
        faults: [
            Cut(link: "user-shop", at: "30s"),
            Cut(link: "user-shop", at: "15s", for: "10s"),
            BandwidthDrop(link: "user-shop", to: "2Gbps", at: "1s"),
            Crash(node: "user", at: "1s", for: "1s"),
        ])"#;
    assert_eq!(codes(doubtful), ["never-starts", "run-too-short", "no-effect", "unsupported"]);
    let idle = r#"Scenario(nodes: { "user": Host(), "shop": Server() }, links: [(between: ("user", "shop"), delay: "1ms")],
        traffic: { "pages": Http(from: "user", to: "http://shop/") }, routing: (reconverge: "1s"))"#;
    assert_eq!(codes(idle), ["no-effect"]);
}

/// A fault of any kind at any time, once, at an interval or by chance.
fn any_fault() -> impl Strategy<Value = String> {
    let what = prop_oneof![
        Just(r#"Cut(link: "r-shop", "#),
        Just(r#"Cut(between: ("user", "r"), toward: "r", break_at: "10%", "#),
        Just(r#"LossBurst(link: "r-shop", loss: "40%", "#),
        Just(r#"LatencySpike(link: "r-shop", extra: "70ms", "#),
        Just(r#"BandwidthDrop(link: "r-shop", toward: "r", to: "100kbps", "#),
        Just(r#"CorruptionBurst(link: "q-shop", share: "30%", "#),
        Just(r#"Partition(of: ["shop"], way: Out, "#),
        Just(r#"Partition(of: ["user"], from: ["shop"], "#),
        Just(r#"RouterFailure(node: "q", "#),
        Just(r#"RouterFailure(node: "r", "#),
        Just(r#"Crash(node: "shop", how: Reset, "#),
        Just(r#"Crash(node: "shop", how: Silence, "#),
        Just(r#"Slow(node: "shop", factor: 50, "#),
        Just(r#"DnsOutage(node: "dns", "#),
        Just(r#"StaleDns(node: "dns", "#),
    ];
    let when = prop_oneof![
        (1u32..9_000).prop_map(|at| format!("at: \"{at}ms\"")),
        (1u32..9_000, 1u32..2_900).prop_map(|(at, lasts)| format!("at: \"{at}ms\", for: \"{lasts}ms\"")),
        (1u32..5_000, 500u32..3_000, 1u32..400)
            .prop_map(|(at, every, lasts)| format!("at: \"{at}ms\", every: \"{every}ms\", for: \"{lasts}ms\"")),
        (300u32..5_000, 10u32..1_000).prop_map(|(mtbf, mttr)| format!("mtbf: \"{mtbf}ms\", mttr: \"{mttr}ms\"")),
    ];
    (what, when).prop_map(|(what, when)| format!("{what}{when}), "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever breaks: packets balance, every request is counted, the run ends, and nobody who watches changes it.
    #[test]
    fn nothing_is_lost_uncounted(faults in prop::collection::vec(any_fault(), 1..5), queue in 0..3usize, seed in 0u64..1_000) {
        let queue = ["DropTail(50)", "FqCodel()", "TokenBucket(rate: \"5Mbps\", burst: \"10kB\", queue: Codel())"][queue];
        // Something that routes lead around, whatever else breaks.
        let mut all = String::from(r#"Cut(link: "r-q", at: "10500ms", for: "500ms"), "#);
        faults.iter().for_each(|fault| write!(all, "{fault}").unwrap());
        let source = format!(
            r#"Scenario(run_for: "12s", seed: {seed},
            nodes: {{ "user": Host(count: 2), "dns": Resolver(), "ns": Authority(), "r": Router(), "q": Router(), "shop": Server(workers: 2, service: "5ms", response: "30kB") }},
            links: [(between: ("user", "r"), rate: "10Mbps", delay: "2ms", queue: {queue}), (between: ("dns", "r"), delay: "1ms"), (between: ("ns", "r"), delay: "1ms"),
                    (between: ("r", "shop"), rate: "20Mbps", delay: "10ms", jitter: "1ms"), (between: ("r", "q"), delay: "2ms"), (between: ("q", "shop"), delay: "9ms", queue: {queue})],
            routing: (reconverge: "200ms", stagger: "100ms"),
            zones: {{ "shop.example": (A: ["shop"], ttl: "1s") }},
            traffic: {{
                "pages": Http(from: "user", to: "http://shop.example/", arrivals: Poisson("5/s"), timeout: "1s", until: "10s"),
                "up": Messages(from: "user", to: "shop", over: Quic, size: "400B", every: "50ms", for: "9s"),
                "load": Bulk(from: "user", to: "shop", bytes: "1MB"),
                "ping": Ping(from: "user", to: "shop", every: "200ms", count: 40, timeout: "500ms"),
            }},
            faults: [{all}])"#
        );
        let outcome = run(&source);
        for strike in &outcome.timeline {
            prop_assert!(strike.healed_ns.is_none_or(|healed| healed > strike.struck_ns));
            prop_assert!(strike.noticed.iter().all(|notice| notice.at_ns >= strike.struck_ns));
        }
        let lost: u64 = outcome.timeline.iter().flat_map(|strike| strike.lost.values()).sum();
        let dropped: u64 = outcome.packets.dropped.values().sum();
        prop_assert!(lost <= dropped, "{lost} of {dropped}");
    }
}

/// What is cut off has no way around it: routers withdraw its routes, which leads nobody anywhere.
#[test]
fn what_no_route_leads_around_is_not_called_rerouted() {
    let ring = |fault: &str| {
        let outcome = run(&format!(
            r#"Scenario(run_for: "10s", nodes: {{ "a": Host(), "b": Host(), "x": Router(), "y": Router(), "z": Router(), "end": Router() }},
            links: [(between: ("a", "x"), delay: "1ms"), (between: ("b", "end"), delay: "1ms"), (between: ("x", "y"), delay: "1ms"),
                    (between: ("x", "z"), delay: "2ms"), (between: ("z", "y"), delay: "2ms"), (between: ("y", "end"), delay: "1ms")],
            routing: (reconverge: "300ms"),
            traffic: {{ "echo": Ping(from: "a", to: "b", every: "10ms", count: 900) }},
            faults: [{fault}])"#
        ));
        let strike = only(&outcome);
        assert_eq!(strike.restored_ns, Some(5_300 * MS), "{fault}");
        strike.rerouted_ns
    };
    for led in [r#"Cut(link: "x-y", at: "2s", for: "3s")"#, r#"RouterFailure(node: "z", at: "2s", for: "3s")"#] {
        assert_eq!(ring(led), Some(2_300 * MS), "{led}");
    }
    for cut_off in ["Cut(link: \"y-end\"", "Cut(link: \"b-end\"", "RouterFailure(node: \"end\""] {
        assert_eq!(ring(&format!("{cut_off}, at: \"2s\", for: \"3s\")")), None, "{cut_off}");
    }
}
