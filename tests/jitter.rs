//! Backoff and jitter beside the model of Brooker's "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015).
//!
//! Clients want to change one row under optimistic concurrency control: read it, write it if it is unchanged, else wait and start over.
//! The model is written anew here after the description and constants of the published simulator: each message takes a normal
//! 10 ms with a standard deviation of 2, backoff starts at 5 ms times two and ends at 2 s. Our own clients do the same over HTTP,
//! TCP and IP. How many calls a client needs and the order of the strategies must agree.

use lightlag::base::Rng;
use lightlag::run::Simulation;
use lightlag::run::outcome::Performance;
use lightlag::scenario::build::lay_out;
use lightlag::scenario::parse;
use lightlag::trace::Mask;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const CLIENTS: u32 = 50;

/// A strategy: its name, how the scenario says it, and the model's wait in milliseconds before retry `n` (from 1) after `last`.
struct Strategy {
    name: &'static str,
    backoff: &'static str,
    wait: fn(n: i32, last: f64, rng: &mut Rng) -> f64,
}

fn expo(n: i32) -> f64 {
    (5.0 * (0..n).fold(1.0, |power, _| power * 2.0_f64)).min(2_000.0)
}

const STRATEGIES: [Strategy; 5] = [
    Strategy {
        name: "full",
        backoff: r#", backoff: Exponential(first: "10ms", max: "2s", jitter: Full)"#,
        wait: |n, _, rng| rng.unit() * expo(n),
    },
    Strategy {
        name: "equal",
        backoff: r#", backoff: Exponential(first: "10ms", max: "2s", jitter: Equal)"#,
        wait: |n, _, rng| expo(n) / 2.0 + rng.unit() * expo(n) / 2.0,
    },
    Strategy {
        name: "decorrelated",
        backoff: r#", backoff: Exponential(first: "5ms", max: "2s", jitter: Decorrelated)"#,
        wait: |_, last, rng| (5.0 + rng.unit() * (last * 3.0 - 5.0)).min(2_000.0),
    },
    Strategy {
        name: "exponential",
        backoff: r#", backoff: Exponential(first: "10ms", max: "2s")"#,
        wait: |n, _, _| expo(n),
    },
    Strategy { name: "none", backoff: "", wait: |_, _, _| 0.0 },
];

/// What arrives at the row: a read, or a write of the version that was read.
#[derive(Clone, Copy)]
enum Message {
    Read,
    Write(u64),
}

/// Writes per client in the model, and when the last one was done, in milliseconds.
fn model(strategy: &Strategy, seed: u64) -> (f64, f64) {
    let mut rng = Rng::stream(seed, "model");
    let delay = |rng: &mut Rng| (10.0 + 2.0 * rng.normal()).abs();
    let mut clients = vec![(0, 5.0); CLIENTS as usize];
    // Instants in whole nanoseconds order the queue.
    let mut queue: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut waiting = vec![Message::Read; CLIENTS as usize];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds of a short run")]
    let nanos = |ms: f64| (ms * 1e6) as u64;
    for client in 0..clients.len() {
        queue.push(Reverse((nanos(delay(&mut rng)), client)));
    }
    let (mut version, mut writes, mut end) = (0, 0_u32, 0);
    while let Some(Reverse((now, client))) = queue.pop() {
        end = now;
        let there_and_back = delay(&mut rng) + delay(&mut rng);
        let wait = match waiting[client] {
            Message::Read => {
                waiting[client] = Message::Write(version);
                0.0
            }
            Message::Write(read) => {
                writes += 1;
                if read == version {
                    version += 1;
                    continue;
                }
                let (tries, last) = &mut clients[client];
                *tries += 1;
                *last = (strategy.wait)(*tries, *last, &mut rng);
                waiting[client] = Message::Read;
                *last
            }
        };
        queue.push(Reverse((now + nanos(there_and_back + wait), client)));
    }
    (f64::from(writes) / f64::from(CLIENTS), end as f64 / 1e6)
}

/// The same of real clients.
fn simulated(strategy: &Strategy, seed: u64) -> (f64, f64) {
    let source = format!(
        r#"Scenario(seed: {seed}, run_for: "300s",
            nodes: {{ "client": Host(count: {CLIENTS}), "row": Server(routes: [(path: "/row", versions: true)]), "lan": Router() }},
            links: [
                (between: ("client", "lan"), delay: "0ms", jitter: Normal(mean: "10ms", sd: "2ms")),
                (between: ("row", "lan"), rate: "10Gbps", delay: "0ms"),
            ],
            traffic: {{ "write": Http(from: "client", to: "http://row/row", method: "PUT", conditional: true, timeout: Never,
                retry: (attempts: 10000, on: [412]{})) }})"#,
        strategy.backoff
    );
    let (plan, _) = parse(&source, "row").unwrap_or_else(|errors| panic!("{errors:#?}"));
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    simulation.run();
    let (outcome, _) = simulation.outcome(Performance::default(), Vec::new());
    let write = &outcome.traffic["write"];
    assert_eq!(write.counts.ok, u64::from(CLIENTS), "everybody gets to write");
    let tries = write.resilience.as_ref().unwrap().tries;
    (tries as f64 / f64::from(CLIENTS), write.latency_ns.unwrap().max as f64 / 1e6)
}

fn mean(runs: u64, run: impl Fn(u64) -> (f64, f64)) -> (f64, f64) {
    let all: Vec<(f64, f64)> = (1..=runs).map(run).collect();
    let of = |pick: fn(&(f64, f64)) -> f64| all.iter().map(pick).sum::<f64>() / all.len() as f64;
    (of(|run| run.0), of(|run| run.1))
}

#[test]
fn strategies_need_as_many_calls_as_in_the_published_simulator_and_in_the_same_order() {
    let mut wanted = Vec::new();
    let mut found = Vec::new();
    for strategy in &STRATEGIES {
        let (want, want_ms) = mean(200, |seed| model(strategy, seed));
        let (got, got_ms) = mean(12, |seed| simulated(strategy, seed));
        assert!((got / want - 1.0).abs() < 0.15, "{}: {got:.2} calls a client, the model {want:.2}", strategy.name);
        // Both end with the last client, whose luck differs more from run to run than the number of calls.
        assert!((got_ms / want_ms - 1.0).abs() < 0.35, "{}: {got_ms:.0} ms, the model {want_ms:.0}", strategy.name);
        wanted.push((want, strategy.name));
        found.push((got, strategy.name));
    }
    wanted.sort_by(|left, right| left.0.total_cmp(&right.0));
    found.sort_by(|left, right| left.0.total_cmp(&right.0));
    let names = |all: &[(f64, &'static str)]| all.iter().map(|(_, name)| *name).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&wanted));
    assert_eq!(names(&found), ["full", "equal", "decorrelated", "exponential", "none"], "as published");
}
