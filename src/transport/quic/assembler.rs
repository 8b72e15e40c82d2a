//! Pieces of a byte stream that arrive in any order, and the way of each byte to its reader.

use crate::base::Time;
use crate::trace::Arrival;
use crate::wire::Payload;
use std::collections::VecDeque;

/// A piece with its place and its way.
#[derive(Debug)]
struct Piece {
    start: u64,
    payload: Payload,
    arrival: Arrival,
}

/// The receiving side of a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// Offset of the next byte for the reader, and of the first that is missing.
    read: u64,
    next: u64,
    /// In order, from `read` to `next`.
    ready: VecDeque<Piece>,
    /// Above a hole, by offset, disjoint.
    held: Vec<Piece>,
}

impl Assembler {
    /// Bytes that can be read.
    pub(super) const fn readable(&self) -> u64 {
        self.next - self.read
    }

    /// Bytes handed to the reader.
    pub(super) const fn bytes_read(&self) -> u64 {
        self.read
    }

    /// Bytes that have arrived in order.
    pub(super) const fn in_order(&self) -> u64 {
        self.next
    }

    /// Takes a piece in; true if there is more to read than before.
    pub(super) fn insert(&mut self, offset: u64, payload: Payload, arrival: Arrival) -> bool {
        let end = offset + payload.len();
        if end <= self.next {
            return false;
        }
        if offset > self.next {
            self.hold(offset, payload, arrival);
            return false;
        }
        let mut payload = payload;
        if offset < self.next {
            drop(payload.split_to(self.next - offset));
        }
        self.release(payload, arrival);
        self.release_held(arrival.arrived);
        true
    }

    fn release(&mut self, payload: Payload, arrival: Arrival) {
        let start = self.next;
        self.next += payload.len();
        self.ready.push_back(Piece { start, payload, arrival });
    }

    /// What lies contiguous now is readable now.
    fn release_held(&mut self, now: Time) {
        let mut count = 0;
        while let Some(piece) = self.held.get_mut(count)
            && piece.start <= self.next
        {
            count += 1;
            let mut payload = std::mem::take(&mut piece.payload);
            let (end, mut arrival) = (piece.start + payload.len(), piece.arrival);
            if end > self.next {
                drop(payload.split_to(self.next - piece.start));
                arrival.released = now;
                self.release(payload, arrival);
            }
        }
        self.held.drain(..count);
    }

    /// Keeps the parts of a piece that are new.
    fn hold(&mut self, start: u64, mut payload: Payload, arrival: Arrival) {
        let (mut from, end) = (start, start + payload.len());
        let mut index = self.held.partition_point(|held| held.start + held.payload.len() <= start);
        while from < end {
            let (held_start, held_end) =
                self.held.get(index).map_or((u64::MAX, u64::MAX), |held| (held.start, held.start + held.payload.len()));
            let until = if held_start <= from { held_end.min(end) } else { held_start.min(end) };
            let part = payload.split_to(until - from);
            if held_start > from {
                self.held.insert(index, Piece { start: from, payload: part, arrival });
            }
            from = until;
            index += 1;
        }
    }

    /// Takes at most `max` bytes, and the way of the last one.
    pub(super) fn read(&mut self, max: u64) -> Option<(Payload, Arrival)> {
        let mut out: Option<(Payload, Arrival)> = None;
        let mut left = max.min(self.readable());
        while left > 0
            && let Some(front) = self.ready.front_mut()
        {
            let arrival = front.arrival;
            let part = front.payload.split_to(left);
            front.start += part.len();
            if front.payload.is_empty() {
                self.ready.pop_front();
            }
            left -= part.len();
            self.read += part.len();
            match &mut out {
                Some((payload, last)) => {
                    payload.append(part);
                    *last = arrival;
                }
                None => out = Some((part, arrival)),
            }
        }
        out
    }

    /// Throws away what is there and goes on at the offset `to`, or behind what has arrived in order.
    pub(super) fn skip_to(&mut self, to: u64) {
        self.ready.clear();
        self.next = self.next.max(to);
        self.read = self.next;
        self.held.retain(|piece| piece.start + piece.payload.len() > self.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Span};

    #[test]
    fn any_order_of_pieces_gives_the_bytes_and_their_release() {
        let mut rng = Rng::stream(4, "test/quic/assembler");
        for _ in 0..300 {
            let whole: Vec<u8> = (0..200).map(|_| rng.bits().to_le_bytes()[0]).collect();
            let mut assembler = Assembler::default();
            let (mut got, mut missing, mut now) = (Vec::new(), vec![true; 200], Time::ZERO);
            while missing.contains(&true) {
                now += Span::from_millis(1);
                let start = rng.below(200);
                let len = 1 + rng.below((200 - start).min(40));
                let range = usize::try_from(start).unwrap()..usize::try_from(start + len).unwrap();
                missing[range.clone()].fill(false);
                let arrival = Arrival { arrived: now, released: now, ..Arrival::default() };
                let before = assembler.in_order();
                let more = assembler.insert(start, Payload::real(whole[range].to_vec()), arrival);
                let first_missing = missing.iter().position(|&x| x).unwrap_or(200) as u64;
                assert_eq!(assembler.in_order(), first_missing);
                assert_eq!(more, first_missing > before);
                if rng.chance(0.3)
                    && let Some((payload, arrival)) = assembler.read(rng.below(50))
                {
                    assert!(arrival.released <= now && arrival.arrived <= arrival.released);
                    got.extend(payload.to_vec());
                }
            }
            got.extend(assembler.read(200).map(|read| read.0.to_vec()).unwrap_or_default());
            assert_eq!(got, whole);
        }
    }
}
