//! Stories of askers and servers that fail or are slow, over an ideal network.

use super::backoff::{Backoff, Growth};
use super::breaker::{self, Window};
use super::jitter::Jitter;
use super::{After, Arrivals, Config, Connections, Hedge, Origin, Outcomes, Retry, budget, bulkhead};
use crate::base::{Dist, Ratio, Span, Time};
use crate::service::ideal::{Ideal, addr};
use crate::service::server;
use crate::service::stub::{self, Stub};
use crate::trace::{Circuit, Failure, Record, Request, Tripped, Try, Verdict};

const MS: Span = Span::from_millis(1);

fn serve(net: &Ideal, config: server::Config) {
    net.spawn(1, |host| server::run(host, config));
}

fn ask(net: &Ideal, change: impl FnOnce(&mut Config)) {
    let mut config = Config::new(0, "pages", Origin::Addr(addr(1)));
    change(&mut config);
    net.spawn(2, |host| async move {
        let stub = Stub::new(&host, stub::Config::new(Vec::new()));
        super::run(host, stub, config).await;
    });
}

fn pick<T>(net: &Ideal, which: impl Fn(&Record) -> Option<T>) -> Vec<T> {
    net.records.iter().filter_map(which).collect()
}

fn requests(net: &Ideal) -> Vec<Request> {
    let mut all = pick(net, |record| match record {
        Record::Request(request) => Some(*request),
        _ => None,
    });
    all.sort_by_key(|request| request.number);
    all
}

fn tries(net: &Ideal) -> Vec<Try> {
    pick(net, |record| match record {
        Record::Try(tried) => Some(*tried),
        _ => None,
    })
}

fn tripped(net: &Ideal) -> Vec<(u64, Circuit)> {
    pick(net, |record| match record {
        Record::Tripped(Tripped { time, circuit, .. }) => Some((time.as_nanos() / 1_000_000, *circuit)),
        _ => None,
    })
}

fn at(millis: u64) -> Time {
    Time::ZERO + MS * millis
}

fn failing() -> server::Config {
    let route = server::Route { status: 503, ..server::Route::default() };
    server::Config { routes: vec![route], ..server::Config::new() }
}

fn retry(attempts: u32, growth: Growth) -> Retry {
    let backoff = Backoff { growth, jitter: Jitter::None };
    Retry { attempts, backoff, on: Outcomes::transient(), budget: None }
}

/// A handshake and an answer, then two more answers on the same connection after 100 and 200 ms.
#[test]
fn what_fails_is_tried_again_after_growing_waits() {
    let mut net = Ideal::new(MS * 5);
    serve(&net, failing());
    let growth = Growth::Exponential { first: MS * 100, max: Span::from_secs(1), factor: 2.0 };
    ask(&net, |config| config.policy.retry = Some(retry(3, growth)));
    net.run(5);
    let request = requests(&net)[0];
    assert_eq!((request.failure, request.status, request.tries), (Some(Failure::Status), 503, 3));
    assert_eq!(request.end - request.start, MS * (10 + 10 + 100 + 10 + 200 + 10));
    assert_eq!((request.backoff, request.tried), (MS * 300, at(330)));
    let begun: Vec<Time> = tries(&net).iter().map(|tried| tried.start).collect();
    assert_eq!(begun, [at(0), at(120), at(330)]);
    // What is not said to be worth another try is not tried again.
    let mut net = Ideal::new(MS * 5);
    serve(&net, failing());
    ask(&net, |config| {
        config.policy.retry = Some(retry(3, Growth::Fixed(MS)));
        config.policy.retry.as_mut().unwrap().on.statuses.clear();
    });
    net.run(5);
    assert_eq!(requests(&net)[0].tries, 1);
}

/// A server with one worker that takes 100 ms: a try of 60 ms each, until the time for all of them is over.
#[test]
fn each_try_has_its_time_and_all_together_have_theirs() {
    let mut net = Ideal::new(MS * 5);
    serve(&net, server::Config { service: Dist::Constant(MS * 100), workers: 9, ..server::Config::new() });
    ask(&net, |config| {
        config.policy.try_timeout = Some(MS * 60);
        config.policy.retry = Some(retry(100, Growth::Fixed(MS * 10)));
        config.timeout = Some(MS * 200);
    });
    net.run(5);
    let request = requests(&net)[0];
    assert_eq!((request.failure, request.end), (Some(Failure::Timeout), at(200)));
    assert_eq!((request.tries, request.tried, request.backoff), (3, at(140), MS * 20));
    let ends: Vec<_> = tries(&net).iter().map(|tried| (tried.end, tried.verdict)).collect();
    let failed = Verdict::Failed(Failure::Timeout);
    assert_eq!(ends, [(at(60), failed), (at(130), failed), (at(200), failed)]);
}

#[test]
fn a_budget_bounds_retries_whatever_fails() {
    let mut net = Ideal::new(MS * 5);
    serve(&net, failing());
    ask(&net, |config| {
        config.arrivals = Arrivals::Every(MS * 10);
        config.limit.count = Some(1_000);
        let budget = budget::Config { share: Ratio::new(0.1).unwrap(), floor: None, burst: 5 };
        config.policy.retry = Some(retry(10, Growth::Fixed(MS)));
        config.policy.retry.as_mut().unwrap().budget = Some(budget);
    });
    net.run(100);
    let retries = tries(&net).iter().filter(|tried| tried.index > 0).count();
    // Five to begin with, which the first request spends, and a tenth of a thousand.
    assert!((100..=105).contains(&retries), "{retries}");
}

/// The first request holds the only worker for a second; the second is asked once more after 50 ms and gets the other answer.
#[test]
fn a_hedge_overtakes_what_is_slow() {
    let mut net = Ideal::new(MS * 5);
    // The work is drawn in the order of arrival: a Pareto tail has slow ones.
    let service = Dist::Pareto { min: MS * 10, alpha: 0.7 };
    serve(&net, server::Config { service, workers: 99, ..server::Config::new() });
    ask(&net, |config| {
        config.arrivals = Arrivals::Every(MS * 100);
        config.limit.count = Some(200);
        config.connections = Connections::Pool { max: 99, idle: Span::from_secs(60) };
        config.policy.hedge = Some(Hedge { after: After::Time(MS * 50), most: 1, budget: None });
        config.timeout = Some(Span::from_secs(1_000));
    });
    net.run(1_000);
    let tries = tries(&net);
    let hedges: Vec<&Try> = tries.iter().filter(|tried| tried.hedge).collect();
    let won = hedges.iter().filter(|tried| tried.verdict == Verdict::Answered).count();
    assert!(hedges.len() > 20 && won > 5, "{} hedges, {won} won", hedges.len());
    for hedge in hedges {
        let of = |index| tries.iter().find(|tried| (tried.number, tried.index) == (hedge.number, index)).unwrap();
        let first = of(0);
        assert_eq!(hedge.start - first.start, MS * 50);
        let overtaken = [first.verdict, hedge.verdict].iter().filter(|&&v| v == Verdict::Overtaken).count();
        assert_eq!((overtaken, first.end), (1, hedge.end), "one wins, the other is given up in the same instant");
        let request = requests(&net)[usize::try_from(hedge.number).unwrap()];
        let winner = if hedge.verdict == Verdict::Answered { hedge } else { first };
        assert_eq!((request.flow, request.exchange, request.tried), (winner.flow, winner.exchange, winner.start));
    }
}

#[test]
fn a_hedge_by_quantile_asks_again_for_about_that_share() {
    let mut net = Ideal::new(MS * 5);
    let service = Dist::Exponential { mean: MS * 20 };
    serve(&net, server::Config { service, workers: 999, ..server::Config::new() });
    ask(&net, |config| {
        config.arrivals = Arrivals::Every(MS * 20);
        config.limit.count = Some(4_000);
        config.connections = Connections::Pool { max: 99, idle: Span::from_secs(60) };
        let after = After::Quantile(Ratio::new(0.9).unwrap());
        config.policy.hedge = Some(Hedge { after, most: 1, budget: None });
    });
    net.run(1_000);
    let hedges = tries(&net).iter().filter(|tried| tried.hedge).count();
    // A tenth, and more because hedged requests end sooner: what they took is what the quantile is taken of.
    assert!((300..=800).contains(&hedges), "{hedges} of 4,000");
}

/// Ten failures open it; five seconds later probes fail and open it again.
#[test]
fn an_open_breaker_sends_nothing() {
    let mut net = Ideal::new(MS * 5);
    serve(&net, failing());
    ask(&net, |config| {
        config.arrivals = Arrivals::Every(MS * 100);
        config.limit.count = Some(120);
        config.policy.breaker = Some(breaker::Config {
            window: Window::Count(20),
            failures: Ratio::new(0.5).unwrap(),
            minimum: 10,
            open_for: Span::from_secs(5),
            probes: 2,
        });
    });
    net.run(20);
    let requests = requests(&net);
    let refused = |request: &&Request| request.failure == Some(Failure::BreakerOpen);
    assert!(requests[..10].iter().all(|request| request.failure == Some(Failure::Status)));
    assert!(requests[10..59].iter().all(|request| refused(&request)), "49 find it open");
    assert!(requests.iter().filter(refused).all(|request| request.end == request.start && request.tries == 0));
    // The tenth answer comes at 910 ms; the first request after 5.910 s is that of 6 s.
    let open = Circuit::Open;
    assert_eq!(tripped(&net)[..3], [(910, open), (6_000, Circuit::HalfOpen), (6_010, open)]);
    let asked = requests.iter().filter(|request| !refused(request)).count();
    assert_eq!(asked, 10 + 1 + 1, "ten, and a probe each at 6.0 s and at 11.1 s");
}

#[test]
fn a_breaker_closes_when_the_server_is_well_again() {
    let mut net = Ideal::new(MS * 5);
    // Slow while it starts: tries of 50 ms fail until the work takes less.
    let warm_up = Some(server::WarmUp { over: Span::from_secs(20), from: 0.1 });
    let service = Dist::Constant(MS * 20);
    serve(&net, server::Config { service, warm_up, workers: 99, ..server::Config::new() });
    ask(&net, |config| {
        config.arrivals = Arrivals::Every(MS * 100);
        config.limit.count = Some(400);
        config.policy.try_timeout = Some(MS * 50);
        config.policy.breaker = Some(breaker::Config {
            window: Window::Time(Span::from_secs(5)),
            failures: Ratio::new(0.5).unwrap(),
            minimum: 10,
            open_for: Span::from_secs(2),
            probes: 2,
        });
    });
    net.run(60);
    let tripped = tripped(&net);
    assert_eq!(tripped.last().map(|(_, circuit)| *circuit), Some(Circuit::Closed), "{tripped:?}");
    let closed = tripped.last().unwrap().0;
    assert!(requests(&net).iter().filter(|r| r.start > at(closed)).all(|request| request.failure.is_none()));
}

/// Two at a time and one in the queue: of four at once the fourth fails at once.
#[test]
fn a_bulkhead_holds_back_and_turns_away() {
    let mut net = Ideal::new(MS * 5);
    serve(&net, server::Config { service: Dist::Constant(MS * 100), workers: 9, ..server::Config::new() });
    ask(&net, |config| {
        config.arrivals = Arrivals::At(vec![Time::ZERO; 4]);
        config.policy.bulkhead = Some(bulkhead::Config { max: 2, queue: Some(1) });
    });
    net.run(5);
    let requests = requests(&net);
    let failures: Vec<_> = requests.iter().map(|request| request.failure).collect();
    assert_eq!(failures, [None, None, None, Some(Failure::BulkheadFull)]);
    assert_eq!((requests[2].held, requests[2].tried), (MS * 120, at(120)));
    assert_eq!(requests[3].end, Time::ZERO);
}
