//! The next instant of each of many lanes, earliest first: a timing wheel with exact times.
//!
//! A lane (a link direction) waits for at most one instant, its next. Instants fall into ticks of a power of two nanoseconds; the
//! wheel has a slot for each of the next ticks, which lists the lanes that fall due in it. When a tick begins, its
//! lanes move to a small heap that orders them exactly. So the width of a tick changes what an instant costs, never the order; and
//! with ticks of about the distance between events, an instant costs the same however many lanes there are
//! (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987; Brown, "Calendar queues", 1988).

use super::heap::Heap;
use crate::base::{Span, Time};

/// Slots of the wheel: as many as two levels of 64-bit words have bits.
const SLOTS: usize = 4096;
const WORDS: usize = 64;
/// So many instants are kept sorted by moving them.
const FEW: usize = 64;
/// The end of a slot's list.
const NONE: u32 = u32::MAX;

/// An instant of a lane, packed so that instants compare by time and then by lane.
type Instant = u128;

const fn pack(time: Time, lane: u32) -> Instant {
    (time.as_nanos() as u128) << 64 | lane as u128
}

const fn time_of(instant: Instant) -> u64 {
    (instant >> 64) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "takes the lane's 32 bits out")]
const fn lane_of(instant: Instant) -> u32 {
    instant as u32
}

/// The slot of a tick, and the word of its bit.
#[expect(clippy::cast_possible_truncation, reason = "takes the lower bits out")]
const fn slot_of(tick: u64) -> usize {
    tick as usize & (SLOTS - 1)
}

const fn word_of(tick: u64) -> usize {
    slot_of(tick) >> 6
}

/// A lane that is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// When; [`Time::NEVER`] if no lane is due.
    pub time: Time,
    /// Which.
    pub lane: u32,
}

impl Due {
    const NOTHING: Self = Self { time: Time::NEVER, lane: NONE };
}

/// A lane and what it waits for, if it does.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    time: Time,
    /// The next lane of the same slot.
    next: u32,
}

/// The lanes and their instants.
#[derive(Debug)]
pub struct Wheel {
    /// A tick is so many binary digits of nanoseconds wide.
    shift: u32,
    /// The tick whose instants are in `due`; those of later ticks are in slots or far.
    tick: u64,
    /// The first lane of each slot.
    slots: Box<[u32; SLOTS]>,
    /// Which slots are not empty, and which words of that are not zero.
    occupied: [u64; WORDS],
    summary: u64,
    lanes: Vec<Waiting>,
    /// Instants of the present tick, or of earlier ones, the first one last; and those that found too many there to be sorted in.
    due: Vec<Instant>,
    crowd: Heap<Instant>,
    /// Instants beyond the wheel's last slot, and the tick of the first; the last tick of all if there is none.
    far: Heap<Instant>,
    far_tick: u64,
}

impl Wheel {
    /// No instants for `lanes` lanes, which usually wait for about `wait`.
    #[must_use]
    pub fn new(lanes: usize, wait: Span) -> Self {
        // Four usual waits around the wheel.
        let tick = (wait.as_nanos() / (SLOTS as u64 / 4)).max(1);
        Self {
            shift: tick.ilog2(),
            tick: 0,
            slots: Box::new([NONE; SLOTS]),
            occupied: [0; WORDS],
            summary: 0,
            lanes: vec![Waiting { time: Time::NEVER, next: NONE }; lanes],
            due: Vec::new(),
            crowd: Heap::default(),
            far: Heap::default(),
            far_tick: u64::MAX,
        }
    }

    /// Whether no lane waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.time == Time::NEVER)
    }

    /// The lane is to come up at `time`, which has not passed, and not when it was to come up before, if it was.
    #[inline(never)]
    pub fn set(&mut self, lane: u32, time: Time) {
        let Some(waiting) = self.lanes.get(lane as usize) else { return };
        if waiting.time != Time::NEVER {
            self.withdraw(lane);
        }
        let tick = time.as_nanos() >> self.shift;
        let mut next = NONE;
        if tick.wrapping_sub(self.tick).wrapping_sub(1) < SLOTS as u64 - 1 {
            next = std::mem::replace(&mut self.slots[slot_of(tick)], lane);
            let word = word_of(tick);
            self.occupied[word] |= 1 << (tick & 63);
            self.summary |= 1 << word;
        } else {
            self.set_aside(lane, time, tick);
        }
        if let Some(waiting) = self.lanes.get_mut(lane as usize) {
            *waiting = Waiting { time, next };
        }
    }

    /// An instant outside the wheel's slots.
    #[inline(never)]
    fn set_aside(&mut self, lane: u32, time: Time, tick: u64) {
        if tick <= self.tick {
            self.set_due(pack(time, lane));
        } else {
            self.far.push(pack(time, lane));
            self.far_tick = self.far_tick.min(tick);
        }
    }

    /// An instant of the present tick, or of an earlier one.
    #[inline]
    fn set_due(&mut self, instant: Instant) {
        let mut at = self.due.len();
        if at >= FEW {
            self.crowd.push(instant);
            return;
        }
        self.due.push(instant);
        while at > 0 && self.due[at - 1] < instant {
            self.due[at] = self.due[at - 1];
            at -= 1;
        }
        self.due[at] = instant;
    }

    /// The lane does not come up any more.
    pub fn clear(&mut self, lane: u32) {
        self.withdraw(lane);
        self.lanes[lane as usize] = Waiting { time: Time::NEVER, next: NONE };
    }

    /// Takes the lane out of its slot. In the heaps an instant that is not its lane's any more is skipped when it comes up.
    #[cold]
    fn withdraw(&mut self, lane: u32) {
        let Waiting { time, next } = self.lanes[lane as usize];
        let tick = time.as_nanos() >> self.shift;
        let slot = slot_of(tick);
        if self.slots[slot] == lane {
            self.slots[slot] = next;
            if next == NONE {
                self.vacate(tick);
            }
            return;
        }
        let mut at = self.slots[slot];
        while let Some(waiting) = self.lanes.get_mut(at as usize) {
            if waiting.next == lane {
                waiting.next = next;
                return;
            }
            at = waiting.next;
        }
    }

    /// The slot of `tick` is empty.
    #[inline]
    fn vacate(&mut self, tick: u64) {
        let word = word_of(tick);
        let left = self.occupied[word] & !(1 << (tick & 63));
        self.occupied[word] = left;
        if left == 0 {
            self.summary &= !(1 << word);
        }
    }

    /// Takes out the earliest lane and its instant, if that is before `bound`. If none is, time goes on to `bound`.
    #[inline(never)]
    pub fn pop(&mut self, bound: Time) -> Due {
        if !self.crowd.is_empty() {
            return self.pop_of_crowd(bound);
        }
        if let Some(&first) = self.due.last() {
            let (lane, time) = (lane_of(first), Time::from_nanos(time_of(first)));
            let Some(waiting) = self.lanes.get_mut(lane as usize) else { return Due::NOTHING };
            if waiting.time != time {
                return self.pop_of_crowd(bound);
            }
            if time >= bound {
                return Due::NOTHING;
            }
            self.due.pop();
            waiting.time = Time::NEVER;
            return Due { time, lane };
        }
        let tick = self.next_tick();
        let slot = slot_of(tick);
        let lane = self.slots[slot];
        // The usual case: a lane alone in its slot.
        if tick < self.far_tick
            && let Some(waiting) = self.lanes.get_mut(lane as usize)
            && waiting.next == NONE
        {
            let time = waiting.time;
            if time >= bound {
                self.go_on_to(bound);
                return Due::NOTHING;
            }
            waiting.time = Time::NEVER;
            self.tick = tick;
            self.slots[slot] = NONE;
            self.vacate(tick);
            return Due { time, lane };
        }
        self.pop_of_next_tick(bound)
    }

    #[inline(never)]
    fn pop_of_next_tick(&mut self, bound: Time) -> Due {
        if self.turn(bound) {
            return self.pop_of_crowd(bound);
        }
        self.go_on_to(bound);
        Due::NOTHING
    }

    /// As [`Wheel::pop`], wherever the instant lies and whether or not instants before it are void.
    #[inline(never)]
    fn pop_of_crowd(&mut self, bound: Time) -> Due {
        loop {
            let (sorted, crowd) = (self.due.last().copied(), self.crowd.first());
            let of_crowd = match (sorted, crowd) {
                (Some(sorted), Some(crowd)) => crowd < sorted,
                (sorted, _) => sorted.is_none(),
            };
            let Some(first) = (if of_crowd { crowd } else { sorted }) else { return self.pop_of_next_tick(bound) };
            let (lane, time) = (lane_of(first), Time::from_nanos(time_of(first)));
            let waiting = &mut self.lanes[lane as usize];
            let valid = waiting.time == time;
            if valid && time >= bound {
                return Due::NOTHING;
            }
            if of_crowd {
                self.crowd.pop();
            } else {
                self.due.pop();
            }
            if valid {
                waiting.time = Time::NEVER;
                return Due { time, lane };
            }
        }
    }

    /// Nothing waits until `bound`, and nothing in the present tick.
    fn go_on_to(&mut self, bound: Time) {
        if bound == Time::NEVER {
            return;
        }
        self.tick = self.tick.max((bound.as_nanos() >> self.shift).saturating_sub(1));
    }

    /// Goes on to the next tick in which something is due, unless that is after `bound`: the tick never runs ahead of the
    /// present, so that what is set next still finds its slot. False if nothing is due.
    fn turn(&mut self, bound: Time) -> bool {
        let slot_tick = self.next_tick();
        let tick = slot_tick.min(self.far_tick);
        if tick > bound.as_nanos() >> self.shift || tick == u64::MAX {
            return false;
        }
        self.tick = tick;
        if slot_tick == tick {
            self.vacate(tick);
            let mut lane = std::mem::replace(&mut self.slots[slot_of(tick)], NONE);
            while let Some(waiting) = self.lanes.get_mut(lane as usize) {
                let instant = pack(waiting.time, lane);
                lane = std::mem::replace(&mut waiting.next, NONE);
                self.set_due(instant);
            }
        }
        while self.far_tick == tick
            && let Some(instant) = self.far.pop()
        {
            self.set_due(instant);
            self.far_tick = self.far.first().map_or(u64::MAX, |instant| time_of(instant) >> self.shift);
        }
        true
    }

    /// The next tick after the present one whose slot is occupied; the last tick of all if none is.
    #[inline]
    fn next_tick(&self) -> u64 {
        let from = self.tick + 1;
        let here = self.occupied[word_of(from)] >> (from & 63);
        if here != 0 {
            return from + u64::from(here.trailing_zeros());
        }
        if self.summary == 0 {
            return u64::MAX;
        }
        // The words after this one in their order around the wheel, this one last: its lower bits are a turn away.
        let next = word_of(from) as u32 + 1;
        let turned = self.summary.rotate_right(next & 63);
        let word = (next as usize + turned.trailing_zeros() as usize) & (WORDS - 1);
        let slot = (word as u64) << 6 | u64::from(self.occupied[word].trailing_zeros());
        from + (slot.wrapping_sub(from) & (SLOTS as u64 - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use std::collections::BTreeSet;

    /// Random lanes with waits of all lengths, against a sorted set, whatever the width of a tick.
    #[test]
    fn the_order_is_exact_for_every_width_of_a_tick() {
        const LANES: u32 = 300;
        for wait in [0, 1_000, 1_000_000, 1_000_000_000] {
            let mut rng = Rng::stream(7, "test/wheel");
            let mut wheel = Wheel::new(LANES as usize, Span::from_nanos(wait));
            let mut sorted = BTreeSet::new();
            let mut waits = [None; LANES as usize];
            let mut now = Time::ZERO;
            for _ in 0..50_000 {
                let lane = rng.below(u64::from(LANES)) as u32;
                // From nothing at all to a minute, each magnitude equally often.
                let magnitude = rng.below(37);
                let span = Span::from_nanos(rng.below(1 << magnitude));
                match (rng.below(10), waits[lane as usize]) {
                    (0, Some(time)) => {
                        wheel.clear(lane);
                        sorted.remove(&(time, lane));
                        waits[lane as usize] = None;
                    }
                    (1, Some(_)) | (_, None) => {
                        wheel.set(lane, now + span);
                        if let Some(time) = waits[lane as usize].replace(now + span) {
                            sorted.remove(&(time, lane));
                        }
                        sorted.insert((now + span, lane));
                    }
                    _ => {}
                }
                // Something else may happen before the wheel's next.
                let magnitude = rng.below(30);
                let bound = now + Span::from_nanos(rng.below(1 << magnitude));
                let expected = sorted.first().copied().filter(|&(time, _)| time < bound);
                assert_eq!(
                    wheel.pop(bound),
                    expected.map_or(Due::NOTHING, |(time, lane)| Due { time, lane }),
                    "wait {wait}"
                );
                if let Some((time, lane)) = expected {
                    sorted.pop_first();
                    waits[lane as usize] = None;
                    now = time;
                } else {
                    now = bound;
                }
            }
            while let Some((time, lane)) = sorted.pop_first() {
                assert_eq!(wheel.pop(Time::NEVER), Due { time, lane });
            }
            assert!(wheel.is_empty());
        }
    }
}
