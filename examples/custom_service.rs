//! A service of your own: an async function that is given a host, here a cache in New York before an origin in London.
//!
//! `cargo run --release --example custom_service` shows what the cache saves its user: the first request for a page crosses
//! the Atlantic, the second does not.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use lightlag::app::http1::{self, Ask, HeadSize, Method, ReadError, Reader};
use lightlag::base::{BitRate, Dist, Span, Time};
use lightlag::host::{Host, NetError, TcpStream};
use lightlag::link;
use lightlag::service::client::{self, Arrivals, Origin};
use lightlag::service::server;
use lightlag::service::stub::{self, Stub};
use lightlag::topo::{Role, Stretch, cable_metres, fiber_delay, find};
use lightlag::trace::{Mask, Record};
use lightlag::transport::tcp;
use lightlag::world::{Blueprint, World};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// How large each page is, as far as the cache knows.
type Known = Rc<RefCell<BTreeMap<String, u64>>>;

/// The service. It listens, takes connections, and serves each in a task of its own, as a program on a real machine would.
async fn cache(host: Host, origin: SocketAddrV4) {
    let known = Known::default();
    let Ok(listener) = host.listen(80, 128).await else { return };
    while let Ok(stream) = listener.accept().await {
        let (own, known) = (host.clone(), Rc::clone(&known));
        drop(host.spawn(async move { serve(&own, &stream, origin, &known).await }));
    }
}

/// Answers the requests of one connection until its client has had enough.
async fn serve(host: &Host, stream: &TcpStream, origin: SocketAddrV4, known: &Known) -> Result<(), ReadError> {
    let mut reader = Reader::new();
    loop {
        let request = reader.request(stream).await?.head;
        let page = String::from_utf8_lossy(&request.target).into_owned();
        let size = known.borrow().get(&page).copied();
        let size = if let Some(size) = size {
            size
        } else {
            // Dropping what takes too long cancels it, its connection included.
            let fetched = host.timeout(Span::from_secs(2), fetch(host, origin, &page)).await;
            let size = fetched.map_err(|_| NetError::TimedOut)??;
            known.borrow_mut().insert(page, size);
            size
        };
        let head = http1::answer(200, size, false, host.now()).encode();
        stream.write(http1::message(head, size)).await?;
    }
}

/// Fetches a page from the origin; returns its size.
async fn fetch(host: &Host, origin: SocketAddrV4, page: &str) -> Result<u64, ReadError> {
    let stream = host.connect(origin).await?;
    let (method, size) = (Method::Get, HeadSize::Browser);
    let ask = Ask { method, target: page, host: "origin.example", body: 0, close: true, size, fields: &[] };
    stream.write(http1::message(ask.head().encode(), 0)).await?;
    Ok(Reader::new().response(&stream, method).await?.body)
}

/// A wire of `mbps` both ways.
fn wire(mbps: u64, delay: Span) -> [link::Config; 2] {
    let rate = BitRate::from_bps(mbps * 1_000_000).expect("a rate within reach of physics");
    [link::Config::new(rate, delay), link::Config::new(rate, delay)]
}

fn main() {
    let place = |name| find(name).expect("a city in the list of places").at;
    let atlantic = fiber_delay(cable_metres(place("New York"), place("London")), Stretch::new(1.0).expect("straight"));

    let tcp = Rc::new(tcp::Config::default());
    let mut blueprint = Blueprint::new();
    let [user, edge, origin] = ["user", "edge", "origin"].map(|name| blueprint.node(name, Role::Host, &tcp));
    blueprint.link(user, edge, wire(100, Span::from_millis(2))).expect("two nodes that are there");
    blueprint.link(edge, origin, wire(1_000, atlantic)).expect("two nodes that are there");
    let layout = blueprint.lay_out().expect("addresses for three nodes");
    let mut world = World::new(&blueprint, layout, 7, Mask::TRAFFIC);

    let [user, edge, origin] = [0, 1, 2];
    let [edge_addr, origin_addr] = [edge, origin].map(|node| world.host(node).addr());
    let pages =
        server::Config { response: 20_000, service: Dist::Constant(Span::from_millis(5)), ..server::Config::new() };
    world.spawn(origin, |host| server::run(host, pages));
    world.spawn(edge, |host| cache(host, SocketAddrV4::new(origin_addr, 80)));
    let mut reader = client::Config::new(0, "reader", Origin::Addr(edge_addr));
    reader.arrivals = Arrivals::Every(Span::from_secs(1));
    reader.limit.count = Some(3);
    world.spawn(user, |host| async move {
        let stub = Stub::new(&host, stub::Config::new(Vec::new()));
        client::run(host, stub, reader).await;
    });

    while world.advance(Time::ZERO + Span::from_secs(5), 1_000) {}
    let told = |record: &Record| {
        if let Record::Request(request) = record {
            println!("request {}: {} for {} bytes", request.number, request.end - request.start, request.body);
        }
    };
    world.trace().drain(told, |_| {});
}
