//! What a server is told: how much it can do at a time, what each path costs, what it asks others first.

use super::admission::{Overflow, Rules};
use super::calls::Stage;
use super::sessions::Session;
use super::shared::SharedKeys;
use super::shedding::{Limit, Patience};
use super::work::WarmUp;
use crate::app::http1::Method;
use crate::app::tls::{DEFAULT_CHAIN, ServerConfig};
use crate::base::{Dist, Rng, Span};
use crate::wire::tls::{MAX_PLAINTEXT, Version, chain};

/// What a path answers instead of the server's defaults.
#[derive(Clone, PartialEq, Debug)]
pub struct Route {
    /// The path, without a query. A path ending in `*` stands for everything that begins with the rest; the longest wins.
    pub path: String,
    /// Only requests with this method; of two routes that match equally well, one with a method wins.
    pub method: Option<Method>,
    /// Bytes of the response's body; the server's default if `None`.
    pub response: Option<Sizes>,
    /// Work; the server's default if `None`.
    pub service: Option<Dist>,
    /// Waiting that takes a worker but no core; the server's default if `None`.
    pub io: Option<Dist>,
    /// What is asked of others before the answer; the server's default if `None`.
    pub calls: Option<Vec<Stage>>,
    /// Status code.
    pub status: u16,
    /// Whether this takes the money that a request says it pays.
    pub charges: bool,
    /// Whether what is read here has a version (`ETag`), and is written only by those who name it (`If-Match`, RFC 9110 13.1.1).
    pub versions: bool,
    /// What it says about its being kept (`Cache-Control`).
    pub cache_control: Option<String>,
    /// Fields of requests by which its variants differ (`Vary`).
    pub vary: Vec<String>,
}

impl Default for Route {
    /// Every path, answered 200 with the server's defaults.
    fn default() -> Self {
        Self {
            path: "*".to_owned(),
            method: None,
            response: None,
            service: None,
            io: None,
            calls: None,
            status: 200,
            charges: false,
            versions: false,
            cache_control: None,
            vary: Vec::new(),
        }
    }
}

/// How large bodies are: each object has a size of its own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sizes(
    /// The distribution of sizes, in which a nanosecond stands for a byte.
    pub Dist,
);

impl Sizes {
    /// The same for all.
    #[must_use]
    pub const fn all(bytes: u64) -> Self {
        Self(Dist::Constant(Span::from_nanos(bytes)))
    }

    /// Bytes of the object at `path`: the same at every server and with every seed, as it is the object's own.
    #[must_use]
    pub fn of(&self, path: &[u8]) -> u64 {
        if let Dist::Constant(bytes) = self.0 {
            return bytes.as_nanos();
        }
        let mut rng = Rng::stream(0, &format!("object/{}", String::from_utf8_lossy(path)));
        self.0.sample(&mut rng).as_nanos()
    }

    /// Bytes of an object on average; 0 where the mean is infinite.
    #[must_use]
    pub fn mean(&self) -> u64 {
        self.0.mean().map_or(0, Span::as_nanos)
    }
}

/// How long connections are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeepAlive {
    /// Until no request has come for so long.
    Idle(Span),
    /// Each for one exchange (`Connection: close`).
    Close,
}

/// How a server speaks TLS.
#[derive(Clone, PartialEq, Debug)]
pub struct Tls {
    /// Oldest version spoken.
    pub min_version: Version,
    /// Newest version spoken.
    pub max_version: Version,
    /// Bytes of its certificate chain.
    pub certificate: usize,
    /// Names that it has certificates for, with the bytes of their chains; clients who ask for another are refused. Empty: whatever is
    /// asked for is answered with the one above.
    pub names: Vec<(String, usize)>,
    /// How long its tickets may be used; `None`: it gives none out.
    pub tickets: Option<Span>,
    /// Bytes of early data that it takes from one client; 0 for none.
    pub early_data: u32,
    /// Most content bytes of a record.
    pub record: u64,
    /// How long a worker is busy with one full handshake. Resumed ones sign nothing and take no time.
    pub handshake: Dist,
}

impl Tls {
    /// As nginx does: both versions, a chain of 3,000 bytes, tickets for five minutes, no early data, records of 16 KiB; the
    /// handshake takes no time, as all work does by default.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            min_version: Version::Tls12,
            max_version: Version::Tls13,
            certificate: DEFAULT_CHAIN,
            names: Vec::new(),
            tickets: Some(Span::from_secs(300)),
            early_data: 0,
            record: MAX_PLAINTEXT,
            handshake: Dist::Constant(Span::ZERO),
        }
    }

    /// The session's settings for a server of this name; members of a group share the key of their tickets.
    pub(in crate::service) fn session(&self, host: &str) -> ServerConfig {
        let group = host.split('/').next().unwrap_or(host);
        let usual = ServerConfig::new(group, self.certificate);
        ServerConfig {
            min_version: self.min_version,
            max_version: self.max_version,
            tickets: self.tickets.is_some(),
            ticket_lifetime: self.tickets.unwrap_or(usual.ticket_lifetime),
            early_data: self.early_data,
            record: self.record,
            names: self.names.iter().map(|(name, bytes)| (name.clone(), chain(name, *bytes))).collect(),
            ..usual
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

/// What a server does.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Port to listen on.
    pub port: u16,
    /// TLS; `None`: in the clear.
    pub tls: Option<Tls>,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Requests that are being answered at the same time: working, waiting for others, or sharing a core.
    pub workers: usize,
    /// Cores that the workers share for their work; `None`: each has one of its own.
    pub cores: Option<usize>,
    /// How fast a core is, 1 for the one on which `service` was measured.
    pub speed: f64,
    /// How it starts more slowly; `None`: at full speed.
    pub warm_up: Option<WarmUp>,
    /// Requests that may wait for a worker. `None`: any number.
    pub queue_limit: Option<usize>,
    /// What becomes of one more.
    pub overflow: Overflow,
    /// How long requests may wait; `None`: for ever.
    pub patience: Option<Patience>,
    /// How many requests it lets in at a time, found out by itself; `None`: as many as workers and queue hold.
    pub concurrency: Option<Limit>,
    /// How long answers to requests with a key are remembered; `None`: keys mean nothing to it.
    pub idempotency: Option<Span>,
    /// A store in which the members of a group remember keys together; `None`: each its own, in its memory.
    pub shared_keys: Option<SharedKeys>,
    /// Whether it works only for those who still wait, where they say until when.
    pub deadlines: bool,
    /// What it remembers of its users; `None`: nothing.
    pub session: Option<Session>,
    /// How long the work on a request takes a core of speed 1.
    pub service: Dist,
    /// How long a request then waits for what is not simulated, such as a disk: it keeps its worker but no core.
    pub io: Dist,
    /// What is then asked of others.
    pub calls: Vec<Stage>,
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
            tls: None,
            backlog: 511,
            workers: 1,
            cores: None,
            speed: 1.0,
            warm_up: None,
            queue_limit: None,
            overflow: Overflow::Reject,
            patience: None,
            concurrency: None,
            idempotency: None,
            shared_keys: None,
            deadlines: false,
            session: None,
            service: Dist::Constant(Span::ZERO),
            io: Dist::Constant(Span::ZERO),
            calls: Vec::new(),
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

impl Config {
    /// Who is let in.
    pub(super) const fn rules(&self) -> Rules {
        Rules {
            workers: self.workers,
            queue: self.queue_limit,
            overflow: self.overflow,
            patience: self.patience,
            limit: self.concurrency,
        }
    }

    /// What a request with `method` for `path` (without its query) is answered.
    #[must_use]
    pub fn answer(&self, method: Method, path: &[u8]) -> Planned<'_> {
        let matches = |route: &&Route| {
            let path = match route.path.strip_suffix('*') {
                Some(start) => path.starts_with(start.as_bytes()),
                None => path == route.path.as_bytes(),
            };
            path && route.method.is_none_or(|other| other == method)
        };
        // An exact path is longer than any pattern with `*` that matches it, up to the `*` itself.
        let rank = |route: &&Route| (route.path.len(), !route.path.ends_with('*'), route.method.is_some());
        let best = self.routes.iter().filter(matches).max_by_key(rank);
        let default = Planned {
            status: 200,
            body: self.response,
            mean_body: self.response,
            service: self.service,
            io: self.io,
            calls: &self.calls,
            charges: false,
            versions: false,
            cache_control: None,
            vary: &[],
        };
        best.map_or(default, |route| Planned {
            status: route.status,
            body: route.response.map_or(self.response, |sizes| sizes.of(path)),
            mean_body: route.response.map_or(self.response, |sizes| sizes.mean()),
            service: route.service.unwrap_or(self.service),
            io: route.io.unwrap_or(self.io),
            calls: route.calls.as_ref().unwrap_or(&self.calls),
            charges: route.charges,
            versions: route.versions,
            cache_control: route.cache_control.as_deref(),
            vary: &route.vary,
        })
    }
}

/// An answer before the work on it is done.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Planned<'a> {
    /// Status code.
    pub status: u16,
    /// Bytes of the body.
    pub body: u64,
    /// Bytes of the bodies of all that the route is for, on average.
    pub mean_body: u64,
    /// Work.
    pub service: Dist,
    /// Waiting without a core.
    pub io: Dist,
    /// What is asked of others.
    pub calls: &'a [Stage],
    /// Whether it takes money.
    pub charges: bool,
    /// Whether it has versions.
    pub versions: bool,
    /// What it says about its being kept.
    pub cache_control: Option<&'a str>,
    /// Fields of requests by which its variants differ.
    pub vary: &'a [String],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_matching_path_answers() {
        let route = |path: &str, response| Route {
            path: path.to_owned(),
            response: Some(Sizes::all(response)),
            ..Route::default()
        };
        let config =
            Config { routes: vec![route("/*", 1), route("/img/*", 2), route("/img/logo", 3)], ..Config::new() };
        let size = |path: &[u8]| config.answer(Method::Get, path).body;
        assert_eq!([size(b"/"), size(b"/img/a"), size(b"/img/logo"), size(b"/img/logos")], [1, 2, 3, 2]);
        assert_eq!(Config::new().answer(Method::Get, b"/any").body, 1_024);
    }

    #[test]
    fn a_method_decides_between_equal_paths_and_excludes_others() {
        let route = |method, response| Route {
            path: "/order".to_owned(),
            method,
            response: Some(Sizes::all(response)),
            ..Route::default()
        };
        let config =
            Config { routes: vec![route(Some(Method::Post), 1), route(None, 2)], response: 3, ..Config::new() };
        let size = |method| config.answer(method, b"/order").body;
        assert_eq!([size(Method::Post), size(Method::Get)], [1, 2]);
        let only = Config { routes: vec![route(Some(Method::Post), 1)], response: 3, ..Config::new() };
        assert_eq!(only.answer(Method::Get, b"/order").body, 3);
    }

    #[test]
    fn objects_have_sizes_of_their_own_everywhere_the_same() {
        let sizes = Sizes(Dist::Uniform { low: Span::from_nanos(1_000), high: Span::from_nanos(3_000) });
        let all: Vec<u64> = (0..2_000).map(|n| sizes.of(format!("/img/{n}").as_bytes())).collect();
        assert!(all.iter().all(|bytes| (1_000..=3_000).contains(bytes)));
        let mean = all.iter().sum::<u64>() / all.len() as u64;
        assert!(mean.abs_diff(2_000) < 60 && sizes.mean() == 2_000, "{mean}");
        let route = Route { path: "/img/*".into(), response: Some(sizes), ..Route::default() };
        let body = |response| {
            let config = Config { routes: vec![route.clone()], response, ..Config::new() };
            config.answer(Method::Get, b"/img/7").body
        };
        assert_eq!([body(1), body(2)], [all[7]; 2]);
    }
}
