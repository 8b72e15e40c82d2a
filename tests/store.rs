//! Replicated stores: what a write waits for, what a read may miss, and that every member has the same log.

mod runs;

use lightlag::run::Outcome;

fn run(source: &str) -> Outcome {
    runs::run(source).0
}

/// A primary with followers 10 and 30 ms away; `primary` is what it says besides, `traffic` all that happens.
fn store(primary: &str, traffic: &str) -> Outcome {
    run(&format!(
        r#"Scenario(run_for: "20s",
            nodes: {{
                "user": Host(), "core": Router(), "db": Store({primary}),
                "near": Store(follows: "db"), "far": Store(follows: "db", reads: Primary),
            }},
            links: [
                (between: ("user", "core"), rate: "10Gbps", delay: "0ms"),
                (between: ("db", "core"), rate: "10Gbps", delay: "0ms"),
                (between: ("near", "core"), rate: "10Gbps", delay: "10ms"),
                (between: ("far", "core"), rate: "10Gbps", delay: "30ms"),
            ],
            traffic: {{ {traffic} }})"#
    ))
}

const WRITES: &str = r#""write": Http(from: "user", to: "http://db/k", method: "PUT", body: "1kB", arrivals: Every("100ms"), count: 100),"#;

/// A write waits for as many followers as it must: none, the nearer one's round trip, both.
#[test]
fn a_write_waits_for_the_slowest_of_those_that_must_have_it() {
    for (acks, least, most) in [(0, 0, 1_000_000), (1, 20_000_000, 21_000_000), (2, 60_000_000, 61_000_000)] {
        let outcome = store(&format!("acks: {acks}"), WRITES);
        let write = &outcome.traffic["write"];
        assert_eq!(write.counts.ok, 100);
        // The connections to the followers open while the first writes wait.
        let p50 = write.latency_ns.unwrap().p50.unwrap();
        assert!((least..=most).contains(&p50), "{acks}: {p50}");
    }
}

/// Followers have every write one way later, in whatever order they were asked for.
#[test]
fn followers_have_everything_after_one_way() {
    let outcome = store("", WRITES);
    let members = &outcome.stores["db"].members;
    for (name, one_way) in [("near", 10_000_000), ("far", 30_000_000)] {
        assert_eq!(members[name].applied, 100, "{name}");
        let lag = members[name].lag_ns.unwrap();
        assert!((one_way..one_way + 100_000).contains(&lag.p50.unwrap()), "{name}: {lag:?}");
    }
    assert_eq!((members["db"].applied, outcome.stores["db"].writes.acknowledged), (0, 100));
}

/// With one update a second and a lag of 10 ms, 1 % of reads at the follower miss what has been acknowledged; a follower that asks
/// the primary misses nothing, and nor does anybody where writes wait for all.
#[test]
fn old_answers_are_as_frequent_as_lag_and_updates_say() {
    let reads = |to: &str| {
        format!(
            r#""write": Http(from: "user", to: "http://db/k", method: "PUT", body: "1kB", arrivals: Poisson("10/s")),
               "read": Http(from: "user", to: "http://{to}/k", arrivals: Poisson("100/s"), connection: Pool(50)),"#
        )
    };
    let seen = |primary: &str, to: &str| {
        let reads = store(primary, &reads(to)).stores["db"].reads;
        assert!(reads.answered > 1_800, "{reads:?}");
        reads
    };
    // Ten updates a second, each hidden for 10 ms: a share of 1 - exp(-0.1) = 9.5 %, of 2,000 reads three standard errors are 2 %.
    let near = seen("", "near");
    let share = near.stale as f64 / near.answered as f64;
    assert!((0.075..0.115).contains(&share), "{share}");
    assert_eq!(seen("", "far").stale, 0);
    assert_eq!(seen("acks: 2", "near").stale, 0);
}

/// What a follower passes on costs the way to the primary and back, and is done there once.
#[test]
fn followers_pass_writes_on() {
    let traffic = r#""write": Http(from: "user", to: "http://far/k", method: "POST", body: "1kB", arrivals: Every("200ms"), count: 50),"#;
    let outcome = store("", traffic);
    let write = &outcome.traffic["write"];
    assert_eq!((write.counts.ok, outcome.stores["db"].writes.acknowledged), (50, 50));
    // To the follower, on to the primary, and all the way back.
    let p50 = write.latency_ns.unwrap().p50.unwrap();
    assert!((120_000_000..121_000_000).contains(&p50), "{p50}");
}

/// Writers beside the primary and beside a follower, while something happens to the primary; `primary` is what it says besides.
fn failing(primary: &str, fault: &str) -> Outcome {
    run(&format!(
        r#"Scenario(run_for: "40s",
            nodes: {{
                "user": Host(), "far": Host(), "core": Router(), "edge": Router(),
                "db": Store(failover: "3s", {primary}), "f": Store(count: 2, follows: "db"),
            }},
            links: [
                (between: ("user", "core"), rate: "10Gbps", delay: "1ms"), (between: ("db", "core"), rate: "10Gbps", delay: "1ms"),
                (between: ("far", "edge"), rate: "10Gbps", delay: "1ms"), (between: ("f", "edge"), rate: "10Gbps", delay: "1ms"),
                (between: ("core", "edge"), rate: "10Gbps", delay: "10ms"),
            ],
            traffic: {{
                "near": Http(from: "user", to: "http://db/a", method: "PUT", body: "100B", arrivals: Every("50ms"), timeout: "4s", until: "30s"),
                "far": Http(from: "far", to: "http://f/1/b", method: "PUT", body: "100B", arrivals: Every("50ms"), timeout: "4s", until: "30s"),
            }},
            faults: [{fault}])"#
    ))
}

fn changes<'a>(outcome: &'a Outcome, what: &str) -> Vec<(&'a str, u64)> {
    let changes = outcome.stores["db"].changes.iter().filter(|change| change.what == what);
    changes.map(|change| (&*change.member, change.at_ns)).collect()
}

/// The primary falls silent: the first follower doubts it after the silence that it was told to wait for, from the last sign of life
/// at most a heartbeat before, and the second waits a heartbeat longer. Writes go on.
#[test]
fn a_silent_primary_is_replaced_when_its_time_is_up() {
    let outcome = failing("", r#"Crash(node: "db", how: Silence, at: "10s")"#);
    let doubted = changes(&outcome, "doubted");
    let promoted = changes(&outcome, "promoted");
    assert_eq!((doubted.len(), promoted.len()), (1, 1), "{:?}", outcome.stores["db"].changes);
    // The last heartbeat left between 9.5 and 10 s, the first follower waits 3 s and a heartbeat for its rank.
    assert!((13_000_000_000..13_520_000_000).contains(&doubted[0].1), "{doubted:?}");
    // Its own vote and one more: a connection and a question among neighbours.
    assert_eq!(promoted[0].0, "f/1");
    assert!(promoted[0].1 - doubted[0].1 < 10_000_000);
    let far = &outcome.traffic["far"].counts;
    assert!(far.ok > 400 && far.failed > 0, "{far:?}");
    assert_eq!(far.started, far.ok + far.failed + far.unfinished);
}

/// Two primaries in a partition: what the old one acknowledged meanwhile is lost, all of it and nothing else.
#[test]
fn what_the_isolated_primary_took_is_what_is_lost() {
    let outcome = failing("", r#"Cut(link: "core-edge", at: "10s", for: "10s")"#);
    let store = &outcome.stores["db"];
    let stepped_down = changes(&outcome, "stepped_down")[0].1;
    // Every 50 ms from the cut to the day of reckoning, within what was under way at its beginning.
    let expected = (stepped_down - 10_000_000_000) / 50_000_000;
    assert!(store.writes.lost.abs_diff(expected) <= 2, "{} lost, {expected} expected", store.writes.lost);
    assert_eq!(store.members["db"].discarded, store.writes.lost, "it threw away what it alone had");
    assert_eq!(changes(&outcome, "promoted").len(), 1);
}

/// Whatever happens to whom and when: a write that waited for a follower is in the log of every later primary, as those are elected by
/// majorities that have it.
#[test]
fn what_waited_for_a_follower_is_never_lost() {
    for at in ["9.9s", "10.013s", "12.7s"] {
        for fault in [
            format!(r#"Crash(node: "db", how: Silence, at: "{at}", for: "8s")"#),
            format!(r#"Crash(node: "db", how: Reset, at: "{at}", for: "500ms")"#),
            format!(r#"Cut(link: "core-edge", at: "{at}", for: "9s")"#),
            format!(r#"Cut(link: "core-edge", at: "{at}", for: "2s", every: "4s", until: "28s")"#),
            format!(
                r#"Crash(node: "f/1", how: Silence, at: "{at}", for: "5s"), Cut(link: "core-edge", at: "15s", for: "6s")"#
            ),
            format!(r#"LossBurst(link: "core-edge", loss: "30%", at: "{at}", for: "10s")"#),
        ] {
            let outcome = failing("acks: 1", &fault);
            let store = &outcome.stores["db"];
            assert_eq!(store.writes.lost, 0, "{fault}: {:?}", store.changes);
            assert!(store.writes.acknowledged > 300, "{fault}");
            for traffic in outcome.traffic.values() {
                let counts = &traffic.counts;
                assert_eq!(counts.started, counts.ok + counts.failed + counts.unfinished, "{fault}");
            }
        }
    }
}
