//! A machine's own state: its routes, its ports, its sockets, and what it counts.

use super::quic::QuicStack;
use super::sockets::{Connection, Datagrams, Listener};
use crate::base::{Id, Time};
use crate::host::{Host, Steer, Ticket};
use crate::ip::Router;
use crate::trace::Cause;
use crate::transport::tcp;
use crate::wire::{Cookie, Dscp};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;

/// A map whose iteration order is that of insertion, with a hash that is the same on every platform.
pub(super) type Map<K, V> = IndexMap<K, V, FxBuildHasher>;

/// Ephemeral ports, as Linux uses by default.
pub(super) const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// A machine: a host or a router.
pub(super) struct Node {
    pub(super) router: Router,
    /// What programs and connections on this machine need; routers have none until something is addressed to them.
    pub(super) stack: Stack,
    /// The machine's own event counter: the last part of its events' keys.
    pub(super) events: u32,
    /// Packets dropped here, by cause in the order of [`Cause::ALL`].
    pub(super) dropped: [u64; Cause::ALL.len()],
}

/// The transport layer of one machine.
pub(super) struct Stack {
    pub(super) host: Host,
    pub(super) tcp: Rc<tcp::Config>,
    pub(super) connections: Map<FourTuple, Id<Connection>>,
    /// The one that was looked up last.
    recent: Option<(FourTuple, Id<Connection>)>,
    /// How many ephemeral ports are held towards each remote address and port.
    held: Map<u64, u32>,
    /// Connections that a program waits to see opened, by its call.
    pub(super) connecting: Map<Ticket, Id<Connection>>,
    pub(super) listeners: Map<u16, Id<Listener>>,
    pub(super) datagrams: Map<u16, Id<Datagrams>>,
    pub(super) echoes: Map<u16, Echoing>,
    pub(super) quic: QuicStack,
    /// Fast Open cookies that servers have given.
    pub(super) cookies: Map<Ipv4Addr, Cookie>,
    /// The program that is asked about segments of no connection.
    pub(super) steer: Option<Rc<RefCell<dyn Steer>>>,
    /// Addresses from which connections are answered, by the code point with which they come.
    pub(super) aliases: Map<Dscp, Ipv4Addr>,
    pub(super) flows: u32,
    next_port: u16,
    next_echo: u16,
    next_ident: u16,
}

/// An echo request that waits for an answer.
pub(super) struct Echoing {
    pub(super) ticket: Ticket,
    pub(super) sent: Time,
}

/// One end's view of a connection's addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FourTuple {
    /// Local port, remote port, remote address.
    ends: u64,
    /// The local address, if it is one that the machine has in common with others or on another link; otherwise 0, for the machine's
    /// own.
    shared: u32,
}

impl FourTuple {
    #[inline]
    pub(super) fn new(local_port: u16, remote: Ipv4Addr, remote_port: u16) -> Self {
        let ends = u64::from(local_port) << 48 | u64::from(remote_port) << 32 | u64::from(u32::from(remote));
        Self { ends, shared: 0 }
    }

    /// The same at this local address of a machine.
    #[inline]
    pub(super) fn at(self, local: Ipv4Addr, machine: &Router) -> Self {
        if local == machine.address() { self } else { self.at_shared(local, machine) }
    }

    #[cold]
    #[inline(never)]
    fn at_shared(self, local: Ipv4Addr, machine: &Router) -> Self {
        // Where answers go direct from servers, a balancer's address is no address of the server's own.
        if machine.shared().contains(&local) { Self { shared: u32::from(local), ..self } } else { self }
    }

    /// The local address, if it is one that the machine has besides its own.
    pub(super) fn shared(self) -> Option<Ipv4Addr> {
        (self.shared != 0).then(|| Ipv4Addr::from(self.shared))
    }

    /// The remote address and port.
    const fn remote(self) -> u64 {
        self.ends & 0xffff_ffff_ffff
    }

    fn is_ephemeral(self) -> bool {
        EPHEMERAL.contains(&(self.ends >> 48).try_into().unwrap_or(0))
    }
}

impl Stack {
    pub(super) fn new(host: Host, tcp: Rc<tcp::Config>) -> Self {
        Self {
            host,
            tcp,
            connections: Map::default(),
            recent: None,
            held: Map::default(),
            connecting: Map::default(),
            listeners: Map::default(),
            datagrams: Map::default(),
            echoes: Map::default(),
            quic: QuicStack::default(),
            cookies: Map::default(),
            steer: None,
            aliases: Map::default(),
            flows: 0,
            next_port: *EPHEMERAL.start(),
            next_echo: 0,
            next_ident: 0,
        }
    }

    /// Forgets all sockets and what was remembered of peers, as a machine does that loses its power. Numbers of flows go on, as
    /// they name conversations for observers.
    pub(super) fn forget(&mut self) {
        let fresh = Self::new(self.host.clone(), Rc::clone(&self.tcp));
        let Self { flows, next_port, next_echo, next_ident, .. } = *self;
        *self = Self { flows, next_port, next_echo, next_ident, ..fresh };
    }

    /// A number for a new conversation that this machine begins: unique in the run, never 0.
    pub(super) fn next_flow(&mut self) -> u64 {
        self.flows += 1;
        u64::from(self.host.node()) << 32 | u64::from(self.flows)
    }

    /// The next ephemeral port that `taken` does not hold against.
    fn ephemeral(&mut self, taken: impl Fn(&Self, u16) -> bool) -> Option<u16> {
        for _ in EPHEMERAL {
            let port = self.next_port;
            self.next_port = if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 };
            if !taken(self, port) {
                return Some(port);
            }
        }
        None
    }

    /// The connection between these ends.
    #[inline]
    pub(super) fn connection(&mut self, tuple: FourTuple) -> Option<Id<Connection>> {
        if let Some((recent, id)) = self.recent
            && recent == tuple
        {
            return Some(id);
        }
        let id = *self.connections.get(&tuple)?;
        self.recent = Some((tuple, id));
        Some(id)
    }

    /// A connection holds its ports from now on.
    pub(super) fn hold(&mut self, tuple: FourTuple, id: Id<Connection>) {
        self.recent = None;
        if self.connections.insert(tuple, id).is_none() && tuple.is_ephemeral() {
            *self.held.entry(tuple.remote()).or_default() += 1;
        }
    }

    /// A connection's ports are free again, unless another has taken them over.
    pub(super) fn release(&mut self, tuple: FourTuple, id: Id<Connection>) {
        if self.connections.get(&tuple) != Some(&id) {
            return;
        }
        self.recent = None;
        self.connections.swap_remove(&tuple);
        let remote = tuple.remote();
        if tuple.is_ephemeral()
            && let Some(held) = self.held.get_mut(&remote)
        {
            *held -= 1;
            if *held == 0 {
                self.held.swap_remove(&remote);
            }
        }
    }

    /// A local port for a connection to `remote`, unless all are in use towards it. `at` says which of the machine's addresses it has.
    pub(super) fn port_towards(
        &mut self,
        remote: Ipv4Addr,
        remote_port: u16,
        at: impl Fn(FourTuple) -> FourTuple,
    ) -> Option<u16> {
        let towards = FourTuple::new(0, remote, remote_port).remote();
        if self.held.get(&towards).is_some_and(|&held| held as usize >= EPHEMERAL.len()) {
            // Looking at each of them would tell the same.
            return None;
        }
        self.ephemeral(|stack, port| {
            stack.connections.contains_key(&at(FourTuple::new(port, remote, remote_port)))
                || stack.listeners.contains_key(&port)
        })
    }

    /// A free UDP port.
    pub(super) fn datagram_port(&mut self) -> Option<u16> {
        self.ephemeral(|stack, port| stack.datagrams.contains_key(&port) || stack.quic.has_port(port))
    }

    /// The sequence number of the next echo request.
    pub(super) fn next_echo(&mut self) -> u16 {
        self.next_echo = self.next_echo.wrapping_add(1);
        self.next_echo
    }

    /// The IPv4 identification of the next packet.
    #[inline]
    pub(super) fn next_ident(&mut self) -> u16 {
        self.next_ident = self.next_ident.wrapping_add(1);
        self.next_ident
    }
}
