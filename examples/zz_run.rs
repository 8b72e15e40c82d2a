//! temp
use lightlag::run::{Simulation, outcome::Performance};
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let (plan, warnings) = lightlag::scenario::parse(&text, "x").unwrap_or_else(|e| panic!("{e:#?}"));
    for w in warnings { eprintln!("{w:?}"); }
    let network = lightlag::scenario::build::lay_out(&plan).unwrap();
    let t = std::time::Instant::now();
    let mut sim = Simulation::new(&plan, &network, None, lightlag::trace::Mask::NONE);
    sim.run();
    let (outcome, _) = sim.outcome(Performance::default(), vec![]);
    eprintln!("hops {} events {} {:?}", outcome.packet_hops, outcome.events, t.elapsed());
    println!("{}", lightlag::report::json::to_json(&outcome));
}
