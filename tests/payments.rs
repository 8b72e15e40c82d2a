//! Money under losses, crashes, timeouts and retries: what is charged, how often, and what users were told.

use lightlag::observe::Traffic;
use lightlag::run::outcome::Performance;
use lightlag::run::{Observer, Simulation};
use lightlag::scenario::build::lay_out;
use lightlag::scenario::parse;
use lightlag::trace::{Charge, Mask, Record};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What can go wrong, and how stubborn those who pay are.
#[derive(Clone, Debug)]
struct Trouble {
    seed: u64,
    /// Loss between shop and bank, and between the bank's machines and their store, in tenths of a percent.
    losses: (u32, u32),
    /// Which machine crashes when (in tenths of a second), for how long, and whether it resets connections.
    crashes: Vec<(u32, u32, u32, bool)>,
    try_timeout: u32,
    attempts: u32,
    deadline: bool,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let crash = (1..=3_u32, 1..60_u32, 1..20_u32, any::<bool>());
    (any::<u32>(), (0..80_u32, 0..50_u32), proptest::collection::vec(crash, 0..5), 60..400_u32, 2..6_u32, any::<bool>())
        .prop_map(|(seed, losses, crashes, try_timeout, attempts, deadline)| {
            let seed = u64::from(seed);
            Trouble { seed, losses, crashes, try_timeout, attempts, deadline }
        })
}

/// Payments for eight seconds to three machines behind a balancer; `keys` and `pays` say how.
fn scenario(trouble: &Trouble, idempotency: &str, users: &str) -> String {
    let Trouble { seed, losses: (outside, inside), crashes, try_timeout, attempts, deadline } = trouble;
    let crashes: Vec<String> = crashes
        .iter()
        .enumerate()
        .map(|(index, (member, at, lasts, reset))| {
            let how = if *reset { "Reset" } else { "Silence" };
            let (at, lasts) = (at * 100, lasts * 100);
            format!(r#"Crash(name: "c{index}", node: "bank/{member}", how: {how}, at: "{at}ms", for: "{lasts}ms")"#)
        })
        .collect();
    let faults = if crashes.is_empty() { String::new() } else { format!("faults: [{}],", crashes.join(", ")) };
    let (outside, inside) = (f64::from(*outside) / 10.0, f64::from(*inside) / 10.0);
    let (says, keeps) = if *deadline { ("deadline: true,", "deadlines: true,") } else { ("", "") };
    format!(
        r#"Scenario(
            seed: {seed}, run_for: "40s",
            nodes: {{
                "shop": Host(), "net": Router(), "lb": Balancer(to: "bank", timeout: "1s"), "keys": Store(service: "1ms"),
                "bank": Server(count: 3, workers: 20, service: LogNormal(median: "30ms", p99: "300ms"), {keeps} {idempotency}
                    routes: [(path: "/pay", method: "POST", charges: true)]),
            }},
            links: [
                (between: ("shop", "net"), rate: "100Mbps", delay: "10ms", loss: "{outside}%"),
                (between: ("lb", "net"), rate: "1Gbps", delay: "100us"),
                (between: ("bank", "net"), rate: "1Gbps", delay: "100us", loss: "{inside}%"),
                (between: ("keys", "net"), rate: "1Gbps", delay: "100us"),
            ],
            traffic: {{ "pay": Http(from: "shop", to: "http://lb/pay", method: "POST", pays: 100, arrivals: Poisson("20/s"), until: "8s",
                connection: Pool(50), timeout: "20s", try_timeout: "{try_timeout}ms", retry: (attempts: {attempts}, backoff: "50ms"), {says} {users}) }},
            {faults}
        )"#
    )
}

/// What it comes to: the traffic, and the charges in the trace.
fn run(source: &str) -> (Traffic, Vec<Charge>) {
    let (plan, _) = parse(source, "pay").unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"));
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    let mut charges = Charges::default();
    while simulation.step(&mut [&mut charges]) {}
    let (_, mut traffic) = simulation.outcome(Performance::default(), Vec::new());
    let pay = traffic.iter().position(|traffic| traffic.plan.name == "pay").unwrap();
    (traffic.swap_remove(pay), charges.0)
}

#[derive(Default)]
struct Charges(Vec<Charge>);

impl Observer for Charges {
    fn mask(&self) -> Mask {
        Mask::TRAFFIC
    }

    fn record(&mut self, record: &Record) {
        if let Record::Charge(charge) = record {
            self.0.push(*charge);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// With a key that the machines remember together, whatever is lost, crashes or is given up: nobody is charged twice, and who was told
    /// that it is paid has paid.
    #[test]
    fn a_keyed_payment_is_charged_once_if_it_was_acknowledged_and_never_twice(trouble in trouble()) {
        let (pay, charges) = run(&scenario(&trouble, r#"idempotency: (store: "keys"),"#, "idempotency_key: true"));
        let payments = &pay.payments;
        prop_assert!(pay.counts.started > 100);
        prop_assert!(payments.charged.values().all(|&(times, cents)| (times, cents) == (1, 100)), "charged twice");
        prop_assert_eq!(payments.told_but_free(), 0, "told that it is paid, and it is not");
        prop_assert_eq!(payments.charges(), charges.len() as u64, "every charge is somebody's");
    }

    /// Without a key: how often anybody was charged again is what the trace says, charge by charge.
    #[test]
    fn without_keys_the_count_of_double_charges_is_that_of_the_trace(trouble in trouble()) {
        let (pay, charges) = run(&scenario(&trouble, "", ""));
        let payments = &pay.payments;
        prop_assert_eq!(payments.charges(), charges.len() as u64, "every charge is somebody's");
        let again: u64 = payments.charged.values().map(|&(times, _)| u64::from(times) - 1).sum();
        prop_assert_eq!(again, charges.len() as u64 - payments.charged.len() as u64);
        let (taken, owed) = payments.cents();
        prop_assert_eq!(taken, charges.iter().map(|charge| charge.cents).sum::<u64>());
        prop_assert_eq!(taken - owed, again * 100);
        prop_assert_eq!(payments.told_but_free(), 0);
    }
}

/// The trouble that the property is about does occur: the same payments with keys that each machine keeps for itself are charged twice.
#[test]
fn keys_of_ones_own_do_not_help_at_another_machine() {
    let trouble = Trouble { seed: 1, losses: (50, 0), crashes: vec![], try_timeout: 100, attempts: 5, deadline: false };
    let twice = |idempotency: &str, users: &str| {
        let (pay, charges) = run(&scenario(&trouble, idempotency, users));
        let mut by_node = BTreeMap::<u32, usize>::new();
        charges.iter().for_each(|charge| *by_node.entry(charge.node).or_default() += 1);
        (pay.payments.charges() - pay.payments.charged.len() as u64, by_node.len())
    };
    let (careless, _) = twice("", "");
    let (own, machines) = twice(r#"idempotency: "24h","#, "idempotency_key: true");
    let (shared, stores) = twice(r#"idempotency: (store: "keys"),"#, "idempotency_key: true");
    assert!(careless >= 20 && own >= 10 && own <= careless, "{careless} without keys, {own} with keys of their own");
    assert_eq!((machines, shared, stores), (3, 0, 1), "the store takes the money, once");
}
