//! The packet path allocates nothing once it has warmed up: buffers have grown to what the flows need and are used again.

#![expect(unsafe_code, reason = "a global allocator that counts cannot be written without")]

use lightlag::base::{BitRate, Ratio, Span, Time};
use lightlag::link::{self, loss, queue};
use lightlag::topo::Role;
use lightlag::trace::Mask;
use lightlag::transport::tcp;
use lightlag::wire::Payload;
use lightlag::world::{Blueprint, World};
use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A bulk flow of `congestion` over a router, with losses.
fn bulk(congestion: &str) -> World {
    let config = tcp::Config { congestion: tcp::Algorithm::by_name(congestion).unwrap(), ..tcp::Config::default() };
    let config = Rc::new(config);
    let mut blueprint = Blueprint::new();
    let client = blueprint.node("client", Role::Host, &config);
    let router = blueprint.node("router", Role::Router, &config);
    let server = blueprint.node("server", Role::Host, &config);
    let mut wire = link::Config::new(BitRate::from_bps(50_000_000).unwrap(), Span::from_millis(10));
    wire.queue = queue::Config::DropTail(queue::Limit::Bytes(100_000));
    blueprint.link(client, router, [wire.clone(), wire.clone()]).unwrap();
    let mut lossy = wire.clone();
    lossy.loss = loss::Config::Iid(Ratio::new(0.001).unwrap());
    blueprint.link(router, server, [wire, lossy]).unwrap();
    let mut world = World::new(&blueprint, blueprint.lay_out().unwrap(), 1, Mask::NONE);
    let to = SocketAddrV4::new(world.host(2).addr(), 80);
    world.spawn(2, |host| async move {
        let listener = host.listen(80, 16).await.unwrap();
        let stream = listener.accept().await.unwrap();
        let _ = stream.write(Payload::filler(1 << 40)).await;
    });
    world.spawn(0, move |host| async move {
        let stream = host.connect(to).await.unwrap();
        let _ = stream.discard(u64::MAX).await;
    });
    world
}

fn run(world: &mut World, seconds: u64) {
    while world.advance(Time::ZERO + Span::from_secs(seconds), 10_000) {}
}

/// One test: what other threads allocate would count too.
#[test]
fn a_steady_flow_allocates_nothing() {
    for congestion in ["reno", "cubic", "bbr"] {
        let mut world = bulk(congestion);
        run(&mut world, 20);
        let (hops, before) = (world.hops(), ALLOCATIONS.load(Ordering::Relaxed));
        run(&mut world, 30);
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        let hops = world.hops() - hops;
        assert!(hops > 20_000, "{congestion}: {hops} packet-hops in ten seconds");
        assert_eq!(allocations, 0, "{congestion}: over {hops} packet-hops");
    }
}
