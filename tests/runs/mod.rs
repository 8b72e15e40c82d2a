//! Scenario text, run under the laws that hold of every run.

use lightlag::observe::Traffic;
use lightlag::run::outcome::Performance;
use lightlag::run::{Outcome, Simulation};
use lightlag::scenario::build::lay_out;
use lightlag::scenario::parse;
use lightlag::trace::Mask;

/// What a scenario without a fault comes to. Packets and requests are counted, phases sum to latencies, and observers change nothing.
pub(crate) fn run(source: &str) -> (Outcome, Vec<Traffic>) {
    let (plan, warnings) = parse(source, "test").unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"));
    assert_eq!(warnings, [], "{source}");
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::TRAFFIC);
    simulation.run();
    let tally = simulation.world().tally();
    assert!(tally.balances(), "{tally:?}");
    let (outcome, traffic) = simulation.outcome(Performance::default(), Vec::new());
    let mut silent = Simulation::unobserved(&plan, &network, None);
    silent.run();
    assert_eq!(silent.world().digest().to_string(), outcome.digest, "observers change nothing");
    for (name, traffic) in &outcome.traffic {
        let counts = &traffic.counts;
        assert_eq!(counts.started, counts.ok + counts.failed + counts.unfinished, "{name} is counted");
    }
    for observed in &traffic {
        for (index, sample) in observed.samples.as_slice().iter().enumerate() {
            assert_eq!(observed.budget(index).total(), sample.latency, "phases sum to the latency");
        }
    }
    (outcome, traffic)
}
