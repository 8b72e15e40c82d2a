//! A congestion controller of your own, beside CUBIC in the same scenario. `cargo run --release --example custom_controller`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use lightlag::run::{Simulation, outcome::Performance};
use lightlag::scenario::{build, parse};
use lightlag::trace::Mask;
use lightlag::transport::congestion::{Ack, Control, Window};
use lightlag::transport::tcp::Algorithm;
use std::rc::Rc;

/// Scalable TCP (Kelly 2003): a hundredth of a segment for each acknowledged, an eighth off for each loss. At a loss rate p its
/// window settles near 0.08 / p segments whatever the round trip.
#[derive(Debug, Default)]
struct Scalable {
    /// Hundredths of a segment by which the window is to grow.
    credit: u32,
}

impl Control for Scalable {
    fn name(&self) -> &'static str {
        "scalable"
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        if ack.cwnd_limited {
            self.credit += if window.in_slow_start() { window.slow_start(ack.acked) } else { ack.acked };
            window.cwnd = (window.cwnd + self.credit / 100).min(window.clamp);
            self.credit %= 100;
        }
    }

    fn ssthresh(&mut self, window: &Window) -> u32 {
        (window.cwnd - window.cwnd / 8).max(2)
    }
}

/// Goodput of the scenario's download in bits per second, under its own controller or the one given.
fn goodput(own: Option<Algorithm>) -> u64 {
    let (plan, _) = parse(include_str!("../scenarios/bulk-loss.ron"), "bulk-loss").expect("a sound scenario");
    let mut network = build::lay_out(&plan).expect("addresses for two nodes");
    if let Some(own) = own {
        network.blueprint.tune_tcp(|_, config| config.congestion = own.clone());
    }
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    simulation.run();
    let (outcome, _) = simulation.outcome(Performance::default(), Vec::new());
    outcome.traffic["download"].goodput_bps
}

pub(crate) fn main() {
    let scalable = Algorithm::Custom(Rc::new(|| Box::new(Scalable::default())));
    let (cubic, scalable) = (goodput(None), goodput(Some(scalable)));
    println!("cubic    {:5.2} Mb/s\nscalable {:5.2} Mb/s", cubic as f64 / 1e6, scalable as f64 / 1e6);
    assert!(scalable > cubic, "at 0.1 % of loss over 56 ms a hundredth for each is more than one for all");
}
