//! What is sent on streams: in turn, as far as the peer's credit goes.

use super::{Result, Sending, StreamId, Streams, note};
use crate::base::Time;
use crate::transport::quic::send::Run;
use crate::transport::quic::signals::Event;
use crate::wire::Payload;
use crate::wire::quic::Dir;

impl Streams {
    /// Appends data and returns what it has no room for; [`Event::Writable`] tells when there is room again.
    pub(in crate::transport::quic) fn write(&mut self, id: StreamId, mut payload: Payload) -> Payload {
        let buffer = self.send_buffer;
        let Some(sending) = self.sending(id) else { return payload };
        if sending.reset.is_some() || sending.out.is_ended() {
            return payload;
        }
        let room = buffer.saturating_sub(sending.out.buffered());
        sending.out.write(payload.split_to(room));
        sending.starved = !payload.is_empty();
        if sending.out.is_blocked(sending.max) && sending.blocked_at != Some(sending.max) && sending.max > 0 {
            sending.blocked_at = Some(sending.max);
            note(&mut self.frames.stream_blocked, id);
        }
        self.queue(id);
        payload
    }

    /// The stream ends behind what has been written.
    pub(in crate::transport::quic) fn finish(&mut self, id: StreamId) {
        if let Some(sending) = self.sending(id)
            && sending.reset.is_none()
        {
            sending.out.end();
            self.queue(id);
        }
    }

    /// Gives up sending.
    pub(in crate::transport::quic) fn reset(&mut self, id: StreamId, code: u64) {
        if let Some(sending) = self.sending(id)
            && sending.reset.is_none()
            && !sending.out.is_done()
        {
            sending.reset = Some(code);
            sending.out.clear();
            note(&mut self.frames.resets, id);
        }
    }

    /// A STOP_SENDING frame has come: it is answered by a reset (RFC 9000 3.5).
    pub(in crate::transport::quic) fn take_stop(&mut self, id: StreamId, code: u64, now: Time) -> Result<()> {
        if self.reach(id, false, now)? && self.sending(id).is_some_and(|sending| sending.reset.is_none()) {
            self.reset(id, code);
            self.events.push_back(Event::Stopped(id, code));
        }
        Ok(())
    }

    /// MAX_DATA.
    pub(in crate::transport::quic) fn take_max_data(&mut self, max: u64) {
        self.may_send = self.may_send.max(max);
    }

    /// MAX_STREAM_DATA.
    pub(in crate::transport::quic) fn take_max_stream_data(&mut self, id: StreamId, max: u64, now: Time) -> Result<()> {
        if self.reach(id, false, now)?
            && let Some(sending) = self.sending(id)
            && max > sending.max
        {
            sending.max = max;
            self.queue(id);
        }
        Ok(())
    }

    /// MAX_STREAMS.
    pub(in crate::transport::quic) fn take_max_streams(&mut self, dir: Dir, max: u64) {
        let kind = dir as usize;
        self.may_open[kind] = self.may_open[kind].max(max);
        self.offer_streams();
    }

    /// The code of a stream that is to be reset, and its final size; or of one that is to be stopped.
    pub(in crate::transport::quic) fn reset_of(&self, id: StreamId) -> Option<(u64, u64)> {
        let sending = self.all.get(&id)?.sending.as_ref()?;
        Some((sending.reset?, sending.out.sent()))
    }

    /// The limit that holds a stream back, if one does.
    pub(in crate::transport::quic) fn blocked_limit(&self, id: StreamId) -> Option<u64> {
        let sending = self.all.get(&id)?.sending.as_ref()?;
        sending.out.is_blocked(sending.max).then_some(sending.max)
    }

    /// Whether some stream has bytes that credit lets go.
    pub(in crate::transport::quic) fn has_data(&self) -> bool {
        self.turn.iter().any(|id| self.next_run(*id).is_some())
    }

    pub(super) fn next_run(&self, id: StreamId) -> Option<Run> {
        let sending = self.all.get(&id)?.sending.as_ref()?;
        if sending.reset.is_some() {
            return None;
        }
        let credit = sending.out.sent() + self.may_send.saturating_sub(self.sent);
        sending.out.next_run(sending.max.min(credit))
    }

    /// The next piece of stream data, chosen in turn: `fit` says how many bytes fit for a stream and a run, or that none does;
    /// only data first sent at `first_sent` if that is given.
    pub(in crate::transport::quic) fn next_data(
        &mut self,
        first_sent: Option<Time>,
        now: Time,
        fit: impl Fn(StreamId, u64, u64) -> Option<u64>,
    ) -> Option<(StreamId, Run, Payload)> {
        for _ in 0..self.turn.len() {
            let id = *self.turn.front()?;
            let Some(mut run) = self.next_run(id) else {
                self.turn.pop_front();
                self.note_blocked(id);
                if let Some(stream) = self.all.get_mut(&id) {
                    stream.queued = false;
                    // What only the connection's credit holds back keeps its turn.
                    self.queue(id);
                }
                continue;
            };
            if first_sent.is_some_and(|first_sent| run.first_sent.unwrap_or(now) != first_sent) {
                self.turn.rotate_left(1);
                continue;
            }
            let len = fit(id, run.start, run.end - run.start)?;
            if run.end - run.start > len {
                run.end = run.start + len;
                run.fin = false;
            }
            let payload = self.sending(id)?.out.take(run, now);
            if run.first_sent.is_none() {
                self.sent += run.end - run.start;
            }
            // The next packet begins with the next stream.
            self.turn.pop_front();
            if let Some(stream) = self.all.get_mut(&id) {
                stream.queued = false;
            }
            self.queue(id);
            self.note_blocked(id);
            return Some((id, run, payload));
        }
        None
    }

    /// Tells the peer once for each limit that it holds us back (RFC 9000 4.1).
    pub(super) fn note_blocked(&mut self, id: StreamId) {
        let at_limit = self.sent >= self.may_send;
        let Some(sending) = self.sending(id) else { return };
        let more = sending.out.written() > sending.out.sent();
        if sending.out.is_blocked(sending.max) && sending.blocked_at != Some(sending.max) {
            sending.blocked_at = Some(sending.max);
            note(&mut self.frames.stream_blocked, id);
        }
        if more && at_limit && self.blocked_at != Some(self.may_send) {
            self.blocked_at = Some(self.may_send);
            self.frames.data_blocked = true;
        }
    }

    /// The peer has these bytes.
    pub(in crate::transport::quic) fn acknowledged(&mut self, id: StreamId, start: u64, end: u64, fin: bool) {
        let Some(sending) = self.sending(id) else { return };
        let room = sending.reset.is_none() && sending.out.acknowledge(start, end, fin);
        if room && std::mem::take(&mut sending.starved) {
            self.events.push_back(Event::Writable(id));
        }
        self.forget_if_done(id);
    }

    /// The peer knows that we gave the stream up.
    pub(in crate::transport::quic) fn reset_acknowledged(&mut self, id: StreamId) {
        if let Some(sending) = self.sending(id) {
            sending.reset_acked = true;
            self.forget_if_done(id);
        }
    }

    /// These bytes are to be sent again.
    pub(in crate::transport::quic) fn lost(&mut self, id: StreamId, start: u64, end: u64, fin: bool, first_sent: Time) {
        if let Some(sending) = self.sending(id)
            && sending.reset.is_none()
        {
            sending.out.lose(start, end, fin, first_sent);
            self.queue(id);
        }
    }

    /// Whether everything written has been acknowledged.
    pub(in crate::transport::quic) fn is_settled(&self) -> bool {
        let settled = |sending: &Sending| {
            sending
                .reset
                .map_or(sending.out.buffered() == 0 && (!sending.out.is_ended() || sending.out.is_done()), |_| {
                    sending.reset_acked
                })
        };
        self.all.values().all(|stream| stream.sending.as_ref().is_none_or(settled))
    }
}
