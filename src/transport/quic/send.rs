//! The sending side of a stream of bytes: what waits, what is in flight, what is lost, what has arrived.

use crate::base::Time;
use crate::wire::Payload;

/// A run of bytes to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The stream ends behind it.
    pub(super) fin: bool,
    /// When the bytes were first sent, if this is again.
    pub(super) first_sent: Option<Time>,
}

/// Bytes on their way to the peer, by offset from the start of the stream.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Bytes from `base` on, which have not been acknowledged up to a hole.
    buffer: Payload,
    base: u64,
    /// First offset that has never been sent.
    next: u64,
    /// Acknowledged above `base`: disjoint runs in order.
    acked: Vec<(u64, u64)>,
    /// To be sent again: disjoint runs in order, with the time of their first transmission.
    lost: Vec<(u64, u64, Time)>,
    /// No more will be written.
    ended: bool,
    fin_sent: Option<Time>,
    fin_lost: bool,
    fin_acked: bool,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Offset behind everything written.
    pub(super) const fn written(&self) -> u64 {
        self.base + self.buffer.len()
    }

    /// Bytes written and not acknowledged.
    pub(super) const fn buffered(&self) -> u64 {
        self.buffer.len()
    }

    /// First offset never sent.
    pub(super) const fn sent(&self) -> u64 {
        self.next
    }

    /// Whether the end has been written.
    pub(super) const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Everything, the end included, has been acknowledged.
    pub(super) const fn is_done(&self) -> bool {
        self.fin_acked && self.buffer.is_empty()
    }

    pub(super) fn write(&mut self, payload: Payload) {
        debug_assert!(!self.ended, "nothing is written behind the end");
        self.buffer.append(payload);
    }

    /// The stream ends here.
    pub(super) const fn end(&mut self) {
        self.ended = true;
    }

    /// Forgets everything: the stream has been reset.
    pub(super) fn clear(&mut self) {
        *self = Self { base: self.next, next: self.next, ..Self::default() };
    }

    /// Whether new bytes or the end wait, with credit up to the offset `limit`.
    fn has_new(&self, limit: u64) -> bool {
        self.next < self.written().min(limit) || (self.ended && self.fin_sent.is_none() && self.next == self.written())
    }

    /// Whether there is something to send with credit up to the offset `limit`.
    pub(super) fn has_data(&self, limit: u64) -> bool {
        !self.lost.is_empty() || self.fin_lost || self.has_new(limit)
    }

    /// Whether credit, not data, is missing.
    pub(super) const fn is_blocked(&self, limit: u64) -> bool {
        self.next >= limit && self.next < self.written()
    }

    /// What to send next, without a bound on its length: what is lost first, then new bytes up to `limit`.
    pub(super) fn next_run(&self, limit: u64) -> Option<Run> {
        if let Some(&(start, end, first_sent)) = self.lost.first() {
            let fin = self.fin_lost && end == self.written();
            return Some(Run { start, end, fin, first_sent: Some(first_sent) });
        }
        if self.fin_lost {
            let at = self.written();
            return Some(Run { start: at, end: at, fin: true, first_sent: self.fin_sent });
        }
        if !self.has_new(limit) {
            return None;
        }
        let end = self.written().min(limit).max(self.next);
        Some(Run { start: self.next, end, fin: self.ended && end == self.written(), first_sent: None })
    }

    /// The bytes of a run, or of its beginning, as they are sent now.
    pub(super) fn take(&mut self, run: Run, now: Time) -> Payload {
        let payload = self.buffer.slice(run.start - self.base, run.end - run.start);
        if run.first_sent.is_none() {
            self.next = self.next.max(run.end);
        } else if let Some(first) = self.lost.first_mut()
            && first.0 == run.start
            && run.end > run.start
        {
            first.0 = run.end;
            if first.0 >= first.1 {
                self.lost.remove(0);
            }
        }
        if run.fin {
            self.fin_lost = false;
            self.fin_sent.get_or_insert(now);
        }
        payload
    }

    /// The peer has the bytes `start..end`; true if the buffer has more room than before.
    pub(super) fn acknowledge(&mut self, start: u64, end: u64, fin: bool) -> bool {
        if fin && self.ended {
            self.fin_acked = true;
            self.fin_lost = false;
        }
        if end <= self.base || start == end {
            return false;
        }
        self.forget_lost(start, end);
        let (mut from, mut to) = (start.max(self.base), end);
        let first = self.acked.partition_point(|run| run.1 < from);
        let last = self.acked.partition_point(|run| run.0 <= to);
        if first < last {
            from = from.min(self.acked[first].0);
            to = to.max(self.acked[last - 1].1);
        }
        if from > self.base {
            self.acked.splice(first..last, [(from, to)]);
            return false;
        }
        self.acked.drain(first..last);
        drop(self.buffer.split_to(to - self.base));
        self.base = to;
        true
    }

    /// What has been acknowledged need not be sent again.
    fn forget_lost(&mut self, start: u64, end: u64) {
        if self.lost.is_empty() {
            return;
        }
        let old = std::mem::take(&mut self.lost);
        for (from, to, first_sent) in old {
            for (from, to) in [(from, to.min(start)), (from.max(end), to)] {
                if from < to {
                    self.lost.push((from, to, first_sent));
                }
            }
        }
    }

    /// The bytes `start..end` have been lost, or a probe is to carry them again.
    pub(super) fn lose(&mut self, start: u64, end: u64, fin: bool, first_sent: Time) {
        if fin && self.ended && !self.fin_acked {
            self.fin_lost = true;
        }
        let mut from = start.max(self.base);
        let holes: Vec<(u64, u64)> = self
            .acked
            .iter()
            .copied()
            .chain(self.lost.iter().map(|run| (run.0, run.1)))
            .filter(|run| run.1 > from && run.0 < end)
            .collect();
        let mut holes = holes;
        holes.sort_unstable();
        for (low, high) in holes.into_iter().chain([(end, end)]) {
            if from < low {
                let at = self.lost.partition_point(|run| run.0 < from);
                self.lost.insert(at, (from, low, first_sent));
            }
            from = from.max(high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Span};

    #[test]
    fn whatever_is_lost_every_byte_is_sent_until_it_is_acknowledged() {
        let mut rng = Rng::stream(5, "test/quic/outgoing");
        for _ in 0..200 {
            let mut out = Outgoing::new();
            let total = 1 + rng.below(300);
            out.write(Payload::filler(total));
            out.end();
            let mut arrived = vec![false; usize::try_from(total).unwrap()];
            let (mut fin, mut flying, mut now) = (false, Vec::new(), Time::ZERO);
            for round in 0.. {
                assert!(round < 10_000, "it never ends");
                now += Span::from_millis(1);
                if let Some(mut run) = out.next_run(u64::MAX)
                    && rng.chance(0.6)
                {
                    let most = 1 + rng.below(50);
                    if run.end - run.start > most {
                        run.end = run.start + most;
                        run.fin = false;
                    }
                    assert_eq!(out.take(run, now).len(), run.end - run.start);
                    flying.push((run, run.first_sent.unwrap_or(now)));
                }
                if !flying.is_empty() && rng.chance(0.5) {
                    let at = usize::try_from(rng.below(flying.len() as u64)).unwrap();
                    let (run, first_sent) = flying.swap_remove(at);
                    if rng.chance(0.4) {
                        out.lose(run.start, run.end, run.fin, first_sent);
                    } else {
                        out.acknowledge(run.start, run.end, run.fin);
                        (run.start..run.end).for_each(|at| arrived[usize::try_from(at).unwrap()] = true);
                        fin |= run.fin;
                    }
                }
                if out.is_done() {
                    break;
                }
                assert!(out.has_data(u64::MAX) || !flying.is_empty(), "something is forgotten");
            }
            assert!(fin && !arrived.contains(&false));
        }
    }

    #[test]
    fn credit_bounds_new_bytes_only() {
        let mut out = Outgoing::new();
        out.write(Payload::filler(100));
        let run = out.next_run(40).unwrap();
        assert_eq!((run.start, run.end), (0, 40));
        out.take(run, Time::ZERO);
        assert!(out.is_blocked(40) && !out.has_data(40));
        out.lose(0, 40, false, Time::ZERO);
        assert_eq!(out.next_run(40).unwrap().first_sent, Some(Time::ZERO));
    }
}
