//! What servers did for requests beyond answering them: money taken, sessions kept; and whose requests those were.
//!
//! A server knows the exchange that it took part in. Where a proxy asked for somebody's sake, that exchange stands for another, up to
//! the one that a user began.

use crate::trace::{Record, SessionEvent};
use std::collections::{BTreeMap, BTreeSet};

/// A flow and how many requests went before on it.
type Exchange = (u64, u32);

/// What was paid.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Payments {
    /// How often each request was charged, by its number, and how much in all.
    pub charged: BTreeMap<u64, (u32, u64)>,
    /// Requests that ended well.
    told: BTreeSet<u64>,
}

impl Payments {
    /// How often money was taken.
    #[must_use]
    pub fn charges(&self) -> u64 {
        self.charged.values().map(|(times, _)| u64::from(*times)).sum()
    }

    /// Requests that were charged and did not end well for their user.
    #[must_use]
    pub fn charged_but_failed(&self) -> u64 {
        self.charged.keys().filter(|number| !self.told.contains(number)).count() as u64
    }

    /// Requests whose user was told that they ended well, and that nobody charged.
    #[must_use]
    pub fn told_but_free(&self) -> u64 {
        self.told.iter().filter(|number| !self.charged.contains_key(number)).count() as u64
    }

    /// Cents taken, and cents owed: each request once.
    #[must_use]
    pub fn cents(&self) -> (u64, u64) {
        let taken = self.charged.values().map(|(_, cents)| cents).sum();
        (taken, self.charged.values().map(|(times, cents)| cents / u64::from(*times).max(1)).sum())
    }

    pub(super) fn told(&mut self, number: u64) {
        self.told.insert(number);
    }
}

/// What became of sessions in servers' memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sessions {
    /// Began, those after a loss included.
    pub begun: u64,
    /// Requests that found theirs.
    pub found: u64,
    /// Requests that named one that the server asked did not have.
    pub lost: u64,
}

/// What servers did, by the exchange in which they did it, until it is known whose that was.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Traffic and number of the request that an exchange was.
    asked: BTreeMap<Exchange, (u32, u64)>,
    /// The exchange for whose sake a proxy had another.
    fronts: BTreeMap<Exchange, Exchange>,
    charges: BTreeMap<Exchange, u64>,
    sessions: Vec<(Exchange, SessionEvent)>,
}

/// What one entry of the ledger is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entry {
    /// So many cents were taken.
    Charge(u64),
    /// A session was looked for.
    Session(SessionEvent),
}

impl Ledger {
    /// A user's request, or a try of it, was this exchange.
    pub(super) fn asked(&mut self, traffic: u32, number: u64, exchange: Exchange) {
        if exchange.0 != 0 {
            self.asked.insert(exchange, (traffic, number));
        }
    }

    pub(super) fn record(&mut self, record: &Record) {
        match record {
            Record::Charge(charge) => {
                self.charges.insert((charge.flow, charge.exchange), charge.cents);
            }
            Record::Session(session) => self.sessions.push(((session.flow, session.exchange), session.what)),
            Record::Forwarded(forwarded) => {
                self.fronts.insert(forwarded.back, forwarded.front);
            }
            _ => {}
        }
    }

    /// All entries whose requests are known: traffic, number, and what was done.
    pub(super) fn settle(self) -> Vec<(u32, u64, Entry)> {
        let charges = self.charges.iter().map(|(&exchange, &cents)| (exchange, Entry::Charge(cents)));
        let sessions = self.sessions.iter().map(|&(exchange, what)| (exchange, Entry::Session(what)));
        let owned = charges.chain(sessions).filter_map(|(exchange, entry)| {
            let (traffic, number) = self.owner(exchange)?;
            Some((traffic, number, entry))
        });
        owned.collect()
    }

    fn owner(&self, mut exchange: Exchange) -> Option<(u32, u64)> {
        while let Some(&front) = self.fronts.get(&exchange) {
            exchange = front;
        }
        self.asked.get(&exchange).copied()
    }
}
