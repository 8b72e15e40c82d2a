//! What programs ask of TCP: to connect, to read and write, to let go.

use super::super::World;
use super::super::node::{FourTuple, Node};
use super::super::sockets::{Connection, Reading};
use crate::base::Time;
use crate::host::{Answer, NetError, Ticket, Want};
use crate::trace::Arrival;
use crate::transport::tcp;
use crate::wire::{Dscp, Payload, Seq};
use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::rc::Rc;

use super::ConnectionId;

impl World {
    /// Opens a connection for a program.
    pub(in crate::world) fn tcp_connect(
        &mut self,
        node: u32,
        ticket: Ticket,
        to: SocketAddrV4,
        dscp: Dscp,
        config: &tcp::Config,
    ) {
        if self.is_cut_off(node) {
            self.answer(ticket, Answer::Opened(Err(NetError::Unreachable)));
            return;
        }
        let Node { router, stack, .. } = &mut self.nodes[node as usize];
        let source = router.source();
        let Some(port) = stack.port_towards(*to.ip(), to.port(), |tuple| tuple.at(source, router)) else {
            self.answer(ticket, Answer::Opened(Err(NetError::AddressNotAvailable)));
            return;
        };
        let flow = stack.next_flow();
        let local = (source, port);
        let iss = self.initial_sequence(flow, 0);
        let mut machine = tcp::Connection::connect(config, local, (*to.ip(), to.port()), iss, self.now);
        let cookie = self.nodes[node as usize].stack.cookies.get(to.ip()).copied().filter(|_| config.fast_open);
        if config.fast_open {
            machine.open_fast(cookie);
        }
        let tuple = FourTuple::new(port, *to.ip(), to.port()).at(source, &self.nodes[node as usize].router);
        let id = self.tcp_insert(node, machine, to, (port, tuple), flow);
        if cookie.is_some() {
            // As far as the program can see the connection is open: its first data opens it (`TCP_FASTOPEN_CONNECT`).
            let opened = self.opened(id);
            self.answer(ticket, Answer::Opened(Ok(opened)));
            return;
        }
        if let Some(connection) = self.connections.get_mut(id) {
            connection.connecting = Some(ticket);
            connection.dscp = dscp;
        }
        self.nodes[node as usize].stack.connecting.insert(ticket, id);
        self.tcp_drain(id);
    }

    /// A machine's TCP settings with what a program wants otherwise.
    pub(in crate::world) fn tcp_config(
        &self,
        node: u32,
        congestion: Option<&'static str>,
        nodelay: bool,
    ) -> Rc<tcp::Config> {
        let own = &self.nodes[node as usize].stack.tcp;
        if congestion.is_none() && !nodelay {
            return Rc::clone(own);
        }
        let mut config = (**own).clone();
        if let Some(algorithm) = congestion.and_then(tcp::Algorithm::by_name) {
            config.congestion = algorithm;
        }
        config.nagle &= !nodelay;
        Rc::new(config)
    }

    /// An initial sequence number that differs from flow to flow and run to run, as RFC 6528 asks.
    pub(in crate::world) fn initial_sequence(&self, flow: u64, side: u64) -> Seq {
        let mut digest = crate::base::Digest::default();
        [self.seed, flow, side].into_iter().for_each(|word| digest.fold(word));
        #[expect(clippy::cast_possible_truncation, reason = "32 of 64 mixed bits")]
        Seq(digest.value() as u32)
    }

    pub(in crate::world) fn tcp_insert(
        &mut self,
        node: u32,
        machine: tcp::Connection,
        remote: SocketAddrV4,
        (local_port, tuple): (u16, FourTuple),
        flow: u64,
    ) -> ConnectionId {
        let id = self.connections.insert(Connection {
            machine,
            node,
            local: self.nodes[node as usize].router.source(),
            tuple,
            remote,
            local_port,
            dscp: Dscp::DEFAULT,
            flow,
            scheduled: Time::NEVER,
            connecting: None,
            listener: None,
            reads: VecDeque::new(),
            sink: 0,
            writes: VecDeque::new(),
            fin_due: false,
            held: true,
            error: None,
        });
        self.nodes[node as usize].stack.hold(tuple, id);
        id
    }

    /// A program reads.
    pub(in crate::world) fn tcp_read(&mut self, id: ConnectionId, ticket: Ticket, want: Want) {
        let Some(connection) = self.connections.get_mut(id) else {
            self.answer(ticket, Answer::Read(Err(NetError::Closed)));
            return;
        };
        let reading = Reading { ticket, want, taken: Payload::empty(), count: 0, arrival: Arrival::default() };
        // A program that waits for an answer has nothing to say first.
        let opens = connection.machine.open_now();
        connection.reads.push_back(reading);
        if self.tcp_serve_reads(id) || opens {
            self.tcp_drain(id);
        }
    }

    /// Gives waiting reads what has arrived; true if anything was taken, so that the window may have opened.
    pub(in crate::world) fn tcp_serve_reads(&mut self, id: ConnectionId) -> bool {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.settle_reads();
        }
        let took = self.tcp_serve_settled(id);
        if let Some(connection) = self.connections.get_mut(id) {
            connection.sink_anew();
        }
        took
    }

    pub(in crate::world) fn tcp_serve_settled(&mut self, id: ConnectionId) -> bool {
        let mut took = false;
        while let Some(connection) = self.connections.get_mut(id) {
            let Some(reading) = connection.reads.front_mut() else { break };
            let machine = &mut connection.machine;
            if machine.readable() > 0 {
                took = true;
                match reading.want {
                    Want::Some(max) | Want::Exactly(max) => {
                        if let Some((payload, arrival)) = machine.read(max - reading.count, self.now) {
                            reading.count += payload.len();
                            reading.taken.append(payload);
                            reading.arrival = arrival;
                        }
                    }
                    Want::Discard(max) => {
                        reading.count += machine.discard(max - reading.count, self.now);
                        if reading.count < max && !machine.at_eof() && connection.error.is_none() {
                            break;
                        }
                    }
                }
            }
            let complete = match reading.want {
                Want::Some(max) => reading.count > 0 || max == 0,
                Want::Exactly(n) | Want::Discard(n) => reading.count == n,
            };
            let ended = machine.readable() == 0 && machine.at_eof();
            let failed = connection.error.filter(|_| machine.readable() == 0);
            let (ticket, result) = if complete || (ended && failed.is_none()) {
                let Some(Reading { ticket, want, taken, count, arrival }) = connection.reads.pop_front() else { break };
                let discarded = matches!(want, Want::Discard(_)) && count > 0;
                let arrival = if discarded { machine.discarded() } else { arrival };
                (ticket, Ok((taken, count, arrival)))
            } else if let Some(error) = failed {
                let ticket = reading.ticket;
                connection.reads.pop_front();
                (ticket, Err(error))
            } else {
                break;
            };
            self.answer(ticket, Answer::Read(result));
        }
        took
    }

    /// Bytes that the discarding read under way has counted.
    pub(in crate::world) fn tcp_discarded(&mut self, id: ConnectionId) -> u64 {
        let Some(connection) = self.connections.get_mut(id) else { return 0 };
        connection.settle_reads();
        connection.reads.front().map_or(0, |reading| reading.count)
    }

    /// A program writes.
    pub(in crate::world) fn tcp_write(&mut self, id: ConnectionId, ticket: Ticket, payload: Payload) {
        let error = match self.connections.get(id) {
            Some(connection) if connection.fin_due => Some(NetError::Closed),
            Some(connection) => connection.error,
            None => Some(NetError::Closed),
        };
        if let Some(error) = error {
            self.answer(ticket, Answer::Wrote(Err(error)));
            return;
        }
        if let Some(connection) = self.connections.get_mut(id) {
            connection.writes.push_back((ticket, payload));
        }
        self.tcp_serve_writes(id);
        self.tcp_drain(id);
    }

    /// Moves waiting writes into the send buffer; true if anything went in.
    pub(in crate::world) fn tcp_serve_writes(&mut self, id: ConnectionId) -> bool {
        let mut wrote = false;
        while let Some(connection) = self.connections.get_mut(id) {
            let Some((_, payload)) = connection.writes.front_mut() else {
                if connection.fin_due {
                    connection.machine.shutdown(self.now);
                }
                break;
            };
            let before = payload.len();
            *payload = connection.machine.write(std::mem::take(payload), self.now);
            wrote |= payload.len() < before;
            if !payload.is_empty() {
                break;
            }
            if let Some((ticket, _)) = connection.writes.pop_front() {
                self.answer(ticket, Answer::Wrote(Ok(())));
            }
        }
        wrote
    }

    /// A program has no more to write.
    pub(in crate::world) fn tcp_shutdown(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.fin_due {
            return;
        }
        connection.fin_due = true;
        self.tcp_serve_writes(id);
        self.tcp_drain(id);
    }

    /// A program lets go of a connection.
    pub(in crate::world) fn tcp_close(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.held = false;
        connection.reads.clear();
        connection.sink = 0;
        if connection.machine.is_closed() {
            self.tcp_forget(id);
            return;
        }
        if connection.writes.is_empty() {
            connection.machine.close(self.now);
        } else {
            connection.fin_due = true;
        }
        self.tcp_drain(id);
    }

    /// A program resets a connection.
    pub(in crate::world) fn tcp_abort(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.machine.abort(self.now);
            self.tcp_drain(id);
        }
    }
}
