//! Pages: connections, closings, patience.

use super::{MS, ask, requests, serve};
use crate::base::{Dist, Span, Time};
use crate::service::client::{Arrivals, Connections};
use crate::service::ideal::Ideal;
use crate::service::server;
use crate::trace::{Failure, Record};

#[test]
fn a_fresh_request_takes_two_round_trips_and_a_kept_one_takes_one() {
    let mut net = Ideal::new(MS * 28);
    serve(&net, server::Config::new());
    ask(&net, |config| {
        config.arrivals = Arrivals::Every(Span::from_secs(1));
        config.limit.count = Some(2);
    });
    net.run(10);
    let requests = requests(&net);
    let took: Vec<Span> = requests.iter().map(|request| request.end - request.start).collect();
    assert_eq!(took, [MS * 112, MS * 56]);
    assert_eq!(requests[0].flow, requests[1].flow);
    assert_eq!([requests[0].exchange, requests[1].exchange], [0, 1]);
    assert_eq!(requests[0].body, 1_024);
}

#[test]
fn a_connection_per_request_says_close_and_is_closed() {
    let mut net = Ideal::new(MS * 28);
    serve(&net, server::Config::new());
    ask(&net, |config| {
        config.arrivals = Arrivals::Every(Span::from_secs(1));
        config.limit.count = Some(3);
        config.connections = Connections::PerRequest;
    });
    net.run(10);
    let requests = requests(&net);
    assert!(requests.iter().all(|request| request.end - request.start == MS * 112 && request.exchange == 0));
    assert!(requests[0].flow != requests[1].flow && requests[1].flow != requests[2].flow);
}

/// Seven requests at once on six connections: the seventh waits for the first answer.
#[test]
fn the_seventh_request_to_an_origin_waits_for_a_connection() {
    let mut net = Ideal::new(MS * 10);
    serve(&net, server::Config { workers: 10, service: Dist::Constant(MS * 5), ..server::Config::new() });
    ask(&net, |config| config.arrivals = Arrivals::At(vec![Time::ZERO; 7]));
    net.run(10);
    let took: Vec<Span> = requests(&net).iter().map(|request| request.end - request.start).collect();
    assert_eq!(took[..6], [MS * 45; 6]);
    assert_eq!(took[6], MS * (45 + 25));
}

/// The server closes an idle connection while a request is on its way to it: the browser asks again on a new one.
#[test]
fn a_request_that_meets_a_closing_connection_is_sent_again() {
    let keep_alive = server::KeepAlive::Idle(Span::from_secs(1));
    // The first answer leaves at 30 ms and the server's patience ends at 1.030 s; its FIN is seen at 1.040 s.
    // A request before is answered, one that is under way then learns of it after 15 ms, one after needs a new connection.
    for (second, took) in [(1_015, 20), (1_025, 15 + 40), (1_045, 40)] {
        let mut net = Ideal::new(MS * 10);
        serve(&net, server::Config { keep_alive, ..server::Config::new() });
        let at = |millis| Time::ZERO + MS * millis;
        ask(&net, |config| config.arrivals = Arrivals::At(vec![at(0), at(second)]));
        net.run(10);
        let requests = requests(&net);
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1].failure, None);
        assert_eq!(requests[1].end - requests[1].start, MS * took, "asked at {second} ms");
    }
}

#[test]
fn what_must_not_be_done_twice_is_not_sent_again() {
    let keep_alive = server::KeepAlive::Idle(Span::from_secs(1));
    let mut net = Ideal::new(MS * 10);
    serve(&net, server::Config { keep_alive, ..server::Config::new() });
    ask(&net, |config| {
        config.method = crate::app::http1::Method::Post;
        config.body_bytes = 1_000;
        config.arrivals = Arrivals::At(vec![Time::ZERO, Time::ZERO + MS * 1_025]);
    });
    net.run(10);
    let failures: Vec<_> = requests(&net).iter().map(|request| request.failure).collect();
    assert!(matches!(failures[..], [None, Some(Failure::Broken | Failure::Reset)]), "{failures:?}");
}

#[test]
fn a_request_that_takes_too_long_is_given_up_and_its_connection_with_it() {
    let mut net = Ideal::new(MS * 10);
    serve(&net, server::Config { service: Dist::Constant(Span::from_secs(1)), ..server::Config::new() });
    ask(&net, |config| {
        config.arrivals = Arrivals::Every(Span::from_secs(2));
        config.limit.count = Some(2);
        config.timeout = Some(MS * 1_039);
    });
    net.run(10);
    let first = requests(&net)[0];
    // Connecting takes 20 ms, the answer comes 1,020 ms later: one millisecond too late.
    assert_eq!((first.failure, first.end - first.start), (Some(Failure::Timeout), MS * 1_039));
    assert_eq!(first.connected, Time::ZERO + MS * 20);
    assert_ne!(first.flow, requests(&net)[1].flow);
    let started = net.records.iter().filter(|record| matches!(record, Record::RequestStarted(_))).count();
    assert_eq!(started, 2);
}

#[test]
fn nobody_listens_and_everybody_is_told() {
    let mut net = Ideal::new(MS * 10);
    ask(&net, |_| {});
    net.run(1);
    assert_eq!(requests(&net)[0].failure, Some(Failure::Refused));
}

/// The closed system's law: users = throughput x (response time + think time).
#[test]
fn users_who_wait_obey_littles_law() {
    let mut net = Ideal::new(MS * 10);
    serve(&net, server::Config { service: Dist::Exponential { mean: MS * 20 }, ..server::Config::new() });
    let think = Dist::Exponential { mean: MS * 100 };
    ask(&net, |config| {
        config.arrivals = Arrivals::Users { count: 10, think };
        config.limit.until = Some(Time::ZERO + Span::from_secs(600));
    });
    net.run(700);
    let requests = requests(&net);
    let response: Span = requests.iter().map(|request| request.end - request.start).sum();
    let throughput = requests.len() as f64 / 600.0;
    let response = response.as_secs_f64() / requests.len() as f64;
    let users = throughput * (response + 0.1);
    assert!((users - 10.0).abs() < 0.2, "{users}");
    // The server is the bottleneck: ten users could ask for 71 a second, it answers 50 at most.
    assert!((40.0..50.0).contains(&throughput), "{throughput}");
}
