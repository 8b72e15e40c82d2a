//! The next instant of each of many lanes, earliest first: a timing wheel with exact times.
//!
//! A lane (a link direction) waits for at most one instant, its next. Instants fall into ticks of a power of two nanoseconds; the
//! wheel has a slot for each of the next ticks, which lists the lanes that fall due in it, first to come up first. So the
//! width of a tick changes what an instant costs, never the order; and
//! with ticks of about the distance between events, a slot holds hardly more than one lane, and an instant costs the same however
//! many lanes there are (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987; Brown, "Calendar queues", 1988).

use super::heap::Heap;
use crate::base::{Span, Time};

/// Slots of the wheel: as many as two levels of 64-bit words have bits.
const SLOTS: usize = 4096;
const WORDS: usize = 64;
/// So many lanes of a slot are looked at to find a lane's place among them; one that belongs behind them is set aside.
const FEW: u32 = 64;
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

/// Where a lane waits that has no place in a slot.
const ASIDE: u32 = u32::MAX;

/// A lane and what it waits for, if it does.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    time: Time,
    /// The next lane of the same slot.
    next: u32,
    /// Its slot, or [`ASIDE`].
    slot: u32,
}

impl Waiting {
    const FOR_NOTHING: Self = Self { time: Time::NEVER, next: NONE, slot: ASIDE };
}

/// The list of the lanes that come up in a tick.
#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    /// The last lane; of no meaning where there is no first.
    last: u32,
}

/// The lanes and their instants.
#[derive(Debug)]
pub struct Wheel {
    /// A tick is so many binary digits of nanoseconds wide.
    shift: u32,
    /// The first tick of the present word: no lane waits for an earlier one. And which slots of that word are not empty.
    base: u64,
    near: u64,
    /// The lanes of each slot.
    slots: Box<[Slot; SLOTS]>,
    /// Which slots of the other words are not empty, and which of those words are not zero.
    occupied: [u64; WORDS],
    summary: u64,
    lanes: Vec<Waiting>,
    /// Instants beyond the wheel's last slot and those that found too many in theirs, some of them void; and the tick of the first,
    /// or the last tick of all if there is none.
    aside: Heap<Instant>,
    aside_tick: u64,
}

impl Wheel {
    /// No instants for `lanes` lanes, which usually wait for about `wait`.
    #[must_use]
    pub fn new(lanes: usize, wait: Span) -> Self {
        // As wide as what lies between two instants if every lane waits, or a little narrower, but four usual waits around the wheel.
        let ticks = (2 * lanes as u64).clamp(16, SLOTS as u64 / 4);
        let tick = (wait.as_nanos() / ticks).max(1);
        Self {
            shift: tick.ilog2(),
            base: 0,
            near: 0,
            slots: vec![Slot { first: NONE, last: NONE }; SLOTS]
                .into_boxed_slice()
                .try_into()
                .expect("the slice has just been made with this length"),
            occupied: [0; WORDS],
            summary: 0,
            lanes: vec![Waiting::FOR_NOTHING; lanes],
            aside: Heap::default(),
            aside_tick: u64::MAX,
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
        if self.lanes[lane as usize].time == Time::NEVER {
            self.set_idle(lane, time);
        } else {
            self.set_among(lane, time);
        }
    }

    /// As [`Wheel::set`] for a lane that waits for nothing: the usual case.
    #[expect(clippy::cast_possible_truncation, reason = "slots and words are few")]
    #[expect(clippy::inline_always, reason = "once for every event of a link")]
    #[inline(always)]
    pub fn set_idle(&mut self, lane: u32, time: Time) {
        let Some(waiting) = self.lanes.get_mut(lane as usize) else { return };
        debug_assert_eq!(waiting.time, Time::NEVER, "a lane waits once");
        let tick = time.as_nanos() >> self.shift;
        let slot = slot_of(tick);
        // Ticks wrap, so that one that has passed is far away.
        if tick.wrapping_sub(self.base) >= SLOTS as u64 {
            return self.set_among(lane, time);
        }
        *waiting = Waiting { time, next: NONE, slot: slot as u32 };
        let Slot { first, last } = self.slots[slot];
        if first == NONE {
            self.slots[slot] = Slot { first: lane, last: lane };
            self.occupy(tick);
        } else if let Some(behind) = self.lanes.get_mut(last as usize)
            && (behind.time < time || (behind.time == time && last < lane))
        {
            // Lanes with the same pace come up in the same order again.
            behind.next = lane;
            self.slots[slot].last = lane;
        } else {
            self.lanes[lane as usize].time = Time::NEVER;
            self.set_among(lane, time);
        }
    }

    /// As [`Wheel::set`], whatever the lane has waited for and whoever waits beside it.
    #[expect(clippy::cast_possible_truncation, reason = "slots and words are few")]
    #[inline(never)]
    fn set_among(&mut self, lane: u32, time: Time) {
        if self.lanes[lane as usize].time != Time::NEVER {
            self.withdraw(lane);
        }
        // One before the present word comes first in it.
        let tick = (time.as_nanos() >> self.shift).max(self.base);
        if tick - self.base >= SLOTS as u64 {
            return self.set_aside(lane, time);
        }
        let slot = slot_of(tick);
        let (mut before, mut next) = (NONE, self.slots[slot].first);
        for _ in 0..FEW {
            match self.lanes.get(next as usize) {
                Some(other) if (other.time, next) < (time, lane) => (before, next) = (next, other.next),
                _ => {
                    self.link(lane, Waiting { time, next, slot: slot as u32 }, before);
                    self.occupy(tick);
                    return;
                }
            }
        }
        self.set_aside(lane, time);
    }

    /// Puts the lane into its slot's list behind another, or first.
    #[inline]
    fn link(&mut self, lane: u32, waiting: Waiting, before: u32) {
        self.lanes[lane as usize] = waiting;
        let slot = &mut self.slots[waiting.slot as usize];
        match self.lanes.get_mut(before as usize) {
            Some(before) => before.next = lane,
            None => slot.first = lane,
        }
        if waiting.next == NONE {
            slot.last = lane;
        }
    }

    /// An instant that has no place in a slot.
    #[cold]
    fn set_aside(&mut self, lane: u32, time: Time) {
        self.lanes[lane as usize] = Waiting { time, ..Waiting::FOR_NOTHING };
        self.aside.push(pack(time, lane));
        self.aside_tick = self.aside_tick.min(time.as_nanos() >> self.shift);
    }

    /// The lane does not come up any more.
    pub fn clear(&mut self, lane: u32) {
        self.withdraw(lane);
    }

    /// Takes the lane out of its slot. Aside, an instant that is not its lane's any more is skipped when it comes up.
    #[cold]
    fn withdraw(&mut self, lane: u32) {
        let Waiting { next, slot, .. } = std::mem::replace(&mut self.lanes[lane as usize], Waiting::FOR_NOTHING);
        let Some(ends) = self.slots.get_mut(slot as usize) else { return };
        if ends.first == lane {
            ends.first = next;
            if next == NONE {
                self.vacate(slot);
            }
            return;
        }
        let mut at = ends.first;
        while let Some(waiting) = self.lanes.get_mut(at as usize) {
            if waiting.next == lane {
                waiting.next = next;
                if next == NONE {
                    ends.last = at;
                }
                return;
            }
            at = waiting.next;
        }
    }

    /// The slot of `tick`, which is not before the present word, is not empty any more.
    #[expect(clippy::inline_always, reason = "once for every event of a link")]
    #[inline(always)]
    fn occupy(&mut self, tick: u64) {
        if tick ^ self.base < 64 {
            self.near |= 1 << (tick & 63);
            return;
        }
        let word = &mut self.occupied[word_of(tick)];
        if *word == 0 {
            self.summary |= 1 << word_of(tick);
        }
        *word |= 1 << (tick & 63);
    }

    /// The slot is empty.
    fn vacate(&mut self, slot: u32) {
        let word = slot as usize >> 6;
        if word == word_of(self.base) {
            self.near &= !(1 << (slot & 63));
            return;
        }
        let left = self.occupied[word] & !(1 << (slot & 63));
        self.occupied[word] = left;
        if left == 0 {
            self.summary &= !(1 << word);
        }
    }

    /// Takes out the earliest lane and its instant, if that is before `bound`. If none is, time goes on to `bound`.
    #[inline]
    pub fn pop(&mut self, bound: Time) -> Due {
        let tick = self.base | u64::from(self.near.trailing_zeros());
        if self.near != 0 && tick < self.aside_tick {
            let slot = slot_of(tick);
            let lane = self.slots[slot].first;
            if let Some(waiting) = self.lanes.get_mut(lane as usize) {
                let Waiting { time, next, .. } = *waiting;
                if time >= bound {
                    return Due::NOTHING;
                }
                waiting.time = Time::NEVER;
                self.slots[slot].first = next;
                if next == NONE {
                    // It was the first slot.
                    self.near &= self.near - 1;
                }
                return Due { time, lane };
            }
        }
        self.pop_far(bound)
    }

    /// As [`Wheel::pop`], where the present word is empty or what is aside may come first.
    #[inline(never)]
    fn pop_far(&mut self, bound: Time) -> Due {
        let tick = self.next_tick();
        if tick >= self.aside_tick || tick == u64::MAX {
            return self.pop_of_all(bound, tick);
        }
        let slot = slot_of(tick);
        let lane = self.slots[slot].first;
        let Waiting { time, next, .. } = self.lanes[lane as usize];
        if time >= bound {
            self.go_on_to(bound);
            return Due::NOTHING;
        }
        self.go_to_word(tick & !63);
        self.lanes[lane as usize].time = Time::NEVER;
        self.slots[slot].first = next;
        if next == NONE {
            self.near &= self.near - 1;
        }
        Due { time, lane }
    }

    /// As [`Wheel::pop`], where what is aside may come before what is in the slot of `tick`, or there is no such slot.
    #[inline(never)]
    fn pop_of_all(&mut self, bound: Time, tick: u64) -> Due {
        let Some(due) = self.first_of_all(bound, tick) else {
            self.go_on_to(bound);
            return Due::NOTHING;
        };
        if self.near == 0 {
            self.go_to_word((due.time.as_nanos() >> self.shift) & !63);
        }
        if self.lanes[due.lane as usize].slot == ASIDE {
            self.lanes[due.lane as usize] = Waiting::FOR_NOTHING;
        } else {
            self.withdraw(due.lane);
        }
        due
    }

    /// The earliest lane, if it comes up before `bound`, where what is aside may come before what is in the slot of `tick`, or there is
    /// no such slot.
    fn first_of_all(&mut self, bound: Time, tick: u64) -> Option<Due> {
        let in_slot = if tick == u64::MAX { NONE } else { self.slots[slot_of(tick)].first };
        while let Some(instant) = self.aside.first() {
            let (time, lane) = (Time::from_nanos(time_of(instant)), lane_of(instant));
            let waiting = self.lanes[lane as usize];
            let valid = waiting.time == time && waiting.slot == ASIDE;
            if valid && self.lanes.get(in_slot as usize).is_some_and(|other| (other.time, in_slot) < (time, lane)) {
                break;
            }
            if valid && time >= bound {
                return None;
            }
            self.aside.pop();
            self.aside_tick = self.aside.first().map_or(u64::MAX, |instant| time_of(instant) >> self.shift);
            if valid {
                return Some(Due { time, lane });
            }
        }
        let time = self.lanes.get(in_slot as usize)?.time;
        (time < bound).then_some(Due { time, lane: in_slot })
    }

    /// Nothing waits until `bound`. The present word stays behind it, so that what is set next still finds its slot.
    fn go_on_to(&mut self, bound: Time) {
        if self.near == 0 && bound != Time::NEVER {
            self.go_to_word((bound.as_nanos() >> self.shift).saturating_sub(1) & !63);
        }
    }

    /// The word that begins with the tick `base` is the present one, if it is later than the present one, which is empty, as are those
    /// between the two.
    fn go_to_word(&mut self, base: u64) {
        if base > self.base {
            let word = word_of(base);
            self.base = base;
            self.near = std::mem::take(&mut self.occupied[word]);
            self.summary &= !(1 << word);
        }
    }

    /// The first tick whose slot is occupied; the last tick of all if none is.
    #[expect(clippy::cast_possible_truncation, reason = "slots and words are few")]
    fn next_tick(&self) -> u64 {
        if self.near != 0 {
            return self.base | u64::from(self.near.trailing_zeros());
        }
        if self.summary == 0 {
            return u64::MAX;
        }
        // The words after this one in their order around the wheel.
        let here = word_of(self.base) as u32;
        let ahead = self.summary.rotate_right(here).trailing_zeros();
        let word = (here + ahead) as usize & (WORDS - 1);
        self.base + (u64::from(ahead) << 6) + u64::from(self.occupied[word].trailing_zeros())
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
                let lane = u32::try_from(rng.below(u64::from(LANES))).unwrap();
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
