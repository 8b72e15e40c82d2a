//! A sharded store: keys spread as CRC16 says, one round trip a command, replicas one way behind, every command counted.

mod runs;

use lightlag::run::Outcome;
use lightlag::service::cluster::slot::{share, slot_of};

fn run(source: &str) -> Outcome {
    runs::run(source).0
}

fn cluster(lookups: &str) -> Outcome {
    run(&format!(
        r#"Scenario(run_for: "20s",
            nodes: {{ "web": Host(), "core": Router(), "cache": Cluster(count: 6, replicas: 1, node_timeout: "2s") }},
            links: [
                (between: ("web", "core"), rate: "10Gbps", delay: "1ms"),
                (between: ("cache", "core"), rate: "10Gbps", delay: "1ms"),
            ],
            traffic: {{ "l": Lookups(from: "web", to: "cache", {lookups}) }})"#
    ))
}

/// The first command learns the map: a connection and a question of one node, and another connection to the right one; all later
/// ones to a known node are one round trip of 4 ms.
#[test]
fn a_client_that_knows_the_map_asks_once() {
    let outcome = cluster(r#"keys: 1000, arrivals: Every("50ms"), count: 200"#);
    let lookups = &outcome.traffic["l"];
    assert_eq!((lookups.counts.ok, lookups.counts.failed), (200, 0));
    let latency = lookups.latency_ns.unwrap();
    assert!((4_000_000..4_100_000).contains(&latency.p50.unwrap()), "{latency:?}");
    assert!(latency.max < 16_200_000, "two connections and two round trips: {latency:?}");
}

/// Each shard answers for the keys whose slots it has: with every key as popular, in proportion to how many those are.
#[test]
fn shards_get_what_their_slots_hold() {
    let outcome = cluster(r#"keys: 300, arrivals: Every("1ms"), count: 15000"#);
    let keys = |shard: usize| {
        let range = share(shard, 3);
        (0..300).filter(|key| range.contains(&slot_of(format!("key:{key}").as_bytes()))).count()
    };
    for shard in 0..3 {
        let reads = outcome.stores[&format!("cache/{}", shard + 1)].reads.answered;
        let share = keys(shard) as f64 / 300.0;
        let error = (reads as f64 / 15_000.0 - share).abs();
        // Four standard errors of a share of about a third of 15,000 draws.
        assert!(error < 0.0155, "{shard}: {reads} of 15000, {share} of the keys");
    }
}

/// A replica has every write of its master, one way later.
#[test]
fn replicas_follow_their_masters() {
    let outcome = cluster(r#"keys: 100, writes: "100%", arrivals: Every("20ms"), count: 500"#);
    let mut writes = 0;
    for shard in 1..=3 {
        let store = &outcome.stores[&format!("cache/{shard}")];
        let replica = &store.members[&format!("cache/{}", shard + 3)];
        assert_eq!(replica.applied, store.writes.acknowledged);
        let lag = replica.lag_ns.unwrap().p50.unwrap();
        assert!((2_000_000..2_100_000).contains(&lag), "{lag}");
        assert_eq!(store.writes.lost, 0);
        writes += store.writes.acknowledged;
    }
    assert_eq!(writes, 500);
}

/// A master falls silent. Its peers suspect it after the node timeout, a majority makes that a failure, and half a second to one and a half
/// later its replica has the votes (specification, "Replica election and promotion"). Commands are tried until then and none fails.
#[test]
fn a_silent_master_is_replaced_by_its_replica() {
    let outcome = run(r#"Scenario(run_for: "40s",
            nodes: { "web": Host(), "core": Router(), "cache": Cluster(count: 6, replicas: 1, node_timeout: "2s") },
            links: [
                (between: ("web", "core"), rate: "10Gbps", delay: "1ms"),
                (between: ("cache", "core"), rate: "10Gbps", delay: "1ms"),
            ],
            traffic: { "l": Lookups(from: "web", to: "cache", keys: 500, writes: "30%", arrivals: Every("5ms"), until: "30s") },
            faults: [ Crash(node: "cache/1", how: Silence, at: "10s", for: "12s") ])"#);
    let changes = &outcome.stores["cache/1"].changes;
    let of =
        |what: &str| changes.iter().find(|change| change.what == what).map(|change| (&*change.member, change.at_ns));
    let (member, at) = of("promoted").unwrap();
    assert_eq!(member, "cache/4");
    // The last ping before the crash may be two seconds and a half timeout old, the first unanswered one a second later; ticks are
    // 100 ms apart.
    assert!((12_500_000_000..15_000_000_000).contains(&at), "{at}");
    let (back, learnt) = of("stepped_down").unwrap();
    assert_eq!(back, "cache/1");
    assert!((22_000_000_000..26_000_000_000).contains(&learnt), "{learnt}");
    let lookups = &outcome.traffic["l"].counts;
    assert_eq!((lookups.failed, lookups.ok), (0, lookups.started), "{lookups:?}");
    // What the master had acknowledged and not yet sent when its power went: a packet or two.
    assert!(outcome.stores["cache/1"].writes.lost <= 2);
}

/// Two masters of three are gone: there is no majority, nothing is served, and every command ends in a counted failure.
#[test]
fn without_a_majority_nothing_is_served() {
    let outcome = run(r#"Scenario(run_for: "60s",
            nodes: { "web": Host(), "core": Router(), "cache": Cluster(count: 6, replicas: 1, node_timeout: "2s") },
            links: [
                (between: ("web", "core"), rate: "10Gbps", delay: "1ms"),
                (between: ("cache", "core"), rate: "10Gbps", delay: "1ms"),
            ],
            traffic: { "l": Lookups(from: "web", to: "cache", keys: 500, arrivals: Every("20ms"), start: "10s", until: "30s", timeout: "5s") },
            faults: [
                Crash(node: "cache/1", how: Silence, at: "5s"),
                Crash(node: "cache/2", how: Silence, at: "5s"),
            ])"#);
    let lookups = &outcome.traffic["l"].counts;
    assert_eq!((lookups.ok, lookups.failed, lookups.unfinished), (0, 1_000, 0), "{lookups:?}");
    assert!(outcome.stores.values().all(|store| store.changes.iter().all(|change| change.what != "promoted")));
}
