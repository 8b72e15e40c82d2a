//! What programs ask of the world, one by one.

use super::node::Echoing;
use super::sockets::{Listener, Socket};
use super::{Event, World};
use crate::base::Id;
use crate::host::{Answer, Call, NetError, Place, SocketId, Ticket};
use crate::trace::Arrival;
use crate::transport::tcp;
use crate::wire::{Body, Dscp, Ecn, Icmp, Packet, Payload, Transit};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::rc::Rc;

impl World {
    /// Does what a program on `node` asks.
    pub(super) fn call(&mut self, node: u32, call: Call) {
        match call {
            Call::Connect { ticket, to, dscp, congestion, nodelay } => {
                let config = self.tcp_config(node, congestion, nodelay);
                self.tcp_connect(node, ticket, to, dscp, &config);
            }
            Call::Listen { ticket, port, backlog, congestion, nodelay } => {
                let tcp = self.tcp_config(node, congestion, nodelay);
                self.listen(node, ticket, port, backlog, tcp);
            }
            Call::Accept { ticket, listener } => match Socket::of(listener) {
                Socket::QuicListener(id) => self.quic_accept_call(id, ticket),
                _ => self.accept(ticket, listener),
            },
            // A read that was dropped before it came here must take nothing: it would be lost.
            Call::Read { ticket, .. } if !self.executor.is_waited_for(ticket) => {}
            Call::Read { ticket, socket, want } => match Socket::of(socket) {
                Socket::Connection(id) => self.tcp_read(id, ticket, want),
                Socket::QuicStream(id) => self.quic_read(id, ticket, want),
                _ => self.answer(ticket, Answer::Read(Err(NetError::Closed))),
            },
            Call::Discarded { ticket, socket } => {
                let count = match Socket::of(socket) {
                    Socket::Connection(id) => self.tcp_discarded(id),
                    Socket::QuicStream(id) => self.quic_discarded(id),
                    _ => 0,
                };
                self.answer(ticket, Answer::Read(Ok((Payload::empty(), count, Arrival::default()))));
            }
            Call::Write { ticket, socket, payload } => match Socket::of(socket) {
                Socket::Connection(id) => self.tcp_write(id, ticket, payload),
                Socket::QuicStream(id) => self.quic_write(id, ticket, payload),
                _ => self.answer(ticket, Answer::Wrote(Err(NetError::Closed))),
            },
            Call::Shutdown { socket } => match Socket::of(socket) {
                Socket::Connection(id) => self.tcp_shutdown(id),
                Socket::QuicStream(id) => self.quic_finish(id),
                _ => {}
            },
            Call::Abort { socket } => match Socket::of(socket) {
                Socket::Connection(id) => self.tcp_abort(id),
                Socket::Quic(id) => self.quic_abort(id),
                Socket::QuicStream(id) => self.quic_stream_abort(id),
                _ => {}
            },
            Call::Quic { ticket, mut call } => self.quic_call(node, ticket, &mut call),
            Call::Close { socket } => match Socket::of(socket) {
                Socket::Connection(id) => self.tcp_close(id),
                Socket::Listener(id) => self.close_listener(id),
                Socket::Datagrams(id) => self.udp_close(id),
                Socket::Quic(id) => self.quic_close(id),
                Socket::QuicStream(id) => self.quic_stream_close(id),
                Socket::QuicListener(id) => self.quic_close_listener(id),
            },
            Call::Bind { ticket, port, dscp, inbox } => self.udp_bind(node, ticket, (port, dscp), inbox),
            Call::SendTo { socket, to, payload, flow, from } => self.send_to(socket, (from, to), payload, flow),
            Call::Echo { ticket, to, ttl, dscp, data_len } => self.echo(node, ticket, to, (ttl, dscp), data_len),
            Call::Sleep { ticket, until } => {
                if until <= self.now {
                    self.answer(ticket, Answer::Slept);
                } else {
                    self.schedule(node, until, Event::Timer(ticket));
                }
            }
            Call::Tick { ticker, at } => {
                if at <= self.now {
                    self.tick(node, ticker);
                } else {
                    self.schedule(node, at, Event::Tick { node, ticker });
                }
            }
            Call::Steer { steer } => self.nodes[node as usize].stack.steer = Some(steer),
            Call::AnswerFrom { dscp, address } => {
                self.nodes[node as usize].stack.aliases.insert(dscp, address);
            }
            Call::Announce { address, on } => self.announce(node, address, on),
            Call::Cancel { ticket, place } => self.cancel(node, ticket, place),
        }
    }

    fn listen(&mut self, node: u32, ticket: Ticket, port: u16, backlog: u32, tcp: Rc<tcp::Config>) {
        let listeners = &mut self.nodes[node as usize].stack.listeners;
        if listeners.contains_key(&port) {
            self.answer(ticket, Answer::Bound(Err(NetError::AddressInUse)));
            return;
        }
        let id = self.listeners.insert(Listener {
            node,
            port,
            tcp,
            backlog: backlog as usize,
            ready: VecDeque::new(),
            accepts: VecDeque::new(),
        });
        listeners.insert(port, id);
        self.answer(ticket, Answer::Bound(Ok((Socket::Listener(id).id(), port))));
    }

    fn accept(&mut self, ticket: Ticket, listener: SocketId) {
        let Socket::Listener(id) = Socket::of(listener) else { return };
        let Some(listening) = self.listeners.get_mut(id) else {
            self.answer(ticket, Answer::Opened(Err(NetError::Closed)));
            return;
        };
        listening.accepts.push_back(ticket);
        self.tcp_hand_over(id);
    }

    /// A listener goes: connections that nobody has accepted are reset.
    fn close_listener(&mut self, id: Id<Listener>) {
        let Some(listener) = self.listeners.remove(id) else { return };
        self.nodes[listener.node as usize].stack.listeners.swap_remove(&listener.port);
        for connection in listener.ready {
            self.tcp_abort(connection);
            self.tcp_close(connection);
        }
    }

    fn echo(&mut self, node: u32, ticket: Ticket, to: Ipv4Addr, (ttl, dscp): (u8, Dscp), data_len: u32) {
        let now = self.now;
        let stack = &mut self.nodes[node as usize].stack;
        let sequence = stack.next_echo();
        let flow = stack.next_flow();
        stack.echoes.insert(sequence, Echoing { ticket, sent: now });
        #[expect(clippy::cast_possible_truncation, reason = "an identifier only has to be the host's own")]
        let identifier = node as u16;
        let packet = Packet {
            src: self.nodes[node as usize].router.source(),
            dst: to,
            ttl,
            dscp,
            ecn: Ecn::NotCapable,
            ident: 0,
            body: Body::Icmp(Icmp::EchoRequest { identifier, sequence, data_len }),
            transit: Transit { flow, first_sent: now, sent: now, ..Transit::default() },
        };
        self.send(node, packet);
    }

    /// Nobody waits for a call any more: it is taken away from where it waited, so that nothing is handed to nobody.
    fn cancel(&mut self, node: u32, ticket: Ticket, place: Place) {
        let stack = &mut self.nodes[node as usize].stack;
        match place {
            Place::Timer | Place::Nowhere => {}
            Place::Echo => stack.echoes.retain(|_, echo| echo.ticket != ticket),
            Place::Connect => {
                if let Some(id) = stack.connecting.swap_remove(&ticket) {
                    self.tcp_abort(id);
                    self.tcp_close(id);
                } else {
                    self.quic_cancel_connect(node, ticket);
                }
            }
            Place::Socket(socket) => match Socket::of(socket) {
                Socket::Connection(id) => {
                    if let Some(connection) = self.connections.get_mut(id) {
                        connection.settle_reads();
                        connection.reads.retain(|reading| reading.ticket != ticket);
                        connection.sink_anew();
                        connection.writes.retain(|(waiting, _)| *waiting != ticket);
                    }
                }
                Socket::Listener(id) => {
                    if let Some(listener) = self.listeners.get_mut(id) {
                        listener.accepts.retain(|&waiting| waiting != ticket);
                    }
                }
                Socket::Quic(id) => self.quic_cancel_stream(id, ticket),
                Socket::QuicStream(id) => self.quic_cancel(id, ticket),
                Socket::QuicListener(id) => self.quic_cancel_accept(id, ticket),
                // Nothing is asked of a UDP socket that has to wait.
                Socket::Datagrams(_) => {}
            },
        }
    }
}
