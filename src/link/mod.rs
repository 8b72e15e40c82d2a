//! Time on a wire, one direction: queue, serialise, propagate, lose.
//!
//! On a FIFO link everything is known when a packet is offered: it departs when the line is free and its last bit has been
//! put on, and arrives one propagation later. So a packet costs one event per hop, at its arrival; the queue is those
//! packets that have not departed yet. Only links that let packets overtake each other keep their flights sorted.

mod flights;
pub mod loss;
pub mod queue;

use crate::base::{BitRate, Dist, Ratio, Rng, Serialiser, Span, Time};
use crate::trace::Cause;
use crate::wire::Transit;
use flights::{Flight, Flights};
use loss::Loss;
use queue::Queue;

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

    fn is_plain(&self) -> bool {
        self.jitter.is_none() && self.reorder.is_none() && self.duplicate.is_zero() && self.corrupt.is_zero()
    }
}

/// What a direction has carried so far.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Packets offered.
    pub offered: u64,
    /// Packets accepted: their bits were put on the line.
    pub sent: u64,
    /// Bytes of those.
    pub sent_bytes: u64,
    /// Packets that arrived, copies by duplication not counted.
    pub arrived: u64,
    /// Copies that arrived besides.
    pub duplicated: u64,
    /// Packets dropped, by cause, in the order of [`Cause::ALL`].
    pub dropped: [u64; Cause::ALL.len()],
    /// Time for which the line has been or will be busy with packets accepted so far.
    pub busy: Span,
    /// Most bytes that have waited or been in service at once.
    pub max_queue: u64,
    /// Bytes in queue and service, integrated over time, in byte-nanoseconds (each packet's size times its sojourn).
    pub queue_integral: u128,
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

/// Draws for the rare troubles, each from a stream of its own.
#[derive(Debug)]
struct Troubles {
    jitter: Rng,
    reorder: Rng,
    duplicate: Rng,
    corrupt: Rng,
}

/// One direction of a link. `P` names a packet and is carried, never looked at.
#[derive(Debug)]
pub struct Link<P> {
    line: Serialiser,
    delay: Span,
    /// When the last bit of everything accepted has been put on the line.
    free: Time,
    queue: Queue,
    loss: Loss,
    flights: Flights<P>,
    troubles: Option<Box<(Config, Troubles)>>,
    counters: Counters,
    mtu: u32,
}

impl<P: Copy + std::fmt::Debug> Link<P> {
    /// The direction called `name` (its streams of chance are `link/<name>/...` under `seed`).
    #[must_use]
    pub fn new(config: &Config, seed: u64, name: &str) -> Self {
        let stream = |purpose| Rng::stream(seed, &format!("link/{name}/{purpose}"));
        let troubles = (!config.is_plain()).then(|| {
            Box::new((
                config.clone(),
                Troubles {
                    jitter: stream("jitter"),
                    reorder: stream("reorder"),
                    duplicate: stream("duplicate"),
                    corrupt: stream("corrupt"),
                },
            ))
        });
        Self {
            line: Serialiser::new(config.rate),
            delay: config.delay,
            free: Time::ZERO,
            queue: Queue::new(&config.queue),
            loss: Loss::new(&config.loss, stream("loss")),
            flights: Flights::new(config.reorders()),
            troubles,
            counters: Counters::default(),
            mtu: config.mtu,
        }
    }

    /// Largest IP packet that fits, in bytes.
    #[must_use]
    #[inline]
    pub const fn mtu(&self) -> u32 {
        self.mtu
    }

    /// The rate.
    #[must_use]
    pub const fn rate(&self) -> BitRate {
        self.line.rate()
    }

    /// What it has carried so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Packets on the line or waiting for it.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Offers a packet of `size` bytes. Accepted, its way so far is brought up to its arrival; refused, it is the caller's to
    /// drop. The packets that the link loses are accepted: they use their time on the line and vanish at the far end.
    #[inline]
    pub fn offer(&mut self, packet: P, size: u32, transit: &mut Transit, now: Time) -> Result<(), Cause> {
        self.counters.offered += 1;
        if !self.queue.admit(size, now) {
            self.count_drop(Cause::QueueFull);
            return Err(Cause::QueueFull);
        }
        let start = if self.free > now {
            self.free
        } else {
            if self.free < now {
                self.line.rest();
            }
            now
        };
        let serialisation = self.line.occupy(size);
        let departure = start + serialisation;
        self.free = departure;
        self.queue.add(size, departure, &mut self.counters.max_queue);

        let mut fate = if self.loss.takes() { Fate::Dropped(Cause::Loss) } else { Fate::Arrives };
        let mut delay = self.delay;
        if self.troubles.is_some() {
            self.trouble(&mut fate, &mut delay, departure);
        }

        transit.queueing += start - now;
        transit.serialisation += serialisation;
        transit.propagation += delay;
        self.counters.sent += 1;
        self.counters.sent_bytes += u64::from(size);
        self.counters.busy += serialisation;
        self.counters.queue_integral += u128::from(size) * u128::from((departure - now).as_nanos());
        self.flights.push(Flight { arrival: departure + delay, packet, fate });
        Ok(())
    }

    /// The rare things that may happen to a packet beside plain loss.
    #[cold]
    fn trouble(&mut self, fate: &mut Fate, delay: &mut Span, departure: Time) {
        let Some((config, draws)) = self.troubles.as_deref_mut() else { return };
        if let Some(jitter) = &config.jitter {
            *delay += jitter.sample(&mut draws.jitter);
        }
        if let Some((share, extra)) = config.reorder
            && draws.reorder.chance(share.get())
        {
            *delay += extra;
        }
        if !config.reorders() {
            // In order: not before the one ahead.
            let ahead = self.flights.last_arrival();
            if departure + *delay < ahead {
                *delay = ahead - departure;
            }
        }
        // Every draw is made for every packet, so that one trouble does not shift another's.
        let corrupted = !config.corrupt.is_zero() && draws.corrupt.chance(config.corrupt.get());
        let duplicated = !config.duplicate.is_zero() && draws.duplicate.chance(config.duplicate.get());
        if *fate == Fate::Arrives && corrupted {
            *fate = Fate::Dropped(Cause::Corrupted);
        }
        if *fate == Fate::Arrives && duplicated {
            *fate = Fate::ArrivesTwice;
        }
    }

    /// When the next packet comes out at the far end.
    #[must_use]
    #[inline]
    pub fn wake(&self) -> Option<Time> {
        self.flights.first_arrival()
    }

    /// The packet that comes out at `now`, which is what [`Link::wake`] said, and what becomes of it.
    #[inline]
    pub fn take(&mut self, now: Time) -> Option<(P, Fate)> {
        let flight = self.flights.pop(now)?;
        match flight.fate {
            Fate::Arrives => self.counters.arrived += 1,
            Fate::ArrivesTwice => {
                self.counters.arrived += 1;
                self.counters.duplicated += 1;
            }
            Fate::Dropped(cause) => self.count_drop(cause),
        }
        Some((flight.packet, flight.fate))
    }

    fn count_drop(&mut self, cause: Cause) {
        self.counters.dropped[cause as usize] += 1;
    }
}

#[cfg(test)]
mod tests;
