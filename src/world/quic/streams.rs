//! Streams: opened and accepted, read and written by programs.

use super::{QuicId, QuicStream};
use crate::base::Id;
use crate::host::{Answer, NetError, Opened, Ticket, Want};
use crate::trace::Arrival;
use crate::wire::Payload;
use crate::wire::quic::{Dir, StreamId};
use crate::world::World;
use crate::world::sockets::{Reading, Socket};
use std::collections::VecDeque;

impl World {
    fn quic_stream_insert(&mut self, connection: QuicId, id: StreamId) -> Option<Opened> {
        let stream = self.quic_streams.insert(QuicStream {
            connection,
            id,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            fin_due: false,
            held: true,
        });
        self.quic.get_mut(connection)?.streams.insert(id, stream);
        let stream_index = u32::try_from(id.index()).unwrap_or(u32::MAX);
        Some(Opened { socket: Socket::QuicStream(stream).id(), stream: stream_index, ..self.quic_opened(connection) })
    }

    /// A program opens a stream.
    pub(super) fn quic_open(&mut self, id: QuicId, ticket: Ticket) {
        let error = match self.quic.get_mut(id) {
            None => Some(NetError::Closed),
            Some(connection) => connection.error.or((!connection.machine.is_open()).then_some(NetError::Closed)),
        };
        if let Some(error) = error {
            self.answer(ticket, Answer::Opened(Err(error)));
            return;
        }
        if let Some(connection) = self.quic.get_mut(id) {
            connection.opens.push_back(ticket);
        }
        self.quic_open_waiting(id);
        // A new stream by itself says nothing; that none may be opened does.
        if self.quic.get(id).is_some_and(|connection| !connection.opens.is_empty()) {
            self.quic_drain(id);
        }
    }

    /// Opens as many streams as programs wait for and the peer allows.
    pub(super) fn quic_open_waiting(&mut self, id: QuicId) {
        while let Some(connection) = self.quic.get_mut(id)
            && !connection.opens.is_empty()
            && let Some(stream) = connection.machine.open(Dir::Bi, self.now)
        {
            let ticket = connection.opens.pop_front();
            if let Some(opened) = self.quic_stream_insert(id, stream)
                && let Some(ticket) = ticket
            {
                self.answer(ticket, Answer::Opened(Ok(opened)));
            }
        }
    }

    /// A program waits for a stream of the peer's.
    pub(super) fn quic_accept_stream(&mut self, id: QuicId, ticket: Ticket) {
        match self.quic.get_mut(id) {
            None => self.answer(ticket, Answer::Opened(Err(NetError::Closed))),
            Some(connection) => {
                if let Some(error) = connection.error.filter(|_| connection.incoming.is_empty()) {
                    self.answer(ticket, Answer::Opened(Err(error)));
                    return;
                }
                connection.accepts.push_back(ticket);
                self.quic_hand_over_streams(id);
            }
        }
    }

    /// Gives the peer's streams to the calls that wait for them.
    pub(super) fn quic_hand_over_streams(&mut self, id: QuicId) {
        while let Some(connection) = self.quic.get_mut(id)
            && !connection.incoming.is_empty()
            && let Some(ticket) = connection.accepts.pop_front()
            && let Some(stream) = connection.incoming.pop_front()
        {
            if let Some(opened) = self.quic_stream_insert(id, stream) {
                self.answer(ticket, Answer::Opened(Ok(opened)));
            }
        }
    }

    /// A program reads from a stream.
    pub(in crate::world) fn quic_read(&mut self, stream: Id<QuicStream>, ticket: Ticket, want: Want) {
        let Some(reading) = self.quic_streams.get_mut(stream) else {
            self.answer(ticket, Answer::Read(Err(NetError::Closed)));
            return;
        };
        let connection = reading.connection;
        let read = Reading { ticket, want, taken: Payload::empty(), count: 0, arrival: Arrival::default() };
        reading.reads.push_back(read);
        if self.quic_serve_reads(stream) {
            self.quic_drain(connection);
        }
    }

    /// Gives waiting reads what has arrived; true if anything was taken, so that there may be credit to send.
    pub(super) fn quic_serve_reads(&mut self, stream: Id<QuicStream>) -> bool {
        let mut took = false;
        while let Some(QuicStream { connection, id, reads, .. }) = self.quic_streams.get_mut(stream)
            && let Some(reading) = reads.front_mut()
            && let Some(connection) = self.quic.get_mut(*connection)
        {
            let (id, machine) = (*id, &mut connection.machine);
            let (max, keep) = match reading.want {
                Want::Some(max) | Want::Exactly(max) => (max, true),
                Want::Discard(max) => (max, false),
            };
            if let Some((payload, arrival)) = machine.read(id, max - reading.count, self.now) {
                took = true;
                reading.count += payload.len();
                reading.arrival = arrival;
                if keep {
                    reading.taken.append(payload);
                }
            }
            let complete = match reading.want {
                Want::Some(_) => reading.count > 0 || max == 0,
                Want::Exactly(n) | Want::Discard(n) => reading.count == n,
            };
            let failed = connection.error.filter(|_| machine.readable(id) == 0);
            let result = match machine.end_of(id) {
                _ if complete => Ok((std::mem::take(&mut reading.taken), reading.count, reading.arrival)),
                Some(Ok(())) => {
                    machine.acknowledge_end(id);
                    Ok((std::mem::take(&mut reading.taken), reading.count, reading.arrival))
                }
                Some(Err(_)) => {
                    machine.acknowledge_end(id);
                    Err(failed.unwrap_or(NetError::Reset))
                }
                None => match failed {
                    Some(error) => Err(error),
                    None => break,
                },
            };
            let ticket = reading.ticket;
            reads.pop_front();
            self.answer(ticket, Answer::Read(result));
        }
        took
    }

    /// Bytes that the discarding read under way has counted.
    pub(in crate::world) fn quic_discarded(&self, stream: Id<QuicStream>) -> u64 {
        let reading = self.quic_streams.get(stream).and_then(|stream| stream.reads.front());
        reading.map_or(0, |reading| reading.count)
    }

    /// A program writes to a stream.
    pub(in crate::world) fn quic_write(&mut self, stream: Id<QuicStream>, ticket: Ticket, payload: Payload) {
        let Some(writing) = self.quic_streams.get_mut(stream).filter(|stream| !stream.fin_due) else {
            self.answer(ticket, Answer::Wrote(Err(NetError::Closed)));
            return;
        };
        writing.writes.push_back((ticket, payload));
        let connection = writing.connection;
        self.quic_serve_writes(stream);
        self.quic_drain(connection);
    }

    /// Moves waiting writes into the stream's buffer; true if anything went in.
    pub(super) fn quic_serve_writes(&mut self, stream: Id<QuicStream>) -> bool {
        let mut wrote = false;
        while let Some(QuicStream { connection, id, writes, fin_due, .. }) = self.quic_streams.get_mut(stream)
            && let Some(connection) = self.quic.get_mut(*connection)
        {
            let error = connection.error.or(connection.machine.is_stopped(*id).then_some(NetError::Reset));
            let Some((_, payload)) = writes.front_mut() else {
                if *fin_due {
                    connection.machine.finish(*id);
                    wrote = true;
                }
                break;
            };
            let before = payload.len();
            if error.is_none() {
                *payload = connection.machine.write(*id, std::mem::take(payload));
            }
            wrote |= payload.len() < before;
            if error.is_none() && !payload.is_empty() {
                break;
            }
            if let Some((ticket, _)) = writes.pop_front() {
                self.answer(ticket, Answer::Wrote(error.map_or(Ok(()), Err)));
            }
        }
        wrote
    }

    /// A program has no more to write.
    pub(in crate::world) fn quic_finish(&mut self, stream: Id<QuicStream>) {
        let Some(finishing) = self.quic_streams.get_mut(stream) else { return };
        finishing.fin_due = true;
        let connection = finishing.connection;
        self.quic_serve_writes(stream);
        self.quic_drain(connection);
    }

    /// A program lets go of a stream: what it wrote is delivered, what comes is not wanted.
    pub(in crate::world) fn quic_stream_close(&mut self, stream: Id<QuicStream>) {
        let Some(closing) = self.quic_streams.get_mut(stream) else { return };
        closing.held = false;
        closing.reads.clear();
        closing.fin_due = true;
        let connection = closing.connection;
        self.quic_serve_writes(stream);
        let Some(QuicStream { id, .. }) = self.quic_streams.remove(stream) else { return };
        if let Some(connection) = self.quic.get_mut(connection) {
            connection.streams.swap_remove(&id);
            connection.machine.stop(id, 0, self.now);
            connection.machine.finish(id);
        }
        self.quic_drain(connection);
    }

    /// A program gives up a stream in both directions.
    pub(in crate::world) fn quic_stream_abort(&mut self, stream: Id<QuicStream>) {
        let Some(QuicStream { connection, id, .. }) = self.quic_streams.get_mut(stream) else { return };
        let (connection, id) = (*connection, *id);
        if let Some(connection) = self.quic.get_mut(connection) {
            connection.machine.reset(id, 0);
            connection.machine.stop(id, 0, self.now);
        }
        self.quic_drain(connection);
    }

    /// Nobody waits for a read or write any more.
    pub(in crate::world) fn quic_cancel(&mut self, stream: Id<QuicStream>, ticket: Ticket) {
        if let Some(stream) = self.quic_streams.get_mut(stream) {
            stream.reads.retain(|reading| reading.ticket != ticket);
            stream.writes.retain(|(waiting, _)| *waiting != ticket);
        }
    }
}
