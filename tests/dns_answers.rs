//! Names that follow the health of what they stand for: how soon a change is seen, and by whom it is not.

use lightlag::app::dns::{Data, Name, Record as Resource};
use lightlag::base::{BitRate, Span, Time};
use lightlag::link;
use lightlag::service::answers::{Answers, Watched};
use lightlag::service::balancer::{Check, Member, Probe};
use lightlag::service::client::{self, Arrivals, Connections, Origin};
use lightlag::service::stub::{self, Stub};
use lightlag::service::{authority, resolver, server};
use lightlag::topo::Role;
use lightlag::trace::{Judged, Mask, Record};
use lightlag::transport::tcp;
use lightlag::world::{Blueprint, World};
use std::net::SocketAddrV4;
use std::rc::Rc;

const MS: Span = Span::from_millis(1);
const SECOND: Span = Span::from_secs(1);
const USER: u32 = 0;
const RESOLVER: u32 = 2;
const AUTHORITY: u32 = 3;
const FIRST: u32 = 4;
const SECOND_SERVER: u32 = 5;
/// TTL of the addresses.
const TTL: u64 = 5;

struct Seen {
    /// When the name server noticed that the first address was down.
    down: Span,
    /// When each server answered: node and instant.
    answered: Vec<(u32, Span)>,
    /// When requests failed.
    failed: Vec<Span>,
}

/// A user who asks every 100 ms, and a first server whose program ends after 20.3 s.
fn run(change: impl FnOnce(&mut resolver::Config), second: bool) -> Seen {
    let tcp = Rc::new(tcp::Config::default());
    let mut blueprint = Blueprint::new();
    let names = ["user", "r", "dns", "ns", "shop/1", "shop/2"];
    let nodes: Vec<_> = names
        .iter()
        .map(|&name| blueprint.node(name, if name == "r" { Role::Router } else { Role::Host }, &tcp))
        .collect();
    for (index, &node) in nodes.iter().enumerate().filter(|(index, _)| *index != 1) {
        let config = link::Config::new(BitRate::from_bps(1_000_000_000).unwrap(), MS * (index as u64 + 1));
        blueprint.link(nodes[1], node, [config.clone(), config]).unwrap();
    }
    let layout = blueprint.lay_out().unwrap();
    let mut world = World::new(&blueprint, layout, 1, Mask::TRAFFIC);
    let addr = |world: &World, node: u32| world.host(node).addr();
    let name: Name = "shop.example".parse().unwrap();
    let mut zone = authority::Zone::new(name.clone(), name.clone(), 60);
    let servers = if second { vec![FIRST, SECOND_SERVER] } else { vec![FIRST] };
    for &server in &servers {
        let data = Data::A(addr(&world, server));
        zone.records.push(Resource { name: name.clone(), ttl: u32::try_from(TTL).unwrap(), data });
    }
    zone.answers = Answers::Failover;
    let member = |&node: &u32| Member {
        node,
        name: format!("shop/{}", node - 3),
        at: SocketAddrV4::new(addr(&world, node), 80),
        tls: false,
        weight: 1,
        drain: None,
    };
    let check = Check { every: SECOND, ..Check::new(Probe::Tcp) };
    zone.watched = Some(Watched { check, members: servers.iter().map(member).collect() });
    world.spawn(AUTHORITY, |host| authority::run(host, authority::Config::new(vec![zone])));
    let hint = resolver::Hint { zone: name.clone(), servers: vec![addr(&world, AUTHORITY)] };
    let mut config = resolver::Config::new(vec![hint]);
    change(&mut config);
    world.spawn(RESOLVER, |host| resolver::run(host, config));
    world.spawn(FIRST, |host| async move {
        let _ = host.clone().timeout(MS * 20_300, server::run(host, server::Config::new())).await;
    });
    world.spawn(SECOND_SERVER, |host| server::run(host, server::Config::new()));
    let ask = client::Config {
        arrivals: Arrivals::Every(MS * 100),
        connections: Connections::PerRequest,
        ..client::Config::new(0, "pages", Origin::Name(name))
    };
    let resolver_at = SocketAddrV4::new(addr(&world, RESOLVER), 53);
    world.spawn(USER, |host| async move {
        let stub = Stub::new(&host, stub::Config::new(vec![resolver_at]));
        client::run(host, stub, ask).await;
    });
    let mut seen = Seen { down: Span::ZERO, answered: Vec::new(), failed: Vec::new() };
    let mut more = true;
    while more {
        more = world.advance(Time::ZERO + SECOND * 60, 10_000);
        world.trace().drain(
            |record| match record {
                Record::Judgement(notice) if notice.what == Judged::Down && notice.subject == FIRST => {
                    assert_eq!(notice.node, AUTHORITY);
                    seen.down = notice.time - Time::ZERO;
                }
                Record::Exchange(exchange) => seen.answered.push((exchange.node, exchange.finished - Time::ZERO)),
                Record::Request(request) if request.failure.is_some() => seen.failed.push(request.end - Time::ZERO),
                _ => {}
            },
            |_| {},
        );
    }
    seen
}

/// The standby is given as soon as the checks have failed often enough, and seen when what was given before has run out: not before
/// the notice, and no later than a TTL after it, however many caches there are on the way.
#[test]
fn a_failover_is_seen_within_a_ttl_of_the_notice() {
    let seen = run(|_| {}, true);
    // The first of two addresses is checked at 0.5 s and every second; three checks fail in a row from 20.5 s on.
    assert!(seen.down >= MS * 22_500 && seen.down < MS * 22_600, "{}", seen.down);
    let first = seen.answered.iter().find(|(node, _)| *node == SECOND_SERVER).unwrap().1;
    assert!(first > seen.down, "{first}");
    assert!(first <= seen.down + SECOND * TTL + MS * 200, "{first}, noticed at {}", seen.down);
    let (begun, ended) = (seen.failed[0], *seen.failed.last().unwrap());
    assert!(begun >= MS * 20_300 && ended <= first + MS * 100, "{begun} to {ended}");
}

/// A resolver that keeps what it has for a minute, whatever the TTL says, keeps sending users to the dead server.
#[test]
fn a_resolver_that_ignores_ttls_does_not_see_it() {
    let seen = run(|resolver| resolver.min_ttl = 60, true);
    assert!(seen.down < MS * 22_600);
    assert!(seen.answered.iter().all(|(node, _)| *node == FIRST));
    assert!(*seen.failed.last().unwrap() > SECOND * 59);
}

/// One that keeps nothing for longer than a second sees it sooner than the TTL promises.
#[test]
fn a_resolver_that_cuts_ttls_sees_it_sooner() {
    let seen = run(|resolver| resolver.max_ttl = 1, true);
    let first = seen.answered.iter().find(|(node, _)| *node == SECOND_SERVER).unwrap().1;
    assert!(first > seen.down && first <= seen.down + SECOND + MS * 200, "{first}");
}

/// Where nobody is well the name still stands for somebody: a wrong check must not make a site disappear.
#[test]
fn where_none_is_well_the_name_stays() {
    let seen = run(|_| {}, false);
    assert!(seen.answered.iter().any(|(_, at)| *at > SECOND * 20));
    assert!(seen.failed.iter().all(|at| *at >= MS * 20_300));
}
