//! Regional designs: what crosses between regions costs its distance, as often as it crosses.

#![expect(clippy::disallowed_methods, reason = "a test reads the scenario that it is about")]

use lightlag::run::Simulation;
use lightlag::run::outcome::Performance;
use lightlag::scenario::build::{lay_out, light_between};
use lightlag::scenario::parse;
use lightlag::trace::Mask;
use std::path::Path;

/// The fastest ride of each design is the one beside its data, and one round trip more for each crossing: one to a central service, six
/// where a global service serves a far rider from data at the rider's home. Each round trip is at least what light needs on the great circle.
#[test]
fn each_crossing_costs_one_round_trip() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/ride-hailing-regions.ron");
    let (plan, warnings) = parse(&std::fs::read_to_string(path).unwrap(), "regions").unwrap();
    assert_eq!(warnings, []);
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    simulation.run();
    let (outcome, _) = simulation.outcome(Performance::default(), Vec::new());
    let node = |name: &str| (0u32..).zip(&plan.nodes).find(|(_, node)| node.name == name).unwrap().0;
    let light = light_between(&plan, node("riders-mia"), node("service-nyc")).unwrap().as_nanos() * 2;
    let between = |from: &str, to: &str| {
        let link = plan.links.iter().find(|link| link.name == format!("{from}-{to}")).unwrap();
        link.directions.iter().map(|direction| direction.delay.as_nanos()).sum::<u64>()
    };
    let round_trip = between("miami", "atlanta") + between("new-york", "atlanta");
    assert!(round_trip > light, "by way of Atlanta it is farther: {round_trip} and {light}");
    let fastest = |name: &str| outcome.traffic[name].latency_ns.unwrap().min;
    for (name, crossings) in [
        ("central New York", 0),
        ("central Miami", 1),
        ("homed New York", 0),
        ("homed Miami", 0),
        ("global New York", 0),
        ("global Miami", 6),
    ] {
        let extra = fastest(name) - fastest("homed New York").min(fastest(name));
        let want = crossings * round_trip;
        // Each crossing is put on two links of 100 Gb/s more: tens of nanoseconds.
        assert!(extra.abs_diff(want) < 10_000, "{name}: {extra} ns more, want {want}");
        assert!(extra + 10_000 >= crossings * light, "{name} is no faster than light");
    }
}
