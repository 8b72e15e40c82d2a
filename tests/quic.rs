//! QUIC in a whole world: what it costs beside TCP, what a loss holds back, and who survives what.

use lightlag::base::{Ratio, Span, Time};
use lightlag::host::{Host, NetError, QuicOptions};
use lightlag::link;
use lightlag::observe::{Kind, Metrics, Phase, Plan};
use lightlag::service::carrier::Over;
use lightlag::service::{Limit, Numbering, bulk, objects};
use lightlag::topo::{NodeId, Role};
use lightlag::trace::{Mask, Progress, Record, Request};
use lightlag::transport::tcp;
use lightlag::wire::Payload;
use lightlag::world::{Blueprint, World};
use std::cell::RefCell;
use std::net::SocketAddrV4;
use std::rc::Rc;

const MS: fn(u64) -> Span = Span::from_millis;
const USER: u32 = 0;
const SITE: u32 = 1;

/// Two hosts on a link of 100 Mb/s and 28 ms one way, whose second direction (to the user) loses `loss`.
fn lab(loss: f64) -> World {
    let tcp = Rc::new(tcp::Config::default());
    let mut blueprint = Blueprint::new();
    let user: NodeId = blueprint.node("user", Role::Host, &tcp);
    let site: NodeId = blueprint.node("site", Role::Host, &tcp);
    let rate = lightlag::base::BitRate::from_bps(100_000_000).unwrap();
    let mut up = link::Config::new(rate, MS(28));
    up.queue = link::queue::Config::DropTail(link::queue::Limit::Bytes(700_000));
    let mut down = up.clone();
    if loss > 0.0 {
        down.loss = link::loss::Config::Iid(Ratio::new(loss).unwrap());
    }
    blueprint.link(user, site, [up, down]).unwrap();
    let layout = blueprint.lay_out().unwrap();
    World::new(&blueprint, layout, 11, Mask::TRAFFIC)
}

fn run(world: &mut World, seconds: u64) -> Vec<Record> {
    let until = Time::ZERO + Span::from_secs(seconds);
    while world.advance(until, 1000) {
        assert!(world.tally().balances(), "at {}: {:?}", world.now(), world.tally());
    }
    world.finish(until);
    let mut records = Vec::new();
    world.trace().drain(|record| records.push(*record), |_| {});
    records
}

fn site(world: &World, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(world.host(SITE).addr(), port)
}

fn fetch(world: &mut World, over: Over, objects: u32, bytes: u64, fetches: u64) {
    let server = objects::Server { port: 443, over, congestion: None };
    world.spawn(SITE, |host| objects::server(host, server));
    let client = objects::Client {
        traffic: 0,
        numbering: Numbering::ALONE,
        to: site(world, 443),
        over,
        objects,
        bytes,
        start: Time::ZERO,
        every: Span::from_secs(2),
        limit: Limit { count: Some(fetches), ..Limit::NONE },
        congestion: None,
    };
    world.spawn(USER, |host| objects::client(host, client));
}

fn requests(records: &[Record]) -> Vec<Request> {
    let request = |record: &Record| match record {
        Record::Request(request) => Some(*request),
        _ => None,
    };
    records.iter().filter_map(request).collect()
}

#[test]
fn every_nanosecond_of_an_object_is_accounted_for() {
    for over in [Over::Tcp, Over::Quic] {
        let mut world = lab(0.02);
        fetch(&mut world, over, 30, 4_096, 8);
        let records = run(&mut world, 40);
        let all = requests(&records);
        assert_eq!(all.len(), 240);
        assert!(all.iter().all(|request| request.failure.is_none() && request.body == 4_096), "{over:?}");
        let plan = Plan {
            name: "o".into(),
            kind: Kind::Requests,
            light_floor: None,
            measure_from: Time::ZERO,
            tries_again: false,
            pays: false,
            sessions: false,
            called: false,
        };
        let mut metrics = Metrics::new([plan]);
        records.iter().for_each(|record| metrics.record(record));
        let traffic = metrics.finish().remove(0);
        for index in 0..240 {
            let (number, budget) = (traffic.number(index), traffic.budget(index));
            let request = all.iter().find(|request| request.number == number).unwrap();
            assert_eq!(budget.total(), request.end - request.start, "{over:?} {number}");
            assert_eq!(budget.of(Phase::Unobserved), Span::ZERO, "{over:?}: its exchange is joined");
            assert_eq!(budget.of(Phase::ResponsePropagation), MS(28), "{over:?} {number}");
            assert_eq!(budget.of(Phase::RequestPropagation), MS(28), "{over:?} {number}");
        }
    }
}

#[test]
fn one_lost_packet_holds_back_all_objects_over_tcp_and_its_own_over_quic() {
    let waits = |over| {
        let mut world = lab(0.02);
        fetch(&mut world, over, 30, 4_096, 15);
        let all = requests(&run(&mut world, 60));
        assert_eq!(all.len(), 450);
        let held = all.iter().filter(|request| !request.response.reorder_wait().is_zero()).count();
        let own = all.iter().filter(|request| !request.response.recovery().is_zero()).count();
        (held, own)
    };
    let (tcp, quic) = (waits(Over::Tcp), waits(Over::Quic));
    // An object has three or four packets: over QUIC it waits for one of its own only.
    assert!(tcp.0 > 2 * quic.0, "held back: {} of 450 over TCP, {} over QUIC", tcp.0, quic.0);
    assert!(quic.0 < 40, "{} of 450 over QUIC", quic.0);
}

fn goodput(over: Over, congestion: &'static str, loss: f64) -> f64 {
    let mut world = lab(loss);
    let server = bulk::Server {
        traffic: 0,
        port: 5001,
        over,
        congestion: Some(congestion),
        progress_every: bulk::PROGRESS_EVERY,
    };
    world.spawn(SITE, |host| bulk::server(host, server));
    let client = bulk::Client {
        traffic: 0,
        first_flow: 0,
        to: site(&world, 5001),
        over,
        direction: bulk::Direction::Down,
        amount: bulk::Amount::For(Span::from_secs(30)),
        flows: 1,
        start: Time::ZERO,
        stagger: Span::ZERO,
        congestion: None,
        progress_every: bulk::PROGRESS_EVERY,
    };
    world.spawn(USER, |host| bulk::client(host, client));
    let records = run(&mut world, 31);
    let progress = |record: &Record| match record {
        Record::Progress(Progress { finished: true, bytes, .. }) => Some(*bytes),
        _ => None,
    };
    records.iter().find_map(progress).unwrap() as f64 * 8.0 / 30.0
}

/// The same controller on the same path: headers are larger (1,350 bytes of UDP payload a packet), recovery is simpler.
#[test]
fn the_same_controller_gives_much_the_same_goodput_over_both() {
    for congestion in ["reno", "cubic"] {
        for (loss, least, most) in [(0.0, 0.93, 1.02), (0.001, 0.7, 1.2), (0.01, 0.65, 1.2)] {
            let ratio = goodput(Over::Quic, congestion, loss) / goodput(Over::Tcp, congestion, loss);
            assert!((least..=most).contains(&ratio), "{congestion} at {loss}: {ratio}");
        }
    }
}

/// Mathis, Semke, Mahdavi (1997): a window of 1.22 / sqrt(p) packets a round trip.
#[test]
fn reno_over_quic_obeys_the_square_root_law() {
    for loss in [0.001, 0.01] {
        let measured = goodput(Over::Quic, "reno", loss);
        let law = 1.22 * 1_320.0 * 8.0 / 0.056 / libm::sqrt(loss);
        let ratio = measured / law;
        assert!((0.7..=1.25).contains(&ratio), "{measured} bit/s for {law} at {loss}");
    }
}

type Shared<T> = Rc<RefCell<T>>;

/// A server that answers each stream with as many bytes as it was sent.
async fn echo(host: Host, port: u16, options: QuicOptions) {
    let endpoint = host.quic_listen(port, options).await.unwrap();
    while let Ok(connection) = endpoint.accept().await {
        let own = host.clone();
        drop(host.spawn(async move {
            while let Ok(stream) = connection.accept().await {
                drop(own.spawn(async move {
                    let mut bytes = 0;
                    while let Ok((payload, _)) = stream.read(u64::MAX).await
                        && !payload.is_empty()
                    {
                        bytes += payload.len();
                    }
                    let _ = stream.write(Payload::filler(bytes)).await;
                    stream.finish();
                }));
            }
        }));
    }
}

/// Asks on a new stream, and returns how long the answer of as many bytes took.
async fn ask(host: &Host, connection: &lightlag::host::QuicConnection, bytes: u64) -> Result<Span, NetError> {
    let start = host.now();
    let stream = connection.open().await?;
    stream.write(Payload::filler(bytes)).await?;
    stream.finish();
    let (count, _) = stream.discard(bytes).await?;
    assert_eq!(count, bytes);
    Ok(host.now() - start)
}

#[test]
fn the_first_answer_takes_two_round_trips_and_one_from_a_known_server() {
    for (retry, first) in [(false, 2), (true, 3)] {
        let mut world = lab(0.0);
        world.spawn(SITE, move |host| echo(host, 443, QuicOptions { retry, ..QuicOptions::default() }));
        let to = site(&world, 443);
        let times: Shared<Vec<Span>> = Shared::default();
        let seen = Rc::clone(&times);
        world.spawn(USER, |host| async move {
            for _ in 0..2 {
                let start = host.now();
                let connection = host.quic(to, QuicOptions::default()).await.unwrap();
                ask(&host, &connection, 100).await.unwrap();
                seen.borrow_mut().push(host.now() - start);
                host.sleep(MS(500)).await;
            }
        });
        run(&mut world, 5);
        let times = times.borrow();
        let round_trips = |n: u64| MS(56) * n..MS(56) * n + MS(2);
        assert!(round_trips(first).contains(&times[0]), "{times:?}");
        assert!(round_trips(if retry { 2 } else { 1 }).contains(&times[1]), "{times:?}");
    }
}

#[test]
fn a_client_that_moves_loses_nothing() {
    let mut world = lab(0.01);
    world.spawn(SITE, |host| echo(host, 443, QuicOptions::default()));
    let to = site(&world, 443);
    let done: Shared<u32> = Shared::default();
    let count = Rc::clone(&done);
    world.spawn(USER, |host| async move {
        let connection = Rc::new(host.quic(to, QuicOptions::default()).await.unwrap());
        ask(&host, &connection, 100).await.unwrap();
        let (own, asked) = (host.clone(), Rc::clone(&connection));
        let long = host.spawn(async move { ask(&own, &asked, 400_000).await });
        for _ in 0..2 {
            host.sleep(MS(150)).await;
            let before = connection.local().port();
            assert_ne!(connection.migrate().await.unwrap(), before);
            *count.borrow_mut() += 1;
        }
        long.await.unwrap();
        *count.borrow_mut() += 1;
    });
    run(&mut world, 20);
    assert_eq!(*done.borrow(), 3);
}

#[test]
fn nobody_at_home_is_refused() {
    let mut world = lab(0.0);
    let to = site(&world, 443);
    let results: Shared<Vec<Result<Span, NetError>>> = Shared::default();
    let seen = Rc::clone(&results);
    world.spawn(USER, |host| async move {
        let refused = host.quic(to, QuicOptions::default()).await.map(|_| Span::ZERO);
        seen.borrow_mut().push(refused);
    });
    run(&mut world, 5);
    assert_eq!(*results.borrow(), [Err(NetError::Refused)]);
}

/// RFC 9000 10.3: a packet of a connection that the server does not know is answered by something shorter that ends with a token.
#[test]
fn a_stray_packet_is_answered_by_a_stateless_reset_shorter_than_itself() {
    let mut world = lab(0.0);
    world.spawn(SITE, |host| echo(host, 443, QuicOptions::default()));
    let to = site(&world, 443);
    let lengths: Shared<Vec<u64>> = Shared::default();
    let seen = Rc::clone(&lengths);
    world.spawn(USER, |host| async move {
        let socket = host.udp(0).await.unwrap();
        for len in [100, 30, 22, 21] {
            let mut stray = Payload::real(&[0x41, 1, 2, 3, 4, 5, 6, 7, 8, 0][..]);
            stray.append(Payload::filler(len - 11));
            stray.append(Payload::real(&[1][..]));
            socket.send(to, stray);
            if let Ok(Ok(answer)) = host.timeout(MS(200), socket.receive()).await {
                seen.borrow_mut().push(answer.payload.len());
            }
        }
    });
    run(&mut world, 5);
    assert_eq!(*lengths.borrow(), [43, 29, 21]);
}

#[test]
fn what_was_written_arrives_although_its_writer_lets_go_at_once() {
    let mut world = lab(0.05);
    let to = site(&world, 443);
    let got: Shared<u64> = Shared::default();
    let count = Rc::clone(&got);
    world.spawn(SITE, |host| async move {
        let endpoint = host.quic_listen(443, QuicOptions::default()).await.unwrap();
        let connection = endpoint.accept().await.unwrap();
        while let Ok(stream) = connection.accept().await {
            let bytes = stream.discard(u64::MAX).await.unwrap().0;
            *count.borrow_mut() += bytes;
        }
    });
    world.spawn(USER, |host| async move {
        let connection = host.quic(to, QuicOptions::default()).await.unwrap();
        for _ in 0..5 {
            connection.open().await.unwrap().write(Payload::filler(30_000)).await.unwrap();
        }
    });
    run(&mut world, 20);
    assert_eq!(*got.borrow(), 150_000);
}
