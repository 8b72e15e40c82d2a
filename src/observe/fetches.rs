//! What edges fetched for a request: one edge behind the other, each fetch divided into its phases.

use super::attribution::of_request;
use super::phase::{Budget, Phase};
use crate::base::{Span, Time};
use crate::trace::{CacheEvent, Exchange, Failure, Record, Request};
use std::collections::BTreeMap;

/// A fetch of an edge for whose answer a request waited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// The edge.
    pub by: u32,
    /// Who answered it, if that is known.
    pub from: Option<u32>,
    /// When it began.
    pub start: Time,
    /// How long it took.
    pub took: Span,
    /// Status of the answer; 0 without one.
    pub status: u16,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// The flow on which it was asked; 0 if none was.
    pub flow: u64,
    /// Whether it was made for another request.
    pub shared: bool,
    shares: Vec<Span>,
}

impl Fetch {
    /// How its time divides, exactly.
    #[must_use]
    pub fn budget(&self) -> Budget<'_> {
        Budget::new(Phase::REQUEST, &self.shares)
    }
}

/// Which edges there can be behind each other: a checked plan has no circles.
const DEEPEST: usize = 64;

/// An exchange: flow and number.
type Key = (u64, u32);

/// Everything that edges fetched and for whom.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    /// By the exchange of the client: the edge and the number of its fetch.
    served: BTreeMap<Key, (u32, u64)>,
    fetched: BTreeMap<(u32, u64), Request>,
    exchanges: BTreeMap<Key, Exchange>,
}

impl Fetches {
    pub(super) fn record(&mut self, record: &Record) {
        match record {
            Record::Cache(cache) => {
                if let CacheEvent::Served(served) = cache.event
                    && served.fetch > 0
                {
                    self.served.insert((served.flow, served.exchange), (cache.node, served.fetch));
                }
            }
            Record::Fetched(request) => {
                self.fetched.insert((request.node, request.number), *request);
            }
            Record::Exchange(exchange) => {
                self.exchanges.insert((exchange.flow, exchange.exchange), *exchange);
            }
            _ => {}
        }
    }

    /// The fetches for which the request with this exchange waited, the edge that it asked first.
    pub(super) fn of(&self, mut key: Key) -> Vec<Fetch> {
        let mut all = Vec::new();
        while let Some(fetched) = self.served.get(&key).and_then(|fetch| self.fetched.get(fetch))
            && all.len() < DEEPEST
        {
            let shared = fetched.cause != Some(key);
            key = (fetched.flow, fetched.exchange);
            let exchange = self.exchanges.get(&key);
            all.push(Fetch {
                by: fetched.node,
                from: exchange.map(|exchange| exchange.node),
                start: fetched.start,
                took: fetched.end - fetched.start,
                status: fetched.status,
                failure: fetched.failure,
                flow: fetched.flow,
                shared,
                shares: of_request(fetched, exchange).to_vec(),
            });
        }
        all
    }
}
