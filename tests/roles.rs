//! Roles over real packets: the same laws and stories as over an ideal network, and the measured figures of a real kernel.

use lightlag::app::dns::{Data, Name, Record as Resource};
use lightlag::app::http1::HeadSize;
use lightlag::base::{BitRate, Dist, Ratio, Span, Time};
use lightlag::link;
use lightlag::service::client::{self, Arrivals, Connections, Origin};
use lightlag::service::messages::{self, Carrier};
use lightlag::service::stub::{self, Stub};
use lightlag::service::{Limit, Numbering, authority, bulk, ping, resolver, server, traceroute};
use lightlag::topo::Role;
use lightlag::trace::{Directory, Exchange, Failure, Lookup, Mask, Record, Request};
use lightlag::transport::tcp;
use lightlag::world::{Blueprint, World};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

const MS: Span = Span::from_millis(1);
/// Machines by their number in the plan.
const USER: u32 = 0;
const ROUTER: u32 = 1;
const SERVER: u32 = 2;
const RESOLVER: u32 = 3;
const AUTHORITY: u32 = 4;

/// A world and everything that its roles have recorded.
struct Lab {
    world: World,
    records: Vec<Record>,
}

/// The reference path: 100 Mb/s each way and half of `rtt` from user to router, everything else next to the router.
fn lab(rtt: Span, seed: u64, change: impl Fn(&mut [link::Config; 2])) -> Lab {
    let tcp = Rc::new(tcp::Config::default());
    let mut blueprint = Blueprint::new();
    let names = [("user", Role::Host), ("r", Role::Router), ("server", Role::Host), ("resolver", Role::Host)];
    let mut nodes: Vec<_> = names.into_iter().map(|(name, role)| blueprint.node(name, role, &tcp)).collect();
    nodes.push(blueprint.node("authority", Role::Host, &tcp));
    let rate = BitRate::from_bps(100_000_000).unwrap();
    let mut wide = [link::Config::new(rate, rtt / 2), link::Config::new(rate, rtt / 2)];
    change(&mut wide);
    blueprint.link(nodes[0], nodes[1], wide).unwrap();
    for &node in &nodes[2..] {
        let near = link::Config::new(BitRate::MAX, Span::from_nanos(100));
        blueprint.link(nodes[1], node, [near.clone(), near]).unwrap();
    }
    let layout = blueprint.lay_out().unwrap();
    Lab { world: World::new(&blueprint, layout, seed, Mask::TRAFFIC), records: Vec::new() }
}

impl Lab {
    fn addr(&self, node: u32) -> Ipv4Addr {
        self.world.host(node).addr()
    }

    fn run(&mut self, until: Span) {
        let until = Time::ZERO + until;
        let mut more = true;
        while more {
            more = self.world.advance(until, 10_000);
            self.world.trace().drain(|record| self.records.push(*record), |_| {});
        }
        assert!(self.world.tally().balances());
    }

    fn serve(&mut self, config: server::Config) {
        self.world.spawn(SERVER, |host| server::run(host, config));
    }

    /// Users who ask the server by its address, without a name server.
    fn ask(&mut self, change: impl FnOnce(&mut client::Config)) {
        let mut config = client::Config::new(0, "pages", Origin::Addr(self.addr(SERVER)));
        change(&mut config);
        self.world.spawn(USER, |host| async move {
            let stub = Stub::new(&host, stub::Config::new(Vec::new()));
            client::run(host, stub, config).await;
        });
    }

    fn requests(&self) -> Vec<Request> {
        let mut requests: Vec<_> = self.pick(|record| match record {
            Record::Request(request) => Some(*request),
            _ => None,
        });
        requests.sort_by_key(|request| request.number);
        requests
    }

    fn exchanges(&self) -> Vec<Exchange> {
        self.pick(|record| match record {
            Record::Exchange(exchange) => Some(*exchange),
            _ => None,
        })
    }

    fn pick<T>(&self, which: impl Fn(&Record) -> Option<T>) -> Vec<T> {
        self.records.iter().filter_map(which).collect()
    }
}

fn near(got: Span, want_ms: f64, within_ms: f64) {
    assert!((got.as_millis_f64() - want_ms).abs() <= within_ms, "{got}, want {want_ms} ms within {within_ms}");
}

/// `linux_web.csv`, plain HTTP/1.1 at 56 ms: a fresh and a kept request of 1 kB and of 100 kB. The measured figures include
/// about a millisecond of work by web server and browser for each request.
#[test]
fn fresh_and_kept_requests_take_what_a_real_kernel_takes() {
    for (response, fresh, kept) in [(1_000, 170.96 - 56.95, 56.63), (100_000, 286.93 - 56.89, 64.72)] {
        let mut lab = lab(MS * 56, 7, |_| {});
        lab.serve(server::Config { response, ..server::Config::new() });
        lab.ask(|config| {
            config.arrivals = Arrivals::At(vec![Time::ZERO, Time::ZERO + MS * 300]);
            config.head = HeadSize::Exactly(100);
        });
        lab.run(Span::from_secs(5));
        let requests = lab.requests();
        near(requests[0].end - requests[0].start, fresh, 3.0);
        near(requests[1].end - requests[1].start, kept, 3.0);
        assert_eq!(requests[0].flow, requests[1].flow);
    }
}

/// Every nanosecond of a request has its place: the two ways of its bytes, and the work between.
#[test]
fn the_ways_and_the_work_add_up_to_the_request() {
    let mut lab = lab(MS * 56, 7, |_| {});
    lab.serve(server::Config { service: Dist::Constant(MS * 5), ..server::Config::new() });
    lab.ask(|_| {});
    lab.run(Span::from_secs(5));
    let (request, exchange) = (lab.requests()[0], lab.exchanges()[0]);
    assert_eq!((exchange.flow, exchange.exchange), (request.flow, request.exchange));
    let there = exchange.request;
    assert_eq!(there.first_sent, request.written);
    assert_eq!(there.arrived - there.sent, there.serialisation + there.queueing + there.propagation);
    assert_eq!(exchange.finished - exchange.started, MS * 5);
    let back = request.response;
    assert_eq!(back.first_sent, exchange.written);
    assert_eq!(back.arrived - back.sent, back.serialisation + back.queueing + back.propagation);
    assert_eq!(back.released, request.end);
    assert_eq!(there.propagation, MS * 28 + Span::from_nanos(100));
}

/// `linux_fct.csv` without loss: from `connect()` to the last byte.
#[test]
fn transfers_complete_when_a_real_kernel_completes_them() {
    for (bytes, want) in [(10_000, 113.1), (1_000_000, 457.4)] {
        let mut lab = lab(MS * 56, 7, |_| {});
        transfer(&mut lab, bulk::Direction::Down, bulk::Amount::Bytes(bytes));
        lab.run(Span::from_secs(10));
        let request = lab.requests()[0];
        assert_eq!((request.failure, request.body), (None, bytes));
        near(request.end - request.start, want, 1.0);
        assert_eq!(lab.exchanges()[0].written, lab.exchanges()[0].request.released);
    }
}

fn transfer(lab: &mut Lab, direction: bulk::Direction, amount: bulk::Amount) {
    let server = bulk::Server {
        traffic: 0,
        port: 5001,
        over: lightlag::service::carrier::Over::Tcp,
        congestion: None,
        progress_every: bulk::PROGRESS_EVERY,
    };
    lab.world.spawn(SERVER, |host| bulk::server(host, server));
    let client = bulk::Client {
        over: lightlag::service::carrier::Over::Tcp,
        traffic: 0,
        first_flow: 0,
        to: SocketAddrV4::new(lab.addr(SERVER), 5001),
        direction,
        amount,
        flows: 1,
        start: Time::ZERO,
        stagger: Span::ZERO,
        congestion: None,
        progress_every: bulk::PROGRESS_EVERY,
    };
    lab.world.spawn(USER, |host| bulk::client(host, client));
}

/// A queue of one bandwidth-delay product and no loss: the link is full once slow start is over. 1,448 of 1,500 bytes are data.
#[test]
fn a_transfer_with_a_duration_fills_the_link() {
    for direction in [bulk::Direction::Down, bulk::Direction::Up] {
        let mut lab = lab(MS * 20, 7, |links| {
            for link in links {
                link.queue = link::queue::Config::DropTail(link::queue::Limit::Bytes(250_000));
            }
        });
        transfer(&mut lab, direction, bulk::Amount::For(Span::from_secs(10)));
        lab.run(Span::from_secs(11));
        let progress = lab.pick(|record| match record {
            Record::Progress(progress) => Some(*progress),
            _ => None,
        });
        assert_eq!(progress.len(), 100, "{direction:?}");
        assert!(progress.is_sorted_by_key(|progress| progress.bytes));
        let (third, last) = (&progress[29], &progress[99]);
        assert!(last.finished && last.time == Time::ZERO + Span::from_secs(10));
        let goodput = (last.bytes - third.bytes) as f64 * 8.0 / (last.time - third.time).as_secs_f64() / 1e6;
        assert!((93.0..=96.54).contains(&goodput), "{direction:?}: {goodput} Mb/s");
    }
}

/// `linux_messages.csv`: 28.15 ms over both without loss; at 2 % loss UDP stays there and TCP's tail shows recovery.
#[test]
fn messages_take_half_a_round_trip_and_only_tcp_waits_for_what_was_lost() {
    for (loss, carrier) in [0.0, 0.02].into_iter().flat_map(|loss| [(loss, true), (loss, false)]) {
        let mut lab = lab(MS * 56, 7, |links| {
            links[0].loss = link::loss::Config::Iid(Ratio::new(loss).unwrap());
        });
        let carrier = if carrier { Carrier::Udp } else { Carrier::Tcp { congestion: None } };
        let receiver = messages::Receiver { traffic: 0, port: 9000, carrier, bytes: 160 };
        lab.world.spawn(SERVER, |host| messages::receive(host, receiver));
        let sender = messages::Sender {
            traffic: 0,
            numbering: Numbering::ALONE,
            to: SocketAddrV4::new(lab.addr(SERVER), 9000),
            carrier,
            bytes: 160,
            start: Time::ZERO,
            every: MS * 20,
            limit: Limit { count: Some(3_000), until: None },
            rebinds: None,
        };
        lab.world.spawn(USER, |host| messages::send(host, sender));
        lab.run(Span::from_secs(70));
        let mut latencies = lab.pick(|record| match record {
            Record::Message(message) => Some(message.arrival.released - message.written),
            _ => None,
        });
        latencies.sort_unstable();
        let (median, p99) = (latencies[latencies.len() / 2], latencies[latencies.len() * 99 / 100]);
        near(median, 28.1, 0.5);
        let share = latencies.len() as f64 / 3_000.0;
        match carrier {
            Carrier::Udp => {
                near(p99, 28.1, 0.5);
                assert!((share - (1.0 - loss)).abs() < 0.01, "{share}");
            }
            Carrier::Tcp { .. } | Carrier::Quic { .. } => {
                assert_eq!(latencies.len(), 3_000);
                // Measured: 104.35 ms at 2 %; with 60 losses the figure moves by a message or two.
                if loss > 0.0 {
                    near(p99, 104.35, 25.0);
                } else {
                    near(p99, 28.1, 0.5);
                }
            }
        }
    }
}

/// Requests that wait for one worker, over packets: the network adds nothing to the wait.
#[test]
fn a_server_is_an_m_d_1_queue_and_twice_that_with_exponential_service() {
    let wait = |service: Dist| {
        let waits = (1..4).map(|seed| {
            let mut lab = lab(MS * 2, seed, |_| {});
            lab.serve(server::Config { service, response: 100, ..server::Config::new() });
            lab.ask(|config| {
                config.arrivals = Arrivals::Poisson { mean_gap: MS * 20 };
                config.connections = Connections::Pool { max: 1_000, idle: Span::from_secs(60) };
                config.limit.count = Some(10_000);
            });
            lab.run(Span::from_secs(400));
            let exchanges = lab.exchanges();
            assert_eq!(exchanges.len(), 10_000);
            let wait: Span = exchanges.iter().map(|exchange| exchange.started - exchange.request.released).sum();
            wait.as_secs_f64() / 10_000.0 / 0.01
        });
        waits.sum::<f64>() / 3.0
    };
    // Load 0.5: 0.5 and 1 service times.
    let (constant, exponential) = (wait(Dist::Constant(MS * 10)), wait(Dist::Exponential { mean: MS * 10 }));
    assert!((constant / 0.5 - 1.0).abs() < 0.05, "{constant}");
    assert!((exponential - 1.0).abs() < 0.07, "{exponential}");
}

/// The server gives up an idle connection while a request is on its way: the reset makes the browser ask again.
#[test]
fn a_request_that_meets_a_closing_connection_is_sent_again() {
    let mut lab = lab(MS * 20, 7, |_| {});
    lab.serve(server::Config { keep_alive: server::KeepAlive::Idle(Span::from_secs(1)), ..server::Config::new() });
    lab.ask(|config| config.arrivals = Arrivals::At(vec![Time::ZERO, Time::ZERO + MS * 1_025]));
    lab.run(Span::from_secs(5));
    let requests = lab.requests();
    assert_eq!(requests[1].failure, None);
    near(requests[1].end - requests[1].start, 55.0, 1.0);
    assert_ne!(requests[0].flow, requests[1].flow);
}

#[test]
fn a_request_that_takes_too_long_is_given_up_and_nobody_listens_is_refused() {
    let mut slow = lab(MS * 20, 7, |_| {});
    slow.serve(server::Config { service: Dist::Constant(Span::from_secs(1)), ..server::Config::new() });
    slow.ask(|config| config.timeout = Some(MS * 500));
    slow.run(Span::from_secs(10));
    let request = slow.requests()[0];
    assert_eq!((request.failure, request.end), (Some(Failure::Timeout), Time::ZERO + MS * 500));
    let mut nobody = lab(MS * 20, 7, |_| {});
    nobody.ask(|_| {});
    nobody.run(Span::from_secs(1));
    let request = nobody.requests()[0];
    assert_eq!(request.failure, Some(Failure::Refused));
    near(request.end - request.start, 20.0, 0.1);
}

/// A body on its way up is the request; the server's answer comes when it has read all of it.
#[test]
fn an_upload_is_answered_when_its_last_byte_has_come() {
    let mut lab = lab(MS * 20, 7, |_| {});
    lab.serve(server::Config::new());
    lab.ask(|config| {
        config.method = lightlag::app::http1::Method::Post;
        config.body_bytes = 100_000;
    });
    lab.run(Span::from_secs(5));
    let (request, exchange) = (lab.requests()[0], lab.exchanges()[0]);
    assert_eq!((request.status, request.failure), (200, None));
    // Handshake, then 10 segments, 20, 39 left: the last byte is there in the third round.
    near(exchange.request.released - request.start, 20.0 + 50.0, 6.0);
    near(request.end - exchange.written, 10.0, 1.0);
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A resolver next to the router that knows where `shop.example` is served.
fn name_servers(lab: &mut Lab) {
    let (server, authority) = (lab.addr(SERVER), lab.addr(AUTHORITY));
    let mut zone = authority::Zone::new(name("shop.example"), name("ns.shop.example"), 30);
    let record = |owner: &str, data| Resource { name: name(owner), ttl: 60, data };
    zone.records =
        vec![record("shop.example", Data::A(server)), record("www.shop.example", Data::Cname(name("shop.example")))];
    lab.world.spawn(AUTHORITY, |host| authority::run(host, authority::Config::new(vec![zone])));
    let hints = vec![resolver::Hint { zone: name("shop.example"), servers: vec![authority] }];
    lab.world.spawn(RESOLVER, |host| resolver::run(host, resolver::Config::new(hints)));
}

fn ask_by_name(lab: &mut Lab, arrivals: Arrivals) {
    let resolvers = vec![SocketAddrV4::new(lab.addr(RESOLVER), 53)];
    let mut config = client::Config::new(0, "pages", Origin::Name(name("www.shop.example")));
    config.arrivals = arrivals;
    lab.world.spawn(USER, |host| async move {
        let stub = Stub::new(&host, stub::Config::new(resolvers));
        client::run(host, stub, config).await;
    });
}

/// The guide's web request: a round trip for the name, one for the handshake, one for the page.
#[test]
fn a_page_by_name_takes_three_round_trips_and_the_next_one_takes_one() {
    let mut lab = lab(MS * 56, 7, |_| {});
    name_servers(&mut lab);
    lab.serve(server::Config::new());
    ask_by_name(&mut lab, Arrivals::Every(Span::from_secs(1)));
    lab.run(Span::from_secs(3));
    let requests = lab.requests();
    near(requests[0].resolved - requests[0].start, 56.0, 0.1);
    near(requests[0].connected - requests[0].resolved, 56.0, 0.1);
    near(requests[0].end - requests[0].connected, 56.0, 0.2);
    near(requests[1].end - requests[1].start, 56.0, 0.2);
    let lookups: Vec<Lookup> = lab.pick(|record| match record {
        Record::Lookup(lookup) => Some(*lookup),
        _ => None,
    });
    assert_eq!(lookups.len(), 1);
    assert_eq!((lookups[0].flow, lookups[0].of), (requests[0].lookup_flow, Directory::Resolver { tries: 1 }));
}

/// Half of all packets on the user's link are lost: the stub asks again after five seconds, and gives up after ten.
#[test]
fn a_lost_question_costs_five_seconds() {
    let took: Vec<(Option<Failure>, u64)> = (0..40)
        .map(|seed| {
            let mut lab = lab(MS * 20, seed, |links| {
                links[0].loss = link::loss::Config::Iid(Ratio::new(0.5).unwrap());
            });
            name_servers(&mut lab);
            lab.serve(server::Config::new());
            ask_by_name(&mut lab, Arrivals::Once);
            lab.run(Span::from_secs(60));
            let request = lab.requests()[0];
            (
                request.failure.filter(|failure| *failure == Failure::NameTimeout),
                (request.resolved - request.start).as_millis(),
            )
        })
        .collect();
    let count = |failure, millis| took.iter().filter(|&&seen| seen == (failure, millis)).count();
    let (first, second, never) = (count(None, 20), count(None, 5_020), count(Some(Failure::NameTimeout), 10_000));
    assert_eq!(first + second + never, 40, "{took:?}");
    // One half, one quarter, one quarter of forty.
    assert!((12..=28).contains(&first) && (3..=17).contains(&second) && (3..=17).contains(&never), "{took:?}");
}

#[test]
fn ping_and_traceroute_see_the_way() {
    let mut lab = lab(MS * 56, 7, |_| {});
    let to = lab.addr(SERVER);
    let pings = ping::Config { limit: Limit { count: Some(3), until: None }, ..ping::Config::new(0, to) };
    lab.world.spawn(USER, |host| ping::run(host, pings));
    lab.world.spawn(USER, |host| traceroute::run(host, traceroute::Config::new(1, to)));
    let nowhere = Ipv4Addr::new(203, 0, 113, 9);
    let lost = ping::Config { limit: Limit { count: Some(1), until: None }, ..ping::Config::new(2, nowhere) };
    lab.world.spawn(USER, |host| ping::run(host, lost));
    lab.run(Span::from_secs(30));
    let echoes = lab.pick(|record| match record {
        Record::Echo(echo) => Some(*echo),
        _ => None,
    });
    let of = |traffic| echoes.iter().filter(move |echo| echo.traffic == traffic);
    assert_eq!(of(0).count(), 3);
    for (echo, number) in of(0).zip(0..) {
        assert_eq!((echo.number, echo.sent, echo.reached), (number, Time::ZERO + Span::from_secs(number), true));
        near(echo.answer.unwrap().1 - echo.sent, 56.0, 0.1);
    }
    let hops: Vec<_> = of(1).map(|echo| (echo.ttl, echo.answer.unwrap().0, echo.reached)).collect();
    assert_eq!(hops[..3], [(1, lab.addr(ROUTER), false); 3]);
    assert_eq!(hops[3..], [(2, to, true); 3]);
    assert!(of(2).all(|echo| !echo.reached));
}
