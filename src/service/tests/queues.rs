//! Servers as queues: what the formulas of Erlang, Pollaczek and Khinchine say, and how workers share cores.

use super::{MS, ask, exchanges, requests, serve};
use crate::base::{Dist, Span, Time};
use crate::service::client::{Arrivals, Connections};
use crate::service::ideal::Ideal;
use crate::service::server;
use crate::trace::{Failure, Record};

/// Requests of one run, and seeds of runs: together the standard error of a mean wait is 4 % or less.
const REQUESTS: u64 = 25_000;
const SEEDS: std::ops::Range<u64> = 1..5;

/// Mean time that requests wait for a worker, in mean service times, at this load.
fn mean_wait(workers: usize, service: Dist, load: f64) -> f64 {
    SEEDS.map(|seed| mean_wait_of_run(workers, service, load, seed)).sum::<f64>() / SEEDS.count() as f64
}

fn mean_wait_of_run(workers: usize, service: Dist, load: f64, seed: u64) -> f64 {
    let mut net = Ideal::seeded(MS, seed);
    let mean = service.mean().unwrap();
    serve(&net, server::Config { workers, service, ..server::Config::new() });
    let mean_gap = Span::from_secs_f64(mean.as_secs_f64() / workers as f64 / load);
    ask(&net, |config| {
        config.arrivals = Arrivals::Poisson { mean_gap };
        config.connections = Connections::PerRequest;
        config.limit.count = Some(REQUESTS);
        config.timeout = None;
    });
    net.run(100_000);
    let exchanges = exchanges(&net);
    assert_eq!(exchanges.len() as u64, REQUESTS);
    let wait: Span = exchanges.iter().map(|exchange| exchange.started - exchange.request.released).sum();
    wait.as_secs_f64() / exchanges.len() as f64 / mean.as_secs_f64()
}

/// Erlang's formula for the mean wait in an M/M/c queue, in service times.
fn erlang_wait(workers: u32, load: f64) -> f64 {
    let offered = load * f64::from(workers);
    // Erlang B by its recursion, then C.
    let blocked = (1..=workers).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
    let waits = blocked / (1.0 - load * (1.0 - blocked));
    waits / (f64::from(workers) * (1.0 - load))
}

#[test]
fn one_worker_is_an_m_m_1_queue() {
    let mean = Dist::Exponential { mean: Span::from_millis(10) };
    assert!((erlang_wait(1, 0.9) - 9.0).abs() < 1e-9 && (erlang_wait(4, 0.9) - 1.969).abs() < 1e-3);
    let (got, want) = (mean_wait(1, mean, 0.7), 0.7 / 0.3);
    assert!((got / want - 1.0).abs() < 0.06, "{got}, want {want}");
}

#[test]
fn four_workers_are_an_m_m_4_queue() {
    let mean = Dist::Exponential { mean: Span::from_millis(10) };
    let (got, want) = (mean_wait(4, mean, 0.8), erlang_wait(4, 0.8));
    assert!((got / want - 1.0).abs() < 0.08, "{got}, want {want}");
}

/// Pollaczek and Khinchine: constant service halves the wait.
#[test]
fn constant_service_is_an_m_d_1_queue() {
    let got = mean_wait(1, Dist::Constant(Span::from_millis(10)), 0.7);
    let want = 0.7 / 0.3 / 2.0;
    assert!((got / want - 1.0).abs() < 0.06, "{got}, want {want}");
}

/// Erlang's loss formula: without a queue, the share turned away is B(c, a).
#[test]
fn without_a_queue_the_share_turned_away_is_erlang_b() {
    let mut net = Ideal::new(MS);
    let service = Dist::Exponential { mean: Span::from_millis(10) };
    serve(&net, server::Config { workers: 3, queue_limit: Some(0), service, ..server::Config::new() });
    ask(&net, |config| {
        config.arrivals = Arrivals::Poisson { mean_gap: Span::from_millis(5) };
        config.connections = Connections::PerRequest;
        config.limit.count = Some(40_000);
    });
    net.run(1_000);
    let requests = requests(&net);
    let refused = requests.iter().filter(|request| request.status == 503).count();
    assert!(requests.iter().all(|request| (request.status == 503) == (request.failure == Some(Failure::Status))));
    // a = 2, c = 3: (8/6) / (1 + 2 + 2 + 8/6) = 4/19.
    let share = refused as f64 / requests.len() as f64;
    assert!((share - 4.0 / 19.0).abs() < 0.01, "{share}");
}

/// Processor sharing: the mean time at the server is the work / (1 - load), whatever the distribution of the work.
#[test]
fn shared_cores_give_everybody_the_same_slowness() {
    let work = MS * 10;
    for service in [Dist::Constant(work), Dist::Exponential { mean: work }] {
        let mut net = Ideal::new(MS);
        let config = server::Config { workers: 10_000, cores: Some(1), service, ..server::Config::new() };
        serve(&net, config);
        ask(&net, |config| {
            config.arrivals = Arrivals::Poisson { mean_gap: MS * 20 };
            config.connections = Connections::PerRequest;
            config.limit.count = Some(40_000);
        });
        net.run(2_000);
        let exchanges = exchanges(&net);
        assert_eq!(exchanges.len(), 40_000);
        let took: Span = exchanges.iter().map(|exchange| exchange.finished - exchange.started).sum();
        let wait: Span = exchanges.iter().map(|exchange| exchange.core_wait).sum();
        let mean = |span: Span| span.as_millis_f64() / exchanges.len() as f64;
        assert!((mean(took) / 20.0 - 1.0).abs() < 0.04, "{} ms at half load, want 20 ms", mean(took));
        assert!((mean(wait) / 10.0 - 1.0).abs() < 0.08, "{} ms of that for others, want 10 ms", mean(wait));
    }
}

/// Two cores, three requests at once of 30 ms each: all are done when 90 ms of work are, and alone each takes 30 ms to the nanosecond.
#[test]
fn cores_are_shared_evenly_and_workers_who_wait_need_none() {
    let mut net = Ideal::new(MS);
    let config = server::Config {
        workers: 9,
        cores: Some(2),
        service: Dist::Constant(MS * 30),
        io: Dist::Constant(MS * 100),
        ..server::Config::new()
    };
    serve(&net, config);
    let at = |millis| Time::ZERO + MS * millis;
    ask(&net, |config| config.arrivals = Arrivals::At(vec![at(0), at(0), at(0), at(1_000), at(2_000), at(2_010)]));
    net.run(5);
    let exchanges = exchanges(&net);
    let took: Vec<Span> = exchanges.iter().map(|exchange| exchange.finished - exchange.started).collect();
    assert_eq!(took, [MS * 145, MS * 145, MS * 145, MS * 130, MS * 130, MS * 130]);
    let waits: Vec<Span> = exchanges.iter().map(|exchange| exchange.core_wait).collect();
    assert_eq!(waits, [MS * 15, MS * 15, MS * 15, Span::ZERO, Span::ZERO, Span::ZERO]);
}

/// Half way through the work of one, another comes to the only core: 20 ms alone, then shared until the second is done too.
#[test]
fn whoever_comes_slows_the_others_down_and_whoever_goes_speeds_them_up() {
    let mut net = Ideal::new(MS);
    let config =
        server::Config { workers: 9, cores: Some(1), service: Dist::Constant(MS * 40), ..server::Config::new() };
    serve(&net, config);
    let at = |millis| Time::ZERO + MS * millis;
    ask(&net, |config| config.arrivals = Arrivals::At(vec![at(0), at(20)]));
    net.run(5);
    let took: Vec<Span> = exchanges(&net).iter().map(|exchange| exchange.finished - exchange.started).collect();
    // The first has 20 ms left and shares: 40 ms more. The second then has 20 ms left and is alone.
    assert_eq!(took, [MS * 60, MS * 60]);
}

#[test]
fn a_server_that_starts_cold_is_slow_at_first() {
    let mut net = Ideal::new(MS);
    let warm_up = Some(server::WarmUp { over: Span::from_secs(10), from: 0.5 });
    serve(&net, server::Config { service: Dist::Constant(MS * 10), speed: 2.0, warm_up, ..server::Config::new() });
    ask(&net, |config| config.arrivals = Arrivals::At(vec![Time::ZERO, Time::ZERO + Span::from_secs(20)]));
    net.run(30);
    let took: Vec<u64> =
        exchanges(&net).iter().map(|exchange| (exchange.finished - exchange.started).as_millis()).collect();
    assert_eq!(took, [9, 5], "from half of double speed (2 ms into ten seconds) to all of it");
}

/// The second of three requests waits, the third finds no room.
#[test]
fn a_full_queue_answers_503_or_resets() {
    for (overflow, want) in [(server::Overflow::Reject, Failure::Status), (server::Overflow::Reset, Failure::Reset)] {
        let mut net = Ideal::new(MS);
        let service = Dist::Constant(MS * 100);
        serve(&net, server::Config { queue_limit: Some(1), overflow, service, ..server::Config::new() });
        ask(&net, |config| config.arrivals = Arrivals::At(vec![Time::ZERO; 3]));
        net.run(5);
        let failures: Vec<_> = requests(&net).iter().map(|request| request.failure).collect();
        assert_eq!(failures, [None, None, Some(want)]);
        let turned = net.records.iter().filter(|record| matches!(record, Record::TurnedAway(_))).count();
        assert_eq!(turned, 1);
    }
}
