//! Edges of a content delivery network: HTTP caches between users and origins, one behind another where there is a shield.
//!
//! An edge keeps what origins allow (RFC 9111), asks again on condition when it has become stale, and serves the stale one meanwhile or
//! where the origin fails if that is allowed (RFC 5861). What several want at the same time is fetched once. It speaks HTTP/1.1 in the
//! clear on both sides and has one site: `Host` is no part of what names an object. Not modelled: ranges, `Expires` and `Pragma`, the
//! directives of requests, which CDNs do not heed either.

mod config;
pub mod control;
mod control_point;
mod fetch;
mod flight;
pub mod freshness;
mod object;
mod purge;
mod serve;
mod status;
pub mod store;
pub mod validator;
pub mod vary;

pub use config::{Coalesce, Config, Failed, Negative};
pub use control_point::{Config as ControlConfig, Site, run as run_control};
pub use store::Eviction;

use crate::app::Channel;
use crate::host::Host;
use crate::service::balancer::backends::Backends;
use crate::trace::{CacheEvent, CacheRecord, Record};
use bytes::{BufMut, Bytes, BytesMut};
use flight::Flight;
use object::Object;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use store::Store;
use vary::Vary;

/// A running edge: what its tasks share.
struct Edge {
    host: Host,
    config: Config,
    backends: Rc<Backends>,
    store: RefCell<Store<Object>>,
    /// By what the variants of each target differ, as far as is known.
    varies: RefCell<BTreeMap<Bytes, Vary>>,
    /// Targets whose last answer was for one request only.
    personal: RefCell<BTreeSet<Bytes>>,
    /// Fetches under way that may be shared, by the name of what they fetch.
    flights: RefCell<BTreeMap<Bytes, Rc<Flight>>>,
    fetches: Cell<u64>,
}

impl Edge {
    fn record(&self, event: CacheEvent) {
        let (node, time) = (self.host.node(), self.host.now());
        self.host.record(Record::Cache(CacheRecord { node, time, event }));
    }
}

/// Serves for ever. Emits an [`Exchange`](crate::trace::Exchange) and a [`CacheRecord`] for each answer, and a record for each fetch.
/// What the choice of an upstream leaves to chance is drawn from the stream `host/<name>/balancer/upstream`.
pub async fn run(host: Host, config: Config) {
    let Ok(listener) = host.listen_with(config.port, config.backlog, None, true).await else { return };
    let edge = Rc::new(Edge {
        backends: Backends::start(&host, config.upstream.clone(), config.instance),
        store: RefCell::new(Store::new(config.capacity, config.eviction)),
        varies: RefCell::default(),
        personal: RefCell::default(),
        flights: RefCell::default(),
        fetches: Cell::default(),
        host: host.clone(),
        config,
    });
    while let Ok(stream) = listener.accept().await {
        let edge = Rc::clone(&edge);
        drop(host.spawn(async move { edge.client(&Channel::Plain(stream)).await }));
    }
}

/// The name of an object: what is asked for, and which variant of it. No target has a line end in it.
fn name(target: &[u8], variant: &[u8]) -> Bytes {
    let mut name = BytesMut::with_capacity(target.len() + 1 + variant.len());
    name.put_slice(target);
    name.put_u8(b'\n');
    name.put_slice(variant);
    name.freeze()
}

/// The target in an object's name.
fn target(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b'\n').next().unwrap_or_default()
}
