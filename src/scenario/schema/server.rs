//! Servers: what they can do at a time, what each path costs, and where what they ask of others is written.

pub(super) mod offers;

use super::form::{Fields, Form};
use super::nodes::Nodes;
use super::paths::Paths;
use super::{Problems, caching, dist, inner, tls, value};
use crate::app::http1::Method;
use crate::base::{Dist, Span as Duration};
use crate::scenario::ast::{Kind, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{NodeKind, Plan};
use crate::service::server::shedding::{Aimd, Gradient, Limit, Patience, Range};
use crate::service::server::{Config, KeepAlive, Overflow, Route, Session, SharedKeys, Sizes, WarmUp};
use std::net::{Ipv4Addr, SocketAddrV4};

pub(super) static SERVER: Form = Form {
    name: "Server",
    fields: &[
        "at",
        "count",
        "access",
        "port",
        "tls",
        "workers",
        "cores",
        "speed",
        "warm_up",
        "queue",
        "overflow",
        "shed",
        "concurrency",
        "idempotency",
        "deadlines",
        "session",
        "service",
        "io",
        "calls",
        "register",
        "response",
        "routes",
        "keep_alive",
        "backlog",
        "tcp",
    ],
};
pub(super) static ROUTE: Form = Form {
    name: "route",
    fields: &[
        "path",
        "method",
        "response",
        "service",
        "io",
        "calls",
        "status",
        "charges",
        "versions",
        "cache_control",
        "vary",
    ],
};
pub(super) static SHED: Form = Form { name: "shed", fields: &["target", "interval"] };
pub(super) static AIMD: Form = Form { name: "Aimd", fields: &["latency", "decrease", "start", "min", "max"] };
pub(super) static GRADIENT: Form = Form { name: "Gradient", fields: &["tolerance", "queue", "start", "min", "max"] };
pub(super) static IDEMPOTENCY: Form = Form { name: "idempotency", fields: &["store", "keep", "timeout"] };
pub(super) static SESSION: Form = Form { name: "session", fields: &["cookie", "path", "idle", "max_age"] };
pub(super) static WARM_UP: Form = Form { name: "warm-up", fields: &["over", "from"] };

/// Methods of requests, as scenarios write them.
pub(super) const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "DELETE"];
/// The method by which edges and their control points are told to forget.
pub(super) const PURGE: &str = "PURGE";

/// The calls of a server's default (`route` is `None`) or of one of its routes.
pub(super) struct Calls<'a> {
    pub(super) route: Option<usize>,
    pub(super) value: &'a Value,
}

/// Where a server's fields say what it asks of others: to be read when traffic is.
pub(super) fn calls<'a>(fields: &Fields<'a>) -> Vec<Calls<'a>> {
    let default = fields.get("calls").map(|value| Calls { route: None, value });
    let routes = match fields.get("routes").map(|value| &value.kind) {
        Some(Kind::List(items)) => items.as_slice(),
        _ => &[],
    };
    let of_route = routes.iter().enumerate().filter_map(|(route, item)| {
        let Kind::Struct { fields, .. } = &item.kind else { return None };
        let calls = fields.iter().find(|field| field.name.text == "calls" && !field.value.is_none())?;
        Some(Calls { route: Some(route), value: &calls.value })
    });
    default.into_iter().chain(of_route).collect()
}

pub(super) fn read(fields: &Fields<'_>, problems: &mut Problems) -> Config {
    let before = problems.0.len();
    let mut config = Config::new();
    config.tls = fields.get("tls").and_then(|value| tls::server(value, problems));
    if config.tls.is_some() {
        config.port = 443;
    }
    let mut whole = |name: &str, high: u64| {
        let value = fields.get(name)?;
        value::whole(value, &format!("`{name}`"), 1..=high, problems)
    };
    if let Some(port) = whole("port", 65_535) {
        config.port = u16::try_from(port).unwrap_or(config.port);
    }
    if let Some(workers) = whole("workers", 1_000_000) {
        config.workers = usize::try_from(workers).unwrap_or(usize::MAX);
    }
    if let Some(cores) = whole("cores", 1_000_000) {
        config.cores = usize::try_from(cores).ok();
    }
    if let Some(backlog) = whole("backlog", 1_000_000) {
        config.backlog = u32::try_from(backlog).unwrap_or(u32::MAX);
    }
    admission(&mut config, fields, problems);
    if let Some(value) = fields.get("speed") {
        config.speed = value::real(value, "`speed`", 0.001..=1_000.0, problems).unwrap_or(config.speed);
    }
    config.patience = fields.get("shed").and_then(|value| shed(value, problems));
    config.concurrency = fields.get("concurrency").and_then(|value| concurrency(value, problems));
    config.idempotency = fields.get("idempotency").and_then(|value| idempotency(value, problems));
    if let Some(value) = fields.get("deadlines") {
        config.deadlines = value::flag(value, "`deadlines`", problems).unwrap_or(false);
    }
    config.session = fields.get("session").and_then(|value| session(value, problems));
    config.warm_up = fields.get("warm_up").and_then(|value| warm_up(value, problems));
    if let Some(value) = fields.get("service") {
        config.service = dist::read(value, "`service`", problems).unwrap_or(config.service);
    }
    if let Some(value) = fields.get("io") {
        config.io = dist::read(value, "`io`", problems).unwrap_or(config.io);
    }
    if let Some(value) = fields.get("response") {
        config.response = value::bytes(value, "`response`", 0..=u64::MAX, problems).unwrap_or(config.response);
    }
    if let Some(value) = fields.get("keep_alive") {
        config.keep_alive = match &value.kind {
            Kind::Bool(false) => KeepAlive::Close,
            Kind::Bool(true) => config.keep_alive,
            _ => value::positive_span(value, "`keep_alive` (a duration, or `false`)", problems)
                .map_or(config.keep_alive, KeepAlive::Idle),
        };
    }
    if let Some(value) = fields.get("routes") {
        config.routes = routes(value, problems);
    }
    // How long work takes is not known where a field could not be read.
    if !problems.0[before..].iter().any(Diagnostic::is_error) {
        effects(&config, fields, problems);
    }
    config
}

fn admission(config: &mut Config, fields: &Fields<'_>, problems: &mut Problems) {
    if let Some(value) = fields.get("queue") {
        let limit = value::whole(value, "`queue`", 0..=u64::MAX, problems);
        config.queue_limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    } else {
        fields.no_effect("overflow", "any number of requests may wait; give the server a `queue`", problems);
    }
    if let Some(value) = fields.get("overflow") {
        config.overflow = match value::word(value, "`overflow`", &["Reject503", "Reset", "Wait"], problems) {
            Some("Reset") => Overflow::Reset,
            Some("Wait") => Overflow::Wait,
            _ => Overflow::Reject,
        };
    }
}

/// `true`, or both patiences.
fn shed(value: &Value, problems: &mut Problems) -> Option<Patience> {
    // As in "Fail at Scale".
    let mut patience = Patience { target: Duration::from_millis(5), interval: Duration::from_millis(100) };
    if let Kind::Bool(on) = value.kind {
        return on.then_some(patience);
    }
    let fields = Fields::open(&SHED, value, problems)?;
    if let Some(value) = fields.get("target") {
        patience.target = value::positive_span(value, "`target`", problems)?;
    }
    if let Some(value) = fields.get("interval") {
        patience.interval = value::positive_span(value, "`interval`", problems)?;
    }
    if patience.target >= patience.interval {
        problems.add(
            Diagnostic::error(Code::Contradiction, fields.span, "patience is to become shorter in a queue that stands")
                .label(format!("target {}, interval {}", patience.target, patience.interval))
                .help("make `target` shorter than `interval`"),
        );
        return None;
    }
    Some(patience)
}

/// `Aimd(latency: "200ms")` or `Gradient`.
fn concurrency(value: &Value, problems: &mut Problems) -> Option<Limit> {
    let kind = value::choice(value, "`concurrency`", &["Aimd", "Gradient"], problems)?;
    let fields = Fields::open(if kind == "Aimd" { &AIMD } else { &GRADIENT }, value, problems)?;
    let mut range = Range::default();
    for (name, bound) in [("start", &mut range.start), ("min", &mut range.min), ("max", &mut range.max)] {
        if let Some(value) = fields.get(name) {
            let whole = value::whole(value, &format!("`{name}` (requests)"), 1..=1_000_000, problems)?;
            *bound = u32::try_from(whole).ok()?;
        }
    }
    if range.min > range.start || range.start > range.max {
        problems.add(
            Diagnostic::error(Code::Contradiction, fields.span, "the limit cannot start outside its range")
                .label(format!("from {} to {}, starting at {}", range.min, range.max, range.start))
                .help("`min` is at most `start`, and `start` at most `max`"),
        );
        return None;
    }
    if kind == "Aimd" {
        let latency = fields.need("latency", "\"200ms\"", problems)?;
        let mut aimd = Aimd { range, ..Aimd::new(value::positive_span(latency, "`latency`", problems)?) };
        if let Some(value) = fields.get("decrease") {
            aimd.decrease = value::real(value, "`decrease`", 0.01..=0.99, problems)?;
        }
        return Some(Limit::Aimd(aimd));
    }
    let mut gradient = Gradient { range, ..Gradient::default() };
    if let Some(value) = fields.get("tolerance") {
        gradient.tolerance = value::real(value, "`tolerance`", 1.0..=100.0, problems)?;
    }
    if let Some(value) = fields.get("queue") {
        let queue = value::whole(value, "`queue` (requests)", 0..=1_000_000, problems)?;
        gradient.queue = u32::try_from(queue).ok()?;
    }
    Some(Limit::Gradient(gradient))
}

/// How long keys are remembered here: a duration, or `keep`.
fn idempotency(value: &Value, problems: &mut Problems) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(86_400);
    if !matches!(value.kind, Kind::Struct { .. }) {
        return value::positive_span(value, "`idempotency` (how long keys are remembered, or fields)", problems);
    }
    let fields = Fields::open(&IDEMPOTENCY, value, problems)?;
    fields.need("store", "\"keys\"", problems);
    fields.get("keep").map_or(Some(DAY), |value| value::positive_span(value, "`keep`", problems))
}

/// Where the members of a group remember keys together, now that all nodes have their numbers.
pub(super) fn share_keys(nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    for group in &nodes.groups {
        let Some(value) = group.keys else { continue };
        // Unknown fields were reported when the node was read.
        let Some(fields) = Fields::open(&IDEMPOTENCY, value, &mut Problems::default()) else { continue };
        let Some(shared) = shared_keys(&fields, nodes, plan, problems) else { continue };
        for &member in &group.members {
            if let NodeKind::Server(config) = &mut plan.nodes[member as usize].kind {
                config.shared_keys = Some(shared.clone());
            }
        }
    }
}

fn shared_keys(fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<SharedKeys> {
    let store = fields.get("store")?;
    let timeout = match fields.get("timeout") {
        Some(value) => value::positive_span(value, "`timeout`", problems)?,
        None => SharedKeys::TIMEOUT,
    };
    let first = *nodes.find(store, problems)?.first()?;
    let node = &plan.nodes[first as usize];
    let NodeKind::Store(own) = &node.kind else {
        problems.add(
            Diagnostic::error(Code::WrongRole, inner(store), format!("`{}` is no store", node.name))
                .also(node.declared, node.kind.described())
                .help("name a node declared as `Store(..)`"),
        );
        return None;
    };
    let member = |&member: &u32| match &plan.nodes[member as usize].kind {
        NodeKind::Store(own) => Some((member, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, own.port))),
        _ => None,
    };
    let members = plan.stores[own.store as usize].members.iter().filter_map(member).collect();
    Some(SharedKeys { members, timeout })
}

/// Every server needs a way to the store in which its keys are.
pub(super) fn reach(plan: &Plan, paths: &Paths<'_>, problems: &mut Problems) {
    let parts = paths.parts();
    for (index, node) in (0u32..).zip(&plan.nodes) {
        let NodeKind::Server(config) = &node.kind else { continue };
        let mut members = config.shared_keys.iter().flat_map(|shared| &shared.members);
        let Some(&(cut, _)) = members.find(|(member, _)| !parts.reaches(index, *member)) else { continue };
        let store = &plan.nodes[cut as usize];
        problems.add(
            Diagnostic::error(
                Code::Unreachable,
                node.declared,
                format!("there is no route from `{}` to `{}`", node.name, store.name),
            )
            .label("this server could not look for keys")
            .also(store.declared, "declared here")
            .help("join them with a link, or with routers between them: hosts and servers do not forward packets"),
        );
    }
}

/// The name of a cookie, or fields.
fn session(value: &Value, problems: &mut Problems) -> Option<Session> {
    if let Kind::Text(_) = value.kind {
        return Some(Session::new(&value::token(value, "a cookie's name", problems)?));
    }
    let fields = Fields::open(&SESSION, value, problems)?;
    let cookie = fields.need("cookie", "\"cart\"", problems)?;
    let mut session = Session::new(&value::token(cookie, "a cookie's name", problems)?);
    if let Some(value) = fields.get("path") {
        value::path(value, problems)?.clone_into(&mut session.path);
        if session.path.contains(['?', ';']) {
            problems.add(
                Diagnostic::error(Code::OutOfRange, value.span, format!("a cookie has no path `{}`", session.path))
                    .help("leave away what begins with `?` or `;`"),
            );
            return None;
        }
    }
    if let Some(value) = fields.get("idle") {
        session.idle = value::positive_span(value, "`idle`", problems)?;
    }
    if let Some(value) = fields.get("max_age") {
        let age = value::positive_span(value, "`max_age`", problems)?;
        if age.as_nanos() % 1_000_000_000 != 0 {
            problems.add(
                Diagnostic::error(Code::OutOfRange, value.span, format!("a cookie cannot live for {age}"))
                    .help("cookies count whole seconds"),
            );
            return None;
        }
        session.max_age = Some(age);
    }
    Some(session)
}

fn warm_up(value: &Value, problems: &mut Problems) -> Option<WarmUp> {
    let fields = Fields::open(&WARM_UP, value, problems)?;
    let over = fields.need("over", "\"30s\"", problems);
    let over = over.and_then(|value| value::positive_span(value, "`over`", problems));
    let from = fields.need("from", "\"25%\"", problems)?;
    let share = value::ratio(from, "`from`", problems)?;
    if share.is_zero() {
        problems.add(
            Diagnostic::error(Code::OutOfRange, from.span, "a server cannot start at no speed at all")
                .help("the share of full speed at which it starts lies between 0 % and 100 %"),
        );
        return None;
    }
    if share.get() >= 1.0 {
        problems.add(
            Diagnostic::warning(Code::NoEffect, from.span, "`warm_up` has no effect: it starts at full speed")
                .help("give `from` less than 100 %, or leave `warm_up` out"),
        );
    }
    Some(WarmUp { over: over?, from: share.get() })
}

/// Warns of what changes nothing.
fn effects(config: &Config, fields: &Fields<'_>, problems: &mut Problems) {
    let at_once = |dist: &Dist| *dist == Dist::Constant(Duration::ZERO);
    let no_work = at_once(&config.service)
        && config.tls.as_ref().is_none_or(|tls| at_once(&tls.handshake))
        && config.routes.iter().all(|route| route.service.is_none());
    let waits =
        !at_once(&config.io) || config.routes.iter().any(|route| route.io.is_some()) || !calls(fields).is_empty();
    if no_work {
        for name in ["cores", "speed", "warm_up"] {
            fields.no_effect(name, "work takes no time; give `service` a duration", problems);
        }
    }
    if no_work && !waits {
        fields.no_effect("workers", "work takes no time; give `service` a duration", problems);
        fields.no_effect("queue", "nothing waits where work takes no time; give `service` a duration", problems);
        fields.no_effect("shed", "nothing waits where work takes no time; give `service` a duration", problems);
    }
    if !no_work && config.queue_limit == Some(0) {
        fields.no_effect("shed", "nobody waits: `queue` is 0", problems);
    }
    if config.cores.is_some_and(|cores| cores >= config.workers) {
        fields.no_effect(
            "cores",
            "no more requests are worked on than there are `workers`, each with its core",
            problems,
        );
    }
}

fn routes(value: &Value, problems: &mut Problems) -> Vec<Route> {
    let Kind::List(items) = &value.kind else {
        value::wrong::<()>(value, "`routes` is a list: [(path: \"/item\", response: \"20KiB\")]", problems);
        return Vec::new();
    };
    let mut routes: Vec<Route> = Vec::new();
    for item in items {
        let Some(fields) = Fields::open(&ROUTE, item, problems) else { continue };
        let mut route = Route::default();
        let Some(path) = fields.need("path", "\"/item\"", problems) else { continue };
        let Some(text) = value::text(path, "a path", problems) else { continue };
        if !text.starts_with('/') && text != "*" {
            problems.add(
                Diagnostic::error(Code::OutOfRange, path.span, format!("the path `{text}` does not begin with `/`"))
                    .help("`*` at its end stands for everything that begins with the rest"),
            );
        }
        value::pattern(path, text, problems);
        route.method = fields.get("method").and_then(|value| method(value, problems)?.parse().ok());
        if routes.iter().any(|other| other.path == text && other.method == route.method) {
            problems.add(Diagnostic::error(Code::DuplicateName, path.span, format!("`{text}` has a route already")));
        }
        text.clone_into(&mut route.path);
        route.response = fields.get("response").and_then(|value| dist::sizes(value, "`response`", problems).map(Sizes));
        route.service = fields.get("service").and_then(|value| dist::read(value, "`service`", problems));
        route.io = fields.get("io").and_then(|value| dist::read(value, "`io`", problems));
        if let Some(value) = fields.get("status") {
            let status = value::whole(value, "a status code", 200..=599, problems);
            route.status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        }
        let flag = |name: &str, problems: &mut Problems| {
            fields.get(name).and_then(|value| value::flag(value, &format!("`{name}`"), problems)).unwrap_or(false)
        };
        // RFC 9110 6.4.1.
        if matches!(route.status, 204 | 304) {
            fields.no_effect("response", &format!("answers with the status {} have no body", route.status), problems);
        }
        route.charges = flag("charges", problems);
        route.versions = flag("versions", problems);
        route.cache_control = fields.get("cache_control").and_then(|value| caching::cache_control(value, problems));
        route.vary = fields.get("vary").map_or_else(Vec::new, |value| caching::vary(value, problems));
        if fields.get("vary").is_some_and(|value| value::each(value).is_empty()) {
            fields.no_effect("vary", "it names no header field", problems);
        }
        routes.push(route);
    }
    routes
}

/// A method by its name.
pub(super) fn method(value: &Value, problems: &mut Problems) -> Option<&'static str> {
    value::named(value, "a method", METHODS.iter().map(|&method| (method, method)), problems)
}

/// A method of requests, which edges may be purged by.
pub(super) fn method_of_request(value: &Value, problems: &mut Problems) -> Option<&'static str> {
    let all = METHODS.iter().chain(&[PURGE]).map(|&method| (method, method));
    value::named(value, "a method", all, problems)
}

/// The method of a name that [`METHODS`] has.
pub(super) fn parsed(method: &str) -> Method {
    method.parse().unwrap_or(Method::Get)
}
