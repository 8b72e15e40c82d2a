//! What every scenario comes to: laws that no outcome may break, and a snapshot of each.
//!
//! A snapshot pins what happens; it does not judge it. The laws beside it, and the expectations inside each scenario, do.

#![expect(clippy::disallowed_methods, reason = "tests read and write files")]

use lightlag::observe::Traffic;
use lightlag::report::Style;
use lightlag::report::json::{from_json, to_json};
use lightlag::report::snapshot::snapshot;
use lightlag::report::text::{Options, summary};
use lightlag::run::outcome::Performance;
use lightlag::run::{Outcome, Simulation};
use lightlag::scenario::build::lay_out;
use lightlag::scenario::parse;
use lightlag::trace::Mask;
use std::fs;
use std::path::Path;

/// Runs a scenario of the repository, first with observers and then without.
fn run(name: &str) -> (Outcome, Vec<Traffic>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.ron"));
    let text = fs::read_to_string(&path).unwrap();
    let (plan, _) = parse(&text, name).unwrap_or_else(|faults| panic!("{name}: {faults:#?}"));
    let network = lay_out(&plan).unwrap();
    let mut observed = Simulation::new(&plan, &network, None, Mask::PACKETS.and(Mask::SERIES));
    observed.run();
    let (outcome, traffic) = observed.outcome(Performance::default(), Vec::new());
    let mut silent = Simulation::unobserved(&plan, &network, None);
    silent.run();
    let (unobserved, _) = silent.outcome(Performance::default(), Vec::new());
    assert_eq!(unobserved.digest, outcome.digest, "{name}: observers change nothing");
    (outcome, traffic)
}

/// What holds of every outcome.
fn laws(outcome: &Outcome, traffic: &[Traffic]) {
    for expectation in &outcome.expect {
        assert!(
            expectation.ok,
            "{}: expected {}, measured {}",
            outcome.scenario, expectation.text, expectation.measured
        );
    }
    let options = Options { style: Style::Plain, file: Some("scenarios/it.ron"), out: None, seed: None, warned: true };
    let shown = summary(outcome, options);
    assert!(shown.lines().count() <= 50, "a summary fits a screen:\n{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 160), "and its width:\n{shown}");
    let packets = &outcome.packets;
    let dropped: u64 = packets.dropped.values().sum();
    assert_eq!(packets.sent + packets.duplicated, packets.delivered + dropped + packets.in_flight, "conservation");
    for observed in traffic {
        let samples = observed.samples.as_slice();
        for (index, sample) in samples.iter().enumerate() {
            assert_eq!(observed.budget(index).total(), sample.latency, "phases sum to the latency");
        }
        let named = &outcome.traffic[&observed.plan.name];
        let sum = named.latency_ns.map_or(0, |latency| latency.sum);
        assert_eq!(named.phases_ns.values().sum::<u64>(), sum, "phases sum to the latencies");
        let (floor, least) = (named.light_floor_ns, named.latency_ns.map(|latency| latency.min));
        // A router on the way answers a probe sooner than light could be at the destination.
        if named.hops.is_empty() {
            assert!(floor.zip(least).is_none_or(|(floor, least)| least >= floor), "nothing is faster than light");
        }
        let counts = &named.counts;
        assert_eq!(counts.started, counts.ok + counts.failed + counts.unfinished, "each is counted once");
    }
    for direction in outcome.links.values().flat_map(|link| [&link.a_to_b, &link.b_to_a]) {
        assert!(direction.utilisation.ppm() <= 1_000_000);
        assert!(direction.queue.mean_bytes <= direction.queue.max_bytes);
    }
    assert_eq!(from_json(&to_json(outcome)).unwrap(), *outcome, "results survive being written");
}

fn pinned(name: &str) {
    let (outcome, traffic) = run(name);
    laws(&outcome, &traffic);
    insta::assert_snapshot!(name, snapshot(&outcome));
}

#[test]
fn first_request() {
    pinned("first-request");
}

#[test]
fn https_handshakes() {
    pinned("https-handshakes");
}

#[test]
fn port_exhaustion() {
    pinned("port-exhaustion");
}

#[test]
fn fast_open() {
    pinned("fast-open");
}

#[test]
fn tcp_vs_udp() {
    pinned("tcp-vs-udp");
}

#[test]
fn bulk_loss() {
    pinned("bulk-loss");
}

#[test]
fn head_of_line() {
    pinned("head-of-line");
}

#[test]
fn migration() {
    pinned("migration");
}

#[test]
fn roaming() {
    pinned("roaming");
}

#[test]
fn ping_around_the_world() {
    pinned("ping-around-the-world");
}

#[test]
fn bufferbloat() {
    pinned("bufferbloat");
}

#[test]
fn dctcp_incast() {
    pinned("dctcp-incast");
}

#[test]
fn priority() {
    pinned("priority");
}

#[test]
fn token_bucket() {
    pinned("token-bucket");
}

#[test]
fn anycast() {
    pinned("anycast");
}

#[test]
fn balancer_pair() {
    pinned("balancer-pair");
}

#[test]
fn dns_hierarchy() {
    pinned("dns-hierarchy");
}

#[test]
fn client_side_balancing() {
    pinned("client-side-balancing");
}

#[test]
fn cable_cut() {
    pinned("cable-cut");
}

#[test]
fn router_failure() {
    pinned("router-failure");
}

#[test]
fn flapping_link() {
    pinned("flapping-link");
}

#[test]
fn one_way_partition() {
    pinned("one-way-partition");
}

#[test]
fn gray_failure() {
    pinned("gray-failure");
}

#[test]
fn crash_and_restart() {
    pinned("crash-and-restart");
}

#[test]
fn dns_outage() {
    pinned("dns-outage");
}

#[test]
fn balanced_shop() {
    pinned("balanced-shop");
}

#[test]
fn l7_routing() {
    pinned("l7-routing");
}

#[test]
fn bad_release() {
    pinned("bad-release");
}

#[test]
fn scale_up_or_out() {
    pinned("scale-up-or-out");
}

#[test]
fn fan_out_tail() {
    pinned("fan-out-tail");
}

#[test]
fn sharded_cache() {
    pinned("sharded-cache");
}

#[test]
fn read_locality() {
    pinned("read-locality");
}

#[test]
fn l4_long_lived() {
    pinned("l4-long-lived");
}

#[test]
fn l4_direct() {
    pinned("l4-direct");
}

#[test]
fn geo_dns() {
    pinned("geo-dns");
}

#[test]
fn cdn_edge() {
    pinned("cdn-edge");
}

#[test]
fn origin_shield() {
    pinned("origin-shield");
}

#[test]
fn purge() {
    pinned("purge");
}

#[test]
fn stale_if_error() {
    pinned("stale-if-error");
}

#[test]
fn cache_stampede() {
    pinned("cache-stampede");
}

#[test]
fn region_loss() {
    pinned("region-loss");
}

#[test]
fn cache_failover() {
    pinned("cache-failover");
}

#[test]
fn ride_hailing() {
    pinned("ride-hailing");
}

#[test]
fn hedged_requests() {
    pinned("hedged-requests");
}

#[test]
fn breaker() {
    pinned("breaker");
}

#[test]
fn every_scenario_is_pinned() {
    let here = include_str!("outcomes.rs");
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "ron") {
            let name = path.file_stem().unwrap().to_string_lossy();
            assert!(here.contains(&format!("pinned(\"{name}\")")), "`{name}` has no outcome here");
        }
    }
}

#[test]
fn retry_storm() {
    pinned("retry-storm");
}

#[test]
fn metastable_failure() {
    pinned("metastable-failure");
}

#[test]
fn thundering_herd() {
    pinned("thundering-herd");
}

#[test]
fn load_shedding() {
    pinned("load-shedding");
}

#[test]
fn retried_payment() {
    pinned("retried-payment");
}

#[test]
fn backoff_and_jitter() {
    pinned("backoff-and-jitter");
}

#[test]
fn sticky_sessions() {
    pinned("sticky-sessions");
}

#[test]
fn canary_release() {
    pinned("canary-release");
}

#[test]
fn tls_termination() {
    pinned("tls-termination");
}

#[test]
fn ride_hailing_regions() {
    pinned("ride-hailing-regions");
}

#[test]
fn deadlines() {
    pinned("deadlines");
}
