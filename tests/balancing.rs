//! Balancers over real packets: how long it takes to notice, who is sent what, and that nobody is sent to one who drains.

use lightlag::app::Stream;
use lightlag::app::http1::{Method, Reader, Request, message};
use lightlag::base::{BitRate, Dist, Ratio, Rng, Span, Time};
use lightlag::host::TcpStream;
use lightlag::link;
use lightlag::service::balancer::outlier::Outliers;
use lightlag::service::balancer::policy::{Algorithm, HashKey};
use lightlag::service::balancer::{self, Check, Config, Layer, Member, Pool, Probe, Return};
use lightlag::service::client::{self, Arrivals, Connections, Origin};
use lightlag::service::server;
use lightlag::service::stub::{self, Stub};
use lightlag::topo::Role;
use lightlag::trace::{BalancedEvent, Judged, Judgement, Mask, Record};
use lightlag::transport::tcp;
use lightlag::world::{Blueprint, World};
use std::cell::RefCell;
use std::net::SocketAddrV4;
use std::rc::Rc;

const MS: Span = Span::from_millis(1);
const SECOND: Span = Span::from_secs(1);
const USER: u32 = 0;
const BALANCER: u32 = 2;
/// The first of the servers.
const FIRST: u32 = 3;

struct Lab {
    world: World,
    records: Vec<Record>,
    servers: u32,
}

/// Users, a balancer and servers, each a millisecond from one router.
fn lab(servers: u32, seed: u64) -> Lab {
    let tcp = Rc::new(tcp::Config::default());
    let mut blueprint = Blueprint::new();
    let user = blueprint.node("user", Role::Host, &tcp);
    let router = blueprint.node("r", Role::Router, &tcp);
    let mut ends = vec![user, blueprint.node("lb", Role::Host, &tcp)];
    ends.extend((1..=servers).map(|n| blueprint.node(format!("shop/{n}"), Role::Host, &tcp)));
    let rate = BitRate::from_bps(10_000_000_000).unwrap();
    for end in ends {
        let config = link::Config::new(rate, MS);
        blueprint.link(router, end, [config.clone(), config]).unwrap();
    }
    let layout = blueprint.lay_out().unwrap();
    Lab { world: World::new(&blueprint, layout, seed, Mask::TRAFFIC), records: Vec::new(), servers }
}

impl Lab {
    fn run(&mut self, until: Span) {
        let mut more = true;
        while more {
            more = self.world.advance(Time::ZERO + until, 10_000);
            self.world.trace().drain(|record| self.records.push(*record), |_| {});
        }
        assert!(self.world.tally().balances());
    }

    fn at(&self, node: u32) -> SocketAddrV4 {
        SocketAddrV4::new(self.world.host(node).addr(), 80)
    }

    /// Serves on the n-th server, from 1; until an instant, if one is given, at which its program ends and its port is closed.
    fn serve(&mut self, n: u32, until: Option<Span>, config: server::Config) {
        self.world.spawn(FIRST + n - 1, |host| async move {
            match until {
                None => server::run(host, config).await,
                Some(span) => drop(host.clone().timeout(span, server::run(host, config)).await),
            }
        });
    }

    /// A server that takes connections and says nothing on any that comes after an instant.
    fn serve_until_silent(&mut self, n: u32, silent: Span) {
        self.world.spawn(FIRST + n - 1, |host| async move {
            let listener = host.listen(80, 511).await.unwrap();
            let held = Rc::new(RefCell::new(Vec::new()));
            while let Ok(stream) = listener.accept().await {
                if host.now() >= Time::ZERO + silent {
                    held.borrow_mut().push(stream);
                    continue;
                }
                let program = host.clone();
                drop(host.spawn(async move {
                    let mut reader = Reader::new();
                    while reader.request(&stream).await.is_ok() {
                        let head = lightlag::app::http1::answer(200, 10, false, program.now());
                        let _ = stream.write(message(head.encode(), 10)).await;
                    }
                }));
            }
        });
    }

    fn balance(&mut self, change: impl FnOnce(&mut Pool)) {
        self.balance_with(Layer::L7 { idle: Layer::IDLE }, change);
    }

    fn balance_with(&mut self, layer: Layer, change: impl FnOnce(&mut Pool)) {
        let member = |n: u32| Member {
            node: FIRST + n - 1,
            name: format!("shop/{n}"),
            at: self.at(FIRST + n - 1),
            tls: false,
            weight: 1,
            drain: None,
        };
        let mut pool = Pool::new("shop", (1..=self.servers).map(member).collect());
        change(&mut pool);
        let config = Config {
            port: 80,
            backlog: 511,
            layer,
            tls: None,
            pools: vec![pool],
            routes: Vec::new(),
            default: Some(0),
            instance: 0,
            code_points: vec![(*self.at(BALANCER).ip(), balancer::l4::code_point(0).unwrap())],
        };
        self.world.spawn(BALANCER, |host| balancer::run(host, config));
    }

    fn ask(&mut self, change: impl FnOnce(&mut client::Config)) {
        let mut config = client::Config::new(0, "pages", Origin::Addr(*self.at(BALANCER).ip()));
        config.connections = Connections::Pool { max: 500, idle: SECOND * 60 };
        change(&mut config);
        self.world.spawn(USER, |host| async move {
            let stub = Stub::new(&host, stub::Config::new(Vec::new()));
            client::run(host, stub, config).await;
        });
    }

    fn notices(&self) -> Vec<Judgement> {
        self.pick(|record| match record {
            Record::Judgement(notice) => Some(*notice),
            _ => None,
        })
    }

    fn noticed(&self, what: Judged, n: u32) -> Option<Span> {
        let found = self.notices().into_iter().find(|notice| notice.what == what && notice.subject == FIRST + n - 1);
        found.map(|notice| notice.time - Time::ZERO)
    }

    /// When something was sent to each server: its number, from 1.
    fn sent(&self) -> Vec<(Span, u32)> {
        self.pick(|record| match record {
            Record::Balanced(balanced) if matches!(balanced.event, BalancedEvent::Began { .. }) => {
                Some((balanced.time - Time::ZERO, balanced.backend - FIRST + 1))
            }
            _ => None,
        })
    }

    /// Answers by status: how many are well, and how many are not.
    fn answers(&self) -> (usize, usize) {
        let all = self.pick(|record| match record {
            Record::Request(request) => Some(request.failure.is_none()),
            _ => None,
        });
        let well = all.iter().filter(|&&well| well).count();
        (well, all.len() - well)
    }

    fn pick<T>(&self, which: impl Fn(&Record) -> Option<T>) -> Vec<T> {
        self.records.iter().filter_map(which).collect()
    }
}

fn http(every: Span, timeout: Span) -> Check {
    Check { every, timeout, fall: 3, rise: 2, probe: Probe::Http { path: "/health".into() } }
}

/// A crashed server whose kernel still answers: each check fails after a round trip. From the crash to the notice it takes the rest of
/// the interval, the intervals between `fall` checks, and a round trip.
#[test]
fn a_closed_port_is_noticed_after_as_many_checks_as_it_takes() {
    for (probe, crash) in [(Probe::Tcp, 4_100), (Probe::Tcp, 4_990), (Probe::Http { path: "/".into() }, 5_400)] {
        let mut lab = lab(2, 1);
        lab.serve(1, Some(MS * crash), server::Config::new());
        lab.serve(2, None, server::Config::new());
        lab.balance(|pool| pool.check = Some(Check { probe, ..http(SECOND, MS * 500) }));
        lab.run(SECOND * 15);
        // The first of two members is checked at 0.5 s and every second from then on.
        let first = (crash - 500).div_ceil(1_000) * 1_000 + 500;
        let want = MS * first + SECOND * 2 + MS * 4;
        let got = lab.noticed(Judged::Down, 1).unwrap();
        assert!(got >= want && got < want + MS, "{got}, want {want}");
        assert_eq!(lab.noticed(Judged::Down, 2), None);
    }
}

/// A server that says nothing any more: each check fails by its timeout. A TCP check sees nothing at all.
#[test]
fn silence_is_noticed_by_timeouts_and_only_by_those_who_ask() {
    let run = |probe: Probe| {
        let mut lab = lab(2, 1);
        lab.serve_until_silent(1, MS * 4_100);
        lab.serve(2, None, server::Config::new());
        lab.balance(|pool| pool.check = Some(Check { probe, ..http(SECOND, MS * 700) }));
        lab.run(SECOND * 15);
        lab.noticed(Judged::Down, 1)
    };
    assert_eq!(run(Probe::Http { path: "/".into() }), Some(MS * 4_500 + SECOND * 2 + MS * 700));
    assert_eq!(run(Probe::Tcp), None);
}

/// One that is back is used again after `rise` checks.
#[test]
fn one_that_is_back_is_noticed_after_as_many_checks_as_it_takes() {
    let mut lab = lab(2, 1);
    lab.serve(1, Some(MS * 4_100), server::Config::new());
    lab.serve(2, None, server::Config::new());
    lab.world.spawn(FIRST, |host| async move {
        host.sleep(SECOND * 9).await;
        server::run(host, server::Config::new()).await;
    });
    lab.balance(|pool| pool.check = Some(http(SECOND, MS * 500)));
    lab.ask(|config| config.arrivals = Arrivals::Every(MS * 20));
    lab.run(SECOND * 15);
    let (down, up) = (lab.noticed(Judged::Down, 1).unwrap(), lab.noticed(Judged::Up, 1).unwrap());
    assert!(down >= MS * 6_504 && down < MS * 6_510, "{down}");
    assert!(up >= MS * 10_508 && up < MS * 10_520, "{up}");
    let sent = lab.sent();
    assert!(!sent.iter().any(|&(at, n)| n == 1 && at > down && at < up), "nothing is sent to one that is down");
    assert!(sent.iter().any(|&(at, n)| n == 1 && at > up));
    // While the balancer does not know, requests are tried elsewhere.
    assert_eq!(lab.answers().1, 0);
}

/// A dead backend of three costs nothing where another one is tried, and a third of the requests where none is.
#[test]
fn a_refused_request_is_tried_elsewhere() {
    let run = |retries| {
        let mut lab = lab(3, 1);
        lab.serve(1, None, server::Config::new());
        lab.serve(2, None, server::Config::new());
        lab.balance(|pool| pool.retries = retries);
        lab.ask(|config| {
            config.arrivals = Arrivals::Every(MS * 10);
            config.limit.count = Some(300);
        });
        lab.run(SECOND * 10);
        lab.answers()
    };
    assert_eq!(run(1), (300, 0));
    assert_eq!(run(0), (200, 100));
}

/// Where nobody else is left a try more changes nothing: the client is told how the last one went (nginx's `proxy_next_upstream`), and a server's
/// own words are passed on.
#[test]
fn whoever_was_asked_last_gives_the_answer() {
    let told = |retries, serve: fn(&mut Lab)| {
        let mut lab = lab(1, 1);
        serve(&mut lab);
        lab.balance(|pool| (pool.retries, pool.retry_errors, pool.timeout) = (retries, true, MS * 500));
        lab.ask(|config| config.limit.count = Some(1));
        lab.run(SECOND * 10);
        let status = |record: &Record| match record {
            Record::Request(request) => Some(request.status),
            _ => None,
        };
        lab.pick(status)
    };
    for retries in [0, 1, 3] {
        assert_eq!(told(retries, |_| {}), [502], "nobody listens");
        assert_eq!(told(retries, |lab| lab.serve_until_silent(1, Span::ZERO)), [504], "nobody answers");
        let busy = |lab: &mut Lab| {
            let route = server::Route { status: 503, ..server::Route::default() };
            lab.serve(1, None, server::Config { routes: vec![route], ..server::Config::new() });
        };
        assert_eq!(told(retries, busy), [503], "the server says so itself");
        let drained = |lab: &mut Lab| lab.serve_until_silent(1, SECOND);
        assert_eq!(told(retries, drained), [200]);
    }
}

/// What may have been done is not done again: a POST whose server died in the middle of it fails, a GET does not.
#[test]
fn only_what_does_no_harm_is_asked_twice() {
    let run = |method| {
        let mut lab = lab(2, 1);
        let slow = server::Config { service: Dist::Constant(SECOND * 3), ..server::Config::new() };
        // Its connections end with its program.
        lab.world.spawn(FIRST, |host| async move {
            let listener = host.listen(80, 511).await.unwrap();
            let stream = listener.accept().await.unwrap();
            let _ = Reader::new().request(&stream).await;
            host.sleep(MS * 10).await;
            stream.abort();
        });
        lab.serve(2, None, slow);
        lab.balance(|_| {});
        lab.ask(|config| config.method = method);
        lab.run(SECOND * 10);
        lab.answers()
    };
    assert_eq!(run(Method::Get), (1, 0));
    assert_eq!(run(Method::Post), (0, 1));
}

/// Five errors in a row, then 30 s times the ejections in a row, rounded up to the next look.
#[test]
fn an_outlier_is_ejected_for_longer_each_time() {
    let mut lab = lab(4, 1);
    (1..=3).for_each(|n| lab.serve(n, None, server::Config::new()));
    let bad = server::Route { status: 500, ..server::Route::default() };
    lab.serve(4, None, server::Config { routes: vec![bad], ..server::Config::new() });
    let rules = Outliers { share: Ratio::new(0.25).unwrap(), ..Outliers::new() };
    lab.balance(|pool| pool.outliers = Some(rules));
    lab.ask(|config| config.arrivals = Arrivals::Every(MS * 10));
    lab.run(SECOND * 200);
    let times: Vec<(Judged, u64)> =
        lab.notices().iter().map(|notice| (notice.what, notice.time.as_nanos() / 1_000_000_000)).collect();
    // Ejected in the first second, back at the look at 40 s (30 s have not passed at the look at 30 s); then 60 s, then 90 s.
    assert_eq!(
        times,
        [
            (Judged::Ejected, 0),
            (Judged::Readmitted, 40),
            (Judged::Ejected, 40),
            (Judged::Readmitted, 110),
            (Judged::Ejected, 110),
        ]
    );
    let tried = lab.sent().iter().filter(|(_, n)| *n == 4).count();
    assert_eq!(tried, 15, "five tries each time");
}

/// Under every policy and any mix of failures: from the instant at which one is taken out nothing is sent to it, and what it had is
/// finished.
#[test]
fn nobody_is_sent_to_one_who_drains() {
    let inner = Box::new(Algorithm::TwoChoices);
    let policies = [
        Algorithm::RoundRobin,
        Algorithm::Weighted,
        Algorithm::Random,
        Algorithm::LeastConnections,
        Algorithm::PeakEwma { decay: Algorithm::DECAY },
        Algorithm::IpHash,
        Algorithm::ConsistentHash { key: HashKey::Path, points: 50, load: Some(150) },
        Algorithm::Maglev { key: HashKey::Connection, table: 251 },
        Algorithm::TwoChoices,
        Algorithm::Subset { size: 2, of: inner },
    ];
    for (seed, algorithm) in (1..).zip(policies) {
        let mut chance = Rng::stream(seed, "test/draining");
        let mut lab = lab(4, seed);
        let slow = server::Config { service: Dist::Exponential { mean: MS * 20 }, workers: 8, ..server::Config::new() };
        for n in 1..=4 {
            // Two of four are gone for good at some time: often there is panic.
            let until = (n > 2).then(|| MS * (2_000 + chance.below(4_000)));
            lab.serve(n, until, slow.clone());
        }
        let at = MS * (1_000 + chance.below(6_000));
        lab.balance(|pool| {
            pool.algorithm = algorithm.clone();
            pool.check = Some(http(MS * 500, MS * 200));
            pool.outliers = Some(Outliers { interval: SECOND, base: SECOND, ..Outliers::new() });
            pool.members[0].drain = Some(Time::ZERO + at);
        });
        lab.ask(|config| config.arrivals = Arrivals::Poisson { mean_gap: MS * 5 });
        lab.run(SECOND * 10);
        let sent = lab.sent();
        assert!(sent.len() > 1_500, "{algorithm:?}: {}", sent.len());
        let last = sent.iter().filter(|(_, n)| *n == 1).map(|(when, _)| *when).max();
        assert!(last.is_none_or(|last| last < at), "{algorithm:?}: sent at {last:?}, taken out at {at}");
        assert_eq!(lab.noticed(Judged::Draining, 1), Some(at), "{algorithm:?}");
        let drained = lab.noticed(Judged::Drained, 1).unwrap();
        assert!(drained >= at && drained < at + SECOND, "{algorithm:?}: drained at {drained}");
    }
}

/// With the cookie of the first answer a client comes back to the same server, whatever the policy would say.
#[test]
fn a_cookie_keeps_a_client_with_its_server() {
    let mut lab = lab(3, 1);
    (1..=3).for_each(|n| lab.serve(n, None, server::Config::new()));
    lab.balance(|pool| pool.sticky = Some("server".into()));
    let to = lab.at(BALANCER);
    let seen: Rc<RefCell<Vec<Option<String>>>> = Rc::default();
    let sink = Rc::clone(&seen);
    lab.world.spawn(USER, |host| async move {
        let mut cookie: Option<String> = None;
        let (stream, mut reader): (TcpStream, _) = (host.connect(to).await.unwrap(), Reader::new());
        for _ in 0..6 {
            let mut request = Request::new(Method::Get, "/");
            request.fields.push("Host", "shop");
            if let Some(cookie) = &cookie {
                request.fields.push("Cookie", format!("theme=dark; {cookie}"));
            }
            Stream::write(&stream, message(request.encode(), 0)).await.unwrap();
            let answer = reader.response(&stream, Method::Get).await.unwrap();
            let set = answer.head.fields.get("set-cookie").map(|value| String::from_utf8(value.to_vec()).unwrap());
            cookie = cookie.or_else(|| set.as_ref().map(|set| set.split(';').next().unwrap().to_owned()));
            sink.borrow_mut().push(set);
        }
    });
    lab.run(SECOND * 5);
    let seen = seen.borrow();
    assert_eq!(seen[0].as_deref(), Some("server=shop/1; Path=/"));
    assert!(seen[1..].iter().all(Option::is_none), "one cookie is enough: {seen:?}");
    assert_eq!(lab.sent().iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1; 6]);
}

/// What one L4 balancer comes to: answers, requests of each server in the order of serving, bytes that left the balancer.
fn by_connections(
    back: Return,
    algorithm: &Algorithm,
    connections: Connections,
    requests: u64,
) -> (Lab, Vec<u32>, u64) {
    let mut lab = lab(3, 1);
    let answer = server::Config { response: 20_000, ..server::Config::new() };
    (1..=3).for_each(|n| lab.serve(n, None, answer.clone()));
    lab.balance_with(Layer::L4 { back, idle: Layer::FORGET }, |pool| pool.algorithm = algorithm.clone());
    let from = lab.at(BALANCER);
    for server in 0..3 {
        let dscp = balancer::l4::code_point(0).unwrap();
        lab.world.spawn(FIRST + server, |host| balancer::l4::answer_directly(host, dscp, *from.ip()));
    }
    lab.ask(|config| {
        config.arrivals = Arrivals::Every(MS * 50);
        config.limit.count = Some(requests);
        config.connections = connections;
    });
    lab.run(SECOND * 20);
    assert_eq!(lab.answers(), (usize::try_from(requests).unwrap(), 0));
    let served = lab.pick(|record| match record {
        Record::Exchange(exchange) => Some(exchange.node - FIRST + 1),
        _ => None,
    });
    // Links are numbered as they were made: the balancer's is the second, and its second direction leads away from it.
    let bytes = lab.world.link(3).sent_bytes;
    (lab, served, bytes)
}

#[test]
fn a_connection_stays_where_its_syn_went() {
    for back in [Return::Nat, Return::Direct] {
        let kept = Connections::Pool { max: 1, idle: SECOND * 60 };
        let (lab, served, _) = by_connections(back, &Algorithm::RoundRobin, kept, 20);
        assert_eq!(lab.sent().len(), 1, "{back:?}: one connection");
        assert_eq!(served, [1; 20], "{back:?}");
        let (lab, served, _) = by_connections(back, &Algorithm::RoundRobin, Connections::PerRequest, 6);
        assert_eq!(lab.sent().len(), 6, "{back:?}: a connection each");
        assert_eq!(served, [1, 2, 3, 1, 2, 3], "{back:?}");
        let left = lab.pick(|record| match record {
            Record::Balanced(balanced) => Some(balanced.active),
            _ => None,
        });
        assert_eq!(left.last(), Some(&0), "{back:?}: what has ended is not counted any more");
    }
}

/// Behind a NAT every answer passes the balancer; with direct return only what clients send does.
#[test]
fn direct_answers_do_not_pass_the_balancer() {
    let through = |back| by_connections(back, &Algorithm::RoundRobin, Connections::PerRequest, 30).2;
    let (nat, direct) = (through(Return::Nat), through(Return::Direct));
    assert!(nat > 30 * 20_000, "{nat}");
    assert!(direct < 30 * 2_000, "{direct}");
}

/// Both ends' records of an exchange have the same flow, whoever rewrote the packets in between: nothing of the latency is unaccounted.
#[test]
fn an_exchange_through_an_l4_balancer_is_seen_from_both_ends() {
    for back in [Return::Nat, Return::Direct] {
        let (lab, ..) = by_connections(back, &Algorithm::Random, Connections::PerRequest, 10);
        let exchanges = lab.pick(|record| match record {
            Record::Exchange(exchange) => Some((exchange.flow, exchange.exchange, exchange.request)),
            _ => None,
        });
        let requests = lab.pick(|record| match record {
            Record::Request(request) => Some((request.flow, request.exchange, request.written)),
            _ => None,
        });
        for (flow, number, written) in requests {
            let (.., way) = exchanges.iter().find(|seen| (seen.0, seen.1) == (flow, number)).unwrap();
            assert_eq!(way.first_sent, written);
            assert_eq!(way.arrived - way.sent, way.serialisation + way.queueing + way.propagation);
            // User to balancer to server: four links of a millisecond each.
            assert_eq!(way.propagation, MS * 4);
        }
    }
}

/// The same address meets the same server, connection after connection.
#[test]
fn a_hash_of_the_address_keeps_a_client_with_its_server() {
    let maglev = Algorithm::Maglev { key: HashKey::Address, table: 251 };
    let (_, served, _) = by_connections(Return::Direct, &maglev, Connections::PerRequest, 12);
    assert!(served.iter().all(|&server| server == served[0]), "{served:?}");
    let by_port = Algorithm::Maglev { key: HashKey::Connection, table: 251 };
    let (_, served, _) = by_connections(Return::Nat, &by_port, Connections::PerRequest, 12);
    assert!(served.iter().any(|&server| server != served[0]), "{served:?}");
}
