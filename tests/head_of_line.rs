//! What a lost packet costs the streams whose bytes were not in it: `scenarios/head-of-line.ron` against the arithmetic of losses.
//!
//! With losses independent of each other, k packets all get through with probability (1 - p)^k. Over one TCP stream whatever is lost
//! holds back all that was sent behind it, over QUIC only the rest of its own stream.

#![expect(clippy::disallowed_methods, reason = "a test reads the scenario that it judges")]

use lightlag::base::Span;
use lightlag::observe::{Phase, Traffic};
use lightlag::run::Simulation;
use lightlag::run::outcome::Performance;
use lightlag::scenario::build::lay_out;
use lightlag::scenario::parse;
use lightlag::trace::Mask;

const LOSS: f64 = 0.02;
const OBJECTS: usize = 30;
/// Packets of an object of 8 KiB over QUIC: 1,350 bytes of UDP payload each.
const OWN_PACKETS: i32 = 7;

/// The traffic named so, and what became of it with this seed.
fn traffic(seed: u64) -> [Traffic; 2] {
    let text = std::fs::read_to_string("scenarios/head-of-line.ron").unwrap();
    let (mut plan, _) = parse(&text, "head-of-line").unwrap();
    plan.seed = seed;
    assert_eq!(plan.traffic.iter().map(|traffic| &*traffic.name).collect::<Vec<_>>(), ["quic", "tcp"]);
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::TRAFFIC);
    simulation.run();
    simulation.outcome(Performance::default(), Vec::new()).1.try_into().ok().unwrap()
}

/// Of all objects, the share that waited for losses of others, for losses of their own, and for any.
fn shares(traffic: &Traffic) -> [f64; 3] {
    let count = usize::try_from(traffic.counts.ok).unwrap();
    let mut found = [0.0; 3];
    for index in 0..count {
        let budget = traffic.budget(index);
        let others = !budget.of(Phase::ResponseReorderWait).is_zero();
        let own = !budget.of(Phase::ResponseRecovery).is_zero();
        for (share, holds) in found.iter_mut().zip([others, own, others || own]) {
            *share += f64::from(u8::from(holds)) / count as f64;
        }
    }
    found
}

#[test]
fn over_tcp_all_streams_wait_and_over_quic_those_that_lost() {
    for seed in [5, 6] {
        let [quic, tcp] = traffic(seed);
        assert_eq!((quic.counts.ok, tcp.counts.ok), (750, 750));
        let ([_, _, quic_any], [tcp_others, tcp_own, tcp_any]) = (shares(&quic), shares(&tcp));
        // QUIC: an object is late if one of its own packets was lost. Two standard deviations of 750 draws on either side, and some
        // room because the last packet of a stream is smaller and shared with the next.
        let expected = 1.0 - (1.0 - LOSS).powi(OWN_PACKETS);
        assert!((expected - 0.04..=expected + 0.04).contains(&quic_any), "seed {seed}: {quic_any} of {expected}");
        // TCP: the last byte of an object waits for every earlier segment of the last flights. At least the last window before the end,
        // of 40 segments and more, is ahead of it, and nearly all who wait do so for what others lost.
        let expected = 1.0 - (1.0 - LOSS).powi(40);
        assert!(tcp_any > expected, "seed {seed}: {tcp_any}, at least {expected}");
        assert!(tcp_others > 10.0 * tcp_own, "seed {seed}: {tcp_others} for others' losses, {tcp_own} for their own");
        // A loss costs a round trip: who waits does so for about 56 ms at most, more only where the retransmission was lost too.
        let waits = |traffic: &Traffic| -> Vec<Span> {
            let mut waits: Vec<Span> =
                (0..750).map(|index| traffic.budget(index).of(Phase::ResponseReorderWait)).collect();
            waits.sort();
            waits
        };
        let median = waits(&tcp)[375];
        assert!(Span::from_millis(20) < median && median < Span::from_millis(62), "seed {seed}: {median}");
        assert!(waits(&quic)[375].is_zero(), "the median stream of QUIC waits for nobody");
        // All objects of a fetch stall together, or none does: within one fetch the waits lie within a round trip.
        let mut stalled = 0;
        for fetch in 0..25 {
            let late = (0..OBJECTS)
                .filter(|object| !tcp.budget(fetch * OBJECTS + object).of(Phase::ResponseReorderWait).is_zero())
                .count();
            stalled += usize::from(late > OBJECTS * 3 / 4);
        }
        assert!(stalled >= 12, "seed {seed}: in {stalled} of 25 fetches most objects stall together");
    }
}
