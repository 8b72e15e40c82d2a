//! What faults do to one direction of a link: breaks in the fiber, and troubles that come and go.
//!
//! Whether a packet was on the wrong side of a break is known when it would arrive, from when its bits passed the place of the
//! break: nothing has to be foreseen, and what had left the break in time arrives. Where rate or delay change, the packets that
//! still wait for the line are put on it at the new pace, and their accounts are put right.

use super::loss::{self, Loss};
use super::queue::{Place, Scheduler};
use super::shifting::Flight;
use super::{Config, Fate, Link, Shifting, Special, stream_of};
use crate::base::{BitRate, Ratio, Rng, Serialiser, Span, Time};
use crate::trace::Cause;
use crate::wire::Packet;
use std::net::Ipv4Addr;

/// What a fault does to one direction while it lasts.
#[derive(Clone, PartialEq, Debug)]
pub enum Trouble {
    /// Nothing passes a point of the way.
    Break {
        /// Where, as a share of the way from the sender.
        at: Ratio,
        /// Whether routing notices, as it does when a router loses the light.
        seen: bool,
    },
    /// Packets are lost besides those that the link loses anyway.
    Loss(loss::Config),
    /// Packets travel for so much longer.
    Delay(Span),
    /// The line is no faster than this.
    Rate(BitRate),
    /// This share of packets has bits flipped besides.
    Corrupt(Ratio),
    /// The sender puts none of these packets on the line.
    Block {
        /// From one of these addresses, in ascending order; from any if there are none.
        from: Vec<Ipv4Addr>,
        /// To one of these addresses, in ascending order; to any if there are none.
        to: Vec<Ipv4Addr>,
    },
}

/// How long a packet has been or will be at what on one link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spent {
    /// Being put on the line.
    pub serialisation: Span,
    /// Waiting for it.
    pub queueing: Span,
    /// On it.
    pub propagation: Span,
}

/// A packet that waits for the line and whose way over it has changed.
#[derive(Clone, Copy, Debug)]
pub struct Changed<P> {
    /// The packet.
    pub packet: P,
    /// What its way was to be.
    pub before: Spent,
    /// What it is to be now.
    pub after: Spent,
}

/// Nobody is to blame.
pub(super) const NOBODY: u32 = u32::MAX;

/// A fault that lasts.
#[derive(Debug)]
struct Active {
    fault: u32,
    trouble: Trouble,
    loss: Loss,
    chance: Rng,
}

/// A time for which nothing passed a point.
#[derive(Debug)]
struct Gap {
    fault: u32,
    /// Where, in millionths of the way.
    at: u64,
    seen: bool,
    from: Time,
    until: Time,
}

/// The faults of one direction.
#[derive(Debug)]
pub(super) struct Faults {
    seed: u64,
    name: String,
    rate: BitRate,
    active: Vec<Active>,
    gaps: Vec<Gap>,
    /// The fault that the last drop is due to.
    culprit: u32,
}

impl Faults {
    fn new(config: &Config, seed: u64, name: &str) -> Self {
        Self { seed, name: name.to_owned(), rate: config.rate, active: Vec::new(), gaps: Vec::new(), culprit: NOBODY }
    }

    /// What is added to every packet's delay now.
    pub(super) fn delay(&self) -> Span {
        let of = |active: &Active| if let Trouble::Delay(extra) = active.trouble { extra } else { Span::ZERO };
        self.active.iter().map(of).sum()
    }

    /// Loses and spoils a packet that would arrive; returns the fault that did.
    pub(super) fn spoil(&mut self, fate: &mut Fate) -> u32 {
        let mut culprit = NOBODY;
        for active in &mut self.active {
            // Every draw is made for every packet, so that one fault does not shift another's.
            let cause = match active.trouble {
                Trouble::Loss(_) if active.loss.fate() != Fate::Arrives => Cause::Loss,
                Trouble::Corrupt(share) if active.chance.chance(share.get()) => Cause::Corrupted,
                _ => continue,
            };
            if !matches!(fate, Fate::Dropped(_)) {
                *fate = Fate::Dropped(cause);
                culprit = active.fault;
            }
        }
        culprit
    }

    /// Whether the packet may not be put on the line.
    pub(super) fn blocks(&mut self, packet: &Packet) -> bool {
        let among = |all: &[Ipv4Addr], one| all.is_empty() || all.binary_search(&one).is_ok();
        let blocks = |active: &&Active| match &active.trouble {
            Trouble::Block { from, to } => among(from, packet.src) && among(to, packet.dst),
            _ => false,
        };
        self.culprit = self.active.iter().find(blocks).map_or(NOBODY, |active| active.fault);
        self.culprit != NOBODY
    }

    /// What becomes of a packet at the far end, in view of the breaks on its way.
    pub(super) fn judge<P>(&mut self, flight: &Flight<P>) -> Fate {
        self.culprit = flight.blame;
        if matches!(flight.fate, Fate::Dropped(_)) {
            return flight.fate;
        }
        let way = (flight.arrival - flight.departure).as_nanos();
        for gap in &self.gaps {
            let there =
                Span::from_nanos(u64::try_from(u128::from(way) * u128::from(gap.at) / 1_000_000).unwrap_or(way));
            let last = flight.departure + there;
            if last > gap.from && last - flight.serialisation < gap.until {
                self.culprit = gap.fault;
                return Fate::Dropped(Cause::Down);
            }
        }
        flight.fate
    }
}

impl<P: Copy + std::fmt::Debug> Link<P> {
    /// As [`Link::new`], for a direction that faults may strike.
    #[must_use]
    pub fn faulty(config: &Config, seed: u64, name: &str) -> Self {
        let mut link = Self::new(config, seed, name);
        let special = link.special.get_or_insert_with(|| Box::new(Special::new(config, seed, name)));
        special.shifting.get_or_insert_with(Shifting::new);
        special.faults = Some(Faults::new(config, seed, name));
        link.usual = 0;
        link
    }

    /// A fault strikes: its number and what it does; its chance is the stream `link/<name>/<label>`. Returns the packets whose way
    /// has changed. [`Link::wake`] may name another instant afterwards.
    ///
    /// # Panics
    /// If the link was not made by [`Link::faulty`].
    pub fn strike(&mut self, (fault, label): (u32, &str), trouble: &Trouble, now: Time) -> Vec<Changed<P>> {
        let before = self.faults().delay();
        let oldest = self.shifting().and_then(Shifting::oldest_start).unwrap_or(now);
        let faults = self.faults();
        if let Trouble::Break { at, seen } = *trouble {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
            let at = libm::round(at.get() * 1e6) as u64;
            // What is over, and was before anything now under way set out, concerns nobody any more.
            faults.gaps.retain(|gap| gap.until > oldest);
            faults.gaps.push(Gap { fault, at, seen, from: now, until: Time::NEVER });
            return Vec::new();
        }
        let loss = if let Trouble::Loss(config) = trouble { config } else { &loss::Config::None };
        let stream = |purpose: &str| stream_of(faults.seed, &faults.name, &format!("{label}/{purpose}"));
        let (loss, chance) = (Loss::new(loss, stream("loss")), stream("corrupt"));
        faults.active.push(Active { fault, trouble: trouble.clone(), loss, chance });
        self.adapt(before, now)
    }

    /// A fault is over. Returns the packets whose way has changed. [`Link::wake`] may name another instant afterwards.
    ///
    /// # Panics
    /// If the link was not made by [`Link::faulty`].
    pub fn heal(&mut self, fault: u32, now: Time) -> Vec<Changed<P>> {
        let faults = self.faults();
        let before = faults.delay();
        faults.active.retain(|active| active.fault != fault);
        for gap in faults.gaps.iter_mut().filter(|gap| gap.fault == fault && gap.until == Time::NEVER) {
            gap.until = now;
        }
        self.adapt(before, now)
    }

    /// Whether routing sees a break.
    #[must_use]
    pub fn is_down(&self) -> bool {
        let faults = self.special.as_ref().and_then(|special| special.faults.as_ref());
        faults.is_some_and(|faults| faults.gaps.iter().any(|gap| gap.seen && gap.until == Time::NEVER))
    }

    /// The fault that the packet dropped last was lost to, if it was lost to one.
    #[must_use]
    pub fn culprit(&self) -> Option<u32> {
        let faults = self.special.as_ref()?.faults.as_ref()?;
        Some(faults.culprit).filter(|&fault| fault != NOBODY)
    }

    /// Everything that waits for the line or is being put on it is gone, as when the sender loses its power.
    ///
    /// # Panics
    /// If the link was not made by [`Link::faulty`].
    pub fn lose_waiting(&mut self, now: Time) -> Vec<P> {
        let mut lost = Vec::new();
        let counters = &mut self.counters;
        let special = self.special.as_mut().expect("the link was made for faults");
        if let Some(shifting) = &mut special.shifting {
            shifting.change(|flight| {
                if flight.departure <= now {
                    return true;
                }
                let start = flight.departure - flight.serialisation;
                counters.busy -= flight.departure - start.max(now);
                lost.push(flight.packet);
                false
            });
        }
        self.free = self.free.min(now);
        if let (Some(scheduled), Some(faults)) = (&mut special.scheduled, &special.faults) {
            let Faults { seed, name, rate, .. } = faults;
            let mut chance = |purpose: &str| stream_of(*seed, name, purpose);
            let mut place = Place { mtu: self.mtu, rate: *rate, chance: &mut chance };
            let fresh = Scheduler::new(&special.config.queue, &mut place);
            lost.extend(scheduled.empty(fresh, now));
        }
        counters.dropped[Cause::Down as usize] += lost.len() as u64;
        lost
    }

    fn faults(&mut self) -> &mut Faults {
        let special = self.special.as_mut().expect("the link was made for faults");
        special.faults.as_mut().expect("the link was made for faults")
    }

    /// Puts those that wait on the line as it is now; `delay` is what faults added before.
    fn adapt(&mut self, delay: Span, now: Time) -> Vec<Changed<P>> {
        let old_rate = self.line.rate();
        let faults = self.faults();
        let limits = faults.active.iter().filter_map(|active| match active.trouble {
            Trouble::Rate(rate) => Some(rate),
            _ => None,
        });
        let rate = limits.fold(faults.rate, BitRate::min);
        let new_delay = faults.delay();
        if rate == old_rate && delay == new_delay {
            return Vec::new();
        }
        if rate != old_rate {
            self.line = Serialiser::new(rate);
        }
        let mut changed = Vec::new();
        let Self { line, counters, special, free, .. } = self;
        let special = special.as_mut().expect("the link was made for faults");
        let in_order = !special.config.reorders();
        let Some(shifting) = &mut special.shifting else { return Vec::new() };
        let (mut ahead, mut idle_from) = (Time::ZERO, now);
        shifting.change(|flight| {
            if flight.departure > now {
                let (start, travel) = (flight.departure - flight.serialisation, flight.arrival - flight.departure);
                let mut departure = flight.departure;
                let mut serialisation = flight.serialisation;
                if rate != old_rate {
                    let (begin, left) = if start < now {
                        (now, at_rate(flight.departure - now, old_rate, rate))
                    } else {
                        (idle_from.max(now), line.occupy(u32::from(flight.size)))
                    };
                    departure = begin + left;
                    serialisation = if start < now { left + (now - start) } else { left };
                    idle_from = departure;
                    *free = departure;
                }
                let mut arrival = departure + (travel + new_delay).saturating_sub(delay);
                if in_order {
                    arrival = arrival.max(ahead);
                }
                let queueing = (departure - serialisation).since(start);
                let spent = |serialisation, queueing, propagation| Spent { serialisation, queueing, propagation };
                let sped = start.since(departure - serialisation);
                changed.push(Changed {
                    packet: flight.packet,
                    before: spent(flight.serialisation, sped, travel),
                    after: spent(serialisation, queueing, arrival - departure),
                });
                counters.busy = counters.busy + serialisation - flight.serialisation;
                let size = u128::from(flight.size);
                counters.queue_integral += size * u128::from((departure - now).as_nanos());
                counters.queue_integral -= size * u128::from((flight.departure - now).as_nanos());
                (flight.departure, flight.serialisation, flight.arrival) = (departure, serialisation, arrival);
            }
            ahead = ahead.max(flight.arrival);
            true
        });
        changed
    }
}

/// How long something takes at another rate, rounded up.
fn at_rate(span: Span, old: BitRate, new: BitRate) -> Span {
    let scaled = (u128::from(span.as_nanos()) * u128::from(old.as_bps())).div_ceil(u128::from(new.as_bps()));
    Span::from_nanos(u64::try_from(scaled).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
