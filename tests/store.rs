//! Replicated stores: what a write waits for, what a read may miss, and that every member has the same log.

use lightlag::run::outcome::Performance;
use lightlag::run::{Outcome, Simulation};
use lightlag::scenario::{build::lay_out, parse};
use lightlag::trace::Mask;

fn run(text: &str) -> Outcome {
    let (plan, _) = parse(text, "test").unwrap_or_else(|faults| panic!("{faults:#?}"));
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    simulation.run();
    simulation.outcome(Performance::default(), Vec::new()).0
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
