//! Time on a wire, one direction: queue, serialise, propagate, lose.
//!
//! On a FIFO link everything is known when a packet is offered: it departs when the line is free and its last bit has been
//! put on, and arrives one propagation later. So a packet costs one event per hop, at its arrival; the queue is those
//! packets that have not departed yet. Only links whose delay varies keep their flights sorted.

mod faulty;
mod fifo;
pub mod loss;
pub mod queue;
mod scheduled;
mod shifting;

use crate::base::{BitRate, Dist, Ratio, Rng, Serialiser, Span, Time};
use crate::trace::Cause;
use crate::wire::{Ecn, Packet, Transit};
use faulty::Faults;
pub use faulty::{Changed, Spent, Trouble};
use fifo::Fifo;
use loss::Loss;
use queue::{Found, Gate, Label, Place, Room, Verdict};
pub use scheduled::Left;
use scheduled::Scheduled;
use shifting::{Course, Shifting};
use std::cmp::Ordering;

/// Everything about one direction of a link.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Rate at which bits are put on the line.
    pub rate: BitRate,
    /// One-way propagation delay.
    pub delay: Span,
    /// Largest IP packet in bytes.
    pub mtu: u32,
    /// What waits for the line, and what happens when too much does.
    pub queue: queue::Config,
    /// Which packets never arrive.
    pub loss: loss::Config,
    /// Delay added to each packet, drawn anew.
    pub jitter: Option<Dist>,
    /// Whether packets with different jitter may overtake each other; otherwise each waits for the one before.
    pub jitter_reorders: bool,
    /// Share of packets held back, and for how long: those behind overtake them.
    pub reorder: Option<(Ratio, Span)>,
    /// Share of packets that arrive twice.
    pub duplicate: Ratio,
    /// Share of packets whose bits flip. Every checksum that lightlag carries notices, so they are dropped on arrival.
    pub corrupt: Ratio,
}

impl Config {
    /// A faultless line with a drop-tail queue of 1,000 packets, as a network card has.
    #[must_use]
    pub const fn new(rate: BitRate, delay: Span) -> Self {
        Self {
            rate,
            delay,
            mtu: 1500,
            queue: queue::Config::DropTail(queue::Limit::Packets(1000)),
            loss: loss::Config::None,
            jitter: None,
            jitter_reorders: false,
            reorder: None,
            duplicate: Ratio::ZERO,
            corrupt: Ratio::ZERO,
        }
    }

    fn reorders(&self) -> bool {
        self.reorder.is_some() || (self.jitter.is_some() && self.jitter_reorders)
    }

    /// Whether packets have different delays.
    const fn shifts(&self) -> bool {
        self.jitter.is_some() || self.reorder.is_some()
    }

    fn is_plain(&self) -> bool {
        self.queue.is_plain() && !self.shifts() && self.duplicate.is_zero() && self.corrupt.is_zero()
    }
}

/// What waits for the line at an instant, the packet in service included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Backlog {
    packets: u64,
    bytes: u64,
}

/// What a direction has carried so far.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Packets accepted: their bits were put on the line.
    pub sent: u64,
    /// Packets that arrived, copies by duplication not counted.
    pub arrived: u64,
    /// Bytes of those sent.
    pub sent_bytes: u64,
    /// Copies that arrived besides.
    pub duplicated: u64,
    /// Packets that the queue has marked: congestion experienced.
    pub marked: u64,
    /// Packets dropped, by cause, in the order of [`Cause::ALL`].
    pub dropped: [u64; Cause::ALL.len()],
    /// Time for which the line has been or will be busy with packets accepted so far.
    pub busy: Span,
    /// Most bytes that have waited or been in service at once.
    pub max_queue: u64,
    /// Bytes in queue and service, integrated over time, in byte-nanoseconds (each packet's size times its sojourn).
    pub queue_integral: u128,
}

impl Counters {
    /// More bytes wait than ever before.
    #[cold]
    #[inline(never)]
    const fn note_queue(&mut self, bytes: u64) {
        self.max_queue = bytes;
    }

    /// Packets offered: accepted, or refused by the queue.
    #[must_use]
    pub const fn offered(&self) -> u64 {
        let [full, early, policed] = [Cause::QueueFull, Cause::EarlyDrop, Cause::Policed];
        let refused = self.dropped[full as usize] + self.dropped[early as usize] + self.dropped[policed as usize];
        self.sent + refused + self.dropped[Cause::Partitioned as usize]
    }
}

/// What a link says to a packet offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offered {
    /// Accepted, behind others.
    Behind,
    /// Accepted, and now the first to arrive: at this instant.
    First(Time),
    /// Dropped.
    Refused(Cause),
}

/// What becomes of a packet at the far end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It arrives.
    Arrives,
    /// It arrives, and so does a copy.
    ArrivesTwice,
    /// It does not.
    Dropped(Cause),
}

/// What only links have that are not plain: the rare troubles, their draws, each from a stream of its own, packets with different
/// delays, and queues that do more than hold a limit.
#[derive(Debug)]
struct Special<P> {
    config: Config,
    jitter: Rng,
    reorder: Rng,
    duplicate: Rng,
    corrupt: Rng,
    shifting: Option<Shifting<P>>,
    /// What may mark or drop a packet on arrival.
    gate: Gate,
    /// The packets that wait, where the discipline decides at departure.
    scheduled: Option<Scheduled<P>>,
    /// The faults that may strike it.
    faults: Option<Faults>,
}

impl<P: Copy> Special<P> {
    fn new(config: &Config, seed: u64, name: &str) -> Self {
        let stream = |purpose: &str| stream_of(seed, name, purpose);
        let mut chance = stream;
        let mut place = Place { mtu: config.mtu, rate: config.rate, chance: &mut chance };
        let queue = &config.queue;
        Self {
            config: config.clone(),
            jitter: stream("jitter"),
            reorder: stream("reorder"),
            duplicate: stream("duplicate"),
            corrupt: stream("corrupt"),
            shifting: config.shifts().then(Shifting::new),
            gate: Gate::new(queue, &mut place),
            scheduled: queue.decides_at_departure().then(|| Scheduled::new(queue, &mut place)),
            faults: None,
        }
    }
}

/// The stream of chance of the direction called `name` for one purpose.
fn stream_of(seed: u64, name: &str, purpose: &str) -> Rng {
    Rng::stream(seed, &format!("link/{name}/{purpose}"))
}

/// One direction of a link. `P` names a packet and is carried, never looked at.
#[derive(Debug)]
pub struct Link<P> {
    line: Serialiser,
    delay: Span,
    /// When the last bit of everything accepted has been put on the line.
    free: Time,
    room: Room,
    loss: Loss,
    fifo: Fifo<P>,
    special: Option<Box<Special<P>>>,
    counters: Counters,
    mtu: u32,
    /// The largest packet that goes the usual way: the MTU, or none at all if the link is special or watched.
    usual: u32,
}

impl<P: Copy + std::fmt::Debug> Link<P> {
    /// The direction called `name` (its streams of chance are `link/<name>/...` under `seed`).
    #[must_use]
    pub fn new(config: &Config, seed: u64, name: &str) -> Self {
        let special = (!config.is_plain()).then(|| Box::new(Special::new(config, seed, name)));
        let usual = if special.is_none() { config.mtu } else { 0 };
        Self {
            line: Serialiser::new(config.rate),
            delay: config.delay,
            free: Time::ZERO,
            room: config.queue.limit().into(),
            loss: Loss::new(&config.loss, stream_of(seed, name, "loss")),
            fifo: Fifo::new(),
            special,
            counters: Counters::default(),
            mtu: config.mtu,
            usual,
        }
    }

    /// Somebody wants to see each packet: none goes the usual way.
    pub const fn watch(&mut self) {
        self.usual = 0;
    }

    fn shifting(&self) -> Option<&Shifting<P>> {
        self.special.as_ref()?.shifting.as_ref()
    }

    fn scheduled(&self) -> Option<&Scheduled<P>> {
        self.special.as_ref()?.scheduled.as_ref()
    }

    /// Largest IP packet that fits, in bytes.
    #[must_use]
    #[inline]
    pub const fn mtu(&self) -> u32 {
        self.mtu
    }

    /// Largest IP packet that [`Link::offer_usual`] takes, in bytes; zero if it takes none.
    #[must_use]
    #[inline]
    pub const fn usual(&self) -> u32 {
        self.usual
    }

    /// The rate.
    #[must_use]
    pub const fn rate(&self) -> BitRate {
        self.line.rate()
    }

    /// How long the largest packet is under way when nothing is before it.
    #[must_use]
    pub fn usual_wait(&self) -> Span {
        self.line.rate().time_for(u64::from(self.mtu)) + self.delay
    }

    /// What it has carried so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        if self.special.is_none() {
            // The ring has counted.
            let (sent, out) = self.fifo.turnover();
            (counters.sent, counters.arrived) = (sent, out - counters.dropped[Cause::Loss as usize]);
        }
        counters
    }

    /// Packets on the line or waiting for it.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shifting().map_or(self.fifo.len(), Shifting::len) + self.scheduled().map_or(0, Scheduled::len)
    }

    /// Offers a packet of `size` bytes that is called `name`. Accepted, its way so far is brought up to its arrival, and if it is now the first to
    /// arrive, [`Link::wake`] has changed to the instant returned; refused, it is the caller's to drop. The packets that
    /// the link loses are accepted: they use their time on the line and vanish at the far end. Where the discipline decides
    /// at departure, all packets are accepted, and [`Link::serve`] tells what becomes of them.
    #[inline(never)]
    pub fn offer(&mut self, name: P, size: u16, packet: &mut Packet, now: Time) -> Offered {
        if self.special.is_some() {
            return self.offer_special(name, size, packet, now);
        }
        self.offer_usual(name, size, packet, now)
    }

    /// As [`Link::offer`], for a packet that is no larger than [`Link::usual`]: nearly every one.
    #[expect(clippy::inline_always, reason = "on the path of every packet, and too long for the compiler's own choice")]
    #[inline(always)]
    pub fn offer_usual(&mut self, name: P, size: u16, packet: &mut Packet, now: Time) -> Offered {
        let transit = &mut packet.transit;
        let (start, waiting) = match self.free.cmp(&now) {
            Ordering::Greater => {
                let backlog = self.fifo.backlog(self.delay, now);
                if !self.room.admits(u32::from(size), backlog) {
                    return self.refuse(Cause::QueueFull);
                }
                transit.queueing += self.free - now;
                (self.free, backlog.bytes)
            }
            order => {
                // On an idle line there is no need to look for what has departed.
                self.fifo.all_departed();
                if !self.room.admits_alone(u32::from(size)) {
                    return self.refuse(Cause::QueueFull);
                }
                if order == Ordering::Less {
                    self.line.rest();
                }
                (now, 0)
            }
        };
        let departure = self.occupy(start, size, waiting, transit, now);
        let fate = self.loss.fate();
        transit.propagation += self.delay;
        let arrival = departure + self.delay;
        if self.fifo.push(arrival, name, size, fate) { Offered::First(arrival) } else { Offered::Behind }
    }

    /// Puts a packet of `size` bytes on the line behind the backlog, counts it, and says when its last bit has departed.
    fn line_up(&mut self, size: u16, backlog: Backlog, transit: &mut Transit, now: Time) -> Time {
        let start = if self.free > now {
            transit.queueing += self.free - now;
            self.free
        } else {
            if self.free < now {
                self.line.rest();
            }
            now
        };
        self.counters.sent += 1;
        self.occupy(start, size, backlog.bytes, transit, now)
    }

    /// Puts a packet of `size` bytes, offered `now`, on the line from `start` on, which `waiting` bytes wait for. Says when its last bit has
    /// departed.
    #[expect(clippy::inline_always, reason = "on the path of every packet")]
    #[inline(always)]
    fn occupy(&mut self, start: Time, size: u16, waiting: u64, transit: &mut Transit, now: Time) -> Time {
        let serialisation = self.line.occupy(u32::from(size));
        let departure = start + serialisation;
        self.free = departure;
        transit.serialisation += serialisation;
        let counters = &mut self.counters;
        counters.sent_bytes += u64::from(size);
        counters.busy += serialisation;
        counters.queue_integral += u128::from(size) * u128::from((departure - now).as_nanos());
        let queue = waiting + u64::from(size);
        if queue > counters.max_queue {
            counters.note_queue(queue);
        }
        departure
    }

    /// Offers a packet to a link that is not plain.
    #[inline(never)]
    fn offer_special(&mut self, name: P, size: u16, packet: &mut Packet, now: Time) -> Offered {
        let Some(mut special) = self.special.take() else { return Offered::Behind };
        if special.faults.as_mut().is_some_and(|faults| faults.blocks(packet)) {
            self.special = Some(special);
            return self.refuse(Cause::Partitioned);
        }
        if special.scheduled.is_none() {
            let accepted = self.offer_to(&mut special, name, size, packet, now);
            self.special = Some(special);
            return accepted;
        }
        self.special = Some(special);
        self.offer_scheduled(name, size, packet, now)
    }

    fn offer_to(&mut self, special: &mut Special<P>, name: P, size: u16, packet: &mut Packet, now: Time) -> Offered {
        let backlog = match &mut special.shifting {
            Some(shifting) => shifting.backlog(now),
            None => self.fifo.backlog(self.delay, now),
        };
        let idle = if backlog.packets == 0 { now.since(self.free) } else { Span::ZERO };
        let verdict = special.gate.decide(&Label::of(size, packet), &Found { backlog, idle }, now);
        if let Verdict::Drop(cause) = verdict {
            return self.refuse(cause);
        }
        if !self.room.admits(u32::from(size), backlog) {
            return self.refuse(Cause::QueueFull);
        }
        if verdict == Verdict::Mark {
            packet.ecn = Ecn::CongestionExperienced;
            self.counters.marked += 1;
        }
        let transit = &mut packet.transit;
        let before = transit.serialisation;
        let departure = self.line_up(size, backlog, transit, now);
        let serialisation = transit.serialisation - before;
        let mut fate = self.loss.fate();
        let (delay, blame) = special.trouble(&mut fate, self.delay, departure);
        transit.propagation += delay;
        let arrival = departure + delay;
        let first = match &mut special.shifting {
            Some(shifting) => shifting.push(Course { departure, serialisation, arrival, fate, blame }, name, size),
            None => self.fifo.push(arrival, name, size, fate),
        };
        if first { Offered::First(arrival) } else { Offered::Behind }
    }

    /// When the next packet comes out at the far end, or [`Link::serve`] has something to tell.
    #[must_use]
    #[inline]
    pub fn wake(&self) -> Option<Time> {
        if self.special.is_some() { self.wake_special() } else { self.fifo.first_arrival() }
    }

    #[inline(never)]
    fn wake_special(&self) -> Option<Time> {
        let arrival = self.first_arrival();
        match self.departure() {
            Some(departure) => Some(arrival.map_or(departure, |arrival| arrival.min(departure))),
            None => arrival,
        }
    }

    /// When the next packet comes out at the far end.
    fn first_arrival(&self) -> Option<Time> {
        self.shifting().map_or_else(|| self.fifo.first_arrival(), Shifting::first_arrival)
    }

    /// What comes out of the link now, if that is as usual: a packet that arrives, on a link that is plain and that nobody watches.
    #[must_use]
    #[inline]
    pub fn arriving_as_usual(&self) -> Option<P> {
        if self.usual == 0 {
            return None;
        }
        let (packet, fate) = self.fifo.first()?;
        (fate == Fate::Arrives).then_some(packet)
    }

    /// Takes out what [`Link::arriving_as_usual`] has named, and says when the next packet comes out, if there is one.
    #[inline]
    pub fn take_usual(&mut self) -> Option<Time> {
        self.fifo.take_first()
    }

    /// The packet that comes out now, at the instant that [`Link::wake`] has named, what becomes of it, and what [`Link::wake`]
    /// names from now on: all in one look. `None` if that was an instant for [`Link::serve`].
    pub fn take(&mut self) -> Option<(P, Fate, Option<Time>)> {
        if self.special.is_some() {
            return self.take_special();
        }
        let (packet, fate) = self.fifo.first()?;
        if let Fate::Dropped(cause) = fate {
            self.counters.dropped[cause as usize] += 1;
        }
        Some((packet, fate, self.fifo.take_first()))
    }

    fn take_special(&mut self) -> Option<(P, Fate, Option<Time>)> {
        if let Some(departure) = self.departure()
            && self.first_arrival().is_none_or(|arrival| departure <= arrival)
        {
            return None;
        }
        let special = self.special.as_mut()?;
        let (packet, fate) = if let Some(shifting) = &mut special.shifting {
            let flight = shifting.pop()?;
            (flight.packet, special.faults.as_mut().map_or(flight.fate, |faults| faults.judge(&flight)))
        } else {
            let first = self.fifo.first()?;
            self.fifo.take_first();
            first
        };
        self.count_fate(fate);
        Some((packet, fate, self.wake_special()))
    }

    #[cold]
    #[inline(never)]
    fn count_fate(&mut self, fate: Fate) {
        match fate {
            Fate::Arrives => self.counters.arrived += 1,
            Fate::ArrivesTwice => {
                self.counters.arrived += 1;
                self.counters.duplicated += 1;
            }
            Fate::Dropped(cause) => self.counters.dropped[cause as usize] += 1,
        }
    }

    /// Counts a packet that the queue does not take.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, cause: Cause) -> Offered {
        self.counters.dropped[cause as usize] += 1;
        Offered::Refused(cause)
    }
}

impl<P> Special<P> {
    /// The rare things that may happen to a packet beside plain loss; returns its delay, and the fault that it is lost to.
    fn trouble(&mut self, fate: &mut Fate, delay: Span, departure: Time) -> (Span, u32) {
        let Self { config, jitter, reorder, duplicate, corrupt, shifting, faults, .. } = self;
        let mut delay = delay + faults.as_ref().map_or(Span::ZERO, Faults::delay);
        if let Some(spread) = &config.jitter {
            delay += spread.sample(jitter);
        }
        if let Some((share, extra)) = config.reorder
            && reorder.chance(share.get())
        {
            delay += extra;
        }
        if let Some(shifting) = shifting
            && !config.reorders()
        {
            // In order: not before the one ahead.
            let ahead = shifting.last_arrival();
            if departure + delay < ahead {
                delay = ahead - departure;
            }
        }
        // Every draw is made for every packet, so that one trouble does not shift another's.
        let corrupted = !config.corrupt.is_zero() && corrupt.chance(config.corrupt.get());
        let duplicated = !config.duplicate.is_zero() && duplicate.chance(config.duplicate.get());
        if *fate == Fate::Arrives && corrupted {
            *fate = Fate::Dropped(Cause::Corrupted);
        }
        if *fate == Fate::Arrives && duplicated {
            *fate = Fate::ArrivesTwice;
        }
        let blame = faults.as_mut().map_or(faulty::NOBODY, |faults| faults.spoil(fate));
        (delay, blame)
    }
}

#[cfg(test)]
mod tests;
