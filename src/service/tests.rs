//! Laws and stories of roles over an ideal network, where nothing but the roles takes time.

use super::client::{self, Arrivals, Connections, Origin};
use super::ideal::{Ideal, addr};
use super::stub::{self, Stub};
use super::{Limit, Numbering, authority, bulk, messages, resolver, server, tick};
use crate::app::dns::{Data, Name, Record as Resource};
use crate::base::{Dist, Span, Time};
use crate::trace::{Exchange, Failure, Lookup, Progress, Record, Request};
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

const MS: Span = Span::from_millis(1);

fn requests(net: &Ideal) -> Vec<Request> {
    let mut requests: Vec<Request> = net
        .records
        .iter()
        .filter_map(|record| match record {
            Record::Request(request) => Some(*request),
            _ => None,
        })
        .collect();
    requests.sort_by_key(|request| request.number);
    for r in &requests {
        let instants = [r.start, r.resolved, r.connected, r.written, r.end];
        assert!(instants.is_sorted(), "{r:?}");
    }
    requests
}

fn exchanges(net: &Ideal) -> Vec<Exchange> {
    let exchange = |record: &Record| match record {
        Record::Exchange(exchange) => Some(*exchange),
        _ => None,
    };
    net.records.iter().filter_map(exchange).collect()
}

fn lookups(net: &Ideal) -> Vec<Lookup> {
    let lookup = |record: &Record| match record {
        Record::Lookup(lookup) => Some(*lookup),
        _ => None,
    };
    net.records.iter().filter_map(lookup).collect()
}

/// A server on host 1.
fn serve(net: &Ideal, config: server::Config) {
    net.spawn(1, |host| server::run(host, config));
}

/// Users on host 2 who ask host 1 by its address, with `change` made to what they would do otherwise.
fn ask(net: &Ideal, change: impl FnOnce(&mut client::Config)) {
    let mut config = client::Config::new(0, "pages", Origin::Addr(addr(1)));
    change(&mut config);
    net.spawn(2, |host| async move {
        let stub = Stub::new(&host, stub::Config::new(Vec::new()));
        client::run(host, stub, config).await;
    });
}

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

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn resource(owner: &str, ttl: u32, data: Data) -> Resource {
    Resource { name: name(owner), ttl, data }
}

/// Host 3 is the stub's resolver, host 4 serves the root, host 5 `example`, host 6 `shop.example`.
fn name_servers(net: &Ideal, ttl: u32) {
    let hints = vec![resolver::Hint { zone: Name::root(), servers: vec![addr(4)] }];
    net.spawn(3, |host| resolver::run(host, resolver::Config::new(hints)));
    let zone = |n: u8, apex: &str, records: Vec<Resource>| {
        let mut zone = authority::Zone::new(name(apex), name("ns.example"), 30);
        zone.records = records;
        net.spawn(n, |host| authority::run(host, authority::Config::new(vec![zone])));
    };
    let delegation = |zone: &str, server: &str, n: u8| {
        [resource(zone, 86_400, Data::Ns(name(server))), resource(server, 86_400, Data::A(addr(n)))]
    };
    zone(4, ".", delegation("example", "ns.example", 5).into());
    zone(5, "example", delegation("shop.example", "ns.shop.example", 6).into());
    let alias = resource("www.shop.example", ttl, Data::Cname(name("shop.example")));
    zone(6, "shop.example", vec![resource("shop.example", ttl, Data::A(addr(1))), alias]);
}

type Answers = Rc<RefCell<Vec<(Span, Result<Vec<Ipv4Addr>, Failure>)>>>;

/// Host 2 looks names up at these instants, with a stub that remembers so many record sets.
fn look_up(net: &Ideal, cache_entries: usize, asks: Vec<(Span, &'static str)>) -> Answers {
    let answers = Answers::default();
    let sink = Rc::clone(&answers);
    net.spawn(2, |host| async move {
        let resolvers = vec![SocketAddrV4::new(addr(3), 53)];
        let stub = Stub::new(&host, stub::Config { cache_entries, ..stub::Config::new(resolvers) });
        for (at, text) in asks {
            host.sleep_until(Time::ZERO + at).await;
            let (own, stub, sink) = (host.clone(), stub.clone(), Rc::clone(&sink));
            drop(host.spawn(async move {
                let start = own.now();
                let result = stub.resolve(&name(text)).await;
                sink.borrow_mut().push((own.now() - start, result.map(|resolved| resolved.addrs)));
            }));
        }
    });
    answers
}

/// From the root down: one round trip from the stub, and one to each of three authorities; later the answer is there.
#[test]
fn a_name_is_found_from_the_root_down_and_then_remembered() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    let at = Span::from_secs;
    let asks =
        vec![(at(0), "shop.example"), (at(59), "shop.example"), (at(61), "shop.example"), (at(62), "www.shop.example")];
    let answers = look_up(&net, 0, asks);
    net.run(100);
    let took: Vec<_> = answers.borrow().iter().map(|answer| answer.0).collect();
    // After 60 s the address has to be asked for again, but the delegations are still known. The alias costs a question; what it stands for is known.
    assert_eq!(took, [MS * 80, MS * 20, MS * 40, MS * 40]);
    assert!(answers.borrow().iter().all(|answer| answer.1 == Ok(vec![addr(1)])));
    let lookups = lookups(&net);
    assert_eq!(lookups.iter().map(|lookup| lookup.tries).collect::<Vec<_>>(), [1; 4]);
    assert!(lookups.iter().all(|lookup| lookup.flow > 0));
}

#[test]
fn a_stub_with_a_memory_asks_only_when_the_ttl_has_run_out() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    // The resolver's copy is half a minute old when the stub gets it: together they keep it for 60 s, not 120.
    let asks = [0, 30, 59, 61].map(|secs| (Span::from_secs(secs), "shop.example")).to_vec();
    let answers = look_up(&net, 10, asks);
    net.run(100);
    let took: Vec<_> = answers.borrow().iter().map(|answer| answer.0).collect();
    assert_eq!(took, [MS * 80, Span::ZERO, Span::ZERO, MS * 40]);
    assert_eq!(lookups(&net).len(), 2);
}

#[test]
fn a_lost_question_costs_five_seconds_and_two_lost_ones_the_answer() {
    for (lost, took, tries) in [(vec![1], Span::from_millis(5_080), 2), (vec![1, 2], Span::from_secs(10), 2)] {
        let mut net = Ideal::new(MS * 10);
        name_servers(&net, 60);
        net.lost = lost.clone();
        let answers = look_up(&net, 10, vec![(Span::ZERO, "shop.example")]);
        net.run(100);
        let want = if lost.len() == 1 { Ok(vec![addr(1)]) } else { Err(Failure::NameTimeout) };
        assert_eq!(*answers.borrow(), [(took, want)]);
        assert_eq!(lookups(&net)[0].tries, tries);
    }
}

/// The resolver's own questions are asked again after a second, long before the stub loses patience.
#[test]
fn a_resolver_tries_again_after_a_second() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    net.lost = vec![2];
    let answers = look_up(&net, 10, vec![(Span::ZERO, "shop.example")]);
    net.run(100);
    assert_eq!(*answers.borrow(), [(MS * 1_080, Ok(vec![addr(1)]))]);
}

#[test]
fn equal_questions_at_the_same_time_are_asked_once() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    let answers = look_up(&net, 0, (0..5).map(|n| (MS * n, "shop.example")).collect());
    net.run(10);
    assert_eq!(answers.borrow().len(), 5);
    // Five questions and answers of the stub, three of the resolver.
    assert_eq!(net.datagrams, 2 * (5 + 3));
}

#[test]
fn a_missing_name_is_remembered_as_missing_for_the_zones_negative_ttl() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    let asks = [0, 29, 31].map(|secs| (Span::from_secs(secs), "no.shop.example")).to_vec();
    let answers = look_up(&net, 0, asks);
    net.run(100);
    let took: Vec<_> = answers.borrow().iter().map(|answer| answer.0).collect();
    assert_eq!(took, [MS * 80, MS * 20, MS * 40]);
    assert!(answers.borrow().iter().all(|answer| answer.1 == Err(Failure::NameError)));
}

/// Of questions that come at rate L, a resolver that remembers for T answers L T / (1 + L T) itself.
#[test]
fn the_resolvers_hit_ratio_follows_from_rate_and_ttl() {
    let mut net = Ideal::new(MS);
    name_servers(&net, 60);
    let mut rng = crate::base::Rng::stream(5, "test/questions");
    let mut at = Span::ZERO;
    let asks: Vec<_> = (0..20_000)
        .map(|_| {
            at += Span::from_secs_f64(rng.exponential(60.0));
            (at, "shop.example")
        })
        .collect();
    let answers = look_up(&net, 0, asks);
    net.run(3_000_000);
    let answers = answers.borrow();
    let hits = answers.iter().filter(|answer| answer.0 == MS * 2).count();
    let ratio = hits as f64 / answers.len() as f64;
    assert!((ratio - 0.5).abs() < 0.015, "{ratio}");
}

#[test]
fn a_zone_whose_servers_are_silent_fails_for_the_stub_in_time() {
    let mut net = Ideal::new(MS * 10);
    let hints = vec![resolver::Hint { zone: name("shop.example"), servers: vec![addr(9), addr(10)] }];
    net.spawn(3, |host| resolver::run(host, resolver::Config::new(hints)));
    let answers = look_up(&net, 10, vec![(Span::ZERO, "shop.example"), (Span::from_secs(20), "other.example")]);
    net.run(100);
    // Three datagrams of a second each, twice; and at once for a name that no hint covers, twice.
    let want = Err(Failure::NameTimeout);
    assert_eq!(*answers.borrow(), [(MS * 6_040, want.clone()), (MS * 40, want)]);
}

/// A page by its name: name, connection, request; the instants between them are the phases that a user feels.
#[test]
fn a_request_by_name_has_its_phases() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    serve(&net, server::Config::new());
    let config = client::Config::new(0, "pages", Origin::Name(name("www.shop.example")));
    net.spawn(2, |host| async move {
        let stub = Stub::new(&host, stub::Config::new(vec![SocketAddrV4::new(addr(3), 53)]));
        client::run(host, stub, config).await;
    });
    net.run(10);
    let request = requests(&net)[0];
    let since = |instant: Time| instant.since(request.start);
    let phases = [request.resolved, request.connected, request.written, request.end].map(since);
    assert_eq!(phases, [MS * 80, MS * 100, MS * 100, MS * 120]);
    assert_eq!(request.lookup_flow, lookups(&net)[0].flow);
    let exchange = exchanges(&net)[0];
    assert_eq!((exchange.flow, exchange.exchange), (request.flow, request.exchange));
}

fn progress(net: &Ideal) -> Vec<Progress> {
    let progress = |record: &Record| match record {
        Record::Progress(progress) => Some(*progress),
        _ => None,
    };
    net.records.iter().filter_map(progress).collect()
}

/// Host 2 transfers from or to host 1.
fn transfer(net: &Ideal, direction: bulk::Direction, amount: bulk::Amount, flows: u32) {
    let server = bulk::Server {
        traffic: 0,
        port: 5001,
        over: super::carrier::Over::Tcp,
        congestion: None,
        progress_every: bulk::PROGRESS_EVERY,
    };
    net.spawn(1, |host| bulk::server(host, server));
    let client = bulk::Client {
        over: super::carrier::Over::Tcp,
        traffic: 0,
        first_flow: 0,
        to: SocketAddrV4::new(addr(1), 5001),
        direction,
        amount,
        flows,
        start: Time::ZERO,
        stagger: MS,
        congestion: None,
        progress_every: bulk::PROGRESS_EVERY,
    };
    net.spawn(2, |host| bulk::client(host, client));
}

/// As the reference measures it: from asking for the connection to the last byte, here two round trips.
#[test]
fn a_download_ends_with_its_last_byte_and_an_upload_with_its_receipt() {
    for direction in [bulk::Direction::Down, bulk::Direction::Up] {
        let mut net = Ideal::new(MS * 28);
        transfer(&net, direction, bulk::Amount::Bytes(1_000_000), 3);
        net.run(10);
        let requests = requests(&net);
        assert_eq!(requests.len(), 3);
        for (request, started) in requests.iter().zip(0..) {
            assert_eq!((request.failure, request.body), (None, 1_000_000));
            assert_eq!(request.start, Time::ZERO + MS * started);
            assert_eq!(request.end - request.start, MS * 112);
            let exchange = exchanges(&net).into_iter().find(|exchange| exchange.flow == request.flow).unwrap();
            assert_eq!(exchange.request.released, request.start + MS * 84);
        }
        let last: Vec<_> = progress(&net).into_iter().filter(|progress| progress.finished).collect();
        assert!(last.len() == 3 && last.iter().all(|progress| progress.bytes == 1_000_000));
    }
}

#[test]
fn a_transfer_with_a_duration_ends_when_its_time_is_up() {
    for (direction, receives) in [(bulk::Direction::Down, 2), (bulk::Direction::Up, 1)] {
        let mut net = Ideal::new(MS * 28);
        net.send_buffer = Some(100_000);
        transfer(&net, direction, bulk::Amount::For(Span::from_secs(1)), 1);
        net.run(10);
        assert!(requests(&net).is_empty(), "host {receives} receives");
        let progress = progress(&net);
        // Every 100 ms from the first one after the connection was there.
        let times: Vec<_> = progress.iter().map(|progress| progress.time.as_nanos() / 1_000_000).collect();
        assert_eq!(times, (1..=10).map(|tenth| tenth * 100).collect::<Vec<_>>());
        assert!(progress.is_sorted_by_key(|progress| progress.bytes));
        assert!(progress[9].finished && !progress[8].finished);
        // 100,000 bytes each 28 ms, from the first that could have come.
        let rate = progress[9].bytes as f64 / (1.0 - 0.084);
        assert!((rate / (100_000.0 / 0.028) - 1.0).abs() < 0.1, "{rate}");
    }
}

#[test]
fn messages_over_a_stream_are_told_apart_and_timed_from_when_they_were_due() {
    let mut net = Ideal::new(MS * 28);
    let carrier = messages::Carrier::Tcp { congestion: None };
    let receiver = messages::Receiver { traffic: 0, port: 9000, carrier, bytes: 160 };
    net.spawn(1, |host| messages::receive(host, receiver));
    let sender = messages::Sender {
        traffic: 0,
        numbering: Numbering::ALONE,
        to: SocketAddrV4::new(addr(1), 9000),
        carrier,
        bytes: 160,
        start: Time::ZERO,
        every: MS * 20,
        limit: Limit { count: Some(100), until: None },
        rebinds: None,
    };
    net.spawn(2, |host| messages::send(host, sender));
    net.run(10);
    let mut numbers = 0..;
    for record in &net.records {
        if let Record::Message(message) = record {
            let number = numbers.next().unwrap();
            assert_eq!((message.number, message.bytes), (number, 160));
            // The handshake is over at 56 ms.
            assert_eq!(message.written, Time::ZERO + MS * (56 + 20 * number));
            assert_eq!(message.arrival.released - message.written, MS * 28);
        }
    }
    assert_eq!(numbers.next(), Some(100));
    let sent = net.records.iter().filter(|record| matches!(record, Record::MessageSent(_))).count();
    assert_eq!(sent, 100);
}

#[test]
fn ticks_never_drift() {
    assert_eq!(tick(Time::ZERO + MS, Span::from_nanos(333), 3_000_000), Time::ZERO + MS * 1_000);
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
