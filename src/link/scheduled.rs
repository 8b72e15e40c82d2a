//! The way over a link whose queue decides at departure: packets wait here, and each departure is an event of its own.
//!
//! [`Link::offer`] puts a packet among those that wait. When [`Link::wake`] comes and [`Link::take`] has no arrival to tell, it is
//! the turn of [`Link::serve`], to be asked until it has nothing more.

use super::queue::{Config, Gone, Label, Place, Scheduler, Waiting};
use super::{Course, Link, Offered, Special};
use crate::base::{Span, Time};
use crate::trace::Cause;
use crate::wire::{Ecn, Packet};

/// A packet that has left the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left<P> {
    /// Its bits go onto the line from now on. Its way so far is to be brought up to its arrival.
    Departs {
        /// The packet.
        packet: P,
        /// Whether the queue has marked it: congestion experienced.
        marked: bool,
        /// How long it has waited.
        queueing: Span,
        /// How long its bits take.
        serialisation: Span,
        /// How long they travel.
        propagation: Span,
    },
    /// The queue has thrown it out.
    Dropped(P, Cause),
}

impl<P> Left<P> {
    /// Brings the way of a packet that departs up to its arrival, and marks it if the queue did.
    pub fn bring_up(self, packet: &mut Packet) {
        let Self::Departs { marked, queueing, serialisation, propagation, .. } = self else { return };
        if marked {
            packet.ecn = Ecn::CongestionExperienced;
        }
        packet.transit.queueing += queueing;
        packet.transit.serialisation += serialisation;
        packet.transit.propagation += propagation;
    }
}

/// What waits for one direction of a link.
#[derive(Debug)]
pub(super) struct Scheduled<P> {
    scheduler: Scheduler<P>,
    /// Thrown out and not told yet.
    gone: Gone<P>,
    /// When a packet last joined: nothing departs before.
    joined: Time,
    /// Bytes of the packet on the line while the line is busy.
    in_service: u32,
}

impl<P: Copy> Scheduled<P> {
    pub(super) fn new(config: &Config, place: &mut Place<'_>) -> Self {
        Self { scheduler: Scheduler::new(config, place), gone: Vec::new(), joined: Time::ZERO, in_service: 0 }
    }

    /// Packets that wait, and those that are to be told gone.
    pub(super) fn len(&self) -> usize {
        self.scheduler.len() + self.gone.len()
    }

    /// Takes everything out that waits; `fresh` waits for what comes after.
    pub(super) fn empty(&mut self, fresh: Scheduler<P>, now: Time) -> Vec<P> {
        let mut old = std::mem::replace(&mut self.scheduler, fresh);
        let mut out = Vec::new();
        let mut at = now;
        while let Some(ready) = old.ready(at) {
            // A shaper has to be asked when it has tokens: nothing else depends on the clock of a queue that is thrown away.
            at = at.max(ready);
            out.extend(old.dequeue(at, &mut self.gone).map(|waiting| waiting.packet));
        }
        out.extend(self.gone.drain(..).map(|(waiting, _)| waiting.packet));
        out
    }
}

impl<P: Copy + std::fmt::Debug> Link<P> {
    /// When [`Link::serve`] has something to tell: at once if packets were thrown out, else when the line is free and a packet may
    /// go.
    pub(super) fn departure(&self) -> Option<Time> {
        let scheduled = self.special.as_ref()?.scheduled.as_ref()?;
        if scheduled.gone.is_empty() {
            scheduled.scheduler.ready(self.free.max(scheduled.joined))
        } else {
            Some(scheduled.joined)
        }
    }

    /// Offers a packet. One that finds the line free and nobody waiting departs, or is thrown out, at once.
    pub(super) fn offer_scheduled(&mut self, name: P, size: u16, packet: &mut Packet, now: Time) -> Offered {
        let before = self.wake();
        let idle = self.free <= now && self.scheduled().is_some_and(|scheduled| scheduled.len() == 0);
        self.join(name, Label::of(size, packet), now);
        if idle {
            match self.serve(now) {
                Some(left @ Left::Departs { .. }) => left.bring_up(packet),
                Some(Left::Dropped(_, cause)) => return Offered::Refused(cause),
                None => {}
            }
        }
        match self.wake() {
            Some(after) if before != Some(after) => Offered::First(after),
            _ => Offered::Behind,
        }
    }

    /// A packet joins those that wait.
    pub(super) fn join(&mut self, packet: P, label: Label, now: Time) {
        let Some(scheduled) = self.special.as_mut().and_then(|special| special.scheduled.as_mut()) else { return };
        scheduled.joined = now;
        scheduled.scheduler.enqueue(Waiting::new(packet, label, now), &mut scheduled.gone);
        let in_service = if now < self.free { u64::from(scheduled.in_service) } else { 0 };
        self.counters.max_queue = self.counters.max_queue.max(in_service + scheduled.scheduler.bytes());
    }

    /// What leaves the queue at `now`: to be asked until there is nothing more.
    pub fn serve(&mut self, now: Time) -> Option<Left<P>> {
        let mut special = self.special.take()?;
        let left = self.serve_from(&mut special, now);
        self.special = Some(special);
        left
    }

    fn serve_from(&mut self, special: &mut Special<P>, now: Time) -> Option<Left<P>> {
        let scheduled = special.scheduled.as_mut()?;
        if scheduled.gone.is_empty() && self.free <= now {
            // Those thrown out on the way are told next: the line is no longer free.
            if let Some(waiting) = scheduled.scheduler.dequeue(now, &mut scheduled.gone) {
                scheduled.in_service = waiting.label.size;
                return Some(self.depart(&waiting, special, now));
            }
        }
        let (waiting, cause) = scheduled.gone.pop()?;
        let waited = now.since(waiting.since);
        self.counters.queue_integral += u128::from(waiting.label.size) * u128::from(waited.as_nanos());
        self.counters.dropped[cause as usize] += 1;
        Some(Left::Dropped(waiting.packet, cause))
    }

    /// Puts a packet onto the free line.
    fn depart(&mut self, waiting: &Waiting<P>, special: &mut Special<P>, now: Time) -> Left<P> {
        let bytes = waiting.label.size;
        if self.free < now {
            self.line.rest();
        }
        let serialisation = self.line.occupy(bytes);
        let departure = now + serialisation;
        self.free = departure;
        let mut fate = self.loss.fate();
        let (propagation, blame) = special.trouble(&mut fate, self.delay, departure);
        let counters = &mut self.counters;
        counters.sent += 1;
        counters.sent_bytes += u64::from(bytes);
        counters.marked += u64::from(waiting.marked);
        counters.busy += serialisation;
        counters.queue_integral += u128::from(bytes) * u128::from(departure.since(waiting.since).as_nanos());
        let (arrival, packet) = (departure + propagation, waiting.packet);
        let size = u16::try_from(bytes).unwrap_or(u16::MAX);
        match &mut special.shifting {
            Some(shifting) => shifting.push(Course { departure, serialisation, arrival, fate, blame }, packet, size),
            None => self.fifo.push(arrival, packet, size, fate),
        };
        Left::Departs { packet, marked: waiting.marked, queueing: now.since(waiting.since), serialisation, propagation }
    }
}

#[cfg(test)]
mod tests;
