//! What programs ask about QUIC connections.

use super::{QuicId, QuicListener, Use};
use crate::base::Id;
use crate::host::{Answer, NetError, QuicCall, QuicOptions, Ticket};
use crate::transport::quic::{self, Accepting, Opening, Secrets};
use crate::transport::tcp;
use crate::wire::quic::Side;
use crate::world::World;
use crate::world::sockets::Socket;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

/// Bytes that IPv4 and UDP put in front of a datagram.
const HEADERS: u32 = crate::wire::IPV4_HEADER + crate::wire::UDP_HEADER;

impl World {
    /// Does what a program on `node` asks.
    pub(in crate::world) fn quic_call(&mut self, node: u32, ticket: Ticket, call: &mut QuicCall) {
        match call {
            QuicCall::Connect { to, options } => self.quic_connect(node, ticket, *to, options),
            QuicCall::Listen { port, options } => self.quic_listen(node, ticket, *port, options),
            QuicCall::Open { connection } => match Socket::of(*connection) {
                Socket::Quic(id) => self.quic_open(id, ticket),
                _ => self.answer(ticket, Answer::Opened(Err(NetError::Closed))),
            },
            QuicCall::Accept { connection } => match Socket::of(*connection) {
                Socket::Quic(id) => self.quic_accept_stream(id, ticket),
                _ => self.answer(ticket, Answer::Opened(Err(NetError::Closed))),
            },
            QuicCall::Migrate { connection } => match Socket::of(*connection) {
                Socket::Quic(id) => self.quic_migrate(id, ticket),
                _ => self.answer(ticket, Answer::Bound(Err(NetError::Closed))),
            },
        }
    }

    /// A machine's settings with what a program wants otherwise. Congestion controller, ECN and MTU are those of the machine's TCP.
    fn quic_config(&self, node: u32, options: &QuicOptions) -> Rc<quic::Config> {
        let tcp = &self.nodes[node as usize].stack.tcp;
        let standard = quic::Config::default();
        let chosen = options.congestion.and_then(tcp::Algorithm::by_name);
        Rc::new(quic::Config {
            congestion: chosen.unwrap_or_else(|| tcp.congestion.clone()),
            max_datagram: standard.max_datagram.min(tcp.mtu.saturating_sub(HEADERS)).max(1200),
            ecn: tcp.ecn,
            early_data: options.early_data,
            retry: options.retry,
            pacing: options.pacing,
            certificate_chain: options.certificate_chain.unwrap_or(standard.certificate_chain),
            ..standard
        })
    }

    fn quic_connect(&mut self, node: u32, ticket: Ticket, to: SocketAddrV4, options: &QuicOptions) {
        if self.is_cut_off(node) {
            self.answer(ticket, Answer::Opened(Err(NetError::Unreachable)));
            return;
        }
        let config = self.quic_config(node, options);
        let secret = self.quic_secret(node);
        let stack = &mut self.nodes[node as usize].stack;
        let Some(port) = stack.datagram_port() else {
            self.answer(ticket, Answer::Opened(Err(NetError::AddressInUse)));
            return;
        };
        let flow = stack.next_flow();
        let key = (*to.ip(), to.port(), options.name.clone());
        // A ticket is used once (RFC 8446 C.4).
        let known = stack.quic.tickets.swap_remove(&key).filter(|ticket| ticket.is_valid(self.now));
        let early = options.early_data && known.as_ref().is_some_and(|ticket| ticket.early_data);
        let opening = Opening { server_name: options.name.clone(), alpn: options.alpn.clone(), ticket: known };
        let secrets = Secrets { host: secret, connection: flow << 1 };
        let machine = quic::Connection::connect(&config, opening, to, secrets, self.now);
        let local = (self.nodes[node as usize].router.source(), port);
        let id = self.quic_insert(node, machine, local, flow, key);
        self.nodes[node as usize].stack.quic.ports.insert(port, Use::Connection(id));
        if early {
            let opened = self.quic_opened(id);
            self.answer(ticket, Answer::Opened(Ok(opened)));
            // The program may write at this instant: its request rides with the first flight.
            if let Some(connection) = self.quic.get_mut(id) {
                connection.scheduled = self.now;
            }
            self.schedule(node, self.now, crate::world::Event::Quic(id));
            return;
        }
        if let Some(connection) = self.quic.get_mut(id) {
            connection.connecting = Some(ticket);
        }
        self.nodes[node as usize].stack.quic.connecting.insert(ticket, id);
        self.quic_drain(id);
    }

    fn quic_listen(&mut self, node: u32, ticket: Ticket, port: u16, options: &QuicOptions) {
        let config = self.quic_config(node, options);
        let stack = &self.nodes[node as usize].stack;
        if stack.datagrams.contains_key(&port) || stack.quic.has_port(port) {
            self.answer(ticket, Answer::Bound(Err(NetError::AddressInUse)));
            return;
        }
        let name = options.name.as_deref().unwrap_or_else(|| stack.host.name());
        let accepting = Accepting { alpn: options.alpn.clone(), chain: quic::chain(name, config.certificate_chain) };
        let (ready, accepts) = (VecDeque::new(), VecDeque::new());
        let id = self.quic_listeners.insert(QuicListener { node, port, config, accepting, ready, accepts });
        self.nodes[node as usize].stack.quic.ports.insert(port, Use::Listener(id));
        self.answer(ticket, Answer::Bound(Ok((Socket::QuicListener(id).id(), port))));
    }

    /// A program waits for a connection.
    pub(in crate::world) fn quic_accept_call(&mut self, listener: Id<QuicListener>, ticket: Ticket) {
        let Some(listening) = self.quic_listeners.get_mut(listener) else {
            self.answer(ticket, Answer::Opened(Err(NetError::Closed)));
            return;
        };
        listening.accepts.push_back(ticket);
        self.quic_hand_over(listener);
    }

    /// Nobody waits for a connection any more.
    pub(in crate::world) fn quic_cancel_accept(&mut self, listener: Id<QuicListener>, ticket: Ticket) {
        if let Some(listening) = self.quic_listeners.get_mut(listener) {
            listening.accepts.retain(|&waiting| waiting != ticket);
        }
    }

    /// A listener goes, with the connections that nobody has accepted.
    pub(in crate::world) fn quic_close_listener(&mut self, id: Id<QuicListener>) {
        let Some(listener) = self.quic_listeners.remove(id) else { return };
        self.nodes[listener.node as usize].stack.quic.ports.swap_remove(&listener.port);
        for connection in listener.ready {
            self.quic_abort(connection);
            self.quic_close(connection);
        }
    }

    /// Nobody waits for the connection to be opened any more.
    pub(in crate::world) fn quic_cancel_connect(&mut self, node: u32, ticket: Ticket) {
        if let Some(id) = self.nodes[node as usize].stack.quic.connecting.swap_remove(&ticket) {
            if let Some(connection) = self.quic.get_mut(id) {
                connection.connecting = None;
            }
            self.quic_abort(id);
            self.quic_close(id);
        }
    }

    /// Nobody waits for a stream of the connection any more.
    pub(in crate::world) fn quic_cancel_stream(&mut self, id: QuicId, ticket: Ticket) {
        if let Some(connection) = self.quic.get_mut(id) {
            connection.accepts.retain(|&waiting| waiting != ticket);
            connection.opens.retain(|&waiting| waiting != ticket);
        }
    }

    /// A program lets go of a connection: it closes when everything written has been acknowledged.
    pub(in crate::world) fn quic_close(&mut self, id: QuicId) {
        if let Some(connection) = self.quic.get_mut(id) {
            connection.held = false;
            self.quic_drain(id);
        }
    }

    /// A program ends a connection at once.
    pub(in crate::world) fn quic_abort(&mut self, id: QuicId) {
        if let Some(connection) = self.quic.get_mut(id) {
            connection.machine.close(0, self.now);
            self.quic_drain(id);
        }
    }

    /// The connections of clients on a machine, each with the address that its peer knows.
    pub(in crate::world) fn quic_clients(&self, node: u32) -> Vec<(QuicId, Ipv4Addr)> {
        let of = self.quic.iter().filter(|(_, it)| it.node == node && it.machine.side() == Side::Client);
        of.filter(|(_, it)| it.error.is_none()).map(|(id, it)| (id, it.local)).collect()
    }

    /// A client's connection goes on from another address of its machine, and a socket bound to it; false if it could not, and has ended.
    pub(in crate::world) fn quic_move(&mut self, id: QuicId, to: Ipv4Addr) -> bool {
        let Some(connection) = self.quic.get_mut(id) else { return false };
        let (node, old) = (connection.node, connection.local_port);
        let moved = connection.machine.migrate(false, self.now);
        let port = if moved { self.nodes[node as usize].stack.datagram_port() } else { None };
        let Some(connection) = self.quic.get_mut(id) else { return false };
        if let Some(port) = port {
            connection.local = to;
            connection.local_port = port;
            connection.moved = Some(self.now);
            let ports = &mut self.nodes[node as usize].stack.quic.ports;
            ports.swap_remove(&old);
            ports.insert(port, Use::Connection(id));
        } else {
            connection.machine.lose_address();
        }
        self.quic_drain(id);
        port.is_some()
    }

    /// A client goes on from another port.
    fn quic_migrate(&mut self, id: QuicId, ticket: Ticket) {
        let Some(connection) = self.quic.get_mut(id) else {
            self.answer(ticket, Answer::Bound(Err(NetError::Closed)));
            return;
        };
        let (node, old) = (connection.node, connection.local_port);
        let moved = connection.machine.side() == Side::Client && connection.machine.migrate(true, self.now);
        let port = if moved { self.nodes[node as usize].stack.datagram_port() } else { None };
        let Some(port) = port else {
            self.answer(ticket, Answer::Bound(Err(NetError::Unreachable)));
            return;
        };
        if let Some(connection) = self.quic.get_mut(id) {
            connection.local_port = port;
        }
        let ports = &mut self.nodes[node as usize].stack.quic.ports;
        ports.swap_remove(&old);
        ports.insert(port, Use::Connection(id));
        self.answer(ticket, Answer::Bound(Ok((Socket::Quic(id).id(), port))));
        self.quic_drain(id);
    }
}
