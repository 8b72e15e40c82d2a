//! Who announced a shared address when, and when routing had followed.

use crate::base::Time;
use crate::trace::{Announcement, Record, Rerouted};
use std::collections::BTreeMap;

/// A time in which a machine did not announce an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Withdrawal {
    /// When it began.
    pub withdrawn: Time,
    /// When all routers led senders elsewhere, if others announced the address.
    pub rerouted: Option<Time>,
    /// When it ended.
    pub announced: Option<Time>,
    /// When all routers led senders there again.
    pub restored: Option<Time>,
}

/// Reads withdrawals out of the records.
#[derive(Clone, Debug, Default)]
pub struct Withdrawals {
    /// By address and machine, as numbers in the plan.
    all: BTreeMap<(u32, u32), Vec<Withdrawal>>,
    /// What changes of routes that are under way are about, and whether they lead to others.
    changes: BTreeMap<u32, Vec<(u32, u32, bool)>>,
}

impl Withdrawals {
    /// Reads one record.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Announcement(announcement) => self.announcement(announcement),
            Record::Rerouted(rerouted) => self.rerouted(rerouted),
            _ => {}
        }
    }

    fn announcement(&mut self, announcement: &Announcement) {
        let Announcement { time, address, node, on, others, change } = *announcement;
        let own = self.all.entry((address, node)).or_default();
        if on {
            if let Some(last) = own.last_mut() {
                last.announced = Some(time);
            }
        } else {
            own.push(Withdrawal { withdrawn: time, rerouted: None, announced: None, restored: None });
        }
        self.changes.entry(change).or_default().push((address, node, others));
    }

    fn rerouted(&mut self, rerouted: &Rerouted) {
        for (address, node, others) in self.changes.remove(&rerouted.change).unwrap_or_default() {
            // Routes that came too late to be used before the next change count for neither.
            let Some(last) = self.all.get_mut(&(address, node)).and_then(|own| own.last_mut()) else { continue };
            match last.announced {
                Some(_) => last.restored = last.restored.or(Some(rerouted.time)),
                None if others => last.rerouted = last.rerouted.or(Some(rerouted.time)),
                None => {}
            }
        }
    }

    /// The withdrawals of one machine from one address, in the order of time.
    #[must_use]
    pub fn of(&self, address: u32, node: u32) -> &[Withdrawal] {
        self.all.get(&(address, node)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;

    #[test]
    fn a_withdrawal_lasts_from_the_word_to_the_next_and_routes_follow_each() {
        let ms = |n| Time::ZERO + Span::from_millis(n);
        let said = |time, node, on, change| {
            Record::Announcement(Announcement { time: ms(time), address: 9, node, on, others: node == 1, change })
        };
        let followed = |time, change| {
            let (time, onset) = (ms(time), change == 1);
            Record::Rerouted(Rerouted { change, fault: None, time, onset, around: onset })
        };
        let mut withdrawals = Withdrawals::default();
        for record in [said(10, 1, false, 1), followed(20, 1), followed(25, 7), said(30, 1, true, 2), followed(45, 2)] {
            withdrawals.record(&record);
        }
        withdrawals.record(&said(50, 2, false, 3));
        withdrawals.record(&followed(60, 3));
        let whole =
            Withdrawal { withdrawn: ms(10), rerouted: Some(ms(20)), announced: Some(ms(30)), restored: Some(ms(45)) };
        assert_eq!(withdrawals.of(9, 1), [whole]);
        let open = Withdrawal { withdrawn: ms(50), rerouted: None, announced: None, restored: None };
        assert_eq!(withdrawals.of(9, 2), [open], "the last one leaves nobody to lead to");
        assert_eq!(withdrawals.of(9, 3), []);
    }
}
