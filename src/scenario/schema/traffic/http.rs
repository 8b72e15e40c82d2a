//! HTTP requests: whom users ask, in which pattern and on which connections.

use super::target::{self, Target};
use super::{Reading, catalogue, dealt, extras, fields, policy};
use crate::app::http1::{self, HeadSize};
use crate::base::{Dist, Span as Duration, Time};
use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Ask, Balancer, Http, NodeKind, Origin, Plan};
use crate::scenario::schema::form::{Fields, Form, joined};
use crate::scenario::schema::tcp::congestion_of;
use crate::scenario::schema::{Problems, dist, inner, registry, server, tls, value};
use crate::service::Limit;
use crate::service::client::{After, Arrivals, Connections, Tls};

/// What users and servers' calls say of how they ask.
pub(super) const ASKING: &[&str] = &[
    "method",
    "head",
    "headers",
    "body",
    "deadline",
    "idempotency_key",
    "pays",
    "conditional",
    "connection",
    "timeout",
    "try_timeout",
    "retry",
    "hedge",
    "breaker",
    "bulkhead",
    "congestion",
    "discover",
    "dscp",
];
const USERS: &[&str] = &["from", "to", "tls", "catalogue", "arrivals", "start", "count", "until", "cookies"];

pub(in crate::scenario::schema) static HTTP: Form =
    Form { name: "Http", fields: &joined::<{ USERS.len() + ASKING.len() }>(&[USERS, ASKING]) };
pub(in crate::scenario::schema) static POOL: Form = Form { name: "Pool", fields: &["max", "idle"] };
pub(in crate::scenario::schema) static CLOSED: Form = Form { name: "Closed", fields: &["users", "think"] };

pub(super) fn read(reading: &Reading<'_, '_>, problems: &mut Problems) -> Option<Http> {
    let fields = reading.fields;
    let from = reading.from(problems).map(<[u32]>::to_vec);
    let arrivals = fields.get("arrivals").map_or(Some(Arrivals::Once), |value| arrivals(value, problems));
    let limit = reading.ends(arrivals.as_ref(), problems);
    let once = matches!(arrivals, Some(Arrivals::Once));
    let http = asking(reading, from.as_deref(), once, Pairing::Dealt, problems);
    if once {
        fields.no_effect("bulkhead", "there is one request, and never several at a time", problems);
        let hedge = http.as_ref().and_then(|http| http.policy.hedge);
        if hedge.is_some_and(|hedge| matches!(hedge.after, After::Quantile(_))) {
            fields.no_effect("hedge", "there is one request, and no answers before it to compare with", problems);
        }
    }
    let cookies = fields::cookies(fields, problems);
    let catalogue = fields.get("catalogue").map(|value| catalogue::read(value, problems));
    let catalogue = catalogue.map_or(Some(None), |catalogue| catalogue.map(Some));
    Some(Http { arrivals: arrivals?, limit, cookies, catalogue: catalogue?, ..http? })
}

/// Which of several who ask asks which of several who are asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairing {
    /// One to one, or in equal blocks.
    Dealt,
    /// Everybody everybody.
    All,
}

/// What users and servers have in common who ask over HTTP: all but when. `once` says that there is one request only.
pub(super) fn asking(
    reading: &Reading<'_, '_>,
    from: Option<&[u32]>,
    once: bool,
    pairing: Pairing,
    problems: &mut Problems,
) -> Option<Http> {
    let fields = reading.fields;
    let discovery = match fields.get("discover") {
        None => None,
        Some(value) => Some(registry::discovery(value, reading, problems)?),
    };
    let to = fields.need("to", "\"http://shop.example/\"", problems);
    let target = to.and_then(|value| target::read(value, reading, discovery.as_ref(), problems));
    let method = fields.get("method").map_or(Some("GET"), |value| server::method_of_request(value, problems));
    let mut size = |name: &str, least: u64, most: u64| {
        fields.get(name).and_then(|value| value::bytes(value, &format!("`{name}`"), least..=most, problems))
    };
    // The shortest head that says method, target and host, and the longest that servers take.
    let head_bytes = size("head", 64, 16 << 10);
    let body_bytes = size("body", 0, u64::MAX).unwrap_or(0);
    let connections = fields.get("connection").map_or(Some(Connections::BROWSER), |value| connections(value, problems));
    // As browsers and curl's users do: half a minute.
    let timeout = match fields.get("timeout") {
        None => Some(Duration::from_secs(30)),
        Some(value) if matches!(&value.kind, Kind::Name(never) if never == "Never") => None,
        Some(value) => value::positive_span(value, "`timeout` (a duration, or `Never`)", problems),
    };
    let policy = policy::read(fields, timeout, problems);
    let flag = |name: &str, problems: &mut Problems| {
        fields.get(name).and_then(|value| value::flag(value, &format!("`{name}`"), problems)).unwrap_or(false)
    };
    let deadline = flag("deadline", problems);
    if timeout.is_none() {
        fields.no_effect("deadline", "these requests are waited for without end: `timeout` is `Never`", problems);
    }
    let idempotency_key = flag("idempotency_key", problems);
    let conditional = flag("conditional", problems);
    let pays = fields.get("pays").and_then(|value| value::whole(value, "`pays` (cents)", 1..=1_000_000_000, problems));
    let congestion = congestion_of(fields, problems);
    let headers = fields::headers(fields, problems);
    let mut target = target?;
    if target.tls.is_none() {
        fields.no_effect("tls", "the URL says `http`; write `https://` for TLS", problems);
    } else if let Some(value) = fields.get("tls") {
        target.tls = Some(tls::client(value, once, method.unwrap_or_default(), problems));
    }
    let from = from?;
    if let (Some(tls), Some(settings)) = (target.tls, fields.get("tls")) {
        early_data(tls, settings, &target, reading.plan, problems);
    }
    let asks = asks(from, &target, to?, pairing, reading, problems)?;
    purges(&target, to?, method.unwrap_or_default(), reading.plan, problems)?;
    if method == Some(server::PURGE) {
        target::pattern(&target, to?, fields.get_if("catalogue").is_some(), problems);
    }
    if let (Some(value), Some(head), Some(ask)) = (fields.get("head"), head_bytes, asks.first()) {
        let host = match &ask.origin {
            Origin::Node(node) => &*reading.plan.nodes[*node as usize].name,
            Origin::Name(name) | Origin::Service(name) => name,
        };
        let (path, method) = (&*target.path, method.unwrap_or_default());
        head_of(value, head, (method, path, host, body_bytes), &headers, problems);
    }
    if let Some(method) = method {
        extras::check(reading, &target.nodes, (method, &target.path), problems);
        fields::check(fields, &target.nodes, reading.plan, problems);
    }
    Some(Http {
        asks,
        port: target.port,
        tls: target.tls,
        path: target.path,
        catalogue: None,
        method: method?,
        head_bytes,
        headers,
        cookies: None,
        body_bytes,
        deadline,
        idempotency_key,
        pays,
        conditional,
        arrivals: Arrivals::Called,
        limit: Limit::NONE,
        connections: connections?,
        timeout,
        policy: policy?,
        congestion,
        discovery,
    })
}

/// Warns of a head that is larger anyway.
fn head_of(
    value: &Value,
    bytes: u64,
    (method, target, host, body): (&str, &str, &str, u64),
    fields: &[(String, String)],
    problems: &mut Problems,
) {
    let method = server::parsed(method);
    let smallest =
        http1::Ask { method, target, host, body, close: false, size: HeadSize::Exactly(bytes), fields }.smallest();
    if smallest > bytes {
        let message = format!("`head` has no effect: method, path, host and fields alone are {smallest} B");
        problems.add(Diagnostic::warning(Code::NoEffect, value.span, message).help("give it more, or leave it out"));
    }
}

/// Only caches are purged, and control points do nothing else.
fn purges(target: &Target, to: &Value, method: &str, plan: &Plan, problems: &mut Problems) -> Option<()> {
    let purge = method == server::PURGE;
    let unfit = |node: &&u32| match &plan.nodes[**node as usize].kind {
        NodeKind::Edge(_) => false,
        NodeKind::PurgeControl(_) => !purge,
        _ => purge,
    };
    let Some(&node) = target.nodes.iter().find(unfit) else { return Some(()) };
    let node = &plan.nodes[node as usize];
    let (message, help) = if purge {
        let help = "a `PURGE` goes to an `Edge`, or to a `PurgeControl` for many of them";
        (format!("`{}` has nothing to purge", node.name), help)
    } else {
        let help = "give the traffic `method: \"PURGE\"`, or ask an `Edge`";
        (format!("`{}` does nothing but purge", node.name), help)
    };
    problems.add(
        Diagnostic::error(Code::WrongRole, inner(to), message).also(node.declared, node.kind.described()).help(help),
    );
    None
}

/// Warns of early data that no server takes.
fn early_data(tls: Tls, settings: &Value, target: &Target, plan: &Plan, problems: &mut Problems) {
    let takes = |&node: &u32| plan.terminates_tls(node).is_none_or(|tls| tls.early_data > 0);
    if let (true, Some(&node)) = (tls.early_data && !target.nodes.iter().any(takes), target.nodes.first()) {
        let node = &plan.nodes[node as usize];
        problems.add(
            Diagnostic::warning(Code::NoEffect, settings.span, format!("`{}` takes no early data", node.name))
                .also(node.declared, "declared here")
                .help("give the server `tls: (early_data: true)`, or leave `early_data` out"),
        );
    }
}

/// Port on which a node answers HTTP requests, if it does.
const fn listens(kind: &NodeKind) -> Option<u16> {
    match kind {
        NodeKind::Server(server) => Some(server.port),
        NodeKind::Store(store) => Some(store.port),
        NodeKind::Edge(edge) => Some(edge.settings.port),
        NodeKind::PurgeControl(control) => Some(control.port),
        _ => None,
    }
}

/// Each host with the origin that it asks, once it is clear that it can.
fn asks(
    from: &[u32],
    target: &Target,
    to: &Value,
    pairing: Pairing,
    reading: &Reading<'_, '_>,
    problems: &mut Problems,
) -> Option<Vec<Ask>> {
    let plan = reading.plan;
    for &index in &target.nodes {
        let node = &plan.nodes[index as usize];
        if matches!(&node.kind, NodeKind::Balancer(balancer) if balancer.pools.is_empty()) {
            // It could not be read.
            continue;
        }
        let answers = listens(&node.kind).is_some() || matches!(node.kind, NodeKind::Balancer(_));
        if answers
            && let Some((message, help)) =
                tls::mismatch(node, target.name.as_deref(), target.tls, plan.terminates_tls(index))
        {
            problems.add_to_alike(
                Diagnostic::error(Code::Contradiction, inner(to), message)
                    .also(node.declared, "declared here")
                    .help(help),
            );
            return None;
        }
        if let NodeKind::Balancer(balancer) = &node.kind {
            balanced(balancer, &node.name, target, inner(to), problems)?;
            continue;
        }
        let Some(port) = listens(&node.kind) else {
            problems.add(
                Diagnostic::error(Code::WrongRole, inner(to), format!("`{}` answers no HTTP requests", node.name))
                    .also(node.declared, node.kind.described())
                    .help("requests are answered by a `Server`, a `Balancer`, an `Edge` or a `Store`"),
            );
            return None;
        };
        if port != target.port {
            problems.add(
                Diagnostic::error(
                    Code::Contradiction,
                    inner(to),
                    format!("`{}` listens on port {port}, not {}", node.name, target.port),
                )
                .also(node.declared, "declared here")
                .help(format!(
                    "write the port: `{}://{}:{port}/`",
                    if target.tls.is_some() { "https" } else { "http" },
                    target.host,
                )),
            );
            return None;
        }
    }
    if let Some(service) = &target.service {
        let ask = |&from: &u32| Ask { from, origin: Origin::Service(service.clone()), targets: target.nodes.clone() };
        return Some(from.iter().map(ask).collect());
    }
    if let Some(name) = &target.name {
        let has_resolver = plan.nodes.iter().any(|node| matches!(node.kind, NodeKind::Resolver(_)));
        let lost = from.iter().map(|&node| &plan.nodes[node as usize]).find(|node| node.resolvers.is_empty());
        if let (Some(node), true) = (lost, has_resolver) {
            let what =
                if matches!(node.kind, NodeKind::Host) { "reaches no resolver" } else { "is no host with a resolver" };
            problems.add(
                Diagnostic::error(
                    Code::Unreachable,
                    inner(to),
                    format!("`{}` {what}, so it cannot look up `{name}`", node.name),
                )
                .also(node.declared, "declared here")
                .help("link it to a resolver, or write a node's name instead of a domain name"),
            );
            return None;
        }
        let ask = |&from: &u32| Ask { from, origin: Origin::Name(name.clone()), targets: target.nodes.clone() };
        return Some(from.iter().map(ask).collect());
    }
    let pairs = match pairing {
        Pairing::Dealt => dealt(from, &target.named, inner(to), problems)?,
        Pairing::All => from.iter().flat_map(|&from| target.named.iter().map(move |&to| (from, to))).collect(),
    };
    if let Some((node, _)) = pairs.iter().find(|(from, to)| plan.machines(to).contains(from)) {
        let node = &plan.nodes[*node as usize];
        problems.add(
            Diagnostic::error(Code::Contradiction, inner(to), format!("`{}` would ask itself", node.name))
                .also(node.declared, "declared here")
                .help("name another node"),
        );
        return None;
    }
    let ask = |(from, to)| Ask { from, origin: Origin::Node(to), targets: plan.machines(&to).to_vec() };
    Some(pairs.into_iter().map(ask).collect())
}

/// Whether users come to the port of a balancer.
fn balanced(balancer: &Balancer, name: &str, target: &Target, span: Span, problems: &mut Problems) -> Option<()> {
    let scheme = if target.tls.is_some() { "https" } else { "http" };
    if balancer.port != target.port {
        problems.add(
            Diagnostic::error(
                Code::Contradiction,
                span,
                format!("`{name}` listens on port {}, not {}", balancer.port, target.port),
            )
            .help(format!(
                "write the port: `{scheme}://{}:{}/`, or give the balancer `port: {}`",
                target.host, balancer.port, target.port
            )),
        );
        return None;
    }
    Some(())
}

pub(super) fn arrivals(value: &Value, problems: &mut Problems) -> Option<Arrivals> {
    const KINDS: &[&str] = &["Once", "Poisson", "Every", "Closed", "At"];
    let kind = value::choice(value, "`arrivals`", KINDS, problems)?;
    let only = dist::only(value);
    match (kind, only) {
        ("Once", _) => value::bare(value, problems).map(|()| Arrivals::Once),
        ("Poisson", Some(rate)) => {
            let mean_gap = value::frequency(rate, "the rate of arrivals", problems)?.gap();
            (!mean_gap.is_zero()).then_some(Arrivals::Poisson { mean_gap })
        }
        ("Every", Some(gap)) => value::positive_span(gap, "the time between requests", problems).map(Arrivals::Every),
        ("At", Some(instants)) => at(instants, problems),
        ("Closed", _) => {
            let fields = Fields::open(&CLOSED, value, problems)?;
            let users =
                fields.get("users").map_or(Some(1), |value| value::whole(value, "`users`", 1..=1_000_000, problems));
            let think = fields
                .get("think")
                .map_or(Some(Dist::Constant(Duration::ZERO)), |value| dist::read(value, "`think`", problems));
            Some(Arrivals::Users { count: u32::try_from(users?).unwrap_or(u32::MAX), think: think? })
        }
        _ => value::wrong(
            value,
            "`arrivals` are `Once`, `Poisson(\"50/s\")`, `Every(\"20ms\")`, `At([\"1s\", \"2s\"])` or \
             `Closed(users: 10, think: \"1s\")`",
            problems,
        ),
    }
}

fn at(value: &Value, problems: &mut Problems) -> Option<Arrivals> {
    let Kind::List(items) = &value.kind else {
        return value::wrong(value, "`At` holds a list of instants: [\"1s\", \"2s\"]", problems);
    };
    let mut instants: Vec<Time> = Vec::new();
    for item in items {
        let instant = Time::ZERO + value::span(item, "an instant", problems)?;
        if instants.last().is_some_and(|&last| instant < last) {
            problems.add(
                Diagnostic::error(Code::OutOfRange, item.span, "the instants are not in order")
                    .help("write the earlier one first"),
            );
            return None;
        }
        instants.push(instant);
    }
    if instants.is_empty() {
        problems.add(Diagnostic::error(Code::Empty, value.span, "there are no instants"));
        return None;
    }
    Some(Arrivals::At(instants))
}

fn connections(value: &Value, problems: &mut Problems) -> Option<Connections> {
    let kind = value::choice(value, "`connection`", &["Pool", "Fresh"], problems)?;
    if kind == "Fresh" {
        value::bare(value, problems)?;
        return Some(Connections::PerRequest);
    }
    let Connections::Pool { mut max, mut idle } = Connections::BROWSER else { return None };
    let (size, kept) = if let Some(size) = dist::only(value) {
        (Some(size), None)
    } else {
        let fields = Fields::open(&POOL, value, problems)?;
        (fields.get("max"), fields.get("idle"))
    };
    if let Some(size) = size {
        let whole = value::whole(size, "a pool (connections)", 1..=100_000, problems)?;
        max = usize::try_from(whole).unwrap_or(max);
    }
    if let Some(kept) = kept {
        idle = value::positive_span(kept, "`idle`", problems)?;
    }
    Some(Connections::Pool { max, idle })
}
