//! When hosts moved from one of their addresses to another, what that cost their connections, and when the new paths were proved.

use crate::base::{Span, Time};
use crate::trace::{PathValidated, Record, Roamed};
use std::net::Ipv4Addr;

/// A host speaks from another of its addresses, or connections of it had to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move {
    /// What the host noticed, and what it did.
    pub roamed: Roamed,
    /// Connections that have been answered at the new address so far, and the last of them.
    pub validated: (u32, Option<Time>),
}

/// A connection that went on from another address of its client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Migration {
    /// The client's machine.
    pub node: u32,
    /// Its address by then.
    pub to: Ipv4Addr,
    /// When it moved.
    pub at: Time,
    /// How long it took until the peer had answered from there.
    pub validated_after: Span,
}

impl From<PathValidated> for Migration {
    fn from(PathValidated { time, node, local, since, .. }: PathValidated) -> Self {
        Self { node, to: local, at: since, validated_after: time - since }
    }
}

/// Reads moves out of the records.
#[derive(Clone, Debug, Default)]
pub struct Moves(Vec<Move>);

impl Moves {
    /// Reads one record.
    pub fn record(&mut self, record: &Record) {
        match record {
            // A link that failed or came back unused changed nothing.
            Record::Roamed(roamed) if roamed.from != roamed.to || roamed.broken + roamed.migrated > 0 => {
                self.0.push(Move { roamed: *roamed, validated: (0, None) });
            }
            Record::PathValidated(PathValidated { time, node, since, .. }) => {
                let of = |it: &&mut Move| (it.roamed.node, it.roamed.time) == (*node, *since);
                if let Some(moved) = self.0.iter_mut().rev().find(of) {
                    moved.validated = (moved.validated.0 + 1, Some(*time));
                }
            }
            _ => {}
        }
    }

    /// The moves in the order of time.
    #[must_use]
    pub fn all(&self) -> &[Move] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_proved_for_the_move_that_it_belongs_to() {
        let ms = |n| Time::ZERO + Span::from_millis(n);
        let (wifi, lte) = (Some(Ipv4Addr::new(10, 0, 0, 2)), Some(Ipv4Addr::new(10, 0, 1, 2)));
        let roamed = |time, node, from, to, migrated| Roamed {
            time: ms(time),
            node,
            fault: 0,
            lost: true,
            from,
            to,
            broken: 0,
            migrated,
            given_up: 0,
        };
        let proved = |time, node, since| {
            let local = Ipv4Addr::new(10, 0, 1, 2);
            Record::PathValidated(PathValidated { time: ms(time), node, flow: 1, local, since: ms(since) })
        };
        let (first, other) = (roamed(10, 1, wifi, lte, 2), roamed(10, 2, wifi, lte, 1));
        let (unused, back) = (roamed(20, 1, wifi, wifi, 0), roamed(30, 1, lte, wifi, 0));
        let mut moves = Moves::default();
        for record in [first, other, unused, back].map(Record::Roamed) {
            moves.record(&record);
        }
        [proved(40, 1, 10), proved(50, 1, 10), proved(60, 2, 10)].iter().for_each(|record| moves.record(record));
        let of = |roamed, count, last: Option<u64>| Move { roamed, validated: (count, last.map(ms)) };
        assert_eq!(moves.all(), [of(first, 2, Some(50)), of(other, 1, Some(60)), of(back, 0, None)]);
    }
}
