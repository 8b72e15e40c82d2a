//! The same file and seed is the same run: twice, with and without observers, whatever the order of maps in the file. Where two runs
//! part, the test says at which instant.

#![expect(clippy::disallowed_methods, reason = "tests read files")]

use lightlag::base::{Span, Time};
use lightlag::run::{Simulation, outcome::Performance};
use lightlag::scenario::ast::{Kind, Value};
use lightlag::scenario::build::{lay_out, world};
use lightlag::scenario::{Plan, reader, schema};
use lightlag::trace::Mask;
use lightlag::world::World;
use std::fs;
use std::path::Path;

/// Every scenario, with the simulated time that this test gives it.
const SCENARIOS: &[(&str, Span)] = &[
    ("first-request", Span::from_secs(60)),
    ("https-handshakes", Span::from_secs(5)),
    ("tcp-vs-udp", Span::from_secs(20)),
    ("bulk-loss", Span::from_secs(10)),
    ("head-of-line", Span::from_secs(20)),
    ("migration", Span::from_secs(10)),
    ("roaming", Span::from_secs(15)),
    ("ping-around-the-world", Span::from_secs(60)),
    ("bufferbloat", Span::from_secs(12)),
    ("dctcp-incast", Span::from_millis(1_100)),
    ("priority", Span::from_secs(8)),
    ("token-bucket", Span::from_secs(8)),
    ("cable-cut", Span::from_secs(14)),
    ("router-failure", Span::from_secs(14)),
    ("flapping-link", Span::from_secs(20)),
    ("one-way-partition", Span::from_secs(14)),
    ("gray-failure", Span::from_secs(14)),
    ("crash-and-restart", Span::from_secs(20)),
    ("dns-outage", Span::from_secs(60)),
    ("cdn-edge", Span::from_secs(4)),
    ("purge", Span::from_secs(8)),
    ("stale-if-error", Span::from_secs(14)),
    ("bench/udpline", Span::from_millis(200)),
    ("bench/dumbbell10", Span::from_secs(3)),
    ("bench/dumbbell100", Span::from_millis(700)),
    ("bench/leafspine", Span::from_millis(5)),
    ("bench/web", Span::from_millis(300)),
];

fn tree(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.ron"));
    reader::read(&fs::read_to_string(path).unwrap()).unwrap()
}

fn plan(tree: &Value, run_for: Span) -> Plan {
    let mut plan = schema::resolve(tree, "test").unwrap().0;
    plan.run_for = plan.run_for.min(run_for);
    plan
}

/// Puts the entries of every map in the opposite order.
fn reverse_maps(value: &mut Value) {
    match &mut value.kind {
        Kind::Struct { fields, .. } => fields.iter_mut().for_each(|field| reverse_maps(&mut field.value)),
        Kind::Tuple { items, .. } | Kind::List(items) => items.iter_mut().for_each(reverse_maps),
        Kind::Map(entries) => {
            entries.reverse();
            entries.iter_mut().for_each(|(_, value)| reverse_maps(value));
        }
        _ => {}
    }
}

/// Moves two worlds on event by event; the instant at which they part, if they do.
fn first_divergence(a: &mut World, b: &mut World, until: Time) -> Option<Time> {
    loop {
        let more = (a.advance(until, 1), b.advance(until, 1));
        if a.digest() != b.digest() || more.0 != more.1 {
            return Some(a.now().min(b.now()));
        }
        if !more.0 {
            return None;
        }
        // Nobody reads these records, but they are made all the same.
        for world in [&mut *a, &mut *b] {
            world.trace().drain(|_| {}, |_| {});
        }
    }
}

fn built(plan: &Plan, seed: u64, mask: Mask) -> World {
    world(plan, &lay_out(plan).unwrap(), seed, mask)
}

fn assert_same(what: &str, a: (&Plan, Mask), b: (&Plan, Mask)) {
    let until = Time::ZERO + a.0.run_for;
    let mut worlds = (built(a.0, a.0.seed, a.1), built(b.0, b.0.seed, b.1));
    if let Some(at) = first_divergence(&mut worlds.0, &mut worlds.1, until) {
        panic!("{what}: the runs part at {at}, after {} events", worlds.0.events());
    }
    assert!(worlds.0.events() > 10, "{what}: something happened");
    assert!(worlds.0.tally().balances(), "{what}: {:?}", worlds.0.tally());
}

const ALL: Mask = Mask::TRAFFIC.and(Mask::PACKETS).and(Mask::SERIES);

#[test]
fn twice_is_the_same_run_whoever_watches() {
    for &(name, run_for) in SCENARIOS {
        let plan = plan(&tree(name), run_for);
        assert_same(name, (&plan, Mask::NONE), (&plan, ALL));
    }
}

#[test]
fn the_order_of_maps_in_the_file_means_nothing() {
    for &(name, run_for) in SCENARIOS {
        let mut reversed = tree(name);
        let straight = plan(&reversed, run_for);
        reverse_maps(&mut reversed);
        let reversed = plan(&reversed, run_for);
        assert_same(name, (&straight, Mask::NONE), (&reversed, Mask::NONE));
    }
}

#[test]
fn other_seeds_are_other_runs_and_the_difference_is_found() {
    let plan = plan(&tree("tcp-vs-udp"), Span::from_secs(5));
    let (mut one, mut two) = (built(&plan, 1, Mask::NONE), built(&plan, 2, Mask::NONE));
    let at = first_divergence(&mut one, &mut two, Time::ZERO + plan.run_for).expect("the losses differ");
    assert!(at > Time::ZERO && at < Time::ZERO + Span::from_secs(2), "{at}");
}

#[test]
fn runs_on_several_threads_at_once_are_the_same_runs() {
    use rayon::prelude::*;
    let plan = plan(&tree("tcp-vs-udp"), Span::from_secs(5));
    let digests: Vec<String> = (0..4)
        .into_par_iter()
        .map(|_| {
            let network = lay_out(&plan).unwrap();
            let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
            simulation.run();
            simulation.outcome(Performance::default(), Vec::new()).0.digest
        })
        .collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}
