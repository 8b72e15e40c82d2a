//! Users of an HTTP server: when they ask, on which connection, and what they felt.

mod arrivals;
mod attempt;
pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
mod catalogue;
mod hedge;
pub mod jitter;
pub(in crate::service) mod pool;
mod request;
mod retry;
#[cfg(test)]
mod tests;

pub use arrivals::Arrivals;
pub(in crate::service) use attempt::{failure, tls_failure};
pub use catalogue::{Catalogue, Popularity};
pub use hedge::{After, ENOUGH, Hedge};
pub use retry::{Outcomes, Retry};

use super::registry::Watch;
use super::stub::Stub;
use super::{Limit, Numbering};
use crate::app::dns::Name;
use crate::app::http1::{HeadSize, Jar, Method};
use crate::app::tls::{ClientConfig, Tickets};
use crate::base::{Dist, Span, Time};
use crate::host::Host;
use crate::host::sync::Queue;
use crate::trace::Failure;
use crate::wire::tls::Version;
pub(in crate::service) use arrivals::Instants;
use pool::Pool;
use request::Asker;
use std::cell::{Cell, RefCell};
use std::net::Ipv4Addr;
use std::rc::Rc;

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

    fn pool(self) -> Option<Pool> {
        match self {
            Self::Pool { max, idle } => Some(Pool::new(max, idle)),
            Self::PerRequest => None,
        }
    }
}

/// How users speak TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tls {
    /// Oldest version spoken.
    pub min_version: Version,
    /// Newest version spoken.
    pub max_version: Version,
    /// Whether tickets are used.
    pub resumption: bool,
    /// Whether requests that change nothing (GET, HEAD) go before the handshake where a ticket allows it.
    pub early_data: bool,
}

impl Tls {
    /// As browsers do: both versions, resumption, no early data.
    pub const BROWSER: Self =
        Self { min_version: Version::Tls12, max_version: Version::Tls13, resumption: true, early_data: false };

    /// The session's settings for a request with this method to this name.
    pub(in crate::service) fn session(self, server_name: Option<String>, method: Method) -> ClientConfig {
        ClientConfig {
            min_version: self.min_version,
            max_version: self.max_version,
            resumption: self.resumption,
            // What is sent early may be sent again by somebody else (RFC 8446 8): browsers send only what does no harm.
            early_data: self.early_data && matches!(method, Method::Get | Method::Head),
            ..ClientConfig::new(server_name)
        }
    }
}

/// What an asker does about servers that fail or are slow. By default nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Policy {
    /// A try that takes longer has failed.
    pub try_timeout: Option<Span>,
    /// Trying again.
    pub retry: Option<Retry>,
    /// Trying once more beside a try that is slow.
    pub hedge: Option<Hedge>,
    /// Not trying for a while.
    pub breaker: Option<breaker::Config>,
    /// Not trying too much at a time.
    pub bulkhead: Option<bulkhead::Config>,
}

impl Policy {
    /// One line about each, for people who look for one.
    pub const TABLE: &'static [(&'static str, &'static str)] = &[
        ("timeout", "a request that takes longer is given up, with all its tries"),
        ("try_timeout", "a try that takes longer has failed"),
        ("retry", "what failed is tried again: how often, after which wait, for which failures"),
        ("budget", "retries and hedges may be a share of the requests: a token bucket"),
        ("hedge", "what is not answered in time is asked once more, and the first answer counts"),
        ("breaker", "after too many failures nothing is sent for a while, then probes decide: closed, open, half-open"),
        ("bulkhead", "so many requests at a time, so many waiting, one more fails at once"),
    ];

    /// Whether a request may be tried more than once.
    #[must_use]
    pub const fn tries_again(&self) -> bool {
        self.retry.is_some() || self.hedge.is_some()
    }
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
    /// TLS; `None`: in the clear.
    pub tls: Option<Tls>,
    /// What they ask for: path and query.
    pub path: String,
    /// Objects below the path, of which each request is for one.
    pub catalogue: Option<Catalogue>,
    /// Method.
    pub method: Method,
    /// How the request's head is filled, or to how many bytes it is padded.
    pub head: HeadSize,
    /// Fields of their own in the request's head, names and values.
    pub headers: Vec<(String, String)>,
    /// Whether users keep cookies and send them back, and those that they have from the start; `None`: they do not.
    pub cookies: Option<Vec<(String, String)>>,
    /// Bytes of the request's body.
    pub body_bytes: u64,
    /// Whether each try says how long it will be waited for.
    pub deadline: bool,
    /// Whether each request carries a key of its own, the same in all its tries.
    pub idempotency_key: bool,
    /// What each request says that it pays, in cents.
    pub pays: Option<u64>,
    /// Whether each try reads first and writes only if nothing has changed since.
    pub conditional: bool,
    /// When they ask.
    pub arrivals: Arrivals,
    /// Instant from which the arrivals count.
    pub start: Time,
    /// When to stop asking; requests under way go on.
    pub limit: Limit,
    /// Which connections carry the requests.
    pub connections: Connections,
    /// A request that takes longer is given up, with all its tries. `None`: the transport's own patience.
    pub timeout: Option<Span>,
    /// What is done about failures.
    pub policy: Policy,
    /// Name of a congestion controller instead of the host's own.
    pub congestion: Option<&'static str>,
    /// The registry that says who may be asked; the origin is then a name for the `Host` field only.
    pub registry: Option<Watch>,
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
            tls: None,
            path: "/".to_owned(),
            catalogue: None,
            method: Method::Get,
            head: HeadSize::Browser,
            headers: Vec::new(),
            cookies: Some(Vec::new()),
            body_bytes: 0,
            deadline: false,
            idempotency_key: false,
            pays: None,
            conditional: false,
            arrivals: Arrivals::Once,
            start: Time::ZERO,
            limit: Limit::NONE,
            connections: Connections::BROWSER,
            timeout: Some(Span::from_secs(30)),
            policy: Policy::default(),
            congestion: None,
            registry: None,
        }
    }
}

/// What one user keeps between requests.
pub(super) struct User {
    /// Connections to each instance; to an origin that is one, one pool.
    pools: Vec<Pool>,
    /// Tickets of the origin.
    tickets: Rc<Tickets>,
    cookies: Option<RefCell<Jar>>,
}

impl User {
    fn new(asker: &Asker) -> Self {
        let config = &asker.config;
        let cookies = config.cookies.as_ref().map(|cookies| RefCell::new(Jar::with(cookies)));
        let pools = (0..asker.instances()).filter_map(|_| config.connections.pool());
        Self { pools: pools.collect(), tickets: Rc::default(), cookies }
    }
}

/// Asks until the limit, and returns when the last request has ended.
///
/// An open loop's requests share one pool of connections, as the tabs of one browser do: with a pool of six, the seventh
/// request at a time waits. Each user of a closed loop has a pool, TLS tickets and cookies of their own. Instants are drawn from the stream
/// `host/<host>/traffic/<name>/arrivals`, what user `n` thinks from `host/<host>/traffic/<name>/user/<n>`.
pub async fn run(host: Host, stub: Stub, config: Config) {
    let arrivals = config.arrivals.clone();
    let asker = Rc::new(Asker::new(host, stub, config));
    match arrivals {
        Arrivals::Users { count, think } => closed_loop(&asker, count, think).await,
        open => open_loop(&asker, &open).await,
    }
}

/// A server's way to ask one other: the requests come when the server makes them.
pub struct Caller {
    asker: Asker,
    user: User,
    asked: Rc<Cell<u64>>,
}

impl Caller {
    /// All calls share one pool of connections, one breaker, one bulkhead and one budget.
    #[must_use]
    pub fn new(host: Host, stub: Stub, config: Config) -> Self {
        Self::counting(host, stub, config, Rc::default())
    }

    /// As [`Caller::new`], for a machine that may have asked before it started again: `asked` counts on.
    #[must_use]
    pub fn counting(host: Host, stub: Stub, config: Config, asked: Rc<Cell<u64>>) -> Self {
        let asker = Asker::new(host, stub, config);
        Self { user: User::new(&asker), asker, asked }
    }

    /// Asks once for the sake of the exchange `cause`, which is waited for `until` then.
    pub async fn call(&self, cause: (u64, u32), until: Option<Time>) -> Result<(), Failure> {
        let index = self.asked.replace(self.asked.get() + 1);
        self.asker.request(index, &self.user, Some((cause, until))).await
    }
}

async fn open_loop(asker: &Rc<Asker>, arrivals: &Arrivals) {
    let Asker { host, config, .. } = &**asker;
    let rng = host.rng(&format!("traffic/{}/arrivals", config.name));
    let user = Rc::new(User::new(asker));
    let ended = Queue::new();
    let mut asked = 0;
    for at in Instants::new(arrivals, config.start, rng) {
        if !config.limit.allows(asked, at) {
            break;
        }
        if at > host.now() {
            host.sleep_until(at).await;
        }
        let (index, asker, user, ended) = (asked, Rc::clone(asker), Rc::clone(&user), ended.clone());
        drop(host.spawn(async move {
            let _ = asker.request(index, &user, None).await;
            ended.push(());
        }));
        asked += 1;
    }
    for _ in 0..asked {
        ended.pop().await;
    }
}

/// A user whose request fails at the very instant of asking waits so long at least: there is no asking in no time.
const SHORTEST_CYCLE: Span = Span::from_millis(1);

async fn closed_loop(asker: &Rc<Asker>, count: u32, think: Dist) {
    let Asker { host, config, .. } = &**asker;
    host.sleep_until(config.start).await;
    let asked = Rc::new(Cell::new(0_u64));
    let users: Vec<_> = (0..count)
        .map(|user| {
            let (asker, asked) = (Rc::clone(asker), Rc::clone(&asked));
            host.spawn(async move {
                let Asker { host, config, .. } = &*asker;
                let mut thoughts = host.rng(&format!("traffic/{}/user/{user}", config.name));
                let user = User::new(&asker);
                while config.limit.allows(asked.get(), host.now()) {
                    let index = asked.replace(asked.get() + 1);
                    let began = host.now();
                    let _ = asker.request(index, &user, None).await;
                    let pause = think.sample(&mut thoughts);
                    let least = if host.now() == began { SHORTEST_CYCLE } else { Span::ZERO };
                    host.sleep(pause.max(least)).await;
                }
            })
        })
        .collect();
    for user in users {
        user.await;
    }
}
