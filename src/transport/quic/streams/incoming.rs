//! What arrives on streams, and the credit that reading it earns the peer.

use super::{Result, StreamId, Streams, note};
use crate::base::{Span, Time};
use crate::trace::Arrival;
use crate::transport::quic::signals::{Code, Event};
use crate::wire::Payload;

impl Streams {
    /// Wants no more of what the peer sends.
    pub(in crate::transport::quic) fn stop(&mut self, id: StreamId, code: u64, rtt: Span, now: Time) {
        let Some(incoming) = self.incoming(id) else { return };
        if incoming.over || incoming.stopped.is_some() {
            return;
        }
        incoming.stopped = Some(code);
        let unread = incoming.throw_away();
        // Without a known end the peer is asked to stop; what still comes is dropped.
        if !incoming.over {
            note(&mut self.frames.stops, id);
        }
        self.consumed(id, unread, rtt, now);
        self.forget_if_done(id);
    }

    /// Bytes that can be read of the stream.
    pub(in crate::transport::quic) fn readable(&self, id: StreamId) -> u64 {
        let incoming = self.all.get(&id).and_then(|stream| stream.incoming.as_ref());
        incoming.map_or(0, |incoming| incoming.assembler.readable())
    }

    /// Whether nothing more can be read: the stream has ended, or its sender has given up (`Err`, with the code).
    pub(in crate::transport::quic) fn at_end(&self, id: StreamId) -> Option<std::result::Result<(), u64>> {
        let Some(stream) = self.all.get(&id) else { return Some(Ok(())) };
        let Some(incoming) = &stream.incoming else { return Some(Ok(())) };
        if let Some(code) = incoming.reset.or(incoming.stopped) {
            return Some(Err(code));
        }
        (incoming.final_size == Some(incoming.assembler.bytes_read())).then_some(Ok(()))
    }

    /// Takes at most `max` bytes in order, and the way of the last one.
    pub(in crate::transport::quic) fn read(
        &mut self,
        id: StreamId,
        max: u64,
        rtt: Span,
        now: Time,
    ) -> Option<(Payload, Arrival)> {
        let incoming = self.incoming(id)?;
        let read = incoming.assembler.read(max)?;
        if incoming.final_size == Some(incoming.assembler.bytes_read()) {
            incoming.over = true;
        }
        self.consumed(id, read.0.len(), rtt, now);
        self.forget_if_done(id);
        Some(read)
    }

    /// The reader has taken note of the end.
    pub(in crate::transport::quic) fn end_seen(&mut self, id: StreamId) {
        if self.at_end(id).is_some()
            && let Some(incoming) = self.incoming(id)
        {
            incoming.over = true;
            self.forget_if_done(id);
        }
    }

    /// So many bytes have been read or thrown away: credit follows.
    pub(super) fn consumed(&mut self, id: StreamId, bytes: u64, rtt: Span, now: Time) {
        self.read += bytes;
        self.frames.max_data |= self.credit.update(self.read, rtt, now);
        if let Some(incoming) = self.incoming(id)
            && incoming.final_size.is_none()
            && incoming.stopped.is_none()
            && incoming.credit.update(incoming.assembler.bytes_read(), rtt, now)
        {
            note(&mut self.frames.max_stream_data, id);
        }
    }

    /// Tells the program that the stream can be read, once until it is polled.
    pub(super) fn tell_readable(&mut self, id: StreamId) {
        if let Some(stream) = self.all.get_mut(&id)
            && !std::mem::replace(&mut stream.readable_told, true)
        {
            self.events.push_back(Event::Readable(id));
        }
    }

    /// The highest offset of a stream has moved: checks limits (RFC 9000 4.1, 4.5) and counts.
    pub(super) fn advance(&mut self, id: StreamId, end: u64, is_end: bool) -> Result<()> {
        let (received, max) = (self.received, self.credit.max);
        let Some(incoming) = self.incoming(id) else { return Ok(()) };
        let contradiction = match incoming.final_size {
            Some(size) => end > size || (is_end && end != size),
            None => is_end && end < incoming.highest,
        };
        if contradiction {
            return Err(Code::FINAL_SIZE);
        }
        let more = end.saturating_sub(incoming.highest);
        if end > incoming.credit.max || received + more > max {
            return Err(Code::FLOW_CONTROL);
        }
        incoming.highest = incoming.highest.max(end);
        if is_end {
            incoming.final_size = Some(end);
        }
        self.received += more;
        Ok(())
    }

    /// A STREAM frame has come.
    pub(in crate::transport::quic) fn take_data(
        &mut self,
        id: StreamId,
        offset: u64,
        fin: bool,
        data: Payload,
        arrival: Arrival,
    ) -> Result<()> {
        if !self.reach(id, true, arrival.arrived)? {
            return Ok(());
        }
        self.advance(id, offset + data.len(), fin)?;
        let Some(incoming) = self.incoming(id) else { return Ok(()) };
        if incoming.reset.is_some() {
            return Ok(());
        }
        let more = incoming.assembler.insert(offset, data, arrival);
        if incoming.stopped.is_some() {
            // Nobody reads it: it is consumed as it comes.
            let dropped = incoming.throw_away();
            self.consumed(id, dropped, Span::ZERO, arrival.arrived);
            self.forget_if_done(id);
        } else if more || incoming.final_size == Some(incoming.assembler.in_order()) {
            self.tell_readable(id);
        }
        Ok(())
    }

    /// A RESET_STREAM frame has come.
    pub(in crate::transport::quic) fn take_reset(
        &mut self,
        id: StreamId,
        code: u64,
        final_size: u64,
        now: Time,
    ) -> Result<()> {
        if !self.reach(id, true, now)? {
            return Ok(());
        }
        self.advance(id, final_size, true)?;
        let Some(incoming) = self.incoming(id) else { return Ok(()) };
        if incoming.reset.is_some() || incoming.over {
            return Ok(());
        }
        // What has not been read is dropped, and does not hold the connection's credit (RFC 9000 4.5).
        incoming.reset = Some(code);
        let unread = incoming.throw_away();
        incoming.over = incoming.stopped.is_some();
        self.consumed(id, unread, Span::ZERO, now);
        self.tell_readable(id);
        self.forget_if_done(id);
        Ok(())
    }

    pub(in crate::transport::quic) fn stop_of(&self, id: StreamId) -> Option<u64> {
        let incoming = self.all.get(&id)?.incoming.as_ref()?;
        incoming.stopped.filter(|_| incoming.final_size.is_none())
    }

    /// Credit of a stream as the peer is to be told; `None` if it needs no more.
    pub(in crate::transport::quic) fn credit_of(&self, id: StreamId) -> Option<u64> {
        let incoming = self.all.get(&id)?.incoming.as_ref()?;
        incoming.final_size.is_none().then_some(incoming.credit.max)
    }

    /// Bytes that have arrived, by highest offsets, and have not been read.
    #[cfg(test)]
    pub(in crate::transport::quic) const fn unread(&self) -> u64 {
        self.received - self.read
    }
}
