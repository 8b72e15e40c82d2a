//! Disciplines that decide when the line is free: which of the packets that wait goes next, and which are thrown out.

use super::codel::Codel;
use super::fifo::Fifo;
use super::fq_codel::FqCodel;
use super::packet::{Gone, Waiting};
use super::priority::Priority;
use super::shaper::Shaper;
use super::{Config, Gate};
use crate::base::{BitRate, Rng, Time};

/// What a discipline must know of the link that it stands before.
pub(in crate::link) struct Place<'a> {
    /// Largest packet, in bytes.
    pub(in crate::link) mtu: u32,
    /// Rate of the line.
    pub(in crate::link) rate: BitRate,
    /// Chance by purpose, each time it is asked for under another name.
    pub(in crate::link) chance: &'a mut dyn FnMut(&str) -> Rng,
}

impl Place<'_> {
    /// The same for someone further inside.
    pub(super) fn reborrow(&mut self) -> Place<'_> {
        Place { mtu: self.mtu, rate: self.rate, chance: &mut *self.chance }
    }
}

#[cfg(test)]
impl Place<'static> {
    /// A gigabit of Ethernet, without chance.
    pub(super) fn bare() -> Self {
        let chance = Box::leak(Box::new(|purpose: &str| Rng::stream(1, purpose)));
        Place { mtu: 1_500, rate: BitRate::from_bps(1_000_000_000).expect("a rate"), chance }
    }
}

/// The packets that wait for one link direction, under a discipline.
#[derive(Debug)]
pub(in crate::link) enum Scheduler<P> {
    Fifo(Fifo<P>),
    Codel(Box<Codel<P>>),
    FqCodel(Box<FqCodel<P>>),
    Priority(Box<Priority<P>>),
    Shaper(Box<Shaper<P>>),
}

impl<P: Copy> Scheduler<P> {
    pub(in crate::link) fn new(config: &Config, place: &mut Place<'_>) -> Self {
        match config {
            Config::Codel(codel) => Self::Codel(Box::new(Codel::new(codel, place.mtu))),
            Config::FqCodel(fq) => {
                let salt = (place.chance)("hash").bits();
                Self::FqCodel(Box::new(FqCodel::new(fq, place.mtu, salt)))
            }
            Config::Priority(priority) => Self::Priority(Box::new(Priority::new(priority, place))),
            Config::TokenBucket(shaper) => Self::Shaper(Box::new(Shaper::new(shaper, place))),
            Config::DropTail(_) | Config::Threshold { .. } | Config::Red(_) | Config::Policer { .. } => {
                Self::Fifo(Fifo::new(config.limit(), Gate::new(config, place)))
            }
        }
    }

    /// Bytes that wait.
    pub(in crate::link) fn bytes(&self) -> u64 {
        match self {
            Self::Fifo(fifo) => fifo.bytes(),
            Self::Codel(codel) => codel.queue.bytes(),
            Self::FqCodel(fq) => fq.bytes(),
            Self::Priority(priority) => priority.bytes(),
            Self::Shaper(shaper) => shaper.bytes(),
        }
    }

    /// Packets that wait.
    pub(in crate::link) fn len(&self) -> usize {
        match self {
            Self::Fifo(fifo) => fifo.len(),
            Self::Codel(codel) => codel.queue.len(),
            Self::FqCodel(fq) => fq.len(),
            Self::Priority(priority) => priority.len(),
            Self::Shaper(shaper) => shaper.len(),
        }
    }

    /// A packet has come. It, or others that made room for it, may end among `gone`.
    pub(in crate::link) fn enqueue(&mut self, packet: Waiting<P>, gone: &mut Gone<P>) {
        match self {
            Self::Fifo(fifo) => fifo.enqueue(packet, gone),
            Self::Codel(codel) => codel.queue.enqueue(packet, gone),
            Self::FqCodel(fq) => fq.enqueue(packet, gone),
            Self::Priority(priority) => priority.enqueue(packet, gone),
            Self::Shaper(shaper) => shaper.enqueue(packet, gone),
        }
    }

    /// The line is free: the packet that goes, if one may go now. Others may end among `gone`.
    pub(in crate::link) fn dequeue(&mut self, now: Time, gone: &mut Gone<P>) -> Option<Waiting<P>> {
        match self {
            Self::Fifo(fifo) => fifo.dequeue(now),
            Self::Codel(codel) => codel.dequeue(now, gone),
            Self::FqCodel(fq) => fq.dequeue(now, gone),
            Self::Priority(priority) => priority.dequeue(now, gone),
            Self::Shaper(shaper) => shaper.dequeue(now, gone),
        }
    }

    /// When, from `now` on, [`Scheduler::dequeue`] is worth asking; `None` while nothing waits.
    pub(in crate::link) fn ready(&self, now: Time) -> Option<Time> {
        match self {
            Self::Shaper(shaper) => shaper.ready(now),
            Self::Priority(priority) => priority.ready(now),
            _ => (self.len() > 0).then_some(now),
        }
    }
}
